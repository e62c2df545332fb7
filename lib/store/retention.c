/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the policies: drops chunks that are over an age or a size, oldest first, until nothing is
 * due. Rows of the journal that are due become chunks first. Runs in the writer's thread, one
 * transaction a step; chunks that datasets pin stay. Takes `hold` for writing during a step. */
#include "store/retention.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "catalog/policy.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/readers.h"
#include "store/rollup.h"
#include "store/room.h"
#include "store/telemetry_db.h"
#include "store/trim.h"
#include "store/upkeep.h"
#include "store/wal.h"

enum {
    STEP_CHUNKS = 16,
    SIZE_PART = 16 /* less than this part of a size is left in the journal */
};

/* Position of the walk through an asset's chunks: (t1, t0, ord0). */
typedef struct place {
    int64_t t1;
    int64_t t0;
    uint64_t ord0;
} place;

/* An asset with chunks that may be due. */
typedef struct item {
    place at; /* first: the heap's key; chunks up to here were examined */
    uint32_t asset;
    bool touched;     /* some of its chunks were dropped */
    uint64_t waiting; /* bytes of chunks that go with rows of the next one that is dropped */
    uint64_t sizes;   /* bit k: policy k counts its bytes */
    int64_t cutoff;   /* older samples are due; INT64_MIN: none are */
    bool in_parts;    /* rows of it came in parts */
    const eop_policy *decides;
} item;

typedef struct pin {
    int64_t start;
    int64_t end;
    uint64_t max_ordinal;
} pin;

/* What one transaction drops of one asset. */
typedef struct share {
    uint32_t asset;
    uint64_t rows;
    uint64_t bytes;
    int64_t until;
    int64_t first;
    int64_t cutoff;
    const eop_policy *decides;
    eop_gone gone; /* rows that began in what is dropped */
} share;

struct eop_retain_run {
    edgeops_time now;
    eop_policy *policies;
    char *patterns[EOP_POLICIES_MAX]; /* the policies' patterns */
    size_t policy_count;
    size_t policy_capacity;
    int64_t excess[EOP_POLICIES_MAX]; /* bytes that must go for policy k */
    int64_t stored[EOP_POLICIES_MAX]; /* bytes in chunks that it covers */
    int64_t recent[EOP_POLICIES_MAX]; /* memory of the rows in the journal that it covers */
    uint64_t split;  /* bit k: the journal has parts of older rows of an asset that it covers */
    bool exact;      /* asked for: not only when it is worth small chunks */
    bool marks;      /* in the writer's thread: blocks may be marked */
    bool ripe;       /* rows of the journal are due */
    bool stuck;      /* they cannot be written as chunks */
    uint64_t target; /* the segment they are in; 0: not sealed yet */
    item *heap;
    size_t count;
    size_t capacity;
    pin *pins; /* of the current asset */
    size_t pin_count;
    size_t pin_capacity;
    uint32_t pins_of;
    share shares[STEP_CHUNKS];
    size_t share_count;
    eop_retained done;
    eop_buf buf;
};

void eop_retain_free(eop_retain_run *run) {
    if (run == NULL) {
        return;
    }
    for (size_t i = 0; i < run->policy_count; i++) {
        eop_free(run->patterns[i]);
    }
    eop_free(run->policies);
    eop_free(run->heap);
    eop_free(run->pins);
    eop_buf_dispose(&run->buf);
    eop_free(run);
}

/* -- what is asked for -- */

static edgeops_status take_policy(const eop_policy *policy, void *user_data) {
    eop_retain_run *run = user_data;
    if (run->policy_count == EOP_POLICIES_MAX) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&run->policies, &run->policy_capacity, run->policy_count + 1,
                  sizeof *run->policies)) {
        return eop_fail_nomem("store");
    }
    eop_policy *copy = &run->policies[run->policy_count];
    *copy = *policy;
    char *pattern = eop_strdup(policy->pattern);
    if (pattern == NULL) {
        return eop_fail_nomem("store");
    }
    copy->pattern = pattern;
    run->patterns[run->policy_count++] = pattern;
    return EDGEOPS_OK;
}

