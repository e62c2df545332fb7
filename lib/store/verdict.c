/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the verdicts on the samples of one append, then copies them into one block for the
 * caller; see verdict.h. */
#include "store/verdict.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { ALIGN = 8 }; /* an edgeops_blob holds a uint64_t */

/* Stores an offset in `bytes` as a pointer until the block is made; NULL means none. */
static void *offset_pointer(size_t offset) {
    return (void *)(uintptr_t)(offset + 1);
}

static void move_pointer(const void *at, const char **pointer, const char *bytes) {
    if (at != NULL) {
        *pointer = bytes + ((uintptr_t)at - 1);
    }
}

void eop_verdicts_begin(eop_verdicts *verdicts, bool wanted) {
    verdicts->wanted = wanted;
    verdicts->count = 0;
    eop_buf_clear(&verdicts->bytes);
}

void eop_verdicts_dispose(eop_verdicts *verdicts) {
    eop_free(verdicts->items);
    eop_buf_dispose(&verdicts->bytes);
    *verdicts = (eop_verdicts){0};
}

edgeops_status eop_verdicts_add(eop_verdicts *verdicts, edgeops_outcome outcome, uint32_t marks,
                                uint64_t ordinal) {
    if (!verdicts->wanted) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&verdicts->items, &verdicts->capacity, verdicts->count + 1,
                  sizeof *verdicts->items)) {
        return eop_fail_nomem("store");
    }
    verdicts->items[verdicts->count++] = (edgeops_verdict){
        .outcome = outcome, .marks = marks, .ordinal = ordinal, .quality = EDGEOPS_QUALITY_NONE};
    return EDGEOPS_OK;
}

/* Copies data to an aligned place in `bytes`. */
static const void *keep_bytes(eop_buf *bytes, const void *data, size_t size) {
    static const char zeros[ALIGN];
    eop_buf_put(bytes, zeros, (ALIGN - bytes->size % ALIGN) % ALIGN);
    size_t offset = bytes->size;
    eop_buf_put(bytes, data, size);
    return offset_pointer(offset);
}

edgeops_status eop_verdicts_conflict(eop_verdicts *verdicts, const char *channel,
                                     const edgeops_value *stored, uint16_t quality) {
    edgeops_status status = eop_verdicts_add(verdicts, EDGEOPS_OUTCOME_CONFLICT, 0, 0);
    if (status != EDGEOPS_OK || !verdicts->wanted) {
        return status;
    }
    edgeops_verdict *verdict = &verdicts->items[verdicts->count - 1];
    verdict->channel = keep_bytes(&verdicts->bytes, channel, strlen(channel) + 1);
    verdict->stored = *stored;
    verdict->quality = quality;
    if (stored->size > 0) {
        verdict->stored.as.data = keep_bytes(&verdicts->bytes, stored->as.data, stored->size);
    }
    return verdicts->bytes.failed ? eop_fail_nomem("store") : EDGEOPS_OK;
}

edgeops_status eop_verdicts_give(edgeops_verdict **out, uint64_t *count, eop_verdicts *verdicts) {
    *out = NULL;
    *count = verdicts->count;
    if (verdicts->count == 0) {
        return EDGEOPS_OK;
    }
    size_t size = verdicts->count * sizeof *verdicts->items;
    char *block = NULL;
    if (!eop_add_size(&size, size, verdicts->bytes.size) || (block = eop_alloc(size)) == NULL) {
        return eop_fail_nomem("store");
    }
    *out = (edgeops_verdict *)(void *)block;
    memcpy(block, verdicts->items, verdicts->count * sizeof *verdicts->items);
    char *bytes = block + verdicts->count * sizeof *verdicts->items;
    if (verdicts->bytes.size > 0) {
        memcpy(bytes, verdicts->bytes.data, verdicts->bytes.size);
    }
    for (size_t i = 0; i < verdicts->count; i++) {
        edgeops_verdict *verdict = &(*out)[i];
        move_pointer(verdict->channel, &verdict->channel, bytes);
        if (verdict->stored.size > 0) {
            move_pointer(verdict->stored.as.data, &verdict->stored.as.str, bytes);
        }
    }
    eop_verdicts_begin(verdicts, false);
    return EDGEOPS_OK;
}
