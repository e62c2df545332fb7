/* SPDX-License-Identifier: Apache-2.0 */
/* What appends of samples and of whole tables have in common. `scratch` and everything else here is
 * under `lock`. */
#ifndef EOP_STORE_APPEND_H
#define EOP_STORE_APPEND_H

#include "column/rows.h"
#include "store/memtable.h"

typedef struct eop_append_scratch eop_append_scratch;

/** Puts the rows of one append into the memtable and the frame; called under `lock`, with room
 * made. After a failure the caller rolls its rows back. */
typedef edgeops_status (*eop_append_fn)(edgeops_store *store, void *input);
/** Runs one append, all or nothing: fn puts the rows, then come names to the catalog, the frame to
 * the journal, and the watchers. bound: most bytes of payload. options: from eop_append_take(). */
edgeops_status eop_append_run(edgeops_append_result *result, edgeops_store *store, size_t bound,
                              eop_append_fn fn, void *input, const edgeops_append_options *options);
/** Copies the caller's options with defaults filled in, and checks its result struct. */
edgeops_status eop_append_take(edgeops_append_options *out, const edgeops_append_options *options,
                               const edgeops_append_result *result);
/** For eop_append_fn: appends one row. index: of the sample in its append. */
edgeops_status eop_append_sample(edgeops_store *store, const edgeops_sample *sample, size_t index);
/** For eop_append_fn: appends rows that ascend strictly by (time, seq) and whose vectors are the
 * columns of the table. blocks: the same rows, made by eop_table_frame_put(). DONE: they are not
 * newer than all rows of the asset, or types differ; append them one by one. give: see
 * eop_memtable_push_rows(). */
edgeops_status eop_append_rows(edgeops_store *store, const edgeops_table *table, eop_rows *rows,
                               eop_buf *blocks, bool give);
edgeops_status eop_check_text(const char *asset, const char *channel, const edgeops_value *value);
edgeops_status eop_append_scratch_new(eop_append_scratch **out);
void eop_append_scratch_free(eop_append_scratch *scratch);
edgeops_status eop_check_asset_name(const char *name);
edgeops_status eop_check_channel_name(const char *asset, const char *name);
/** Under `lock`: makes an asset that is not in the catalog yet. */
edgeops_status eop_store_make_asset(eop_series **out, edgeops_store *store, const char *name);

#endif /* EOP_STORE_APPEND_H */
