/* SPDX-License-Identifier: Apache-2.0 */
/* Points on a common rate. Up to a time that no input can change any more, rows of all inputs are
 * read by time, those of one time are put together, and column/align makes the points of them: the
 * rule of datasets and windows. What was made last is the newest row of the derived asset; all else
 * is read from the inputs again, so that a restart, or a sample that came late, only means to begin
 * behind that row with the values of before it.
 *
 * After a pause of more than EOP_ALIGN_PAUSE points the points go on at the next row, and other than
 * in a window the values of before stay: an input that reports changes only may be silent for days. */
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "join/state.h"

static void let_go(eop_join_rate *r) {
    eop_align_free(r->align);
    r->align = NULL;
    r->open = false;
}

/* What is in the aligner is not what would be read now, or was not stored. */
static void begin_behind_made(eop_join_rate *r) {
    let_go(r);
    r->fed_to = r->made;
    r->anew = EOP_JOIN_NEVER;
}

edgeops_status eop_join_rate_open(eop_join *join) {
    eop_join_rate *r = &join->rate;
    edgeops_asset_info *info = NULL;
    *r = (eop_join_rate){.made = EOP_JOIN_NEVER,
                         .fed_to = EOP_JOIN_NEVER,
                         .row_time = EOP_JOIN_NEVER,
                         .anew = EOP_JOIN_NEVER,
                         .limit = EOP_JOIN_NEVER,
                         .first = EOP_JOIN_NEVER};
    edgeops_status status = edgeops_asset_get(&info, join->store, join->spec->name);
    if (status == EDGEOPS_OK) {
        r->made = info->rows > 0 ? info->last : info->dropped > 0 ? info->dropped_until : r->made;
        r->fed_to = r->made;
    }
    edgeops_free(info);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

void eop_join_rate_close(eop_join *join) {
    let_go(&join->rate);
    eop_rows_dispose(&join->rate.fed);
    eop_free(join->rate.labels);
}

/* -- columns -- */

/* Empties the rows and gives them the columns that the derived asset has now. */
static edgeops_status set_columns(eop_rows *rows, const eop_join *join) {
    edgeops_status status = EDGEOPS_OK;
    eop_rows_dispose(rows);
    for (size_t k = 0; status == EDGEOPS_OK && k < join->spec->count; k++) {
        status = eop_rows_add_vector(rows, join->out.rows.vectors[k].type,
                                     join->out.rows.vectors[k].length);
    }
    return status;
}

/* -- going on behind the newest row -- */

static edgeops_status last_of(eop_rows *last, int64_t *times, eop_join_rate *r,
                              const eop_join *join, const eop_join_input *input, int64_t to) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < input->count; k++) {
        edgeops_table *table = NULL;
        size_t place = 0;
        size_t at = input->columns[k];
        status = eop_join_read(&table, &place, join, input, INT64_MIN, to, 1, k);
        if (status == EDGEOPS_OK && table != NULL && table->rows > 0) {
            edgeops_value value = eop_column_widen(&table->columns[0], 0, last->vectors[at].type);
            status = eop_vector_put(&last->vectors[at], &value);
            times[at] = table->times[0];
            r->row_time = times[at] > r->row_time ? times[at] : r->row_time;
        }
        edgeops_table_free(table);
    }
    return status;
}

/* An aligner that has seen all up to what was made, or up to the row after a pause. */
static edgeops_status resume(eop_join *join) {
    eop_join_rate *r = &join->rate;
    int64_t to = r->anew != EOP_JOIN_NEVER ? r->anew - 1 : r->made;
    eop_rows last = {0};
    int64_t *times = eop_calloc(join->spec->count, sizeof *times);
    edgeops_status status = times != NULL ? set_columns(&last, join) : eop_fail_nomem("join");
    r->row_time = EOP_JOIN_NEVER;
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        status = last_of(&last, times, r, join, &join->inputs[i], to);
    }
    if (status == EDGEOPS_OK) {
        last.rows = 1;
        status = eop_rows_complete(&last);
    }
    if (status == EDGEOPS_OK) {
        status = eop_align_resume(r->align, &last, times, to + 1);
    }
    if (r->anew != EOP_JOIN_NEVER) {
        r->row_time = EOP_JOIN_NEVER; /* the pause is behind */
    }
    eop_free(times);
    eop_rows_dispose(&last);
    return status;
}

static edgeops_status begin(eop_join *join) {
    eop_join_rate *r = &join->rate;
    const eop_align_rule rule = {.period = join->spec->period,
                                 .fill = EDGEOPS_FILL_PREVIOUS,
                                 .tolerance = join->spec->tolerance};
    edgeops_status status = set_columns(&r->fed, join);
    r->row_time = EOP_JOIN_NEVER;
    if (status == EDGEOPS_OK) {
        status = eop_align_new(&r->align, &rule);
    }
    if (status == EDGEOPS_OK && (r->made != EOP_JOIN_NEVER || r->anew != EOP_JOIN_NEVER)) {
        status = resume(join);
    }
    if (status != EDGEOPS_OK) {
        let_go(r);
        return status;
    }
    r->fed_to = r->anew != EOP_JOIN_NEVER ? r->anew - 1 : r->made;
    r->anew = EOP_JOIN_NEVER;
    return EDGEOPS_OK;
}

