/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make a home, and the order in which they are made. A lost file must not be taken for
 * one that was not made yet, or a home in use would silently begin anew.
 *
 *   1  catalog.db, then its meta 'home', a number of its own; synced before the next step
 *   2  data/telemetry.db, then its meta 'home', the same number; synced as well
 *   3  meta 'complete' of catalog.db: from now on both files must exist
 *   4  the files in data/journal and models */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time.h"
#include "store/home.h"
#include "store/internal.h"

static edgeops_status note_entry(const char *name, void *user_data) {
    (void)name;
    *(bool *)user_data = true;
    return EDGEOPS_OK;
}

void eop_home_look(eop_access *out, const char *home) {
    static const char *const parts[] = {"",
                                        "lock",
                                        "catalog.db",
                                        "catalog.db-wal",
                                        "data",
                                        "data/telemetry.db",
                                        "data/telemetry.db-wal",
                                        "data/journal"};
    *out = (eop_access){.status = EDGEOPS_OK};
    for (size_t i = 0; out->status == EDGEOPS_OK && i < EOP_COUNT(parts); i++) {
        char *path = parts[i][0] != '\0' ? eop_path_join(home, parts[i]) : eop_strdup(home);
        int error = path != NULL && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 ? errno : 0;
        if (error == EROFS) {
            *out = (eop_access){.status = EDGEOPS_E_DENIED};
            (void)snprintf(
                out->text, sizeof out->text,
                "home '%.200s' is on a read-only file system: it can be read; mount it with "
                "write access to change it",
                home);
        } else if (error == EACCES) {
            *out = (eop_access){.status = EDGEOPS_E_DENIED};
            (void)snprintf(
                out->text, sizeof out->text,
                "this user may not write to '%.200s': the home can be read; change it as "
                "its owner, or with write permission",
                path);
        }
        eop_free(path);
    }
}

edgeops_status eop_home_in_use(bool *out, const char *home) {
    static const char *const folders[] = {"data/journal", "models"};
    struct stat st;
    bool used = false;
    edgeops_status status = EDGEOPS_OK;
    char *path = eop_path_join(home, "data/telemetry.db");
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    used = stat(path, &st) == 0 && st.st_size > 0;
    eop_free(path);
    for (size_t i = 0; status == EDGEOPS_OK && !used && i < EOP_COUNT(folders); i++) {
        path = eop_path_join(home, folders[i]);
        if (path == NULL) {
            return eop_fail_nomem("store");
        }
        if (eop_file_exists(path)) {
            status = eop_dir_walk(path, note_entry, &used);
        }
        eop_free(path);
    }
    if (status == EDGEOPS_OK) {
        *out = used;
    }
    return status;
}

/* Not secret, but different from that of any other home. */
static int64_t new_number(const edgeops_store *store) {
    uint64_t seed[4] = {(uint64_t)(uintptr_t)store, (uint64_t)eop_now(), (uint64_t)eop_monotonic(),
                        (uint64_t)getpid()};
    return (int64_t)(eop_hash64(seed, sizeof seed) >> 1) | 1;
}

static edgeops_status sync_file(eop_sql *sql, const edgeops_store *store, const char *folder) {
    edgeops_status status = eop_sql_sync(sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    char *path = eop_path_join(store->home, folder);
    status = path != NULL ? eop_dir_sync(path) : eop_fail_nomem("store");
    eop_free(path);
    return status;
}

/* Reads the number of the home; a catalog without one gets one. */
static edgeops_status get_number(int64_t *number, edgeops_store *store) {
    edgeops_status status = eop_catalog_meta(number, &store->catalog, "home");
    if (status != EDGEOPS_OK || *number != 0) {
        return status;
    }
    *number = new_number(store);
    return eop_catalog_set_meta(&store->catalog, "home", *number);
}

/* Checks that both databases are of one home; gives the second its number while the home is
 * incomplete. */
static edgeops_status join_databases(edgeops_store *store, int64_t number, bool complete) {
    int64_t found = 0;
    edgeops_status status = eop_telemetry_home(&found, &store->writer);
    if (status == EDGEOPS_OK && found == 0 && !complete) {
        status = eop_telemetry_set_home(&store->writer, number);
    } else if (status == EDGEOPS_OK && found != number) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store",
                          "'%s' and '%s' are of different homes: restore both from one backup",
                          store->catalog.sql.path, store->telemetry_path);
    }
    return status;
}

edgeops_status eop_home_open_telemetry(edgeops_store *store) {
    int64_t number = 0;
    int64_t complete = 0;
    edgeops_status status = eop_catalog_meta(&complete, &store->catalog, "complete");
    if (status == EDGEOPS_OK) {
        status = get_number(&number, store);
    }
    if (status == EDGEOPS_OK && complete == 0) {
        status = sync_file(&store->catalog.sql, store, "");
    }
    if (status == EDGEOPS_OK) {
        /* A home with assets is complete, even if it is older than the mark 'complete'. */
        bool make = complete == 0 && store->assets.next_id == 1;
        status = eop_telemetry_open(&store->writer, store->telemetry_path, make, &store->access);
    }
    if (status == EDGEOPS_OK) {
        status = join_databases(store, number, complete != 0);
    }
    if (status == EDGEOPS_OK && complete == 0) {
        status = sync_file(&store->writer.sql, store, "data");
        if (status == EDGEOPS_OK) {
            status = eop_catalog_set_meta(&store->catalog, "complete", 1);
        }
    }
    return status;
}

edgeops_status eop_store_check_writable(const edgeops_store *store) {
    const eop_access *why = &store->access;
    return why->status == EDGEOPS_OK ? EDGEOPS_OK : eop_fail_with(why->status, "store", why->text);
}
