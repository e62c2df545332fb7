/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files under damage: a torn or damaged frame costs no other frame, damage is told from what
 * a power cut leaves, recycled files bring no old frames back, and malformed rows are refused. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "folder_fixture.h"
#include "journal/frame.h"
#include "journal/journal.h"
#include "journal/journal_file.h"

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

static uint64_t closed; /* what the caller remembers of the last settling */

static edgeops_status open_journal(eop_journal **out, seen *s, uint64_t applied) {
    eop_journal_options options = {.folder = home,
                                   .segment_bytes = 1024 * 1024,
                                   .floor_bytes = 1,
                                   .applied = applied,
                                   .closed = closed};
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
        if (!eop_journal_fits(journal, 5)) {
            CHECK_OK(eop_journal_rotate(journal, 5));
        }
        write_frame(journal, 'z', 5);
        eop_journal_close(journal);
        size_t before = s.count;
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, before + 1);
        cr_assert_eq(s.first[before], 'z');
        cr_assert_eq(eop_journal_damaged(journal), 0);
        eop_journal_close(journal);
        (void)unlink(segment_path(2));
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

/* Makes the spare in two steps, as the writer does; gives its size. */
static uint64_t make_spare(eop_journal *journal) {
    uint64_t bytes = eop_journal_wanted(journal);
    CHECK_OK(eop_journal_prepare_spare(&bytes, journal));
    eop_journal_adopt_spare(journal, bytes);
    return bytes;
}

Test(journal_journal, segments_grow_and_shrink) {
    enum { LEAST = 1 << 20, GROWN = 3 << 20 };
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    eop_journal_want(journal, LEAST / 2);
    cr_assert_eq(eop_journal_wanted(journal), LEAST);
    eop_journal_want(journal, GROWN + 5);
    cr_assert_eq(make_spare(journal), GROWN);
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_bytes(journal), GROWN);
    for (int i = 0; i < 20; i++) {
        cr_assert(eop_journal_fits(journal, 100000));
        write_frame(journal, (char)('a' + i), 100000);
    }
    eop_journal_want(journal, 0);
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_bytes(journal), LEAST);
    write_frame(journal, 'z', 100);
    eop_journal_close(journal);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(s.count, 21);
    cr_assert_eq(s.first[19], 'a' + 19);
    cr_assert_eq(s.first[20], 'z');
    cr_assert_eq(eop_journal_damaged(journal), 0);
    eop_journal_want(journal, GROWN);
    eop_journal_retire(journal, 1);
    cr_assert(eop_journal_has_spare(journal));
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_bytes(journal), GROWN);
    write_frame(journal, 'n', 100);
    CHECK_OK(eop_journal_rotate(journal, 0)); /* makes its file itself */
    cr_assert_eq(eop_journal_bytes(journal), GROWN);
    eop_journal_want(journal, 0);
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_bytes(journal), LEAST);
    eop_journal_retire(journal, 4);
    cr_assert_not(eop_journal_has_spare(journal), "a grown file is kept where none is wanted");
    eop_journal_close(journal);
    CHECK_OK(open_journal(&journal, &s, 4));
    cr_assert_eq(s.count, 0);
    cr_assert_eq(eop_journal_damaged(journal), 0);
    eop_journal_close(journal);
}

