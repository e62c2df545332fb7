/* SPDX-License-Identifier: Apache-2.0 */
/* A lost file is not taken for a new home, and a home that was half made is made to the end. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fixture.h"

TestSuite(store_home, .init = make_home, .fini = remove_home, .timeout = 60);

static const char *in_home(const char *name) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void make_empty(const char *name) {
    CHECK_OK(eop_file_write(in_home(name), "", 0, 0600));
}

static int64_t size_of(const char *name) {
    struct stat st;
    return stat(in_home(name), &st) == 0 ? (int64_t)st.st_size : -1;
}

static void fill_home(bool flush) {
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    if (flush) {
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
}

/* Refused again and again, for the sake of that file, which stays as it is. */
static void check_refused(const char *name) {
    edgeops_store *store = NULL;
    int64_t size = size_of(name);
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_open(&store, home, NULL));
        cr_assert(store == NULL);
        cr_assert(strstr(edgeops_error_last()->message, name) != NULL &&
                      strstr(edgeops_error_last()->message, "backup") != NULL,
                  "%s", edgeops_error_last()->message);
        cr_assert_eq(size_of(name), size);
    }
}

/* Missing, empty, or a database with nothing in it. */
static void lose(const char *name, int how) {
    if (how == 0) {
        cr_assert_eq(unlink(in_home(name)), 0);
    } else {
        make_empty(name);
    }
    if (how == 2) {
        run_sql(name, "PRAGMA journal_mode=WAL");
        cr_assert_gt(size_of(name), 0);
    }
}

static void lose_and_restore(const char *name, bool flush) {
    for (int how = 0; how < 3; how++) {
        char *bytes = NULL;
        size_t size = 0;
        fill_home(flush);
        CHECK_OK(eop_file_read(&bytes, &size, in_home(name), 16 * 1024 * 1024));
        lose(name, how);
        check_refused(name);
        CHECK_OK(eop_file_write(in_home(name), bytes, size, 0600));
        eop_free(bytes);
        edgeops_store *store = open_store();
        cr_assert_eq(count_rows(store, "a"), 1);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

Test(store_home, lost_catalog_is_refused) {
    lose_and_restore("catalog.db", false);
    lose_and_restore("catalog.db", true);
}

Test(store_home, lost_chunks_are_refused) {
    lose_and_restore("data/telemetry.db", false);
    lose_and_restore("data/telemetry.db", true);
}

Test(store_home, lost_catalog_beside_nothing_but_a_journal_or_a_model_is_refused) {
    fill_home(false);
    make_empty("catalog.db");
    cr_assert_eq(unlink(in_home("data/telemetry.db")), 0);
    check_refused("catalog.db");
    CHECK_OK(eop_remove_tree(in_home("data")));
    CHECK_OK(eop_mkdirs(in_home("models/m"), 0700));
    check_refused("catalog.db");
}

/* The WAL of a killed program may be all that there is of it. */
Test(store_home, refusal_keeps_the_wal) {
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        edgeops_store *store = open_store();
        CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    int64_t wal = size_of("catalog.db-wal");
    cr_assert_gt(wal, 0);
    make_empty("catalog.db");
    check_refused("catalog.db");
    cr_assert_eq(size_of("catalog.db-wal"), wal);
}

Test(store_home, databases_of_two_homes_are_told_apart) {
    char *bytes = NULL;
    size_t size = 0;
    fill_home(true);
    CHECK_OK(eop_file_read(&bytes, &size, in_home("data/telemetry.db"), 16 * 1024 * 1024));
    CHECK_OK(eop_remove_tree(home));
    fill_home(true);
    CHECK_OK(eop_file_write(in_home("data/telemetry.db"), bytes, size, 0600));
    eop_free(bytes);
    check_refused("data/telemetry.db");
}

/* As a kill leaves it: `steps` of the making are done. */
static void make_in_part(int steps) {
    CHECK_OK(eop_mkdirs(home, 0700));
    make_empty("catalog.db");
    if (steps == 1) {
        run_sql("catalog.db", "PRAGMA journal_mode=WAL");
    }
    if (steps < 2) {
        return;
    }
    cr_assert_eq(unlink(in_home("catalog.db")), 0);
    edgeops_store_close(open_store());
    CHECK_OK(eop_remove_tree(in_home("data/journal")));
    run_sql("catalog.db", "DELETE FROM meta WHERE key = 'complete'");
    if (steps < 6) {
        run_sql("data/telemetry.db", "DELETE FROM meta WHERE key = 'home'");
    }
    if (steps == 4 || steps == 3) {
        lose("data/telemetry.db", steps - 2);
    } else if (steps == 2) {
        run_sql("catalog.db", "DELETE FROM meta WHERE key = 'home'");
        CHECK_OK(eop_remove_tree(in_home("data")));
    }
}

Test(store_home, half_made_home_is_finished) {
    for (int steps = 0; steps < 7; steps++) {
        make_in_part(steps);
        fill_home(true);
        edgeops_store *store = open_store();
        cr_assert_eq(count_rows(store, "a"), 1);
        edgeops_store_close(store);
        cr_assert_eq(ask_sql("catalog.db", "SELECT value FROM meta WHERE key = 'complete'"), 1);
        lose("data/telemetry.db", 1);
        check_refused("data/telemetry.db");
        CHECK_OK(eop_remove_tree(home));
    }
}

/* Wherever it hits: the next opening works. */
Test(store_home, opening_that_is_killed_can_be_repeated) {
    dice d = {(uint64_t)getpid() * 2654435761u + 1};
    _Atomic int *begun =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(begun != MAP_FAILED);
    for (int i = 0; i < 80; i++) {
        atomic_store(begun, 0);
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            atomic_store(begun, 1);
            edgeops_store_close(open_store());
            _exit(0);
        }
        while (atomic_load(begun) == 0) {
            sched_yield();
        }
        for (uint64_t n = below(&d, 4000); n > 0; n--) {
            sched_yield();
        }
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        fill_home(false);
        CHECK_OK(eop_remove_tree(home));
    }
    munmap((void *)begun, 4096);
}

/* The host may change its working directory while a store is open. */
Test(store_home, a_relative_home_stays_where_it_was) {
    edgeops_store *store = NULL;
    char *slash = strrchr(home, '/');
    char parent[160];
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - home), home);
    cr_assert_eq(chdir(parent), 0);
    CHECK_OK(edgeops_store_open(&store, slash + 1, NULL));
    cr_assert_eq(chdir("/"), 0);
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(put(store, "a", 2, 0, "x", f64(2), NULL));
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(put(store, "a", 3, 0, "x", f64(3), NULL));
    edgeops_store_close(store);
    cr_assert_geq(size_of("data/telemetry.db"), 1);
}

