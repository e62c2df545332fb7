/* SPDX-License-Identifier: Apache-2.0 */
/* The content of one entry of an open zip. Exactly the stated bytes come out, and exactly the
 * stated packed bytes go in, or it is an error at the latest with the last byte. */
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/zip_format.h"

enum { BUFFER = 64 * 1024 };

struct eop_zip_stream {
    const eop_zip *zip;
    const eop_zip_entry *entry;
    uint64_t at;     /* in the file */
    uint64_t packed; /* bytes that are left there */
    uint64_t left;   /* bytes of content that are left */
    uint32_t crc;
    bool inflating; /* z is alive */
    bool ended;     /* the packed data said so */
    z_stream z;
    unsigned char *buffer; /* packed data; NULL: stored */
};

static edgeops_status corrupt(const eop_zip_stream *s, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: '%s' %s", s->zip->what, s->entry->name, why);
}

static edgeops_status take_packed(eop_zip_stream *s, void *out, size_t size) {
    edgeops_status status = eop_zip_read_at(s->zip, out, size, s->at);
    if (status == EDGEOPS_OK) {
        s->at += size;
        s->packed -= size;
    }
    return status;
}

/* Unpacks at most size bytes. */
static edgeops_status inflate_some(eop_zip_stream *s, unsigned char *out, size_t size,
                                   size_t *made) {
    if (s->z.avail_in == 0 && s->packed > 0) {
        size_t n = s->packed < BUFFER ? (size_t)s->packed : BUFFER;
        edgeops_status status = take_packed(s, s->buffer, n);
        if (status != EDGEOPS_OK) {
            return status;
        }
        s->z.next_in = s->buffer;
        s->z.avail_in = (unsigned)n;
    }
    unsigned room = size < UINT_MAX ? (unsigned)size : UINT_MAX;
    unsigned fed = s->z.avail_in;
    s->z.next_out = out;
    s->z.avail_out = room;
    int rc = inflate(&s->z, Z_NO_FLUSH);
    *made = room - s->z.avail_out;
    s->ended = rc == Z_STREAM_END;
    if (rc == Z_MEM_ERROR) {
        return eop_fail_nomem("codec");
    }
    bool stuck = *made == 0 && s->z.avail_in == fed && !s->ended;
    if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) || stuck) {
        return corrupt(s, "has damaged packed data");
    }
    return EDGEOPS_OK;
}

static edgeops_status unpack(eop_zip_stream *s, unsigned char *out, size_t size) {
    while (size > 0) {
        size_t made = 0;
        if (s->ended) {
            return corrupt(s, "has another size than stated");
        }
        edgeops_status status = inflate_some(s, out, size, &made);
        if (status != EDGEOPS_OK) {
            return status;
        }
        out += made;
        size -= made;
    }
    return EDGEOPS_OK;
}

/* All of the content came out. */
static edgeops_status finish(eop_zip_stream *s) {
    while (s->inflating && !s->ended) {
        unsigned char more;
        size_t made = 0;
        edgeops_status status = inflate_some(s, &more, 1, &made);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (made > 0) {
            return corrupt(s, "has another size than stated");
        }
    }
    if (s->packed > 0 || s->z.avail_in > 0) {
        return corrupt(s, "has bytes behind its packed data");
    }
    return s->crc == s->entry->crc ? EDGEOPS_OK
                                   : eop_fail(EDGEOPS_E_CORRUPT, "codec",
                                              "%s: '%s' has a wrong checksum (CRC %08x, not %08x)",
                                              s->zip->what, s->entry->name, s->crc, s->entry->crc);
}

edgeops_status eop_zip_stream_open(eop_zip_stream **out, const eop_zip *zip,
                                   const eop_zip_entry *entry) {
    *out = NULL;
    EOP_REQUIRE(zip->checked, "codec");
    if (entry->encrypted ||
        (entry->method != EOP_ZIP_STORED && entry->method != EOP_ZIP_DEFLATED)) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec",
                        "%s: '%s' is encrypted or packed in a way that is not read", zip->what,
                        entry->name);
    }
    eop_zip_stream *s = eop_calloc(1, sizeof *s);
    if (s == NULL) {
        return eop_fail_nomem("codec");
    }
    s->zip = zip;
    s->entry = entry;
    s->at = entry->offset;
    s->packed = entry->packed;
    s->left = entry->size;
    edgeops_status status = EDGEOPS_OK;
    if (entry->method == EOP_ZIP_DEFLATED) {
        s->buffer = eop_alloc(BUFFER);
        status = s->buffer != NULL ? eop_inflate_begin(&s->z, -MAX_WBITS) : eop_fail_nomem("codec");
        s->inflating = status == EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK && s->left == 0) {
        status = finish(s);
    }
    if (status == EDGEOPS_OK) {
        *out = s;
        s = NULL;
    }
    eop_zip_stream_close(s);
    return status;
}

edgeops_status eop_zip_stream_read(eop_zip_stream *s, void *data, size_t size) {
    if (size > s->left) {
        return corrupt(s, "is shorter than its header says");
    }
    if (size == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = s->inflating ? unpack(s, data, size) : take_packed(s, data, size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    s->crc = (uint32_t)crc32_z(s->crc, data, size);
    s->left -= size;
    return s->left > 0 ? EDGEOPS_OK : finish(s);
}

void eop_zip_stream_close(eop_zip_stream *stream) {
    if (stream != NULL) {
        if (stream->inflating) {
            (void)inflateEnd(&stream->z);
        }
        eop_free(stream->buffer);
        eop_free(stream);
    }
}
