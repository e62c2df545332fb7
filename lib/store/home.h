/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make a home, and the order in which they are made; home.c has the list. */
#ifndef EOP_STORE_HOME_H
#define EOP_STORE_HOME_H

#include <stdbool.h>

#include "edgeops/store.h"

/** Whether the folder holds anything that is only made after catalog.db. */
edgeops_status eop_home_in_use(bool *out, const char *home);
/** After the catalog was loaded: opens `writer`; makes its file when the home is not complete yet.
 * E_CORRUPT when the file was lost or is of another home. */
edgeops_status eop_home_open_telemetry(edgeops_store *store);

#endif /* EOP_STORE_HOME_H */
