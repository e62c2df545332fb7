/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/time.h"
#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "support/collector.h"

static edgeops_ctx *ctx;
static collector c;
static edgeops_source *source;
static char folder[] = "/tmp/edgeops-replay-XXXXXX";
static char path[64];

static void setup(void) {
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    collector_init(&c);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/rows.csv", folder);
}

static void teardown(void) {
    edgeops_source_close(source);
    unlink(path);
    rmdir(folder);
    collector_dispose(&c);
    edgeops_ctx_free(ctx);
}

TestSuite(ingest_replay, .init = setup, .fini = teardown, .timeout = 60);

static void write_text(const char *text) {
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    cr_assert_eq(fclose(f), 0);
}

static void start(const char *more) {
    char config[512];
    snprintf(config, sizeof(config), "{\"path\": \"%s\", \"asset\": \"watch/{who}\"%s}", path,
             more);
    edgeops_source_options options = collector_options(&c, "replay", config);
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
}

static const char three[] = "t,who,x,note,junk\n"
                            "1000,ann,1.5,hello,1\n"
                            "1020,bob,2,\"a, b\",2\n"
                            "1040,ann,,,3\n"
                            "1060,ann,-3e2,,4\n";

static void expect_three(void) {
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(collector_count(&c), 3);
    cr_expect_str_eq(c.samples[0].asset, "watch/ann");
    cr_expect_str_eq(c.samples[0].channel, "x");
    cr_expect_eq(c.samples[0].value, 1.5);
    cr_expect_eq(c.samples[0].count, 2);
    cr_expect_eq(c.samples[0].time, 1000 * EDGEOPS_MILLISECOND);
    cr_expect_str_eq(c.samples[1].asset, "watch/bob");
    cr_expect_eq(c.samples[1].type, EDGEOPS_TYPE_FLOAT64);
    cr_expect_eq(c.samples[2].value, -300);
    cr_expect_eq(c.samples[2].count, 1);
    cr_expect_eq(c.samples[2].time, 1060 * EDGEOPS_MILLISECOND);
}

Test(ingest_replay, rows_become_samples) {
    write_text(three);
    start(", \"time_column\": \"t\", \"time_unit\": \"ms\", \"skip_columns\": [\"junk\"], "
          "\"speed\": 0");
    expect_three();
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.messages, 3);
    cr_expect_eq(stats.samples, 3);
    cr_expect_not_null(strstr(stats.detail, "3 rows"), "%s", stats.detail);
}

Test(ingest_replay, reads_gzip) {
    gzFile f = gzopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_gt(gzputs(f, three), 0);
    cr_assert_eq(gzclose(f), Z_OK);
    start(", \"time_column\": \"t\", \"time_unit\": \"ms\", \"skip_columns\": [\"junk\"], "
          "\"speed\": 0");
    expect_three();
}

Test(ingest_replay, takes_the_options_of_all_readers) {
    write_text("logger 7\ntime;who;x\n24.10.2026 23:30:00;ann;1,5\n24.10.2026 23:45:00;ann;-999\n"
               "24.10.2026 23:50:00;ann;2,5\n");
    start(", \"separator\": \";\", \"decimal\": \",\", \"skip_rows\": 1, \"null\": [\"-999\"], "
          "\"time_format\": \"%d.%m.%Y %H:%M:%S\", \"time_zone\": \"+02:00\", \"speed\": 0");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_eq(c.samples[0].value, 1.5);
    cr_expect_eq(c.samples[0].time, 1792877400 * EDGEOPS_SECOND);
}

Test(ingest_replay, json_lines_are_played) {
    write_text(
        "{\"time\": 1, \"who\": \"ann\", \"x\": 4}\n{\"time\": 2, \"who\": \"bob\", \"x\": 5}\n");
    start(", \"format\": \"jsonl\", \"speed\": 0");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(collector_count(&c), 2);
    cr_expect_str_eq(c.samples[1].asset, "watch/bob");
    cr_expect_eq(c.samples[1].value, 5);
}

Test(ingest_replay, bad_rows_are_dead_letters_on_request) {
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    write_text("time,who,x\n1,ann,1\n2,ann,hot\n3,ann,3\n");
    start(", \"columns\": {\"x\": {\"type\": \"float64\"}}, \"bad_rows\": \"skip\", \"speed\": 0");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.dead, 1);
    cr_expect_eq(stats.unmatched, 0);
    cr_expect_not_null(strstr(stats.detail, "2 rows"), "%s", stats.detail);
    cr_expect_not_null(strstr(stats.detail, "1 left out"), "%s", stats.detail);
    cr_expect_eq(collector_count(&c), 2);
}

Test(ingest_replay, keeps_the_pace) {
    write_text("time,who,x\n0,a,1\n100,a,2\n200,a,3\n300,a,4\n");
    edgeops_duration begin = eop_monotonic();
    start(", \"time_unit\": \"ms\", \"speed\": 2");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_geq(eop_monotonic() - begin, 150 * EDGEOPS_MILLISECOND);
    cr_expect_eq(collector_count(&c), 4);
}

Test(ingest_replay, times_are_rewritten_to_now) {
    write_text("time,who,x\n0,a,1\n5,a,2\n");
    edgeops_time before = eop_now();
    start(", \"time_unit\": \"s\", \"speed\": 0, \"rewrite_time\": true");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_geq(c.samples[0].time, before);
    cr_expect_leq(c.samples[0].time, eop_now());
    cr_expect_eq(c.samples[1].time - c.samples[0].time, 5 * EDGEOPS_SECOND);
}

