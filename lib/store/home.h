/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make a home, and the order in which they are made; home.c has the list. */
#ifndef EOP_STORE_HOME_H
#define EOP_STORE_HOME_H

#include <stdbool.h>

#include "catalog/sql.h"
#include "edgeops/store.h"

/** Whether this process may change the home, as far as it is there. */
void eop_home_look(eop_access *out, const char *home);

/** E_DENIED: the home is on a read-only file system, or this user may not write to it; E_LIMIT: it was opened on a disk
 * so full that it can only be read. The message says what to do. */
edgeops_status eop_store_check_writable(const edgeops_store *store);
/** Whether the folder holds anything that is only made after catalog.db. */
edgeops_status eop_home_in_use(bool *out, const char *home);
/** After the catalog was loaded: opens `writer`; makes its file when the home is not complete yet.
 * E_CORRUPT when the file was lost or is of another home. */
edgeops_status eop_home_open_telemetry(edgeops_store *store);

#endif /* EOP_STORE_HOME_H */
