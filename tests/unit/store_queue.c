/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal's segments cost when many assets share them. */
#include "store/internal.h"
#include "store_fixture.h"

TestSuite(store_queue, .init = make_home, .fini = remove_home, .timeout = 110);

enum { BATCH = 500 };

static void name_asset(char name[16], size_t asset) {
    snprintf(name, 16, "plant/%04zu", asset);
}

/* Appends rows from..to of each of n assets, one of each and then the next, in another order each
 * time. */
static void feed(edgeops_store *store, size_t n, size_t from, size_t to) {
    static const size_t steps[] = {1, 7919, 104729, 15485863};
    static char names[BATCH][16];
    static edgeops_sample samples[BATCH];
    static edgeops_value values[BATCH];
    static const char *const channel = "x";
    size_t count = 0;
    for (size_t row = from; row < to; row++) {
        for (size_t i = 0; i < n; i++) {
            size_t asset = i * steps[row % 4] % n;
            name_asset(names[count], asset);
            values[count] = f64((double)(row % 100) / 10);
            samples[count] = (edgeops_sample){names[count], (int64_t)row * 1000, 0,   1,
                                              &channel,     &values[count],      NULL};
            if (++count == BATCH || (i + 1 == n && row + 1 == to)) {
                CHECK_OK(edgeops_store_append(NULL, store, samples, count, NULL));
                count = 0;
            }
        }
    }
}

static void check_rows(edgeops_store *store, size_t n, size_t rows) {
    for (size_t asset = 0; asset < n; asset++) {
        char name[16];
        name_asset(name, asset);
        edgeops_table *table = read_all(store, name);
        cr_assert_eq(table->rows, rows, "%s", name);
        for (size_t row = 0; row < rows; row++) {
            cr_assert_eq(table->times[row], (int64_t)row * 1000);
            cr_assert_eq(table->columns[0].f64[row], (double)(row % 100) / 10);
        }
        edgeops_table_free(table);
    }
}

Test(store_queue, page_of_chunks_is_written_once_a_segment) {
    enum { ASSETS = 2000, ROWS = 120 };
    int pages = 0;
    int most = 0;
    edgeops_store *store = open_store();
    feed(store, ASSETS, 0, ROWS);
    CHECK_OK(eop_store_flush(store));
    sqlite3_db_status(store->writer.sql.db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 0);
    cr_assert_lt((uint64_t)pages * 16384, UINT64_C(300) * ASSETS * ROWS, "%d pages", pages);
    check_rows(store, ASSETS, ROWS);
    edgeops_store_close(store);
}
