/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of time against what they promise: they are all of it, each row is in one of them, and
 * their lists of chunks stay short. */
#include "store/pieces.h"

#include <stdlib.h>

#include "base/memory.h"
#include "value_fixture.h"

typedef struct plan {
    eop_chunk_list chunks;
    eop_rows memory;
    eop_pieces pieces;
} plan;

static void add_chunk(plan *p, int64_t t0, int64_t t1, size_t later) {
    eop_chunk_list *list = &p->chunks;
    cr_assert(eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count] = (eop_chunk_info){.id = (int64_t)list->count + 1,
                                                .t0 = t0,
                                                .t1 = t1,
                                                .ord0 = 1 + list->count * 100,
                                                .ord1 = 100 + list->count * 100,
                                                .rows = 100,
                                                .later = later};
    list->count++;
}

static void add_memory(plan *p, int64_t time) {
    CHECK_OK(eop_rows_reserve(&p->memory, p->memory.rows + 1));
    p->memory.times[p->memory.rows] = time;
    p->memory.seqs[p->memory.rows++] = 0;
}

static int by_start(const void *a, const void *b) {
    const eop_chunk_info *x = a;
    const eop_chunk_info *y = b;
    return x->t0 != y->t0 ? (x->t0 < y->t0 ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

static void dispose(plan *p) {
    eop_free(p->chunks.items);
    eop_rows_dispose(&p->memory);
    eop_pieces_dispose(&p->pieces);
    *p = (plan){0};
}

static void cut(plan *p) {
    if (p->chunks.count > 0) {
        qsort(p->chunks.items, p->chunks.count, sizeof *p->chunks.items, by_start);
    }
    CHECK_OK(eop_pieces_cut(&p->pieces, &p->chunks, &p->memory, false));
}

static bool lists(const plan *p, const eop_piece *piece, size_t chunk) {
    for (size_t i = piece->first; i < piece->first + piece->count; i++) {
        if (p->pieces.chunks[i] == chunk) {
            return true;
        }
    }
    return false;
}

static void check_piece(const plan *p, const eop_piece *piece) {
    bool later = false;
    cr_assert_leq(piece->from, piece->to);
    for (size_t i = 0; i < piece->count; i++) {
        const eop_chunk_info *c = &p->chunks.items[p->pieces.chunks[piece->first + i]];
        cr_assert(c->t0 <= piece->to && c->t1 >= piece->from);
        later = later || c->later > 0;
        if (i > 0) {
            cr_assert_lt(p->chunks.items[p->pieces.chunks[piece->first + i - 1]].ord0, c->ord0);
        }
    }
    cr_assert_eq(piece->later, later);
    for (size_t row = piece->row; row < piece->row_end; row++) {
        cr_assert(p->memory.times[row] >= piece->from && p->memory.times[row] <= piece->to);
    }
}

static void check(const plan *p) {
    size_t row = 0;
    for (size_t i = 0; i < p->pieces.count; i++) {
        const eop_piece *piece = &p->pieces.items[i];
        check_piece(p, piece);
        cr_assert(i == 0 || piece->from > p->pieces.items[i - 1].to);
        cr_assert_eq(piece->row, row);
        row = piece->row_end;
    }
    cr_assert_eq(row, p->memory.rows);
    for (size_t chunk = 0; chunk < p->chunks.count; chunk++) {
        const eop_chunk_info *c = &p->chunks.items[chunk];
        int64_t covered = c->t0 - 1;
        for (size_t i = 0; i < p->pieces.count; i++) {
            const eop_piece *piece = &p->pieces.items[i];
            bool overlaps = piece->from <= c->t1 && piece->to >= c->t0;
            cr_assert_eq(lists(p, piece, chunk), overlaps);
            /* Between two pieces that a chunk is in there is no gap. */
            if (overlaps) {
                cr_assert_leq(piece->from, covered + 1);
                covered = piece->to;
            }
        }
        cr_assert_geq(covered, c->t1);
    }
}

Test(store_pieces, random_chunks_and_rows_are_all_in_their_pieces) {
    dice d = {5};
    plan p = {0};
    for (int round = 0; round < 500; round++) {
        int64_t span = 1 + (int64_t)below(&d, 300);
        for (uint64_t n = below(&d, 40); n > 0; n--) {
            int64_t t0 = (int64_t)below(&d, 1000);
            add_chunk(&p, t0, t0 + (int64_t)below(&d, (uint64_t)span), below(&d, 8) == 0);
        }
        int64_t time = (int64_t)below(&d, 200);
        for (uint64_t n = below(&d, 2) * below(&d, 60); n > 0; n--) {
            add_memory(&p, time);
            time += (int64_t)below(&d, 30);
        }
        cut(&p);
        check(&p);
        dispose(&p);
    }
}

Test(store_pieces, the_ends_of_time_are_in_a_piece) {
    plan p = {0};
    add_chunk(&p, INT64_MIN, INT64_MAX, 0);
    add_chunk(&p, INT64_MIN, INT64_MIN, 0);
    add_chunk(&p, INT64_MAX, INT64_MAX, 0);
    add_memory(&p, INT64_MIN);
    add_memory(&p, 0);
    add_memory(&p, INT64_MAX);
    cut(&p);
    cr_assert_eq(p.pieces.count, 3);
    cr_assert_eq(p.pieces.items[0].to, INT64_MIN);
    cr_assert_eq(p.pieces.items[2].from, INT64_MAX);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(p.pieces.items[i].count, i == 1 ? 1 : 2);
        cr_assert_eq(p.pieces.items[i].row_end - p.pieces.items[i].row, 1);
    }
    dispose(&p);
}

Test(store_pieces, chunks_that_do_not_overlap_are_a_piece_each) {
    plan p = {0};
    for (int64_t i = 0; i < 1000; i++) {
        add_chunk(&p, i * 10, i * 10 + 9, 0);
    }
    cut(&p);
    cr_assert_eq(p.pieces.count, 1000);
    cr_assert_eq(p.pieces.chunk_count, 1000);
    dispose(&p);
}

/* Lists that grow with the square of the chunks would be 900,000,000 long here. */
Test(store_pieces, lists_stay_short_however_chunks_overlap) {
    enum { MANY = 30000 };
    plan p = {0};
    for (int shape = 0; shape < 4; shape++) {
        for (int64_t i = 0; i < MANY; i++) {
            int64_t t0 = shape == 0 ? 5 : i;
            int64_t t1 = shape == 1 ? MANY + i : shape == 2 && i == 0 ? 2 * MANY : i + 5;
            add_chunk(&p, shape == 3 ? MANY - i : t0,
                      shape == 0   ? 500
                      : shape == 3 ? MANY + i
                                   : t1,
                      0);
        }
        cut(&p);
        cr_assert_leq(p.pieces.chunk_count, 12 * MANY, "%d: %zu", shape, p.pieces.chunk_count);
        cr_assert_geq(p.pieces.chunk_count, MANY);
        if (shape == 2) {
            cr_assert_geq(p.pieces.count, MANY / 4);
        }
        dispose(&p);
    }
}
