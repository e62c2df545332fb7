/* SPDX-License-Identifier: Apache-2.0 */
/* Random samples, reads, flushes and reopenings against a model that is a plain list. */
#include "store_fixture.h"

TestSuite(store_model, .init = make_home, .fini = remove_home);

enum { ASSETS = 3, CHANNELS = 10, ROWS_MAX = 60000, LENGTH = 3 };

static const char *const asset_names[ASSETS] = {"plant/a", "plant/b", "c"};
static const char *const channel_names[CHANNELS] = {"f", "i", "b", "s", "g",
                                                    "h", "t", "u", "a", "w"};
static const edgeops_type types[CHANNELS] = {
    EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,   EDGEOPS_TYPE_BOOL, EDGEOPS_TYPE_STRING,
    EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_FLOAT32, EDGEOPS_TYPE_INT8, EDGEOPS_TYPE_UINT64,
    EDGEOPS_TYPE_INT16,   EDGEOPS_TYPE_UINT32};
/* "a" is of arrays, and values of "u" and "w" may have a quality code. */
enum { ARRAY = 8, RATED = 7 };

typedef struct model_row {
    int64_t time;
    int64_t seq;
    uint64_t ordinal;
    edgeops_value values[CHANNELS];
    uint16_t qualities[CHANNELS];
    int16_t array[LENGTH];
    char text[12];
} model_row;

typedef struct model_asset {
    model_row *rows; /* in order of arrival */
    size_t count;
    uint64_t ordinal;
    int64_t clock;
    edgeops_cursor *cursor;
    size_t followed;
} model_asset;

typedef struct model {
    dice d;
    edgeops_store *store;
    model_asset assets[ASSETS];
} model;

static void draw_row(model *m, model_asset *a, model_row *row) {
    dice *d = &m->d;
    static const uint64_t odd[] = {0x8000000000000000u, 0x7ff8000000000000u, 0xfff0000000000123u,
                                   0x3ff0000000000000u};
    *row = (model_row){.seq = (int64_t)below(d, 3) - 1};
    uint64_t luck = below(d, 20);
    if (luck < 16 || a->count == 0) {
        a->clock += (int64_t)below(d, 1000);
        row->time = a->clock;
    } else {
        row->time = a->clock - (int64_t)below(d, luck < 19 ? 5000 : 2000000);
    }
    for (int k = 0; k < CHANNELS; k++) {
        edgeops_value *value = &row->values[k];
        row->qualities[k] = EDGEOPS_QUALITY_NONE;
        if (below(d, 4) == 0) {
            continue;
        }
        if (k >= RATED && below(d, 8) == 0) {
            row->qualities[k] = (uint16_t)below(d, 500);
        }
        value->type = types[k];
        switch (types[k]) {
        case EDGEOPS_TYPE_FLOAT64:
            memcpy(&value->as.f64, &odd[below(d, 4)], 8);
            break;
        case EDGEOPS_TYPE_BOOL:
            value->as.i64 = (int64_t)below(d, 2);
            break;
        case EDGEOPS_TYPE_STRING:
            value->size =
                (uint32_t)snprintf(row->text, sizeof row->text, "%d", (int)below(d, 100000));
            break;
        case EDGEOPS_TYPE_FLOAT32:
            memcpy(&value->as.f32, &odd[below(d, 4)], 4);
            break;
        case EDGEOPS_TYPE_INT8:
            value->as.i64 = (int8_t)roll(d);
            break;
        case EDGEOPS_TYPE_INT16:
            for (int e = 0; e < LENGTH; e++) {
                row->array[e] = (int16_t)below(d, 50);
            }
            value->size = sizeof row->array;
            break;
        case EDGEOPS_TYPE_UINT32:
            value->as.u64 = (uint32_t)roll(d);
            break;
        default:
            value->as.u64 = roll(d);
            break;
        }
    }
}

static bool same_value(const model_row *a, const model_row *b, int k) {
    const edgeops_value *x = &a->values[k];
    const edgeops_value *y = &b->values[k];
    if (x->type != y->type) {
        return false;
    }
    if (a->qualities[k] != b->qualities[k]) {
        return false;
    }
    if (x->type == EDGEOPS_TYPE_STRING) {
        return strcmp(a->text, b->text) == 0;
    }
    if (k == ARRAY) {
        return x->type == EDGEOPS_TYPE_NULL || memcmp(a->array, b->array, sizeof a->array) == 0;
    }
    return x->type == EDGEOPS_TYPE_NULL || memcmp(&x->as, &y->as, 8) == 0;
}

