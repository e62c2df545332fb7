/* SPDX-License-Identifier: Apache-2.0 */
/* Each system call on the disk and each allocation, SQLite's too, fails in turn in each operation
 * of a store: the call reports it, the store goes on, and everything acknowledged is there. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/time.h"
#include "catalog/policy.h"
#include "edgeops/context.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "failing_memory.h"
#include "store/compact.h"
#include "store/inner.h"
#include "store/retention.h"
#include "store_fixture.h"
#include "support/disk.h"

TestSuite(store_fault, .init = make_home, .timeout = 100);

/* -- memory -- */

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_alloc(int size) {
    return allocation_fails() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size) {
    return allocation_fails() ? NULL : sqlite_memory.xRealloc(memory, size);
}

static void use_failing_memory(void) {
    take_failing_memory();
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory), SQLITE_OK);
    sqlite3_mem_methods methods = sqlite_memory;
    methods.xMalloc = sqlite_alloc;
    methods.xRealloc = sqlite_realloc;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
}

/* -- what a store does; `n` is another number each time -- */

enum { BASE = 30 }; /* rows of "base" that are there, in chunks and in the journal */

static edgeops_status open_as(edgeops_store **store, edgeops_durability durability) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability = durability;
    return edgeops_store_open(store, home, &options);
}

static edgeops_status append(edgeops_store *store, int64_t n) {
    return put(store, "rows", n, 0, "x", i64(n), NULL);
}

static edgeops_status append_new(edgeops_store *store, int64_t n) {
    char asset[32];
    snprintf(asset, sizeof asset, "new/%lld", (long long)n);
    return put(store, asset, 1, 0, "x", i64(n), NULL);
}

static edgeops_status flush(edgeops_store *store, int64_t n) {
    edgeops_status status = append(store, n);
    return status == EDGEOPS_OK ? eop_store_flush(store) : status;
}

/* A row and a part of it in place, a part of the row before, which mostly is in a chunk, and of one
 * that has several. */
static edgeops_status append_parts(edgeops_store *store, int64_t n) {
    edgeops_status status = put(store, "parts", n, 0, "x", i64(n), NULL);
    if (status == EDGEOPS_OK) {
        status = put(store, "parts", n, 0, "y", text("in place"), NULL);
    }
    if (status == EDGEOPS_OK && n % 3 == 0) {
        status = eop_store_flush(store);
    }
    if (status == EDGEOPS_OK && n > 1) {
        status = put(store, "parts", n - 1, 0, "z", i64(-n), NULL);
    }
    return status == EDGEOPS_OK && n > 2 ? put(store, "parts", n - 2, 0, "w", i64(n), NULL)
                                         : status;
}

/* The same, with its chunks merged each time. */
static edgeops_status compact_parts(edgeops_store *store, int64_t n) {
    eop_compacted compacted;
    edgeops_status status = append_parts(store, n);
    return status == EDGEOPS_OK ? eop_store_compact(&compacted, store, "parts", NULL, NULL)
                                : status;
}

