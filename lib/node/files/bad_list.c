/* SPDX-License-Identifier: Apache-2.0 */
/* The list of refused rows goes out in pieces of 64 KiB. Its first failure stays, and nothing is
 * written after it. */
#include "node/files/bad_list.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "codec/csv.h"

#define WAITING_MAX 65536u

void eop_bad_list_begin(eop_bad_list *list, eop_job *job, int output) {
    if (output >= 0) {
        list->job = job;
        list->output = output;
        eop_buf_puts(&list->text, "line,column,reason,text\n");
    }
}

static edgeops_status flush(eop_bad_list *list) {
    if (list->status != EDGEOPS_OK || list->text.size == 0) {
        return list->status;
    }
    if (list->text.failed) {
        return eop_fail_nomem("node");
    }
    edgeops_status status =
        eop_job_write(list->job, list->output, list->text.data, list->text.size);
    eop_buf_clear(&list->text);
    return status;
}

void eop_bad_list_add(eop_bad_list *list, uint64_t line, const char *column, const char *reason,
                      const char *text, size_t size) {
    if (list->job == NULL || list->status != EDGEOPS_OK) {
        return;
    }
    eop_buf_printf(&list->text, "%" PRIu64 ",", line);
    eop_csv_put(&list->text, column, column != NULL ? strlen(column) : 0, ',');
    eop_buf_puts(&list->text, ",");
    eop_csv_put(&list->text, reason, reason != NULL ? strlen(reason) : 0, ',');
    eop_buf_puts(&list->text, ",");
    eop_csv_put(&list->text, text, size, ',');
    eop_buf_puts(&list->text, "\n");
    if (list->text.size >= WAITING_MAX) {
        list->status = flush(list);
    }
}

edgeops_status eop_bad_list_end(eop_bad_list *list, edgeops_status status) {
    eop_kept_error kept;
    eop_keep_error(&kept);
    edgeops_status written = flush(list);
    return status != EDGEOPS_OK && written == EDGEOPS_OK ? eop_fail_kept(&kept) : written;
}

void eop_bad_list_dispose(eop_bad_list *list) {
    eop_buf_dispose(&list->text);
}
