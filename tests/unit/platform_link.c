/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/platform.h"

#define LONG (30 * EDGEOPS_SECOND)

enum { MAX_FRAME = 8 << 20 };

static edgeops_ctx *ctx;

/* One end of a connection and what came in there. */
typedef struct end {
    eop_link *link;
    size_t frames;
    size_t bytes;
    size_t last_size;
    unsigned sum; /* of all bytes: tells torn or mixed frames */
    char text[64];
    int fds[2];
    size_t fd_count;
    size_t fd_frames; /* frames that had descriptors */
    int closes;
    edgeops_status reason;
    int drains;
    size_t stop_at; /* stops the loop at this many frames */
    size_t pause_at;
    bool free_in_frame;
    bool free_in_close;
    bool echo;
} end;

static void drop(end *e) {
    eop_link_free(e->link);
    e->link = NULL;
}

static void on_frame(eop_link *link, const char *data, size_t size, const int *fds, size_t fd_count,
                     void *user_data) {
    end *e = user_data;
    size_t kept = size < sizeof(e->text) - 1 ? size : sizeof(e->text) - 1;
    e->frames++;
    e->bytes += size;
    e->last_size = size;
    for (size_t i = 0; i < size; i++) {
        e->sum += (unsigned char)data[i];
    }
    memcpy(e->text, data, kept);
    e->text[kept] = '\0';
    if (fd_count > 0) {
        cr_assert_eq(e->fd_count, 0, "the test takes them one frame at a time");
        e->fd_frames++;
        e->fd_count = fd_count;
        memcpy(e->fds, fds, fd_count * sizeof(*fds));
    }
    if (e->echo) {
        cr_expect_eq(eop_link_send(link, data, size, NULL, 0), EDGEOPS_OK);
    }
    if (e->free_in_frame) {
        drop(e);
        cr_expect(size == 0 || e->text[0] == data[0], "the frame outlives the link");
    } else if (e->frames == e->pause_at) {
        eop_link_pause(link, true);
    }
    if (e->frames == e->stop_at || e->free_in_frame) {
        edgeops_ctx_stop(ctx);
    }
}

static void on_close(eop_link *link, edgeops_status reason, void *user_data) {
    end *e = user_data;
    (void)link;
    e->closes++;
    e->reason = reason;
    cr_expect_eq(edgeops_error_last()->code, reason);
    if (e->free_in_close) {
        drop(e);
    }
    edgeops_ctx_stop(ctx);
}

static void on_drain(eop_link *link, void *user_data) {
    end *e = user_data;
    e->drains++;
    cr_expect_eq(eop_link_queued(link), 0);
}

static const eop_link_handler handler = {on_frame, on_close, on_drain};

static void setup(void) {
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
}

static void teardown(void) {
    edgeops_ctx_free(ctx);
}

TestSuite(platform_link, .init = setup, .fini = teardown, .timeout = 120);

static void open_link(end *e, int fd) {
    cr_assert_eq(eop_link_new(&e->link, ctx, fd, MAX_FRAME, &handler, e), EDGEOPS_OK);
}

static void open_pair(end *a, end *b) {
    int fds[2];
    cr_assert_eq(eop_socketpair(fds), EDGEOPS_OK);
    open_link(a, fds[0]);
    open_link(b, fds[1]);
}

static void send_text(end *e, const char *text) {
    cr_assert_eq(eop_link_send(e->link, text, strlen(text), NULL, 0), EDGEOPS_OK);
}

static void run(void) {
    cr_assert_eq(edgeops_ctx_run(ctx, LONG), EDGEOPS_OK);
}

/* -- frames -- */

Test(platform_link, frames_arrive_whole_and_in_order) {
    end a = {0};
    end b = {.stop_at = 3};
    open_pair(&a, &b);
    send_text(&a, "one");
    send_text(&a, "");
    send_text(&a, "three");
    cr_expect_eq(b.frames, 0);
    run();
    cr_expect_eq(b.frames, 3);
    cr_expect_eq(b.bytes, 8);
    cr_expect_str_eq(b.text, "three");
    drop(&a);
    drop(&b);
    drop(&b); /* NULL */
}

