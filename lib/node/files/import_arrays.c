/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays: a .npz, as data.export writes it, or a .npy. */
#include "node/files/import_arrays.h"

#include <inttypes.h>
#include <string.h>

#include "codec/table_npz.h"
#include "store/room.h"

/* Runs of equal labels in consecutive rows. */
typedef struct label_run {
    char *asset;
    char *label;
    edgeops_time start;
    edgeops_time last;
} label_run;

static void end_run_early(label_run *run) {
    eop_free(run->asset);
    eop_free(run->label);
    run->asset = NULL;
    run->label = NULL;
}

static edgeops_status end_run(eop_import *w, label_run *run) {
    edgeops_status status = EDGEOPS_OK;
    if (run->label != NULL) {
        edgeops_time end = run->last < EDGEOPS_TIME_MAX ? run->last + 1 : run->last;
        status = eop_import_label_run(run->asset, run->start, end, run->label, w);
    }
    end_run_early(run);
    return status;
}

static edgeops_status begin_run(label_run *run, const edgeops_table *table, uint64_t row,
                                const char *text, size_t size) {
    run->asset = eop_strdup(table->asset);
    run->label = eop_strndup(text, size);
    run->start = table->times[row];
    return run->asset != NULL && run->label != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
}

static edgeops_status take_labels(eop_import *w, label_run *run, const eop_npz *npz,
                                  const edgeops_table *table) {
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t i = 0; status == EDGEOPS_OK && i < table->rows; i++) {
        const char *text = NULL;
        size_t size = 0;
        eop_npz_label(npz, i, &text, &size);
        bool same = run->label != NULL && strlen(run->label) == size &&
                    memcmp(run->label, text, size) == 0 && table->times[i] >= run->last &&
                    (i > 0 || strcmp(run->asset, table->asset) == 0);
        if (!same) {
            status = end_run(w, run);
        }
        if (!same && size > 0 && status == EDGEOPS_OK) {
            status = begin_run(run, table, i, text, size);
        }
        run->last = table->times[i];
    }
    return status;
}

/* A dry run has no store that would refuse a value. */
static edgeops_status check_column(eop_import *w, const edgeops_table *table,
                                   const edgeops_column *column) {
    edgeops_type type = column->type;
    uint32_t length = column->length;
    bool known = eop_import_known(table->asset, column->name, &type, &length, w);
    for (uint64_t i = 0;
         known && (type != column->type || length != column->length) && i < table->rows; i++) {
        edgeops_value value = edgeops_column_value(column, i);
        edgeops_value converted;
        bool null = value.type == EDGEOPS_TYPE_NULL;
        bool fits =
            length == column->length && (length > 1 || eop_value_convert(&converted, &value, type));
        if (!null && !fits) {
            char wanted[EOP_TYPE_TEXT];
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "%s: row %" PRIu64 " of channel '%s' does not fit: it is %s in '%s'",
                            w->args.options.what, w->rows + i + 1, column->name,
                            eop_type_text(wanted, type, length), table->asset);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status store_table(eop_import *w, const edgeops_table *table) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = w->call->node->store;
    edgeops_status status = eop_store_ready(store);
    if (status == EDGEOPS_OK) {
        status = edgeops_store_append_tables(&result, store, table, 1, NULL);
    }
    if (status == EDGEOPS_OK) {
        eop_import_add(w, &result);
        status = result.conflicts > 0 ? eop_import_table_conflicts(w, table) : EDGEOPS_OK;
    }
    return status;
}

/* Row by row, each of which may get another number. */
static edgeops_status put_rows(eop_import *w, const edgeops_table *table) {
    size_t columns = table->column_count;
    edgeops_value *values = eop_calloc(columns, sizeof *values);
    const char **names = eop_calloc(columns, sizeof *names);
    uint16_t *qualities = eop_calloc(columns, sizeof *qualities);
    edgeops_status status =
        values != NULL && names != NULL && qualities != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    for (uint64_t row = 0; row < table->rows && status == EDGEOPS_OK; row++) {
        edgeops_sample sample = {.asset = table->asset,
                                 .time = table->times[row],
                                 .seq = table->seqs[row],
                                 .count = columns,
                                 .channels = names,
                                 .values = values,
                                 .qualities = qualities};
        for (size_t k = 0; k < columns; k++) {
            const edgeops_column *column = &table->columns[k];
            names[k] = column->name;
            values[k] = edgeops_column_value(column, row);
            qualities[k] = column->quality != NULL ? column->quality[row] : EDGEOPS_QUALITY_NONE;
        }
        if (eop_import_is_full(w) || eop_import_must_flush(w, &sample)) {
            status = eop_import_flush(w);
        }
        if (status == EDGEOPS_OK) {
            status = eop_import_put(w, &sample, 0);
        }
    }
    eop_free(values);
    eop_free(names);
    eop_free(qualities);
    return status == EDGEOPS_OK ? eop_import_flush(w) : status; /* the table is borrowed */
}

static edgeops_status take_table(eop_import *w, const edgeops_table *table) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; w->dry_run && i < table->column_count && status == EDGEOPS_OK; i++) {
        status = check_column(w, table, &table->columns[i]);
    }
    if (!w->dry_run && w->renumber.on) {
        return put_rows(w, table);
    }
    if (!w->dry_run) {
        status = store_table(w, table);
    }
    if (status == EDGEOPS_OK) {
        w->rows += table->rows;
        status = eop_import_flush_labels(w);
    }
    return status;
}

