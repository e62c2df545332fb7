/* SPDX-License-Identifier: Apache-2.0 */
/* What telemetry.c, telemetry_write.c, telemetry_drop.c and compacting share: statements, slots of
 * cells, and changes inside the writer's transaction. */
#ifndef EOP_STORE_TELEMETRY_DB_H
#define EOP_STORE_TELEMETRY_DB_H

#include "store/telemetry.h"

/** Slots of a chunk's cells: its channels, then its keys. */
enum {
    SLOT_BITS = 11,
    SLOT_TIMES = EOP_CHANNELS_MAX,
    SLOT_SEQS,
    SLOT_ORDINALS,
    SLOT_PARTS,
    SLOT_LAST = (1 << SLOT_BITS) - 1
};
static_assert((int)SLOT_PARTS <= (int)SLOT_LAST, "a cell id has room for a slot");

/** `rows` of the table chunk: rows + later * LATER_UNIT. */
enum { LATER_UNIT = 65536 };

static inline int64_t eop_cell_id(int64_t chunk, uint32_t slot) {
    return chunk << SLOT_BITS | (int64_t)slot;
}

typedef enum statement {
    HOME_GET,
    HOME_SET,
    APPLIED_GET,
    APPLIED_SET,
    CHUNK_ADD,
    CELL_ADD,
    STAT_ADD,
    STATE_ADD,
    STATE_LIST,
    STATE_REMOVE,
    CHUNK_IDS,
    CHUNK_REMOVE,
    CELLS_REMOVE,
    STATS_REMOVE,
    CHUNK_FIND,
    CHUNK_AT,
    CHUNK_BACK,
    CHUNK_LAST_ID,
    CHUNK_BELOW,
    CHUNK_ABOVE,
    CELL_GET,
    CELL_IDS,
    STAT_GET,
    STATS_WALK,
    CHUNK_OLDEST,
    CHUNK_BYTES,
    CHUNK_VERSIONS,
    STATE_GREW,
    STATE_DROP,
    ROLLUP_FIND,
    ROLLUP_ADD,
    ROLLUP_LIST,
    ROLLUP_REMOVE,
    ROLLUP_ORDINAL,
    CELLS_MOVE,
    STATS_MOVE,
    FREE_PAGES,
    READ_BEGIN,
    READ_END,
    STATEMENTS
} statement;

/** Reads a chunk from a row of id, t0, t1, ord0, ord1, rows. E_CORRUPT. */
edgeops_status eop_telemetry_take_info(eop_chunk_info *info, eop_sql_statement *select);
/** Finds the ids of the next chunks, once. The lookup caches chunks by id, so an id is not reused
 * while the file is open: call this before any chunk is removed. */
edgeops_status eop_telemetry_know_ids(eop_telemetry *telemetry);
/** Bytes of a chunk's columns. */
edgeops_status eop_telemetry_chunk_bytes(uint64_t *out, eop_telemetry *telemetry, int64_t id);
/** The same of the cells of some slots, first..last. */
edgeops_status eop_telemetry_cell_bytes(uint64_t *out, eop_telemetry *telemetry, int64_t chunk,
                                        uint32_t first, uint32_t last);
/** Inside a transaction: removes a chunk with its cells and reduces telemetry->grown. */
edgeops_status eop_telemetry_remove_chunk(eop_telemetry *telemetry, int64_t id);

/** The same with the cells of some slots, first..last. */
edgeops_status eop_telemetry_remove_cells(eop_telemetry *telemetry, int64_t chunk, uint32_t first,
                                          uint32_t last);
/** Inside a transaction: writes all rows of a chunk's channel, in place of what there is. */
edgeops_status eop_telemetry_put_cell(eop_telemetry *telemetry, int64_t chunk, uint32_t slot,
                                      const eop_vector *vector, eop_buf *buf);
/** Inside a transaction: writes the parts of a chunk, in place of those that it has. */
edgeops_status eop_telemetry_put_parts(eop_telemetry *telemetry, int64_t chunk,
                                       const eop_parts *parts, eop_buf *buf);
/** Inside a transaction: adds telemetry->grown to the bytes of the asset. */
edgeops_status eop_telemetry_note_grown(eop_telemetry *telemetry, uint32_t asset);

/** Writes rows as chunks, in place of removed ones: of the state only the bytes change. parts: of
 * the rows, and both are sorted by it; empty: the rows came whole and are in order of arrival. */
edgeops_status eop_telemetry_replace_rows(eop_telemetry *telemetry, uint32_t asset, eop_rows *rows,
                                          eop_parts *parts, eop_buf *buf);
/** Rows of a full chunk with such columns. */
size_t eop_telemetry_cut(const eop_rows *rows);
/** Inside a transaction: writes sorted, complete rows that follow those of the asset. */
edgeops_status eop_telemetry_put_rows(eop_telemetry *telemetry, uint32_t asset,
                                      const eop_rows *rows, eop_buf *buf);

#endif /* EOP_STORE_TELEMETRY_DB_H */
