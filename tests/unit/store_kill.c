/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at each point of the write path: nothing acknowledged is lost, nothing is there twice,
 * and each dataset is what was frozen. */
#include "store_fixture.h"
#include "support/life.h"

TestSuite(store_kill, .init = make_home, .fini = remove_home, .timeout = 100);

enum { KILLS = 25 };

typedef struct point {
    const char *what;
    unsigned calls;
    const char *name; /* in the path of the file */
    uint64_t most;    /* the call is one of the first so many */
    life_kind kind;
} point;

static const point points[] = {
    {"journal append", DISK_WRITE, ".seg", 400, LIFE_MIXED},
    {"segment made", DISK_WRITE | DISK_RESIZE | DISK_SYNC | DISK_OPEN, "spare", 20, LIFE_MIXED},
    {"rotate", DISK_RENAME, ".seg", 6, LIFE_MIXED},
    {"chunk commit", DISK_WRITE, "telemetry.db-wal", 90, LIFE_MIXED},
    {"chunk sync", DISK_SYNC, "telemetry.db-wal", 6, LIFE_MIXED},
    {"checkpoint of the chunks", DISK_WRITE | DISK_SYNC, "telemetry.db", 150, LIFE_MIXED},
    {"catalog commit", DISK_WRITE, "catalog.db-wal", 80, LIFE_MIXED},
    {"checkpoint of the catalog", DISK_SYNC, "catalog.db", 12, LIFE_MIXED},
    {"journal sync", DISK_SYNC, "journal", 150, LIFE_MIXED},
    {"any call", DISK_ANY, NULL, 1500, LIFE_MIXED},
    {"retention", DISK_WRITE | DISK_SYNC, "telemetry.db-wal", 80, LIFE_RETAINING},
    {"merging chunks", DISK_WRITE | DISK_SYNC, "telemetry.db-wal", 70, LIFE_FLUSHING},
    {"any call, many assets", DISK_ANY, NULL, 1200, LIFE_MANY},
    {"grown segment made", DISK_WRITE | DISK_RESIZE | DISK_SYNC | DISK_OPEN, "spare", 20,
     LIFE_MANY},
};

static void kill_at(const point *p, edgeops_durability durability) {
    dice d = {(uint64_t)(p - points) * 2 + durability};
    int reached = 0;
    int rounds = life_rounds(KILLS);
    life_begin(folder, p->kind);
    for (int i = 0; i < rounds; i++) {
        if (i % 9 == 8) {
            /* What a home holds is read after each life. */
            life_end();
            CHECK_OK(eop_remove_tree(home));
            life_begin(folder, p->kind);
        }
        disk_plan plan = {
            .calls = p->calls, .name = p->name, .nth = 1 + below(&d, p->most), .action = DISK_KILL};
        life_live(durability, &plan, roll(&d));
        reached += life_reached();
    }
    life_end();
    CHECK_OK(eop_remove_tree(home));
    cr_expect(reached * 2 >= rounds, "%s: only %d of %d kills came to it", p->what, reached,
              rounds);
}

#define POINT(n, name)                                                                             \
    Test(store_kill, name) {                                                                       \
        kill_at(&points[n], n % 2 == 0 ? EDGEOPS_DURABILITY_PROCESS : EDGEOPS_DURABILITY_POWER);   \
    }

POINT(0, in_a_journal_append)
POINT(1, while_a_segment_is_made)
POINT(2, in_a_rotation)
POINT(3, in_a_chunk_commit)
POINT(4, in_a_chunk_sync)
POINT(5, in_a_checkpoint_of_the_chunks)
POINT(6, in_a_catalog_commit)
POINT(7, in_a_checkpoint_of_the_catalog)
POINT(9, anywhere)
POINT(10, in_retention)
POINT(11, while_chunks_are_merged)

POINT(12, with_grown_segments)
POINT(13, while_a_grown_segment_is_made)

Test(store_kill, in_a_journal_sync) {
    kill_at(&points[8], EDGEOPS_DURABILITY_POWER);
}
