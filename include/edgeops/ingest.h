/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_INGEST_H
#define EDGEOPS_INGEST_H

#include "edgeops/driver.h"
#include "edgeops/label.h"
#include "edgeops/store.h"
#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** Given each driver; borrowed, static. Anything but EDGEOPS_OK ends the walk and is passed
 *  through. */
typedef edgeops_status (*edgeops_driver_fn)(const edgeops_hld_driver *driver, void *user_data);

/** Walks the built-in drivers, sorted by name: "mqtt" (where built in) and "replay". Any thread.
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_driver_list(edgeops_driver_fn fn,
                                                                 void *user_data);

/** Checks a configuration against its driver's schema and the payload schema, without I/O.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (driver); EDGEOPS_E_INVALID (detail names the key)
 *  Any thread. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_source_check(const char *driver,
                                                                  const char *config_json);

typedef enum edgeops_source_state {
    EDGEOPS_SOURCE_STOPPED = 0,
    EDGEOPS_SOURCE_CONNECTING = 1, /**< started, no link yet or link lost */
    EDGEOPS_SOURCE_RUNNING = 2,
    EDGEOPS_SOURCE_DONE = 3,  /**< came to its end (replay) */
    EDGEOPS_SOURCE_PAUSED = 4 /**< disk full: not taking, starts again by itself */
} edgeops_source_state;

