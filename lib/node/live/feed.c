/* SPDX-License-Identifier: Apache-2.0 */
/* Between the threads that append and the deployments that wait. A driver's thread leaves a mark
 * (ordinal, time) and wakes the loop at most once for each turn. */

#include "node/live/feed.h"

#include <string.h>

#include "base/hash.h"

#define MARKS 1024u

typedef struct mark {
    uint64_t ordinal;
    edgeops_duration at;
} mark;

struct eop_tap {
    eop_tap *next;
    eop_feed *feed;
    char *asset;
    uint64_t hash;
    eop_fn fn;
    void *user_data;
    uint64_t pass; /**< loop: the last one it was served in */
    /* Guarded by the feed's lock. */
    bool pending;
    uint64_t known_after; /**< marks tell about samples past this one */
    uint64_t newest;
    size_t first;
    size_t count;
    mark marks[MARKS];
};

struct eop_feed {
    edgeops_node *node;
    edgeops_watch *watch;
    eop_wake *wake;
    pthread_mutex_t lock;
    eop_tap *taps; /**< guarded by lock */
    atomic_bool woken;
    uint64_t pass;
};

static void put_mark(eop_tap *tap, uint64_t ordinal, edgeops_duration now) {
    if (ordinal <= tap->newest) {
        return;
    }
    if (tap->newest == 0) {
        tap->known_after = ordinal - 1;
    }
    tap->newest = ordinal;
    if (tap->count == MARKS) {
        tap->known_after = tap->marks[tap->first].ordinal;
        tap->first = (tap->first + 1) % MARKS;
        tap->count--;
    }
    tap->marks[(tap->first + tap->count++) % MARKS] = (mark){ordinal, now};
}

/* Appending thread. */
static void on_append(const char *asset, uint64_t last_ordinal, void *user_data) {
    eop_feed *feed = user_data;
    bool wake = false;
    uint64_t hash = eop_hash64(asset, strlen(asset));
    pthread_mutex_lock(&feed->lock);
    for (eop_tap *tap = feed->taps; tap != NULL; tap = tap->next) {
        if (tap->hash == hash && strcmp(tap->asset, asset) == 0) {
            put_mark(tap, last_ordinal, eop_monotonic());
            tap->pending = true;
            wake = true;
        }
    }
    pthread_mutex_unlock(&feed->lock);
    if (wake && !atomic_exchange(&feed->woken, true)) {
        eop_wake_send(feed->wake);
    }
}

/* A tap's function may free taps: look for the next one from the front each time. */
static eop_tap *next_pending(eop_feed *feed) {
    pthread_mutex_lock(&feed->lock);
    eop_tap *tap = feed->taps;
    while (tap != NULL && (!tap->pending || tap->pass == feed->pass)) {
        tap = tap->next;
    }
    if (tap != NULL) {
        tap->pending = false;
        tap->pass = feed->pass;
    }
    pthread_mutex_unlock(&feed->lock);
    return tap;
}

static void on_wake(void *user_data) {
    eop_feed *feed = user_data;
    eop_tap *tap = NULL;
    atomic_store(&feed->woken, false);
    feed->pass++;
    while ((tap = next_pending(feed)) != NULL) {
        tap->fn(tap->user_data);
    }
}

edgeops_status eop_feed_new(eop_feed **out, edgeops_node *node) {
    eop_feed *feed = eop_calloc(1, sizeof(*feed));
    if (feed == NULL) {
        return eop_fail_nomem("node");
    }
    feed->node = node;
    atomic_init(&feed->woken, false);
    edgeops_status status = eop_wake_new(&feed->wake, node->ctx, on_wake, feed);
    if (status != EDGEOPS_OK) {
        eop_free(feed);
        return status;
    }
    pthread_mutex_init(&feed->lock, NULL);
    status = edgeops_watch_open(&feed->watch, node->store, on_append, feed);
    if (status != EDGEOPS_OK) {
        eop_feed_free(feed);
        return status;
    }
    *out = feed;
    return EDGEOPS_OK;
}

void eop_feed_free(eop_feed *feed) {
    if (feed != NULL) {
        edgeops_watch_close(feed->watch);
        eop_wake_free(feed->wake);
        pthread_mutex_destroy(&feed->lock);
        eop_free(feed);
    }
}

edgeops_status eop_tap_new(eop_tap **out, eop_feed *feed, const char *asset, eop_fn fn,
                           void *user_data) {
    eop_tap *tap = eop_calloc(1, sizeof(*tap));
    if (tap != NULL) {
        tap->asset = eop_strdup(asset);
    }
    if (tap == NULL || tap->asset == NULL) {
        eop_free(tap);
        return eop_fail_nomem("node");
    }
    tap->feed = feed;
    tap->hash = eop_hash64(asset, strlen(asset));
    tap->fn = fn;
    tap->user_data = user_data;
    pthread_mutex_lock(&feed->lock);
    tap->next = feed->taps;
    feed->taps = tap;
    pthread_mutex_unlock(&feed->lock);
    *out = tap;
    return EDGEOPS_OK;
}

bool eop_tap_durable(eop_tap *tap, uint64_t ordinal, edgeops_duration *monotonic) {
    bool found = false;
    pthread_mutex_lock(&tap->feed->lock);
    while (tap->count > 0 && tap->marks[tap->first].ordinal < ordinal) {
        tap->known_after = tap->marks[tap->first].ordinal;
        tap->first = (tap->first + 1) % MARKS;
        tap->count--;
    }
    if (tap->count > 0 && ordinal > tap->known_after) {
        *monotonic = tap->marks[tap->first].at;
        found = true;
    }
    pthread_mutex_unlock(&tap->feed->lock);
    return found;
}

uint64_t eop_tap_newest(eop_tap *tap) {
    pthread_mutex_lock(&tap->feed->lock);
    uint64_t newest = tap->newest;
    pthread_mutex_unlock(&tap->feed->lock);
    return newest;
}

void eop_tap_free(eop_tap *tap) {
    if (tap == NULL) {
        return;
    }
    eop_feed *feed = tap->feed;
    pthread_mutex_lock(&feed->lock);
    for (eop_tap **at = &feed->taps; *at != NULL; at = &(*at)->next) {
        if (*at == tap) {
            *at = tap->next;
            break;
        }
    }
    pthread_mutex_unlock(&feed->lock);
    eop_free(tap->asset);
    eop_free(tap);
}
