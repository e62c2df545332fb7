/* SPDX-License-Identifier: Apache-2.0 */
#include "store/label.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "store/internal.h"

/* -- adding and taking back -- */

static edgeops_status check_label(const edgeops_label *label) {
    if (label->asset == NULL || label->label == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a label has no asset or no text");
    }
    size_t size = strlen(label->label);
    size_t author = label->author != NULL ? strlen(label->author) : 0;
    if (size < 1 || size > EOP_LABEL_MAX || eop_utf8_valid(label->label, size) != size) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': a label has 1 to %u bytes of UTF-8", label->asset,
                        EOP_LABEL_MAX);
    }
    if (author > EOP_AUTHOR_MAX ||
        (author > 0 && eop_utf8_valid(label->author, author) != author)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': an author has at most %u bytes of UTF-8", label->asset,
                        EOP_AUTHOR_MAX);
    }
    if (label->end < label->start) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s': label '%s' ends before it starts",
                        label->asset, label->label);
    }
    return EDGEOPS_OK;
}

static edgeops_status bump_version(eop_catalog *catalog) {
    sqlite3_stmt *update = NULL;
    edgeops_status status = eop_catalog_get(&update, catalog, EOP_LABEL_BUMP);
    return status == EDGEOPS_OK ? eop_sql_run(&catalog->sql, update) : status;
}

static edgeops_status find_asset(int64_t *id, eop_catalog *catalog, const char *name) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_ASSET_FIND);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(select, 1, name);
    status = eop_sql_next(&catalog->sql, select);
    if (status == EDGEOPS_OK) {
        *id = sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    }
    return status == EDGEOPS_DONE ? eop_fail_no_asset(name) : status;
}

static edgeops_status add_label(int64_t *id, eop_catalog *catalog, const edgeops_label *label,
                                int64_t asset, edgeops_time now) {
    sqlite3_stmt *insert = NULL;
    edgeops_status status = eop_catalog_get(&insert, catalog, EOP_LABEL_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(insert, 1, asset);
    eop_sql_bind_int(insert, 2, label->start);
    eop_sql_bind_int(insert, 3, label->end);
    eop_sql_bind_text(insert, 4, label->label);
    eop_sql_bind_text(insert, 5, label->author != NULL ? label->author : "");
    eop_sql_bind_int(insert, 6, now);
    status = eop_sql_run(&catalog->sql, insert);
    *id = sqlite3_last_insert_rowid(catalog->sql.db);
    return status;
}

edgeops_status edgeops_store_label(edgeops_store *store, const edgeops_label *labels, size_t n,
                                   int64_t *first_id) {
    EOP_REQUIRE(store != NULL && (labels != NULL || n == 0), "store");
    eop_catalog *catalog = &store->catalog;
    int64_t first = 0;
    int64_t asset = 0;
    edgeops_time now = eop_now();
    for (size_t i = 0; i < n; i++) {
        edgeops_status status = check_label(&labels[i]);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = bump_version(catalog);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        int64_t id = 0;
        if (i == 0 || strcmp(labels[i].asset, labels[i - 1].asset) != 0) {
            status = find_asset(&asset, catalog, labels[i].asset);
        }
        if (status == EDGEOPS_OK) {
            status = add_label(&id, catalog, &labels[i], asset, now);
        }
        first = i == 0 ? id : first;
    }
    status = eop_catalog_end(catalog, status);
    if (status == EDGEOPS_OK && first_id != NULL) {
        *first_id = first;
    }
    return status;
}

edgeops_status edgeops_store_unlabel(edgeops_store *store, int64_t id) {
    EOP_REQUIRE(store != NULL, "store");
    eop_catalog *catalog = &store->catalog;
    sqlite3_stmt *update = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = bump_version(catalog);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&update, catalog, EOP_LABEL_WITHDRAW);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(update, 1, id);
        status = eop_sql_run(&catalog->sql, update);
    }
    if (status == EDGEOPS_OK && sqlite3_changes(catalog->sql.db) == 0) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "store", "label %lld does not exist", (long long)id);
    }
    return eop_catalog_end(catalog, status);
}

/* -- walking -- */

typedef struct label_list {
    edgeops_label *items;
    size_t count;
    size_t capacity;
} label_list;

static void free_labels(label_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        /* asset owns the other texts, too */
        eop_free((void *)(uintptr_t)list->items[i].asset);
    }
    eop_free(list->items);
}

static edgeops_status copy_label(label_list *list, sqlite3_stmt *select) {
    const char *texts[3] = {eop_sql_text(select, 1), eop_sql_text(select, 4),
                            eop_sql_text(select, 5)};
    size_t sizes[3] = {strlen(texts[0]) + 1, strlen(texts[1]) + 1, strlen(texts[2]) + 1};
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        return eop_fail_nomem("store");
    }
    char *copy = eop_alloc(sizes[0] + sizes[1] + sizes[2]);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    memcpy(copy, texts[0], sizes[0]);
    memcpy(copy + sizes[0], texts[1], sizes[1]);
    memcpy(copy + sizes[0] + sizes[1], texts[2], sizes[2]);
    list->items[list->count++] = (edgeops_label){.id = sqlite3_column_int64(select, 0),
                                                 .asset = copy,
                                                 .start = sqlite3_column_int64(select, 2),
                                                 .end = sqlite3_column_int64(select, 3),
                                                 .label = copy + sizes[0],
                                                 .author = copy + sizes[0] + sizes[1],
                                                 .created = sqlite3_column_int64(select, 6)};
    return EDGEOPS_OK;
}

