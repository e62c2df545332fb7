/* SPDX-License-Identifier: Apache-2.0 */
#include "node/fed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "node/parts.h"

#define NOTED_MAX  131072u
#define SAVED_MAX  16384u
#define SAVE_EVERY (10 * EDGEOPS_SECOND)
#define KIND       "fed"
#define DIGITS     16u

static uint64_t *slot_of(const eop_hashes *h, uint64_t hash) {
    /* Mixed once more: names may come from strangers. */
    size_t at = (size_t)eop_hash64(&hash, sizeof(hash)) & (h->slot_count - 1);
    while (h->slots[at] != 0 && h->slots[at] != hash) {
        at = (at + 1) & (h->slot_count - 1);
    }
    return &h->slots[at];
}

static bool grow(eop_hashes *h) {
    eop_hashes larger = {.slot_count = h->slot_count != 0 ? h->slot_count * 2 : 64};
    larger.slots = eop_calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < h->slot_count; i++) {
        if (h->slots[i] != 0) {
            *slot_of(&larger, h->slots[i]) = h->slots[i];
            larger.count++;
        }
    }
    eop_free(h->slots);
    *h = larger;
    return true;
}

static bool has(const eop_hashes *h, uint64_t hash) {
    return h->slot_count > 0 && *slot_of(h, hash) == hash;
}

/* True when it is new and was taken. */
static bool add(eop_hashes *h, uint64_t hash) {
    if (has(h, hash) || h->count >= NOTED_MAX) {
        return false;
    }
    if ((h->count + 1) * 2 > h->slot_count && !grow(h)) {
        return false;
    }
    *slot_of(h, hash) = hash;
    h->count++;
    return true;
}

void eop_fed_init(eop_fed *fed) {
    pthread_mutex_init(&fed->lock, NULL);
}

void eop_fed_dispose(eop_fed *fed) {
    pthread_mutex_destroy(&fed->lock);
    eop_free(fed->now.slots);
    eop_free(fed->before.slots);
}

/* FNV-1a: what is kept is read by later versions too. */
uint64_t eop_fed_hash(const char *asset) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)asset; *p != '\0'; p++) {
        hash = (hash ^ *p) * 0x100000001b3u;
    }
    return hash != 0 ? hash : 1;
}

bool eop_fed_note(eop_fed *fed, uint64_t hash) {
    pthread_mutex_lock(&fed->lock);
    bool fresh = add(&fed->now, hash);
    pthread_mutex_unlock(&fed->lock);
    return fresh;
}

bool eop_fed_has(eop_fed *fed, const char *asset) {
    uint64_t hash = eop_fed_hash(asset);
    pthread_mutex_lock(&fed->lock);
    bool found = has(&fed->now, hash) || has(&fed->before, hash);
    pthread_mutex_unlock(&fed->lock);
    return found;
}

void eop_fed_load(eop_fed *fed, edgeops_node *node, const char *source) {
    eop_json *record = NULL;
    if (eop_get_record(&record, node, KIND, source) != EDGEOPS_OK) {
        return; /* it is learned anew */
    }
    const char *text = eop_json_string(record, "assets", "");
    pthread_mutex_lock(&fed->lock);
    for (size_t left = strlen(text); left >= DIGITS; left -= DIGITS, text += DIGITS) {
        char digits[DIGITS + 1];
        memcpy(digits, text, DIGITS);
        digits[DIGITS] = '\0';
        uint64_t hash = strtoull(digits, NULL, 16);
        if (hash != 0) {
            (void)add(&fed->before, hash);
        }
    }
    pthread_mutex_unlock(&fed->lock);
    eop_json_free(record);
}

/* Under the lock. */
static size_t put_hashes(eop_buf *buf, const eop_hashes *h, const eop_hashes *except, size_t n) {
    for (size_t i = 0; i < h->slot_count && n < SAVED_MAX; i++) {
        if (h->slots[i] != 0 && (except == NULL || !has(except, h->slots[i]))) {
            eop_buf_printf(buf, "%016llx", (unsigned long long)h->slots[i]);
            n++;
        }
    }
    return n;
}

void eop_fed_save(eop_fed *fed, edgeops_node *node, const char *source, bool now) {
    eop_buf buf = {0};
    edgeops_duration at = eop_monotonic();
    if (!now && fed->saved_at != 0 && at - fed->saved_at < SAVE_EVERY) {
        return;
    }
    pthread_mutex_lock(&fed->lock);
    size_t count = fed->now.count;
    if (count != fed->saved) {
        size_t n = put_hashes(&buf, &fed->now, NULL, 0);
        (void)put_hashes(&buf, &fed->before, &fed->now, n);
    }
    pthread_mutex_unlock(&fed->lock);
    if (count == fed->saved) {
        return;
    }
    char *text = eop_buf_take(&buf);
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "assets", text);
    fed->saved_at = at;
    if (text != NULL && eop_put_record(node, KIND, source, record, false) == EDGEOPS_OK) {
        fed->saved = count; /* else the next time */
    }
    eop_json_free(record);
    eop_free(text);
}

void eop_fed_forget(edgeops_node *node, const char *source) {
    (void)eop_record_remove(node->store, KIND, source); /* there may be none */
}
