/* SPDX-License-Identifier: Apache-2.0 */
/* The cutter of windows: judges each row (late, pause, clock set back), fills it by carry.h where
 * the manifest wants that, appends it to rows.h or grid.h and gives a window when one is complete.
 * It forgets what no later window needs. One caller at a time, no lock. */
#include "runtime/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/wire.h"
#include "runtime/carry.h"
#include "runtime/grid.h"
#include "runtime/rows.h"

#define MIN_LATE_RUN 16

struct eop_window_cutter {
    edgeops_window_spec spec;
    eop_rows *rows;
    eop_grid *grid;        /* NULL without a period */
    eop_carry *carry;      /* NULL: nulls stay */
    edgeops_value *values; /* of one row */
    size_t *map;
    bool keep;
    /* what is being fed */
    const edgeops_table *table;
    const int32_t *labels;
    uint64_t position;
    uint64_t end;
    /* since the last start */
    bool started;
    edgeops_time newest_time;
    int64_t newest_seq;
    uint64_t newest_ordinal;
    uint64_t since; /* rows */
    uint32_t wait;  /* rows until the next window is due */
    /* late rows that follow each other, in order */
    uint32_t late_run;
    edgeops_time late_time;
    int64_t late_seq;
    /* after a restore, until the checkpoint is passed */
    bool muted;
    eop_window_state resume;
    eop_window_stats stats;
};

static edgeops_status check_spec(const edgeops_window_spec *spec, size_t columns) {
    if (spec->rows < 1 || spec->rows > EOP_WINDOW_MAX_ROWS) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window must have 1 to 1,000,000 rows");
    }
    if (spec->step > EOP_WINDOW_MAX_ROWS || spec->max_gap < 0 || spec->period < 0 ||
        spec->fill > 2 || spec->missing > EDGEOPS_MISSING_PREVIOUS) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "a window's step, gap, rate, fill or missing is out of its range");
    }
    if ((uint64_t)spec->rows * (columns + 1) * 8 > EOP_WIRE_MAX_WINDOW) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime",
                        "a window of %u rows and %zu inputs is over 32 MiB; take fewer rows",
                        spec->rows, columns);
    }
    return EDGEOPS_OK;
}

static edgeops_status make_parts(eop_window_cutter *cutter, const edgeops_port *inputs,
                                 size_t count) {
    const edgeops_window_spec *spec = &cutter->spec;
    cutter->map = eop_calloc(count, sizeof *cutter->map);
    cutter->values = eop_calloc(count, sizeof *cutter->values);
    if (cutter->map == NULL || cutter->values == NULL) {
        return eop_fail_nomem("runtime");
    }
    edgeops_status status = eop_rows_new(&cutter->rows, inputs, count);
    if (status == EDGEOPS_OK && spec->period > 0) {
        status = eop_grid_new(&cutter->grid, spec, inputs, count);
    }
    if (status == EDGEOPS_OK && spec->missing == EDGEOPS_MISSING_PREVIOUS && count > 0) {
        status = eop_carry_new(&cutter->carry, count);
    }
    return status;
}

edgeops_status eop_window_new(eop_window_cutter **out, const edgeops_window_spec *spec,
                              const edgeops_port *inputs, size_t count) {
    *out = NULL;
    edgeops_status status = check_spec(spec, count);
    if (status < 0) {
        return status;
    }
    eop_window_cutter *cutter = eop_calloc(1, sizeof *cutter);
    if (cutter == NULL) {
        return eop_fail_nomem("runtime");
    }
    cutter->spec = *spec;
    cutter->spec.step = spec->step == 0 ? 1 : spec->step;
    status = make_parts(cutter, inputs, count);
    if (status < 0) {
        eop_window_free(cutter);
        return status;
    }
    *out = cutter;
    return EDGEOPS_OK;
}

