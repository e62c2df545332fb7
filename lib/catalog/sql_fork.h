/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite in the child of a fork: its locks of the process are free there, whatever a thread of the
 * parent was doing when it forked. */
#ifndef EOP_CATALOG_SQL_FORK_H
#define EOP_CATALOG_SQL_FORK_H

#include <stdbool.h>
#include <sys/types.h>

#include "edgeops/status.h"

/** A file that is open alone. */
typedef struct eop_sql_file {
    bool open;
    dev_t device;
    ino_t inode;
} eop_sql_file;

/** Call it before the first database is opened. Any thread, any number of times. */
void eop_sql_watch_forks(void);
/** Before a database is opened. Notes it where it is opened alone: SQLite keeps its index of the WAL and its locks in
 * memory then, and those that a child has are of the moment of the fork.
 *  @return E_UNSUPPORTED: this is such a child; E_LIMIT: too many are open alone */
edgeops_status eop_sql_note_open(eop_sql_file *out, const char *path, bool alone);
/** After it was closed. */
void eop_sql_note_close(eop_sql_file *file);

#endif /* EOP_CATALOG_SQL_FORK_H */
