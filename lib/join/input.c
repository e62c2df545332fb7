/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs of a join: what came of them and how far they are, their channels and types, reads of
 * their rows; and the appends to the derived asset. Order of a step: look at types, look at what
 * came, then read by time no more than was looked at. */
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "join/state.h"
#include "store/inner.h"

#define DRAIN_ROWS   65536u
#define DRAIN_BLOCKS 8
/* A step must end soon: who has no room in the queue comes again. */
#define APPEND_WAIT (200 * EDGEOPS_MILLISECOND)

/* -- types -- */

static edgeops_status fail_type(const eop_join *join, const eop_join_input *input, size_t k,
                                const edgeops_channel_info *from, const edgeops_channel_info *to) {
    char is[EOP_TYPE_TEXT];
    char was[EOP_TYPE_TEXT];
    const char *as = join->spec->channels[input->columns[k]].as;
    eop_type_text(is, from->type, from->length);
    eop_type_text(was, to->type, to->length);
    return eop_fail(EDGEOPS_E_INVALID, "join",
                    "channel '%s' of asset '%s' is %s, and %s as '%s' of asset '%s': 'asset set' "
                    "gives it another type there",
                    from->name, input->asset, is, was, as, join->spec->name);
}

/* Gives the derived asset the channel, with type and unit, unless it has them. to: what it has. */
static edgeops_status take_channel(eop_join *join, const eop_join_input *input, size_t k,
                                   const edgeops_channel_info *from,
                                   const edgeops_channel_info *to) {
    eop_join_column *c = &join->columns[input->columns[k]];
    edgeops_type type = to != NULL ? to->type : from->type;
    uint32_t length = to != NULL ? to->length : from->length;
    if (c->from == from->type && c->type == type && c->length == length &&
        strcmp(c->unit, from->unit) == 0) {
        return EDGEOPS_OK;
    }
    if (from->type == EDGEOPS_TYPE_BLOB || !eop_type_widens(from->type, type) ||
        from->length != length) {
        return fail_type(join, input, k, from, to != NULL ? to : from);
    }
    char *unit = eop_strdup(from->unit);
    if (unit == NULL) {
        return eop_fail_nomem("join");
    }
    if (to == NULL || strcmp(to->unit, from->unit) != 0) {
        const edgeops_channel_info declared = {join->spec->channels[input->columns[k]].as,
                                               from->unit, type, length};
        edgeops_status status = edgeops_store_declare(join->store, join->spec->name, &declared);
        if (status != EDGEOPS_OK) {
            eop_free(unit);
            return status;
        }
    }
    if (c->from != from->type || c->type != type || c->length != length) {
        join->version++;
    }
    eop_free(c->unit);
    *c = (eop_join_column){type, length, from->type, unit, c->newest};
    return EDGEOPS_OK;
}

static edgeops_status get_asset(edgeops_asset_info **out, const eop_join *join, const char *name) {
    edgeops_status status = edgeops_asset_get(out, join->store, name);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

edgeops_status eop_join_look_at_inputs(eop_join *join) {
    edgeops_asset_info *derived = NULL;
    edgeops_status status = get_asset(&derived, join, join->spec->name);
    uint64_t behind = 0;
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        eop_join_input *input = &join->inputs[i];
        edgeops_asset_info *info = NULL;
        status = get_asset(&info, join, input->asset);
        if (status != EDGEOPS_OK) {
            break;
        }
        input->there = info != NULL;
        input->last = info != NULL ? info->last_ordinal : 0;
        if (input->there && input->seen > input->last) {
            input->seen = input->last; /* a power failure took the newest samples */
        }
        behind += input->last > input->seen ? input->last - input->seen : 0;
        for (size_t k = 0; status == EDGEOPS_OK && info != NULL && k < input->count; k++) {
            const edgeops_channel_info *from = eop_info_channel(info, input->names[k]);
            const char *as = join->spec->channels[input->columns[k]].as;
            if (from != NULL) {
                status = take_channel(join, input, k, from, eop_info_channel(derived, as));
            }
        }
        edgeops_free(info);
    }
    edgeops_free(derived);
    pthread_mutex_lock(&join->view_lock);
    join->view.behind = behind;
    pthread_mutex_unlock(&join->view_lock);
    return status;
}

/* -- what came -- */

void eop_join_close_cursor(eop_join_input *input) {
    edgeops_cursor_close(input->cursor);
    input->cursor = NULL;
    input->block = NULL;
    input->skipped = 0;
}

edgeops_status eop_join_open_cursor(eop_join *join, eop_join_input *input) {
    if (input->cursor != NULL) {
        return EDGEOPS_OK;
    }
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    options.asset = input->asset;
    options.channels = input->names;
    options.channel_count = input->count;
    options.after = input->seen;
    return edgeops_cursor_open(&input->cursor, join->store, &options);
}

void eop_join_view_add(eop_join *join, uint64_t late, uint64_t lost) {
    if (late > 0 || lost > 0) {
        pthread_mutex_lock(&join->view_lock);
        join->view.late += late;
        join->view.lost += lost;
        pthread_mutex_unlock(&join->view_lock);
        join->dirty = true;
    }
}

