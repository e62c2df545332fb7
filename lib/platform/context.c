/* SPDX-License-Identifier: Apache-2.0 */
/* The context: a libuv loop, its turns, and how a host with a loop of its own waits for it. The
 * context's thread only, except edgeops_ctx_stop(), which any thread and a signal handler may
 * call. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/abi.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/time.h"
#include "platform/loop.h"

void edgeops_ctx_options_init(edgeops_ctx_options *options, size_t struct_size) {
    static const edgeops_ctx_options defaults = EDGEOPS_CTX_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

static void on_stop(uv_async_t *handle) {
    (void)handle; /* its work is to have ended the sleep; edgeops_ctx_run() reads the flag */
}

static void on_limit(uv_timer_t *handle) {
    (void)handle;
}

static void on_defer_turn(uv_idle_t *handle) {
    edgeops_ctx *ctx = handle->data;
    size_t count = ctx->deferred_count; /* what these defer in turn waits for the next turn */
    for (size_t i = 0; i < count; i++) {
        eop_deferred next = ctx->deferred[i]; /* the array may move in the call */
        ctx->deferred[i].fn = NULL;
        if (next.fn != NULL) {
            next.fn(next.user_data);
        }
    }
    ctx->deferred_count -= count;
    memmove(ctx->deferred, ctx->deferred + count, ctx->deferred_count * sizeof(*ctx->deferred));
    if (ctx->deferred_count == 0) {
        uv_idle_stop(handle);
    }
}

/* libuv ends the process when it finds no descriptors for the pipe that it makes with its first loop:
 * behind the one of the loop's epoll these two are needed. */
static edgeops_status have_room_for_loop(void) {
    int probes[3] = {-1, -1, -1};
    int error = 0;
    for (size_t i = 0; i < EOP_COUNT(probes) && error == 0; i++) {
        probes[i] = eop_eventfd(0, EFD_CLOEXEC);
        error = probes[i] < 0 ? errno : 0;
    }
    for (size_t i = 0; i < EOP_COUNT(probes); i++) {
        if (probes[i] >= 0) {
            (void)close(probes[i]);
        }
    }
    return error == 0 ? EDGEOPS_OK : eop_fail_errno(error, "context", "no event loop can be made");
}

