/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of store.py, so that no Python is measured. Each call prints one line of JSON.
 *
 *   store_bench write SET HOME table|asset|time process|power ROWS
 *       from memory to chunks, at most ROWS rows a call: tables of one asset, its samples, or
 *       samples as they arrive, all assets of one time, then of the next. seconds: until all of it
 *       is in chunks; append: of these, the calls
 *   store_bench read SET HOME into|table
 *       each series of each asset into one array of the caller, or into tables of the store's
 *   store_bench scan SET HOME       min, max and mean of each channel of each asset from its values
 *   store_bench aggregate SET HOME  the same as the store knows them
 *   store_bench copy SET            a memcpy of the same values: fresh and touched memory */
#include <math.h>

#include "edgeops/store.h"
#include "store/queue.h"
#include "store_set.h"

enum { ROWS_MAX = 1000000 };

static const char *channel_names[SET_CHANNELS_MAX];

static void must(edgeops_status status) {
    if (status != EDGEOPS_OK) {
        fprintf(stderr, "store_bench: %s\n", edgeops_error_last()->message);
        exit(1);
    }
}

static char (*asset_names(const set *s))[16] {
    char(*names)[16] = calloc(s->assets, sizeof *names);
    set_must(names != NULL, "no memory");
    for (size_t a = 0; a < s->assets; a++) {
        snprintf(names[a], sizeof names[a], "plant/%06zu", a % 1000000);
    }
    return names;
}

/* -- write -- */

typedef struct batch {
    edgeops_sample *samples;
    edgeops_value *values;
    size_t count;
} batch;

static void put(batch *b, const set *s, const char *asset, size_t before, size_t a, size_t row) {
    edgeops_value *values = b->values + b->count * s->channels;
    for (size_t c = 0; c < s->channels; c++) {
        values[c] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64,
                                    .as.f64 = set_values(s, before, a, c)[row]};
    }
    b->samples[b->count++] = (edgeops_sample){.asset = asset,
                                              .time = set_times(s, before)[row],
                                              .count = s->channels,
                                              .channels = channel_names,
                                              .values = values};
}

static void append(edgeops_store *store, batch *b) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    must(edgeops_store_append(&result, store, b->samples, b->count, NULL));
    set_must(result.appended == b->count, "the store left samples out");
    b->count = 0;
}

static void write_tables(const set *s, edgeops_store *store, size_t most, char (*names)[16]) {
    edgeops_column columns[SET_CHANNELS_MAX];
    size_t before = 0;
    for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
        for (size_t row = 0; row < s->rows[a]; row += most) {
            edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
            edgeops_table table = {.asset = names[a],
                                   .rows = s->rows[a] - row < most ? s->rows[a] - row : most,
                                   .times = set_times(s, before) + row,
                                   .column_count = s->channels,
                                   .columns = columns};
            for (size_t c = 0; c < s->channels; c++) {
                const double *values = set_values(s, before, a, c) + row;
                columns[c] = (edgeops_column){.name = channel_names[c],
                                              .unit = "",
                                              .type = EDGEOPS_TYPE_FLOAT64,
                                              .f64 = values,
                                              .data = values,
                                              .length = 1};
            }
            must(edgeops_store_append_tables(&result, store, &table, 1, NULL));
            set_must(result.appended == table.rows, "the store left rows out");
        }
    }
}

static void write_by_asset(const set *s, edgeops_store *store, batch *b, size_t most,
                           char (*names)[16]) {
    size_t before = 0;
    for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
        for (size_t row = 0; row < s->rows[a]; row++) {
            put(b, s, names[a], before, a, row);
            if (b->count == most || row + 1 == s->rows[a]) {
                append(store, b);
            }
        }
    }
}

static void write_by_time(const set *s, edgeops_store *store, batch *b, size_t most,
                          char (*names)[16]) {
    for (size_t row = 0; row < s->most_rows; row++) {
        size_t before = 0;
        for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
            if (row < s->rows[a]) {
                put(b, s, names[a], before, a, row);
            }
            if (b->count == most) {
                append(store, b);
            }
        }
    }
    if (b->count > 0) {
        append(store, b);
    }
}

