/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, releases and settles the ballast file; see ballast.h. `wake_lock` guards its state. */
#include "store/ballast.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "journal/journal_file.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/room.h"

typedef enum state { UNKNOWN, MISSING, THERE } state;

static uint64_t size_of(const edgeops_store *store) {
    uint64_t bytes = store->options.free_floor_bytes / 8 / 4096 * 4096;
    return bytes < EOP_BALLAST_MAX ? bytes : EOP_BALLAST_MAX;
}

static void set_state(edgeops_store *store, state now) {
    pthread_mutex_lock(&store->wake_lock);
    store->ballast = now;
    pthread_mutex_unlock(&store->wake_lock);
}

static state get_state(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    state now = (state)store->ballast;
    pthread_mutex_unlock(&store->wake_lock);
    return now;
}

bool eop_ballast_missing(edgeops_store *store) {
    return size_of(store) > 0 && get_state(store) != THERE;
}

/* A file that is too small does not count. */
static bool is_there(const char *path, uint64_t bytes) {
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size >= bytes &&
           (uint64_t)st.st_blocks * 512 >= bytes;
}

void eop_ballast_keep(edgeops_store *store) {
    uint64_t bytes = size_of(store);
    uint64_t free_bytes = 0;
    state before = get_state(store);
    if (bytes == 0 || before == THERE) {
        return;
    }
    char *path = eop_path_join(store->home, "data/" EOP_BALLAST_NAME);
    if (path == NULL) {
        return;
    }
    bool there = is_there(path, bytes);
    if (!there && eop_disk_free(&free_bytes, store->home) == EDGEOPS_OK &&
        free_bytes >= store->options.free_floor_bytes + bytes) {
        (void)unlink(path);
        there = eop_segment_make(path, bytes, false) == EDGEOPS_OK;
    }
    eop_free(path);
    set_state(store, there ? THERE : MISSING);
    if (there && before == MISSING) {
        eop_store_log(store, EDGEOPS_LOG_INFO, "there is room: the ballast is made again");
    }
}

bool eop_ballast_release(edgeops_store *store) {
    if (get_state(store) == MISSING) {
        return false;
    }
    char *path = eop_path_join(store->home, "data/" EOP_BALLAST_NAME);
    bool gone = path != NULL && unlink(path) == 0;
    eop_free(path);
    if (path == NULL) {
        return false;
    }
    set_state(store, MISSING);
    if (gone) {
        eop_store_log(store, EDGEOPS_LOG_WARN,
                      "the disk is full: the ballast goes, so that what is there can be brought in "
                      "order");
    }
    return gone;
}

void eop_store_make_way(edgeops_store *store) {
    uint64_t bytes = 0;
    uint64_t files = 0;
    if (store->access.status == EDGEOPS_OK &&
        eop_disk_room(&bytes, &files, store->home) == EDGEOPS_OK &&
        (bytes < EOP_BALLAST_MAX / 2 || files < EOP_FILES_FLOOR)) {
        (void)eop_ballast_release(store);
    }
}
