/* SPDX-License-Identifier: Apache-2.0 */
/* Local sockets by path: listening, where the file of a dead listener is replaced and a living one
 * is not; and connecting. When descriptors run out it rests for a moment instead of spinning. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/fork.h"
#include "base/locale.h"
#include "base/memory.h"
#include "platform/platform.h"

enum { BACKLOG = 64, ACCEPTS_A_TURN = 16, CONNECT_WAIT_S = 10 };

struct eop_listener {
    edgeops_ctx *ctx;
    eop_io *io;
    eop_timer *breather; /* ends a rest after the descriptors ran out */
    int fd;
    char *path;
    dev_t device; /* of the socket file, so that only our own is removed */
    ino_t inode;
    bool bound;
    eop_accept_fn fn;
    void *user_data;
    bool freed;
    unsigned inside;
};

/* A path too long for sun_path is reached through its folder's descriptor, *dir_fd, else -1. */
static edgeops_status make_address(struct sockaddr_un *out, int *dir_fd, const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = NULL;
    int length = 0;
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    *dir_fd = -1;
    if (strlen(path) < sizeof(out->sun_path)) {
        memcpy(out->sun_path, path, strlen(path) + 1);
        return EDGEOPS_OK;
    }
    if (slash == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "platform", "socket name '%s' is too long", path);
    }
    folder = eop_strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL) {
        return eop_fail_nomem("platform");
    }
    *dir_fd = eop_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    eop_free(folder);
    if (*dir_fd < 0) {
        return eop_fail_errno(errno, "platform", "the folder of socket '%s' cannot be opened",
                              path);
    }
    length =
        snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", *dir_fd, slash + 1);
    if (length < 0 || (size_t)length >= sizeof(out->sun_path)) {
        (void)close(*dir_fd);
        *dir_fd = -1;
        return eop_fail(EDGEOPS_E_INVALID, "platform", "socket name '%s' is too long", path);
    }
    return EDGEOPS_OK;
}

/* 0 or an errno value; waits for a place in the backlog, at most CONNECT_WAIT_S. */
static int connect_address(int fd, const struct sockaddr_un *address) {
    struct timeval wait = {CONNECT_WAIT_S, 0};
    struct timeval none = {0, 0};
    int rc = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    do {
        rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    } while (rc == EINTR);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    return rc;
}

edgeops_status eop_connect(int *fd, const char *path) {
    struct sockaddr_un address;
    edgeops_status status = EDGEOPS_OK;
    int dir_fd = -1;
    int sock = -1;
    int rc = 0;
    status = make_address(&address, &dir_fd, path);
    if (status < 0) {
        return status;
    }
    sock = eop_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        status = eop_fail_errno(errno, "platform", "no socket can be made");
        goto out;
    }
    rc = connect_address(sock, &address);
    if (rc == ENOENT || rc == ECONNREFUSED) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "platform", "nobody listens on '%s'", path);
    } else if (rc == EAGAIN) {
        status = eop_fail(EDGEOPS_E_TIMEOUT, "platform", "'%s' does not answer", path);
    } else if (rc != 0) {
        status = eop_fail_errno(rc, "platform", "'%s' cannot be connected to", path);
    } else {
        *fd = sock;
        sock = -1;
    }
out:
    if (sock >= 0) {
        (void)close(sock);
    }
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    return status;
}

edgeops_status eop_socketpair(int fds[2]) {
    if (eop_socketpair2(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return eop_fail_errno(errno, "platform", "no socket pair can be made");
    }
    return EDGEOPS_OK;
}

/* Removes a socket file that nobody listens on. */
static edgeops_status clear_path(const char *path, const struct sockaddr_un *address) {
    struct stat info;
    int probe = -1;
    int rc = 0;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? EDGEOPS_OK
                               : eop_fail_errno(errno, "platform", "socket '%s'", path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return eop_fail(EDGEOPS_E_EXISTS, "platform", "'%s' exists and is not a socket", path);
    }
    probe = eop_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return eop_fail_errno(errno, "platform", "no socket can be made");
    }
    rc = connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    (void)close(probe);
    if (rc == ENOENT) {
        return EDGEOPS_OK;
    }
    if (rc != ECONNREFUSED) {
        return eop_fail(EDGEOPS_E_BUSY, "platform", "someone already listens on '%s'", path);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return eop_fail_errno(errno, "platform", "the dead socket '%s' cannot be removed", path);
    }
    return EDGEOPS_OK;
}

