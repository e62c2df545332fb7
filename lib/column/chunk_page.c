/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of numbers: chooses the mode that takes the fewest bytes, and reads all modes back.
 * chunk.h has the format; the integers are packed by pack.c. */
#include "column/chunk_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/type.h"

enum { SAMPLES = 64, CHOICES_MAX = 256 };

edgeops_status eop_column_damaged(const char *what) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store", "a column in data/telemetry.db is damaged: %s",
                    what);
}

/* -- elements as integers -- */

#define LOAD_EACH(kind)                                                                            \
    for (size_t i = 0; i < n; i++) {                                                               \
        kind element;                                                                              \
        memcpy(&element, from + i * sizeof element, sizeof element);                               \
        out[i] = (uint64_t)(element);                                                              \
    }                                                                                              \
    break
#define STORE_EACH(kind)                                                                           \
    for (size_t i = 0; i < n; i++) {                                                               \
        kind element = (kind)values[i];                                                            \
        memcpy(to + i * sizeof element, &element, sizeof element);                                 \
    }                                                                                              \
    break

/* Maps the bits of a float so that they sort as the numbers do: close numbers give close
 * integers. */
static uint64_t order64(uint64_t bits) {
    return bits ^ ((0 - (bits >> 63)) >> 1);
}

static uint64_t order32(uint32_t bits) {
    return (uint64_t)(int64_t)(int32_t)(bits ^ ((0 - (bits >> 31)) >> 1));
}

static void load_elements(uint64_t *out, edgeops_type type, const char *from, size_t n) {
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        memcpy(out, from, n * sizeof *out);
        for (size_t i = 0; i < n; i++) {
            out[i] = order64(out[i]);
        }
        break;
    case EDGEOPS_TYPE_FLOAT32:
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, from + i * sizeof bits, sizeof bits);
            out[i] = order32(bits);
        }
        break;
    case EDGEOPS_TYPE_INT8:
        LOAD_EACH(int8_t);
    case EDGEOPS_TYPE_INT16:
        LOAD_EACH(int16_t);
    case EDGEOPS_TYPE_INT32:
        LOAD_EACH(int32_t);
    case EDGEOPS_TYPE_BOOL:
    case EDGEOPS_TYPE_UINT8:
        LOAD_EACH(uint8_t);
    case EDGEOPS_TYPE_UINT16:
        LOAD_EACH(uint16_t);
    case EDGEOPS_TYPE_UINT32:
        LOAD_EACH(uint32_t);
    default:
        memcpy(out, from, n * sizeof *out);
        break;
    }
}

/* The inverse of load_elements(). */
static void store_elements(char *to, edgeops_type type, const uint64_t *values, size_t n) {
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        for (size_t i = 0; i < n; i++) {
            uint64_t bits = order64(values[i]);
            memcpy(to + i * sizeof bits, &bits, sizeof bits);
        }
        break;
    case EDGEOPS_TYPE_FLOAT32:
        for (size_t i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)order32((uint32_t)values[i]);
            memcpy(to + i * sizeof bits, &bits, sizeof bits);
        }
        break;
    case EDGEOPS_TYPE_BOOL:
        for (size_t i = 0; i < n; i++) {
            to[i] = values[i] != 0;
        }
        break;
    case EDGEOPS_TYPE_INT8:
    case EDGEOPS_TYPE_UINT8:
        STORE_EACH(uint8_t);
    case EDGEOPS_TYPE_INT16:
    case EDGEOPS_TYPE_UINT16:
        STORE_EACH(uint16_t);
    case EDGEOPS_TYPE_INT32:
    case EDGEOPS_TYPE_UINT32:
        STORE_EACH(uint32_t);
    default:
        memcpy(to, values, n * sizeof *values);
        break;
    }
}

/* -- writing -- */

static void put_byte(eop_buf *buf, unsigned value) {
    char byte = (char)value;
    eop_buf_put(buf, &byte, 1);
}

