/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and later parts in a block, added and taken back at random, held against a list of what came.
 * Also what no append gives, but a damaged journal may: parts without a row, cells twice. */
#include "store/memtable.h"

#include <stdio.h>

#include "base/memory.h"
#include "store/find.h"
#include "value_fixture.h"

enum { CHANNELS = 5, TEXT = 3, KEYS = 60, ARRIVALS = 600 };

static const edgeops_type types[CHANNELS] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT32,
                                             EDGEOPS_TYPE_BOOL, EDGEOPS_TYPE_STRING,
                                             EDGEOPS_TYPE_INT64};

typedef struct arrival {
    int64_t key;
    bool later;
    unsigned mask; /* of the cells that it brought */
} arrival;

typedef struct model {
    eop_asset_list list;
    eop_series *series;
    eop_segment *segment;
    arrival arrivals[ARRIVALS]; /* of the newest block */
    size_t count;
    uint64_t first;    /* ordinal of the first of them */
    eop_extent before; /* of all that came before the block */
    char text[8];
} model;

static void begin(model *m) {
    static const char *const names[CHANNELS] = {"f", "i", "b", "s", "l"};
    *m = (model){.list = {.item_bytes = sizeof(eop_series), .next_id = 1}, .first = 1};
    CHECK_OK(eop_series_add(&m->series, &m->list, "a", 0));
    for (int k = 0; k < CHANNELS; k++) {
        CHECK_OK(eop_asset_add_channel(&m->series->asset, names[k], types[k], 1, ""));
    }
    m->segment = eop_calloc(1, sizeof *m->segment);
    m->segment->number = 1;
}

static void end(model *m) {
    eop_segment_free(m->segment);
    eop_asset_list_dispose(&m->list);
}

static eop_cell make_cell(model *m, int64_t key, int k) {
    eop_cell cell = {.channel = (uint32_t)k,
                     .quality = (key + k) % 4 == 0 ? (uint16_t)key : EDGEOPS_QUALITY_NONE,
                     .value = {.type = types[k], .as.i64 = k == 2 ? key & 1 : key * 10 + k}};
    if (k == 0) {
        cell.value = f64((double)key / 8);
    } else if (k == TEXT) {
        snprintf(m->text, sizeof m->text, "%.*s", (int)(key % 6), "text of");
        cell.value = text(m->text);
    }
    return cell;
}

static unsigned stored_of(const model *m, int64_t key) {
    unsigned mask = 0;
    for (size_t i = 0; i < m->count; i++) {
        mask |= m->arrivals[i].key == key ? m->arrivals[i].mask : 0;
    }
    return mask;
}

static bool has_row(const model *m, int64_t key) {
    for (size_t i = 0; i < m->count; i++) {
        if (m->arrivals[i].key == key) {
            return true;
        }
    }
    return false;
}

static void push(model *m, dice *d) {
    eop_cell cells[2 * CHANNELS];
    uint32_t n = 0;
    int64_t key = below(d, 3) == 0 ? (int64_t)below(d, KEYS) : (int64_t)(m->count / 3);
    bool there = has_row(m, key);
    arrival a = {.key = key, .later = there || below(d, 10) == 0};
    for (unsigned i = 0, turn = (unsigned)below(d, CHANNELS); i < CHANNELS; i++) {
        int k = (int)((i * 2 + turn) % CHANNELS);
        for (uint64_t twice = below(d, 12) == 0; below(d, 3) == 0 && twice < 2; twice++) {
            cells[n++] = make_cell(m, key, k);
            a.mask |= 1u << k;
        }
    }
    a.mask &= ~stored_of(m, key);
    eop_frame_row row = {.cell_count = n,
                         .ordinal = m->first + m->count,
                         .time = key / 2,
                         .seq = key % 2,
                         .later = a.later};
    CHECK_OK(eop_memtable_push(m->series, m->segment, &row, cells));
    m->arrivals[m->count++] = a;
}

