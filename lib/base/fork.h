/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of our objects when the host forks. In the child their threads do not exist, their
 * locks may be held for ever, and epoll, journal and lock are shared with the parent: a call on such
 * an object is refused there, and closing it does nothing. Each object that has any of these takes a
 * birth; memory alone (tables, datasets, workflows) needs none. */
#ifndef EOP_BASE_FORK_H
#define EOP_BASE_FORK_H

#include <stdbool.h>

#include "base/compiler.h"
#include "edgeops/status.h"

/** Which process an object belongs to. */
typedef struct eop_birth {
    unsigned life;
    int pid;
} eop_birth;

/** How often this process and its forebears forked since the first birth: changes in the child of a
 * fork only, which has one thread then. Read it through eop_born_here(). */
extern unsigned eop_life;

void eop_birth_set(eop_birth *birth);

/** One comparison of two numbers: cheap enough for each append. Any thread, async-signal-safe. */
static inline bool eop_born_here(const eop_birth *birth) {
    return birth->life == eop_life;
}

/** The error of a call on an object of the parent.
 *
 *  @param what  the object, in a word: "store" */
edgeops_status eop_fail_forked(const eop_birth *birth, const char *subsystem, const char *what);

/** For the top of a public function, behind the look at its arguments. */
#define EOP_REQUIRE_HERE(birth, subsystem, what)                                                   \
    do {                                                                                           \
        if (EOP_UNLIKELY(!eop_born_here(birth))) {                                                 \
            return eop_fail_forked((birth), subsystem, what);                                      \
        }                                                                                          \
    } while (0)

/** Has a descriptor closed in every child that is forked from now on, because holding it there does
 * harm: the lock of a home, a socket that listens. Up to 64 at a time, further ones stay open.
 * Call eop_fork_forget() before it is closed here. Any thread. */
void eop_fork_close(int fd);
void eop_fork_forget(int fd);

#endif /* EOP_BASE_FORK_H */
