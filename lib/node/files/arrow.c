/* SPDX-License-Identifier: Apache-2.0 */
/* The program that turns Parquet and Arrow into CSV and back. What it says on standard error is kept
 * in memory of its own; only the loop touches this. */
#include "node/files/arrow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "platform/platform.h"
#include "runtime/runtime.h"

#define SAID_MAX 1000u

struct eop_arrow {
    eop_process *process;
    int said; /* its standard error */
    bool ended;
    bool killed;
    eop_exit exit;
    eop_fn fn; /* who waits */
    void *user_data;
};

static void on_exit_of(const eop_exit *exit, void *user_data) {
    eop_arrow *arrow = user_data;
    arrow->ended = true;
    arrow->exit = *exit;
    if (arrow->fn != NULL) {
        arrow->fn(arrow->user_data);
    }
}

/* It lies beside the worker's program. */
static edgeops_status find_program(char **out, edgeops_node *node) {
    edgeops_runtime *runtime = NULL;
    edgeops_status status = eop_node_runtime(&runtime, node);
    if (status != EDGEOPS_OK) {
        return status;
    }
    const char *slash = strrchr(runtime->worker, '/');
    size_t size = slash != NULL ? (size_t)(slash - runtime->worker) + 1 : 0;
    *out = eop_format("%.*sedgeops-arrow.py", (int)size, runtime->worker);
    if (*out == NULL) {
        return eop_fail_nomem("node");
    }
    return access(*out, R_OK) == 0
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "Parquet and Arrow need '%s', which is not installed", *out);
}

static edgeops_status find_python(const char **out) {
    const char *given = getenv("EDGEOPS_PYTHON");
    *out = given != NULL && given[0] != '\0' ? given : EOP_PYTHON;
    if ((*out)[0] != '/' || access(*out, X_OK) != 0) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "node",
                        "Parquet and Arrow need Python; there is no '%s': name an interpreter by "
                        "its full path in EDGEOPS_PYTHON",
                        *out);
    }
    return EDGEOPS_OK;
}

static edgeops_status start(eop_arrow *arrow, edgeops_node *node, const char *python,
                            const char *const *argv, const int fds[3]) {
    const char *folder = getenv("TMPDIR");
    char *place = eop_format("TMPDIR=%s", folder != NULL ? folder : "/var/tmp");
    const char *const envp[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PYTHONUTF8=1", place,
                                NULL};
    const int all[] = {fds[0], fds[1], arrow->said, fds[2]};
    edgeops_status status = eop_fail_nomem("node");
    if (place != NULL) {
        eop_process_options options = {
            .file = python, .argv = argv, .envp = envp, .fds = all, .fd_count = 4};
        status = eop_process_start(&arrow->process, node->ctx, &options, on_exit_of, arrow);
    }
    eop_free(place);
    return status;
}

edgeops_status eop_arrow_start(eop_arrow **out, edgeops_node *node, const char *mode,
                               const eop_json *options, const int fds[3]) {
    char *program = NULL;
    char *text = eop_json_print(options);
    const char *python = NULL;
    eop_arrow *arrow = eop_calloc(1, sizeof(*arrow));
    edgeops_status status = arrow != NULL && text != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    *out = NULL;
    if (status == EDGEOPS_OK) {
        arrow->said = eop_memfd("edgeops-arrow", MFD_CLOEXEC);
        status = arrow->said >= 0 ? EDGEOPS_OK
                                  : eop_fail_errno(errno, "node", "memory for the program's words");
    }
    if (status == EDGEOPS_OK) {
        status = find_python(&python);
    }
    if (status == EDGEOPS_OK) {
        status = find_program(&program, node);
    }
    if (status == EDGEOPS_OK) {
        /* -I: nothing of the user's environment or folder takes part. */
        const char *const argv[] = {python, "-I", "-B", program, mode, text, NULL};
        status = start(arrow, node, python, argv, fds);
    }
    eop_free(program);
    eop_free(text);
    if (status != EDGEOPS_OK) {
        eop_arrow_free(arrow);
        return status;
    }
    *out = arrow;
    return EDGEOPS_OK;
}

