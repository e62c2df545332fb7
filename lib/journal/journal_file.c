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
enum { VERSION = 2 };

typedef struct raw_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t number;
    uint64_t salt;
    uint64_t bytes;
    uint64_t before;
    uint64_t since;
    uint32_t fresh;
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

static void take_header(eop_segment_header *header, const raw_header *raw, uint64_t size) {
    *header = (eop_segment_header){.number = raw->number,
                                   .salt = raw->salt,
                                   .bytes = raw->bytes < size ? raw->bytes : size,
                                   .made = raw->bytes,
                                   .before = raw->before,
                                   .since = raw->since,
                                   .fresh = raw->fresh == 1,
                                   .version = raw->version};
    header->seed = raw->version > 1 ? eop_crc32c(0, &raw->salt, sizeof raw->salt) : 0;
}

edgeops_status eop_segment_begin(eop_segment_header *header, int fd,
                                 const eop_segment_header *given, const char *path) {
    static const raw_header zeros;
    raw_header old = {0};
    ssize_t n = pread(fd, &old, sizeof old, 0);
    raw_header raw = {.version = VERSION,
                      .header_bytes = EOP_SEGMENT_HEADER,
                      .number = given->number,
                      .salt = new_salt(given->number),
                      .bytes = given->bytes,
                      .before = given->before,
                      .since = given->since,
                      .fresh = n >= 0 && memcmp(&old, &zeros, sizeof old) == 0};
    memcpy(raw.magic, magic, sizeof magic);
    raw.crc = eop_crc32c(0, &raw, offsetof(raw_header, crc));
    edgeops_status status = eop_segment_write(fd, path, &raw, sizeof raw, 0);
    if (status == EDGEOPS_OK) {
        take_header(header, &raw, raw.bytes);
    }
    return status;
}

edgeops_status eop_segment_check(eop_segment_header *header, int fd, const char *path) {
    static const char zeros[EOP_SECTOR];
    char sector[EOP_SECTOR] = {0};
    raw_header raw;
    struct stat st;
    ssize_t n = pread(fd, sector, sizeof sector, 0);
    if (n < 0 || fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "store", "cannot read '%s'", path);
    }
    /* A header comes before the frames, in a recycled file too: what is in one sector with it did
     * not get to the disk without it. */
    if ((size_t)n < sizeof raw || memcmp(sector, zeros, sizeof sector) == 0) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "store", "'%s' has no header", path);
    }
    memcpy(&raw, sector, sizeof raw);
    if (memcmp(raw.magic, magic, sizeof magic) != 0 ||
        raw.crc != eop_crc32c(0, &raw, offsetof(raw_header, crc)) ||
        raw.header_bytes != EOP_SEGMENT_HEADER || raw.bytes < EOP_SEGMENT_HEADER) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' is not a journal segment", path);
    }
    if (raw.version == 0 || raw.version > VERSION) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "'%s' has journal format %u, this program reads 1 to %d: use a newer "
                        "edgeops",
                        path, raw.version, VERSION);
    }
    take_header(header, &raw, (uint64_t)st.st_size);
    return EDGEOPS_OK;
}

static uint32_t frame_crc(const char *frame, uint32_t size, const eop_segment_header *header) {
    return eop_crc32c(eop_crc32c(header->seed, frame, 4), frame + 8, 8 + (size_t)size);
}

