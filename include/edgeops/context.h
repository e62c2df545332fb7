/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_CONTEXT_H
#define EDGEOPS_CONTEXT_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** Memory functions for the whole process. All three are required and are called on any thread, as
 *  malloc(), realloc() and free() are: free gets no NULL, alloc and realloc may return NULL. The
 *  size never changes. */
typedef struct edgeops_allocator {
    void *(*alloc)(void *user_data, size_t size);
    void *(*realloc)(void *user_data, void *ptr, size_t size);
    void (*free)(void *user_data, void *ptr);
    void *user_data;
} edgeops_allocator;

/** Replaces malloc for libedgeops itself, not for the libraries that it uses.
 *
 *  @param allocator  copied; its functions must work until the process ends
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID without one of the functions; EDGEOPS_E_BUSY once anything
 *          was allocated
 *  Threads: one, before any other call. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_set_allocator(const edgeops_allocator *allocator);

/** How much a log message matters. */
typedef enum edgeops_log_level {
    EDGEOPS_LOG_ERROR = 0,
    EDGEOPS_LOG_WARN = 1,
    EDGEOPS_LOG_INFO = 2,
    EDGEOPS_LOG_DEBUG = 3
} edgeops_log_level;

/** Takes one log message: one line without a line end. Called on any thread, also on several at
 *  once, but never inside itself; must not call edgeops. All texts are borrowed for the call. */
typedef void (*edgeops_log_fn)(edgeops_log_level level, const char *subsystem, const char *message,
                               void *user_data);

/** How to make a context. Append-only. Zero means default for every member but struct_size.
 *
 *  All structs with a struct_size work alike: start with the INIT macro or the _init function, then
 *  set members. A program that was built with older or newer headers is understood; a struct_size
 *  of 0 is EDGEOPS_E_INVALID. */
typedef struct edgeops_ctx_options {
    size_t struct_size; /**< sizeof(edgeops_ctx_options), set by the INIT macro */
    edgeops_log_fn log; /**< NULL: no log */
    void *log_user_data;
    edgeops_log_level log_level; /**< messages of a higher level are not made; default ERROR */
} edgeops_ctx_options;
#define EDGEOPS_CTX_OPTIONS_INIT                                                                   \
    { sizeof(edgeops_ctx_options), NULL, NULL, EDGEOPS_LOG_ERROR }

/** Same as the INIT macro, for callers that cannot use it.
 *
 *  @param struct_size  sizeof *options, as for all functions of this kind
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_ctx_options_init(edgeops_ctx_options *options, size_t struct_size);

/** Makes a context: one event loop, used by one thread at a time.
 *
 *  @param out      the context; NULL after a failure; free with edgeops_ctx_free()
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (options); EDGEOPS_E_NOMEM; EDGEOPS_E_IO when no
 *          descriptor is left
 *  Threads: any; the context then belongs to one thread at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_new(edgeops_ctx **out,
                                                             const edgeops_ctx_options *options);

/** Runs the loop on this thread until edgeops_ctx_stop() is called or the timeout has passed. It
 *  blocks that long, whether or not there is anything to do.
 *
 *  @param timeout  ns; EDGEOPS_FOREVER for none; 0: one turn that does not block
 *  @return EDGEOPS_OK after edgeops_ctx_stop(); EDGEOPS_E_TIMEOUT when the timeout has passed,
 *          which is no fault; EDGEOPS_E_INVALID for a negative timeout or inside a callback of the
 *          context
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_run(edgeops_ctx *ctx,
                                                             edgeops_duration timeout);

/** Ends edgeops_ctx_run(): the call that is running, else the next one. Several calls count as one.
 *
 *  @param ctx  NULL is allowed
 *  Threads: any; async-signal-safe. Does not block. Since 0.1. */
EDGEOPS_API void edgeops_ctx_stop(edgeops_ctx *ctx);

/** A descriptor for a host with its own loop: when it is readable, or when edgeops_ctx_timeout()
 *  has passed, call edgeops_ctx_dispatch(). See examples/foreign_loop.c.
 *
 *  @return borrowed until edgeops_ctx_free(), always the same; -1 for NULL and in a forked child
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API int edgeops_ctx_fd(const edgeops_ctx *ctx);

/** How long a host's loop may sleep. Ask again before each sleep: any call on the context or on
 *  what was made from it may change it.
 *
 *  @return ns, from 0; EDGEOPS_FOREVER when nothing is due
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API edgeops_duration edgeops_ctx_timeout(const edgeops_ctx *ctx);

/** Turns the loop once without blocking. All callbacks of a context fire inside this call, inside
 *  edgeops_ctx_run(), or inside a call that says that it turns the loop.
 *
 *  @return EDGEOPS_OK, also when nothing was due; EDGEOPS_E_INVALID inside a callback of the
 *          context
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_dispatch(edgeops_ctx *ctx);

/** Frees a context. Turns the loop until work that is under way has ended. What was made from the
 *  context (nodes, runtimes, ...) must be gone; otherwise, and inside a callback of the context, it
 *  stays allocated and the log says so.
 *
 *  @param ctx  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_ctx_free(edgeops_ctx *ctx);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_CONTEXT_H */
