/* SPDX-License-Identifier: Apache-2.0 */
/* Text on its way to a job's output, piece by piece, plain or packed with gzip. One thread. */
#ifndef EOP_NODE_FILES_TEXT_OUT_H
#define EOP_NODE_FILES_TEXT_OUT_H

#include "codec/gzip.h"
#include "node/home/home.h"

/** Zero with `output` set writes plain text. */
typedef struct eop_text_out {
    int output;
    eop_gzip *gzip; /**< taken; NULL: plain */
    eop_buf text;   /**< the caller puts here */
    eop_buf packed;
} eop_text_out;

/** After each row: writes when there is enough. */
edgeops_status eop_text_out_row(eop_text_out *out, eop_job *job);
/** Writes the rest and ends the file. */
edgeops_status eop_text_out_finish(eop_text_out *out, eop_job *job);
void eop_text_out_dispose(eop_text_out *out);

#endif /* EOP_NODE_FILES_TEXT_OUT_H */
