/* SPDX-License-Identifier: Apache-2.0 */
/* The layout is PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.12 (directory), 4.3.14 and 4.3.15 (ZIP64
 * end record and locator), 4.3.16 (end record) and 4.5.3 (ZIP64 extra field). */
#include "workflow/zip_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    END_SIZE = 22,
    LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    HEADER_SIZE = 46,
    LOCAL_SIZE = 30,
    COMMENT_MAX = 65535,
    /* 20,000 entries with names, extra fields and comments of sane length. */
    DIRECTORY_MAX = 32 << 20,
};

typedef struct zip_end {
    uint64_t count;
    uint64_t directory_size;
    uint64_t directory_offset; /* as stated; bytes before the zip are not counted in it */
    uint64_t position;         /* where the (ZIP64) end record begins */
} zip_end;

typedef struct zip_span {
    uint64_t start;
    uint64_t end;
} zip_span;

typedef struct zip_index {
    int fd;
    const char *what;
    uint64_t file_size;
    eop_entries *entries;
    zip_span *spans;
    size_t span_capacity;
} zip_index;

static uint32_t get16(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p) {
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p) {
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static edgeops_status corrupt(const zip_index *zip, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: %s", zip->what, why);
}

static edgeops_status read_at(const zip_index *zip, void *out, size_t size, uint64_t offset) {
    char *p = out;
    if (offset > zip->file_size || size > zip->file_size - offset) {
        return corrupt(zip, "the zip points past its end; it is cut short or damaged");
    }
    while (size > 0) {
        ssize_t n = pread(zip->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return eop_fail_errno(errno, "workflow", "cannot read '%s'", zip->what);
        }
        if (n == 0) {
            return corrupt(zip, "the file became shorter while it was read");
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EDGEOPS_OK;
}

/* The ZIP64 end record, where a locator in front of the end record says there is one. */
static edgeops_status read_end64(const zip_index *zip, zip_end *end) {
    unsigned char locator[LOCATOR_SIZE];
    unsigned char record[END64_SIZE];
    if (end->position < LOCATOR_SIZE) {
        return EDGEOPS_OK;
    }
    edgeops_status rc = read_at(zip, locator, sizeof locator, end->position - LOCATOR_SIZE);
    if (rc != EDGEOPS_OK || memcmp(locator, "PK\6\7", 4) != 0) {
        return rc;
    }
    uint64_t offset = get64(locator + 8);
    rc = read_at(zip, record, sizeof record, offset);
    if (rc != EDGEOPS_OK) {
        return rc;
    }
    if (memcmp(record, "PK\6\6", 4) != 0 ||
        offset + 12 + get64(record + 4) != end->position - LOCATOR_SIZE) {
        return corrupt(zip, "the ZIP64 end record is damaged");
    }
    if (get32(locator + 4) != 0 || get32(record + 16) != 0 || get32(record + 20) != 0 ||
        get64(record + 24) != get64(record + 32)) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow", "%s: a zip on several disks", zip->what);
    }
    end->count = get64(record + 32);
    end->directory_size = get64(record + 40);
    end->directory_offset = get64(record + 48);
    end->position = offset;
    return EDGEOPS_OK;
}

static edgeops_status read_end(const zip_index *zip, zip_end *end) {
    edgeops_status rc = EDGEOPS_OK;
    size_t size = zip->file_size < END_SIZE + COMMENT_MAX ? (size_t)zip->file_size
                                                          : (size_t)END_SIZE + COMMENT_MAX;
    unsigned char *tail = eop_alloc(size);
    const unsigned char *p = NULL;
    if (tail == NULL) {
        return eop_fail_nomem("workflow");
    }
    rc = read_at(zip, tail, size, zip->file_size - size);
    if (rc != EDGEOPS_OK) {
        goto out;
    }
    /* The last signature is the end record: one inside a comment would be read by others as
     * another zip than ours. */
    for (size_t i = size; i >= 4 && p == NULL; i--) {
        if (memcmp(tail + i - 4, "PK\5\6", 4) == 0) {
            p = tail + i - 4;
        }
    }
    if (p == NULL) {
        rc = corrupt(zip, "is no zip file, or is cut short (it has no end record)");
        goto out;
    }
    size_t left = size - (size_t)(p - tail);
    if (left < END_SIZE || left != END_SIZE + get16(p + 20)) {
        rc = corrupt(zip, "does not end with the zip's end record; it is cut short or has bytes "
                          "after its end");
        goto out;
    }
    *end = (zip_end){.count = get16(p + 10),
                     .directory_size = get32(p + 12),
                     .directory_offset = get32(p + 16),
                     .position = zip->file_size - left};
    bool disks = get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != get16(p + 10);
    if (end->count == 0xFFFF || end->directory_size == UINT32_MAX ||
        end->directory_offset == UINT32_MAX) {
        rc = read_end64(zip, end);
        disks = false;
    }
    if (rc == EDGEOPS_OK && disks) {
        rc = eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow", "%s: a zip on several disks", zip->what);
    }
out:
    eop_free(tail);
    return rc;
}

/* One record of the directory, its variable parts inside the directory. */
typedef struct zip_header {
    const unsigned char *fixed;
    const char *name;
    size_t name_size;
    const unsigned char *extra;
    size_t extra_size;
    uint64_t packed;
    uint64_t size;
    uint64_t offset;
} zip_header;

/* Sizes of 4 GiB and more, or of a writer that did not know: the ZIP64 extra field holds, in this
 * order, just those that the fixed part has no room for. */
static edgeops_status read_extra(const zip_index *zip, zip_header *h) {
    const unsigned char *p = h->extra;
    size_t left = h->extra_size;
    uint64_t *wanted[3];
    size_t count = 0;
    if (h->size == UINT32_MAX) {
        wanted[count++] = &h->size;
    }
    if (h->packed == UINT32_MAX) {
        wanted[count++] = &h->packed;
    }
    if (h->offset == UINT32_MAX) {
        wanted[count++] = &h->offset;
    }
    size_t found = 0;
    while (left >= 4) {
        size_t length = get16(p + 2);
        if (length > left - 4) {
            return corrupt(zip, "an extra field runs over its end");
        }
        if (get16(p) == 1 && count > 0 && found == 0) {
            for (; found < count && (found + 1) * 8 <= length; found++) {
                *wanted[found] = get64(p + 4 + found * 8);
            }
        }
        p += 4 + length;
        left -= 4 + length;
    }
    if (found < count) {
        return corrupt(zip, "a ZIP64 extra field is missing or too short");
    }
    return EDGEOPS_OK;
}

/* Which kind of thing this is: only regular files and folders pass. Unix and macOS writers tell the
 * mode; others know folders by the '/' at the end. */
static edgeops_status check_kind(const zip_index *zip, const zip_header *h, bool *directory) {
    unsigned system = h->fixed[5];
    unsigned mode = get32(h->fixed + 38) >> 16;
    *directory = h->name_size > 0 && h->name[h->name_size - 1] == '/';
    const char *kind = NULL;
    if (system == 3 || system == 19) {
        switch (mode & S_IFMT) {
        case 0:
            break;
        case S_IFREG:
            if (*directory) {
                kind = "file with the name of a folder";
            }
            break;
        case S_IFDIR:
            *directory = true;
            break;
        case S_IFLNK:
            kind = "symbolic link";
            break;
        default:
            kind = "device, FIFO or socket";
            break;
        }
    }
    if (kind != NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow",
                        "%s: entry %zu is a %s; a package holds regular files and folders only",
                        zip->what, zip->entries->count + 1, kind);
    }
    return EDGEOPS_OK;
}

static edgeops_status check_packing(const zip_index *zip, const zip_header *h) {
    unsigned flags = get16(h->fixed + 8);
    unsigned method = get16(h->fixed + 10);
    size_t number = zip->entries->count + 1;
    if ((flags & (1u | 1u << 6 | 1u << 13)) != 0 || method == 99) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow",
                        "%s: entry %zu is encrypted; pack without a password", zip->what, number);
    }
    if (method != 0 && method != 8) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "%s: entry %zu is compressed by method %u; pack with deflate", zip->what,
                        number, method);
    }
    if (method == 0 && h->packed != h->size) {
        return corrupt(zip, "a stored entry has two sizes");
    }
    if (h->size > EOP_ENTRY_RATIO_FROM && h->size / EOP_ENTRY_RATIO_MAX >= h->packed) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow",
                        "%s: entry %zu unpacks to more than %d times its size", zip->what, number,
                        EOP_ENTRY_RATIO_MAX);
    }
    return EDGEOPS_OK;
}

