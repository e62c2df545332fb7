/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of the store share: a home of their own and short ways to append and read. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "folder_fixture.h"
#include "store/queue.h"

/* Small segments, no floor: so that a test sees many rotations. */
static inline edgeops_store *open_store(void) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    return store;
}

/* Does something to a database of a home that nobody has open. */
static inline void run_sql(const char *file, const char *text) {
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", home, file);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* First column of the first row. */
static inline int64_t ask_sql(const char *file, const char *text) {
    char path[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *select = NULL;
    snprintf(path, sizeof path, "%s/%s", home, file);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &select, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(select), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(select, 0);
    sqlite3_finalize(select);
    sqlite3_close(db);
    return value;
}

/* One sample with one channel. */
static inline edgeops_status put(edgeops_store *store, const char *asset, edgeops_time time,
                                 int64_t seq, const char *channel, edgeops_value value,
                                 edgeops_append_result *result) {
    edgeops_sample sample = {asset, time, seq, 1, &channel, &value, NULL};
    return edgeops_store_append(result, store, &sample, 1, NULL);
}

static inline edgeops_table *read_all(edgeops_store *store, const char *asset) {
    edgeops_table *table = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = asset;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    return table;
}

static inline uint64_t count_rows(edgeops_store *store, const char *asset) {
    edgeops_table *table = read_all(store, asset);
    uint64_t rows = table->rows;
    edgeops_table_free(table);
    return rows;
}

#endif /* STORE_FIXTURE_H */
