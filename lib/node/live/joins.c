/* SPDX-License-Identifier: Apache-2.0 */
/* The list of joins, their records, and the thread that steps them.
 *
 * A record "join" has the definition; its name is a number, so that a rename is one write. A record
 * "join-state" beside it says how far its inputs are in. It may be old, but never newer than what is
 * on the disk: samples are synced before it is written.
 *
 * Locks: a join's own `lock` is held during a step, and by the loop while it changes its definition;
 * joins->lock guards who is due, and is never held while the store is called, because an append
 * calls on_append() below. Only the loop changes the list and the definitions, under joins->lock,
 * and so may read them without. */
#include "node/live/joins.h"

#include <stdlib.h>
#include <string.h>

#include "base/column_view.h"
#include "base/hash.h"
#include "base/thread.h"
#include "catalog/record.h"
#include "join/join.h"
#include "node/home/args.h"
#include "node/home/derived.h"
#include "node/home/records.h"
#include "store/inner.h"

#define SAVE_EVERY  (2 * EDGEOPS_SECOND)
#define RETRY_AFTER EDGEOPS_SECOND
/* A join of a thousand assets looks at all of them when one sends: not for each sample. */
#define REST_TIMES 4

struct eop_node_join {
    eop_joins *joins;
    int64_t id;
    edgeops_time created;
    eop_join_spec spec;
    uint64_t *hashes; /**< of its input assets; guarded by joins->lock */
    size_t hash_count;
    atomic_size_t holders;
    pthread_mutex_t lock;
    eop_join *join; /**< guarded by lock; NULL: removed, or it cannot be opened */
    char *problem;  /**< why it cannot be opened */
    bool told;      /**< the thread's: a failure is in the log */
    /* Guarded by joins->lock. */
    bool pending;
    edgeops_duration due;
    edgeops_duration rests; /**< not before */
};

struct eop_joins {
    edgeops_node *node;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    eop_node_join *items[EOP_NODE_JOINS_MAX];
    size_t count;
    size_t next; /**< whose turn it is */
    edgeops_watch *watch;
    pthread_t thread;
    bool running; /**< loop: there is a thread */
    bool stop;    /**< guarded by lock */
};

/* -- one join -- */

void eop_node_join_hold(eop_node_join *item) {
    atomic_fetch_add(&item->holders, 1);
}

void eop_node_join_release(eop_node_join *item) {
    if (item == NULL || atomic_fetch_sub(&item->holders, 1) > 1) {
        return;
    }
    eop_join_close(item->join);
    eop_join_spec_dispose(&item->spec);
    pthread_mutex_destroy(&item->lock);
    eop_free(item->hashes);
    eop_free(item->problem);
    eop_free(item);
}

const eop_join_spec *eop_node_join_spec(const eop_node_join *item) {
    return &item->spec;
}

static void id_text(char out[24], int64_t id) {
    eop_buf text = {0};
    eop_buf_printf(&text, "%lld", (long long)id);
    (void)memset(out, 0, 24);
    if (text.data != NULL) {
        memcpy(out, text.data, text.size < 23 ? text.size : 23);
    }
    eop_buf_dispose(&text);
}

static edgeops_status set_hashes(eop_node_join *item) {
    uint64_t *hashes = eop_calloc(item->spec.count, sizeof *hashes);
    size_t count = 0;
    if (hashes == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < item->spec.count; i++) {
        const char *asset = item->spec.channels[i].asset;
        uint64_t hash = eop_hash64(asset, strlen(asset));
        size_t k = 0;
        while (k < count && hashes[k] != hash) {
            k++;
        }
        hashes[k] = hash;
        count = k == count ? count + 1 : count;
    }
    eop_free(item->hashes);
    item->hashes = hashes;
    item->hash_count = count;
    return EDGEOPS_OK;
}