static edgeops_status add_header(zip_index *zip, zip_header *h, uint64_t base, uint64_t limit) {
    bool directory = false;
    edgeops_status rc = read_extra(zip, h);
    if (rc == EDGEOPS_OK && memchr(h->name, '\0', h->name_size) != NULL) {
        rc = eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: the name of entry %zu holds a NUL",
                      zip->what, zip->entries->count + 1);
    }
    if (rc == EDGEOPS_OK && get16(h->fixed + 34) != 0) {
        rc = eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow", "%s: a zip on several disks", zip->what);
    }
    if (rc == EDGEOPS_OK) {
        rc = check_kind(zip, h, &directory);
    }
    if (rc == EDGEOPS_OK) {
        rc = check_packing(zip, h);
    }
    if (rc == EDGEOPS_OK &&
        (h->offset > limit || base + LOCAL_SIZE + h->name_size > limit - h->offset ||
         h->packed > limit - h->offset - base - LOCAL_SIZE - h->name_size)) {
        rc = corrupt(zip, "an entry runs into the directory or past the end");
    }
    if (rc == EDGEOPS_OK &&
        !eop_grow(&zip->spans, &zip->span_capacity, zip->entries->count + 1, sizeof *zip->spans)) {
        rc = eop_fail_nomem("workflow");
    }
    if (rc == EDGEOPS_OK) {
        uint64_t start = base + h->offset;
        zip->spans[zip->entries->count] =
            (zip_span){start, start + LOCAL_SIZE + h->name_size + h->packed};
        rc = eop_entries_add(zip->entries, h->name, h->name_size, h->size, directory, zip->what);
    }
    return rc;
}

