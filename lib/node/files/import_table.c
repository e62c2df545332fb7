/* SPDX-License-Identifier: Apache-2.0 */
/* CSV and JSON lines, plain or compressed: one row a sample. */
#include "node/files/import_table.h"

/* A new asset has its channels in the order of the file, whichever its first rows hold. */
static edgeops_status flush_rows(eop_import *w, const eop_table_reader *reader) {
    edgeops_status status = EDGEOPS_OK;
    if (w->sum.appended == 0 && w->sample_count > 0) {
        const eop_table_column *channels = NULL;
        size_t count = eop_table_reader_channels(reader, &channels);
        status = eop_import_order(w, channels, count);
    }
    return status == EDGEOPS_OK ? eop_import_flush(w) : status;
}

static edgeops_status take_rows(eop_import *w, eop_table_reader *reader) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && w->bad.status == EDGEOPS_OK && !eop_job_canceled(w->job)) {
        eop_table_row row;
        status = eop_table_reader_next(reader, &row);
        if (status == EDGEOPS_OK && eop_import_must_flush(w, &row.sample)) {
            status = flush_rows(w, reader);
        }
        if (status == EDGEOPS_OK) {
            status = eop_import_put(w, &row.sample, row.line);
        }
        if (status == EDGEOPS_OK && eop_import_is_full(w)) {
            status = flush_rows(w, reader);
            /* Of what a program makes of a file the rows are known, but not the bytes. */
            uint64_t bytes = w->plan == NULL ? eop_table_reader_offset(reader) : 0;
            eop_import_progress(w, bytes, (uint64_t)eop_json_integer(w->plan, "rows", 0));
        }
    }
    return eop_job_canceled(w->job) ? eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request")
                                    : status;
}

/* A bad row ends the import: the good ones before it are stored. */
static edgeops_status keep_good(eop_import *w, const eop_table_reader *reader) {
    eop_kept_error kept;
    eop_keep_error(&kept);
    edgeops_status status = flush_rows(w, reader);
    return status == EDGEOPS_OK ? eop_fail_kept(&kept) : status;
}

static edgeops_status read_rows(eop_import *w, eop_table_reader *reader) {
    const eop_table_column *channels = NULL;
    edgeops_status status = take_rows(w, reader);
    if (status == EDGEOPS_DONE) {
        status = flush_rows(w, reader);
    } else if (status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT) {
        status = keep_good(w, reader);
    }
    if (status == EDGEOPS_OK) {
        size_t count = eop_table_reader_channels(reader, &channels);
        status = eop_import_declare(w, channels, count);
    }
    return status;
}

edgeops_status eop_import_rows(eop_import *w, int fd) {
    eop_table_reader *reader = NULL;
    eop_table_options *o = &w->args.options;
    o->on_known = eop_import_known;
    o->on_bad = eop_import_bad;
    eop_bad_list_begin(&w->bad, w->job, w->call->output);
    edgeops_status status = eop_table_reader_open(&reader, fd, o);
    if (status == EDGEOPS_OK) {
        status = read_rows(w, reader);
        w->report = eop_table_reader_report(reader);
    }
    eop_table_reader_close(reader);
    return eop_bad_list_end(&w->bad, status);
}
