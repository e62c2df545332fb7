/* SPDX-License-Identifier: Apache-2.0 */
/* CSV, plain or gzip: one row a sample. */
#include "node/files/import_csv.h"

static edgeops_status take_rows(eop_job *job, eop_import *w, eop_table_reader *csv) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !eop_job_canceled(job)) {
        eop_table_row row;
        status = eop_table_reader_next(csv, &row);
        if (status == EDGEOPS_OK) {
            status = eop_import_put(w, &row.sample);
        }
        if (status == EDGEOPS_OK && eop_import_is_full(w)) {
            status = eop_import_flush(w);
            eop_import_report(job, w, eop_table_reader_offset(csv), 0);
        }
    }
    if (status == EDGEOPS_DONE) {
        status = eop_import_flush(w);
    }
    return eop_job_canceled(job) ? eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request")
                                 : status;
}

edgeops_status eop_import_csv(eop_job *job, eop_import *w, int fd) {
    eop_table_reader *csv = NULL;
    edgeops_status status = eop_table_reader_open(&csv, fd, &w->args.options);
    if (status == EDGEOPS_OK) {
        status = take_rows(job, w, csv);
    }
    eop_table_reader_close(csv);
    return status;
}
