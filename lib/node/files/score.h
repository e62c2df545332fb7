/* SPDX-License-Identifier: Apache-2.0 */
/* How good predictions are: counts of (label, prediction) pairs and what follows from them; and
 * texts by number, which it counts with. */
#ifndef EOP_NODE_FILES_SCORE_H
#define EOP_NODE_FILES_SCORE_H

#include "base/map.h"
#include "node/home/home.h"

/** Texts by number, in the order in which they came. */
typedef struct eop_texts {
    char **items;
    size_t count;
    size_t capacity;
    eop_map by_text; /**< number + 1 */
} eop_texts;

/** Number of a text, new or not. E_LIMIT over max texts. */
edgeops_status eop_texts_add(int32_t *out, eop_texts *texts, const char *text, size_t size,
                             size_t max, const char *what);
/** -1 when it is not there. */
int32_t eop_texts_find(const eop_texts *texts, const char *text, size_t size);
void eop_texts_dispose(eop_texts *texts);

/** Counts of (label, prediction) pairs and what follows from them. */
typedef struct eop_score {
    eop_texts classes;
    uint64_t *pairs; /**< label x prediction, `size` a side */
    size_t size;
    uint64_t total;
} eop_score;
edgeops_status eop_score_add(eop_score *score, const char *label, const char *predicted,
                             size_t predicted_size);
/** {accuracy, macro_f1, per_class}; the macro mean goes over all classes that were given or
 * predicted, as in scikit-learn's f1_score(average="macro", zero_division=0). */
eop_json *eop_score_json(const eop_score *score);
void eop_score_dispose(eop_score *score);

#endif /* EOP_NODE_FILES_SCORE_H */
