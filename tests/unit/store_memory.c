/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a typical session of a store fails once: the call reports it, and everything
 * acknowledged is there afterwards. */
#include "catalog/outbox.h"
#include "catalog/record.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "measured_memory.h"
#include "store/inner.h"
#include "store/room.h"
#include "store_fixture.h"
#include "support/disk.h"

TestSuite(store_memory, .init = make_home, .timeout = 110);

static edgeops_status ignore_record(const char *name, const char *json, void *data) {
    (void)name;
    (void)json;
    (void)data;
    return EDGEOPS_OK;
}

static edgeops_status ignore_label(const edgeops_label *label, void *data) {
    (void)label;
    (void)data;
    return EDGEOPS_OK;
}

static edgeops_status ignore_asset(const edgeops_asset_info *asset, void *data) {
    (void)asset;
    (void)data;
    return EDGEOPS_OK;
}

/* rows: how many were acknowledged. */
static edgeops_status fill_store(edgeops_store *store, uint64_t *rows) {
    const char *names[3] = {"x", "y", "z"};
    edgeops_status status = EDGEOPS_OK;
    for (int i = 0; status == EDGEOPS_OK && i < 40; i++) {
        edgeops_value values[3] = {f64(i), i64(i), text("some text")};
        edgeops_sample samples[2] = {{"a", i * 10, 0, 1 + (size_t)(i % 3), names, values},
                                     {"b", i * 10 - (i % 5 == 0 ? 45 : 0), i, 3, names, values}};
        status = edgeops_store_append(NULL, store, samples, 2, NULL);
        *rows += status == EDGEOPS_OK ? 2 : 0;
        if (status == EDGEOPS_OK && i == 20) {
            status = eop_store_flush(store);
        }
    }
    return status;
}

static edgeops_status read_store(edgeops_store *store) {
    edgeops_table *table = NULL;
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "b";
    query.max_ordinal = 33;
    edgeops_status status = edgeops_store_read(&table, store, &query);
    edgeops_table_free(table);
    if (status == EDGEOPS_OK) {
        status = edgeops_asset_list(store, NULL, ignore_asset, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_cursor_open(
            &cursor, store,
            &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "b", NULL, 0, 0});
    }
    while (status == EDGEOPS_OK) {
        status = edgeops_cursor_next(&block, cursor, 7);
    }
    edgeops_cursor_close(cursor);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status use_catalog(edgeops_store *store) {
    const char *all = "*";
    char *json = NULL;
    edgeops_label label = {.asset = "a", .start = 5, .end = 200, .label = "l"};
    eop_outbox_message message = {.destination = "m", .topic = "t", .payload = "p", .size = 1};
    edgeops_dataset *set = NULL;
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = &all;
    options.asset_count = 1;
    edgeops_status status = edgeops_label_add(NULL, store, &label, 1);
    if (status == EDGEOPS_OK) {
        status = edgeops_label_list(NULL, store, NULL, ignore_label, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_dataset_create(store, &options);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_dataset_read(&set, store, "d");
        edgeops_dataset_free(set);
    }
    if (status == EDGEOPS_OK) {
        status = eop_record_put(eop_store_catalog(store), "run", "1", "{}", true);
    }
    if (status == EDGEOPS_OK) {
        status = eop_record_get(&json, eop_store_catalog(store), "run", "1");
        eop_free(status == EDGEOPS_OK ? json : NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_record_list(eop_store_catalog(store), "run", ignore_record, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_outbox_commit(eop_store_catalog(store), "d", 1, "{}", &message, 1);
    }
    return status;
}

static edgeops_status live(uint64_t *rows) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    edgeops_status status = edgeops_store_open(&store, home, &options);
    if (status == EDGEOPS_OK) {
        status = fill_store(store, rows);
    }
    if (status == EDGEOPS_OK) {
        status = read_store(store);
    }
    if (status == EDGEOPS_OK) {
        status = use_catalog(store);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_asset_remove(store, "none");
        status = status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
    }
    edgeops_store_close(store);
    return status;
}

Test(store_memory, every_failed_allocation_is_reported_and_loses_nothing) {
    take_failing_memory();
    edgeops_status status = EDGEOPS_E_NOMEM;
    long n = 0;
    disk_watch(folder, false); /* saves some thousand syncs */
    while (status != EDGEOPS_OK) {
        uint64_t rows = 0;
        allocations = 0;
        fail_at = ++n;
        status = live(&rows);
        bool all_done = allocations < fail_at;
        fail_at = 0;
        /* The writer may meet the failure alone and try again: then nobody else sees it. */
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "allocation %ld: %s", n,
                  edgeops_error_last()->message);
        if (status == EDGEOPS_OK && !all_done) {
            status = EDGEOPS_E_NOMEM;
        }
        edgeops_store *store = open_store();
        if (rows > 0) {
            cr_assert_eq(count_rows(store, "a") + count_rows(store, "b"), rows, "allocation %ld",
                         n);
        }
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
    cr_assert(n > 200);
    CHECK_OK(eop_remove_tree(folder));
}

/* A controller that publishes each of its 1,024 tags alone. */
Test(store_memory, asset_with_one_of_many_channels_a_sample_stays_small) {
    enum { SAMPLES = 20000, CHANNELS = 1024 };
    static char names[CHANNELS][8];
    take_measured_memory();
    edgeops_store *store = open_store();
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
    }
    for (int i = 0; i < SAMPLES; i++) {
        CHECK_OK(put(store, "plc", i, 0, names[i % CHANNELS], f64(i), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    eop_store_stats stats;
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert_lt(peak_bytes, 48u * 1024 * 1024, "%zu bytes of memory", peak_bytes);
    cr_assert_lt(stats.disk_bytes, 24u * 1024 * 1024, "%llu bytes of disk",
                 (unsigned long long)stats.disk_bytes);
    const char *channels[2] = {names[0], names[CHANNELS - 1]};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "plc";
    query.channels = channels;
    query.channel_count = 2;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    cr_assert_eq(table->rows, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        cr_assert_eq(table->columns[0].valid[i], i % CHANNELS == 0);
        cr_assert_eq(table->columns[1].valid[i], i % CHANNELS == CHANNELS - 1);
        cr_assert(i % CHANNELS != 0 || table->columns[0].f64[i] == i);
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
    remove_home();
}
