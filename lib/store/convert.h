/* SPDX-License-Identifier: Apache-2.0 */
/* Values on their way in: whether they are what they say, and as their channels hold them. */
#ifndef EOP_STORE_CONVERT_H
#define EOP_STORE_CONVERT_H

#include "base/str.h"
#include "store/memtable.h"

/** What needs no lock: types, sizes, texts. *bound grows by the bytes that the sample takes in a
 * frame at most; *has_blobs becomes true where it has a BLOB. E_INVALID; E_LIMIT. */
edgeops_status eop_sample_check(size_t *bound, bool *has_blobs, const edgeops_sample *sample);

typedef struct eop_converter {
    eop_buf arrays;            /**< converted, of the sample that is taken */
    const edgeops_blob *blobs; /**< of the BLOB values that come, in their order */
} eop_converter;
/** A value as its channel holds it. A converted array has no place before eop_convert_place(). */
edgeops_status eop_convert(edgeops_value *out, eop_converter *converter, const edgeops_value *value,
                           const eop_asset *asset, const eop_channel *channel);
/** Points the converted arrays of the cells to where the buffer is now. */
void eop_convert_place(eop_converter *converter, eop_cell *cells, size_t n);

#endif /* EOP_STORE_CONVERT_H */
