/* SPDX-License-Identifier: Apache-2.0 */
/* The layer over SQLite: opening with version and migrations, prepared statements, transactions,
 * and the one place that translates its errors into statuses. A connection belongs to one thread at
 * a time. */
#include "catalog/sql.h"

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "catalog/sql_fork.h"

/* Where a file could not be opened SQLite tried again without making it, which covers up that there
 * is no inode for it. */
static bool lacks_files(const eop_sql *sql) {
    uint64_t bytes = 0;
    uint64_t files = 0;
    return eop_disk_room(&bytes, &files, sql->path) == EDGEOPS_OK && files == 0;
}

edgeops_status eop_sql_fail(const eop_sql *sql, int rc) {
    int os_errno = sql->db != NULL ? sqlite3_system_errno(sql->db) : 0;
    if (rc == SQLITE_IOERR_NOMEM) {
        return eop_fail_nomem("store");
    }
    const char *text = sql->db != NULL ? sqlite3_errmsg(sql->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return eop_fail_nomem("store");
    case SQLITE_FULL:
        return eop_fail(EDGEOPS_E_LIMIT, "store", "the disk of '%s' is full: make room", sql->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        /* The file exists: ENOENT is left over from a search for its WAL or journal. */
        if (os_errno != 0 && os_errno != ENOENT) {
            return eop_fail_errno(os_errno, "store", "'%s': %s", sql->path, text);
        }
        if (lacks_files(sql)) {
            return eop_fail(EDGEOPS_E_LIMIT, "store",
                            "the file system of '%s' has room for no more files (df -i): remove "
                            "files",
                            sql->path);
        }
        return eop_fail(EDGEOPS_E_IO, "store", "'%s': %s", sql->path, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s': %s", sql->path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return eop_fail(EDGEOPS_E_BUSY, "store", "'%s' is held by another program", sql->path);
    case SQLITE_READONLY:
        if (sql->read_only != NULL) {
            return eop_fail_with(sql->read_only->status, "store", sql->read_only->text);
        }
        return eop_fail(EDGEOPS_E_DENIED, "store", "'%s': %s", sql->path, text);
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return eop_fail(EDGEOPS_E_DENIED, "store", "'%s': %s", sql->path, text);
    case SQLITE_CONSTRAINT:
        return eop_fail(EDGEOPS_E_EXISTS, "store", "'%s': %s", sql->path, text);
    case SQLITE_TOOBIG:
        return eop_fail(EDGEOPS_E_LIMIT, "store", "'%s': %s", sql->path, text);
    default:
        return eop_fail(EDGEOPS_E_IO, "store", "'%s': %s (%d)", sql->path, text, rc);
    }
}

bool eop_sql_unreadable(edgeops_status status) {
    return status == EDGEOPS_E_CORRUPT || status == EDGEOPS_E_VERSION || status == EDGEOPS_E_IO;
}

edgeops_status eop_sql_exec(eop_sql *sql, const char *text) {
    int rc = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? EDGEOPS_OK : eop_sql_fail(sql, rc);
}

static edgeops_status read_pragma(int *out, eop_sql *sql, const char *text) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        *out = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? EDGEOPS_OK : eop_sql_fail(sql, rc);
}

static edgeops_status make_database(eop_sql *sql, const eop_sql_options *options) {
    char marks[128];
    snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             EOP_SQL_APPLICATION, options->version);
    edgeops_status status = eop_sql_begin(sql);
    if (status == EDGEOPS_OK) {
        status = eop_sql_exec(sql, options->schema);
        if (status == EDGEOPS_OK) {
            status = eop_sql_exec(sql, marks);
        }
        status = eop_sql_end(sql, status);
    }
    return status;
}

static edgeops_status fail_lost(const char *path, const char *how) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "'%s' is %s, but its home is in use: restore the file from a backup", path,
                    how);
}