static bool more_specific(const char *a, const char *b) {
    bool name_a = strchr(a, '*') == NULL;
    bool name_b = strchr(b, '*') == NULL;
    if (name_a != name_b) {
        return name_a;
    }
    size_t size_a = strlen(a);
    size_t size_b = strlen(b);
    return size_a != size_b ? size_a > size_b : strcmp(a, b) < 0;
}

/* Under `lock`. A block with rows that are due becomes chunks that are cut between these and others.
 * In the background that waits until all are due, or some have twice the age, because each time
 * makes small chunks. */
static void note_recent(eop_retain_run *run, const eop_series *series, const item *it) {
    int64_t oldest = it->cutoff; /* older rows make it ripe */
    if (!run->exact && it->cutoff != INT64_MIN) {
        bool far = it->cutoff > INT64_MIN + it->decides->max_age;
        oldest = far ? it->cutoff - it->decides->max_age : INT64_MIN;
    }
    for (eop_block *block = series->blocks; block != NULL; block = block->next) {
        if (block->data.rows == 0) {
            continue;
        }
        run->ripe = run->ripe || block->t_max < it->cutoff || block->t_min < oldest;
        if (block->parts != NULL && block->parts->later_count > 0) {
            /* Parts of rows that may go must be in chunks, where they go with them. */
            run->ripe = run->ripe || block->t_min < it->cutoff;
            run->split |= it->sizes;
        }
        if (run->marks && block->t_min < it->cutoff && block->t_max >= it->cutoff) {
            block->splits = true;
            block->split = it->cutoff;
        }
        for (size_t k = 0; k < run->policy_count; k++) {
            run->recent[k] += (it->sizes >> k & 1) != 0 ? (int64_t)block->memory : 0;
        }
    }
}

/* Under `lock`. */
static edgeops_status add_asset(eop_retain_run *run, const eop_series *series) {
    item it = {.at = {INT64_MIN, INT64_MIN, 0},
               .asset = series->asset.id,
               .cutoff = INT64_MIN,
               .in_parts = series->stored.parts > 0};
    for (size_t k = 0; k < run->policy_count; k++) {
        const eop_policy *policy = &run->policies[k];
        if (!eop_glob(policy->pattern, series->asset.name)) {
            continue;
        }
        it.sizes |= policy->max_bytes > 0 || policy->min_free > 0 ? UINT64_C(1) << k : 0;
        if (it.decides == NULL || more_specific(policy->pattern, it.decides->pattern)) {
            it.decides = policy;
        }
    }
    if (it.decides != NULL && it.decides->max_age > 0 &&
        run->now > EDGEOPS_TIME_MIN + it.decides->max_age) {
        it.cutoff = run->now - it.decides->max_age;
    }
    note_recent(run, series, &it);
    bool empty = series->stored.rows == 0 && !it.in_parts;
    if (empty || (it.sizes == 0 && series->stored.first >= it.cutoff)) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&run->heap, &run->capacity, run->count + 1, sizeof *run->heap)) {
        return eop_fail_nomem("store");
    }
    it.at.t1 = series->stored.first;
    run->heap[run->count++] = it;
    return EDGEOPS_OK;
}

static edgeops_status add_assets(eop_retain_run *run, edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        status = add_asset(run, eop_series_at(&store->assets, i));
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* Relies on items being in order of ids: they are not a heap yet. */
static edgeops_status add_bytes(uint32_t asset, const eop_state *state, void *user_data) {
    eop_retain_run *run = user_data;
    size_t low = 0;
    size_t high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->heap[middle].asset < asset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < run->count && run->heap[low].asset == asset) {
        for (size_t k = 0; k < run->policy_count; k++) {
            if ((run->heap[low].sizes >> k & 1) != 0) {
                run->stored[k] += (int64_t)state->bytes;
            }
        }
    }
    return EDGEOPS_OK;
}