Test(ingest_replay, loops_until_stopped) {
    write_text("time,who,x\n0,a,1\n1,a,2\n");
    start(", \"speed\": 0, \"loop\": true");
    cr_assert(test_run_samples(ctx, &c, 1000));
    edgeops_source_stop(source);
}

Test(ingest_replay, goes_on_where_it_was_stopped) {
    char text[65536] = "time,who,x\n";
    size_t used = strlen(text);
    for (int i = 0; i < 1000; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%d,a,%d\n", i, i);
    }
    write_text(text);
    start(", \"time_unit\": \"ms\", \"speed\": 5");
    cr_assert(test_run_samples(ctx, &c, 10));
    edgeops_source_stop(source);
    size_t there = collector_count(&c);
    cr_assert_lt(there, 1000);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(collector_count(&c), 1000);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(c.samples[i].value, i);
    }
}

Test(ingest_replay, a_relative_path_stays_where_it_was) {
    write_text("time,who,x\n0,a,1\n");
    cr_assert_eq(chdir(folder), 0);
    edgeops_source_options options =
        collector_options(&c, "replay", "{\"path\": \"rows.csv\", \"asset\": \"a\", \"speed\": 0}");
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_eq(collector_count(&c), 1);
}

Test(ingest_replay, starts_over_after_the_end) {
    write_text("time,who,x\n0,a,1\n1,a,2\n");
    start(", \"speed\": 0");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 4));
}

Test(ingest_replay, a_file_that_comes_later_is_played) {
    start(", \"speed\": 0");
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    do {
        test_turn(ctx, 10 * EDGEOPS_MILLISECOND);
        edgeops_source_get_stats(&stats, source);
    } while (strstr(stats.detail, "cannot open") == NULL);
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_CONNECTING);
    write_text("time,who,x\n0,a,1\n");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_eq(collector_count(&c), 1);
}

Test(ingest_replay, a_broken_row_is_named) {
    write_text("time,who,x\n0,a,1\nsoon,a,2\n");
    start(", \"speed\": 0");
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    do {
        test_turn(ctx, 10 * EDGEOPS_MILLISECOND);
        edgeops_source_get_stats(&stats, source);
    } while (strstr(stats.detail, "soon") == NULL);
    cr_expect_not_null(strstr(stats.detail, ":3: column 'time'"), "%s", stats.detail);
    cr_expect_eq(collector_count(&c), 1);
}

Test(ingest_replay, only_wanted_rows_are_played_and_take_time) {
    write_text("time,who,x,split\n0,a,1,train\n3600000,a,2,test\n100,a,3,train\n");
    edgeops_duration begin = eop_monotonic();
    start(", \"time_unit\": \"ms\", \"where\": {\"split\": \"train\", \"who\": \"a\"}");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_expect_lt(eop_monotonic() - begin, 30 * EDGEOPS_SECOND);
    cr_expect_eq(collector_count(&c), 2);
    cr_expect_eq(c.samples[1].value, 3);
}

Test(ingest_replay, a_long_pause_and_a_jump_back_are_not_waited_for) {
    write_text("time,who,x\n0,a,1\n3600,a,2\n3600.1,a,3\n0,b,4\n0.1,b,5\n7200,b,6\n");
    edgeops_duration begin = eop_monotonic();
    start(", \"time_unit\": \"s\", \"longest_pause\": \"5s\"");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_duration taken = eop_monotonic() - begin;
    cr_expect_geq(taken, 200 * EDGEOPS_MILLISECOND);
    cr_expect_lt(taken, 30 * EDGEOPS_SECOND);
    cr_expect_eq(collector_count(&c), 6);
}

Test(ingest_replay, a_rate_is_kept_whatever_the_times) {
    write_text("time,who,x\n0,a,1\n3600,a,2\n3601,a,3\n3602,a,4\n");
    edgeops_duration begin = eop_monotonic();
    start(", \"time_unit\": \"s\", \"rate\": 20");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_duration taken = eop_monotonic() - begin;
    cr_expect_geq(taken, 190 * EDGEOPS_MILLISECOND);
    cr_expect_lt(taken, 30 * EDGEOPS_SECOND);
    cr_expect_eq(collector_count(&c), 4);
}

Test(ingest_replay, a_file_without_times_is_played_where_that_is_allowed) {
    write_text("who,x\na,1\na,2\n");
    edgeops_time before = eop_now();
    start(", \"time_optional\": true");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(collector_count(&c), 2);
    cr_expect_geq(c.samples[0].time, before);
    cr_expect_gt(c.samples[1].time, c.samples[0].time);
}

Test(ingest_replay, columns_come_as_they_are_written_as_text) {
    write_text("time,who,x,junk,n\n7,a,1.50,0,\n");
    start(", \"as_text\": true, \"speed\": 0, \"skip_columns\": [\"junk\"]");
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    cr_assert_eq(collector_count(&c), 1);
    cr_expect_str_eq(c.samples[0].asset, "watch/a");
    cr_expect_eq(c.samples[0].time, 7 * EDGEOPS_SECOND);
    cr_expect_eq(c.samples[0].count, 3, "time, who and x; junk is skipped, n is empty");
    cr_expect_str_eq(c.samples[0].channel, "time");
    cr_expect_eq(c.samples[0].type, EDGEOPS_TYPE_STRING);
}

Test(ingest_replay, a_pause_that_is_not_a_duration_is_refused) {
    edgeops_source_options options = collector_options(
        &c, "replay", "{\"path\": \"x\", \"asset\": \"a\", \"longest_pause\": \"long\"}");
    cr_expect_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "longest_pause"));
}
