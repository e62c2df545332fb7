/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a thread with a small stack, as hosts with many threads and embedded systems have them: 64 KiB are enough
 * for each of them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { STACK = 64 * 1024, ROWS = 5000 };

static edgeops_status on_label(const edgeops_label *label, void *unused) {
    (void)label;
    (void)unused;
    return EDGEOPS_OK;
}

static edgeops_status on_asset(const edgeops_asset_info *asset, void *unused) {
    (void)asset;
    (void)unused;
    return EDGEOPS_OK;
}

static void reads(edgeops_store *mine) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    edgeops_summary *summary = NULL;
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    query.asset = options.asset = "y";
    CHECK(edgeops_store_read(&table, mine, &query) == EDGEOPS_OK && table->rows == 2 * ROWS, "%s",
          why());
    CHECK(edgeops_store_aggregate(&summary, mine, &query, 100) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_cursor_open(&cursor, mine, &options) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_cursor_next(&block, cursor, 65536) == EDGEOPS_OK, "%s", why());
    edgeops_cursor_close(cursor);
    edgeops_summary_free(summary);
    edgeops_table_free(table);
}

/* Floats that are no decimals, integers without a pattern, texts of which none are the same: whatever packing tries. */
static void append_table(void) {
    edgeops_time *times = calloc(ROWS, sizeof *times);
    double *values = calloc(ROWS, sizeof *values);
    int64_t *numbers = calloc(ROWS, sizeof *numbers);
    uint32_t *offsets = calloc(ROWS + 1, sizeof *offsets);
    char *bytes = calloc(ROWS, 16);
    NEED(times != NULL && values != NULL && numbers != NULL && offsets != NULL && bytes != NULL,
         "memory");
    for (int i = 0; i < ROWS; i++) {
        times[i] = ROWS + (int64_t)i * i;
        values[i] = i % 3 == 0 ? i / 7.0 : i / 10.0;
        numbers[i] = (int64_t)i * i * 7919 % 10007;
        int n = snprintf(bytes + offsets[i], 16, "text %d", i * 31 % 5000);
        offsets[i + 1] = offsets[i] + (uint32_t)n;
    }
    edgeops_column columns[] = {{.name = "v",
                                 .unit = "",
                                 .type = EDGEOPS_TYPE_FLOAT64,
                                 .f64 = values,
                                 .data = values,
                                 .length = 1},
                                {.name = "n",
                                 .unit = "",
                                 .type = EDGEOPS_TYPE_INT64,
                                 .i64 = numbers,
                                 .data = numbers,
                                 .length = 1},
                                {.name = "s",
                                 .unit = "",
                                 .type = EDGEOPS_TYPE_STRING,
                                 .offsets = offsets,
                                 .bytes = bytes,
                                 .length = 1}};
    edgeops_table table = {
        .asset = "y", .rows = ROWS, .times = times, .column_count = 3, .columns = columns};
    CHECK(edgeops_store_append_tables(NULL, store, &table, 1, NULL) == EDGEOPS_OK, "%s", why());
    free(times);
    free(values);
    free(numbers);
    free(offsets);
    free(bytes);
}

static void appends(void) {
    for (int i = 0; i < ROWS; i++) {
        CHECK(put("y", i, i) == EDGEOPS_OK, "%s", why());
    }
    append_table();
}

static void datasets_and_labels(void) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *assets[] = {"y"};
    edgeops_dataset *dataset = NULL;
    edgeops_label label = {.asset = "y", .start = 3, .end = 3, .label = "a"};
    CHECK(edgeops_label_add(NULL, store, &label, 1) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_label_list(NULL, store, NULL, on_label, NULL) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_asset_list(store, "*", on_asset, NULL) == EDGEOPS_OK, "%s", why());
    options.name = "ds";
    options.assets = assets;
    options.asset_count = 1;
    options.filter = "v > 3 and v < 4000";
    CHECK(edgeops_dataset_create(store, &options) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_dataset_read(&dataset, store, "ds") == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_dataset_verify(store, "ds") == EDGEOPS_OK, "%s", why());
    edgeops_dataset_free(dataset);
}

static void *work(void *workflow) {
    edgeops_workflow *installed = NULL;
    char *store_path = path_of("workflows");
    node_up(path_of("home"));
    appends();
    reads(store);
    datasets_and_labels();
    CHECK(edgeops_workflow_pack(NULL, workflow, path_of("echo.zip")) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_workflow_install(&installed, store_path, path_of("echo.zip")) == EDGEOPS_OK, "%s",
          why());
    edgeops_workflow_close(installed);
    CHECK(edgeops_source_check("replay", "{\"path\":\"/a.csv\",\"asset\":\"a\"}") == EDGEOPS_OK,
          "%s", why());
    const char *calls[][2] = {{"node.status", NULL},
                              {"node.ops", NULL},
                              {"asset.ls", NULL},
                              {"data.head", "{\"asset\":\"y\"}"},
                              {"data.stats", "{\"asset\":\"y\"}"},
                              {"data.compact", NULL},
                              {"doctor", "{\"deep\":true}"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CHECK(call(calls[i][0], calls[i][1]) == EDGEOPS_OK, "%s: %s", calls[i][0], why());
    }
    CHECK(call("node.backup", text_of("{\"path\":\"%s\"}", path_of("backup"))) == EDGEOPS_OK, "%s",
          why());
    node_down();
    CHECK(edgeops_node_restore(NULL, path_of("backup"), path_of("restored"), NULL, NULL) ==
              EDGEOPS_OK,
          "%s", why());
    return NULL;
}

int main(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    (void)host_begin();
    char *workflow =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n");
    (void)pthread_attr_init(&attributes);
    NEED(pthread_attr_setstacksize(&attributes, STACK) == 0, "a stack of %d", STACK);
    NEED(pthread_create(&thread, &attributes, work, workflow) == 0, "pthread_create");
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
    return host_end();
}