/* Computes how many bytes each policy wants to drop. */
static edgeops_status find_excess(eop_retain_run *run, edgeops_store *store,
                                  eop_telemetry *telemetry) {
    uint64_t free_bytes = 0;
    edgeops_status status = eop_disk_free(&free_bytes, store->home);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_states(telemetry, add_bytes, run);
    }
    for (size_t k = 0; k < run->policy_count; k++) {
        const eop_policy *policy = &run->policies[k];
        run->excess[k] = policy->max_bytes > 0 ? run->stored[k] - (int64_t)policy->max_bytes : 0;
        /* A size has little to gain from the journal, unless it is small. */
        run->ripe = run->ripe || (policy->max_bytes > 0 && run->excess[k] + run->recent[k] > 0 &&
                                  run->recent[k] > (int64_t)(policy->max_bytes / SIZE_PART));
        if (policy->min_free > free_bytes &&
            (int64_t)(policy->min_free - free_bytes) > run->excess[k]) {
            run->excess[k] = (int64_t)(policy->min_free - free_bytes);
            run->ripe = run->ripe || (run->recent[k] > 0 && run->stored[k] < run->excess[k]);
        }
        run->ripe = run->ripe || (run->excess[k] > 0 && (run->split >> k & 1) != 0);
    }
    return status;
}

/* -- the heap: what is oldest comes first -- */

static bool is_older(const item *a, const item *b) {
    if (a->at.t1 != b->at.t1) {
        return a->at.t1 < b->at.t1;
    }
    return a->asset < b->asset;
}

static void sift_down(eop_retain_run *run, size_t i) {
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < run->count; child++) {
            least = is_older(&run->heap[child], &run->heap[least]) ? child : least;
        }
        if (least == i) {
            return;
        }
        item swap = run->heap[i];
        run->heap[i] = run->heap[least];
        run->heap[least] = swap;
        i = least;
    }
}

static void pop_item(eop_retain_run *run) {
    run->heap[0] = run->heap[--run->count];
    sift_down(run, 0);
}

/* Finds anew what is due. */
static edgeops_status fill_run(eop_retain_run *run, edgeops_store *store,
                               eop_telemetry *telemetry) {
    run->count = 0;
    run->ripe = false;
    run->split = 0;
    memset(run->stored, 0, sizeof run->stored);
    memset(run->recent, 0, sizeof run->recent);
    edgeops_status status = add_assets(run, store);
    if (status == EDGEOPS_OK) {
        status = find_excess(run, store, telemetry);
    }
    for (size_t i = run->count / 2; i-- > 0;) {
        sift_down(run, i);
    }
    return status;
}

/* exact, marks: see the members. */
static edgeops_status make_run(eop_retain_run **out, edgeops_store *store, eop_telemetry *telemetry,
                               bool exact, bool marks) {
    eop_retain_run *run = eop_calloc(1, sizeof *run);
    *out = NULL;
    if (run == NULL) {
        return eop_fail_nomem("store");
    }
    run->exact = exact;
    run->marks = marks;
    run->now = eop_now();
    run->done.until = INT64_MIN;
    edgeops_status status = eop_policy_list(&store->catalog, take_policy, run);
    if (status == EDGEOPS_OK) {
        status = fill_run(run, store, telemetry);
    }
    if (status != EDGEOPS_OK) {
        eop_retain_free(run);
        return status;
    }
    *out = run;
    return EDGEOPS_OK;
}

edgeops_status eop_retain_new(eop_retain_run **out, edgeops_store *store) {
    return make_run(out, store, &store->writer, false, true);
}

/* -- rows of the journal -- */

/* The writer's thread: seals the rows of the journal and lets the writer, which comes back here
 * after each segment, put them into chunks. DONE: it has, or it cannot. */
static edgeops_status write_recent(eop_retain_run *run, edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);
    bool failing = store->writes_tried.status != EDGEOPS_OK;
    if (run->target == 0) {
        if (!failing && store->active != NULL && store->active->blocks != NULL) {
            status = eop_store_rotate(store, 0);
        }
        run->target = store->last_sealed != NULL ? store->last_sealed->number : UINT64_MAX;
    }
    bool waits = store->sealed != NULL && store->sealed->number <= run->target;
    pthread_mutex_unlock(&store->lock);
    run->stuck = failing || status != EDGEOPS_OK;
    return waits && !run->stuck ? EDGEOPS_OK : EDGEOPS_DONE;
}

