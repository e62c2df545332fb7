/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a local stream socket. The kernel ends a recvmsg() behind the bytes that descriptors
 * came with, and a sender puts nothing else into the sendmsg() of a frame with descriptors: so
 * descriptors belong to the last frame that starts in what one recvmsg() gave. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/memory.h"
#include "platform/platform.h"

enum {
    HEADER = 4,
    MAX_FDS = 2,
    READ_MIN = 16 * 1024,   /* buffer of a link at rest */
    READ_KEEP = 256 * 1024, /* a larger one is given back when it is empty */
    READS_A_TURN = 16,      /* then the rest of the loop has its turn */
    QUEUE_MAX = 64 * 1024 * 1024
};

/* What is not yet written of one frame. Descriptors go with its first byte. */
typedef struct pending {
    struct pending *next;
    size_t size;
    size_t written;
    int fds[MAX_FDS];
    size_t fd_count;
    char data[];
} pending;

/* Descriptors that wait for the frame which starts at this offset of the stream. */
typedef struct held {
    uint64_t frame;
    int fds[MAX_FDS];
    size_t fd_count;
} held;

struct eop_link {
    edgeops_ctx *ctx;
    eop_io *io;
    eop_timer *resume; /* delivers what was read before a pause */
    int fd;
    size_t max_frame;
    const eop_link_handler *handler;
    void *user_data;

    char *in;
    size_t in_capacity;
    size_t in_start; /* first byte that is not delivered, a frame starts here */
    size_t in_end;
    uint64_t in_offset; /* of in_start in the stream */
    held held[2];       /* of the frame that is half here, and of one newly read */
    size_t held_count;

    pending *out;
    pending *out_last;
    size_t queued;

    bool paused;
    bool closed;     /* on_close was called */
    bool mute;       /* writing failed; reading goes on until the end */
    bool freed;      /* by the owner, inside a callback */
    unsigned inside; /* callbacks that are running */
};