void eop_segment_seal_frame(char *frame, uint32_t size, const eop_segment_header *header,
                            uint64_t offset, uint64_t synced) {
    uint64_t mark = header->salt ^ (synced << 32 | offset);
    memcpy(frame, &size, 4);
    memcpy(frame + 8, &mark, 8);
    uint32_t crc = frame_crc(frame, size, header);
    memcpy(frame + 4, &crc, 4);
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

typedef struct frame_found {
    const char *payload;
    uint32_t size;
    uint64_t synced;
    bool begun; /* there is the head of a frame, which may be incomplete */
} frame_found;

static uint64_t padded_bytes(uint32_t size) {
    return (EOP_FRAME_HEADER + (uint64_t)size + 7) / 8 * 8;
}

/* DONE: there is no sound frame at offset. */
static edgeops_status frame_at(frame_found *out, window *w, const eop_segment_header *header,
                               uint64_t offset) {
    const char *head = NULL;
    uint32_t crc = 0;
    uint64_t mark = 0;
    *out = (frame_found){0};
    edgeops_status status = window_get(&head, w, offset, EOP_FRAME_HEADER);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memcpy(&out->size, head, 4);
    memcpy(&crc, head + 4, 4);
    memcpy(&mark, head + 8, 8);
    mark ^= header->salt;
    out->synced = mark >> 32;
    if ((mark & UINT32_MAX) != offset || out->synced > offset ||
        (out->size == 0 && header->version == 1)) {
        return EDGEOPS_DONE;
    }
    out->begun = true;
    if (out->size > header->bytes - offset - EOP_FRAME_HEADER) {
        return EDGEOPS_DONE;
    }
    status = window_get(&head, w, offset, EOP_FRAME_HEADER + out->size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (frame_crc(head, out->size, header) != crc) {
        return EDGEOPS_DONE;
    }
    out->payload = head + EOP_FRAME_HEADER;
    return EDGEOPS_OK;
}

/* Whether none of the sectors of [from, to) is empty as far as it lies there. */
static edgeops_status is_written(bool *out, window *w, uint64_t from, uint64_t to) {
    edgeops_status status = EDGEOPS_OK;
    *out = from < to;
    while (status == EDGEOPS_OK && *out && from < to) {
        const char *data = NULL;
        uint64_t end = (from / EOP_SECTOR + 1) * EOP_SECTOR;
        size_t size = (size_t)((end < to ? end : to) - from);
        bool any = false;
        status = window_get(&data, w, from, size);
        for (size_t i = 0; status == EDGEOPS_OK && !any && i < size; i++) {
            any = data[i] != 0;
        }
        *out = any;
        from += size;
    }
    return status;
}

/* Looks at an incomplete frame at the end. One that was cut anywhere ends with zeros. */
static edgeops_status judge_tail(eop_walked *out, window *w, const eop_segment_header *header) {
    frame_found frame;
    const char *last = NULL;
    if (out->torn == 0 || !header->fresh) {
        return EDGEOPS_OK;
    }
    edgeops_status status = frame_at(&frame, w, header, out->end);
    uint64_t end = out->end + EOP_FRAME_HEADER + frame.size;
    if (status != EDGEOPS_DONE || end > header->bytes) {
        return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    }
    status = window_get(&last, w, end - 1, 1);
    if (status == EDGEOPS_OK && *last != 0) {
        status = is_written(&out->whole, w, out->end, end);
    }
    return status;
}

/* Notes a sound frame, and the gap before it. The window may move. */
static edgeops_status note_frame(eop_walked *out, window *w, const frame_found *frame,
                                 uint64_t offset, const eop_segment_header *header) {
    edgeops_status status = EDGEOPS_OK;
    if (offset != out->end) {
        if (!eop_grow(&out->gaps, &out->gap_capacity, out->gap_count + 1, sizeof *out->gaps)) {
            return eop_fail_nomem("store");
        }
        eop_gap *gap = &out->gaps[out->gap_count++];
        *gap = (eop_gap){.from = out->end, .to = offset};
        if (header->fresh) {
            status = is_written(&gap->written, w, gap->from, gap->to / EOP_SECTOR * EOP_SECTOR);
        }
    }
    uint64_t end = offset + padded_bytes(frame->size);
    out->end = end < header->bytes ? end : header->bytes;
    out->synced = frame->synced > out->synced ? frame->synced : out->synced;
    out->closed = frame->size == 0;
    out->torn = 0;
    out->stale = false;
    return status;
}

/* Notes what is at an offset where no frame is. */
static edgeops_status note_none(eop_walked *out, window *w, const frame_found *frame,
                                uint64_t offset, const eop_segment_header *header) {
    const char *data = NULL;
    uint64_t word = 0;
    edgeops_status status = window_get(&data, w, offset, sizeof word);
    if (status == EDGEOPS_OK) {
        memcpy(&word, data, sizeof word);
        out->stale = out->stale || word != 0;
    }
    if (frame->begun && frame->size > 0 && offset == out->end) {
        uint64_t left = header->bytes - offset;
        out->torn = padded_bytes(frame->size) < left ? padded_bytes(frame->size) : left;
    }
    return status;
}

edgeops_status eop_segment_walk(eop_walked *out, int fd, const char *path,
                                const eop_segment_header *header, eop_journal_fn fn,
                                void *user_data) {
    window w = {.fd = fd, .path = path, .file_bytes = header->bytes};
    edgeops_status status = EDGEOPS_OK;
    uint64_t offset = EOP_SEGMENT_HEADER;
    *out = (eop_walked){.end = offset};
    while (status == EDGEOPS_OK && offset + EOP_FRAME_HEADER <= header->bytes) {
        frame_found frame;
        status = frame_at(&frame, &w, header, offset);
        if (status == EDGEOPS_DONE) {
            /* The end, or damage: frames behind it were acknowledged and must be found. */
            status = note_none(out, &w, &frame, offset, header);
            offset += 8;
            continue;
        }
        bool gap = offset != out->end;
        if (status == EDGEOPS_OK) {
            status = note_frame(out, &w, &frame, offset, header);
        }
        if (status == EDGEOPS_OK && gap) {
            status = frame_at(&frame, &w, header, offset);
        }
        offset += padded_bytes(frame.size);
        if (status == EDGEOPS_OK && frame.size > 0) {
            status = fn(header->number, frame.payload, frame.size, user_data);
        }
    }
    if (status == EDGEOPS_OK) {
        status = judge_tail(out, &w, header);
    }
    eop_free(w.data);
    return status;
}

/* The head of a frame of which the salt is not known. */
typedef struct loose_head {
    uint64_t offset;
    uint64_t mark;
    uint32_t size;
} loose_head;

/* *out: the head behind frame a. Frames of one salt have marks that differ by their offsets, and by
 * `synced`, which lies in front of them. */
static bool is_followed(loose_head *out, const window *w, const loose_head *a) {
    char head[EOP_FRAME_HEADER];
    uint64_t offset = a->offset + padded_bytes(a->size);
    if (a->size == 0 || offset + sizeof head > w->file_bytes ||
        pread(w->fd, head, sizeof head, (off_t)offset) != (ssize_t)sizeof head) {
        return false;
    }
    *out = (loose_head){.offset = offset};
    memcpy(&out->size, head, 4);
    memcpy(&out->mark, head + 8, 8);
    uint64_t other = (a->mark ^ out->mark) ^ (a->offset ^ offset);
    return (other & UINT32_MAX) == 0 && (other >> 32) % 8 == 0 && other >> 32 < 2 * offset;
}

edgeops_status eop_segment_proves_sync(bool *out, int fd, const char *path, uint64_t file_bytes) {
    window w = {.fd = fd, .path = path, .file_bytes = file_bytes};
    edgeops_status status = EDGEOPS_OK;
    uint64_t offset = EOP_SECTOR;
    *out = false;
    while (status == EDGEOPS_OK && !*out && offset + EOP_FRAME_HEADER <= file_bytes) {
        const char *head = NULL;
        loose_head found[3] = {{.offset = offset}};
        status = window_get(&head, &w, offset, EOP_FRAME_HEADER);
        if (status == EDGEOPS_OK) {
            memcpy(&found[0].size, head, 4);
            memcpy(&found[0].mark, head + 8, 8);
        }
        offset += 8;
        if (status == EDGEOPS_OK && is_followed(&found[1], &w, &found[0]) &&
            is_followed(&found[2], &w, &found[1])) {
            *out = (found[0].mark ^ found[1].mark) >> 32 != 0 ||
                   (found[1].mark ^ found[2].mark) >> 32 != 0;
            offset = found[1].offset;
        }
    }
    eop_free(w.data);
    return status;
}