/* Under the join's lock: opens it where its record says. A failure is what it shows. */
static void open_join(eop_node_join *item) {
    edgeops_node *node = item->joins->node;
    char name[24];
    eop_json *state = NULL;
    id_text(name, item->id);
    edgeops_status status = eop_get_record(&state, node, "join-state", name);
    if (status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND) {
        status = eop_join_open(&item->join, node->store, &item->spec, state);
    }
    eop_json_free(state);
    eop_free(item->problem);
    item->problem = status != EDGEOPS_OK ? eop_strdup(edgeops_error_last()->message) : NULL;
}

static edgeops_status put_state(eop_node_join *item, const eop_json *state) {
    char name[24];
    id_text(name, item->id);
    return eop_put_record(item->joins->node, "join-state", name, state, false);
}

/* Under the join's lock. What was appended is on the disk before the record says that it is in. */
static edgeops_status save(eop_node_join *item) {
    eop_json *state = item->join != NULL ? eop_join_state(item->join) : NULL;
    if (state == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_store_sync(item->joins->node->store);
    if (status == EDGEOPS_OK) {
        status = put_state(item, state);
    }
    eop_json_free(state);
    return status;
}

/* The same for all of them, with one sync. A state that cannot be written is older then than it
 * could be, no more. */
static void save_all(eop_joins *joins) {
    eop_node_join *items[EOP_NODE_JOINS_MAX];
    eop_json *states[EOP_NODE_JOINS_MAX];
    edgeops_status status = EDGEOPS_OK;
    bool any = false;
    pthread_mutex_lock(&joins->lock);
    size_t count = joins->count;
    for (size_t i = 0; i < count; i++) {
        items[i] = joins->items[i];
        eop_node_join_hold(items[i]);
    }
    pthread_mutex_unlock(&joins->lock);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&items[i]->lock);
        states[i] = items[i]->join != NULL ? eop_join_state(items[i]->join) : NULL;
        pthread_mutex_unlock(&items[i]->lock);
        any = any || states[i] != NULL;
    }
    if (any) {
        status = eop_store_sync(joins->node->store);
    }
    for (size_t i = 0; i < count; i++) {
        if (states[i] != NULL && status == EDGEOPS_OK) {
            status = put_state(items[i], states[i]);
        }
        eop_json_free(states[i]);
        eop_node_join_release(items[i]);
    }
    if (status != EDGEOPS_OK) {
        eop_log_write(node_log(joins->node), EDGEOPS_LOG_WARN, "node",
                      "how far derived assets are could not be kept: %s",
                      edgeops_error_last()->message);
    }
}

/* One step, of whichever thread. *dirty: there is something to save. */
static edgeops_status step(eop_node_join *item, edgeops_duration *due, bool *dirty) {
    edgeops_duration now = eop_monotonic();
    *due = INT64_MAX;
    pthread_mutex_lock(&item->lock);
    edgeops_status status = EDGEOPS_DONE; /* it stands still, or was removed */
    if (item->join != NULL) {
        status = eop_join_step(item->join, now, due);
    } else if (item->problem != NULL) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "node", "%s", item->problem);
    }
    *dirty = item->join != NULL && eop_join_is_dirty(item->join);
    pthread_mutex_unlock(&item->lock);
    return status;
}

/* -- the thread -- */

/* Appending thread. */
static void on_append(const char *asset, uint64_t last_ordinal, void *user_data) {
    eop_joins *joins = user_data;
    uint64_t hash = eop_hash64(asset, strlen(asset));
    bool wake = false;
    (void)last_ordinal;
    pthread_mutex_lock(&joins->lock);
    for (size_t i = 0; i < joins->count; i++) {
        eop_node_join *item = joins->items[i];
        for (size_t k = 0; !item->pending && k < item->hash_count; k++) {
            item->pending = item->hashes[k] == hash;
            wake = wake || item->pending;
        }
    }
    if (wake) {
        pthread_cond_broadcast(&joins->changed);
    }
    pthread_mutex_unlock(&joins->lock);
}

