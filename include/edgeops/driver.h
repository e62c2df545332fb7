/* SPDX-License-Identifier: Apache-2.0 */
/* High-Level Driver (HLD) plug-in ABI. A plug-in includes this header only and does not link
 * libedgeops: everything it may call comes in through edgeops_hld_host. */
#ifndef EDGEOPS_DRIVER_H
#define EDGEOPS_DRIVER_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

#define EDGEOPS_HLD_ABI_MAJOR 1u /* +1: plug-ins must be rebuilt */
#define EDGEOPS_HLD_ABI_MINOR 3u /* +1: fields appended to either table */

/** What the host offers. Valid from open() to close(). Every member: any thread. */
typedef struct edgeops_hld_host {
    uint32_t struct_size;
    uint32_t abi_minor;
    void *self;
    /** Takes samples; durable when it returns EDGEOPS_OK, copied. EDGEOPS_E_INVALID: refused and
     * kept in the dead-letter list. EDGEOPS_E_LIMIT, EDGEOPS_E_IO, EDGEOPS_E_NOMEM: not taken, no
     * room: do not acknowledge (or keep it and offer it again in start()), stop taking; the host
     * stops and starts the driver. EDGEOPS_E_CLOSED: the driver was stopped. */
    edgeops_status (*emit)(void *self, const edgeops_sample *samples, size_t n);
    /** Takes one message in the source's payload format and makes samples of it; returns as emit
     * does.
     *
     *  @param topic    where it came from, for the asset's name
     *  @param arrived  wall clock */
    edgeops_status (*message)(void *self, const char *topic, const void *payload, size_t size,
                              edgeops_time arrived);
    /** One line for the log; level: 0 error, 1 warning, 2 information, 3 debug. */
    void (*log)(void *self, int level, const char *message);
    /** The wall clock of the host. */
    edgeops_time (*now)(void *self);
    /** Reports that the link is up (EDGEOPS_OK, detail: to what), down (reason) or that the source
     * has come to its end (EDGEOPS_DONE). */
    void (*state)(void *self, edgeops_status reason, const char *detail);
    /** Since minor 2. Reports messages that the driver had and could not keep, such as those that
     * came while there was no room: they are counted and shown.
     *
     *  @param reason  one line */
    void (*lost)(void *self, uint64_t messages, const char *reason);
    /** Since minor 3. As message(), for one that the peer had kept and gives at each connection, such
     * as a retained MQTT message. The one that was taken last from this topic, if it has no time of
     * its own, is not taken again: EDGEOPS_OK, and counted. */
    edgeops_status (*kept)(void *self, const char *topic, const void *payload, size_t size,
                           edgeops_time arrived);
    /** Since minor 3. Reports a message that the configuration does not ask for, such as one for a
     * subscription that the peer kept of an earlier source: counted, a dead letter.
     *
     *  @param reason  one line */
    void (*stray)(void *self, const char *topic, const void *payload, size_t size,
                  edgeops_time arrived, const char *reason);
    /** Since minor 3. Not 0: this source has never had a link. What the peer keeps under its name is
     * not its own: the driver has the peer drop it, takes nothing of it, and calls begun(). */
    int (*fresh)(void *self);
    /** Since minor 3. From now on the peer keeps things for this source; durable when it returns
     * EDGEOPS_OK. EDGEOPS_E_IO: not noted, try again later and subscribe to nothing before. */
    edgeops_status (*begun)(void *self);
    /** Since minor 3. Reports a piece of the input that the driver could not read, such as a row of a
     * file: counted, a dead letter.
     *
     *  @param topic   where it came from, such as the file
     *  @param reason  one line */
    void (*refused)(void *self, const char *topic, const void *payload, size_t size,
                    edgeops_time arrived, const char *reason);
} edgeops_hld_host;

/** What a driver offers. Static, immutable. Members marked optional may be NULL. */
typedef struct edgeops_hld_driver {
    uint32_t struct_size;
    uint32_t abi_minor;
    const char *name; /**< [a-z][a-z0-9-]*, unique in a node */
    const char *version;
    const char *summary;
    const char
        *config_schema_json; /**< JSON Schema of the config; members with "writeOnly" are secrets */
    /** Parses config_json (checked against the schema), allocates state; does no I/O. */
    edgeops_status (*open)(void **state, const edgeops_hld_host *host, const char *config_json);
    /** Starts; returns at once. What fails later is reported through state() and retried by the
     * driver. */
    edgeops_status (*start)(void *state);
    /** After stop() returns the driver calls no host member but log. Idempotent. */
    void (*stop)(void *state);
    /** Frees the state. Called stopped, once. */
    void (*close)(void *state);
    /** Optional; since minor 1. The source is being removed: tells the peer to keep nothing for it
     * any more. Called stopped, before close(), which does not wait for it; returns at once. */
    void (*forget)(void *state);
    /** Optional; since minor 2. Says how it stands with the peer: calls put() with one JSON object
     * as edgeops_source_connection() gives it, at most 1 MiB, borrowed for the call; or not at all.
     * Any thread, from open() to close(); does not block and calls nothing of the host. */
    void (*describe)(void *state, void (*put)(void *user_data, const char *json), void *user_data);
} edgeops_hld_driver;

/** The one symbol a plug-in exports: the index-th driver, NULL past the last or if the host's major
 *  differs. No side effects. */
#define EDGEOPS_HLD_ENTRY "edgeops_hld_enum"
typedef const edgeops_hld_driver *(*edgeops_hld_enum_fn)(uint32_t host_abi_major, uint32_t index);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_DRIVER_H */
