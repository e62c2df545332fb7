/* SPDX-License-Identifier: Apache-2.0 */
/* Every public function, called with nothing but NULL and 0: an error or nothing, never the end of
 * the process. tests/meta/check_api.py compares the two lists with the headers. */
#include <criterion/criterion.h>
#include <stdint.h>
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
    ENTRY(source_open),
    ENTRY(source_start),
    ENTRY(store_aggregate),
    ENTRY(store_append),
    ENTRY(store_append_tables),
    ENTRY(store_count),
    ENTRY(store_declare),
    ENTRY(store_open),
    ENTRY(store_read),
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
