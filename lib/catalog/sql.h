/* SPDX-License-Identifier: Apache-2.0 */
/* A thin layer over one SQLite connection: statements are prepared once, errors become statuses.
 * One thread at a time. */
#ifndef EOP_CATALOG_SQL_H
#define EOP_CATALOG_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/sql_fork.h"
#include "edgeops/types.h"

/** "EOPS" in the header of each database. */
#define EOP_SQL_APPLICATION 0x454f5053

#define EOP_SQL_BUSY_MS     10000

/** How the databases of a home are opened. All connections of a process to one file say the same. */
typedef struct eop_access {
    edgeops_status
        status;     /**< EDGEOPS_OK: it can be changed; else only read, and a change fails so */
    char text[512]; /**< with this text, which says what to do */
    /** The index of the WAL is in this process's memory and not in a file that is mapped: a page of that file for which
     * the disk has no block ends the process (SIGBUS). Other programs are locked out. */
    bool alone;
} eop_access;

/** A prepared statement: a sqlite3_stmt. Only this room and the store include sqlite3.h. */
typedef struct sqlite3_stmt eop_sql_statement;

typedef struct eop_sql {
    struct sqlite3 *db;
    char *path;
    const char *const *texts; /**< the statements by number; borrowed */
    eop_sql_statement **statements;
    size_t count;
    bool full;                   /**< commits wait for the disk */
    const eop_access *read_only; /**< NULL: it can be changed */
    eop_sql_file alone;          /**< opened alone: for the child of a fork */
} eop_sql;

typedef struct eop_sql_options {
    const char *path;
    const char *const *texts; /**< borrowed while the database is open */
    size_t count;
    int page_size;      /**< of a new database; 0: SQLite's default */
    int version;        /**< `user_version` to write; a newer one is refused */
    const char *schema; /**< makes a new database; NULL: it must exist */
    /** `version - 1` texts; the first takes version 1 to 2. Opening brings an older database up to
     * `version`, each step in a transaction. NULL: an older one is refused. */
    const char *const *migrations;
    /** NULL: for changes, as usual. With a status nothing is written, not even a file beside it, and the caller sees to
     * it that no other process writes meanwhile. Borrowed while the database is open. */
    const eop_access *access;
} eop_sql_options;

/** Opens with WAL, synchronous=NORMAL and file mode 0600. The file -wal stays when it is closed: on a disk without a
 * free inode it could not be made. E_UNSUPPORTED: in the child of a fork, where the parent had the file open `alone`. E_VERSION, E_CORRUPT, E_LIMIT (disk full), E_IO. */
edgeops_status eop_sql_open(eop_sql *sql, const eop_sql_options *options);
void eop_sql_close(eop_sql *sql);
/** Gives the index of the WAL, a file that SQLite maps, blocks of the disk for all that it will need: later there may be
 * none. Call it after the first connection was opened. @return a descriptor, -1 if there is none; give it to
 * eop_sql_drop_index() after the last connection was closed, not before, or SQLite's locks were lost */
int eop_sql_reserve_index(const char *path);
/** Removes the index, which the next opening makes anew. -1 is allowed. */
void eop_sql_drop_index(int fd, const char *path);

/** A statement by number, ready to bind; bound texts and BLOBs are borrowed until it has run. */
edgeops_status eop_sql_get(eop_sql_statement **out, eop_sql *sql, size_t number);
/** EDGEOPS_OK: there is a row. EDGEOPS_DONE: there are no more. The statement is reset after all
 * but OK. */
edgeops_status eop_sql_next(eop_sql *sql, eop_sql_statement *statement);
/** Runs a statement that returns no rows. */
edgeops_status eop_sql_run(eop_sql *sql, eop_sql_statement *statement);
edgeops_status eop_sql_exec(eop_sql *sql, const char *text);
/** Syncs what was committed. */
edgeops_status eop_sql_sync(eop_sql *sql);
/** Syncs the WAL without copying it: for commits of another process that was killed. */
edgeops_status eop_sql_sync_wal(const eop_sql *sql);
/** Sets whether commits wait for the disk from now on; with true, all earlier ones are on the disk
 * as well afterwards. Not in a transaction. */
edgeops_status eop_sql_set_full(eop_sql *sql, bool full);
/** BEGIN IMMEDIATE. */
edgeops_status eop_sql_begin(eop_sql *sql);
/** Commits when status is EDGEOPS_OK, else rolls back. Returns the first error and keeps its
 * message. */
edgeops_status eop_sql_end(eop_sql *sql, edgeops_status status);
/** Whether a read failed because of the content of the disk, so that it would fail again. */
bool eop_sql_unreadable(edgeops_status status);
/** Resets a statement that may be on a row. NULL is allowed. */
void eop_sql_rewind(eop_sql_statement *statement);
/** The id of the last insert. */
int64_t eop_sql_last_id(const eop_sql *sql);
/** Number of rows that the last statement changed. */
int64_t eop_sql_changes(const eop_sql *sql);
/** Resets all statements: one that is still on a row keeps a transaction from ending. */
void eop_sql_reset(eop_sql *sql);
/** The connection's last error as a status. */
edgeops_status eop_sql_fail(const eop_sql *sql, int rc);

void eop_sql_bind_int(eop_sql_statement *statement, int at, int64_t value);
/** text: borrowed; NULL binds NULL. */
void eop_sql_bind_text(eop_sql_statement *statement, int at, const char *text);
void eop_sql_bind_blob(eop_sql_statement *statement, int at, const void *data, size_t size);
/** Columns of the current row. */
int64_t eop_sql_int(eop_sql_statement *statement, int at);
bool eop_sql_is_null(eop_sql_statement *statement, int at);
/** Never NULL. */
const char *eop_sql_text(eop_sql_statement *statement, int at);

#endif /* EOP_CATALOG_SQL_H */
