/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all refused rows, as CSV into the output of the call, for who mends them. The report
 * has only the first hundred. */
#include <inttypes.h>
#include <string.h>

#include "codec/csv.h"
#include "node/files/import.h"

#define WAITING_MAX 65536u

void eop_import_bad(uint64_t line, const char *column, const char *reason, const char *text,
                    size_t size, void *user_data) {
    eop_import *w = user_data;
    if (w->call->output < 0 || w->bad_status != EDGEOPS_OK) {
        return;
    }
    eop_buf_printf(&w->bad, "%" PRIu64 ",", line);
    eop_csv_put(&w->bad, column, column != NULL ? strlen(column) : 0, ',');
    eop_buf_puts(&w->bad, ",");
    eop_csv_put(&w->bad, reason, reason != NULL ? strlen(reason) : 0, ',');
    eop_buf_puts(&w->bad, ",");
    eop_csv_put(&w->bad, text, size, ',');
    eop_buf_puts(&w->bad, "\n");
    if (w->bad.size >= WAITING_MAX) {
        w->bad_status = eop_import_flush_bad(w);
    }
}

edgeops_status eop_import_flush_bad(eop_import *w) {
    if (w->bad_status != EDGEOPS_OK || w->bad.size == 0) {
        return w->bad_status;
    }
    if (w->bad.failed) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_job_write(w->job, w->call->output, w->bad.data, w->bad.size);
    eop_buf_clear(&w->bad);
    return status;
}
