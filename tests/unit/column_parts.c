/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose cells come in parts, against a list of the arrivals: random rows of all kinds of
 * columns are cut into random parts, which arrive in any order. */
#include "column/parts.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "failing_memory.h"
#include "value_fixture.h"

enum { CHANNELS = 9, ARRIVALS_MAX = 96, KEYS = 24, FIRST = 1000 };

static const struct kind {
    edgeops_type type;
    uint32_t length;
} kinds[CHANNELS] = {
    {EDGEOPS_TYPE_FLOAT64, 1}, {EDGEOPS_TYPE_STRING, 1},  {EDGEOPS_TYPE_FLOAT32, 3},
    {EDGEOPS_TYPE_BOOL, 1},    {EDGEOPS_TYPE_BLOB, 1},    {EDGEOPS_TYPE_INT64, 1},
    {EDGEOPS_TYPE_STRING, 1},  {EDGEOPS_TYPE_FLOAT32, 1}, {EDGEOPS_TYPE_UINT8, 1},
};

typedef struct cell {
    bool there;
    uint16_t quality;
    edgeops_value value;
    char bytes[sizeof(edgeops_blob) > 16 ? sizeof(edgeops_blob) : 16];
} cell;

/* An arrival: some cells of the row of a key. */
typedef struct arrival {
    int64_t time;
    int64_t seq;
    bool later; /* a part of a row that is here or older */
    bool first; /* the first of its row here */
    cell cells[CHANNELS];
} arrival;

typedef struct model {
    arrival arrivals[ARRIVALS_MAX];
    size_t count;
    size_t keys;
} model;

static void draw_cell(cell *c, dice *d, size_t channel) {
    c->there = true;
    c->quality = below(d, 3) == 0 ? (uint16_t)below(d, 200) : EDGEOPS_QUALITY_NONE;
    c->value = (edgeops_value){.type = kinds[channel].type};
    for (size_t i = 0; i < sizeof c->bytes; i++) {
        c->bytes[i] = (char)('a' + below(d, 26));
    }
    switch (kinds[channel].type) {
    case EDGEOPS_TYPE_STRING:
        c->value.size = (uint32_t)below(d, sizeof c->bytes);
        break;
    case EDGEOPS_TYPE_BLOB:
        c->value.size = sizeof(edgeops_blob);
        break;
    case EDGEOPS_TYPE_BOOL:
        c->value.as.i64 = (int64_t)below(d, 2);
        break;
    case EDGEOPS_TYPE_UINT8:
        c->value.as.i64 = (int64_t)below(d, 256);
        break;
    case EDGEOPS_TYPE_FLOAT32:
        if (kinds[channel].length > 1) {
            c->value.size = (uint32_t)(kinds[channel].length * sizeof(float));
        } else {
            c->value.as.f32 = (float)below(d, 1000) / 8;
        }
        break;
    case EDGEOPS_TYPE_FLOAT64:
        c->value.as.f64 = (double)below(d, 1000) / 8;
        break;
    default:
        c->value.as.i64 = (int64_t)roll(d);
        break;
    }
}

/* The value with its bytes, where it has some. */
static edgeops_value value_of(const cell *c) {
    edgeops_value value = c->value;
    if (value.type == EDGEOPS_TYPE_STRING || value.size > 0) {
        value.as.data = c->bytes;
    }
    return value;
}

/* Cuts random rows into random parts, and mixes those of several rows. */
static void make_model(model *m, dice *d) {
    static const unsigned widths[] = {1, 2, CHANNELS};
    bool taken[KEYS][CHANNELS] = {{false}};
    bool older[KEYS];
    bool begun[KEYS] = {false};
    size_t count = 1 + below(d, ARRIVALS_MAX);
    size_t spread = 1 + below(d, 6);
    unsigned width = widths[below(d, 3)];
    m->count = 0;
    m->keys = 1 + below(d, KEYS);
    for (size_t key = 0; key < KEYS; key++) {
        older[key] = below(d, 4) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        arrival *a = &m->arrivals[m->count++];
        size_t key = (i / spread + below(d, spread)) % m->keys;
        /* 31 is a prime above KEYS: times in no order, some with two rows. */
        *a = (arrival){.time = (int64_t)(key * 7 % 31 / 2), .seq = (int64_t)(key * 7 % 31 % 2)};
        a->first = !begun[key];
        a->later = begun[key] || older[key];
        begun[key] = true;
        size_t from = below(d, CHANNELS);
        size_t n = below(d, width + 1);
        for (size_t k = from; k < from + n; k++) {
            if (!taken[key][k % CHANNELS]) {
                taken[key][k % CHANNELS] = true;
                draw_cell(&a->cells[k % CHANNELS], d, k % CHANNELS);
            }
        }
    }
}

