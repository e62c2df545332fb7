/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "platform/platform.h"

#define LONG (30 * EDGEOPS_SECOND)

static edgeops_ctx *ctx;

typedef struct child {
    eop_process *process;
    eop_exit exit;
    int exits;
    bool free_it;
} child;

static void setup(void) {
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
}

static void teardown(void) {
    edgeops_ctx_free(ctx);
}

TestSuite(platform_process, .init = setup, .fini = teardown, .timeout = 60);

static void on_exit_of(const eop_exit *exit, void *user_data) {
    child *c = user_data;
    c->exit = *exit;
    c->exits++;
    if (c->free_it) {
        eop_process_free(c->process);
        c->process = NULL;
    }
    edgeops_ctx_stop(ctx);
}

/* Runs a shell script with standard output on out (-1: nowhere). */
static edgeops_status start(child *c, const char *script, int out) {
    const char *argv[] = {"sh", "-c", script, NULL};
    int fds[] = {-1, out, 2};
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    return eop_process_start(&c->process, ctx, &options, on_exit_of, c);
}

static void finish(child *c) {
    cr_assert_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_assert_eq(c->exits, 1);
    eop_process_free(c->process);
}

/* Reads to the end of fd. */
static void slurp(int fd, char *text, size_t size) {
    size_t used = 0;
    ssize_t n = 0;
    while (used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    text[used] = '\0';
    close(fd);
}

static void run_to_text(const char *script, char *text, size_t size) {
    child c = {0};
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(start(&c, script, fds[1]), EDGEOPS_OK);
    close(fds[1]);
    slurp(fds[0], text, size);
    finish(&c);
    cr_expect_eq(c.exit.code, 0);
}

Test(platform_process, exit_code_comes_back) {
    child c = {0};
    cr_assert_eq(start(&c, "exit 42", -1), EDGEOPS_OK);
    cr_expect_gt(eop_process_pid(c.process), 0);
    finish(&c);
    cr_expect_eq(c.exit.code, 42);
    cr_expect_eq(c.exit.signal, 0);
    cr_expect_gt(c.exit.peak_memory_bytes, 0);
}

Test(platform_process, signal_that_ended_it_comes_back) {
    child c = {0};
    cr_assert_eq(start(&c, "kill -SEGV $$", -1), EDGEOPS_OK);
    finish(&c);
    cr_expect_eq(c.exit.code, 0);
    cr_expect_eq(c.exit.signal, SIGSEGV);
}

Test(platform_process, kill_hits_and_is_harmless_afterwards) {
    child c = {0};
    cr_assert_eq(start(&c, "while :; do :; done", -1), EDGEOPS_OK);
    eop_process_kill(c.process, SIGKILL);
    cr_assert_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(c.exit.signal, SIGKILL);
    eop_process_kill(c.process, SIGKILL);
    eop_process_kill(NULL, SIGKILL);
    eop_process_free(c.process);
}

Test(platform_process, freed_in_its_own_callback) {
    child c = {.free_it = true};
    cr_assert_eq(start(&c, "exit 0", -1), EDGEOPS_OK);
    cr_assert_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
    cr_expect_eq(c.exits, 1);
}

Test(platform_process, free_kills_and_reaps_without_a_callback) {
    child c = {0};
    pid_t pid = 0;
    cr_assert_eq(start(&c, "while :; do :; done", -1), EDGEOPS_OK);
    pid = eop_process_pid(c.process);
    eop_process_free(c.process);
    cr_expect_eq(waitpid(pid, NULL, WNOHANG), -1);
    cr_expect_eq(errno, ECHILD);
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(c.exits, 0);
    eop_process_free(NULL);
}

/* The pipe ends only when the last process that holds its write end is gone. */
static void expect_end(int fd) {
    struct pollfd end = {fd, POLLIN, 0};
    char byte = 0;
    cr_assert_eq(poll(&end, 1, 30000), 1);
    cr_expect_eq(read(fd, &byte, 1), 0);
    close(fd);
}

Test(platform_process, what_it_started_is_killed_with_it) {
    child c = {0};
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(start(&c, "sleep 1000 & sleep 1000", fds[1]), EDGEOPS_OK);
    close(fds[1]);
    eop_process_free(c.process);
    expect_end(fds[0]);
}

Test(platform_process, what_it_left_behind_is_killed_when_it_exits) {
    child c = {0};
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(start(&c, "sleep 1000 & exit 3", fds[1]), EDGEOPS_OK);
    close(fds[1]);
    finish(&c);
    cr_expect_eq(c.exit.code, 3);
    expect_end(fds[0]);
}

/* A mask of /proc/PID/status, without the two signals that glibc keeps for itself. */
static unsigned long long mask_of(const char *status, const char *key) {
    const char *line = strstr(status, key);
    cr_assert_not_null(line);
    return strtoull(line + strlen(key), NULL, 16) & ~0x180000000ull;
}

Test(platform_process, signals_are_default_and_open_in_the_child) {
    char text[4096];
    sigset_t all;
    (void)sigfillset(&all);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &all, NULL), 0);
    run_to_text("exec cat /proc/self/status", text, sizeof(text));
    cr_expect_eq(mask_of(text, "SigBlk:"), 0);
    cr_expect_eq(mask_of(text, "SigIgn:"), 0);
}

