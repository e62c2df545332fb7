/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the blobs of rows to the disk; see blob_sync.h. Digests are copied out of the memtable
 * under `lock`, some thousands at a time; no lock is held while files are read and synced. */
#include "store/blob_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/blob_file.h"
#include "store/internal.h"
#include "store/log.h"

enum { BATCH = 4096 };

/* Rows of an asset up to an ordinal. */
typedef struct target {
    uint32_t asset;
    uint64_t upto;
} target;

typedef struct targets {
    target *items;
    size_t count;
    size_t capacity;
} targets;

typedef struct loose {
    edgeops_blob blob;
    uint32_t asset;
    bool replayed; /* may be incomplete */
} loose;

/* A sync under way: the blobs of one batch, and up to which rows it covers which assets. */
typedef struct run {
    edgeops_store *store;
    loose *blobs;
    size_t count;
    targets covers;
    uint64_t lost; /* in this batch */
    uint32_t lost_asset;
    char lost_why[512];
} run;

/* -- one batch -- */

static int by_digest(const void *a, const void *b) {
    const loose *x = a;
    const loose *y = b;
    int order = memcmp(x->blob.digest, y->blob.digest, EOP_BLOB_DIGEST);
    /* Those to be read come first, and stay when duplicates go. */
    return order != 0 ? order : (int)y->replayed - (int)x->replayed;
}

static void drop_duplicates(run *r) {
    size_t n = 0;
    qsort(r->blobs, r->count, sizeof *r->blobs, by_digest);
    for (size_t i = 0; i < r->count; i++) {
        if (n == 0 ||
            memcmp(r->blobs[n - 1].blob.digest, r->blobs[i].blob.digest, EOP_BLOB_DIGEST) != 0) {
            r->blobs[n++] = r->blobs[i];
        }
    }
    r->count = n;
}

