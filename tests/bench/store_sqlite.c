/* SPDX-License-Identifier: Apache-2.0 */
/* What one would do with SQLite alone, to compare with: one row a sample in a table of time, asset
 * and the values. Each call prints one line of JSON.
 *
 *   store_sqlite write SET DATABASE plain|indexed asset|time
 *       rows in order of assets or as they would arrive; WAL, synchronous=FULL, 10,000 rows a
 *       commit. indexed: with an index over (asset, time)
 *   store_sqlite read SET DATABASE       each series of each asset, by that index, into an array
 *   store_sqlite aggregate SET DATABASE  min, max and mean of each channel of each asset */
#include <sqlite3.h>

#include "store_set.h"

enum { ROWS_A_COMMIT = 10000 };

static sqlite3 *db;

static void run(const char *sql) {
    set_must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement = NULL;
    set_must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
    return statement;
}

static void insert_row(sqlite3_stmt *insert, const set *s, size_t before, size_t asset, size_t row,
                       size_t *pending) {
    if (*pending == 0) {
        run("BEGIN");
    }
    sqlite3_bind_int64(insert, 1, set_times(s, before)[row]);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)asset);
    for (size_t c = 0; c < s->channels; c++) {
        sqlite3_bind_double(insert, 3 + (int)c, set_values(s, before, asset, c)[row]);
    }
    set_must(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_reset(insert);
    if (++*pending == ROWS_A_COMMIT) {
        run("COMMIT");
        *pending = 0;
    }
}

static void write_rows(const set *s, int indexed, int by_time) {
    char table[4096] = "CREATE TABLE sample(time INTEGER, asset INTEGER";
    char insert_sql[1024] = "INSERT INTO sample VALUES(?,?";
    for (size_t c = 0; c < s->channels; c++) {
        size_t n = strlen(table);
        snprintf(table + n, sizeof table - n, ", c%zu REAL", c + 1);
        strcat(insert_sql, ",?");
    }
    strcat(table, ")");
    strcat(insert_sql, ")");
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;");
    run(table);
    if (indexed) {
        run("CREATE INDEX by_asset ON sample(asset, time)");
    }
    sqlite3_stmt *insert = prepare(insert_sql);
    size_t pending = 0;
    double begun = seconds_now();
    for (size_t outer = 0; outer < (by_time ? s->most_rows : s->assets); outer++) {
        size_t before = 0;
        if (by_time) {
            for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
                if (outer < s->rows[a]) {
                    insert_row(insert, s, before, a, outer, &pending);
                }
            }
        } else {
            for (size_t a = 0; a < outer; a++) {
                before += s->rows[a];
            }
            for (size_t row = 0; row < s->rows[outer]; row++) {
                insert_row(insert, s, before, outer, row, &pending);
            }
        }
    }
    if (pending > 0) {
        run("COMMIT");
    }
    double seconds = seconds_now() - begun;
    sqlite3_finalize(insert);
    printf("{\"seconds\": %.6f, \"points\": %zu}\n", seconds, s->total_rows * s->channels);
}

static void read_series(const set *s) {
    double *values = malloc(s->most_rows * sizeof *values);
    double seconds = 0;
    set_must(values != NULL, "no memory");
    for (size_t c = 0; c < s->channels; c++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT c%zu FROM sample WHERE asset = ? ORDER BY time", c + 1);
        sqlite3_stmt *select = prepare(sql);
        size_t before = 0;
        for (size_t a = 0; a < s->assets; before += s->rows[a++]) {
            size_t n = 0;
            double begun = seconds_now();
            sqlite3_bind_int64(select, 1, (sqlite3_int64)a);
            while (n < s->most_rows && sqlite3_step(select) == SQLITE_ROW) {
                values[n++] = sqlite3_column_double(select, 0);
            }
            sqlite3_reset(select);
            seconds += seconds_now() - begun;
            set_must(n == s->rows[a], "rows are missing");
            set_same(values, set_values(s, before, a, c), n);
        }
        sqlite3_finalize(select);
    }
    printf("{\"seconds\": %.6f, \"points\": %zu}\n", seconds, s->total_rows * s->channels);
}

static void aggregate(const set *s) {
    char sql[8192] = "SELECT asset";
    for (size_t c = 1; c <= s->channels; c++) {
        size_t n = strlen(sql);
        snprintf(sql + n, sizeof sql - n, ", min(c%zu), max(c%zu), avg(c%zu)", c, c, c);
    }
    strcat(sql, " FROM sample GROUP BY asset");
    sqlite3_stmt *select = prepare(sql);
    size_t rows = 0;
    double begun = seconds_now();
    while (sqlite3_step(select) == SQLITE_ROW) {
        rows++;
    }
    double seconds = seconds_now() - begun;
    set_must(rows == s->assets, "assets are missing");
    sqlite3_finalize(select);
    printf("{\"seconds\": %.6f, \"points\": %zu}\n", seconds, s->total_rows * s->channels);
}

int main(int argc, char **argv) {
    if (argc < 4 || (strcmp(argv[1], "write") == 0 && argc < 6)) {
        fprintf(stderr, "usage: store_sqlite write SET DATABASE plain|indexed asset|time\n"
                        "       store_sqlite read|aggregate SET DATABASE\n");
        return 2;
    }
    set s = set_load(argv[2]);
    set_must(sqlite3_open(argv[3], &db) == SQLITE_OK, "cannot open the database");
    if (strcmp(argv[1], "write") == 0) {
        write_rows(&s, strcmp(argv[4], "indexed") == 0, strcmp(argv[5], "time") == 0);
    } else if (strcmp(argv[1], "read") == 0) {
        read_series(&s);
    } else {
        aggregate(&s);
    }
    set_must(sqlite3_close(db) == SQLITE_OK, "cannot close the database");
    return 0;
}
