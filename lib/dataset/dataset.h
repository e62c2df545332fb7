/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets as the operations of a node show them, and the check that each is still what was frozen.
 * edgeops/dataset.h is the interface for hosts. All calls: any thread. */
#ifndef EOP_DATASET_DATASET_H
#define EOP_DATASET_DATASET_H

#include <stdbool.h>

#include "catalog/catalog.h"
#include "catalog/record.h"
#include "edgeops/dataset.h"
#include "store/verify.h"

/** JSON object: name, digest, created, assets [{name, rows, max_ordinal}], channels [{name, type,
 * unit}], start, end (null when open), labelled_only, rows, labels {name: rows}; definition of one
 * that is more than rows of a range (spec.h), profile (profile.h). */
edgeops_status eop_dataset_describe(char **json, edgeops_store *store, const char *name);
typedef enum eop_verify_depth {
    EOP_VERIFY_VALUES,  /**< the digest, which has the digests of blobs */
    EOP_VERIFY_FILES,   /**< and that the files of blobs are there */
    EOP_VERIFY_CONTENT, /**< and what is in them */
} eop_verify_depth;
/** edgeops_dataset_verify() that can be canceled: E_CANCELED. canceled: called now and then. */
edgeops_status eop_dataset_verify(edgeops_store *store, const char *name, eop_verify_depth depth,
                                  bool (*canceled)(void *user_data), void *user_data);
/** Walks the datasets by name; without profiles. */
edgeops_status eop_dataset_list(edgeops_store *store, eop_record_fn fn, void *user_data);
/** For eop_verify_handler.above: verifies each dataset. */
edgeops_status eop_datasets_check(eop_verified *sum, edgeops_store *store,
                                  const eop_verify_handler *handler);

#endif /* EOP_DATASET_DATASET_H */
