/* SPDX-License-Identifier: Apache-2.0 */
/* HOME/data/ballast: room kept for the worst. A database on a disk without a byte left cannot even
 * delete: what it changes goes into the WAL first. So when the writer has no room the ballast goes,
 * chunks are written or dropped in its place, and it is made again as soon as the disk has room for
 * it beside the floor. It has an eighth of the floor, at most EOP_BALLAST_MAX. */
#ifndef EOP_STORE_BALLAST_H
#define EOP_STORE_BALLAST_H

#include <stdbool.h>

#include "edgeops/store.h"

#define EOP_BALLAST_MAX (8u * 1024 * 1024)
/** Name of the file in data/; it does not count as taken by the home. */
#define EOP_BALLAST_NAME "ballast"

/** The writer's thread: makes it where it is not there and there is room for it. */
void eop_ballast_keep(edgeops_store *store);
/** The writer's thread: gives it up. False: there was none. */
bool eop_ballast_release(edgeops_store *store);
/** Before the closing, when the writer's thread is gone: gives it back where the disk has plenty of
 * room, four times the floor. On a disk that is nearly full it stays for the next start. */
void eop_ballast_settle(edgeops_store *store);
/** Whether it should be there and is not. Any thread. */
bool eop_ballast_missing(edgeops_store *store);

#endif /* EOP_STORE_BALLAST_H */
