/* SPDX-License-Identifier: Apache-2.0 */
/* Each system call on the disk fails in turn while rows are joined, kept and written out: the join
 * says why it stands still, and once the disk is well again every row is there once, whole. */
#include "codec/json.h"
#include "join/join.h"
#include "store/inner.h"
#include "store_fixture.h"
#include "support/disk.h"

TestSuite(join_fault, .init = make_home, .fini = remove_home, .timeout = 110);

enum { ROWS = 12, WAIT = 50 };
#define OUT "out/rows"

typedef struct world {
    edgeops_store *store;
    eop_join_spec spec;
    eop_join *join;
    eop_json *kept; /* what a restart knows; may be old */
    int64_t rounds; /* of ROWS rows each, that came in */
    int64_t now;
    int failures;
    edgeops_durability durability;
} world;

static void open_world(world *w) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability = w->durability;
    CHECK_OK(edgeops_store_open(&w->store, home, &options));
}

static void open_join(world *w) {
    CHECK_OK(eop_join_open(&w->join, w->store, &w->spec, w->kept));
}

static void begin(world *w, edgeops_durability durability, int64_t tolerance) {
    w->durability = durability;
    open_world(w);
    w->spec = (eop_join_spec){.name = eop_strdup(OUT), .tolerance = tolerance, .wait = WAIT};
    CHECK_OK(eop_join_spec_add_text(&w->spec, w->store, "in/a:x"));
    CHECK_OK(eop_join_spec_add_text(&w->spec, w->store, "in/b:y"));
    CHECK_OK(eop_join_spec_settle(&w->spec));
    CHECK_OK(eop_join_spec_check(&w->spec, w->store, true));
    open_join(w);
}

static void end(world *w) {
    eop_join_close(w->join);
    eop_json_free(w->kept);
    eop_join_spec_dispose(&w->spec);
    edgeops_store_close(w->store);
}

static edgeops_time time_of(int64_t row) {
    return 1000000 + row * 1000;
}

static void come_in(world *w) {
    for (int64_t i = w->rounds * ROWS; i < (w->rounds + 1) * ROWS; i++) {
        CHECK_OK(put(w->store, "in/a", time_of(i), 0, "x", f64((double)i), NULL));
        CHECK_OK(put(w->store, "in/b", time_of(i), 0, "y", i64(-i), NULL));
    }
    w->rounds++;
}

static edgeops_status run(world *w) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_duration due = 0;
    for (int k = 0; k < 3 && status >= 0; k++) {
        do {
            status = eop_join_step(w->join, w->now, &due);
        } while (status == EDGEOPS_OK);
        w->now += 2 * WAIT;
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* All that a node does about it: the rows, what is known of them, and the writer's part. */
static edgeops_status work(world *w) {
    edgeops_status status = run(w);
    eop_join_view view;
    eop_join_look(&view, w->join);
    cr_assert_eq(status == EDGEOPS_OK, view.problem[0] == '\0', "%d: '%s'", (int)status,
                 view.problem);
    w->failures += status != EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        status = eop_store_sync(w->store);
    }
    if (status == EDGEOPS_OK && w->rounds % 3 == 0) {
        eop_json *state = eop_join_state(w->join);
        if (state != NULL) {
            eop_json_free(w->kept);
            w->kept = state;
        }
    }
    return status == EDGEOPS_OK ? eop_store_flush(w->store) : status;
}

static void check(world *w) {
    eop_join_view view;
    eop_join_look(&view, w->join);
    cr_assert_str_eq(view.problem, "");
    cr_assert_eq(view.late, 0);
    cr_assert_eq(view.conflicts, 0);
    cr_assert_eq(view.behind, 0);
    edgeops_table *t = read_all(w->store, OUT);
    cr_assert_eq(t->rows, (uint64_t)(w->rounds * ROWS), "%d rows after %d rounds", (int)t->rows,
                 (int)w->rounds);
    for (uint64_t r = 0; r < t->rows; r++) {
        edgeops_value x = edgeops_column_value(&t->columns[0], r);
        edgeops_value y = edgeops_column_value(&t->columns[1], r);
        cr_assert_eq(t->times[r], time_of((int64_t)r));
        cr_assert_eq(x.type, EDGEOPS_TYPE_FLOAT64);
        cr_assert_eq(y.type, EDGEOPS_TYPE_INT64);
        cr_assert_eq((int64_t)x.as.f64, (int64_t)r);
        cr_assert_eq(y.as.i64, -(int64_t)r);
    }
    edgeops_table_free(t);
}

/* As a restart does it, with what was kept, now and then nothing; the store too each third time. */
static void restart(world *w) {
    eop_join_close(w->join);
    if (w->rounds % 7 == 0) {
        eop_json_free(w->kept);
        w->kept = NULL;
    }
    if (w->rounds % 3 == 0) {
        edgeops_store_close(w->store);
        open_world(w);
    }
    open_join(w);
}

static void try_all(disk_plan plan, edgeops_durability durability, int64_t tolerance) {
    world w = {0};
    bool reached = true;
    disk_watch(folder, false);
    begin(&w, durability, tolerance);
    for (plan.nth = 1; reached; plan.nth++) {
        come_in(&w);
        disk_set(&plan);
        edgeops_status status = work(&w);
        reached = disk_counted() >= plan.nth;
        disk_set(&(disk_plan){0});
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_IO || status == EDGEOPS_E_LIMIT ||
                      status == EDGEOPS_E_DENIED,
                  "fault %d: %d", (int)plan.nth, (int)status);
        if (plan.nth % 2 == 0) {
            restart(&w);
        }
        CHECK_OK(run(&w));
        check(&w);
    }
    restart(&w);
    CHECK_OK(run(&w));
    check(&w);
    cr_assert_gt(w.failures, 0); /* the join itself met some */
    end(&w);
    disk_release();
}

Test(join_fault, each_call_of_the_disk_fails) {
    try_all((disk_plan){.calls = DISK_ANY, .action = DISK_FAIL}, EDGEOPS_DURABILITY_PROCESS, 0);
}

Test(join_fault, each_sync_fails_for_long) {
    try_all((disk_plan){.calls = DISK_SYNC | DISK_WRITE, .action = DISK_FAIL, .times = 1000000},
            EDGEOPS_DURABILITY_POWER, 0);
}

Test(join_fault, the_disk_is_full_from_each_write_on) {
    try_all(
        (disk_plan){
            .calls = DISK_WRITE | DISK_RESIZE, .action = DISK_FAIL, .error = 28, .times = 1000000},
        EDGEOPS_DURABILITY_PROCESS, 10);
}
