/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a descriptor, unpacked where they are compressed: several members one after the other,
 * and the zeros that pad a tape block. Reads what is there and waits for no more than its first
 * bytes, which tell what it is. */
#include "codec/input.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/decompress.h"

#define BUFFER_BYTES ((size_t)64 << 10)

struct eop_input {
    int fd;
    int cancel_fd;
    const char *what;
    bool is_text;
    uint64_t taken;
    bool sniffed;
    bool at_end;  /* of the descriptor */
    bool checked; /* what was unpacked begins like a text */
    eop_packing packing;
    eop_decompress *packed;
    bool in_member; /* of compressed data: its end has not come yet */
    size_t used;    /* of buffer: given away or unpacked */
    size_t filled;
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

typedef struct foreign {
    const char *magic;
    size_t size;
    const char *name; /* what it is, and what to do */
} foreign;

#define MAGIC(text) text, sizeof(text) - 1

/* What people hand in that is no text, each by bytes that no text has. */
static const foreign foreigners[] = {
    {MAGIC("PK\x03\x04"), "a zip archive; unpack it and take the file in it"},
    {MAGIC("PAR1\x15"), "a Parquet file; give it a name that ends in .parquet, or save it as CSV"},
    {MAGIC("ARROW1\0"), "an Arrow file; give it a name that ends in .arrow, or save it as CSV"},
    {MAGIC("\x93NUMPY"), "a NumPy file; give it a name that ends in .npy, or save it as CSV"},
    {MAGIC("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "a spreadsheet (xls); save the sheet as CSV"},
    {MAGIC("\x89HDF\r\n\x1a\n"), "an HDF5 file; save the table as CSV"},
    {MAGIC("SQLite format 3\0"), "an SQLite database; export the table as CSV"},
    {MAGIC("\x04\x22\x4d\x18"), "lz4 data; unpack it first: lz4 -d FILE"},
    {MAGIC("\x1f\x9d"), "data of compress (.Z); unpack it first: uncompress FILE"},
    {MAGIC("LZIP\x01"), "lzip data; unpack it first: lzip -d FILE"},
    {MAGIC("7z\xbc\xaf\x27\x1c"), "a 7z archive; unpack it and take the file in it"},
    {MAGIC("Rar!\x1a\x07"), "a rar archive; unpack it and take the file in it"},
};

/* A byte more could tell. */
static bool may_be_foreign(const void *data, size_t size) {
    bool may = false;
    for (size_t i = 0; i < sizeof(foreigners) / sizeof(foreigners[0]); i++) {
        const foreign *f = &foreigners[i];
        may = may || (size < f->size && memcmp(data, f->magic, size) == 0);
    }
    return may;
}

/* A zip by the name of its first member, which follows 30 bytes. */
static const char *name_zip(const char *data, size_t size) {
    const char *first = data + (size < 30 ? size : 30);
    const size_t left = size - (size_t)(first - data);
    if (left >= 4 && (memcmp(first, "[Con", 4) == 0 || memcmp(first, "xl/", 3) == 0 ||
                      memcmp(first, "_rel", 4) == 0)) {
        return "a spreadsheet (xlsx); save the sheet as CSV";
    }
    return memmem(first, left < 256 ? left : 256, ".npy", 4) != NULL
               ? "a NumPy archive; give it a name that ends in .npz, or save it as CSV"
               : foreigners[0].name;
}

/* Refuses what is known to be no text. */
static edgeops_status check_text(const eop_input *in, const char *data, size_t size) {
    const char *name = NULL;
    if (!in->is_text) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < sizeof(foreigners) / sizeof(foreigners[0]) && name == NULL; i++) {
        const foreign *f = &foreigners[i];
        if (size >= f->size && memcmp(data, f->magic, f->size) == 0) {
            name = i == 0 ? name_zip(data, size) : f->name;
        }
    }
    if (size >= 262 && memcmp(data + 257, "ustar", 5) == 0 && memchr(data, 0, 257) != NULL) {
        name = "a tar archive; unpack it and take the file in it";
    }
    return name == NULL
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_UNSUPPORTED, "codec", "%s: this is %s", in->what, name);
}

/* What the next bytes are, by as few of them as can tell. */
static edgeops_status next_kind(eop_input *in, eop_packing *packing) {
    bool more = true;
    edgeops_status status = fill(in, 1);
    while (status == EDGEOPS_OK && more) {
        const unsigned char *data = in->buffer + in->used;
        const size_t held = in->filled - in->used;
        *packing = eop_decompress_kind(data, held, &more);
        more = (more || may_be_foreign(data, held)) && !in->at_end;
        status = more ? fill(in, held + 1) : EDGEOPS_OK;
    }
    return status;
}

static edgeops_status sniff(eop_input *in) {
    edgeops_status status = next_kind(in, &in->packing);
    if (status == EDGEOPS_OK && in->filled >= 4 && memcmp(in->buffer, "PK\x03\x04", 4) == 0) {
        status = fill(in, 512); /* for the names in it */
    }
    if (status == EDGEOPS_OK) {
        status = check_text(in, (const char *)in->buffer, in->filled);
    }
    if (status == EDGEOPS_OK && in->packing != EOP_PACKED_NOT) {
        in->in_member = true;
        status = eop_decompress_new(&in->packed, in->packing, in->what);
    }
    in->sniffed = status == EDGEOPS_OK;
    return status;
}

/* Behind a member comes another one, or zeros that pad a tape block, or nothing. */
static edgeops_status next_member(eop_input *in) {
    edgeops_status status = fill(in, 1);
    while (status == EDGEOPS_OK && in->used < in->filled && in->buffer[in->used] == 0) {
        in->used++;
        status = fill(in, 1);
    }
    eop_packing packing = EOP_PACKED_NOT;
    if (status == EDGEOPS_OK && in->used < in->filled) {
        status = next_kind(in, &packing);
    }
    if (status != EDGEOPS_OK || in->used == in->filled) {
        return status;
    }
    if (packing != in->packing) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: there is something behind the %s data",
                        in->what, eop_decompress_name(in->packing));
    }
    in->in_member = true;
    return eop_decompress_again(in->packed);
}

