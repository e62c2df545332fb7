/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the home as of one moment: a snapshot holds databases and journal, no blob is removed
 * meanwhile, and the copying itself needs no lock. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "store/internal.h"
#include "store/snapshot.h"

enum { STEP_PAGES = 64 };

typedef struct backup {
    const char *folder;
    eop_copy_fn fn;
    void *user_data;
    eop_snapshot from;
} backup;

/* -- copying -- */

static uint64_t page_bytes(sqlite3 *db) {
    sqlite3_stmt *select = NULL;
    uint64_t bytes = 0;
    if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &select, NULL) == SQLITE_OK &&
        sqlite3_step(select) == SQLITE_ROW) {
        bytes = (uint64_t)sqlite3_column_int64(select, 0);
    }
    sqlite3_finalize(select);
    return bytes;
}

static edgeops_status copy_pages(backup *b, sqlite3 *from, eop_sql *to) {
    uint64_t bytes = page_bytes(from);
    int done = 0;
    int rc = SQLITE_OK;
    edgeops_status status = eop_sql_exec(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    if (status != EDGEOPS_OK) {
        return status;
    }
    sqlite3_backup *copy = sqlite3_backup_init(to->db, "main", from, "main");
    if (copy == NULL) {
        return eop_sql_fail(to, sqlite3_errcode(to->db));
    }
    while (status == EDGEOPS_OK && rc == SQLITE_OK) {
        rc = sqlite3_backup_step(copy, STEP_PAGES);
        int now = sqlite3_backup_pagecount(copy) - sqlite3_backup_remaining(copy);
        if (b->fn != NULL && now > done) {
            status = b->fn((uint64_t)(now - done) * bytes, b->user_data);
        }
        done = now;
    }
    int finished = sqlite3_backup_finish(copy);
    if (status == EDGEOPS_OK && (rc != SQLITE_DONE || finished != SQLITE_OK)) {
        status = eop_sql_fail(to, finished != SQLITE_OK ? finished : rc);
    }
    return status;
}

static edgeops_status sync_path(const char *path) {
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC);
    edgeops_status status = EDGEOPS_OK;
    if (fd < 0 || fsync(fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static edgeops_status copy_database(backup *b, sqlite3 *from, const char *name) {
    eop_sql to = {.path = eop_path_join(b->folder, name)};
    if (to.path == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_open(to.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        status = eop_fail_errno(errno, "store", "cannot make '%s'", to.path);
        goto out;
    }
    close(fd);
    int rc = sqlite3_open_v2(to.path, &to.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    status = rc == SQLITE_OK ? copy_pages(b, from, &to) : eop_sql_fail(&to, rc);
    sqlite3_close(to.db);
    if (status == EDGEOPS_OK) {
        status = sync_path(to.path);
    }
out:
    eop_free(to.path);
    return status;
}

static edgeops_status copy_journal(backup *b) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < b->from.pin_count; i++) {
        const eop_journal_pin *pin = &b->from.pins[i];
        char *to = eop_format("%s/data/journal/%016" PRIu64 ".seg", b->folder, pin->number);
        status = to != NULL
                     ? eop_file_copy_fd(NULL, pin->fd, pin->bytes, to, 0600, b->fn, b->user_data)
                     : eop_fail_nomem("store");
        eop_free(to);
    }
    return status;
}

typedef struct blobs {
    backup *b;
    const char *from;
    const char *to;
} blobs;

/* Blobs are named by their digest and written before anything refers to them, so those that exist
 * now are enough. A half-written file has another name. */
static edgeops_status copy_blob(const eop_tree_entry *entry, void *user_data) {
    blobs *all = user_data;
    edgeops_status status = EDGEOPS_OK;
    if (strchr(entry->path, '.') != NULL) {
        return EDGEOPS_OK;
    }
    char *from = eop_path_join(all->from, entry->path);
    char *to = eop_path_join(all->to, entry->path);
    if (from == NULL || to == NULL) {
        status = eop_fail_nomem("store");
    } else if (entry->folder) {
        status = eop_mkdirs(to, 0700);
    } else {
        status = eop_file_copy(NULL, from, to, entry->mode, all->b->fn, all->b->user_data);
        if (status == EDGEOPS_E_NOTFOUND) {
            status = EDGEOPS_OK; /* what a power cut left of it was removed a moment ago */
        }
    }
    eop_free(from);
    eop_free(to);
    return status;
}

static edgeops_status copy_blobs(backup *b) {
    blobs all = {.b = b};
    edgeops_status status = EDGEOPS_OK;
    char *from = eop_path_join(b->from.store->home, "data/blobs");
    char *to = eop_path_join(b->folder, "data/blobs");
    if (from == NULL || to == NULL) {
        status = eop_fail_nomem("store");
    } else if (eop_file_exists(from)) {
        all.from = from;
        all.to = to;
        status = eop_mkdirs(to, 0700);
        if (status == EDGEOPS_OK) {
            status = eop_tree_walk(from, copy_blob, &all);
        }
    }
    eop_free(from);
    eop_free(to);
    return status;
}

static edgeops_status copy_all(backup *b) {
    char *journal = eop_path_join(b->folder, "data/journal");
    edgeops_status status = journal != NULL ? eop_mkdirs(journal, 0700) : eop_fail_nomem("store");
    eop_free(journal);
    /* The journal first: it is the smallest part, and its files can be recycled again sooner. */
    if (status == EDGEOPS_OK) {
        status = copy_journal(b);
    }
    if (status == EDGEOPS_OK) {
        status = copy_database(b, b->from.catalog.db, "catalog.db");
    }
    if (status == EDGEOPS_OK) {
        status = copy_database(b, b->from.chunks.sql.db, "data/telemetry.db");
    }
    return status == EDGEOPS_OK ? copy_blobs(b) : status;
}

edgeops_status eop_store_backup(edgeops_store *store, const char *folder, eop_copy_fn fn,
                                void (*on_moment)(void *user_data), void *user_data) {
    EOP_REQUIRE(store != NULL && folder != NULL, "store");
    backup b = {.folder = folder, .fn = fn, .user_data = user_data};
    edgeops_status status = eop_snapshot_take(&b.from, store);
    if (status == EDGEOPS_OK && on_moment != NULL) {
        on_moment(user_data);
    }
    if (status == EDGEOPS_OK) {
        status = copy_all(&b);
    }
    eop_snapshot_release(&b.from);
    return status;
}
