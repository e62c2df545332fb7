/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of texts: each different text is stored once, compressed with zstd where that helps, and
 * each row is the index of its text. chunk.h has the format. */
#include "column/chunk_text.h"

#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "column/chunk_column.h"
#include "column/packed_bytes.h"

enum { SLOTS = 2 * EOP_PAGE_MAX };
/* Above the longest text of a channel (types.h). */
static const uint64_t text_max = 1u << 20;

/* -- writing -- */

/* Collects the different texts in the order of their first occurrence and returns their number. */
static size_t choose_texts(uint64_t *numbers, uint16_t *first, const char *bytes,
                           const uint32_t *starts, const uint32_t *ends, size_t n) {
    uint16_t slots[SLOTS] = {0};
    size_t choices = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = bytes + starts[i];
        size_t size = ends[i] - starts[i];
        size_t slot = eop_hash64(text, size) % SLOTS;
        for (; slots[slot] != 0; slot = (slot + 1) % SLOTS) {
            size_t other = first[slots[slot] - 1];
            if (ends[other] - starts[other] == size &&
                memcmp(bytes + starts[other], text, size) == 0) {
                break;
            }
        }
        if (slots[slot] == 0) {
            first[choices++] = (uint16_t)i;
            slots[slot] = (uint16_t)choices;
        }
        numbers[i] = (uint64_t)slots[slot] - 1;
    }
    return choices;
}

void eop_text_put(eop_buf *buf, const char *bytes, const uint32_t *starts, const uint32_t *ends,
                  size_t n) {
    /* Not on the stack: a host's threads may have small ones. */
    struct {
        uint64_t numbers[EOP_PAGE_MAX];
        uint64_t sizes[EOP_PAGE_MAX];
        uint16_t first[EOP_PAGE_MAX];
    } *room = eop_alloc(sizeof *room);
    eop_buf text = {0};
    uint32_t packed = 0;
    if (room == NULL) {
        buf->failed = true;
        return;
    }
    uint64_t *numbers = room->numbers;
    uint64_t *sizes = room->sizes;
    uint16_t *first = room->first;
    size_t choices = choose_texts(numbers, first, bytes, starts, ends, n);
    for (size_t i = 0; i < choices; i++) {
        sizes[i] = ends[first[i]] - starts[first[i]];
        eop_buf_put(&text, bytes + starts[first[i]], (size_t)sizes[i]);
    }
    eop_put_varint(buf, choices);
    size_t at = buf->size;
    eop_buf_put(buf, &packed, sizeof packed);
    eop_pack(buf, sizes, choices, EOP_SAVING_SMALL);
    if (!buf->failed) {
        packed = (uint32_t)(buf->size - at - sizeof packed);
        memcpy(buf->data + at, &packed, sizeof packed);
    }
    eop_packed_bytes_put(buf, text.size > 0 ? text.data : "", text.size);
    eop_pack(buf, numbers, n, EOP_SAVING_SMALL);
    buf->failed |= text.failed;
    eop_buf_dispose(&text);
    eop_free(room);
}

/* -- reading -- */

static edgeops_status take_sizes(eop_text *text, const uint8_t *data, size_t size) {
    uint64_t total = 0;
    text->offsets = eop_calloc(text->choices + 1, sizeof *text->offsets);
    if (text->offsets == NULL) {
        return eop_fail_nomem("store");
    }
    if (!eop_unpack_open(&text->unpack, data, size, text->choices, text->choices)) {
        return eop_column_damaged("sizes of texts");
    }
    for (size_t at = 0; at < text->choices; at += EOP_PACK_TILE) {
        size_t left = text->choices - at;
        if (!eop_unpack_next(&text->unpack, text->tile)) {
            return eop_column_damaged("sizes of texts");
        }
        for (size_t i = 0; i < EOP_PACK_TILE && i < left; i++) {
            if (text->tile[i] > text_max || (total += text->tile[i]) > UINT32_MAX) {
                return eop_column_damaged("sizes of texts");
            }
            text->offsets[at + i + 1] = (uint32_t)total;
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_text_open(eop_text *text, const void *data, size_t size, size_t count) {
    const uint8_t *at = data;
    const uint8_t *end = at + size;
    uint64_t choices = 0;
    uint32_t packed = 0;
    text->count = count;
    text->done = 0;
    text->offsets = NULL;
    text->owned = NULL;
    if (count == 0 || count > EOP_PAGE_MAX || !eop_take_varint(&choices, &at, end) ||
        choices == 0 || choices > count || (size_t)(end - at) < sizeof packed) {
        return eop_column_damaged("texts");
    }
    text->choices = (size_t)choices;
    memcpy(&packed, at, sizeof packed);
    at += sizeof packed;
    if (packed > (size_t)(end - at)) {
        return eop_column_damaged("texts");
    }
    edgeops_status status = take_sizes(text, at, packed);
    if (status != EDGEOPS_OK) {
        return status;
    }
    at += packed;
    status = eop_packed_bytes_take(&text->bytes, &text->owned, &at, end,
                                   text->offsets[text->choices], "texts");
    if (status != EDGEOPS_OK) {
        return status;
    }
    return eop_unpack_open(&text->unpack, at, (size_t)(end - at), count, count)
               ? EDGEOPS_OK
               : eop_column_damaged("texts");
}

bool eop_text_next(edgeops_value *out, eop_text *text) {
    size_t in_tile = text->done % EOP_PACK_TILE;
    if (in_tile == 0 && !eop_unpack_next(&text->unpack, text->tile)) {
        return false;
    }
    uint64_t number = text->tile[in_tile];
    if (number >= text->choices) {
        return false;
    }
    const uint32_t *ends = text->offsets + number;
    text->done++;
    *out = (edgeops_value){
        .type = EDGEOPS_TYPE_STRING, .size = ends[1] - ends[0], .as.str = text->bytes + ends[0]};
    return true;
}

void eop_text_dispose(eop_text *text) {
    eop_free(text->offsets);
    eop_free(text->owned);
    text->offsets = NULL;
    text->owned = NULL;
}