/* -- what a dataset holds -- */

static edgeops_status load_pins(eop_retain_run *run, eop_catalog *catalog, uint32_t asset) {
    sqlite3_stmt *select = NULL;
    run->pin_count = 0;
    run->pins_of = asset;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_PINS);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
    }
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        if (!eop_grow(&run->pins, &run->pin_capacity, run->pin_count + 1, sizeof *run->pins)) {
            status = eop_fail_nomem("store");
            sqlite3_reset(select);
            break;
        }
        run->pins[run->pin_count++] =
            (pin){sqlite3_column_int64(select, 0), sqlite3_column_int64(select, 1),
                  (uint64_t)sqlite3_column_int64(select, 2)};
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static bool holds_chunk(const eop_retain_run *run, const eop_chunk_info *chunk) {
    for (size_t i = 0; i < run->pin_count; i++) {
        const pin *p = &run->pins[i];
        if (chunk->ord0 <= p->max_ordinal && chunk->t1 >= p->start &&
            (chunk->t0 < p->end || p->end == EDGEOPS_TIME_MAX)) {
            return true;
        }
    }
    return false;
}

/* -- a step -- */

static bool is_behind(const eop_chunk_info *chunk, const place *at) {
    if (chunk->t1 != at->t1) {
        return chunk->t1 > at->t1;
    }
    return chunk->t0 != at->t0 ? chunk->t0 > at->t0 : chunk->ord0 > at->ord0;
}

static bool is_due(const eop_retain_run *run, const item *it, int64_t t1) {
    if (t1 < it->cutoff) {
        return true;
    }
    for (size_t k = 0; k < run->policy_count; k++) {
        if ((it->sizes >> k & 1) != 0 && run->excess[k] > 0) {
            return true;
        }
    }
    return false;
}

/* Finds the asset's next chunk behind the item's place that no dataset holds. DONE: none. */
static edgeops_status next_chunk(eop_chunk_info *chunk, eop_retain_run *run,
                                 eop_telemetry *telemetry, item *it) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_OLDEST);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, it->asset);
    eop_sql_bind_int(select, 2, it->at.t1);
    while ((status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        status = eop_telemetry_take_info(chunk, select);
        if (status != EDGEOPS_OK) {
            break;
        }
        bool known = !is_behind(chunk, &it->at);
        bool is_held = !known && holds_chunk(run, chunk);
        if (!known && !is_held) {
            break;
        }
        if (is_held) {
            run->done.held += is_due(run, it, chunk->t1);
            it->at = (place){chunk->t1, chunk->t0, chunk->ord0};
        }
    }
    sqlite3_reset(select);
    return status;
}

/* What this step drops of the item's asset. */
static share *find_share(eop_retain_run *run, const item *it) {
    size_t i = 0;
    while (i < run->share_count && run->shares[i].asset != it->asset) {
        i++;
    }
    if (i == run->share_count) {
        run->shares[run->share_count++] = (share){
            .asset = it->asset, .until = INT64_MIN, .cutoff = it->cutoff, .decides = it->decides};
    }
    return &run->shares[i];
}

static void count_dropped(eop_retain_run *run, item *it, const eop_chunk_info *chunk,
                          uint64_t bytes) {
    eop_retained *done = &run->done;
    int64_t until = chunk->t1 < run->now ? chunk->t1 : run->now;
    uint64_t rows = chunk->rows - chunk->later;
    for (size_t k = 0; k < run->policy_count; k++) {
        if ((it->sizes >> k & 1) != 0) {
            run->excess[k] -= (int64_t)(bytes + it->waiting);
        }
    }
    it->waiting = 0;
    done->chunks++;
    done->assets += !it->touched;
    it->touched = true;
    done->rows += rows;
    done->bytes += bytes;
    done->until = until > done->until ? until : done->until;
    share *s = find_share(run, it);
    s->rows += rows;
    s->bytes += bytes;
    s->until = until > s->until ? until : s->until;
}

