/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of live deployments share: nodes that start, are opened again and are killed. A
 * suite that includes it has an on_prediction() of its own, which notes what it is told. */
#ifndef EOP_TESTS_NODE_LIVE_FIXTURE_H
#define EOP_TESTS_NODE_LIVE_FIXTURE_H

#include <signal.h>
#include <sys/wait.h>

#include "node_fixture.h"

static void on_prediction(const edgeops_node_prediction *prediction, void *user_data);

static inline void start(void) {
    cr_assert(eq(int, edgeops_node_start(fixture_node), EDGEOPS_OK));
}

static inline void open_again(void) {
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    edgeops_node_on_prediction(fixture_node, on_prediction, NULL);
}

static inline void reopen(void) {
    edgeops_node_close(fixture_node);
    open_again();
}

/* In a process of its own, which needs a loop of its own. */
static inline void open_in_child(void) {
    if (edgeops_ctx_new(&fixture_ctx, NULL) != EDGEOPS_OK) {
        _exit(1);
    }
    open_again();
}

static inline void expect_killed(pid_t child) {
    int status = 0;
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    bool killed = WIFSIGNALED(status);
    cr_assert(killed);
}

static inline int64_t rows_of(const char *asset) {
    char *args = eop_format("{\"name\":\"%s\"}", asset);
    eop_json *r = must("asset.show", args);
    int64_t rows = eop_json_integer(r, "rows", -1);
    eop_json_free(r);
    eop_free(args);
    return rows;
}

#endif /* EOP_TESTS_NODE_LIVE_FIXTURE_H */