/* Where the disk has less than some times its size above the floor. */
Test(journal_journal, no_segment_grows_without_room_for_its_chunks) {
    const uint64_t gib = UINT64_C(1) << 30;
    uint64_t free_bytes = 0;
    eop_journal *journal = NULL;
    seen s = {0};
    CHECK_OK(eop_disk_free(&free_bytes, folder));
    eop_journal_options options = {.folder = home,
                                   .segment_bytes = 1024 * 1024,
                                   .floor_bytes = free_bytes > 4 * gib ? free_bytes - 4 * gib : 0};
    CHECK_OK(eop_journal_open(&journal, &options, on_frame, &s));
    eop_journal_want(journal, 3 * gib);
    cr_assert_eq(make_spare(journal), 1024 * 1024);
    CHECK_OK(eop_journal_rotate(journal, 0));
    eop_journal_want(journal, 2 * 1024 * 1024);
    cr_assert_eq(make_spare(journal), 2 * 1024 * 1024);
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
    eop_frame_row row = {9, 3, 77, -5, 6, true};
    eop_frame_row back;
    eop_buf buf = {0};
    eop_frame_put(&buf, &row, given);
    const char *at = buf.data;
    CHECK_OK(eop_frame_next(&back, cells, &at, buf.data + buf.size));
    cr_assert_eq(back.ordinal, 77);
    cr_assert_eq(back.cell_count, 3);
    cr_assert(back.later);
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

/* -- damage and what a power cut leaves -- */

static void must_sync(eop_journal *journal) {
    eop_journal_sync sync;
    CHECK_OK(eop_journal_sync_begin(&sync, journal));
    CHECK_OK(eop_journal_sync_run(&sync, journal));
    eop_journal_sync_end(journal, &sync);
}

/* As make_journal(), settled; *size: of the file. */
static char *make_closed(uint64_t ends[FRAMES], size_t *size) {
    eop_journal *journal = NULL;
    char *data = NULL;
    seen s;
    make_journal(ends);
    CHECK_OK(open_journal(&journal, &s, 0));
    closed = eop_journal_settle(journal, false);
    cr_assert_eq(closed, 1);
    eop_journal_close(journal);
    CHECK_OK(eop_file_read(&data, size, segment_path(1), 2 << 20));
    cr_assert_eq(*size, ends[FRAMES - 1] + EOP_FRAME_HEADER);
    return data;
}

static void put_back(const char *path, const char *data, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0);
    cr_assert(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* Opens and closes it without settling. @return frames that came out */
static size_t look(uint64_t *damaged, uint64_t *torn, eop_place_kind *first) {
    eop_journal *journal = NULL;
    seen s;
    size_t count = 0;
    CHECK_OK(open_journal(&journal, &s, 0));
    *damaged = eop_journal_damaged(journal);
    *torn = eop_journal_torn(journal);
    const eop_place *places = eop_journal_places(&count, journal);
    if (first != NULL && count > 0) {
        *first = places[0].kind;
    }
    eop_journal_close(journal);
    return s.count;
}

Test(journal_journal, closed_journal_is_sound_and_goes_on_in_a_new_segment) {
    uint64_t ends[FRAMES];
    size_t size = 0;
    eop_journal *journal = NULL;
    seen s;
    eop_free(make_closed(ends, &size));
    for (int round = 0; round < 3; round++) {
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, FRAMES);
        cr_assert_eq(eop_journal_damaged(journal) + eop_journal_torn(journal), 0);
        cr_assert_not(eop_journal_fits(journal, 0));
        cr_assert_eq(eop_journal_settle(journal, false), 1);
        eop_journal_close(journal);
    }
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'n', 30);
    closed = eop_journal_settle(journal, true);
    cr_assert_eq(closed, 2);
    eop_journal_close(journal);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(s.count, FRAMES + 1);
    cr_assert_eq(eop_journal_damaged(journal) + eop_journal_torn(journal), 0);
    eop_journal_close(journal);
}

/* The process ended between the closing frame and the cut behind it. */
Test(journal_journal, nothing_is_written_behind_a_closing_frame) {
    uint64_t ends[FRAMES];
    size_t size = 0;
    eop_journal *journal = NULL;
    seen s;
    eop_free(make_closed(ends, &size));
    cr_assert_eq(truncate(segment_path(1), 1024 * 1024), 0);
    for (int known = 0; known < 2; known++) {
        closed = (uint64_t)known;
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, FRAMES);
        cr_assert_eq(eop_journal_damaged(journal) + eop_journal_torn(journal), 0);
        cr_assert_not(eop_journal_fits(journal, 0));
        eop_journal_close(journal);
    }
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(eop_journal_settle(journal, false), 1);
    eop_journal_close(journal);
    struct stat st;
    cr_assert_eq(stat(segment_path(1), &st), 0);
    cr_assert_eq((size_t)st.st_size, size);
}