edgeops_status edgeops_ctx_new(edgeops_ctx **out, const edgeops_ctx_options *options) {
    edgeops_ctx_options opts = EDGEOPS_CTX_OPTIONS_INIT;
    edgeops_ctx *ctx = NULL;
    int rc = 0;
    EOP_REQUIRE(out != NULL, "context");
    *out = NULL;
    edgeops_status status = EOP_STRUCT_TAKE(&opts, options, "context", EDGEOPS_CTX_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    ctx = eop_calloc(1, sizeof(*ctx));
    if (ctx == NULL) {
        return eop_fail_nomem("context");
    }
    eop_birth_set(&ctx->birth);
    ctx->log.fn = opts.log;
    ctx->log.user_data = opts.log_user_data;
    ctx->log.level = opts.log_level;
    atomic_init(&ctx->stopped, 0);
    eop_fd_fill_stdio(); /* libuv aborts the process when it has to close one of them */
    status = have_room_for_loop();
    if (status != EDGEOPS_OK) {
        eop_free(ctx);
        return status;
    }
    rc = uv_loop_init(&ctx->loop);
    if (rc != 0) {
        eop_free(ctx);
        return eop_fail_errno(-rc, "context", "no event loop can be made");
    }
    rc = uv_async_init(&ctx->loop, &ctx->stop_wake, on_stop);
    if (rc != 0) {
        (void)uv_loop_close(&ctx->loop);
        eop_free(ctx);
        return eop_fail_errno(-rc, "context", "no event loop can be made");
    }
    (void)uv_timer_init(&ctx->loop, &ctx->limit);
    (void)uv_idle_init(&ctx->loop, &ctx->defer_turn);
    ctx->defer_turn.data = ctx;
    *out = ctx;
    return EDGEOPS_OK;
}

static edgeops_status fail_nested(void) {
    return eop_fail(EDGEOPS_E_INVALID, "context",
                    "the loop cannot be run from inside one of its own callbacks");
}

edgeops_status eop_ctx_turn(edgeops_ctx *ctx, edgeops_duration max_wait) {
    if (ctx->in_turn) {
        return fail_nested();
    }
    ctx->in_turn = true;
    if (max_wait <= 0) {
        (void)uv_run(&ctx->loop, UV_RUN_NOWAIT);
    } else {
        if (max_wait != EDGEOPS_FOREVER) {
            eop_uv_timer_start(&ctx->limit, on_limit, max_wait, 0);
        }
        (void)uv_run(&ctx->loop, UV_RUN_ONCE);
        (void)uv_timer_stop(&ctx->limit);
    }
    ctx->in_turn = false;
    return EDGEOPS_OK;
}

edgeops_status edgeops_ctx_run(edgeops_ctx *ctx, edgeops_duration timeout) {
    edgeops_duration start = 0;
    edgeops_duration left = timeout;
    EOP_REQUIRE(ctx != NULL && timeout >= 0, "context");
    EOP_REQUIRE_HERE(&ctx->birth, "context", "context");
    if (ctx->in_turn) {
        return fail_nested();
    }
    start = eop_monotonic();
    do {
        if (atomic_exchange(&ctx->stopped, 0) != 0) {
            return EDGEOPS_OK;
        }
        if (timeout != EDGEOPS_FOREVER) {
            left = timeout - (eop_monotonic() - start);
        }
        (void)eop_ctx_turn(ctx, left);
    } while (left > 0);
    if (atomic_exchange(&ctx->stopped, 0) != 0) {
        return EDGEOPS_OK;
    }
    return eop_fail(EDGEOPS_E_TIMEOUT, "context", "the time given to the loop has passed");
}

void edgeops_ctx_stop(edgeops_ctx *ctx) {
    if (ctx == NULL || !eop_born_here(&ctx->birth)) {
        return;
    }
    atomic_store(&ctx->stopped, 1);
    (void)uv_async_send(&ctx->stop_wake); /* documented as async-signal-safe */
}

int edgeops_ctx_fd(const edgeops_ctx *ctx) {
    return ctx == NULL || !eop_born_here(&ctx->birth) ? -1 : uv_backend_fd(&ctx->loop);
}

edgeops_duration edgeops_ctx_timeout(const edgeops_ctx *ctx) {
    int64_t due_ms = 0;
    int64_t left = 0;
    int wait_ms = 0;
    if (ctx == NULL || !eop_born_here(&ctx->birth)) {
        return EDGEOPS_FOREVER;
    }
    /* 0 also while a descriptor is not yet in the set that edgeops_ctx_fd() stands for. */
    wait_ms = uv_backend_timeout(&ctx->loop);
    if (wait_ms < 0) {
        return EDGEOPS_FOREVER;
    }
    if (wait_ms == 0) {
        return 0;
    }
    /* libuv counts from the time of the last turn, which may be long ago in a foreign loop. */
    due_ms = (int64_t)uv_now(&ctx->loop) + wait_ms;
    left = due_ms * EDGEOPS_MILLISECOND - (int64_t)uv_hrtime();
    return left > 0 ? left : 0;
}

edgeops_status edgeops_ctx_dispatch(edgeops_ctx *ctx) {
    EOP_REQUIRE(ctx != NULL, "context");
    EOP_REQUIRE_HERE(&ctx->birth, "context", "context");
    return eop_ctx_turn(ctx, 0);
}

void edgeops_ctx_free(edgeops_ctx *ctx) {
    int rc = 0;
    if (ctx == NULL || !eop_born_here(&ctx->birth)) {
        return;
    }
    if (ctx->in_turn) {
        eop_log_write(&ctx->log, EDGEOPS_LOG_ERROR, "context",
                      "freed inside a callback of its own: it stays allocated");
        return;
    }
    while (ctx->deferred_count > 0 || ctx->held > 0) {
        (void)eop_ctx_turn(ctx, EDGEOPS_FOREVER);
    }
    if (ctx->refs != 0) {
        /* Objects that are left would use freed memory: losing the context is the smaller harm. */
        eop_log_write(&ctx->log, EDGEOPS_LOG_ERROR, "context",
                      "freed with %zu objects still on it: it stays allocated", ctx->refs);
        return;
    }
    uv_close((uv_handle_t *)&ctx->stop_wake, NULL);
    uv_close((uv_handle_t *)&ctx->limit, NULL);
    uv_close((uv_handle_t *)&ctx->defer_turn, NULL);
    (void)uv_run(&ctx->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&ctx->loop);
    if (rc != 0) {
        eop_log_write(&ctx->log, EDGEOPS_LOG_ERROR, "context",
                      "the event loop is still in use: the context stays allocated");
        return;
    }
    eop_free(ctx->deferred);
    eop_free(ctx);
}

void eop_ctx_hold(edgeops_ctx *ctx) {
    ctx->held++;
}

void eop_ctx_let_go(edgeops_ctx *ctx) {
    ctx->held--;
}

bool eop_ctx_in_turn(const edgeops_ctx *ctx) {
    return ctx->in_turn;
}

const eop_birth *eop_ctx_birth(const edgeops_ctx *ctx) {
    return &ctx->birth;
}

const eop_log *eop_ctx_log(const edgeops_ctx *ctx) {
    return &ctx->log;
}

edgeops_status eop_defer(edgeops_ctx *ctx, eop_fn fn, void *user_data) {
    EOP_REQUIRE(fn != NULL, "context");
    if (!eop_grow(&ctx->deferred, &ctx->deferred_capacity, ctx->deferred_count + 1,
                  sizeof(*ctx->deferred))) {
        return eop_fail_nomem("context");
    }
    ctx->deferred[ctx->deferred_count].fn = fn;
    ctx->deferred[ctx->deferred_count].user_data = user_data;
    ctx->deferred_count++;
    (void)uv_idle_start(&ctx->defer_turn, on_defer_turn);
    return EDGEOPS_OK;
}

void eop_defer_cancel(edgeops_ctx *ctx, eop_fn fn, void *user_data) {
    for (size_t i = 0; i < ctx->deferred_count; i++) {
        if (ctx->deferred[i].fn == fn && ctx->deferred[i].user_data == user_data) {
            ctx->deferred[i].fn = NULL;
        }
    }
}
