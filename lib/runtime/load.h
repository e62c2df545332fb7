/* SPDX-License-Identifier: Apache-2.0 */
/* From a store to the memory that a worker maps. */
#ifndef EOP_RUNTIME_LOAD_H
#define EOP_RUNTIME_LOAD_H

#include "runtime/share.h"

/** Reads a dataset by its name: straight into the shared memory where its rows are taken as they
 * are, else by way of tables.
 *
 *  @param digest  gets what the catalog says it is, which is not compared here; free with eop_free
 *  @return E_NOTFOUND; E_INVALID names an input that is missing; E_LIMIT, E_NOMEM, E_IO
 *  Threads: any. */
edgeops_status eop_load_dataset(eop_share *out, char **digest, const edgeops_manifest *manifest,
                                edgeops_store *store, const char *name);

#endif /* EOP_RUNTIME_LOAD_H */