static edgeops_status collect_labels(label_list *list, eop_catalog *catalog, const char *asset) {
    sqlite3_stmt *select = NULL;
    int64_t id = 0;
    edgeops_status status = asset != NULL ? find_asset(&id, catalog, asset) : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&select, catalog,
                                 asset != NULL ? EOP_LABEL_LIST_ASSET : EOP_LABEL_LIST);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (asset != NULL) {
        eop_sql_bind_text(select, 1, asset);
    }
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        status = copy_label(list, select);
    }
    sqlite3_reset(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status edgeops_store_labels(edgeops_store *store, const char *asset, edgeops_label_fn fn,
                                    void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "store");
    label_list list = {0};
    eop_catalog_lock(&store->catalog);
    edgeops_status status = collect_labels(&list, &store->catalog, asset);
    eop_catalog_unlock(&store->catalog);
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = fn(&list.items[i], user_data);
    }
    free_labels(&list);
    return status;
}

/* -- rows and labels -- */

void eop_label_names_dispose(eop_label_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        eop_free(names->items[i]->name);
        eop_free(names->items[i]);
    }
    eop_free(names->items);
    eop_names_dispose(&names->by_name);
    *names = (eop_label_names){0};
}

static int by_text(const void *a, const void *b) {
    const eop_label_name *x = *(eop_label_name *const *)a;
    const eop_label_name *y = *(eop_label_name *const *)b;
    if ((x->rows == 0) != (y->rows == 0)) {
        return x->rows == 0 ? 1 : -1;
    }
    return strcmp(x->name, y->name);
}

void eop_label_names_sort(eop_label_names *names, int32_t *map) {
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof *names->items, by_text);
    }
    size_t used = 0;
    for (size_t i = 0; i < names->count; i++) {
        eop_label_name *item = names->items[i];
        map[item->index] = item->rows > 0 ? (int32_t)i : -1;
        used += item->rows > 0;
        item->index = (int32_t)i;
    }
    for (size_t i = used; i < names->count; i++) {
        eop_label_name *item = names->items[i];
        eop_names_remove(&names->by_name, item, eop_names_hash(item->name));
        eop_free(item->name);
        eop_free(item);
    }
    names->count = used;
}

edgeops_status eop_label_version(uint64_t *out, eop_catalog *catalog) {
    sqlite3_stmt *select = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_VERSION);
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&catalog->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = (uint64_t)sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    } else if (status == EDGEOPS_DONE) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' has lost its label version",
                          catalog->sql.path);
    }
    eop_catalog_unlock(catalog);
    return status;
}

static edgeops_status intern(int32_t *index, eop_label_names *names, const char *text) {
    uint64_t hash = eop_names_hash(text);
    eop_label_name *item = eop_names_find(&names->by_name, text, hash);
    if (item == NULL) {
        item = eop_calloc(1, sizeof *item);
        char *copy = eop_strdup(text);
        if (item == NULL || copy == NULL || !eop_names_reserve(&names->by_name) ||
            !eop_grow(&names->items, &names->capacity, names->count + 1, sizeof *names->items)) {
            eop_free(item);
            eop_free(copy);
            return eop_fail_nomem("store");
        }
        item->name = copy;
        item->index = (int32_t)names->count;
        names->items[names->count++] = item;
        eop_names_add(&names->by_name, item, hash);
    }
    *index = item->index;
    return EDGEOPS_OK;
}

/* First row from i on that has no label yet: skip[i] leads towards it. */
static size_t next_bare(uint32_t *skip, size_t i) {
    size_t found = i;
    while (skip[found] != found) {
        found = skip[found];
    }
    while (skip[i] != found) {
        size_t next = skip[i];
        skip[i] = (uint32_t)found;
        i = next;
    }
    return found;
}

/* The newest label comes first; a row keeps the first one it gets, and is passed over then, so that
 * many labels on top of each other cost no more than few. */
static edgeops_status paint(int32_t *out, uint32_t *skip, eop_label_names *names,
                            eop_catalog *catalog, sqlite3_stmt *select, const int64_t *times,
                            size_t n) {
    edgeops_status status;
    while ((status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        int64_t start = sqlite3_column_int64(select, 0);
        int64_t end = sqlite3_column_int64(select, 1);
        size_t from = eop_times_lower(times, n, start);
        size_t to =
            start == end ? eop_times_upper(times, n, start) : eop_times_lower(times, n, end);
        int32_t index = 0;
        if (from >= to || next_bare(skip, from) >= to) {
            continue;
        }
        status = intern(&index, names, eop_sql_text(select, 2));
        if (status != EDGEOPS_OK) {
            return status;
        }
        for (size_t i = next_bare(skip, from); i < to; i = next_bare(skip, i)) {
            out[i] = index;
            skip[i] = (uint32_t)i + 1;
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_label_paint(int32_t *out, eop_label_names *names, eop_catalog *catalog,
                               uint32_t asset, uint64_t version, const int64_t *times, size_t n) {
    sqlite3_stmt *select = NULL;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    uint32_t *skip = eop_realloc_array(NULL, n + 1, sizeof *skip);
    if (skip == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i <= n; i++) {
        skip[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = -1;
    }
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_AT);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
        eop_sql_bind_int(select, 2, (int64_t)version);
        eop_sql_bind_int(select, 3, times[0]);
        eop_sql_bind_int(select, 4, times[n - 1]);
        status = paint(out, skip, names, catalog, select, times, n);
        sqlite3_reset(select);
    }
    eop_catalog_unlock(catalog);
    eop_free(skip);
    return status;
}
