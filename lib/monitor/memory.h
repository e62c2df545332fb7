/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of this process, for status and metrics. */
#ifndef EOP_MONITOR_MEMORY_H
#define EOP_MONITOR_MEMORY_H

#include "edgeops/types.h"

/** Bytes of this process that are in memory now (RSS), shared pages included. E_IO without /proc.
 * Any thread. */
edgeops_status eop_memory_resident(uint64_t *out);

#endif /* EOP_MONITOR_MEMORY_H */
