/* SPDX-License-Identifier: Apache-2.0 */
/* Starting child processes. A worker asks the kernel to be killed with its parent, and the parent is
 * the thread that started it: so one thread of ours, which lives as long as the process, starts all
 * of them, and the host's threads may come and go. The child of a fork makes a thread of its own. */
#include "platform/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fork.h"
#include "base/thread.h"

enum { STACK_SIZE = 256 * 1024 };

extern char **environ;

static int pidfd_open_of(pid_t pid) {
    return eop_fd_high((int)syscall(SYS_pidfd_open, pid, 0)); /* always close-on-exec */
}

static int set_attributes(posix_spawnattr_t *attr) {
    sigset_t none;
    sigset_t all;
    int rc = 0;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    rc = posix_spawnattr_setsigmask(attr, &none);
    rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(attr, &all);
    /* Its own group: Ctrl-C on the host's terminal is for the host. */
    rc = rc != 0 ? rc : posix_spawnattr_setpgroup(attr, 0);
    return rc != 0 ? rc
                   : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETPGROUP);
}

/* copies[i] lies above all targets, so that no dup2 hits a descriptor that is still needed, and
 * never is its own target, which would keep close-on-exec. */
static int set_actions(posix_spawn_file_actions_t *actions, const eop_process_options *options,
                       const int *copies) {
    int rc = 0;
    for (size_t i = 0; i < options->fd_count && rc == 0; i++) {
        if (copies[i] < 0) {
            rc = posix_spawn_file_actions_addopen(actions, (int)i, "/dev/null", O_RDWR, 0);
        } else {
            rc = posix_spawn_file_actions_adddup2(actions, copies[i], (int)i);
        }
    }
    rc = rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(actions, (int)options->fd_count);
    if (rc == 0 && options->directory != NULL) {
        rc = posix_spawn_file_actions_addchdir_np(actions, options->directory);
    }
    return rc;
}

/* posix_spawn wants char *const[], and promises not to write there. */
static char *const *unconst(const char *const *strings) {
    union {
        const char *const *in;
        char *const *out;
    } both;
    both.in = strings;
    return both.out;
}

/* -- the thread -- */

/* What the thread needs for one child. It allocates nothing, so that it takes no arena of malloc's
 * for as long as the process lives. */
typedef struct order {
    const eop_process_options *options;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attr;
    pid_t pid;
    int rc; /* 0 or an errno value */
} order;

typedef struct spawner {
    eop_birth birth;
    pthread_mutex_t turn; /* one process at a time */
    pthread_mutex_t lock; /* around the rest */
    pthread_cond_t changed;
    bool running;
    order *asked; /* NULL: nothing to do */
} spawner;

static _Atomic(spawner *) current;

static void *spawner_main(void *user_data) {
    spawner *s = user_data;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->asked == NULL) {
            pthread_cond_wait(&s->changed, &s->lock);
        }
        order *o = s->asked;
        const eop_process_options *options = o->options;
        o->rc = posix_spawn(&o->pid, options->file, o->actions, o->attr, unconst(options->argv),
                            options->envp != NULL ? unconst(options->envp) : environ);
        s->asked = NULL;
        pthread_cond_broadcast(&s->changed);
    }
    return NULL;
}

static int start_thread(spawner *s) {
    pthread_attr_t attributes;
    pthread_t thread;
    int rc = pthread_attr_init(&attributes);
    if (rc == 0) {
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        rc = eop_thread_create(&thread, &attributes, spawner_main, s);
        (void)pthread_attr_destroy(&attributes);
    }
    return rc;
}

/* That of this process; one that came through a fork has no thread here and is left alone. Not from
 * the host's allocator, whose memory ours must not outlive. */
static spawner *get(void) {
    spawner *old = atomic_load(&current);
    if (old != NULL && eop_born_here(&old->birth)) {
        return old;
    }
    spawner *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    eop_birth_set(&made->birth);
    (void)pthread_mutex_init(&made->turn, NULL);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->changed, NULL);
    if (!atomic_compare_exchange_strong(&current, &old, made)) {
        free(made); /* another thread was faster */
        made = old;
    }
    return made;
}

/* Has the thread carry out an order. */
static int carry_out(order *o) {
    spawner *s = get();
    if (s == NULL) {
        return ENOMEM;
    }
    pthread_mutex_lock(&s->turn);
    pthread_mutex_lock(&s->lock);
    int rc = s->running ? 0 : start_thread(s);
    s->running = rc == 0;
    if (rc == 0) {
        s->asked = o;
        pthread_cond_broadcast(&s->changed);
        while (s->asked != NULL) {
            pthread_cond_wait(&s->changed, &s->lock);
        }
        rc = o->rc;
    }
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->turn);
    return rc;
}

static int spawn(pid_t *pid, const eop_process_options *options, const int *copies) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        order o = {.options = options, .actions = &actions, .attr = &attr};
        rc = set_attributes(&attr);
        rc = rc != 0 ? rc : set_actions(&actions, options, copies);
        rc = rc != 0 ? rc : carry_out(&o);
        *pid = o.pid;
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int eop_spawn(pid_t *pid, int *pidfd, const eop_process_options *options) {
    int copies[EOP_SPAWN_FDS];
    size_t made = 0;
    int rc = 0;
    for (; made < options->fd_count && rc == 0; made++) {
        int fd = options->fds[made];
        copies[made] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, (int)options->fd_count);
        rc = fd >= 0 && copies[made] < 0 ? errno : 0;
    }
    rc = rc != 0 ? rc : spawn(pid, options, copies);
    if (rc == 0) {
        *pidfd = pidfd_open_of(*pid);
        if (*pidfd < 0) {
            rc = errno;
            (void)kill(*pid, SIGKILL);
            while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    while (made > 0) {
        if (copies[--made] >= 0) {
            (void)close(copies[made]);
        }
    }
    return rc;
}
