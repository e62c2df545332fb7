/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset in memory that a worker shares. */
#ifndef EOP_RUNTIME_SHARE_H
#define EOP_RUNTIME_SHARE_H

#include "codec/json.h"
#include "edgeops/runtime.h"

/** A dataset as a worker maps it. */
typedef struct eop_share {
    int fd; /**< sealed memory file */
    void *memory;
    size_t size;
    eop_json *description; /**< columns, groups, labels; for the job */
} eop_share;
/** Puts a dataset into shared memory, with the windows cut by the manifest. On a grid the rows are
 * those of the grid. E_INVALID names an input that a part has not, or a dataset without a row;
 * E_LIMIT, E_NOMEM, E_IO. Any thread. */
edgeops_status eop_share_dataset(eop_share *out, const edgeops_manifest *manifest,
                                 const edgeops_dataset *dataset);
/** Fills the arrays with the dataset's rows: edgeops_dataset_read_into(). */
typedef edgeops_status (*eop_share_fill_fn)(const edgeops_dataset_layout *layout, void *user_data);
/** The same from a dataset without values, as edgeops_dataset_head() gives it: its rows go straight
 * into the shared memory. EDGEOPS_DONE: that cannot be with this dataset and manifest (a grid, a
 * split, inputs that are not float64); nothing was called. */
edgeops_status eop_share_head(eop_share *out, const edgeops_manifest *manifest,
                              const edgeops_dataset *head, eop_share_fill_fn fill_from,
                              void *user_data);
/** {.fd = -1} is an empty one. */
void eop_share_dispose(eop_share *share);

#endif /* EOP_RUNTIME_SHARE_H */
