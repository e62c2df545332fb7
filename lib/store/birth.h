/* SPDX-License-Identifier: Apache-2.0 */
/* Which process a store belongs to, for rooms that do not see its members; see base/fork.h. */
#ifndef EOP_STORE_BIRTH_H
#define EOP_STORE_BIRTH_H

#include "base/fork.h"
#include "edgeops/types.h"

/** The first member of a store. */
static inline const eop_birth *eop_store_birth(const edgeops_store *store) {
    return (const eop_birth *)(const void *)store;
}

/** For every public function on a store, right after the check of its arguments. */
#define EOP_STORE_REQUIRE_HERE(store) EOP_REQUIRE_HERE(eop_store_birth(store), "store", "store")

#endif /* EOP_STORE_BIRTH_H */
