/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups: what is left of samples that retention drops. For each period that had samples, and each
 * numeric channel: minimum, maximum, sum and count of the values that are neither null nor NaN.
 * Periods begin at multiples of their length since the epoch.
 *
 * Rollups are chunks of an asset of their own, with an id of EOP_ROLLUP_ID or above, that is not in
 * the catalog. The row of a period has its beginning as time. The columns 4 p to 4 p + 3 are min,
 * max and sum (float64) and count (int64) of the channel at position p; so only the first 256
 * channels of an asset have rollups. A period whose samples were dropped with several chunks has as
 * many rows; readers add them up. */
#ifndef EOP_STORE_ROLLUP_H
#define EOP_STORE_ROLLUP_H

#include "store/telemetry.h"

#define EOP_ROLLUP_CHANNELS  (EOP_CHANNELS_MAX / 4)
#define EOP_ROLLUPS_OF_ASSET 1024u /**< periods that it ever had */

typedef struct eop_rollup_cell {
    double min;
    double max;
    double sum;
    uint64_t count;
} eop_rollup_cell;

/** Ascending periods with a cell for each channel. {.period, .channels} is an empty rollup. */
typedef struct eop_rollup {
    edgeops_duration period;
    size_t channels;
    int64_t *times;
    eop_rollup_cell *cells; /**< count * channels */
    size_t count;
    size_t time_capacity;
    size_t cell_capacity;
} eop_rollup;

void eop_rollup_dispose(eop_rollup *rollup);
/** Adds the values of rows [from, to); channel k is column k, if the rows have it. */
edgeops_status eop_rollup_add(eop_rollup *rollup, const eop_rows *rows, size_t from, size_t to);
/** Adds stored rollups: the rows of such an asset. */
edgeops_status eop_rollup_merge(eop_rollup *rollup, const eop_rows *rows);

/** Reads the rollups of an asset within [from, to], of the longest period that divides `every`,
 * which becomes rollup->period; without any it has no periods. reader: in the same transaction as
 * the samples read with it, because dropping moves them to the rollups in one transaction. */
edgeops_status eop_rollup_read(eop_rollup *rollup, edgeops_store *store, eop_telemetry *reader,
                               uint32_t asset, edgeops_duration every, int64_t from, int64_t to);

/** In the writer's transaction that drops the chunk: adds its rows to the rollups of its asset. An
 * unreadable chunk adds nothing. */
edgeops_status eop_rollup_chunk(edgeops_store *store, eop_telemetry *telemetry, uint32_t asset,
                                const eop_chunk_info *chunk, const edgeops_duration *periods,
                                size_t count, eop_buf *buf);

/** The same of rows; column k is channel k. */
edgeops_status eop_rollup_rows(eop_telemetry *telemetry, uint32_t asset, const eop_rows *rows,
                               const edgeops_duration *periods, size_t count, eop_buf *buf);

/** In a transaction of the writer: the rollups of a channel that gets another position become those
 * of that one, in place of what it has; those of the old one stay. with: false only removes.
 * E_LIMIT: it has some, and the new position can have none. */
edgeops_status eop_rollup_copy(eop_telemetry *telemetry, uint32_t asset, uint32_t from, uint32_t to,
                               bool with);
/** In a transaction of the writer: removes the rollups of a position. */
edgeops_status eop_rollup_forget(eop_telemetry *telemetry, uint32_t asset, uint32_t position);

#endif /* EOP_STORE_ROLLUP_H */
