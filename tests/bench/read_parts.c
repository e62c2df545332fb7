/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of `bench.py parts`: rows of eight channels that came whole, or as two files that
 * each bring four channels of the same times. Public interface only, so that a library of another
 * version may be put in its place.
 *
 *   read_parts make HOME whole|halves ROWS
 *   read_parts read HOME into|table|count|last|aggregate ROWS
 *       one call that is not timed, then one that is: "seconds KiB", seconds of the processor,
 *       which other programs do not take part in; KiB by which the process grew in both */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "edgeops/status.h"
#include "edgeops/store.h"

enum { CHANNELS = 8, HALF = 4, STEP = 10000 };

static const char *const names[CHANNELS] = {"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"};

static void must(edgeops_status status) {
    if (status != EDGEOPS_OK) {
        fprintf(stderr, "read_parts: %s\n", edgeops_error_last()->message);
        exit(1);
    }
}

static void demand(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "read_parts: %s\n", what);
        exit(1);
    }
}

/* Like a sensor with two decimals. */
static double value_of(size_t row, size_t channel) {
    size_t mixed = (row * 2654435761u + channel * 40503u) >> 7;
    return (double)(long)(row / 8 % 5000 + channel * 300 + mixed % 97) / 100;
}

static void append(edgeops_store *store, size_t from, size_t to, size_t first, size_t last) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_column columns[CHANNELS];
    edgeops_time *times = calloc(to - from, sizeof *times);
    double *values = calloc((to - from) * CHANNELS, sizeof *values);
    demand(times != NULL && values != NULL, "no memory");
    edgeops_table table = {.asset = "press",
                           .rows = to - from,
                           .times = times,
                           .column_count = last - first,
                           .columns = columns};
    for (size_t i = 0; i < table.rows; i++) {
        times[i] = (edgeops_time)(from + i) * 1000000;
    }
    for (size_t c = first; c < last; c++) {
        double *column = values + c * table.rows;
        for (size_t i = 0; i < table.rows; i++) {
            column[i] = value_of(from + i, c);
        }
        columns[c - first] = (edgeops_column){.name = names[c],
                                              .unit = "",
                                              .type = EDGEOPS_TYPE_FLOAT64,
                                              .f64 = column,
                                              .data = column,
                                              .length = 1};
    }
    must(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    demand(result.duplicates == 0 && result.conflicts == 0, "rows were left out");
    free(times);
    free(values);
}

static void make(edgeops_store *store, int halves, size_t rows) {
    for (size_t first = 0; first < CHANNELS; first += halves ? HALF : CHANNELS) {
        size_t last = halves ? first + HALF : CHANNELS;
        for (size_t row = 0; row < rows; row += STEP) {
            append(store, row, row + STEP < rows ? row + STEP : rows, first, last);
        }
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void check(size_t row, size_t channel, double value) {
    demand(value == value_of(row, channel), "a value is wrong");
}

static double read_table(edgeops_store *store, const edgeops_query *query, size_t rows) {
    edgeops_table *table = NULL;
    double begun = now();
    must(edgeops_store_read(&table, store, query));
    double seconds = now() - begun;
    size_t n = query->last > 0 ? (size_t)query->last : rows;
    demand(table->rows == n && table->column_count == CHANNELS, "rows are missing");
    for (size_t i = 0; i < n; i += 1 + n / 1000) {
        for (size_t c = 0; c < CHANNELS; c++) {
            check(rows - n + i, c, table->columns[c].f64[i]);
        }
    }
    edgeops_table_free(table);
    return seconds;
}

static double read_into(edgeops_store *store, const edgeops_query *query, size_t rows,
                        double *values) {
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    uint64_t got = 0;
    layout.capacity = rows;
    layout.values = values;
    layout.channel_count = CHANNELS;
    double begun = now();
    must(edgeops_store_read_into(&got, store, query, &layout));
    double seconds = now() - begun;
    demand(got == rows, "rows are missing");
    for (size_t i = 0; i < rows; i += 1 + rows / 1000) {
        for (size_t c = 0; c < CHANNELS; c++) {
            check(i, c, values[i * CHANNELS + c]);
        }
    }
    return seconds;
}

static double count(edgeops_store *store, const edgeops_query *query, size_t rows) {
    uint64_t got = 0;
    double begun = now();
    must(edgeops_store_count(&got, store, query));
    double seconds = now() - begun;
    demand(got == rows, "rows are missing");
    return seconds;
}

static double aggregate(edgeops_store *store, const edgeops_query *query, size_t rows) {
    edgeops_summary *summary = NULL;
    double begun = now();
    must(edgeops_store_aggregate(&summary, store, query, 0));
    double seconds = now() - begun;
    demand(summary->bucket_count == 1 && summary->buckets[0].rows == rows &&
               summary->buckets[0].channels[CHANNELS - 1].nulls == 0,
           "rows are missing");
    edgeops_summary_free(summary);
    return seconds;
}

static void measure(edgeops_store *store, const char *how, size_t rows) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    double *values = malloc(rows * CHANNELS * sizeof *values);
    double seconds = 0;
    demand(values != NULL, "no memory");
    memset(values, 0xff, rows * CHANNELS * sizeof *values);
    long before = resident();
    query.asset = "press";
    query.last = strcmp(how, "last") == 0 ? 10 : 0;
    for (int turn = 0; turn < 2; turn++) {
        seconds = strcmp(how, "into") == 0        ? read_into(store, &query, rows, values)
                  : strcmp(how, "count") == 0     ? count(store, &query, rows)
                  : strcmp(how, "aggregate") == 0 ? aggregate(store, &query, rows)
                                                  : read_table(store, &query, rows);
    }
    printf("%.6f %ld\n", seconds, resident() - before);
    free(values);
}

int main(int argc, char **argv) {
    edgeops_store *store = NULL;
    size_t rows = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    if (rows < STEP || (strcmp(argv[1], "make") != 0 && strcmp(argv[1], "read") != 0)) {
        fprintf(stderr, "usage: read_parts make HOME whole|halves ROWS\n"
                        "       read_parts read HOME into|table|count|last|aggregate ROWS\n");
        return 2;
    }
    must(edgeops_store_open(&store, argv[2], NULL));
    if (strcmp(argv[1], "make") == 0) {
        make(store, strcmp(argv[3], "halves") == 0, rows);
    } else {
        measure(store, argv[3], rows);
    }
    edgeops_store_close(store);
    return 0;
}
