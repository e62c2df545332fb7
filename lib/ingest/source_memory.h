/* SPDX-License-Identifier: Apache-2.0 */
/* What a source remembers over restarts, in a file of its own: whether it ever had a link, and for
 * each topic a hash of the message that was taken last, so that a retained message that comes again
 * with each connection is taken once. No lock: the source's gate is held in every call but make and
 * remove. */
#ifndef EOP_INGEST_SOURCE_MEMORY_H
#define EOP_INGEST_SOURCE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

/** Topics that are remembered; a retained message of another one is taken at each connection. */
#define EOP_SOURCE_TOPICS_MAX 65536u

typedef struct eop_source_memory eop_source_memory;

/** A message and the place of its topic, from look to note. */
typedef struct eop_seen {
    uint64_t topic;   /**< hash; 0: not looked up yet */
    uint64_t payload; /**< hash */
    size_t place;     /**< slot and one; 0: none */
} eop_seen;

/** Writes the file of a source that never had a link; durable when it returns. */
edgeops_status eop_source_memory_make(const char *path);
/** Removes the file; one that is missing is fine. */
void eop_source_memory_remove(const char *path);

/** The file is read when something is first asked for. One that is missing or cannot be read
 * belongs to a source that had a link and remembers nothing. path: copied; NULL: no file. */
edgeops_status eop_source_memory_new(eop_source_memory **out, const char *path);
/** Notes that all is on the disk, so that a power cut later does no harm. NULL is allowed. */
void eop_source_memory_free(eop_source_memory *memory);

/** Whether the source never had a link. */
bool eop_source_memory_fresh(eop_source_memory *memory);
/** It has one now; durable when it returns EDGEOPS_OK. */
edgeops_status eop_source_memory_begun(eop_source_memory *memory);

/** True for the message that was taken last from its topic. For any other one what was remembered
 * of the topic is forgotten, also in the file: a process that dies before the note takes a message
 * twice, never not at all. */
bool eop_source_memory_look(eop_source_memory *memory, eop_seen *seen, const char *topic,
                            const void *payload, size_t size);
/** The message is stored: it is the last one of its topic from now on. */
void eop_source_memory_note(eop_source_memory *memory, eop_seen *seen, const char *topic,
                            const void *payload, size_t size);
/** Whether there was no room for a topic. */
bool eop_source_memory_full(const eop_source_memory *memory);

#endif /* EOP_INGEST_SOURCE_MEMORY_H */
