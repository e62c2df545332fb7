/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two datasets. */
#ifndef EOP_NODE_FILES_DATASET_DIFF_H
#define EOP_NODE_FILES_DATASET_DIFF_H

#include "node/home/home.h"

/** Of two descriptions as eop_dataset_describe() gives them: {same: the digests are equal,
 * digest_a, digest_b, differences: number, items: [{what, a, b}]}, the first 500; null for what one
 * has
 * not. */
edgeops_status eop_dataset_diff(eop_json **out, const eop_json *a, const eop_json *b);

#endif /* EOP_NODE_FILES_DATASET_DIFF_H */
