/* SPDX-License-Identifier: Apache-2.0 */
/* A host that runs out of descriptors: each public call that opens something, with 0, 1, 2, ... descriptors left.
 * It works or says EDGEOPS_E_IO; nothing leaks; with room again the same call works. Each trial has a process of
 * its own, as what libraries do once in a process needs descriptors, too. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host.h"

enum { MOST = 48 };

static int held[1024];
static int held_count;

/* Leaves exactly `left` descriptors. */
static void leave(int left) {
    struct rlimit limit = {512, 4096};
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 0; fd >= 0 && held_count < 1024;) {
        fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
        if (fd >= 0) {
            held[held_count++] = fd;
        }
    }
    while (left-- > 0 && held_count > 0) {
        (void)close(held[--held_count]);
    }
}

static void give_back(void) {
    while (held_count > 0) {
        (void)close(held[--held_count]);
    }
}

static int open_now(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

typedef struct trial {
    const char *name;
    void (*before)(void); /* with all descriptors */
    edgeops_status (*act)(void);
    void (*undo)(void); /* after it worked */
    void (*after)(void);
    int left;
} trial;

static const char *home;
static char *echo_path;
static void nothing(void) {
}

static edgeops_status make_ctx(void) {
    return edgeops_ctx_new(&ctx, NULL);
}
static void free_ctx(void) {
    edgeops_ctx_free(ctx);
    ctx = NULL;
}

static edgeops_status open_store(void) {
    return edgeops_store_open(&store, home, NULL);
}
static void close_store(void) {
    edgeops_store_close(store);
    store = NULL;
}
static void store_is_there(void) {
    NEED(open_store() == EDGEOPS_OK && put("x", 1, 1) == EDGEOPS_OK, "%s", why());
    close_store();
}
static void store_is_open(void) {
    NEED(open_store() == EDGEOPS_OK && put("x", 1, 1) == EDGEOPS_OK, "%s", why());
}

static void ctx_is_there(void) {
    NEED(make_ctx() == EDGEOPS_OK, "%s", why());
}
static edgeops_status open_node(void) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    options.wait = -1;
    return edgeops_node_open(&node, ctx, home, &options);
}
static void close_node(void) {
    edgeops_node_close(node);
    node = NULL;
}
static void node_is_open(void) {
    node_up(home);
}
static edgeops_status serve(void) {
    return edgeops_node_serve(node);
}
static edgeops_status begin(void) {
    return edgeops_node_start(node);
}
static void end(void) {
    edgeops_node_stop(node);
}

static edgeops_status append(void) {
    static edgeops_time now = 100;
    return put("y", ++now, 1);
}
static edgeops_status label(void) {
    edgeops_label one = {.asset = "x", .start = 1, .end = 1, .label = "a"};
    return edgeops_label_add(NULL, store, &one, 1);
}
static edgeops_table *table;
static edgeops_status read_rows(void) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "x";
    return edgeops_store_read(&table, store, &query);
}
static void free_table(void) {
    edgeops_table_free(table);
}
static edgeops_cursor *cursor;
static edgeops_status walk(void) {
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    options.asset = "x";
    edgeops_status status = edgeops_cursor_open(&cursor, store, &options);
    status = status == EDGEOPS_OK ? edgeops_cursor_next(&block, cursor, 10) : status;
    if (status < 0) {
        edgeops_cursor_close(cursor);
    }
    return status;
}
static void close_cursor(void) {
    edgeops_cursor_close(cursor);
}
static edgeops_status freeze(void) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *assets[] = {"x"};
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    return edgeops_dataset_create(store, &options);
}
static void melt(void) {
    CHECK(edgeops_dataset_remove(store, "d") == EDGEOPS_OK, "%s", why());
}

