/* SPDX-License-Identifier: Apache-2.0 */
/* Which assets a source has fed, as hashes: noted by the driver's threads under a lock, saved as a
 * record from the loop now and then, loaded when the home is opened. */
#include "node/live/fed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/record.h"
#include "node/home/records.h"

#define NOTED_MAX  131072u
#define SAVED_MAX  16384u
#define SAVE_EVERY (10 * EDGEOPS_SECOND)
#define SAVE_SOON  1000u /* with no more assets than this a save costs nothing */
#define KIND       "fed"
#define DIGITS     16u

/* True when it is new and was taken. */
static bool add(eop_map *h, uint64_t hash) {
    bool fresh = false;
    return h->count < NOTED_MAX && eop_map_note(h, hash, &fresh) && fresh;
}

void eop_fed_init(eop_fed *fed) {
    pthread_mutex_init(&fed->lock, NULL);
}

void eop_fed_dispose(eop_fed *fed) {
    pthread_mutex_destroy(&fed->lock);
    eop_map_dispose(&fed->now);
    eop_map_dispose(&fed->before);
}

/* FNV-1a: what is kept is read by later versions too. */
uint64_t eop_fed_hash(const char *asset) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)asset; *p != '\0'; p++) {
        hash = (hash ^ *p) * 0x100000001b3u;
    }
    return hash;
}

bool eop_fed_note(eop_fed *fed, uint64_t hash) {
    pthread_mutex_lock(&fed->lock);
    bool fresh = add(&fed->now, hash);
    pthread_mutex_unlock(&fed->lock);
    return fresh;
}

void eop_fed_drop(eop_fed *fed, uint64_t hash) {
    pthread_mutex_lock(&fed->lock);
    if (eop_map_has(&fed->now, hash)) {
        eop_map_remove(&fed->now, hash, 1);
    }
    pthread_mutex_unlock(&fed->lock);
}

/* Which of them it made is not known: one that was there before counts as made, too. */
void eop_fed_removed(eop_fed *fed, uint64_t hash) {
    eop_map *maps[] = {&fed->now, &fed->before};
    bool fed_it = false;
    pthread_mutex_lock(&fed->lock);
    for (size_t i = 0; i < EOP_COUNT(maps); i++) {
        if (eop_map_has(maps[i], hash)) {
            eop_map_remove(maps[i], hash, 1);
            fed_it = true;
        }
    }
    fed->made -= fed_it && fed->made > 0;
    pthread_mutex_unlock(&fed->lock);
}

uint64_t eop_fed_made(eop_fed *fed) {
    pthread_mutex_lock(&fed->lock);
    uint64_t made = fed->made;
    pthread_mutex_unlock(&fed->lock);
    return made;
}

void eop_fed_count_made(eop_fed *fed) {
    pthread_mutex_lock(&fed->lock);
    fed->made++;
    pthread_mutex_unlock(&fed->lock);
}

bool eop_fed_has(eop_fed *fed, uint64_t hash) {
    pthread_mutex_lock(&fed->lock);
    bool found = eop_map_has(&fed->now, hash) || eop_map_has(&fed->before, hash);
    pthread_mutex_unlock(&fed->lock);
    return found;
}

void eop_fed_load(eop_fed *fed, edgeops_node *node, const char *source) {
    eop_json *record = NULL;
    if (eop_get_record(&record, node, KIND, source) != EDGEOPS_OK) {
        return; /* it is filled again as samples come */
    }
    const char *text = eop_json_string(record, "assets", "");
    pthread_mutex_lock(&fed->lock);
    for (size_t left = strlen(text); left >= DIGITS; left -= DIGITS, text += DIGITS) {
        char digits[DIGITS + 1];
        memcpy(digits, text, DIGITS);
        digits[DIGITS] = '\0';
        uint64_t hash = strtoull(digits, NULL, 16);
        (void)add(&fed->before, hash);
    }
    /* A record of an earlier version does not say it. */
    fed->made = (uint64_t)eop_json_integer(record, "made", (int64_t)fed->before.count);
    fed->saved_made = fed->made;
    pthread_mutex_unlock(&fed->lock);
    eop_json_free(record);
}

/* Under the lock. */
static size_t put_hashes(eop_buf *buf, const eop_map *h, const eop_map *except, size_t n) {
    for (size_t i = 0; i < h->slot_count && n < SAVED_MAX; i++) {
        const eop_map_slot *slot = &h->slots[i];
        if (slot->item != 0 && (except == NULL || !eop_map_has(except, slot->hash))) {
            eop_buf_printf(buf, "%016llx", (unsigned long long)slot->hash);
            n++;
        }
    }
    return n;
}

void eop_fed_save(eop_fed *fed, edgeops_node *node, const char *source, bool now) {
    eop_buf buf = {0};
    edgeops_duration at = eop_monotonic();
    pthread_mutex_lock(&fed->lock);
    size_t count = fed->now.count;
    uint64_t made = fed->made;
    bool small = count + fed->before.count <= SAVE_SOON;
    bool due = (count != fed->saved || made != fed->saved_made) &&
               (now || small || fed->saved_at == 0 || at - fed->saved_at >= SAVE_EVERY);
    if (due) {
        size_t n = put_hashes(&buf, &fed->now, NULL, 0);
        (void)put_hashes(&buf, &fed->before, &fed->now, n);
    }
    pthread_mutex_unlock(&fed->lock);
    if (!due) {
        return;
    }
    char *text = eop_buf_take(&buf);
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "assets", text);
    eop_json_set_integer(record, "made", (int64_t)made);
    fed->saved_at = at;
    if (text != NULL && eop_put_record(node, KIND, source, record, false) == EDGEOPS_OK) {
        fed->saved = count; /* else the next time */
        fed->saved_made = made;
    }
    eop_json_free(record);
    eop_free(text);
}

void eop_fed_forget(edgeops_node *node, const char *source) {
    (void)eop_record_remove(node->catalog, KIND, source); /* there may be none */
}
