/* SPDX-License-Identifier: Apache-2.0 */
/* A join as a whole: opened where it was, stepped, looked at, and what is kept of it. */
#include "join/join.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "join/state.h"

/* Samples that were there before the join of an input that is joined for the first time. */
#define LOOK_BACK 1024u

/* -- opening -- */

static eop_join_input *input_of(eop_join *join, const char *asset) {
    for (size_t i = 0; i < join->input_count; i++) {
        if (strcmp(join->inputs[i].asset, asset) == 0) {
            return &join->inputs[i];
        }
    }
    return NULL;
}

static edgeops_status add_input(eop_join *join, const char *asset) {
    size_t count = join->spec->count;
    eop_join_input *input = &join->inputs[join->input_count++];
    *input = (eop_join_input){.asset = asset};
    input->names = eop_calloc(count, sizeof(char *));
    input->columns = eop_calloc(count, sizeof *input->columns);
    return input->names != NULL && input->columns != NULL ? EDGEOPS_OK : eop_fail_nomem("join");
}

static edgeops_status make_inputs(eop_join *join) {
    const eop_join_spec *spec = join->spec;
    edgeops_status status = EDGEOPS_OK;
    join->inputs = eop_calloc(spec->count, sizeof *join->inputs);
    join->columns = eop_calloc(spec->count, sizeof *join->columns);
    if (join->inputs == NULL || join->columns == NULL) {
        return eop_fail_nomem("join");
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < spec->count; k++) {
        eop_join_input *input = input_of(join, spec->channels[k].asset);
        if (input == NULL) {
            status = add_input(join, spec->channels[k].asset);
            input = &join->inputs[join->input_count - 1];
        }
        join->columns[k] = (eop_join_column){.unit = eop_strdup(""), .newest = EOP_JOIN_NEVER};
        if (status == EDGEOPS_OK && join->columns[k].unit == NULL) {
            status = eop_fail_nomem("join");
        }
        if (status == EDGEOPS_OK) {
            input->names[input->count] = spec->channels[k].channel;
            input->columns[input->count++] = k;
        }
    }
    return status;
}

/* An input whose rows are read by time is as far as its rows are; those that come from now on are
 * seen by its cursor. */
static edgeops_status begin_by_time(eop_join *join, eop_join_input *input, bool is_new) {
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, join->store, input->asset);
    if (status == EDGEOPS_OK) {
        input->there = true;
        input->gap = info->last_ordinal;
        if (is_new || input->seen > info->last_ordinal) {
            input->seen = info->last_ordinal; /* a power failure may have taken the newest */
        }
        if (is_new) { /* those tell whether samples come in order */
            input->seen -= input->seen < LOOK_BACK ? input->seen : LOOK_BACK;
        }
        status = eop_join_find_newest(join, input);
    }
    edgeops_free(info);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static edgeops_status take_state(eop_join *join, const eop_json *state) {
    const eop_json *item = eop_json_first(eop_json_get(state, "seen"));
    const eop_json *unordered = eop_json_first(eop_json_get(state, "unordered"));
    bool exact = join->spec->period == 0 && join->spec->tolerance == 0;
    bool near = !exact && join->spec->period == 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        eop_join_input *input = &join->inputs[i];
        input->seen = item != NULL ? (uint64_t)eop_json_value(item) : 0;
        input->fresh = item == NULL;
        input->unordered = unordered != NULL && eop_json_value(unordered) != 0;
        unordered = unordered != NULL ? eop_json_next(unordered) : NULL;
        if (!exact && !(near && i == 0)) {
            status = begin_by_time(join, input, item == NULL);
        }
        item = item != NULL ? eop_json_next(item) : NULL;
    }
    int64_t made = eop_json_integer(state, "made", EOP_JOIN_NEVER);
    join->made_before = made;
    int64_t border = join->spec->period > 0 ? 1 : join->spec->tolerance;
    if (made == EOP_JOIN_NEVER || __builtin_add_overflow(made, border, &join->late_before)) {
        join->late_before = EOP_JOIN_NEVER;
    }
    join->view.rows = (uint64_t)eop_json_integer(state, "rows", 0);
    join->view.late = (uint64_t)eop_json_integer(state, "late", 0);
    join->view.conflicts = (uint64_t)eop_json_integer(state, "conflicts", 0);
    join->view.lost = (uint64_t)eop_json_integer(state, "lost", 0);
    return status;
}

/* How much of what is there is done, by ordinals, or by time for a rate. */
static double part_of(const eop_join *join) {
    uint64_t all = 0;
    uint64_t done = 0;
    if (join->spec->period > 0) {
        const eop_join_rate *r = &join->rate;
        if (r->limit == EOP_JOIN_NEVER || r->first == EOP_JOIN_NEVER || r->limit <= r->first) {
            return 1;
        }
        int64_t at = r->made > r->first ? r->made : r->first;
        bool near = at >= r->limit || r->limit - at < join->spec->period; /* no point between */
        return near ? 1 : (double)(at - r->first) / (double)(r->limit - r->first);
    }
    for (size_t i = 0; i < join->input_count; i++) {
        all += join->inputs[i].last;
        done += join->inputs[i].seen;
    }
    return all > 0 && done < all ? (double)done / (double)all : 1;
}

