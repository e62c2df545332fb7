/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections that read chunks. */
#ifndef EOP_STORE_READERS_H
#define EOP_STORE_READERS_H

#include "edgeops/store.h"
#include "store/telemetry.h"

/** Takes a connection for reading. May wait half a second while the writer empties the WAL. Not
 * under `lock`. */
edgeops_status eop_reader_take(eop_telemetry *out, edgeops_store *store);
void eop_reader_give(edgeops_store *store, eop_telemetry *reader);

#endif /* EOP_STORE_READERS_H */