Test(platform_process, child_leads_its_own_group) {
    char text[64];
    long pid = 0;
    long group = 0;
    run_to_text("exec cut -d' ' -f1,5 /proc/self/stat", text, sizeof(text));
    cr_assert_eq(sscanf(text, "%ld %ld", &pid, &group), 2);
    cr_expect_eq(pid, group);
    cr_expect_neq(group, (long)getpgrp());
}

Test(platform_process, descriptors_arrive_where_they_should_and_no_others) {
    const char *argv[] = {"sh", "-c",
                          "cat <&5; cat <&4; test -c /proc/self/fd/3 && echo null; "
                          "for i in 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do "
                          "test -e /proc/$$/fd/$i && echo leak $i; done; exit 0",
                          NULL};
    child c = {0};
    char text[256];
    int out[2];
    int a[2];
    int b[2];
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(pipe(a), 0); /* without close-on-exec: must not leak all the same */
    cr_assert_eq(pipe(b), 0);
    cr_assert_eq(write(a[1], "a", 1), 1);
    cr_assert_eq(write(b[1], "b", 1), 1);
    close(a[1]);
    close(b[1]);
    int fds[] = {-1, out[1], 2, -1, b[0], a[0]};
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    cr_assert_eq(eop_process_start(&c.process, ctx, &options, on_exit_of, &c), EDGEOPS_OK);
    close(out[1]);
    slurp(out[0], text, sizeof(text));
    finish(&c);
    cr_expect_str_eq(text, "abnull\n");
    close(a[0]);
    close(b[0]);
}

Test(platform_process, descriptors_that_are_targets_of_each_other_are_swapped) {
    const char *argv[] = {"sh", "-c", "cat", NULL};
    int fds[] = {1, 0, 2}; /* what is 1 here becomes 0 there, and the other way round */
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    child c = {0};
    char text[64];
    int in[2];
    int out[2];
    cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(dup2(in[0], 1), 1);
    cr_assert_eq(dup2(out[1], 0), 0);
    cr_assert_eq(write(in[1], "through", 7), 7);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    cr_assert_eq(eop_process_start(&c.process, ctx, &options, on_exit_of, &c), EDGEOPS_OK);
    close(0);
    slurp(out[0], text, sizeof(text));
    finish(&c);
    cr_expect_str_eq(text, "through");
}

Test(platform_process, descriptor_that_is_its_own_target_stays_open) {
    const char *argv[] = {"sh", "-c", "echo here", NULL};
    int fds[] = {-1, 1, 2};
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    child c = {0};
    char text[64];
    int out[2];
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(dup3(out[1], 1, O_CLOEXEC), 1);
    close(out[1]);
    cr_assert_eq(eop_process_start(&c.process, ctx, &options, on_exit_of, &c), EDGEOPS_OK);
    close(1);
    slurp(out[0], text, sizeof(text));
    finish(&c);
    cr_expect_str_eq(text, "here\n");
}

Test(platform_process, directory_and_environment_are_those_given) {
    const char *argv[] = {"sh", "-c", "pwd; echo $ONLY; env | wc -l", NULL};
    const char *envp[] = {"ONLY=this", NULL};
    child c = {0};
    char text[256];
    int out[2];
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    int fds[] = {-1, out[1], 2};
    eop_process_options options = {.file = "/bin/sh",
                                   .argv = argv,
                                   .envp = envp,
                                   .directory = "/",
                                   .fds = fds,
                                   .fd_count = EOP_COUNT(fds)};
    cr_assert_eq(eop_process_start(&c.process, ctx, &options, on_exit_of, &c), EDGEOPS_OK);
    close(out[1]);
    slurp(out[0], text, sizeof(text));
    finish(&c);
    cr_expect_eq(strncmp(text, "/\nthis\n", 7), 0, "%s", text);
}

Test(platform_process, missing_program_is_an_error_of_start) {
    const char *argv[] = {"nothing", NULL};
    int fds[] = {-1, -1, -1};
    eop_process_options options = {
        .file = "/nonexistent/nothing", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    eop_process *process = NULL;
    cr_expect_eq(eop_process_start(&process, ctx, &options, on_exit_of, NULL), EDGEOPS_E_NOTFOUND);
    cr_expect_null(process);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "/nonexistent/nothing"));
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
}

