/* SPDX-License-Identifier: Apache-2.0 */
/* Times: which column has them, how they are written, where a row stands. */
#include "codec_table.h"

TestSuite(codec_table_guess, .fini = table_close, .timeout = 60);

static eop_table_options by_look(void) {
    return (eop_table_options){.what = "t.csv", .asset = "a", .time_column = "time"};
}

/* Times of the rows in seconds. */
static void are(const char *wanted) {
    static char text[1024];
    eop_table_row row;
    text[0] = '\0';
    while (eop_table_reader_next(table, &row) == EDGEOPS_OK) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%lld.%lld ",
                 (long long)(row.sample.time / 1000000000), (long long)row.sample.seq);
    }
    cr_expect_str_eq(text, wanted, "%s", text);
}

Test(codec_table_guess, the_column_of_the_time) {
    static const char *const names[] = {"Timestamp", "DATE", "datetime", "ts", "Time", "date_time"};
    eop_table_options o = by_look();
    char text[200];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof text, "x,%s\n1,2020-01-01T00:00:00Z\n", names[i]);
        table_open(text, &o);
        snprintf(text, sizeof text, "column '%s' has the time", names[i]);
        table_notes(text);
        are("1577836800.0 ");
    }
    table_refuses("ts,date,x\n1600000000,2020-01-01,1\n", &o, "both could have the time");
    table_refuses("x,date\n1,monday\n", &o, "what 'date' has are not times");
    table_refuses("x,date\n1,18282\n", &o, "what 'date' has are not times");
    table_open("x,ts\n1,1600000000\n", &o);
    are("1600000000.0 ");
    table_open("time,date\n1,2020-01-01\n", &o);
    are("1.0 ");
    o.time_column = "when";
    table_refuses("ts,x\n1,1\n", &o, "no column 'when'; it has ts, x");
    o.time_column = "time";
    o.time_optional = true;
    table_open("x\n1\n", &o);
    cr_expect(!eop_table_reader_timed(table));
}

Test(codec_table_guess, date_and_clock) {
    eop_table_options o = by_look();
    table_open("Date,Time,x\n2018-01-28,00:15:00,1\n2018-01-28,00:30,2\n", &o);
    are("1517098500.0 1517099400.0 ");
    table_notes("columns 'Date' and 'Time' have the date and the time of day");
    table_refuses("Date;Time;x\n", &(eop_table_options){.asset = "a", .time_column = "time"},
                  "no column 'time'");
    o.dialect.separator = ";";
    table_refuses("Date;Time;x\n16/12/2006;17:24:00;4,2\n", &o, "--time-column 'Date+Time'");
    o.time_column = "Date";
    o.clock_column = "Time";
    o.rules.times.format = "%d/%m/%Y %H.%M.%S";
    table_open("Date;Time;x\n10/03/2004;18.00.00;2,6\n;;\n10/03/2004;19.00.00;NA\n", &o);
    are("1078941600.0 1078945200.0 ");
    table_open("Date;Time;x\n10/03/2004;;2,6\n", &o);
    cr_expect_str_eq(table_rows(), "bad\n");
}

Test(codec_table_guess, whole_years) {
    eop_table_options o = by_look();
    o.time_column = "year";
    table_open("year,x\n1871,1120\n1872,1160\n", &o);
    are("-3124137600.0 -3092601600.0 ");
    table_notes("column 'year' has years");
    table_warns("1871-01-01T00:00:00Z");
    o.rules.times.unit = "s";
    table_open("year,x\n1871,1120\n", &o);
    are("1871.0 ");
    o = by_look();
    table_open("YEAR,x\n1990,1\n1991.0,2\n", &o);
    are("631152000.0 662688000.0 ");
    table_open("time,x\n1990,1\n5000,2\n", &o);
    are("1990.0 5000.0 ");
}

