/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come in parts, against a model of a few lines: parts in any order, late and never, with
 * a restart after each arrival and each step of the clock. */
#include "runtime/fold.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "failing_memory.h"

#define MS       EDGEOPS_MILLISECOND
#define WAIT     (100 * MS)
#define START    (1000 * EDGEOPS_SECOND) /* of the monotonic clock */
#define INPUTS   3
#define ROWS_MAX 6000
#define ARRIVALS (ROWS_MAX * INPUTS)

static const edgeops_port inputs[INPUTS] = {{"a", "", EDGEOPS_TYPE_FLOAT64, 1},
                                            {"s", "", EDGEOPS_TYPE_STRING, 1},
                                            {"v", "", EDGEOPS_TYPE_FLOAT32, 2}};

/* What arrives: cells of row `row`, whose value is a function of the row. */
typedef struct arrival {
    int row;
    unsigned cells; /* a bit for each input */
    bool later;
    edgeops_duration at;
} arrival;

static struct {
    arrival list[ARRIVALS];
    size_t count;
    size_t rows;
    uint64_t first[ROWS_MAX]; /* ordinal of a row's first part */
} came;

static edgeops_time time_of(int row) {
    return (edgeops_time)(row / 2) * EDGEOPS_SECOND; /* two seqs of each time */
}

static int64_t seq_of(int row) {
    return row % 2;
}

/* Arrivals [from, to) as a block of a cursor; the memory of the block before is reused. */
static const edgeops_table *block_of(size_t from, size_t to) {
    static edgeops_time times[ARRIVALS];
    static int64_t seqs[ARRIVALS];
    static uint64_t ordinals[ARRIVALS];
    static uint8_t parts[ARRIVALS];
    static double numbers[ARRIVALS];
    static float vectors[ARRIVALS * 2];
    static uint32_t offsets[ARRIVALS + 1];
    static char bytes[ARRIVALS * 16];
    static uint8_t valid[INPUTS][ARRIVALS];
    static edgeops_column columns[INPUTS];
    static edgeops_table table;
    bool any = false;
    for (size_t i = from; i < to; i++) {
        const arrival *a = &came.list[i];
        size_t k = i - from;
        times[k] = time_of(a->row);
        seqs[k] = seq_of(a->row);
        ordinals[k] = i + 1;
        parts[k] = a->later;
        any = any || a->later;
        for (size_t c = 0; c < INPUTS; c++) {
            valid[c][k] = a->cells >> c & 1;
        }
        numbers[k] = valid[0][k] ? a->row : -1;
        int n = valid[1][k] ? snprintf(bytes + offsets[k], 16, "row %d", a->row) : 0;
        offsets[k + 1] = offsets[k] + (uint32_t)n;
        vectors[2 * k] = vectors[2 * k + 1] = valid[2][k] ? (float)a->row : -1;
    }
    columns[0] = (edgeops_column){.name = "a",
                                  .type = EDGEOPS_TYPE_FLOAT64,
                                  .f64 = numbers,
                                  .data = numbers,
                                  .valid = valid[0],
                                  .length = 1};
    columns[1] = (edgeops_column){.name = "s",
                                  .type = EDGEOPS_TYPE_STRING,
                                  .offsets = offsets,
                                  .bytes = bytes,
                                  .valid = valid[1],
                                  .length = 1};
    columns[2] = (edgeops_column){
        .name = "v", .type = EDGEOPS_TYPE_FLOAT32, .data = vectors, .valid = valid[2], .length = 2};
    table = (edgeops_table){.asset = "m",
                            .rows = to - from,
                            .times = times,
                            .seqs = seqs,
                            .ordinals = ordinals,
                            .column_count = INPUTS,
                            .columns = columns,
                            .parts = any ? parts : NULL};
    return &table;
}

static void add(int row, unsigned cells, edgeops_duration at) {
    cr_assert(lt(sz, came.count, ARRIVALS));
    bool later = came.first[row] != 0;
    came.list[came.count++] = (arrival){row, cells, later, at};
    if (!later) {
        came.first[row] = came.count;
        came.rows++;
    }
}

/* -- a reader with a clock -- */

