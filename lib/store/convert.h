/* SPDX-License-Identifier: Apache-2.0 */
/* Incoming values: checks that they are what they claim, and converts them to the types of their
 * channels. */
#ifndef EOP_STORE_CONVERT_H
#define EOP_STORE_CONVERT_H

#include "base/str.h"
#include "store/memtable.h"

/** Checks what needs no lock: types, sizes, texts. *bound grows by the most bytes that the sample
 * takes in a frame; *has_blobs becomes true when it has a BLOB. E_INVALID; E_LIMIT. */
edgeops_status eop_sample_check(size_t *bound, bool *has_blobs, const edgeops_sample *sample);

typedef struct eop_converter {
    eop_buf arrays;            /**< converted arrays of the current sample */
    const edgeops_blob *blobs; /**< one for each BLOB value, in order */
} eop_converter;
/** Converts a value to its channel's type. A converted array has no address before
 * eop_convert_place(). */
edgeops_status eop_convert(edgeops_value *out, eop_converter *converter, const edgeops_value *value,
                           const eop_asset *asset, const eop_channel *channel);
/** Sets the addresses of the converted arrays of the cells. */
void eop_convert_place(eop_converter *converter, eop_cell *cells, size_t n);

#endif /* EOP_STORE_CONVERT_H */