static edgeops_source *source;
static const char *source_driver;
static char *source_config;
static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *user_data) {
    (void)samples;
    (void)options;
    (void)user_data;
    result->appended = n;
    return EDGEOPS_OK;
}
static edgeops_status start_source(void) {
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "s";
    options.driver = source_driver;
    options.config_json = source_config;
    options.append = take;
    edgeops_status status = edgeops_source_open(&source, ctx, &options);
    status = status == EDGEOPS_OK ? edgeops_source_start(source) : status;
    (void)!edgeops_ctx_run(ctx, 20 * EDGEOPS_MILLISECOND);
    if (status < 0) {
        edgeops_source_close(source);
    }
    return status;
}
static void close_source(void) {
    edgeops_source_close(source);
    (void)!edgeops_ctx_run(ctx, 0);
}
static void a_recording(void) {
    char *path = path_of("recording-%d.csv", (int)getpid());
    FILE *file = fopen(path, "we");
    NEED(file != NULL && fputs("time,v\n2026-01-01T00:00:00Z,1\n", file) >= 0 && fclose(file) == 0,
         "%s", path);
    source_driver = "replay";
    source_config = text_of("{\"path\":\"%s\",\"asset\":\"a\"}", path);
    ctx_is_there();
}

static edgeops_status check_workflow(void) {
    return edgeops_workflow_check(NULL, echo_path);
}
static edgeops_status install_workflow(void) {
    return edgeops_workflow_install(NULL, text_of("%s-workflows", home), echo_path);
}
static edgeops_workflow *workflow;
static edgeops_status open_workflow(void) {
    return edgeops_workflow_open(&workflow, text_of("%s-workflows", home), "echo");
}
static void close_workflow(void) {
    edgeops_workflow_close(workflow);
}
static void workflow_is_there(void) {
    NEED(install_workflow() >= 0, "%s", why());
}
static edgeops_status pack_workflow(void) {
    return edgeops_workflow_pack(NULL, echo_path, text_of("%s.zip", home));
}
static edgeops_status init_workflow(void) {
    static int n;
    return edgeops_workflow_init(text_of("%s-init-%d", home, n++), "mine");
}

static const trial trials[] = {
    {"ctx_new", nothing, make_ctx, free_ctx, nothing, 0},
    {"store_open, new", nothing, open_store, close_store, nothing, 0},
    {"store_open, there", store_is_there, open_store, close_store, nothing, 0},
    {"store_append", store_is_open, append, nothing, close_store, 0},
    {"store_read", store_is_open, read_rows, free_table, close_store, 0},
    {"label_add", store_is_open, label, nothing, close_store, 0},
    {"cursor", store_is_open, walk, close_cursor, close_store, 0},
    {"dataset_create", store_is_open, freeze, melt, close_store, 0},
    {"node_open", ctx_is_there, open_node, close_node, free_ctx, 0},
    {"node_serve", node_is_open, serve, nothing, node_down, 0},
    {"node_start", node_is_open, begin, end, node_down, 0},
    {"source replay", a_recording, start_source, close_source, free_ctx, 0},
    {"workflow_check", nothing, check_workflow, nothing, nothing, 0},
    {"workflow_install", nothing, install_workflow, nothing, nothing, 0},
    {"workflow_open", workflow_is_there, open_workflow, close_workflow, nothing, 0},
    {"workflow_pack", nothing, pack_workflow, nothing, nothing, 0},
    {"workflow_init", nothing, init_workflow, nothing, nothing, 0},
};

/* 10: it worked; 0: it was refused as it should; else checks went wrong. */
static int try_it(void *given) {
    const trial *t = given;
    home = path_of("%d", (int)getpid());
    t->before();
    leave(t->left);
    edgeops_status status = t->act();
    int error = edgeops_error_last()->os_errno;
    char *message = text_of("%s", why());
    if (status >= 0) {
        t->undo();
    }
    give_back();
    CHECK(status >= 0 || status == EDGEOPS_E_IO, "%s with %d left: %s: %s", t->name, t->left,
          edgeops_status_name(status), message);
    CHECK(status >= 0 || error == EMFILE || error == ENFILE, "%s with %d left: errno %d: %s",
          t->name, t->left, error, message);
    int base = open_now();
    edgeops_status again = t->act();
    CHECK(again >= 0, "%s with %d left, then again with room: %s: %s", t->name, t->left,
          edgeops_status_name(again), why());
    if (again >= 0) {
        t->undo();
    }
    CHECK(open_now() <= base + 2, "%s with %d left leaks: %d descriptors, %d before", t->name,
          t->left, open_now(), base);
    t->after();
    return host_wrong() != 0 ? 1 : status >= 0 ? 10 : 0;
}

