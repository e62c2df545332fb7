/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Only this room includes it: libuv ends here. */
#ifndef EOP_PLATFORM_LOOP_H
#define EOP_PLATFORM_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "base/fork.h"
#include "platform/platform.h"

typedef struct eop_deferred {
    eop_fn fn; /* NULL: dropped */
    void *user_data;
} eop_deferred;

struct edgeops_ctx {
    eop_birth birth;
    uv_loop_t loop;
    uv_async_t stop_wake; /* also what keeps the loop alive while it has nothing else */
    uv_timer_t limit;     /* ends a turn with a limited wait */
    uv_idle_t defer_turn; /* active while something is deferred: the loop does not sleep then */
    eop_deferred *deferred;
    size_t deferred_count;
    size_t deferred_capacity;
    eop_log log;
    atomic_int stopped;
    bool in_turn;
    size_t refs; /* handles and objects of other rooms */
    size_t held; /* what ends by itself in later turns */
};

/** Starts a timer that is never early: libuv counts in milliseconds from a cached, truncated
 * time. */
void eop_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, edgeops_duration after,
                        edgeops_duration repeat);

/** Closes a handle whose data is the object it is embedded in, and frees that object when libuv has
 * let go of it. The object no longer counts as living on the context. */
void eop_uv_close(edgeops_ctx *ctx, uv_handle_t *handle);

#endif /* EOP_PLATFORM_LOOP_H */
