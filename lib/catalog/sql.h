/* SPDX-License-Identifier: Apache-2.0 */
/* A thin layer over one SQLite connection: statements are prepared once, errors become statuses.
 * One thread at a time. */
#ifndef EOP_CATALOG_SQL_H
#define EOP_CATALOG_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "edgeops/types.h"

/** "EOPS" in the header of each database. */
#define EOP_SQL_APPLICATION 0x454f5053

#define EOP_SQL_BUSY_MS     10000

/** A prepared statement: a sqlite3_stmt. Only this room and the store know SQLite itself. */
typedef struct sqlite3_stmt eop_sql_statement;

typedef struct eop_sql {
    struct sqlite3 *db;
    char *path;
    const char *const *texts; /**< borrowed; statements by number */
    eop_sql_statement **statements;
    size_t count;
    bool full; /**< commits wait for the disk */
} eop_sql;

typedef struct eop_sql_options {
    const char *path;
    const char *const *texts; /**< borrowed for as long as it is open */
    size_t count;
    int page_size;      /**< of a new database; 0: default */
    int version;        /**< `user_version` of a new one; a newer one is refused */
    const char *schema; /**< makes a new one; NULL: it must be there */
    /** `version - 1` texts, the first one takes version 1 to 2: an older database is brought up to
     * `version` when it is opened, each step in a transaction. NULL: an older one is refused. */
    const char *const *migrations;
} eop_sql_options;

/** WAL, synchronous=NORMAL, file mode 0600. E_VERSION, E_CORRUPT, E_LIMIT (disk full), E_IO. */
edgeops_status eop_sql_open(eop_sql *sql, const eop_sql_options *options);
void eop_sql_close(eop_sql *sql);

/** Statement by number, ready to bind; text and BLOB that are bound are borrowed until it has run.
 */
edgeops_status eop_sql_get(eop_sql_statement **out, eop_sql *sql, size_t number);
/** EDGEOPS_OK: a row is there; EDGEOPS_DONE: no more, the statement is reset; else an error and
 * reset. */
edgeops_status eop_sql_next(eop_sql *sql, eop_sql_statement *statement);
/** Runs a statement that gives no row. */
edgeops_status eop_sql_run(eop_sql *sql, eop_sql_statement *statement);
edgeops_status eop_sql_exec(eop_sql *sql, const char *text);
/** Brings what was committed to the disk. */
edgeops_status eop_sql_sync(eop_sql *sql);
/** The same without copying the WAL: for what another process, which was killed, had committed. */
edgeops_status eop_sql_sync_wal(const eop_sql *sql);
/** Whether the commits from now on wait for the disk; then all earlier ones are on it, too. Not in
 * a transaction. */
edgeops_status eop_sql_set_full(eop_sql *sql, bool full);
/** BEGIN IMMEDIATE. */
edgeops_status eop_sql_begin(eop_sql *sql);
/** Commits when status is EDGEOPS_OK, else rolls back; gives what came of it and keeps the detail
 * of the first error. */
edgeops_status eop_sql_end(eop_sql *sql, edgeops_status status);
/** Whether a read failed because of what is on the disk, so that it fails again. */
bool eop_sql_unreadable(edgeops_status status);
/** Lets go of the row that a statement is on. NULL is allowed. */
void eop_sql_rewind(eop_sql_statement *statement);
/** Of the last insert. */
int64_t eop_sql_last_id(const eop_sql *sql);
/** Rows that the last statement changed. */
int64_t eop_sql_changes(const eop_sql *sql);
/** Lets go of the row that each statement is on: one that is still on a row keeps a transaction
 * from ending. */
void eop_sql_reset(eop_sql *sql);
/** The connection's last error as a status. */
edgeops_status eop_sql_fail(const eop_sql *sql, int rc);

void eop_sql_bind_int(eop_sql_statement *statement, int at, int64_t value);
/** Borrowed. NULL gives NULL. */
void eop_sql_bind_text(eop_sql_statement *statement, int at, const char *text);
void eop_sql_bind_blob(eop_sql_statement *statement, int at, const void *data, size_t size);
/** Of the row that the statement is on. */
int64_t eop_sql_int(eop_sql_statement *statement, int at);
bool eop_sql_is_null(eop_sql_statement *statement, int at);
/** Never NULL. */
const char *eop_sql_text(eop_sql_statement *statement, int at);

#endif /* EOP_CATALOG_SQL_H */
