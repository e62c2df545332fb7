/* SPDX-License-Identifier: Apache-2.0 */
/* The locks that all databases of a process share: SQLite has them, and no handler of pthread_atfork().
 * One that another thread holds during a fork stays locked in the child for ever, and a child that
 * opens a store of its own would hang. So each fork takes all of them and releases them on both
 * sides. They are taken in the order in which SQLite nests them; the last ones are held for a few
 * instructions only. */
#include "catalog/sql_fork.h"

#include <pthread.h>
#include <sqlite3.h>

/* VFS1 is held around opening and closing files, PRNG may take MAIN, LRU takes PMEM and MEM. */
static const int kinds[] = {SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_VFS1,
                            SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_MAIN,
                            SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM,
                            SQLITE_MUTEX_STATIC_MEM};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sqlite3_mutex *locks[KINDS]; /* NULL where the host runs SQLite without threads: no lock */

static void take(void) {
    for (int i = 0; i < KINDS; i++) {
        sqlite3_mutex_enter(locks[i]);
    }
}

static void release(void) {
    for (int i = KINDS; i-- > 0;) {
        sqlite3_mutex_leave(locks[i]);
    }
}

static void watch(void) {
    if (sqlite3_initialize() != SQLITE_OK) {
        return; /* opening a database says why */
    }
    for (int i = 0; i < KINDS; i++) {
        locks[i] = sqlite3_mutex_alloc(kinds[i]);
    }
    (void)pthread_atfork(take, release, release);
}

void eop_sql_watch_forks(void) {
    (void)pthread_once(&once, watch);
}
