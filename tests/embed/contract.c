/* SPDX-License-Identifier: Apache-2.0 */
/* The headers as a contract: each check is a sentence of a header. What a failed call leaves in its out
 * parameters, what NULL does, what a walk passes through, when a loop turns and ends. */
#include <stdlib.h>
#include <string.h>

#include "host.h"

static void versions_and_errors(void) {
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", EDGEOPS_VERSION_MAJOR, EDGEOPS_VERSION_MINOR,
                   EDGEOPS_VERSION_PATCH);
    CHECK(edgeops_version() == EDGEOPS_VERSION_HEX, "%x", (unsigned)edgeops_version());
    CHECK(strcmp(edgeops_version_string(), text) == 0, "%s", edgeops_version_string());
    CHECK(strcmp(edgeops_status_name(EDGEOPS_E_NOTFOUND), "EDGEOPS_E_NOTFOUND") == 0,
          "the name of a code");
    CHECK(strcmp(edgeops_status_name((edgeops_status)-55), "EDGEOPS_E_UNKNOWN") == 0,
          "the name of no code");
    CHECK(edgeops_error_last() != NULL && why() != NULL && edgeops_error_last()->subsystem != NULL,
          "an error before there was one");
    CHECK(edgeops_ctx_new(NULL, NULL) == EDGEOPS_E_INVALID &&
              edgeops_error_last()->code == EDGEOPS_E_INVALID,
          "no place for the context");
}

static void null_is_allowed(void) {
    edgeops_free(NULL);
    edgeops_ctx_stop(NULL);
    edgeops_ctx_free(NULL);
    edgeops_node_close(NULL);
    edgeops_store_close(NULL);
    edgeops_table_free(NULL);
    edgeops_summary_free(NULL);
    edgeops_dataset_free(NULL);
    edgeops_cursor_close(NULL);
    edgeops_watch_close(NULL);
    edgeops_workflow_close(NULL);
    edgeops_training_cancel(NULL);
    edgeops_runtime_free(NULL);
    edgeops_model_close(NULL);
    edgeops_lane_close(NULL);
    edgeops_source_forget(NULL);
    edgeops_source_close(NULL);
    edgeops_publisher_close(NULL);
    edgeops_virtual_close(NULL);
    CHECK(edgeops_workflow_info_of(NULL) == NULL && edgeops_model_info_of(NULL) == NULL,
          "NULL for NULL");
}

static void the_loop(void) {
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    double start = now_s();
    CHECK(edgeops_ctx_run(ctx, 0) == EDGEOPS_E_TIMEOUT && now_s() - start < 0.5, "one turn");
    start = now_s();
    CHECK(edgeops_ctx_run(ctx, 50 * EDGEOPS_MILLISECOND) == EDGEOPS_E_TIMEOUT &&
              now_s() - start > 0.049,
          "a time");
    CHECK(edgeops_ctx_run(ctx, -1) == EDGEOPS_E_INVALID, "a negative time");
    edgeops_ctx_stop(ctx);
    CHECK(edgeops_ctx_run(ctx, 10 * EDGEOPS_SECOND) == EDGEOPS_OK, "a stop ends the next run");
    CHECK(edgeops_ctx_timeout(ctx) == EDGEOPS_FOREVER, "nothing is due");
    edgeops_ctx_stop(ctx);
    CHECK(edgeops_ctx_dispatch(ctx) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_ctx_run(ctx, 10 * EDGEOPS_SECOND) == EDGEOPS_OK,
          "a dispatch leaves the stop for the next run");
    CHECK(edgeops_ctx_fd(ctx) > 2, "a descriptor of its own");
    edgeops_ctx_free(ctx);
}

