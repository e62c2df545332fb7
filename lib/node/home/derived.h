/* SPDX-License-Identifier: Apache-2.0 */
/* The names of derived assets, whose rows a join makes of those of others (node/live/joins.h): so
 * that whoever takes samples in can refuse those that would mix with them. Any thread. */
#ifndef EOP_NODE_HOME_DERIVED_H
#define EOP_NODE_HOME_DERIVED_H

#include <stdbool.h>

#include "edgeops/status.h"

typedef struct eop_derived eop_derived;

/** NULL: no memory. */
eop_derived *eop_derived_new(void);
/** NULL is allowed. */
void eop_derived_free(eop_derived *derived);
edgeops_status eop_derived_add(eop_derived *derived, const char *asset);
void eop_derived_remove(eop_derived *derived, const char *asset);
/** NULL has none. */
bool eop_derived_has(eop_derived *derived, const char *asset);
/** E_INVALID for a derived asset, with a text for who wants to write to it. */
edgeops_status eop_derived_refuse(eop_derived *derived, const char *asset);

#endif /* EOP_NODE_HOME_DERIVED_H */