/* Adds an arrival as a memtable does: into the row that is there, or as the next one. Cells are
 * taken back when there is no memory for the arrival. */
static edgeops_status add_arrival(eop_rows *rows, eop_parts *parts, const arrival *a) {
    uint16_t channels[CHANNELS];
    size_t n = 0;
    size_t row = 0;
    while (row < rows->rows && (rows->times[row] != a->time || rows->seqs[row] != a->seq)) {
        row++;
    }
    edgeops_status status = eop_rows_reserve(rows, row + 1);
    for (size_t k = 0; status == EDGEOPS_OK && k < CHANNELS; k++) {
        if (a->cells[k].there) {
            edgeops_value value = value_of(&a->cells[k]);
            status = eop_vector_set(&rows->vectors[k], row, &value, a->cells[k].quality);
            channels[n] = (uint16_t)k;
            n += status == EDGEOPS_OK;
        }
    }
    if (status == EDGEOPS_OK) {
        status = row < rows->rows ? eop_parts_join(parts, (uint32_t)row, channels, n)
                                  : eop_parts_row(parts, a->later);
    }
    if (status == EDGEOPS_OK && row == rows->rows) {
        rows->times[row] = a->time;
        rows->seqs[row] = a->seq;
        rows->ordinals[row] = FIRST + parts->count - 1;
        rows->rows++;
    } else if (status != EDGEOPS_OK && row < rows->rows) {
        while (n > 0) {
            CHECK_OK(eop_vector_unset(&rows->vectors[channels[--n]], row));
        }
    } else if (status != EDGEOPS_OK) {
        eop_rows_truncate(rows, row);
    }
    return status;
}

static edgeops_status add_columns(eop_rows *rows) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < CHANNELS; k++) {
        status = eop_rows_add_vector(rows, kinds[k].type, kinds[k].length);
    }
    return status;
}

static edgeops_status build(eop_rows *rows, eop_parts *parts, const model *m) {
    edgeops_status status = add_columns(rows);
    if (status == EDGEOPS_OK) {
        status = eop_rows_keep_ordinals(rows);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < m->count; i++) {
        status = add_arrival(rows, parts, &m->arrivals[i]);
    }
    return status;
}

static void check_cell(const eop_vector *vector, size_t row, const cell *c) {
    if (c == NULL || !c->there) {
        cr_assert(eop_vector_is_null(vector, row));
        cr_assert_eq(eop_vector_quality(vector, row), EDGEOPS_QUALITY_NONE);
        return;
    }
    edgeops_value value = value_of(c);
    cr_assert(eop_vector_equals(vector, row, &value));
    cr_assert_eq(eop_vector_quality(vector, row), c->quality);
}

/* What a vector says of itself, and how a null is stored. */
static void check_vector(const eop_vector *vector) {
    uint64_t nulls = 0;
    size_t bytes = 0;
    for (size_t row = 0; row < vector->filled; row++) {
        bool null = eop_vector_is_null(vector, row);
        nulls += null;
        if (vector->type == EDGEOPS_TYPE_STRING) {
            const uint32_t *offsets = vector->data;
            cr_assert_eq(offsets[row], bytes);
            cr_assert(!null || offsets[row + 1] == offsets[row]);
            bytes = offsets[row + 1];
        } else if (null) {
            char expected[64];
            eop_null_fill(expected, vector->type, eop_vector_length(vector));
            cr_assert(memcmp((char *)vector->data + row * eop_vector_row_bytes(vector), expected,
                             eop_vector_row_bytes(vector)) == 0);
        }
    }
    cr_assert_eq(vector->nulls, nulls);
    cr_assert_eq(vector->bytes_size, bytes);
}

/* The cell of a key as it was at an ordinal: NULL when there was none. */
static const cell *cell_at(const model *m, int64_t time, int64_t seq, size_t channel,
                           size_t arrivals) {
    for (size_t i = 0; i < arrivals; i++) {
        const arrival *a = &m->arrivals[i];
        if (a->time == time && a->seq == seq && a->cells[channel].there) {
            return &a->cells[channel];
        }
    }
    return NULL;
}

