/* SPDX-License-Identifier: Apache-2.0 */
/* Times that an asset's rows had so far, so that rows of one time count up wherever they stand in a
 * file. Eight bytes a row. */
#ifndef EOP_CODEC_TABLE_STAMPS_H
#define EOP_CODEC_TABLE_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

typedef struct eop_stamps_run {
    edgeops_time *times; /* ascending */
    size_t count;
    size_t capacity;
} eop_stamps_run;

/** {0} is an empty one. */
typedef struct eop_stamps {
    eop_stamps_run open; /**< rows since the last step back */
    eop_stamps_run *runs;
    size_t run_count;
    size_t run_capacity;
} eop_stamps;

/** Adds a time; *before: rows that had it before. False: no memory. */
bool eop_stamps_add(eop_stamps *seen, edgeops_time time, uint64_t *before);
void eop_stamps_dispose(eop_stamps *seen);

#endif /* EOP_CODEC_TABLE_STAMPS_H */
