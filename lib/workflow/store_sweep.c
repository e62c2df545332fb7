/* SPDX-License-Identifier: Apache-2.0 */
/* Removes what a crash left in the content store. The caller holds the store's lock, so nobody
 * works on it. While an index entry is damaged, nobody knows which objects are referenced, and they
 * stay. */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/store.h"

enum { SEEN_MAX = 4096 };

typedef struct sweep {
    const char *store;
    const char *folder;
    const eop_installed *items;
    size_t count;
    size_t seen;
} sweep;

static bool is_referenced(const sweep *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strncmp(s->items[i].digest, name, 64) == 0) {
            return true;
        }
    }
    return false;
}

static edgeops_status drop(const sweep *s, const char *name) {
    char *path = eop_store_path(s->store, s->folder, name);
    edgeops_status status = path != NULL ? eop_remove_tree(path) : eop_fail_nomem("workflow");
    eop_free(path);
    return status;
}

static edgeops_status sweep_object(const char *name, void *user_data) {
    const sweep *s = user_data;
    return is_referenced(s, name) ? EDGEOPS_OK : drop(s, name);
}

static edgeops_status sweep_index(const char *name, void *user_data) {
    eop_installed item;
    return eop_installed_parse_name(&item, name) ? EDGEOPS_OK : drop(user_data, name);
}

static edgeops_status count_seen(const char *name, void *user_data) {
    (void)name;
    ((sweep *)user_data)->seen++;
    return EDGEOPS_OK;
}

static edgeops_status sweep_seen(const char *name, void *user_data) {
    return drop(user_data, name);
}

static edgeops_status sweep_folder(sweep *s, const char *folder, eop_dir_fn fn) {
    char *path = eop_store_path(s->store, folder, NULL);
    s->folder = folder;
    edgeops_status status = path != NULL ? eop_dir_walk(path, fn, s) : eop_fail_nomem("workflow");
    eop_free(path);
    return status;
}

edgeops_status eop_store_sweep(const char *store) {
    eop_installed *items = NULL;
    size_t damaged = 0;
    sweep s = {.store = store};
    edgeops_status status = eop_installed_load(&items, &s.count, &damaged, store);
    s.items = items;
    if (status == EDGEOPS_OK && damaged == 0) {
        status = sweep_folder(&s, "objects", sweep_object);
    }
    if (status == EDGEOPS_OK) {
        status = sweep_folder(&s, "index", sweep_index);
    }
    if (status == EDGEOPS_OK) {
        status = sweep_folder(&s, "seen", count_seen);
    }
    /* It is a cache: emptying it is cheaper than keeping an order of age. */
    if (status == EDGEOPS_OK && s.seen > SEEN_MAX) {
        status = sweep_folder(&s, "seen", sweep_seen);
    }
    eop_free(items);
    return status;
}