static void write_set(const set *s, const char *home, const char *how,
                      edgeops_durability durability, size_t most) {
    batch b = {calloc(most, sizeof *b.samples), calloc(most * s->channels, sizeof *b.values), 0};
    char(*names)[16] = asset_names(s);
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    set_must(b.samples != NULL && b.values != NULL, "no memory");
    options.durability = durability;
    must(edgeops_store_open(&store, home, &options));
    double processor = processor_now();
    double begun = seconds_now();
    if (strcmp(how, "table") == 0) {
        write_tables(s, store, most, names);
    } else if (strcmp(how, "time") == 0) {
        write_by_time(s, store, &b, most, names);
    } else {
        write_by_asset(s, store, &b, most, names);
    }
    double appended = seconds_now();
    must(eop_store_flush(store));
    double flushed = seconds_now();
    processor = processor_now() - processor;
    edgeops_store_close(store);
    printf("{\"seconds\": %.6f, \"append\": %.6f, \"close\": %.6f, \"processor\": %.6f, "
           "\"points\": %zu}\n",
           flushed - begun, appended - begun, seconds_now() - flushed, processor,
           s->total_rows * s->channels);
    free(b.samples);
    free(b.values);
    free(names);
}

/* -- read -- */

typedef struct cost {
    double seconds;
    double processor;
} cost;

/* Adds what the call alone costs; each value is compared with what went in, off the clock. */
static void read_one(cost *spent, const set *s, edgeops_store *store, const edgeops_query *query,
                     const double *wanted, size_t n, double *values, int into) {
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_table *table = NULL;
    uint64_t rows = 0;
    layout.capacity = s->most_rows;
    layout.values = values;
    layout.channel_count = 1;
    double processor = processor_now();
    double begun = seconds_now();
    must(into ? edgeops_store_read_into(&rows, store, query, &layout)
              : edgeops_store_read(&table, store, query));
    spent->seconds += seconds_now() - begun;
    spent->processor += processor_now() - processor;
    set_must((into ? rows : table->rows) == n, "rows are missing");
    set_same(into ? values : table->columns[0].f64, wanted, n);
    edgeops_table_free(table);
}

static void read_series(const set *s, const char *home, int into) {
    char(*names)[16] = asset_names(s);
    double *values = calloc(s->most_rows, sizeof *values);
    edgeops_store *store = NULL;
    cost spent = {0, 0};
    set_must(values != NULL, "no memory");
    memset(values, 0xff, s->most_rows * sizeof *values);
    double opening = seconds_now();
    must(edgeops_store_open(&store, home, NULL));
    opening = seconds_now() - opening;
    size_t before = 0;
    for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
        for (size_t c = 0; c < s->channels; c++) {
            edgeops_query query = EDGEOPS_QUERY_INIT;
            query.asset = names[a];
            query.channels = &channel_names[c];
            query.channel_count = 1;
            read_one(&spent, s, store, &query, set_values(s, before, a, c), s->rows[a], values,
                     into);
        }
    }
    edgeops_store_close(store);
    printf("{\"seconds\": %.6f, \"processor\": %.6f, \"open\": %.6f, \"points\": %zu}\n",
           spent.seconds, spent.processor, opening, s->total_rows * s->channels);
    free(values);
    free(names);
}

/* -- aggregates -- */

typedef struct extremes {
    double min;
    double max;
    double mean;
} extremes;

static extremes extremes_of(const double *values, size_t n) {
    extremes found = {INFINITY, -INFINITY, 0};
    for (size_t i = 0; i < n; i++) {
        found.min = values[i] < found.min ? values[i] : found.min;
        found.max = values[i] > found.max ? values[i] : found.max;
        found.mean += values[i];
    }
    found.mean /= (double)n;
    return found;
}

static void check_summary(const set *s, const edgeops_summary *summary, size_t a) {
    size_t before = 0;
    for (size_t i = 0; i < a; i++) {
        before += s->rows[i];
    }
    for (size_t c = 0; c < s->channels; c++) {
        const edgeops_aggregate *got = &summary->buckets[0].channels[c];
        extremes wanted = extremes_of(set_values(s, before, a, c), s->rows[a]);
        double range = fabs(wanted.min) > fabs(wanted.max) ? fabs(wanted.min) : fabs(wanted.max);
        set_must(got->min.as.f64 == wanted.min && got->max.as.f64 == wanted.max &&
                     fabs(got->mean - wanted.mean) <= 1e-9 * range,
                 "an aggregate is not that of the values");
    }
}