Test(journal_journal, each_damaged_byte_of_a_closed_journal_is_damage) {
    uint64_t ends[FRAMES];
    size_t size = 0;
    char *data = make_closed(ends, &size);
    for (int known = 0; known < 2; known++) {
        closed = (uint64_t)known;
        for (size_t at = 64; at < size; at++) {
            uint64_t damaged = 0;
            uint64_t torn = 0;
            eop_place_kind kind = EOP_PLACE_TORN;
            char flipped = (char)(data[at] ^ 1 << at % 8);
            overwrite(segment_path(1), &flipped, 1, (off_t)at);
            size_t count = look(&damaged, &torn, &kind);
            bool mark = at >= ends[FRAMES - 1];
            /* Padding holds nothing. Without its mark and with no memory of it, the journal does
             * not look closed. */
            if (count < FRAMES && at < ends[FRAMES - 1]) {
                cr_assert_eq(damaged, 1, "byte %zu", at);
                cr_assert_eq(kind, EOP_PLACE_FRAMES);
            }
            cr_assert(count >= FRAMES - 1);
            cr_assert(!mark || count == FRAMES);
            cr_assert_eq(damaged, mark ? (uint64_t)known : FRAMES - count, "byte %zu", at);
            cr_assert(!mark || !known || kind == EOP_PLACE_MARK ||
                      (kind == EOP_PLACE_FRAMES && at < ends[FRAMES - 1] + 4));
            cr_assert(known == 0 || torn == 0);
            put_back(segment_path(1), data, size);
        }
    }
    eop_free(data);
}

Test(journal_journal, closed_journal_that_lost_or_got_bytes_is_damage) {
    uint64_t ends[FRAMES];
    size_t size = 0;
    uint64_t damaged = 0;
    uint64_t torn = 0;
    eop_place_kind kind = EOP_PLACE_TORN;
    char *data = make_closed(ends, &size);
    char *longer = calloc(1, size + 4096);
    memcpy(longer, data, size);
    for (size_t cut = 64; cut < size; cut++) {
        put_back(segment_path(1), data, cut);
        size_t count = look(&damaged, &torn, &kind);
        cr_assert_eq(damaged, 1, "cut at %zu", cut);
        cr_assert_eq(torn, 0);
        cr_assert(count == FRAMES || ends[count] > cut - 7);
        memset(longer + cut, 0, size - cut);
        put_back(segment_path(1), longer, size);
        (void)look(&damaged, &torn, &kind);
        /* The last bytes of a checksum can be zeros already. */
        cr_assert_eq(damaged, memcmp(longer, data, size) != 0, "zeros from %zu", cut);
        memcpy(longer, data, size);
    }
    for (size_t more = 1; more < 4096; more += 97) {
        memset(longer + size, (int)more, more);
        put_back(segment_path(1), longer, size + more);
        cr_assert_eq(look(&damaged, &torn, &kind), FRAMES);
        cr_assert_eq(damaged, 1);
        cr_assert_eq(kind, EOP_PLACE_BEHIND);
    }
    free(longer);
    eop_free(data);
}

Test(journal_journal, damaged_segment_is_kept_when_its_frames_are_in_chunks) {
    enum { AT = 64 + 20 };
    uint64_t damaged = 0;
    uint64_t torn = 0;
    char *data = NULL;
    size_t size = 0;
    char aside[200];
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'a', 100);
    write_frame(journal, 'b', 100);
    eop_journal_close(journal);
    snprintf(aside, sizeof aside, "%s.bad", segment_path(1));
    cr_assert_eq(look(&damaged, &torn, NULL), 2);
    cr_assert_not(eop_file_exists(aside));
    overwrite(segment_path(1), "x", 1, AT);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(eop_journal_damaged(journal), 1);
    CHECK_OK(eop_journal_rotate(journal, 0));
    eop_journal_retire(journal, 1);
    cr_assert_not(eop_journal_has_spare(journal));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'c', 100);
    eop_journal_close(journal);
    CHECK_OK(eop_file_read(&data, &size, aside, 2 << 20));
    cr_assert_eq(data[AT], 'x');
    cr_assert_eq(data[AT + 120], 'b');
    eop_free(data);
}

Test(journal_journal, lost_segments_are_damage) {
    eop_journal *journal = NULL;
    uint64_t damaged = 0;
    uint64_t torn = 0;
    eop_place_kind kind = EOP_PLACE_TORN;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    for (char c = 'a'; c < 'd'; c++) {
        CHECK_OK(eop_journal_rotate(journal, 0));
        write_frame(journal, c, 100);
    }
    closed = eop_journal_settle(journal, true);
    eop_journal_close(journal);
    cr_assert_eq(closed, 3);
    cr_assert_eq(unlink(segment_path(2)), 0);
    cr_assert_eq(look(&damaged, &torn, &kind), 2);
    cr_assert_eq(damaged, 1);
    cr_assert_eq(kind, EOP_PLACE_MISSING);
    cr_assert_eq(unlink(segment_path(3)), 0);
    cr_assert_eq(look(&damaged, &torn, &kind), 1);
    cr_assert_eq(damaged, 2);
    cr_assert_eq(unlink(segment_path(1)), 0);
    CHECK_OK(open_journal(&journal, &s, 0));
    cr_assert_eq(eop_journal_damaged(journal), 3);
    CHECK_OK(eop_journal_rotate(journal, 0));
    cr_assert_eq(eop_journal_active(journal), 4);
    eop_journal_close(journal);
}