edgeops_status eop_arrow_start_writer(eop_arrow **out, int *rows, edgeops_node *node,
                                      const eop_json *options, int output) {
    int ends[2] = {-1, -1};
    if (eop_pipe2(ends, O_CLOEXEC) != 0) {
        return eop_fail_errno(errno, "node", "a pipe to a program");
    }
    const int fds[3] = {ends[0], output, -1};
    edgeops_status status = eop_arrow_start(out, node, "write", options, fds);
    close(ends[0]);
    *rows = ends[1];
    return status;
}

void eop_arrow_add_channel(eop_json *channels, const char *name, const char *type,
                           const char *unit) {
    eop_json *pair = eop_json_array();
    eop_json_append_string(pair, strcmp(type, "blob") == 0 ? "string" : type);
    eop_json_append_string(pair, unit);
    eop_json_set(channels, name, pair);
}

void eop_arrow_kill(eop_arrow *arrow) {
    arrow->killed = true;
    eop_process_kill(arrow->process, SIGKILL);
}

void eop_arrow_wait(eop_arrow *arrow, eop_fn fn, void *user_data) {
    arrow->fn = fn;
    arrow->user_data = user_data;
    if (arrow->ended) {
        fn(user_data);
    }
}

/* The last line that it said. */
static const char *last_words(char text[SAID_MAX], int fd) {
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)SAID_MAX - 1 ? size - (off_t)SAID_MAX + 1 : 0;
    ssize_t n = pread(fd, text, SAID_MAX - 1, from);
    text[n > 0 ? n : 0] = '\0';
    while (n > 0 && text[n - 1] == '\n') {
        text[--n] = '\0';
    }
    char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

edgeops_status eop_arrow_result(const eop_arrow *arrow, const char *what) {
    char text[SAID_MAX];
    const char *said = last_words(text, arrow->said);
    bool killed = arrow->killed && arrow->exit.signal == SIGKILL;
    if (killed || (arrow->exit.signal == 0 && arrow->exit.code == 0)) {
        return EDGEOPS_OK;
    }
    if (arrow->exit.code == 3) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "node", "%s", said);
    }
    if (arrow->exit.signal != 0) {
        return eop_fail(EDGEOPS_E_IO, "node",
                        "%s: the program that reads and writes such files "
                        "was ended by signal %d",
                        what, arrow->exit.signal);
    }
    return said[0] != '\0' ? eop_fail(EDGEOPS_E_INVALID, "node", "%s: %s", what, said) : EDGEOPS_OK;
}

void eop_arrow_free(eop_arrow *arrow) {
    if (arrow == NULL) {
        return;
    }
    eop_process_free(arrow->process);
    if (arrow->said > 0) {
        close(arrow->said);
    }
    eop_free(arrow);
}

/* -- beside a job -- */

void eop_arrow_end_close(eop_arrow_end *end) {
    if (end->rows > 0) {
        close(end->rows);
        end->rows = 0;
    }
}

void eop_arrow_end_wait(eop_arrow_end *end, edgeops_status status, eop_fn fn, void *user_data) {
    end->status = status;
    eop_keep_error(&end->kept);
    if (end->arrow == NULL) {
        fn(user_data);
        return;
    }
    if (status != EDGEOPS_OK) {
        eop_arrow_kill(end->arrow);
    }
    eop_arrow_wait(end->arrow, fn, user_data);
}

edgeops_status eop_arrow_end_result(const eop_arrow_end *end, const char *what) {
    edgeops_status status = EDGEOPS_OK;
    if (end->arrow != NULL && end->status != EDGEOPS_E_CANCELED) {
        status = eop_arrow_result(end->arrow, what);
    }
    return status == EDGEOPS_OK && end->status != EDGEOPS_OK ? eop_fail_kept(&end->kept) : status;
}

void eop_arrow_end_dispose(eop_arrow_end *end) {
    eop_arrow_end_close(end);
    eop_arrow_free(end->arrow);
}
