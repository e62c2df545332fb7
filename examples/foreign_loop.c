/* SPDX-License-Identifier: Apache-2.0 */
/* The same inside a poll() loop that is not ours: foreign_loop HOME SOURCE-JSON DEPLOYMENT-JSON
 *
 * The program's own business here is standard input: every line typed is answered, and its end ends
 * the program. EdgeOps takes part in the loop with one descriptor and one timeout. */
#include <edgeops.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void show(const edgeops_node_prediction *p, void *user_data) {
    (void)user_data;
    if (p->count > 0 && p->values[0].type == EDGEOPS_TYPE_STRING) {
        printf("%s: %.*s\n", p->asset, (int)p->values[0].size, p->values[0].as.str);
        fflush(stdout);
    }
}

/* Milliseconds for poll(), rounded up so that it does not wake just before something is due. */
static int poll_timeout(edgeops_duration timeout) {
    if (timeout == EDGEOPS_FOREVER) {
        return -1;
    }
    edgeops_duration ms = (timeout + EDGEOPS_MILLISECOND - 1) / EDGEOPS_MILLISECOND;
    return ms > 60000 ? 60000 : (int)ms;
}

static int turn(edgeops_ctx *ctx) {
    char line[256];
    struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {edgeops_ctx_fd(ctx), POLLIN, 0}};
    if (poll(fds, 2, poll_timeout(edgeops_ctx_timeout(ctx))) < 0) {
        return 0;
    }
    if (edgeops_ctx_dispatch(ctx) != EDGEOPS_OK) {
        return 0;
    }
    if (fds[0].revents == 0) {
        return 1;
    }
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    if (n <= 0) {
        return 0;
    }
    printf("you typed %d bytes\n", (int)n);
    return 1;
}

/* What a home has from an earlier start is fine. */
static int once(edgeops_node *node, const char *operation, const char *args) {
    edgeops_status status = edgeops_node_call(NULL, node, operation, args, NULL);
    return status == EDGEOPS_OK || status == EDGEOPS_E_EXISTS;
}

int main(int argc, char **argv) {
    edgeops_ctx *ctx = NULL;
    edgeops_node *node = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: foreign_loop HOME SOURCE-JSON DEPLOYMENT-JSON\n");
        return 2;
    }
    int ok = !edgeops_ctx_new(&ctx, NULL) && !edgeops_node_open(&node, ctx, argv[1], NULL) &&
             once(node, "source.add", argv[2]) && once(node, "deploy", argv[3]) &&
             !edgeops_node_start(node);
    if (ok) {
        edgeops_node_on_prediction(node, show, NULL);
        while (turn(ctx)) {
        }
    } else {
        fprintf(stderr, "foreign_loop: %s\n", edgeops_error_last()->message);
    }
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    return !ok;
}
