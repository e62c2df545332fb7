/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "codec/table_reader.h"
#include "failing_memory.h"

static int fd = -1;
static eop_table_reader *samples;
static char labels[2048];

static void teardown(void) {
    eop_table_reader_close(samples);
    if (fd >= 0) {
        close(fd);
    }
}

TestSuite(codec_table_reader, .fini = teardown, .timeout = 60);

static void write_text(const char *text) {
    char name[] = "/tmp/edgeops-csv-XXXXXX";
    fd = mkostemp(name, O_CLOEXEC);
    cr_assert_geq(fd, 0);
    unlink(name);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    lseek(fd, 0, SEEK_SET);
}

static edgeops_status on_label(const char *asset, edgeops_time start, edgeops_time end,
                               const char *label, void *user_data) {
    (void)user_data;
    size_t used = strlen(labels);
    snprintf(labels + used, sizeof(labels) - used, "%s[%lld,%lld)=%s ", asset, (long long)start,
             (long long)end, label);
    return EDGEOPS_OK;
}

static eop_table_options defaults(void) {
    return (eop_table_options){.what = "t.csv",
                               .asset = "a",
                               .time_column = "time",
                               .rules.times.unit = "ns",
                               .on_label = on_label};
}

static void open_text(const char *text, const eop_table_options *options) {
    write_text(text);
    cr_assert_eq(eop_table_reader_open(&samples, fd, options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
}

static void refuses(const char *text, const eop_table_options *options, const char *word) {
    write_text(text);
    cr_expect_eq(eop_table_reader_open(&samples, fd, options), EDGEOPS_E_INVALID);
    cr_expect_null(samples);
    cr_expect_not_null(strstr(edgeops_error_last()->message, word), "%s",
                       edgeops_error_last()->message);
    close(fd);
    fd = -1;
}

static eop_table_row next(void) {
    eop_table_row row;
    cr_assert_eq(eop_table_reader_next(samples, &row), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    return row;
}

static void at_end(void) {
    eop_table_row row;
    cr_assert_eq(eop_table_reader_next(samples, &row), EDGEOPS_DONE);
    cr_assert_eq(eop_table_reader_next(samples, &row), EDGEOPS_DONE);
}

Test(codec_table_reader, types_follow_from_the_rows) {
    eop_table_options o = defaults();
    open_text("time,i,f,b,s,mixed,empty\n1,1,2.5,true,x,1,\n2,2,3,false,y,z,\n3,,7,,,,\n", &o);
    const eop_table_column *channels = NULL;
    cr_assert_eq(eop_table_reader_channels(samples, &channels), 6);
    cr_expect_eq(channels[0].type, EDGEOPS_TYPE_FLOAT64);
    cr_expect_eq(channels[1].type, EDGEOPS_TYPE_FLOAT64);
    cr_expect_eq(channels[2].type, EDGEOPS_TYPE_BOOL);
    cr_expect_eq(channels[3].type, EDGEOPS_TYPE_STRING);
    cr_expect_eq(channels[4].type, EDGEOPS_TYPE_STRING);
    cr_expect_eq(channels[5].type, EDGEOPS_TYPE_NULL);
    eop_table_row row = next();
    cr_expect_eq(row.sample.count, 5);
    cr_expect_eq(row.sample.values[0].as.f64, 1);
    cr_expect_eq(row.sample.values[2].as.i64, 1);
    cr_expect_eq(row.sample.values[4].type, EDGEOPS_TYPE_STRING);
    (void)next();
    row = next();
    cr_expect_eq(row.sample.count, 1);
    cr_expect_str_eq(row.sample.channels[0], "f");
    at_end();
}

Test(codec_table_reader, given_types_win) {
    eop_table_options o = defaults();
    const eop_table_column given[] = {{"i", EDGEOPS_TYPE_INT64}, {"id", EDGEOPS_TYPE_STRING}};
    o.columns = given;
    o.column_count = 2;
    open_text("time,i,id\n1,9007199254740993,007\n2,1.5,x\n", &o);
    eop_table_row row = next();
    cr_expect_eq(row.sample.values[0].type, EDGEOPS_TYPE_INT64);
    cr_expect_eq(row.sample.values[0].as.i64, 9007199254740993);
    cr_expect_eq(row.sample.values[1].size, 3);
    eop_table_row bad;
    cr_assert_eq(eop_table_reader_next(samples, &bad), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "t.csv:3: column 'i': '1.5'"), "%s",
                       edgeops_error_last()->message);
    at_end();
}

Test(codec_table_reader, a_bad_row_is_left_out) {
    eop_table_options o = defaults();
    open_text("time,x\n1,1\n2\n3,3\n", &o);
    cr_expect_eq(next().sample.time, 1);
    eop_table_row bad;
    cr_assert_eq(eop_table_reader_next(samples, &bad), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "t.csv:3: 1 fields"));
    cr_expect_eq(next().sample.time, 3);
    at_end();
}

Test(codec_table_reader, equal_times_count_up) {
    eop_table_options o = defaults();
    o.asset = "w/{who}/x";
    open_text("time,who,x\n5,a,1\n5,b,2\n5,a,3\n5,a,4\n6,a,5\n", &o);
    static const int64_t seqs[] = {0, 0, 1, 2, 0};
    static const char *const assets[] = {"w/a/x", "w/b/x", "w/a/x", "w/a/x", "w/a/x"};
    for (int i = 0; i < 5; i++) {
        eop_table_row row = next();
        cr_expect_eq(row.sample.seq, seqs[i]);
        cr_expect_str_eq(row.sample.asset, assets[i]);
        cr_expect_eq(row.sample.count, 1);
    }
    at_end();
}

/* Nulls say nothing, wherever in the file the time comes again. */
Test(codec_table_reader, rows_that_complete_each_other_are_parts) {
    eop_table_options o = defaults();
    o.asset = "{who}";
    open_text("time,who,x,y\n5,a,1,\n6,a,2,\n5,b,,1\n5,a,,2\n6,a,3,3\n5,a,,4\n5,a,5,\n6,b,7,\n",
              &o);
    static const struct {
        int64_t seq;
        bool part;
    } wanted[] = {{0, false}, {0, false}, {0, false}, {0, true},
                  {1, false}, {1, false}, {1, true},  {0, false}};
    for (int i = 0; i < 8; i++) {
        eop_table_row row = next();
        cr_expect_eq(row.sample.seq, wanted[i].seq, "row %d", i);
        cr_expect_eq(row.part, wanted[i].part, "row %d", i);
    }
    at_end();
}

/* Numbers of their own say which row it is; the reader does not look at them. */
Test(codec_table_reader, rows_with_numbers_are_parts_by_their_numbers) {
    eop_table_options o = defaults();
    open_text("time,seq,x,y\n5,1,1,\n5,0,2,\n5,1,,3\n", &o);
    cr_expect_eq(next().sample.seq, 1);
    cr_expect_eq(next().sample.seq, 0);
    cr_expect_eq(next().sample.seq, 1);
    at_end();
}

Test(codec_table_reader, sequence_column) {
    eop_table_options o = defaults();
    o.seq_column = "n";
    open_text("time,n,x\n5,7,1\n5,9,2\n6,,3\n", &o);
    cr_expect_eq(next().sample.seq, 7);
    cr_expect_eq(next().sample.seq, 9);
    eop_table_row bad;
    cr_assert_eq(eop_table_reader_next(samples, &bad), EDGEOPS_E_INVALID);
}

Test(codec_table_reader, label_runs_are_of_one_asset) {
    eop_table_options o = defaults();
    o.asset = "{who}";
    o.label_column = "l";
    o.group_column = "who";
    open_text(
        "time,who,l,x\n1,a,walk,1\n1,b,sit,1\n2,a,walk,\n3,a,run,1\n4,b,sit,1\n5,a,,1\n6,a,run,1\n",
        &o);
    eop_table_row row = next();
    cr_expect_str_eq(row.label, "walk");
    cr_expect_str_eq(row.group, "a");
    for (int i = 0; i < 3; i++) {
        row = next();
    }
    cr_expect_eq(row.sample.time, 4);
    cr_expect_null(next().label);
    (void)next();
    at_end();
    cr_expect_str_eq(labels, "a[1,3)=walk a[3,4)=run a[6,7)=run b[1,5)=sit ", "%s", labels);
}

Test(codec_table_reader, rows_without_a_time_column) {
    eop_table_options o = defaults();
    o.time_column = NULL;
    o.start = 1000;
    o.period = 20;
    open_text("x\n1\n2\n3\n", &o);
    cr_expect_eq(next().sample.time, 1000);
    cr_expect_eq(next().sample.time, 1020);
    cr_expect_eq(next().sample.time, 1040);
}

Test(codec_table_reader, headers_are_checked) {
    eop_table_options o = defaults();
    refuses("", &o, "empty");
    refuses("zeit;x;y\n1.10.2026 8:00;2,5;3,5\n1.10.2026 9:00;2,5;3,5\n", &o,
            "if ';' parts the fields: --separator ';'");
    refuses("logger; 7\nzeit,x\n1,2\n3,4\n", &o, "if the names are in line 2: --skip-rows 1");
    refuses("zeit,x\n", &o,
            "no column 'time'; it has zeit, x; if one of them has the time: --time-column NAME");
    refuses("time\n1\n", &o, "channel");
    refuses("time,a//b\n", &o, "a//b");
    o.asset = "w/{who}";
    refuses("time,x\n", &o, "no column 'who'");
    o.asset = "w/{who";
    refuses("time,who,x\n", &o, "brace");
    o.asset = "a";
    o.label_column = "time";
    refuses("time,x\n", &o, "two purposes");
}

Test(codec_table_reader, more_rows_than_the_first_look) {
    eop_table_options o = defaults();
    char *text = calloc(1, 400000);
    size_t used = (size_t)sprintf(text, "time,x,late\n");
    for (int i = 0; i < 20000; i++) {
        used += (size_t)sprintf(text + used, "%d,%d,%s\n", i, i, i < 1000 ? "" : "7");
    }
    open_text(text, &o);
    free(text);
    for (int i = 0; i < 20000; i++) {
        eop_table_row row = next();
        cr_assert_eq(row.sample.time, i);
        cr_assert_eq(row.sample.values[0].as.f64, i);
        cr_assert_eq(row.sample.count, i < 1000 ? 1u : 2u);
        cr_assert_eq(row.line, (uint64_t)i + 2);
    }
    at_end();
}

Test(codec_table_reader, times_are_exact) {
    static const struct {
        const char *text;
        const char *unit;
        int64_t time;
    } good[] = {
        {"1654012345123", "ms", 1654012345123000000},
        {"1654012345.123456789", "s", 1654012345123456789},
        {"1654012345.5", NULL, 1654012345500000000},
        {"1654012345123", NULL, 1654012345123000000},
        {"1654012345123456", NULL, 1654012345123456000},
        {"1654012345123456789", NULL, 1654012345123456789},
        {"-1.5", "ms", -1500000},
        {"0", "ns", 0},
        {"1970-01-01T00:00:01Z", "ms", 1000000000},
        {"1970-01-01 00:00:01.5", NULL, 1500000000},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        edgeops_time time = 42;
        eop_times *times = NULL;
        const eop_times_options options = {.unit = good[i].unit};
        cr_assert_eq(eop_times_new(&times, &options), EDGEOPS_OK);
        cr_expect(eop_time_text(&time, NULL, times, good[i].text, strlen(good[i].text)), "%s",
                  good[i].text);
        eop_times_free(times);
        cr_expect_eq(time, good[i].time, "%s gives %lld", good[i].text, (long long)time);
    }
    static const char *const bad[] = {"", "-", "soon", "9223372036854775808"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        edgeops_time time = 0;
        cr_expect(!eop_time_text(&time, NULL, NULL, bad[i], strlen(bad[i])), "%s", bad[i]);
    }
}

/* Reads all of it and makes the report. */
static edgeops_status read_through(const eop_table_options *o) {
    eop_table_row row;
    labels[0] = '\0';
    lseek(fd, 0, SEEK_SET);
    edgeops_status status = eop_table_reader_open(&samples, fd, o);
    while (status == EDGEOPS_OK) {
        status = eop_table_reader_next(samples, &row);
    }
    if (samples != NULL) {
        eop_json_free(eop_table_reader_report(samples));
    }
    eop_table_reader_close(samples);
    samples = NULL;
    return status;
}

static void fails_cleanly(const char *text, const eop_table_options *o) {
    if (fd >= 0) {
        close(fd);
    }
    write_text(text);
    for (fail_at = 1;; fail_at++) {
        allocations = 0;
        edgeops_status status = read_through(o);
        if (allocations < fail_at) {
            cr_expect_eq(status, EDGEOPS_DONE, "%s", edgeops_error_last()->message);
            break;
        }
        cr_assert(status == EDGEOPS_DONE || status == EDGEOPS_E_NOMEM, "%ld: %s", fail_at,
                  edgeops_error_last()->message);
    }
    cr_expect_gt(fail_at, 40);
}

Test(codec_table_reader, every_failed_allocation_is_an_error) {
    take_failing_memory();
    eop_table_options o = {.what = "t.csv", .asset = "{who}", .on_label = on_label};
    o.time_column = "Date";
    o.clock_column = "Time";
    o.label_column = "l";
    o.dialect.separator = ";";
    o.bad_rows = EOP_BAD_SKIP;
    fails_cleanly("Date;Time;who;l;x;x;y:int8;x:quality;\n;;;;K;m;;;\n"
                  "2020-01-01;10:00;a;on;1,5;;1;3;\n2020-01-01;09:00;b;on;2,5;NA;2;;\n;;;;\n"
                  "2020-01-01;10:00;a;off;oops;7;3;;\n2020-01-01;10:00;a;off;7;7;3;;late\n",
                  &o);
    o = (eop_table_options){.asset = "{dev}", .time_column = "time", .on_label = on_label};
    o.channel_column = "name";
    o.value_column = "value";
    o.label_column = "l";
    fails_cleanly("time,dev,name,value,unit,note,l\n1,a,t,5,K,,on\n1,a,s,text,,,on\n"
                  "2,b,t,6,K,,\n",
                  &o);
    o = (eop_table_options){.asset = "{asset}", .time_column = "time"};
    o.column_pattern = "{asset}.{channel}";
    o.format = EOP_TABLE_JSON_LINES;
    fails_cleanly("{\"time\":1,\"a.x\":1,\"b.x\":\"t\"}\n{\"time\":2,\"c.y\":7}\n", &o);
}
