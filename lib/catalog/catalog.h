/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.db: everything but the samples. One connection under a lock of its own, which is taken
 * last: nothing that holds it takes the store's lock.
 *
 * All rooms know a channel by (asset id, position). Ids of assets are never used twice. When an
 * asset is made again under an old name, its ordinals continue behind the old ones (`retired`).
 * Labels are only ever added: `version` says when one was added, `withdrawn` when it was taken
 * back, both counted by meta 'label_version', so that a dataset can name the labels it was frozen
 * with. */
#ifndef EOP_CATALOG_CATALOG_H
#define EOP_CATALOG_CATALOG_H

#include <pthread.h>

#include "catalog/asset_list.h"
#include "catalog/sql.h"

typedef struct eop_catalog eop_catalog;

/** Numbers of messages of one deployment for one destination. */
typedef struct eop_outbox_counter {
    char *destination;
    char *deployment;
    uint64_t waiting;
    uint64_t refused; /**< set aside */
} eop_outbox_counter;

struct eop_catalog {
    eop_sql sql;
    pthread_mutex_t lock;
    bool lock_made;
    eop_outbox_counter *outbox;
    size_t outbox_count;
    size_t outbox_capacity;
    bool power;    /**< commits wait for the disk */
    int wal_pages; /**< since the last checkpoint, for the background writer */
    void (*on_wal)(void *user_data);
    void *user_data;
};

typedef enum eop_catalog_statement {
    EOP_META_GET,
    EOP_META_SET,
    EOP_ASSET_ADD,
    EOP_ASSET_LIST,
    EOP_ASSET_FIND,
    EOP_ASSET_REMOVE,
    EOP_ASSET_NEXT_ID,
    EOP_ASSET_RETIRE,
    EOP_ASSET_RETIRED,
    EOP_ASSET_RENAME,
    EOP_CHANNEL_ADD,
    EOP_CHANNEL_LIST,
    EOP_CHANNEL_UNIT,
    EOP_CHANNEL_RENAME,
    EOP_LABEL_BUMP,
    EOP_LABEL_VERSION,
    EOP_LABEL_ADD,
    EOP_LABEL_WITHDRAW,
    EOP_LABEL_SAME,
    EOP_LABEL_GET,
    EOP_LABEL_PAGE,
    EOP_LABEL_CHAIN,
    EOP_LABEL_WHERE,
    EOP_LABELLED_NEXT,
    EOP_LABEL_AT,
    EOP_RECORD_INSERT,
    EOP_RECORD_UPSERT,
    EOP_RECORD_GET,
    EOP_RECORD_LIST,
    EOP_RECORD_REMOVE,
    EOP_RECORD_NUMBER,
    EOP_OUTBOX_ADD,
    EOP_OUTBOX_LIST,
    EOP_OUTBOX_REMOVE,
    EOP_OUTBOX_COUNT,
    EOP_OUTBOX_SET_ASIDE,
    EOP_OUTBOX_AGAIN,
    EOP_OUTBOX_REASON,
    EOP_OUTBOX_DROP,
    EOP_OUTBOX_DROP_REFUSED,
    EOP_OUTBOX_PURGE,
    EOP_CHECKPOINT_PUT,
    EOP_CHECKPOINT_GET,
    EOP_CHECKPOINT_REMOVE,
    EOP_DEAD_ADD,
    EOP_DEAD_TRIM,
    EOP_DEAD_LIST,
    EOP_DEAD_REMOVE,
    EOP_DATASET_ADD,
    EOP_DATASET_GET,
    EOP_DATASET_LIST,
    EOP_DATASET_REMOVE,
    EOP_DATASET_HOLDS,
    EOP_DATASET_HOLDS_CHANNEL,
    EOP_DATASET_PINS,
    EOP_DATASET_ASSET_ADD,
    EOP_DATASET_ASSET_LIST,
    EOP_DATASET_CHANNEL_ADD,
    EOP_DATASET_CHANNEL_LIST,
    EOP_DATASET_COLUMN_ADD,
    EOP_DATASET_COLUMN_LIST,
    EOP_DATASET_LABEL_ADD,
    EOP_DATASET_LABEL_LIST,
    EOP_CATALOG_STATEMENTS
} eop_catalog_statement;

/** make: create the file when it is missing. access: as for eop_sql_open(). */
edgeops_status eop_catalog_open(eop_catalog *catalog, const char *path, bool make,
                                const eop_access *access);
void eop_catalog_close(eop_catalog *catalog);
/** Sets fn, which is called with the lock held when the WAL is long enough for a checkpoint. */
void eop_catalog_on_wal(eop_catalog *catalog, void (*fn)(void *user_data), void *user_data);

/** When a commit waits for the disk. Such a commit also brings all earlier ones to the disk. */
typedef enum eop_commit {
    EOP_COMMIT_LAX,   /**< never: for data that is made or sent again when it is lost */
    EOP_COMMIT_PLAIN, /**< with durability POWER */
    EOP_COMMIT_SAFE,  /**< always: for data that the chunks on the disk must agree with */
} eop_commit;
/** Takes the lock and begins a transaction that writes. After a failure the lock is not held. */
edgeops_status eop_catalog_begin_as(eop_catalog *catalog, eop_commit commit);
/** The same with EOP_COMMIT_PLAIN. */
edgeops_status eop_catalog_begin(eop_catalog *catalog);
/** Ends the transaction like eop_sql_end() and releases the lock. */
edgeops_status eop_catalog_end(eop_catalog *catalog, edgeops_status status);
/** For reading. */
void eop_catalog_lock(eop_catalog *catalog);
void eop_catalog_unlock(eop_catalog *catalog);
edgeops_status eop_catalog_get(eop_sql_statement **out, eop_catalog *catalog,
                               eop_catalog_statement number);

/** Reads a number in `meta`, 0 when it is missing. The caller holds the lock. */
edgeops_status eop_catalog_meta(int64_t *out, eop_catalog *catalog, const char *key);
edgeops_status eop_catalog_set_meta(eop_catalog *catalog, const char *key, int64_t value);

/** The counter of a deployment's messages, made when it is missing; valid until the next one is
 * made. The caller holds the lock. */
edgeops_status eop_catalog_outbox_counter(eop_outbox_counter **out, eop_catalog *catalog,
                                          const char *destination, const char *deployment);
/** NULL when it is missing. */
eop_outbox_counter *eop_catalog_find_outbox(eop_catalog *catalog, const char *destination,
                                            const char *deployment);

/** Loads all assets and channels into the list. */
edgeops_status eop_catalog_load(eop_catalog *catalog, eop_asset_list *list);
/** The ordinal that the rows of a new asset of this name follow; 0 when the name is new. Takes the
 * lock. */
edgeops_status eop_catalog_retired(uint64_t *out, eop_catalog *catalog, const char *name);
/** Inside a transaction: writes an asset and its channels from position `from` on. */
edgeops_status eop_catalog_add_asset(eop_catalog *catalog, const eop_asset *asset);
edgeops_status eop_catalog_add_channels(eop_catalog *catalog, const eop_asset *asset,
                                        uint32_t from);

/** Reports E_NOTFOUND with the message that every room uses. */
edgeops_status eop_fail_no_asset(const char *name);
edgeops_status eop_fail_no_channel(const char *asset, const char *channel);

#endif /* EOP_CATALOG_CATALOG_H */