Test(codec_table_guess, what_is_said_of_times) {
    eop_table_options o = by_look();
    table_open("time,x\n2020-01-01 00:00,1\n2020-01-02,2\n", &o);
    are("1577836800.0 1577923200.0 ");
    table_notes("times have no zone and are taken as UTC");
    table_is_calm();
    cr_expect_str_eq(eop_json_string(table_report(), "first", ""), "2020-01-01T00:00:00Z");
    table_open("time,x\n2020-01-01 00:00Z,1\n", &o);
    are("1577836800.0 ");
    cr_expect(!table_says("notes", "zone"));
    table_open("time,x\n3000,1\n", &o);
    are("3000.0 ");
    table_warns("1970-01-01T00:50:00Z");
}

Test(codec_table_guess, times_that_come_again_count_up) {
    eop_table_options o = by_look();
    table_open("time,x\n5,1\n6,2\n6,3\n5,4\n6,5\n4,6\n5,7\n7,8\n", &o);
    are("5.0 6.0 6.1 5.1 6.2 4.0 5.2 7.0 ");
    o.asset = "{who}";
    table_open("time,who,x\n5,a,1\n5,b,1\n4,a,1\n5,a,1\n5,b,1\n", &o);
    are("5.0 5.0 4.0 5.1 5.1 ");
}

Test(codec_table_guess, the_repeated_hour) {
    eop_table_options o = by_look();
    o.rules.times.zone = "Europe/Vienna";
    /* 01:30, 02:30 twice, 03:30 of a file that goes by the half hour */
    table_open("time,x\n2023-10-29 01:30,1\n2023-10-29 02:00,2\n2023-10-29 02:30,3\n"
               "2023-10-29 02:00,4\n2023-10-29 02:30,5\n2023-10-29 03:00,6\n",
               &o);
    are("1698535800.0 1698537600.0 1698539400.0 1698541200.0 1698543000.0 1698544800.0 ");
    cr_expect_eq(eop_json_integer(eop_json_get(table_report(), "times"), "repeated", 0), 4);
    /* hourly: the times stand still where they never did */
    table_open("time,x\n2023-10-29 01:00,1\n2023-10-29 02:00,2\n2023-10-29 02:00,3\n"
               "2023-10-29 03:00,4\n",
               &o);
    are("1698534000.0 1698537600.0 1698541200.0 1698544800.0 ");
    /* rows of one time */
    table_open("time,x\n2023-10-29 01:00,1\n2023-10-29 01:00,2\n2023-10-29 02:00,2\n"
               "2023-10-29 02:00,3\n",
               &o);
    are("1698534000.0 1698534000.1 1698537600.0 1698537600.1 ");
    /* hourly, a row in two parts */
    table_open("time,x,y\n2023-10-29 01:00,1,\n2023-10-29 01:00,,1\n2023-10-29 02:00,2,\n"
               "2023-10-29 02:00,,2\n2023-10-29 02:00,3,\n2023-10-29 02:00,,3\n",
               &o);
    are("1698534000.0 1698534000.0 1698537600.0 1698537600.0 1698541200.0 1698541200.0 ");
    /* and one after the other: the first pass of y steps back far, its second by an hour */
    table_open("time,x,y\n2023-10-28 23:00,0,\n2023-10-29 02:00,2,\n2023-10-29 02:00,3,\n"
               "2023-10-28 23:00,,0\n2023-10-29 02:00,,2\n2023-10-29 02:00,,3\n",
               &o);
    are("1698526800.0 1698537600.0 1698541200.0 1698526800.0 1698537600.0 1698541200.0 ");
    /* hourly, of groups one after the other */
    o.group_column = "who";
    table_open("time,who,x\n2023-10-29 01:00,a,1\n2023-10-29 02:00,a,2\n2023-10-29 02:00,a,3\n"
               "2023-10-29 01:00,b,1\n2023-10-29 02:00,b,2\n2023-10-29 02:00,b,3\n",
               &o);
    are("1698534000.0 1698537600.0 1698541200.0 1698534000.0 1698537600.0 1698541200.0 ");
}
