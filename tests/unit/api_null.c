/* SPDX-License-Identifier: Apache-2.0 */
/* Every public function, called with nothing but NULL and 0: an error or nothing, never the end of
 * the process. tests/meta/check_api.py compares the two lists with the headers. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgeops.h"

typedef void (*any_fn)(void);
typedef intptr_t (*zero_fn)(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t,
                            intptr_t);

typedef struct entry {
    const char *name;
    any_fn fn;
} entry;

#define ENTRY(name)                                                                                \
    { "edgeops_" #name, (any_fn)edgeops_##name }

/* These say E_INVALID. */
static const entry fallible[] = {
    ENTRY(asset_get),
    ENTRY(asset_list),
    ENTRY(asset_remove),
    ENTRY(asset_rename),
    ENTRY(blob_read),
    ENTRY(channel_rename),
    ENTRY(channel_retype),
    ENTRY(ctx_dispatch),
    ENTRY(ctx_new),
    ENTRY(cursor_next),
    ENTRY(cursor_open),
    ENTRY(dataset_create),
    ENTRY(dataset_head),
    ENTRY(dataset_read),
    ENTRY(dataset_read_into),
    ENTRY(dataset_read_unchecked),
    ENTRY(dataset_remove),
    ENTRY(dataset_verify),
    ENTRY(driver_list),
    ENTRY(label_add),
    ENTRY(label_add_new),
    ENTRY(label_correct),
    ENTRY(label_list),
    ENTRY(label_remove),
    ENTRY(lane_open),
    ENTRY(lane_predict),
    ENTRY(lane_predict_many),
    ENTRY(lane_submit),
    ENTRY(lane_submit_rows),
    ENTRY(model_open),
    ENTRY(node_call),
    ENTRY(node_call_start),
    ENTRY(node_model),
    ENTRY(node_open),
    ENTRY(node_restore),
    ENTRY(node_runtime),
    ENTRY(node_serve),
    ENTRY(node_start),
    ENTRY(publisher_open),
    ENTRY(publisher_send),
    ENTRY(runtime_new),
    ENTRY(sample_encode),
    ENTRY(set_allocator),
    ENTRY(source_check),
    ENTRY(source_get_stats),
    ENTRY(source_connection),
    ENTRY(source_open),
    ENTRY(source_start),
    ENTRY(store_aggregate),
    ENTRY(store_append),
    ENTRY(store_append_tables),
    ENTRY(store_count),
    ENTRY(store_declare),
    ENTRY(store_open),
    ENTRY(store_read),
    ENTRY(time_parse),
    ENTRY(store_read_into),
    ENTRY(store_set_durability),
    ENTRY(table_arrow),
    ENTRY(table_arrow_stream),
    ENTRY(table_copy),
    ENTRY(training_start),
    ENTRY(virtual_next),
    ENTRY(virtual_next_label),
    ENTRY(virtual_open),
    ENTRY(watch_open),
    ENTRY(workflow_check),
    ENTRY(workflow_init),
    ENTRY(workflow_install),
    ENTRY(workflow_list),
    ENTRY(workflow_open),
    ENTRY(workflow_pack),
    ENTRY(workflow_remove),
};

/* These have nothing to say. */
static const entry harmless[] = {
    ENTRY(append_options_init),
    ENTRY(append_result_init),
    ENTRY(call_cancel),
    ENTRY(call_options_init),
    ENTRY(ctx_fd),
    ENTRY(ctx_free),
    ENTRY(ctx_options_init),
    ENTRY(ctx_stop),
    ENTRY(ctx_timeout),
    ENTRY(cursor_close),
    ENTRY(cursor_options_init),
    ENTRY(cursor_skipped),
    ENTRY(dataset_free),
    ENTRY(dataset_layout_init),
    ENTRY(dataset_options_init),
    ENTRY(error_last),
    ENTRY(free),
    ENTRY(label_query_init),
    ENTRY(label_result_init),
    ENTRY(lane_close),
    ENTRY(lane_options_init),
    ENTRY(layout_init),
    ENTRY(model_close),
    ENTRY(model_info_of),
    ENTRY(node_close),
    ENTRY(node_is_remote),
    ENTRY(node_on_prediction),
    ENTRY(node_options_init),
    ENTRY(node_stop),
    ENTRY(node_store),
    ENTRY(node_workflows),
    ENTRY(publisher_close),
    ENTRY(publisher_options_init),
    ENTRY(query_init),
    ENTRY(retype_options_init),
    ENTRY(retype_result_init),
    ENTRY(runtime_free),
    ENTRY(runtime_options_init),
    ENTRY(source_close),
    ENTRY(source_forget),
    ENTRY(source_options_init),
    ENTRY(source_stats_init),
    ENTRY(source_stop),
    ENTRY(status_name),
    ENTRY(store_close),
    ENTRY(store_durability),
    ENTRY(store_options_init),
    ENTRY(summary_free),
    ENTRY(table_free),
    ENTRY(train_options_init),
    ENTRY(training_cancel),
    ENTRY(version),
    ENTRY(version_string),
    ENTRY(virtual_close),
    ENTRY(virtual_options_init),
    ENTRY(virtual_unit),
    ENTRY(watch_close),
    ENTRY(workflow_close),
    ENTRY(workflow_info_of),
};