static void close_fds(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

static uint32_t frame_size(const char *header) {
    const unsigned char *b = (const unsigned char *)header;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void drop_out(eop_link *link) {
    while (link->out != NULL) {
        pending *next = link->out->next;
        close_fds(link->out->fds, link->out->fd_count);
        eop_free(link->out);
        link->out = next;
    }
    link->out_last = NULL;
    link->queued = 0;
}

static void drop_held(eop_link *link) {
    while (link->held_count > 0) {
        held *last = &link->held[--link->held_count];
        close_fds(last->fds, last->fd_count);
    }
}

static void update_io(eop_link *link) {
    int events = 0;
    events |= !link->paused && !link->closed ? EOP_READABLE : 0;
    events |= link->out != NULL ? EOP_WRITABLE : 0;
    (void)eop_io_set(link->io, events);
}

static void leave(eop_link *link) {
    link->inside--;
    if (link->inside == 0 && link->freed) {
        eop_free(link->in);
        eop_free(link);
    }
}

/* The error's detail is set by the caller just before. */
static void finish(eop_link *link, edgeops_status reason) {
    link->closed = true;
    link->mute = true;
    drop_out(link);
    drop_held(link);
    update_io(link);
    if (link->handler->on_close != NULL) {
        link->handler->on_close(link, reason, link->user_data);
    }
}

/* -- reading -- */

static size_t take_held(eop_link *link, int fds[MAX_FDS]) {
    for (size_t i = 0; i < link->held_count; i++) {
        if (link->held[i].frame == link->in_offset) {
            size_t count = link->held[i].fd_count;
            memcpy(fds, link->held[i].fds, sizeof(link->held[i].fds));
            link->held[i] = link->held[--link->held_count];
            return count;
        }
    }
    return 0;
}

/* Gives every whole frame to the owner, who may pause or free the link meanwhile. */
static void deliver(eop_link *link) {
    while (!link->freed && !link->paused && !link->closed) {
        size_t here = link->in_end - link->in_start;
        const char *frame = NULL;
        int fds[MAX_FDS] = {-1, -1};
        size_t fd_count = 0;
        size_t size = 0;
        if (here < HEADER) {
            return;
        }
        frame = link->in + link->in_start;
        size = frame_size(frame);
        if (size > link->max_frame) {
            finish(link, eop_fail(EDGEOPS_E_PROTOCOL, "link",
                                  "peer announced a frame of %zu bytes, the limit is %zu", size,
                                  link->max_frame));
            return;
        }
        if (here - HEADER < size) {
            return;
        }
        fd_count = take_held(link, fds);
        link->in_start += HEADER + size;
        link->in_offset += HEADER + size;
        link->handler->on_frame(link, frame + HEADER, size, fds, fd_count, link->user_data);
    }
}

/* Makes room behind what is there: only a part of one frame, deliver() took the rest. */
static bool make_room(eop_link *link) {
    size_t here = link->in_end - link->in_start;
    size_t wanted = 0;
    char *in = NULL;
    if (here == 0 && link->in_capacity > READ_KEEP) {
        eop_free(link->in);
        link->in = NULL;
        link->in_capacity = 0;
    } else if (link->in_start > 0) {
        memmove(link->in, link->in + link->in_start, here);
    }
    link->in_start = 0;
    link->in_end = here;
    if (here < link->in_capacity) {
        return true;
    }
    /* Grows with what has really come, never by what a header promises. */
    wanted = link->in_capacity == 0 ? READ_MIN : 2 * link->in_capacity;
    in = eop_realloc(link->in, wanted);
    if (in == NULL) {
        return false;
    }
    link->in = in;
    link->in_capacity = wanted;
    return true;
}

/* Takes at most MAX_FDS descriptors out of a message and closes the others. */
static size_t collect_fds(struct msghdr *message, int fds[MAX_FDS]) {
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t here = 0;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            fd = eop_fd_high(fd);
            if (fd >= 0 && count < MAX_FDS) {
                fds[count++] = fd;
            } else if (fd >= 0) {
                (void)close(fd);
            }
        }
    }
    return count;
}

/* fds came with the last `fresh` bytes of the buffer. */
static void hold_fds(eop_link *link, const int fds[MAX_FDS], size_t count, size_t fresh) {
    size_t first = link->in_end - fresh;
    size_t at = link->in_start;
    size_t last = SIZE_MAX;
    while (at < link->in_end) {
        size_t size = 0;
        if (at >= first) {
            last = at;
        }
        if (link->in_end - at < HEADER) {
            break;
        }
        size = frame_size(link->in + at);
        if (size > link->max_frame) {
            break;
        }
        at += HEADER + size;
    }
    if (last == SIZE_MAX || link->held_count == EOP_COUNT(link->held)) {
        close_fds(fds, count); /* in the middle of a frame: no frame takes them */
        return;
    }
    held *slot = &link->held[link->held_count++];
    slot->frame = link->in_offset + (last - link->in_start);
    slot->fd_count = count;
    memcpy(slot->fds, fds, sizeof(slot->fds));
}

/* True when there may be more to read. */
static bool read_once(eop_link *link) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = {link->in + link->in_end, link->in_capacity - link->in_end};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int fds[MAX_FDS] = {-1, -1};
    size_t count = 0;
    ssize_t n = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        if (errno == EINTR) {
            return true;
        }
        if (errno != EAGAIN) {
            finish(link, errno == ECONNRESET
                             ? eop_fail(EDGEOPS_E_CLOSED, "link", "peer has gone")
                             : eop_fail_errno(errno, "link", "the connection cannot be read"));
        }
        return false;
    }
    if (n == 0) {
        bool torn = link->in_end > link->in_start;
        finish(link, eop_fail(EDGEOPS_E_CLOSED, "link", "peer has closed the connection%s",
                              torn ? " in the middle of a frame" : ""));
        return false;
    }
    link->in_end += (size_t)n;
    count = collect_fds(&message, fds);
    if (count > 0) {
        hold_fds(link, fds, count, (size_t)n);
    }
    return count > 0 || (size_t)n == iov.iov_len;
}