typedef struct given {
    int row;
    unsigned cells;
    edgeops_duration at;
    bool incomplete;
    edgeops_duration durable;
} given;

static struct {
    eop_fold *fold;
    size_t read; /* arrivals */
    given list[ROWS_MAX * 2];
    size_t count;
    uint64_t late; /* counted before this life */
} reader;

static void open_reader(uint64_t history, uint64_t given_before, uint64_t seen, uint64_t late,
                        edgeops_duration wait) {
    eop_fold_options options = {.inputs = inputs,
                                .input_count = INPUTS,
                                .wait = wait,
                                .given = given_before,
                                .counted = seen};
    eop_fold_free(reader.fold);
    cr_assert(eq(int, eop_fold_new(&reader.fold, &options), EDGEOPS_OK));
    reader.read = history > 0 ? (size_t)history - 1 : 0;
    reader.late = late;
}

static uint64_t late_parts(void) {
    eop_fold_stats stats;
    eop_fold_get_stats(reader.fold, &stats);
    return reader.late + stats.late_parts;
}

static int row_of(uint64_t ordinal) {
    return came.list[ordinal - 1].row;
}

static void note(const edgeops_table *rows, uint64_t i, edgeops_duration now) {
    int row = row_of(rows->ordinals[i]);
    given g = {.row = row, .at = now};
    eop_fold_row known = eop_fold_given(reader.fold, rows->ordinals[i]);
    cr_assert(eq(u64, came.first[row], rows->ordinals[i]));
    cr_assert(eq(i64, rows->times[i], time_of(row)));
    cr_assert(eq(i64, rows->seqs[i], seq_of(row)));
    edgeops_value a = edgeops_column_value(&rows->columns[0], i);
    edgeops_value s = edgeops_column_value(&rows->columns[1], i);
    edgeops_value v = edgeops_column_value(&rows->columns[2], i);
    if (a.type != EDGEOPS_TYPE_NULL) {
        cr_assert(eq(dbl, a.as.f64, row));
        g.cells |= 1;
    }
    if (s.type != EDGEOPS_TYPE_NULL) {
        char text[16];
        (void)snprintf(text, sizeof text, "row %d", row);
        cr_assert(eq(u32, s.size, (uint32_t)strlen(text)));
        cr_assert(eq(int, memcmp(s.as.str, text, s.size), 0));
        g.cells |= 2;
    }
    if (v.type != EDGEOPS_TYPE_NULL) {
        float elements[2];
        memcpy(elements, v.as.data, sizeof elements);
        cr_assert(eq(flt, elements[1], (float)row));
        g.cells |= 4;
    }
    g.incomplete = known.incomplete;
    g.durable = known.durable;
    cr_assert(eq(int, known.incomplete, g.cells != 7));
    cr_assert(lt(sz, reader.count, EOP_COUNT(reader.list)));
    reader.list[reader.count++] = g;
}

static bool give(edgeops_duration now, edgeops_duration clock) {
    const edgeops_table *rows = NULL;
    edgeops_status status = eop_fold_give(&rows, reader.fold, now);
    for (uint64_t i = 0; status == EDGEOPS_OK && i < rows->rows; i++) {
        note(rows, i, clock);
    }
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_DONE);
    return status == EDGEOPS_OK;
}

/* One turn: reads all that has arrived, in blocks of any size, then gives what ran out of time. */
static void turn(edgeops_duration now, size_t block, bool known) {
    for (;;) {
        size_t end = reader.read;
        while (end < came.count && came.list[end].at <= now && end - reader.read < block) {
            end++;
        }
        if (end == reader.read) {
            break;
        }
        cr_assert(eq(int, eop_fold_feed(reader.fold, block_of(reader.read, end)), EDGEOPS_OK));
        for (uint64_t ordinal; (ordinal = eop_fold_next(reader.fold)) != 0;) {
            while (eop_fold_full(reader.fold)) {
                cr_assert(give(0, now));
            }
            edgeops_status status =
                eop_fold_take(reader.fold, known ? came.list[ordinal - 1].at : 0, now);
            if (status == EDGEOPS_DONE) {
                edgeops_time time;
                int64_t seq;
                const edgeops_value *values = eop_fold_late(reader.fold, &time, &seq);
                cr_assert(eq(i64, time, time_of(row_of(ordinal))));
                bool has = values[0].type != EDGEOPS_TYPE_NULL;
                cr_assert(eq(int, has, (came.list[ordinal - 1].cells & 1) != 0));
            } else {
                cr_assert(eq(int, status, EDGEOPS_OK));
            }
            while (give(0, now)) {
            }
        }
        reader.read = end;
    }
    while (give(now, now)) {
    }
}