static edgeops_store *open_short(void) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.free_floor_bytes = UINT64_MAX / 2; /* more than any disk has free */
    CHECK_OK(edgeops_store_open(&store, home, &options));
    return store;
}

static int other_program(const char *text) {
    sqlite3 *db = NULL;
    int rc = sqlite3_open(in_home("catalog.db"), &db);
    rc = rc == SQLITE_OK ? sqlite3_exec(db, text, NULL, NULL, NULL) : rc;
    sqlite3_close(db);
    return rc;
}

/* In a process that has nothing of this one. */
static int asked_elsewhere(const char *text) {
    char command[640];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import sqlite3, sys\nc = sqlite3.connect('%s', timeout=0)\n"
             "try: c.execute('%s')\nexcept sqlite3.OperationalError as e: sys.exit(str(e) == "
             "'database is locked')\"",
             in_home("catalog.db"), text);
    return WEXITSTATUS(system(command));
}

Test(store_home, with_little_room_no_file_is_mapped_and_others_are_locked_out) {
    edgeops_store *store = open_store();
    for (int i = 0; i < 100; i++) {
        CHECK_OK(put(store, i % 2 ? "a" : "b", i, 0, "x", f64(i), NULL));
    }
    cr_assert_geq(size_of("catalog.db-shm"), 4 * 32768); /* whole from the beginning */
    cr_assert_geq(size_of("data/telemetry.db-shm"), 4 * 32768);
    cr_assert_eq(asked_elsewhere("SELECT * FROM meta"), 0);
    edgeops_store_close(store);
    cr_assert(size_of("catalog.db-shm") < 0 && size_of("data/telemetry.db-shm") < 0);
    cr_assert(size_of("catalog.db-wal") == 0 && size_of("data/telemetry.db-wal") == 0);
    store = open_short();
    cr_assert_eq(count_rows(store, "a"), 50);
    CHECK_CODE(EDGEOPS_E_LIMIT, put(store, "a", 1000, 0, "x", f64(0), NULL));
    CHECK_OK(edgeops_asset_remove(store, "b"));
    cr_assert_eq(count_rows(store, "a"), 50);
    cr_assert(size_of("catalog.db-shm") < 0 && size_of("data/telemetry.db-shm") < 0);
    cr_assert_gt(size_of("catalog.db-wal"), 0);
    cr_assert_eq(asked_elsewhere("SELECT * FROM meta"), 1);
    edgeops_store_close(store);
    cr_assert_eq(other_program("SELECT * FROM meta"), SQLITE_OK);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 50);
    CHECK_OK(put(store, "b", 1, 0, "x", f64(1), NULL));
    cr_assert_eq(count_rows(store, "b"), 1);
    edgeops_store_close(store);
}

/* In a child of a fork SQLite has what the parent's connections knew at that moment. */
Test(store_home, a_child_does_not_open_what_its_parent_had_open_on_a_full_disk) {
    int ends[2];
    char byte = 0;
    fill_home(true);
    cr_assert_eq(pipe(ends), 0);
    edgeops_store *store = open_short();
    pid_t child = fork();
    if (child == 0) {
        edgeops_store *own = NULL;
        close(ends[1]);
        (void)!read(ends[0], &byte, 1); /* until the parent closed it */
        edgeops_status status = edgeops_store_open(&own, home, NULL);
        bool told = strstr(edgeops_error_last()->message, "forked") != NULL;
        home[strlen(home) - 1] ^= 1; /* another one */
        edgeops_status other = edgeops_store_open(&own, home, NULL);
        edgeops_store_close(own);
        CHECK_OK(eop_remove_tree(home));
        _exit(status == EDGEOPS_E_UNSUPPORTED && told && other == EDGEOPS_OK ? 0 : 1);
    }
    edgeops_store_close(store);
    close(ends[1]);
    int code = 0;
    cr_assert_eq(waitpid(child, &code, 0), child);
    cr_assert_eq(code, 0);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 1);
    edgeops_store_close(store);
}