/* The end of a segment that was followed by another one, and nothing was synced or closed. */
Test(journal_journal, sealed_segment_that_lost_its_end) {
    eop_journal *journal = NULL;
    uint64_t damaged = 0;
    uint64_t torn = 0;
    uint64_t end = 0;
    static const char zeros[2000];
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'a', 500);
    end = 64 + eop_journal_used(journal);
    write_frame(journal, 'b', 1500);
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'c', 100);
    overwrite(segment_path(1), zeros, sizeof zeros, (off_t)end);
    cr_assert_eq(look(&damaged, &torn, NULL), 2);
    cr_assert_eq(damaged, 0);
    cr_assert_geq(torn, 1500);
    must_sync(journal);
    write_frame(journal, 'd', 100);
    cr_assert_eq(look(&damaged, &torn, NULL), 3);
    cr_assert_eq(damaged, 1);
    cr_assert_eq(torn, 0);
    eop_journal_close(journal);
}

/* Frames of many sectors, of which the first ones were synced. Blocks of the others land in any
 * order. */
Test(journal_journal, unsynced_frames_out_of_order_are_no_damage) {
    enum { N = 8, SIZE = 9000 };
    uint64_t ends[N];
    uint64_t damaged = 0;
    uint64_t torn = 0;
    eop_journal *journal = NULL;
    char *data = NULL;
    size_t size = 0;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    for (int i = 0; i < N; i++) {
        if (i == 4) {
            must_sync(journal);
        }
        write_frame(journal, (char)('a' + i), SIZE);
        ends[i] = 64 + eop_journal_used(journal);
    }
    eop_journal_close(journal);
    CHECK_OK(eop_file_read(&data, &size, segment_path(1), 2 << 20));
    for (int i = 0; i < N; i++) {
        static const char zeros[4096];
        off_t block = (off_t)(ends[i] - SIZE / 2) / 4096 * 4096;
        overwrite(segment_path(1), zeros, sizeof zeros, block);
        cr_assert_eq(look(&damaged, &torn, NULL), N - 1);
        cr_assert_eq(damaged, i < 4, "frame %d", i);
        cr_assert_eq(torn > 0, i >= 4, "frame %d", i);
        put_back(segment_path(1), data, size);
    }
    eop_free(data);
}

/* Without a sync: in a file that was made of zeros each sector shows whether it was written, so a
 * flipped bit is damage, also in the last frame. In a file that was used before nobody can tell. */
