/* SPDX-License-Identifier: Apache-2.0 */
/* Files of blobs by digest: written before a row refers to them, swept when none does. `blob_lock`
 * is taken before any other lock: appends of blobs for reading, the sweep for writing. */
#include "store/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time.h"
#include "base/tree.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/room.h"
#include "store/scan.h"

#define DIGEST_SIZE EOP_BLOB_DIGEST
#define SORT_AFTER  65536u
#define TORN_AGE    (3600 * EDGEOPS_SECOND)

enum { HOLD_MS = 200, SETTLE_TRIES = 100, REMOVE_RUN = 64 };

/* -- keeping -- */

static edgeops_status keep_blob(eop_blobs *blobs, edgeops_store *store,
                                const edgeops_value *value) {
    char hex[2 * EOP_BLOB_DIGEST + 1];
    const void *data = value->size > 0 ? value->as.data : "";
    edgeops_blob *blob = &blobs->items[blobs->count++];
    *blob = (edgeops_blob){.size = value->size};
    edgeops_status status = eop_sha256_of(hex, data, value->size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    (void)eop_hex_take(blob->digest, EOP_BLOB_DIGEST, hex);
    eop_blob_use use = eop_blob_use_again(store, blob->digest, data, value->size, blobs->synced);
    if (use == EOP_BLOB_USED) {
        return EDGEOPS_OK;
    }
    blobs->fresh = true;
    status = eop_blob_write(store, blob->digest, data, value->size,
                            blobs->synced || use == EOP_BLOB_DAMAGED);
    if (status == EDGEOPS_OK && use == EOP_BLOB_DAMAGED) {
        eop_store_note_mended(store);
    }
    return status;
}

edgeops_status eop_blob_begin(eop_blobs *out, edgeops_store *store, const edgeops_sample *samples,
                              size_t n) {
    size_t count = 0;
    *out = (eop_blobs){.synced = edgeops_store_durability(store) == EDGEOPS_DURABILITY_POWER};
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < samples[i].count; k++) {
            count += samples[i].values[k].type == EDGEOPS_TYPE_BLOB;
        }
    }
    edgeops_status status = eop_store_ready(store);
    if (status != EDGEOPS_OK) {
        return status;
    }
    out->items = eop_calloc(count, sizeof *out->items);
    if (out->items == NULL) {
        return eop_fail_nomem("store");
    }
    pthread_rwlock_rdlock(&store->blob_lock);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        for (size_t k = 0; status == EDGEOPS_OK && k < samples[i].count; k++) {
            if (samples[i].values[k].type == EDGEOPS_TYPE_BLOB) {
                status = keep_blob(out, store, &samples[i].values[k]);
            }
        }
    }
    if (status != EDGEOPS_OK) {
        eop_blob_end(store, out);
    }
    return status;
}

edgeops_status eop_blob_sync(edgeops_store *store, eop_blobs *blobs) {
    eop_blob_folders folders = {{0}};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < blobs->count; i++) {
        int fd = -1;
        status = eop_blob_open(&fd, store, &blobs->items[i], false);
        if (status == EDGEOPS_OK && fsync(fd) != 0) {
            status = eop_fail_errno(errno, "store", "cannot sync the file of a blob");
        }
        if (fd >= 0) {
            close(fd);
        }
        eop_blob_folders_add(&folders, blobs->items[i].digest);
    }
    if (status == EDGEOPS_OK) {
        status = eop_blob_sync_folders(store, &folders);
    }
    blobs->synced = status == EDGEOPS_OK;
    return status;
}

void eop_blob_end(edgeops_store *store, eop_blobs *blobs) {
    pthread_rwlock_unlock(&store->blob_lock);
    eop_free(blobs->items);
    *blobs = (eop_blobs){0};
}

/* -- rows that refer to blobs -- */

/* An asset with its columns of blobs. */
typedef struct holder {
    uint32_t asset;
    uint32_t count;
    uint32_t *channels;
} holder;

typedef struct holders {
    holder *items;
    size_t count;
    size_t capacity;
} holders;

static edgeops_status add_holder(holders *list, const eop_asset *asset) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < asset->channel_count; i++) {
        n += asset->channels[i]->type == EDGEOPS_TYPE_BLOB;
    }
    if (n == 0) {
        return EDGEOPS_OK;
    }
    uint32_t *channels = eop_calloc(n, sizeof *channels);
    if (channels == NULL ||
        !eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        eop_free(channels);
        return eop_fail_nomem("store");
    }
    list->items[list->count++] = (holder){asset->id, n, channels};
    n = 0;
    for (uint32_t i = 0; i < asset->channel_count; i++) {
        if (asset->channels[i]->type == EDGEOPS_TYPE_BLOB) {
            channels[n++] = i;
        }
    }
    return EDGEOPS_OK;
}