static edgeops_status next_block(eop_join *join, eop_join_input *input, size_t max) {
    edgeops_status status = edgeops_cursor_next(&input->block, input->cursor, max);
    uint64_t skipped = edgeops_cursor_skipped(input->cursor);
    eop_join_view_add(join, 0, input->fresh ? 0 : skipped - input->skipped);
    input->skipped = skipped;
    if (status == EDGEOPS_OK) {
        input->fresh = false;
    } else {
        input->block = NULL;
    }
    return status;
}

edgeops_status eop_join_next_block(eop_join *join, eop_join_input *input) {
    return next_block(join, input, EOP_JOIN_ROWS / 2);
}

/* Later times say nothing. */
static int64_t ahead_of_clock(void) {
    int64_t now = eop_now();
    return now < INT64_MAX - EOP_JOIN_AHEAD ? now + EOP_JOIN_AHEAD : INT64_MAX;
}

/* A channel of an asset whose rows come whole is as far as the asset is. A sample that is older than
 * one before it, by no more than the wait, shows that others may be on their way, too. */
static void note_newest(eop_join *join, eop_join_input *input, uint64_t row) {
    int64_t time = input->block->times[row];
    for (size_t k = 0; k < input->count; k++) {
        const edgeops_column *c = &input->block->columns[k];
        int64_t *newest = &join->columns[input->columns[k]].newest;
        if (input->parts && c->valid != NULL && c->valid[row] == 0) {
            continue;
        }
        if (time > *newest) {
            *newest = time;
        } else if (time < *newest && *newest - time <= join->spec->wait) {
            input->unordered = true;
        }
    }
}

edgeops_status eop_join_drain(eop_join *join, eop_join_input *input, int64_t late,
                              int64_t *oldest) {
    edgeops_status status = eop_join_open_cursor(join, input);
    int64_t ahead = ahead_of_clock();
    uint64_t count = 0;
    *oldest = INT64_MAX;
    for (int i = 0; status == EDGEOPS_OK && i < DRAIN_BLOCKS; i++) {
        status = next_block(join, input, DRAIN_ROWS);
        if (status != EDGEOPS_OK) {
            break;
        }
        const edgeops_table *block = input->block;
        input->parts = input->parts || block->parts != NULL;
        for (uint64_t r = 0; r < block->rows; r++) {
            int64_t time = block->times[r];
            count += time < (block->ordinals[r] > input->gap ? late : join->late_before);
            *oldest = time < *oldest ? time : *oldest;
            if (time <= ahead) {
                note_newest(join, input, r);
            }
        }
        input->seen = block->ordinals[block->rows - 1];
        input->block = NULL;
        join->dirty = true;
    }
    eop_join_view_add(join, count, 0);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status == EDGEOPS_OK ? EDGEOPS_E_AGAIN : status;
}

int64_t eop_join_reached(const eop_join *join, size_t skip) {
    int64_t least = INT64_MAX;
    for (size_t i = skip; i < join->input_count; i++) {
        for (size_t k = 0; k < join->inputs[i].count; k++) {
            int64_t newest = join->columns[join->inputs[i].columns[k]].newest;
            if (join->inputs[i].unordered && newest > EOP_JOIN_NEVER + join->spec->wait) {
                newest -= join->spec->wait; /* what is older would be later than the wait */
            }
            least = newest < least ? newest : least;
        }
    }
    return least;
}

/* Whole rows: the asset's newest one. channel not SIZE_MAX: the newest one with a value of it. */
static edgeops_status find_newest(int64_t *out, eop_join *join, const eop_join_input *input,
                                  size_t channel) {
    static const char *const none[1] = {NULL};
    edgeops_condition there = {.compare = EDGEOPS_COMPARE_NOT_NULL};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = input->asset;
    query.end = ahead_of_clock();
    query.channels = none;
    query.last = 1;
    query.max_ordinal = input->seen;
    if (channel != SIZE_MAX) {
        there.channel = input->names[channel];
        query.conditions = &there;
        query.condition_count = 1;
    }
    edgeops_status status = edgeops_store_read(&table, join->store, &query);
    *out = status == EDGEOPS_OK && table->rows > 0 ? table->times[0] : EOP_JOIN_NEVER;
    edgeops_table_free(table);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status; /* the channel is still to come */
}

edgeops_status eop_join_find_newest(eop_join *join, eop_join_input *input) {
    edgeops_status status = EDGEOPS_OK;
    int64_t newest = EOP_JOIN_NEVER;
    input->parts = eop_store_parts(join->store, input->asset) > 0;
    if (input->seen == 0) {
        return EDGEOPS_OK;
    }
    if (!input->parts) {
        status = find_newest(&newest, join, input, SIZE_MAX);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < input->count; k++) {
        if (input->parts) {
            status = find_newest(&newest, join, input, k);
        }
        join->columns[input->columns[k]].newest = newest;
    }
    return status;
}