Test(journal_journal, flipped_bit_is_told_from_a_lost_sector_in_a_fresh_file) {
    enum { N = 4, SIZE = 9000 };
    uint64_t ends[N];
    uint64_t damaged = 0;
    uint64_t torn = 0;
    for (int used = 0; used < 2; used++) {
        static const char zeros[512];
        eop_journal *journal = NULL;
        char *data = NULL;
        size_t size = 0;
        seen s;
        CHECK_OK(open_journal(&journal, &s, 0));
        CHECK_OK(eop_journal_rotate(journal, 0));
        if (used) {
            write_frame(journal, 'o', 3 * SIZE);
            CHECK_OK(eop_journal_rotate(journal, 0));
            eop_journal_retire(journal, 1);
            CHECK_OK(eop_journal_rotate(journal, 0));
            cr_assert_eq(eop_journal_active(journal), 3);
        }
        int number = used ? 3 : 1;
        for (int i = 0; i < N; i++) {
            write_frame(journal, (char)('a' + i), SIZE);
            ends[i] = 64 + eop_journal_used(journal);
        }
        eop_journal_close(journal);
        if (used) {
            (void)unlink(segment_path(2));
        }
        CHECK_OK(eop_file_read(&data, &size, segment_path(number), 2 << 20));
        for (int i = 0; i < N; i++) {
            size_t at = (size_t)ends[i] - SIZE / 2;
            char flipped = (char)(data[at] ^ 2);
            overwrite(segment_path(number), &flipped, 1, (off_t)at);
            (void)look(&damaged, &torn, NULL);
            damaged -= (uint64_t)used * 2; /* segments 1 and 2 are not there */
            cr_assert_eq(damaged, !used, "frame %d of a file used %d times", i, used);
            cr_assert_eq(torn > 0, used);
            put_back(segment_path(number), data, size);
            overwrite(segment_path(number), zeros, sizeof zeros, (off_t)(at / 512 * 512));
            (void)look(&damaged, &torn, NULL);
            damaged -= (uint64_t)used * 2;
            cr_assert_eq(damaged, 0, "frame %d of a file used %d times", i, used);
            cr_assert_gt(torn, 0);
            put_back(segment_path(number), data, size);
        }
        eop_free(data);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* What was lost to a power cut is not called damage later, when the journal has been synced and
 * closed. */
Test(journal_journal, what_a_power_cut_took_stays_no_damage) {
    static const char zeros[4096];
    uint64_t damaged = 0;
    uint64_t torn = 0;
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    for (char c = 'a'; c < 'e'; c++) {
        write_frame(journal, c, 9000);
    }
    eop_journal_close(journal);
    overwrite(segment_path(1), zeros, sizeof zeros, 4096 * 3);
    for (char c = 'p'; c < 't'; c++) {
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(eop_journal_damaged(journal), 0);
        cr_assert_gt(eop_journal_torn(journal), 0);
        if (!eop_journal_fits(journal, 100)) {
            CHECK_OK(eop_journal_rotate(journal, 0));
        }
        write_frame(journal, c, 100);
        must_sync(journal);
        write_frame(journal, c, 100);
        if (c % 2 == 0) {
            closed = eop_journal_settle(journal, true);
        }
        eop_journal_close(journal);
    }
    cr_assert_eq(look(&damaged, &torn, NULL), 3 + 2 * 4);
    cr_assert_eq(damaged, 0);
}

Test(journal_journal, header_that_never_arrived_is_no_damage) {
    static const char zeros[1024];
    uint64_t ends[FRAMES];
    eop_journal *journal = NULL;
    char *old = NULL;
    size_t size = 0;
    seen s;
    make_journal(ends);
    CHECK_OK(eop_file_read(&old, &size, segment_path(1), 2 << 20));
    for (int kind = 0; kind < 4; kind++) {
        if (kind == 3) {
            put_back(segment_path(2), old, size); /* a recycled file with its old content */
        } else {
            put_back(segment_path(2), zeros, kind == 0 ? 0 : kind == 1 ? 20 : sizeof zeros);
        }
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, FRAMES, "kind %d", kind);
        cr_assert_eq(eop_journal_damaged(journal), 0, "kind %d", kind);
        cr_assert_eq(eop_journal_torn(journal), 64);
        cr_assert_eq(eop_journal_active(journal), 0);
        CHECK_OK(eop_journal_rotate(journal, 0));
        cr_assert_eq(eop_journal_active(journal), 2, "its number is used again");
        write_frame(journal, 'x', 10);
        eop_journal_close(journal);
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_eq(s.count, FRAMES + 1);
        cr_assert_eq(eop_journal_damaged(journal), 0);
        eop_journal_close(journal);
    }
    eop_free(old);
}

/* Of a segment that was synced: what a later one says, or the catalog. */
Test(journal_journal, header_that_was_lost_later_is_damage) {
    static const char zeros[64];
    uint64_t damaged = 0;
    uint64_t torn = 0;
    eop_place_kind kind = EOP_PLACE_TORN;
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'a', 100);
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'b', 100);
    must_sync(journal);
    write_frame(journal, 'c', 100);
    overwrite(segment_path(1), zeros, sizeof zeros, 0);
    cr_assert_eq(look(&damaged, &torn, &kind), 2);
    cr_assert_eq(damaged, 1);
    cr_assert_eq(kind, EOP_PLACE_HEADER);
    closed = eop_journal_settle(journal, true);
    eop_journal_close(journal);
    cr_assert_eq(closed, 2);
    overwrite(segment_path(2), zeros, sizeof zeros, 0);
    cr_assert_eq(look(&damaged, &torn, &kind), 0);
    cr_assert_eq(damaged, 1);
    cr_assert_eq(kind, EOP_PLACE_HEADER);
}