/* The other way round: so many are open that those of the library are beyond what select() can take. */
static int beyond_select(void *unused) {
    struct rlimit limit = {4000, 4096};
    int last = 0;
    (void)unused;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    while (last < 1500) {
        last = fcntl(0, F_DUPFD_CLOEXEC, 3);
        NEED(last > 0, "only %d descriptors", last);
    }
    node_up(path_of("beyond"));
    echo_up();
    deploy_up();
    NEED(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s",
         why());
    source_driver = "mqtt";
    source_config = text_of(
        "{\"url\":\"mqtt://127.0.0.1:9\",\"topics\":[\"p\"],\"payload\":{\"asset\":\"a\"}}");
    edgeops_status status = start_source();
    CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND, "%s", why());
    turn(500, NULL);
    CHECK(put("x", 100, 1) == EDGEOPS_OK && call("data.compact", NULL) == EDGEOPS_OK, "%s", why());
    if (status == EDGEOPS_OK) {
        edgeops_source_close(source);
    }
    node_down();
    return host_wrong() != 0;
}

/* Workers want descriptors, too: a training and a lane with each number of them, in one process. */
static int workers(void *unused) {
    edgeops_runtime *runtime = NULL;
    edgeops_model *model = NULL;
    const edgeops_prediction *answer = NULL;
    double value = 2;
    edgeops_time time = 1;
    int trained = 0;
    int predicted = 0;
    int left = 0;
    (void)unused;
    node_up(path_of("workers"));
    echo_up();
    deploy_up();
    NEED(edgeops_node_model(&model, node, "m") == EDGEOPS_OK &&
             edgeops_node_runtime(&runtime, node) == EDGEOPS_OK,
         "%s", why());
    int base = open_now();
    for (; left < MOST && (trained < 2 || predicted < 2); left++) {
        edgeops_lane *lane = NULL;
        leave(left);
        edgeops_status status = call(
            "train", text_of("{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m%d\"}", left));
        CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_IO || status == EDGEOPS_E_WORKER,
              "training with %d left: %s: %s", left, edgeops_status_name(status), why());
        trained += status == EDGEOPS_OK;
        status = edgeops_lane_open(&lane, runtime, model, NULL);
        CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_IO, "lane with %d left: %s: %s", left,
              edgeops_status_name(status), why());
        if (status == EDGEOPS_OK) {
            give_back(); /* a lane starts its worker again until there is room */
            status = edgeops_lane_predict(&answer, lane, &value, &time, 1);
            CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_WORKER || status == EDGEOPS_E_IO,
                  "predicting with %d left: %s: %s", left, edgeops_status_name(status), why());
            predicted += status == EDGEOPS_OK;
        }
        edgeops_lane_close(lane);
        give_back();
    }
    turn(50, NULL);
    CHECK(trained >= 2 && predicted >= 2, "%d trainings, %d predictions", trained, predicted);
    CHECK(open_now() <= base + 1, "%d descriptors, %d before", open_now(), base);
    printf("workers run with %d\n", left - 2);
    edgeops_model_close(model);
    node_down();
    return host_wrong() != 0;
}

/* Nothing gathers over the years: the same number of descriptors after each of many lives. */
static int many_lives(void *unused) {
    int base = 0;
    (void)unused;
    for (int i = 0; i < 20; i++) {
        node_up(path_of("lives"));
        if (i == 0) {
            echo_up();
            deploy_up();
        }
        NEED(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s",
             why());
        CHECK(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
        turn(30, NULL);
        node_down();
        base = i == 1 ? open_now() : base;
        CHECK(i < 2 || open_now() == base, "%d descriptors after life %d, %d after the second",
              open_now(), i, base);
    }
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    echo_path =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n");
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        trial t = trials[i];
        int worked = 0;
        double start = now_s();
        for (; t.left < MOST && worked < 2; t.left++) {
            int code = in_child(try_it, &t, 20);
            worked += code == 10;
            CHECK(code == 0 || code == 10, "%s with %d left ended with %d", t.name, t.left, code);
        }
        CHECK(worked > 0, "%s never worked", t.name);
        printf("%-20s works with %2d, %.1f s\n", t.name, t.left - 2, now_s() - start);
    }
    if (getenv("EDGEOPS_WORKER") != NULL) {
        CHECK(in_child(beyond_select, NULL, 30) == 0, "beyond select()");
        CHECK(in_child(workers, NULL, 60) == 0, "workers");
        CHECK(in_child(many_lives, NULL, 60) == 0, "many lives");
    }
    return host_end();
}
