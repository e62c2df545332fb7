/* SPDX-License-Identifier: Apache-2.0 */
/* Takes of a sample what is stored already and finds what contradicts; see compare.h. Each row of
 * the key may be given in any order, and more than once. */
#include "store/compare.h"

static const eop_vector *vector_at(const eop_rows *rows, uint32_t channel) {
    return channel < rows->vector_count ? &rows->vectors[channel] : NULL;
}

static bool is_null(const eop_vector *vector, size_t row) {
    return vector == NULL || eop_vector_is_null(vector, row);
}

static bool is_same(const eop_vector *vector, size_t row, const eop_cell *cell) {
    return vector != NULL && eop_vector_equals(vector, row, &cell->value) &&
           eop_vector_quality(vector, row) == cell->quality;
}

static void note_conflict(eop_compare *compare, const eop_rows *rows, size_t row,
                          uint32_t channel) {
    const eop_vector *vector = vector_at(rows, channel);
    compare->conflict = channel;
    if (!is_null(vector, row)) {
        compare->stored = eop_vector_value(vector, row);
        compare->quality = eop_vector_quality(vector, row);
    }
}

/* Finds the first channel in which a row differs from the cells, or that only one of them has. */
static bool compare_whole(eop_search *search, const eop_rows *rows, size_t row) {
    eop_compare *compare = (eop_compare *)search;
    size_t same = 0;
    size_t stored = 0;
    while (same < compare->count &&
           is_same(vector_at(rows, compare->cells[same].channel), row, &compare->cells[same])) {
        same++;
    }
    if (same < compare->count) {
        note_conflict(compare, rows, row, compare->cells[same].channel);
        return true;
    }
    for (uint32_t k = 0; k < rows->vector_count; k++) {
        stored += !eop_vector_is_null(&rows->vectors[k], row);
    }
    for (uint32_t k = 0; stored > same && compare->conflict == UINT32_MAX; k++) {
        bool given = eop_vector_is_null(&rows->vectors[k], row);
        for (size_t i = 0; !given && i < same; i++) {
            given = compare->cells[i].channel == k;
        }
        if (!given) {
            note_conflict(compare, rows, row, k);
        }
    }
    compare->count = 0;
    compare->known = true;
    return true;
}

/* Removes the cells that the row has. */
static bool compare_cells(eop_search *search, const eop_rows *rows, size_t row) {
    eop_compare *compare = (eop_compare *)search;
    size_t left = 0;
    for (size_t i = 0; i < compare->count; i++) {
        const eop_cell *cell = &compare->cells[i];
        const eop_vector *vector = vector_at(rows, cell->channel);
        if (is_null(vector, row)) {
            compare->cells[left++] = *cell;
        } else if (!is_same(vector, row, cell)) {
            note_conflict(compare, rows, row, cell->channel);
            return true;
        }
    }
    compare->known = compare->known || left < compare->count;
    compare->count = left;
    search->count = left;
    return left == 0;
}

void eop_compare_begin(eop_compare *compare, eop_cell *cells, size_t n, int64_t time, int64_t seq,
                       bool whole) {
    *compare = (eop_compare){.search = {.time = time,
                                        .seq = seq,
                                        .found = whole ? compare_whole : compare_cells,
                                        .cells = whole ? NULL : cells,
                                        .count = n},
                             .cells = cells,
                             .count = n,
                             .conflict = UINT32_MAX,
                             .stored = {.type = EDGEOPS_TYPE_NULL},
                             .quality = EDGEOPS_QUALITY_NONE};
}
