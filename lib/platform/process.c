/* SPDX-License-Identifier: Apache-2.0 */
/* posix_spawn and a pidfd: no fork without exec, no SIGCHLD handler, nothing the host would notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/memory.h"
#include "platform/loop.h"
#include "platform/spawn.h"

/* <sys/wait.h> of glibc 2.36 has it, older ones do not. */
#define WAIT_PIDFD 3

enum { REAP_WAIT_MS = 5000 };

struct eop_process {
    uv_poll_t handle;
    edgeops_ctx *ctx;
    pid_t pid;
    int pidfd; /* -1 once reaped */
    eop_exit_fn on_exit;
    void *user_data;
};

static int pidfd_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* The C library's waitid() does not give the usage, the system call does. */
static int pidfd_reap(int pidfd, siginfo_t *info, struct rusage *usage) {
    int rc = 0;
    memset(info, 0, sizeof(*info));
    do {
        rc = (int)syscall(SYS_waitid, WAIT_PIDFD, pidfd, info, WEXITED | WNOHANG, usage);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

/* Ends what a process leaves behind in its group. Only before it is reaped: until then no other
 * group can have its number. */
static void kill_group(const eop_process *process) {
    if (pidfd_signal(process->pidfd, 0) == 0) {
        (void)kill(-process->pid, SIGKILL);
    }
}

static void fill_exit(eop_exit *out, const siginfo_t *info, const struct rusage *usage) {
    memset(out, 0, sizeof(*out));
    if (info->si_code == CLD_EXITED) {
        out->code = info->si_status;
    } else {
        out->signal = info->si_status;
    }
    out->user_s = (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec * 1e-6;
    out->system_s = (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec * 1e-6;
    out->peak_memory_bytes = (uint64_t)usage->ru_maxrss * 1024u;
}

static void on_pidfd(uv_poll_t *handle, int status, int events) {
    eop_process *process = handle->data;
    struct rusage usage;
    siginfo_t info;
    eop_exit result;
    (void)status;
    (void)events;
    memset(&usage, 0, sizeof(usage));
    kill_group(process);
    if (pidfd_reap(process->pidfd, &info, &usage) == 0) {
        if (info.si_pid == 0) {
            return; /* not yet */
        }
        fill_exit(&result, &info, &usage);
    } else {
        /* ECHILD: the host reaps everything itself, the result went there. */
        memset(&result, 0, sizeof(result));
        result.code = -1;
        eop_log_write(&process->ctx->log, EDGEOPS_LOG_WARN, "platform",
                      "the exit of process %ld was taken by someone else in this program",
                      (long)process->pid);
    }
    (void)uv_poll_stop(handle);
    (void)close(process->pidfd);
    process->pidfd = -1;
    if (process->on_exit != NULL) {
        process->on_exit(&result, process->user_data);
    }
}

/* Blocks until the killed process is gone, for a limited time: one that hangs in the kernel (dead
 * disk) must not hang the host. */
static void kill_and_reap(eop_process *process) {
    struct pollfd gone = {process->pidfd, POLLIN, 0};
    struct rusage usage;
    siginfo_t info;
    int rc = 0;
    (void)pidfd_signal(process->pidfd, SIGKILL);
    kill_group(process);
    do {
        rc = poll(&gone, 1, REAP_WAIT_MS);
    } while (rc < 0 && errno == EINTR);
    if (rc > 0) {
        kill_group(process);
        (void)pidfd_reap(process->pidfd, &info, &usage);
    } else {
        eop_log_write(&process->ctx->log, EDGEOPS_LOG_ERROR, "platform",
                      "process %ld does not end though killed: it hangs in the kernel",
                      (long)process->pid);
    }
    (void)close(process->pidfd);
    process->pidfd = -1;
}

edgeops_status eop_process_start(eop_process **out, edgeops_ctx *ctx,
                                 const eop_process_options *options, eop_exit_fn on_exit,
                                 void *user_data) {
    eop_process *process = NULL;
    int rc = 0;
    *out = NULL;
    EOP_REQUIRE(options->file != NULL && options->file[0] == '/' && options->argv != NULL,
                "platform");
    EOP_REQUIRE(options->fds != NULL && options->fd_count >= 3 &&
                    options->fd_count <= EOP_SPAWN_FDS,
                "platform");
    process = eop_calloc(1, sizeof(*process));
    if (process == NULL) {
        return eop_fail_nomem("platform");
    }
    process->ctx = ctx;
    process->on_exit = on_exit;
    process->user_data = user_data;
    rc = eop_spawn(&process->pid, &process->pidfd, options);
    if (rc != 0) {
        eop_free(process);
        return eop_fail_errno(rc, "platform", "'%s' cannot be started", options->file);
    }
    rc = uv_poll_init(&ctx->loop, &process->handle, process->pidfd);
    if (rc != 0) {
        kill_and_reap(process);
        eop_free(process);
        return eop_fail_errno(-rc, "platform", "'%s' cannot be watched", options->file);
    }
    process->handle.data = process;
    (void)uv_poll_start(&process->handle, UV_READABLE, on_pidfd);
    eop_ctx_ref(ctx);
    *out = process;
    return EDGEOPS_OK;
}

void eop_process_kill(eop_process *process, int signal) {
    if (process == NULL || process->pidfd < 0) {
        return;
    }
    (void)pidfd_signal(process->pidfd, signal);
    if (signal == SIGKILL) {
        kill_group(process);
    }
}

pid_t eop_process_pid(const eop_process *process) {
    return process->pid;
}

void eop_process_free(eop_process *process) {
    if (process == NULL) {
        return;
    }
    (void)uv_poll_stop(&process->handle);
    if (process->pidfd >= 0) {
        kill_and_reap(process);
    }
    eop_uv_close(process->ctx, (uv_handle_t *)&process->handle);
}

uint64_t eop_process_peak_memory(const eop_process *process) {
    char path[64];
    char text[4096]; /* "VmHWM" is in the first 1.5 KiB of it: proc(5) */
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)eop_process_pid(process));
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *line = strstr(text, "\nVmHWM:");
    if (line == NULL || sscanf(line, "\nVmHWM: %llu kB", &kib) != 1) {
        return 0; /* exited already */
    }
    return (uint64_t)kib * 1024u;
}