static model_row *find_row(model_asset *a, int64_t time, int64_t seq) {
    for (size_t i = a->count; i-- > 0;) {
        if (a->rows[i].time == time && a->rows[i].seq == seq) {
            return &a->rows[i];
        }
    }
    return NULL;
}

/* What the store ought to say and do. */
static void model_append(model_asset *a, const model_row *row, edgeops_append_result *r) {
    const model_row *there = find_row(a, row->time, row->seq);
    if (there != NULL) {
        bool same = true;
        for (int k = 0; k < CHANNELS; k++) {
            same = same && same_value(there, row, k);
        }
        r->duplicates += same;
        r->conflicts += !same;
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->rows[i].time > row->time) {
            r->late++;
            break;
        }
    }
    cr_assert(a->count < ROWS_MAX);
    a->rows[a->count] = *row;
    a->rows[a->count++].ordinal = ++a->ordinal;
    r->appended++;
}

static void append_some(model *m) {
    enum { MOST = 40 };
    static model_row rows[MOST];
    edgeops_sample samples[MOST];
    edgeops_append_result expected = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_result got = EDGEOPS_APPEND_RESULT_INIT;
    size_t n = 1 + below(&m->d, MOST);
    for (size_t i = 0; i < n; i++) {
        size_t which = below(&m->d, ASSETS);
        model_asset *a = &m->assets[which];
        uint64_t luck = below(&m->d, 20);
        if (luck == 0 && a->count > 0) {
            rows[i] = a->rows[below(&m->d, a->count)]; /* once more */
        } else {
            draw_row(m, a, &rows[i]);
        }
        for (int k = 0; k < CHANNELS; k++) {
            if (rows[i].values[k].type == EDGEOPS_TYPE_STRING) {
                rows[i].values[k].as.str = rows[i].text;
            } else if (k == ARRAY && rows[i].values[k].type != EDGEOPS_TYPE_NULL) {
                rows[i].values[k].as.data = rows[i].array;
            }
        }
        samples[i] =
            (edgeops_sample){asset_names[which], rows[i].time,   rows[i].seq,      CHANNELS,
                             channel_names,      rows[i].values, rows[i].qualities};
        model_append(a, &rows[i], &expected);
    }
    CHECK_OK(edgeops_store_append(&got, m->store, samples, n, NULL));
    cr_assert_eq(memcmp(&got, &expected, sizeof got), 0,
                 "%d/%d appended, %d/%d duplicates, %d/%d conflicts, %d/%d late", (int)got.appended,
                 (int)expected.appended, (int)got.duplicates, (int)expected.duplicates,
                 (int)got.conflicts, (int)expected.conflicts, (int)got.late, (int)expected.late);
}

static void check_value(const edgeops_column *column, uint64_t i, const model_row *row, int k) {
    const edgeops_value *value = &row->values[k];
    edgeops_value got = edgeops_column_value(column, i);
    uint16_t quality = column->quality != NULL ? column->quality[i] : EDGEOPS_QUALITY_NONE;
    cr_assert_eq(got.type, value->type);
    cr_assert_eq(got.size, value->size);
    cr_assert_eq(quality, row->qualities[k]);
    if (value->type == EDGEOPS_TYPE_STRING) {
        cr_assert_eq(memcmp(got.as.str, row->text, value->size), 0);
    } else if (k == ARRAY && value->type != EDGEOPS_TYPE_NULL) {
        cr_assert_eq(memcmp(got.as.data, row->array, sizeof row->array), 0);
    } else if (value->type != EDGEOPS_TYPE_NULL) {
        cr_assert_eq(memcmp(&got.as, &value->as, 8), 0);
    }
}

static void check_row(const edgeops_table *table, uint64_t i, const model_row *row) {
    cr_assert_eq(table->times[i], row->time);
    cr_assert_eq(table->seqs[i], row->seq);
    cr_assert_eq(table->ordinals[i], row->ordinal);
    for (size_t c = 0; c < table->column_count; c++) {
        for (int k = 0; k < CHANNELS; k++) {
            if (strcmp(table->columns[c].name, channel_names[k]) == 0) {
                check_value(&table->columns[c], i, row, k);
            }
        }
    }
}

