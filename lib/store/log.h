/* SPDX-License-Identifier: Apache-2.0 */
/* The store's log lines for its host, and the list of damaged chunks; log.c says which lock guards
 * them. */
#ifndef EOP_STORE_LOG_H
#define EOP_STORE_LOG_H

#include "base/log.h"
#include "edgeops/store.h"
#include "journal/judge.h"

/** Writes a line. Any thread; call without locks, because the host's log may call back. */
void eop_store_log(edgeops_store *store, edgeops_log_level level, const char *format, ...)
    EOP_PRINTF(3, 4);
/** Sets where lines go, and writes at once what the opening found. */
void eop_store_set_log(edgeops_store *store, const eop_log *log);
#define EOP_PLACE_TEXT 160u
/** Says what is wrong with a place of the journal; goes on from the name of its segment. */
void eop_store_place_text(char text[EOP_PLACE_TEXT], const eop_place *place);
/** Notes a chunk that cannot be read: it is counted, and the writer logs it once. 0: the index of
 * chunks cannot be read. Any thread, under any lock. */
void eop_store_note_damage(int64_t chunk, void *store);
/** Notes that the damaged file of a blob was replaced: the writer logs it. Any thread, under any
 * lock. */
void eop_store_note_mended(edgeops_store *store);
/** The writer's thread: logs what was noted since the last call. */
void eop_store_log_damage(edgeops_store *store);

#endif /* EOP_STORE_LOG_H */
