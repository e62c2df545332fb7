/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of this folder share. Each is a host that embeds the library for years and shows one
 * kind of trouble that it brings along: it includes public headers only and is linked to libedgeops.
 * main() begins with host_begin() and returns host_end(): 0 right, 1 wrong, 77 skipped with the reason. */
#ifndef EDGEOPS_TESTS_HOST_H
#define EDGEOPS_TESTS_HOST_H

#include <edgeops.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The context, node and store that node_up() opened. */
extern edgeops_ctx *ctx;
extern edgeops_node *node;
extern edgeops_store *store;

/* Makes the folder of the test, gone at the end. Gives its path, absolute. */
const char *host_begin(void);
/* What main() returns. Removes the folder, prints what was wrong. */
int host_end(void);
/* Ends the program as skipped. */
void host_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Notes something that is wrong and goes on; gives what it was given. */
#define CHECK(condition, ...)                                                                      \
    host_check((condition) != 0, __FILE__, __LINE__, #condition, __VA_ARGS__)
/* The same for what the rest of the program needs: ends it. */
#define NEED(condition, ...)                                                                       \
    do {                                                                                           \
        if (!CHECK(condition, __VA_ARGS__)) {                                                      \
            host_quit();                                                                           \
        }                                                                                          \
    } while (0)
int host_check(int good, const char *file, int line, const char *text, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void host_quit(void) __attribute__((noreturn));
/* How many checks went wrong; a forked child passes it on as its exit code. */
int host_wrong(void);

/* The message of the last error of this thread. */
const char *why(void);
/* Seconds of the monotonic clock. */
double now_s(void);
void sleep_ms(int ms);
/* A path below the folder of the test; lives as long as the program. */
char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* printf() into memory that lives as long as the program. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Opens a node of this process in `home` with the worker that was built: ctx, node, store. */
void node_up(const char *home);
void node_down(void);
/* Skips the test where no worker was built. */
void need_worker(void);
/* edgeops_node_call() without bulk data; the result is dropped. */
edgeops_status call(const char *operation, const char *args);
/* The result of a call that must work. Free with edgeops_free(). */
char *answer_of(const char *operation, const char *args);
/* Appends one float64 sample of channel v to the node's store. */
edgeops_status put(const char *asset, edgeops_time time, double value);
/* Rows of an asset; 0 when it does not exist. */
uint64_t rows_of(edgeops_store *of, const char *asset);
/* Turns the context's loop for so long, or until *flag is set. */
void turn(int ms, const int *flag);

/* Makes the folder of a workflow with input v and output y from the Python source. Gives its path. */
char *make_workflow(const char *name, const char *python);
/* The workflow "echo", y = the last v: assets x with 10 rows, dataset d, workflow echo added. */
void echo_up(void);
/* Trains model m of echo_up() and deploys it on x as "dep". */
void deploy_up(void);

/* Runs fn in a forked child with a bounded time. Gives its exit code, 128 + the signal that ended it. */
int in_child(int (*fn)(void *), void *user_data, unsigned seconds);

#ifdef __cplusplus
}
#endif

#endif /* EDGEOPS_TESTS_HOST_H */