/* An old row and a young one, and parts of both in a chunk that stays. */
static edgeops_status retain_parts(edgeops_store *store, int64_t n) {
    eop_retained retained;
    int64_t young = eop_now();
    edgeops_status status = put(store, "trimmed", n, 0, "x", i64(n), NULL);
    if (status == EDGEOPS_OK) {
        status = eop_store_flush(store);
    }
    for (int k = 0; status == EDGEOPS_OK && k < 3; k++) {
        status = put(store, "trimmed", k < 2 ? young : n, 0, k == 0 ? "x" : "y", i64(k), NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_store_flush(store);
    }
    return status == EDGEOPS_OK
               ? eop_retention_run(&retained, store, EOP_RETENTION_DROP, NULL, NULL)
               : status;
}

enum { HALVES = 10 };

/* Rows of "half" came in two parts, some of them in chunks. */
static edgeops_status follow_parts(edgeops_store *store, int64_t n) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    uint64_t next = 1;
    (void)n;
    options.asset = "half";
    edgeops_status status = edgeops_cursor_open(&cursor, store, &options);
    while (status == EDGEOPS_OK &&
           (status = edgeops_cursor_next(&block, cursor, 3)) == EDGEOPS_OK) {
        for (uint64_t i = 0; i < block->rows; i++, next++) {
            cr_assert_eq(block->ordinals[i], next);
            cr_assert_eq(block->parts != NULL && block->parts[i] != 0, next > HALVES);
            cr_assert_eq(edgeops_column_value(&block->columns[next > HALVES], i).as.i64,
                         (int64_t)((next - 1) % HALVES));
        }
    }
    edgeops_cursor_close(cursor);
    cr_assert(status != EDGEOPS_DONE || next == 2 * HALVES + 1);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static void check_parts(edgeops_store *store, int64_t rows) {
    edgeops_table *table = read_all(store, "parts");
    cr_assert_eq(table->rows, (uint64_t)rows);
    for (int64_t i = 0; i < rows; i++) {
        int64_t n = i + 1;
        cr_assert_eq(table->times[i], n);
        cr_assert_eq(table->columns[0].i64[i], n);
        cr_assert_eq(edgeops_column_value(&table->columns[1], (uint64_t)i).size, 8);
        cr_assert(n == rows || table->columns[2].i64[i] == -(n + 1));
        cr_assert(n >= rows - 1 || table->columns[3].i64[i] == n + 2);
    }
    edgeops_table_free(table);
    cr_assert_eq(eop_store_parts(store, "parts"), (uint64_t)(3 * rows - 3));
}

/* Two rows have the same image. */
static size_t make_image(char bytes[700], int64_t n) {
    size_t size = 500 + (size_t)(n / 2 % 200);
    memset(bytes, 'i', size);
    snprintf(bytes, size, "image %lld", (long long)(n / 2));
    return size;
}

static edgeops_status append_image(edgeops_store *store, int64_t n) {
    char bytes[700];
    size_t size = make_image(bytes, n);
    edgeops_status status = put(
        store, "images", n, 0, "image",
        (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = (uint32_t)size, .as.data = bytes}, NULL);
    return status == EDGEOPS_OK ? eop_store_flush(store) : status;
}

static edgeops_status create_set(edgeops_store *store, int64_t n) {
    char name[32];
    const char *asset = "base";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    snprintf(name, sizeof name, "s%lld", (long long)n);
    options.name = name;
    options.assets = &asset;
    options.asset_count = 1;
    edgeops_status status = edgeops_dataset_create(store, &options);
    return status == EDGEOPS_E_EXISTS ? EDGEOPS_OK : status; /* it was there, and said to fail */
}

static edgeops_status open_set(edgeops_store *store, int64_t n) {
    edgeops_dataset *set = NULL;
    (void)n;
    edgeops_status status = edgeops_dataset_read(&set, store, "frozen");
    edgeops_dataset_free(set);
    return status;
}

static edgeops_status add_label(edgeops_store *store, int64_t n) {
    edgeops_label label = {.asset = "base", .start = n, .end = n + 1, .label = "l"};
    return edgeops_label_add(NULL, store, &label, 1);
}

static edgeops_status remove_asset(edgeops_store *store, int64_t n) {
    (void)n;
    edgeops_status status = put(store, "gone", n, 0, "x", i64(n), NULL);
    if (status == EDGEOPS_OK) {
        status = edgeops_asset_remove(store, "gone");
    }
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static edgeops_status retain(edgeops_store *store, int64_t n) {
    eop_retained retained;
    edgeops_status status = put(store, "old", n, 0, "x", i64(n), NULL);
    if (status == EDGEOPS_OK) {
        status = eop_store_flush(store);
    }
    return status == EDGEOPS_OK
               ? eop_retention_run(&retained, store, EOP_RETENTION_DROP, NULL, NULL)
               : status;
}

static edgeops_status set_type(edgeops_store *store, int64_t n) {
    char asset[32];
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    snprintf(asset, sizeof asset, "typed/%lld", (long long)n);
    options.asset = asset;
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    edgeops_status status = put(store, asset, n, 0, "x", i64(n), NULL);
    return status == EDGEOPS_OK ? edgeops_channel_retype(NULL, store, &options) : status;
}

static edgeops_status set_type_of_parts(edgeops_store *store, int64_t n) {
    char asset[32];
    snprintf(asset, sizeof asset, "typed/%lld", (long long)n);
    edgeops_status status = put(store, asset, n, 0, "y", i64(n), NULL);
    return status == EDGEOPS_OK ? set_type(store, n) : status;
}

static edgeops_status read_rows(edgeops_store *store, int64_t n) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    (void)n;
    query.asset = "base";
    edgeops_status status = edgeops_store_read(&table, store, &query);
    edgeops_table_free(table);
    return status;
}

typedef edgeops_status (*deed)(edgeops_store *store, int64_t n);

/* -- the home before and after -- */

static void make_base(void) {
    edgeops_store *store = NULL;
    eop_policy policy = {.pattern = "old", .max_age = EDGEOPS_SECOND};
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_PROCESS));
    for (int64_t i = 0; i < BASE; i++) {
        CHECK_OK(put(store, "base", i, 0, "x", i64(i), NULL));
        if (i == BASE / 2) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    for (int64_t i = 0; i < 2 * HALVES; i++) {
        CHECK_OK(put(store, "half", i % HALVES, 0, i < HALVES ? "x" : "y", i64(i % HALVES), NULL));
        if (i == HALVES / 2 || i == HALVES * 3 / 2) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    const char *asset = "base";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "frozen";
    options.assets = &asset;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    policy = (eop_policy){.pattern = "trimmed",
                          .max_age = 1000 * 3600 * EDGEOPS_SECOND,
                          .rollups = {EDGEOPS_SECOND},
                          .rollup_count = 1};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    edgeops_store_close(store);
}

/* As many rows as are counted. */
static edgeops_status check_count(const edgeops_asset_info *info, void *user_data) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t rows = 0;
    query.asset = info->name;
    CHECK_OK(edgeops_store_count(&rows, user_data, &query));
    cr_assert_eq(rows, info->rows, "%s: %d rows, not %d", info->name, (int)rows, (int)info->rows);
    return EDGEOPS_OK;
}

