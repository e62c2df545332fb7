/* SPDX-License-Identifier: Apache-2.0 */
/* Input that a cancel can end. */
#ifndef EOP_NODE_CONTROL_BULK_H
#define EOP_NODE_CONTROL_BULK_H

#include "node/home/home.h"

/** The bulk input of a call as a descriptor that ends when the job is canceled. All calls are made
 * on the job's thread. */
typedef struct eop_bulk eop_bulk;
/** fd: the call's input, borrowed until closed. E_INVALID when there is none. */
edgeops_status eop_bulk_open(eop_bulk **out, eop_job *job, int fd);
int eop_bulk_fd(const eop_bulk *bulk);
/** NULL is allowed. */
void eop_bulk_close(eop_bulk *bulk);

#endif /* EOP_NODE_CONTROL_BULK_H */