/* Types that are given and are not the array's come before the first row; a name that no array has is an error. */
static edgeops_status declare_given(eop_import *w, const eop_npz *npz, const char *asset) {
    const eop_table_options *o = &w->args.options;
    const eop_table_column *channels = NULL;
    size_t count = eop_npz_channels(npz, &channels);
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < o->column_count && status == EDGEOPS_OK; i++) {
        const eop_table_column *c = &o->columns[i];
        size_t k = 0;
        while (k < count && strcmp(channels[k].name, c->name) != 0) {
            k++;
        }
        if (k == count) {
            status = eop_fail(EDGEOPS_E_INVALID, "node", "%s has no array '%s' that is a channel",
                              o->what, c->name);
        } else if (!w->dry_run && c->type != EDGEOPS_TYPE_NULL && c->type != channels[k].type) {
            const edgeops_channel_info info = {c->name, c->unit, c->type, c->length};
            status = edgeops_store_declare(w->call->node->store, asset, &info);
        }
    }
    return status;
}

/* The asset of a table: known from here on. */
static edgeops_status take_asset(eop_import *w, const eop_npz *npz, const edgeops_table *table) {
    size_t known = w->asset_count;
    edgeops_status status = eop_import_asset(w, table->asset);
    return status == EDGEOPS_OK && w->asset_count > known ? declare_given(w, npz, table->asset)
                                                          : status;
}

static edgeops_status take_tables(eop_import *w, eop_npz *npz) {
    const edgeops_table *table = NULL;
    label_run run = {0};
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && w->bad.status == EDGEOPS_OK && !eop_job_canceled(w->job) &&
           (status = eop_npz_next(npz, &table)) == EDGEOPS_OK) {
        status = take_asset(w, npz, table);
        if (status == EDGEOPS_OK) {
            status = take_table(w, table);
        }
        if (status == EDGEOPS_OK && w->args.options.label_column != NULL) {
            status = take_labels(w, &run, npz, table);
        }
        eop_import_progress(w, 0, eop_npz_rows(npz));
    }
    if (status == EDGEOPS_DONE) {
        status = end_run(w, &run);
        status = status == EDGEOPS_OK ? eop_import_flush_labels(w) : status;
    } else if (status == EDGEOPS_OK && w->bad.status == EDGEOPS_OK) {
        status = eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    end_run_early(&run);
    return status;
}

edgeops_status eop_import_arrays(eop_import *w, int fd, const char *channel) {
    const eop_table_options *o = &w->args.options;
    const eop_npz_options options = {.what = o->what,
                                     .asset = o->asset,
                                     .time_array = o->time_column,
                                     .times = o->rules.times,
                                     .start = o->start,
                                     .period = o->period,
                                     .seq_array = o->seq_column,
                                     .label_array = o->label_column,
                                     .channel = channel,
                                     .names = o->names,
                                     .name_count = o->name_count,
                                     .skip = o->skip,
                                     .skip_count = o->skip_count,
                                     .bad_rows = o->bad_rows,
                                     .on_bad = eop_import_bad,
                                     .user_data = w,
                                     .cancel_fd = o->cancel_fd};
    eop_npz *npz = NULL;
    const eop_table_column *channels = NULL;
    eop_bad_list_begin(&w->bad, w->job, w->call->output);
    edgeops_status status = eop_npz_open(&npz, fd, &options);
    if (status != EDGEOPS_OK) {
        return eop_bad_list_end(&w->bad, status);
    }
    status = take_tables(w, npz);
    if (status == EDGEOPS_OK) {
        size_t count = eop_npz_channels(npz, &channels);
        status = eop_import_declare(w, channels, count);
    }
    w->report = eop_npz_report(npz);
    eop_npz_close(npz);
    return eop_bad_list_end(&w->bad, status);
}
