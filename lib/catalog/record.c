/* SPDX-License-Identifier: Apache-2.0 */
/* Records in catalog.db: a JSON document for each (kind, name), and sequences of numbers. Lists are
 * copied, so that no lock is held while the caller walks over them. */
#include "catalog/record.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "catalog/catalog.h"

/* Copied rows, passed to the callback after the lock was released. */
typedef struct pair {
    char *name;
    char *json;
} pair;

typedef struct pairs {
    pair *items;
    size_t count;
    size_t capacity;
} pairs;

static void free_pairs(pairs *list) {
    for (size_t i = 0; i < list->count; i++) {
        eop_free(list->items[i].name);
        eop_free(list->items[i].json);
    }
    eop_free(list->items);
}

static edgeops_status add_pair(pairs *list, const char *name, const char *json) {
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        return eop_fail_nomem("store");
    }
    pair *item = &list->items[list->count++];
    item->name = eop_strdup(name);
    item->json = eop_strdup(json);
    return item->name != NULL && item->json != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

edgeops_status eop_record_put(eop_catalog *catalog, const char *kind, const char *name,
                              const char *json, bool insert_only) {
    EOP_REQUIRE(catalog != NULL && kind != NULL && name != NULL && json != NULL, "store");
    sqlite3_stmt *put = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&put, catalog, insert_only ? EOP_RECORD_INSERT : EOP_RECORD_UPSERT);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(put, 1, kind);
        eop_sql_bind_text(put, 2, name);
        eop_sql_bind_text(put, 3, json);
        status = eop_sql_run(&catalog->sql, put);
    }
    status = eop_catalog_end(catalog, status);
    if (status == EDGEOPS_E_EXISTS) {
        return eop_fail(EDGEOPS_E_EXISTS, "store", "%s '%s' exists already", kind, name);
    }
    return status;
}

edgeops_status eop_record_get(char **json, eop_catalog *catalog, const char *kind,
                              const char *name) {
    EOP_REQUIRE(json != NULL && catalog != NULL && kind != NULL && name != NULL, "store");
    sqlite3_stmt *select = NULL;
    char *copy = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_RECORD_GET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, kind);
        eop_sql_bind_text(select, 2, name);
        status = eop_sql_next(&catalog->sql, select);
        if (status == EDGEOPS_OK) {
            copy = eop_strdup(eop_sql_text(select, 0));
            sqlite3_reset(select);
            status = copy != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
        } else if (status == EDGEOPS_DONE) {
            status = eop_fail(EDGEOPS_E_NOTFOUND, "store", "%s '%s' does not exist", kind, name);
        }
    }
    eop_catalog_unlock(catalog);
    if (status == EDGEOPS_OK) {
        *json = copy;
    }
    return status;
}

/* Copies all rows of a bound statement with one or two columns of text. */
static edgeops_status collect_pairs(pairs *list, eop_catalog *catalog, sqlite3_stmt *select) {
    edgeops_status status;
    bool two = sqlite3_column_count(select) > 1;
    while ((status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        status = add_pair(list, eop_sql_text(select, 0), two ? eop_sql_text(select, 1) : "");
        if (status != EDGEOPS_OK) {
            sqlite3_reset(select);
            return status;
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_record_list(eop_catalog *catalog, const char *kind, eop_record_fn fn,
                               void *user_data) {
    EOP_REQUIRE(catalog != NULL && kind != NULL && fn != NULL, "store");
    sqlite3_stmt *select = NULL;
    pairs list = {0};
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_RECORD_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, kind);
        status = collect_pairs(&list, catalog, select);
    }
    eop_catalog_unlock(catalog);
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = fn(list.items[i].name, list.items[i].json, user_data);
    }
    free_pairs(&list);
    return status;
}

edgeops_status eop_record_remove(eop_catalog *catalog, const char *kind, const char *name) {
    EOP_REQUIRE(catalog != NULL && kind != NULL && name != NULL, "store");
    sqlite3_stmt *remove = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&remove, catalog, EOP_RECORD_REMOVE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(remove, 1, kind);
        eop_sql_bind_text(remove, 2, name);
        status = eop_sql_run(&catalog->sql, remove);
    }
    if (status == EDGEOPS_OK && sqlite3_changes(catalog->sql.db) == 0) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "store", "%s '%s' does not exist", kind, name);
    }
    return eop_catalog_end(catalog, status);
}

edgeops_status eop_record_number(int64_t *out, eop_catalog *catalog, const char *sequence) {
    EOP_REQUIRE(out != NULL && catalog != NULL && sequence != NULL, "store");
    sqlite3_stmt *next = NULL;
    int64_t number = 0;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&next, catalog, EOP_RECORD_NUMBER);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(next, 1, sequence);
        status = eop_sql_next(&catalog->sql, next);
        number = status == EDGEOPS_OK ? sqlite3_column_int64(next, 0) : 0;
        sqlite3_reset(next);
    }
    status = eop_catalog_end(catalog, status);
    if (status == EDGEOPS_OK) {
        *out = number;
    }
    return status;
}
