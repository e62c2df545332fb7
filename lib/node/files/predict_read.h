/* SPDX-License-Identifier: Apache-2.0 */
/* The reading thread of a batch prediction. */
#ifndef EOP_NODE_FILES_PREDICT_READ_H
#define EOP_NODE_FILES_PREDICT_READ_H

#include "node/files/predict.h"

/** The job: hands rows over while there are any and more are wanted. user_data: eop_predict. */
void eop_predict_read(eop_job *job, void *user_data);

#endif /* EOP_NODE_FILES_PREDICT_READ_H */
