/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a frozen dataset from the chunks of a store into a worker's memory. It runs on a thread of
 * its own and takes no lock; the store takes its own. */
#include "runtime/load.h"

#include "base/error.h"
#include "base/memory.h"

typedef struct source {
    edgeops_store *store;
    const char *name;
} source;

static edgeops_status fill(const edgeops_dataset_layout *layout, void *user_data) {
    const source *s = user_data;
    return edgeops_dataset_read_into(s->store, s->name, layout);
}

edgeops_status eop_load_dataset(eop_share *out, char **digest, const edgeops_manifest *manifest,
                                edgeops_store *store, const char *name) {
    source from = {store, name};
    edgeops_dataset *dataset = NULL;

    *digest = NULL;
    edgeops_status status = edgeops_dataset_head(&dataset, store, name);
    if (status == EDGEOPS_OK) {
        *digest = eop_strdup(dataset->digest);
        status = *digest != NULL ? eop_share_head(out, manifest, dataset, fill, &from)
                                 : eop_fail_nomem("runtime");
    }
    if (status == EDGEOPS_DONE) {
        edgeops_dataset_free(dataset);
        status = edgeops_dataset_read_unchecked(&dataset, store, name);
        if (status == EDGEOPS_OK) {
            status = eop_share_dataset(out, manifest, dataset);
        }
    }
    edgeops_dataset_free(dataset);
    return status;
}