/* Rows that come as columns, newer than all. */
static void push_columns(model *m, dice *d) {
    const uint32_t channels[1] = {0};
    eop_rows rows = {.first_ordinal = m->first + m->count};
    size_t n = 1 + below(d, 3);
    int64_t key = 0;
    for (size_t i = 0; i < m->count; i++) {
        key = m->arrivals[i].key > key ? m->arrivals[i].key : key;
    }
    CHECK_OK(eop_rows_reserve(&rows, n));
    CHECK_OK(eop_rows_add_vector(&rows, EDGEOPS_TYPE_FLOAT64, 1));
    for (size_t i = 0; i < n; i++) {
        key++;
        eop_cell cell = make_cell(m, key, 0);
        rows.times[i] = key / 2;
        rows.seqs[i] = key % 2;
        rows.rows++;
        CHECK_OK(eop_vector_put(&rows.vectors[0], &cell.value));
        CHECK_OK(eop_vector_rate(&rows.vectors[0], i, &cell.quality, 1));
        m->arrivals[m->count++] = (arrival){key, false, 1};
    }
    CHECK_OK(eop_memtable_push_rows(m->series, m->segment, &rows, channels, below(d, 2) == 0));
    eop_rows_dispose(&rows);
}

static eop_extent wanted_extent(const model *m) {
    eop_extent wanted = {0};
    for (size_t i = 0; i < m->count; i++) {
        const arrival *a = &m->arrivals[i];
        int64_t time = a->key / 2;
        int64_t seq = a->key % 2;
        if (i == 0 || time < wanted.first) {
            wanted.first = time;
        }
        if (i == 0 || eop_key_compare(time, seq, wanted.last, wanted.last_seq) > 0) {
            wanted.last = time;
            wanted.last_seq = seq;
        }
        wanted.rows += !a->later;
        wanted.parts += a->later;
        wanted.ordinal = m->first + i;
    }
    return wanted;
}

static void check_cells(model *m, const eop_rows *data, size_t row, int64_t key) {
    unsigned mask = stored_of(m, key);
    for (int k = 0; k < CHANNELS; k++) {
        eop_cell cell = make_cell(m, key, k);
        bool null = (size_t)k >= data->vector_count || eop_vector_is_null(&data->vectors[k], row);
        cr_assert_eq(null, (mask >> k & 1) == 0);
        if (!null) {
            cr_assert(eop_vector_equals(&data->vectors[k], row, &cell.value));
            cr_assert_eq(eop_vector_quality(&data->vectors[k], row), cell.quality);
        }
    }
}

static void check(model *m) {
    eop_block *block = m->series->newest;
    if (m->count == 0) {
        cr_assert_null(block);
        return;
    }
    eop_extent wanted = wanted_extent(m);
    eop_block_measure(block);
    cr_assert_eq(memcmp(&block->extent, &wanted, sizeof wanted), 0);
    cr_assert_eq(eop_block_arrivals(block), m->count);
    cr_assert_eq(eop_block_end(block), m->first + m->count);
    size_t rows = 0;
    size_t later = 0;
    size_t wholes = 0;
    for (size_t i = 0; i < m->count; i++) {
        const arrival *a = &m->arrivals[i];
        size_t row = 0;
        bool first = true;
        for (size_t k = 0; k < i; k++) {
            first = first && m->arrivals[k].key != a->key;
        }
        CHECK_OK(eop_block_find(&row, block, a->key / 2, a->key % 2));
        if (first) {
            cr_assert_eq(row, rows, "rows lie in the order in which they began");
            cr_assert_eq(eop_rows_ordinal(&block->data, row), m->first + i);
            check_cells(m, &block->data, row, a->key);
            rows++;
            later += a->later;
        }
        wholes += first && !a->later;
        if (block->parts != NULL) {
            cr_assert_eq(eop_parts_is_later(block->parts, i), a->later);
            cr_assert_eq(block->parts->rows[i], row);
        }
    }
    cr_assert_eq(block->data.rows, rows);
    cr_assert_eq(block->parts == NULL, wholes == m->count);
    cr_assert_eq(block->parts == NULL, block->data.ordinals == NULL);
    cr_assert(block->parts == NULL || block->parts->later_count == later);
    size_t none = 0;
    cr_assert_eq(eop_block_find(&none, block, KEYS * 100, 0), EDGEOPS_DONE);
}

static void pop(model *m, dice *d) {
    size_t left = m->count - (size_t)below(d, m->count < 20 ? m->count + 1 : 20);
    eop_memtable_pop(m->series, m->segment, left);
    m->count = left;
}

