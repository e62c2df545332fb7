/* SPDX-License-Identifier: Apache-2.0 */
/* What retention drops with a chunk besides: the parts of its rows that came later and are in
 * chunks that stay. A row goes with its first part: else a part of it would be left, as a row that
 * nobody wrote and nobody counts. They are older than what is dropped, too, because all parts of a
 * row have its time.
 * The other way round a chunk waits while it has later parts of rows that stay: a row that is
 * there is whole. It is trimmed when they go.
 *
 * A chunk that stays is written anew without them. Its ordinals keep having no gap: those of parts
 * that went at its ends are gone like those of a dropped chunk, others become parts without a cell
 * of a row that stays. What cannot be found stays as a row of its own: of a first part whose chunk
 * was damaged, and parts that come while their row is dropped; those of the journal become chunks
 * before. The writer's thread only, in its transaction. */
#ifndef EOP_STORE_TRIM_H
#define EOP_STORE_TRIM_H

#include "store/telemetry.h"

/** Keys of rows that began in dropped chunks. {0} is an empty list. */
typedef struct eop_gone {
    eop_rows keys; /**< sorted by eop_trim_chunks() */
} eop_gone;

void eop_gone_dispose(eop_gone *gone);
/** Notes the rows that began in a chunk, before it is dropped. Of an unreadable one none. */
edgeops_status eop_gone_note(eop_gone *gone, eop_telemetry *telemetry, const eop_chunk_info *chunk);

/** *has: rows that began in `first` have parts in `chunk`. Of an unreadable one none has. */
edgeops_status eop_trim_has_parts(bool *has, eop_telemetry *telemetry, const eop_chunk_info *chunk,
                                  const eop_chunk_info *first);

/** What is to be trimmed. */
typedef struct eop_trim {
    edgeops_store *store;
    uint32_t asset;
    const edgeops_duration *rollups; /**< periods of the sums that remain */
    size_t rollup_count;
} eop_trim;
/** Takes the later parts of rows that are gone out of the asset's chunks, and adds them to its
 * rollups. */
edgeops_status eop_trim_chunks(eop_gone *gone, eop_telemetry *telemetry, const eop_trim *trim,
                               eop_buf *buf);

#endif /* EOP_STORE_TRIM_H */
