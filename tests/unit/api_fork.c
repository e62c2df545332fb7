/* SPDX-License-Identifier: Apache-2.0 */
/* A host that forks with everything open: in the child each call is refused and each close does
 * nothing, the parent goes on as if there were no child. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgeops.h"

static char root[] = "/tmp/edgeops-fork-XXXXXX";
static char home[64];
static edgeops_ctx *ctx;
static edgeops_node *node;
static edgeops_store *store;
static edgeops_cursor *cursor;
static edgeops_watch *watch;
static edgeops_source *source;
static edgeops_publisher *publisher;

static int forget(const char *name, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static void enter(void) {
    cr_assert_not_null(mkdtemp(root));
    (void)snprintf(home, sizeof home, "%s/home", root);
}

static void leave(void) {
    (void)nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(api_fork, .init = enter, .fini = leave, .timeout = 60);

static edgeops_status append_to(edgeops_store *to, edgeops_time time) {
    const char *channel = "x";
    edgeops_value value = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = (double)time}};
    edgeops_sample sample = {"a", time, 0, 1, &channel, &value, NULL};
    return edgeops_store_append(NULL, to, &sample, 1, NULL);
}

static uint64_t count_in(edgeops_store *in) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t rows = 0;
    query.asset = "a";
    cr_assert_eq(edgeops_store_count(&rows, in, &query), EDGEOPS_OK);
    return rows;
}

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *user_data) {
    (void)result;
    (void)samples;
    (void)n;
    (void)options;
    (void)user_data;
    return EDGEOPS_OK;
}

static void on_news(const char *asset, uint64_t ordinal, void *user_data) {
    (void)asset;
    (void)ordinal;
    (void)user_data;
}

static void open_all(void) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_source_options what = EDGEOPS_SOURCE_OPTIONS_INIT;
    edgeops_publisher_options where = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    cr_assert_eq(edgeops_node_open(&node, ctx, home, &options), EDGEOPS_OK);
    store = edgeops_node_store(node);
    cr_assert_eq(append_to(store, 1), EDGEOPS_OK);
    from.asset = "a";
    cr_assert_eq(edgeops_cursor_open(&cursor, store, &from), EDGEOPS_OK);
    cr_assert_eq(edgeops_watch_open(&watch, store, on_news, NULL), EDGEOPS_OK);
    what.name = "s";
    what.driver = "replay";
    what.config_json = "{\"path\":\"/nowhere.csv\",\"asset\":\"b\"}";
    what.append = take;
    cr_assert_eq(edgeops_source_open(&source, ctx, &what), EDGEOPS_OK);
    where.config_json = "{\"url\":\"mqtt://127.0.0.1:1\"}";
    edgeops_status status = edgeops_publisher_open(&publisher, ctx, &where);
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_UNSUPPORTED);
    cr_assert_eq(edgeops_node_start(node), EDGEOPS_OK);
    cr_assert_eq(edgeops_node_serve(node), EDGEOPS_OK);
}

static void close_all(void) {
    edgeops_publisher_close(publisher);
    edgeops_source_close(source);
    edgeops_watch_close(watch);
    edgeops_cursor_close(cursor);
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
}

/* What a child found: its exit code, or that it hung or died. */
static int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int refused(edgeops_status status) {
    char parent[32];
    (void)snprintf(parent, sizeof parent, "process %d,", (int)getppid());
    return status == EDGEOPS_E_INVALID && strstr(edgeops_error_last()->message, parent) != NULL;
}

static edgeops_status no_asset(const edgeops_asset_info *info, void *user_data) {
    (void)info;
    (void)user_data;
    return EDGEOPS_OK;
}

static edgeops_status no_label(const edgeops_label *label, void *user_data) {
    (void)label;
    (void)user_data;
    return EDGEOPS_OK;
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        calls++;                                                                                   \
        if (!refused(call)) {                                                                      \
            return calls;                                                                          \
        }                                                                                          \
    } while (0)