static void receive(eop_link *link) {
    bool more = true;
    deliver(link); /* what a pause left in the buffer */
    for (int i = 0; i < READS_A_TURN && more; i++) {
        if (link->freed || link->paused || link->closed) {
            return;
        }
        if (!make_room(link)) {
            finish(link, eop_fail_nomem("link"));
            return;
        }
        more = read_once(link);
        deliver(link);
    }
}

/* -- writing -- */

/* Bytes written, 0 when the socket is full, -1 with errno. */
static ssize_t write_some(int fd, struct iovec *iov, size_t iov_count, const int *fds,
                          size_t fd_count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = iov_count};
    ssize_t n = 0;
    if (fd_count > 0) {
        struct cmsghdr *c = &control.align;
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    do {
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 && errno == EAGAIN ? 0 : n;
}

/* The stream is broken: nothing can follow. The reader finds the end by itself. */
static void silence(eop_link *link) {
    link->mute = true;
    drop_out(link);
    (void)shutdown(link->fd, SHUT_RDWR); /* what has come already can still be read */
}

static void flush(eop_link *link) {
    while (link->out != NULL) {
        pending *first = link->out;
        struct iovec iov = {first->data + first->written, first->size - first->written};
        ssize_t n = write_some(link->fd, &iov, 1, first->fds, first->fd_count);
        if (n < 0) {
            silence(link);
            update_io(link);
            return;
        }
        if (n == 0) {
            return;
        }
        close_fds(first->fds, first->fd_count);
        first->fd_count = 0;
        first->written += (size_t)n;
        link->queued -= (size_t)n;
        if (first->written == first->size) {
            link->out = first->next;
            link->out_last = link->out == NULL ? NULL : link->out_last;
            eop_free(first);
        }
    }
    update_io(link);
    if (link->handler->on_drain != NULL) {
        link->handler->on_drain(link, link->user_data);
    }
}

/* Queues what is left of header and data after `written` bytes. */
static edgeops_status enqueue(eop_link *link, const struct iovec iov[2], size_t written,
                              const int *fds, size_t fd_count) {
    size_t total = iov[0].iov_len + iov[1].iov_len;
    pending *node = eop_alloc(sizeof(*node) + total - written);
    size_t skip = written;
    char *to = NULL;
    if (node == NULL) {
        return eop_fail_nomem("link");
    }
    memset(node, 0, sizeof(*node));
    to = node->data;
    for (size_t i = 0; i < 2; i++) {
        size_t past = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        if (iov[i].iov_len > past) {
            memcpy(to, (const char *)iov[i].iov_base + past, iov[i].iov_len - past);
            to += iov[i].iov_len - past;
        }
        skip -= past;
    }
    node->size = total - written;
    for (; node->fd_count < fd_count; node->fd_count++) {
        node->fds[node->fd_count] = fcntl(fds[node->fd_count], F_DUPFD_CLOEXEC, 3);
        if (node->fds[node->fd_count] < 0) {
            edgeops_status status = eop_fail_errno(errno, "link", "no copy of a descriptor");
            close_fds(node->fds, node->fd_count);
            eop_free(node);
            return status;
        }
    }
    if (link->out == NULL) {
        link->out = node;
    } else {
        link->out_last->next = node;
    }
    link->out_last = node;
    link->queued += node->size;
    update_io(link);
    return EDGEOPS_OK;
}

edgeops_status eop_link_send(eop_link *link, const void *data, size_t size, const int *fds,
                             size_t fd_count) {
    union {
        const void *in;
        void *out; /* an iovec cannot say that it is only read */
    } payload = {data};
    unsigned char header[HEADER] = {0};
    struct iovec iov[2] = {{header, HEADER}, {payload.out, size}};
    edgeops_status status = EDGEOPS_OK;
    ssize_t n = 0;
    EOP_REQUIRE(size <= UINT32_MAX && fd_count <= MAX_FDS, "link");
    if (link->mute) {
        return eop_fail(EDGEOPS_E_CLOSED, "link", "the connection is closed");
    }
    if (link->queued > 0 && link->queued + size > QUEUE_MAX) {
        return eop_fail(EDGEOPS_E_AGAIN, "link", "peer does not read: %zu bytes wait for it",
                        link->queued);
    }
    for (size_t i = 0; i < HEADER; i++) {
        header[i] = (unsigned char)(size >> (8 * i));
    }
    if (link->out == NULL) {
        n = write_some(link->fd, iov, 2, fds, fd_count);
        if (n < 0) {
            if (errno != EPIPE && errno != ECONNRESET) {
                return eop_fail_errno(errno, "link", "a frame cannot be sent");
            }
            silence(link);
            return eop_fail(EDGEOPS_E_CLOSED, "link", "peer has closed the connection");
        }
        if ((size_t)n == HEADER + size) {
            return EDGEOPS_OK;
        }
    }
    status = enqueue(link, iov, (size_t)n, fds, n > 0 ? 0 : fd_count);
    if (status < 0 && n > 0) {
        silence(link); /* half a frame is out and the rest is lost */
    }
    return status;
}

size_t eop_link_queued(const eop_link *link) {
    return link->queued;
}

/* -- life -- */

static void on_io(int events, void *user_data) {
    eop_link *link = user_data;
    link->inside++;
    if (link->out != NULL && (events & (EOP_WRITABLE | EOP_HANGUP)) != 0) {
        flush(link);
    }
    if ((events & (EOP_READABLE | EOP_HANGUP)) != 0) {
        receive(link);
    }
    leave(link);
}

static void on_resume(void *user_data) {
    eop_link *link = user_data;
    link->inside++;
    deliver(link);
    leave(link);
}

edgeops_status eop_link_new(eop_link **out, edgeops_ctx *ctx, int fd, size_t max_frame,
                            const eop_link_handler *handler, void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    eop_link *link = NULL;
    *out = NULL;
    link = eop_calloc(1, sizeof(*link));
    if (link == NULL) {
        (void)close(fd);
        return eop_fail_nomem("link");
    }
    link->ctx = ctx;
    link->fd = fd;
    link->max_frame = max_frame < UINT32_MAX ? max_frame : UINT32_MAX;
    link->handler = handler;
    link->user_data = user_data;
    eop_ctx_ref(ctx);
    status = eop_timer_new(&link->resume, ctx, on_resume, link);
    if (status < 0) {
        goto out;
    }
    status = eop_io_new(&link->io, ctx, fd, on_io, link);
    if (status < 0) {
        goto out;
    }
    status = eop_io_set(link->io, EOP_READABLE);
    if (status < 0) {
        goto out;
    }
    *out = link;
    link = NULL;
out:
    eop_link_free(link);
    return status;
}

void eop_link_pause(eop_link *link, bool paused) {
    if (link->paused == paused || link->closed) {
        return;
    }
    link->paused = paused;
    update_io(link);
    if (!paused && link->in_end > link->in_start) {
        eop_timer_start(link->resume, 0, 0); /* never inside this call */
    }
}

edgeops_status eop_link_peer(const eop_link *link, uid_t *uid, pid_t *pid) {
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return eop_fail_errno(errno, "link", "the peer is not known");
    }
    *uid = peer.uid;
    *pid = peer.pid;
    return EDGEOPS_OK;
}

void eop_link_free(eop_link *link) {
    if (link == NULL || link->freed) {
        return;
    }
    link->freed = true;
    link->mute = true;
    eop_io_free(link->io);
    eop_timer_free(link->resume);
    link->io = NULL;
    link->resume = NULL;
    (void)close(link->fd);
    link->fd = -1;
    drop_out(link);
    drop_held(link);
    eop_ctx_unref(link->ctx);
    link->inside++;
    leave(link);
}
