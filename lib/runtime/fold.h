/* SPDX-License-Identifier: Apache-2.0 */
/* Puts live rows together whose values come in parts: takes an asset's arrivals in their order and
 * gives whole rows, each once, in the order of their first parts, so that a row that lacks an input
 * holds those behind it. A row is given when it has every input, when its wait is over, or, the
 * oldest one, when more are held than EOP_FOLD_ROWS or EOP_FOLD_BYTES. */
#ifndef EOP_RUNTIME_FOLD_H
#define EOP_RUNTIME_FOLD_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "edgeops/workflow.h"

#define EOP_FOLD_ROWS  4096u
#define EOP_FOLD_BYTES ((size_t)16 << 20)
/** Nobody waits for anything yet, or any more. */
#define EOP_FOLD_NEVER INT64_MAX

typedef struct eop_fold eop_fold;

typedef struct eop_fold_options {
    const edgeops_port *inputs; /**< copied */
    size_t input_count;
    edgeops_duration wait; /**< from the arrival of a row's first part */
    uint64_t given;   /**< rows up to this ordinal were given before a restart: they do not wait */
    uint64_t counted; /**< late parts up to this ordinal were counted then */
    uint64_t there;   /**< arrivals up to this one came before anybody looked */
} eop_fold_options;

typedef struct eop_fold_stats {
    uint64_t late_parts; /**< came after their rows were given */
    uint64_t early;      /**< rows that were given before their time since too many were held */
} eop_fold_stats;

/** A row as it was given. */
typedef struct eop_fold_row {
    edgeops_duration durable; /**< monotonic, when its newest part was durable; 0: not known */
    bool incomplete;          /**< it lacked an input */
} eop_fold_row;

edgeops_status eop_fold_new(eop_fold **out, const eop_fold_options *options);
/** NULL is allowed. */
void eop_fold_free(eop_fold *fold);

/** The next arrivals, borrowed until all are taken: a block of a cursor over the inputs, with its
 * `parts`. E_INVALID for an input of another type. */
edgeops_status eop_fold_feed(eop_fold *fold, const edgeops_table *block);
/** The ordinal of the next arrival of the block, 0 when all are taken. */
uint64_t eop_fold_next(const eop_fold *fold);
/** Takes it. Not while eop_fold_full().
 *
 *  @param durable  monotonic time when it was durable; 0: not known, then now counts
 *  @return EDGEOPS_OK; EDGEOPS_DONE for a part of a row that was given, see eop_fold_late();
 *          E_NOMEM */
edgeops_status eop_fold_take(eop_fold *fold, edgeops_duration durable, edgeops_duration now);
/** After EDGEOPS_DONE: the values that came late, one for each input, borrowed until the next
 * call. */
const edgeops_value *eop_fold_late(const eop_fold *fold, edgeops_time *time, int64_t *seq);
/** Too much is held to take the next arrival: eop_fold_give() gives at least the oldest row. */
bool eop_fold_full(const eop_fold *fold);

/** The rows that can be given now, with the inputs as columns and the ordinals of their first
 * parts; borrowed until the next call of this function.
 *
 *  @param now  monotonic; 0: rows wait on, since what they lack may be there already
 *  @return EDGEOPS_OK; EDGEOPS_DONE: none; E_NOMEM */
edgeops_status eop_fold_give(const edgeops_table **rows, eop_fold *fold, edgeops_duration now);
/** What is known of a row that was given by the last eop_fold_give(). Ask with rising ordinals. */
eop_fold_row eop_fold_given(eop_fold *fold, uint64_t ordinal);

/** When the oldest row is to be given, EOP_FOLD_NEVER when none is held. */
edgeops_duration eop_fold_due(const eop_fold *fold);
size_t eop_fold_held(const eop_fold *fold);
/** The ordinal of the oldest row that is held, 0: none is. */
uint64_t eop_fold_oldest(const eop_fold *fold);
void eop_fold_get_stats(const eop_fold *fold, eop_fold_stats *stats);

#endif /* EOP_RUNTIME_FOLD_H */
