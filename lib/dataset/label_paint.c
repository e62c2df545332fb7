/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which label covers which row: labels are painted in order of precedence, and a row keeps
 * the first. Works under the catalog's lock. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/rows.h"
#include "dataset/label.h"

void eop_label_names_dispose(eop_label_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        eop_free(names->items[i]->name);
        eop_free(names->items[i]);
    }
    eop_free(names->items);
    eop_map_dispose(&names->by_name);
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

edgeops_status eop_label_name_index(int32_t *index, eop_label_names *names, const char *text) {
    uint64_t hash = eop_names_hash(text);
    eop_label_name *item = eop_names_find(&names->by_name, text, hash);
    if (item == NULL) {
        item = eop_calloc(1, sizeof *item);
        char *copy = eop_strdup(text);
        if (item == NULL || copy == NULL || !eop_map_reserve(&names->by_name) ||
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

edgeops_status eop_label_names_copy(eop_label_names *out, const eop_label_names *names) {
    int32_t index = 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < names->count; i++) {
        status = eop_label_name_index(&index, out, names->items[i]->name);
    }
    return status;
}

/* First row from i on without a label: skip[i] leads towards it. */
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

void eop_layer_begin(int32_t *out, uint32_t *skip, size_t n) {
    for (size_t i = 0; i <= n; i++) {
        skip[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = -1;
    }
}

bool eop_layer_rows(size_t *from, size_t *to, const int64_t *times, size_t n, int64_t start,
                    int64_t end) {
    *from = eop_times_lower(times, n, start);
    *to = start == end ? eop_times_upper(times, n, start) : eop_times_lower(times, n, end);
    return *from < *to;
}

bool eop_layer_bare(uint32_t *skip, size_t from, size_t to) {
    return next_bare(skip, from) < to;
}

void eop_layer_put(int32_t *out, uint32_t *skip, size_t from, size_t to, int32_t index) {
    for (size_t i = next_bare(skip, from); i < to; i = next_bare(skip, i)) {
        out[i] = index;
        skip[i] = (uint32_t)i + 1;
    }
}

static edgeops_status paint_layer(int32_t *out, uint32_t *skip, eop_label_names *names,
                                  eop_catalog *catalog, eop_sql_statement *select,
                                  const int64_t *times, size_t n) {
    edgeops_status status;
    while ((status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        size_t from = 0;
        size_t to = 0;
        int32_t index = 0;
        if (!eop_layer_rows(&from, &to, times, n, eop_sql_int(select, 0), eop_sql_int(select, 1)) ||
            !eop_layer_bare(skip, from, to)) {
            continue;
        }
        status = eop_label_name_index(&index, names, eop_sql_text(select, 2));
        if (status != EDGEOPS_OK) {
            return status;
        }
        eop_layer_put(out, skip, from, to, index);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_label_paint(int32_t *out, eop_label_names *names, eop_catalog *catalog,
                               uint32_t asset, uint64_t version, const int64_t *times, size_t n) {
    eop_sql_statement *select = NULL;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    uint32_t *skip = eop_realloc_array(NULL, n + 1, sizeof *skip);
    if (skip == NULL) {
        return eop_fail_nomem("store");
    }
    eop_layer_begin(out, skip, n);
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_AT);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
        eop_sql_bind_int(select, 2, (int64_t)version);
        eop_sql_bind_int(select, 3, times[0]);
        eop_sql_bind_int(select, 4, times[n - 1]);
        status = paint_layer(out, skip, names, catalog, select, times, n);
        eop_sql_rewind(select);
    }
    eop_catalog_unlock(catalog);
    eop_free(skip);
    return status;
}