/* So the disk works on all of them while the first one is waited for. */
static void start_writing(const run *r) {
    for (size_t i = 0; r->count > 1 && i < r->count; i++) {
        int fd = -1;
        if (eop_blob_open(&fd, r->store, &r->blobs[i].blob, false) == EDGEOPS_OK) {
            (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
            close(fd);
        }
    }
}

/* The last error is about a file that nothing can be done about. */
static bool is_lost(edgeops_status status) {
    int code = edgeops_error_last()->os_errno;
    return status != EDGEOPS_E_NOMEM && code != EMFILE && code != ENFILE;
}

static void note_lost(run *r, const loose *item) {
    if (r->lost++ == 0) {
        r->lost_asset = item->asset;
        snprintf(r->lost_why, sizeof r->lost_why, "%s", edgeops_error_last()->message);
    }
}

/* Takes the file away before it looks again: an append may have replaced it a moment ago. */
static void remove_incomplete(const run *r, const loose *item) {
    char hex[2 * EOP_BLOB_DIGEST + 1] = "";
    char wanted[2 * EOP_BLOB_DIGEST + 1];
    char *path = eop_blob_path(r->store, item->blob.digest);
    char *aside = path != NULL ? eop_format("%s.lost", path) : NULL;
    int fd = -1;
    if (aside != NULL && rename(path, aside) == 0) {
        fd = eop_open(aside, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd >= 0) {
        eop_hex_put(wanted, item->blob.digest, EOP_BLOB_DIGEST);
        if (eop_sha256_of_fd(hex, NULL, fd, aside) == EDGEOPS_OK && strcmp(hex, wanted) == 0) {
            (void)rename(aside, path);
        } else {
            (void)unlink(aside);
        }
        close(fd);
    }
    eop_free(aside);
    eop_free(path);
}

/* After a failed sync nobody knows what is on the disk, and another sync would not tell: the bytes
 * are written to a new file. */
static edgeops_status write_anew(run *r, const loose *item) {
    void *data = NULL;
    size_t size = 0;
    edgeops_status status = edgeops_blob_read(&data, &size, r->store, item->blob.digest);
    if (status == EDGEOPS_OK) {
        status = eop_blob_write(r->store, item->blob.digest, data, size, true);
    } else if (is_lost(status)) {
        note_lost(r, item);
        status = EDGEOPS_OK;
    }
    eop_free(data);
    return status;
}

static edgeops_status sync_blob(run *r, const loose *item) {
    int fd = -1;
    edgeops_status status = eop_blob_open(&fd, r->store, &item->blob, item->replayed);
    if (status != EDGEOPS_OK && is_lost(status)) {
        note_lost(r, item);
        if (status == EDGEOPS_E_CORRUPT && item->replayed) {
            remove_incomplete(r, item);
        }
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        bool good = fsync(fd) == 0;
        close(fd);
        status = good ? EDGEOPS_OK : write_anew(r, item);
    }
    return status;
}

static void log_lost(const run *r) {
    char name[256] = "";
    pthread_mutex_lock(&r->store->lock);
    const eop_asset *asset = eop_asset_list_by_id(&r->store->assets, r->lost_asset);
    if (asset != NULL) {
        snprintf(name, sizeof name, "%s", asset->name);
    }
    pthread_mutex_unlock(&r->store->lock);
    if (name[0] != '\0') { /* else its blobs went with it */
        eop_store_log(r->store, EDGEOPS_LOG_ERROR,
                      "asset '%s': %llu blobs are lost or damaged, the first: %s", name,
                      (unsigned long long)r->lost, r->lost_why);
    }
}

static void note_covered(const run *r) {
    pthread_mutex_lock(&r->store->lock);
    for (size_t i = 0; i < r->covers.count; i++) {
        eop_series *series = eop_series_by_id(&r->store->assets, r->covers.items[i].asset);
        if (series != NULL && series->blobs_synced < r->covers.items[i].upto) {
            series->blobs_synced = r->covers.items[i].upto;
        }
    }
    pthread_mutex_unlock(&r->store->lock);
}

static edgeops_status sync_batch(run *r) {
    eop_blob_folders folders = {{0}};
    edgeops_status status = EDGEOPS_OK;
    drop_duplicates(r);
    start_writing(r);
    for (size_t i = 0; status == EDGEOPS_OK && i < r->count; i++) {
        status = sync_blob(r, &r->blobs[i]);
        eop_blob_folders_add(&folders, r->blobs[i].blob.digest);
    }
    if (status == EDGEOPS_OK) {
        status = eop_blob_sync_folders(r->store, &folders);
    }
    if (status == EDGEOPS_OK) {
        note_covered(r);
        if (r->lost > 0) {
            log_lost(r);
        }
    }
    r->count = 0;
    r->covers.count = 0;
    r->lost = 0;
    return status;
}

/* -- which blobs -- */

static void collect_cell(run *r, const eop_block *block, size_t row, size_t channel,
                         const loose *like) {
    const eop_vector *vector = &block->data.vectors[channel];
    if (vector->type == EDGEOPS_TYPE_BLOB && !eop_vector_is_null(vector, row)) {
        loose *item = &r->blobs[r->count++];
        *item = *like;
        memcpy(&item->blob, (const char *)vector->data + row * sizeof item->blob,
               sizeof item->blob);
    }
}

/* Takes the blobs of arrival i: of the first one of a row also those that came later, which does no
 * harm. */
static void collect_arrival(run *r, const eop_block *block, size_t i, const eop_series *series) {
    const eop_parts *parts = block->parts;
    const loose like = {.asset = series->asset.id,
                        .replayed = block->data.first_ordinal + i <= series->replayed};
    if (parts != NULL && parts->shapes[i] != 0) {
        size_t n = 0;
        const uint16_t *channels = eop_parts_shape(&n, parts, parts->shapes[i]);
        for (size_t k = 0; k < n; k++) {
            collect_cell(r, block, parts->rows[i], channels[k], &like);
        }
        return;
    }
    for (size_t k = 0; k < block->data.vector_count; k++) {
        collect_cell(r, block, parts != NULL ? parts->rows[i] : i, k, &like);
    }
}

/* Under `lock`: takes blobs of rows after *at into the batch. False: it is full. */
static bool collect_some(run *r, uint64_t *at, const target *of) {
    eop_series *series = eop_series_by_id(&r->store->assets, of->asset);
    if (series == NULL) {
        *at = of->upto;
        return true;
    }
    *at = *at > series->blobs_synced ? *at : series->blobs_synced;
    for (const eop_block *block = series->blocks; block != NULL && *at < of->upto;
         block = block->next) {
        uint64_t first = block->data.first_ordinal;
        size_t i = *at >= first ? (size_t)(*at - first + 1) : 0;
        for (; i < eop_block_arrivals(block) && first + i <= of->upto; i++) {
            if (r->count + block->data.vector_count > BATCH) {
                return false;
            }
            collect_arrival(r, block, i, series);
            *at = first + i;
        }
    }
    *at = of->upto;
    return true;
}

static edgeops_status add_target(targets *list, uint32_t asset, uint64_t upto) {
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        return eop_fail_nomem("store");
    }
    list->items[list->count++] = (target){asset, upto};
    return EDGEOPS_OK;
}

static edgeops_status sync_target(run *r, const target *of) {
    uint64_t at = 0;
    bool done = false;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !done) {
        pthread_mutex_lock(&r->store->lock);
        done = collect_some(r, &at, of);
        pthread_mutex_unlock(&r->store->lock);
        status = add_target(&r->covers, of->asset, at);
        if (status == EDGEOPS_OK && !done) {
            status = sync_batch(r);
        }
    }
    return status;
}

