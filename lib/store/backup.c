/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the home as of one moment: a snapshot holds databases and journal, no blob is removed
 * meanwhile, and the copying itself needs no lock. Copies of the journal are read again: what they
 * lack the memory still has, and it becomes chunks before all is copied once more. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "journal/journal_file.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/queue.h"
#include "store/snapshot.h"

enum { STEP_PAGES = 64 };

typedef struct backup {
    const char *folder;
    eop_copy_fn fn;
    void (*on_moment)(void *user_data);
    void *user_data;
    eop_snapshot from;
    bool damaged; /**< a segment of the journal is damaged or missing; the error names it */
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

static edgeops_status pass_frame(uint64_t segment, const char *payload, size_t size,
                                 void *user_data) {
    (void)segment;
    (void)payload;
    (void)size;
    (void)user_data;
    return EDGEOPS_OK;
}

/* The first place of a copy that the opening did not know; false: there is none. */
static bool find_place(eop_place *out, const eop_journal *journal, const eop_journal_pin *pin,
                       const eop_walked *walked) {
    *out = (eop_place){.kind = EOP_PLACE_FRAMES, .segment = pin->number};
    for (size_t i = 0; i < walked->gap_count; i++) {
        out->offset = walked->gaps[i].from;
        out->bytes = walked->gaps[i].to - out->offset;
        if (!eop_journal_knows(journal, out)) {
            return true;
        }
    }
    out->offset = walked->end;
    out->bytes = pin->end > walked->end ? pin->end - walked->end : 0;
    return out->bytes > 0;
}

/* Reads a copy as the next opening will. what: the segment, for messages. */
static edgeops_status check_copy(backup *b, const eop_journal_pin *pin, const char *copy,
                                 const char *what) {
    char text[EOP_PLACE_TEXT];
    eop_segment_header header = {0};
    eop_walked walked = {0};
    eop_place place;
    int fd = eop_open(copy, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return eop_fail_errno(errno, "store", "cannot read '%s'", copy);
    }
    edgeops_status status = eop_segment_check(&header, fd, what);
    b->damaged = status == EDGEOPS_E_CORRUPT || status == EDGEOPS_E_NOTFOUND;
    if (status == EDGEOPS_OK) {
        /* What is behind its last frame means nothing. */
        header.bytes = pin->end > 0 && pin->end < header.bytes ? pin->end : header.bytes;
        status = eop_segment_walk(&walked, fd, what, &header, pass_frame, NULL);
    }
    if (status == EDGEOPS_OK && find_place(&place, b->from.store->journal, pin, &walked)) {
        b->damaged = true;
        eop_store_place_text(text, &place);
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' %s", what, text);
    }
    eop_walked_dispose(&walked);
    close(fd);
    return status;
}

static edgeops_status copy_segment(backup *b, const eop_journal_pin *pin) {
    char *to = eop_format("%s/data/journal/" EOP_SEGMENT_NAME, b->folder, pin->number);
    char *from = eop_format("%s/data/journal/" EOP_SEGMENT_NAME, b->from.store->home, pin->number);
    edgeops_status status =
        to != NULL && from != NULL
            ? eop_file_copy_fd(NULL, pin->fd, pin->bytes, to, 0600, b->fn, b->user_data)
            : eop_fail_nomem("store");
    if (status == EDGEOPS_OK) {
        status = check_copy(b, pin, to, from);
    }
    eop_free(from);
    eop_free(to);
    return status;
}

/* Chooses the moment and copies the journal: it is the smallest part, and its files can be recycled
 * again sooner. */
static edgeops_status copy_journal(backup *b, edgeops_store *store, const char *folder) {
    edgeops_status status = eop_snapshot_take(&b->from, store);
    b->damaged = status == EDGEOPS_E_NOTFOUND;
    if (status == EDGEOPS_OK && b->on_moment != NULL) {
        b->on_moment(b->user_data);
    }
    if (status == EDGEOPS_OK) {
        status = eop_mkdirs(folder, 0700);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < b->from.pin_count; i++) {
        status = copy_segment(b, &b->from.pins[i]);
    }
    return status;
}

/* Leaves the segments so far, also an active one without rows, which would take the next ones. */
static edgeops_status leave_journal(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    uint64_t active = eop_journal_active(store->journal);
    pthread_mutex_unlock(&store->lock);
    edgeops_status status = eop_store_flush(store);
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    bool stays = active != 0 && eop_journal_active(store->journal) == active;
    status = stays ? eop_store_rotate(store, 0) : EDGEOPS_OK;
    pthread_mutex_unlock(&store->lock);
    return stays && status == EDGEOPS_OK ? eop_store_flush(store) : status;
}

/* What was appended to a segment that went bad is still in memory: it is copied as chunks. */
static edgeops_status copy_sound_journal(backup *b, edgeops_store *store) {
    char *folder = eop_path_join(b->folder, "data/journal");
    edgeops_status status =
        folder != NULL ? copy_journal(b, store, folder) : eop_fail_nomem("store");
    if (b->damaged) {
        b->damaged = false;
        eop_snapshot_release(&b->from);
        eop_store_log(store, EDGEOPS_LOG_WARN,
                      "%s: what the memory has of it becomes chunks, for the backup",
                      edgeops_error_last()->message);
        (void)leave_journal(store); /* else the next copy is as bad */
        status = eop_remove_tree(folder);
        if (status == EDGEOPS_OK) {
            status = copy_journal(b, store, folder);
        }
    }
    if (b->damaged) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store",
                          "%s: let the node run, and see what 'doctor --deep' says",
                          edgeops_error_last()->message);
    }
    eop_free(folder);
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

static edgeops_status copy_all(backup *b, edgeops_store *store) {
    edgeops_status status = copy_sound_journal(b, store);
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
    backup b = {.folder = folder,
                .fn = fn,
                .on_moment = on_moment,
                .user_data = user_data,
                .from = {.store = store}};
    edgeops_status status = copy_all(&b, store);
    eop_snapshot_release(&b.from);
    return status;
}