void eop_window_free(eop_window_cutter *cutter) {
    if (cutter == NULL) {
        return;
    }
    eop_rows_free(cutter->rows);
    eop_grid_free(cutter->grid);
    eop_carry_free(cutter->carry);
    eop_free(cutter->values);
    eop_free(cutter->map);
    eop_free(cutter);
}

void eop_window_keep(eop_window_cutter *cutter) {
    cutter->keep = true;
}

const edgeops_table *eop_window_table(const eop_window_cutter *cutter) {
    return eop_rows_table(cutter->rows);
}

int32_t eop_window_row_label(const eop_window_cutter *cutter, uint64_t row) {
    return eop_rows_note(cutter->rows, row)->label;
}

static bool every_row_counts(const eop_window_cutter *cutter) {
    return cutter->spec.rows == 1 && cutter->grid == NULL;
}

void eop_window_restore(eop_window_cutter *cutter, const eop_window_state *state) {
    cutter->resume = *state;
    cutter->muted = true;
    if (every_row_counts(cutter) && state->newest != EDGEOPS_TIME_MAX) {
        /* The row that is fed again may be a late one. */
        cutter->started = true;
        cutter->newest_time = state->newest;
        cutter->newest_seq = INT64_MIN;
    }
}

void eop_window_get_stats(const eop_window_cutter *cutter, eop_window_stats *stats) {
    *stats = cutter->stats;
}

edgeops_status eop_window_feed(eop_window_cutter *cutter, const edgeops_table *table,
                               uint64_t first, uint64_t count, const int32_t *labels) {
    if (first > table->rows || count > table->rows - first) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "rows past the end of a table");
    }
    edgeops_status status = eop_rows_map(cutter->map, cutter->rows, table);
    if (status < 0) {
        return status;
    }
    if (cutter->grid != NULL) {
        eop_grid_abandon(cutter->grid);
    }
    cutter->table = table;
    cutter->labels = labels;
    cutter->position = first;
    cutter->end = first + count;
    return EDGEOPS_OK;
}

static void start_anew(eop_window_cutter *cutter) {
    cutter->stats.starts += cutter->started;
    cutter->started = true;
    cutter->since = 0;
    cutter->wait = cutter->spec.rows;
    if (cutter->grid != NULL) {
        eop_grid_restart(cutter->grid);
    }
}

void eop_window_restart(eop_window_cutter *cutter) {
    cutter->started = false;
    if (cutter->carry != NULL) {
        eop_carry_forget(cutter->carry);
    }
}

edgeops_status eop_window_learn(eop_window_cutter *cutter, const edgeops_value *values,
                                edgeops_time time, int64_t seq) {
    return cutter->carry != NULL ? eop_carry_learn(cutter->carry, values, time, seq) : EDGEOPS_OK;
}

static bool is_newer(edgeops_time time, int64_t seq, edgeops_time than_time, int64_t than_seq) {
    return time > than_time || (time == than_time && seq > than_seq);
}

static bool is_pause(const eop_window_cutter *cutter, edgeops_time time) {
    uint64_t pause = (uint64_t)time - (uint64_t)cutter->newest_time;

    if (cutter->spec.max_gap > 0 && pause > (uint64_t)cutter->spec.max_gap) {
        return true;
    }
    return cutter->grid != NULL &&
           eop_grid_distance(cutter->grid, cutter->newest_time, time) > EOP_WINDOW_MAX_FILL;
}

/* For a late row: did enough of them come in order, so that the clock must have been set back? */
static bool clock_was_set_back(eop_window_cutter *cutter, edgeops_time time, int64_t seq) {
    uint32_t enough = cutter->spec.rows > MIN_LATE_RUN ? cutter->spec.rows : MIN_LATE_RUN;

    if (cutter->late_run > 0 && is_newer(time, seq, cutter->late_time, cutter->late_seq)) {
        cutter->late_run++;
    } else {
        cutter->late_run = 1;
    }
    cutter->late_time = time;
    cutter->late_seq = seq;
    return cutter->late_run >= enough;
}

