/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of the node share: a home in a folder of its own, calls that must succeed or
 * fail, bulk data through files, a workflow from its text. */
#ifndef EOP_TESTS_NODE_FIXTURE_H
#define EOP_TESTS_NODE_FIXTURE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/json.h"
#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "edgeops/node.h"
#include "edgeops/workflow.h"

#define T0 ((edgeops_time)1767225600 * EDGEOPS_SECOND) /* 2026-01-01T00:00:00Z */

static char fixture_root[64];
static char fixture_home[80];
static edgeops_ctx *fixture_ctx;
static edgeops_node *fixture_node;

static edgeops_node *open_node(edgeops_ctx *ctx, edgeops_node_mode mode) {
    edgeops_node *node = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = mode;
    edgeops_status status = edgeops_node_open(&node, ctx, fixture_home, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    return node;
}

static inline void fixture_enter(void) {
    strcpy(fixture_root, "/tmp/edgeops-node-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(fixture_root), NULL));
    (void)snprintf(fixture_home, sizeof fixture_home, "%s/home", fixture_root);
    cr_assert(eq(int, edgeops_ctx_new(&fixture_ctx, NULL), EDGEOPS_OK));
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
}

static inline void fixture_leave(void) {
    edgeops_node_close(fixture_node);
    /* What was closed is freed in the loop's next turn. */
    (void)!edgeops_ctx_run(fixture_ctx, 0);
    edgeops_ctx_free(fixture_ctx);
    cr_assert(eq(int, eop_remove_tree(fixture_root), EDGEOPS_OK));
}

/* A call with its answer as a document; free with eop_json_free. NULL after a failure. */
static inline eop_json *call_with(edgeops_node *node, edgeops_status *status, const char *operation,
                                  const char *args, const edgeops_call_options *options) {
    char *text = NULL;
    eop_json *result = NULL;
    *status = edgeops_node_call(&text, node, operation, args, options);
    if (*status == EDGEOPS_OK) {
        cr_assert(eq(int, eop_json_parse(&result, text, strlen(text), "answer", NULL), EDGEOPS_OK),
                  "%s", text);
    }
    edgeops_free(text);
    return result;
}

static inline eop_json *must(const char *operation, const char *args) {
    edgeops_status status = EDGEOPS_OK;
    eop_json *result = call_with(fixture_node, &status, operation, args, NULL);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s %s: %s", operation, args != NULL ? args : "",
              edgeops_error_last()->message);
    return result;
}

static inline void must_do(const char *operation, const char *args) {
    eop_json_free(must(operation, args));
}

/* The call fails with this status, and its message holds this text. */
static inline void must_fail(edgeops_status expected, const char *operation, const char *args,
                             const char *part) {
    edgeops_status status = EDGEOPS_OK;
    eop_json *result = call_with(fixture_node, &status, operation, args, NULL);
    cr_expect(eq(int, status, expected), "%s %s: %s", operation, args != NULL ? args : "",
              edgeops_error_last()->message);
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, part), NULL), "'%s' is not in '%s'",
              part, edgeops_error_last()->message);
    eop_json_free(result);
}

/* A memory file with this text, read from its beginning. */
static inline int file_of(const char *text) {
    int fd = memfd_create("input", MFD_CLOEXEC);
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(int, eop_write_all(fd, text, strlen(text)), EDGEOPS_OK));
    cr_assert(eq(i64, lseek(fd, 0, SEEK_SET), 0));
    return fd;
}

/* What was written to a memory file; free with eop_free. */
static inline char *text_of(int fd) {
    eop_buf buf = {0};
    char data[4096];
    ssize_t n = 0;
    cr_assert(eq(i64, lseek(fd, 0, SEEK_SET), 0));
    while ((n = read(fd, data, sizeof data)) > 0) {
        eop_buf_put(&buf, data, (size_t)n);
    }
    return eop_buf_take(&buf);
}

/* A call with input and output, each NULL for none; *out: free with eop_free. */
static inline eop_json *bulk(edgeops_node *node, const char *operation, const char *args,
                             const char *input, char **out) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = input != NULL ? file_of(input) : -1;
    options.output = out != NULL ? memfd_create("output", MFD_CLOEXEC) : -1;
    eop_json *result = call_with(node, &status, operation, args, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s %s: %s", operation, args,
              edgeops_error_last()->message);
    if (options.input >= 0) {
        close(options.input);
    }
    if (out != NULL) {
        *out = text_of(options.output);
        close(options.output);
    }
    return result;
}

