/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet and Arrow: a program beside the job makes CSV of them, and says before the first row which
 * type and unit each column has, which then counts as if it had been given. */
#include "node/files/import_arrow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "node/files/import_table.h"

#define PLAN_MAX (8u << 20)

static void add_role(eop_json *roles, const char *name) {
    if (name != NULL) {
        eop_json_append_string(roles, name);
    }
}

/* The columns in the asset's name. */
static void add_asset_roles(eop_json *roles, const char *asset) {
    for (const char *at = strchr(asset, '{'); at != NULL; at = strchr(at, '{')) {
        size_t size = strcspn(++at, "}");
        char *name = eop_strndup(at, size);
        add_role(roles, name);
        eop_free(name);
    }
}

static eop_json *make_options(const eop_import *w) {
    const eop_table_options *o = &w->args.options;
    eop_json *options = eop_json_object();
    eop_json *roles = eop_json_array();
    eop_json *skip = eop_json_array();
    bool given = eop_json_get(w->call->args, "time_column") != NULL;
    eop_json_set_bool(options, "find_time", !given && eop_json_get(w->call->args, "start") == NULL);
    add_role(roles, given ? o->time_column : NULL);
    add_role(roles, o->clock_column);
    add_role(roles, o->seq_column != NULL ? o->seq_column : "seq");
    add_role(roles, o->label_column);
    add_role(roles, o->channel_column);
    add_role(roles, o->value_column);
    add_asset_roles(roles, o->asset);
    for (size_t i = 0; i < o->skip_count; i++) {
        eop_json_append_string(skip, o->skip[i]);
    }
    eop_json_set(options, "roles", roles);
    eop_json_set(options, "skip", skip);
    return options;
}

static void close_ends(int ends[2]) {
    for (int i = 0; i < 2; i++) {
        if (ends[i] > 0) {
            close(ends[i]);
        }
    }
}

edgeops_status eop_import_arrow_start(eop_import *w) {
    int data[2] = {-1, -1};
    int plan[2] = {-1, -1};
    edgeops_status status = EDGEOPS_OK;
    if (w->call->input < 0) {
        return EDGEOPS_OK; /* the job says so */
    }
    if (eop_pipe2(data, O_CLOEXEC) != 0 || eop_pipe2(plan, O_CLOEXEC) != 0) {
        status = eop_fail_errno(errno, "node", "pipes to a program");
    }
    if (status == EDGEOPS_OK) {
        const int fds[3] = {w->call->input, data[1], plan[1]};
        eop_json *options = make_options(w);
        status = eop_arrow_start(&w->arrow.arrow, w->call->node, "read", options, fds);
        eop_json_free(options);
    }
    if (status == EDGEOPS_OK) {
        w->arrow.rows = data[0];
        w->arrow_plan = plan[0];
        data[0] = plan[0] = -1;
    }
    close_ends(data);
    close_ends(plan);
    return status;
}

static edgeops_status read_plan(eop_import *w) {
    eop_buf text = {0};
    size_t got = 1;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && got > 0 && text.size < PLAN_MAX) {
        char *place = eop_buf_reserve(&text, 65536);
        status = place != NULL ? eop_job_read(w->job, w->arrow_plan, place, 65536, &got)
                               : eop_fail_nomem("node");
        text.size += status == EDGEOPS_OK ? got : 0;
    }
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&w->plan, text.data != NULL ? text.data : "", text.size, "columns",
                                NULL);
    }
    eop_buf_dispose(&text);
    return status;
}

static eop_table_column *given_column(eop_import *w, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(w->args.columns[i].name, name) == 0) {
            return &w->args.columns[i];
        }
    }
    return NULL;
}

/* What the call says of a column wins over the file. */
static edgeops_status take_column(eop_import *w, size_t given_count, const eop_json *said) {
    eop_table_column *given = given_column(w, given_count, eop_json_key(said));
    eop_table_column column = {eop_json_key(said), EDGEOPS_TYPE_NULL, 1,
                               eop_json_string(said, "unit", NULL)};
    const char *type = eop_json_string(said, "type", NULL);
    if (type != NULL && !eop_type_parse(&column.type, &column.length, type)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s: column '%s' is %s, which no channel holds",
                        w->args.options.what, column.name, type);
    }
    if (given == NULL) {
        w->args.columns[w->args.options.column_count++] = column;
        return EDGEOPS_OK;
    }
    if (given->type == EDGEOPS_TYPE_NULL) {
        given->type = column.type;
        given->length = column.length;
    }
    given->unit = given->unit != NULL ? given->unit : column.unit;
    return EDGEOPS_OK;
}

static edgeops_status take_plan(eop_import *w) {
    const eop_json *columns = eop_json_get(w->plan, "columns");
    const char *time = eop_json_string(w->plan, "time", NULL);
    size_t given = w->args.options.column_count;
    edgeops_status status = EDGEOPS_OK;
    eop_table_column *all = eop_realloc_array(w->args.columns, given + eop_json_size(columns) + 1,
                                              sizeof(*w->args.columns));
    if (all == NULL) {
        return eop_fail_nomem("node");
    }
    w->args.options.columns = w->args.columns = all;
    for (const eop_json *c = eop_json_first(columns); c != NULL && status == EDGEOPS_OK;
         c = eop_json_next(c)) {
        status = take_column(w, given, c);
    }
    w->args.options.skip_count = 0; /* they are left out */
    if (time != NULL) {
        w->args.options.time_column = time;
    }
    return status;
}

/* The notes of the program stand with the reader's. */
static void add_notes(eop_import *w) {
    const eop_json *said = eop_json_get(w->plan, "notes");
    const eop_json *told = eop_json_get(w->report, "notes");
    eop_json *notes = told != NULL ? eop_json_copy(told) : eop_json_array();
    for (const eop_json *n = eop_json_first(said); n != NULL; n = eop_json_next(n)) {
        eop_json_append_string(notes, eop_json_text(n));
    }
    if (w->report == NULL) {
        w->report = eop_json_object();
    }
    eop_json_set(w->report, "notes", notes);
}

edgeops_status eop_import_arrow(eop_import *w) {
    edgeops_status status = read_plan(w);
    if (status == EDGEOPS_OK) {
        status = take_plan(w);
    }
    if (status == EDGEOPS_OK) {
        /* Such files tell a null from NaN. */
        w->args.options.rules.nan_is_value =
            strcmp(eop_json_string(w->call->args, "nan", "value"), "value") == 0;
        status = eop_import_rows(w, w->arrow.rows);
    }
    if (status == EDGEOPS_OK) {
        add_notes(w);
    }
    eop_arrow_end_close(&w->arrow); /* so that it ends */
    return status;
}
