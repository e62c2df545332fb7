/* SPDX-License-Identifier: Apache-2.0 */
/* Reads packed integers one tile at a time; pack.h has the format. Trusts nothing: no byte is read
 * past the end of the data, and a form that pack.c does not write is damage. */
#include <string.h>

#include "column/pack.h"

bool eop_take_varint(uint64_t *out, const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take_signed(uint64_t *out, const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    bool good = eop_take_varint(&value, at, end);
    *out = eop_unzigzag(value);
    return good;
}

static bool take_byte(uint8_t *out, eop_unpack *u) {
    if (u->at == u->end) {
        return false;
    }
    *out = *u->at++;
    return true;
}

/* Takes `size` bytes off the front; NULL when fewer are left. */
static const uint8_t *take_bytes(eop_unpack *u, size_t size) {
    const uint8_t *place = u->at;
    if ((size_t)(u->end - place) < size) {
        return NULL;
    }
    u->at += size;
    return place;
}

static bool take_lengths(uint8_t lengths[256], size_t *symbols, eop_unpack *u) {
    uint8_t last = 0;
    if (!take_byte(&last, u)) {
        return false;
    }
    *symbols = (size_t)last + 1;
    const uint8_t *halves = take_bytes(u, (*symbols + 1) / 2);
    if (halves == NULL) {
        return false;
    }
    for (size_t i = 0; i < *symbols; i++) {
        lengths[i] = i % 2 == 0 ? halves[i / 2] & 15 : halves[i / 2] >> 4;
    }
    return true;
}

/* A refill reads 8 bytes and so may read past its stream: into the next stream, or behind the last
 * one. Where fewer than 8 bytes follow the last stream, the streams are first copied to a place
 * with room. */
static bool decode_symbols(eop_unpack *u, const uint16_t *table, unsigned bits, size_t need) {
    uint8_t copy[EOP_PACK_MAX * EOP_PACK_CODE_BITS / 8 + 16 * EOP_PACK_STREAMS];
    uint16_t sizes[EOP_PACK_STREAMS];
    eop_code_stream streams[EOP_PACK_STREAMS];
    size_t total = 0;
    const uint8_t *head = take_bytes(u, sizeof sizes);
    if (head == NULL) {
        return false;
    }
    memcpy(sizes, head, sizeof sizes);
    for (size_t k = 0; k < EOP_PACK_STREAMS; k++) {
        total += sizes[k];
    }
    const uint8_t *data = take_bytes(u, total);
    if (data == NULL || total > sizeof copy - 8) {
        return false;
    }
    if (u->end - u->at < 8) {
        memcpy(copy, data, total);
        memset(copy + total, 0, 8);
        data = copy;
    }
    for (size_t k = 0; k < EOP_PACK_STREAMS; k++) {
        streams[k] = (eop_code_stream){.data = data, .limit = total};
        data += sizes[k];
        total -= sizes[k];
    }
    u->kernels->symbols(u->symbols, streams, table, bits, need);
    return true;
}

static bool open_codes(eop_unpack *u, size_t need) {
    uint16_t table[1u << EOP_PACK_CODE_BITS];
    uint8_t lengths[256];
    size_t symbols = 0;
    uint64_t patches = 0;
    if (!take_byte(&u->shift, u) || u->shift > 56 || !take_lengths(lengths, &symbols, u)) {
        return false;
    }
    unsigned bits = eop_code_table(table, lengths, symbols);
    if (bits == 0 || !decode_symbols(u, table, bits, need) ||
        !eop_take_varint(&patches, &u->at, u->end) || patches > u->count) {
        return false;
    }
    u->patches = (size_t)patches;
    if (patches > 0) {
        if (!take_byte(&u->patch_width, u) || u->patch_width == 0 ||
            u->patch_width > 64 - u->shift) {
            return false;
        }
        u->places = take_bytes(u, u->patches * sizeof(uint16_t));
        u->patched = take_bytes(u, eop_bits_size(u->patches, u->patch_width));
        if (u->places == NULL || u->patched == NULL) {
            return false;
        }
    }
    return (size_t)(u->end - u->at) >= eop_bits_size(u->count, u->shift);
}

bool eop_unpack_open(eop_unpack *unpack, const void *data, size_t size, size_t count, size_t need) {
    eop_unpack *u = unpack;
    uint8_t form = 0;
    u->kernels = eop_kernels_best();
    u->at = data;
    u->end = u->at + size;
    u->count = count;
    u->done = 0;
    u->divisor = 1;
    u->patch = 0;
    u->patches = 0;
    if (count == 0 || count > EOP_PACK_MAX || need > count || !take_byte(&form, u)) {
        return false;
    }
    u->predictor = form & EOP_PACK_PREDICTOR;
    u->packing = form >> EOP_PACK_PACKING_SHIFT & 3;
    if (form >= 2 * EOP_PACK_DIVIDED || u->predictor > EOP_PACK_BEND ||
        u->packing > EOP_PACK_CODES) {
        return false;
    }
    if ((form & EOP_PACK_DIVIDED) != 0 &&
        (!take_signed(&u->first, &u->at, u->end) || !eop_take_varint(&u->divisor, &u->at, u->end) ||
         u->divisor < 2)) {
        return false;
    }
    /* Rounded up to whole tiles: all that is returned must be decoded. */
    need = (need + EOP_PACK_TILE - 1) / EOP_PACK_TILE * EOP_PACK_TILE;
    need = need < count ? need : count;
    return take_signed(&u->state.last, &u->at, u->end) &&
           take_signed(&u->state.step, &u->at, u->end) &&
           (u->packing != EOP_PACK_CODES || open_codes(u, need));
}

/* Reads the bits and the patches of a block; the caller undoes the prediction. */
static bool next_block(eop_unpack *u, uint64_t *out, size_t n) {
    uint8_t head = 0;
    if (!take_byte(&head, u)) {
        return false;
    }
    unsigned width = head & 0x7f;
    const uint8_t *bits = width <= 64 ? take_bytes(u, eop_bits_size(n, width)) : NULL;
    if (bits == NULL) {
        return false;
    }
    if (out != NULL) {
        u->kernels->unpack(out, bits, u->end, width, n);
    }
    if ((head & EOP_PACK_PATCHED) == 0) {
        return true;
    }
    uint64_t high[EOP_PACK_TILE];
    uint8_t last = 0;
    uint8_t more = 0;
    if (!take_byte(&last, u) || !take_byte(&more, u) || more == 0 || more > 64 - width) {
        return false;
    }
    size_t count = (size_t)last + 1;
    const uint8_t *places = take_bytes(u, count);
    const uint8_t *patched = take_bytes(u, eop_bits_size(count, more));
    if (places == NULL || patched == NULL) {
        return false;
    }
    u->kernels->unpack(high, patched, u->end, more, out != NULL ? count : 0);
    for (size_t i = 0; out != NULL && i < count; i++) {
        if (places[i] >= n) {
            return false;
        }
        out[places[i]] |= high[i] << width;
    }
    return true;
}

static bool next_codes(eop_unpack *u, uint64_t *out, size_t n) {
    unsigned shift = u->shift;
    if (shift > 0) {
        u->kernels->unpack(out, u->at, u->end, shift, n);
        u->at += eop_bits_size(n, shift);
    }
    u->kernels->join(out, u->symbols + u->done, shift, n);
    for (; u->patch < u->patches; u->patch++) {
        uint16_t place;
        uint64_t high;
        memcpy(&place, u->places + u->patch * sizeof place, sizeof place);
        if (place >= u->done + n) {
            return place < u->count;
        }
        if (place < u->done) {
            return false;
        }
        size_t bit = u->patch * u->patch_width;
        uint8_t bytes[16] = {0};
        size_t left = eop_bits_size(u->patches, u->patch_width) - (bit >> 3);
        memcpy(bytes, u->patched + (bit >> 3), left < 9 ? left : 9);
        /* A patch may begin in the middle of a byte and touch nine bytes. */
        uint64_t low;
        memcpy(&low, bytes, sizeof low);
        high = low >> (bit & 7);
        if ((bit & 7) + u->patch_width > 64) {
            high |= (uint64_t)bytes[8] << (64 - (bit & 7));
        }
        high &= UINT64_MAX >> (64 - u->patch_width);
        uint64_t *value = &out[place - u->done];
        *value = (*value & (((uint64_t)1 << shift) - 1)) | high << shift;
    }
    return true;
}

bool eop_unpack_next(eop_unpack *unpack, uint64_t *out) {
    eop_unpack *u = unpack;
    size_t left = u->count - u->done;
    size_t n = left < EOP_PACK_TILE ? left : EOP_PACK_TILE;
    switch (u->packing) {
    case EOP_PACK_NOTHING:
        memset(out, 0, n * sizeof *out);
        break;
    case EOP_PACK_BLOCKS:
        if (!next_block(u, out, n)) {
            return false;
        }
        break;
    default:
        if (!next_codes(u, out, n)) {
            return false;
        }
        break;
    }
    switch (u->predictor) {
    case EOP_PACK_LINE:
        u->kernels->line(out, &u->state, n);
        break;
    case EOP_PACK_DELTA:
        u->kernels->delta(out, &u->state, n);
        break;
    default:
        u->kernels->bend(out, &u->state, n);
        break;
    }
    if (u->divisor > 1) {
        u->kernels->scale(out, u->first, u->divisor, n);
    }
    u->done += n;
    return true;
}

bool eop_unpack_skip(eop_unpack *unpack) {
    uint64_t tile[EOP_PACK_TILE];
    size_t left = unpack->count - unpack->done;
    if (unpack->predictor != EOP_PACK_LINE || unpack->packing != EOP_PACK_BLOCKS ||
        left < EOP_PACK_TILE) {
        return eop_unpack_next(unpack, tile);
    }
    unpack->done += EOP_PACK_TILE;
    unpack->state.last += unpack->state.step * EOP_PACK_TILE;
    return next_block(unpack, NULL, EOP_PACK_TILE);
}