static size_t first_of(const model *m, int64_t time, int64_t seq) {
    size_t i = 0;
    while (m->arrivals[i].time != time || m->arrivals[i].seq != seq) {
        i++;
    }
    return i;
}

/* Rows, whole, with ordinals and flags. */
static void check_collection(const eop_rows *rows, const eop_parts *parts, const model *m) {
    size_t firsts = 0;
    size_t later = 0;
    for (size_t i = 0; i < m->count; i++) {
        firsts += m->arrivals[i].first;
        later += m->arrivals[i].first && m->arrivals[i].later;
    }
    cr_assert_eq(rows->rows, firsts);
    cr_assert_eq(parts->row_count, firsts);
    cr_assert_eq(parts->later_count, later);
    cr_assert_eq(parts->count, m->count);
    for (size_t row = 0; row < rows->rows; row++) {
        size_t first = first_of(m, rows->times[row], rows->seqs[row]);
        cr_assert_eq(eop_rows_ordinal(rows, row), FIRST + first);
        cr_assert_eq(eop_parts_later(parts, row), m->arrivals[first].later);
        for (size_t k = 0; k < CHANNELS; k++) {
            check_cell(&rows->vectors[k], row,
                       cell_at(m, rows->times[row], rows->seqs[row], k, m->count));
        }
    }
    for (size_t k = 0; k < CHANNELS; k++) {
        check_vector(&rows->vectors[k]);
    }
}

/* Arrivals [from, to) as rows. Columns: a random choice in random order, or all. */
static void check_arrivals(const eop_rows *rows, const eop_parts *parts, const model *m,
                           size_t base, size_t from, size_t to) {
    eop_rows out = {0};
    uint8_t flags[ARRIVALS_MAX];
    size_t middle = from + (to - from) / 3;
    CHECK_OK(eop_parts_arrivals(&out, flags, rows, parts, FIRST + base, from, middle, NULL));
    CHECK_OK(eop_parts_arrivals(&out, flags + (middle - from), rows, parts, FIRST + base, middle,
                                to, NULL));
    cr_assert_eq(out.rows, to - from);
    for (size_t i = from; i < to; i++) {
        const arrival *a = &m->arrivals[base + i];
        cr_assert_eq(out.times[i - from], a->time);
        cr_assert_eq(out.seqs[i - from], a->seq);
        cr_assert_eq(flags[i - from], a->later);
        cr_assert_eq(eop_rows_ordinal(&out, i - from), FIRST + base + i);
        for (size_t k = 0; k < CHANNELS; k++) {
            check_cell(&out.vectors[k], i - from, &a->cells[k]);
        }
    }
    for (size_t k = 0; k < CHANNELS; k++) {
        check_vector(&out.vectors[k]);
    }
    eop_rows_dispose(&out);
}

typedef struct fixture {
    dice d;
    model m;
    eop_rows rows;
    eop_parts parts;
} fixture;

static fixture *begin(uint64_t seed) {
    fixture *f = calloc(1, sizeof *f);
    f->d.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    make_model(&f->m, &f->d);
    CHECK_OK(build(&f->rows, &f->parts, &f->m));
    return f;
}

static void end(fixture *f) {
    eop_rows_dispose(&f->rows);
    eop_parts_dispose(&f->parts);
    free(f);
}

Test(column_parts, cells_that_come_in_parts_are_whole_rows) {
    for (uint64_t seed = 0; seed < 500; seed++) {
        fixture *f = begin(seed);
        check_collection(&f->rows, &f->parts, &f->m);
        end(f);
    }
}

Test(column_parts, arrivals_are_given_back_one_by_one) {
    for (uint64_t seed = 0; seed < 500; seed++) {
        fixture *f = begin(seed);
        size_t from = below(&f->d, f->m.count + 1);
        size_t to = from + below(&f->d, f->m.count - from + 1);
        check_arrivals(&f->rows, &f->parts, &f->m, 0, 0, f->m.count);
        check_arrivals(&f->rows, &f->parts, &f->m, 0, from, to);
        CHECK_OK(eop_parts_sort(&f->rows, &f->parts, FIRST));
        check_collection(&f->rows, &f->parts, &f->m);
        check_arrivals(&f->rows, &f->parts, &f->m, 0, from, to);
        end(f);
    }
}

