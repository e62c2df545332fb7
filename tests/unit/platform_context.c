/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/time.h"
#include "platform/platform.h"

#define LONG (20 * EDGEOPS_SECOND) /* only a failing test waits that long */

static edgeops_ctx *ctx;
static int calls;

static void setup(void) {
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
}

static void teardown(void) {
    edgeops_ctx_free(ctx);
}

TestSuite(platform_context, .init = setup, .fini = teardown, .timeout = 60);

static void stop(void *user_data) {
    calls++;
    edgeops_ctx_stop(user_data);
}

static void count(void *user_data) {
    (*(int *)user_data)++;
}

/* -- running -- */

Test(platform_context, options_init_equals_the_macro) {
    edgeops_ctx_options macro = EDGEOPS_CTX_OPTIONS_INIT;
    edgeops_ctx_options init;
    memset(&init, 0xff, sizeof(init));
    edgeops_ctx_options_init(&init, sizeof(init));
    cr_expect_eq(init.struct_size, macro.struct_size);
    cr_expect_eq(init.log, macro.log);
    cr_expect_eq(init.log_user_data, macro.log_user_data);
    cr_expect_eq(init.log_level, macro.log_level);
}

Test(platform_context, options_of_an_older_header_are_cut) {
    edgeops_ctx_options options = EDGEOPS_CTX_OPTIONS_INIT;
    edgeops_ctx *other = NULL;
    options.struct_size = offsetof(edgeops_ctx_options, log_level);
    options.log_level = EDGEOPS_LOG_DEBUG; /* beyond the size: not read */
    cr_assert_eq(edgeops_ctx_new(&other, &options), EDGEOPS_OK);
    cr_expect_eq(eop_ctx_log(other)->level, EDGEOPS_LOG_ERROR);
    edgeops_ctx_free(other);
}

Test(platform_context, idle_loop_times_out_and_not_early) {
    edgeops_duration start = eop_monotonic();
    cr_expect_eq(edgeops_ctx_run(ctx, 20 * EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_geq(eop_monotonic() - start, 20 * EDGEOPS_MILLISECOND);
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
}

Test(platform_context, stop_before_run_ends_the_next_run_only) {
    edgeops_ctx_stop(ctx);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
}

static void *stop_from_thread(void *user_data) {
    edgeops_ctx_stop(user_data);
    return NULL;
}

Test(platform_context, stop_from_another_thread_ends_a_run_without_limit) {
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, stop_from_thread, ctx), 0);
        cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_FOREVER), EDGEOPS_OK);
        cr_assert_eq(pthread_join(thread, NULL), 0);
    }
}

static void on_alarm(int signal) {
    (void)signal;
    edgeops_ctx_stop(ctx);
}

Test(platform_context, stop_in_a_signal_handler_ends_the_run) {
    struct itimerval soon = {{0, 0}, {0, 2000}};
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_alarm;
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
}

static void nest(void *user_data) {
    edgeops_status *got = user_data;
    got[0] = edgeops_ctx_run(ctx, 0);
    got[1] = edgeops_ctx_dispatch(ctx);
    got[2] = eop_ctx_turn(ctx, EDGEOPS_SECOND);
}

Test(platform_context, turning_the_loop_inside_a_callback_is_refused) {
    edgeops_status got[3] = {EDGEOPS_OK, EDGEOPS_OK, EDGEOPS_OK};
    cr_assert_eq(eop_defer(ctx, nest, got), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(got[i], EDGEOPS_E_INVALID);
    }
    cr_expect_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
}

Test(platform_context, turn_sleeps_no_longer_than_it_may) {
    edgeops_duration start = eop_monotonic();
    cr_expect_eq(eop_ctx_turn(ctx, 0), EDGEOPS_OK);
    cr_expect_eq(eop_ctx_turn(ctx, 10 * EDGEOPS_MILLISECOND), EDGEOPS_OK);
    cr_expect_geq(eop_monotonic() - start, 10 * EDGEOPS_MILLISECOND);
    cr_expect_lt(eop_monotonic() - start, LONG);
}