/* 0, or which call was not refused. */
static int try_store(void) {
    int calls = 0;
    void *made = NULL;
    size_t size = 0;
    uint64_t rows = 0;
    int64_t id = 0;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_channel_info channel = {"y", "", EDGEOPS_TYPE_INT64, 1};
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_table table = {.asset = "a"};
    const edgeops_table *block = NULL;
    const uint8_t digest[32] = {0};
    query.asset = from.asset = "a";
    REFUSED(append_to(store, 2));
    REFUSED(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    REFUSED(edgeops_store_set_durability(store, EDGEOPS_DURABILITY_POWER));
    REFUSED(edgeops_watch_open((edgeops_watch **)&made, store, on_news, NULL));
    REFUSED(edgeops_store_declare(store, "a", &channel));
    REFUSED(edgeops_store_read((edgeops_table **)&made, store, &query));
    REFUSED(edgeops_store_count(&rows, store, &query));
    REFUSED(edgeops_store_read_into(&rows, store, &query, &layout));
    REFUSED(edgeops_blob_read(&made, &size, store, digest));
    REFUSED(edgeops_cursor_open((edgeops_cursor **)&made, store, &from));
    REFUSED(edgeops_cursor_next(&block, cursor, 10));
    REFUSED(edgeops_asset_list(store, NULL, no_asset, NULL));
    REFUSED(edgeops_store_aggregate((edgeops_summary **)&made, store, &query, 0));
    REFUSED(edgeops_asset_rename(store, "a", "b"));
    REFUSED(edgeops_channel_rename(store, "a", "x", "y"));
    REFUSED(edgeops_channel_retype(
        NULL, store, &(edgeops_retype_options){sizeof(edgeops_retype_options), "a", "x"}));
    REFUSED(edgeops_asset_remove(store, "a"));
    REFUSED(edgeops_label_add(&id, store, NULL, 0));
    REFUSED(edgeops_label_add_new(NULL, store, NULL, 0));
    REFUSED(edgeops_label_remove(store, 1));
    REFUSED(edgeops_label_list(NULL, store, NULL, no_label, NULL));
    REFUSED(edgeops_dataset_read((edgeops_dataset **)&made, store, "d"));
    REFUSED(edgeops_dataset_head((edgeops_dataset **)&made, store, "d"));
    REFUSED(edgeops_dataset_verify(store, "d"));
    REFUSED(edgeops_dataset_remove(store, "d"));
    return made != NULL || edgeops_store_durability(store) != EDGEOPS_DURABILITY_DEFAULT ? 99 : 0;
}

static int try_node(void) {
    int calls = 0;
    char *result = NULL;
    edgeops_call *call = NULL;
    edgeops_node *other = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_model *model = NULL;
    edgeops_source *second = NULL;
    edgeops_source_options what = EDGEOPS_SOURCE_OPTIONS_INIT;
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_message message = {.topic = "t"};
    REFUSED(edgeops_ctx_run(ctx, 0));
    REFUSED(edgeops_ctx_dispatch(ctx));
    REFUSED(edgeops_node_call(&result, node, "node.status", NULL, NULL));
    REFUSED(edgeops_node_call_start(&call, node, "node.status", NULL, NULL, NULL, NULL));
    REFUSED(edgeops_node_start(node));
    REFUSED(edgeops_node_serve(node));
    REFUSED(edgeops_node_open(&other, ctx, home, NULL));
    REFUSED(edgeops_node_runtime(&runtime, node));
    REFUSED(edgeops_node_model(&model, node, "m"));
    REFUSED(edgeops_runtime_new(&runtime, ctx, NULL));
    REFUSED(edgeops_source_open(&second, ctx, &what));
    REFUSED(edgeops_source_start(source));
    REFUSED(edgeops_source_get_stats(&stats, source));
    REFUSED(edgeops_source_connection(&result, source));
    if (publisher != NULL) {
        REFUSED(edgeops_publisher_send(publisher, &message));
    }
    edgeops_ctx_stop(ctx); /* would end the parent's sleep */
    edgeops_source_stop(source);
    edgeops_node_stop(node);
    return edgeops_ctx_fd(ctx) == -1 && edgeops_ctx_timeout(ctx) == EDGEOPS_FOREVER ? 0 : 99;
}

static pid_t fork_with(int (*fn)(void)) {
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(fn());
    }
    return child;
}