static int by_start(const void *a, const void *b) {
    uint64_t x = ((const zip_span *)a)->start, y = ((const zip_span *)b)->start;
    return (x > y) - (x < y);
}

/* Overlapping entries are how a small zip unpacks to petabytes, and how two readers see two zips.
 */
static edgeops_status check_overlap(zip_index *zip) {
    size_t count = zip->entries->count;
    if (count > 0) {
        qsort(zip->spans, count, sizeof *zip->spans, by_start);
    }
    for (size_t i = 1; i < count; i++) {
        if (zip->spans[i].start < zip->spans[i - 1].end) {
            return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: two entries share the same bytes",
                            zip->what);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_headers(zip_index *zip, const unsigned char *directory,
                                   const zip_end *end) {
    uint64_t start = end->position - end->directory_size;
    if (end->directory_offset > start) {
        return corrupt(zip, "the directory is not where the end record says");
    }
    uint64_t base = start - end->directory_offset;
    size_t left = (size_t)end->directory_size;
    const unsigned char *p = directory;
    for (uint64_t i = 0; i < end->count; i++) {
        if (left < HEADER_SIZE || memcmp(p, "PK\1\2", 4) != 0) {
            return corrupt(zip, "the directory is damaged");
        }
        zip_header h = {.fixed = p,
                        .name = (const char *)p + HEADER_SIZE,
                        .name_size = get16(p + 28),
                        .extra_size = get16(p + 30),
                        .packed = get32(p + 20),
                        .size = get32(p + 24),
                        .offset = get32(p + 42)};
        h.extra = p + HEADER_SIZE + h.name_size;
        size_t whole = HEADER_SIZE + h.name_size + h.extra_size + get16(p + 32);
        if (whole > left) {
            return corrupt(zip, "the directory is damaged");
        }
        edgeops_status rc = add_header(zip, &h, base, start);
        if (rc != EDGEOPS_OK) {
            return rc;
        }
        p += whole;
        left -= whole;
    }
    return left == 0 ? EDGEOPS_OK : corrupt(zip, "the directory has more entries than it states");
}

edgeops_status eop_zip_index(eop_entries *entries, int fd, const char *what) {
    edgeops_status rc = EDGEOPS_OK;
    zip_index zip = {.fd = fd, .what = what, .entries = entries};
    zip_end end = {0};
    unsigned char *directory = NULL;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot read '%s'", what);
    }
    zip.file_size = (uint64_t)st.st_size;
    if (zip.file_size > EOP_ENTRY_ZIP_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: a package has at most 1 GiB", what);
    }
    rc = read_end(&zip, &end);
    if (rc == EDGEOPS_OK && end.count > EOP_ENTRY_COUNT_MAX) {
        rc = eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: more than %d entries", what,
                      EOP_ENTRY_COUNT_MAX);
    }
    if (rc == EDGEOPS_OK && end.directory_size > end.position) {
        rc = corrupt(&zip, "the directory is not where the end record says");
    }
    if (rc == EDGEOPS_OK && end.directory_size > DIRECTORY_MAX) {
        rc = eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: a directory of more than 32 MiB", what);
    }
    if (rc != EDGEOPS_OK) {
        return rc;
    }
    directory = eop_alloc((size_t)end.directory_size);
    if (directory == NULL) {
        return eop_fail_nomem("workflow");
    }
    rc = read_at(&zip, directory, (size_t)end.directory_size, end.position - end.directory_size);
    if (rc == EDGEOPS_OK) {
        rc = read_headers(&zip, directory, &end);
    }
    if (rc == EDGEOPS_OK) {
        rc = check_overlap(&zip);
    }
    if (rc == EDGEOPS_OK && entries->total > EOP_ENTRY_RATIO_FROM &&
        entries->total / EOP_ENTRY_RATIO_MAX >= zip.file_size) {
        rc = eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: unpacks to more than %d times its size",
                      what, EOP_ENTRY_RATIO_MAX);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_entries_seal(entries, what);
    }
    eop_free(directory);
    eop_free(zip.spans);
    return rc;
}
