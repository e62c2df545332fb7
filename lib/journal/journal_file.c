/* SPDX-License-Identifier: Apache-2.0 */
/* One segment file: makes it with all its blocks, writes and checks its header, and walks its
 * frames. Knows neither the folder nor a lock. */
#include "journal/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time.h"

static const char magic[8] = {'E', 'O', 'P', 'J', 'R', 'N', 'L', '1'};

typedef struct raw_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t number;
    uint64_t salt;
    uint64_t bytes;
    uint8_t zeros[20];
    uint32_t crc;
} raw_header;
static_assert(sizeof(raw_header) == EOP_SEGMENT_HEADER, "the header of a segment has 64 bytes");

edgeops_status eop_segment_write(int fd, const char *path, const void *data, size_t size,
                                 uint64_t offset) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = pwrite(fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return eop_fail_errno(n < 0 ? errno : ENOSPC, "store", "cannot write '%s'", path);
        }
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return EDGEOPS_OK;
}

/* Not secret, but different from all earlier salts of the file. */
static uint64_t new_salt(uint64_t number) {
    uint64_t seed[4] = {number, (uint64_t)eop_now(), (uint64_t)eop_monotonic(), (uint64_t)getpid()};
    return eop_hash64(seed, sizeof seed) | 1;
}

edgeops_status eop_segment_begin(eop_segment_header *header, int fd, uint64_t number,
                                 uint64_t bytes, const char *path) {
    raw_header raw = {.version = 1,
                      .header_bytes = EOP_SEGMENT_HEADER,
                      .number = number,
                      .salt = new_salt(number),
                      .bytes = bytes};
    memcpy(raw.magic, magic, sizeof magic);
    raw.crc = eop_crc32c(0, &raw, offsetof(raw_header, crc));
    edgeops_status status = eop_segment_write(fd, path, &raw, sizeof raw, 0);
    if (status == EDGEOPS_OK) {
        *header = (eop_segment_header){raw.number, raw.salt, raw.bytes};
    }
    return status;
}

edgeops_status eop_segment_check(eop_segment_header *header, int fd, const char *path) {
    raw_header raw;
    struct stat st;
    ssize_t n = pread(fd, &raw, sizeof raw, 0);
    if (n < 0 || fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "store", "cannot read '%s'", path);
    }
    if ((size_t)n != sizeof raw || memcmp(raw.magic, magic, sizeof magic) != 0 ||
        raw.crc != eop_crc32c(0, &raw, offsetof(raw_header, crc)) ||
        raw.header_bytes != EOP_SEGMENT_HEADER || raw.bytes < EOP_SEGMENT_HEADER) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' is not a journal segment", path);
    }
    if (raw.version != 1) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "'%s' has journal format %u, this program reads 1: use a newer edgeops",
                        path, raw.version);
    }
    uint64_t size = (uint64_t)st.st_size;
    *header = (eop_segment_header){raw.number, raw.salt, raw.bytes < size ? raw.bytes : size};
    return EDGEOPS_OK;
}

static edgeops_status allocate_blocks(int fd, const char *path, uint64_t bytes, bool *done) {
    int rc = posix_fallocate(fd, 0, (off_t)bytes);
    *done = rc == 0;
    if (rc != 0 && rc != EOPNOTSUPP && rc != EINVAL) {
        return eop_fail_errno(rc, "store", "cannot make '%s'", path);
    }
    return EDGEOPS_OK;
}

static edgeops_status fill_with_zeros(int fd, const char *path, uint64_t bytes) {
    char *zeros = eop_calloc(1, 64 * 1024);
    edgeops_status status = zeros != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (uint64_t at = 0; status == EDGEOPS_OK && at < bytes; at += 64 * 1024) {
        uint64_t n = bytes - at < 64 * 1024 ? bytes - at : 64 * 1024;
        status = eop_segment_write(fd, path, zeros, (size_t)n, at);
    }
    eop_free(zeros);
    return status;
}

