/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait for a broker and the checkpoints of deployments, in catalog.db: both change in
 * one transaction. The numbers of messages are kept in memory, under the catalog's lock: SELECT
 * COUNT would walk all of them for each commit. */
#include "catalog/outbox.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "catalog/catalog.h"

#define OUTBOX_LIMIT 1000000u
#define DROP_AT_ONCE 10000u

static edgeops_status add_message(eop_catalog *catalog, eop_outbox_counter *counter,
                                  eop_outbox_message *message) {
    sqlite3_stmt *insert = NULL;
    if (counter->waiting >= OUTBOX_LIMIT) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "%u messages of '%s' wait for '%s' already: does its broker take them?",
                        OUTBOX_LIMIT, counter->deployment, counter->destination);
    }
    edgeops_status status = eop_catalog_get(&insert, catalog, EOP_OUTBOX_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(insert, 1, message->destination);
    eop_sql_bind_text(insert, 2, message->topic);
    eop_sql_bind_blob(insert, 3, message->payload, message->size);
    eop_sql_bind_int(insert, 4, message->qos);
    eop_sql_bind_int(insert, 5, message->retain);
    eop_sql_bind_text(insert, 6, counter->deployment);
    status = eop_sql_run(&catalog->sql, insert);
    if (status == EDGEOPS_OK) {
        message->id = (uint64_t)sqlite3_last_insert_rowid(catalog->sql.db);
        counter->waiting++;
    }
    return status;
}

static edgeops_status put_checkpoint(eop_catalog *catalog, const char *deployment, uint64_t ordinal,
                                     const char *state_json) {
    sqlite3_stmt *put = NULL;
    edgeops_status status = eop_catalog_get(&put, catalog, EOP_CHECKPOINT_PUT);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(put, 1, deployment);
    eop_sql_bind_int(put, 2, (int64_t)ordinal);
    eop_sql_bind_text(put, 3, state_json);
    return eop_sql_run(&catalog->sql, put);
}

edgeops_status eop_outbox_commit(eop_catalog *catalog, const char *deployment, uint64_t ordinal,
                                 const char *state_json, eop_outbox_message *messages, size_t n) {
    EOP_REQUIRE(catalog != NULL && deployment != NULL && (messages != NULL || n == 0), "store");
    size_t added = 0;
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_LAX);
    if (status != EDGEOPS_OK) {
        return status;
    }
    while (status == EDGEOPS_OK && added < n) {
        eop_outbox_counter *counter = NULL;
        status =
            eop_catalog_outbox_counter(&counter, catalog, messages[added].destination, deployment);
        if (status == EDGEOPS_OK) {
            status = add_message(catalog, counter, &messages[added]);
        }
        added += status == EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = put_checkpoint(catalog, deployment, ordinal, state_json);
    }
    status = eop_sql_end(&catalog->sql, status);
    for (size_t i = 0; status != EDGEOPS_OK && i < added; i++) {
        eop_catalog_find_outbox(catalog, messages[i].destination, deployment)->waiting--;
    }
    eop_catalog_unlock(catalog);
    return status;
}

/* A page of messages, copied, so that no lock is held while they are sent. */
typedef struct page {
    eop_outbox_message *items;
    size_t count;
    size_t capacity;
} page;

static void clear_page(page *p) {
    for (size_t i = 0; i < p->count; i++) {
        /* one block: topic and payload */
        eop_free((void *)(uintptr_t)p->items[i].topic);
    }
    p->count = 0;
}

static edgeops_status copy_message(page *p, sqlite3_stmt *select, const char *destination) {
    const char *topic = eop_sql_text(select, 1);
    const void *payload = sqlite3_column_blob(select, 2);
    size_t size = (size_t)sqlite3_column_bytes(select, 2);
    size_t topic_size = strlen(topic) + 1;
    if (!eop_grow(&p->items, &p->capacity, p->count + 1, sizeof *p->items)) {
        return eop_fail_nomem("store");
    }
    char *copy = eop_alloc(topic_size + size + 1);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    memcpy(copy, topic, topic_size);
    if (size > 0) {
        memcpy(copy + topic_size, payload, size);
    }
    p->items[p->count++] = (eop_outbox_message){.id = (uint64_t)sqlite3_column_int64(select, 0),
                                                .destination = destination,
                                                .topic = copy,
                                                .payload = copy + topic_size,
                                                .size = size,
                                                .qos = (uint8_t)sqlite3_column_int(select, 3),
                                                .retain = (uint8_t)sqlite3_column_int(select, 4)};
    return EDGEOPS_OK;
}

