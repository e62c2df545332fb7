/* SPDX-License-Identifier: Apache-2.0 */
/* The background writer: the only thread that changes chunks. It starts last in opening a store and
 * stops first in closing. */
#ifndef EOP_STORE_WRITER_H
#define EOP_STORE_WRITER_H

#include "edgeops/store.h"

edgeops_status eop_writer_start(edgeops_store *store);
void eop_writer_stop(edgeops_store *store);

#endif /* EOP_STORE_WRITER_H */
