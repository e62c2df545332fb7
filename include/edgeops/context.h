/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_CONTEXT_H
#define EDGEOPS_CONTEXT_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** Process-wide memory hooks; all three required, alloc/realloc may return NULL. */
typedef struct edgeops_allocator {
    void *(*alloc)(void *user_data, size_t size);
    void *(*realloc)(void *user_data, void *ptr, size_t size);
    void (*free)(void *user_data, void *ptr);
    void *user_data;
} edgeops_allocator;

/** Replaces malloc for libedgeops itself (not for the libraries it uses).
 *
 *  @param allocator  copied
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY once anything was allocated
 *  Threads: before any other call. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_set_allocator(const edgeops_allocator *allocator);

typedef enum edgeops_log_level {
    EDGEOPS_LOG_ERROR = 0,
    EDGEOPS_LOG_WARN = 1,
    EDGEOPS_LOG_INFO = 2,
    EDGEOPS_LOG_DEBUG = 3
} edgeops_log_level;

/** Called on any thread, never re-entered on one thread; must not call edgeops. */
typedef void (*edgeops_log_fn)(edgeops_log_level level, const char *subsystem, const char *message,
                               void *user_data);

/** Append-only. Zero means default for every field but struct_size. */
typedef struct edgeops_ctx_options {
    size_t struct_size; /**< sizeof(edgeops_ctx_options), set by the INIT macro */
    edgeops_log_fn log; /**< NULL: silent */
    void *log_user_data;
    edgeops_log_level log_level; /**< messages above it are not made */
} edgeops_ctx_options;
#define EDGEOPS_CTX_OPTIONS_INIT                                                                   \
    { sizeof(edgeops_ctx_options), NULL, NULL, EDGEOPS_LOG_ERROR }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_ctx_options_init(edgeops_ctx_options *options, size_t struct_size);

/** Makes a context: one event loop, used by one thread at a time.
 *
 *  @param out      the context; NULL after a failure; free with edgeops_ctx_free()
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_NOMEM; EDGEOPS_E_IO when no descriptor is left
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_new(edgeops_ctx **out,
                                                             const edgeops_ctx_options *options);

/** Runs the loop on this thread until edgeops_ctx_stop() or until timeout has passed. Not
 *  re-entrant.
 *
 *  @param timeout  EDGEOPS_FOREVER for none; 0 is one turn
 *  @return EDGEOPS_OK after edgeops_ctx_stop(); EDGEOPS_E_TIMEOUT
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_run(edgeops_ctx *ctx,
                                                             edgeops_duration timeout);

/** Ends edgeops_ctx_run(), the running call or else the next one. Any thread; async-signal-safe.
 *  Since 0.1. */
EDGEOPS_API void edgeops_ctx_stop(edgeops_ctx *ctx);

/** Pollable descriptor for a foreign loop: when it is readable, or after edgeops_ctx_timeout(),
 *  call edgeops_ctx_dispatch(). Owned by the context.
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API int edgeops_ctx_fd(const edgeops_ctx *ctx);

/** How long a foreign loop may sleep; EDGEOPS_FOREVER if nothing is due. Ask again after every
 *  dispatch.
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API edgeops_duration edgeops_ctx_timeout(const edgeops_ctx *ctx);

/** One turn that does not block; all callbacks of this context fire inside it or inside
 *  edgeops_ctx_run().
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_ctx_dispatch(edgeops_ctx *ctx);

/** Frees a context. What was made from it (nodes, runtimes, ...) must be gone, else it stays
 *  allocated and the log says so. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_ctx_free(edgeops_ctx *ctx);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_CONTEXT_H */
