/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of sealed segments between appends and the background writer: sealing, a new active
 * segment, room for the next append, the journal's spare, and waiting for queued segments. Under
 * `lock`, except making the spare, which holds only `spare_lock` while it writes. */
#include "store/queue.h"

#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "store/home.h"
#include "store/internal.h"

void eop_writer_wake(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    store->woken = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
}

void eop_writer_sync_names(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    store->checkpoint_due = true;
    store->woken = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
}

void eop_store_seal(edgeops_store *store, eop_segment *segment) {
    segment->next = NULL;
    if (store->last_sealed != NULL) {
        store->last_sealed->next = segment;
    } else {
        store->sealed = segment;
    }
    store->last_sealed = segment;
    store->sealed_count++;
}

void eop_store_fit_segments(edgeops_store *store, const eop_segment *segment) {
    uint64_t bytes = 0;
    for (const eop_block *block = segment->blocks; block != NULL; block = block->next_in_segment) {
        bytes += EOP_PART_BYTES;
    }
    eop_journal_want(store->journal, bytes < store->grown_bytes ? bytes : store->grown_bytes);
}

edgeops_status eop_store_rotate(edgeops_store *store, size_t payload) {
    eop_segment *next = eop_calloc(1, sizeof *next);
    if (next == NULL) {
        return eop_fail_nomem("store");
    }
    uint64_t used = eop_journal_used(store->journal);
    edgeops_status status = eop_journal_rotate(store->journal, payload);
    if (status != EDGEOPS_OK) {
        eop_free(next);
        return status;
    }
    next->number = eop_journal_active(store->journal);
    if (store->active != NULL) {
        store->active->bytes = used;
        eop_store_fit_segments(store, store->active);
        eop_store_seal(store, store->active);
    }
    store->active = next;
    eop_writer_wake(store);
    return EDGEOPS_OK;
}

bool eop_store_wait_changed(edgeops_store *store, edgeops_duration deadline) {
    struct timespec until = {.tv_sec = (time_t)(deadline / EDGEOPS_SECOND),
                             .tv_nsec = (long)(deadline % EDGEOPS_SECOND)};
    return pthread_cond_timedwait(&store->changed, &store->lock, &until) != ETIMEDOUT;
}

static edgeops_duration deadline_in(edgeops_duration wait) {
    edgeops_duration deadline;
    return __builtin_add_overflow(eop_monotonic(), wait, &deadline) ? INT64_MAX : deadline;
}

static edgeops_status fail_behind(const edgeops_store *store) {
    return eop_fail(
        EDGEOPS_E_AGAIN, "store",
        "samples come in faster than '%s' takes them: %zu journal segments wait; append "
        "again later",
        store->home, store->sealed_count);
}

/* Waits as one of those that want room: an append that does not wait lets them go first. */
static bool wait_for_room(edgeops_store *store, edgeops_duration deadline) {
    store->waiting++;
    bool changed = eop_store_wait_changed(store, deadline);
    store->waiting--;
    return changed;
}

/* Memory of rows with which the active segment is sealed. */
static uint64_t memory_limit(const edgeops_store *store) {
    uint64_t limit = EOP_MEMORY_FACTOR * store->options.segment_bytes;
    uint64_t bytes = eop_journal_bytes(store->journal);
    bytes = EOP_MEMORY_GROWN * (bytes < store->grown_bytes ? bytes : store->grown_bytes);
    return limit > bytes ? limit : bytes;
}

/* Whether `many` sealed segments wait; where segments have grown, fewer that hold as much, but at
 * least `least`. */
static bool many_wait(const edgeops_store *store, size_t many, size_t least) {
    uint64_t times = eop_journal_wanted(store->journal) / store->options.segment_bytes;
    size_t fewer = many / (size_t)times;
    return store->sealed_count >= (fewer > least ? fewer : least);
}