Test(column_parts, arrivals_of_some_columns_name_their_channels) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        fixture *f = begin(seed);
        uint32_t channels[4] = {UINT32_MAX, (uint32_t)below(&f->d, CHANNELS),
                                (uint32_t)below(&f->d, CHANNELS), (uint32_t)below(&f->d, CHANNELS)};
        eop_rows some = f->rows;
        eop_rows out = {0};
        eop_vector vectors[4] = {{.type = EDGEOPS_TYPE_FLOAT64}};
        for (size_t k = 1; k < 4; k++) {
            vectors[k] = f->rows.vectors[channels[k]];
        }
        some.vectors = vectors;
        some.vector_count = 4;
        CHECK_OK(eop_parts_arrivals(&out, NULL, &some, &f->parts, FIRST, 0, f->m.count, channels));
        for (size_t i = 0; i < f->m.count; i++) {
            cr_assert(eop_vector_is_null(&out.vectors[0], i));
            for (size_t k = 1; k < 4; k++) {
                check_cell(&out.vectors[k], i, &f->m.arrivals[i].cells[channels[k]]);
            }
        }
        eop_rows_dispose(&out);
        end(f);
    }
}

Test(column_parts, a_cut_hides_what_came_after_it) {
    for (uint64_t seed = 0; seed < 60; seed++) {
        fixture *f = begin(seed);
        if (below(&f->d, 2) == 0) {
            CHECK_OK(eop_parts_sort(&f->rows, &f->parts, FIRST));
        }
        for (size_t cut = 0; cut <= f->m.count + 1; cut++) {
            eop_rows out = {0};
            size_t from = below(&f->d, f->rows.rows + 1);
            size_t to = from + below(&f->d, f->rows.rows - from + 1);
            size_t at = below(&f->d, f->rows.rows + 1);
            CHECK_OK(eop_rows_copy(&out, &f->rows, 0, at, NULL));
            CHECK_OK(eop_rows_copy(&out, &f->rows, from, to, NULL));
            CHECK_OK(eop_parts_hide(&out, at, &f->parts, FIRST, from, to, FIRST + cut - 1, NULL));
            for (size_t row = 0; row < out.rows; row++) {
                size_t first = first_of(&f->m, out.times[row], out.seqs[row]);
                size_t seen = row < at ? f->m.count : cut < f->m.count ? cut : f->m.count;
                for (size_t k = 0; k < CHANNELS && first < seen; k++) {
                    check_cell(&out.vectors[k], row,
                               cell_at(&f->m, out.times[row], out.seqs[row], k, seen));
                }
            }
            for (size_t k = 0; k < CHANNELS; k++) {
                check_vector(&out.vectors[k]);
            }
            eop_rows_dispose(&out);
        }
        end(f);
    }
}

Test(column_parts, a_cut_names_the_channels_of_columns) {
    fixture *f = begin(7);
    const uint32_t channels[2] = {3, 1};
    for (size_t cut = 1; cut <= f->m.count; cut++) {
        eop_rows out = {0};
        CHECK_OK(eop_rows_add_vector(&out, kinds[3].type, 1));
        CHECK_OK(eop_rows_add_vector(&out, kinds[1].type, 1));
        CHECK_OK(eop_rows_copy(&out, &f->rows, 0, f->rows.rows, channels));
        CHECK_OK(
            eop_parts_hide(&out, 0, &f->parts, FIRST, 0, f->rows.rows, FIRST + cut - 1, channels));
        for (size_t row = 0; row < out.rows; row++) {
            for (size_t k = 0; k < 2 && first_of(&f->m, out.times[row], out.seqs[row]) < cut; k++) {
                check_cell(&out.vectors[k], row,
                           cell_at(&f->m, out.times[row], out.seqs[row], channels[k], cut));
            }
        }
        eop_rows_dispose(&out);
    }
    end(f);
}

/* Cuts a collection into pieces and makes one of them again. */
static edgeops_status cut_and_join(eop_rows *whole, eop_parts *whole_parts, const eop_rows *rows,
                                   const eop_parts *parts, size_t max_rows, const model *check) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t from = 0, to; status == EDGEOPS_OK && from < parts->count; from = to) {
        eop_rows piece = {0};
        eop_parts piece_parts = {0};
        to = from + eop_parts_fit(parts, from, max_rows);
        status = eop_parts_slice(&piece, &piece_parts, rows, parts, FIRST, from, to);
        if (status == EDGEOPS_OK && from % 2 == 0) {
            status = eop_parts_sort(&piece, &piece_parts, FIRST + from);
        }
        if (status == EDGEOPS_OK && check != NULL) {
            cr_assert_leq(piece.rows, max_rows);
            cr_assert_eq(piece_parts.count, to - from);
            uint64_t ordinals[ARRIVALS_MAX];
            eop_parts_ordinals(ordinals, &piece_parts, FIRST + from);
            for (size_t row = 0; row < piece.rows; row++) {
                cr_assert_eq(eop_rows_ordinal(&piece, row), ordinals[row]);
            }
            check_arrivals(&piece, &piece_parts, check, from, 0, to - from);
        }
        if (status == EDGEOPS_OK) {
            bool plain = eop_parts_all_whole(&piece_parts) && from % 2 != 0;
            status = eop_parts_append(whole, whole_parts, &piece, plain ? NULL : &piece_parts);
        }
        eop_rows_dispose(&piece);
        eop_parts_dispose(&piece_parts);
    }
    return status == EDGEOPS_OK ? eop_parts_sort(whole, whole_parts, FIRST) : status;
}

