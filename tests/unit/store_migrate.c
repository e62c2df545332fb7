/* SPDX-License-Identifier: Apache-2.0 */
/* Homes of earlier formats are brought up to this one, and nothing is lost on the way. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "catalog/outbox.h"
#include "catalog/version.h"
#include "edgeops/dataset.h"
#include "store/inner.h"
#include "store_fixture.h"

TestSuite(store_migrate, .init = make_home, .fini = remove_home);

enum { ROWS = 5040 };

static const struct {
    const char *name;
    const char *digest;
} datasets[] = {
    {"old", "dca5d87f947176904ff061364a14731d9a637210b463d653556d3d59a817dc1d"},
    {"labelled", "dcb94e858ef1bfe2f9fb934ebc84332e606721720d3bea364142485ee4360f4a"},
};

static void unpack(const char *name) {
    char command[512];
    snprintf(command, sizeof command, "tar -C '%s' -xzf '%s/tests/data/homes/%s'", folder,
             getenv("EDGEOPS_SOURCE_ROOT"), name);
    cr_assert_eq(system(command), 0, "%s", command);
}

static void check_content(edgeops_store *store) {
    for (int a = 0; a < 3; a++) {
        char asset[16];
        edgeops_table *table = NULL;
        edgeops_query query = EDGEOPS_QUERY_INIT;
        snprintf(asset, sizeof asset, "line/%d", a);
        query.asset = asset;
        CHECK_OK(edgeops_store_read(&table, store, &query));
        cr_assert_eq(table->rows, ROWS);
        for (uint64_t i = 0; i < table->rows; i++) {
            cr_assert_eq(table->columns[0].i64[i],
                         INT64_C(9007199254740993) + (int64_t)table->ordinals[i] - 1);
        }
        edgeops_table_free(table);
    }
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++) {
        edgeops_dataset *set = NULL;
        CHECK_OK(edgeops_dataset_read(&set, store, datasets[i].name));
        cr_assert_str_eq(set->digest, datasets[i].digest);
        edgeops_dataset_free(set);
    }
}

Test(store_migrate, home_of_version_1_reads_on) {
    unpack("v1.tar.gz");
    for (int round = 0; round < 3; round++) {
        edgeops_store *store = open_store();
        check_content(store);
        if (round == 1) {
            CHECK_OK(eop_store_flush(store));
            check_content(store);
        }
        edgeops_store_close(store);
    }
    cr_assert_eq(ask_sql("catalog.db", "PRAGMA user_version"), EOP_HOME_VERSION);
}

static edgeops_status check_message(const eop_outbox_message *message, void *user_data) {
    char head[64];
    const char *deployment = user_data;
    snprintf(head, sizeof head, "{\"deployment\":\"%s\",", deployment);
    cr_assert_eq(strncmp(message->payload, head, strlen(head)), 0);
    cr_assert_eq(message->qos, strcmp(deployment, "gone") == 0 ? 2 : 1);
    return EDGEOPS_OK;
}

Test(store_migrate, what_waits_in_version_2_belongs_to_its_deployments) {
    unpack("v2.tar.gz");
    static const char *const names[] = {"live", "gone"};
    for (int round = 0; round < 2; round++) {
        edgeops_store *store = open_store();
        eop_catalog *catalog = eop_store_catalog(store);
        for (int i = 0; i < 2; i++) {
            eop_outbox_counts counts;
            eop_outbox_count(&counts, catalog, "line", names[i]);
            cr_assert_eq(counts.waiting, 300);
            cr_assert_eq(counts.refused, 0);
            CHECK_OK(eop_outbox_list(catalog, "line", names[i], 0, 1000, check_message,
                                     (void *)(uintptr_t)names[i]));
        }
        edgeops_store_close(store);
    }
    cr_assert_eq(ask_sql("catalog.db", "PRAGMA user_version"), EOP_HOME_VERSION);
}

/* Columns of each table: where they came from must not matter. */
static void describe(char *out, size_t size, const char *file) {
    char path[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *select = NULL;
    size_t used = 0;
    snprintf(path, sizeof path, "%s/%s", home, file);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_prepare_v2(db,
                           "SELECT m.type, m.name, c.name, c.type, c.\"notnull\", c.pk FROM"
                           " sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ORDER"
                           " BY m.type, m.name, c.cid",
                           -1, &select, NULL),
        SQLITE_OK);
    while (sqlite3_step(select) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(select); i++) {
            const unsigned char *text = sqlite3_column_text(select, i);
            int n =
                snprintf(out + used, size - used, "%s ", text != NULL ? (const char *)text : "");
            used += (size_t)n;
            cr_assert_lt(used, size);
        }
        out[used - 1] = '\n';
    }
    sqlite3_finalize(select);
    sqlite3_close(db);
}