/* Checks what the file is, before anything is written to it. */
static edgeops_status check_version(int *found, eop_sql *sql, const eop_sql_options *options) {
    int version = 0;
    int application = 0;
    edgeops_status status = read_pragma(&version, sql, "PRAGMA user_version");
    if (status == EDGEOPS_OK) {
        status = read_pragma(&application, sql, "PRAGMA application_id");
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if ((version != 0 || application != 0) && application != EOP_SQL_APPLICATION) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' is not a database of edgeops", sql->path);
    }
    if (version > options->version) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "'%s' has version %d, this program knows up to %d: use a newer edgeops",
                        sql->path, version, options->version);
    }
    if (version == 0 && options->schema == NULL) {
        return fail_lost(sql->path, "empty");
    }
    if (version != 0 && version < options->version && options->migrations == NULL) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "'%s' has version %d, not %d: open its home first", sql->path, version,
                        options->version);
    }
    *found = version;
    return EDGEOPS_OK;
}

/* Each step is a transaction: after a kill the file is at the step before. */
static edgeops_status migrate_database(eop_sql *sql, const eop_sql_options *options, int version) {
    char mark[64];
    edgeops_status status = EDGEOPS_OK;
    for (; status == EDGEOPS_OK && version < options->version; version++) {
        status = eop_sql_begin(sql);
        if (status == EDGEOPS_OK) {
            status = eop_sql_exec(sql, options->migrations[version - 1]);
            if (status == EDGEOPS_OK) {
                snprintf(mark, sizeof mark, "PRAGMA user_version=%d", version + 1);
                status = eop_sql_exec(sql, mark);
            }
            status = eop_sql_end(sql, status);
        }
    }
    return status;
}