/* Adds the chunk to the rollups and removes it. */
static edgeops_status drop_chunk(eop_retain_run *run, edgeops_store *store,
                                 eop_telemetry *telemetry, const item *it,
                                 const eop_chunk_info *chunk) {
    edgeops_status status = EDGEOPS_OK;
    if (it->decides->rollup_count > 0) {
        status = eop_rollup_chunk(store, telemetry, it->asset, chunk, it->decides->rollups,
                                  it->decides->rollup_count, &run->buf);
    }
    if (status == EDGEOPS_OK && it->in_parts) {
        status = eop_gone_note(&find_share(run, it)->gone, telemetry, chunk);
    }
    return status == EDGEOPS_OK ? eop_telemetry_remove_chunk(telemetry, chunk->id) : status;
}

/* *waits: rows that stay so far have later parts in the chunk. A dry run drops nothing: what it has
 * examined is there, too. */
static edgeops_status look_for_rows(bool *waits, eop_retain_run *run, eop_telemetry *telemetry,
                                    const item *it, const eop_chunk_info *chunk, bool dry) {
    eop_chunk_list list = {0};
    edgeops_status status = EDGEOPS_OK;
    *waits = false;
    if (chunk->later > 0) {
        status = eop_telemetry_find(&list, telemetry, it->asset, chunk->t0, chunk->t1);
    }
    for (size_t i = 0; status == EDGEOPS_OK && !*waits && i < list.count; i++) {
        const eop_chunk_info *first = &list.items[i];
        bool holds = holds_chunk(run, first);
        bool dropped = dry && !holds && !is_behind(first, &it->at);
        /* A row's first part is older than the others: two chunks never wait for each other. */
        if (first->ord0 < chunk->ord0 && first->later < first->rows && !dropped) {
            status = eop_trim_has_parts(waits, telemetry, chunk, first);
            run->done.held += *waits && holds;
        }
    }
    eop_free(list.items);
    return status;
}

/* Examines the oldest item. *dropped: whether a chunk was dropped. DONE: there are no more
 * items. */
static edgeops_status examine_oldest(bool *dropped, eop_retain_run *run, edgeops_store *store,
                                     eop_telemetry *telemetry, bool dry) {
    eop_chunk_info chunk;
    uint64_t bytes = 0;
    bool waits = false;
    *dropped = false;
    if (run->count == 0) {
        return EDGEOPS_DONE;
    }
    item *it = &run->heap[0];
    if (!is_due(run, it, it->at.t1)) {
        pop_item(run);
        return EDGEOPS_OK;
    }
    edgeops_status status = EDGEOPS_OK;
    if (run->pins_of != it->asset) {
        status = load_pins(run, &store->catalog, it->asset);
    }
    if (status == EDGEOPS_OK) {
        status = next_chunk(&chunk, run, telemetry, it);
    }
    if (status == EDGEOPS_DONE) {
        pop_item(run);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK && chunk.t1 > it->at.t1) {
        /* Back into the heap: another asset may have an older chunk. */
        it->at = (place){chunk.t1, INT64_MIN, 0};
        sift_down(run, 0);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_chunk_bytes(&bytes, telemetry, chunk.id);
    }
    if (status == EDGEOPS_OK) {
        status = look_for_rows(&waits, run, telemetry, it, &chunk, dry);
    }
    if (status == EDGEOPS_OK && !dry && !waits) {
        status = drop_chunk(run, store, telemetry, it, &chunk);
    }
    if (status == EDGEOPS_OK) {
        it->at = (place){chunk.t1, chunk.t0, chunk.ord0};
        it->waiting += waits ? bytes : 0;
        *dropped = !waits;
    }
    if (*dropped) {
        count_dropped(run, it, &chunk, bytes);
    }
    return status;
}