static void check_images(edgeops_store *store, int64_t rows) {
    edgeops_table *table = read_all(store, "images");
    cr_assert_eq(table->rows, (uint64_t)rows);
    for (int64_t i = 0; i < rows; i++) {
        char wanted[700];
        edgeops_blob blob;
        void *data = NULL;
        size_t size = 0;
        memcpy(&blob, (const char *)table->columns[0].data + (size_t)i * sizeof blob, sizeof blob);
        CHECK_OK(edgeops_blob_read(&data, &size, store, blob.digest));
        cr_assert_eq(size, make_image(wanted, i + 1));
        cr_assert_eq(memcmp(data, wanted, size), 0);
        edgeops_free(data);
    }
    edgeops_table_free(table);
}

/* Each of "rows" once, those of "base" as they were, of "parts" with all parts, and of "images" with
 * its image. */
static void check_home(edgeops_durability durability, int64_t rows, int64_t parts, int64_t images) {
    edgeops_store *store = NULL;
    CHECK_OK(open_as(&store, durability));
    cr_assert_eq(count_rows(store, "base"), BASE);
    CHECK_OK(open_set(store, 0));
    CHECK_OK(follow_parts(store, 0));
    CHECK_OK(edgeops_asset_list(store, NULL, check_count, store));
    if (rows > 0) {
        edgeops_table *table = read_all(store, "rows");
        cr_assert_eq(table->rows, (uint64_t)rows);
        for (int64_t i = 0; i < rows; i++) {
            cr_assert_eq(table->times[i], i + 1);
            cr_assert_eq(table->columns[0].i64[i], i + 1);
        }
        edgeops_table_free(table);
    }
    if (parts > 0) {
        check_parts(store, parts);
    }
    if (images > 0) {
        check_images(store, images);
    }
    edgeops_store_close(store);
}

static bool expected(edgeops_status status) {
    /* DENIED: SQLite opens a file for reading when it cannot be opened for writing. */
    return status == EDGEOPS_OK || status == EDGEOPS_E_IO || status == EDGEOPS_E_NOMEM ||
           status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_DENIED;
}

/* -- one deed after the other, until the fault is past its end -- */

typedef struct fault {
    disk_plan plan; /* calls 0: an allocation */
    edgeops_durability durability;
} fault;

static void arm(const fault *f, uint64_t nth) {
    if (f->plan.calls == 0) {
        atomic_store(&allocations, 0);
        atomic_store(&fail_at, (long)nth);
    } else {
        disk_plan plan = f->plan;
        plan.nth = nth;
        disk_set(&plan);
    }
}

/* Whether it came to the fault. */
static bool disarm(const fault *f, uint64_t nth) {
    bool reached =
        f->plan.calls == 0 ? (uint64_t)atomic_load(&allocations) >= nth : disk_counted() >= nth;
    atomic_store(&fail_at, 0);
    disk_set(&(disk_plan){0});
    return reached;
}

/* Each one. But there are thousands of allocations in SQLite: with EDGEOPS_TEST_ROUNDS each of
 * them, too, else fewer and fewer. */
static uint64_t next_fault(const fault *f, uint64_t nth) {
#if defined(__SANITIZE_ADDRESS__)
    const uint64_t all_of_first = 8;
#else
    const uint64_t all_of_first = 25;
#endif
    bool thorough = f->plan.calls != 0 || getenv("EDGEOPS_TEST_ROUNDS") != NULL;
    return nth + 1 + (thorough ? 0 : nth / all_of_first);
}