Test(platform_context, turn_keeps_a_stop_for_run) {
    edgeops_ctx_stop(ctx);
    cr_expect_eq(eop_ctx_turn(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
}

/* -- timers -- */

typedef struct clocked {
    eop_timer *timer;
    edgeops_duration fired;
    int count;
} clocked;

static void note_time(void *user_data) {
    clocked *c = user_data;
    c->fired = eop_monotonic();
    c->count++;
    edgeops_ctx_stop(ctx);
}

Test(platform_context, timer_is_never_early) {
    clocked c = {0};
    cr_assert_eq(eop_timer_new(&c.timer, ctx, note_time, &c), EDGEOPS_OK);
    for (int i = 1; i <= 20; i++) {
        edgeops_duration after = i * 173 * 1000; /* fractions of a millisecond too */
        edgeops_duration start = eop_monotonic();
        eop_timer_start(c.timer, after, 0);
        cr_assert_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
        cr_expect_geq(c.fired - start, after);
    }
    cr_expect_eq(c.count, 20);
    eop_timer_free(c.timer);
}

Test(platform_context, timer_of_for_ever_does_not_fire) {
    int fired = 0;
    eop_timer *timer = NULL;
    cr_assert_eq(eop_timer_new(&timer, ctx, count, &fired), EDGEOPS_OK);
    eop_timer_start(timer, EDGEOPS_FOREVER, 0);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(fired, 0);
    eop_timer_free(timer);
}

typedef struct repeating {
    eop_timer *timer;
    int left;
} repeating;

static void count_down(void *user_data) {
    repeating *r = user_data;
    calls++;
    if (--r->left == 0) {
        eop_timer_free(r->timer); /* inside its own callback */
        r->timer = NULL;
        edgeops_ctx_stop(ctx);
    }
}

Test(platform_context, repeating_timer_ends_when_freed_in_its_callback) {
    repeating r = {NULL, 3};
    cr_assert_eq(eop_timer_new(&r.timer, ctx, count_down, &r), EDGEOPS_OK);
    eop_timer_start(r.timer, 0, EDGEOPS_MILLISECOND);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, 5 * EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(calls, 3);
}

typedef struct pair {
    eop_timer *timers[2];
    int fired;
} pair;

static void free_both(void *user_data) {
    pair *p = user_data;
    p->fired++;
    for (int i = 0; i < 2; i++) {
        eop_timer_free(p->timers[i]);
        p->timers[i] = NULL;
    }
}

Test(platform_context, freed_timer_that_is_due_in_the_same_turn_does_not_fire) {
    pair p = {{NULL, NULL}, 0};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(eop_timer_new(&p.timers[i], ctx, free_both, &p), EDGEOPS_OK);
        eop_timer_start(p.timers[i], 0, 0);
    }
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(p.fired, 1);
}

Test(platform_context, stopped_timer_does_not_fire) {
    int fired = 0;
    eop_timer *timer = NULL;
    cr_assert_eq(eop_timer_new(&timer, ctx, count, &fired), EDGEOPS_OK);
    eop_timer_start(timer, 0, 0);
    eop_timer_stop(timer);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(fired, 0);
    eop_timer_free(timer);
    eop_timer_free(NULL);
}

/* -- wake -- */

typedef struct shared {
    eop_wake *wake;
    atomic_int sent;
    int seen;
} shared;

enum { SENDERS = 4, SENDS = 5000 };

static void *send_many(void *user_data) {
    shared *s = user_data;
    for (int i = 0; i < SENDS; i++) {
        atomic_fetch_add(&s->sent, 1);
        eop_wake_send(s->wake);
    }
    return NULL;
}

static void see_all(void *user_data) {
    shared *s = user_data;
    s->seen = atomic_load(&s->sent);
    if (s->seen == SENDERS * SENDS) {
        edgeops_ctx_stop(ctx);
    }
}

Test(platform_context, what_was_sent_before_a_wake_is_seen_after_it) {
    shared s = {0};
    pthread_t threads[SENDERS];
    cr_assert_eq(eop_wake_new(&s.wake, ctx, see_all, &s), EDGEOPS_OK);
    for (int i = 0; i < SENDERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, send_many, &s), 0);
    }
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    for (int i = 0; i < SENDERS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_expect_eq(s.seen, SENDERS * SENDS);
    eop_wake_free(s.wake);
}

Test(platform_context, freed_wake_does_not_fire) {
    int fired = 0;
    eop_wake *wake = NULL;
    cr_assert_eq(eop_wake_new(&wake, ctx, count, &fired), EDGEOPS_OK);
    eop_wake_send(wake);
    eop_wake_free(wake);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(fired, 0);
    eop_wake_free(NULL);
}

/* -- descriptors -- */

typedef struct watched {
    eop_io *io;
    int events;
    int calls;
    bool free_it;
} watched;

static void note_events(int events, void *user_data) {
    watched *w = user_data;
    w->events = events;
    w->calls++;
    if (w->free_it) {
        eop_io_free(w->io);
        w->io = NULL;
    }
    edgeops_ctx_stop(ctx);
}

static void make_pipe(int fds[2]) {
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
}

