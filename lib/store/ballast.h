/* SPDX-License-Identifier: Apache-2.0 */
/* HOME/data/ballast: disk space in reserve. On a full disk a database cannot even delete, because
 * changes go into the WAL first. So when the writer has no room, the ballast is removed, chunks are
 * written or dropped in its place, and it is made again as soon as the disk has room for it above
 * the floor. It stays when the store is closed: the disk may be full at the next opening. As a file
 * it is a free inode, too. Its size is an eighth of the floor, at most EOP_BALLAST_MAX. */
#ifndef EOP_STORE_BALLAST_H
#define EOP_STORE_BALLAST_H

#include <stdbool.h>

#include "edgeops/store.h"

#define EOP_BALLAST_MAX (8u * 1024 * 1024)
/** Name of the file in data/; it does not count as taken by the home. */
#define EOP_BALLAST_NAME "ballast"

/** The writer's thread, and the closing after it has ended: makes the ballast when it is missing
 * and there is room. */
void eop_ballast_keep(edgeops_store *store);
/** Removes the ballast. False: there was none. Any thread. */
bool eop_ballast_release(edgeops_store *store);
/** Whether it should exist but does not. Any thread. */
bool eop_ballast_missing(edgeops_store *store);

#endif /* EOP_STORE_BALLAST_H */
