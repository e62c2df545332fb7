/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs that a time's values come in parts. Each call prints one line of JSON.
 *
 *   parts_bench whole|parts HOME ROWS CALL
 *       100 assets of 8 channels in order of time, CALL samples a call: each row one sample, or each
 *       value a sample of its own. Then the same is written and compacted
 *   parts_bench tables HOME ROWS CALL CHANNELS
 *       one asset: ROWS rows of a channel as tables of CALL rows, then each other channel with the
 *       same times, when those before are in chunks
 *
 * seconds are of the processor, of all threads; append: without what is written and compacted
 * behind the last call. bytes: of the cells in chunks. HOME is removed before and after. */
#include <sqlite3.h>

#include "base/file.h"
#include "edgeops/store.h"
#include "store/compact.h"
#include "store/queue.h"
#include "store_set.h"

enum { ASSETS = 100, CHANNELS = 8 };

static const char *const channels[CHANNELS] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static void must(edgeops_status status) {
    if (status != EDGEOPS_OK) {
        fprintf(stderr, "parts_bench: %s\n", edgeops_error_last()->message);
        exit(1);
    }
}

/* Three decimals of a slow wave, like most of what is measured. */
static double value_of(size_t asset, size_t channel, uint64_t row) {
    uint64_t x = (row + asset * 977 + channel * 131) % 20000;
    uint64_t wave = x < 10000 ? x : 20000 - x;
    return (double)(wave * (1 + channel) + row * 2654435761u % 7) / 1000;
}

static uint64_t cell_bytes(const char *home) {
    char path[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *select = NULL;
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    set_must(sqlite3_open(path, &db) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "SELECT SUM(LENGTH(data)) FROM cell", -1, &select, NULL) ==
                     SQLITE_OK &&
                 sqlite3_step(select) == SQLITE_ROW,
             "cannot read telemetry.db");
    uint64_t bytes = (uint64_t)sqlite3_column_int64(select, 0);
    sqlite3_finalize(select);
    sqlite3_close(db);
    return bytes;
}

/* -- samples -- */

typedef struct calls {
    edgeops_store *store;
    edgeops_sample *samples;
    edgeops_value *values;
    size_t count; /* of samples in the call that is filled */
    size_t most;
    uint64_t total;
    uint64_t rows;
    uint64_t merged;
} calls;

static void give(calls *c) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    must(edgeops_store_append(&result, c->store, c->samples, c->count, NULL));
    set_must(result.appended + result.merged == c->count, "the store left samples out");
    c->rows += result.appended;
    c->merged += result.merged;
    c->total += c->count;
    c->count = 0;
}

static void put(calls *c, const char *asset, size_t a, uint64_t row, size_t first, size_t n) {
    edgeops_value *values = c->values + c->count * CHANNELS;
    for (size_t k = 0; k < n; k++) {
        values[k] =
            (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = value_of(a, first + k, row)};
    }
    c->samples[c->count++] = (edgeops_sample){.asset = asset,
                                              .time = (edgeops_time)row * EDGEOPS_SECOND,
                                              .count = n,
                                              .channels = channels + first,
                                              .values = values};
    if (c->count == c->most) {
        give(c);
    }
}

static void append_samples(calls *c, int parts, uint64_t rows) {
    static char names[ASSETS][16];
    for (size_t a = 0; a < ASSETS; a++) {
        snprintf(names[a], sizeof names[a], "plant/%zu", a);
    }
    for (uint64_t row = 0; row < rows; row++) {
        for (size_t k = 0; k < (parts ? CHANNELS : 1); k++) {
            for (size_t a = 0; a < ASSETS; a++) {
                put(c, names[a], a, row, k, parts ? 1 : CHANNELS);
            }
        }
    }
    if (c->count > 0) {
        give(c);
    }
}