edgeops_status eop_segment_make(const char *path, uint64_t bytes, bool written) {
    int fd = eop_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return eop_fail_errno(errno, "store", "cannot make '%s'", path);
    }
    bool allocated = false;
    edgeops_status status = allocate_blocks(fd, path, bytes, &allocated);
    /* The first sync after a write to a merely allocated block must also mark it as written;
     * writing zeros now avoids that later. */
    if (status == EDGEOPS_OK && (written || !allocated)) {
        status = fill_with_zeros(fd, path, bytes);
    }
    if (status == EDGEOPS_OK && written && fsync(fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", path);
    }
    close(fd);
    if (status != EDGEOPS_OK) {
        unlink(path);
    }
    return status;
}

/* A part of the file in memory. */
typedef struct window {
    int fd;
    const char *path;
    uint64_t file_bytes;
    uint64_t offset;
    size_t size;
    char *data;
    size_t capacity;
} window;

/* *out: the bytes [offset, offset + size), which must lie in the file; borrowed until the next
 * call. */
static edgeops_status window_get(const char **out, window *w, uint64_t offset, size_t size) {
    if (offset >= w->offset && offset + size <= w->offset + w->size) {
        *out = w->data + (offset - w->offset);
        return EDGEOPS_OK;
    }
    size_t wanted = size > 1024 * 1024 ? size : 1024 * 1024;
    if (wanted > w->file_bytes - offset) {
        wanted = (size_t)(w->file_bytes - offset);
    }
    if (!eop_grow(&w->data, &w->capacity, wanted, 1)) {
        return eop_fail_nomem("store");
    }
    w->offset = offset;
    w->size = 0;
    while (w->size < wanted) {
        ssize_t n = pread(w->fd, w->data + w->size, wanted - w->size, (off_t)(offset + w->size));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return eop_fail_errno(n < 0 ? errno : EIO, "store", "cannot read '%s'", w->path);
        }
        w->size += (size_t)n;
    }
    *out = w->data;
    return EDGEOPS_OK;
}

/* DONE: there is no sound frame at offset. */
static edgeops_status frame_at(const char **payload, uint32_t *size, window *w,
                               const eop_segment_header *header, uint64_t offset) {
    const char *head = NULL;
    uint32_t crc = 0;
    uint64_t mark = 0;
    edgeops_status status = window_get(&head, w, offset, EOP_FRAME_HEADER);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memcpy(size, head, 4);
    memcpy(&crc, head + 4, 4);
    memcpy(&mark, head + 8, 8);
    if (mark != (header->salt ^ offset) || *size == 0 ||
        *size > header->bytes - offset - EOP_FRAME_HEADER) {
        return EDGEOPS_DONE;
    }
    status = window_get(&head, w, offset, EOP_FRAME_HEADER + *size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (eop_crc32c(eop_crc32c(0, head, 4), head + 8, 8 + (size_t)*size) != crc) {
        return EDGEOPS_DONE;
    }
    *payload = head + EOP_FRAME_HEADER;
    return EDGEOPS_OK;
}

edgeops_status eop_segment_walk(int fd, const char *path, const eop_segment_header *header,
                                uint64_t *end, uint64_t *damaged, eop_journal_fn fn,
                                void *user_data) {
    window w = {.fd = fd, .path = path, .file_bytes = header->bytes};
    edgeops_status status = EDGEOPS_OK;
    uint64_t offset = EOP_SEGMENT_HEADER;
    *end = offset;
    while (status == EDGEOPS_OK && offset + EOP_FRAME_HEADER <= header->bytes) {
        const char *payload = NULL;
        uint32_t size = 0;
        status = frame_at(&payload, &size, &w, header, offset);
        if (status == EDGEOPS_DONE) {
            /* The end, or damage: frames behind it were acknowledged and must be found. */
            offset += 8;
            status = EDGEOPS_OK;
            continue;
        }
        if (status == EDGEOPS_OK) {
            *damaged += offset != *end;
            offset += (EOP_FRAME_HEADER + (uint64_t)size + 7) / 8 * 8;
            *end = offset < header->bytes ? offset : header->bytes;
            status = fn(header->number, payload, size, user_data);
        }
    }
    eop_free(w.data);
    return status;
}
