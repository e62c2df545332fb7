/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness of a descriptor, level-triggered, over uv_poll. The descriptor stays the caller's. */
#include "base/error.h"
#include "base/memory.h"
#include "platform/loop.h"

struct eop_io {
    uv_poll_t handle;
    edgeops_ctx *ctx;
    int wanted; /* EOP_READABLE, ... */
    eop_io_fn fn;
    void *user_data;
};

static void on_poll(uv_poll_t *handle, int status, int events);

static int start_poll(eop_io *io) {
    int events = 0;
    events |= io->wanted & EOP_READABLE ? UV_READABLE : 0;
    events |= io->wanted & EOP_WRITABLE ? UV_WRITABLE : 0;
    events |= io->wanted & EOP_HANGUP ? UV_DISCONNECT : 0;
    return events == 0 ? uv_poll_stop(&io->handle) : uv_poll_start(&io->handle, events, on_poll);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    eop_io *io = handle->data;
    int ready = 0;
    if (status < 0) {
        /* An error waits on the descriptor (POLLERR) and libuv has stopped looking. The next read
         * or write says which; until the caller reacts this stays level-triggered. */
        ready = io->wanted | EOP_HANGUP;
        (void)start_poll(io);
    } else {
        ready |= events & UV_READABLE ? EOP_READABLE : 0;
        ready |= events & UV_WRITABLE ? EOP_WRITABLE : 0;
        ready |= events & UV_DISCONNECT ? EOP_HANGUP : 0;
    }
    io->fn(ready, io->user_data);
}

edgeops_status eop_io_new(eop_io **out, edgeops_ctx *ctx, int fd, eop_io_fn fn, void *user_data) {
    eop_io *io = eop_calloc(1, sizeof(*io));
    int rc = 0;
    *out = NULL;
    if (io == NULL) {
        return eop_fail_nomem("platform");
    }
    io->ctx = ctx;
    io->fn = fn;
    io->user_data = user_data;
    rc = uv_poll_init(&ctx->loop, &io->handle, fd);
    if (rc != 0) {
        eop_free(io);
        return eop_fail_errno(-rc, "platform", "descriptor %d cannot be watched", fd);
    }
    io->handle.data = io;
    eop_ctx_ref(ctx);
    *out = io;
    return EDGEOPS_OK;
}

edgeops_status eop_io_set(eop_io *io, int events) {
    int rc = 0;
    if (io->wanted == events) {
        return EDGEOPS_OK;
    }
    io->wanted = events;
    rc = start_poll(io);
    return rc == 0 ? EDGEOPS_OK
                   : eop_fail_errno(-rc, "platform", "the descriptor cannot be watched");
}

void eop_io_free(eop_io *io) {
    if (io != NULL) {
        eop_uv_close(io->ctx, (uv_handle_t *)&io->handle);
    }
}