/* -- reading -- */

/* What is read of one input. */
typedef struct slice {
    edgeops_table *table;
    size_t *places;
    uint64_t at;
} slice;

/* Reads the next rows of an input up to *to, which becomes earlier where there are too many: then
 * all rows up to it are read. */
static edgeops_status read_slice(slice *s, int64_t *to, const eop_join *join,
                                 const eop_join_input *input) {
    int64_t from = join->rate.fed_to == EOP_JOIN_NEVER ? INT64_MIN : join->rate.fed_to + 1;
    uint64_t limit = EOP_JOIN_ROWS;
    s->places = eop_calloc(input->count + 1, sizeof *s->places);
    if (s->places == NULL) {
        return eop_fail_nomem("join");
    }
    for (;;) {
        edgeops_status status =
            eop_join_read(&s->table, s->places, join, input, from, *to, limit, SIZE_MAX);
        if (status != EDGEOPS_OK || s->table == NULL || s->table->rows < limit) {
            return status;
        }
        int64_t last = s->table->times[s->table->rows - 1];
        if (s->table->times[0] < last) {
            *to = last - 1; /* there may be more of the last time */
            return EDGEOPS_OK;
        }
        limit *= 2;
        edgeops_table_free(s->table);
        s->table = NULL;
    }
}

/* Puts the last value of each channel among the rows of this time. */
static edgeops_status put_cells(bool *any, eop_rows *fed, slice *s, int64_t time) {
    edgeops_status status = EDGEOPS_OK;
    uint64_t from = s->at;
    while (s->at < s->table->rows && s->table->times[s->at] == time) {
        s->at++;
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < s->table->column_count; k++) {
        const edgeops_column *c = &s->table->columns[k];
        eop_vector *vector = &fed->vectors[s->places[k]];
        uint64_t row = s->at;
        while (row > from && c->valid != NULL && c->valid[row - 1] == 0) {
            row--;
        }
        if (row > from) {
            edgeops_value value = eop_column_widen(c, row - 1, vector->type);
            status = eop_vector_pad(vector, fed->rows);
            status = status == EDGEOPS_OK ? eop_vector_put(vector, &value) : status;
            *any = true;
        }
    }
    return status;
}

static bool is_pause(const eop_join *join, int64_t time) {
    const eop_join_rate *r = &join->rate;
    return r->row_time != EOP_JOIN_NEVER &&
           ((uint64_t)time - (uint64_t)r->row_time) / (uint64_t)join->spec->period >
               EOP_ALIGN_PAUSE;
}

/* Makes one row of all that have the least time. DONE: none has one up to `to`, or it is behind a
 * pause: then rate.anew is set. */
static edgeops_status put_row(eop_join *join, slice *slices, int64_t to) {
    eop_join_rate *r = &join->rate;
    edgeops_status status = eop_rows_reserve(&r->fed, r->fed.rows + 1);
    int64_t time = INT64_MAX;
    bool found = false;
    bool any = false;
    for (size_t i = 0; i < join->input_count; i++) {
        const slice *s = &slices[i];
        if (s->table != NULL && s->at < s->table->rows && s->table->times[s->at] <= time) {
            time = s->table->times[s->at];
            found = true;
        }
    }
    if (status != EDGEOPS_OK || !found || time > to) {
        return status == EDGEOPS_OK ? EDGEOPS_DONE : status;
    }
    if (is_pause(join, time)) {
        r->anew = time;
        return EDGEOPS_DONE;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        if (slices[i].table != NULL) {
            status = put_cells(&any, &r->fed, &slices[i], time);
        }
    }
    if (status == EDGEOPS_OK && any) {
        r->first = r->first == EOP_JOIN_NEVER ? time : r->first;
        r->fed.times[r->fed.rows] = time;
        r->fed.seqs[r->fed.rows++] = 0;
        r->row_time = time;
    }
    return status;
}

static edgeops_status gather(eop_join *join, int64_t to) {
    eop_join_rate *r = &join->rate;
    slice *slices = eop_calloc(join->input_count, sizeof *slices);
    edgeops_status status = slices != NULL ? EDGEOPS_OK : eop_fail_nomem("join");
    eop_rows_clear(&r->fed);
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        status = read_slice(&slices[i], &to, join, &join->inputs[i]);
    }
    while (status == EDGEOPS_OK) {
        status = put_row(join, slices, to);
    }
    if (status == EDGEOPS_DONE) {
        status = eop_rows_complete(&r->fed);
        r->fed_to = r->anew != EOP_JOIN_NEVER ? r->anew - 1 : to;
    }
    for (size_t i = 0; slices != NULL && i < join->input_count; i++) {
        edgeops_table_free(slices[i].table);
        eop_free(slices[i].places);
    }
    eop_free(slices);
    return status;
}

