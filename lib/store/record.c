/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"

/* Rows that were read, given to the callback when no lock is held any more. */
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

edgeops_status eop_record_put(edgeops_store *store, const char *kind, const char *name,
                              const char *json, bool insert_only) {
    EOP_REQUIRE(store != NULL && kind != NULL && name != NULL && json != NULL, "store");
    eop_catalog *catalog = &store->catalog;
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

edgeops_status eop_record_get(char **json, edgeops_store *store, const char *kind,
                              const char *name) {
    EOP_REQUIRE(json != NULL && store != NULL && kind != NULL && name != NULL, "store");
    eop_catalog *catalog = &store->catalog;
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

/* All rows of a bound statement with one or two columns of text. */
static edgeops_status collect(pairs *list, eop_catalog *catalog, sqlite3_stmt *select) {
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

edgeops_status eop_record_list(edgeops_store *store, const char *kind, eop_record_fn fn,
                               void *user_data) {
    EOP_REQUIRE(store != NULL && kind != NULL && fn != NULL, "store");
    eop_catalog *catalog = &store->catalog;
    sqlite3_stmt *select = NULL;
    pairs list = {0};
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_RECORD_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, kind);
        status = collect(&list, catalog, select);
    }
    eop_catalog_unlock(catalog);
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = fn(list.items[i].name, list.items[i].json, user_data);
    }
    free_pairs(&list);
    return status;
}

edgeops_status eop_record_remove(edgeops_store *store, const char *kind, const char *name) {
    EOP_REQUIRE(store != NULL && kind != NULL && name != NULL, "store");
    eop_catalog *catalog = &store->catalog;
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

edgeops_status eop_record_number(int64_t *out, edgeops_store *store, const char *sequence) {
    EOP_REQUIRE(out != NULL && store != NULL && sequence != NULL, "store");
    eop_catalog *catalog = &store->catalog;
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

/* -- dead letters -- */

enum { PAYLOAD_KEPT = 512, LETTERS_KEPT = 1000 };

static edgeops_status add_letter(eop_catalog *catalog, const char *source,
                                 const eop_dead_letter *letter) {
    sqlite3_stmt *insert = NULL;
    size_t size = letter->payload_size < PAYLOAD_KEPT ? letter->payload_size : PAYLOAD_KEPT;
    edgeops_status status = eop_catalog_get(&insert, catalog, EOP_DEAD_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(insert, 1, source);
    eop_sql_bind_int(insert, 2, letter->time);
    eop_sql_bind_text(insert, 3, letter->topic != NULL ? letter->topic : "");
    eop_sql_bind_text(insert, 4, letter->reason != NULL ? letter->reason : "");
    eop_sql_bind_blob(insert, 5, letter->payload, size);
    eop_sql_bind_int(insert, 6, (int64_t)letter->message_size);
    return eop_sql_run(&catalog->sql, insert);
}

edgeops_status eop_dead_letter_add(edgeops_store *store, const char *source,
                                   const eop_dead_letter *letters, size_t n) {
    EOP_REQUIRE(store != NULL && source != NULL && (letters != NULL || n == 0), "store");
    eop_catalog *catalog = &store->catalog;
    sqlite3_stmt *trim = NULL;
    /* Of more than are kept only the last ones count. */
    size_t first = n > LETTERS_KEPT ? n - LETTERS_KEPT : 0;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = first; status == EDGEOPS_OK && i < n; i++) {
        status = add_letter(catalog, source, &letters[i]);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&trim, catalog, EOP_DEAD_TRIM);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(trim, 1, source);
        status = eop_sql_run(&catalog->sql, trim);
    }
    return eop_catalog_end(catalog, status);
}

typedef struct letter_list {
    eop_dead_letter *items;
    size_t count;
    size_t capacity;
} letter_list;

static void free_letters(letter_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        /* topic owns the reason and the payload, too */
        eop_free((void *)(uintptr_t)list->items[i].topic);
    }
    eop_free(list->items);
}

static edgeops_status copy_letter(letter_list *list, sqlite3_stmt *select) {
    const char *topic = eop_sql_text(select, 1);
    const char *reason = eop_sql_text(select, 2);
    const void *payload = sqlite3_column_blob(select, 3);
    size_t payload_size = (size_t)sqlite3_column_bytes(select, 3);
    size_t topic_size = strlen(topic) + 1;
    size_t reason_size = strlen(reason) + 1;
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        return eop_fail_nomem("store");
    }
    char *copy = eop_alloc(topic_size + reason_size + payload_size + 1);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    memcpy(copy, topic, topic_size);
    memcpy(copy + topic_size, reason, reason_size);
    if (payload_size > 0) {
        memcpy(copy + topic_size + reason_size, payload, payload_size);
    }
    list->items[list->count++] =
        (eop_dead_letter){.time = sqlite3_column_int64(select, 0),
                          .topic = copy,
                          .reason = copy + topic_size,
                          .payload = copy + topic_size + reason_size,
                          .payload_size = payload_size,
                          .message_size = (uint64_t)sqlite3_column_int64(select, 4)};
    return EDGEOPS_OK;
}

edgeops_status eop_dead_letter_list(edgeops_store *store, const char *source, size_t max,
                                    eop_dead_letter_fn fn, void *user_data) {
    EOP_REQUIRE(store != NULL && source != NULL && fn != NULL, "store");
    eop_catalog *catalog = &store->catalog;
    sqlite3_stmt *select = NULL;
    letter_list list = {0};
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DEAD_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, source);
        eop_sql_bind_int(select, 2, max < LETTERS_KEPT ? (int64_t)max : LETTERS_KEPT);
        while (status == EDGEOPS_OK &&
               (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
            status = copy_letter(&list, select);
        }
        sqlite3_reset(select);
    }
    eop_catalog_unlock(catalog);
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = fn(&list.items[i], user_data);
    }
    free_letters(&list);
    return status;
}

edgeops_status eop_dead_letter_remove(edgeops_store *store, const char *source) {
    EOP_REQUIRE(store != NULL && source != NULL, "store");
    eop_catalog *catalog = &store->catalog;
    sqlite3_stmt *remove = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&remove, catalog, EOP_DEAD_REMOVE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(remove, 1, source);
        status = eop_sql_run(&catalog->sql, remove);
    }
    return eop_catalog_end(catalog, status);
}