/* A failure is tried again each second, and said once. */
static void tell(eop_node_join *item, edgeops_status status) {
    bool fails = status < 0 && status != EDGEOPS_E_AGAIN;
    bool told = fails || (item->told && status == EDGEOPS_E_AGAIN);
    if (told != item->told) {
        pthread_mutex_lock(&item->joins->lock); /* the loop may rename it now */
        char *name = eop_strdup(item->spec.name);
        pthread_mutex_unlock(&item->joins->lock);
        eop_log_write(node_log(item->joins->node), fails ? EDGEOPS_LOG_ERROR : EDGEOPS_LOG_INFO,
                      "node", "derived asset '%s' %s%s", name != NULL ? name : "",
                      fails ? "stands still: " : "goes on",
                      fails ? edgeops_error_last()->message : "");
        eop_free(name);
    }
    item->told = told;
}

/* Under joins->lock: the next join that has something to do, held; NULL: none has before *due. */
static eop_node_join *pick(eop_joins *joins, edgeops_duration now, edgeops_duration *due) {
    *due = INT64_MAX;
    for (size_t i = 0; i < joins->count; i++) {
        eop_node_join *item = joins->items[(joins->next + i) % joins->count];
        edgeops_duration at = item->pending ? now : item->due;
        at = item->rests > at ? item->rests : at;
        if (at <= now) {
            joins->next = (joins->next + i + 1) % joins->count;
            item->pending = false;
            item->due = INT64_MAX;
            eop_node_join_hold(item);
            return item;
        }
        *due = at < *due ? at : *due;
    }
    return NULL;
}

static void wait_until(eop_joins *joins, edgeops_duration due) {
    if (due == INT64_MAX) {
        pthread_cond_wait(&joins->changed, &joins->lock);
        return;
    }
    struct timespec at = {.tv_sec = due / EDGEOPS_SECOND, .tv_nsec = due % EDGEOPS_SECOND};
    (void)pthread_cond_timedwait(&joins->changed, &joins->lock, &at);
}

/* A step of a join that is held. */
static void work_on(eop_node_join *item, bool *dirty) {
    eop_joins *joins = item->joins;
    edgeops_duration due = 0;
    edgeops_duration begun = eop_monotonic();
    edgeops_status status = step(item, &due, dirty);
    edgeops_duration now = eop_monotonic();
    edgeops_duration rest = status < 0               ? RETRY_AFTER
                            : status == EDGEOPS_DONE ? REST_TIMES * (now - begun)
                                                     : 0;
    tell(item, status);
    pthread_mutex_lock(&joins->lock);
    item->pending = item->pending || status == EDGEOPS_OK || status < 0;
    item->due = due;
    item->rests = now + (rest < RETRY_AFTER ? rest : RETRY_AFTER);
    pthread_mutex_unlock(&joins->lock);
    eop_node_join_release(item);
}

static void *thread_main(void *user_data) {
    eop_joins *joins = user_data;
    edgeops_duration save_at = INT64_MAX;
    pthread_mutex_lock(&joins->lock);
    while (!joins->stop) {
        edgeops_duration due = 0;
        bool dirty = false;
        edgeops_duration now = eop_monotonic();
        bool save_now = now >= save_at;
        eop_node_join *item = save_now ? NULL : pick(joins, now, &due);
        if (item == NULL && !save_now) {
            wait_until(joins, due < save_at ? due : save_at);
            continue;
        }
        pthread_mutex_unlock(&joins->lock);
        if (save_now) {
            save_all(joins);
            save_at = INT64_MAX;
        } else {
            work_on(item, &dirty);
        }
        if (dirty && save_at == INT64_MAX) {
            save_at = now + SAVE_EVERY;
        }
        pthread_mutex_lock(&joins->lock);
    }
    pthread_mutex_unlock(&joins->lock);
    return NULL;
}

