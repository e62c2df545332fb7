/* SPDX-License-Identifier: Apache-2.0 */
/* Threads append, read, follow and flush at once: a plain program, so that it runs under the thread
 * sanitizer as well. Prints TAP. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "catalog/outbox.h"
#include "catalog/policy.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/retention.h"
#include "store/room.h"

enum { WRITERS = 2, PARTS = 2 };
static uint64_t rows = 60000; /* of each writer; EDGEOPS_TEST_ROWS: fewer under valgrind */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("Bail out! line %d: %s (%s)\n", __LINE__, #condition,                           \
                   edgeops_error_last()->message);                                                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static edgeops_store *store;
static const char *const assets[WRITERS] = {"a", "b"};
static atomic_int writing = WRITERS + PARTS;
static _Atomic uint64_t told[WRITERS];

static void on_news(const char *asset, uint64_t last, void *data) {
    (void)data;
    if (asset[1] == '\0' && asset[0] < 'a' + WRITERS) {
        atomic_store(&told[asset[0] - 'a'], last);
    }
}

static void *write_rows(void *data) {
    const char *asset = data;
    const char *names[3] = {"n", "x", "s"};
    for (int i = 1; (uint64_t)i <= rows; i++) {
        edgeops_value values[3] = {{.type = EDGEOPS_TYPE_INT64, .as.i64 = i},
                                   {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = i * 0.5},
                                   {.type = EDGEOPS_TYPE_STRING,
                                    .size = 40,
                                    .as.str = "0123456789012345678901234567890123456789"}};
        /* Each seventh one late. */
        edgeops_sample sample = {asset, i * 10 - (i % 7 == 0 ? 35 : 0), 0, 3, names, values};
        MUST(edgeops_store_append(NULL, store, &sample, 1, NULL) == EDGEOPS_OK);
    }
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

static void *read_rows(void *data) {
    const char *asset = data;
    uint64_t before = 0;
    bool more = true;
    while (more) {
        more = atomic_load(&writing) > 0;
        edgeops_table *table = NULL;
        edgeops_query query = EDGEOPS_QUERY_INIT;
        query.asset = asset;
        edgeops_status status = edgeops_store_read(&table, store, &query);
        if (status == EDGEOPS_E_NOTFOUND) {
            continue;
        }
        MUST(status == EDGEOPS_OK);
        /* All of a prefix of what arrived, each row once. */
        MUST(table->rows >= before);
        before = table->rows;
        uint64_t sum = 0;
        for (uint64_t i = 0; i < table->rows; i++) {
            MUST((uint64_t)table->columns[0].i64[i] == table->ordinals[i]);
            MUST(i == 0 || table->times[i - 1] < table->times[i]);
            sum += table->ordinals[i];
        }
        MUST(sum == table->rows * (table->rows + 1) / 2);
        edgeops_table_free(table);
    }
    MUST(before == rows);
    return NULL;
}

static void *follow_rows(void *data) {
    edgeops_cursor *cursor = NULL;
    uint64_t next = 1;
    MUST(edgeops_cursor_open(&cursor, store,
                             &(edgeops_cursor_options){sizeof(edgeops_cursor_options), data, NULL,
                                                       0, 0}) == EDGEOPS_OK);
    while (next <= rows) {
        const edgeops_table *block = NULL;
        edgeops_status status = edgeops_cursor_next(&block, cursor, 500);
        MUST(status == EDGEOPS_OK || status == EDGEOPS_DONE);
        for (uint64_t i = 0; status == EDGEOPS_OK && i < block->rows; i++, next++) {
            MUST(block->ordinals[i] == next && block->columns[0].i64[i] == (int64_t)next);
        }
    }
    edgeops_cursor_close(cursor);
    return NULL;
}

/* Rows of "parts" come from two threads, each of which sends one of the channels. */
static uint64_t rows_in_parts(void) {
    return rows / 4;
}

static const char *const part_names[PARTS] = {"x", "y"};

static void *write_parts(void *data) {
    const char *name = data;
    for (uint64_t i = 1; i <= rows_in_parts(); i++) {
        edgeops_value value = {.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)i};
        edgeops_sample sample = {"parts", (int64_t)i * 10, 0, 1, &name, &value, NULL};
        MUST(edgeops_store_append(NULL, store, &sample, 1, NULL) == EDGEOPS_OK);
    }
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* How many cells of a row are there; each is the row's. */
static uint64_t count_cells(const edgeops_table *table, uint64_t i) {
    uint64_t cells = 0;
    for (size_t k = 0; k < table->column_count; k++) {
        const edgeops_column *column = &table->columns[k];
        if (column->valid == NULL || column->valid[i] != 0) {
            MUST(column->i64[i] * 10 == table->times[i]);
            cells++;
        }
    }
    return cells;
}

static void *read_parts(void *data) {
    uint64_t before = 0;
    bool more = true;
    (void)data;
    while (more) {
        more = atomic_load(&writing) > 0;
        edgeops_table *table = NULL;
        edgeops_query query = EDGEOPS_QUERY_INIT;
        uint64_t cells = 0;
        query.asset = "parts";
        edgeops_status status = edgeops_store_read(&table, store, &query);
        if (status == EDGEOPS_E_NOTFOUND) {
            continue;
        }
        MUST(status == EDGEOPS_OK);
        for (uint64_t i = 0; i < table->rows; i++) {
            MUST(table->times[i] == (int64_t)(i + 1) * 10);
            cells += count_cells(table, i);
        }
        MUST(cells >= before);
        before = cells;
        edgeops_table_free(table);
    }
    MUST(before == PARTS * rows_in_parts());
    return NULL;
}

static void *follow_parts(void *data) {
    edgeops_cursor *cursor = NULL;
    uint64_t next = 1;
    uint8_t *seen = calloc(rows_in_parts() + 1, 1);
    (void)data;
    MUST(seen != NULL);
    MUST(edgeops_cursor_open(&cursor, store,
                             &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "parts",
                                                       NULL, 0, 0}) == EDGEOPS_OK);
    while (next <= PARTS * rows_in_parts()) {
        const edgeops_table *block = NULL;
        edgeops_status status = edgeops_cursor_next(&block, cursor, 500);
        MUST(status == EDGEOPS_OK || status == EDGEOPS_DONE);
        for (uint64_t i = 0; status == EDGEOPS_OK && i < block->rows; i++, next++) {
            uint8_t *row = &seen[block->times[i] / 10];
            MUST(block->ordinals[i] == next && count_cells(block, i) == 1);
            MUST((block->parts != NULL && block->parts[i] != 0) == (*row != 0));
            (*row)++;
        }
    }
    edgeops_cursor_close(cursor);
    free(seen);
    return NULL;
}

