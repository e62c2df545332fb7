/* SPDX-License-Identifier: Apache-2.0 */
/* Walks whose callback calls the library again: appends, reads, labels, datasets, other walks, even what removes the
 * thing under its feet. Nothing hangs, every call answers, what the walk showed is whole. */
#include <string.h>
#include <unistd.h>

#include "host.h"

static int shown;

static void all_calls(const char *where) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    edgeops_summary *summary = NULL;
    edgeops_asset_info *info = NULL;
    edgeops_label label = {.asset = "x", .start = shown, .end = shown, .label = "inner"};
    edgeops_channel_info channel = {"w", "m", EDGEOPS_TYPE_INT64, 1};
    query.asset = "x";
    CHECK(put("inner", shown, 1) == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_store_read(&table, store, &query) == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_store_aggregate(&summary, store, &query, 0) == EDGEOPS_OK, "%s: %s", where,
          why());
    CHECK(edgeops_label_add(NULL, store, &label, 1) == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_asset_get(&info, store, "x") == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_store_declare(store, text_of("made-%d", shown), &channel) == EDGEOPS_OK, "%s: %s",
          where, why());
    edgeops_table_free(table);
    edgeops_summary_free(summary);
    edgeops_free(info);
    shown++;
}

static void datasets(const char *where) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *assets[] = {"x"};
    char *name = text_of("d%d", shown);
    options.name = name;
    options.assets = assets;
    options.asset_count = 1;
    CHECK(edgeops_dataset_create(store, &options) == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_dataset_verify(store, name) == EDGEOPS_OK, "%s: %s", where, why());
    CHECK(edgeops_dataset_remove(store, name) == EDGEOPS_OK, "%s: %s", where, why());
}

static edgeops_status one_label(const edgeops_label *label, void *unused) {
    (void)unused;
    CHECK(strcmp(label->asset, "x") == 0, "%s", label->asset);
    if (strcmp(label->label, "outer") == 0) {
        all_calls("label_list");
        CHECK(edgeops_label_correct(
                  NULL, store, label->id,
                  &(edgeops_label){.asset = "x", .start = 1, .end = 1, .label = "corrected"}) ==
                  EDGEOPS_OK,
              "%s", why());
    }
    return EDGEOPS_OK;
}

static edgeops_status inner_asset(const edgeops_asset_info *asset, void *unused) {
    (void)unused;
    return asset->name == NULL ? EDGEOPS_E_USER : EDGEOPS_OK;
}

static edgeops_status one_asset(const edgeops_asset_info *asset, void *unused) {
    char name[64];
    (void)unused;
    (void)snprintf(name, sizeof name, "%s", asset->name);
    all_calls("asset_list");
    datasets("asset_list");
    CHECK(edgeops_asset_list(store, NULL, inner_asset, NULL) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_label_list(NULL, store, NULL, one_label, NULL) == EDGEOPS_OK, "%s", why());
    if (strcmp(name, "going") == 0) {
        CHECK(edgeops_asset_remove(store, "going") == EDGEOPS_OK, "%s", why());
    }
    if (strcmp(name, "other") == 0) {
        CHECK(edgeops_asset_rename(store, "other", "named") == EDGEOPS_OK, "%s", why());
    }
    CHECK(strcmp(asset->name, name) == 0, "what was shown changed to %s", asset->name);
    return EDGEOPS_OK;
}

static edgeops_status one_workflow(const edgeops_workflow *workflow, void *workflows) {
    const edgeops_workflow_info *info = edgeops_workflow_info_of(workflow);
    CHECK(edgeops_workflow_install(NULL, workflows, path_of("workflow-%s", info->manifest->name)) ==
              EDGEOPS_DONE,
          "%s", why());
    CHECK(edgeops_workflow_remove(workflows, info->digest) == EDGEOPS_OK, "%s", why());
    shown++;
    return EDGEOPS_OK;
}

static edgeops_status one_driver(const edgeops_hld_driver *driver, void *unused) {
    (void)unused;
    (void)!edgeops_source_check(driver->name, "{}");
    CHECK(put("drivers", shown, 1) == EDGEOPS_OK, "%s", why());
    shown++;
    return EDGEOPS_OK;
}

static int walk(void *unused) {
    static const char *const python =
        "def train(dataset, params, run):\n    return 1.0\n"
        "def predict(model, window, params):\n    return {'y': 1.0}\n";
    char *workflows = path_of("workflows");
    (void)unused;
    node_up(path_of("home"));
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"x", "going", "other", "zz"};
        NEED(put(names[i], 1, 1) == EDGEOPS_OK, "%s", why());
    }
    for (int i = 0; i < 5; i++) {
        NEED(edgeops_label_add(
                 NULL, store,
                 &(edgeops_label){.asset = "x", .start = i, .end = i, .label = "outer"},
                 1) == EDGEOPS_OK,
             "%s", why());
    }
    CHECK(edgeops_asset_list(store, NULL, one_asset, NULL) == EDGEOPS_OK, "%s", why());
    CHECK(rows_of(store, "named") == 1 && rows_of(store, "other") == 0 &&
              rows_of(store, "going") == 0,
          "renamed and removed");
    NEED(edgeops_workflow_install(NULL, workflows, make_workflow("one", python)) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_workflow_install(NULL, workflows, make_workflow("two", python)) == EDGEOPS_OK,
         "%s", why());
    shown = 0;
    CHECK(edgeops_workflow_list(workflows, one_workflow, workflows) == EDGEOPS_OK && shown == 2,
          "%d workflows: %s", shown, why());
    CHECK(edgeops_driver_list(one_driver, NULL) == EDGEOPS_OK && shown > 2, "%d: %s", shown, why());
    node_down();
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    CHECK(in_child(walk, NULL, 40) == 0, "the walks");
    return host_end();
}