/* Starts the thread where there is something for it to do. */
static void start_thread(eop_joins *joins) {
    if (joins->running || joins->count == 0) {
        return;
    }
    joins->stop = false;
    edgeops_status status = edgeops_watch_open(&joins->watch, joins->node->store, on_append, joins);
    if (status == EDGEOPS_OK) {
        int error = eop_thread_create(&joins->thread, NULL, thread_main, joins);
        status = error != 0 ? eop_fail_errno(error, "node", "no thread is left") : EDGEOPS_OK;
    }
    joins->running = status == EDGEOPS_OK;
    if (!joins->running) {
        edgeops_watch_close(joins->watch);
        joins->watch = NULL;
        eop_log_write(node_log(joins->node), EDGEOPS_LOG_ERROR, "node",
                      "derived assets are not kept up to date: %s", edgeops_error_last()->message);
    }
}

void eop_joins_start(edgeops_node *node) {
    eop_joins *joins = node->joins;
    pthread_mutex_lock(&joins->lock);
    for (size_t i = 0; i < joins->count; i++) {
        joins->items[i]->pending = true;
    }
    pthread_mutex_unlock(&joins->lock);
    start_thread(joins);
}

void eop_joins_stop(edgeops_node *node) {
    eop_joins *joins = node->joins;
    if (joins == NULL || !joins->running) {
        return;
    }
    pthread_mutex_lock(&joins->lock);
    joins->stop = true;
    pthread_cond_broadcast(&joins->changed);
    pthread_mutex_unlock(&joins->lock);
    pthread_join(joins->thread, NULL);
    edgeops_watch_close(joins->watch);
    joins->watch = NULL;
    joins->running = false;
    save_all(joins);
}

edgeops_status eop_node_join_work(eop_node_join *item, edgeops_duration patience,
                                  bool (*go_on)(double part, void *user_data), void *user_data) {
    edgeops_duration until = eop_monotonic() + patience;
    edgeops_duration saved_at = eop_monotonic();
    edgeops_status status = EDGEOPS_OK;
    bool more = true;
    while (status >= 0 && more) {
        edgeops_duration due = 0;
        double part = 0;
        bool dirty = false;
        status = step(item, &due, &dirty);
        pthread_mutex_lock(&item->lock);
        if (status >= 0 && eop_monotonic() - saved_at >= SAVE_EVERY) {
            edgeops_status saved = save(item);
            status = saved < 0 ? saved : status;
            saved_at = eop_monotonic();
        }
        if (item->join == NULL && status == EDGEOPS_DONE) {
            status = eop_fail(EDGEOPS_E_NOTFOUND, "node", "the derived asset was removed");
        } else if (item->join != NULL) {
            eop_join_view view;
            eop_join_look(&view, item->join);
            part = view.part;
            more = status == EDGEOPS_OK || status == EDGEOPS_E_AGAIN ||
                   (view.waits >= 0 && eop_monotonic() + view.waits <= until);
        }
        pthread_mutex_unlock(&item->lock);
        status = status == EDGEOPS_E_AGAIN ? EDGEOPS_DONE : status; /* the store is behind */
        if (status >= 0 && !go_on(part, user_data)) {
            status = eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
        } else if (status == EDGEOPS_DONE && more) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10 * EDGEOPS_MILLISECOND}, NULL);
        }
    }
    pthread_mutex_lock(&item->lock);
    edgeops_status saved = status >= 0 ? save(item) : EDGEOPS_OK;
    pthread_mutex_unlock(&item->lock);
    return status < 0 ? status : saved;
}

/* -- the list -- */

