/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of a stream of numbers in bounded memory; quantiles.h has the method and its bounds.
 * The structure owns its buffers. */
#include "dataset/quantiles.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define KEPT EOP_QUANTILES_KEPT

void eop_quantiles_dispose(eop_quantiles *q) {
    for (size_t i = 0; i < EOP_QUANTILES_LEVELS; i++) {
        eop_free(q->levels[i]);
    }
    eop_free(q->fresh);
    eop_free(q->scratch);
    *q = (eop_quantiles){0};
}

/* Maps a double to an integer of the same order, and back. */
static uint64_t key_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | (uint64_t)1 << 63;
}

static double value_of(uint64_t key) {
    uint64_t bits = key >> 63 != 0 ? key & ~((uint64_t)1 << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Radix sort, lowest byte first; skips bytes that are the same in all values. */
static void sort_values(double *values, size_t n) {
    uint64_t keys[2][KEPT];
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        keys[0][i] = key_of(values[i]);
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t places[257] = {0};
        for (size_t i = 0; i < n; i++) {
            places[(keys[from][i] >> shift & 255) + 1]++;
        }
        if (places[(keys[from][0] >> shift & 255) + 1] == n) {
            continue;
        }
        for (size_t i = 0; i < 256; i++) {
            places[i + 1] += places[i];
        }
        for (size_t i = 0; i < n; i++) {
            uint64_t key = keys[from][i];
            keys[1 - from][places[key >> shift & 255]++] = key;
        }
        from = 1 - from;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = value_of(keys[from][i]);
    }
}

/* Merges two sorted buffers and keeps every other value. */
static void collapse_buffers(double *out, const double *a, const double *b, bool odd) {
    size_t i = 0;
    size_t k = 0;
    for (size_t n = 0; n < 2 * KEPT; n++) {
        double value = k == KEPT || (i < KEPT && a[i] <= b[k]) ? a[i++] : b[k++];
        if ((n & 1) == (odd ? 1u : 0u)) {
            out[n / 2] = value;
        }
    }
}

/* Moves the full buffer up the levels, like the carry when 1 is added to a binary number. */
static edgeops_status settle_fresh(eop_quantiles *q) {
    double *buffer = q->fresh;
    sort_values(buffer, KEPT);
    q->fresh = NULL;
    q->fresh_count = 0;
    for (size_t level = 0; level < EOP_QUANTILES_LEVELS - 1; level++) {
        if (q->levels[level] == NULL) {
            q->levels[level] = buffer;
            return EDGEOPS_OK;
        }
        double *out = q->scratch;
        q->scratch = NULL;
        if (out == NULL) {
            out = eop_realloc_array(NULL, KEPT, sizeof *out);
        }
        if (out == NULL) {
            eop_free(buffer);
            return eop_fail_nomem("store");
        }
        collapse_buffers(out, q->levels[level], buffer, (q->odd >> level & 1) != 0);
        q->odd ^= (uint64_t)1 << level;
        q->scratch = q->levels[level];
        q->levels[level] = NULL;
        eop_free(buffer);
        buffer = out;
    }
    eop_free(buffer); /* cannot happen: 2048 << 47 values */
    return EDGEOPS_OK;
}

edgeops_status eop_quantiles_add(eop_quantiles *q, double value) {
    if (q->fresh == NULL) {
        q->fresh = eop_realloc_array(NULL, KEPT, sizeof *q->fresh);
        if (q->fresh == NULL) {
            return eop_fail_nomem("store");
        }
    }
    q->fresh[q->fresh_count++] = value;
    q->count++;
    return q->fresh_count == KEPT ? settle_fresh(q) : EDGEOPS_OK;
}

typedef struct weighted {
    double value;
    uint64_t weight;
} weighted;

static int by_value(const void *a, const void *b) {
    double x = ((const weighted *)a)->value;
    double y = ((const weighted *)b)->value;
    return (x > y) - (x < y);
}

edgeops_status eop_quantiles_get(double *out, eop_quantiles *q, const double *parts, size_t n) {
    weighted *all = eop_calloc(KEPT * (EOP_QUANTILES_LEVELS + 1), sizeof *all);
    size_t count = 0;
    if (all == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < q->fresh_count; i++) {
        all[count++] = (weighted){q->fresh[i], 1};
    }
    for (size_t level = 0; level < EOP_QUANTILES_LEVELS; level++) {
        for (size_t i = 0; q->levels[level] != NULL && i < KEPT; i++) {
            all[count++] = (weighted){q->levels[level][i], (uint64_t)1 << level};
        }
    }
    qsort(all, count, sizeof *all, by_value);
    uint64_t before = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t rank = (uint64_t)(parts[i] * (double)(q->count - 1) + 0.5);
        while (at + 1 < count && before + all[at].weight <= rank) {
            before += all[at++].weight;
        }
        out[i] = all[at].value;
    }
    eop_free(all);
    return EDGEOPS_OK;
}