static edgeops_status set_up(eop_sql *sql, const eop_sql_options *options) {
    char text[256];
    sqlite3_busy_timeout(sql->db, EOP_SQL_BUSY_MS);
    sqlite3_extended_result_codes(sql->db, 1);
    int version = 0;
    edgeops_status status = check_version(&version, sql, options);
    if (status != EDGEOPS_OK) {
        /* Without this, closing would write to the file. */
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return status;
    }
    if (version == 0 && options->page_size > 0) {
        snprintf(text, sizeof text, "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL;",
                 options->page_size);
        status = eop_sql_exec(sql, text);
    }
    if (status == EDGEOPS_OK) {
        /* Some distributions turn secure_delete on, which writes all that is deleted once more, as
         * zeros. */
        status = eop_sql_exec(
            sql, "PRAGMA journal_mode=WAL; PRAGMA secure_delete=OFF; PRAGMA synchronous=NORMAL;"
                 "PRAGMA journal_size_limit=4194304; PRAGMA temp_store=MEMORY;"
                 "PRAGMA foreign_keys=ON; PRAGMA cache_size=-256;");
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    int keep = 1;
    (void)sqlite3_file_control(sql->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
    return version == 0 ? make_database(sql, options) : migrate_database(sql, options, version);
}

/* Makes an empty file when it is missing and may be made. */
static edgeops_status find_file(const char *path, const eop_sql_options *options) {
    struct stat st;
    if (options->schema == NULL) {
        if (stat(path, &st) != 0) {
            return errno == ENOENT ? fail_lost(path, "missing")
                                   : eop_fail_errno(errno, "store", "cannot open '%s'", path);
        }
        /* An empty file means loss, and SQLite would remove its WAL. */
        return st.st_size > 0 ? EDGEOPS_OK : fail_lost(path, "empty");
    }
    /* Sets the mode, which SQLite also gives the -wal and -shm files. O_EXCL: closing another
     * descriptor of an open file would drop SQLite's locks on it. */
    int fd = eop_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return eop_fail_errno(errno, "store", "cannot make '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return EDGEOPS_OK;
}

/* The path as a URI that promises SQLite that nobody changes the file. */
static char *immutable_uri(const char *path) {
    eop_buf uri = {0};
    eop_buf_puts(&uri, "file:");
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr("?#%", *p) != NULL) {
            eop_buf_printf(&uri, "%%%02x", (unsigned)(unsigned char)*p);
        } else {
            eop_buf_put(&uri, p, 1);
        }
    }
    eop_buf_puts(&uri, "?immutable=1");
    eop_buf_put(&uri, "", 1);
    if (uri.failed) {
        eop_buf_dispose(&uri);
        return NULL;
    }
    return uri.data;
}

/* SQLite wants to write a -shm file to read a WAL. A connection that has the file for itself keeps that index in its
 * memory instead; as nobody writes, any number of them may have it "for themselves": without locks. */
static edgeops_status open_read_only(eop_sql *sql, const eop_sql_options *options) {
    char *wal = eop_format("%s-wal", sql->path);
    char *uri = immutable_uri(sql->path);
    struct stat st;
    int version = 0;
    edgeops_status status = EDGEOPS_OK;
    if (wal == NULL || uri == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    if (stat(sql->path, &st) != 0) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "store", "'%s' is missing, and %s", sql->path,
                          options->access->text);
        goto out;
    }
    bool has_wal = stat(wal, &st) == 0 && st.st_size > 0;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (has_wal ? 0 : SQLITE_OPEN_URI);
    int rc =
        sqlite3_open_v2(has_wal ? sql->path : uri, &sql->db, flags, has_wal ? "unix-none" : NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(sql->db, 1);
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    status = rc == SQLITE_OK
                 ? eop_sql_exec(sql, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
                                     "PRAGMA cache_size=-256;")
                 : eop_sql_fail(sql, rc);
    if (status == EDGEOPS_OK) {
        status = check_version(&version, sql, options);
    }
    if (status == EDGEOPS_OK && version < options->version) {
        status =
            eop_fail(EDGEOPS_E_VERSION, "store", "'%s' has version %d and must become %d, but %s",
                     sql->path, version, options->version, options->access->text);
    }
out:
    eop_free(wal);
    eop_free(uri);
    return status;
}

edgeops_status eop_sql_open(eop_sql *sql, const eop_sql_options *options) {
    bool read_only = options->access != NULL && options->access->status != EDGEOPS_OK;
    *sql = (eop_sql){.texts = options->texts,
                     .count = options->count,
                     .read_only = read_only ? options->access : NULL};
    edgeops_status status = EDGEOPS_OK;
    sql->path = eop_strdup(options->path);
    sql->statements = eop_calloc(options->count, sizeof(sqlite3_stmt *));
    if (sql->path == NULL || sql->statements == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    eop_sql_watch_forks();
    status = read_only ? open_read_only(sql, options) : find_file(sql->path, options);
    if (status != EDGEOPS_OK || read_only) {
        goto out;
    }
    bool alone = options->access != NULL && options->access->alone;
    status = eop_sql_note_open(&sql->alone, sql->path, alone);
    if (status != EDGEOPS_OK) {
        goto out;
    }
    int rc = sqlite3_open_v2(sql->path, &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                             alone ? "unix-excl" : NULL);
    status = rc == SQLITE_OK ? set_up(sql, options) : eop_sql_fail(sql, rc);
out:
    if (status != EDGEOPS_OK) {
        eop_sql_close(sql);
    }
    return status;
}

void eop_sql_close(eop_sql *sql) {
    for (size_t i = 0; sql->statements != NULL && i < sql->count; i++) {
        sqlite3_finalize(sql->statements[i]);
    }
    sqlite3_close(sql->db);
    eop_sql_note_close(&sql->alone);
    eop_free(sql->statements);
    eop_free(sql->path);
    *sql = (eop_sql){0};
}

/* 4 x 4,096 pages of a WAL. */
enum { INDEX_BYTES = 4 * 32768 };

int eop_sql_reserve_index(const char *path) {
    char *index = eop_format("%s-shm", path);
    int fd = index != NULL ? eop_open(index, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fallocate(fd, 0, 0, INDEX_BYTES); /* not every file system can */
    }
    eop_free(index);
    return fd;
}

void eop_sql_drop_index(int fd, const char *path) {
    char *index = fd >= 0 ? eop_format("%s-shm", path) : NULL;
    if (index != NULL) {
        (void)unlink(index);
        eop_free(index);
    }
    if (fd >= 0) {
        close(fd);
    }
}

edgeops_status eop_sql_get(sqlite3_stmt **out, eop_sql *sql, size_t number) {
    sqlite3_stmt *statement = sql->statements[number];
    if (EOP_UNLIKELY(statement == NULL)) {
        int rc = sqlite3_prepare_v3(sql->db, sql->texts[number], -1, SQLITE_PREPARE_PERSISTENT,
                                    &statement, NULL);
        if (rc != SQLITE_OK) {
            return eop_sql_fail(sql, rc);
        }
        sql->statements[number] = statement;
    } else {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
    *out = statement;
    return EDGEOPS_OK;
}

edgeops_status eop_sql_next(eop_sql *sql, sqlite3_stmt *statement) {
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        return EDGEOPS_OK;
    }
    edgeops_status status = rc == SQLITE_DONE ? EDGEOPS_DONE : eop_sql_fail(sql, rc);
    sqlite3_reset(statement);
    return status;
}

edgeops_status eop_sql_run(eop_sql *sql, sqlite3_stmt *statement) {
    edgeops_status status = eop_sql_next(sql, statement);
    if (status == EDGEOPS_OK) {
        sqlite3_reset(statement);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_sql_sync(eop_sql *sql) {
    if (sql->read_only != NULL) {
        return EDGEOPS_OK;
    }
    int rc = sqlite3_wal_checkpoint_v2(sql->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? EDGEOPS_OK : eop_sql_fail(sql, rc);
}

edgeops_status eop_sql_sync_wal(const eop_sql *sql) {
    if (sql->read_only != NULL) {
        return EDGEOPS_OK;
    }
    char *path = eop_format("%s-wal", sql->path);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    /* SQLite's locks are on other files: closing this one drops none. */
    int fd = eop_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 ? errno != ENOENT : fdatasync(fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    return status;
}

edgeops_status eop_sql_set_full(eop_sql *sql, bool full) {
    if (sql->full == full || sql->read_only != NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status =
        eop_sql_exec(sql, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (status == EDGEOPS_OK) {
        sql->full = full;
    }
    return status;
}

edgeops_status eop_sql_begin(eop_sql *sql) {
    if (sql->read_only != NULL) {
        return eop_fail_with(sql->read_only->status, "store", sql->read_only->text);
    }
    return eop_sql_exec(sql, "BEGIN IMMEDIATE");
}

void eop_sql_reset(eop_sql *sql) {
    for (size_t i = 0; i < sql->count; i++) {
        if (sql->statements[i] != NULL) {
            sqlite3_reset(sql->statements[i]);
        }
    }
}

edgeops_status eop_sql_end(eop_sql *sql, edgeops_status status) {
    if (status == EDGEOPS_OK) {
        status = eop_sql_exec(sql, "COMMIT");
    }
    if (status != EDGEOPS_OK) {
        eop_sql_reset(sql);
        if (!sqlite3_get_autocommit(sql->db)) {
            sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    return status;
}

void eop_sql_bind_int(sqlite3_stmt *statement, int at, int64_t value) {
    sqlite3_bind_int64(statement, at, value);
}

void eop_sql_bind_text(sqlite3_stmt *statement, int at, const char *text) {
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

void eop_sql_bind_blob(sqlite3_stmt *statement, int at, const void *data, size_t size) {
    sqlite3_bind_blob64(statement, at, size > 0 ? data : "", size, SQLITE_STATIC);
}

int64_t eop_sql_int(sqlite3_stmt *statement, int at) {
    return sqlite3_column_int64(statement, at);
}

bool eop_sql_is_null(sqlite3_stmt *statement, int at) {
    return sqlite3_column_type(statement, at) == SQLITE_NULL;
}

void eop_sql_rewind(sqlite3_stmt *statement) {
    sqlite3_reset(statement);
}

int64_t eop_sql_last_id(const eop_sql *sql) {
    return sqlite3_last_insert_rowid(sql->db);
}

int64_t eop_sql_changes(const eop_sql *sql) {
    return sqlite3_changes(sql->db);
}

const char *eop_sql_text(sqlite3_stmt *statement, int at) {
    const unsigned char *text = sqlite3_column_text(statement, at);
    return text != NULL ? (const char *)text : "";
}
