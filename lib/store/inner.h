/* SPDX-License-Identifier: Apache-2.0 */
/* What datasets and labels need of an open store beside its public functions and read.h: its
 * catalog, the assets it knows, and that rows neither go nor get lost while a dataset is made of
 * them. Everything else of the store is its own. */
#ifndef EOP_STORE_INNER_H
#define EOP_STORE_INNER_H

#include "catalog/asset_list.h"
#include "catalog/catalog.h"
#include "column/rows.h"
#include "edgeops/store.h"

/** Has a lock of its own: the last one that is taken. */
eop_catalog *eop_store_catalog(edgeops_store *store);
/** The assets and their channels, until eop_store_unlock_assets(). Takes the store's lock, so that
 * appends wait meanwhile. */
eop_asset_list *eop_store_lock_assets(edgeops_store *store);
/** Meanwhile: the ordinal of an asset's newest row, 0: it has no rows. */
uint64_t eop_store_newest(const eop_asset *asset);
void eop_store_unlock_assets(edgeops_store *store);
/** eop_asset_columns() of an asset. E_NOTFOUND: it was removed. Takes the store's lock. */
edgeops_status eop_store_columns(eop_rows *rows, edgeops_store *store, uint32_t asset,
                                 uint32_t limit);
/** Retention drops nothing until eop_store_release_rows(): for whoever reads what a dataset is to
 * hold, or all of an asset. */
void eop_store_hold_rows(edgeops_store *store);
void eop_store_release_rows(edgeops_store *store);
/** Brings all that was appended to the disk, whatever the durability. Not under a lock. */
edgeops_status eop_store_sync(edgeops_store *store);

#endif /* EOP_STORE_INNER_H */