static double float_at(edgeops_type type, const char *elements, size_t i) {
    double wide;
    float narrow;
    if (type == EDGEOPS_TYPE_FLOAT64) {
        memcpy(&wide, elements + i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, elements + i * sizeof narrow, sizeof narrow);
    return (double)narrow;
}

/* The least exponent >= from that gives the number back; EOP_PACK_EXPONENT + 1 when none does. */
static unsigned exponent_of(double value, unsigned from, bool narrow) {
    uint64_t whole;
    uint8_t odd;
    eop_decimal decimal = {.exponent = (uint8_t)from, .narrow = narrow};
    while (decimal.exponent <= EOP_PACK_EXPONENT &&
           eop_kernels_plain.from_double(&whole, &odd, &value, decimal, 1) > 0) {
        decimal.exponent++;
    }
    return decimal.exponent;
}

static int by_exponent(const void *a, const void *b) {
    return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

/* Samples the elements for the exponent that fits most of them. False: they are not decimals. */
static bool find_decimal(eop_decimal *out, edgeops_type type, const char *elements, size_t n,
                         bool narrow) {
    uint8_t found[SAMPLES];
    size_t stride = n > SAMPLES ? n / SAMPLES : 1;
    size_t count = 0;
    size_t good = 0;
    for (size_t i = 0; i < n && count < SAMPLES; i += stride, count++) {
        unsigned exponent = exponent_of(float_at(type, elements, i), 0, narrow);
        if (exponent <= EOP_PACK_EXPONENT) {
            found[good++] = (uint8_t)exponent;
        }
        if (count == 7 && good < 2) {
            return false;
        }
    }
    if (good * 4 < count * 3) {
        return false;
    }
    qsort(found, good, 1, by_exponent);
    /* An element with many more digits than the others is stored as odd, so that it does not make
     * all of them longer. */
    unsigned most = found[good - 1];
    unsigned usual = found[good - 1 - good / 16];
    *out = (eop_decimal){.exponent = (uint8_t)(most > usual + 3 ? usual : most), .narrow = narrow};
    return true;
}

/* Returns the number of odd elements, SIZE_MAX when more than a quarter are. */
static size_t scale_elements(uint64_t *values, uint8_t *odd, edgeops_type type,
                             const char *elements, size_t n, eop_decimal decimal) {
    const eop_kernels *kernels = eop_kernels_best();
    size_t count = 0;
    for (size_t at = 0; at < n && count <= n / 4; at += EOP_PACK_TILE) {
        double tile[EOP_PACK_TILE];
        size_t m = n - at < EOP_PACK_TILE ? n - at : EOP_PACK_TILE;
        for (size_t i = 0; i < m; i++) {
            tile[i] = float_at(type, elements, at + i);
        }
        count += kernels->from_double(values + at, odd + at, tile, decimal, m);
    }
    return count <= n / 4 ? count : SIZE_MAX;
}

static void put_decimal(eop_buf *buf, eop_decimal decimal, uint64_t *values, const uint8_t *odd,
                        size_t count, const char *elements, size_t width, size_t n, size_t saving) {
    put_byte(buf, EOP_PAGE_DECIMAL);
    put_byte(buf, decimal.exponent | (decimal.narrow ? EOP_PAGE_NARROW : 0));
    eop_put_varint(buf, count);
    for (size_t i = 0; count > 0 && i < n; i++) {
        if (odd[i] != 0) {
            uint16_t place = (uint16_t)i;
            eop_buf_put(buf, &place, sizeof place);
            /* Ignored by readers: repeating the value before costs least. */
            values[i] = i > 0 ? values[i - 1] : 0;
        }
    }
    for (size_t i = 0; count > 0 && i < n; i++) {
        if (odd[i] != 0) {
            eop_buf_put(buf, elements + i * width, width);
        }
    }
    eop_pack(buf, values, n, saving);
}

/* False: too many elements are not decimals. */
static bool try_decimal(size_t *odd_count, eop_buf *buf, uint64_t *values, edgeops_type type,
                        const char *elements, size_t n, size_t saving) {
    uint8_t odd[EOP_PAGE_MAX];
    eop_decimal decimal;
    bool narrow = type == EDGEOPS_TYPE_FLOAT32;
    if (!find_decimal(&decimal, type, elements, n, narrow)) {
        /* Floats that were widened to doubles have many digits as doubles, few as floats. */
        if (narrow || !find_decimal(&decimal, type, elements, n, true)) {
            return false;
        }
    }
    size_t count = scale_elements(values, odd, type, elements, n, decimal);
    for (size_t i = 0; count != SIZE_MAX && count > n / 64 && i < n; i++) {
        /* The sampling missed elements with more digits. */
        unsigned exponent = decimal.exponent;
        if (odd[i] != 0) {
            exponent = exponent_of(float_at(type, elements, i), exponent, decimal.narrow);
        }
        if (exponent > decimal.exponent && exponent <= (unsigned)decimal.exponent + 3 &&
            exponent <= EOP_PACK_EXPONENT) {
            decimal.exponent = (uint8_t)exponent;
            count = scale_elements(values, odd, type, elements, n, decimal);
        }
    }
    if (count == SIZE_MAX) {
        return false;
    }
    *odd_count = count;
    put_decimal(buf, decimal, values, odd, count, elements, eop_type_width(type), n, saving);
    return true;
}

/* Writes the few different elements and their indices. False: there are too many different ones. */
static bool put_selected(eop_buf *buf, uint64_t *values, const char *elements, size_t width,
                         size_t n, size_t saving) {
    uint16_t first[CHOICES_MAX]; /* where each choice occurs first */
    uint16_t slots[4 * CHOICES_MAX] = {0};
    size_t choices = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = eop_hash64(elements + i * width, width);
        size_t slot = hash % EOP_COUNT(slots);
        while (slots[slot] != 0 && memcmp(elements + first[slots[slot] - 1] * width,
                                          elements + i * width, width) != 0) {
            slot = (slot + 1) % EOP_COUNT(slots);
        }
        if (slots[slot] == 0) {
            if (choices == CHOICES_MAX || (i >= 512 && choices > i / 2)) {
                return false;
            }
            first[choices++] = (uint16_t)i;
            slots[slot] = (uint16_t)choices;
        }
        values[i] = (uint64_t)slots[slot] - 1;
    }
    put_byte(buf, EOP_PAGE_SELECTED);
    eop_put_varint(buf, choices);
    for (size_t i = 0; i < choices; i++) {
        eop_buf_put(buf, elements + first[i] * width, width);
    }
    eop_pack(buf, values, n, saving);
    return true;
}

static void put_packed(eop_buf *buf, uint64_t *values, unsigned mode, edgeops_type type,
                       const char *elements, size_t n, size_t saving) {
    put_byte(buf, mode);
    load_elements(values, type, elements, n);
    eop_pack(buf, values, n, saving);
}

/* Keeps the shorter of two attempts: the bytes [start, middle) or those from middle on. */
static void keep_shorter(eop_buf *buf, size_t start, size_t middle) {
    size_t before = middle - start;
    size_t after = buf->size - middle;
    if (!buf->failed && after > 0) {
        if (after < before) {
            memmove(buf->data + start, buf->data + middle, after);
        }
        buf->size = start + (after < before ? after : before);
    }
}

static void put_float(eop_buf *buf, uint64_t *values, edgeops_type type, const char *elements,
                      size_t n, size_t saving) {
    size_t start = buf->size;
    size_t odd = 0;
    bool decimal = try_decimal(&odd, buf, values, type, elements, n, saving);
    if (!decimal || odd > n / 16) {
        size_t middle = buf->size;
        put_packed(buf, values, EOP_PAGE_BITS, type, elements, n, saving);
        if (decimal) {
            keep_shorter(buf, start, middle);
        }
    }
}

void eop_page_put(eop_buf *buf, edgeops_type type, const void *elements, size_t n, size_t saving) {
    const char *from = elements;
    size_t width = eop_type_width(type);
    size_t start = buf->size;
    if (memcmp(from, from + width, (n - 1) * width) == 0) {
        put_byte(buf, EOP_PAGE_CONSTANT);
        eop_buf_put(buf, from, width);
        return;
    }
    /* Memory for the attempts below. Not on the stack: a host's threads may have small ones. */
    uint64_t *values = eop_alloc(n * sizeof *values);
    if (values == NULL) {
        buf->failed = true;
        return;
    }
    if (eop_type_is_float(type)) {
        put_float(buf, values, type, from, n, saving);
    } else if (type != EDGEOPS_TYPE_BLOB) {
        put_packed(buf, values, EOP_PAGE_WHOLE, type, from, n, saving);
    }
    /* If packing saved less than three quarters, indices of a few different elements may be
     * shorter. */
    if ((buf->size == start || buf->size - start > n * width / 4) && width > 1) {
        size_t middle = buf->size;
        if (put_selected(buf, values, from, width, n, saving) && middle > start) {
            keep_shorter(buf, start, middle);
        }
    }
    if (buf->size == start || buf->size - start >= 1 + n * width) {
        buf->size = start;
        put_byte(buf, EOP_PAGE_RAW);
        eop_buf_put(buf, from, n * width);
    }
    eop_free(values);
}

/* -- reading -- */

static const uint8_t *take_bytes(const uint8_t **at, const uint8_t *end, size_t size) {
    const uint8_t *place = *at;
    if ((size_t)(end - place) < size) {
        return NULL;
    }
    *at += size;
    return place;
}

static bool open_decimal(eop_page *page, const uint8_t **at, const uint8_t *end) {
    uint64_t odd = 0;
    const uint8_t *exponent = take_bytes(at, end, 1);
    if (exponent == NULL || !eop_type_is_float(page->type) ||
        (*exponent & ~(EOP_PAGE_EXPONENT | EOP_PAGE_NARROW)) != 0 ||
        !eop_take_varint(&odd, at, end) || odd > page->count) {
        return false;
    }
    page->decimal = (eop_decimal){.exponent = *exponent & EOP_PAGE_EXPONENT,
                                  .narrow = (*exponent & EOP_PAGE_NARROW) != 0};
    page->odd = (size_t)odd;
    page->places = take_bytes(at, end, page->odd * sizeof(uint16_t));
    page->elements = take_bytes(at, end, page->odd * page->width);
    return page->places != NULL && page->elements != NULL;
}

static bool open_selected(eop_page *page, const uint8_t **at, const uint8_t *end) {
    uint64_t choices = 0;
    if (!eop_take_varint(&choices, at, end) || choices > page->count) {
        return false;
    }
    page->choices = (size_t)choices;
    page->elements = take_bytes(at, end, page->choices * page->width);
    return page->elements != NULL;
}

bool eop_page_open(eop_page *page, edgeops_type type, const void *data, size_t size, size_t count,
                   size_t need) {
    const uint8_t *at = data;
    const uint8_t *end = at + size;
    const uint8_t *mode = take_bytes(&at, end, 1);
    page->type = type;
    page->width = eop_type_width(type);
    page->count = count;
    page->done = 0;
    page->odd = 0;
    page->next_odd = 0;
    if (mode == NULL || count == 0 || count > EOP_PAGE_MAX || page->width == 0) {
        return false;
    }
    page->mode = *mode;
    switch (page->mode) {
    case EOP_PAGE_RAW:
        page->elements = take_bytes(&at, end, count * page->width);
        return page->elements != NULL;
    case EOP_PAGE_CONSTANT:
        page->elements = take_bytes(&at, end, page->width);
        return page->elements != NULL;
    case EOP_PAGE_WHOLE:
        if (eop_type_is_float(type) || type == EDGEOPS_TYPE_BLOB) {
            return false;
        }
        break;
    case EOP_PAGE_DECIMAL:
        if (!open_decimal(page, &at, end)) {
            return false;
        }
        break;
    case EOP_PAGE_BITS:
        if (!eop_type_is_float(type)) {
            return false;
        }
        break;
    case EOP_PAGE_SELECTED:
        if (!open_selected(page, &at, end)) {
            return false;
        }
        break;
    default:
        return false;
    }
    return eop_unpack_open(&page->unpack, at, (size_t)(end - at), count, need);
}

/* Puts the odd elements among the n that were just scaled. */
static bool put_odd(eop_page *page, char *out, size_t n) {
    for (; page->next_odd < page->odd; page->next_odd++) {
        uint16_t place;
        memcpy(&place, page->places + page->next_odd * sizeof place, sizeof place);
        if (place >= page->done + n) {
            return place < page->count;
        }
        if (place < page->done) {
            return false;
        }
        memcpy(out + (place - page->done) * page->width,
               page->elements + page->next_odd * page->width, page->width);
    }
    return true;
}

static bool next_packed(eop_page *page, char *out, size_t n) {
    uint64_t tile[EOP_PACK_TILE];
    const eop_kernels *kernels = page->unpack.kernels;
    if (page->mode == EOP_PAGE_WHOLE && page->width == sizeof *tile) {
        return eop_unpack_next(&page->unpack, (uint64_t *)(void *)out);
    }
    if (!eop_unpack_next(&page->unpack, tile)) {
        return false;
    }
    if (page->mode == EOP_PAGE_SELECTED) {
        for (size_t i = 0; i < n; i++) {
            if (tile[i] >= page->choices) {
                return false;
            }
            memcpy(out + i * page->width, page->elements + tile[i] * page->width, page->width);
        }
        return true;
    }
    if (page->mode != EOP_PAGE_DECIMAL) {
        store_elements(out, page->type, tile, n);
        return true;
    }
    if (page->type == EDGEOPS_TYPE_FLOAT64) {
        kernels->to_double((double *)(void *)out, tile, page->decimal, n);
    } else {
        kernels->to_float((float *)(void *)out, tile, page->decimal, n);
    }
    return put_odd(page, out, n);
}

bool eop_page_next(eop_page *page, void *out) {
    size_t left = page->count - page->done;
    size_t n = left < EOP_PACK_TILE ? left : EOP_PACK_TILE;
    bool good = true;
    if (page->mode == EOP_PAGE_RAW) {
        memcpy(out, page->elements + page->done * page->width, n * page->width);
    } else if (page->mode == EOP_PAGE_CONSTANT) {
        size_t size = n * page->width;
        memcpy(out, page->elements, page->width);
        for (size_t have = page->width; have < size; have *= 2) {
            memcpy((char *)out + have, out, have < size - have ? have : size - have);
        }
    } else {
        good = next_packed(page, out, n);
    }
    page->done += n;
    return good;
}

bool eop_page_skip(eop_page *page) {
    size_t left = page->count - page->done;
    size_t n = left < EOP_PACK_TILE ? left : EOP_PACK_TILE;
    page->done += n;
    if (page->mode == EOP_PAGE_RAW || page->mode == EOP_PAGE_CONSTANT) {
        return true;
    }
    while (page->next_odd < page->odd) {
        uint16_t place;
        memcpy(&place, page->places + page->next_odd * sizeof place, sizeof place);
        if (place >= page->done) {
            break;
        }
        page->next_odd++;
    }
    return eop_unpack_skip(&page->unpack);
}
