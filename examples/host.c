/* SPDX-License-Identifier: Apache-2.0 */
#include <edgeops.h>
#include <stdio.h>

static void show(const edgeops_node_prediction *p, void *out) {
    int n = p->count > 0 && p->values[0].type == EDGEOPS_TYPE_STRING ? (int)p->values[0].size : 0;
    fprintf((FILE *)out, "%s: %.*s\n", p->asset, n, n > 0 ? p->values[0].as.str : "");
}

static int once(edgeops_node *node, const char *operation, const char *args) {
    edgeops_status status = edgeops_node_call(NULL, node, operation, args, NULL);
    return status == EDGEOPS_OK || status == EDGEOPS_E_EXISTS; /* there since an earlier start */
}

int main(int argc, char **argv) {
    edgeops_ctx *ctx = NULL;
    edgeops_node *node = NULL;
    int ok = argc == 4 && !edgeops_ctx_new(&ctx, NULL) && /* MQTT -> store -> predict */
             !edgeops_node_open(&node, ctx, argv[1], NULL) && once(node, "source.add", argv[2]) &&
             once(node, "deploy", argv[3]) && !edgeops_node_start(node);
    if (ok) {
        edgeops_node_on_prediction(node, show, stdout);
        ok = edgeops_ctx_run(ctx, 10 * EDGEOPS_SECOND) == EDGEOPS_E_TIMEOUT;
    }
    puts(ok ? "done" : argc == 4 ? edgeops_error_last()->message : "HOME SOURCE DEPLOYMENT?");
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    return !ok;
}
