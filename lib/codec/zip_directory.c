/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a zip: finds its end record, walks its directory, leaves the headers in front of the
 * contents to zip_local.c. What could be read in two ways is refused, whichever way is right. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/zip_format.h"

enum {
    /* 65,536 entries with names, extra fields and comments of sane length. */
    DIRECTORY_MAX = 32 << 20,
    MADE_ON_UNIX = 3,
    MADE_ON_MAC = 19,
};

static edgeops_status several_disks(const eop_zip *zip) {
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec", "%s: a zip on several disks", zip->what);
}

typedef struct directory {
    uint64_t count;
    uint64_t size;
    uint64_t offset;   /* as stated; bytes in front of the zip are not counted in it */
    uint64_t position; /* where the first of the end records begins */
} directory;

/* The ZIP64 end record. It is read wherever its locator is: some readers follow it, some do not, so
 * it must say what the end record says. */
static edgeops_status read_end64(directory *dir, const eop_zip *zip) {
    unsigned char locator[EOP_ZIP_LOCATOR_SIZE];
    unsigned char p[EOP_ZIP_END64_SIZE];
    if (dir->position < sizeof locator) {
        return EDGEOPS_OK;
    }
    uint64_t end = dir->position - sizeof locator;
    edgeops_status status = eop_zip_read_at(zip, locator, sizeof locator, end);
    if (status != EDGEOPS_OK || eop_zip_get32(locator) != EOP_ZIP_LOCATOR64) {
        return status;
    }
    uint64_t offset = eop_zip_get64(locator + 8);
    status = eop_zip_read_at(zip, p, sizeof p, offset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (eop_zip_get32(p) != EOP_ZIP_END64 || offset > end ||
        eop_zip_get64(p + 4) != end - offset - 12) {
        return eop_zip_corrupt(zip, "the ZIP64 end record is damaged");
    }
    if (eop_zip_get32(locator + 4) != 0 || eop_zip_get32(p + 16) != 0 ||
        eop_zip_get32(p + 20) != 0 || eop_zip_get64(p + 24) != eop_zip_get64(p + 32)) {
        return several_disks(zip);
    }
    directory large = {.count = eop_zip_get64(p + 32),
                       .size = eop_zip_get64(p + 40),
                       .offset = eop_zip_get64(p + 48),
                       .position = offset};
    if ((dir->count != UINT16_MAX && dir->count != large.count) ||
        (dir->size != UINT32_MAX && dir->size != large.size) ||
        (dir->offset != UINT32_MAX && dir->offset != large.offset)) {
        return eop_zip_corrupt(zip, "the two end records contradict each other");
    }
    *dir = large;
    return EDGEOPS_OK;
}

/* tail: the last bytes of the file. */
static edgeops_status take_end(directory *dir, const eop_zip *zip, const unsigned char *tail,
                               size_t size) {
    const unsigned char *p = NULL;
    /* The last signature is the end record: one inside a comment would be read by others as
     * another zip than ours. */
    for (size_t i = size; i >= 4 && p == NULL; i--) {
        if (memcmp(tail + i - 4, "PK\5\6", 4) == 0) {
            p = tail + i - 4;
        }
    }
    if (p == NULL) {
        return eop_zip_corrupt(zip, "is not a zip file, or is cut short (it has no end record)");
    }
    size_t left = size - (size_t)(p - tail);
    if (left < EOP_ZIP_END_SIZE || left != EOP_ZIP_END_SIZE + eop_zip_get16(p + 20)) {
        return eop_zip_corrupt(zip, "does not end with the zip's end record; it is cut short or "
                                    "has bytes after its end");
    }
    if (eop_zip_get16(p + 4) != eop_zip_get16(p + 6) ||
        eop_zip_get16(p + 8) != eop_zip_get16(p + 10) ||
        (eop_zip_get16(p + 4) != 0 && eop_zip_get16(p + 4) != UINT16_MAX)) {
        return several_disks(zip);
    }
    *dir = (directory){.count = eop_zip_get16(p + 10),
                       .size = eop_zip_get32(p + 12),
                       .offset = eop_zip_get32(p + 16),
                       .position = zip->size - left};
    return EDGEOPS_OK;
}

static edgeops_status find_directory(directory *dir, const eop_zip *zip) {
    size_t size = (size_t)EOP_ZIP_END_SIZE + EOP_ZIP_COMMENT_MAX;
    size = zip->size < size ? (size_t)zip->size : size;
    unsigned char *tail = eop_alloc(size);
    if (tail == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = eop_zip_read_at(zip, tail, size, zip->size - size);
    if (status == EDGEOPS_OK) {
        status = take_end(dir, zip, tail, size);
    }
    eop_free(tail);
    if (status == EDGEOPS_OK) {
        status = read_end64(dir, zip);
    }
    if (status == EDGEOPS_OK &&
        (dir->size > dir->position || dir->offset > dir->position - dir->size)) {
        status = eop_zip_corrupt(zip, "the directory is not where the end record says");
    }
    return status;
}

/* Moves the entry by the bytes in front of the zip; false when it has no room in front of the
 * directory. */
static bool fits(const eop_zip *zip, eop_zip_entry *e, uint64_t base) {
    uint64_t least = EOP_ZIP_LOCAL_SIZE + strlen(e->name);
    if (e->offset > zip->directory || base > zip->directory - e->offset) {
        return false;
    }
    e->offset += base;
    uint64_t room = zip->directory - e->offset;
    return least <= room && e->packed <= room - least;
}

/* *used: bytes of the header. base: bytes in front of the zip. */
static edgeops_status take_header(eop_zip *zip, size_t *used, const unsigned char *p, size_t size,
                                  uint64_t base) {
    if (size < EOP_ZIP_HEADER_SIZE || eop_zip_get32(p) != EOP_ZIP_HEADER) {
        return eop_zip_corrupt(zip, "the directory is damaged");
    }
    size_t name = eop_zip_get16(p + 28);
    size_t extra = eop_zip_get16(p + 30);
    const unsigned char *at = p + EOP_ZIP_HEADER_SIZE;
    *used = EOP_ZIP_HEADER_SIZE + name + extra + eop_zip_get16(p + 32);
    if (*used > size) {
        return eop_zip_corrupt(zip, "the directory is damaged");
    }
    if (memchr(at, '\0', name) != NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "codec", "%s: the name of entry %zu holds a NUL",
                        zip->what, zip->count + 1);
    }
    if (eop_zip_get16(p + 34) != 0 && eop_zip_get16(p + 34) != UINT16_MAX) {
        return several_disks(zip);
    }
    bool unix_mode = p[5] == MADE_ON_UNIX || p[5] == MADE_ON_MAC;
    eop_zip_entry entry = {.size = eop_zip_get32(p + 24),
                           .packed = eop_zip_get32(p + 20),
                           .offset = eop_zip_get32(p + 42),
                           .crc = eop_zip_get32(p + 16),
                           .mode = unix_mode ? eop_zip_get32(p + 38) >> 16 : 0,
                           .method = (uint16_t)eop_zip_get16(p + 10)};
    entry.encrypted = (eop_zip_get16(p + 8) & EOP_ZIP_FLAG_ENCRYPTED) != 0 || entry.method == 99;
    entry.name = eop_strndup((const char *)at, name);
    if (entry.name == NULL) {
        return eop_fail_nomem("codec");
    }
    zip->entries[zip->count++] = entry;
    eop_zip_entry *e = &zip->entries[zip->count - 1];
    uint64_t *wanted[3] = {&e->size, &e->packed, &e->offset};
    edgeops_status status = eop_zip_take_extra(zip, e->name, &e->renamed, at + name, extra, wanted);
    if (status == EDGEOPS_OK && !fits(zip, e, base)) {
        status = eop_zip_corrupt(zip, "an entry runs into the directory or past the end");
    }
    if (status == EDGEOPS_OK && e->method == EOP_ZIP_STORED && e->packed != e->size &&
        !e->encrypted) {
        status = eop_zip_corrupt(zip, "a stored entry has two sizes");
    }
    return status;
}

static edgeops_status take_directory(eop_zip *zip, const directory *dir,
                                     const unsigned char *data) {
    size_t left = (size_t)dir->size;
    uint64_t base = dir->position - dir->size - dir->offset;
    while (zip->count < dir->count) {
        size_t used = 0;
        edgeops_status status = take_header(zip, &used, data, left, base);
        if (status != EDGEOPS_OK) {
            return status;
        }
        data += used;
        left -= used;
    }
    return left == 0 ? EDGEOPS_OK
                     : eop_zip_corrupt(zip, "the directory has more entries than it states");
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static edgeops_status check_names(const eop_zip *zip) {
    const char **names = eop_calloc(zip->count, sizeof *names);
    edgeops_status status = names != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
    for (size_t i = 0; status == EDGEOPS_OK && i < zip->count; i++) {
        names[i] = zip->entries[i].name;
    }
    if (status == EDGEOPS_OK && zip->count > 0) {
        qsort(names, zip->count, sizeof *names, by_name);
    }
    for (size_t i = 1; status == EDGEOPS_OK && i < zip->count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            status =
                eop_fail(EDGEOPS_E_DENIED, "codec", "%s: '%s' is there twice", zip->what, names[i]);
        }
    }
    eop_free(names);
    return status;
}

static edgeops_status read_directory(eop_zip *zip, const directory *dir) {
    unsigned char *data = eop_alloc((size_t)dir->size);
    zip->entries = eop_calloc((size_t)dir->count, sizeof *zip->entries);
    edgeops_status status =
        data != NULL && zip->entries != NULL
            ? eop_zip_read_at(zip, data, (size_t)dir->size, dir->position - dir->size)
            : eop_fail_nomem("codec");
    if (status == EDGEOPS_OK) {
        status = take_directory(zip, dir, data);
    }
    eop_free(data);
    return status;
}

edgeops_status eop_zip_open(eop_zip *zip, int fd, const char *what, size_t entries_max) {
    struct stat st;
    directory dir = {0};
    *zip = (eop_zip){.fd = fd, .what = what};
    if (fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "codec", "cannot read '%s'", what);
    }
    if (!S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s: a zip must be a file, not a pipe", what);
    }
    zip->size = (uint64_t)st.st_size;
    edgeops_status status = find_directory(&dir, zip);
    if (status == EDGEOPS_OK && dir.count > entries_max) {
        status = eop_fail(EDGEOPS_E_LIMIT, "codec", "%s: more than %zu entries", what, entries_max);
    }
    if (status == EDGEOPS_OK && dir.size > DIRECTORY_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "codec", "%s: a directory of more than 32 MiB", what);
    }
    if (status == EDGEOPS_OK && dir.count > dir.size / EOP_ZIP_HEADER_SIZE) {
        status = eop_zip_corrupt(zip, "the directory is damaged");
    }
    zip->directory = dir.position - dir.size;
    if (status == EDGEOPS_OK) {
        status = read_directory(zip, &dir);
    }
    return status == EDGEOPS_OK ? check_names(zip) : status;
}

void eop_zip_dispose(eop_zip *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        eop_free(zip->entries[i].name);
    }
    eop_free(zip->entries);
    *zip = (eop_zip){.fd = -1};
}
