/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters in catalog.db: the newest messages of each source that could not be stored. Lists
 * are copied, so that no lock is held while the caller walks over them. */
#include "catalog/dead_letter.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "catalog/catalog.h"

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

edgeops_status eop_dead_letter_add(eop_catalog *catalog, const char *source,
                                   const eop_dead_letter *letters, size_t n) {
    EOP_REQUIRE(catalog != NULL && source != NULL && (letters != NULL || n == 0), "store");
    sqlite3_stmt *trim = NULL;
    /* Writes only the last ones when there are more than are kept. */
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
        /* one block: topic, reason and payload */
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

edgeops_status eop_dead_letter_list(eop_catalog *catalog, const char *source, size_t max,
                                    eop_dead_letter_fn fn, void *user_data) {
    EOP_REQUIRE(catalog != NULL && source != NULL && fn != NULL, "store");
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

edgeops_status eop_dead_letter_remove(eop_catalog *catalog, const char *source) {
    EOP_REQUIRE(catalog != NULL && source != NULL, "store");
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
