/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of the rows that are held, in the order of their first parts, and a map from their keys.
 * What is given is copied into one table, so that the cutter reads rows as if they had come whole.
 * Owns copies of all values; reads no clock; not locked. */
#include "runtime/fold.h"

#include "base/column_view.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "runtime/carry.h"
#include "runtime/rows.h"

/* Rows of a table that is given. */
#define GIVE_ROWS 1024u
/* Due whatever the time. */
#define AT_ONCE INT64_MIN

typedef struct held {
    edgeops_time time;
    int64_t seq;
    uint64_t hash;
    uint64_t ordinal;
    edgeops_duration due;
    edgeops_duration durable;
    size_t missing; /* inputs without a value */
    size_t bytes;
    eop_cell *cells;
} held;

struct eop_fold {
    eop_fold_options options;
    edgeops_value *values; /* of one arrival, or of a row that is given */
    size_t *map;
    eop_map keys; /* of `ring`: item = place + 1 */
    held *ring;
    size_t first;
    size_t count;
    size_t bytes;
    const edgeops_table *block;
    uint64_t next;  /* row of the block */
    uint64_t taken; /* the newest ordinal */
    edgeops_time late_time;
    int64_t late_seq;
    bool gave; /* any row, in this life or before */
    eop_rows *out;
    eop_fold_row given[GIVE_ROWS]; /* beside `out` */
    uint64_t asked;
    eop_fold_stats stats;
};

static edgeops_status make(eop_fold *fold) {
    size_t n = fold->options.input_count;
    fold->values = eop_calloc(n, sizeof *fold->values);
    fold->map = eop_calloc(n, sizeof *fold->map);
    fold->ring = eop_calloc(EOP_FOLD_ROWS, sizeof *fold->ring);
    if (fold->values == NULL || fold->map == NULL || fold->ring == NULL) {
        return eop_fail_nomem("runtime");
    }
    return eop_rows_new(&fold->out, fold->options.inputs, n);
}

edgeops_status eop_fold_new(eop_fold **out, const eop_fold_options *options) {
    *out = NULL;
    eop_fold *fold = eop_calloc(1, sizeof *fold);
    if (fold == NULL) {
        return eop_fail_nomem("runtime");
    }
    fold->options = *options;
    fold->gave = options->given > 0;
    edgeops_status status = make(fold);
    fold->options.inputs = NULL;
    if (status != EDGEOPS_OK) {
        eop_fold_free(fold);
        return status;
    }
    *out = fold;
    return EDGEOPS_OK;
}

static held *held_at(const eop_fold *fold, size_t i) {
    return &fold->ring[(fold->first + i) % EOP_FOLD_ROWS];
}

static void dispose_cells(const eop_fold *fold, held *row) {
    for (size_t i = 0; row->cells != NULL && i < fold->options.input_count; i++) {
        eop_cell_dispose(&row->cells[i]);
    }
    eop_free(row->cells);
    row->cells = NULL;
}

void eop_fold_free(eop_fold *fold) {
    if (fold == NULL) {
        return;
    }
    for (size_t i = 0; i < fold->count; i++) {
        dispose_cells(fold, held_at(fold, i));
    }
    eop_map_dispose(&fold->keys);
    eop_rows_free(fold->out);
    eop_free(fold->ring);
    eop_free(fold->map);
    eop_free(fold->values);
    eop_free(fold);
}

/* -- arrivals -- */

edgeops_status eop_fold_feed(eop_fold *fold, const edgeops_table *block) {
    edgeops_status status = eop_rows_map(fold->map, fold->out, block);
    fold->block = status == EDGEOPS_OK ? block : NULL;
    fold->next = 0;
    return status;
}

uint64_t eop_fold_next(const eop_fold *fold) {
    return fold->block != NULL && fold->next < fold->block->rows ? fold->block->ordinals[fold->next]
                                                                 : 0;
}

static uint64_t hash_of(edgeops_time time, int64_t seq) {
    const int64_t key[] = {time, seq};
    return eop_hash64(key, sizeof key);
}

static held *find(const eop_fold *fold, edgeops_time time, int64_t seq) {
    uint64_t hash = hash_of(time, seq);
    size_t step = 0;
    for (uintptr_t item; (item = eop_map_next(&fold->keys, hash, &step)) != 0;) {
        held *row = &fold->ring[item - 1];
        if (row->time == time && row->seq == seq) {
            return row;
        }
    }
    return NULL;
}

/* Copies the values of an arrival into the cells that the row lacks. */
static edgeops_status put_cells(eop_fold *fold, held *row) {
    for (size_t i = 0; i < fold->options.input_count; i++) {
        eop_cell *cell = &row->cells[i];
        if (fold->values[i].type == EDGEOPS_TYPE_NULL || cell->value.type != EDGEOPS_TYPE_NULL) {
            continue;
        }
        if (!eop_cell_set(cell, &fold->values[i])) {
            return eop_fail_nomem("runtime");
        }
        row->missing--;
        row->bytes += cell->capacity;
        fold->bytes += cell->capacity;
    }
    return EDGEOPS_OK;
}

