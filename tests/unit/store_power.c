/* SPDX-License-Identifier: Apache-2.0 */
/* Durability POWER: the setting, which calls wait for the disk, and what a disk holds after a power
 * cut. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/room.h"
#include "store/upkeep.h"
#include "store_fixture.h"
#include "support/life.h"

TestSuite(store_power, .init = make_home, .fini = remove_home, .timeout = 100);

static edgeops_store *open_as(edgeops_durability durability) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability = durability;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    return store;
}

Test(store_power, home_remembers_its_durability) {
    edgeops_store *store = open_as(EDGEOPS_DURABILITY_DEFAULT);
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_PROCESS);
    edgeops_store_close(store);
    store = open_as(EDGEOPS_DURABILITY_POWER);
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_POWER);
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    edgeops_store_close(store);
    store = open_as(EDGEOPS_DURABILITY_DEFAULT);
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_POWER);
    CHECK_OK(edgeops_store_set_durability(store, EDGEOPS_DURABILITY_DEFAULT));
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_POWER);
    CHECK_OK(edgeops_store_set_durability(store, EDGEOPS_DURABILITY_PROCESS));
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_PROCESS);
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_set_durability(store, (edgeops_durability)7));
    CHECK_OK(put(store, "a", 2, 0, "x", f64(1), NULL));
    edgeops_store_close(store);
    store = open_as(EDGEOPS_DURABILITY_DEFAULT);
    cr_assert_eq(edgeops_store_durability(store), EDGEOPS_DURABILITY_PROCESS);
    cr_assert_eq(count_rows(store, "a"), 2);
    edgeops_store_close(store);
}

enum { THREADS = 4, EACH = 300 };

typedef struct appender {
    edgeops_store *store;
    int64_t first;
} appender;

static atomic_uint_least64_t told;
static atomic_uint failures; /* Criterion's asserts leave memory behind in a thread */

static void *append_some(void *data) {
    appender *a = data;
    for (int64_t i = 0; i < EACH; i++) {
        const char *asset = i % 2 == 0 ? "shared" : "other";
        if (put(a->store, asset, a->first + i, 0, "x", f64(1), NULL) != EDGEOPS_OK) {
            atomic_fetch_add(&failures, 1);
        }
    }
    return NULL;
}

static void on_news(const char *asset, uint64_t ordinal, void *data) {
    (void)data;
    if (strcmp(asset, "shared") == 0 && atomic_exchange(&told, ordinal) > ordinal) {
        atomic_fetch_add(&failures, 1); /* ordinals go back */
    }
}

/* Each row is told of, and a cursor gives all that was told of, however the threads overlap. */
Test(store_power, threads_share_syncs_and_cursor_follows) {
    edgeops_store *store = open_as(EDGEOPS_DURABILITY_POWER);
    pthread_t threads[THREADS];
    appender appenders[THREADS];
    edgeops_cursor *cursor = NULL;
    uint64_t seen = 0;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "shared", NULL, 0, 0}));
    edgeops_watch *watch = NULL;
    CHECK_OK(edgeops_watch_open(&watch, store, on_news, NULL));
    for (int k = 0; k < THREADS; k++) {
        appenders[k] = (appender){store, k * 1000000};
        cr_assert_eq(pthread_create(&threads[k], NULL, append_some, &appenders[k]), 0);
    }
    while (seen < THREADS * EACH / 2) {
        const edgeops_table *block = NULL;
        uint64_t known = atomic_load(&told);
        edgeops_status status = edgeops_cursor_next(&block, cursor, 100);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_DONE);
        cr_assert(status == EDGEOPS_OK || known <= seen);
        for (uint64_t i = 0; status == EDGEOPS_OK && i < block->rows; i++) {
            cr_assert_eq(block->ordinals[i], ++seen);
        }
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(threads[k], NULL);
    }
    cr_assert_eq(atomic_load(&failures), 0);
    cr_assert_eq(atomic_load(&told), THREADS * EACH / 2);
    edgeops_cursor_close(cursor);
    edgeops_watch_close(watch);
    edgeops_store_close(store);
}

