/* SPDX-License-Identifier: Apache-2.0 */
/* What datasets and labels need of an open store besides its public functions and read.h: the
 * catalog, the assets, and a hold on rows while a dataset is made of them. The store's members are
 * private to its room. */
#ifndef EOP_STORE_INNER_H
#define EOP_STORE_INNER_H

#include "catalog/asset_list.h"
#include "catalog/catalog.h"
#include "column/rows.h"
#include "edgeops/store.h"

/** The catalog. Has its own lock, which is taken last. */
eop_catalog *eop_store_catalog(edgeops_store *store);
/** Takes the store's lock and returns the assets and their channels, valid until
 * eop_store_unlock_assets(). Appends wait meanwhile. */
eop_asset_list *eop_store_lock_assets(edgeops_store *store);
/** Between lock and unlock: the ordinal of the asset's newest row, 0 without rows. */
uint64_t eop_store_newest(const eop_asset *asset);
void eop_store_unlock_assets(edgeops_store *store);
/** Later parts that the asset ever got, 0 also when there is no such asset: whether its rows come
 * in parts. Takes the store's lock. */
uint64_t eop_store_parts(edgeops_store *store, const char *asset);
/** eop_asset_columns() of an asset. E_NOTFOUND: it was removed. Takes the store's lock. */
edgeops_status eop_store_columns(eop_rows *rows, edgeops_store *store, uint32_t asset,
                                 uint32_t limit);
/** Keeps retention from dropping rows until eop_store_release_rows(). For reading what a dataset
 * will hold, or all of an asset. */
void eop_store_hold_rows(edgeops_store *store);
void eop_store_release_rows(edgeops_store *store);
/** Syncs all that was appended, whatever the durability. Call without a lock. */
edgeops_status eop_store_sync(edgeops_store *store);

#endif /* EOP_STORE_INNER_H */