static int changes; /* of a type */

/* Halves are exact in both types. Each change takes a position. */
static void change_type(int n) {
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "b";
    options.channel = "x";
    options.type = n % 2 == 0 ? EDGEOPS_TYPE_FLOAT32 : EDGEOPS_TYPE_FLOAT64;
    edgeops_status status = edgeops_channel_retype(NULL, store, &options);
    MUST(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND);
    changes += status == EDGEOPS_OK;
}

/* Until the cells of earlier types are gone. */
static void wait_purged(void) {
    for (bool due = true; due;) {
        MUST(eop_store_flush(store) == EDGEOPS_OK);
        pthread_mutex_lock(&store->lock);
        due = store->purge_due;
        pthread_mutex_unlock(&store->lock);
    }
}

static void *disturb(void *data) {
    eop_outbox_message message = {.destination = "m", .topic = "t", .payload = "p", .size = 1};
    eop_policy policy = {.pattern = "short-lived", .max_age = EDGEOPS_SECOND};
    (void)data;
    MUST(eop_policy_put(eop_store_catalog(store), &policy) == EDGEOPS_OK);
    for (int i = 0; atomic_load(&writing) > 0; i++) {
        eop_retained due;
        const char *names[2] = {"x", "image"};
        char image[300] = {(char)(i / 2), (char)(i / 512)};
        edgeops_value values[2] = {
            {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = i},
            {.type = EDGEOPS_TYPE_BLOB, .size = sizeof image, .as.data = image}};
        edgeops_sample sample = {"short-lived", i, 0, 2, names, values};
        eop_store_stats stats;
        MUST(edgeops_store_append(NULL, store, &sample, 1, NULL) == EDGEOPS_OK);
        MUST(eop_outbox_commit(eop_store_catalog(store), "d", (uint64_t)i, "{}", &message, 1) ==
             EDGEOPS_OK);
        MUST(eop_store_ready(store) == EDGEOPS_OK);
        MUST(eop_store_get_stats(store, &stats) == EDGEOPS_OK);
        MUST(i % 7 != 0 || eop_store_sync(store) == EDGEOPS_OK);
        MUST(i % 10 != 0 || eop_store_flush(store) == EDGEOPS_OK);
        MUST(i % 6 != 5 ||
             eop_retention_run(&due, store, i % 12 == 5 ? EOP_RETENTION_DROP : EOP_RETENTION_DRY,
                               NULL, NULL) == EDGEOPS_OK);
        if (i % 16 == 9 && i < 1600) {
            change_type(i / 16);
        }
        MUST(i % 20 != 3 || edgeops_asset_remove(store, "short-lived") == EDGEOPS_OK);
    }
    if (changes == 0) {
        change_type(0); /* the writers were quicker than this thread got its turns */
    }
    return NULL;
}

