/* SPDX-License-Identifier: Apache-2.0 */
/* Random rows that come whole or cut into random parts, by sample and by table, with reads of all
 * kinds, datasets, flushes, closings and kills in between, against a model that is two plain lists:
 * the rows, and what arrived. The model is in memory that is shared with the process that works on
 * the store: so it outlives its end. */
#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgeops/dataset.h"
#include "store/inner.h"
#include "store/verify.h"
#include "store_fixture.h"

TestSuite(store_model, .init = make_home, .fini = remove_home, .timeout = 200);

enum { ASSETS = 4, CHANNELS = 10, ROWS_MAX = 20000, PARTS_MAX = 60000, LENGTH = 3 };
enum { SLOTS = 65536, WAITING_MAX = 4000, SETS_MAX = 6, MOST = 40 };

static const char *const asset_names[ASSETS] = {"plant/a", "plant/b", "c", "predictions/p"};
/* The last one takes whole rows only. */
enum { WHOLE = 3 };
static const char *const channel_names[CHANNELS] = {"f", "i", "b", "s", "g",
                                                    "h", "t", "u", "a", "w"};
static const edgeops_type types[CHANNELS] = {
    EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,   EDGEOPS_TYPE_BOOL, EDGEOPS_TYPE_STRING,
    EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_FLOAT32, EDGEOPS_TYPE_INT8, EDGEOPS_TYPE_UINT64,
    EDGEOPS_TYPE_INT16,   EDGEOPS_TYPE_UINT32};
/* "a" is of arrays, and values of "u" and "w" may have a quality code. */
enum { ARRAY = 8, RATED = 7 };

/* A row, or some of its cells. */
typedef struct model_row {
    int64_t time;
    int64_t seq;
    uint64_t ordinal;        /* of its first part */
    uint64_t came[CHANNELS]; /* the ordinal that brought each cell */
    edgeops_value values[CHANNELS];
    uint16_t qualities[CHANNELS];
    int16_t array[LENGTH];
    char text[12];
} model_row;

/* What arrived with an ordinal: some of the cells of a row. */
typedef struct model_part {
    uint32_t row;
    bool later;
} model_part;

typedef struct model_asset {
    model_row rows[ROWS_MAX]; /* in order of their first parts */
    size_t count;
    model_part parts[PARTS_MAX]; /* part i has ordinal i + 1 */
    size_t part_count;
    uint32_t slots[SLOTS]; /* finds rows by key; number + 1 */
    int64_t clock;
    int64_t newest;
    model_row waiting[WAITING_MAX]; /* parts that were not sent yet */
    size_t waiting_count;
    size_t followed;
} model_asset;

/* A dataset, and what it was made of. */
typedef struct model_set {
    char name[16];
    char digest[65];
    uint64_t ordinals[ASSETS];
} model_set;

typedef struct model {
    char failure[512];
    dice d;
    unsigned cut; /* of 100 rows are cut into parts */
    size_t hold;  /* so many parts of an asset wait before one of them is sent */
    model_asset assets[ASSETS];
    model_set sets[SETS_MAX];
    size_t set_count;
} model;

static model *shared;

/* Of the process that works on the store. */
static edgeops_store *store;
static edgeops_cursor *cursors[ASSETS];

/* Criterion's assertions work in the process of a test only. */
static void fail_at(int line, const char *what, const char *why) {
    snprintf(shared->failure, sizeof shared->failure, "line %d: %s: %s", line, what, why);
    _exit(3);
}

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_at(__LINE__, #condition, "does not hold");                                        \
        }                                                                                          \
    } while (0)
