/* SPDX-License-Identifier: Apache-2.0 */
/* A thread of its own for one long piece of work, whose end is reported on the loop. Not the loop's
 * pool: its four threads serve all loops of the process, those of the host too. */
#include "base/thread.h"
#include "base/error.h"
#include "base/memory.h"
#include "platform/platform.h"

typedef struct eop_thread {
    eop_wake *wake;
    eop_fn work;
    eop_fn done;
    void *user_data;
    pthread_t thread;
} eop_thread;

static void *thread_main(void *user_data) {
    eop_thread *t = user_data;
    t->work(t->user_data);
    eop_wake_send(t->wake); /* the loop joins this thread before it frees the wake */
    return NULL;
}

static void on_end(void *user_data) {
    eop_thread *t = user_data;
    eop_fn done = t->done;
    void *argument = t->user_data;
    (void)pthread_join(t->thread, NULL);
    eop_wake_free(t->wake);
    eop_free(t);
    done(argument);
}

edgeops_status eop_thread_start(edgeops_ctx *ctx, eop_fn work, eop_fn done, void *user_data) {
    eop_thread *t = eop_calloc(1, sizeof(*t));
    if (t == NULL) {
        return eop_fail_nomem("platform");
    }
    t->work = work;
    t->done = done;
    t->user_data = user_data;
    edgeops_status status = eop_wake_new(&t->wake, ctx, on_end, t);
    if (status == EDGEOPS_OK) {
        int error = eop_thread_create(&t->thread, NULL, thread_main, t);
        if (error == 0) {
            return EDGEOPS_OK;
        }
        status = eop_fail_errno(error, "platform", "no thread is left");
    }
    eop_wake_free(t->wake);
    eop_free(t);
    return status;
}