/* -- points -- */

static edgeops_status feed(eop_join_rate *r) {
    size_t most = r->fed.rows > EOP_JOIN_ROWS ? r->fed.rows : EOP_JOIN_ROWS;
    if (!eop_grow(&r->labels, &r->label_capacity, 2 * most, sizeof *r->labels)) {
        return eop_fail_nomem("join");
    }
    memset(r->labels, 0xff, r->label_capacity * sizeof *r->labels);
    r->open = true;
    return eop_align_feed(r->align, &r->fed, r->labels);
}

/* Stores some points. The labels of the points lie behind those of the rows. */
static edgeops_status give_points(eop_join *join) {
    eop_join_rate *r = &join->rate;
    size_t count = 0;
    edgeops_status status = eop_join_begin_out(join);
    if (status == EDGEOPS_OK) {
        status = eop_align_next(r->align, &join->out.rows, r->labels + r->label_capacity / 2,
                                EOP_JOIN_ROWS, &count);
    }
    if (status == EDGEOPS_OK) {
        int64_t made = join->out.rows.times[count - 1];
        status = eop_join_append_out(join);
        r->made = status == EDGEOPS_OK ? made : r->made;
    } else if (status == EDGEOPS_DONE) {
        r->open = false;
        if (r->anew != EOP_JOIN_NEVER) {
            let_go(r); /* and begins with the row after the pause */
        }
        status = EDGEOPS_OK;
    }
    return status;
}

/* What came since the last step; true in *more: not all was looked at. */
static edgeops_status look_at_what_came(bool *more, eop_join *join) {
    eop_join_rate *r = &join->rate;
    edgeops_status status = EDGEOPS_OK;
    *more = false;
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        int64_t oldest = INT64_MAX;
        int64_t late = r->made != EOP_JOIN_NEVER ? r->made + 1 : EOP_JOIN_NEVER;
        status = eop_join_drain(join, &join->inputs[i], late, &oldest);
        bool begun = r->align != NULL || r->anew != EOP_JOIN_NEVER;
        if (begun && r->fed_to != EOP_JOIN_NEVER && oldest <= r->fed_to) {
            begin_behind_made(r);
        }
        *more = *more || status == EDGEOPS_E_AGAIN;
        status = status == EDGEOPS_E_AGAIN ? EDGEOPS_OK : status;
    }
    return status;
}

/* The last time up to which nothing changes any more. */
static int64_t find_limit(eop_join *join, edgeops_duration now, edgeops_duration *due) {
    int64_t newest = EOP_JOIN_NEVER;
    int64_t reached = eop_join_reached(join, 0);
    for (size_t k = 0; k < join->spec->count; k++) {
        newest = join->columns[k].newest > newest ? join->columns[k].newest : newest;
    }
    if (newest > reached) {
        eop_join_note(join, newest, now);
    } else {
        join->marks.count = 0; /* nothing waits */
    }
    eop_join_release(join, now, due);
    return join->marks.released > reached ? join->marks.released : reached;
}

/* Whether a point up to the limit may be missing: rows between two points are read with the next
 * one. */
static bool has_point(const eop_join *join) {
    const eop_join_rate *r = &join->rate;
    if (r->limit == EOP_JOIN_NEVER || (r->fed_to != EOP_JOIN_NEVER && r->limit <= r->fed_to)) {
        return false;
    }
    return r->made == EOP_JOIN_NEVER || r->limit < r->made ||
           (uint64_t)r->limit - (uint64_t)r->made >= (uint64_t)join->spec->period;
}

edgeops_status eop_join_rate_step(eop_join *join, edgeops_duration now, edgeops_duration *due) {
    eop_join_rate *r = &join->rate;
    bool more = false;
    uint64_t version = join->version;
    edgeops_status status = eop_join_look_at_inputs(join);
    if (status == EDGEOPS_OK && version != join->version) {
        begin_behind_made(r);
    }
    if (status == EDGEOPS_OK) {
        status = look_at_what_came(&more, join);
    }
    if (status != EDGEOPS_OK || more) {
        return status;
    }
    r->limit = find_limit(join, now, due);
    if (!r->open) {
        if (!has_point(join)) {
            return EDGEOPS_DONE;
        }
        status = eop_join_begin_out(join);
        if (status == EDGEOPS_OK && r->align == NULL) {
            status = begin(join);
        }
        if (status == EDGEOPS_OK) {
            status = gather(join, r->limit);
        }
        if (status == EDGEOPS_OK) {
            status = feed(r);
        }
    }
    if (status == EDGEOPS_OK) {
        status = give_points(join);
    }
    if (status != EDGEOPS_OK) {
        begin_behind_made(r);
    }
    return status;
}
