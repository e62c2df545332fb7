/* SPDX-License-Identifier: Apache-2.0 */
/* Zips made byte by byte, so that they can lie: each entry says what the directory states, what the
 * header in front of the content states, and what really is there. */
#ifndef EOP_TESTS_ZIP_TOOLS_H
#define EOP_TESTS_ZIP_TOOLS_H

#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

/* What a header states. Zero means: as it really is. */
typedef struct lie {
    const char *name;
    const char *extra;
    size_t extra_size;
    uint16_t flags;
    uint16_t method;
    uint32_t size;
    uint32_t packed;
    uint32_t crc;
} lie;

/* An entry as its directory tells it; zero means: as it really is. */
typedef struct fake {
    const char *name;
    const char *data;  /* NULL: empty */
    const char *other; /* name in front of the data, where it differs */
    size_t name_size;  /* where the name holds a NUL */
    size_t data_size;  /* where the data hold a NUL */
    uint32_t mode;     /* Unix mode */
    uint16_t flags;
    uint16_t method;
    uint32_t size;   /* stated, unpacked */
    uint32_t packed; /* stated */
    uint32_t crc;
    uint32_t offset_add; /* moves where the entry is said to start */
    const char *extra;
    size_t extra_size;
    const lie *front;   /* the header in front of the data; NULL: says what the directory says */
    const char *behind; /* put behind the data */
    size_t behind_size;
} fake;

static inline void put16(eop_buf *b, uint32_t v) {
    const char bytes[2] = {(char)(v & 0xFF), (char)(v >> 8 & 0xFF)};
    eop_buf_put(b, bytes, 2);
}

static inline void put32(eop_buf *b, uint32_t v) {
    put16(b, v & 0xFFFF);
    put16(b, v >> 16);
}

static inline uint32_t crc32_of(const char *data, size_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)data[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static inline size_t data_size_of(const fake *f) {
    return f->data_size != 0 ? f->data_size : f->data != NULL ? strlen(f->data) : 0;
}

static inline uint32_t or_else(uint32_t stated, uint32_t real) {
    return stated != 0 ? stated : real;
}

/* version, flags, method, time, date, crc, sizes, name length, extra length */
static inline void put_common(eop_buf *b, const fake *f, size_t name_size, const lie *told) {
    size_t size = data_size_of(f);
    const lie same = {NULL,      f->extra, f->extra_size, f->flags,
                      f->method, f->size,  f->packed,     f->crc};
    const lie *l = told != NULL ? told : &same;
    put16(b, 20);
    put16(b, l->flags);
    put16(b, l->method);
    put32(b, 0x00210000);
    put32(b, or_else(l->crc, crc32_of(f->data, size)));
    put32(b, or_else(l->packed, (uint32_t)size));
    put32(b, or_else(l->size, (uint32_t)size));
    put16(b, (uint32_t)name_size);
    put16(b, (uint32_t)l->extra_size);
}

static inline void put_front(eop_buf *zip, const fake *f, size_t name_size) {
    const char *local = f->front != NULL && f->front->name != NULL ? f->front->name
                        : f->other != NULL                         ? f->other
                                                                   : f->name;
    size_t local_size = local == f->name ? name_size : strlen(local);
    eop_buf_put(zip, "PK\3\4", 4);
    put_common(zip, f, local_size, f->front);
    eop_buf_put(zip, local, local_size);
    if (f->front != NULL) {
        eop_buf_put(zip, f->front->extra, f->front->extra_size);
    } else {
        eop_buf_put(zip, f->extra, f->extra_size);
    }
    eop_buf_put(zip, f->data, data_size_of(f));
    eop_buf_put(zip, f->behind, f->behind_size);
}

static inline void put_end(eop_buf *zip, size_t count, size_t size, size_t start) {
    eop_buf_put(zip, "PK\5\6\0\0\0\0", 8);
    put16(zip, (uint32_t)count);
    put16(zip, (uint32_t)count);
    put32(zip, (uint32_t)size);
    put32(zip, (uint32_t)start);
    put16(zip, 0);
}

static inline void build_zip(eop_buf *zip, const fake *entries, size_t count) {
    eop_buf directory = {0};
    for (size_t i = 0; i < count; i++) {
        const fake *f = &entries[i];
        size_t name_size = f->name_size != 0 ? f->name_size : strlen(f->name);
        uint32_t offset = (uint32_t)zip->size + f->offset_add;
        put_front(zip, f, name_size);
        eop_buf_put(&directory, "PK\1\2", 4);
        put16(&directory, 3 << 8 | 20);
        put_common(&directory, f, name_size, NULL);
        put16(&directory, 0);
        put16(&directory, 0);
        put16(&directory, 0);
        put32(&directory, (f->mode != 0 ? f->mode : S_IFREG | 0644u) << 16);
        put32(&directory, offset);
        eop_buf_put(&directory, f->name, name_size);
        eop_buf_put(&directory, f->extra, f->extra_size);
    }
    size_t start = zip->size;
    eop_buf_put(zip, directory.data, directory.size);
    put_end(zip, count, directory.size, start);
    eop_buf_dispose(&directory);
}

#endif /* EOP_TESTS_ZIP_TOOLS_H */