/* The same collection: rows by key, and arrivals. */
static void check_same(const eop_rows *rows, const eop_parts *parts, const model *m) {
    check_collection(rows, parts, m);
    check_arrivals(rows, parts, m, 0, 0, m->count);
    for (size_t row = 1; row < rows->rows; row++) {
        cr_assert_lt(eop_key_compare(rows->times[row - 1], rows->seqs[row - 1], rows->times[row],
                                     rows->seqs[row]),
                     0);
    }
}

Test(column_parts, pieces_make_the_collection_again) {
    for (uint64_t seed = 0; seed < 500; seed++) {
        fixture *f = begin(seed);
        eop_rows whole = {0};
        eop_parts whole_parts = {0};
        size_t max_rows = 1 + below(&f->d, 8);
        if (below(&f->d, 2) == 0) {
            CHECK_OK(eop_parts_sort(&f->rows, &f->parts, FIRST));
        }
        CHECK_OK(cut_and_join(&whole, &whole_parts, &f->rows, &f->parts, max_rows, &f->m));
        check_same(&whole, &whole_parts, &f->m);
        eop_rows_dispose(&whole);
        eop_parts_dispose(&whole_parts);
        end(f);
    }
}

Test(column_parts, rows_that_came_whole_begin_a_collection) {
    dice d = {5};
    model *m = calloc(1, sizeof *m);
    eop_rows rows = {0};
    eop_parts parts = {0};
    CHECK_OK(add_columns(&rows));
    CHECK_OK(eop_rows_keep_ordinals(&rows));
    for (size_t i = 0; i < 10; i++) {
        arrival *a = &m->arrivals[m->count++];
        *a = (arrival){.time = (int64_t)i, .first = true};
        draw_cell(&a->cells[i % CHANNELS], &d, i % CHANNELS);
        CHECK_OK(add_arrival(&rows, &parts, a));
    }
    cr_assert(eop_parts_all_whole(&parts));
    eop_parts_dispose(&parts);
    CHECK_OK(eop_parts_begin(&parts, rows.rows));
    cr_assert(eop_parts_all_whole(&parts));
    check_same(&rows, &parts, m);
    arrival *a = &m->arrivals[m->count++];
    *a = (arrival){.time = 4, .later = true};
    draw_cell(&a->cells[7], &d, 7);
    CHECK_OK(add_arrival(&rows, &parts, a));
    cr_assert_not(eop_parts_all_whole(&parts));
    check_same(&rows, &parts, m);
    eop_parts_clear(&parts);
    cr_assert_eq(parts.count + parts.row_count + parts.shape_count, 0);
    CHECK_OK(eop_parts_begin(&parts, 3));
    cr_assert(eop_parts_all_whole(&parts));
    eop_parts_dispose(&parts);
    eop_rows_dispose(&rows);
    free(m);
}

/* Arrivals that are taken back leave what was there. */
Test(column_parts, arrivals_are_taken_back) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        fixture *f = begin(seed);
        size_t keep = below(&f->d, f->m.count + 1);
        for (size_t i = f->m.count; i-- > keep;) {
            const arrival *a = &f->m.arrivals[i];
            for (size_t k = 0; k < CHANNELS && !a->first; k++) {
                if (a->cells[k].there) {
                    CHECK_OK(eop_vector_unset(&f->rows.vectors[k], f->parts.rows[i]));
                }
            }
            if (a->first) {
                eop_rows_truncate(&f->rows, f->parts.rows[i]);
            }
        }
        size_t count = f->m.count;
        eop_parts_truncate(&f->parts, keep);
        f->m.count = keep;
        check_collection(&f->rows, &f->parts, &f->m);
        for (; f->m.count < count; f->m.count++) {
            CHECK_OK(add_arrival(&f->rows, &f->parts, &f->m.arrivals[f->m.count]));
        }
        check_collection(&f->rows, &f->parts, &f->m);
        check_arrivals(&f->rows, &f->parts, &f->m, 0, 0, f->m.count);
        end(f);
    }
}

