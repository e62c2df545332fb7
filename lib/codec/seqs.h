/* SPDX-License-Identifier: Apache-2.0 */
/* The one rule of sequence numbers where rows come without one, in a file of any format and among
 * the elements of a message. Of an asset's rows of one time the first has 0. One that has a value
 * of a channel which the row of the newest number has already is a row of its own, with the next
 * number; else it is a part of that row and has its number. Nulls count for nothing.
 *
 * What is remembered of a time: its newest number and the set of its channels, in runs of ascending
 * times, about 8 bytes a time, wherever in the file it comes again. Not locked. */
#ifndef EOP_CODEC_SEQS_H
#define EOP_CODEC_SEQS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "codec/report.h"
#include "edgeops/types.h"

/** Times, ascending and each once, with what is known of each. */
typedef struct eop_seqs_run {
    edgeops_time *times;
    uint32_t *sets;   /**< numbers of sets; NULL: all have `set` */
    int64_t *numbers; /**< NULL: all are 0 */
    uint32_t set;
    size_t count;
    size_t capacity;
    size_t hint; /**< what comes again mostly comes in order: the element behind the last found */
} eop_seqs_run;

/** The times of one asset; {0} is an empty one. */
typedef struct eop_seqs_times {
    char *name;  /**< of eop_seqs_asset() */
    int64_t key; /**< likewise */
    uint64_t rows;
    edgeops_time latest;
    eop_seqs_run open; /**< since the last step back */
    eop_seqs_run *runs;
    size_t run_count;
    size_t run_capacity;
    /* the last row: what most rows are like, and all that is left when the times are forgotten */
    edgeops_time time;
    int64_t number;
    uint32_t set;   /**< of what is known of its time */
    uint32_t given; /**< of itself: ids[given_at .. given_at + given_count) */
    size_t given_at;
    size_t given_count;
    size_t room; /**< rows that may follow it in one step: later ones with its channels */
    /* the last two sets that were put together */
    uint32_t joined[2];
    uint32_t both;
    bool repeats;
} eop_seqs_times;

/** Of a file or a message; {0} is an empty one. */
typedef struct eop_seqs {
    size_t limit;  /**< bytes of times that are remembered; 0: 256 MiB */
    uint64_t next; /**< rows that got a number above 0 */
    uint64_t parts;
    size_t bytes; /**< of all times */
    bool forgotten;
    /* sets of channels: number i + base + 1 is ids[ends[i - 1] .. ends[i]) */
    uint32_t *ids;
    size_t id_count;
    size_t id_capacity;
    size_t *ends;
    size_t set_count;
    size_t set_capacity;
    uint32_t base; /**< sets before these are forgotten */
    eop_map by_ids;
    uint32_t *scratch;
    size_t scratch_capacity;
    /* assets by name */
    eop_seqs_times *assets;
    size_t asset_count;
    size_t asset_capacity;
    eop_map by_name;
} eop_seqs;

typedef enum eop_seqs_outcome {
    EOP_SEQS_OK,
    EOP_SEQS_NO_MEMORY,
    EOP_SEQS_FORGOTTEN, /**< the time may have come before all that is remembered */
    EOP_SEQS_NONE_LEFT  /**< no number is left for the row */
} eop_seqs_outcome;

/** The number of a row. ids: one for each channel of which it has a value, each once.
 *
 *  @param number  out, unless numbered: then it is the row's own, of which those that have none
 *                 take notice */
eop_seqs_outcome eop_seqs_take(eop_seqs *seqs, eop_seqs_times *of, edgeops_time time,
                               const uint32_t *ids, size_t n, bool numbered, int64_t *number);
/** Whether a row would repeat a channel of the last row that was taken. False in *good: no memory. */
bool eop_seqs_repeats(eop_seqs *seqs, eop_seqs_times *of, const uint32_t *ids, size_t n,
                      bool *good);
/** The times of an asset by its name, until the next call; key: tells apart several that one asset
 * has. NULL: no memory. */
eop_seqs_times *eop_seqs_asset(eop_seqs *seqs, const char *name, size_t size, int64_t key);
/** Says how many rows got a number, and how many are parts. */
void eop_seqs_note(const eop_seqs *seqs, eop_report *report);
void eop_seqs_times_dispose(eop_seqs_times *times);
/** Frees what eop_seqs_asset() gave, too. */
void eop_seqs_dispose(eop_seqs *seqs);

#endif /* EOP_CODEC_SEQS_H */
