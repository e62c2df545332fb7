/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files under damage: a torn or damaged frame costs no other frame, recycled files bring
 * no old frames back, and malformed rows are refused. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "folder_fixture.h"
#include "journal/frame.h"
#include "journal/journal.h"

TestSuite(journal_journal, .init = make_home, .fini = remove_home);

enum { FRAMES = 6 };

typedef struct seen {
    size_t count;
    char first[64]; /* first byte of each payload */
    size_t sizes[64];
} seen;

static edgeops_status on_frame(uint64_t segment, const char *payload, size_t size, void *data) {
    seen *s = data;
    (void)segment;
    cr_assert(s->count < 64);
    s->first[s->count] = payload[0];
    s->sizes[s->count++] = size;
    return EDGEOPS_OK;
}

static edgeops_status open_journal(eop_journal **out, seen *s, uint64_t applied) {
    eop_journal_options options = {
        .folder = home, .segment_bytes = 1024 * 1024, .floor_bytes = 1, .applied = applied};
    *s = (seen){0};
    return eop_journal_open(out, &options, on_frame, s);
}

static void write_frame(eop_journal *journal, char letter, size_t size) {
    eop_buf frame = {0};
    cr_assert(eop_buf_reserve(&frame, EOP_FRAME_HEADER + size) != NULL);
    memset(frame.data, letter, EOP_FRAME_HEADER + size);
    frame.size = EOP_FRAME_HEADER + size;
    cr_assert(eop_journal_fits(journal, size));
    CHECK_OK(eop_journal_write(journal, &frame));
    eop_buf_dispose(&frame);
}

/* A journal with frames of 1, 8, 15, 22, ... bytes: 'a', 'b', ... ends[i]: where frame i ends. */
static void make_journal(uint64_t ends[FRAMES]) {
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    for (int i = 0; i < FRAMES; i++) {
        write_frame(journal, (char)('a' + i), (size_t)i * 7 + 1);
        ends[i] = 64 + eop_journal_used(journal);
    }
    eop_journal_close(journal);
}

static char *segment_path(int number) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%016d.seg", home, number);
    return path;
}

static void overwrite(const char *path, const void *data, size_t size, off_t offset) {
    int fd = open(path, O_WRONLY);
    cr_assert(fd >= 0);
    cr_assert(pwrite(fd, data, size, offset) == (ssize_t)size);
    close(fd);
}

Test(journal_journal, torn_tail_is_cut_at_every_offset) {
    uint64_t ends[FRAMES];
    char *data = NULL;
    size_t size = 0;
    static const char zeros[512];
    make_journal(ends);
    CHECK_OK(eop_file_read(&data, &size, segment_path(1), 2 << 20));
    for (uint64_t cut = 64; cut <= ends[FRAMES - 1]; cut++) {
        eop_journal *journal = NULL;
        seen s;
        size_t whole = 0;
        overwrite(segment_path(1), data, (size_t)ends[FRAMES - 1], 0);
        overwrite(segment_path(1), zeros, sizeof zeros, (off_t)cut);
        while (whole < FRAMES && ends[whole] <= cut) {
            whole++;
        }
        CHECK_OK(open_journal(&journal, &s, 0));
        /* Padding after a frame is no part of it. */
        cr_assert(s.count == whole || s.count == whole + 1, "cut at %d: %zu of %zu", (int)cut,
                  s.count, whole);
        cr_assert(s.count == whole || cut + 8 > ends[whole]);
        cr_assert_eq(eop_journal_damaged(journal), 0);
        write_frame(journal, 'z', 5);
        eop_journal_close(journal);
        size_t before = s.count;
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, before + 1);
        cr_assert_eq(s.first[before], 'z');
        eop_journal_close(journal);
    }
    eop_free(data);
}

Test(journal_journal, damaged_byte_costs_one_frame) {
    uint64_t ends[FRAMES];
    char *data = NULL;
    size_t size = 0;
    make_journal(ends);
    CHECK_OK(eop_file_read(&data, &size, segment_path(1), 2 << 20));
    for (uint64_t at = 64; at < ends[FRAMES - 1]; at++) {
        eop_journal *journal = NULL;
        seen s;
        char flipped = (char)(data[at] ^ 0x55);
        overwrite(segment_path(1), &flipped, 1, (off_t)at);
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert(s.count >= FRAMES - 1, "byte %d: %zu frames", (int)at, s.count);
        if (s.count < FRAMES && at < ends[FRAMES - 2]) {
            cr_assert_eq(eop_journal_damaged(journal), 1);
        }
        eop_journal_close(journal);
        overwrite(segment_path(1), &data[at], 1, (off_t)at);
    }
    eop_free(data);
}

