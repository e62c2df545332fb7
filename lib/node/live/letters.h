/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a source that could not be taken, on their way to the catalog, which is no place
 * for a hot path: a driver's threads put them here, the node's tick writes them. Bounded: what does
 * not fit is counted by the source, its content is not kept. */
#ifndef EOP_NODE_LIVE_LETTERS_H
#define EOP_NODE_LIVE_LETTERS_H

#include "catalog/dead_letter.h"
#include "node/home/home.h"

#define EOP_LETTERS_MAX 256u

typedef struct eop_letter eop_letter;

typedef struct eop_letters {
    pthread_mutex_t lock;
    eop_letter *items[EOP_LETTERS_MAX]; /**< guarded by lock */
    size_t count;                       /**< guarded by lock */
    bool wait;                          /**< the catalog did not take them; loop's thread */
} eop_letters;

void eop_letters_init(eop_letters *letters);
void eop_letters_dispose(eop_letters *letters);
/** Any thread. */
void eop_letters_put(eop_letters *letters, const edgeops_dead_letter *given);
/** Writes them. On a full disk they stay in memory: when the node ends without room they are
 * lost. */
void eop_letters_flush(eop_letters *letters, edgeops_node *node, const char *source);
/** The newest first, at most max, also those that cannot be written. fn: calls nothing of the
 * source. */
edgeops_status eop_letters_list(eop_letters *letters, edgeops_node *node, const char *source,
                                size_t max, eop_dead_letter_fn fn, void *user_data);

#endif /* EOP_NODE_LIVE_LETTERS_H */