/* Gives what the library still holds before it reads on: whoever writes a pipe may wait. */
static edgeops_status unpack_some(eop_input *in, char *data, size_t size, size_t *got) {
    eop_decompress_io io = {.out = (unsigned char *)data, .out_size = size};
    while (in->in_member && io.out_size == size) {
        io.in = in->buffer + in->used;
        io.in_size = in->filled - in->used;
        const bool starved = io.in_size == 0;
        edgeops_status status = eop_decompress_some(in->packed, &io);
        in->used = in->filled - io.in_size;
        if (status == EDGEOPS_DONE) {
            in->in_member = false;
            status = next_member(in);
        } else if (status == EDGEOPS_OK && starved && io.out_size == size) {
            status = fill(in, 1);
            if (status == EDGEOPS_OK && in->used == in->filled) {
                return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: the %s data ends too early",
                                in->what, eop_decompress_name(in->packing));
            }
        }
        if (status < 0) {
            return status;
        }
    }
    *got = size - io.out_size;
    return EDGEOPS_OK;
}

edgeops_status eop_input_open(eop_input **out, int fd, int cancel_fd, const char *what,
                              eop_input_kind kind) {
    *out = NULL;
    eop_input *in = eop_alloc(sizeof(*in));
    if (in == NULL) {
        return eop_fail_nomem("codec");
    }
    memset(in, 0, offsetof(eop_input, buffer));
    in->fd = fd;
    in->cancel_fd = cancel_fd;
    in->what = what;
    in->is_text = kind == EOP_INPUT_TEXT;
    *out = in;
    return EDGEOPS_OK;
}

edgeops_status eop_input_read(eop_input *input, char *data, size_t size, size_t *got) {
    edgeops_status status = input->sniffed ? EDGEOPS_OK : sniff(input);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (input->packed != NULL) {
        status = unpack_some(input, data, size, got);
        if (status == EDGEOPS_OK && !input->checked) {
            input->checked = true;
            status = check_text(input, data, *got);
        }
        return status;
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
    if (input != NULL) {
        eop_decompress_free(input->packed);
    }
    eop_free(input);
}
