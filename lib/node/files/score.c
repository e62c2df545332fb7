/* SPDX-License-Identifier: Apache-2.0 */
/* Texts by number, and the confusion counts that the scores follow from. */
#include "node/files/score.h"

#include <string.h>

#include "base/hash.h"
#include "node/files/predict.h"

#define CLASSES_MAX 4096u

int32_t eop_texts_find(const eop_texts *t, const char *text, size_t size) {
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&t->by_text, eop_hash64(text, size), &step)) != 0) {
        const char *item = t->items[i - 1];
        if (strncmp(item, text, size) == 0 && item[size] == '\0') {
            return (int32_t)i - 1;
        }
    }
    return -1;
}

edgeops_status eop_texts_add(int32_t *out, eop_texts *t, const char *text, size_t size, size_t max,
                             const char *what) {
    int32_t known = eop_texts_find(t, text, size);
    if (known >= 0) {
        *out = known;
        return EDGEOPS_OK;
    }
    if (t->count >= max) {
        return eop_fail(EDGEOPS_E_LIMIT, "node", "there are over %zu %s", max, what);
    }
    char *copy = eop_strndup(text, size);
    if (copy == NULL || !eop_map_reserve(&t->by_text) ||
        !eop_grow(&t->items, &t->capacity, t->count + 1, sizeof(*t->items))) {
        eop_free(copy);
        return eop_fail_nomem("node");
    }
    t->items[t->count++] = copy;
    eop_map_add(&t->by_text, eop_hash64(text, size), t->count);
    *out = (int32_t)t->count - 1;
    return EDGEOPS_OK;
}

void eop_texts_dispose(eop_texts *t) {
    for (size_t i = 0; i < t->count; i++) {
        eop_free(t->items[i]);
    }
    eop_free(t->items);
    eop_map_dispose(&t->by_text);
    memset(t, 0, sizeof(*t));
}

static bool grow_pairs(eop_score *s) {
    if (s->classes.count <= s->size) {
        return true;
    }
    size_t size = s->size != 0 ? s->size * 2 : 16;
    size = size < s->classes.count ? s->classes.count : size;
    uint64_t *pairs = eop_calloc(size * size, sizeof(*pairs));
    if (pairs == NULL) {
        return false;
    }
    for (size_t row = 0; row < s->size; row++) {
        memcpy(pairs + row * size, s->pairs + row * s->size, s->size * sizeof(*pairs));
    }
    eop_free(s->pairs);
    s->pairs = pairs;
    s->size = size;
    return true;
}

edgeops_status eop_score_add(eop_score *s, const char *label, const char *predicted,
                             size_t predicted_size) {
    int32_t truth = 0;
    int32_t guess = 0;
    edgeops_status status =
        eop_texts_add(&truth, &s->classes, label, strlen(label), CLASSES_MAX, "classes");
    if (status == EDGEOPS_OK) {
        status =
            eop_texts_add(&guess, &s->classes, predicted, predicted_size, CLASSES_MAX, "classes");
    }
    if (status == EDGEOPS_OK && !grow_pairs(s)) {
        status = eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        s->pairs[(size_t)truth * s->size + (size_t)guess]++;
        s->total++;
    }
    return status;
}

static double ratio(uint64_t part, uint64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

eop_json *eop_score_json(const eop_score *s) {
    eop_json *json = eop_json_object();
    eop_json *per_class = eop_json_object();
    uint64_t correct = 0;
    double f1_sum = 0.0;
    for (size_t c = 0; c < s->classes.count; c++) {
        uint64_t hit = s->pairs[c * s->size + c];
        uint64_t support = 0;
        uint64_t guessed = 0;
        for (size_t i = 0; i < s->classes.count; i++) {
            support += s->pairs[c * s->size + i];
            guessed += s->pairs[i * s->size + c];
        }
        double f1 = ratio(2 * hit, support + guessed);
        correct += hit;
        f1_sum += f1;
        eop_json *item = eop_json_object();
        eop_json_set_number(item, "precision", ratio(hit, guessed));
        eop_json_set_number(item, "recall", ratio(hit, support));
        eop_json_set_number(item, "f1", f1);
        eop_json_set_integer(item, "support", (int64_t)support);
        eop_json_set(per_class, s->classes.items[c], item);
    }
    eop_json_set_number(json, "accuracy", ratio(correct, s->total));
    eop_json_set_number(json, "macro_f1",
                        s->classes.count > 0 ? f1_sum / (double)s->classes.count : 0.0);
    eop_json_set_integer(json, "labelled", (int64_t)s->total);
    eop_json_set(json, "per_class", per_class);
    return json;
}

void eop_score_dispose(eop_score *s) {
    eop_texts_dispose(&s->classes);
    eop_free(s->pairs);
    memset(s, 0, sizeof(*s));
}
