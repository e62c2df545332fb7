/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for each long operation, not the loop's pool: an operation may wait for hours on a pipe
 * whose other end is a person, and a pool of four would then serve nobody else. */

#include "node/control/job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"
#include "node/control/call.h"

/* After POLLOUT a pipe takes this much without blocking (PIPE_BUF of POSIX systems we know). */
#define PIPE_STEP      4096
#define PROGRESS_EVERY (100 * EDGEOPS_MILLISECOND)

struct eop_job {
    eop_job *next; /**< in jobs: guarded by being on the loop */
    eop_job *next_finished;
    edgeops_node *node;
    edgeops_call *call;
    eop_job_fn work;
    eop_job_fn done;
    void *user_data;
    pthread_t thread;
    int cancel_fd;
    atomic_bool canceled;
    edgeops_duration reported;
    /* Guarded by the node's lock. */
    eop_json *event;
    /* The job's thread, then the loop. */
    edgeops_status status;
    char *message;
};

static void job_free(eop_job *job) {
    if (job == NULL) {
        return;
    }
    if (job->cancel_fd >= 0) {
        close(job->cancel_fd);
    }
    eop_json_free(job->event);
    eop_free(job->message);
    eop_free(job);
}

static void *job_main(void *user_data) {
    eop_job *job = user_data;
    edgeops_node *node = job->node;
    if (!eop_job_canceled(job)) {
        job->work(job, job->user_data);
    } else {
        job->status = EDGEOPS_E_CANCELED;
    }
    pthread_mutex_lock(&node->lock);
    job->next_finished = node->finished;
    node->finished = job;
    /* Under the lock: the loop joins this thread before it can free the wake. */
    eop_wake_send(node->turn);
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

static void cancel_of_call(edgeops_call *call) {
    for (eop_job *job = call->node->jobs; job != NULL; job = job->next) {
        if (job->call == call) {
            eop_job_cancel(job);
        }
    }
}

/* Signals belong to the host's threads. A SIGPIPE of a reader that left must not reach them. */
static int thread_start(eop_job *job) {
    return eop_thread_create(&job->thread, NULL, job_main, job);
}

edgeops_status eop_job_start(eop_job **out, edgeops_node *node, edgeops_call *call, eop_job_fn work,
                             eop_job_fn done, void *user_data) {
    if (node->job_count >= EOP_NODE_JOBS_MAX) {
        return eop_fail(EDGEOPS_E_BUSY, "node",
                        "%d long operations are under way; try again when one has ended",
                        EOP_NODE_JOBS_MAX);
    }
    eop_job *job = eop_calloc(1, sizeof(*job));
    if (job == NULL) {
        return eop_fail_nomem("node");
    }
    job->node = node;
    job->call = call;
    job->work = work;
    job->done = done;
    job->user_data = user_data;
    job->cancel_fd = eop_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (job->cancel_fd < 0) {
        edgeops_status status = eop_fail_errno(errno, "node", "no descriptor is left");
        job_free(job);
        return status;
    }
    atomic_init(&job->canceled, call != NULL && call->canceled);
    int error = thread_start(job);
    if (error != 0) {
        job_free(job);
        return eop_fail_errno(error, "node", "no thread is left");
    }
    job->next = node->jobs;
    node->jobs = job;
    node->job_count++;
    if (call != NULL && call->cancel == NULL) {
        call->cancel = cancel_of_call;
    }
    if (out != NULL) {
        *out = job;
    }
    return EDGEOPS_OK;
}

void eop_job_cancel(eop_job *job) {
    if (job != NULL && !atomic_exchange(&job->canceled, true)) {
        uint64_t one = 1;
        ssize_t ignored = write(job->cancel_fd, &one, sizeof(one));
        (void)ignored;
    }
}

bool eop_job_canceled(const eop_job *job) {
    return atomic_load(&job->canceled);
}

int eop_job_cancel_fd(const eop_job *job) {
    return job->cancel_fd;
}

edgeops_node *eop_job_node(const eop_job *job) {
    return job->node;
}

void eop_job_end(eop_job *job, edgeops_status status) {
    job->status = status;
    eop_free(job->message);
    job->message = status < 0 ? eop_strdup(edgeops_error_last()->message) : NULL;
}

edgeops_status eop_job_status(const eop_job *job) {
    if (job->status >= 0) {
        return job->status;
    }
    if (eop_job_canceled(job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    return eop_fail_with(job->status, "node", job->message != NULL ? job->message : "");
}

void eop_job_event(eop_job *job, eop_json *event) {
    pthread_mutex_lock(&job->node->lock);
    eop_json *old = job->event;
    job->event = event;
    pthread_mutex_unlock(&job->node->lock);
    eop_json_free(old);
    eop_wake_send(job->node->turn);
}

bool eop_job_due(eop_job *job) {
    edgeops_duration now = eop_monotonic();
    if (now - job->reported < PROGRESS_EVERY) {
        return false;
    }
    job->reported = now;
    return true;
}

/* events: POLLIN or POLLOUT. fd -1 with a timeout: only waits. */
static edgeops_status wait_for(eop_job *job, int fd, short events, int timeout_ms) {
    for (;;) {
        if (eop_job_canceled(job)) {
            return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
        }
        struct pollfd fds[2] = {{.fd = job->cancel_fd, .events = POLLIN},
                                {.fd = fd, .events = events}};
        int n = poll(fds, fd >= 0 ? 2 : 1, timeout_ms);
        if (n < 0 && errno != EINTR) {
            return eop_fail_errno(errno, "node", "waiting for a descriptor");
        }
        if ((n == 0 && timeout_ms >= 0) || (n > 0 && fd >= 0 && fds[1].revents != 0)) {
            return EDGEOPS_OK;
        }
    }
}

edgeops_status eop_job_pause(eop_job *job, edgeops_duration duration) {
    return wait_for(job, -1, 0, (int)(duration / EDGEOPS_MILLISECOND));
}

edgeops_status eop_job_check_input(const eop_job *job) {
    return job->call != NULL && job->call->input >= 0
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "node",
                          "there is no input: give a descriptor with it");
}

edgeops_status eop_job_read(eop_job *job, int fd, void *data, size_t size, size_t *got) {
    return eop_read_some(got, fd, job->cancel_fd, data, size, "the input");
}

static ssize_t write_step(int fd, bool is_socket, const char *data, size_t size) {
    return is_socket ? send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, data, size);
}

edgeops_status eop_job_write(eop_job *job, int fd, const void *data, size_t size) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return eop_fail_errno(errno, "node", "the output");
    }
    size_t step = S_ISREG(info.st_mode) ? (size_t)1 << 20 : PIPE_STEP;
    const char *at = data;
    while (size > 0) {
        edgeops_status status = wait_for(job, fd, POLLOUT, -1);
        if (status != EDGEOPS_OK) {
            return status;
        }
        ssize_t n = write_step(fd, S_ISSOCK(info.st_mode), at, size < step ? size : step);
        if (n >= 0) {
            at += n;
            size -= (size_t)n;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return eop_fail(EDGEOPS_E_CLOSED, "node", "the reader of the output went away");
        } else if (errno != EINTR && errno != EAGAIN) {
            return eop_fail_errno(errno, "node", "writing the output");
        }
    }
    return EDGEOPS_OK;
}

static void unlink_job(edgeops_node *node, eop_job *job) {
    for (eop_job **at = &node->jobs; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            node->job_count--;
            return;
        }
    }
}

static void send_event(eop_job *job) {
    pthread_mutex_lock(&job->node->lock);
    eop_json *event = job->event;
    job->event = NULL;
    pthread_mutex_unlock(&job->node->lock);
    if (event != NULL && job->call != NULL) {
        eop_call_event(job->call, event);
    } else {
        eop_json_free(event);
    }
}

void eop_jobs_turn(edgeops_node *node) {
    /* A callback may start a job, which goes to the front of the list. Only this function removes
     * one. */
    for (eop_job *job = node->jobs; job != NULL; job = job->next) {
        send_event(job);
    }
    for (;;) {
        pthread_mutex_lock(&node->lock);
        eop_job *job = node->finished;
        if (job != NULL) {
            node->finished = job->next_finished;
        }
        pthread_mutex_unlock(&node->lock);
        if (job == NULL) {
            return;
        }
        pthread_join(job->thread, NULL);
        unlink_job(node, job);
        send_event(job);
        job->done(job, job->user_data);
        job_free(job);
    }
}