static void run_samples(int parts, const char *home, uint64_t rows, size_t most) {
    calls c = {NULL, calloc(most, sizeof *c.samples), calloc(most * CHANNELS, sizeof *c.values),
               .most = most};
    eop_compacted compacted;
    set_must(c.samples != NULL && c.values != NULL, "no memory");
    must(edgeops_store_open(&c.store, home, NULL));
    double begun = processor_now();
    double wall = seconds_now();
    append_samples(&c, parts, rows);
    double appended = processor_now();
    wall = seconds_now() - wall;
    must(eop_store_flush(c.store));
    double flushed = processor_now();
    must(eop_store_compact(&compacted, c.store, "*", NULL, NULL));
    double done = processor_now();
    edgeops_store_close(c.store);
    printf("{\"samples\": %llu, \"rows\": %llu, \"append\": %.3f, \"wall\": %.3f, \"flush\": %.3f, "
           "\"compact\": %.3f, \"rows_a_second\": %.0f, \"samples_a_second\": %.0f, "
           "\"bytes\": %llu}\n",
           (unsigned long long)c.total, (unsigned long long)c.rows, appended - begun, wall,
           flushed - appended, done - flushed, (double)c.rows / (appended - begun),
           (double)c.total / (appended - begun), (unsigned long long)cell_bytes(home));
    free(c.samples);
    free(c.values);
}

/* -- tables -- */

static double append_tables(edgeops_store *store, const char *channel, uint64_t rows, size_t most,
                            uint64_t *merged) {
    edgeops_time *times = calloc(rows, sizeof *times);
    double *values = calloc(rows, sizeof *values);
    set_must(times != NULL && values != NULL, "no memory");
    for (uint64_t i = 0; i < rows; i++) {
        times[i] = (edgeops_time)i * EDGEOPS_SECOND;
        values[i] = value_of(0, strlen(channel), i);
    }
    double begun = processor_now();
    for (uint64_t at = 0; at < rows; at += most) {
        edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
        edgeops_column column = {.name = channel,
                                 .unit = "",
                                 .type = EDGEOPS_TYPE_FLOAT64,
                                 .f64 = values + at,
                                 .data = values + at,
                                 .length = 1};
        edgeops_table table = {.asset = "plant/0",
                               .rows = rows - at < most ? rows - at : most,
                               .times = times + at,
                               .column_count = 1,
                               .columns = &column};
        must(edgeops_store_append_tables(&result, store, &table, 1, NULL));
        *merged += result.merged;
    }
    double spent = processor_now() - begun;
    free(times);
    free(values);
    return spent;
}

static void run_tables(const char *home, uint64_t rows, size_t most, size_t count) {
    edgeops_store *store = NULL;
    eop_compacted compacted;
    uint64_t merged = 0;
    double first = 0;
    double last = 0;
    double all = 0;
    must(edgeops_store_open(&store, home, NULL));
    for (size_t k = 0; k < count; k++) {
        char channel[24];
        snprintf(channel, sizeof channel, "c%zu", k);
        last = append_tables(store, channel, rows, most, &merged);
        first = k == 0 ? last : first;
        all += k == 0 ? 0 : last;
        must(eop_store_flush(store));
    }
    set_must(merged == rows * (count - 1), "a table was not merged");
    must(eop_store_compact(&compacted, store, "*", NULL, NULL));
    edgeops_store_close(store);
    printf("{\"rows\": %llu, \"first\": %.3f, \"last\": %.3f, \"rows_a_second\": %.0f, "
           "\"bytes\": %llu}\n",
           (unsigned long long)rows, first, last, (double)merged / all,
           (unsigned long long)cell_bytes(home));
}

int main(int argc, char **argv) {
    set_must(argc == 5 || argc == 6, "usage: parts_bench whole|parts|tables HOME ROWS CALL "
                                     "[CHANNELS]");
    size_t count = argc == 6 ? (size_t)strtoull(argv[5], NULL, 10) : 2;
    uint64_t rows = strtoull(argv[3], NULL, 10);
    size_t most = (size_t)strtoull(argv[4], NULL, 10);
    set_must(rows > 0 && most > 0 && count > 1, "ROWS, CALL and CHANNELS are numbers");
    must(eop_remove_tree(argv[2]));
    if (strcmp(argv[1], "tables") == 0) {
        run_tables(argv[2], rows, most, count);
    } else {
        run_samples(strcmp(argv[1], "parts") == 0, argv[2], rows, most);
    }
    must(eop_remove_tree(argv[2]));
    return 0;
}