static void parent_goes_on(uint64_t rows) {
    char socket[128];
    struct stat info;
    cr_assert_eq(count_in(store), rows);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(append_to(store, 1000 + i), EDGEOPS_OK);
    }
    cr_assert_eq(edgeops_ctx_run(ctx, 100 * EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_assert_eq(edgeops_node_call(NULL, node, "node.status", NULL, NULL), EDGEOPS_OK);
    (void)snprintf(socket, sizeof socket, "%s/edgeops.sock", home);
    cr_assert_eq(stat(socket, &info), 0, "the child removed the socket");
    close_all();
    cr_assert_eq(edgeops_store_open(&store, home, NULL), EDGEOPS_OK);
    cr_assert_eq(count_in(store), rows + 100);
    edgeops_store_close(store);
}

Test(api_fork, calls_in_the_child_are_refused) {
    open_all();
    cr_assert_eq(wait_for(fork_with(try_store)), 0);
    cr_assert_eq(wait_for(fork_with(try_node)), 0);
    parent_goes_on(1);
}

static int close_in_child(void) {
    close_all();
    return 0;
}

Test(api_fork, closing_in_the_child_does_nothing_to_the_parent) {
    open_all();
    cr_assert_eq(wait_for(fork_with(close_in_child)), 0);
    parent_goes_on(1);
}

/* Threads of the parent append while it forks: their locks are held in the child for ever. */
static int use_after_close(void) {
    return !refused(append_to(store, 5)) || (close_all(), 0);
}

Test(api_fork, a_child_does_not_wait_for_locks_of_the_parent) {
    open_all();
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(append_to(store, 10 + i), EDGEOPS_OK);
        pid_t child = fork_with(use_after_close);
        cr_assert_eq(append_to(store, 100 + i), EDGEOPS_OK);
        cr_assert_eq(wait_for(child), 0);
    }
    parent_goes_on(101);
}

static int own_home(void) {
    char path[128];
    edgeops_store *own = NULL;
    (void)snprintf(path, sizeof path, "%s/child", root);
    if (edgeops_store_open(&own, path, NULL) != EDGEOPS_OK || append_to(own, 7) != EDGEOPS_OK) {
        return 1;
    }
    edgeops_store_close(own);
    edgeops_ctx *mine = NULL;
    if (edgeops_ctx_new(&mine, NULL) != EDGEOPS_OK ||
        edgeops_ctx_run(mine, 0) != EDGEOPS_E_TIMEOUT) {
        return 2;
    }
    edgeops_ctx_free(mine);
    return refused(append_to(store, 5)) ? 0 : 3;
}

Test(api_fork, a_child_has_objects_of_its_own) {
    open_all();
    cr_assert_eq(wait_for(fork_with(own_home)), 0);
    parent_goes_on(1);
}

/* A daemon that forks after it opened its home: the parent ends, the child opens it anew. */
static int go_into_the_background(void) {
    int ready[2];
    open_all();
    if (pipe(ready) != 0) {
        return 1;
    }
    pid_t child = fork();
    if (child != 0) {
        close(ready[1]);
        char code = 9;
        /* The first byte says that the child is there; this process, and its lock, end then. */
        return read(ready[0], &code, 1) == 1 ? code : 9;
    }
    alarm(20);
    (void)!write(ready[1], "", 1);
    while (edgeops_store_open(&store, home, NULL) == EDGEOPS_E_BUSY) {
        usleep(10000); /* until the parent has ended */
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/done", root);
    int good = append_to(store, 50) == EDGEOPS_OK && count_in(store) == 2;
    edgeops_store_close(store);
    FILE *mark = fopen(path, "we");
    (void)!fputs(good ? "good" : "bad", mark);
    fclose(mark);
    _exit(0);
}

Test(api_fork, the_home_of_a_parent_that_ended_can_be_opened_by_its_child) {
    char path[128];
    char text[8] = "";
    (void)snprintf(path, sizeof path, "%s/done", root);
    cr_assert_eq(wait_for(fork_with(go_into_the_background)), 0);
    for (int i = 0; i < 1000 && access(path, F_OK) != 0; i++) {
        usleep(10000);
    }
    usleep(50000);
    FILE *mark = fopen(path, "re");
    cr_assert_not_null(mark);
    (void)!fgets(text, sizeof text, mark);
    fclose(mark);
    cr_assert_str_eq(text, "good");
}

/* A child that lives on holds no lock: somebody else may have the home when the parent closed it. */
static int hold(void) {
    sleep(15);
    return 0;
}

static int open_home(void) {
    edgeops_store *own = NULL;
    edgeops_status status = edgeops_store_open(&own, home, NULL);
    edgeops_store_close(own);
    return status == EDGEOPS_OK ? 0 : 1;
}

Test(api_fork, a_child_that_lives_on_does_not_hold_the_home) {
    open_all();
    pid_t child = fork_with(hold);
    close_all();
    cr_assert_eq(wait_for(fork_with(open_home)), 0);
    kill(child, SIGKILL);
    (void)wait_for(child);
}