/** Counters since the source was opened. Make it with the INIT macro. */
typedef struct edgeops_source_stats {
    size_t struct_size;
    edgeops_source_state state;
    uint64_t messages; /**< that came in */
    uint64_t bytes;
    uint64_t samples; /**< appended */
    uint64_t duplicates;
    uint64_t conflicts;
    uint64_t late;
    uint64_t expired; /**< not newer than what retention dropped: left out */
    uint64_t dead;    /**< messages refused, kept in the dead-letter list */
    uint64_t reconnects;
    edgeops_time last; /**< wall clock of the last message, 0 before the first */
    char detail[256];  /**< what the state is about: peer, or reason and next step */
    uint64_t labels;   /**< added; those that were there count as duplicates */
} edgeops_source_stats;
#define EDGEOPS_SOURCE_STATS_INIT                                                                  \
    { sizeof(edgeops_source_stats), EDGEOPS_SOURCE_STOPPED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_source_stats_init(edgeops_source_stats *stats, size_t struct_size);

/** A message that could not be taken. Borrowed for the call. */
typedef struct edgeops_dead_letter {
    edgeops_time time; /**< of arrival */
    const char *topic;
    const char *reason;  /**< one line */
    const void *payload; /**< at most the first 512 bytes */
    size_t payload_size;
    uint64_t message_size; /**< of the whole message */
} edgeops_dead_letter;

/** Append-only. */
typedef struct edgeops_source_options {
    size_t struct_size;
    const char *name; /**< [a-z0-9][a-z0-9._-]{0,63} */
    const char *driver;
    const char *config_json; /**< the driver's members and, for payload drivers, "payload" */
    /** Makes samples durable: edgeops_store_append(), which may get `result` and `options` as they
     * are; else set the members of `result` that are not 0. Any thread; errors as there. */
    edgeops_status (*append)(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                             const edgeops_append_options *options, void *user_data);
    /** Optional; context's thread. Not called for the stop that the host asked for. */
    void (*on_state)(edgeops_source_state state, const char *detail, void *user_data);
    /** Optional; any thread, with no lock held; must be quick. */
    void (*on_dead_letter)(const edgeops_dead_letter *letter, void *user_data);
    void *user_data;
    /** Optional: whether samples can be taken now; any thread, errors as append(). Asked every
     * second, so that the source stops taking while there still is a little room, and to tell a
     * full disk from a message that breaks a limit when append() gave EDGEOPS_E_LIMIT. Without it
     * every EDGEOPS_E_LIMIT counts as a full disk. */
    edgeops_status (*ready)(void *user_data);
    /** Tells this installation from others: part of the MQTT client id where the configuration has
     * none. NULL: the host's name. */
    const char *instance;
    /** Makes labels durable, each of them once however often it comes: edgeops_label_add_new().
     * Any thread; EDGEOPS_E_INVALID and EDGEOPS_E_NOTFOUND make a dead letter. Needed where the
     * configuration has "labels". */
    edgeops_status (*label)(edgeops_label_result *result, const edgeops_label *labels, size_t n,
                            void *user_data);
} edgeops_source_options;
#define EDGEOPS_SOURCE_OPTIONS_INIT                                                                \
    { sizeof(edgeops_source_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_source_options_init(edgeops_source_options *options, size_t struct_size);

typedef struct edgeops_source edgeops_source;

/** Opens a source, does not start it.
 *
 *  @param out  NULL after a failure; close with edgeops_source_close()
 *  @return as edgeops_source_check()
 *  Threads: the context's, as for all calls on it. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_source_open(edgeops_source **out, edgeops_ctx *ctx, const edgeops_source_options *options);

/** Starts taking data; returns at once, connects in the background and again after each loss. Since
 *  0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_source_start(edgeops_source *source);

/** Stops; no append() comes after it returned. Idempotent. Since 0.1. */
EDGEOPS_API void edgeops_source_stop(edgeops_source *source);

/** Copies the counters.
 *
 *  @param stats  made with EDGEOPS_SOURCE_STATS_INIT; untouched after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a struct_size that was not set
 *  Any thread. Since 0.1. */
EDGEOPS_API edgeops_status edgeops_source_get_stats(edgeops_source_stats *stats,
                                                    edgeops_source *source);

/** Stops the source for good and has the other side forget it: an MQTT broker would go on gathering
 *  messages for the session of a source that is gone. For a source that is being removed, before
 *  edgeops_source_close(). Returns at once; the broker is told in the background, once, within
 *  about five seconds, or not when it is out of reach. A source that comes with the same broker and
 *  client id meanwhile connects after that. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_source_forget(edgeops_source *source);

/** Stops and frees. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_source_close(edgeops_source *source);

/** A message on its way out. */
typedef struct edgeops_message {
    uint64_t id; /**< comes back when delivered */
    const char *topic;
    const void *payload;
    size_t size;
    uint8_t qos;    /**< 0..2 */
    uint8_t retain; /**< 0 or 1 */
} edgeops_message;

/** Makes a sample into the message that a source without payload options reads back, bit for bit
 *  but for floats that are not finite: one line such as {"time":"2026-01-31T08:00:00Z","a":1.5},
 *  "seq" where it is not 0, the name in front as "asset" unless it is NULL. Its channels are not
 *  named "time", "seq" or "asset".
 *
 *  @param out   NUL-terminated, NULL after a failure; free with edgeops_free()
 *  @param size  optional: bytes without the NUL
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (a channel without a name, no values); EDGEOPS_E_NOMEM
 *  Any thread. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_sample_encode(char **out, size_t *size,
                                                                   const edgeops_sample *sample);

typedef struct edgeops_publisher edgeops_publisher;

/** Append-only. */
typedef struct edgeops_publisher_options {
    size_t struct_size;
    const char
        *config_json;   /**< the connection members of the mqtt driver: url, user, tls, will, ... */
    uint32_t in_flight; /**< messages handed over and not yet acknowledged, default 256 */
    /** Context's thread: the link is up (EDGEOPS_OK) or down (reason). After a loss every message
     * not reported as delivered must be sent again. */
    void (*on_state)(edgeops_status status, const char *detail, void *user_data);
    /** Context's thread: the broker has them (QoS 0: written). */
    void (*on_delivered)(const uint64_t *ids, size_t n, void *user_data);
    void *user_data;
    /** As in edgeops_source_options. The client id is the configuration's with "-out" behind it. */
    const char *instance;
} edgeops_publisher_options;
#define EDGEOPS_PUBLISHER_OPTIONS_INIT                                                             \
    { sizeof(edgeops_publisher_options), NULL, 0, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_publisher_options_init(edgeops_publisher_options *options,
                                                size_t struct_size);

/** Opens an MQTT publisher: a handle that only sends. Connects in the background, with a fresh
 *  client handle for each connection.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (config); EDGEOPS_E_UNSUPPORTED (built without MQTT)
 *  Threads: the context's, as for all calls on it. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_publisher_open(
    edgeops_publisher **out, edgeops_ctx *ctx, const edgeops_publisher_options *options);

/** Sends one message; copied.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_AGAIN when in_flight are under way or there is no link
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_publisher_send(edgeops_publisher *publisher,
                                                                    const edgeops_message *message);

/** Disconnects (no will is published) and frees. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_publisher_close(edgeops_publisher *publisher);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_INGEST_H */