/* Segment 1, or the recycled file of it as segment 3 with old frames alone: a frame may be on its
 * way when the process ends. synced: before the last frames. */
static int make_unclosed(bool synced, bool recycled) {
    eop_journal *journal = NULL;
    seen s;
    CHECK_OK(open_journal(&journal, &s, 0));
    CHECK_OK(eop_journal_rotate(journal, 0));
    write_frame(journal, 'a', 100);
    if (synced) {
        must_sync(journal);
    }
    write_frame(journal, 'b', 100);
    write_frame(journal, 'c', 3000);
    if (recycled) {
        CHECK_OK(eop_journal_rotate(journal, 0));
        write_frame(journal, 'm', 100);
        eop_journal_retire(journal, 1);
        CHECK_OK(eop_journal_rotate(journal, 0));
    }
    eop_journal_close(journal);
    return recycled ? 3 : 1;
}

/* bytes: of the header, from `from` on; 0: one flipped bit. */
static void damage_header(const char *path, size_t bytes, off_t from) {
    static const char zeros[64];
    char *data = NULL;
    size_t size = 0;
    if (bytes > 0) {
        overwrite(path, zeros, bytes, from);
        return;
    }
    CHECK_OK(eop_file_read(&data, &size, path, 2 << 20));
    data[from] ^= 16;
    overwrite(path, &data[from], 1, from);
    eop_free(data);
}

/* Bytes behind it in its sector did not get to the disk without it. The frames cannot be told from
 * those of the file's earlier life: they are kept and not read. */
Test(journal_journal, lost_header_with_bytes_in_its_sector_is_damage_and_the_file_is_kept) {
    static const struct {
        size_t bytes;
        off_t from;
    } ways[] = {{64, 0}, {32, 0}, {32, 32}, {0, 0}, {0, 17}, {0, 25}, {0, 62}};
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            eop_journal *journal = NULL;
            char *before = NULL;
            char *after = NULL;
            char aside[200];
            size_t size = 0;
            size_t count = 0;
            seen s;
            bool recycled = kind >= 2;
            int number = make_unclosed(kind % 2 == 1, recycled);
            const char *path = segment_path(number);
            damage_header(path, ways[i].bytes, ways[i].from);
            CHECK_OK(eop_file_read(&before, &size, path, 2 << 20));
            CHECK_OK(open_journal(&journal, &s, recycled ? 1 : 0));
            cr_assert_eq(s.count, recycled, "no old frame comes back");
            cr_assert_eq(eop_journal_damaged(journal), 1, "kind %d, way %zu", kind, i);
            cr_assert_eq(eop_journal_torn(journal), 0);
            const eop_place *places = eop_journal_places(&count, journal);
            cr_assert_eq(count, 1);
            cr_assert_eq(places[0].kind, EOP_PLACE_HEADER);
            cr_assert_eq(places[0].segment, (uint64_t)number);
            CHECK_OK(eop_journal_rotate(journal, 0));
            cr_assert_eq(eop_journal_active(journal), (uint64_t)number + 1);
            write_frame(journal, 'n', 50);
            eop_journal_close(journal);
            snprintf(aside, sizeof aside, "%s.bad", segment_path(number));
            CHECK_OK(eop_file_read(&after, &count, aside, 2 << 20));
            cr_assert_eq(count, size);
            cr_assert_eq(memcmp(before, after, size), 0);
            CHECK_OK(open_journal(&journal, &s, recycled ? 1 : 0));
            cr_assert_eq(s.count, (size_t)recycled + 1);
            cr_assert_eq(eop_journal_damaged(journal) + eop_journal_torn(journal), 0);
            eop_journal_close(journal);
            eop_free(before);
            eop_free(after);
            CHECK_OK(eop_remove_tree(home));
        }
    }
}

/* All of the first sectors is empty: a power cut leaves that, unless frames behind them say that
 * they were synced. Payloads like counters prove nothing. */