/* record and spec: taken. */
static edgeops_status make_item(eop_node_join **out, eop_joins *joins, int64_t id,
                                eop_join_spec *spec, edgeops_time created) {
    eop_node_join *item = eop_calloc(1, sizeof *item);
    if (item == NULL) {
        eop_join_spec_dispose(spec);
        return eop_fail_nomem("node");
    }
    pthread_mutex_init(&item->lock, NULL);
    atomic_init(&item->holders, 1);
    item->joins = joins;
    item->id = id;
    item->created = created;
    item->spec = *spec;
    item->due = INT64_MAX;
    *spec = (eop_join_spec){0};
    edgeops_status status = set_hashes(item);
    if (status != EDGEOPS_OK) {
        eop_node_join_release(item);
        return status;
    }
    *out = item;
    return EDGEOPS_OK;
}

static edgeops_status check_room(const eop_joins *joins) {
    return joins->count < EOP_NODE_JOINS_MAX
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_LIMIT, "node", "a node has at most %u derived assets",
                          EOP_NODE_JOINS_MAX);
}

static edgeops_status put_item(eop_joins *joins, eop_node_join *item) {
    edgeops_status status = eop_derived_add(joins->node->derived, item->spec.name);
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&joins->lock);
        joins->items[joins->count++] = item;
        item->pending = true;
        pthread_cond_broadcast(&joins->changed);
        pthread_mutex_unlock(&joins->lock);
    }
    return status;
}

static bool has_asset(edgeops_node *node, const char *name) {
    edgeops_asset_info *info = NULL;
    bool found = edgeops_asset_get(&info, node->store, name) == EDGEOPS_OK;
    edgeops_free(info);
    return found;
}

static edgeops_status load_one(const char *name, const char *json, void *user_data) {
    eop_joins *joins = user_data;
    eop_json *record = NULL;
    eop_join_spec spec = {0};
    eop_node_join *item = NULL;
    edgeops_status status = check_room(joins);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&record, json, strlen(json), "join record", NULL);
    }
    if (status == EDGEOPS_OK) {
        const char *is = eop_json_string(record, "name", "");
        const char *was = eop_json_string(record, "was", NULL);
        if (was != NULL && !has_asset(joins->node, is) && has_asset(joins->node, was)) {
            is = was; /* killed before the store renamed it */
        }
        status = eop_join_spec_parse(&spec, is, record);
    }
    if (status == EDGEOPS_OK) {
        status = make_item(&item, joins, strtoll(name, NULL, 10), &spec,
                           eop_json_integer(record, "created_ns", 0));
    }
    eop_json_free(record);
    if (status == EDGEOPS_OK) {
        status = put_item(joins, item);
    }
    if (status != EDGEOPS_OK) {
        eop_node_join_release(item);
    }
    return status;
}

