/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all refused rows, as CSV into the output of a call, for who mends them. The report of a
 * reader has only the first hundred. Of the thread that reads. */
#ifndef EOP_NODE_FILES_BAD_LIST_H
#define EOP_NODE_FILES_BAD_LIST_H

#include "base/str.h"
#include "node/control/job.h"

/** Zero: nobody wants one. */
typedef struct eop_bad_list {
    eop_job *job; /**< NULL: nobody wants one */
    int output;
    eop_buf text; /**< that waits for the output */
    edgeops_status status;
} eop_bad_list;

/** output: negative: nobody wants one. */
void eop_bad_list_begin(eop_bad_list *list, eop_job *job, int output);
/** A line of it; the members of an eop_table_bad_fn. A failure is kept in `status`. */
void eop_bad_list_add(eop_bad_list *list, uint64_t line, const char *column, const char *reason,
                      const char *text, size_t size);
/** Writes what waits, whatever became of the reading. status: its; that of the list where it was
 * EDGEOPS_OK, or where writing fails. */
edgeops_status eop_bad_list_end(eop_bad_list *list, edgeops_status status);
void eop_bad_list_dispose(eop_bad_list *list);

#endif /* EOP_NODE_FILES_BAD_LIST_H */
