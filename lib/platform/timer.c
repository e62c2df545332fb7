/* SPDX-License-Identifier: Apache-2.0 */
/* Timers that never fire early. libuv counts milliseconds from a cached time, so each start rounds
 * up from now. */
#include "base/error.h"
#include "base/memory.h"
#include "platform/loop.h"

struct eop_timer {
    uv_timer_t handle;
    edgeops_ctx *ctx;
    eop_fn fn;
    void *user_data;
};

static uint64_t whole_ms(edgeops_duration duration) {
    return (uint64_t)duration / 1000000u + ((uint64_t)duration % 1000000u != 0);
}

void eop_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, edgeops_duration after,
                        edgeops_duration repeat) {
    uint64_t wait = 0;
    if (after > 0) {
        /* Both terms are below 2^63, so that the sum does not wrap. */
        uint64_t due = uv_hrtime() + (uint64_t)after;
        uint64_t due_ms = due / 1000000u + (due % 1000000u != 0);
        uint64_t now_ms = uv_now(timer->loop);
        wait = due_ms > now_ms ? due_ms - now_ms : 0;
    }
    (void)uv_timer_start(timer, fn, wait, repeat > 0 ? whole_ms(repeat) : 0);
}

static void on_timer(uv_timer_t *handle) {
    eop_timer *timer = handle->data;
    timer->fn(timer->user_data);
}

edgeops_status eop_timer_new(eop_timer **out, edgeops_ctx *ctx, eop_fn fn, void *user_data) {
    eop_timer *timer = eop_calloc(1, sizeof(*timer));
    *out = NULL;
    if (timer == NULL) {
        return eop_fail_nomem("platform");
    }
    timer->ctx = ctx;
    timer->fn = fn;
    timer->user_data = user_data;
    (void)uv_timer_init(&ctx->loop, &timer->handle);
    timer->handle.data = timer;
    eop_ctx_ref(ctx);
    *out = timer;
    return EDGEOPS_OK;
}

void eop_timer_start(eop_timer *timer, edgeops_duration after, edgeops_duration repeat) {
    eop_uv_timer_start(&timer->handle, on_timer, after, repeat);
}

void eop_timer_stop(eop_timer *timer) {
    (void)uv_timer_stop(&timer->handle);
}

void eop_timer_free(eop_timer *timer) {
    if (timer != NULL) {
        eop_uv_close(timer->ctx, (uv_handle_t *)&timer->handle);
    }
}
