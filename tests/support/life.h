/* SPDX-License-Identifier: Apache-2.0 */
/* The hard life of a home: a process appends from two threads and a third one labels, freezes
 * datasets, removes and flushes, until the disk ends it; then what is there is compared with what
 * was promised. Part of a Criterion test: what is wrong fails it. */
#ifndef TESTS_SUPPORT_LIFE_H
#define TESTS_SUPPORT_LIFE_H

#include "disk.h"
#include "edgeops/store.h"

typedef enum life_kind {
    LIFE_MIXED,
    LIFE_RETAINING, /* the third thread only fills an asset that retention empties */
    LIFE_FLUSHING,  /* it only makes chunks, small ones, which are merged later */
    LIFE_MANY       /* it only appends a row of each of many assets, so that segments grow */
} life_kind;

/** A new home below `folder`, an absolute path that is there. */
void life_begin(const char *folder, life_kind kind);
void life_end(void);

/** One life, from opening the home to the plan's kill or cut; where the plan has not happened by
 * its end, to a cut for a plan that cuts, else to a kill. Then looks at the home: after a kill, and
 * with POWER after a cut, all that was acknowledged is there; always, nothing is there twice, each
 * value is the one that was sent, and each dataset is what was frozen. */
void life_live(edgeops_durability durability, const disk_plan *plan, uint64_t seed);
/** Whether the last life reached its plan. */
bool life_reached(void);
/** Rows acknowledged so far. */
uint64_t life_rows(void);
/** `given` times EDGEOPS_TEST_ROUNDS where that is set; fewer with sanitizers. */
int life_rounds(int given);

#endif /* TESTS_SUPPORT_LIFE_H */
