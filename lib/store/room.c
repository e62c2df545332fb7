/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether there is room for more samples, and adds up what the store takes of the disk.
 * Takes `lock` and the catalog's lock for single figures only. */
#include "store/room.h"

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/ballast.h"
#include "store/home.h"
#include "store/internal.h"
#include "store/queue.h"

enum { MIB = 1024 * 1024 };

edgeops_status eop_store_ready(edgeops_store *store) {
    EOP_REQUIRE(store != NULL, "store");
    uint64_t free_bytes = 0;
    uint64_t free_files = 0;
    edgeops_status status = eop_store_check_writable(store);
    if (status == EDGEOPS_OK) {
        status = eop_disk_room(&free_bytes, &free_files, store->home);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (free_files < EOP_FILES_FLOOR) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "the file system of '%s' has room for %llu more files (df -i) and %u must "
                        "stay free: remove files",
                        store->home, (unsigned long long)free_files, EOP_FILES_FLOOR);
    }
    if (free_bytes < store->options.free_floor_bytes) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "the disk of '%s' has %llu MiB free and %llu MiB must stay free: make room",
                        store->home, (unsigned long long)(free_bytes / MIB),
                        (unsigned long long)(store->options.free_floor_bytes / MIB));
    }
    status = eop_store_make_spare(store);
    pthread_mutex_lock(&store->lock);
    bool failing = store->writes_tried.status != EDGEOPS_OK;
    if (status == EDGEOPS_OK && failing && store->sealed_count >= EOP_SEALED_FAIR) {
        status = eop_fail_with(EDGEOPS_E_LIMIT, "store", store->writes_tried.message);
    }
    pthread_mutex_unlock(&store->lock);
    if (failing || eop_ballast_missing(store)) {
        eop_writer_wake(store);
    }
    return status;
}

static uint64_t file_bytes(const char *folder, const char *name) {
    struct stat st;
    uint64_t bytes = 0;
    char *path = eop_path_join(folder, name);
    if (path != NULL && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        bytes = (uint64_t)st.st_blocks * 512;
    }
    eop_free(path);
    return bytes;
}

typedef struct folder_sum {
    const char *folder;
    uint64_t bytes;
} folder_sum;

static edgeops_status add_file(const char *name, void *user_data) {
    folder_sum *sum = user_data;
    if (strcmp(name, EOP_BALLAST_NAME) != 0) {
        sum->bytes += file_bytes(sum->folder, name);
    }
    return EDGEOPS_OK;
}

static edgeops_status disk_bytes(uint64_t *out, edgeops_store *store) {
    static const char *const folders[] = {"", "data", "data/journal"};
    uint64_t total = 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(folders); i++) {
        char *folder = eop_path_join(store->home, folders[i]);
        if (folder == NULL) {
            return eop_fail_nomem("store");
        }
        folder_sum sum = {.folder = folder};
        status = eop_dir_walk(folder, add_file, &sum);
        total += sum.bytes;
        eop_free(folder);
    }
    *out = total;
    return status;
}

edgeops_status eop_store_get_stats(edgeops_store *store, eop_store_stats *stats) {
    EOP_REQUIRE(store != NULL && stats != NULL, "store");
    eop_store_stats out = {.floor_bytes = store->options.free_floor_bytes};
    edgeops_status status = disk_bytes(&out.disk_bytes, store);
    if (status == EDGEOPS_OK) {
        status = eop_disk_free(&out.free_bytes, store->home);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    out.assets = store->assets.count;
    for (size_t i = 0; i < store->assets.count; i++) {
        out.samples += eop_series_at(&store->assets, i)->all.rows;
    }
    out.journal_bytes = eop_journal_used(store->journal);
    for (const eop_segment *segment = store->sealed; segment != NULL; segment = segment->next) {
        out.journal_bytes += segment->bytes;
    }
    out.damaged = eop_journal_damaged(store->journal);
    out.torn = eop_journal_torn(store->journal);
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_lock(&store->wake_lock);
    out.damaged += store->damaged_count;
    pthread_mutex_unlock(&store->wake_lock);
    *stats = out;
    return EDGEOPS_OK;
}
