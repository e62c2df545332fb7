/* SPDX-License-Identifier: Apache-2.0 */
/* Each answer is one piece of memory: its values, their texts, its message. */
#include "runtime/predictions.h"

#include <string.h>

#include "base/memory.h"

static bool copy(edgeops_prediction *out, const edgeops_prediction *given) {
    size_t message = strlen(given->message) + 1;
    size_t values = given->count * sizeof *given->values;
    size_t texts = 0;
    for (size_t i = 0; i < given->count; i++) {
        texts += given->values[i].size;
    }
    char *memory = eop_alloc(values + texts + message);
    if (memory == NULL) {
        return false;
    }
    edgeops_value *copies = (edgeops_value *)(void *)memory;
    char *text = memory + values;
    for (size_t i = 0; i < given->count; i++) {
        copies[i] = given->values[i];
        if (copies[i].size > 0) {
            memcpy(text, given->values[i].as.str, copies[i].size);
            copies[i].as.str = text;
            text += copies[i].size;
        }
    }
    memcpy(text, given->message, message);
    *out = *given;
    out->values = copies;
    out->message = text;
    return true;
}

bool eop_predictions_keep(eop_predictions *list, const edgeops_prediction *given) {
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) ||
        !copy(&list->items[list->count], given)) {
        return false;
    }
    list->count++;
    return true;
}

void eop_predictions_clear(eop_predictions *list) {
    for (size_t i = 0; i < list->count; i++) {
        eop_free((void *)(uintptr_t)list->items[i].values);
    }
    list->count = 0;
}

void eop_predictions_dispose(eop_predictions *list) {
    eop_predictions_clear(list);
    eop_free(list->items);
    *list = (eop_predictions){0};
}