/* Of what was removed while it was made into chunks. */
static void check_nothing_left(const char *folder) {
    char path[100];
    char attach[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *count = NULL;
    snprintf(path, sizeof path, "%s/data/telemetry.db", folder);
    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    snprintf(attach, sizeof attach, "ATTACH '%s/catalog.db' AS c", folder);
    MUST(sqlite3_exec(db, attach, NULL, NULL, NULL) == SQLITE_OK);
    MUST(sqlite3_prepare_v2(db,
                            "WITH whole AS (SELECT id FROM chunk WHERE asset IN"
                            " (SELECT id FROM c.asset WHERE name <> 'parts'))"
                            " SELECT (SELECT COUNT(DISTINCT asset) FROM chunk) + COUNT(*),"
                            " (SELECT COUNT(*) FROM cell WHERE id % 2048 < 1024 AND"
                            " id / 2048 NOT IN (SELECT id FROM chunk EXCEPT SELECT id FROM whole))"
                            " - 3 * (SELECT COUNT(*) FROM whole) FROM state",
                            -1, &count, NULL) == SQLITE_OK);
    MUST(sqlite3_step(count) == SQLITE_ROW);
    MUST(sqlite3_column_int(count, 0) == 2 * (WRITERS + 1));
    MUST(sqlite3_column_int(count, 1) == 0);
    sqlite3_finalize(count);
    sqlite3_close(db);
}

int main(void) {
    char folder[] = "/tmp/edgeops-threads-XXXXXX";
    enum { DISTURB = 3 * WRITERS, OF_PARTS, THREADS = OF_PARTS + PARTS + 2 };
    pthread_t threads[THREADS];
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    const char *fewer = getenv("EDGEOPS_TEST_ROWS");
    rows = fewer != NULL ? strtoull(fewer, NULL, 10) : rows;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.sync_interval = EDGEOPS_MILLISECOND; /* so that it happens, too */
    MUST(mkdtemp(folder) != NULL);
    MUST(edgeops_store_open(&store, folder, &options) == EDGEOPS_OK);
    edgeops_watch *watch = NULL;
    MUST(edgeops_watch_open(&watch, store, on_news, NULL) == EDGEOPS_OK);
    for (int i = 0; i < WRITERS; i++) {
        void *asset = (void *)(uintptr_t)assets[i];
        MUST(pthread_create(&threads[3 * i], NULL, write_rows, asset) == 0);
        MUST(pthread_create(&threads[3 * i + 1], NULL, read_rows, asset) == 0);
        MUST(pthread_create(&threads[3 * i + 2], NULL, follow_rows, asset) == 0);
    }
    MUST(pthread_create(&threads[DISTURB], NULL, disturb, NULL) == 0);
    for (int k = 0; k < PARTS; k++) {
        void *name = (void *)(uintptr_t)part_names[k];
        MUST(pthread_create(&threads[OF_PARTS + k], NULL, write_parts, name) == 0);
    }
    MUST(pthread_create(&threads[THREADS - 2], NULL, read_parts, NULL) == 0);
    MUST(pthread_create(&threads[THREADS - 1], NULL, follow_parts, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        MUST(pthread_join(threads[i], NULL) == 0);
    }
    MUST(atomic_load(&told[0]) == rows && atomic_load(&told[1]) == rows);
    edgeops_status removed = edgeops_asset_remove(store, "short-lived");
    MUST(removed == EDGEOPS_OK || removed == EDGEOPS_E_NOTFOUND);
    wait_purged();
    MUST(changes > 0);
    edgeops_watch_close(watch);
    edgeops_store_close(store);
    check_nothing_left(folder);
    MUST(eop_remove_tree(folder) == EDGEOPS_OK);
    printf("1..1\nok 1 - threads see each row once while segments become chunks\n");
    return 0;
}