Test(platform_link, frame_that_comes_byte_by_byte_is_put_together) {
    static const char wire[] = "\x05\0\0\0hello\x02\0\0\0ok";
    end b = {0};
    int fds[2];
    cr_assert_eq(eop_socketpair(fds), EDGEOPS_OK);
    open_link(&b, fds[1]);
    for (size_t i = 0; i < sizeof(wire) - 1; i++) {
        cr_assert_eq(write(fds[0], wire + i, 1), 1);
        cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
        cr_expect_eq(b.frames, (size_t)(i >= 8) + (size_t)(i >= 14));
    }
    cr_expect_str_eq(b.text, "ok");
    drop(&b);
    close(fds[0]);
}

Test(platform_link, large_frames_are_queued_and_drained) {
    enum { COUNT = 6 };
    end a = {0};
    end b = {.stop_at = COUNT + 1};
    size_t size = MAX_FRAME - 5;
    unsigned sum = 0;
    char *data = malloc(size);
    cr_assert_not_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 31 + i / 1000);
        sum += (unsigned char)data[i];
    }
    open_pair(&a, &b);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(eop_link_send(a.link, data, size, NULL, 0), EDGEOPS_OK);
    }
    send_text(&a, "end");
    cr_expect_gt(eop_link_queued(a.link), size);
    cr_expect_eq(a.drains, 0);
    run();
    cr_expect_eq(b.frames, COUNT + 1);
    cr_expect_eq(b.bytes, COUNT * size + 3);
    cr_expect_eq(b.sum, COUNT * sum + 'e' + 'n' + 'd');
    cr_expect_eq(a.drains, 1);
    drop(&a);
    drop(&b);
    free(data);
}

Test(platform_link, ping_pong_goes_through_both_ends) {
    end a = {.stop_at = 1000, .echo = true};
    end b = {.echo = true};
    open_pair(&a, &b);
    send_text(&a, "ball");
    run();
    cr_expect_geq(b.frames, 1000);
    drop(&a);
    drop(&b);
}

Test(platform_link, sender_is_refused_when_the_peer_does_not_read) {
    end a = {0};
    end b = {0};
    edgeops_status status = EDGEOPS_OK;
    char *data = calloc(1, MAX_FRAME);
    int sent = 0;
    open_pair(&a, &b);
    eop_link_pause(b.link, true);
    for (; sent < 100 && status == EDGEOPS_OK; sent++) {
        status = eop_link_send(a.link, data, MAX_FRAME, NULL, 0);
    }
    cr_expect_eq(status, EDGEOPS_E_AGAIN);
    cr_expect_leq(eop_link_queued(a.link), (size_t)64 << 20);
    cr_expect_gt(eop_link_queued(a.link), (size_t)40 << 20);
    b.stop_at = (size_t)sent - 1;
    eop_link_pause(b.link, false);
    run();
    cr_expect_eq(b.bytes, (size_t)(sent - 1) * MAX_FRAME);
    cr_expect_eq(eop_link_send(a.link, data, MAX_FRAME, NULL, 0), EDGEOPS_OK);
    drop(&a);
    drop(&b);
    free(data);
}

Test(platform_link, announced_frame_over_the_limit_ends_the_link) {
    static const unsigned char wire[] = {1, 0, 0, 0, 'x', 1, 0, 0x80, 0, 'y'};
    end b = {0};
    int fds[2];
    cr_assert_eq(eop_socketpair(fds), EDGEOPS_OK);
    open_link(&b, fds[1]);
    cr_assert_eq(write(fds[0], wire, sizeof(wire)), sizeof(wire));
    run();
    cr_expect_eq(b.frames, 1);
    cr_expect_eq(b.closes, 1);
    cr_expect_eq(b.reason, EDGEOPS_E_PROTOCOL);
    cr_assert_eq(write(fds[0], "more", 4), 4);
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(b.closes, 1);
    cr_expect_eq(eop_link_send(b.link, "x", 1, NULL, 0), EDGEOPS_E_CLOSED);
    drop(&b);
    close(fds[0]);
}