/* Reads at most max messages and about 1 MiB. */
static edgeops_status read_page(page *p, eop_catalog *catalog, const char *destination,
                                const char *deployment, uint64_t after, size_t max) {
    sqlite3_stmt *select = NULL;
    size_t bytes = 0;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_OUTBOX_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, destination);
        eop_sql_bind_text(select, 2, deployment);
        eop_sql_bind_int(select, 3, after > INT64_MAX ? INT64_MAX : (int64_t)after);
        eop_sql_bind_int(select, 4, (int64_t)max);
        while (status == EDGEOPS_OK && bytes < 1024 * 1024 &&
               (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
            status = copy_message(p, select, destination);
            bytes += status == EDGEOPS_OK ? p->items[p->count - 1].size : 0;
        }
        sqlite3_reset(select);
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_outbox_list(eop_catalog *catalog, const char *destination,
                               const char *deployment, uint64_t after, size_t max, eop_outbox_fn fn,
                               void *user_data) {
    EOP_REQUIRE(catalog != NULL && destination != NULL && deployment != NULL && fn != NULL,
                "store");
    page p = {0};
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && max > 0) {
        status = read_page(&p, catalog, destination, deployment, after, max < 256 ? max : 256);
        if (status != EDGEOPS_OK || p.count == 0) {
            break;
        }
        for (size_t i = 0; status == EDGEOPS_OK && i < p.count; i++) {
            status = fn(&p.items[i], user_data);
        }
        after = p.items[p.count - 1].id;
        max -= p.count;
        clear_page(&p);
    }
    clear_page(&p);
    eop_free(p.items);
    return status;
}

/* What becomes of a row: its counter, NULL when there is no such row, and where it counted. */
typedef struct change {
    eop_outbox_counter *counter;
    bool refused;
} change;

static edgeops_status remove_message(change *c, eop_catalog *catalog, uint64_t id) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_get(&statement, catalog, EOP_OUTBOX_REMOVE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(statement, 1, (int64_t)id);
    status = eop_sql_next(&catalog->sql, statement);
    if (status == EDGEOPS_OK) {
        c->counter = eop_catalog_find_outbox(catalog, eop_sql_text(statement, 0),
                                             eop_sql_text(statement, 1));
        c->refused = eop_sql_int(statement, 2) != 0;
        sqlite3_reset(statement);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_outbox_done(eop_catalog *catalog, const uint64_t *ids, size_t n) {
    EOP_REQUIRE(catalog != NULL && (ids != NULL || n == 0), "store");
    change *changes = eop_calloc(n, sizeof *changes);
    if (changes == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_LAX);
    if (status != EDGEOPS_OK) {
        eop_free(changes);
        return status;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = remove_message(&changes[i], catalog, ids[i]);
    }
    status = eop_sql_end(&catalog->sql, status);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (changes[i].counter != NULL) {
            changes[i].counter->waiting -= !changes[i].refused;
            changes[i].counter->refused -= changes[i].refused;
        }
    }
    eop_catalog_unlock(catalog);
    eop_free(changes);
    return status;
}

edgeops_status eop_outbox_set_aside(eop_catalog *catalog, uint64_t id, const char *reason) {
    EOP_REQUIRE(catalog != NULL && reason != NULL, "store");
    sqlite3_stmt *statement = NULL;
    eop_outbox_counter *counter = NULL;
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_LAX);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&statement, catalog, EOP_OUTBOX_SET_ASIDE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(statement, 1, reason);
        eop_sql_bind_int(statement, 2, (int64_t)id);
        status = eop_sql_next(&catalog->sql, statement);
    }
    if (status == EDGEOPS_OK) {
        counter = eop_catalog_find_outbox(catalog, eop_sql_text(statement, 0),
                                          eop_sql_text(statement, 1));
        sqlite3_reset(statement);
    }
    status = eop_sql_end(&catalog->sql, status == EDGEOPS_DONE ? EDGEOPS_OK : status);
    if (status == EDGEOPS_OK && counter != NULL) {
        counter->waiting--;
        counter->refused++;
    }
    eop_catalog_unlock(catalog);
    return status;
}