/* Later parts of the rows that go are in chunks that stay. */
static edgeops_status trim_share(eop_retain_run *run, edgeops_store *store, share *s,
                                 eop_telemetry *telemetry) {
    const eop_trim trim = {.store = store,
                           .asset = s->asset,
                           .rollups = s->decides->rollups,
                           .rollup_count = s->decides->rollup_count};
    return eop_trim_chunks(&s->gone, telemetry, &trim, &run->buf);
}

static edgeops_status save_share(share *s, eop_telemetry *telemetry) {
    sqlite3_stmt *update = NULL;
    edgeops_status status = eop_sql_get(&update, &telemetry->sql, STATE_DROP);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(update, 1, s->asset);
        eop_sql_bind_int(update, 2, (int64_t)s->rows);
        eop_sql_bind_int(update, 3, (int64_t)s->bytes);
        eop_sql_bind_int(update, 4, s->until);
        status = eop_sql_next(&telemetry->sql, update);
    }
    if (status == EDGEOPS_OK) {
        s->first = sqlite3_column_int64(update, 0);
        sqlite3_reset(update);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Under `lock`. */
static void show_share(const share *s, edgeops_store *store) {
    eop_series *series = eop_series_by_id(&store->assets, s->asset);
    if (series == NULL) {
        return;
    }
    series->stored.rows -= s->rows < series->stored.rows ? s->rows : series->stored.rows;
    series->all.rows -= s->rows < series->all.rows ? s->rows : series->all.rows;
    series->stored.first = s->first;
    series->dropped += s->rows;
    series->until = s->until > series->until ? s->until : series->until;
    int64_t first = series->stored.rows > 0 ? s->first : INT64_MAX;
    for (const eop_block *block = series->blocks; block != NULL; block = block->next) {
        if (block->data.rows > 0 && block->t_min < first) {
            first = block->t_min;
        }
    }
    series->all.first = series->all.rows > 0 ? first : s->first;
}

static void forget_gone(eop_retain_run *run) {
    for (size_t i = 0; i < run->share_count; i++) {
        eop_gone_dispose(&run->shares[i].gone);
    }
}

/* Drops some chunks; with `dry` none. DONE: nothing more is due. */
static edgeops_status run_step(eop_retain_run *run, edgeops_store *store, eop_telemetry *telemetry,
                               bool dry) {
    edgeops_status status = EDGEOPS_OK;
    run->share_count = 0;
    run->pins_of = 0; /* a dataset may have come or gone */
    for (size_t n = 0; status == EDGEOPS_OK && n < STEP_CHUNKS;) {
        bool dropped = false;
        status = examine_oldest(&dropped, run, store, telemetry, dry);
        n += dropped;
    }
    bool done = status == EDGEOPS_DONE;
    status = done ? EDGEOPS_OK : status;
    for (size_t i = 0; !dry && status == EDGEOPS_OK && i < run->share_count; i++) {
        status = trim_share(run, store, &run->shares[i], telemetry);
        if (status == EDGEOPS_OK) {
            status = save_share(&run->shares[i], telemetry);
        }
    }
    forget_gone(run);
    return status == EDGEOPS_OK && done ? EDGEOPS_DONE : status;
}

/* Where sizes, the free disk, or rows that cannot leave the journal stay as they are. */
static void note_shortage(eop_retain_run *run) {
    run->done.short_of = run->done.short_of || run->stuck;
    for (size_t k = 0; k < run->policy_count; k++) {
        run->done.short_of = run->done.short_of || run->excess[k] > 0;
    }
}

edgeops_status eop_retain_step(edgeops_store *store, void *data) {
    eop_retain_run *run = data;
    if (run->ripe) {
        edgeops_status status = write_recent(run, store);
        if (status == EDGEOPS_DONE) {
            status = fill_run(run, store, &store->writer);
            run->ripe = false;
        }
        return status;
    }
    if (pthread_rwlock_trywrlock(&store->hold) != 0) {
        return eop_fail(EDGEOPS_E_BUSY, "store",
                        "nothing is dropped while a dataset is being made; try again");
    }
    edgeops_status status = eop_sql_begin(&store->writer.sql);
    bool done = false;
    if (status == EDGEOPS_OK) {
        status = run_step(run, store, &store->writer, false);
        done = status == EDGEOPS_DONE;
        status = eop_sql_end(&store->writer.sql, done ? EDGEOPS_OK : status);
    }
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        for (size_t i = 0; i < run->share_count; i++) {
            show_share(&run->shares[i], store);
        }
        store->chunk_epoch++;
        store->sweep_due = store->sweep_due || (done && run->done.chunks > 0);
        /* Free pages are reused; the file is shortened only when a policy asks for free disk
         * space. */
        for (size_t k = 0; done && run->done.chunks > 0 && k < run->policy_count; k++) {
            store->shrink_due = store->shrink_due || run->policies[k].min_free > 0;
        }
        pthread_mutex_unlock(&store->lock);
    }
    pthread_rwlock_unlock(&store->hold);
    if (status == EDGEOPS_OK && run->share_count > 0) {
        eop_store_checkpoint_chunks(store, false);
    }
    if (status == EDGEOPS_OK && done) {
        note_shortage(run);
    }
    return status == EDGEOPS_OK && done ? EDGEOPS_DONE : status;
}