Test(platform_context, readable_pipe_is_reported_until_it_is_read) {
    watched w = {0};
    int fds[2];
    make_pipe(fds);
    cr_assert_eq(eop_io_new(&w.io, ctx, fds[0], note_events, &w), EDGEOPS_OK);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(w.calls, 0); /* nothing was asked for yet */
    cr_assert_eq(eop_io_set(w.io, EOP_READABLE), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(w.events, EOP_READABLE);
    cr_assert_eq(eop_io_set(w.io, 0), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(w.calls, 2);
    eop_io_free(w.io);
    close(fds[0]);
    close(fds[1]);
}

Test(platform_context, closed_reader_is_a_hangup_for_the_writer_each_turn) {
    watched w = {0};
    int fds[2];
    make_pipe(fds);
    cr_assert_eq(eop_io_new(&w.io, ctx, fds[1], note_events, &w), EDGEOPS_OK);
    cr_assert_eq(eop_io_set(w.io, EOP_WRITABLE), EDGEOPS_OK);
    close(fds[0]);
    for (int i = 0; i < 2; i++) {
        w.events = 0;
        cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
        cr_expect_eq(w.events, EOP_WRITABLE | EOP_HANGUP);
    }
    w.free_it = true;
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(w.calls, 3);
    close(fds[1]);
}

Test(platform_context, descriptor_may_be_closed_and_its_number_used_again_at_once) {
    int fds[2];
    make_pipe(fds);
    for (int i = 0; i < 3; i++) {
        watched w = {.free_it = true};
        int copy = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
        cr_assert_eq(eop_io_new(&w.io, ctx, copy, note_events, &w), EDGEOPS_OK);
        cr_assert_eq(eop_io_set(w.io, EOP_READABLE), EDGEOPS_OK);
        cr_assert_eq(write(fds[1], "x", 1), 1);
        cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
        cr_expect_eq(w.calls, 1);
        close(copy);
    }
    close(fds[0]);
    close(fds[1]);
}

Test(platform_context, regular_file_cannot_be_watched) {
    char path[] = "/tmp/edgeops-io-XXXXXX";
    eop_io *io = NULL;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_expect_eq(eop_io_new(&io, ctx, fd, note_events, NULL), EDGEOPS_E_DENIED);
    cr_expect_null(io);
    close(fd);
    unlink(path);
}

/* -- work and deferred calls -- */

typedef struct job {
    pthread_t worker;
    pthread_t finisher;
    sigset_t mask;
    int worked;
    int finished;
} job;

static void do_job(void *user_data) {
    job *j = user_data;
    j->worker = pthread_self();
    (void)pthread_sigmask(SIG_BLOCK, NULL, &j->mask);
    j->worked++;
}

static void job_done(void *user_data) {
    job *j = user_data;
    j->finisher = pthread_self();
    j->finished++;
    edgeops_ctx_stop(ctx);
}

Test(platform_context, thread_runs_elsewhere_and_is_done_here) {
    job j = {0};
    cr_assert_eq(eop_thread_start(ctx, do_job, job_done, &j), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(j.worked, 1);
    cr_expect_eq(j.finished, 1);
    cr_expect_not(pthread_equal(j.worker, pthread_self()));
    cr_expect(pthread_equal(j.finisher, pthread_self()));
    cr_expect(sigismember(&j.mask, SIGTERM), "the host's signals are not for a helper");
    cr_expect_not(sigismember(&j.mask, SIGSEGV));
}

typedef struct chain {
    int calls;
} chain;

static void defer_again(void *user_data) {
    chain *c = user_data;
    c->calls++;
    if (c->calls < 3) {
        cr_assert_eq(eop_defer(ctx, defer_again, c), EDGEOPS_OK);
    }
}

Test(platform_context, deferred_calls_run_in_the_next_turn_each) {
    chain c = {0};
    cr_assert_eq(eop_defer(ctx, defer_again, &c), EDGEOPS_OK);
    cr_expect_eq(c.calls, 0);
    for (int i = 1; i <= 3; i++) {
        cr_expect_eq(edgeops_ctx_timeout(ctx), 0);
        cr_expect_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
        cr_expect_eq(c.calls, i);
    }
    cr_expect_eq(edgeops_ctx_timeout(ctx), EDGEOPS_FOREVER);
}

Test(platform_context, canceled_deferred_call_does_not_run) {
    int a = 0;
    int b = 0;
    cr_assert_eq(eop_defer(ctx, count, &a), EDGEOPS_OK);
    cr_assert_eq(eop_defer(ctx, count, &b), EDGEOPS_OK);
    eop_defer_cancel(ctx, count, &a);
    cr_expect_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
    cr_expect_eq(a, 0);
    cr_expect_eq(b, 1);
}

/* -- a loop that is not ours -- */

/* What a host does with fd, timeout and dispatch; true when *flag was set in time. */
static bool foreign_loop(const int *flag) {
    edgeops_duration end = eop_monotonic() + LONG;
    while (*flag == 0 && eop_monotonic() < end) {
        struct pollfd ready = {edgeops_ctx_fd(ctx), POLLIN, 0};
        edgeops_duration wait = edgeops_ctx_timeout(ctx);
        int wait_ms = wait == EDGEOPS_FOREVER ? 20000 : (int)((wait + 999999) / 1000000);
        if (poll(&ready, 1, wait_ms) < 0) {
            return false;
        }
        cr_assert_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
    }
    return *flag != 0;
}

static void set_flag(int events, void *user_data) {
    (void)events;
    *(int *)user_data = 1;
}

static void *write_byte(void *user_data) {
    (void)!write(*(int *)user_data, "x", 1);
    return NULL;
}

static void *send_wake(void *user_data) {
    eop_wake_send(user_data);
    return NULL;
}

Test(platform_context, foreign_loop_sees_timers_wakes_work_and_descriptors) {
    eop_timer *timer = NULL;
    eop_wake *wake = NULL;
    eop_io *io = NULL;
    pthread_t thread;
    int fds[2];
    int flags[4] = {0};

    cr_expect_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
    cr_expect_eq(edgeops_ctx_timeout(ctx), EDGEOPS_FOREVER);

    cr_assert_eq(eop_timer_new(&timer, ctx, count, &flags[0]), EDGEOPS_OK);
    eop_timer_start(timer, 5 * EDGEOPS_MILLISECOND, 0);
    cr_expect_leq(edgeops_ctx_timeout(ctx), 7 * EDGEOPS_MILLISECOND);
    cr_expect(foreign_loop(&flags[0]), "timer");

    cr_assert_eq(eop_wake_new(&wake, ctx, count, &flags[1]), EDGEOPS_OK);
    cr_assert_eq(pthread_create(&thread, NULL, send_wake, wake), 0);
    cr_expect(foreign_loop(&flags[1]), "wake");
    cr_assert_eq(pthread_join(thread, NULL), 0);

    cr_assert_eq(eop_thread_start(ctx, count, count, &flags[2]), EDGEOPS_OK);
    cr_expect(foreign_loop(&flags[2]), "thread");

    make_pipe(fds);
    cr_assert_eq(eop_io_new(&io, ctx, fds[0], set_flag, &flags[3]), EDGEOPS_OK);
    /* Asked for outside of a turn: the loop must not sleep before it has looked at it. */
    cr_assert_eq(eop_io_set(io, EOP_READABLE), EDGEOPS_OK);
    cr_assert_eq(pthread_create(&thread, NULL, write_byte, &fds[1]), 0);
    cr_expect(foreign_loop(&flags[3]), "descriptor");
    cr_assert_eq(pthread_join(thread, NULL), 0);

    eop_io_free(io);
    eop_wake_free(wake);
    eop_timer_free(timer);
    close(fds[0]);
    close(fds[1]);
}

Test(platform_context, timeout_counts_from_now_not_from_the_last_turn) {
    int fired = 0;
    edgeops_duration first = 0;
    edgeops_duration start = 0;
    eop_timer *timer = NULL;
    cr_assert_eq(eop_timer_new(&timer, ctx, count, &fired), EDGEOPS_OK);
    cr_assert_eq(edgeops_ctx_dispatch(ctx), EDGEOPS_OK);
    start = eop_monotonic();
    eop_timer_start(timer, 10 * EDGEOPS_SECOND, 0);
    first = edgeops_ctx_timeout(ctx);
    cr_expect_gt(first, 0);
    cr_expect_leq(first, 10 * EDGEOPS_SECOND + 2 * EDGEOPS_MILLISECOND);
    while (eop_monotonic() - start < 5 * EDGEOPS_MILLISECOND) {
        /* nobody dispatches meanwhile */
    }
    cr_expect_leq(edgeops_ctx_timeout(ctx), first - 3 * EDGEOPS_MILLISECOND);
    eop_timer_free(timer);
}

Test(platform_context, stop_wakes_a_run_on_a_timer) {
    eop_timer *timer = NULL;
    cr_assert_eq(eop_timer_new(&timer, ctx, stop, ctx), EDGEOPS_OK);
    eop_timer_start(timer, EDGEOPS_MILLISECOND, 0);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_FOREVER), EDGEOPS_OK);
    cr_expect_eq(calls, 1);
    eop_timer_free(timer);
}