Test(store_migrate, a_migrated_home_is_made_like_a_new_one) {
    static const char *const files[] = {"catalog.db", "data/telemetry.db"};
    static char migrated[2][65536];
    static char fresh[65536];
    static const char *const homes[] = {"v1.tar.gz", "v2.tar.gz"};
    for (int h = 0; h < 2; h++) {
        unpack(homes[h]);
        edgeops_store_close(open_store());
        for (int i = 0; i < 2; i++) {
            describe(migrated[i], sizeof *migrated, files[i]);
        }
        CHECK_OK(eop_remove_tree(home));
        edgeops_store_close(open_store());
        for (int i = 0; i < 2; i++) {
            describe(fresh, sizeof fresh, files[i]);
            cr_assert_str_eq(migrated[i], fresh, "%s of %s", files[i], homes[h]);
        }
        CHECK_OK(eop_remove_tree(home));
    }
}

Test(store_migrate, a_kill_on_the_way_leaves_the_old_or_the_new_home) {
    for (int round = 0; round < 25; round++) {
        CHECK_OK(eop_remove_tree(home));
        unpack("v1.tar.gz");
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            edgeops_store *store = NULL;
            edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
            options.segment_bytes = 1024 * 1024;
            options.free_floor_bytes = 1;
            _exit(edgeops_store_open(&store, home, &options) == EDGEOPS_OK ? 0 : 1);
        }
        usleep((useconds_t)(round * 700));
        kill(child, SIGKILL);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        edgeops_store *store = open_store();
        check_content(store);
        edgeops_store_close(store);
    }
}

/* Version 2 of the chunks differs from version 3 by the column alone: it knew no parts. */
Test(store_migrate, chunks_of_version_2_become_chunks_that_may_have_parts) {
    edgeops_store *store = open_store();
    for (int i = 0; i < 100; i++) {
        edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
        CHECK_OK(put(store, "press/1", i, 0, "force",
                     (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = i}, &result));
    }
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "PRAGMA user_version"), 3);
    run_sql("data/telemetry.db",
            "ALTER TABLE state DROP COLUMN parts; DROP INDEX small_time; DROP INDEX small_ordinal;"
            "DROP INDEX full_time; DROP INDEX full_ordinal;"
            "CREATE INDEX chunk_time ON chunk(asset, t1, t0, ord0, ord1, rows);"
            "CREATE INDEX chunk_ordinal ON chunk(asset, ord1, ord0, t0, t1, rows);"
            "PRAGMA user_version=2");
    for (int round = 0; round < 2; round++) {
        store = open_store();
        edgeops_table *table = read_all(store, "press/1");
        cr_assert_eq(table->rows, 100);
        cr_assert_eq(table->columns[0].i64[99], 99);
        edgeops_table_free(table);
        cr_assert_eq(eop_store_parts(store, "press/1"), 0);
        edgeops_store_close(store);
        cr_assert_eq(ask_sql("data/telemetry.db", "PRAGMA user_version"), 3);
        cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(parts) FROM state"), 0);
        cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM sqlite_schema WHERE"
                                                  " type = 'index' AND tbl_name = 'chunk' AND"
                                                  " (name LIKE 'small%' OR name LIKE 'full%')"),
                     4);
    }
}

Test(store_migrate, chunks_of_a_newer_program_are_refused_and_stay_as_they_are) {
    edgeops_store_close(open_store());
    run_sql("data/telemetry.db", "PRAGMA user_version=4");
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    cr_assert_eq(edgeops_store_open(&store, home, &options), EDGEOPS_E_VERSION);
    cr_assert_not_null(strstr(edgeops_error_last()->message, "use a newer edgeops"));
    cr_assert_null(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "PRAGMA user_version"), 4);
}