/* -- the calls -- */

typedef struct asked {
    eop_retain_run *run;
    bool exact;
} asked;

/* The writer's thread. */
static edgeops_status begin_asked(asked *a, edgeops_store *store) {
    return a->run == NULL ? make_run(&a->run, store, &store->writer, a->exact, true) : EDGEOPS_OK;
}

static edgeops_status run_requested(edgeops_store *store, void *data) {
    asked *a = data;
    edgeops_status status = begin_asked(a, store);
    return status == EDGEOPS_OK ? eop_retain_step(store, a->run) : status;
}

/* Only the rows of the journal that are due become chunks, so that they are counted as such. */
static edgeops_status write_requested(edgeops_store *store, void *data) {
    asked *a = data;
    edgeops_status status = begin_asked(a, store);
    if (status == EDGEOPS_OK) {
        status = a->run->ripe ? write_recent(a->run, store) : EDGEOPS_DONE;
    }
    return status;
}

static edgeops_status run_dry(eop_retained *out, edgeops_store *store, bool exact,
                              bool (*go_on)(void *user_data), void *user_data) {
    eop_telemetry reader = {0};
    eop_retain_run *run = NULL;
    asked a = {0};
    eop_store_make_way(store);
    edgeops_status status = eop_upkeep_do(store, write_requested, &a, go_on, user_data);
    bool stuck = status == EDGEOPS_OK && a.run->stuck;
    eop_retain_free(a.run);
    if (status == EDGEOPS_OK) {
        status = eop_reader_take(&reader, store);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_telemetry_begin(&reader);
    if (status == EDGEOPS_OK) {
        status = make_run(&run, store, &reader, exact, false);
    }
    while (status == EDGEOPS_OK) {
        status = run_step(run, store, &reader, true);
        if (status == EDGEOPS_OK && go_on != NULL && !go_on(user_data)) {
            status = eop_fail(EDGEOPS_E_CANCELED, "store", "it was canceled");
        }
    }
    eop_telemetry_end(&reader);
    eop_reader_give(store, &reader);
    if (status == EDGEOPS_DONE) {
        run->stuck = stuck;
        note_shortage(run);
        *out = run->done;
        status = EDGEOPS_OK;
    }
    eop_retain_free(run);
    return status;
}

edgeops_status eop_retention_run(eop_retained *out, edgeops_store *store, eop_retention_how how,
                                 bool (*go_on)(void *user_data), void *user_data) {
    EOP_REQUIRE(out != NULL && store != NULL, "store");
    if (how != EOP_RETENTION_DROP) {
        return run_dry(out, store, how == EOP_RETENTION_DRY, go_on, user_data);
    }
    asked a = {.exact = true};
    edgeops_status status = eop_upkeep_do(store, run_requested, &a, go_on, user_data);
    if (status == EDGEOPS_OK) {
        *out = a.run->done;
    }
    eop_retain_free(a.run);
    return status;
}