/* Homes that are made, live through some cuts, each at any call, and are left. */
static void cut_often(life_kind kind, edgeops_durability durability, int lives, bool kills) {
    dice d = {durability == EDGEOPS_DURABILITY_POWER ? 11 : 23};
    for (int i = 0; i < life_rounds(lives); i++) {
        uint64_t seed = roll(&d) >> 20;
        if (i % 10 == 0) {
            if (i > 0) {
                life_end();
                CHECK_OK(eop_remove_tree(home));
            }
            life_begin(folder, kind);
        }
        /* The first ones while the home is made. */
        disk_plan plan = {.calls = DISK_ANY,
                          .nth = 1 + seed % (i % 20 == 0 || i % 10 == 1 ? 120 : 1500),
                          .action = kills && i % 3 == 2 ? DISK_KILL : DISK_CUT,
                          .seed = seed};
        life_live(durability, &plan, seed);
    }
    life_end();
}

Test(store_power, grown_segments_lose_nothing_when_the_power_goes) {
    cut_often(LIFE_MANY, EDGEOPS_DURABILITY_POWER, 20, false);
}

Test(store_power, nothing_acknowledged_is_lost_when_the_power_goes) {
    cut_often(LIFE_MIXED, EDGEOPS_DURABILITY_POWER, 100, false);
}

Test(store_power, durability_process_is_consistent_when_the_power_goes) {
    cut_often(LIFE_MIXED, EDGEOPS_DURABILITY_PROCESS, 75, true);
}

/* -- durability PROCESS: the last seconds -- */

enum { EARLY = 40, LATE = 5 };

static bool all_synced(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    bool all = store->synced == store->writes;
    pthread_mutex_unlock(&store->lock);
    return all;
}

/* Nothing of Criterion here. */
static void append_until_cut(bool slowly, uint64_t seed) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.sync_interval = 5 * EDGEOPS_MILLISECOND;
    disk_watch(folder, true);
    if (edgeops_store_open(&store, home, &options) != EDGEOPS_OK) {
        _exit(4);
    }
    for (int64_t i = 0; i < EARLY + LATE; i++) {
        if (put(store, "a", i, 0, "x", f64((double)i), NULL) != EDGEOPS_OK) {
            _exit(5);
        }
        /* Again and again idle, or only once. */
        while ((slowly || i == EARLY - 1) && i < EARLY && !all_synced(store)) {
            sched_yield();
        }
    }
    disk_cut(seed);
}

/* Nobody asks for a sync: the writer does it by itself. What was synced comes back whole; what came
 * later may be lost, and is not taken for damage. */
