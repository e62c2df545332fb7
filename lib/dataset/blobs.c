/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that the files of a dataset's blobs are there: a digest alone is no image. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "dataset/frozen.h"
#include "store/blob_file.h"

/* The last error is about one blob. */
static edgeops_status fail_blob(edgeops_status status, const eop_frozen *frozen, size_t asset,
                                size_t column, edgeops_time time) {
    char why[512];
    char when[40];
    if (status == EDGEOPS_E_NOMEM) {
        return status;
    }
    snprintf(why, sizeof why, "%s", edgeops_error_last()->message);
    eop_format_time(when, time);
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "dataset '%s': asset '%s', channel '%s' at %s: %s; or leave the sample or the "
                    "channel out",
                    frozen->name, frozen->assets[asset].name, frozen->channels[column].name, when,
                    why);
}

edgeops_status eop_frozen_check_blobs(edgeops_store *store, const eop_frozen *frozen, size_t asset,
                                      const eop_batch *batch, bool content) {
    for (size_t k = 0; k < batch->rows.vector_count; k++) {
        const eop_vector *vector = &batch->rows.vectors[k];
        for (size_t i = 0; vector->type == EDGEOPS_TYPE_BLOB && i < vector->filled; i++) {
            edgeops_blob blob;
            if (eop_vector_is_null(vector, i)) {
                continue;
            }
            memcpy(&blob, (const char *)vector->data + i * sizeof blob, sizeof blob);
            edgeops_status status = eop_blob_check(store, &blob, content);
            if (status != EDGEOPS_OK) {
                return fail_blob(status, frozen, asset, k, batch->rows.times[i]);
            }
        }
    }
    return EDGEOPS_OK;
}
