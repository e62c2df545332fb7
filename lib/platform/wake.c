/* SPDX-License-Identifier: Apache-2.0 */
/* How another thread makes something run on the loop: the one call that is safe from any thread and
 * from a signal handler. */
#include "base/error.h"
#include "base/memory.h"
#include "platform/loop.h"

struct eop_wake {
    uv_async_t handle;
    edgeops_ctx *ctx;
    eop_fn fn;
    void *user_data;
};

static void on_wake(uv_async_t *handle) {
    eop_wake *wake = handle->data;
    wake->fn(wake->user_data);
}

edgeops_status eop_wake_new(eop_wake **out, edgeops_ctx *ctx, eop_fn fn, void *user_data) {
    eop_wake *wake = eop_calloc(1, sizeof(*wake));
    int rc = 0;
    *out = NULL;
    if (wake == NULL) {
        return eop_fail_nomem("platform");
    }
    wake->ctx = ctx;
    wake->fn = fn;
    wake->user_data = user_data;
    wake->handle.data = wake;
    rc = uv_async_init(&ctx->loop, &wake->handle, on_wake);
    if (rc != 0) {
        eop_free(wake);
        return eop_fail_errno(-rc, "platform", "no wake-up can be made");
    }
    eop_ctx_ref(ctx);
    *out = wake;
    return EDGEOPS_OK;
}

void eop_wake_send(eop_wake *wake) {
    (void)uv_async_send(&wake->handle);
}

void eop_wake_free(eop_wake *wake) {
    if (wake != NULL) {
        eop_uv_close(wake->ctx, (uv_handle_t *)&wake->handle);
    }
}