Test(store_power, durability_process_loses_only_what_is_newer_than_the_interval) {
    dice d = {31};
    for (int i = 0; i < life_rounds(16); i++) {
        int status = 0;
        eop_store_stats stats = {0};
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            append_until_cut(i % 2 == 0, roll(&d) + (uint64_t)i);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
        cr_assert(disk_restore(folder));
        edgeops_store *store = open_as(EDGEOPS_DURABILITY_PROCESS);
        edgeops_table *table = read_all(store, "a");
        cr_assert_geq(table->rows, EARLY);
        for (int64_t row = 0; row < EARLY; row++) {
            cr_assert_eq(table->times[row], row);
        }
        edgeops_table_free(table);
        CHECK_OK(eop_store_get_stats(store, &stats));
        cr_assert_eq(stats.damaged, 0);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* The segment takes no more rows, and what it has becomes chunks. */
Test(store_power, a_failed_sync_in_the_background_loses_nothing) {
    disk_plan fail = {.calls = DISK_SYNC, .name = ".seg", .nth = 1, .action = DISK_FAIL};
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.free_floor_bytes = 1;
    options.sync_interval = EDGEOPS_MILLISECOND;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    disk_watch(folder, false);
    disk_set(&fail);
    CHECK_OK(put(store, "a", 0, 0, "x", f64(0), NULL));
    uint64_t first = eop_journal_active(store->journal);
    while (!disk_happened()) {
        sched_yield();
    }
    for (bool doubtful = false; !doubtful;) {
        pthread_mutex_lock(&store->lock);
        doubtful = store->doubtful_segment == first;
        pthread_mutex_unlock(&store->lock);
    }
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    while (!all_synced(store)) {
        sched_yield();
    }
    cr_assert_eq(eop_journal_active(store->journal), first + 1);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk"), 1);
    disk_release();
    edgeops_store_close(store);
    store = open_as(EDGEOPS_DURABILITY_PROCESS);
    cr_assert_eq(count_rows(store, "a"), 2);
    edgeops_store_close(store);
}

/* One turn of the writer. */
static edgeops_status do_nothing(edgeops_store *store, void *data) {
    (void)store;
    (void)data;
    return EDGEOPS_DONE;
}

/* While nothing comes nothing is synced, and with FOREVER nothing at all. */
Test(store_power, an_idle_store_syncs_nothing) {
    disk_plan count = {.calls = DISK_SYNC, .name = ".seg", .action = DISK_NOTHING};
    for (int never = 0; never < 2; never++) {
        edgeops_store *store = NULL;
        edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
        options.free_floor_bytes = 1;
        options.sync_interval = never ? EDGEOPS_FOREVER : EDGEOPS_MILLISECOND;
        CHECK_OK(edgeops_store_open(&store, home, &options));
        disk_watch(folder, false);
        disk_set(&count);
        CHECK_OK(put(store, "a", never, 0, "x", f64(1), NULL));
        while (!never && !all_synced(store)) {
            sched_yield();
        }
        for (edgeops_duration end = eop_monotonic() + 50 * EDGEOPS_MILLISECOND;
             eop_monotonic() < end;) {
            CHECK_OK(eop_upkeep_do(store, do_nothing, NULL, NULL, NULL));
        }
        cr_assert_eq(disk_counted(), never ? 0 : 1);
        disk_release();
        edgeops_store_close(store);
    }
}

/* -- names -- */

static disk_plan cut_at_sync = {
    .calls = DISK_SYNC, .name = "catalog.db", .nth = 1, .action = DISK_CUT};

/* In the writer's thread, after it has brought the names to the disk that there were, and before it
 * takes a segment: now a row with a new name comes, and its segment is the next. */
static void name_at_the_last_moment(edgeops_log_level level, const char *subsystem,
                                    const char *message, void *user_data) {
    edgeops_store *store = user_data;
    (void)level;
    (void)subsystem;
    (void)message;
    if (put(store, "a", 2, 0, "lost", f64(2), NULL) != EDGEOPS_OK) {
        _exit(2);
    }
    pthread_mutex_lock(&store->lock);
    edgeops_status status = eop_store_rotate(store, 0);
    pthread_mutex_unlock(&store->lock);
    if (status != EDGEOPS_OK) {
        _exit(3);
    }
    disk_set(&cut_at_sync);
}

/* Nothing of Criterion here. */
static void name_until_cut(void) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    disk_watch(folder, true);
    if (edgeops_store_open(&store, home, &options) != EDGEOPS_OK) {
        _exit(4);
    }
    eop_store_set_log(store, &(eop_log){.fn = name_at_the_last_moment, .user_data = store});
    eop_store_note_damage(1, store);
    for (;;) {
        pause();
    }
}

/* A chunk must not be on the disk before the names of its channels are: else its values come back
 * under the name of the next channel, after the power went. */
Test(store_power, names_are_on_the_disk_before_their_chunks) {
    dice d = {7};
    for (int i = 0; i < life_rounds(12); i++) {
        int status = 0;
        edgeops_store *store = open_as(EDGEOPS_DURABILITY_PROCESS);
        CHECK_OK(put(store, "a", 1, 0, "first", f64(1), NULL));
        CHECK_OK(eop_store_flush(store));
        edgeops_store_close(store);
        cut_at_sync.seed = roll(&d) >> 20;
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            name_until_cut();
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
        cr_assert(disk_restore(folder));
        store = open_as(EDGEOPS_DURABILITY_PROCESS);
        CHECK_OK(put(store, "a", 3, 0, "later", f64(3), NULL));
        edgeops_table *table = read_all(store, "a");
        const edgeops_column *later = &table->columns[table->column_count - 1];
        cr_assert_str_eq(later->name, "later");
        for (uint64_t row = 0; row + 1 < table->rows; row++) {
            cr_assert(later->valid != NULL && later->valid[row] == 0, "seed %d: row %d", i,
                      (int)table->times[row]);
        }
        edgeops_table_free(table);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}