edgeops_status eop_outbox_again(uint64_t *out, eop_catalog *catalog, const char *destination,
                                const char *deployment) {
    EOP_REQUIRE(out != NULL && catalog != NULL && destination != NULL && deployment != NULL,
                "store");
    sqlite3_stmt *update = NULL;
    uint64_t n = 0;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&update, catalog, EOP_OUTBOX_AGAIN);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(update, 1, destination);
        eop_sql_bind_text(update, 2, deployment);
        status = eop_sql_run(&catalog->sql, update);
        n = (uint64_t)eop_sql_changes(&catalog->sql);
    }
    status = eop_sql_end(&catalog->sql, status);
    if (status == EDGEOPS_OK && n > 0) {
        eop_outbox_counter *counter = eop_catalog_find_outbox(catalog, destination, deployment);
        counter->refused -= n;
        counter->waiting += n;
    }
    eop_catalog_unlock(catalog);
    if (status == EDGEOPS_OK) {
        *out = n;
    }
    return status;
}

static edgeops_status drop_some(uint64_t *out, eop_catalog *catalog, const char *destination,
                                const char *deployment, bool refused, uint64_t max) {
    sqlite3_stmt *drop = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&drop, catalog, refused ? EOP_OUTBOX_DROP_REFUSED : EOP_OUTBOX_DROP);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(drop, 1, destination);
        eop_sql_bind_text(drop, 2, deployment);
        eop_sql_bind_int(drop, 3, (int64_t)max);
        status = eop_sql_run(&catalog->sql, drop);
        *out = status == EDGEOPS_OK ? (uint64_t)eop_sql_changes(&catalog->sql) : 0;
    }
    status = eop_sql_end(&catalog->sql, status);
    eop_outbox_counter *counter = eop_catalog_find_outbox(catalog, destination, deployment);
    if (status == EDGEOPS_OK && counter != NULL) {
        *(refused ? &counter->refused : &counter->waiting) -= *out;
    }
    eop_catalog_unlock(catalog);
    return status;
}

edgeops_status eop_outbox_drop(uint64_t *out, eop_catalog *catalog, const char *destination,
                               const char *deployment, bool refused, uint64_t max) {
    EOP_REQUIRE(out != NULL && catalog != NULL && destination != NULL && deployment != NULL,
                "store");
    uint64_t total = 0;
    uint64_t n = 1;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && n > 0 && total < max) {
        uint64_t left = max - total;
        n = 0;
        status = drop_some(&n, catalog, destination, deployment, refused,
                           left < DROP_AT_ONCE ? left : DROP_AT_ONCE);
        total += status == EDGEOPS_OK ? n : 0;
    }
    *out = total;
    return status;
}

edgeops_status eop_outbox_purge(eop_catalog *catalog, const char *destination) {
    EOP_REQUIRE(catalog != NULL && destination != NULL, "store");
    sqlite3_stmt *purge = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&purge, catalog, EOP_OUTBOX_PURGE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(purge, 1, destination);
        status = eop_sql_run(&catalog->sql, purge);
    }
    status = eop_sql_end(&catalog->sql, status);
    for (size_t i = 0; status == EDGEOPS_OK && i < catalog->outbox_count; i++) {
        eop_outbox_counter *counter = &catalog->outbox[i];
        if (strcmp(counter->destination, destination) == 0) {
            counter->waiting = counter->refused = 0;
        }
    }
    eop_catalog_unlock(catalog);
    return status;
}