Test(platform_process, missing_directory_is_an_error_of_start) {
    const char *argv[] = {"sh", "-c", "exit 0", NULL};
    int fds[] = {-1, -1, -1};
    eop_process_options options = {.file = "/bin/sh",
                                   .argv = argv,
                                   .directory = "/nonexistent",
                                   .fds = fds,
                                   .fd_count = EOP_COUNT(fds)};
    eop_process *process = NULL;
    cr_expect_eq(eop_process_start(&process, ctx, &options, on_exit_of, NULL), EDGEOPS_E_NOTFOUND);
    cr_expect_null(process);
}

Test(platform_process, host_that_reaps_its_children_itself_is_survived) {
    child c = {0};
    pid_t pid = 0;
    cr_assert_eq(start(&c, "exit 5", -1), EDGEOPS_OK);
    pid = eop_process_pid(c.process);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    finish(&c);
    cr_expect_eq(c.exit.code, -1);
}

Test(platform_process, usage_counts_processor_time) {
    child c = {0};
    cr_assert_eq(start(&c, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", -1), EDGEOPS_OK);
    finish(&c);
    cr_expect_gt(c.exit.user_s + c.exit.system_s, 0.005);
    cr_expect_lt(c.exit.user_s + c.exit.system_s, 30.0);
}

Test(platform_process, no_descriptor_is_lost) {
    int before = dup(2);
    int after = -1;
    close(before);
    for (int i = 0; i < 20; i++) {
        child c = {0};
        cr_assert_eq(start(&c, "exit 0", -1), EDGEOPS_OK);
        finish(&c);
    }
    after = dup(2);
    close(after);
    cr_expect_eq(after, before);
}

Test(platform_process, no_descriptor_left_is_an_error_and_nothing_stays) {
    struct rlimit limit;
    child c = {0};
    edgeops_status status = EDGEOPS_OK;
    int first = dup(2);
    rlim_t old = 0;
    close(first);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    old = limit.rlim_cur;
    for (int more = 0; more < 16; more++) {
        limit.rlim_cur = (rlim_t)(first + more);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        status = start(&c, "while :; do :; done", 1);
        limit.rlim_cur = old;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (status == EDGEOPS_OK) {
            break;
        }
        cr_expect_eq(status, EDGEOPS_E_IO);
        cr_expect_null(c.process);
        cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child was left");
    }
    cr_expect_eq(status, EDGEOPS_OK);
    eop_process_free(c.process);
    int last = dup(2);
    cr_expect_eq(last, first);
    close(last);
}

/* -- shared memory -- */

Test(platform_process, shared_memory_reaches_a_child_and_its_seal_holds) {
    const char *argv[] = {"sh", "-c", "head -c 5 <&3; printf x >&3 || echo ' sealed'", NULL};
    child c = {0};
    char text[256];
    void *memory = NULL;
    int out[2];
    int fd = -1;
    cr_assert_eq(eop_shm_new(&fd, &memory, 4096, "edgeops-test"), EDGEOPS_OK);
    cr_assert_eq(eop_shm_seal(fd), EDGEOPS_OK);
    memcpy(memory, "hello", 5); /* the mapping that was there stays writable */
    cr_expect_eq(ftruncate(fd, 0), -1);
    cr_expect_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    int fds[] = {-1, out[1], -1, fd};
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    cr_assert_eq(eop_process_start(&c.process, ctx, &options, on_exit_of, &c), EDGEOPS_OK);
    close(out[1]);
    slurp(out[0], text, sizeof(text));
    finish(&c);
    cr_expect_str_eq(text, "hello sealed\n");
    eop_shm_free(fd, memory, 4096);
    eop_shm_free(-1, NULL, 0);
}

Test(platform_process, impossible_amount_of_shared_memory_is_an_error) {
    void *memory = NULL;
    int fd = -1;
    cr_expect_lt(eop_shm_new(&fd, &memory, (size_t)1 << 62, "edgeops-test"), 0);
    cr_expect_eq(fd, -1);
    cr_expect_null(memory);
}

Test(platform_process, peak_memory_is_the_child_s_own) {
    /* A host that has touched much memory: what the system tells after the end would carry it
     * along. */
    size_t size = 64u << 20;
    char *mine = malloc(size);
    memset(mine, 1, size);
    int out[2];
    int in[2];
    cr_assert_eq(pipe(out), 0);
    cr_assert_eq(pipe(in), 0);
    const char *const argv[] = {"sh", "-c", "echo up; read line", NULL};
    int fds[] = {in[0], out[1], -1};
    eop_process_options options = {.file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = 3};
    eop_process *process = NULL;
    cr_assert_eq(eop_process_start(&process, ctx, &options, NULL, NULL), EDGEOPS_OK);
    char text[3];
    cr_assert_eq(read(out[0], text, 3), 3);
    uint64_t peak = eop_process_peak_memory(process);
    cr_expect_gt(peak, 100000u);
    cr_expect_lt(peak, 32u << 20);
    eop_process_free(process);
    close(in[0]);
    close(in[1]);
    close(out[0]);
    close(out[1]);
    free(mine);
}