/* Each event, one after the other: arrivals, and rows that run out of time. */
static edgeops_duration run_to(edgeops_duration now, edgeops_duration end, bool known) {
    for (;;) {
        edgeops_duration next = eop_fold_due(reader.fold);
        if (reader.read < came.count && came.list[reader.read].at < next) {
            next = came.list[reader.read].at;
        }
        if (next == EOP_FOLD_NEVER || next > end) {
            return now;
        }
        now = next > now ? next : now;
        turn(now, 1 + (size_t)now % 7, known);
    }
}

static void leave(void) {
    eop_fold_free(reader.fold);
    reader.fold = NULL;
}

static void enter(void) {
    memset(&came, 0, sizeof came);
    memset(&reader, 0, sizeof reader);
}

TestSuite(runtime_fold, .init = enter, .fini = leave);

/* -- by hand -- */

Test(runtime_fold, a_row_is_given_once_it_is_whole) {
    add(0, 1, START);
    add(0, 6, START + 30 * MS);
    add(1, 7, START + 40 * MS);
    open_reader(0, 0, 0, 0, WAIT);
    turn(START, 10, true);
    cr_expect(eq(sz, reader.count, 0));
    cr_expect(eq(i64, eop_fold_due(reader.fold), START + WAIT));
    cr_expect(eq(u64, eop_fold_oldest(reader.fold), 1));
    turn(START + 40 * MS, 10, true);
    cr_assert(eq(sz, reader.count, 2));
    cr_expect(not(reader.list[0].incomplete));
    cr_expect(eq(i64, reader.list[0].durable, START + 30 * MS)); /* its newest part */
    cr_expect(eq(i64, eop_fold_due(reader.fold), EOP_FOLD_NEVER));
    cr_expect(eq(u64, late_parts(), 0));
}

Test(runtime_fold, what_does_not_come_is_waited_for_once) {
    add(0, 1, START);
    add(1, 7, START + 10 * MS); /* held behind it, to keep the order */
    add(0, 2, START + 200 * MS);
    open_reader(0, 0, 0, 0, WAIT);
    turn(START + 10 * MS, 10, true);
    turn(START + WAIT - 1, 10, true);
    cr_expect(eq(sz, reader.count, 0));
    turn(START + WAIT, 10, true);
    cr_assert(eq(sz, reader.count, 2));
    cr_expect(eq(int, reader.list[0].row, 0));
    cr_expect(reader.list[0].incomplete && reader.list[0].cells == 1);
    cr_expect(not(reader.list[1].incomplete));
    turn(START + 200 * MS, 10, true);
    cr_expect(eq(sz, reader.count, 2));
    cr_expect(eq(u64, late_parts(), 1));
}

Test(runtime_fold, without_a_wait_it_takes_what_is_there) {
    add(0, 1, START);
    add(0, 2, START);
    add(1, 4, START);
    add(0, 4, START + MS);
    open_reader(0, 0, 0, 0, 0);
    turn(START, 1, true); /* in blocks of one: all that is durable is read first */
    cr_assert(eq(sz, reader.count, 2));
    cr_expect(eq(u32, reader.list[0].cells, 3));
    cr_expect(eq(u32, reader.list[1].cells, 4));
    turn(START + MS, 1, true);
    cr_expect(eq(u64, late_parts(), 1));
}

Test(runtime_fold, parts_of_rows_before_its_time_are_not_late) {
    add(0, 1, START);
    add(0, 2, START + MS);
    add(1, 7, START + 2 * MS);
    add(0, 4, START + 3 * MS);
    open_reader(2, 0, 0, 0, WAIT); /* from now on */
    turn(START + 2 * MS, 10, true);
    cr_expect(eq(sz, reader.count, 1));
    cr_expect(eq(u64, late_parts(), 0));
    turn(START + 3 * MS, 10, true);
    cr_expect(eq(u64, late_parts(), 1)); /* cannot be told any more */
}

