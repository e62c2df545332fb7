/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_INGEST_H
#define EDGEOPS_INGEST_H

#include "edgeops/driver.h"
#include "edgeops/label.h"
#include "edgeops/store.h"
#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** Gets one driver of a walk.
 *
 *  @param driver  static
 *  @return EDGEOPS_OK to go on; anything else ends the walk and is passed through */
typedef edgeops_status (*edgeops_driver_fn)(const edgeops_hld_driver *driver, void *user_data);

/** Walks the built-in drivers, sorted by name: "mqtt" (where built in) and "replay".
 *
 *  @param fn  called on this thread, inside the call
 *  @return EDGEOPS_OK; what fn returned
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_driver_list(edgeops_driver_fn fn,
                                                                 void *user_data);

/** Checks a configuration against its driver's schema and the payload schema, without I/O.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (driver); EDGEOPS_E_INVALID (the message names the key);
 *          EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_source_check(const char *driver,
                                                                  const char *config_json);

/** What a source is doing. Numbers never change. */
typedef enum edgeops_source_state {
    EDGEOPS_SOURCE_STOPPED = 0,
    EDGEOPS_SOURCE_CONNECTING = 1, /**< started, no link yet or link lost */
    EDGEOPS_SOURCE_RUNNING = 2,
    EDGEOPS_SOURCE_DONE = 3,  /**< came to its end (replay) */
    EDGEOPS_SOURCE_PAUSED = 4 /**< disk full: takes nothing, starts again by itself */
} edgeops_source_state;

/** Counters since the source was opened. Start with the INIT macro or the _init function.
 *  Append-only. */
typedef struct edgeops_source_stats {
    size_t struct_size;
    edgeops_source_state state;
    uint64_t messages; /**< that came in */
    uint64_t bytes;
    uint64_t samples; /**< appended: each began a row */
    uint64_t duplicates;
    uint64_t conflicts; /**< samples left out; their messages are dead letters, too */
    uint64_t late;
    uint64_t expired; /**< not newer than what retention dropped: left out */
    uint64_t dead;    /**< messages refused, kept in the dead-letter list */
    uint64_t reconnects;
    edgeops_time last; /**< wall clock of the last message, 0 before the first */
    char detail[256];  /**< what the state is about: peer, or reason and next step */
    uint64_t labels;   /**< added; those that were there count as duplicates */
    uint64_t lost; /**< messages that came and could not be kept: no room on disk and in memory */
    uint64_t retained_repeats; /**< retained messages left out: taken before, without a time of
                                    their own */
    uint64_t unmatched;   /**< messages that no topic filter of the configuration asks for; dead
                                    letters, too */
    uint64_t untimed;     /**< of the appended ones: stored at the time of arrival */
    uint64_t unset_clock; /**< of the appended ones: before the year 2000, or stored at a time of
                                    arrival before 2024 */
    uint64_t merged;      /**< stored as parts: they completed rows that were there */
    uint64_t ahead;       /**< of the appended and merged ones: far ahead of the clock, see
                               edgeops_append_result.ahead */
} edgeops_source_stats;
#define EDGEOPS_SOURCE_STATS_INIT                                                                  \
    {                                                                                              \
        sizeof(edgeops_source_stats), EDGEOPS_SOURCE_STOPPED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", 0, \
            0, 0, 0, 0, 0, 0, 0                                                                    \
    }

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

/** How to open a source. Append-only. name, driver, config_json and append are required; zero means
 *  default for all else. Texts are copied. */
typedef struct edgeops_source_options {
    size_t struct_size;
    const char *name; /**< [a-z0-9][a-z0-9._-]{0,63} */
    const char *driver;
    const char *config_json; /**< the driver's members and, for payload drivers, "payload" */
    /** Makes samples durable: edgeops_store_append(), which may get `result` and `options` as they
     * are; else set the members of `result` that are not 0. Any thread; errors as there. With
     * EDGEOPS_E_INVALID `result` counts what was stored all the same: the message is a dead letter,
     * the error's text its reason. So it is where `result` counts conflicts. */
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
    /** Optional: path of a file that belongs to this source alone, made when first needed. It
     * remembers what was taken last from each topic, so that a retained message without a time of
     * its own is taken once and not again at each start: 65,536 topics, 2 MiB. NULL: remembered
     * until the source is closed. */
    const char *memory;
} edgeops_source_options;
#define EDGEOPS_SOURCE_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(edgeops_source_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,      \
            NULL, NULL                                                                             \
    }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_source_options_init(edgeops_source_options *options, size_t struct_size);

/** A driver with its configuration. */
typedef struct edgeops_source edgeops_source;

/** Opens a source, does not start it.
 *
 *  @param out  NULL after a failure; close with edgeops_source_close()
 *  @param ctx  must outlive it; on_state fires in its loop
 *  @return as edgeops_source_check()
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_source_open(edgeops_source **out, edgeops_ctx *ctx, const edgeops_source_options *options);

/** Starts taking data. Connects in the background, and again after each loss of the link. A source
 *  that came to its end begins anew.
 *
 *  @return EDGEOPS_OK, also when it was started already or the disk is full (PAUSED); what the
 *          driver's start() returns
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_source_start(edgeops_source *source);

/** Stops a source. When it returns, append() is not running and is not called any more. Idempotent.
 *
 *  @param source  NULL is allowed
 *  Threads: the context's. Blocks while an append() is running. Since 0.1. */
EDGEOPS_API void edgeops_source_stop(edgeops_source *source);

/** Copies the counters.
 *
 *  @param stats  made with EDGEOPS_SOURCE_STATS_INIT; untouched after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a struct_size that was not set
 *  Threads: any. Since 0.1. */
EDGEOPS_API edgeops_status edgeops_source_get_stats(edgeops_source_stats *stats,
                                                    edgeops_source *source);

