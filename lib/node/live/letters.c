/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters between a driver's threads and the catalog. Only `items` and `count` are shared,
 * under `lock`, which is held for no call but that of a listing. */
#include "node/live/letters.h"

#include <string.h>

#define PAYLOAD 512u
#define TOPIC   1024u

struct eop_letter {
    edgeops_time time;
    char *topic;
    char *reason;
    unsigned char payload[PAYLOAD];
    size_t payload_size;
    uint64_t message_size;
};

static void letter_free(eop_letter *l) {
    if (l != NULL) {
        eop_free(l->topic);
        eop_free(l->reason);
        eop_free(l);
    }
}

void eop_letters_init(eop_letters *letters) {
    *letters = (eop_letters){0};
    pthread_mutex_init(&letters->lock, NULL);
}

void eop_letters_dispose(eop_letters *letters) {
    for (size_t i = 0; i < letters->count; i++) {
        letter_free(letters->items[i]);
    }
    pthread_mutex_destroy(&letters->lock);
}

void eop_letters_put(eop_letters *letters, const edgeops_dead_letter *given) {
    eop_letter *l = eop_calloc(1, sizeof(*l));
    if (l == NULL) {
        return;
    }
    l->time = given->time;
    l->topic = eop_strndup(given->topic, strnlen(given->topic, TOPIC));
    l->reason = eop_strdup(given->reason);
    l->payload_size = given->payload_size < PAYLOAD ? given->payload_size : PAYLOAD;
    if (l->payload_size > 0) {
        memcpy(l->payload, given->payload, l->payload_size);
    }
    l->message_size = given->message_size;
    pthread_mutex_lock(&letters->lock);
    if (l->topic != NULL && l->reason != NULL && letters->count < EOP_LETTERS_MAX) {
        letters->items[letters->count++] = l;
        l = NULL;
    }
    pthread_mutex_unlock(&letters->lock);
    letter_free(l);
}

static eop_dead_letter row_of(const eop_letter *l) {
    return (eop_dead_letter){.time = l->time,
                             .topic = l->topic,
                             .reason = l->reason,
                             .payload = l->payload,
                             .payload_size = l->payload_size,
                             .message_size = l->message_size};
}

/* Those that the catalog did not take, before the ones that came since. */
static void put_back(eop_letters *letters, eop_letter *items[], size_t n) {
    pthread_mutex_lock(&letters->lock);
    for (size_t i = 0; i < letters->count; i++) {
        if (n < EOP_LETTERS_MAX) {
            items[n++] = letters->items[i];
        } else {
            letter_free(letters->items[i]);
        }
    }
    memcpy(letters->items, items, n * sizeof(*items));
    letters->count = n;
    pthread_mutex_unlock(&letters->lock);
}

void eop_letters_flush(eop_letters *letters, edgeops_node *node, const char *source) {
    eop_letter *items[EOP_LETTERS_MAX];
    eop_dead_letter rows[EOP_LETTERS_MAX];
    pthread_mutex_lock(&letters->lock);
    size_t n = letters->count;
    memcpy(items, letters->items, n * sizeof(*items));
    letters->count = 0;
    pthread_mutex_unlock(&letters->lock);
    if (n == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(items[i]);
    }
    if (eop_dead_letter_add(node->catalog, source, rows, n) != EDGEOPS_OK) {
        if (!letters->wait) {
            eop_log_write(node_log(node), EDGEOPS_LOG_WARN, "node",
                          "dead letters of source '%s' wait in memory: %s", source,
                          edgeops_error_last()->message);
        }
        letters->wait = true;
        put_back(letters, items, n);
        return;
    }
    letters->wait = false;
    for (size_t i = 0; i < n; i++) {
        letter_free(items[i]);
    }
}

edgeops_status eop_letters_list(eop_letters *letters, edgeops_node *node, const char *source,
                                size_t max, eop_dead_letter_fn fn, void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    size_t shown = 0;
    eop_letters_flush(letters, node, source);
    pthread_mutex_lock(&letters->lock);
    for (size_t i = letters->count; status == EDGEOPS_OK && i > 0 && shown < max; i--, shown++) {
        eop_dead_letter row = row_of(letters->items[i - 1]);
        status = fn(&row, user_data);
    }
    pthread_mutex_unlock(&letters->lock);
    return status == EDGEOPS_OK && shown < max
               ? eop_dead_letter_list(node->catalog, source, max - shown, fn, user_data)
               : status;
}
