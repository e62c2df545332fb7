/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the room fails once: an error comes back, nothing leaks, no descriptor stays
 * open. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "platform/platform.h"

enum { LARGE = 8 << 20 };

static edgeops_ctx *ctx;
static int left = -1; /* allocations until one fails; < 0: none fails */
static int live;

static bool fails(void) {
    bool now = left == 0;
    left -= left >= 0;
    return now;
}

static void *failing_alloc(void *user_data, size_t size) {
    void *memory = fails() ? NULL : malloc(size);
    (void)user_data;
    live += memory != NULL;
    return memory;
}

static void *failing_realloc(void *user_data, void *memory, size_t size) {
    void *moved = fails() ? NULL : realloc(memory, size);
    (void)user_data;
    live += memory == NULL && moved != NULL;
    return moved;
}

static void failing_free(void *user_data, void *memory) {
    (void)user_data;
    live -= memory != NULL;
    free(memory);
}

static void setup(void) {
    static const edgeops_allocator allocator = {failing_alloc, failing_realloc, failing_free, NULL};
    cr_assert_eq(edgeops_set_allocator(&allocator), EDGEOPS_OK);
}

TestSuite(platform_memory, .init = setup, .timeout = 60);

static int lowest_free_fd(void) {
    int fd = dup(2);
    close(fd);
    return fd;
}

/* Fails allocation 0, 1, 2, ... of a scenario until it succeeds; says how many it has. */
static int fail_each(edgeops_status (*scenario)(void)) {
    edgeops_status status = EDGEOPS_E_NOMEM;
    int n = 0;
    for (; status == EDGEOPS_E_NOMEM && n < 100; n++) {
        int free_fd = lowest_free_fd();
        left = n;
        status = scenario();
        left = -1;
        cr_expect_eq(live, 0, "leak after failing allocation %d", n);
        cr_expect_eq(lowest_free_fd(), free_fd, "descriptor lost after failing allocation %d", n);
    }
    cr_expect_eq(status, EDGEOPS_OK);
    return n - 1;
}

static void count(void *user_data) {
    (*(int *)user_data)++;
}

static void ignore_events(int events, void *user_data) {
    (void)events;
    (void)user_data;
}

static void do_nothing(void *user_data) {
    (void)user_data;
}

static edgeops_status make_handles(void) {
    edgeops_ctx *c = NULL;
    eop_timer *timer = NULL;
    eop_wake *wake = NULL;
    eop_io *io = NULL;
    int fds[2];
    int n = 0;
    int ended = 0;
    edgeops_status status = edgeops_ctx_new(&c, NULL);
    if (status < 0) {
        cr_expect_null(c);
        return status;
    }
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    status = eop_timer_new(&timer, c, count, &n);
    status = status < 0 ? status : eop_wake_new(&wake, c, count, &n);
    status = status < 0 ? status : eop_io_new(&io, c, fds[0], ignore_events, NULL);
    status = status < 0 ? status : eop_defer(c, count, &n);
    status = status < 0 ? status : eop_thread_start(c, do_nothing, count, &ended);
    while (status == EDGEOPS_OK && ended == 0) {
        (void)eop_ctx_turn(c, EDGEOPS_FOREVER);
    }
    eop_io_free(io);
    eop_wake_free(wake);
    eop_timer_free(timer);
    edgeops_ctx_free(c);
    close(fds[0]);
    close(fds[1]);
    return status;
}

Test(platform_memory, making_handles) {
    cr_expect_geq(fail_each(make_handles), 6);
}

static edgeops_status start_process(void) {
    const char *argv[] = {"sh", "-c", "exit 0", NULL};
    int fds[] = {-1, -1, -1};
    eop_process_options options = {
        .file = "/bin/sh", .argv = argv, .fds = fds, .fd_count = EOP_COUNT(fds)};
    eop_process *process = NULL;
    edgeops_ctx *c = NULL;
    edgeops_status status = edgeops_ctx_new(&c, NULL);
    status = status < 0 ? status : eop_process_start(&process, c, &options, NULL, NULL);
    eop_process_free(process);
    edgeops_ctx_free(c);
    return status;
}

Test(platform_memory, starting_a_process) {
    cr_expect_eq(fail_each(start_process), 2);
}

static void ignore_connection(int fd, void *user_data) {
    (void)user_data;
    close(fd);
}

static void ignore_frame(eop_link *link, const char *data, size_t size, const int *fds,
                         size_t fd_count, void *user_data) {
    (void)link;
    (void)data;
    (void)size;
    (void)user_data;
    for (size_t i = 0; i < fd_count; i++) {
        close(fds[i]);
    }
}

static void note_close(eop_link *link, edgeops_status reason, void *user_data) {
    (void)link;
    *(edgeops_status *)user_data = reason;
    edgeops_ctx_stop(ctx);
}

static const eop_link_handler handler = {ignore_frame, note_close, NULL};

/* Queues a large frame and one with a descriptor. */
static edgeops_status queue_frames(void) {
    static const char large[LARGE];
    char dir[] = "/tmp/edgeops-memory-XXXXXX";
    char path[64];
    edgeops_status reason = EDGEOPS_OK;
    eop_listener *listener = NULL;
    eop_link *link = NULL;
    int fd = -1;
    int mark = 2;
    edgeops_status status = EDGEOPS_OK;
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/s.sock", dir);
    status = edgeops_ctx_new(&ctx, NULL);
    status = status < 0 ? status : eop_listener_new(&listener, ctx, path, ignore_connection, NULL);
    if (status == EDGEOPS_OK) {
        cr_assert_eq(eop_connect(&fd, path), EDGEOPS_OK);
        status = eop_link_new(&link, ctx, fd, LARGE, &handler, &reason);
    }
    status = status < 0 ? status : eop_link_send(link, large, LARGE, NULL, 0);
    if (status < 0 && link != NULL) {
        cr_expect_eq(eop_link_send(link, "x", 1, NULL, 0), EDGEOPS_E_CLOSED, "half a frame is out");
    }
    status = status < 0 ? status : eop_link_send(link, "with", 4, &mark, 1);
    eop_link_free(link);
    eop_listener_free(listener);
    edgeops_ctx_free(ctx);
    ctx = NULL;
    cr_expect_eq(rmdir(dir), 0);
    return status;
}

Test(platform_memory, listening_and_queueing_frames) {
    cr_expect_geq(fail_each(queue_frames), 10);
}

Test(platform_memory, reader_without_memory_closes_the_link) {
    edgeops_status reason_a = EDGEOPS_OK;
    edgeops_status reason_b = EDGEOPS_OK;
    eop_link *a = NULL;
    eop_link *b = NULL;
    int fds[2];
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    cr_assert_eq(eop_socketpair(fds), EDGEOPS_OK);
    cr_assert_eq(eop_link_new(&a, ctx, fds[0], LARGE, &handler, &reason_a), EDGEOPS_OK);
    cr_assert_eq(eop_link_new(&b, ctx, fds[1], LARGE, &handler, &reason_b), EDGEOPS_OK);
    cr_assert_eq(eop_link_send(a, "lost", 4, NULL, 0), EDGEOPS_OK);
    left = 0;
    cr_expect_eq(edgeops_ctx_run(ctx, 20 * EDGEOPS_SECOND), EDGEOPS_OK);
    left = -1;
    cr_expect_eq(reason_b, EDGEOPS_E_NOMEM);
    eop_link_free(a);
    eop_link_free(b);
    edgeops_ctx_free(ctx);
    cr_expect_eq(live, 0);
}