/* Rows of asset m/1: a = i, b = 10 i, a second apart; labels "low" for a < half, else "high". */
static inline char *csv_rows(size_t n) {
    eop_buf buf = {0};
    eop_buf_puts(&buf, "time,a,b,class\n");
    for (size_t i = 0; i < n; i++) {
        char time[40];
        eop_format_time(time, T0 + (edgeops_time)i * EDGEOPS_SECOND);
        eop_buf_printf(&buf, "%s,%zu,%zu,%s\n", time, i, 10 * i, i < n / 2 ? "low" : "high");
    }
    return eop_buf_take(&buf);
}

static inline void import_rows(size_t n) {
    char *csv = csv_rows(n);
    eop_json_free(bulk(fixture_node, "data.import",
                       "{\"asset\":\"m/1\",\"label_column\":\"class\"}", csv, NULL));
    eop_free(csv);
}

static inline void append_row(edgeops_store *store, edgeops_time time, double a) {
    static const char *const channels[] = {"a", "b"};
    edgeops_value values[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = a},
                              {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 10 * a}};
    edgeops_sample sample = {
        .asset = "m/1", .time = time, .count = 2, .channels = channels, .values = values};
    cr_assert(eq(int, edgeops_store_append(NULL, store, &sample, 1, NULL), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
}

static inline edgeops_status note_mqtt(const edgeops_hld_driver *driver, void *user_data) {
    bool *found = user_data;
    *found = *found || strcmp(driver->name, "mqtt") == 0;
    return EDGEOPS_OK;
}

static inline bool has_mqtt(void) {
    bool found = false;
    cr_assert(eq(int, edgeops_driver_list(note_mqtt, &found), EDGEOPS_OK));
    return found;
}

/* Learns where the classes part; says what it thinks of the newest row. */
#define FLOW_SOURCE                                                                                \
    "import numpy as np\n"                                                                         \
    "def train(d, params, run):\n"                                                                 \
    "    a = d.column('a')\n"                                                                      \
    "    cut = float(a[np.asarray(d.labels) == 'high'].min())\n"                                   \
    "    run.log('the cut is at %g' % cut)\n"                                                      \
    "    run.metric('cut', cut, 1)\n"                                                              \
    "    run.progress(0.5)\n"                                                                      \
    "    return cut\n"                                                                             \
    "def predict(model, w, params):\n"                                                             \
    "    a = float(w.column('a')[-1])\n"                                                           \
    "    if a == 13: return None\n"                                                                \
    "    if a == 17: raise ValueError('unlucky')\n"                                                \
    "    return {'class': 'high' if a >= model else 'low', 'score': a * params['gain']}\n"
#define FLOW_MANIFEST                                                                              \
    "{\"format\":1,\"name\":\"flow\",\"version\":\"1.0.0\",\"python\":{\"module\":\"flow\"},"      \
    "\"inputs\":[{\"name\":\"a\",\"type\":\"float64\"},{\"name\":\"b\",\"type\":\"float64\"}],"    \
    "\"outputs\":[{\"name\":\"class\",\"type\":\"string\"},{\"name\":\"score\",\"type\":"          \
    "\"float64\"}],\"label\":{\"name\":\"class\",\"classes\":[\"low\",\"high\"]},"                 \
    "\"window\":{%s},\"parameters\":[{\"name\":\"gain\",\"type\":\"number\","                      \
    "\"default\":2.0}]}"

/* Writes a workflow with this source and window and adds it to the node. */
static inline void add_workflow_of(const char *source, const char *window) {
    char *dir = eop_path_join(fixture_root, "flow");
    char *module = eop_path_join(dir, "flow.py");
    char *file = eop_path_join(dir, "workflow.json");
    char *manifest = eop_format(FLOW_MANIFEST, window);
    char *args = eop_format("{\"path\":\"%s\"}", dir);
    cr_assert(eq(int, eop_mkdirs(dir, 0700), EDGEOPS_OK));
    cr_assert(eq(int, eop_file_write(module, source, strlen(source), 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_file_write(file, manifest, strlen(manifest), 0600), EDGEOPS_OK));
    must_do("workflow.add", args);
    eop_free(args);
    eop_free(manifest);
    eop_free(file);
    eop_free(module);
    eop_free(dir);
}

static inline void add_workflow(const char *source, int rows) {
    char window[32];
    (void)snprintf(window, sizeof window, "\"rows\":%d", rows);
    add_workflow_of(source, window);
}

/* Rows, a dataset of them, a workflow and a model "m1" that was trained on it. */
static inline void make_model_of(size_t rows, const char *source, const char *window) {
    import_rows(rows);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow_of(source, window);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\"}");
}

static inline void make_model(int window_rows) {
    char window[32];
    (void)snprintf(window, sizeof window, "\"rows\":%d", window_rows);
    make_model_of(40, FLOW_SOURCE, window);
}

#endif /* EOP_TESTS_NODE_FIXTURE_H */