Test(column_parts, rows_of_one_key_fold_into_one) {
    for (uint64_t seed = 0; seed < 300; seed++) {
        fixture *f = begin(seed);
        eop_rows out = {0};
        CHECK_OK(eop_parts_arrivals(&out, NULL, &f->rows, &f->parts, FIRST, 0, f->m.count, NULL));
        CHECK_OK(eop_rows_complete(&out));
        CHECK_OK(eop_rows_sort(&out));
        CHECK_OK(eop_rows_fold(&out));
        CHECK_OK(eop_parts_sort(&f->rows, &f->parts, FIRST));
        check_collection(&out, &f->parts, &f->m);
        CHECK_OK(eop_rows_fold(&out));
        check_collection(&out, &f->parts, &f->m);
        eop_rows_dispose(&out);
        end(f);
    }
}

Test(column_parts, a_blob_gives_back_the_arrivals) {
    for (uint64_t seed = 0; seed < 500; seed++) {
        fixture *f = begin(seed);
        eop_buf buf = {0};
        eop_parts back = {0};
        if (below(&f->d, 2) == 0) {
            CHECK_OK(eop_parts_sort(&f->rows, &f->parts, FIRST));
        }
        eop_parts_encode(&buf, &f->parts);
        cr_assert_not(buf.failed);
        CHECK_OK(eop_parts_decode(&back, buf.data, buf.size, f->m.count, f->rows.rows, CHANNELS));
        check_collection(&f->rows, &back, &f->m);
        check_arrivals(&f->rows, &back, &f->m, 0, 0, f->m.count);
        /* Shapes that are there already keep their numbers. */
        uint16_t channels[CHANNELS];
        size_t shapes = back.shape_count;
        for (size_t i = 0; i < f->m.count; i++) {
            size_t n = 0;
            for (size_t k = 0; k < CHANNELS; k++) {
                channels[n] = (uint16_t)k;
                n += f->m.arrivals[i].cells[k].there;
            }
            if (!f->m.arrivals[i].first) {
                CHECK_OK(eop_parts_join(&back, 0, channels, n));
            }
        }
        cr_assert_eq(back.shape_count, shapes);
        eop_parts_dispose(&back);
        eop_buf_dispose(&buf);
        end(f);
    }
}

static void reseal(char *blob, size_t size) {
    uint32_t crc = eop_crc32c(eop_crc32c(0, blob, 4), blob + 8, size - 8);
    memcpy(blob + 4, &crc, sizeof crc);
}

Test(column_parts, damaged_blobs_are_refused) {
    fixture *f = begin(3);
    eop_buf buf = {0};
    eop_parts back = {0};
    size_t rows = f->rows.rows;
    size_t count = f->m.count;
    eop_parts_encode(&buf, &f->parts);
    for (size_t size = 0; size < buf.size; size++) {
        CHECK_CODE(EDGEOPS_E_CORRUPT,
                   eop_parts_decode(&back, buf.data, size, count, rows, CHANNELS));
    }
    for (size_t i = 0; i < buf.size; i++) {
        buf.data[i] ^= 1;
        CHECK_CODE(EDGEOPS_E_CORRUPT,
                   eop_parts_decode(&back, buf.data, buf.size, count, rows, CHANNELS));
        buf.data[i] ^= 1;
    }
    CHECK_CODE(EDGEOPS_E_CORRUPT,
               eop_parts_decode(&back, buf.data, buf.size, count + 1, rows, CHANNELS));
    CHECK_CODE(EDGEOPS_E_CORRUPT,
               eop_parts_decode(&back, buf.data, buf.size, count, rows - 1, CHANNELS));
    CHECK_CODE(EDGEOPS_E_CORRUPT, eop_parts_decode(&back, buf.data, buf.size, count, rows, 1));
    buf.data[0] = 2;
    reseal(buf.data, buf.size);
    CHECK_CODE(EDGEOPS_E_VERSION,
               eop_parts_decode(&back, buf.data, buf.size, count, rows, CHANNELS));
    buf.data[0] = 1;
    reseal(buf.data, buf.size);
    CHECK_OK(eop_parts_decode(&back, buf.data, buf.size, count, rows, CHANNELS));
    eop_parts_dispose(&back);
    eop_buf_dispose(&buf);
    end(f);
}

