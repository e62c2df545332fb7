/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a verify that checks blobs. */
#ifndef EOP_STORE_VERIFY_BLOB_H
#define EOP_STORE_VERIFY_BLOB_H

#include "store/verify.h"

/** Reads all files of blobs and compares them with their digests, then looks which rows refer to
 * those that are damaged or missing: one finding for each channel of an asset. No sweep may run
 * meanwhile. */
edgeops_status eop_verify_blobs(eop_verified *sum, edgeops_store *store,
                                const eop_verify_handler *handler);

#endif /* EOP_STORE_VERIFY_BLOB_H */
