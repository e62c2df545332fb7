/* SPDX-License-Identifier: Apache-2.0 */
/* Collections become one: rows of one key are joined. Each column is gathered once, from the first
 * row of each key that has a cell in it. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/parts.h"

/* The rows in order of their keys, and where rows of one key begin. */
typedef struct groups {
    uint32_t *order; /* row; NULL: they are in order */
    uint32_t *heads; /* row of the first member of each */
    size_t count;
    uint32_t *joined; /* groups of more than one row: the group, its first place, its end */
    size_t joined_count;
    uint32_t *scratch;
} groups;

enum { GROUP, FROM, TO, FIELDS };

static void groups_dispose(groups *g) {
    eop_free(g->order);
    eop_free(g->heads);
    eop_free(g->joined);
    eop_free(g->scratch);
}

static uint32_t row_at(const groups *g, size_t place) {
    return g->order != NULL ? g->order[place] : (uint32_t)place;
}

static bool same_key(const eop_rows *rows, uint32_t a, uint32_t b) {
    return rows->times[a] == rows->times[b] && rows->seqs[a] == rows->seqs[b];
}

static edgeops_status find_groups(groups *g, const eop_rows *rows) {
    size_t capacity = 0;
    g->heads = eop_realloc_array(NULL, rows->rows, sizeof *g->heads);
    g->scratch = eop_realloc_array(NULL, rows->rows, sizeof *g->scratch);
    if (g->heads == NULL || g->scratch == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t from = 0, to; from < rows->rows; from = to) {
        uint32_t head = row_at(g, from);
        for (to = from + 1; to < rows->rows && same_key(rows, head, row_at(g, to));) {
            to++;
        }
        if (to - from > 1) {
            if (!eop_grow(&g->joined, &capacity, g->joined_count + 1, FIELDS * sizeof *g->joined)) {
                return eop_fail_nomem("store");
            }
            uint32_t *joined = g->joined + FIELDS * g->joined_count++;
            joined[GROUP] = (uint32_t)g->count;
            joined[FROM] = (uint32_t)from;
            joined[TO] = (uint32_t)to;
        }
        g->heads[g->count++] = head;
    }
    return EDGEOPS_OK;
}

/* Moves each group that has no cell in its first row to the first one that has. */
static edgeops_status join_column(eop_vector *vector, const groups *g) {
    if (vector->nulls == 0) {
        return eop_vector_gather(vector, g->heads, g->count);
    }
    memcpy(g->scratch, g->heads, g->count * sizeof *g->scratch);
    for (size_t i = 0; i < g->joined_count; i++) {
        const uint32_t *joined = g->joined + FIELDS * i;
        for (uint32_t place = joined[FROM]; place < joined[TO]; place++) {
            uint32_t row = row_at(g, place);
            if (vector->valid[row] != 0) {
                g->scratch[joined[GROUP]] = row;
                break;
            }
        }
    }
    return eop_vector_gather(vector, g->scratch, g->count);
}

static edgeops_status join_rows(eop_rows *rows, const groups *g) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = join_column(&rows->vectors[k], g);
    }
    return status == EDGEOPS_OK ? eop_rows_gather_keys(rows, g->heads, g->count) : status;
}

static void take_least_ordinals(eop_rows *rows, const groups *g) {
    for (size_t i = 0; i < g->joined_count; i++) {
        const uint32_t *joined = g->joined + FIELDS * i;
        uint64_t *least = &rows->ordinals[g->heads[joined[GROUP]]];
        for (uint32_t place = joined[FROM]; place < joined[TO]; place++) {
            uint64_t ordinal = rows->ordinals[row_at(g, place)];
            *least = ordinal < *least ? ordinal : *least;
        }
    }
}

static bool has_equal_neighbours(const eop_rows *rows) {
    for (size_t i = 1; i < rows->rows; i++) {
        if (EOP_UNLIKELY(rows->times[i] == rows->times[i - 1]) &&
            rows->seqs[i] == rows->seqs[i - 1]) {
            return true;
        }
    }
    return false;
}