/* With a right checksum: nothing else protects what is decoded. */
Test(column_parts, forged_blobs_give_collections_or_errors) {
    dice d = {11};
    for (uint64_t seed = 0; seed < 20; seed++) {
        fixture *f = begin(seed);
        eop_buf buf = {0};
        eop_parts_encode(&buf, &f->parts);
        for (int round = 0; round < 2000; round++) {
            eop_parts back = {0};
            size_t at = 8 + below(&d, buf.size - 8);
            char old = buf.data[at];
            buf.data[at] = (char)roll(&d);
            reseal(buf.data, buf.size);
            edgeops_status status =
                eop_parts_decode(&back, buf.data, buf.size, f->m.count, f->rows.rows, CHANNELS);
            cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_CORRUPT);
            if (status == EDGEOPS_OK) {
                eop_rows out = {0};
                CHECK_OK(
                    eop_parts_arrivals(&out, NULL, &f->rows, &back, FIRST, 0, back.count, NULL));
                CHECK_OK(eop_parts_sort(&f->rows, &back, FIRST));
                eop_rows_dispose(&out);
            } else {
                cr_assert_eq(back.count, 0);
            }
            buf.data[at] = old;
            eop_parts_dispose(&back);
        }
        eop_buf_dispose(&buf);
        end(f);
    }
}

/* All that allocates, once; true when all of it succeeded. */
static bool use_all(const model *m) {
    eop_rows rows = {0};
    eop_rows out = {0};
    eop_rows whole = {0};
    eop_parts parts = {0};
    eop_parts back = {0};
    eop_parts whole_parts = {0};
    eop_buf buf = {0};
    edgeops_status status = build(&rows, &parts, m);
    if (status == EDGEOPS_OK) {
        status = eop_parts_arrivals(&out, NULL, &rows, &parts, FIRST, 0, m->count, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(&out);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort(&out);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_fold(&out);
    }
    if (status == EDGEOPS_OK) {
        status = cut_and_join(&whole, &whole_parts, &rows, &parts, 3, NULL);
    }
    if (status == EDGEOPS_OK) {
        eop_parts_encode(&buf, &whole_parts);
        status = buf.failed
                     ? EDGEOPS_E_NOMEM
                     : eop_parts_decode(&back, buf.data, buf.size, m->count, rows.rows, CHANNELS);
    }
    if (status == EDGEOPS_OK) {
        long at = fail_at;
        long so_far = allocations;
        fail_at = 0;
        check_same(&whole, &back, m);
        allocations = so_far;
        fail_at = at;
        status = eop_parts_hide(&whole, 0, &back, FIRST, 0, whole.rows, FIRST, NULL);
    }
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM);
    eop_rows_dispose(&rows);
    eop_rows_dispose(&out);
    eop_rows_dispose(&whole);
    eop_parts_dispose(&parts);
    eop_parts_dispose(&back);
    eop_parts_dispose(&whole_parts);
    eop_buf_dispose(&buf);
    return status == EDGEOPS_OK;
}

Test(column_parts, each_allocation_may_fail) {
    model *m = malloc(sizeof *m);
    dice d = {77};
    take_failing_memory();
    for (int round = 0; round < 3; round++) {
        make_model(m, &d);
        bool done = false;
        for (long n = 1; !done; n++) {
            allocations = 0;
            fail_at = n;
            done = use_all(m) && allocations < n;
            fail_at = 0;
            cr_assert_eq(alive, 0, "allocation %ld: %ld blocks are left", n, (long)alive);
        }
    }
    free(m);
}

/* What fails changes nothing: the arrival is added in the second try. */
Test(column_parts, a_failed_arrival_leaves_what_was_there) {
    model *m = malloc(sizeof *m);
    dice d = {78};
    take_failing_memory();
    for (int round = 0; round < 20; round++) {
        eop_rows rows = {0};
        eop_parts parts = {0};
        make_model(m, &d);
        size_t count = m->count;
        CHECK_OK(add_columns(&rows));
        CHECK_OK(eop_rows_keep_ordinals(&rows));
        for (m->count = 0; m->count < count; m->count++) {
            edgeops_status status = EDGEOPS_E_NOMEM;
            for (long n = 1; status != EDGEOPS_OK; n++) {
                allocations = 0;
                fail_at = n;
                status = add_arrival(&rows, &parts, &m->arrivals[m->count]);
                fail_at = 0;
                if (status != EDGEOPS_OK) {
                    check_collection(&rows, &parts, m);
                }
            }
        }
        check_collection(&rows, &parts, m);
        check_arrivals(&rows, &parts, m, 0, 0, m->count);
        eop_rows_dispose(&rows);
        eop_parts_dispose(&parts);
    }
    free(m);
}