static int by_key(const void *a, const void *b) {
    const model_row *x = *(const model_row *const *)a;
    const model_row *y = *(const model_row *const *)b;
    if (x->time != y->time) {
        return x->time < y->time ? -1 : 1;
    }
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void check_read(model *m, bool all) {
    static const model_row *rows[ROWS_MAX];
    size_t which = below(&m->d, ASSETS);
    model_asset *a = &m->assets[which];
    edgeops_query query = EDGEOPS_QUERY_INIT;
    const char *some[2] = {channel_names[below(&m->d, 5)],
                           channel_names[5 + below(&m->d, CHANNELS - 5)]};
    edgeops_table *table = NULL;
    size_t n = 0;
    if (a->count < 50) {
        return;
    }
    query.asset = asset_names[which];
    if (!all) {
        int64_t x = a->rows[below(&m->d, a->count)].time;
        int64_t y = a->rows[below(&m->d, a->count)].time;
        query.start = x < y ? x : y;
        query.end = x < y ? y : x;
        query.channels = some;
        query.channel_count = 2;
        query.max_ordinal = below(&m->d, 2) == 0 ? 0 : 1 + below(&m->d, a->ordinal);
        query.limit = below(&m->d, 3) == 0 ? 1 + below(&m->d, 50) : 0;
        query.last = query.limit == 0 && below(&m->d, 2) == 0 ? 1 + below(&m->d, 50) : 0;
    }
    for (size_t i = 0; i < a->count; i++) {
        const model_row *row = &a->rows[i];
        if (row->time >= query.start && (row->time < query.end || all) &&
            (query.max_ordinal == 0 || row->ordinal <= query.max_ordinal)) {
            rows[n++] = row;
        }
    }
    qsort(rows, n, sizeof *rows, by_key);
    size_t from = query.last > 0 && n > query.last ? n - query.last : 0;
    size_t to = query.limit > 0 && n > query.limit ? query.limit : n;
    CHECK_OK(edgeops_store_read(&table, m->store, &query));
    cr_assert_eq(table->rows, to - from, "%d rows, not %d", (int)table->rows, (int)(to - from));
    for (size_t i = from; i < to; i++) {
        check_row(table, i - from, rows[i]);
    }
    edgeops_table_free(table);
}

static void follow(model *m) {
    size_t which = below(&m->d, ASSETS);
    model_asset *a = &m->assets[which];
    const edgeops_table *block = NULL;
    edgeops_status status = EDGEOPS_OK;
    if (a->cursor == NULL) {
        CHECK_OK(edgeops_cursor_open(&a->cursor, m->store,
                                     &(edgeops_cursor_options){sizeof(edgeops_cursor_options),
                                                               asset_names[which], NULL, 0,
                                                               a->followed}));
    }
    for (uint64_t calls = below(&m->d, 50); status == EDGEOPS_OK && calls > 0; calls--) {
        status = edgeops_cursor_next(&block, a->cursor, 1 + below(&m->d, 700));
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_DONE);
        for (uint64_t i = 0; status == EDGEOPS_OK && i < block->rows; i++) {
            cr_assert(a->followed < a->count);
            check_row(block, i, &a->rows[a->followed++]);
        }
    }
    cr_assert(status != EDGEOPS_DONE || a->followed == a->count);
}

static void close_cursors(model *m) {
    for (int i = 0; i < ASSETS; i++) {
        edgeops_cursor_close(m->assets[i].cursor);
        m->assets[i].cursor = NULL;
    }
}

static void play(uint64_t seed, int steps) {
    model m = {.d = {seed}};
    for (int i = 0; i < ASSETS; i++) {
        m.assets[i].rows = malloc(ROWS_MAX * sizeof(model_row));
    }
    m.store = open_store();
    for (int k = 0; k < CHANNELS * ASSETS; k++) {
        CHECK_OK(edgeops_store_declare(
            m.store, asset_names[k / CHANNELS],
            &(edgeops_channel_info){channel_names[k % CHANNELS], NULL, types[k % CHANNELS],
                                    k % CHANNELS == ARRAY ? LENGTH : 1}));
    }
    for (int i = 0; i < steps; i++) {
        uint64_t luck = below(&m.d, 100);
        if (luck < 80) {
            append_some(&m);
        } else if (luck < 88) {
            check_read(&m, luck == 80);
        } else if (luck < 96) {
            follow(&m);
        } else if (luck < 98) {
            CHECK_OK(eop_store_flush(m.store));
        } else {
            close_cursors(&m);
            edgeops_store_close(m.store);
            m.store = open_store();
        }
    }
    close_cursors(&m);
    check_read(&m, true);
    edgeops_store_close(m.store);
    for (int i = 0; i < ASSETS; i++) {
        free(m.assets[i].rows);
    }
}

Test(store_model, random_work_equals_the_model) {
    for (uint64_t seed = 1; seed <= 6; seed++) {
        play(seed * 7919, 1200);
        CHECK_OK(eop_remove_tree(home));
    }
}