/** Gives what the driver knows of its link as a JSON object. Of the driver "mqtt":
 *
 *      up                  whether there is a connection now
 *      broker, tls         "host:port", and whether TLS is on
 *      protocol            "MQTT 3.1.1" or "MQTT 5"
 *      client_id           in force; client_id_assigned: the broker gave it
 *      connections         made since the source was opened
 *      lost_sessions       how often the broker had no session any more where there was one before
 *      warnings            array of sentences, each with the next step; in any state
 *
 *  and, while it is up, what the broker granted:
 *
 *      since               when the connection was made
 *      session             "new", "resumed", "lost" (there was one before) or "none"
 *      session_expiry_s    how long the broker keeps it (MQTT 5; absent: for ever, or unknown)
 *      keep_alive_s        in force
 *      guarantee           one line: what holds with these terms
 *      maximum_packet      bytes, announced to the broker (MQTT 5); larger: what becomes of others
 *      filters             array of {"filter", "asked" and "granted" (QoS) or "refused" (why)}
 *
 *  @param json  given to the caller, free with edgeops_free(); NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_UNSUPPORTED (the driver says nothing); EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_source_connection(char **json,
                                                                       edgeops_source *source);

/** Stops a source and has the peer forget it: an MQTT broker would keep collecting messages for the
 *  session of a source that is gone. For a source that is being removed, before
 *  edgeops_source_close(). The broker is told in the background, once, within about five seconds,
 *  or not at all when it is out of reach. A source with the same broker and client id that is
 *  started meanwhile connects after that.
 *
 *  @param source  NULL is allowed
 *  Threads: the context's. Blocks as edgeops_source_stop(). Since 0.1. */
EDGEOPS_API void edgeops_source_forget(edgeops_source *source);

/** Stops and closes a source. Allowed inside its on_state.
 *
 *  @param source  NULL is allowed
 *  Threads: the context's. Blocks as edgeops_source_stop(). Since 0.1. */
EDGEOPS_API void edgeops_source_close(edgeops_source *source);

/** A message on its way out. */
typedef struct edgeops_message {
    uint64_t id;         /**< comes back when delivered */
    const char *topic;   /**< without wildcards */
    const void *payload; /**< borrowed for the call */
    size_t size;         /**< bytes of payload, at most 1 GiB */
    uint8_t qos;         /**< 0..2 */
    uint8_t retain;      /**< 0 or 1 */
} edgeops_message;

/** Makes a sample into the message that a source without payload options reads back, bit for bit
 *  but for floats that are not finite: one line such as {"time":"2026-01-31T08:00:00Z","a":1.5},
 *  "seq" where it is not 0, the name in front as "asset" unless it is NULL.
 *
 *  @param out   NUL-terminated, NULL after a failure; free with edgeops_free()
 *  @param size  optional: bytes without the NUL
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (a channel without a name or called "time",
 *          "seq" or "asset", no values); EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_sample_encode(char **out, size_t *size,
                                                                   const edgeops_sample *sample);

/** A connection to an MQTT broker that only sends. */
typedef struct edgeops_publisher edgeops_publisher;

/** How to open a publisher. Append-only. config_json is required; zero means default for all else.
 *  Texts are copied. */
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
    /** Optional; context's thread: the broker refused this message and is not going to have it: it
     *  counts neither as delivered nor as under way any more. The link stays up. Only MQTT 5 knows
     *  such answers; a 3.1.1 broker hangs up without one.
     *
     *  status: EDGEOPS_E_LIMIT (larger than the broker takes; only this message),
     *  EDGEOPS_E_INVALID (its payload or topic is not accepted), EDGEOPS_E_DENIED (not authorized),
     *  EDGEOPS_E_UNSUPPORTED (QoS or retain), EDGEOPS_E_BUSY (a quota or another reason that may
     *  pass). reason: one line, borrowed for the call.
     *
     *  Without it a refused message counts as delivered, and on_state tells. */
    void (*on_refused)(uint64_t id, edgeops_status status, const char *reason, void *user_data);
} edgeops_publisher_options;
#define EDGEOPS_PUBLISHER_OPTIONS_INIT                                                             \
    { sizeof(edgeops_publisher_options), NULL, 0, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_publisher_options_init(edgeops_publisher_options *options,
                                                size_t struct_size);

/** Opens an MQTT publisher. Connects in the background, and again after each loss of the link.
 *
 *  @param out  NULL after a failure; close with edgeops_publisher_close()
 *  @param ctx  must outlive it; all callbacks fire in its loop
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (config); EDGEOPS_E_UNSUPPORTED (built without MQTT);
 *          EDGEOPS_E_NOMEM
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_publisher_open(
    edgeops_publisher **out, edgeops_ctx *ctx, const edgeops_publisher_options *options);

/** Sends one message; copied.
 *
 *  @return EDGEOPS_OK: on_delivered or on_refused reports it, or on_state that the link was lost;
 *          EDGEOPS_E_AGAIN when there is no link, in_flight messages are under way, or as many of
 *          QoS 1 and 2 as the broker takes at once (its receive maximum); EDGEOPS_E_INVALID (topic,
 *          qos, size). For what the broker announced when it connected (MQTT 5), nothing being
 *          sent: EDGEOPS_E_LIMIT (over its maximum packet size), EDGEOPS_E_UNSUPPORTED (over its
 *          maximum QoS, or retained where it keeps none)
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_publisher_send(edgeops_publisher *publisher,
                                                                    const edgeops_message *message);

/** Disconnects and closes a publisher; its will is not published. Messages in flight may or may not
 *  have arrived.
 *
 *  @param publisher  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_publisher_close(edgeops_publisher *publisher);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_INGEST_H */