/* Every handle is NULL after a failure, whatever stood in it. */
static void outs_after_a_failure(const char *root) {
    void *junk = &junk;
    edgeops_node *no_node = junk;
    edgeops_store *no_store = junk;
    edgeops_dataset *no_dataset = junk;
    edgeops_workflow *no_workflow = junk;
    edgeops_model *no_model = junk;
    edgeops_virtual *no_virtual = junk;
    edgeops_asset_info *no_asset = junk;
    edgeops_table *no_table = junk;
    edgeops_summary *no_summary = junk;
    char *no_result = junk;
    void *no_blob = junk;
    size_t size = 77;
    uint64_t rows = 77;
    uint8_t digest[32] = {1};
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    const char *nowhere = path_of("nowhere");
    node_up(path_of("outs"));
    query.asset = "nobody";
    options.mode = EDGEOPS_NODE_REMOTE;
    CHECK(edgeops_node_open(&no_node, ctx, nowhere, &options) == EDGEOPS_E_NOTFOUND &&
              no_node == NULL,
          "%s", why());
    options.mode = EDGEOPS_NODE_LOCAL;
    options.must_exist = 1;
    no_node = junk;
    CHECK(edgeops_node_open(&no_node, ctx, nowhere, &options) == EDGEOPS_E_NOTFOUND &&
              no_node == NULL,
          "%s", why());
    options.must_exist = 0;
    options.layer = "moon";
    no_node = junk;
    CHECK(edgeops_node_open(&no_node, ctx, nowhere, &options) < 0 && no_node == NULL, "%s", why());
    CHECK(edgeops_store_open(&no_store, "/dev/null/home", NULL) == EDGEOPS_E_IO && no_store == NULL,
          "%s", why());
    CHECK(edgeops_dataset_read(&no_dataset, store, "none") == EDGEOPS_E_NOTFOUND &&
              no_dataset == NULL,
          "%s", why());
    CHECK(edgeops_workflow_open(&no_workflow, nowhere, "none") == EDGEOPS_E_NOTFOUND &&
              no_workflow == NULL,
          "%s", why());
    no_workflow = junk;
    CHECK(edgeops_workflow_check(&no_workflow, nowhere) == EDGEOPS_E_NOTFOUND &&
              no_workflow == NULL,
          "%s", why());
    CHECK(edgeops_model_open(&no_model, nowhere, root) == EDGEOPS_E_NOTFOUND && no_model == NULL,
          "%s", why());
    CHECK(edgeops_virtual_open(&no_virtual, "none", NULL) == EDGEOPS_E_NOTFOUND &&
              no_virtual == NULL,
          "%s", why());
    CHECK(edgeops_asset_get(&no_asset, store, "none") == EDGEOPS_E_NOTFOUND && no_asset == NULL,
          "%s", why());
    CHECK(edgeops_store_read(&no_table, store, &query) == EDGEOPS_E_NOTFOUND && no_table == NULL,
          "%s", why());
    CHECK(edgeops_store_aggregate(&no_summary, store, &query, 0) == EDGEOPS_E_NOTFOUND &&
              no_summary == NULL,
          "%s", why());
    CHECK(edgeops_store_count(&rows, store, &query) == EDGEOPS_E_NOTFOUND && rows == 77, "%s",
          why());
    CHECK(edgeops_blob_read(&no_blob, &size, store, digest) == EDGEOPS_E_NOTFOUND &&
              no_blob == NULL && size == 77,
          "%s", why());
    CHECK(edgeops_node_call(&no_result, node, "no.such", NULL, NULL) == EDGEOPS_E_NOTFOUND &&
              no_result == NULL,
          "%s", why());
    no_result = junk;
    CHECK(edgeops_node_restore(&no_result, nowhere, NULL, NULL, NULL) == EDGEOPS_E_NOTFOUND &&
              no_result == NULL,
          "%s", why());
    node_down();
}

static edgeops_status end_drivers(const edgeops_hld_driver *driver, void *seen) {
    (void)driver;
    ++*(int *)seen;
    return EDGEOPS_E_USER;
}

static edgeops_status end_assets(const edgeops_asset_info *asset, void *seen) {
    (void)asset;
    ++*(int *)seen;
    return (edgeops_status)-77;
}

static void walks_pass_through(void) {
    int seen = 0;
    node_up(path_of("walks"));
    NEED(put("a", 1, 1) == EDGEOPS_OK && put("b", 1, 1) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_driver_list(end_drivers, &seen) == EDGEOPS_E_USER && seen == 1, "%d drivers",
          seen);
    seen = 0;
    CHECK((int)edgeops_asset_list(store, NULL, end_assets, &seen) == -77 && seen == 1, "%d assets",
          seen);
    seen = 0;
    CHECK(edgeops_asset_list(store, "z*", end_assets, &seen) == EDGEOPS_OK && seen == 0,
          "%d assets of a pattern", seen);
    node_down();
}

static int answers;
static void on_answer(edgeops_status status, const char *result, const char *message,
                      void *user_data) {
    (void)status;
    (void)result;
    (void)message;
    (void)user_data;
    answers++;
}

static void calls_have_a_bound(void) {
    int started = 0;
    int all = 0;
    node_up(path_of("calls"));
    while (edgeops_node_call_start(NULL, node, "node.status", NULL, NULL, on_answer, NULL) ==
           EDGEOPS_OK) {
        started++;
    }
    CHECK(started == 256 && edgeops_error_last()->code == EDGEOPS_E_BUSY, "%d calls, %s", started,
          why());
    CHECK(answers == 0, "%d answers inside the call that asks", answers);
    for (double end = now_s() + 20; answers < started && now_s() < end;) {
        turn(10, &all);
    }
    CHECK(answers == started, "%d answers to %d calls", answers, started);
    node_down();
}

int main(void) {
    const char *root = host_begin();
    versions_and_errors();
    null_is_allowed();
    the_loop();
    outs_after_a_failure(root);
    walks_pass_through();
    calls_have_a_bound();
    return host_end();
}
