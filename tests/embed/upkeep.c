/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that read all the time, each in another way, as dashboards and exports do: retention and compaction go on
 * beside them, none is refused, and each reader sees whole rows. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"

enum { ROWS = 60000, READERS = 5, RUNS = 12 };

static atomic_int stop;
static atomic_int reads[READERS];

static void fine(edgeops_status status, int reader) {
    CHECK(status >= 0, "reader %d: %s: %s", reader, edgeops_status_name(status), why());
    atomic_fetch_add(&reads[reader], 1);
}

static void read_once(int reader, edgeops_cursor **cursor, double *values) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_condition condition = {.channel = "v",
                                   .compare = EDGEOPS_COMPARE_GT,
                                   .value = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = 5}}};
    edgeops_summary *summary = NULL;
    edgeops_table *table = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    const char *channel = "v";
    uint64_t rows = 0;
    query.asset = from.asset = "x";
    query.conditions = &condition;
    query.condition_count = 1;
    if (reader == 0) {
        fine(edgeops_store_aggregate(&summary, store, &query, 0), reader);
        edgeops_summary_free(summary);
    } else if (reader == 1) {
        fine(edgeops_store_aggregate(&summary, store, &query, 3600 * EDGEOPS_SECOND), reader);
        edgeops_summary_free(summary);
    } else if (reader == 2) {
        fine(edgeops_store_read(&table, store, &query), reader);
        for (uint64_t i = 1; table != NULL && i < table->rows; i++) {
            if (!CHECK(table->times[i] > table->times[i - 1] && table->columns[0].f64[i] > 5,
                       "row %llu", (unsigned long long)i)) {
                break;
            }
        }
        edgeops_table_free(table);
    } else if (reader == 3) {
        edgeops_status status =
            *cursor == NULL ? edgeops_cursor_open(cursor, store, &from) : EDGEOPS_OK;
        status = status == EDGEOPS_OK ? edgeops_cursor_next(&block, *cursor, 4096) : status;
        fine(status, reader);
        if (status == EDGEOPS_DONE) {
            edgeops_cursor_close(*cursor);
            *cursor = NULL;
        }
    } else {
        query.channels = &channel;
        query.channel_count = 1;
        layout.values = values;
        layout.capacity = ROWS;
        layout.channel_count = 1;
        fine(edgeops_store_read_into(&rows, store, &query, &layout), reader);
    }
}

static void *read_on(void *which) {
    edgeops_cursor *cursor = NULL;
    double *values = calloc(ROWS, sizeof *values);
    while (values != NULL && !atomic_load(&stop)) {
        read_once((int)(intptr_t)which, &cursor, values);
    }
    edgeops_cursor_close(cursor);
    free(values);
    return NULL;
}

static void fill(void) {
    edgeops_time *times = calloc(ROWS, sizeof *times);
    double *values = calloc(ROWS, sizeof *values);
    edgeops_time now = (edgeops_time)time(NULL) * EDGEOPS_SECOND;
    NEED(times != NULL && values != NULL, "memory");
    for (int i = 0; i < ROWS; i++) {
        times[i] = now - (edgeops_time)(ROWS - i) * 60 * EDGEOPS_SECOND;
        values[i] = i % 1000;
    }
    edgeops_column column = {.name = "v",
                             .unit = "",
                             .type = EDGEOPS_TYPE_FLOAT64,
                             .f64 = values,
                             .data = values,
                             .length = 1};
    edgeops_table table = {
        .asset = "x", .rows = ROWS, .times = times, .column_count = 1, .columns = &column};
    NEED(edgeops_store_append_tables(NULL, store, &table, 1, NULL) == EDGEOPS_OK, "%s", why());
    free(times);
    free(values);
}

int main(void) {
    pthread_t threads[READERS];
    (void)host_begin();
    node_up(path_of("home"));
    fill();
    NEED(call("data.compact", NULL) == EDGEOPS_OK, "%s", why());
    for (intptr_t i = 0; i < READERS; i++) {
        NEED(pthread_create(&threads[i], NULL, read_on, (void *)i) == 0, "pthread_create");
    }
    double longest = 0;
    uint64_t rows = ROWS;
    for (int i = 0; i < RUNS; i++) {
        double start = now_s();
        /* 60,000 minutes are 41 days. */
        CHECK(call("retention.set",
                   text_of("{\"pattern\":\"x\",\"max_age\":\"%dd\"}", 38 - 3 * i)) == EDGEOPS_OK,
              "%s", why());
        CHECK(call("retention.run", NULL) == EDGEOPS_OK, "run %d: %s", i, why());
        CHECK(call("data.compact", NULL) == EDGEOPS_OK, "%s", why());
        longest = now_s() - start > longest ? now_s() - start : longest;
        CHECK(rows_of(store, "x") < rows, "run %d dropped nothing of %llu rows", i,
              (unsigned long long)rows);
        rows = rows_of(store, "x");
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(threads[i], NULL);
        printf("reader %d read %d times\n", i, atomic_load(&reads[i]));
        CHECK(atomic_load(&reads[i]) > 0, "reader %d read nothing", i);
    }
    printf("longest run %.2f s, %llu rows left\n", longest, (unsigned long long)rows);
    node_down();
    return host_end();
}