void eop_outbox_count(eop_outbox_counts *out, eop_catalog *catalog, const char *destination,
                      const char *deployment) {
    eop_catalog_lock(catalog);
    const eop_outbox_counter *counter = eop_catalog_find_outbox(catalog, destination, deployment);
    *out = (eop_outbox_counts){.waiting = counter != NULL ? counter->waiting : 0,
                               .refused = counter != NULL ? counter->refused : 0};
    eop_catalog_unlock(catalog);
}

edgeops_status eop_outbox_reason(char **out, eop_catalog *catalog, const char *destination,
                                 const char *deployment) {
    EOP_REQUIRE(out != NULL && catalog != NULL && destination != NULL && deployment != NULL,
                "store");
    sqlite3_stmt *select = NULL;
    *out = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_OUTBOX_REASON);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, destination);
        eop_sql_bind_text(select, 2, deployment);
        status = eop_sql_next(&catalog->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = eop_strdup(eop_sql_text(select, 0));
        status = *out != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
        sqlite3_reset(select);
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_outbox_deployments(char ***out, size_t *count, eop_catalog *catalog,
                                      const char *destination) {
    char **names = NULL;
    size_t n = 0;
    size_t capacity = 0;
    edgeops_status status = EDGEOPS_OK;
    EOP_REQUIRE(out != NULL && count != NULL && catalog != NULL && destination != NULL, "store");
    eop_catalog_lock(catalog);
    for (size_t i = 0; status == EDGEOPS_OK && i < catalog->outbox_count; i++) {
        const eop_outbox_counter *counter = &catalog->outbox[i];
        if (counter->waiting + counter->refused == 0 ||
            strcmp(counter->destination, destination) != 0) {
            continue;
        }
        char *name = eop_strdup(counter->deployment);
        if (name == NULL || !eop_grow(&names, &capacity, n + 1, sizeof *names)) {
            eop_free(name);
            status = eop_fail_nomem("store");
        } else {
            names[n++] = name;
        }
    }
    eop_catalog_unlock(catalog);
    if (status != EDGEOPS_OK) {
        eop_outbox_free_names(names, n);
        return status;
    }
    *out = names;
    *count = n;
    return EDGEOPS_OK;
}

void eop_outbox_free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        eop_free(names[i]);
    }
    eop_free(names);
}

/* -- checkpoints -- */

edgeops_status eop_checkpoint_get(uint64_t *ordinal, char **state_json, eop_catalog *catalog,
                                  const char *deployment) {
    EOP_REQUIRE(ordinal != NULL && catalog != NULL && deployment != NULL, "store");
    sqlite3_stmt *select = NULL;
    uint64_t found = 0;
    char *state = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_CHECKPOINT_GET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, deployment);
        status = eop_sql_next(&catalog->sql, select);
    }
    if (status == EDGEOPS_OK) {
        found = (uint64_t)sqlite3_column_int64(select, 0);
        if (state_json != NULL && sqlite3_column_type(select, 1) != SQLITE_NULL) {
            state = eop_strdup(eop_sql_text(select, 1));
            status = state != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
        }
        sqlite3_reset(select);
    } else if (status == EDGEOPS_DONE) {
        status =
            eop_fail(EDGEOPS_E_NOTFOUND, "store", "deployment '%s' has no checkpoint", deployment);
    }
    eop_catalog_unlock(catalog);
    if (status == EDGEOPS_OK) {
        *ordinal = found;
        if (state_json != NULL) {
            *state_json = state;
        }
    }
    return status;
}

edgeops_status eop_checkpoint_remove(eop_catalog *catalog, const char *deployment) {
    EOP_REQUIRE(catalog != NULL && deployment != NULL, "store");
    sqlite3_stmt *remove = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&remove, catalog, EOP_CHECKPOINT_REMOVE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(remove, 1, deployment);
        status = eop_sql_run(&catalog->sql, remove);
    }
    return eop_catalog_end(catalog, status);
}
