/* SPDX-License-Identifier: Apache-2.0 */
/* One handler of pthread_atfork() for the whole library, set at the first birth. It runs in the
 * child, where only async-signal-safe calls are allowed, and takes no lock. */
#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/error.h"

enum { SLOTS = 64 };

unsigned eop_life;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int doomed[SLOTS]; /* 0: free, no descriptor of ours is 0 */

static void in_child(void) {
    eop_life++;
    for (int i = 0; i < SLOTS; i++) {
        int fd = atomic_exchange(&doomed[i], 0);
        if (fd != 0) {
            (void)close(fd);
        }
    }
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, in_child);
}

void eop_birth_set(eop_birth *birth) {
    (void)pthread_once(&once, watch_forks);
    *birth = (eop_birth){eop_life, (int)getpid()};
}

edgeops_status eop_fail_forked(const eop_birth *birth, const char *subsystem, const char *what) {
    return eop_fail(EDGEOPS_E_INVALID, subsystem,
                    "this %s belongs to process %d, from which this one was forked: make one of "
                    "its own here",
                    what, birth->pid);
}

void eop_fork_close(int fd) {
    (void)pthread_once(&once, watch_forks);
    for (int i = 0; i < SLOTS; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&doomed[i], &none, fd)) {
            return;
        }
    }
}

void eop_fork_forget(int fd) {
    for (int i = 0; i < SLOTS; i++) {
        int it = fd;
        if (atomic_compare_exchange_strong(&doomed[i], &it, 0)) {
            return;
        }
    }
}
