/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of a node asks of it: where its files are, whether it serves others, and its
 * runtime, which is made when it is first needed. Context's thread; paths on any thread. */
#include "node/home/home.h"

char *eop_node_path(const edgeops_node *node, const char *a, const char *b) {
    char *first = eop_path_join(node->home, a);
    if (first == NULL || b == NULL) {
        return first;
    }
    char *second = eop_path_join(first, b);
    eop_free(first);
    return second;
}

bool eop_node_is_daemon(const edgeops_node *node) {
    return node->server != NULL;
}

edgeops_status eop_node_runtime(edgeops_runtime **out, edgeops_node *node) {
    if (node->runtime == NULL) {
        edgeops_runtime_options options = EDGEOPS_RUNTIME_OPTIONS_INIT;
        options.worker = node->worker;
        edgeops_status status = edgeops_runtime_new(&node->runtime, node->ctx, &options);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    *out = node->runtime;
    return EDGEOPS_OK;
}