static void free_holders(holders *list) {
    for (size_t i = 0; i < list->count; i++) {
        eop_free(list->items[i].channels);
    }
    eop_free(list->items);
}

static edgeops_status list_holders(holders *list, edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        status = add_holder(list, store->assets.items[i]);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

static edgeops_status walk_asset(edgeops_store *store, const holder *from, eop_blob_fn fn,
                                 void *user_data) {
    eop_selection want = {.asset = from->asset,
                          .from = INT64_MIN,
                          .to = INT64_MAX,
                          .max_ordinal = UINT64_MAX,
                          .channels = from->channels};
    eop_scan scan = {0};
    eop_rows rows = {0};
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t k = 0; status == EDGEOPS_OK && k < from->count; k++) {
        status = eop_rows_add_vector(&rows, EDGEOPS_TYPE_BLOB, 1);
    }
    if (status == EDGEOPS_OK) {
        status = eop_scan_open(&scan, store, &want, rows.vectors, from->count);
        if (status == EDGEOPS_OK) {
            status = fn(from->asset, from->channels, &scan.memory.rows, user_data);
        }
        for (size_t i = 0; status == EDGEOPS_OK && i < scan.chunks.count; i++) {
            eop_rows_clear(&rows);
            status = eop_telemetry_read(&rows, &scan.reader, &scan.chunks.items[i], NULL,
                                        from->channels);
            if (status == EDGEOPS_OK || eop_sql_unreadable(status)) {
                status =
                    fn(from->asset, from->channels, status == EDGEOPS_OK ? &rows : NULL, user_data);
            }
        }
        eop_scan_dispose(&scan);
    }
    eop_rows_dispose(&rows);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

edgeops_status eop_blob_walk(edgeops_store *store, eop_blob_fn fn, void *user_data) {
    holders list = {0};
    edgeops_status status = list_holders(&list, store);
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = walk_asset(store, &list.items[i], fn, user_data);
    }
    free_holders(&list);
    return status;
}

/* -- sweeping -- */

/* Digests; sorted once all are added. */
typedef struct digests {
    uint8_t (*items)[DIGEST_SIZE];
    size_t count;
    size_t capacity;
    size_t sorted; /* their number at the last sorting */
} digests;

static edgeops_status add_digest(digests *list, const uint8_t *digest) {
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, DIGEST_SIZE)) {
        return eop_fail_nomem("store");
    }
    memcpy(list->items[list->count++], digest, DIGEST_SIZE);
    return EDGEOPS_OK;
}

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, DIGEST_SIZE);
}

static void sort_digests(digests *list) {
    size_t n = 0;
    if (list->count > 1) {
        qsort(list->items, list->count, DIGEST_SIZE, by_bytes);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (n == 0 || by_bytes(list->items[n - 1], list->items[i]) != 0) {
            memmove(list->items[n++], list->items[i], DIGEST_SIZE);
        }
    }
    list->count = n;
    list->sorted = n;
}

static bool has_digest(const digests *list, const uint8_t *digest) {
    return list->count > 0 &&
           bsearch(digest, list->items, list->count, DIGEST_SIZE, by_bytes) != NULL;
}

typedef struct listing {
    const char *folder;
    digests *files;
} listing;

/* Removes a file that a crash left half written. */
static void remove_torn(const char *folder, const char *name) {
    struct stat st;
    char *path = eop_path_join(folder, name);
    if (path != NULL && stat(path, &st) == 0 &&
        (edgeops_time)st.st_mtim.tv_sec * EDGEOPS_SECOND < eop_now() - TORN_AGE) {
        (void)unlink(path);
    }
    eop_free(path);
}

/* Only files "ab/REST" and "ab/REST.XXXXXX" are the store's; nothing else is touched. */
static edgeops_status note_file(const eop_tree_entry *entry, void *user_data) {
    const listing *list = user_data;
    char hex[2 * DIGEST_SIZE + 1];
    uint8_t digest[DIGEST_SIZE];
    const char *path = entry->path;
    size_t size = strcspn(path, ".");
    if (entry->folder || size != 2 * DIGEST_SIZE + 1 || path[2] != '/') {
        return EDGEOPS_OK;
    }
    memcpy(hex, path, 2);
    memcpy(hex + 2, path + 3, 2 * DIGEST_SIZE - 2);
    if (!eop_hex_take(digest, DIGEST_SIZE, hex)) {
        return EDGEOPS_OK;
    }
    if (path[size] == '.') {
        remove_torn(list->folder, path);
        return EDGEOPS_OK;
    }
    return add_digest(list->files, digest);
}

