/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups: what is left of samples that retention drops. For each period that had samples, and each
 * numeric channel, the least and the greatest value, the sum and the count of those that are
 * neither null nor NaN. Periods begin at multiples of their length since the epoch.
 *
 * They are chunks of an asset of their own, EOP_ROLLUP_ID or above, that no catalog knows: the row
 * of a period has its beginning as time and, for the channel at position p, min, max and sum
 * (float64) and count (int64) in the columns 4 p to 4 p + 3. A period whose samples went with
 * several chunks has as many rows. So only the first 256 channels of an asset have rollups. */
#ifndef EOP_STORE_ROLLUP_H
#define EOP_STORE_ROLLUP_H

#include "store/telemetry.h"

#define EOP_ROLLUP_CHANNELS (EOP_CHANNELS_MAX / 4)

typedef struct eop_rollup_cell {
    double min;
    double max;
    double sum;
    uint64_t count;
} eop_rollup_cell;

/** Periods in ascending order, with a cell for each channel. {.period, .channels} is an empty one.
 */
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
/** Adds the values of rows [from, to); channel k is column k of the rows, as far as there is one.
 */
edgeops_status eop_rollup_add(eop_rollup *rollup, const eop_rows *rows, size_t from, size_t to);
/** The other way: the rows of such an asset. */
edgeops_status eop_rollup_merge(eop_rollup *rollup, const eop_rows *rows);

/** Reads what is left of an asset's dropped samples, in the longest periods kept that divide
 * `every`, as far as they lie in [from, to]: rollup->period is theirs. Without any it has no
 * periods. reader: in a transaction, that of the samples which are read beside them: what is dropped
 * goes from the samples to the rollups in one. */
edgeops_status eop_rollup_read(eop_rollup *rollup, edgeops_store *store, eop_telemetry *reader,
                               uint32_t asset, edgeops_duration every, int64_t from, int64_t to);

/** In the writer's transaction that drops the chunk: adds its rows to the rollups of its asset. A
 * chunk that cannot be read adds nothing. */
edgeops_status eop_rollup_chunk(edgeops_store *store, eop_telemetry *telemetry, uint32_t asset,
                                const eop_chunk_info *chunk, const edgeops_duration *periods,
                                size_t count, eop_buf *buf);

#endif /* EOP_STORE_ROLLUP_H */