static void show(eop_join *join, edgeops_status status, edgeops_duration now,
                 edgeops_duration due) {
    eop_join_view *view = &join->view;
    uint64_t behind = 0;
    for (size_t i = 0; i < join->input_count; i++) {
        const eop_join_input *input = &join->inputs[i];
        behind += input->last > input->seen ? input->last - input->seen : 0;
    }
    pthread_mutex_lock(&join->view_lock);
    view->behind = behind;
    view->part = part_of(join);
    view->waits = due == INT64_MAX ? -1 : due > now ? due - now : 0;
    view->problem[0] = '\0';
    if (status < 0) {
        size_t size = strnlen(edgeops_error_last()->message, sizeof view->problem - 1);
        memcpy(view->problem, edgeops_error_last()->message, size);
        view->problem[size] = '\0';
    }
    pthread_mutex_unlock(&join->view_lock);
}

edgeops_status eop_join_open(eop_join **out, edgeops_store *store, const eop_join_spec *spec,
                             const eop_json *state) {
    *out = NULL;
    eop_join *join = eop_calloc(1, sizeof *join);
    if (join == NULL) {
        return eop_fail_nomem("join");
    }
    pthread_mutex_init(&join->view_lock, NULL);
    join->store = store;
    join->spec = spec;
    join->version = 1;
    join->wait = spec->wait;
    join->marks.released = EOP_JOIN_NEVER;
    join->dirty = state == NULL;
    edgeops_status status = make_inputs(join);
    if (status == EDGEOPS_OK) {
        status = take_state(join, state);
    }
    if (status == EDGEOPS_OK && spec->period > 0) {
        status = eop_join_rate_open(join);
    } else if (status == EDGEOPS_OK && spec->tolerance > 0) {
        status = eop_join_near_open(join);
    }
    if (status == EDGEOPS_OK) {
        status = eop_join_look_at_inputs(join);
        show(join, status, 0, INT64_MAX);
        status = status == EDGEOPS_E_INVALID ? EDGEOPS_OK : status; /* each step says it, too */
    }
    if (status != EDGEOPS_OK) {
        eop_join_close(join);
        return status;
    }
    *out = join;
    return EDGEOPS_OK;
}

void eop_join_close(eop_join *join) {
    if (join == NULL) {
        return;
    }
    eop_join_rate_close(join);
    for (size_t i = 0; join->inputs != NULL && i < join->input_count; i++) {
        eop_join_close_cursor(&join->inputs[i]);
        eop_free(join->inputs[i].names);
        eop_free(join->inputs[i].columns);
    }
    for (size_t k = 0; join->columns != NULL && k < join->spec->count; k++) {
        eop_free(join->columns[k].unit);
    }
    eop_table_dispose(&join->out);
    eop_free(join->inputs);
    eop_free(join->columns);
    pthread_mutex_destroy(&join->view_lock);
    eop_free(join);
}

/* -- working -- */

edgeops_status eop_join_step(eop_join *join, edgeops_duration now, edgeops_duration *due) {
    edgeops_status status = EDGEOPS_OK;
    *due = INT64_MAX;
    if (join->spec->period > 0) {
        status = eop_join_rate_step(join, now, due);
    } else if (join->spec->tolerance > 0) {
        status = eop_join_near_step(join, now, due);
    } else {
        status = eop_join_exact_step(join);
    }
    show(join, status, now, *due);
    return status;
}

bool eop_join_is_dirty(const eop_join *join) {
    return join->dirty;
}

eop_json *eop_join_state(eop_join *join) {
    if (!join->dirty) {
        return NULL;
    }
    eop_join_view view;
    eop_json *state = eop_json_object();
    eop_json *seen = eop_json_array();
    eop_json *unordered = eop_json_array();
    eop_join_look(&view, join);
    for (size_t i = 0; i < join->input_count; i++) {
        eop_json_append(seen, eop_json_new_number((double)join->inputs[i].seen));
        eop_json_append(unordered, eop_json_new_number(join->inputs[i].unordered ? 1 : 0));
    }
    eop_json_set(state, "seen", seen);
    eop_json_set(state, "unordered", unordered);
    int64_t made = join->spec->period > 0      ? join->rate.made
                   : join->spec->tolerance > 0 ? join->near.made
                                               : EOP_JOIN_NEVER;
    if (made != EOP_JOIN_NEVER) {
        eop_json_set_integer(state, "made", made);
    }
    eop_json_set_integer(state, "rows", (int64_t)view.rows);
    eop_json_set_integer(state, "late", (int64_t)view.late);
    eop_json_set_integer(state, "conflicts", (int64_t)view.conflicts);
    eop_json_set_integer(state, "lost", (int64_t)view.lost);
    join->dirty = false;
    return state;
}

void eop_join_look(eop_join_view *out, eop_join *join) {
    pthread_mutex_lock(&join->view_lock);
    *out = join->view;
    pthread_mutex_unlock(&join->view_lock);
}
