/* SPDX-License-Identifier: Apache-2.0 */
/* What embedding costs a host: memory and threads at each step, printed for the record and held to a bound. */
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { SAMPLES = 200000 };

static long number_of(const char *name) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");
    NEED(file != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return value;
}

static long base;
/* Sanitizers have shadow memory and quarantines: their numbers say nothing. */
static int bounded = 1;

static void show(const char *step, long most_kib, long most_threads) {
    long rss = number_of("RssAnon:");
    long threads = number_of("Threads:");
    printf("%-32s %6ld KiB of its own, %ld threads\n", step, rss - base, threads);
    CHECK(!bounded || rss - base <= most_kib, "%s: %ld KiB, more than %ld", step, rss - base,
          most_kib);
    CHECK(!bounded || threads <= most_threads, "%s: %ld threads, more than %ld", step, threads,
          most_threads);
}

int main(void) {
    edgeops_store *alone = NULL;
    (void)host_begin();
    need_worker();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    bounded = 0;
#endif
    base = number_of("RssAnon:");
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    show("context", 1024, 1);
    NEED(edgeops_store_open(&alone, path_of("alone"), NULL) == EDGEOPS_OK, "%s", why());
    show("store", 4 * 1024, 2);
    edgeops_store_close(alone);
    edgeops_ctx_free(ctx);
    node_up(path_of("home"));
    show("node", 4 * 1024, 2);
    for (int i = 0; i < SAMPLES; i++) {
        NEED(put("x", i, i) == EDGEOPS_OK, "%s", why());
    }
    show("node, 200,000 samples appended", 10 * 1024, 3);
    char *workflow =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n");
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", workflow)) == EDGEOPS_OK, "%s", why());
    NEED(call("dataset.create", "{\"name\":\"d\",\"assets\":[\"x\"]}") == EDGEOPS_OK, "%s", why());
    deploy_up();
    show("after a training", 12 * 1024, 3);
    NEED(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s",
         why());
    turn(500, NULL);
    show("deployed and served", 12 * 1024, 4);
    node_down();
    show("closed", 12 * 1024, 2); /* the one that starts processes stays */
    for (int i = 0; i < 10; i++) {
        node_up(path_of("home"));
        node_down();
    }
    show("opened and closed ten times", 12 * 1024, 2);
    return host_end();
}
