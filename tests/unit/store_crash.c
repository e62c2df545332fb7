/* SPDX-License-Identifier: Apache-2.0 */
/* After kill -9 of a process that appends nothing acknowledged is lost or stored twice. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgeops/dataset.h"
#include "store/inner.h"
#include "store_fixture.h"

TestSuite(store_crash, .init = make_home, .fini = remove_home);

enum { KILLS = 25 };

/* Sample n of asset a or b; each third one comes late. The text makes segments fill fast. */
static void put_sample(edgeops_store *store, uint64_t n) {
    static char filler[1500];
    const char *names[2] = {"n", "filler"};
    memset(filler, 'x', sizeof filler);
    edgeops_value values[2] = {
        i64((int64_t)n),
        {.type = EDGEOPS_TYPE_STRING, .size = (uint32_t)(n % sizeof filler), .as.str = filler}};
    int64_t time = (int64_t)n * 100 - (n % 3 == 0 ? 950 : 0);
    edgeops_sample sample = {n % 2 == 0 ? "a" : "b", time, 0, 2, names, values};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
}

static void work(_Atomic uint64_t *acknowledged) {
    edgeops_store *store = open_store();
    /* The broker delivers the last ones again. */
    uint64_t first = atomic_load(acknowledged);
    for (uint64_t n = first > 50 ? first - 50 : 1;; n++) {
        put_sample(store, n);
        if (n > first) {
            atomic_store(acknowledged, n);
        }
        if (n % 2500 == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
}

/* All n up to at least `acknowledged`, each once. */
static void check_all(edgeops_store *store, uint64_t acknowledged) {
    uint64_t total = 0;
    for (int k = 0; k < 2; k++) {
        edgeops_table *table = read_all(store, k == 0 ? "a" : "b");
        uint64_t sum = 0;
        uint64_t most = 0;
        for (uint64_t i = 0; i < table->rows; i++) {
            uint64_t n = (uint64_t)table->columns[0].i64[i];
            sum += n;
            most = n > most ? n : most;
            cr_assert_eq(n % 2, (uint64_t)k);
            cr_assert_eq(table->columns[1].offsets[i + 1] - table->columns[1].offsets[i], n % 1500);
            cr_assert(i == 0 || table->times[i - 1] < table->times[i]);
        }
        uint64_t n = k == 0 ? most / 2 : (most + 1) / 2;
        cr_assert_eq(table->rows, n);
        cr_assert_eq(sum, k == 0 ? n * (n + 1) : n * n);
        total += n;
        edgeops_table_free(table);
    }
    cr_assert(total == acknowledged || total == acknowledged + 1, "%d rows, %d acknowledged",
              (int)total, (int)acknowledged);
}

static void check_dataset(edgeops_store *store, char digest[65]) {
    edgeops_dataset *set = NULL;
    CHECK_OK(edgeops_dataset_read(&set, store, "frozen"));
    if (digest[0] == '\0') {
        strcpy(digest, set->digest);
    }
    cr_assert_str_eq(set->digest, digest);
    edgeops_dataset_free(set);
}

Test(store_crash, nothing_acknowledged_is_lost_or_doubled) {
    dice d = {(uint64_t)getpid() * 2654435761u + 1};
    char digest[65] = "";
    _Atomic uint64_t *acknowledged =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(acknowledged != MAP_FAILED);
    for (int i = 0; i < KILLS; i++) {
        uint64_t target = atomic_load(acknowledged) + below(&d, 1500);
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            work(acknowledged);
            _exit(1);
        }
        while (atomic_load(acknowledged) < target) {
            sched_yield();
        }
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        edgeops_store *store = open_store();
        check_all(store, atomic_load(acknowledged));
        if (digest[0] == '\0' && atomic_load(acknowledged) > 100) {
            edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
            const char *all = "*";
            options.name = "frozen";
            options.assets = &all;
            options.asset_count = 1;
            CHECK_OK(edgeops_dataset_create(store, &options));
        }
        if (atomic_load(acknowledged) > 100) {
            check_dataset(store, digest);
        }
        /* One more than acknowledged may be there: the next round goes on behind it. */
        edgeops_store_close(store);
    }
    munmap((void *)acknowledged, 4096);
}

/* n <= 32 */
static edgeops_status put_table(edgeops_store *store, const char *channel, int64_t first,
                                int64_t n) {
    int64_t numbers[32];
    for (int64_t i = 0; i < n; i++) {
        numbers[i] = first + i;
    }
    edgeops_column column = {
        .name = channel, .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers};
    edgeops_table table = {
        .asset = "a", .rows = (uint64_t)n, .times = numbers, .column_count = 1, .columns = &column};
    return edgeops_store_append_tables(NULL, store, &table, 1, NULL);
}

static void append_and_die(const char *channel, int64_t first, int64_t n, bool by_table) {
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        edgeops_store *store = open_store();
        if (by_table) {
            CHECK_OK(put_table(store, channel, first, n));
        }
        for (int64_t i = first; !by_table && i < first + n; i++) {
            CHECK_OK(put(store, "a", i, 0, channel, i64(i), NULL));
        }
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* A power cut took a channel from the catalog but left rows that use it in the journal; the next
 * channel that comes takes its place. */
static void lose_a_channel(bool by_table) {
    append_and_die("x", 0, 10, by_table);
    append_and_die("lost", 10, 10, by_table);
    run_sql("catalog.db", "DELETE FROM channel WHERE name = 'lost'");
    append_and_die("other", 20, 30, by_table);
    edgeops_store *store = open_store();
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->column_count, 2);
    cr_assert_eq(table->rows, 40);
    for (int64_t i = 0; i < 40; i++) {
        int64_t n = i < 10 ? i : i + 10;
        cr_assert_eq(table->times[i], n);
        cr_assert_eq(table->columns[i < 10 ? 0 : 1].i64[i], n);
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_crash, rows_of_a_lost_channel_neither_return_nor_displace_others) {
    lose_a_channel(false);
}

Test(store_crash, tables_of_a_lost_channel_neither_return_nor_displace_others) {
    lose_a_channel(true);
}

/* The same with first parts, whose rows then begin with what came after them. */
Test(store_crash, a_row_that_lost_its_first_part_begins_with_the_next_one) {
    append_and_die("x", 0, 10, false);
    append_and_die("y", 5, 5, false);
    append_and_die("lost", 10, 10, false);
    append_and_die("x", 10, 5, false);
    append_and_die("y", 10, 10, false);
    run_sql("catalog.db", "DELETE FROM channel WHERE name = 'lost'");
    for (int round = 0; round < 3; round++) {
        edgeops_store *store = open_store();
        edgeops_table *table = read_all(store, "a");
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_asset_info *info = NULL;
        uint64_t counted = 0;
        query.asset = "a";
        CHECK_OK(edgeops_store_count(&counted, store, &query));
        CHECK_OK(edgeops_asset_get(&info, store, "a"));
        cr_assert_eq(table->rows, 20);
        cr_assert_eq(counted, 20);
        cr_assert_eq(info->rows, 20);
        /* Those of 5 to 9, and of 10 to 14, which now are the parts of what "x" began. */
        cr_assert_eq(eop_store_parts(store, "a"), 10);
        for (int64_t i = 0; i < 20; i++) {
            cr_assert_eq(table->times[i], i);
            cr_assert_eq(edgeops_column_value(&table->columns[0], (uint64_t)i).type,
                         i < 15 ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_NULL);
            cr_assert_eq(edgeops_column_value(&table->columns[1], (uint64_t)i).type,
                         i < 5 ? EDGEOPS_TYPE_NULL : EDGEOPS_TYPE_INT64);
        }
        if (round == 1) {
            CHECK_OK(eop_store_flush(store));
        }
        edgeops_free(info);
        edgeops_table_free(table);
        edgeops_store_close(store);
    }
}