static edgeops_status make_list(edgeops_node *node) {
    pthread_condattr_t attributes;
    eop_joins *joins = eop_calloc(1, sizeof *joins);
    node->derived = eop_derived_new();
    if (joins == NULL || node->derived == NULL) {
        eop_free(joins);
        return eop_fail_nomem("node");
    }
    joins->node = node;
    pthread_mutex_init(&joins->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&joins->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    node->joins = joins;
    return EDGEOPS_OK;
}

edgeops_status eop_joins_load(edgeops_node *node) {
    edgeops_status status = make_list(node);
    if (status == EDGEOPS_OK) {
        status = eop_record_list(node->catalog, "join", load_one, node->joins);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < node->joins->count; i++) {
        open_join(node->joins->items[i]);
    }
    return status;
}

void eop_joins_free(eop_joins *joins) {
    if (joins == NULL) {
        return;
    }
    for (size_t i = 0; i < joins->count; i++) {
        eop_node_join_release(joins->items[i]);
    }
    pthread_cond_destroy(&joins->changed);
    pthread_mutex_destroy(&joins->lock);
    eop_free(joins);
}

size_t eop_joins_count(const edgeops_node *node) {
    return node->joins != NULL ? node->joins->count : 0;
}

eop_node_join *eop_joins_at(const edgeops_node *node, size_t at) {
    return node->joins->items[at];
}

eop_node_join *eop_joins_find(edgeops_node *node, const char *asset) {
    for (size_t i = 0; node->joins != NULL && i < node->joins->count; i++) {
        if (strcmp(node->joins->items[i]->spec.name, asset) == 0) {
            return node->joins->items[i];
        }
    }
    return NULL;
}

eop_node_join *eop_joins_find_equal(edgeops_node *node, const eop_join_spec *spec) {
    for (size_t i = 0; node->joins != NULL && i < node->joins->count; i++) {
        if (eop_join_spec_equal(&node->joins->items[i]->spec, spec)) {
            return node->joins->items[i];
        }
    }
    return NULL;
}

/* -- making and changing -- */

static eop_json *record_of(const eop_node_join *item) {
    eop_json *record = eop_join_spec_json(&item->spec);
    eop_json_set_string(record, "name", item->spec.name);
    eop_json_set_integer(record, "created_ns", item->created);
    return record;
}

/* Whether rows of the spec's inputs come, through other joins, from the asset. seen: one for each
 * join that was followed. */
static bool comes_from(const eop_joins *joins, const eop_join_spec *spec, const char *asset,
                       bool *seen) {
    if (eop_join_spec_reads(spec, asset)) {
        return true;
    }
    for (size_t i = 0; i < joins->count; i++) {
        const eop_join_spec *other = &joins->items[i]->spec;
        if (!seen[i] && eop_join_spec_reads(spec, other->name)) {
            seen[i] = true;
            if (comes_from(joins, other, asset, seen)) {
                return true;
            }
        }
    }
    return false;
}

static edgeops_status check_new(const eop_joins *joins, const eop_join_spec *spec, bool missing) {
    bool seen[EOP_NODE_JOINS_MAX] = {false};
    edgeops_status status = check_room(joins);
    if (status == EDGEOPS_OK) {
        status = eop_join_spec_check(spec, joins->node->store, missing);
    }
    if (status == EDGEOPS_OK && comes_from(joins, spec, spec->name, seen)) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "node", "asset '%s' would be made of itself", spec->name);
    }
    if (status == EDGEOPS_OK && has_asset(joins->node, spec->name)) {
        status =
            eop_fail(EDGEOPS_E_EXISTS, "node",
                     "there is an asset '%s' already; take another name or remove it", spec->name);
    }
    return status;
}

edgeops_status eop_joins_add(eop_node_join **out, edgeops_node *node, eop_join_spec *spec,
                             bool missing) {
    eop_joins *joins = node->joins;
    eop_node_join *item = NULL;
    int64_t id = 0;
    char name[24];
    edgeops_status status = check_new(joins, spec, missing);
    if (status == EDGEOPS_OK) {
        status = eop_record_number(&id, node->catalog, "join");
    }
    if (status != EDGEOPS_OK) {
        eop_join_spec_dispose(spec);
        return status;
    }
    status = make_item(&item, joins, id, spec, eop_now());
    if (status == EDGEOPS_OK) {
        eop_json *record = record_of(item);
        id_text(name, id);
        status = eop_put_record(node, "join", name, record, true);
        eop_json_free(record);
    }
    if (status == EDGEOPS_OK) {
        open_join(item);
        status = put_item(joins, item);
    }
    if (status != EDGEOPS_OK) {
        eop_node_join_release(item);
        return status;
    }
    if (node->started) {
        start_thread(joins);
    }
    *out = item;
    return EDGEOPS_OK;
}

edgeops_status eop_joins_check_unused(edgeops_node *node, const char *asset) {
    for (size_t i = 0; node->joins != NULL && i < node->joins->count; i++) {
        const eop_join_spec *spec = &node->joins->items[i]->spec;
        if (eop_join_spec_reads(spec, asset)) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "asset '%s' is joined of asset '%s'; remove it first", spec->name,
                            asset);
        }
    }
    return EDGEOPS_OK;
}

