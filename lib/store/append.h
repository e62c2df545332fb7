/* SPDX-License-Identifier: Apache-2.0 */
/* Appending: what samples and whole tables have in common. `scratch` and all else here is under
 * `lock`. */
#ifndef EOP_STORE_APPEND_H
#define EOP_STORE_APPEND_H

#include "column/rows.h"
#include "store/memtable.h"

typedef struct eop_append_scratch eop_append_scratch;

/** Puts the rows of one append into the memtable and its frame; under `lock`, with the room that
 * was asked for. What it put is taken back when it fails. */
typedef edgeops_status (*eop_append_fn)(edgeops_store *store, void *input);
/** One append, all or nothing: rows by fn, names to the catalog, the frame to the journal, then the
 * watchers. bound: bytes of payload at most. options: complete, see eop_append_take(). */
edgeops_status eop_append_run(edgeops_append_result *result, edgeops_store *store, size_t bound,
                              eop_append_fn fn, void *input, const edgeops_append_options *options);
/** Takes the caller's options, with the defaults filled in, and looks at its result. */
edgeops_status eop_append_take(edgeops_append_options *out, const edgeops_append_options *options,
                               const edgeops_append_result *result);
/** For eop_append_fn: one row. index: of the sample in its append. */
edgeops_status eop_append_sample(edgeops_store *store, const edgeops_sample *sample, size_t index);
/** For eop_append_fn: rows, ascending strictly by (time, seq), whose vectors are the columns of the
 * table; blocks: the same as eop_table_frame_put() made them. DONE: they do not follow the newest
 * row of the asset or have other types, take them one by one. give: see eop_memtable_push_rows().
 */
edgeops_status eop_append_rows(edgeops_store *store, const edgeops_table *table, eop_rows *rows,
                               eop_buf *blocks, bool give);
edgeops_status eop_check_text(const char *asset, const char *channel, const edgeops_value *value);
edgeops_status eop_append_scratch_new(eop_append_scratch **out);
void eop_append_scratch_free(eop_append_scratch *scratch);
edgeops_status eop_check_asset_name(const char *name);
edgeops_status eop_check_channel_name(const char *asset, const char *name);
/** Under `lock`: an asset in the memtable that is not in the catalog yet. */
edgeops_status eop_store_make_asset(eop_series **out, edgeops_store *store, const char *name);

#endif /* EOP_STORE_APPEND_H */