Test(journal_journal, lost_first_sectors_are_damage_when_later_frames_were_synced) {
    enum { N = 12 };
    static const char zeros[4096];
    for (int kind = 0; kind < 4; kind++) {
        uint64_t damaged = 0;
        uint64_t torn = 0;
        eop_journal *journal = NULL;
        char aside[200];
        seen s;
        CHECK_OK(open_journal(&journal, &s, 0));
        CHECK_OK(eop_journal_rotate(journal, 0));
        for (int i = 0; i < N; i++) {
            if (kind % 2 == 1 && i == 9) {
                must_sync(journal);
            }
            write_frame(journal, (char)('a' + i), 700 + (size_t)i);
        }
        if (kind == 0) {
            uint64_t counters[4096];
            off_t at = 64 + (off_t)eop_journal_used(journal);
            for (uint64_t i = 0; i < 4096; i++) {
                counters[i] = 1000 + i * 8;
            }
            overwrite(segment_path(1), counters, sizeof counters, at);
        }
        eop_journal_close(journal);
        overwrite(segment_path(1), zeros, kind < 2 ? 512 : sizeof zeros, 0);
        cr_assert_eq(look(&damaged, &torn, NULL), 0);
        cr_assert_eq(damaged, (uint64_t)(kind % 2), "kind %d", kind);
        cr_assert_eq(torn, kind % 2 == 1 ? 0 : 64);
        snprintf(aside, sizeof aside, "%s.bad", segment_path(1));
        cr_assert_eq(eop_file_exists(aside), kind % 2 == 1);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* A segment of format 1, as it was written before. */
static char *make_version_1(uint64_t ends[FRAMES], size_t file_bytes) {
    struct {
        char magic[8];
        uint32_t version, header_bytes;
        uint64_t number, salt, bytes;
        uint8_t zeros[20];
        uint32_t crc;
    } header = {.version = 1, .header_bytes = 64, .number = 1, .salt = 77, .bytes = 1024 * 1024};
    char *data = eop_calloc(1, file_bytes);
    uint64_t at = 64;
    memcpy(header.magic, "EOPJRNL1", 8);
    header.crc = eop_crc32c(0, &header, 60);
    memcpy(data, &header, 64);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint32_t size = i * 7 + 1;
        uint64_t mark = header.salt ^ at;
        memcpy(data + at, &size, 4);
        memcpy(data + at + 8, &mark, 8);
        memset(data + at + 16, 'a' + (int)i, size);
        uint32_t crc = eop_crc32c(eop_crc32c(0, data + at, 4), data + at + 8, 8 + size);
        memcpy(data + at + 4, &crc, 4);
        at += (16 + size + 7) / 8 * 8;
        ends[i] = at;
    }
    CHECK_OK(eop_mkdirs(home, 0700));
    put_back(segment_path(1), data, file_bytes > 100000 ? file_bytes : at);
    return data;
}

Test(journal_journal, format_1_is_read_and_goes_on_in_format_2) {
    uint64_t ends[FRAMES];
    uint64_t damaged = 0;
    uint64_t torn = 0;
    for (int settled = 0; settled < 2; settled++) {
        eop_journal *journal = NULL;
        seen s;
        size_t size = settled ? 4096 : 1024 * 1024;
        char *data = make_version_1(ends, size);
        cr_assert_eq(look(&damaged, &torn, NULL), FRAMES);
        cr_assert_eq(damaged + torn, 0);
        /* In the last frame: only a file that was cut tells. */
        data[ends[FRAMES - 2] + 20] ^= 4;
        put_back(segment_path(1), data, settled ? (size_t)ends[FRAMES - 1] : size);
        cr_assert_eq(look(&damaged, &torn, NULL), FRAMES - 1);
        cr_assert_eq(damaged, (uint64_t)settled);
        cr_assert_eq(torn > 0, settled == 0);
        data[ends[FRAMES - 2] + 20] ^= 4;
        put_back(segment_path(1), data, settled ? (size_t)ends[FRAMES - 1] : size);
        CHECK_OK(open_journal(&journal, &s, 0));
        cr_assert_not(eop_journal_fits(journal, 0));
        CHECK_OK(eop_journal_rotate(journal, 0));
        write_frame(journal, 'z', 9);
        closed = eop_journal_settle(journal, true);
        cr_assert_eq(closed, 2);
        eop_journal_close(journal);
        cr_assert_eq(look(&damaged, &torn, NULL), FRAMES + 1);
        cr_assert_eq(damaged + torn, 0);
        closed = 0;
        unlink(segment_path(2));
        eop_free(data);
    }
}