Test(runtime_fold, the_oldest_makes_room) {
    for (int i = 0; i < (int)EOP_FOLD_ROWS + 100; i++) {
        add(i, i == 0 || i >= (int)EOP_FOLD_ROWS ? 3 : 7, START);
    }
    open_reader(0, 0, 0, 0, WAIT);
    turn(START, 1000, true);
    eop_fold_stats stats;
    eop_fold_get_stats(reader.fold, &stats);
    cr_expect(eq(u64, stats.early, 1)); /* the first; those behind it were whole */
    cr_expect(eq(sz, reader.count, EOP_FOLD_ROWS));
    cr_expect(eq(sz, eop_fold_held(reader.fold), 100));
    for (size_t i = 0; i < reader.count; i++) {
        cr_assert(eq(int, reader.list[i].row, (int)i));
    }
}

Test(runtime_fold, memory_is_bounded_and_a_row_fits_always) {
    enum { LENGTH = 65536 };
    static const edgeops_port wide[] = {{"w", "", EDGEOPS_TYPE_FLOAT64, LENGTH},
                                        {"x", "", EDGEOPS_TYPE_FLOAT64, 1}};
    eop_fold_options options = {.inputs = wide, .input_count = 2, .wait = WAIT};
    double *elements = calloc(LENGTH, sizeof *elements);
    cr_assert(eq(int, eop_fold_new(&reader.fold, &options), EDGEOPS_OK));
    const uint8_t never = 0;
    size_t rows = 0;
    for (int i = 0; i < 200; i++) {
        edgeops_time time = i;
        uint64_t ordinal = (uint64_t)i + 1;
        double x = 0;
        const edgeops_column columns[] = {
            {.name = "w", .type = EDGEOPS_TYPE_FLOAT64, .length = LENGTH, .data = elements},
            {.name = "x",
             .type = EDGEOPS_TYPE_FLOAT64,
             .length = 1,
             .data = &x,
             .valid = &never,
             .nulls = 1}};
        const edgeops_table table = {
            .rows = 1, .times = &time, .ordinals = &ordinal, .column_count = 2, .columns = columns};
        const edgeops_table *given_rows = NULL;
        cr_assert(eq(int, eop_fold_feed(reader.fold, &table), EDGEOPS_OK));
        cr_assert(eq(int, eop_fold_take(reader.fold, START, START), EDGEOPS_OK));
        while (eop_fold_full(reader.fold)) {
            cr_assert(eq(int, eop_fold_give(&given_rows, reader.fold, 0), EDGEOPS_OK));
            rows += (size_t)given_rows->rows;
        }
    }
    cr_expect(eq(sz, rows + eop_fold_held(reader.fold), 200));
    cr_expect(le(sz, eop_fold_held(reader.fold) * LENGTH * sizeof(double), EOP_FOLD_BYTES));
    cr_expect(gt(sz, eop_fold_held(reader.fold), 10));
    free(elements);
}

Test(runtime_fold, an_input_of_another_type_is_refused_by_name) {
    add(0, 7, START);
    open_reader(0, 0, 0, 0, WAIT);
    edgeops_table table = *block_of(0, 1);
    edgeops_column columns[INPUTS];
    memcpy(columns, table.columns, sizeof columns);
    columns[2].length = 1;
    table.columns = columns;
    cr_expect(eq(int, eop_fold_feed(reader.fold, &table), EDGEOPS_E_INVALID));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "'v'"), NULL));
    cr_expect(eq(u64, eop_fold_next(reader.fold), 0));
}

/* -- random parts -- */