static edgeops_status list_files(digests *files, const edgeops_store *store) {
    char *folder = eop_path_join(store->home, EOP_BLOB_FOLDER);
    listing list = {folder, files};
    edgeops_status status = folder != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    if (status == EDGEOPS_OK && eop_file_exists(folder)) {
        status = eop_tree_walk(folder, note_file, &list);
    }
    eop_free(folder);
    return status;
}

static edgeops_status mark_rows(uint32_t asset, const uint32_t *channels, const eop_rows *rows,
                                void *user_data) {
    digests *used = user_data;
    edgeops_status status = EDGEOPS_OK;
    (void)asset;
    (void)channels;
    if (rows == NULL) {
        return edgeops_error_last()->code; /* nobody knows what it refers to */
    }
    for (size_t k = 0; k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        for (size_t i = 0; status == EDGEOPS_OK && i < vector->filled; i++) {
            if (!eop_vector_is_null(vector, i)) {
                edgeops_blob blob;
                memcpy(&blob, (const char *)vector->data + i * sizeof blob, sizeof blob);
                status = add_digest(used, blob.digest);
            }
        }
    }
    /* Sorting removes duplicates: an image that many rows refer to takes memory once. */
    if (used->count > used->sorted + SORT_AFTER) {
        sort_digests(used);
    }
    return status;
}

/* Removes a file that no row refers to, unless it was used again since `start`. */
static edgeops_status remove_file(eop_blob_stats *stats, const edgeops_store *store,
                                  const uint8_t *digest, edgeops_time start) {
    struct stat st;
    edgeops_status status = EDGEOPS_OK;
    char *path = eop_blob_path(store, digest);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    if (stat(path, &st) != 0) {
        status = errno == ENOENT ? EDGEOPS_OK : eop_fail_errno(errno, "store", "'%s'", path);
    } else if ((edgeops_time)st.st_mtim.tv_sec * EDGEOPS_SECOND + st.st_mtim.tv_nsec >= start) {
        stats->kept++;
    } else if (unlink(path) != 0) {
        status = eop_fail_errno(errno, "store", "cannot remove '%s'", path);
    } else {
        stats->removed++;
        stats->removed_bytes += (uint64_t)st.st_size;
    }
    eop_free(path);
    return status;
}

/* Holds back appends of blobs. Not for ever: one that waits for room waits for the writer, and the
 * writer may be who sweeps. */
static bool hold_appends(edgeops_store *store) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HOLD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_rwlock_timedwrlock(&store->blob_lock, &until) == 0;
}

edgeops_status eop_blob_settle(edgeops_store *store) {
    bool held = false;
    for (int i = 0; !held && i < SETTLE_TRIES; i++) {
        held = hold_appends(store);
    }
    if (!held) {
        return eop_fail(EDGEOPS_E_AGAIN, "store", "an append of blobs does not end: try again");
    }
    pthread_rwlock_unlock(&store->blob_lock);
    return EDGEOPS_OK;
}

/* Some at a time, so that appends of blobs wait for a moment only. A backup that begins meanwhile
 * has no row that refers to them. */
static edgeops_status remove_files(eop_blob_stats *stats, edgeops_store *store,
                                   const digests *files, const digests *used, edgeops_time start) {
    pthread_mutex_lock(&store->lock);
    bool backup = store->backups > 0;
    pthread_mutex_unlock(&store->lock);
    edgeops_status status =
        backup ? eop_fail(EDGEOPS_E_BUSY, "store", "a backup is under way: no blob is removed")
               : EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < files->count;) {
        size_t end = files->count - i > REMOVE_RUN ? i + REMOVE_RUN : files->count;
        if (!hold_appends(store)) {
            status =
                eop_fail(EDGEOPS_E_AGAIN, "store", "blobs are being appended: no more are removed");
            break;
        }
        for (; status == EDGEOPS_OK && i < end; i++) {
            if (has_digest(used, files->items[i])) {
                stats->kept++;
            } else {
                status = remove_file(stats, store, files->items[i], start);
            }
        }
        pthread_rwlock_unlock(&store->blob_lock);
    }
    return status;
}

edgeops_status eop_blob_sweep(edgeops_store *store, eop_blob_stats *stats) {
    EOP_REQUIRE(store != NULL, "store");
    eop_blob_stats done = {0};
    digests files = {0};
    digests used = {0};
    /* The clock of the file system may be a tick behind ours. */
    edgeops_time start = eop_now() - EDGEOPS_SECOND;
    edgeops_status status = list_files(&files, store);
    if (status == EDGEOPS_OK && files.count > 0) {
        status = eop_blob_walk(store, mark_rows, &used);
    }
    if (status == EDGEOPS_OK) {
        sort_digests(&used);
        status = remove_files(&done, store, &files, &used, start);
    }
    eop_free(files.items);
    eop_free(used.items);
    if (status == EDGEOPS_OK && stats != NULL) {
        *stats = done;
    }
    return status;
}