static edgeops_status listen_on(eop_listener *listener, const char *path) {
    struct sockaddr_un address;
    struct stat info;
    edgeops_status status = EDGEOPS_OK;
    int dir_fd = -1;
    status = make_address(&address, &dir_fd, path);
    if (status < 0) {
        return status;
    }
    status = clear_path(path, &address);
    if (status < 0) {
        goto out;
    }
    listener->fd = eop_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) {
        status = eop_fail_errno(errno, "platform", "no socket can be made");
        goto out;
    }
    eop_fork_close(listener->fd); /* a child would keep taking connections and never answer them */
    if (bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        status = errno == EADDRINUSE
                     ? eop_fail(EDGEOPS_E_BUSY, "platform", "someone already listens on '%s'", path)
                     : eop_fail_errno(errno, "platform", "socket '%s' cannot be made", path);
        goto out;
    }
    listener->bound = lstat(path, &info) == 0;
    if (listener->bound) {
        listener->device = info.st_dev;
        listener->inode = info.st_ino;
    }
    /* Nobody can connect before listen(): the mode is in force in time. */
    if (!listener->bound || chmod(path, 0600) != 0 || listen(listener->fd, BACKLOG) != 0) {
        status = eop_fail_errno(errno, "platform", "socket '%s' cannot be listened on", path);
    }
out:
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    return status;
}

static void leave(eop_listener *listener) {
    listener->inside--;
    if (listener->inside == 0 && listener->freed) {
        eop_free(listener->path);
        eop_free(listener);
    }
}

static void on_breather(void *user_data) {
    eop_listener *listener = user_data;
    (void)eop_io_set(listener->io, EOP_READABLE);
}

static void on_connection(int events, void *user_data) {
    eop_listener *listener = user_data;
    (void)events;
    listener->inside++;
    for (int i = 0; i < ACCEPTS_A_TURN && !listener->freed; i++) {
        int fd = eop_accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->fn(fd, listener->user_data);
        } else if (errno == EINTR || errno == ECONNABORTED) {
            continue;
        } else {
            if (errno != EAGAIN) {
                /* Out of descriptors or memory: the connection stays in the backlog and would
                 * wake the loop without a pause. */
                eop_log_write(eop_ctx_log(listener->ctx), EDGEOPS_LOG_WARN, "platform",
                              "a connection to '%s' has to wait: %s", listener->path,
                              eop_errno_text(errno));
                (void)eop_io_set(listener->io, 0);
                eop_timer_start(listener->breather, 100 * EDGEOPS_MILLISECOND, 0);
            }
            break;
        }
    }
    leave(listener);
}

edgeops_status eop_listener_new(eop_listener **out, edgeops_ctx *ctx, const char *path,
                                eop_accept_fn fn, void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    eop_listener *listener = NULL;
    *out = NULL;
    listener = eop_calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return eop_fail_nomem("platform");
    }
    eop_ctx_ref(ctx);
    listener->ctx = ctx;
    listener->fd = -1;
    listener->fn = fn;
    listener->user_data = user_data;
    listener->path = eop_strdup(path);
    if (listener->path == NULL) {
        status = eop_fail_nomem("platform");
        goto out;
    }
    status = eop_timer_new(&listener->breather, ctx, on_breather, listener);
    if (status < 0) {
        goto out;
    }
    status = listen_on(listener, path);
    if (status < 0) {
        goto out;
    }
    status = eop_io_new(&listener->io, ctx, listener->fd, on_connection, listener);
    if (status < 0) {
        goto out;
    }
    status = eop_io_set(listener->io, EOP_READABLE);
    if (status < 0) {
        goto out;
    }
    *out = listener;
    listener = NULL;
out:
    eop_listener_free(listener);
    return status;
}

void eop_listener_free(eop_listener *listener) {
    struct stat info;
    if (listener == NULL) {
        return;
    }
    listener->freed = true;
    eop_io_free(listener->io);
    eop_timer_free(listener->breather);
    if (listener->bound && lstat(listener->path, &info) == 0 && info.st_dev == listener->device &&
        info.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    if (listener->fd >= 0) {
        eop_fork_forget(listener->fd);
        (void)close(listener->fd);
    }
    eop_ctx_unref(listener->ctx);
    listener->inside++;
    leave(listener);
}