edgeops_status eop_store_make_room(edgeops_store *store, size_t payload, edgeops_duration wait) {
    bool slowed = wait < 0;
    edgeops_duration deadline = 0; /* 0: not set yet */
    if (EOP_UNLIKELY(store->access.status != EDGEOPS_OK)) {
        return eop_store_check_writable(store);
    }
    for (;;) {
        while (EOP_UNLIKELY(store->still)) {
            deadline = deadline != 0 ? deadline : deadline_in(wait < 0 ? 0 : wait);
            if (wait < 0 || !wait_for_room(store, deadline)) {
                return eop_fail(EDGEOPS_E_AGAIN, "store",
                                "a channel is changing its type: append again in a moment");
            }
        }
        bool behind = many_wait(store, EOP_SEALED_SLOW, EOP_SEALED_FAIR);
        bool failing = store->writes_tried.status != EDGEOPS_OK;
        bool fits = eop_journal_fits(store->journal, payload) &&
                    store->active->memory < memory_limit(store) &&
                    store->doubtful_segment < store->active->number;
        if (EOP_UNLIKELY(behind && wait < 0 && store->waiting > 0)) {
            return fail_behind(store);
        }
        if (EOP_LIKELY(fits && (slowed || failing || !behind))) {
            return EDGEOPS_OK;
        }
        if (failing && store->sealed_count >= EOP_SEALED_FAIR) {
            return eop_fail_with(EDGEOPS_E_LIMIT, "store", store->writes_tried.message);
        }
        if (behind && !slowed) {
            (void)wait_for_room(store, deadline_in(EOP_SLOW_MS * EDGEOPS_MILLISECOND));
            slowed = true;
        } else if (!many_wait(store, EOP_SEALED_MAX, EOP_SEALED_SLOW)) {
            return eop_store_rotate(store, payload);
        } else if (wait < 0) {
            return fail_behind(store);
        } else {
            deadline = deadline != 0 ? deadline : deadline_in(wait);
            if (!wait_for_room(store, deadline)) {
                return fail_behind(store);
            }
        }
    }
}

edgeops_status eop_store_make_spare(edgeops_store *store) {
    pthread_mutex_lock(&store->spare_lock);
    pthread_mutex_lock(&store->lock);
    bool there = eop_journal_has_spare(store->journal);
    uint64_t bytes = eop_journal_wanted(store->journal);
    pthread_mutex_unlock(&store->lock);
    edgeops_status status = there ? EDGEOPS_OK : eop_journal_prepare_spare(&bytes, store->journal);
    if (!there && status == EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        eop_journal_adopt_spare(store->journal, bytes);
        pthread_mutex_unlock(&store->lock);
    }
    pthread_mutex_unlock(&store->spare_lock);
    return status;
}

/* -- waiting for the writer -- */

/* Under `lock`: waits until at most `left` of the segments up to `target` are in the queue. */
static edgeops_status wait_written(edgeops_store *store, size_t left, uint64_t target) {
    uint64_t begun = store->writes_tried.begun;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && store->sealed_count > left && store->sealed->number <= target) {
        status = eop_tries_failed(&store->writes_tried, begun);
        if (status == EDGEOPS_OK) {
            pthread_cond_wait(&store->changed, &store->lock);
        }
    }
    return status;
}

static edgeops_status wait_dropped(edgeops_store *store) {
    uint64_t begun = store->drops_tried.begun;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && (store->drop_count > 0 || store->shrink_due)) {
        status = eop_tries_failed(&store->drops_tried, begun);
        if (status == EDGEOPS_OK) {
            pthread_cond_wait(&store->changed, &store->lock);
        }
    }
    return status;
}

edgeops_status eop_store_flush(edgeops_store *store) {
    EOP_REQUIRE(store != NULL, "store");
    if (store->access.status != EDGEOPS_OK) {
        return eop_store_check_writable(store);
    }
    pthread_mutex_lock(&store->lock);
    eop_writer_wake(store);
    /* Removed assets first: without the room they free there may be no next segment. */
    edgeops_status status = wait_dropped(store);
    if (status == EDGEOPS_OK) {
        status = wait_written(store, EOP_SEALED_FAIR - 1, UINT64_MAX);
    }
    if (status == EDGEOPS_OK && store->active != NULL && store->active->blocks != NULL) {
        status = eop_store_rotate(store, 0);
    }
    uint64_t target = store->last_sealed != NULL ? store->last_sealed->number : 0;
    if (status == EDGEOPS_OK) {
        status = wait_written(store, 0, target);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}
