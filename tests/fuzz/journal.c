/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses: 0 the rest is a segment file; 1 it is the payload of a frame; 2 it is
 * u16 offset, u8 bits, then frames, each u8 size and payload, of a sound segment in which that byte
 * is damaged: what comes out of it must have gone in, in this order, and once the segment is closed a
 * frame that does not come out is damage. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "journal/frame.h"
#include "journal/journal_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static eop_cell cells[EOP_CHANNELS_MAX];
static volatile unsigned sink;
static uint64_t frames;  /* that came out of a walk */
static uint64_t damaged; /* of the segment taken for a closed one */

static void look_at(const eop_cell *cell, const char *data, const char *end) {
    const char *text = cell->value.as.str;
    bool points = cell->value.size > 0;
    if (cell->channel >= EOP_CHANNELS_MAX || cell->value.type == EDGEOPS_TYPE_NULL ||
        (points && (text < data || text > end || cell->value.size > (size_t)(end - text)))) {
        abort();
    }
    for (uint32_t i = 0; points && i < cell->value.size; i++) {
        sink += (unsigned char)text[i];
    }
}

static edgeops_status on_frame(uint64_t segment, const char *payload, size_t size,
                               void *user_data) {
    const char *at = payload;
    eop_frame_row row;
    (void)segment;
    (void)user_data;
    frames++;
    while (eop_frame_next(&row, cells, &at, payload + size) == EDGEOPS_OK) {
        if (row.cell_count > EOP_CHANNELS_MAX || at > payload + size) {
            abort();
        }
        for (uint32_t i = 0; i < row.cell_count; i++) {
            look_at(&cells[i], payload, payload + size);
        }
    }
    return EDGEOPS_OK;
}

static int make_file(const void *data, size_t size) {
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    return fd;
}

static edgeops_status on_place(const eop_place *place, void *user_data) {
    const eop_segment_header *header = user_data;
    if (place->segment != 1 || place->offset > header->bytes ||
        (place->kind != EOP_PLACE_FRAMES && place->bytes > header->bytes - place->offset)) {
        abort();
    }
    damaged += place->kind != EOP_PLACE_TORN;
    return EDGEOPS_OK;
}

static void walk(int fd, eop_journal_fn fn, void *user_data) {
    eop_segment_header header = {0};
    eop_segment_found found = {.number = 1};
    bool synced = false;
    frames = 0;
    if (eop_segment_proves_sync(&synced, fd, "segment", (uint64_t)lseek(fd, 0, SEEK_END)) !=
        EDGEOPS_OK) {
        abort();
    }
    if (eop_segment_check(&header, fd, "segment") == EDGEOPS_OK) {
        if (eop_segment_walk(&found.walked, fd, "segment", &header, fn, user_data) == EDGEOPS_OK &&
            (found.walked.end < EOP_SEGMENT_HEADER || found.walked.end > header.bytes)) {
            abort();
        }
        found.version = header.version;
        found.made = header.made;
        found.file_bytes = header.bytes;
        for (uint64_t closed = 0; closed < 2; closed++) {
            damaged = 0;
            if (eop_journal_judge(&found, 1, closed, on_place, &header) != EDGEOPS_OK) {
                abort();
            }
        }
        eop_walked_dispose(&found.walked);
    }
}

typedef struct given {
    const uint8_t *next; /* u8 size, payload; in order */
    const uint8_t *end;
} given;

static edgeops_status on_known(uint64_t segment, const char *payload, size_t size,
                               void *user_data) {
    given *g = user_data;
    for (; g->next < g->end; g->next += 1 + (size_t)g->next[0]) {
        if (g->next[0] == size && memcmp(g->next + 1, payload, size) == 0) {
            g->next += 1 + size;
            return on_frame(segment, payload, size, NULL);
        }
    }
    abort();
}

/* As eop_journal_write() does. */
static void put_frame(int fd, const eop_segment_header *header, uint64_t *at,
                      const uint8_t *payload, uint32_t size) {
    char frame[EOP_FRAME_HEADER + 256 + 8] = {0};
    memcpy(frame + EOP_FRAME_HEADER, payload, size);
    eop_segment_seal_frame(frame, size, header, *at, 0);
    size_t padded = (EOP_FRAME_HEADER + (size_t)size + 7) / 8 * 8;
    if (pwrite(fd, frame, padded, (off_t)*at) != (ssize_t)padded) {
        abort();
    }
    *at += padded;
}

static void damage_one(const uint8_t *data, size_t size) {
    eop_segment_header header = {0};
    uint64_t at = EOP_SEGMENT_HEADER;
    given g = {data + 3, data + 3};
    uint64_t count = 0;
    uint8_t byte = 0;
    int fd = make_file("", 0);
    if (ftruncate(fd, 65536) != 0 ||
        eop_segment_begin(&header, fd, &(eop_segment_header){.number = 1, .bytes = 65536},
                          "segment") != EDGEOPS_OK) {
        abort();
    }
    while (g.end < data + size && g.end[0] > 0 && g.end[0] < (size_t)(data + size - g.end) &&
           at < 60000) {
        put_frame(fd, &header, &at, g.end + 1, g.end[0]);
        g.end += 1 + (size_t)g.end[0];
        count++;
    }
    off_t offset = (data[0] | data[1] << 8) % 65536;
    if (pread(fd, &byte, 1, offset) == 1) {
        byte ^= data[2];
        if (pwrite(fd, &byte, 1, offset) != 1) {
            abort();
        }
    }
    walk(fd, on_known, &g);
    char closing[EOP_FRAME_HEADER];
    eop_segment_seal_frame(closing, 0, &header, at, at);
    if (pwrite(fd, closing, sizeof closing, (off_t)at) != sizeof closing ||
        ftruncate(fd, (off_t)at + (off_t)sizeof closing) != 0) {
        abort();
    }
    g.next = data + 3;
    walk(fd, on_known, &g);
    if (frames < count && offset >= (off_t)EOP_SEGMENT_HEADER && damaged == 0) {
        abort();
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    if (data[0] % 3 == 0) {
        int fd = make_file(data + 1, size - 1);
        walk(fd, on_frame, NULL);
        close(fd);
    } else if (data[0] % 3 == 1) {
        /* In an allocation of its very size, so that a sanitizer sees a read past its end. */
        char *payload = malloc(size > 1 ? size - 1 : 1);
        if (payload != NULL) {
            memcpy(payload, data + 1, size - 1);
            on_frame(1, payload, size - 1, NULL);
        }
        free(payload);
    } else if (size > 4) {
        damage_one(data + 1, size - 1);
    }
    return 0;
}