Test(store_memtable, parts_come_and_go_as_a_list_of_them_says) {
    static model m;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dice d = {seed};
        uint64_t memory = 0;
        begin(&m);
        while (m.count < ARRIVALS - 8 && below(&d, 500) != 0) {
            uint64_t luck = below(&d, 40);
            if (luck == 0) {
                pop(&m, &d);
            } else if (luck == 1) {
                push_columns(&m, &d);
            } else {
                push(&m, &d);
            }
            if (luck < 5) {
                check(&m);
            }
            cr_assert_geq(m.segment->memory, memory);
            memory = m.segment->memory;
        }
        check(&m);
        end(&m);
    }
}

/* The memory of a block of many parts is counted: else a segment would never be full. */
Test(store_memtable, memory_of_parts_is_counted) {
    static model m;
    begin(&m);
    eop_cell cell = {0, EDGEOPS_QUALITY_NONE, f64(1)};
    eop_cell other = {4, EDGEOPS_QUALITY_NONE, i64(1)};
    for (uint64_t i = 0; i < 20000; i++) {
        eop_frame_row row = {.cell_count = 1, .ordinal = i + 1, .time = (int64_t)(i / 2)};
        row.later = i % 2 == 1;
        CHECK_OK(eop_memtable_push(m.series, m.segment, &row, row.later ? &other : &cell));
    }
    const eop_block *block = m.series->newest;
    uint64_t counted = eop_parts_bytes(block->parts) + 3 * 8 * block->data.capacity +
                       eop_vector_bytes(&block->data.vectors[0]) +
                       eop_vector_bytes(&block->data.vectors[4]);
    cr_assert_geq(m.segment->memory + EOP_BLOCK_FREE, counted);
    cr_assert_leq(m.segment->memory, counted + 4096);
    end(&m);
}

/* -- a search over several blocks -- */

static size_t found_rows;
static bool stop_at_once;

static bool note(eop_search *search, const eop_rows *rows, size_t row) {
    cr_assert_eq(rows->times[row], search->time);
    found_rows++;
    return stop_at_once;
}

static eop_search search_for(const model *m, int64_t time) {
    eop_search search = {.time = time, .found = note};
    found_rows = 0;
    CHECK_OK(eop_memtable_lookup(&search, m->series));
    return search;
}

Test(store_memtable, a_search_ends_where_nothing_older_can_be) {
    static model m;
    eop_segment *segments[3];
    uint64_t ordinal = 1;
    begin(&m);
    segments[0] = m.segment;
    for (uint64_t i = 0; i < 3; i++) {
        if (i > 0) {
            segments[i] = eop_calloc(1, sizeof *segments[i]);
            segments[i]->number = i + 1;
        }
        /* Time 1: a part in each segment; time 10 + i: only in that one; time 99: no first part. */
        eop_cell cell = {(uint32_t)i, EDGEOPS_QUALITY_NONE, {.type = types[i], .as.i64 = 1}};
        int64_t times[3] = {1, 10 + (int64_t)i, 99};
        for (int k = 0; k < 3; k++) {
            eop_frame_row row = {.cell_count = 1, .ordinal = ordinal++, .time = times[k]};
            row.later = k == 2 || (k == 0 && i > 0);
            CHECK_OK(eop_memtable_push(m.series, segments[i], &row, &cell));
        }
    }
    eop_search s = search_for(&m, 1);
    cr_assert(s.any && s.whole && !s.stop && found_rows == 3);
    for (int64_t i = 0; i < 3; i++) {
        s = search_for(&m, 10 + i);
        cr_assert(s.any && s.whole && found_rows == 1);
    }
    s = search_for(&m, 99);
    cr_assert(s.any && !s.whole && found_rows == 3, "the first part may be in a chunk");
    s = search_for(&m, 50);
    cr_assert(!s.any && !s.whole && found_rows == 0);
    stop_at_once = true;
    s = search_for(&m, 1);
    cr_assert(s.any && s.stop && found_rows == 1);
    cr_assert_eq(m.series->all.rows, 4);
    cr_assert_eq(m.series->all.parts, 5);
    cr_assert_eq(m.series->all.last, 99);
    eop_segment_free(segments[2]);
    eop_segment_free(segments[1]);
    end(&m);
}
