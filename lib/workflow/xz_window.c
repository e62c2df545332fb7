/* SPDX-License-Identifier: Apache-2.0 */
/* The library that unpacks xz takes the dictionary that a block asks for, up to 4 GiB, and has no
 * bound of its own here. So the headers are read first ("The .xz File Format" 1.1.0): the footer
 * (2.1.2) leads to the index (4), and the index to the header of each block (3.1). Checksums are
 * left to the library. */
#include "workflow/xz_window.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    EDGE = 12, /* a stream's header, and its footer */
    HEADER_MAX = 1024,
    INDEX_MAX = 1 << 20, /* more than 100,000 blocks */
    LZMA2 = 0x21,
    HAS_PACKED = 0x40,
    HAS_SIZE = 0x80,
};

typedef struct xz {
    int fd;
    uint64_t size;
    uint64_t window;
    const char *what;
} xz;

typedef struct cursor {
    const unsigned char *at;
    size_t left;
} cursor;

static edgeops_status corrupt(const xz *x) {
    return eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                    "%s: the xz data are damaged, cut short or followed by something", x->what);
}

static edgeops_status read_at(const xz *x, void *out, size_t size, uint64_t offset) {
    char *p = out;
    if (offset > x->size || size > x->size - offset) {
        return corrupt(x);
    }
    while (size > 0) {
        ssize_t n = pread(x->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? corrupt(x)
                          : eop_fail_errno(errno, "workflow", "cannot read '%s'", x->what);
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EDGEOPS_OK;
}

/* A number of at most 9 bytes, 7 bits in each. */
static bool take_number(cursor *c, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 63 && c->left > 0; shift += 7) {
        unsigned char byte = *c->at++;
        c->left--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return true;
        }
    }
    return false;
}

/* The dictionary of a block's last filter; false for a header that is not sound. */
static bool take_window(uint64_t *window, cursor c) {
    uint64_t number = 0;
    *window = 0;
    if (c.left < 6) {
        return false;
    }
    unsigned char flags = c.at[1];
    c.at += 2;
    c.left -= 2;
    if (((flags & HAS_PACKED) != 0 && !take_number(&c, &number)) ||
        ((flags & HAS_SIZE) != 0 && !take_number(&c, &number))) {
        return false;
    }
    for (unsigned i = 0; i <= (flags & 3u); i++) {
        uint64_t id = 0, size = 0;
        if (!take_number(&c, &id) || !take_number(&c, &size) || size > c.left) {
            return false;
        }
        if (id == LZMA2) {
            unsigned bits = size == 1 ? c.at[0] : 64;
            if (bits > 40) {
                return false;
            }
            *window = bits == 40 ? UINT32_MAX : (uint64_t)(2 | (bits & 1)) << (bits / 2 + 11);
        }
        c.at += size;
        c.left -= (size_t)size;
    }
    return *window > 0;
}

static edgeops_status check_block(const xz *x, uint64_t offset) {
    unsigned char header[HEADER_MAX];
    uint64_t window = 0;
    edgeops_status status = read_at(x, header, 1, offset);
    size_t size = ((size_t)header[0] + 1) * 4;
    if (status == EDGEOPS_OK) {
        status = read_at(x, header, size, offset);
    }
    if (status == EDGEOPS_OK && !take_window(&window, (cursor){header, size})) {
        status = corrupt(x);
    }
    return status == EDGEOPS_OK && window > x->window
               ? eop_fail(EDGEOPS_E_LIMIT, "workflow",
                          "%s: wants a dictionary of %llu MiB to unpack; pack with one of at most "
                          "%llu MiB (xz -9 takes 64)",
                          x->what, (unsigned long long)(window >> 20),
                          (unsigned long long)(x->window >> 20))
               : status;
}

/* at: of the index in the file. Its blocks fill all between the stream's header and itself. */
static edgeops_status check_blocks(const xz *x, cursor c, uint64_t at) {
    uint64_t count = 0, offset = EDGE;
    edgeops_status status = EDGEOPS_OK;
    if (c.left < 1 || *c.at++ != 0 || c.left-- == 0 || !take_number(&c, &count)) {
        return corrupt(x);
    }
    for (uint64_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        uint64_t packed = 0, size = 0;
        if (!take_number(&c, &packed) || !take_number(&c, &size) || packed == 0 ||
            packed > at - offset) {
            return corrupt(x);
        }
        status = check_block(x, offset);
        offset += (packed + 3) / 4 * 4;
        if (status == EDGEOPS_OK && offset > at) {
            status = corrupt(x);
        }
    }
    return status == EDGEOPS_OK && offset != at ? corrupt(x) : status;
}

edgeops_status eop_xz_check_window(int fd, uint64_t size, uint64_t window, const char *what) {
    const xz x = {.fd = fd, .size = size, .window = window, .what = what};
    unsigned char footer[EDGE];
    edgeops_status status =
        size >= 2 * EDGE ? read_at(&x, footer, sizeof footer, size - EDGE) : corrupt(&x);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint64_t index = ((uint64_t)footer[4] | (uint64_t)footer[5] << 8 | (uint64_t)footer[6] << 16 |
                      (uint64_t)footer[7] << 24) *
                         4 +
                     4;
    if (memcmp(footer + 10, "YZ", 2) != 0 || index > INDEX_MAX || index > size - 2 * EDGE) {
        return corrupt(&x);
    }
    uint64_t at = size - EDGE - index;
    unsigned char *data = eop_alloc((size_t)index);
    status = data != NULL ? read_at(&x, data, (size_t)index, at) : eop_fail_nomem("workflow");
    if (status == EDGEOPS_OK) {
        status = check_blocks(&x, (cursor){data, (size_t)index}, at);
    }
    eop_free(data);
    return status;
}