Test(journal_journal, damaged_header_puts_the_file_aside) {
    uint64_t ends[FRAMES];
    eop_journal *journal = NULL;
    seen s;
    char aside[200];
    make_journal(ends);
    overwrite(segment_path(1), "X", 1, 20);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(s.count, 0);
    cr_assert_eq(eop_journal_damaged(journal), 1);
    cr_assert_eq(eop_journal_active(journal), 0);
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_active(journal), 2);
    eop_journal_close(journal);
    snprintf(aside, sizeof aside, "%s.bad", segment_path(1));
    cr_assert(eop_file_exists(aside));
}

Test(journal_journal, recycled_file_does_not_bring_old_frames_back) {
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    for (int i = 0; i < 20; i++) {
        write_frame(journal, 'o', 100);
    }
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert(!eop_journal_has_spare(journal));
    eop_journal_retire(journal, 1);
    cr_assert(eop_journal_has_spare(journal));
    write_frame(journal, 'm', 100);
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'n', 100);
    eop_journal_close(journal);
    CHECK_OK(open_journal(&journal, &s, 1));
    cr_assert_eq(s.count, 2);
    cr_assert_eq(s.first[0], 'm');
    cr_assert_eq(s.first[1], 'n');
    cr_assert_eq(eop_journal_damaged(journal), 0);
    eop_journal_close(journal);
}

Test(journal_journal, frame_larger_than_a_segment_gets_its_own) {
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert(!eop_journal_fits(journal, 3 << 20));
    CHECK_OK(eop_journal_rotate(journal, 3 << 20));
    write_frame(journal, 'b', 3 << 20);
    eop_journal_close(journal);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(s.count, 1);
    cr_assert_eq(s.sizes[0], 3 << 20);
    eop_journal_retire(journal, 2);
    cr_assert(!eop_journal_has_spare(journal));
    eop_journal_close(journal);
}

Test(journal_journal, floor_keeps_segments_from_being_made) {
    eop_journal *journal = NULL;
    eop_journal_options options = {
        .folder = home, .segment_bytes = 1024 * 1024, .floor_bytes = UINT64_MAX / 2};
    seen s = {0};
    CHECK_OK(eop_journal_open(&journal, &options, on_frame, &s));
    CHECK_CODE(EDGEOPS_E_LIMIT, eop_journal_make_spare(journal));
    CHECK_CODE(EDGEOPS_E_LIMIT, eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_active(journal), 0);
    eop_journal_close(journal);
}

Test(journal_journal, malformed_rows_are_refused) {
    dice d = {7};
    eop_cell cells[EOP_CHANNELS_MAX];
    edgeops_value values[3] = {f64(-0.0), text("abc"), boolean(1)};
    eop_cell given[3] = {{0, EDGEOPS_QUALITY_NONE, values[0]},
                         {1023, EDGEOPS_QUALITY_NONE, values[1]},
                         {5, EDGEOPS_QUALITY_NONE, values[2]}};
    eop_frame_row row = {9, 3, 77, -5, 6};
    eop_frame_row back;
    eop_buf buf = {0};
    eop_frame_put(&buf, &row, given);
    const char *at = buf.data;
    CHECK_OK(eop_frame_next(&back, cells, &at, buf.data + buf.size));
    cr_assert_eq(back.ordinal, 77);
    cr_assert_eq(back.cell_count, 3);
    cr_assert_eq(cells[1].channel, 1023);
    cr_assert_eq(memcmp(cells[1].value.as.str, "abc", 3), 0);
    cr_assert_eq(eop_frame_next(&back, cells, &at, buf.data + buf.size), EDGEOPS_DONE);
    for (size_t n = 1; n < buf.size; n++) {
        char *copy = malloc(n);
        memcpy(copy, buf.data, n);
        at = copy;
        CHECK_CODE(EDGEOPS_E_CORRUPT, eop_frame_next(&back, cells, &at, copy + n));
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        char *copy = malloc(buf.size);
        memcpy(copy, buf.data, buf.size);
        for (int k = 0; k < 3; k++) {
            copy[below(&d, buf.size)] = (char)roll(&d);
        }
        at = copy;
        edgeops_status status;
        do {
            status = eop_frame_next(&back, cells, &at, copy + buf.size);
        } while (status == EDGEOPS_OK);
        cr_assert(status == EDGEOPS_DONE || status == EDGEOPS_E_CORRUPT);
        free(copy);
    }
    eop_buf_dispose(&buf);
}
