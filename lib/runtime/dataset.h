/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataset's definition means for the windows of a workflow. */
#ifndef EOP_RUNTIME_DATASET_H
#define EOP_RUNTIME_DATASET_H

#include <stdbool.h>

#include "edgeops/dataset.h"
#include "edgeops/store.h"
#include "edgeops/workflow.h"

/** How this dataset's rows are cut for this workflow: as the manifest says; where the dataset is on
 * a common rate, its points are the rows and no window spans a gap between them. E_INVALID when the
 * dataset's rate or windows are not those of the manifest. */
edgeops_status eop_dataset_window(edgeops_window_spec *out, const edgeops_manifest *manifest,
                                  const edgeops_dataset *dataset);

/** Rows that stand side by side in one subset: no window goes beyond them. */
typedef struct eop_dataset_run {
    size_t part;
    uint64_t first;
    uint64_t rows;
} eop_dataset_run;
/** Rows of a subset; all rows where there is no split or subset is EOP_SUBSET_ALL. *run: {0} for
 * the first call. False: there are no more. */
#define EOP_SUBSET_ALL UINT32_MAX
bool eop_dataset_next(eop_dataset_run *run, const edgeops_dataset *dataset, uint32_t subset);

#endif /* EOP_RUNTIME_DATASET_H */