/* Rows whose parts come close together, late or never, in any order. */
static void random_arrivals(unsigned seed, int rows) {
    typedef struct planned {
        edgeops_duration at;
        int row;
        unsigned cells;
    } planned;
    static planned plan[ARRIVALS];
    size_t n = 0;
    enter();
    for (int row = 0; row < rows; row++) {
        unsigned left = 7;
        edgeops_duration base = START + row * 20 * MS;
        while (left != 0) {
            unsigned cells = left & (unsigned)(1 + rand_r(&seed) % 7);
            int fate = rand_r(&seed) % 20;
            if (cells == 0) {
                continue;
            }
            left &= ~cells;
            edgeops_duration after = fate == 0   ? 150 * MS + rand_r(&seed) % 400 * MS
                                     : fate == 1 ? -1 /* never */
                                                 : rand_r(&seed) % 90 * MS;
            if (after >= 0) {
                plan[n++] = (planned){base + after, row, cells};
            }
        }
    }
    for (size_t i = 0; i < n; i++) { /* few: by insertion */
        for (size_t k = i; k > 0 && plan[k].at < plan[k - 1].at; k--) {
            planned swap = plan[k];
            plan[k] = plan[k - 1];
            plan[k - 1] = swap;
        }
    }
    for (size_t i = 0; i < n; i++) {
        add(plan[i].row, plan[i].cells, plan[i].at);
    }
}

/* Rows in the order of their first parts: each at its time, with what was there then. */
static void check_model(edgeops_duration wait) {
    edgeops_duration before = 0;
    size_t k = 0;
    uint64_t late = 0;
    for (size_t i = 0; i < came.count; i++) {
        const arrival *first = &came.list[i];
        unsigned cells = 0;
        edgeops_duration whole = INT64_MAX;
        if (first->later) {
            continue;
        }
        for (size_t j = i; j < came.count; j++) {
            if (came.list[j].row == first->row && cells != 7) {
                cells |= came.list[j].cells;
                whole = cells == 7 ? came.list[j].at : whole;
            }
        }
        edgeops_duration at = whole < first->at + wait ? whole : first->at + wait;
        at = at > before ? at : before;
        before = at;
        cells = 0;
        for (size_t j = i; j < came.count; j++) {
            if (came.list[j].row == first->row) {
                cells |= came.list[j].at <= at ? came.list[j].cells : 0;
                late += came.list[j].at > at;
            }
        }
        cr_assert(lt(sz, k, reader.count));
        cr_assert(eq(int, reader.list[k].row, first->row), "row %zu", k);
        cr_assert(eq(i64, reader.list[k].at, at), "row %zu", k);
        cr_assert(eq(u32, reader.list[k].cells, cells), "row %zu", k);
        k++;
    }
    cr_assert(eq(sz, reader.count, k));
    cr_assert(eq(u64, late_parts(), late));
}

Test(runtime_fold, random_parts_become_the_rows_of_the_model) {
    const edgeops_duration waits[] = {0, 30 * MS, WAIT, EDGEOPS_SECOND};
    for (unsigned seed = 1; seed <= 40; seed++) {
        random_arrivals(seed, 60);
        open_reader(0, 0, 0, 0, waits[seed % 4]);
        run_to(0, INT64_MAX - 1, true);
        check_model(waits[seed % 4]);
        leave();
    }
}

/* Rows that were given are not taken back; the checkpoint says up to which one they were. Those
 * behind it are read and given again; here they are struck from the list as answers that were not
 * committed are. */
static void restart(edgeops_duration now, unsigned *seed) {
    uint64_t seen = reader.read; /* ordinals count from 1 */
    uint64_t late = late_parts();
    size_t commit =
        reader.count -
        (reader.count > 0 ? (size_t)rand_r(seed) % (reader.count < 4 ? reader.count : 4) : 0);
    uint64_t position = commit > 0 ? came.first[reader.list[commit - 1].row] : 0;
    uint64_t history = position;
    if (commit > 3 && rand_r(seed) % 2 == 0) { /* a window of several rows */
        history = came.first[reader.list[commit - 3].row];
    }
    reader.count = commit;
    open_reader(history > 0 ? history : 1, position, seen, late, WAIT);
    size_t before = reader.count;
    turn(now, 5, false);
    /* The cutter is mute up to the checkpoint. */
    size_t kept = before;
    for (size_t i = before; i < reader.count; i++) {
        if (came.first[reader.list[i].row] > position) {
            reader.list[kept++] = reader.list[i];
        }
    }
    cr_assert(
        eq(u64, eop_fold_oldest(reader.fold) == 0 || eop_fold_oldest(reader.fold) > position, 1));
    reader.count = kept;
}