edgeops_status eop_rows_fold(eop_rows *rows) {
    groups g = {0};
    if (!has_equal_neighbours(rows)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_rows_keep_ordinals(rows);
    if (status == EDGEOPS_OK) {
        status = find_groups(&g, rows);
    }
    if (status == EDGEOPS_OK) {
        take_least_ordinals(rows, &g);
        status = join_rows(rows, &g);
    }
    groups_dispose(&g);
    return status;
}

edgeops_status eop_parts_append(eop_rows *rows, eop_parts *parts, const eop_rows *source_rows,
                                const eop_parts *source) {
    size_t count = rows->rows;
    edgeops_status status = eop_rows_copy(rows, source_rows, 0, source_rows->rows, NULL);
    if (status == EDGEOPS_OK) {
        status = source != NULL ? eop_parts_extend(parts, source)
                                : eop_parts_begin(parts, source_rows->rows);
        if (status != EDGEOPS_OK) {
            eop_rows_truncate(rows, count);
        }
    }
    return status;
}

/* The shape of what a row brought at its first arrival: its cells that no other arrival brought.
 * seen: a row for each channel, scratch. */
static edgeops_status number_first(uint32_t *shape, eop_parts *parts, const eop_rows *rows,
                                   uint32_t row, uint32_t *seen, uint16_t *channels) {
    size_t n = 0;
    for (uint32_t i = parts->last[row]; parts->before[i] != EOP_PARTS_NONE; i = parts->before[i]) {
        size_t count;
        const uint16_t *brought = eop_parts_shape(&count, parts, parts->shapes[i]);
        for (size_t k = 0; k < count; k++) {
            seen[brought[k]] = row;
        }
    }
    for (size_t k = 0; k < rows->vector_count; k++) {
        if (seen[k] != row && !eop_vector_is_null(&rows->vectors[k], row)) {
            channels[n++] = (uint16_t)k;
        }
    }
    return eop_parts_number(shape, parts, channels, n);
}

/* Sets shapes[row] for the rows that are joined to an older one, 0 for all others. */
static edgeops_status number_joined(uint32_t *shapes, eop_parts *parts, const eop_rows *rows,
                                    const groups *g) {
    size_t limit =
        rows->vector_count > parts->channel_limit ? rows->vector_count : parts->channel_limit;
    uint32_t *seen = eop_realloc_array(NULL, limit, sizeof *seen);
    uint16_t *channels = eop_realloc_array(NULL, limit, sizeof *channels);
    edgeops_status status = seen != NULL && channels != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (size_t k = 0; seen != NULL && k < limit; k++) {
        seen[k] = EOP_PARTS_NONE;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < g->joined_count; i++) {
        const uint32_t *joined = g->joined + FIELDS * i;
        for (uint32_t place = joined[FROM] + 1; status == EDGEOPS_OK && place < joined[TO];
             place++) {
            uint32_t row = row_at(g, place);
            status = number_first(&shapes[row], parts, rows, row, seen, channels);
        }
    }
    eop_free(seen);
    eop_free(channels);
    return status;
}

/* Arrivals go to the joined rows. shapes: as of number_joined(); the numbers of the joined rows are
 * written over it. */
static void join_arrivals(eop_parts *parts, uint32_t *shapes, const groups *g) {
    for (size_t i = 0; i < parts->count; i++) {
        parts->shapes[i] = parts->shapes[i] == 0 ? shapes[parts->rows[i]] : parts->shapes[i];
    }
    size_t next = 0;
    size_t place = 0;
    for (size_t group = 0; group < g->count; group++) {
        size_t to = place + 1;
        if (next < g->joined_count && g->joined[FIELDS * next + GROUP] == group) {
            to = g->joined[FIELDS * next++ + TO];
        }
        for (; place < to; place++) {
            shapes[row_at(g, place)] = (uint32_t)group;
        }
    }
    for (size_t i = 0; i < parts->count; i++) {
        parts->rows[i] = shapes[parts->rows[i]];
    }
    for (size_t group = 0; group < g->count; group++) {
        g->scratch[group] = eop_parts_later(parts, g->heads[group]);
    }
    parts->row_count = g->count;
    parts->later_count = 0;
    for (size_t group = 0; parts->later != NULL && group < g->count; group++) {
        parts->later[group] = g->scratch[group] != 0;
        parts->later_count += g->scratch[group];
    }
    eop_parts_chain(parts);
}

static edgeops_status sort_and_join(eop_rows *rows, eop_parts *parts, groups *g) {
    edgeops_status status = find_groups(g, rows);
    uint32_t *shapes = eop_calloc(rows->rows + 1, sizeof *shapes);
    if (status == EDGEOPS_OK && shapes == NULL) {
        status = eop_fail_nomem("store");
    }
    if (status == EDGEOPS_OK) {
        status = number_joined(shapes, parts, rows, g);
    }
    if (status == EDGEOPS_OK) {
        status = join_rows(rows, g);
    }
    if (status == EDGEOPS_OK) {
        join_arrivals(parts, shapes, g);
    }
    eop_free(shapes);
    return status;
}

static bool rows_as_they_came(const eop_parts *parts) {
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->rows[i] != i) {
            return false;
        }
    }
    return true;
}

edgeops_status eop_parts_sort(eop_rows *rows, eop_parts *parts, uint64_t first) {
    groups g = {0};
    edgeops_status status = eop_rows_complete(rows);
    if (status == EDGEOPS_OK) {
        status = eop_rows_order(&g.order, rows);
    }
    if (status == EDGEOPS_OK && (g.order != NULL || has_equal_neighbours(rows))) {
        status = sort_and_join(rows, parts, &g);
    }
    groups_dispose(&g);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (rows->ordinals == NULL && rows_as_they_came(parts)) {
        rows->first_ordinal = first;
        return EDGEOPS_OK;
    }
    status = eop_rows_keep_ordinals(rows);
    if (status == EDGEOPS_OK) {
        eop_parts_ordinals(rows->ordinals, parts, first);
    }
    return status;
}
