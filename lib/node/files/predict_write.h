/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a batch prediction's answer, and the thread that writes them. */
#ifndef EOP_NODE_FILES_PREDICT_WRITE_H
#define EOP_NODE_FILES_PREDICT_WRITE_H

#include "node/files/predict.h"

/** The job: writes until all is written. user_data: an eop_predict. */
void eop_predict_write(eop_job *job, void *user_data);
/** The first line of a CSV. */
void eop_predict_put_header(eop_predict *p);
/** Counts an answer and puts its row. */
edgeops_status eop_predict_put(eop_predict *p, const edgeops_prediction *answer, edgeops_time time,
                               uint32_t group, int32_t label);
/** Which output the labels are compared with. */
size_t eop_predict_compared(const edgeops_manifest *manifest);

#endif /* EOP_NODE_FILES_PREDICT_WRITE_H */
