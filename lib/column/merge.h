/* SPDX-License-Identifier: Apache-2.0 */
/* Merges sorted rows of several sources: first by their keys alone, which gives each row its place,
 * then block by block with their columns, so that no more than a block is in memory, and a source
 * only while it is put. Sources whose keys are those of another one, as of files that each bring
 * other channels of the same times, cost no work a row. Owns its keys; not locked. */
#ifndef EOP_COLUMN_MERGE_H
#define EOP_COLUMN_MERGE_H

#include "column/rows.h"

/** Rows of a source: rows [at, at + count) of a lead. */
typedef struct eop_merge_run {
    uint32_t lead;
    size_t at;
    size_t count;
} eop_merge_run;

typedef struct eop_merge {
    bool fold;
    eop_rows *leads; /**< keys, each strictly ascending; no two have all keys in common */
    size_t lead_count;
    size_t lead_made; /**< leads that have memory */
    size_t lead_capacity;
    eop_merge_run *runs;
    size_t run_count;
    size_t run_capacity;
    eop_rows merged;  /**< the keys; with one lead they are its own */
    uint32_t *places; /**< for each row of each lead: its row in `merged`; with one lead none */
    size_t place_capacity;
    size_t *starts; /**< where the places of a lead begin */
    size_t start_capacity;
    uint32_t *heap; /**< leads, the one with the least next key first */
    size_t heap_capacity;
    size_t *next; /**< the next row of each lead */
    size_t next_capacity;
    size_t from; /**< the block: merged rows [from, to) */
    size_t to;
    uint32_t **index; /**< for each column NULL, or for each row of the block its row in it */
    size_t index_count;
    size_t index_capacity;
    eop_vector *views; /**< for each column that is wholly in one run: its rows there */
    size_t view_capacity;
} eop_merge;

void eop_merge_dispose(eop_merge *merge);
/** Begins anew. fold: rows of one (time, seq) become one: each of its cells is from the run that
 * was put first, its ordinal the least. */
void eop_merge_begin(eop_merge *merge, bool fold);
/** Adds the keys of rows [from, to), at least one, strictly ascending, as the next run. Runs come
 * best in order of arrival. */
edgeops_status eop_merge_add(eop_merge *merge, const eop_rows *rows, size_t from, size_t to);
/** All are added: finds the places. */
edgeops_status eop_merge_finish(eop_merge *merge);
/** The merged keys. */
const eop_rows *eop_merge_keys(const eop_merge *merge);

/** Begins a block: out, which has its columns, gets the keys of merged rows [from, to), and no
 * cells. */
edgeops_status eop_merge_block(eop_merge *merge, eop_rows *out, size_t from, size_t to);
/** Which rows of a run are in the block, counted from its first: none when *from == *to. */
void eop_merge_part(size_t *from, size_t *to, const eop_merge *merge, size_t run);
/** Puts the cells of a run's rows in the block. rows: has the columns of `out`; the run's first row
 * is row `first`. stays: until the next block `rows` stay as they are, and may be borrowed. */
edgeops_status eop_merge_put(eop_merge *merge, eop_rows *out, size_t run, const eop_rows *rows,
                             size_t first, bool stays);
/** All runs are put. *shown: the block, complete; borrows from `out` and what stays, and has its
 * list of vectors until the next block. */
edgeops_status eop_merge_end(eop_rows *shown, eop_merge *merge, eop_rows *out);

#endif /* EOP_COLUMN_MERGE_H */