/* 1,000 channels, each of which comes alone: what touches a few arrivals does not look at all. */
Test(column_parts, wide_rows_come_back) {
    enum { WIDE = 1000, ROWS = 60 };
    eop_rows rows = {0};
    eop_rows whole = {0};
    eop_parts parts = {0};
    eop_parts whole_parts = {0};
    for (size_t k = 0; k < WIDE; k++) {
        CHECK_OK(eop_rows_add_vector(&rows, EDGEOPS_TYPE_FLOAT64, 1));
    }
    CHECK_OK(eop_rows_reserve(&rows, ROWS));
    CHECK_OK(eop_rows_keep_ordinals(&rows));
    for (size_t i = 0; i < (size_t)WIDE * ROWS; i++) {
        uint32_t row = (uint32_t)(i / WIDE);
        uint16_t channel = (uint16_t)(i * 7 % WIDE);
        edgeops_value value = f64((double)i);
        if (i % WIDE == 0) {
            rows.times[row] = (int64_t)row;
            rows.seqs[row] = 0;
            rows.ordinals[row] = FIRST + i;
            rows.rows++;
            CHECK_OK(eop_parts_row(&parts, false));
        } else {
            CHECK_OK(eop_parts_join(&parts, row, &channel, 1));
        }
        CHECK_OK(eop_vector_set(&rows.vectors[channel], row, &value, EDGEOPS_QUALITY_NONE));
    }
    cr_assert_eq(parts.shape_count, WIDE - 1);
    CHECK_OK(cut_and_join(&whole, &whole_parts, &rows, &parts, 7, NULL));
    cr_assert_eq(whole.rows, ROWS);
    cr_assert_eq(whole_parts.count, (size_t)WIDE * ROWS);
    for (size_t i = 0; i < (size_t)WIDE * ROWS; i++) {
        edgeops_value value = f64((double)i);
        cr_assert_eq(whole_parts.rows[i], i / WIDE);
        cr_assert(eop_vector_equals(&whole.vectors[i * 7 % WIDE], i / WIDE, &value));
    }
    eop_rows_dispose(&rows);
    eop_rows_dispose(&whole);
    eop_parts_dispose(&parts);
    eop_parts_dispose(&whole_parts);
}

/* A channel that gets another type has two positions for a while: who brought the one brought the
 * other. */
Test(column_parts, an_alias_is_in_each_shape_with_its_channel) {
    static const uint16_t shapes[][2] = {{1, 5}, {2, 5}, {1, 0}, {5, 0}};
    eop_parts parts = {0};
    CHECK_OK(eop_parts_begin(&parts, 8));
    for (uint32_t i = 0; i < 8; i++) {
        CHECK_OK(eop_parts_join(&parts, i, shapes[i % 4], i % 4 < 2 ? 2 : 1));
    }
    CHECK_OK(eop_parts_join(&parts, 3, NULL, 0));
    cr_assert_eq(eop_parts_alias(&parts, 7, 8), EDGEOPS_DONE, "no shape has it");
    CHECK_OK(eop_parts_alias(&parts, 1, 3));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            static const uint16_t wanted[][3] = {{1, 3, 5}, {2, 5, 0}, {1, 3, 0}, {5, 0, 0}};
            static const size_t counts[] = {3, 2, 2, 1};
            size_t n = 0;
            const uint16_t *channels = eop_parts_shape(&n, &parts, parts.shapes[8 + i]);
            cr_assert_eq(n, counts[i % 4]);
            cr_assert_eq(memcmp(channels, wanted[i % 4], n * sizeof *channels), 0);
            cr_assert_eq(parts.shapes[i], 0);
        }
        cr_assert_eq(eop_parts_alias(&parts, 1, 3), EDGEOPS_DONE, "each has it already");
        /* And comes back. */
        eop_buf buf = {0};
        eop_parts_encode(&buf, &parts);
        eop_parts_dispose(&parts);
        CHECK_OK(eop_parts_decode(&parts, buf.data, buf.size, 17, 8, 6));
        eop_buf_dispose(&buf);
    }
    eop_parts_dispose(&parts);
}
