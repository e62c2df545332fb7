/* SPDX-License-Identifier: Apache-2.0 */
/* What lives on a context: counted, and closed so that the object a handle is embedded in is freed
 * when libuv has let go of it. The context's thread only. */
#include "base/memory.h"
#include "platform/loop.h"

void eop_ctx_ref(edgeops_ctx *ctx) {
    ctx->refs++;
}

void eop_ctx_unref(edgeops_ctx *ctx) {
    ctx->refs -= ctx->refs > 0;
}

static void on_closed(uv_handle_t *handle) {
    eop_free(handle->data);
}

void eop_uv_close(edgeops_ctx *ctx, uv_handle_t *handle) {
    uv_close(handle, on_closed);
    eop_ctx_unref(ctx);
}
