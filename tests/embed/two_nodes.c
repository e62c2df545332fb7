/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes in one process: two on one context, one on a thread and context of its own, the same home twice, a store
 * opened under a node. They know nothing of each other; a home has one owner, also within the process. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { SAMPLES = 3000 };

static edgeops_status put_to(edgeops_store *to, edgeops_time time, double value) {
    const char *channel = "v";
    edgeops_value one = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = value}};
    edgeops_sample sample = {
        .asset = "x", .time = time, .count = 1, .channels = &channel, .values = &one};
    return edgeops_store_append(NULL, to, &sample, 1, NULL);
}

static edgeops_status open_local(edgeops_node **out, edgeops_ctx *on, const char *home) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    options.wait = -1;
    return edgeops_node_open(out, on, home, &options);
}

static void *own_thread(void *unused) {
    edgeops_ctx *mine = NULL;
    edgeops_node *third = NULL;
    NEED(edgeops_ctx_new(&mine, NULL) == EDGEOPS_OK &&
             open_local(&third, mine, path_of("third")) == EDGEOPS_OK,
         "%s", why());
    for (int i = 0; i < SAMPLES; i++) {
        CHECK(put_to(edgeops_node_store(third), i, i) == EDGEOPS_OK, "%s", why());
        if (i % 100 == 0) {
            CHECK(edgeops_node_call(NULL, third, "node.status", NULL, NULL) == EDGEOPS_OK, "%s",
                  why());
        }
    }
    CHECK(edgeops_node_call(NULL, third, "no.such", NULL, NULL) == EDGEOPS_E_NOTFOUND &&
              strstr(why(), "no.such") != NULL,
          "%s", why());
    edgeops_node_close(third);
    edgeops_ctx_free(mine);
    return unused;
}

int main(void) {
    edgeops_node *second = NULL;
    edgeops_node *again = NULL;
    edgeops_store *stolen = NULL;
    pthread_t thread;
    (void)host_begin();
    node_up(path_of("first"));
    NEED(open_local(&second, ctx, path_of("second")) == EDGEOPS_OK, "%s", why());
    NEED(pthread_create(&thread, NULL, own_thread, NULL) == 0, "pthread_create");
    double start = now_s();
    CHECK(open_local(&again, ctx, path_of("first")) == EDGEOPS_E_BUSY && again == NULL, "%s",
          why());
    CHECK(edgeops_store_open(&stolen, path_of("first"), NULL) == EDGEOPS_E_BUSY && stolen == NULL,
          "%s", why());
    NEED(symlink(path_of("first"), path_of("alias")) == 0, "symlink");
    CHECK(edgeops_store_open(&stolen, path_of("alias"), NULL) == EDGEOPS_E_BUSY && stolen == NULL,
          "by another name: %s", why());
    CHECK(now_s() - start < 2, "being refused took %.1f s", now_s() - start);
    for (int i = 0; i < SAMPLES; i++) {
        CHECK(put_to(store, i, i) == EDGEOPS_OK &&
                  put_to(edgeops_node_store(second), i, -i) == EDGEOPS_OK,
              "%s", why());
    }
    CHECK(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_start(second) == EDGEOPS_OK, "%s",
          why());
    CHECK(edgeops_node_serve(node) == EDGEOPS_OK && edgeops_node_serve(second) == EDGEOPS_OK, "%s",
          why());
    turn(100, NULL);
    edgeops_node_close(second);
    CHECK(call("node.status", NULL) == EDGEOPS_OK && put_to(store, SAMPLES, 1) == EDGEOPS_OK, "%s",
          why());
    CHECK(rows_of(store, "x") == SAMPLES + 1, "%llu rows", (unsigned long long)rows_of(store, "x"));
    (void)pthread_join(thread, NULL);
    node_down();
    for (int i = 0; i < 3; i++) {
        static const char *const homes[] = {"first", "second", "third"};
        NEED(edgeops_store_open(&stolen, path_of("%s", homes[i]), NULL) == EDGEOPS_OK, "%s", why());
        CHECK(rows_of(stolen, "x") == SAMPLES + (i == 0), "%s: %llu rows", homes[i],
              (unsigned long long)rows_of(stolen, "x"));
        edgeops_store_close(stolen);
    }
    return host_end();
}