/* -- ends -- */

Test(platform_link, close_comes_after_all_frames) {
    end a = {0};
    end b = {.free_in_close = true};
    open_pair(&a, &b);
    send_text(&a, "last words");
    drop(&a);
    run();
    cr_expect_eq(b.frames, 1);
    cr_expect_str_eq(b.text, "last words");
    cr_expect_eq(b.closes, 1);
    cr_expect_eq(b.reason, EDGEOPS_E_CLOSED);
}

Test(platform_link, peer_that_goes_in_the_middle_of_a_frame_is_told) {
    end b = {.free_in_close = true};
    int fds[2];
    cr_assert_eq(eop_socketpair(fds), EDGEOPS_OK);
    open_link(&b, fds[1]);
    cr_assert_eq(write(fds[0], "\x05\0\0\0he", 6), 6);
    close(fds[0]);
    run();
    cr_expect_eq(b.frames, 0);
    cr_expect_eq(b.reason, EDGEOPS_E_CLOSED);
}

Test(platform_link, sending_to_a_gone_peer_is_an_error_and_its_words_are_still_read) {
    end a = {.free_in_close = true};
    end b = {0};
    open_pair(&a, &b);
    send_text(&b, "farewell");
    drop(&b);
    cr_expect_eq(eop_link_send(a.link, "x", 1, NULL, 0), EDGEOPS_E_CLOSED);
    cr_expect_eq(a.closes, 0); /* not inside the call */
    cr_expect_eq(eop_link_send(a.link, "x", 1, NULL, 0), EDGEOPS_E_CLOSED);
    run();
    cr_expect_str_eq(a.text, "farewell");
    cr_expect_eq(a.closes, 1);
}

Test(platform_link, peer_that_goes_while_frames_are_queued_ends_the_link) {
    end a = {.free_in_close = true};
    end b = {0};
    char *data = calloc(1, MAX_FRAME);
    open_pair(&a, &b);
    cr_assert_eq(eop_link_send(a.link, data, MAX_FRAME, NULL, 0), EDGEOPS_OK);
    drop(&b);
    run();
    cr_expect_eq(a.closes, 1);
    cr_expect_eq(a.drains, 0);
    free(data);
}

Test(platform_link, freed_inside_a_frame_gives_no_more_frames) {
    end a = {0};
    end b = {.free_in_frame = true};
    open_pair(&a, &b);
    send_text(&a, "first");
    send_text(&a, "second");
    while (a.closes == 0) { /* the other end notices */
        run();
    }
    cr_expect_eq(b.frames, 1);
    cr_expect_eq(b.closes, 0);
    drop(&a);
}