/* A function takes as many arguments as it has, in registers that all hold 0. */
static intptr_t call(any_fn fn) {
    return ((zero_fn)fn)(0, 0, 0, 0, 0, 0, 0, 0);
}

Test(api_null, fallible_functions_refuse) {
    for (size_t i = 0; i < sizeof fallible / sizeof *fallible; i++) {
        edgeops_status status = (edgeops_status)(int)call(fallible[i].fn);
        cr_expect_eq(status, EDGEOPS_E_INVALID, "%s: %d", fallible[i].name, (int)status);
        cr_expect_eq(edgeops_error_last()->code, EDGEOPS_E_INVALID, "%s", fallible[i].name);
        cr_expect_str_neq(edgeops_error_last()->message, "", "%s", fallible[i].name);
    }
    cr_expect_eq(edgeops_ctx_run(NULL, 0), EDGEOPS_E_INVALID);
}

Test(api_null, all_others_do_nothing) {
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        (void)call(harmless[i].fn);
    }
    cr_expect_eq(edgeops_column_value(NULL, 0).type, EDGEOPS_TYPE_NULL);
}

/* A handle that is given out is NULL after a failure, whatever it was before. */
Test(api_null, handles_are_null_after_a_failure) {
    void *const before = &before;
    void *out = before;
    size_t size = 0;
#define LEAVES_NULL(status)                                                                        \
    do {                                                                                           \
        cr_expect_eq((status), EDGEOPS_E_INVALID, "%s", #status);                                  \
        cr_expect_null(out, "%s", #status);                                                        \
        out = before;                                                                              \
    } while (0)
    LEAVES_NULL(edgeops_virtual_open((edgeops_virtual **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_dataset_read((edgeops_dataset **)&out, NULL, "d"));
    LEAVES_NULL(edgeops_dataset_head((edgeops_dataset **)&out, NULL, "d"));
    LEAVES_NULL(edgeops_source_open((edgeops_source **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_source_connection((char **)&out, NULL));
    LEAVES_NULL(edgeops_publisher_open((edgeops_publisher **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_node_open((edgeops_node **)&out, NULL, "home", NULL));
    LEAVES_NULL(edgeops_node_call((char **)&out, NULL, "node.status", NULL, NULL));
    LEAVES_NULL(edgeops_node_call_start((edgeops_call **)&out, NULL, "x", NULL, NULL, NULL, NULL));
    LEAVES_NULL(edgeops_node_runtime((edgeops_runtime **)&out, NULL));
    LEAVES_NULL(edgeops_node_model((edgeops_model **)&out, NULL, "m"));
    LEAVES_NULL(edgeops_runtime_new((edgeops_runtime **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_training_start((edgeops_training **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_model_open((edgeops_model **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_lane_open((edgeops_lane **)&out, NULL, NULL, NULL));
    LEAVES_NULL(edgeops_store_open((edgeops_store **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_watch_open((edgeops_watch **)&out, NULL, NULL, NULL));
    LEAVES_NULL(edgeops_store_read((edgeops_table **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_blob_read(&out, &size, NULL, NULL));
    LEAVES_NULL(edgeops_table_copy((edgeops_table **)&out, NULL));
    LEAVES_NULL(edgeops_cursor_open((edgeops_cursor **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_asset_get((edgeops_asset_info **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_store_aggregate((edgeops_summary **)&out, NULL, NULL, 0));
    LEAVES_NULL(edgeops_workflow_check((edgeops_workflow **)&out, NULL));
    LEAVES_NULL(edgeops_workflow_pack((char **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_workflow_install((edgeops_workflow **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_workflow_open((edgeops_workflow **)&out, NULL, NULL));
    LEAVES_NULL(edgeops_node_restore((char **)&out, NULL, NULL, NULL, NULL));
}

/* -- structs whose members are missing, on a store that is there -- */

static char root[] = "/tmp/edgeops-null-XXXXXX";
static edgeops_store *store;

static int forget(const char *name, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static void enter(void) {
    char home[64];
    const edgeops_channel_info channel = {"x", "", EDGEOPS_TYPE_FLOAT64, 1};
    cr_assert_not_null(mkdtemp(root));
    (void)snprintf(home, sizeof home, "%s/home", root);
    cr_assert_eq(edgeops_store_open(&store, home, NULL), EDGEOPS_OK);
    cr_assert_eq(edgeops_store_declare(store, "a", &channel), EDGEOPS_OK);
}

static void leave(void) {
    edgeops_store_close(store);
    (void)nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(api_null_members, .init = enter, .fini = leave);

#define REFUSES(status) cr_expect_eq((status), EDGEOPS_E_INVALID, "%s", #status)

static const char *const x = "x";
static const char *const none;

Test(api_null_members, of_samples_and_tables) {
    const edgeops_value value = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = 1}};
    const edgeops_value text = {EDGEOPS_TYPE_STRING, 5, {.str = NULL}};
    const edgeops_sample samples[] = {
        {NULL, 1, 0, 1, &x, &value, NULL},   {"a", 1, 0, 1, NULL, &value, NULL},
        {"a", 1, 0, 1, &x, NULL, NULL},      {"a", 1, 0, 1, &none, &value, NULL},
        {"b", 1, 0, 1, &x, &text, NULL},     {"a", 1, 0, 0, &x, &value, NULL},
        {"a", 1, 0, 5000, &x, &value, NULL},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char *out = NULL;
        REFUSES(edgeops_store_append(NULL, store, &samples[i], 1, NULL));
        if (i >= 1 && i < 4) { /* a message without an asset is one: its topic names it */
            REFUSES(edgeops_sample_encode(&out, NULL, &samples[i]));
        }
    }
    const double data = 1;
    const edgeops_time time = 1;
    const edgeops_column good = {
        .name = "x", .type = EDGEOPS_TYPE_FLOAT64, .f64 = &data, .data = &data, .length = 1};
    const edgeops_column columns[] = {
        {.type = EDGEOPS_TYPE_FLOAT64, .data = &data, .length = 1},
        {.name = "x", .type = EDGEOPS_TYPE_FLOAT64, .length = 1},
        {.name = "s", .type = EDGEOPS_TYPE_STRING, .length = 1},
        {.name = "s", .type = EDGEOPS_TYPE_STRING, .length = 1, .offsets = (uint32_t[]){0, 5}},
        {.name = "x", .type = (edgeops_type)99, .data = &data, .length = 1},
    };
    const edgeops_table tables[] = {
        {.rows = 1, .times = &time, .column_count = 1, .columns = &good},
        {.asset = "a", .rows = 1, .column_count = 1, .columns = &good},
        {.asset = "a", .rows = 1, .times = &time, .column_count = 1},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        REFUSES(edgeops_store_append_tables(NULL, store, &tables[i], 1, NULL));
    }
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        edgeops_table table = {
            .asset = "a", .rows = 1, .times = &time, .column_count = 1, .columns = &columns[i]};
        REFUSES(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    }
    cr_expect_eq(edgeops_column_value(&columns[1], 0).type, EDGEOPS_TYPE_NULL);
    cr_expect_eq(edgeops_column_value(&columns[2], 0).type, EDGEOPS_TYPE_NULL);
}

Test(api_null_members, of_queries_labels_and_datasets) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_dataset_options dataset = EDGEOPS_DATASET_OPTIONS_INIT;
    edgeops_label label = {.asset = "a"};
    edgeops_cursor *cursor = NULL;
    uint64_t rows = 0;
    const edgeops_condition condition = {.compare = EDGEOPS_COMPARE_IS_NULL};
    query.asset = from.asset = "a";
    query.channels = from.channels = &none;
    query.channel_count = from.channel_count = 1;
    REFUSES(edgeops_store_count(&rows, store, &query));
    REFUSES(edgeops_cursor_open(&cursor, store, &from));
    query.channels = NULL;
    query.condition_count = 2;
    REFUSES(edgeops_store_count(&rows, store, &query));
    query.conditions = &condition;
    query.condition_count = 1;
    REFUSES(edgeops_store_count(&rows, store, &query));
    REFUSES(edgeops_label_add(NULL, store, NULL, 3));
    REFUSES(edgeops_label_add(NULL, store, &label, 1));
    label = (edgeops_label){.label = "y"};
    REFUSES(edgeops_label_add(NULL, store, &label, 1));
    REFUSES(edgeops_dataset_create(store, &dataset));
    edgeops_retype_options retype = EDGEOPS_RETYPE_OPTIONS_INIT;
    retype.asset = "a";
    REFUSES(edgeops_channel_retype(NULL, store, &retype));
    retype.channel = "x";
    retype.null_count = 1;
    REFUSES(edgeops_channel_retype(NULL, store, &retype));
    retype.nulls = &none;
    REFUSES(edgeops_channel_retype(NULL, store, &retype));
    dataset.name = "d";
    dataset.asset_count = 1;
    REFUSES(edgeops_dataset_create(store, &dataset));
    dataset.assets = &none;
    REFUSES(edgeops_dataset_create(store, &dataset));
    const char *const a = "a";
    dataset.assets = &a;
    dataset.split = EDGEOPS_SPLIT_GROUP;
    dataset.test_asset_count = 2;
    REFUSES(edgeops_dataset_create(store, &dataset));
}
