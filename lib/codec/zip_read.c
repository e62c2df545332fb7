/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/zip.h"

enum {
    LOCAL_SIZE = 30,
    HEADER_SIZE = 46,
    END_SIZE = 22,
    LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    COMMENT_MAX = 65535,
    DIRECTORY_MAX = 64 << 20,
    BUFFER = 64 * 1024
};

static uint32_t get16(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p) {
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p) {
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static edgeops_status corrupt(const eop_zip *zip, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: %s", zip->what, why);
}

static edgeops_status read_at(const eop_zip *zip, void *out, size_t size, uint64_t offset) {
    char *p = out;
    if (offset > zip->size || size > zip->size - offset) {
        return corrupt(zip, "the zip points past its end: it is cut short or damaged");
    }
    while (size > 0) {
        ssize_t n = pread(zip->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? corrupt(zip, "the file became shorter while it was read")
                          : eop_fail_errno(errno, "codec", "cannot read '%s'", zip->what);
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EDGEOPS_OK;
}

/* -- the directory -- */

typedef struct directory {
    uint64_t count;
    uint64_t size;
    uint64_t offset;
} directory;

static edgeops_status find_directory64(directory *out, const eop_zip *zip, uint64_t end) {
    unsigned char locator[LOCATOR_SIZE];
    unsigned char record[END64_SIZE];
    if (end < LOCATOR_SIZE) {
        return corrupt(zip, "the ZIP64 end record is missing");
    }
    edgeops_status status = read_at(zip, locator, sizeof locator, end - LOCATOR_SIZE);
    if (status == EDGEOPS_OK && memcmp(locator, "PK\6\7", 4) != 0) {
        status = corrupt(zip, "the ZIP64 end record is missing");
    }
    if (status == EDGEOPS_OK) {
        status = read_at(zip, record, sizeof record, get64(locator + 8));
    }
    if (status == EDGEOPS_OK && memcmp(record, "PK\6\6", 4) != 0) {
        status = corrupt(zip, "the ZIP64 end record is damaged");
    }
    if (status == EDGEOPS_OK) {
        *out = (directory){get64(record + 32), get64(record + 40), get64(record + 48)};
    }
    return status;
}

static edgeops_status find_directory(directory *out, const eop_zip *zip) {
    size_t size =
        zip->size < END_SIZE + COMMENT_MAX ? (size_t)zip->size : (size_t)END_SIZE + COMMENT_MAX;
    unsigned char *tail = eop_alloc(size);
    if (tail == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = read_at(zip, tail, size, zip->size - size);
    size_t at = size >= END_SIZE ? size - END_SIZE + 1 : 0;
    while (status == EDGEOPS_OK && at > 0 && memcmp(tail + at - 1, "PK\5\6", 4) != 0) {
        at--;
    }
    if (status == EDGEOPS_OK && at == 0) {
        status = corrupt(zip, "is no zip, or is cut short");
    }
    if (status == EDGEOPS_OK) {
        const unsigned char *p = tail + at - 1;
        *out = (directory){get16(p + 10), get32(p + 12), get32(p + 16)};
        if (out->count == UINT16_MAX || out->size == UINT32_MAX || out->offset == UINT32_MAX) {
            status = find_directory64(out, zip, zip->size - size + at - 1);
        }
    }
    eop_free(tail);
    return status;
}

/* The sizes that have no room in 32 bits stand in an extra field, in this order. */
static edgeops_status take_extra(eop_zip_entry *entry, const eop_zip *zip, const unsigned char *p,
                                 size_t size) {
    uint64_t *wanted[] = {&entry->size, &entry->packed, &entry->offset};
    while (size >= 4) {
        size_t n = get16(p + 2);
        if (n > size - 4) {
            return corrupt(zip, "an extra field runs over its end");
        }
        const unsigned char *field = p + 4;
        size_t left = get16(p) == 1 ? n : 0;
        for (size_t i = 0; left > 0 && i < EOP_COUNT(wanted); i++) {
            if (*wanted[i] != UINT32_MAX) {
                continue;
            }
            if (left < 8) {
                return corrupt(zip, "the ZIP64 extra field is too short");
            }
            *wanted[i] = get64(field);
            field += 8;
            left -= 8;
        }
        p += 4 + n;
        size -= 4 + n;
    }
    return EDGEOPS_OK;
}

/* *used: bytes of the entry in the directory. */
static edgeops_status take_entry(eop_zip_entry *entry, size_t *used, const eop_zip *zip,
                                 const unsigned char *p, size_t size) {
    if (size < HEADER_SIZE || memcmp(p, "PK\1\2", 4) != 0) {
        return corrupt(zip, "the directory is damaged");
    }
    size_t name = get16(p + 28);
    size_t extra = get16(p + 30);
    *used = HEADER_SIZE + name + extra + get16(p + 32);
    if (*used > size || name == 0 || name > EOP_ZIP_NAME_MAX ||
        memchr(p + HEADER_SIZE, 0, name) != NULL) {
        return corrupt(zip, "an entry of the directory is damaged");
    }
    *entry = (eop_zip_entry){.size = get32(p + 24),
                             .packed = get32(p + 20),
                             .offset = get32(p + 42),
                             .crc = get32(p + 16),
                             .method = (uint16_t)get16(p + 10)};
    edgeops_status status = take_extra(entry, zip, p + HEADER_SIZE + name, extra);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if ((get16(p + 8) & 0x2041) != 0 || (entry->method != 0 && entry->method != 8)) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec",
                        "%s: '%.*s' is encrypted or packed in a way that is not read", zip->what,
                        (int)name, (const char *)p + HEADER_SIZE);
    }
    if (entry->method == 0 && entry->packed != entry->size) {
        return corrupt(zip, "an entry has two sizes");
    }
    entry->name = eop_strndup((const char *)p + HEADER_SIZE, name);
    return entry->name != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
}

edgeops_status eop_zip_open(eop_zip *zip, int fd, const char *what) {
    struct stat st;
    directory dir = {0};
    unsigned char *data = NULL;
    *zip = (eop_zip){.fd = fd, .what = what};
    if (fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "codec", "cannot read '%s'", what);
    }
    if (!S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s: a zip must be a file, not a pipe", what);
    }
    zip->size = (uint64_t)st.st_size;
    edgeops_status status = find_directory(&dir, zip);
    if (status == EDGEOPS_OK && (dir.count > EOP_ZIP_ENTRIES_MAX || dir.size > DIRECTORY_MAX)) {
        status = eop_fail(EDGEOPS_E_LIMIT, "codec", "%s: more than %u files in the zip", what,
                          EOP_ZIP_ENTRIES_MAX);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    data = eop_alloc((size_t)dir.size);
    zip->entries = eop_calloc((size_t)dir.count, sizeof *zip->entries);
    status = data != NULL && zip->entries != NULL ? read_at(zip, data, (size_t)dir.size, dir.offset)
                                                  : eop_fail_nomem("codec");
    for (size_t at = 0; status == EDGEOPS_OK && zip->count < dir.count;) {
        size_t used = 0;
        status =
            take_entry(&zip->entries[zip->count], &used, zip, data + at, (size_t)dir.size - at);
        zip->count += status == EDGEOPS_OK;
        at += used;
    }
    eop_free(data);
    return status;
}

void eop_zip_dispose(eop_zip *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        eop_free(zip->entries[i].name);
    }
    eop_free(zip->entries);
    *zip = (eop_zip){.fd = -1};
}

/* -- the content -- */

struct eop_zip_stream {
    const eop_zip *zip;
    const eop_zip_entry *entry;
    uint64_t at;     /* in the file */
    uint64_t packed; /* bytes that are left there */
    uint64_t left;   /* bytes of content that are left */
    uint32_t crc;
    bool inflating;
    z_stream z;
    unsigned char buffer[BUFFER];
};

static void *z_alloc(void *opaque, unsigned count, unsigned size) {
    (void)opaque;
    return eop_calloc(count, size);
}

static void z_free(void *opaque, void *memory) {
    (void)opaque;
    eop_free(memory);
}

edgeops_status eop_zip_stream_open(eop_zip_stream **out, const eop_zip *zip,
                                   const eop_zip_entry *entry) {
    unsigned char local[LOCAL_SIZE];
    *out = NULL;
    edgeops_status status = read_at(zip, local, sizeof local, entry->offset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint64_t start = entry->offset + LOCAL_SIZE + get16(local + 26) + get16(local + 28);
    if (memcmp(local, "PK\3\4", 4) != 0 || start > zip->size || entry->packed > zip->size - start) {
        return corrupt(zip, "an entry is damaged or cut short");
    }
    eop_zip_stream *stream = eop_calloc(1, sizeof *stream);
    if (stream == NULL) {
        return eop_fail_nomem("codec");
    }
    stream->zip = zip;
    stream->entry = entry;
    stream->at = start;
    stream->packed = entry->packed;
    stream->left = entry->size;
    stream->z.zalloc = z_alloc;
    stream->z.zfree = z_free;
    if (entry->method != 0) {
        if (inflateInit2(&stream->z, -MAX_WBITS) != Z_OK) {
            eop_free(stream);
            return eop_fail_nomem("codec");
        }
        stream->inflating = true;
    }
    *out = stream;
    return EDGEOPS_OK;
}

static edgeops_status take_packed(eop_zip_stream *s, void *out, size_t size) {
    edgeops_status status = read_at(s->zip, out, size, s->at);
    if (status == EDGEOPS_OK) {
        s->at += size;
        s->packed -= size;
    }
    return status;
}

static edgeops_status unpack(eop_zip_stream *s, void *data, size_t size) {
    unsigned char *out = data;
    while (size > 0) {
        if (s->z.avail_in == 0) {
            size_t n = s->packed < BUFFER ? (size_t)s->packed : BUFFER;
            edgeops_status status = n > 0 ? take_packed(s, s->buffer, n) : EDGEOPS_OK;
            if (status != EDGEOPS_OK) {
                return status;
            }
            s->z.next_in = s->buffer;
            s->z.avail_in = (unsigned)n;
        }
        unsigned piece = size < INT32_MAX ? (unsigned)size : INT32_MAX;
        s->z.next_out = out;
        s->z.avail_out = piece;
        int rc = inflate(&s->z, Z_NO_FLUSH);
        unsigned made = piece - s->z.avail_out;
        if (rc == Z_MEM_ERROR) {
            return eop_fail_nomem("codec");
        }
        if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) || made == 0) {
            if (rc == Z_OK && s->packed > 0) {
                continue;
            }
            return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: the packed data of '%s' are damaged",
                            s->zip->what, s->entry->name);
        }
        out += made;
        size -= made;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_zip_stream_read(eop_zip_stream *s, void *data, size_t size) {
    if (size > s->left) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: '%s' is shorter than its header says",
                        s->zip->what, s->entry->name);
    }
    edgeops_status status = s->inflating ? unpack(s, data, size) : take_packed(s, data, size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    s->crc = (uint32_t)crc32_z(s->crc, data, size);
    s->left -= size;
    if (s->left == 0 && s->crc != s->entry->crc) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: '%s' has a wrong checksum", s->zip->what,
                        s->entry->name);
    }
    return EDGEOPS_OK;
}

void eop_zip_stream_close(eop_zip_stream *stream) {
    if (stream != NULL) {
        if (stream->inflating) {
            inflateEnd(&stream->z);
        }
        eop_free(stream);
    }
}