static int64_t seq_of(const eop_window_cutter *cutter, uint64_t row) {
    return cutter->table->seqs != NULL ? cutter->table->seqs[row] : 0;
}

/* Whether a sample has a place in a window; starts anew where it must. */
static bool accept(eop_window_cutter *cutter, uint64_t row) {
    edgeops_time time = cutter->table->times[row];
    int64_t seq = seq_of(cutter, row);

    cutter->stats.rows++;
    if (!cutter->started) {
        start_anew(cutter);
    } else if (!is_newer(time, seq, cutter->newest_time, cutter->newest_seq)) {
        bool counts = every_row_counts(cutter);
        if (counts && cutter->carry == NULL) {
            return true;
        }
        if (!clock_was_set_back(cutter, time, seq)) {
            cutter->stats.late += !counts;
            return counts;
        }
        start_anew(cutter);
        if (cutter->carry != NULL) {
            eop_carry_age(cutter->carry);
        }
    } else if (is_pause(cutter, time)) {
        start_anew(cutter);
    }
    cutter->late_run = 0;
    cutter->newest_time = time;
    cutter->newest_seq = seq;
    cutter->newest_ordinal = cutter->table->ordinals != NULL ? cutter->table->ordinals[row] : 0;
    return true;
}

/* Rows at the end that the next window will have. */
static uint64_t needed(const eop_window_cutter *cutter) {
    uint64_t n = cutter->spec.rows > cutter->wait ? cutter->spec.rows - cutter->wait : 1;
    if (cutter->muted) {
        n = cutter->spec.rows; /* `wait` is not known before the checkpoint is passed */
    }
    return n < cutter->since ? n : cutter->since;
}

static void forget(eop_window_cutter *cutter) {
    uint64_t count = eop_rows_count(cutter->rows);
    uint64_t n = needed(cutter);

    /* In portions, because each costs a move; a few rows too many do no harm. */
    if (!cutter->keep && count > n && count - n >= (n < 32 ? 32 : n)) {
        eop_rows_drop(cutter->rows, count - n);
    }
}

static eop_row_note make_note(const eop_window_cutter *cutter, int32_t label, uint64_t history) {
    uint64_t count = eop_rows_count(cutter->rows);
    eop_row_note note = {.label = label, .run = 1, .history = history};

    if (count > 0) {
        const eop_row_note *before = eop_rows_note(cutter->rows, count - 1);
        if (before->label == label) {
            note.run = before->run < UINT32_MAX ? before->run + 1 : before->run;
        }
    }
    return note;
}

static void describe(const eop_window_cutter *cutter, eop_window *window, uint64_t ordinal) {
    const edgeops_table *table = eop_rows_table(cutter->rows);
    uint64_t last = table->rows - 1;
    const eop_row_note *note = eop_rows_note(cutter->rows, last);

    window->table = table;
    window->rows = cutter->spec.rows;
    window->first = table->rows - cutter->spec.rows;
    window->time = table->times[last];
    window->seq = table->seqs[last];
    window->label = note->run >= cutter->spec.rows ? note->label : -1;
    window->state.ordinal = ordinal;
    window->state.until = window->time;
    window->state.wait = cutter->wait;
    window->state.newest = cutter->newest_time;
    if (every_row_counts(cutter)) {
        window->state.history = ordinal;
        return;
    }
    /* The oldest row that is still needed, and the newest sample, against which the next one is
     * judged. Both were accepted, so a cutter that begins with them judges alike. */
    uint64_t history = eop_rows_note(cutter->rows, table->rows - needed(cutter))->history;
    window->state.history = history < cutter->newest_ordinal ? history : cutter->newest_ordinal;
}