static void try_deed(const char *what, deed d, const fault *f) {
    edgeops_store *store = NULL;
    int64_t n = 0;
    bool counts = d == append || d == flush;
    make_base();
    CHECK_OK(open_as(&store, f->durability));
    for (uint64_t nth = 1;; nth = next_fault(f, nth)) {
        n++;
        arm(f, nth);
        edgeops_status status = d(store, n);
        bool reached = disarm(f, nth);
        cr_assert(expected(status), "%s, fault %d: %s", what, (int)nth,
                  edgeops_error_last()->message);
        if (status != EDGEOPS_OK) {
            edgeops_status again = d(store, n);
            cr_assert(again == EDGEOPS_OK, "%s again after fault %d: %s", what, (int)nth,
                      edgeops_error_last()->message);
        }
        if (!reached || n % 16 == 0) {
            edgeops_store_close(store);
            check_home(f->durability, counts ? n : 0,
                       d == append_parts || d == compact_parts ? n : 0, d == append_image ? n : 0);
            CHECK_OK(open_as(&store, f->durability));
        }
        if (!reached) {
            break;
        }
    }
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("catalog.db", "SELECT count(*) FROM pragma_integrity_check"
                                       " WHERE integrity_check <> 'ok'"),
                 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM pragma_integrity_check"
                                              " WHERE integrity_check <> 'ok'"),
                 0);
    CHECK_OK(eop_remove_tree(home));
}

static void try_open(const fault *f) {
    for (int full = 0; full < 2; full++) {
        for (uint64_t nth = 1;; nth = next_fault(f, nth)) {
            edgeops_store *store = NULL;
            if (full) {
                make_base();
            }
            arm(f, nth);
            edgeops_status status = open_as(&store, f->durability);
            bool reached = disarm(f, nth);
            cr_assert(expected(status), "open, fault %d: %s", (int)nth,
                      edgeops_error_last()->message);
            cr_assert((status == EDGEOPS_OK) == (store != NULL));
            edgeops_store_close(store);
            CHECK_OK(open_as(&store, f->durability));
            CHECK_OK(append(store, 1));
            edgeops_store_close(store);
            if (full) {
                check_home(f->durability, 1, 0, 0);
            }
            CHECK_OK(eop_remove_tree(home));
            if (!reached) {
                break;
            }
        }
    }
}

static void try_all(const fault *f) {
    static const struct {
        const char *what;
        deed deed;
    } deeds[] = {{"append", append},
                 {"append to a new asset", append_new},
                 {"append parts", append_parts},
                 {"compact parts", compact_parts},
                 {"retention of parts", retain_parts},
                 {"change a type of parts", set_type_of_parts},
                 {"follow parts", follow_parts},
                 {"flush", flush},
                 {"append an image and flush", append_image},
                 {"make a dataset", create_set},
                 {"open a dataset", open_set},
                 {"label", add_label},
                 {"remove an asset", remove_asset},
                 {"retention", retain},
                 {"change a type", set_type},
                 {"read", read_rows}};
    disk_watch(folder, false);
    for (size_t i = 0; i < EOP_COUNT(deeds); i++) {
        try_deed(deeds[i].what, deeds[i].deed, f);
    }
    try_open(f);
    disk_release();
    CHECK_OK(eop_remove_tree(folder));
}

#define FAULT(name, ...)                                                                           \
    Test(store_fault, name) {                                                                      \
        fault f = {__VA_ARGS__};                                                                   \
        try_all(&f);                                                                               \
    }

FAULT(each_call_of_the_disk_fails, {.calls = DISK_ANY, .action = DISK_FAIL},
      EDGEOPS_DURABILITY_PROCESS)
FAULT(each_call_of_the_disk_fails_with_power, {.calls = DISK_ANY, .action = DISK_FAIL},
      EDGEOPS_DURABILITY_POWER)
FAULT(each_sync_fails_for_long, {.calls = DISK_SYNC, .action = DISK_FAIL, .times = 1000000},
      EDGEOPS_DURABILITY_POWER)
FAULT(the_disk_is_full_from_each_write_on,
      {.calls = DISK_WRITE | DISK_RESIZE, .action = DISK_FAIL, .error = 28, .times = 1000000},
      EDGEOPS_DURABILITY_PROCESS)
FAULT(each_write_is_cut_short, {.calls = DISK_WRITE, .action = DISK_SHORT, .error = 28},
      EDGEOPS_DURABILITY_PROCESS)

Test(store_fault, each_allocation_fails) {
    fault f = {.durability = EDGEOPS_DURABILITY_POWER};
    use_failing_memory();
    try_all(&f);
}