static void scan(const set *s, const char *home) {
    char(*names)[16] = asset_names(s);
    edgeops_store *store = NULL;
    double seconds = 0;
    double checksum = 0;
    must(edgeops_store_open(&store, home, NULL));
    for (size_t a = 0; a < s->assets; a++) {
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_table *table = NULL;
        query.asset = names[a];
        double begun = seconds_now();
        must(edgeops_store_read(&table, store, &query));
        for (size_t c = 0; c < table->column_count; c++) {
            extremes found = extremes_of(table->columns[c].f64, table->rows);
            checksum += found.min + found.max + found.mean;
        }
        edgeops_table_free(table);
        seconds += seconds_now() - begun;
    }
    edgeops_store_close(store);
    printf("{\"seconds\": %.9f, \"points\": %zu, \"checksum\": %.17g}\n", seconds,
           s->total_rows * s->channels, isfinite(checksum) ? checksum : 0.0);
    free(names);
}

static void aggregate(const set *s, const char *home) {
    char(*names)[16] = asset_names(s);
    edgeops_store *store = NULL;
    double seconds = 0;
    must(edgeops_store_open(&store, home, NULL));
    for (size_t a = 0; a < s->assets; a++) {
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_summary *summary = NULL;
        query.asset = names[a];
        double begun = seconds_now();
        must(edgeops_store_aggregate(&summary, store, &query, 0));
        seconds += seconds_now() - begun;
        set_must(summary->bucket_count == 1 && summary->channel_count == s->channels &&
                     summary->buckets[0].rows == s->rows[a],
                 "rows are missing");
        check_summary(s, summary, a);
        edgeops_summary_free(summary);
    }
    edgeops_store_close(store);
    printf("{\"seconds\": %.9f, \"points\": %zu}\n", seconds, s->total_rows * s->channels);
    free(names);
}

static void copy(const set *s) {
    size_t size = s->total_rows * s->channels * sizeof(double);
    double *out = malloc(size);
    set_must(out != NULL, "no memory");
    double took[2];
    for (int turn = 0; turn < 2; turn++) {
        double *to = out;
        size_t before = 0;
        double begun = seconds_now();
        for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
            memcpy(to, set_values(s, before, a, 0), s->rows[a] * s->channels * sizeof *to);
            to += s->rows[a] * s->channels;
        }
        took[turn] = seconds_now() - begun;
    }
    volatile double used = out[s->total_rows / 2];
    (void)used;
    printf("{\"seconds\": %.9f, \"touched\": %.9f, \"points\": %zu}\n", took[0], took[1],
           s->total_rows * s->channels);
    free(out);
}

int main(int argc, char **argv) {
    static char names[SET_CHANNELS_MAX][8];
    const char *what = argc > 2 ? argv[1] : "";
    const char *home = argc > 3 ? argv[3] : NULL;
    for (size_t c = 0; c < SET_CHANNELS_MAX; c++) {
        snprintf(names[c], sizeof names[c], "c%zu", c + 1);
        channel_names[c] = names[c];
    }
    if (strcmp(what, "write") == 0 && argc == 7) {
        set s = set_load(argv[2]);
        unsigned long most = strtoul(argv[6], NULL, 10);
        set_must(most >= 1 && most <= ROWS_MAX, "a call takes 1 to 1,000,000 rows");
        write_set(&s, home, argv[4],
                  strcmp(argv[5], "power") == 0 ? EDGEOPS_DURABILITY_POWER
                                                : EDGEOPS_DURABILITY_PROCESS,
                  most);
    } else if (strcmp(what, "read") == 0 && argc == 5) {
        set s = set_load(argv[2]);
        read_series(&s, home, strcmp(argv[4], "into") == 0);
    } else if (strcmp(what, "aggregate") == 0 && home != NULL) {
        set s = set_load(argv[2]);
        aggregate(&s, home);
    } else if (strcmp(what, "scan") == 0 && home != NULL) {
        set s = set_load(argv[2]);
        scan(&s, home);
    } else if (strcmp(what, "copy") == 0) {
        set s = set_load(argv[2]);
        copy(&s);
    } else {
        fprintf(stderr, "usage: store_bench write SET HOME table|asset|time process|power ROWS\n"
                        "       store_bench read SET HOME into|table\n"
                        "       store_bench scan|aggregate SET HOME\n"
                        "       store_bench copy SET\n");
        return 2;
    }
    return 0;
}
