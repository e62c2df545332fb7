/* SPDX-License-Identifier: Apache-2.0 */
/* A list of names under a lock, with their number beside it: most nodes have none, and then a
 * sample costs one load. */
#include "node/home/derived.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct eop_derived {
    pthread_mutex_t lock;
    atomic_size_t count; /**< written under the lock */
    char **names;        /**< guarded by lock */
    size_t capacity;
};

eop_derived *eop_derived_new(void) {
    eop_derived *derived = eop_calloc(1, sizeof *derived);
    if (derived != NULL) {
        pthread_mutex_init(&derived->lock, NULL);
        atomic_init(&derived->count, 0);
    }
    return derived;
}

void eop_derived_free(eop_derived *derived) {
    if (derived != NULL) {
        for (size_t i = 0; i < atomic_load(&derived->count); i++) {
            eop_free(derived->names[i]);
        }
        eop_free(derived->names);
        pthread_mutex_destroy(&derived->lock);
        eop_free(derived);
    }
}

edgeops_status eop_derived_add(eop_derived *derived, const char *asset) {
    char *copy = eop_strdup(asset);
    pthread_mutex_lock(&derived->lock);
    size_t count = atomic_load(&derived->count);
    bool grown = copy != NULL &&
                 eop_grow(&derived->names, &derived->capacity, count + 1, sizeof *derived->names);
    if (grown) {
        derived->names[count] = copy;
        atomic_store(&derived->count, count + 1);
    }
    pthread_mutex_unlock(&derived->lock);
    if (!grown) {
        eop_free(copy);
        return eop_fail_nomem("node");
    }
    return EDGEOPS_OK;
}

/* Under the lock: its place, or the number of names. */
static size_t find(const eop_derived *derived, const char *asset) {
    size_t count = atomic_load(&derived->count);
    size_t at = 0;
    while (at < count && strcmp(derived->names[at], asset) != 0) {
        at++;
    }
    return at;
}

void eop_derived_remove(eop_derived *derived, const char *asset) {
    pthread_mutex_lock(&derived->lock);
    size_t count = atomic_load(&derived->count);
    size_t at = find(derived, asset);
    if (at < count) {
        eop_free(derived->names[at]);
        derived->names[at] = derived->names[count - 1];
        atomic_store(&derived->count, count - 1);
    }
    pthread_mutex_unlock(&derived->lock);
}

bool eop_derived_has(eop_derived *derived, const char *asset) {
    if (derived == NULL || atomic_load(&derived->count) == 0) {
        return false;
    }
    pthread_mutex_lock(&derived->lock);
    bool found = find(derived, asset) < atomic_load(&derived->count);
    pthread_mutex_unlock(&derived->lock);
    return found;
}

edgeops_status eop_derived_refuse(eop_derived *derived, const char *asset) {
    return !eop_derived_has(derived, asset)
               ? EDGEOPS_OK
               : eop_fail(
                     EDGEOPS_E_INVALID, "node",
                     "asset '%.200s' is joined of other assets, and nothing else writes to it: "
                     "'asset show' names its inputs; take another name",
                     asset);
}