/* restarted: the last time. At most one wait more. */
static void check_once(edgeops_duration restarted) {
    cr_assert(eq(sz, reader.count, came.rows));
    size_t k = 0;
    for (size_t i = 0; i < came.count; i++) {
        if (!came.list[i].later) {
            const given *g = &reader.list[k++];
            cr_assert(eq(int, g->row, came.list[i].row));
            cr_assert(g->cells == 7 || g->at >= came.list[i].at + WAIT, "row %d", g->row);
            edgeops_duration since = came.list[i].at > restarted ? came.list[i].at : restarted;
            cr_assert(le(i64, g->at, since + WAIT));
        }
    }
}

Test(runtime_fold, a_restart_at_any_moment_loses_and_doubles_no_row, .timeout = 60) {
    for (unsigned seed = 1; seed <= 4; seed++) {
        unsigned dice = seed;
        random_arrivals(seed, 30);
        edgeops_duration end = came.list[came.count - 1].at + 2 * WAIT;
        for (edgeops_duration cut = START; cut < end; cut += 3 * MS) {
            reader.count = 0;
            open_reader(0, 0, 0, 0, WAIT);
            edgeops_duration now = run_to(0, cut, true);
            now = cut > now ? cut : now;
            restart(now, &dice);
            if (cut % 2 == 0) { /* and once more, at once or soon */
                now = run_to(now, now + rand_r(&dice) % 60 * MS, true);
                restart(now, &dice);
            }
            edgeops_duration restarted = now;
            run_to(now, INT64_MAX - 1, true);
            check_once(restarted);
        }
        leave();
    }
}

Test(runtime_fold, late_parts_count_once_over_restarts) {
    add(0, 1, START);
    add(1, 7, START + MS);
    add(0, 2, START + 150 * MS); /* late, counted before the restart */
    add(2, 7, START + 151 * MS);
    add(0, 4, START + 200 * MS); /* late, comes behind it */
    open_reader(0, 0, 0, 0, WAIT);
    run_to(0, START + 160 * MS, true);
    cr_expect(eq(u64, late_parts(), 1));
    cr_expect(eq(sz, reader.count, 3));
    uint64_t seen = reader.read; /* ordinals count from 1 */
    open_reader(1, came.first[1], seen, 1, WAIT);
    run_to(START + 160 * MS, INT64_MAX - 1, true);
    cr_expect(eq(u64, late_parts(), 2));
    /* Also when the row, which is read again for the window behind it, still takes it in. */
    open_reader(1, came.first[1], seen, 1, WAIT);
    turn(START + 250 * MS, 10, false);
    cr_expect(eq(u64, late_parts(), 2));
}

/* -- memory -- */

static edgeops_status fold_all(size_t *rows) {
    eop_fold_options options = {.inputs = inputs, .input_count = INPUTS, .wait = 0};
    const edgeops_table *table = NULL;
    eop_fold *fold = NULL;
    edgeops_status status = eop_fold_new(&fold, &options);
    *rows = 0;
    if (status == EDGEOPS_OK) {
        status = eop_fold_feed(fold, block_of(0, came.count));
    }
    while (status == EDGEOPS_OK && eop_fold_next(fold) != 0) {
        status = eop_fold_take(fold, START, START);
    }
    while (status == EDGEOPS_OK && (status = eop_fold_give(&table, fold, START)) == EDGEOPS_OK) {
        *rows += (size_t)table->rows;
    }
    eop_fold_free(fold);
    return status;
}

Test(runtime_fold, every_failed_allocation_is_an_error) {
    edgeops_status status = EDGEOPS_E_NOMEM;
    size_t rows = 0;
    int failures = 0;
    take_failing_memory();
    random_arrivals(3, 40);
    for (long n = 1; status == EDGEOPS_E_NOMEM; n++) {
        allocations = 0;
        fail_at = n;
        status = fold_all(&rows);
        failures += status == EDGEOPS_E_NOMEM;
    }
    fail_at = 0;
    cr_expect(eq(int, status, EDGEOPS_DONE));
    cr_expect(gt(int, failures, 50));
    cr_expect(eq(sz, rows, came.rows));
}