/* Counts the row that was just appended; true when it completes a window. */
static bool completes(eop_window_cutter *cutter, edgeops_time time, uint64_t ordinal) {
    cutter->since++;
    if (cutter->muted) {
        if (ordinal < cutter->resume.ordinal ||
            (ordinal == cutter->resume.ordinal && time <= cutter->resume.until)) {
            return false;
        }
        cutter->muted = false;
        cutter->wait = cutter->resume.wait;
    }
    if (cutter->wait > 0) {
        cutter->wait--;
    }
    if (cutter->wait > 0) {
        return false;
    }
    if (cutter->since < cutter->spec.rows) {
        /* Only after a restore whose history is gone. */
        cutter->wait = (uint32_t)(cutter->spec.rows - cutter->since);
        return false;
    }
    cutter->wait = cutter->spec.step;
    cutter->stats.windows++;
    return true;
}

/* Passes the checkpoint before the next sample is judged, so that a pause right behind it counts.
 */
static void unmute_at(eop_window_cutter *cutter, uint64_t ordinal) {
    if (cutter->muted && ordinal > cutter->resume.ordinal) {
        cutter->muted = false;
        cutter->wait = cutter->resume.wait;
    }
}

static uint64_t ordinal_of(const eop_window_cutter *cutter, uint64_t row) {
    return cutter->table->ordinals != NULL ? cutter->table->ordinals[row] : 0;
}

static int32_t label_of(const eop_window_cutter *cutter, uint64_t row) {
    return cutter->labels != NULL ? cutter->labels[row] : -1;
}

static void load(eop_window_cutter *cutter, uint64_t row) {
    eop_rows_load(cutter->values, cutter->rows, cutter->table, cutter->map, row);
}

/* The values of a row, without the nulls that have something before them. */
static edgeops_status load_filled(eop_window_cutter *cutter, uint64_t row) {
    load(cutter, row);
    return cutter->carry == NULL ? EDGEOPS_OK
                                 : eop_carry_fill(cutter->values, cutter->carry,
                                                  cutter->table->times[row], seq_of(cutter, row));
}

/* A row without a place in a window still has the last values of some inputs. */
static edgeops_status pass_over(eop_window_cutter *cutter, uint64_t row) {
    if (cutter->carry == NULL) {
        return EDGEOPS_OK;
    }
    load(cutter, row);
    return eop_carry_learn(cutter->carry, cutter->values, cutter->table->times[row],
                           seq_of(cutter, row));
}

static edgeops_status append_row(eop_window_cutter *cutter, uint64_t row, uint64_t ordinal) {
    eop_row_note note = make_note(cutter, label_of(cutter, row), ordinal);
    if (cutter->carry == NULL) {
        return eop_rows_append(cutter->rows, cutter->table, cutter->map, row, note);
    }
    edgeops_status status = load_filled(cutter, row);
    return status == EDGEOPS_OK
               ? eop_rows_append_values(cutter->rows, cutter->table->times[row],
                                        seq_of(cutter, row), ordinal, cutter->values, note)
               : status;
}

static edgeops_status next_plain(eop_window_cutter *cutter, eop_window *window) {
    while (cutter->position < cutter->end) {
        uint64_t row = cutter->position++; /* if that fails, the row is given up, not seen twice */
        uint64_t ordinal = ordinal_of(cutter, row);
        unmute_at(cutter, ordinal);
        bool accepted = accept(cutter, row);
        if (accepted) {
            forget(cutter);
        }
        edgeops_status status =
            accepted ? append_row(cutter, row, ordinal) : pass_over(cutter, row);
        if (status < 0) {
            return status;
        }
        if (!accepted) {
            continue;
        }
        if (completes(cutter, cutter->table->times[row], ordinal)) {
            describe(cutter, window, ordinal);
            return EDGEOPS_OK;
        }
    }
    return EDGEOPS_DONE;
}