static edgeops_status hold(eop_fold *fold, edgeops_time time, int64_t seq, edgeops_duration durable,
                           edgeops_duration now) {
    size_t n = fold->options.input_count;
    size_t place = (fold->first + fold->count) % EOP_FOLD_ROWS;
    held *row = &fold->ring[place];
    edgeops_duration since = durable != 0 ? durable : now;
    *row = (held){.time = time,
                  .seq = seq,
                  .hash = hash_of(time, seq),
                  .ordinal = fold->taken,
                  .due = since + fold->options.wait,
                  .durable = durable,
                  .missing = n,
                  .bytes = n * sizeof *row->cells};
    if (row->ordinal <= fold->options.given) {
        row->due = AT_ONCE;
    }
    row->cells = eop_calloc(n, sizeof *row->cells);
    if (row->cells == NULL || !eop_map_reserve(&fold->keys)) {
        dispose_cells(fold, row);
        return eop_fail_nomem("runtime");
    }
    fold->bytes += row->bytes;
    fold->count++;
    eop_map_add(&fold->keys, row->hash, place + 1);
    return put_cells(fold, row);
}

/* A later part. Whether it counts as late is decided by what was given, not by what a restart holds
 * once more. */
static edgeops_status join(eop_fold *fold, edgeops_duration durable) {
    held *row = find(fold, fold->late_time, fold->late_seq);
    bool late = row != NULL ? row->ordinal <= fold->options.given : fold->gave;
    fold->stats.late_parts += late && fold->taken > fold->options.counted;
    if (row == NULL) {
        return EDGEOPS_DONE;
    }
    row->durable = durable;
    return put_cells(fold, row);
}

edgeops_status eop_fold_take(eop_fold *fold, edgeops_duration durable, edgeops_duration now) {
    const edgeops_table *block = fold->block;
    uint64_t at = fold->next++;
    fold->taken = block->ordinals[at];
    fold->late_time = block->times[at];
    fold->late_seq = block->seqs != NULL ? block->seqs[at] : 0;
    eop_rows_load(fold->values, fold->out, block, fold->map, at);
    return eop_is_later_part(block, at) ? join(fold, durable)
                                        : hold(fold, fold->late_time, fold->late_seq, durable, now);
}

const edgeops_value *eop_fold_late(const eop_fold *fold, edgeops_time *time, int64_t *seq) {
    *time = fold->late_time;
    *seq = fold->late_seq;
    return fold->values;
}

bool eop_fold_full(const eop_fold *fold) {
    bool begins = eop_fold_next(fold) != 0 && !eop_is_later_part(fold->block, fold->next);
    return (fold->count == EOP_FOLD_ROWS && begins) ||
           (fold->count > 0 && fold->bytes >= EOP_FOLD_BYTES);
}

/* -- rows -- */

static edgeops_status give_first(eop_fold *fold) {
    held *row = held_at(fold, 0);
    const eop_row_note note = {.label = -1};
    uint64_t at = eop_rows_count(fold->out);
    for (size_t i = 0; i < fold->options.input_count; i++) {
        fold->values[i] = row->cells[i].value;
    }
    edgeops_status status =
        eop_rows_append_values(fold->out, row->time, row->seq, row->ordinal, fold->values, note);
    if (status != EDGEOPS_OK) {
        return status;
    }
    fold->given[at] = (eop_fold_row){row->durable, row->missing > 0};
    eop_map_remove(&fold->keys, row->hash, fold->first + 1);
    fold->bytes -= row->bytes;
    dispose_cells(fold, row);
    fold->first = (fold->first + 1) % EOP_FOLD_ROWS;
    fold->count--;
    fold->gave = true;
    return EDGEOPS_OK;
}

edgeops_status eop_fold_give(const edgeops_table **rows, eop_fold *fold, edgeops_duration now) {
    edgeops_status status = EDGEOPS_OK;
    eop_rows_drop(fold->out, eop_rows_count(fold->out));
    fold->asked = 0;
    while (status == EDGEOPS_OK && fold->count > 0 && eop_rows_count(fold->out) < GIVE_ROWS) {
        const held *row = held_at(fold, 0);
        bool ready = row->missing == 0 || (now != 0 && row->due <= now);
        if (!ready && !eop_fold_full(fold)) {
            break;
        }
        fold->stats.early += !ready && row->ordinal > fold->options.there && row->due != AT_ONCE;
        status = give_first(fold);
    }
    if (status == EDGEOPS_OK && eop_rows_count(fold->out) == 0) {
        return EDGEOPS_DONE;
    }
    *rows = eop_rows_table(fold->out);
    return status;
}

eop_fold_row eop_fold_given(eop_fold *fold, uint64_t ordinal) {
    const edgeops_table *table = eop_rows_table(fold->out);
    while (fold->asked < table->rows && table->ordinals[fold->asked] < ordinal) {
        fold->asked++;
    }
    return fold->asked < table->rows && table->ordinals[fold->asked] == ordinal
               ? fold->given[fold->asked]
               : (eop_fold_row){0};
}

edgeops_duration eop_fold_due(const eop_fold *fold) {
    return fold->count > 0 ? held_at(fold, 0)->due : EOP_FOLD_NEVER;
}

size_t eop_fold_held(const eop_fold *fold) {
    return fold->count;
}

uint64_t eop_fold_oldest(const eop_fold *fold) {
    return fold->count > 0 ? held_at(fold, 0)->ordinal : 0;
}

void eop_fold_get_stats(const eop_fold *fold, eop_fold_stats *stats) {
    *stats = fold->stats;
}