void eop_joins_close(edgeops_node *node, const char *asset) {
    eop_node_join *item = eop_joins_find(node, asset);
    if (item != NULL) {
        pthread_mutex_lock(&item->lock);
        eop_join_close(item->join);
        item->join = NULL;
        pthread_mutex_unlock(&item->lock);
    }
}

edgeops_status eop_joins_removed(edgeops_node *node, const char *asset) {
    eop_joins *joins = node->joins;
    eop_node_join *item = eop_joins_find(node, asset);
    char name[24];
    if (item == NULL) {
        return EDGEOPS_OK;
    }
    id_text(name, item->id);
    edgeops_status status = eop_record_remove(node->catalog, "join", name);
    if (status != EDGEOPS_OK && status != EDGEOPS_E_NOTFOUND) {
        return status;
    }
    eop_joins_close(node, asset);
    pthread_mutex_lock(&joins->lock);
    for (size_t i = 0; i < joins->count; i++) {
        if (joins->items[i] == item) {
            joins->count--;
            memmove(&joins->items[i], &joins->items[i + 1],
                    (joins->count - i) * sizeof(eop_node_join *));
            break;
        }
    }
    pthread_mutex_unlock(&joins->lock);
    eop_derived_remove(node->derived, asset);
    eop_node_join_release(item);
    status = eop_record_remove(node->catalog, "join-state", name);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

/* A copy of the definition with the other name; *reads: the asset is an input. */
static edgeops_status renamed(eop_join_spec *out, const eop_join_spec *spec, const char *asset,
                              const char *channel, const char *to) {
    bool itself = strcmp(spec->name, asset) == 0;
    eop_json *json = eop_join_spec_json(spec);
    edgeops_status status =
        eop_join_spec_parse(out, itself && channel == NULL ? to : spec->name, json);
    eop_json_free(json);
    if (status == EDGEOPS_OK) {
        status = eop_join_spec_rename(out, asset, channel, to);
    }
    for (size_t i = 0; status == EDGEOPS_OK && itself && channel != NULL && i < out->count; i++) {
        if (strcmp(out->channels[i].as, channel) == 0) {
            char *copy = eop_strdup(to);
            status = copy != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
            if (copy != NULL) {
                eop_free(out->channels[i].as);
                out->channels[i].as = copy;
            }
        }
    }
    return status;
}

/* Takes the definition; a step sees the old one or the new one. */
static edgeops_status change(eop_node_join *item, eop_join_spec *spec) {
    eop_joins *joins = item->joins;
    char name[24];
    bool moved = strcmp(item->spec.name, spec->name) != 0;
    id_text(name, item->id);
    pthread_mutex_lock(&item->lock);
    edgeops_status status = save(item);
    if (status == EDGEOPS_OK && moved) {
        status = eop_derived_add(joins->node->derived, spec->name);
    }
    if (status == EDGEOPS_OK) {
        eop_join_spec old = item->spec;
        item->spec = *spec;
        eop_json *record = record_of(item);
        if (moved) {
            eop_json_set_string(record, "was", old.name);
        }
        status = eop_put_record(joins->node, "join", name, record, false);
        eop_json_free(record);
        item->spec = old;
    }
    if (status == EDGEOPS_OK) {
        eop_join_close(item->join);
        item->join = NULL;
        if (moved) {
            eop_derived_remove(joins->node->derived, item->spec.name);
        }
        pthread_mutex_lock(&joins->lock);
        eop_join_spec_dispose(&item->spec);
        item->spec = *spec;
        *spec = (eop_join_spec){0};
        status = set_hashes(item);
        pthread_mutex_unlock(&joins->lock);
    }
    pthread_mutex_unlock(&item->lock);
    return status;
}

/* Then the store will refuse it, and nothing must be undone. */
static bool is_taken(edgeops_node *node, const char *asset, const char *channel, const char *to) {
    edgeops_asset_info *info = NULL;
    bool taken = edgeops_asset_get(&info, node->store, channel == NULL ? to : asset) == EDGEOPS_OK;
    for (size_t i = 0; taken && channel != NULL; i++) {
        if (i == info->channel_count) {
            taken = false;
        } else if (strcmp(info->channels[i].name, to) == 0) {
            break;
        }
    }
    edgeops_free(info);
    return taken;
}

edgeops_status eop_joins_rename(eop_json *names, edgeops_node *node, const char *asset,
                                const char *channel, const char *to) {
    edgeops_status status = EDGEOPS_OK;
    if (is_taken(node, asset, channel, to)) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < node->joins->count; i++) {
        eop_node_join *item = node->joins->items[i];
        bool reads = eop_join_spec_reads(&item->spec, asset);
        if (!reads && strcmp(item->spec.name, asset) != 0) {
            continue;
        }
        eop_join_spec spec = {0};
        status = renamed(&spec, &item->spec, asset, channel, to);
        if (status == EDGEOPS_OK) {
            status = change(item, &spec);
        }
        eop_join_spec_dispose(&spec);
        if (status == EDGEOPS_OK && reads) {
            eop_json_append_string(names, item->spec.name);
        }
    }
    return status;
}

