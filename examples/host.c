/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT -> store -> predict inside this program: host HOME SOURCE-JSON DEPLOYMENT-JSON */
#include <edgeops.h>
#include <stdio.h>

static void show(const edgeops_node_prediction *p, void *user_data) {
    (void)user_data;
    if (p->count > 0 && p->values[0].type == EDGEOPS_TYPE_STRING) {
        printf("%s: %.*s\n", p->asset, (int)p->values[0].size, p->values[0].as.str);
    }
}

int main(int argc, char **argv) {
    edgeops_ctx *ctx = NULL;
    edgeops_node *node = NULL;
    int ok = argc == 4 && !edgeops_ctx_new(&ctx, NULL) &&
             !edgeops_node_open(&node, ctx, argv[1], NULL) &&
             !edgeops_node_call(NULL, node, "source.add", argv[2], NULL) &&
             !edgeops_node_call(NULL, node, "deploy", argv[3], NULL) && !edgeops_node_start(node);
    if (ok) {
        edgeops_node_on_prediction(node, show, NULL);
        ok = edgeops_ctx_run(ctx, 10 * EDGEOPS_SECOND) == EDGEOPS_E_TIMEOUT;
    } else {
        fprintf(stderr, "host: %s\n", edgeops_error_last()->message);
    }
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    return !ok;
}
