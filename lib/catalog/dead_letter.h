/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters in catalog.db: the newest 1,000 of each source. Any thread. */
#ifndef EOP_CATALOG_DEAD_LETTER_H
#define EOP_CATALOG_DEAD_LETTER_H

#include "edgeops/types.h"

typedef struct eop_catalog eop_catalog;

typedef struct eop_dead_letter {
    edgeops_time time;
    const char *topic;
    const char *reason;
    const void *payload; /**< at most 512 bytes are kept */
    size_t payload_size;
    uint64_t message_size;
} eop_dead_letter;
edgeops_status eop_dead_letter_add(eop_catalog *catalog, const char *source,
                                   const eop_dead_letter *letters, size_t n);
typedef edgeops_status (*eop_dead_letter_fn)(const eop_dead_letter *letter, void *user_data);
/** Newest first, at most max. */
edgeops_status eop_dead_letter_list(eop_catalog *catalog, const char *source, size_t max,
                                    eop_dead_letter_fn fn, void *user_data);
edgeops_status eop_dead_letter_remove(eop_catalog *catalog, const char *source);

#endif /* EOP_CATALOG_DEAD_LETTER_H */
