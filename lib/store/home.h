/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make a home, and the order in which they are made (home.c). */
#ifndef EOP_STORE_HOME_H
#define EOP_STORE_HOME_H

#include <stdbool.h>

#include "edgeops/store.h"

/** Whether something is beside catalog.db that only comes after it. */
edgeops_status eop_home_in_use(bool *out, const char *home);
/** The catalog is loaded: opens `writer`, or makes its file where the home is not complete yet.
 * E_CORRUPT where the file was lost or is of another home. */
edgeops_status eop_home_open_telemetry(edgeops_store *store);

#endif /* EOP_STORE_HOME_H */
