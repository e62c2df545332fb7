/* SPDX-License-Identifier: Apache-2.0 */
/* See host.h. Owns the folder of the test; a forked child leaves it to its parent. */
#include "host.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

edgeops_ctx *ctx;
edgeops_node *node;
edgeops_store *store;

static char folder[256];
static pid_t owner;
static int wrong;
static int checks;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void clean(void) {
    if (getpid() == owner) {
        (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *host_begin(void) {
    const char *base = getenv("TMPDIR");
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)snprintf(folder, sizeof folder, "%s/edgeops-embed-XXXXXX", base != NULL ? base : "/tmp");
    owner = getpid();
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        exit(1);
    }
    (void)atexit(clean);
    return folder;
}

int host_end(void) {
    printf("%d checks, %d wrong\n", checks, wrong);
    return wrong != 0;
}

void host_quit(void) {
    exit(host_end());
}

int host_wrong(void) {
    return wrong;
}

void host_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("skipped: ", stdout);
    (void)vprintf(format, args);
    (void)fputs("\n", stdout);
    va_end(args);
    exit(77);
}

int host_check(int good, const char *file, int line, const char *text, const char *format, ...) {
    va_list args;
    checks++;
    if (good) {
        return 1;
    }
    wrong++;
    if (wrong <= 40) {
        const char *name = strrchr(file, '/');
        printf("%s:%d: not so: %s: ", name != NULL ? name + 1 : file, line, text);
        va_start(args, format);
        (void)vprintf(format, args);
        va_end(args);
        (void)fputs("\n", stdout);
    }
    return 0;
}

const char *why(void) {
    return edgeops_error_last()->message;
}

double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_ms(int ms) {
    double end = now_s() + ms / 1e3;
    while (now_s() < end) {
        struct timespec left = {0, 1000000};
        (void)nanosleep(&left, NULL);
    }
}

typedef struct kept {
    struct kept *next;
    char *text;
} kept;

/* What lives as long as the program; any thread adds to it, also in the child of a fork. */
static _Atomic(kept *) all_kept;

static char *keep(char *text) {
    kept *one = malloc(sizeof *one);
    if (text == NULL || one == NULL) {
        abort();
    }
    one->text = text;
    one->next = atomic_load(&all_kept);
    while (!atomic_compare_exchange_weak(&all_kept, &one->next, one)) {
    }
    return text;
}

char *text_of(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return keep(length < 0 ? NULL : text);
}

char *path_of(const char *format, ...) {
    char *name = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&name, format, args);
    va_end(args);
    return text_of("%s/%s", folder, keep(length < 0 ? NULL : name));
}

void need_worker(void) {
    const char *worker = getenv("EDGEOPS_WORKER");
    if (worker == NULL || access(worker, X_OK) != 0) {
        host_skip("no worker was built (EDGEOPS_WORKER)");
    }
}

void node_up(const char *home) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_open(&node, ctx, home, &options) == EDGEOPS_OK, "%s: %s", home, why());
    store = edgeops_node_store(node);
}

void node_down(void) {
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    node = NULL;
    ctx = NULL;
    store = NULL;
}

edgeops_status call(const char *operation, const char *args) {
    return edgeops_node_call(NULL, node, operation, args, NULL);
}

char *answer_of(const char *operation, const char *args) {
    char *result = NULL;
    NEED(edgeops_node_call(&result, node, operation, args, NULL) == EDGEOPS_OK, "%s: %s", operation,
         why());
    return result;
}

edgeops_status put(const char *asset, edgeops_time time, double value) {
    const char *channel = "v";
    edgeops_value one = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = value}};
    edgeops_sample sample = {
        .asset = asset, .time = time, .count = 1, .channels = &channel, .values = &one};
    return edgeops_store_append(NULL, store, &sample, 1, NULL);
}

uint64_t rows_of(edgeops_store *of, const char *asset) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t rows = 0;
    query.asset = asset;
    (void)!edgeops_store_count(&rows, of, &query);
    return rows;
}

void turn(int ms, const int *flag) {
    double end = now_s() + ms / 1e3;
    do {
        (void)!edgeops_ctx_run(ctx, (flag != NULL ? 5 : ms) * EDGEOPS_MILLISECOND);
    } while (now_s() < end && (flag == NULL || *flag == 0));
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    NEED(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

char *make_workflow(const char *name, const char *python) {
    char *path = path_of("workflow-%s", name);
    NEED(mkdir(path, 0700) == 0 || errno == EEXIST, "%s", path);
    write_file(text_of("%s/%s.py", path, name), python);
    write_file(
        text_of("%s/workflow.json", path),
        text_of(
            "{\"format\":1,\"name\":\"%s\",\"version\":\"1.0.0\",\"python\":{\"module\":\"%s\"},"
            "\"inputs\":[{\"name\":\"v\",\"type\":\"float64\"}],\"window\":{\"rows\":1},"
            "\"outputs\":[{\"name\":\"y\",\"type\":\"float64\"}]}",
            name, name));
    return path;
}

void echo_up(void) {
    char *workflow = make_workflow("echo", "def train(dataset, params, run):\n"
                                           "    return 1.0\n"
                                           "def predict(model, window, params):\n"
                                           "    return {'y': float(window.values[-1, 0])}\n");
    for (int i = 0; i < 10; i++) {
        NEED(put("x", i, i) == EDGEOPS_OK, "%s", why());
    }
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", workflow)) == EDGEOPS_OK, "%s", why());
    NEED(call("dataset.create", "{\"name\":\"d\",\"assets\":[\"x\"]}") == EDGEOPS_OK, "%s", why());
}

void deploy_up(void) {
    NEED(call("train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}") == EDGEOPS_OK,
         "%s", why());
    NEED(call("deploy", "{\"model\":\"m\",\"asset\":\"x\",\"name\":\"dep\"}") == EDGEOPS_OK, "%s",
         why());
}

int in_child(int (*fn)(void *), void *user_data, unsigned seconds) {
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGALRM, SIG_DFL);
        (void)alarm(seconds);
        wrong = 0;
        int code = fn(user_data);
        (void)fflush(NULL);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return 127;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
