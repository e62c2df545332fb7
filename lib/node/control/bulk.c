/* SPDX-License-Identifier: Apache-2.0 */
/* Input that a cancel can end. A read(2) of a pipe or terminal blocks until its other end moves,
 * and the CSV reader calls read(2): so a second thread reads ahead into a pipe, for all but regular
 * files. */

#include "node/control/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"
#include "node/control/job.h"

struct eop_bulk {
    eop_job *job;
    int input;   /**< borrowed */
    int ends[2]; /**< of the pipe in between, -1 for a regular file */
    pthread_t thread;
    bool started;
};

/* Waits for input. False: the job was canceled or the reader has enough. */
static bool wait_for_input(const eop_bulk *bulk) {
    for (;;) {
        struct pollfd fds[3] = {{.fd = eop_job_cancel_fd(bulk->job), .events = POLLIN},
                                {.fd = bulk->ends[1], .events = 0},
                                {.fd = bulk->input, .events = POLLIN}};
        int n = poll(fds, 3, -1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 || fds[0].revents != 0 || fds[1].revents != 0) {
            return false;
        }
        if (fds[2].revents != 0) {
            return true;
        }
    }
}

static void *pump_main(void *user_data) {
    eop_bulk *bulk = user_data;
    char data[65536];
    while (wait_for_input(bulk)) {
        ssize_t n = read(bulk->input, data, sizeof(data));
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n <= 0 || eop_job_write(bulk->job, bulk->ends[1], data, (size_t)n) != EDGEOPS_OK) {
            break;
        }
    }
    close(bulk->ends[1]);
    return NULL;
}

edgeops_status eop_bulk_open(eop_bulk **out, eop_job *job, int fd) {
    struct stat info;
    edgeops_status status = EDGEOPS_OK;
    eop_bulk *bulk = NULL;
    if (fd < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "there is no input: give a descriptor with it");
    }
    if (fstat(fd, &info) != 0) {
        return eop_fail_errno(errno, "node", "the input");
    }
    bulk = eop_calloc(1, sizeof(*bulk));
    if (bulk == NULL) {
        return eop_fail_nomem("node");
    }
    bulk->job = job;
    bulk->input = fd;
    bulk->ends[0] = bulk->ends[1] = -1;
    if (!S_ISREG(info.st_mode)) {
        if (eop_pipe2(bulk->ends, O_CLOEXEC) != 0) {
            status = eop_fail_errno(errno, "node", "no descriptor is left");
        } else {
            int error = eop_thread_create(&bulk->thread, NULL, pump_main, bulk);
            bulk->started = error == 0;
            status = error == 0 ? EDGEOPS_OK : eop_fail_errno(error, "node", "no thread is left");
        }
    }
    if (status != EDGEOPS_OK) {
        eop_bulk_close(bulk);
        return status;
    }
    *out = bulk;
    return EDGEOPS_OK;
}

int eop_bulk_fd(const eop_bulk *bulk) {
    return bulk->ends[0] >= 0 ? bulk->ends[0] : bulk->input;
}

void eop_bulk_close(eop_bulk *bulk) {
    if (bulk == NULL) {
        return;
    }
    if (bulk->ends[0] >= 0) {
        close(bulk->ends[0]);
    }
    if (bulk->started) {
        pthread_join(bulk->thread, NULL);
    } else if (bulk->ends[1] >= 0) {
        close(bulk->ends[1]);
    }
    eop_free(bulk);
}
