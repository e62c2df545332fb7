/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a descriptor, gunzipped where they are gzip: several members one after the other, and
 * the zeros that pad a tape block. Reads what is there and waits for no more. */
#include "codec/input.h"

#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/deflate.h"

#define BUFFER_BYTES ((size_t)64 << 10)

struct eop_input {
    int fd;
    int cancel_fd;
    const char *what;
    uint64_t taken;
    bool sniffed;
    bool at_end;    /* of the descriptor */
    bool gzip;      /* z is alive */
    bool in_member; /* of the gzip file: its trailer has not come yet */
    size_t used;    /* of buffer: given away or inflated */
    size_t filled;
    z_stream z;
    unsigned char buffer[BUFFER_BYTES];
};

static edgeops_status read_some(eop_input *in, void *data, size_t size, size_t *got) {
    edgeops_status status = eop_read_some(got, in->fd, in->cancel_fd, data, size, in->what);
    if (status == EDGEOPS_OK) {
        in->taken += *got;
        in->at_end = *got == 0;
    }
    return status;
}

/* Adds to the buffer until it holds want bytes or the descriptor is at its end. */
static edgeops_status fill(eop_input *in, size_t want) {
    if (in->used == in->filled) {
        in->used = 0;
        in->filled = 0;
    }
    while (in->filled - in->used < want && !in->at_end) {
        size_t got = 0;
        if (in->filled == BUFFER_BYTES) {
            memmove(in->buffer, in->buffer + in->used, in->filled - in->used);
            in->filled -= in->used;
            in->used = 0;
        }
        edgeops_status status =
            read_some(in, in->buffer + in->filled, BUFFER_BYTES - in->filled, &got);
        if (status != EDGEOPS_OK) {
            return status;
        }
        in->filled += got;
    }
    return EDGEOPS_OK;
}

static bool at_gzip(const eop_input *in) {
    return in->filled - in->used >= 2 && in->buffer[in->used] == 0x1f &&
           in->buffer[in->used + 1] == 0x8b;
}

static edgeops_status sniff(eop_input *in) {
    edgeops_status status = fill(in, 2);
    if (status != EDGEOPS_OK) {
        return status;
    }
    in->sniffed = true;
    if (!at_gzip(in)) {
        return EDGEOPS_OK;
    }
    status = eop_inflate_begin(&in->z, MAX_WBITS + 32);
    if (status != EDGEOPS_OK) {
        return status;
    }
    in->gzip = true;
    in->in_member = true;
    return EDGEOPS_OK;
}

/* Behind a member comes another one, or zeros that pad a tape block, or nothing. */
static edgeops_status next_member(eop_input *in) {
    edgeops_status status = fill(in, 2);
    while (status == EDGEOPS_OK && in->used < in->filled && in->buffer[in->used] == 0) {
        in->used++;
        status = fill(in, 2);
    }
    if (status != EDGEOPS_OK || in->used == in->filled) {
        return status;
    }
    if (!at_gzip(in) || inflateReset(&in->z) != Z_OK) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: there is something behind the gzip data",
                        in->what);
    }
    in->in_member = true;
    return EDGEOPS_OK;
}

static edgeops_status inflate_some(eop_input *in, char *data, size_t size, size_t *got) {
    in->z.next_out = (unsigned char *)data;
    in->z.avail_out = size < UINT_MAX ? (uInt)size : UINT_MAX;
    const uInt room = in->z.avail_out;
    while (in->in_member && in->z.avail_out == room) {
        edgeops_status status = fill(in, 1);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (in->used == in->filled) {
            return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: the gzip data ends too early",
                            in->what);
        }
        in->z.next_in = in->buffer + in->used;
        in->z.avail_in = (uInt)(in->filled - in->used);
        int rc = inflate(&in->z, Z_NO_FLUSH);
        in->used = in->filled - in->z.avail_in;
        if (rc == Z_STREAM_END) {
            in->in_member = false;
            status = next_member(in);
            if (status != EDGEOPS_OK) {
                return status;
            }
        } else if (rc == Z_MEM_ERROR) {
            return eop_fail_nomem("codec");
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: broken gzip data (%s)", in->what,
                            in->z.msg != NULL ? in->z.msg : "unknown format");
        }
    }
    *got = room - in->z.avail_out;
    return EDGEOPS_OK;
}

edgeops_status eop_input_open(eop_input **out, int fd, int cancel_fd, const char *what) {
    *out = NULL;
    eop_input *in = eop_alloc(sizeof(*in));
    if (in == NULL) {
        return eop_fail_nomem("codec");
    }
    memset(in, 0, offsetof(eop_input, buffer));
    in->fd = fd;
    in->cancel_fd = cancel_fd;
    in->what = what;
    *out = in;
    return EDGEOPS_OK;
}

edgeops_status eop_input_read(eop_input *input, char *data, size_t size, size_t *got) {
    if (!input->sniffed) {
        edgeops_status status = sniff(input);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (input->gzip) {
        return inflate_some(input, data, size, got);
    }
    size_t held = input->filled - input->used;
    if (held == 0) {
        *got = 0;
        return input->at_end ? EDGEOPS_OK : read_some(input, data, size, got);
    }
    held = held < size ? held : size;
    memcpy(data, input->buffer + input->used, held);
    input->used += held;
    *got = held;
    return EDGEOPS_OK;
}

uint64_t eop_input_taken(const eop_input *input) {
    return input->taken;
}

void eop_input_close(eop_input *input) {
    if (input != NULL && input->gzip) {
        inflateEnd(&input->z);
    }
    eop_free(input);
}
