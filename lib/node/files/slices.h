/* SPDX-License-Identifier: Apache-2.0 */
/* An asset's rows in the order of time, in bounded memory, as they stood when it was opened; and
 * the labels that are in force over them. Any thread, one at a time. */
#ifndef EOP_NODE_FILES_SLICES_H
#define EOP_NODE_FILES_SLICES_H

#include "node/home/home.h"

/** The ordinal of the asset's last row now. E_NOTFOUND says where assets are listed. */
edgeops_status eop_asset_last(uint64_t *out, edgeops_store *store, const char *asset);

typedef struct eop_slices eop_slices;
/** channels: NULL for all; borrowed. E_NOTFOUND for an unknown asset. */
edgeops_status eop_slices_open(eop_slices **out, edgeops_store *store, const char *asset,
                               const char *const *channels, size_t channel_count,
                               edgeops_time start, edgeops_time end);
/** Only rows that had arrived up to this one. Before the first slice. */
void eop_slices_limit(eop_slices *slices, uint64_t max_ordinal);
/** Rows *first .. table->rows, at least one; borrowed until the next call. EDGEOPS_DONE at the
 * end. E_AGAIN: a channel has another type than in the slices before. */
edgeops_status eop_slices_next(eop_slices *slices, const edgeops_table **table, uint64_t *first);
void eop_slices_close(eop_slices *slices);

typedef struct eop_labels eop_labels;
edgeops_status eop_labels_open(eop_labels **out, edgeops_store *store, const char *asset);
/** Label that covers a time, NULL for none: the newest wins. Ask with rising times. */
const char *eop_labels_at(eop_labels *labels, edgeops_time time);
void eop_labels_close(eop_labels *labels);

#endif /* EOP_NODE_FILES_SLICES_H */
