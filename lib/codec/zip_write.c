/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a zip as a stream: checksums and packed sizes follow each content, so nothing is
 * written twice. Every entry is a ZIP64 one, so that no size needs another layout. */
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/zip_format.h"

enum {
    VERSION = 45, /* ZIP64 */
    FLAGS = EOP_ZIP_FLAG_DESCRIPTOR | EOP_ZIP_FLAG_UTF8,
    DATE = 33, /* 1980-01-01: the same data gives the same bytes */
    PIECE = 64 * 1024
};

/* Kept from one deflated entry to the next. */
struct eop_zip_packer {
    z_stream z;
};

static void put16(eop_buf *out, uint32_t value) {
    unsigned char bytes[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
    eop_buf_put(out, bytes, sizeof bytes);
}

static void put32(eop_buf *out, uint32_t value) {
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static void put64(eop_buf *out, uint64_t value) {
    put32(out, (uint32_t)value);
    put32(out, (uint32_t)(value >> 32));
}

static edgeops_status start_packer(eop_zip_writer *zip) {
    if (zip->packer != NULL) {
        (void)deflateReset(&zip->packer->z);
        return EDGEOPS_OK;
    }
    struct eop_zip_packer *packer = eop_calloc(1, sizeof *packer);
    edgeops_status status =
        packer != NULL ? eop_deflate_begin(&packer->z, -MAX_WBITS) : eop_fail_nomem("codec");
    if (status == EDGEOPS_OK) {
        zip->packer = packer;
        packer = NULL;
    }
    eop_free(packer);
    return status;
}

edgeops_status eop_zip_begin(eop_zip_writer *zip, eop_buf *out, const char *name, uint64_t size,
                             int method) {
    if (!eop_grow(&zip->entries, &zip->capacity, zip->count + 1, sizeof *zip->entries)) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = method == EOP_ZIP_DEFLATED ? start_packer(zip) : EDGEOPS_OK;
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_zip_entry *entry = &zip->entries[zip->count];
    *entry = (eop_zip_entry){.name = eop_strdup(name),
                             .size = size,
                             .packed = method == EOP_ZIP_STORED ? size : 0,
                             .offset = zip->offset,
                             .method = (uint16_t)method};
    if (entry->name == NULL) {
        return eop_fail_nomem("codec");
    }
    zip->count++;
    zip->left = size;
    size_t before = out->size;
    put32(out, EOP_ZIP_LOCAL);
    put16(out, VERSION);
    put16(out, FLAGS);
    put16(out, entry->method);
    put16(out, 0);
    put16(out, DATE);
    put32(out, 0);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, (uint32_t)strlen(name));
    put16(out, 20);
    eop_buf_puts(out, name);
    put16(out, EOP_ZIP_EXTRA64);
    put16(out, 16);
    put64(out, size);
    put64(out, entry->packed);
    zip->offset += out->size - before;
    return EDGEOPS_OK;
}

/* Packs what z holds, until it wants more or, with Z_FINISH, is done. */
static void pack(eop_zip_writer *zip, eop_buf *out, int flush) {
    z_stream *z = &zip->packer->z;
    size_t before = out->size;
    do {
        char *place = eop_buf_reserve(out, PIECE);
        if (place == NULL) {
            return; /* out->failed */
        }
        z->next_out = (unsigned char *)place;
        z->avail_out = PIECE;
        (void)deflate(z, flush);
        out->size += PIECE - z->avail_out;
    } while (z->avail_out == 0);
    zip->entries[zip->count - 1].packed += out->size - before;
    zip->offset += out->size - before;
}

void eop_zip_put(eop_zip_writer *zip, eop_buf *out, const void *data, size_t size) {
    eop_zip_entry *entry = &zip->entries[zip->count - 1];
    entry->crc = (uint32_t)crc32_z(entry->crc, data, size);
    zip->left -= size;
    if (entry->method == EOP_ZIP_STORED) {
        eop_buf_put(out, data, size);
        zip->offset += size;
        return;
    }
    const unsigned char *from = data;
    while (size > 0) {
        unsigned n = size < UINT_MAX ? (unsigned)size : UINT_MAX;
        zip->packer->z.next_in = from;
        zip->packer->z.avail_in = n;
        pack(zip, out, Z_NO_FLUSH);
        from += n;
        size -= n;
    }
}

void eop_zip_end(eop_zip_writer *zip, eop_buf *out) {
    const eop_zip_entry *entry = &zip->entries[zip->count - 1];
    if (entry->method == EOP_ZIP_DEFLATED) {
        zip->packer->z.avail_in = 0;
        pack(zip, out, Z_FINISH);
    }
    put32(out, EOP_ZIP_DESCRIPTOR);
    put32(out, entry->crc);
    put64(out, entry->packed);
    put64(out, entry->size);
    zip->offset += 24;
}

static void put_header(eop_buf *out, const eop_zip_entry *entry) {
    put32(out, EOP_ZIP_HEADER);
    put16(out, 3 << 8 | VERSION); /* made on Unix */
    put16(out, VERSION);
    put16(out, FLAGS);
    put16(out, entry->method);
    put16(out, 0);
    put16(out, DATE);
    put32(out, entry->crc);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, (uint32_t)strlen(entry->name));
    put16(out, 28);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    put32(out, (uint32_t)0100644 << 16);
    put32(out, UINT32_MAX);
    eop_buf_puts(out, entry->name);
    put16(out, EOP_ZIP_EXTRA64);
    put16(out, 24);
    put64(out, entry->size);
    put64(out, entry->packed);
    put64(out, entry->offset);
}

void eop_zip_finish(eop_zip_writer *zip, eop_buf *out) {
    size_t before = out->size;
    for (size_t i = 0; i < zip->count; i++) {
        put_header(out, &zip->entries[i]);
    }
    uint64_t size = out->size - before;
    put32(out, EOP_ZIP_END64);
    put64(out, 44);
    put16(out, 3 << 8 | VERSION);
    put16(out, VERSION);
    put32(out, 0);
    put32(out, 0);
    put64(out, zip->count);
    put64(out, zip->count);
    put64(out, size);
    put64(out, zip->offset);
    put32(out, EOP_ZIP_LOCATOR64);
    put32(out, 0);
    put64(out, zip->offset + size);
    put32(out, 1);
    put32(out, EOP_ZIP_END);
    put16(out, 0);
    put16(out, 0);
    put16(out, UINT16_MAX);
    put16(out, UINT16_MAX);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, 0);
    zip->offset += out->size - before;
}

void eop_zip_writer_dispose(eop_zip_writer *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        eop_free(zip->entries[i].name);
    }
    if (zip->packer != NULL) {
        (void)deflateEnd(&zip->packer->z);
    }
    eop_free(zip->packer);
    eop_free(zip->entries);
    *zip = (eop_zip_writer){0};
}
