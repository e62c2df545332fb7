/* SPDX-License-Identifier: Apache-2.0 */
/* The locks that all databases of a process share: SQLite has them, and no handler of pthread_atfork().
 * One that another thread holds during a fork stays locked in the child for ever, and a child that
 * opens a store of its own would hang. So each fork takes all of them and releases them on both
 * sides. They are taken in the order in which SQLite nests them; the last ones are held for a few
 * instructions only. */
#include "catalog/sql_fork.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/error.h"

/* VFS1 is held around opening and closing files, PRNG may take MAIN, LRU takes PMEM and MEM. */
static const int kinds[] = {SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_VFS1,
                            SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_MAIN,
                            SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM,
                            SQLITE_MUTEX_STATIC_MEM};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Under `note_lock`: files that this process has open alone, once for each connection, and those
 * that its parent had when it forked. */
enum { ALONE_MAX = 64 };
static pthread_mutex_t note_lock = PTHREAD_MUTEX_INITIALIZER;
static eop_sql_file mine[ALONE_MAX];
static eop_sql_file stale[ALONE_MAX];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sqlite3_mutex *locks[KINDS]; /* NULL where the host runs SQLite without threads: no lock */

static bool is_same(const eop_sql_file *a, const eop_sql_file *b) {
    return a->open && b->open && a->device == b->device && a->inode == b->inode;
}

static void take(void) {
    (void)pthread_mutex_lock(&note_lock);
    for (int i = 0; i < KINDS; i++) {
        sqlite3_mutex_enter(locks[i]);
    }
}

static void release(void) {
    for (int i = KINDS; i-- > 0;) {
        sqlite3_mutex_leave(locks[i]);
    }
    (void)pthread_mutex_unlock(&note_lock);
}

/* What was stale in the parent is so here; what it had open is stale, too. */
static void release_in_child(void) {
    int at = 0;
    for (int i = 0; i < ALONE_MAX; i++) {
        while (mine[i].open && at < ALONE_MAX && stale[at].open) {
            at++;
        }
        if (mine[i].open && at < ALONE_MAX) {
            stale[at] = mine[i];
        }
        mine[i].open = false;
    }
    release();
}

static void watch(void) {
    if (sqlite3_initialize() != SQLITE_OK) {
        return; /* opening a database says why */
    }
    for (int i = 0; i < KINDS; i++) {
        locks[i] = sqlite3_mutex_alloc(kinds[i]);
    }
    (void)pthread_atfork(take, release, release_in_child);
}

void eop_sql_watch_forks(void) {
    (void)pthread_once(&once, watch);
}

edgeops_status eop_sql_note_open(eop_sql_file *out, const char *path, bool alone) {
    struct stat st;
    edgeops_status status = EDGEOPS_OK;
    *out = (eop_sql_file){0};
    if (stat(path, &st) != 0) {
        return EDGEOPS_OK; /* opening it says why */
    }
    eop_sql_file file = {true, st.st_dev, st.st_ino};
    int at = 0;
    (void)pthread_mutex_lock(&note_lock);
    for (int i = 0; i < ALONE_MAX; i++) {
        if (is_same(&stale[i], &file)) {
            status =
                eop_fail(EDGEOPS_E_UNSUPPORTED, "store",
                         "'%s' was open on a full disk when this process was forked: open it in "
                         "a process that was started by exec()",
                         path);
        }
    }
    while (at < ALONE_MAX && mine[at].open) {
        at++;
    }
    if (status == EDGEOPS_OK && alone && at == ALONE_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store",
                          "'%s' cannot be opened: too many are open on full disks", path);
    } else if (status == EDGEOPS_OK && alone) {
        mine[at] = file;
        *out = file;
    }
    (void)pthread_mutex_unlock(&note_lock);
    return status;
}

void eop_sql_note_close(eop_sql_file *file) {
    bool noted = file->open;
    (void)pthread_mutex_lock(&note_lock);
    for (int i = 0; noted && i < ALONE_MAX; i++) {
        if (is_same(&mine[i], file)) {
            mine[i].open = false;
            noted = false;
        }
    }
    (void)pthread_mutex_unlock(&note_lock);
}
