/* SPDX-License-Identifier: Apache-2.0 */
/* What the workflow suites share: folders, files, and zips made byte by byte, so that they can lie.
 */
#ifndef EOP_TESTS_WORKFLOW_TOOLS_H
#define EOP_TESTS_WORKFLOW_TOOLS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "edgeops/workflow.h"

#define CHECK_CODE(expected, call)                                                                 \
    do {                                                                                           \
        edgeops_status given_ = (call);                                                            \
        cr_assert(given_ == (expected), "%s gave %s, not %s: %s", #call,                           \
                  edgeops_status_name(given_), edgeops_status_name(expected),                      \
                  edgeops_error_last()->message);                                                  \
    } while (0)
#define CHECK_TEXT(part)                                                                           \
    cr_assert(strstr(edgeops_error_last()->message, (part)) != NULL, "'%s' is not in '%s'",        \
              (part), edgeops_error_last()->message)

static char folder[64];

static void enter_folder(void) {
    (void)snprintf(folder, sizeof folder, "/tmp/eop-workflow-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert(chdir(folder) == 0);
}

static void leave_folder(void) {
    cr_assert(chdir("/") == 0);
    CHECK_CODE(EDGEOPS_OK, eop_remove_tree(folder));
}

static inline void put_file(const char *path, const void *data, size_t size) {
    char parent[256];
    (void)snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        CHECK_CODE(EDGEOPS_OK, eop_mkdirs(parent, 0755));
    }
    CHECK_CODE(EDGEOPS_OK, eop_file_write(path, data, size, 0644));
}

static inline void put_text(const char *path, const char *text) {
    put_file(path, text, strlen(text));
}

static const char small_manifest[] =
    "{\"format\": 1, \"name\": \"small-one\", \"version\": \"1.0.0\",\n"
    " \"python\": {\"module\": \"small\"},\n"
    " \"inputs\": [{\"name\": \"x\", \"type\": \"float64\", \"unit\": \"um\"}],\n"
    " \"outputs\": [{\"name\": \"class\", \"type\": \"string\"}]}\n";

/* An entry of a zip as its directory tells it; zero means: as it really is. */
typedef struct fake {
    const char *name;
    const char *data;  /* NULL: empty */
    const char *other; /* name in front of the data, where it differs */
    size_t name_size;  /* where the name holds a NUL */
    uint32_t mode;     /* Unix mode */
    uint16_t flags;
    uint16_t method;
    uint32_t size;   /* stated, unpacked */
    uint32_t packed; /* stated */
    uint32_t crc;
    uint32_t offset_add; /* moves where the entry is said to start */
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

/* version, flags, method, time, date, crc, sizes, name length, extra length */
static inline void put_common(eop_buf *b, const fake *f, size_t name_size) {
    size_t size = f->data != NULL ? strlen(f->data) : 0;
    put16(b, 20);
    put16(b, f->flags);
    put16(b, f->method);
    put32(b, 0x00210000);
    put32(b, f->crc != 0 ? f->crc : crc32_of(f->data, size));
    put32(b, f->packed != 0 ? f->packed : (uint32_t)size);
    put32(b, f->size != 0 ? f->size : (uint32_t)size);
    put16(b, (uint32_t)name_size);
    put16(b, 0);
}

static inline void build_zip(eop_buf *zip, const fake *entries, size_t count) {
    eop_buf directory = {0};
    for (size_t i = 0; i < count; i++) {
        const fake *f = &entries[i];
        size_t name_size = f->name_size != 0 ? f->name_size : strlen(f->name);
        const char *local = f->other != NULL ? f->other : f->name;
        size_t local_size = f->other != NULL ? strlen(f->other) : name_size;
        uint32_t offset = (uint32_t)zip->size + f->offset_add;
        eop_buf_put(zip, "PK\3\4", 4);
        put_common(zip, f, local_size);
        eop_buf_put(zip, local, local_size);
        eop_buf_puts(zip, f->data != NULL ? f->data : "");
        eop_buf_put(&directory, "PK\1\2", 4);
        put16(&directory, 3 << 8 | 20);
        put_common(&directory, f, name_size);
        put16(&directory, 0);
        put16(&directory, 0);
        put16(&directory, 0);
        put32(&directory, (f->mode != 0 ? f->mode : S_IFREG | 0644u) << 16);
        put32(&directory, offset);
        eop_buf_put(&directory, f->name, name_size);
    }
    size_t start = zip->size;
    eop_buf_put(zip, directory.data, directory.size);
    eop_buf_put(zip, "PK\5\6\0\0\0\0", 8);
    put16(zip, (uint32_t)count);
    put16(zip, (uint32_t)count);
    put32(zip, (uint32_t)directory.size);
    put32(zip, (uint32_t)start);
    put16(zip, 0);
    eop_buf_dispose(&directory);
}

static inline void put_zip(const char *path, const fake *entries, size_t count) {
    eop_buf zip = {0};
    build_zip(&zip, entries, count);
    put_file(path, zip.data, zip.size);
    eop_buf_dispose(&zip);
}

#endif /* EOP_TESTS_WORKFLOW_TOOLS_H */