#define must_eq(got, expected)                                                                     \
    do {                                                                                           \
        long long got_ = (long long)(got);                                                         \
        long long expected_ = (long long)(expected);                                               \
        if (got_ != expected_) {                                                                   \
            char both_[64];                                                                        \
            snprintf(both_, sizeof both_, "%lld, not %lld", got_, expected_);                      \
            fail_at(__LINE__, #got, both_);                                                        \
        }                                                                                          \
    } while (0)
#define must_ok(call)                                                                              \
    do {                                                                                           \
        if ((call) != EDGEOPS_OK) {                                                                \
            fail_at(__LINE__, #call, edgeops_error_last()->message);                               \
        }                                                                                          \
    } while (0)

static const edgeops_value nothing = {.type = EDGEOPS_TYPE_NULL};

static bool there(const model_row *row, int k) {
    return row->values[k].type != EDGEOPS_TYPE_NULL;
}

static bool is_empty(const model_row *row) {
    bool empty = true;
    for (int k = 0; k < CHANNELS; k++) {
        empty = empty && !there(row, k);
    }
    return empty;
}

static void drop_cell(model_row *row, int k) {
    row->values[k] = nothing;
    row->qualities[k] = EDGEOPS_QUALITY_NONE;
}

static void take_cell(model_row *row, const model_row *from, int k) {
    row->values[k] = from->values[k];
    row->qualities[k] = from->qualities[k];
    if (types[k] == EDGEOPS_TYPE_STRING) {
        memcpy(row->text, from->text, sizeof row->text);
    } else if (k == ARRAY) {
        memcpy(row->array, from->array, sizeof row->array);
    }
}

/* Texts and arrays are in the row: their places are its own. */
static edgeops_value value_of(const model_row *row, int k) {
    edgeops_value value = row->values[k];
    if (value.type == EDGEOPS_TYPE_STRING) {
        value.as.str = row->text;
    } else if (k == ARRAY && value.type != EDGEOPS_TYPE_NULL) {
        value.as.data = row->array;
    }
    return value;
}

static void draw_cell(dice *d, model_row *row, int k) {
    static const uint64_t odd[] = {0x8000000000000000u, 0x7ff8000000000000u, 0xfff0000000000123u,
                                   0x3ff0000000000000u};
    edgeops_value *value = &row->values[k];
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
        value->size = (uint32_t)snprintf(row->text, sizeof row->text, "%d", (int)below(d, 100000));
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

static void draw_row(model *m, model_asset *a, model_row *row) {
    dice *d = &m->d;
    *row = (model_row){.seq = (int64_t)below(d, 3) - 1};
    uint64_t luck = below(d, 20);
    if (luck < 16 || a->count == 0) {
        a->clock += (int64_t)below(d, 1000);
        row->time = a->clock;
    } else {
        row->time = a->clock - (int64_t)below(d, luck < 19 ? 5000 : 2000000);
    }
    for (int k = 0; k < CHANNELS; k++) {
        row->qualities[k] = EDGEOPS_QUALITY_NONE;
        if (below(d, 4) != 0) {
            draw_cell(d, row, k);
        }
    }
}

static bool same_cell(const model_row *a, const model_row *b, int k) {
    edgeops_value x = value_of(a, k);
    edgeops_value y = value_of(b, k);
    if (x.type != y.type || a->qualities[k] != b->qualities[k] || x.size != y.size) {
        return false;
    }
    if (x.size > 0) {
        return memcmp(x.as.data, y.as.data, x.size) == 0;
    }
    return x.type == EDGEOPS_TYPE_NULL || x.type == EDGEOPS_TYPE_STRING ||
           memcmp(&x.as, &y.as, 8) == 0;
}

static bool is_at(const model_asset *a, uint32_t number, int64_t time, int64_t seq) {
    return a->rows[number - 1].time == time && a->rows[number - 1].seq == seq;
}

static uint32_t *slot_of(model_asset *a, int64_t time, int64_t seq) {
    size_t at = ((uint64_t)time * 3 + (uint64_t)seq) * UINT64_C(0x9e3779b97f4a7c15) >> 40;
    while (a->slots[at % SLOTS] != 0 && !is_at(a, a->slots[at % SLOTS], time, seq)) {
        at++;
    }
    return &a->slots[at % SLOTS];
}

typedef struct verdict {
    edgeops_outcome outcome;
    uint32_t marks;
    uint64_t ordinal;
} verdict;

/* The cells of a row that are new go into it, or become a new row. */
static void model_take(model_asset *a, uint32_t *slot, const model_row *row, verdict *v) {
    must(a->count < ROWS_MAX && a->part_count < PARTS_MAX);
    bool later = *slot != 0;
    uint64_t ordinal = a->part_count + 1;
    if (!later) {
        model_row *fresh = &a->rows[a->count++];
        *fresh = (model_row){.time = row->time, .seq = row->seq, .ordinal = ordinal};
        for (int k = 0; k < CHANNELS; k++) {
            drop_cell(fresh, k);
        }
        *slot = (uint32_t)a->count;
    }
    model_row *into = &a->rows[*slot - 1];
    for (int k = 0; k < CHANNELS; k++) {
        if (there(row, k) && !there(into, k)) {
            take_cell(into, row, k);
            into->came[k] = ordinal;
        }
    }
    a->parts[a->part_count++] = (model_part){*slot - 1, later};
    v->outcome = later ? EDGEOPS_OUTCOME_MERGED : EDGEOPS_OUTCOME_APPENDED;
    v->ordinal = ordinal;
    v->marks = a->part_count > 1 && row->time < a->newest ? EDGEOPS_MARK_LATE : 0;
    a->newest = a->part_count == 1 || row->time > a->newest ? row->time : a->newest;
}

/* What the store ought to say and do. */
static void model_append(model_asset *a, bool whole, const model_row *row, verdict *v) {
    uint32_t *slot = slot_of(a, row->time, row->seq);
    const model_row *stored = *slot != 0 ? &a->rows[*slot - 1] : NULL;
    bool any = false;
    *v = (verdict){EDGEOPS_OUTCOME_DUPLICATE, 0, 0};
    for (int k = 0; stored != NULL && k < CHANNELS; k++) {
        any = any || (there(row, k) && !there(stored, k));
        if (!same_cell(stored, row, k) && (whole || (there(stored, k) && there(row, k)))) {
            v->outcome = EDGEOPS_OUTCOME_CONFLICT;
            return;
        }
    }
    if (stored == NULL || any) {
        model_take(a, slot, row, v);
    }
}

/* Leaves some of the cells, and sends the others another time. */
static void cut_row(model *m, model_asset *a, model_row *row) {
    for (uint64_t parts = 1 + below(&m->d, 4); parts > 0; parts--) {
        if (a->waiting_count == WAITING_MAX) {
            return;
        }
        model_row *part = &a->waiting[a->waiting_count++];
        *part = *row;
        for (int k = 0; k < CHANNELS; k++) {
            drop_cell(below(&m->d, 2) == 0 ? part : row, k);
        }
    }
}

/* A row that was there before, or some of its cells; perhaps one of them is another now. */
static void draw_again(model *m, model_asset *a, model_row *row) {
    *row = a->rows[below(&m->d, a->count)];
    bool some = below(&m->d, 2) == 0;
    for (int k = 0; some && k < CHANNELS; k++) {
        if (below(&m->d, 2) == 0) {
            drop_cell(row, k);
        }
    }
    if (below(&m->d, 3) == 0) {
        int k = (int)below(&m->d, CHANNELS);
        drop_cell(row, k);
        draw_cell(&m->d, row, k);
    }
}

static void draw_sample(model *m, model_asset *a, model_row *row) {
    uint64_t luck = below(&m->d, 20);
    if (luck == 0 && a->count > 0) {
        draw_again(m, a, row);
    } else if (a->waiting_count > m->hold && below(&m->d, 100) < m->cut) {
        size_t which = below(&m->d, a->waiting_count);
        *row = a->waiting[which];
        a->waiting[which] = a->waiting[--a->waiting_count];
    } else {
        draw_row(m, a, row);
        if (below(&m->d, 100) < m->cut) {
            cut_row(m, a, row);
        }
    }
}

static void check_verdict(const edgeops_verdict *got, const verdict *expected, model_asset *a,
                          const model_row *row, bool whole) {
    must_eq(got->outcome, expected->outcome);
    must_eq(got->ordinal, expected->ordinal);
    must_eq(got->marks, expected->marks);
    if (got->outcome != EDGEOPS_OUTCOME_CONFLICT) {
        return;
    }
    const model_row *stored = &a->rows[*slot_of(a, row->time, row->seq) - 1];
    int k = 0;
    while (strcmp(channel_names[k], got->channel) != 0) {
        k++;
    }
    must(!same_cell(stored, row, k));
    must(whole || there(stored, k));
    edgeops_value value = value_of(stored, k);
    must_eq(got->stored.type, value.type);
    must_eq(got->stored.size, value.size);
    must_eq(got->quality, stored->qualities[k]);
    must(value.size == 0 || memcmp(got->stored.as.data, value.as.data, value.size) == 0);
}

/* Rows of any assets, by sample. A sample names all channels, or those that it has. */
static edgeops_status send_samples(model *m, edgeops_append_result *result, const model_row *rows,
                                   const size_t *which, size_t n) {
    static edgeops_value values[MOST][CHANNELS];
    static uint16_t qualities[MOST][CHANNELS];
    static const char *names[MOST][CHANNELS];
    edgeops_sample samples[MOST];
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    for (size_t i = 0; i < n; i++) {
        bool all = below(&m->d, 2) == 0 || is_empty(&rows[i]);
        int first = (int)below(&m->d, CHANNELS);
        size_t count = 0;
        for (int c = 0; c < CHANNELS; c++) {
            int k = (first + c) % CHANNELS;
            if (all || there(&rows[i], k)) {
                names[i][count] = channel_names[k];
                values[i][count] = value_of(&rows[i], k);
                qualities[i][count++] = rows[i].qualities[k];
            }
        }
        samples[i] = (edgeops_sample){
            asset_names[which[i]], rows[i].time, rows[i].seq, count, names[i], values[i],
            qualities[i]};
    }
    return edgeops_store_append(result, store, samples, n, &options);
}

static void append_some(model *m) {
    static model_row rows[MOST];
    static verdict expected[MOST];
    size_t which[MOST];
    edgeops_append_result got = EDGEOPS_APPEND_RESULT_INIT;
    uint64_t counts[6] = {0};
    uint64_t late = 0;
    size_t n = 1 + below(&m->d, MOST);
    for (size_t i = 0; i < n; i++) {
        which[i] = below(&m->d, ASSETS);
        draw_sample(m, &m->assets[which[i]], &rows[i]);
    }
    must_ok(send_samples(m, &got, rows, which, n));
    must_eq(got.verdict_count, n);
    for (size_t i = 0; i < n; i++) {
        model_asset *a = &m->assets[which[i]];
        model_append(a, which[i] == WHOLE, &rows[i], &expected[i]);
        check_verdict(&got.verdicts[i], &expected[i], a, &rows[i], which[i] == WHOLE);
        counts[expected[i].outcome]++;
        late += expected[i].marks;
    }
    edgeops_free(got.verdicts);
    must_eq(got.appended, counts[EDGEOPS_OUTCOME_APPENDED]);
    must_eq(got.merged, counts[EDGEOPS_OUTCOME_MERGED]);
    must_eq(got.duplicates, counts[EDGEOPS_OUTCOME_DUPLICATE]);
    must_eq(got.conflicts, counts[EDGEOPS_OUTCOME_CONFLICT]);
    must_eq(got.late, late);
}

/* A column of a table of rows: what lies under a null does not matter. */
typedef struct table_column {
    edgeops_value values[MOST];
    double f64[MOST];
    int64_t data[MOST];
    uint8_t bytes[MOST * 8];
    uint32_t offsets[MOST + 1];
    char text[MOST * 12];
    uint8_t valid[MOST];
    uint16_t quality[MOST];
} table_column;

static edgeops_column make_column(table_column *c, const model_row *rows, size_t n, int k) {
    size_t width = types[k] == EDGEOPS_TYPE_STRING ? 0 : eop_type_width(types[k]);
    size_t row_bytes = width * (k == ARRAY ? LENGTH : 1);
    c->offsets[0] = 0;
    for (size_t i = 0; i < n; i++) {
        edgeops_value value = value_of(&rows[i], k);
        c->valid[i] = there(&rows[i], k);
        c->quality[i] = rows[i].qualities[k];
        c->offsets[i + 1] = c->offsets[i];
        if (c->valid[i] == 0) {
            memset(c->bytes + i * row_bytes, 1, row_bytes);
        } else if (types[k] == EDGEOPS_TYPE_STRING) {
            memcpy(c->text + c->offsets[i], value.as.str, value.size);
            c->offsets[i + 1] += value.size;
        } else if (value.size > 0) {
            memcpy(c->bytes + i * row_bytes, value.as.data, row_bytes);
        } else {
            eop_value_save(c->bytes + i * row_bytes, &value);
        }
    }
    return (edgeops_column){.name = channel_names[k],
                            .unit = "",
                            .type = types[k],
                            .offsets = types[k] == EDGEOPS_TYPE_STRING ? c->offsets : NULL,
                            .bytes = c->text,
                            .valid = c->valid,
                            .data = types[k] == EDGEOPS_TYPE_STRING ? NULL : c->bytes,
                            .length = k == ARRAY ? LENGTH : 1,
                            .quality = c->quality};
}

/* Rows of one asset as a table, sorted or not. */
static void append_table(model *m) {
    static model_row rows[MOST];
    static table_column columns[CHANNELS];
    edgeops_column views[CHANNELS];
    int64_t times[MOST];
    int64_t seqs[MOST];
    size_t which = below(&m->d, ASSETS);
    model_asset *a = &m->assets[which];
    edgeops_append_result got = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    size_t n = 1 + below(&m->d, MOST);
    bool ahead = below(&m->d, 2) == 0;
    options.verdicts = 1;
    for (size_t i = 0; i < n; i++) {
        draw_sample(m, a, &rows[i]);
        if (ahead) {
            a->clock += 1 + (int64_t)below(&m->d, 50);
            rows[i].time = a->clock;
        }
        times[i] = rows[i].time;
        seqs[i] = rows[i].seq;
    }
    for (int k = 0; k < CHANNELS; k++) {
        views[k] = make_column(&columns[k], rows, n, k);
    }
    edgeops_table table = {.asset = asset_names[which],
                           .rows = n,
                           .times = times,
                           .seqs = seqs,
                           .column_count = CHANNELS,
                           .columns = views};
    must_ok(edgeops_store_append_tables(&got, store, &table, 1, &options));
    must_eq(got.verdict_count, n);
    for (size_t i = 0; i < n; i++) {
        verdict expected;
        model_append(a, which == WHOLE, &rows[i], &expected);
        check_verdict(&got.verdicts[i], &expected, a, &rows[i], which == WHOLE);
    }
    edgeops_free(got.verdicts);
}

/* -- reading -- */

/* The cell as it was at an ordinal, or with `only` what that ordinal brought. */
static bool seen(const model_row *row, int k, uint64_t ordinal, bool only) {
    return there(row, k) && (only ? row->came[k] == ordinal : row->came[k] <= ordinal);
}

static void check_value(const edgeops_column *column, uint64_t i, const model_row *row, int k,
                        bool is_there) {
    edgeops_value value = is_there ? value_of(row, k) : nothing;
    edgeops_value got = edgeops_column_value(column, i);
    uint16_t quality = column->quality != NULL ? column->quality[i] : EDGEOPS_QUALITY_NONE;
    must_eq(got.type, value.type);
    must_eq(got.size, value.size);
    must_eq(quality, is_there ? row->qualities[k] : EDGEOPS_QUALITY_NONE);
    if (value.size > 0) {
        must_eq(memcmp(got.as.data, value.as.data, value.size), 0);
    } else if (value.type != EDGEOPS_TYPE_NULL && value.type != EDGEOPS_TYPE_STRING) {
        must_eq(memcmp(&got.as, &value.as, 8), 0);
    }
}

static void check_row(const edgeops_table *table, uint64_t i, const model_row *row,
                      uint64_t ordinal, bool only) {
    must_eq(table->times[i], row->time);
    must_eq(table->seqs[i], row->seq);
    must_eq(table->ordinals[i], only ? ordinal : row->ordinal);
    for (size_t c = 0; c < table->column_count; c++) {
        for (int k = 0; k < CHANNELS; k++) {
            if (strcmp(table->columns[c].name, channel_names[k]) == 0) {
                check_value(&table->columns[c], i, row, k, seen(row, k, ordinal, only));
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

/* What a reader looks at. */
typedef struct look {
    edgeops_query query;
    const char *some[3];
    edgeops_condition condition;
    uint64_t ordinal; /* the cut */
    const model_row *rows[ROWS_MAX];
    size_t from;
    size_t to;
} look;

enum { TINY = 6 }; /* "t" has small whole numbers */

static bool fulfils(const look *l, const model_row *row, int k) {
    bool is_there = seen(row, k, l->ordinal, false);
    switch (l->condition.compare) {
    case EDGEOPS_COMPARE_IS_NULL:
        return !is_there;
    case EDGEOPS_COMPARE_NOT_NULL:
        return is_there;
    case EDGEOPS_COMPARE_GT:
        return is_there && row->values[k].as.i64 > l->condition.value.as.i64;
    default:
        return is_there && row->values[k].as.i64 == l->condition.value.as.i64;
    }
}

static int draw_condition(model *m, look *l) {
    static const edgeops_compare compares[] = {EDGEOPS_COMPARE_IS_NULL, EDGEOPS_COMPARE_NOT_NULL,
                                               EDGEOPS_COMPARE_GT, EDGEOPS_COMPARE_EQ};
    uint64_t which = below(&m->d, 4);
    int k = which < 2 ? (int)below(&m->d, CHANNELS) : TINY;
    l->condition = (edgeops_condition){channel_names[k], compares[which],
                                       i64((int64_t)below(&m->d, 256) - 128)};
    l->query.conditions = &l->condition;
    l->query.condition_count = 1;
    return k;
}

/* Chooses what to read, and what the store ought to give. */
static void draw_look(model *m, look *l, size_t which, bool all, bool limits) {
    model_asset *a = &m->assets[which];
    size_t n = 0;
    int k = -1;
    l->query = (edgeops_query)EDGEOPS_QUERY_INIT;
    l->query.asset = asset_names[which];
    l->some[0] = channel_names[below(&m->d, 5)];
    l->some[1] = channel_names[5 + below(&m->d, CHANNELS - 5)];
    l->ordinal = UINT64_MAX;
    if (!all) {
        int64_t x = a->rows[below(&m->d, a->count)].time;
        int64_t y = a->rows[below(&m->d, a->count)].time;
        l->query.start = x < y ? x : y;
        l->query.end = x < y ? y : x;
        l->query.channels = l->some;
        l->query.channel_count = 2;
        l->query.max_ordinal = below(&m->d, 2) == 0 ? 0 : 1 + below(&m->d, a->part_count);
        k = below(&m->d, 2) == 0 ? draw_condition(m, l) : -1;
    }
    if (!all && limits) {
        l->query.limit = below(&m->d, 3) == 0 ? 1 + below(&m->d, 50) : 0;
        l->query.last = l->query.limit == 0 && below(&m->d, 2) == 0 ? 1 + below(&m->d, 50) : 0;
    }
    l->ordinal = l->query.max_ordinal == 0 ? UINT64_MAX : l->query.max_ordinal;
    for (size_t i = 0; i < a->count; i++) {
        const model_row *row = &a->rows[i];
        if (row->time >= l->query.start && (row->time < l->query.end || all) &&
            row->ordinal <= l->ordinal && (k < 0 || fulfils(l, row, k))) {
            l->rows[n++] = row;
        }
    }
    qsort(l->rows, n, sizeof *l->rows, by_key);
    l->from = l->query.last > 0 && n > l->query.last ? n - l->query.last : 0;
    l->to = l->query.limit > 0 && n > l->query.limit ? l->query.limit : n;
}

static look looked;

static void check_read(model *m, size_t which, bool all) {
    look *l = &looked;
    edgeops_table *table = NULL;
    uint64_t counted = 0;
    if (m->assets[which].count < 50) {
        return;
    }
    draw_look(m, l, which, all, true);
    must_ok(edgeops_store_read(&table, store, &l->query));
    must_eq(table->rows, l->to - l->from);
    must(table->parts == NULL);
    for (size_t i = l->from; i < l->to; i++) {
        check_row(table, i - l->from, l->rows[i], l->ordinal, false);
    }
    edgeops_table_free(table);
    must_ok(edgeops_store_count(&counted, store, &l->query));
    must_eq(counted, l->to - l->from);
}

/* Numbers straight into arrays. */
static void check_into(model *m, size_t which) {
    static double values[ROWS_MAX][3];
    static int64_t times[ROWS_MAX];
    static uint64_t ordinals[ROWS_MAX];
    static const int numbers[3] = {2, TINY, 9}; /* "b", "t" and "w" */
    look *l = &looked;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    uint64_t rows = 0;
    if (m->assets[which].count < 50) {
        return;
    }
    draw_look(m, l, which, false, true);
    for (int c = 0; c < 3; c++) {
        l->some[c] = channel_names[numbers[c]];
    }
    l->query.channel_count = 3;
    layout.capacity = ROWS_MAX;
    layout.times = times;
    layout.ordinals = ordinals;
    layout.values = values[0];
    layout.channel_count = 3;
    must_ok(edgeops_store_read_into(&rows, store, &l->query, &layout));
    must_eq(rows, l->to - l->from);
    for (size_t i = l->from; i < l->to; i++) {
        const model_row *row = l->rows[i];
        must_eq(times[i - l->from], row->time);
        must_eq(ordinals[i - l->from], row->ordinal);
        for (int c = 0; c < 3; c++) {
            double got = values[i - l->from][c];
            must(seen(row, numbers[c], l->ordinal, false)
                     ? got == (double)row->values[numbers[c]].as.i64
                     : isnan(got));
        }
    }
}

static void check_bucket(const edgeops_bucket *bucket, const look *l, size_t from, size_t to, int k,
                         size_t c) {
    const edgeops_aggregate *got = &bucket->channels[c];
    uint64_t count = 0;
    int64_t sum = 0;
    int64_t min = INT64_MAX;
    int64_t max = INT64_MIN;
    for (size_t i = from; i < to; i++) {
        if (seen(l->rows[i], k, l->ordinal, false)) {
            int64_t value = k == TINY ? l->rows[i]->values[k].as.i64 : 0;
            count++;
            sum += value;
            min = value < min ? value : min;
            max = value > max ? value : max;
        }
    }
    must_eq(got->count, count);
    must_eq(got->nulls, to - from - count);
    if (k == TINY) {
        must_eq(got->sum, (double)sum);
        must(count == 0 ? got->min.type == EDGEOPS_TYPE_NULL
                        : got->min.as.i64 == min && got->max.as.i64 == max);
    }
}

static void check_aggregate(model *m, size_t which) {
    look *l = &looked;
    edgeops_summary *summary = NULL;
    if (m->assets[which].count < 50) {
        return;
    }
    draw_look(m, l, which, false, false);
    int64_t every = below(&m->d, 2) == 0 ? 0 : 1000 + (int64_t)below(&m->d, 300000);
    int other = (int)below(&m->d, TINY);
    l->some[0] = channel_names[TINY];
    l->some[1] = channel_names[other];
    must_ok(edgeops_store_aggregate(&summary, store, &l->query, every));
    size_t at = 0;
    for (size_t b = 0; b < summary->bucket_count; b++) {
        const edgeops_bucket *bucket = &summary->buckets[b];
        size_t from = at;
        must(at < l->to && l->rows[at]->time >= bucket->start);
        while (at < l->to && l->rows[at]->time < bucket->end) {
            at++;
        }
        must_eq(bucket->rows, at - from);
        must_eq(bucket->first, l->rows[from]->time);
        must_eq(bucket->last, l->rows[at - 1]->time);
        check_bucket(bucket, l, from, at, TINY, 0);
        check_bucket(bucket, l, from, at, other, 1);
    }
    must_eq(at, l->to);
    edgeops_summary_free(summary);
}

static void follow(model *m) {
    size_t which = below(&m->d, ASSETS);
    model_asset *a = &m->assets[which];
    const edgeops_table *block = NULL;
    edgeops_status status = EDGEOPS_OK;
    if (cursors[which] == NULL) {
        must_ok(edgeops_cursor_open(&cursors[which], store,
                                    &(edgeops_cursor_options){sizeof(edgeops_cursor_options),
                                                              asset_names[which], NULL, 0,
                                                              a->followed}));
    }
    for (uint64_t calls = below(&m->d, 50); status == EDGEOPS_OK && calls > 0; calls--) {
        status = edgeops_cursor_next(&block, cursors[which], 1 + below(&m->d, 700));
        must(status == EDGEOPS_OK || status == EDGEOPS_DONE);
        bool any = false;
        for (uint64_t i = 0; status == EDGEOPS_OK && i < block->rows; i++) {
            must(a->followed < a->part_count);
            const model_part *part = &a->parts[a->followed++];
            check_row(block, i, &a->rows[part->row], a->followed, true);
            must_eq(block->parts != NULL && block->parts[i] != 0, part->later);
            any = any || part->later;
        }
        must(status != EDGEOPS_OK || any == (block->parts != NULL));
    }
    must(status != EDGEOPS_DONE || a->followed == a->part_count);
    must_eq(edgeops_cursor_skipped(cursors[which]), 0);
}

/* -- datasets -- */

static void freeze(model *m) {
    static const char *const all = "*";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    edgeops_dataset *set = NULL;
    model_set *made = &m->sets[m->set_count];
    for (int i = 0; i < ASSETS; i++) {
        made->ordinals[i] = m->assets[i].part_count;
        if (made->ordinals[i] == 0 || m->set_count == SETS_MAX) {
            return;
        }
    }
    snprintf(made->name, sizeof made->name, "set%d", (int)m->set_count);
    options.name = made->name;
    options.assets = &all;
    options.asset_count = 1;
    must_ok(edgeops_dataset_create(store, &options));
    must_ok(edgeops_dataset_read(&set, store, made->name));
    strcpy(made->digest, set->digest);
    m->set_count++;
    edgeops_dataset_free(set);
}

static void check_set(model *m, const model_set *made) {
    look *l = &looked;
    edgeops_dataset *set = NULL;
    must_ok(edgeops_dataset_read(&set, store, made->name));
    must(strcmp(set->digest, made->digest) == 0);
    must_eq(set->part_count, ASSETS);
    for (size_t p = 0; p < set->part_count; p++) {
        const edgeops_table *table = set->parts[p].table;
        size_t n = 0;
        int which = 0;
        while (strcmp(asset_names[which], table->asset) != 0) {
            which++;
        }
        for (size_t i = 0; i < m->assets[which].count; i++) {
            if (m->assets[which].rows[i].ordinal <= made->ordinals[which]) {
                l->rows[n++] = &m->assets[which].rows[i];
            }
        }
        qsort(l->rows, n, sizeof *l->rows, by_key);
        must_eq(table->rows, n);
        for (size_t i = 0; i < n; i++) {
            check_row(table, i, l->rows[i], made->ordinals[which], false);
        }
    }
    edgeops_dataset_free(set);
}

/* -- the whole -- */

static void on_finding(const eop_finding *finding, void *user_data) {
    (void)user_data;
    fail_at(__LINE__, finding->what, finding->detail);
}

static edgeops_status on_progress(double part, void *user_data) {
    (void)part;
    (void)user_data;
    return EDGEOPS_OK;
}

static void check_all(model *m) {
    const eop_verify_handler handler = {.finding = on_finding, .progress = on_progress};
    eop_verified verified;
    for (size_t i = 0; i < ASSETS; i++) {
        const model_asset *a = &m->assets[i];
        edgeops_asset_info *info = NULL;
        check_read(m, i, true);
        if (a->count > 0) {
            must_ok(edgeops_asset_get(&info, store, asset_names[i]));
            must_eq(info->rows, a->count);
            must_eq(info->last_ordinal, a->part_count);
            must_eq(info->last, a->newest);
            must_eq(eop_store_parts(store, asset_names[i]), a->part_count - a->count);
            edgeops_free(info);
        }
    }
    for (size_t i = 0; i < m->set_count; i++) {
        check_set(m, &m->sets[i]);
    }
    must_ok(eop_store_verify(&verified, store, &handler));
    must_eq(verified.findings, 0);
}

static void take_step(model *m) {
    uint64_t luck = below(&m->d, 1000);
    size_t which = below(&m->d, ASSETS);
    if (luck < 660) {
        append_some(m);
    } else if (luck < 780) {
        append_table(m);
    } else if (luck < 830) {
        check_read(m, which, luck == 780);
    } else if (luck < 850) {
        check_into(m, which);
    } else if (luck < 870) {
        check_aggregate(m, which);
    } else if (luck < 940) {
        follow(m);
    } else if (luck < 985) {
        must_ok(eop_store_flush(store));
    } else if (luck < 995) {
        freeze(m);
    } else if (m->set_count > 0) {
        check_set(m, &m->sets[below(&m->d, m->set_count)]);
    }
}

/* In a process of its own, which is killed between two steps, whatever the writer does meanwhile, or
 * closes the store. */
static void work(model *m, int steps, bool kill_it) {
    store = open_store();
    for (int k = 0; k < CHANNELS * ASSETS; k++) {
        must_ok(edgeops_store_declare(store, asset_names[k / CHANNELS],
                                      &(edgeops_channel_info){channel_names[k % CHANNELS], NULL,
                                                              types[k % CHANNELS],
                                                              k % CHANNELS == ARRAY ? LENGTH : 1}));
    }
    check_all(m);
    for (int i = 0; i < steps; i++) {
        take_step(m);
    }
    if (kill_it) {
        kill(getpid(), SIGKILL);
    }
    check_all(m);
    for (int i = 0; i < ASSETS; i++) {
        edgeops_cursor_close(cursors[i]);
    }
    edgeops_store_close(store);
    _exit(0);
}

static void play(uint64_t seed, int steps, unsigned cut) {
    model *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(m != MAP_FAILED);
    shared = m;
    m->d.state = seed;
    m->cut = cut;
    while (steps > 0) {
        static const size_t holds[] = {0, 20, 200, 2500};
        int some = 1 + (int)below(&m->d, 150);
        m->hold = holds[below(&m->d, 4)];
        bool kill_it = steps > some && below(&m->d, 3) != 0;
        pid_t pid = fork();
        int how = 0;
        cr_assert(pid >= 0);
        if (pid == 0) {
            work(m, some, kill_it);
        }
        cr_assert_eq(waitpid(pid, &how, 0), pid);
        cr_assert(m->failure[0] == '\0', "seed %d: %s", (int)seed, m->failure);
        cr_assert(kill_it ? WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL
                          : WIFEXITED(how) && WEXITSTATUS(how) == 0,
                  "seed %d: it ended with %d", (int)seed, how);
        steps -= some;
    }
    munmap(m, sizeof *m);
}

static void play_all(unsigned cut) {
    const char *more = getenv("EDGEOPS_TEST_ROUNDS");
    uint64_t seeds = 3 * (uint64_t)(more != NULL && atoi(more) > 0 ? atoi(more) : 1);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        play(seed * 7919 + cut, seed % 3 == 0 ? 2000 : 500, cut);
        CHECK_OK(eop_remove_tree(home));
    }
}

Test(store_model, whole_rows_equal_the_model) {
    play_all(0);
}

Test(store_model, rows_in_some_parts_equal_the_model) {
    play_all(20);
}

Test(store_model, rows_in_parts_equal_the_model) {
    play_all(80);
}