void eop_joins_reopen(edgeops_node *node) {
    eop_joins *joins = node->joins;
    for (size_t i = 0; i < joins->count; i++) {
        eop_node_join *item = joins->items[i];
        pthread_mutex_lock(&item->lock);
        if (item->join == NULL) {
            open_join(item);
        }
        pthread_mutex_unlock(&item->lock);
        pthread_mutex_lock(&joins->lock);
        item->pending = true;
        pthread_cond_broadcast(&joins->changed);
        pthread_mutex_unlock(&joins->lock);
    }
}

/* -- showing -- */

eop_json *eop_node_join_definition(const eop_node_join *item) {
    return eop_join_spec_json(&item->spec);
}

/* An input that is not there yet; NULL: all are. */
static char *tell_missing(const eop_node_join *item) {
    for (size_t i = 0; i < item->spec.count; i++) {
        const eop_join_channel *c = &item->spec.channels[i];
        edgeops_asset_info *info = NULL;
        char *text = NULL;
        if (edgeops_asset_get(&info, item->joins->node->store, c->asset) != EDGEOPS_OK) {
            return eop_format("asset '%s' has not come yet", c->asset);
        }
        if (eop_info_channel(info, c->channel) == NULL) {
            text = eop_format("channel '%s' of asset '%s' has not come yet", c->channel, c->asset);
        }
        edgeops_free(info);
        if (text != NULL) {
            return text;
        }
    }
    return NULL;
}

eop_json *eop_node_join_describe(eop_node_join *item) {
    eop_json *json = eop_join_spec_json(&item->spec);
    const eop_joins *joins = item->joins;
    eop_join_view view = {.waits = -1, .part = 1};
    if (item->join != NULL) {
        eop_join_look(&view, item->join);
    }
    const char *problem = item->problem != NULL ? item->problem : view.problem;
    char *missing = problem[0] == '\0' ? tell_missing(item) : NULL;
    const char *detail = problem[0] != '\0' ? problem
                         : missing != NULL  ? missing
                         : joins->running   ? NULL
                                            : EOP_NOTE_NOT_STARTED;
    eop_json_set_string(json, "state",
                        problem[0] != '\0' ? "failed"
                        : !joins->running  ? "stopped"
                        : missing != NULL  ? "waiting"
                        : view.part < 1    ? "joining"
                                           : "running");
    eop_json_set_string(json, "detail", detail);
    eop_json_set_number(json, "part", view.part);
    eop_json_set_integer(json, "behind", (int64_t)view.behind);
    eop_json_set_integer(json, "late", (int64_t)view.late);
    eop_json_set_integer(json, "conflicts", (int64_t)view.conflicts);
    eop_json_set_integer(json, "lost", (int64_t)view.lost);
    eop_free(missing);
    return json;
}
