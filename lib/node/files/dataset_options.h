/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of dataset.create. */
#ifndef EOP_NODE_FILES_DATASET_OPTIONS_H
#define EOP_NODE_FILES_DATASET_OPTIONS_H

#include "node/home/home.h"

/** What `dataset.create` is given, as the store takes it. */
typedef struct eop_dataset_args {
    edgeops_dataset_options options;
    const char **assets;
    const char **channels;
    char **tests; /**< NULL at the end */
    char **validations;
} eop_dataset_args;

/** Texts stay borrowed from args. E_INVALID names the argument. Dispose also after a failure. */
edgeops_status eop_dataset_args_read(eop_dataset_args *out, const eop_json *args);
void eop_dataset_args_dispose(eop_dataset_args *args);

#endif /* EOP_NODE_FILES_DATASET_OPTIONS_H */
