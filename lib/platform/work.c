/* SPDX-License-Identifier: Apache-2.0 */
/* Work on libuv's pool of threads, which serves the whole process: for short things only. The
 * handle frees itself after `done`. */
#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "platform/loop.h"

struct eop_work {
    uv_work_t request;
    edgeops_ctx *ctx;
    eop_fn work;
    eop_fn done;
    void *user_data;
};

static void on_work(uv_work_t *request) {
    eop_work *work = request->data;
    work->work(work->user_data);
}

static void on_done(uv_work_t *request, int status) {
    eop_work *work = request->data;
    (void)status;
    work->ctx->works--;
    if (work->done != NULL) {
        work->done(work->user_data);
    }
    eop_free(work);
}

/* The first request starts the pool's threads, which inherit the mask. */
static int queue_with_signals_blocked(eop_work *work) {
    sigset_t old;
    eop_signals_block(&old);
    int rc = uv_queue_work(&work->ctx->loop, &work->request, on_work, on_done);
    eop_signals_restore(&old);
    return rc;
}

edgeops_status eop_work_start(eop_work **out, edgeops_ctx *ctx, eop_fn work_fn, eop_fn done,
                              void *user_data) {
    eop_work *work = NULL;
    int rc = 0;
    if (out != NULL) {
        *out = NULL;
    }
    EOP_REQUIRE(work_fn != NULL, "platform");
    work = eop_calloc(1, sizeof(*work));
    if (work == NULL) {
        return eop_fail_nomem("platform");
    }
    work->ctx = ctx;
    work->work = work_fn;
    work->done = done;
    work->user_data = user_data;
    work->request.data = work;
    rc = queue_with_signals_blocked(work);
    if (rc != 0) {
        eop_free(work);
        return eop_fail_errno(-rc, "platform", "no work can be queued");
    }
    ctx->works++;
    if (out != NULL) {
        *out = work;
    }
    return EDGEOPS_OK;
}

void eop_work_cancel(eop_work *work) {
    if (work != NULL) {
        (void)uv_cancel((uv_req_t *)&work->request);
    }
}