/* -- waiting -- */

void eop_join_note(eop_join *join, int64_t to, edgeops_duration now) {
    eop_join_marks *m = &join->marks;
    if (to <= m->released || (m->count > 0 && to <= m->items[m->count - 1].to)) {
        return;
    }
    eop_join_mark *last = m->count > 0 ? &m->items[m->count - 1] : NULL;
    if (last != NULL && (now - last->first < join->wait / 32 || m->count == EOP_JOIN_MARKS)) {
        last->to = to;
        last->at = now;
        return;
    }
    m->items[m->count++] = (eop_join_mark){to, now, now};
}

void eop_join_release(eop_join *join, edgeops_duration now, edgeops_duration *due) {
    eop_join_marks *m = &join->marks;
    size_t n = 0;
    while (n < m->count && now - m->items[n].at >= join->wait) {
        m->released = m->items[n++].to;
    }
    m->count -= n;
    memmove(m->items, m->items + n, m->count * sizeof *m->items);
    *due = m->count > 0 ? m->items[0].at + join->wait : INT64_MAX;
}

/* -- reading by time -- */

edgeops_status eop_join_read(edgeops_table **out, size_t *places, const eop_join *join,
                             const eop_join_input *input, int64_t from, int64_t to, uint64_t limit,
                             size_t channel) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_condition there = {.compare = EDGEOPS_COMPARE_NOT_NULL};
    *out = NULL;
    if (!input->there || input->seen == 0 || from > to) {
        return EDGEOPS_OK;
    }
    const char **names = eop_calloc(input->count + 1, sizeof(char *));
    if (names == NULL) {
        return eop_fail_nomem("join");
    }
    for (size_t k = 0; k < input->count; k++) {
        if (join->columns[input->columns[k]].from != EDGEOPS_TYPE_NULL &&
            (channel == SIZE_MAX || channel == k)) {
            places[query.channel_count] = input->columns[k];
            names[query.channel_count++] = input->names[k];
        }
    }
    query.asset = input->asset;
    query.start = from;
    query.end = to < INT64_MAX ? to + 1 : EDGEOPS_TIME_MAX;
    query.channels = names;
    query.max_ordinal = input->seen;
    query.limit = channel == SIZE_MAX ? limit : 0;
    query.last = channel == SIZE_MAX ? 0 : limit;
    if (channel != SIZE_MAX && query.channel_count > 0) {
        there.channel = names[0];
        query.conditions = &there;
        query.condition_count = 1;
    }
    edgeops_status status = channel == SIZE_MAX || query.channel_count > 0
                                ? edgeops_store_read(out, join->store, &query)
                                : EDGEOPS_OK;
    eop_free(names);
    return status;
}

/* -- appending -- */

edgeops_status eop_join_append(eop_join *join, const edgeops_table *tables, size_t n) {
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    options.wait = APPEND_WAIT;
    edgeops_status status = edgeops_store_append_tables(&result, join->store, tables, n, &options);
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&join->view_lock);
        join->view.rows += result.appended + result.merged;
        join->view.conflicts += result.conflicts;
        pthread_mutex_unlock(&join->view_lock);
        join->dirty = true;
    }
    return status;
}

/* A column of which nothing is known yet stays null: float64 will do. */
static edgeops_type type_of(const eop_join_column *c) {
    return c->type != EDGEOPS_TYPE_NULL ? c->type : EDGEOPS_TYPE_FLOAT64;
}

edgeops_status eop_join_begin_out(eop_join *join) {
    size_t count = join->spec->count;
    eop_rows *rows = &join->out.rows;
    if (join->version_of_out == join->version && rows->vector_count == count) {
        eop_rows_clear(rows);
        return EDGEOPS_OK;
    }
    edgeops_channel_info *infos = eop_calloc(count, sizeof *infos);
    edgeops_status status = infos != NULL ? EDGEOPS_OK : eop_fail_nomem("join");
    eop_table_dispose(&join->out);
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        const eop_join_column *c = &join->columns[k];
        uint32_t length = c->length > 0 ? c->length : 1;
        infos[k] = (edgeops_channel_info){join->spec->channels[k].as, c->unit, type_of(c), length};
        status = eop_rows_add_vector(rows, type_of(c), length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_name(&join->out, join->spec->name, infos, count);
    }
    eop_free(infos);
    join->version_of_out = join->version;
    if (status != EDGEOPS_OK) {
        eop_table_dispose(&join->out);
    }
    return status;
}

edgeops_status eop_join_append_out(eop_join *join) {
    edgeops_status status = EDGEOPS_OK;
    if (join->out.rows.rows > 0) {
        status = eop_rows_complete(&join->out.rows);
        if (status == EDGEOPS_OK) {
            status = eop_table_show(&join->out);
        }
        if (status == EDGEOPS_OK) {
            status = eop_join_append(join, &join->out.view, 1);
        }
    }
    eop_rows_clear(&join->out.rows);
    return status;
}