static edgeops_status sync_targets(edgeops_store *store, const targets *list) {
    run r = {.store = store};
    if (list->count == 0) {
        return EDGEOPS_OK;
    }
    r.blobs = eop_realloc_array(NULL, BATCH, sizeof *r.blobs);
    edgeops_status status = r.blobs != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (size_t i = 0; status == EDGEOPS_OK && i < list->count; i++) {
        status = sync_target(&r, &list->items[i]);
    }
    if (status == EDGEOPS_OK) {
        status = sync_batch(&r);
    }
    eop_free(r.blobs);
    eop_free(r.covers.items);
    return status;
}

static bool has_blobs(const eop_rows *rows) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        if (vector->type == EDGEOPS_TYPE_BLOB && vector->nulls < vector->filled) {
            return true;
        }
    }
    return false;
}

edgeops_status eop_blob_sync_rows(edgeops_store *store) {
    targets list = {0};
    edgeops_status status = EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);
    store->loose_blobs = 0;
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        const eop_series *series = eop_series_at(&store->assets, i);
        bool any = false;
        for (const eop_block *block = series->blocks;
             !any && series->blobs_synced < series->all.ordinal && block != NULL;
             block = block->next) {
            any = has_blobs(&block->data);
        }
        if (any) {
            status = add_target(&list, series->asset.id, series->all.ordinal);
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK) {
        status = sync_targets(store, &list);
    }
    eop_free(list.items);
    if (status != EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        store->loose_blobs++;
        pthread_mutex_unlock(&store->lock);
    }
    return status;
}

edgeops_status eop_blob_sync_segment(edgeops_store *store, const eop_segment *segment) {
    targets list = {0};
    edgeops_status status = EDGEOPS_OK;
    for (const eop_block *block = segment->blocks; status == EDGEOPS_OK && block != NULL;
         block = block->next_in_segment) {
        if (has_blobs(&block->data)) {
            status = add_target(&list, block->asset_id, eop_block_end(block) - 1);
        }
    }
    if (status == EDGEOPS_OK) {
        status = sync_targets(store, &list);
    }
    eop_free(list.items);
    return status;
}

void eop_blob_sync_loose(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    bool due = store->loose_blobs >= EOP_BLOBS_LOOSE;
    pthread_mutex_unlock(&store->lock);
    if (due) {
        (void)eop_blob_sync_rows(store); /* who needs it tries again and reports */
    }
}