Test(platform_link, pause_inside_a_frame_holds_the_rest_back) {
    end a = {0};
    end b = {.pause_at = 2};
    open_pair(&a, &b);
    for (int i = 0; i < 5; i++) {
        send_text(&a, "frame");
    }
    cr_expect_eq(edgeops_ctx_run(ctx, EDGEOPS_MILLISECOND), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(b.frames, 2);
    b.stop_at = 5;
    eop_link_pause(b.link, false);
    cr_expect_eq(b.frames, 2); /* not inside the call */
    run();
    cr_expect_eq(b.frames, 5);
    drop(&a);
    drop(&b);
}

/* -- descriptors -- */

static int marked_fd(char mark) {
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(write(fds[1], &mark, 1), 1);
    close(fds[1]);
    return fds[0];
}

static void expect_mark(end *e, size_t index, char want) {
    char got = 0;
    cr_assert_lt(index, e->fd_count);
    cr_expect_neq(fcntl(e->fds[index], F_GETFD) & FD_CLOEXEC, 0);
    cr_expect_eq(read(e->fds[index], &got, 1), 1);
    cr_expect_eq(got, want);
    close(e->fds[index]);
}

static int lowest_free_fd(void) {
    int fd = dup(2);
    close(fd);
    return fd;
}

Test(platform_link, descriptors_travel_with_their_frame) {
    end a = {0};
    end b = {.stop_at = 4};
    int fds[2] = {marked_fd('1'), marked_fd('2')};
    open_pair(&a, &b);
    send_text(&a, "before");
    send_text(&a, "before too");
    cr_assert_eq(eop_link_send(a.link, "with", 4, fds, 2), EDGEOPS_OK);
    close(fds[0]);
    close(fds[1]);
    send_text(&a, "after");
    run();
    cr_expect_eq(b.frames, 4);
    cr_expect_eq(b.fd_frames, 1);
    cr_expect_eq(b.fd_count, 2);
    expect_mark(&b, 0, '1');
    expect_mark(&b, 1, '2');
    drop(&a);
    drop(&b);
}

static void take_mark(end *e, const char *text, char mark) {
    cr_expect_str_eq(e->text, text);
    cr_expect_eq(e->fd_count, 1);
    expect_mark(e, 0, mark);
    e->fd_count = 0;
}

Test(platform_link, descriptors_of_queued_frames_are_kept_apart) {
    end a = {0};
    end b = {0};
    char *large = calloc(1, MAX_FRAME);
    int free_before = lowest_free_fd();
    open_pair(&a, &b);
    int one = marked_fd('1');
    int two = marked_fd('2');
    large[0] = 'L';
    cr_assert_eq(eop_link_send(a.link, large, MAX_FRAME, &one, 1), EDGEOPS_OK);
    cr_assert_eq(eop_link_send(a.link, "small", 5, &two, 1), EDGEOPS_OK);
    send_text(&a, "none");
    close(one);
    close(two);
    b.stop_at = b.pause_at = 1;
    run();
    cr_expect_eq(b.last_size, MAX_FRAME);
    take_mark(&b, "L", '1');
    b.stop_at = b.pause_at = 2;
    eop_link_pause(b.link, false);
    run();
    take_mark(&b, "small", '2');
    b.stop_at = 3;
    eop_link_pause(b.link, false);
    run();
    cr_expect_str_eq(b.text, "none");
    cr_expect_eq(b.fd_count, 0);
    drop(&a);
    drop(&b);
    free(large);
    cr_expect_eq(lowest_free_fd(), free_before);
}

/* A peer without manners: bytes and descriptors as the test wants them. */
static void send_raw(int fd, const void *data, size_t size, const int *fds, size_t count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec iov = {(void *)data, size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
    memset(&control, 0, sizeof(control));
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
    cr_assert_eq(sendmsg(fd, &message, 0), (ssize_t)size);
}

Test(platform_link, descriptors_too_many_or_in_the_middle_are_closed) {
    end b = {.stop_at = 2};
    int pair_fds[2];
    int free_before = lowest_free_fd();
    cr_assert_eq(eop_socketpair(pair_fds), EDGEOPS_OK);
    open_link(&b, pair_fds[1]);
    int many[5];
    for (int i = 0; i < 5; i++) {
        many[i] = marked_fd((char)('a' + i));
    }
    send_raw(pair_fds[0], "\x02\0\0\0hi\x05\0\0\0he", 12, many, 1); /* of the second frame */
    cr_expect_eq(edgeops_ctx_run(ctx, 0), EDGEOPS_E_TIMEOUT);
    cr_expect_eq(b.frames, 1);
    cr_expect_eq(b.fd_count, 0);
    send_raw(pair_fds[0], "l", 1, many + 1, 2); /* nobody's */
    cr_assert_eq(write(pair_fds[0], "lo", 2), 2);
    run();
    take_mark(&b, "hello", 'a');
    b.stop_at = 3;
    send_raw(pair_fds[0], "\x01\0\0\0x", 5, many, 5);
    run();
    cr_expect_eq(b.fd_count, 2);
    for (size_t i = 0; i < b.fd_count; i++) {
        close(b.fds[i]);
    }
    b.fd_count = 0;
    send_raw(pair_fds[0], "\x09", 1, many, 2); /* a frame that never comes */
    for (int i = 0; i < 5; i++) {
        close(many[i]);
    }
    close(pair_fds[0]);
    run();
    cr_expect_eq(b.closes, 1);
    drop(&b);
    cr_expect_eq(lowest_free_fd(), free_before);
}

Test(platform_link, bad_descriptor_is_refused_and_the_link_lives) {
    end a = {0};
    end b = {.stop_at = 1};
    int bad = 1 << 20;
    open_pair(&a, &b);
    cr_expect_eq(eop_link_send(a.link, "x", 1, &bad, 1), EDGEOPS_E_IO);
    send_text(&a, "fine");
    run();
    cr_expect_str_eq(b.text, "fine");
    drop(&a);
    drop(&b);
}

/* -- listening -- */

typedef struct server {
    eop_listener *listener;
    end ends[4];
    size_t count;
    bool free_it;
} server;

static void on_accept(int fd, void *user_data) {
    server *s = user_data;
    cr_assert_lt(s->count, 4);
    cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    s->ends[s->count].stop_at = 1;
    open_link(&s->ends[s->count++], fd);
    if (s->free_it) {
        eop_listener_free(s->listener);
        s->listener = NULL;
        edgeops_ctx_stop(ctx);
    }
}

static void temporary_path(char *out, size_t size, const char *name) {
    char dir[] = "/tmp/edgeops-link-XXXXXX";
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(out, size, "%s/%s", dir, name);
}

static void remove_folder_of(char *path) {
    *strrchr(path, '/') = '\0';
    cr_expect_eq(rmdir(path), 0, "something was left in %s", path);
}

static void talk(server *s, const char *path) {
    end client = {0};
    struct stat info;
    uid_t uid = 0;
    pid_t pid = 0;
    int fd = -1;
    cr_assert_eq(lstat(path, &info), 0);
    cr_expect_eq(info.st_mode & 07777, 0600);
    cr_assert_eq(eop_connect(&fd, path), EDGEOPS_OK);
    open_link(&client, fd);
    send_text(&client, "knock");
    run();
    cr_expect_str_eq(s->ends[0].text, "knock");
    cr_assert_eq(eop_link_peer(s->ends[0].link, &uid, &pid), EDGEOPS_OK);
    cr_expect_eq(uid, getuid());
    cr_expect_eq(pid, getpid());
    drop(&client);
    drop(&s->ends[0]);
}

Test(platform_link, listener_accepts_and_removes_its_file) {
    char path[128];
    server s = {0};
    int fd = -1;
    temporary_path(path, sizeof(path), "s.sock");
    cr_expect_eq(eop_connect(&fd, path), EDGEOPS_E_NOTFOUND);
    cr_assert_eq(eop_listener_new(&s.listener, ctx, path, on_accept, &s), EDGEOPS_OK);
    talk(&s, path);
    eop_listener_free(s.listener);
    eop_listener_free(NULL);
    cr_expect_eq(eop_connect(&fd, path), EDGEOPS_E_NOTFOUND);
    remove_folder_of(path);
}

Test(platform_link, path_longer_than_the_system_allows_works) {
    char base[64];
    char folder[256];
    char path[300];
    server s = {0};
    temporary_path(base, sizeof(base), "");
    (void)snprintf(folder, sizeof(folder), "%s%0150d", base, 7);
    (void)snprintf(path, sizeof(path), "%s/edgeops.sock", folder);
    cr_assert_eq(mkdir(folder, 0700), 0);
    cr_assert_eq(eop_listener_new(&s.listener, ctx, path, on_accept, &s), EDGEOPS_OK);
    talk(&s, path);
    eop_listener_free(s.listener);
    cr_expect_eq(rmdir(folder), 0);
    remove_folder_of(base);
}

Test(platform_link, living_listener_is_busy_and_a_dead_one_is_replaced) {
    char path[100];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    server first = {0};
    server second = {0};
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    temporary_path(path, sizeof(path), "s.sock");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    cr_assert_eq(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
    close(dead); /* as a killed daemon leaves it */
    cr_assert_eq(eop_listener_new(&first.listener, ctx, path, on_accept, &first), EDGEOPS_OK);
    cr_expect_eq(eop_listener_new(&second.listener, ctx, path, on_accept, &second), EDGEOPS_E_BUSY);
    cr_expect_null(second.listener);
    /* the probe of the second was a connection: it comes, and goes at once */
    while (first.count == 0 || first.ends[0].closes == 0) {
        run();
    }
    drop(&first.ends[0]);
    eop_listener_free(first.listener);
    remove_folder_of(path);
}

Test(platform_link, file_that_is_no_socket_is_left_alone) {
    char path[128];
    server s = {0};
    int fd = -1;
    temporary_path(path, sizeof(path), "file");
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    cr_expect_eq(eop_listener_new(&s.listener, ctx, path, on_accept, &s), EDGEOPS_E_EXISTS);
    cr_expect_eq(access(path, F_OK), 0);
    unlink(path);
    remove_folder_of(path);
}

Test(platform_link, file_of_a_successor_is_not_removed) {
    char path[128];
    char moved[160];
    server first = {0};
    server second = {0};
    temporary_path(path, sizeof(path), "s.sock");
    (void)snprintf(moved, sizeof(moved), "%s.old", path);
    cr_assert_eq(eop_listener_new(&first.listener, ctx, path, on_accept, &first), EDGEOPS_OK);
    cr_assert_eq(rename(path, moved), 0);
    cr_assert_eq(eop_listener_new(&second.listener, ctx, path, on_accept, &second), EDGEOPS_OK);
    eop_listener_free(first.listener);
    cr_expect_eq(access(path, F_OK), 0);
    eop_listener_free(second.listener);
    unlink(moved);
    remove_folder_of(path);
}

Test(platform_link, listener_freed_while_connections_wait) {
    char path[128];
    server s = {.free_it = true};
    int fds[3];
    temporary_path(path, sizeof(path), "s.sock");
    cr_assert_eq(eop_listener_new(&s.listener, ctx, path, on_accept, &s), EDGEOPS_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(eop_connect(&fds[i], path), EDGEOPS_OK);
    }
    run();
    cr_expect_eq(s.count, 1);
    drop(&s.ends[0]);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    remove_folder_of(path);
}

/* -- plug-ins -- */

Test(platform_link, plugin_symbol_is_found_and_errors_name_the_file) {
    Dl_info info;
    void *symbol = NULL;
    char text[] = "/tmp/edgeops-plugin-XXXXXX";
    int fd = mkstemp(text);
    cr_assert_neq(dladdr(dlsym(RTLD_DEFAULT, "uv_run"), &info), 0);
    cr_expect_eq(eop_plugin_symbol(&symbol, info.dli_fname, "uv_run"), EDGEOPS_OK);
    cr_expect_eq(symbol, dlsym(RTLD_DEFAULT, "uv_run"));
    symbol = NULL;
    cr_expect_eq(eop_plugin_symbol(&symbol, info.dli_fname, "no_such_symbol"), EDGEOPS_E_NOTFOUND);
    cr_expect_eq(eop_plugin_symbol(&symbol, "/nonexistent.so", "x"), EDGEOPS_E_NOTFOUND);
    cr_expect_eq(eop_plugin_symbol(&symbol, "relative.so", "x"), EDGEOPS_E_INVALID);
    cr_expect_eq(eop_plugin_symbol(&symbol, text, "x"), EDGEOPS_E_UNSUPPORTED);
    cr_expect_not_null(strstr(edgeops_error_last()->message, text));
    cr_expect_null(symbol);
    close(fd);
    unlink(text);
}
