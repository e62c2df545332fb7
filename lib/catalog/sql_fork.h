/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite in the child of a fork: its locks of the process are free there, whatever a thread of the
 * parent was doing when it forked. */
#ifndef EOP_CATALOG_SQL_FORK_H
#define EOP_CATALOG_SQL_FORK_H

/** Call it before the first database is opened. Any thread, any number of times. */
void eop_sql_watch_forks(void);

#endif /* EOP_CATALOG_SQL_FORK_H */