/* The sample at position - 1 is in the grid; gives its points. */
static edgeops_status next_point(eop_window_cutter *cutter, eop_window *window) {
    uint64_t ordinal = ordinal_of(cutter, cutter->position - 1);
    eop_grid_point point;
    edgeops_status status;

    while ((status = eop_grid_next(cutter->grid, &point)) == EDGEOPS_OK) {
        forget(cutter);
        status = eop_rows_append_values(cutter->rows, point.time, 0, ordinal, point.values,
                                        make_note(cutter, point.label, point.history));
        if (status < 0) {
            return status;
        }
        if (completes(cutter, point.time, ordinal)) {
            describe(cutter, window, ordinal);
            return EDGEOPS_OK;
        }
    }
    return status;
}

static edgeops_status next_on_grid(eop_window_cutter *cutter, eop_window *window) {
    edgeops_status status = EDGEOPS_DONE;

    if (cutter->position > 0) {
        status = next_point(cutter, window);
    }
    while (status == EDGEOPS_DONE && cutter->position < cutter->end) {
        uint64_t row = cutter->position++;
        uint64_t ordinal = ordinal_of(cutter, row);
        unmute_at(cutter, ordinal);
        if (!accept(cutter, row)) {
            status = pass_over(cutter, row);
            status = status == EDGEOPS_OK ? EDGEOPS_DONE : status;
            continue;
        }
        status = load_filled(cutter, row);
        if (status == EDGEOPS_OK) {
            status = eop_grid_feed(cutter->grid, cutter->table->times[row], ordinal, cutter->values,
                                   label_of(cutter, row));
        }
        status = status == EDGEOPS_OK ? next_point(cutter, window) : status;
    }
    return status;
}

edgeops_status eop_window_next(eop_window_cutter *cutter, eop_window *window) {
    if (cutter->table == NULL) {
        return EDGEOPS_DONE;
    }
    edgeops_status status =
        cutter->grid != NULL ? next_on_grid(cutter, window) : next_plain(cutter, window);
    if (status != EDGEOPS_OK && cutter->position == cutter->end) {
        cutter->table = NULL;
        cutter->labels = NULL;
        cutter->position = 0;
        cutter->end = 0;
    }
    return status;
}

eop_json *eop_window_state_json(const eop_window_state *state) {
    eop_json *json = eop_json_object();
    char text[24];

    /* As text: ordinals and times go beyond what a JSON number holds. */
    const struct {
        const char *key;
        uint64_t value;
    } members[] = {{"ordinal", state->ordinal},
                   {"until", (uint64_t)state->until},
                   {"history", state->history},
                   {"wait", state->wait},
                   {"newest", (uint64_t)state->newest}};
    for (size_t i = 0; i < EOP_COUNT(members); i++) {
        snprintf(text, sizeof text, "%llx", (unsigned long long)members[i].value);
        eop_json_set_string(json, members[i].key, text);
    }
    return json;
}

static bool parse_hex(uint64_t *out, const eop_json *json, const char *key) {
    const char *text = eop_json_string(json, key, "");
    size_t size = strlen(text);
    char *end = NULL;

    if (size < 1 || size > 16 || strspn(text, "0123456789abcdef") != size) {
        return false;
    }
    *out = strtoull(text, &end, 16);
    return true;
}

bool eop_window_state_parse(eop_window_state *state, const eop_json *json) {
    eop_window_state out = {0};
    uint64_t until;
    uint64_t wait;
    uint64_t newest;

    if (!parse_hex(&out.ordinal, json, "ordinal") || !parse_hex(&until, json, "until") ||
        !parse_hex(&out.history, json, "history") || !parse_hex(&wait, json, "wait") || wait < 1 ||
        wait > EOP_WINDOW_MAX_ROWS) {
        return false;
    }
    out.until = (edgeops_time)until;
    out.newest = parse_hex(&newest, json, "newest") ? (edgeops_time)newest : EDGEOPS_TIME_MAX;
    out.wait = (uint32_t)wait;
    *state = out;
    return true;
}
