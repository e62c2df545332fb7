/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and rows as files really have them. */
#include "codec_table.h"

TestSuite(codec_table_rows, .fini = table_close, .timeout = 60);

static char refused[1024];

static void on_bad(uint64_t line, const char *column, const char *reason, const char *text,
                   size_t size, void *user_data) {
    (void)user_data;
    size_t used = strlen(refused);
    snprintf(refused + used, sizeof refused - used, "%llu %s %s %.*s|", (unsigned long long)line,
             column != NULL ? column : "-", reason, (int)size, text != NULL ? text : "");
}

Test(codec_table_rows, bad_rows_are_left_out_and_counted) {
    eop_table_options o = table_options();
    o.bad_rows = EOP_BAD_SKIP;
    o.on_bad = on_bad;
    table_open("time,x,n:int8\n1,1,1\n2\n3,2,3,4\nsoon,1,1\n5,\"a\" b,2\n6,3,400\n7,4,4\n", &o);
    table_expect("a 1.0 x=1 n=1\na 7.0 x=4 n=4\n");
    const eop_json *report = table_report();
    cr_expect_eq(eop_json_integer(report, "skipped", 0), 5);
    cr_expect_eq(eop_json_size(eop_json_get(report, "reasons")), 5);
    cr_expect_eq(eop_json_size(eop_json_get(report, "bad_rows")), 5);
    const eop_json *first = eop_json_first(eop_json_get(report, "bad_rows"));
    cr_expect_eq(eop_json_integer(first, "line", 0), 3);
    cr_expect_str_eq(eop_json_string(first, "reason", ""), "too few fields");
    cr_expect_not_null(strstr(refused, "5 time not a time (ISO 8601 or a number) soon|"), "%s",
                       refused);
    cr_expect_not_null(strstr(refused, "5,\"a\" b,2|"), "%s", refused);
    cr_expect_not_null(strstr(refused, "7 n:int8 not an int8 400|"), "%s", refused);
}

/* A torn value among the first rows is no reason to take all of them for texts. */
Test(codec_table_rows, a_torn_value_does_not_make_a_column_text) {
    eop_table_options o = table_options();
    o.bad_rows = EOP_BAD_SKIP;
    table_open("time,x,code\n1,1,1\n2,1.2.3,A\n3,3,2\n4,4,3\n5,5,B\n6,6,7\n", &o);
    table_expect("a 1.0 x=1 code='1'\na 3.0 x=3 code='2'\na 4.0 x=4 code='3'\n"
                 "a 5.0 x=5 code='B'\na 6.0 x=6 code='7'\n");
    table_type("x", "float64", "most values are numbers");
    table_type("code", "string", "numbers and texts");
    table_warns("column 'x' is taken as numbers: 5 of its first 6 values are, rows such as line 3");
    o.bad_rows = EOP_BAD_ERROR;
    table_open("time,x\n1,1\n2,1.2.3\n3,3\n4,4\n5,5\n6,6\n", &o);
    table_type("x", "string", "numbers and texts");
}

/* One value that cannot be read takes the whole row. */
Test(codec_table_rows, a_row_is_good_or_bad_as_a_whole) {
    eop_table_options o = table_options();
    o.asset = "{asset}";
    o.column_pattern = "{asset}.{channel}";
    const eop_table_column given[] = {{"p2.x", EDGEOPS_TYPE_INT64}};
    o.columns = given;
    o.column_count = 1;
    table_open("time,p1.x,p2.x\n1,1,2\n2,1,two\n3,5,6\n", &o);
    table_expect("p1 1.0 x=1\np2 1.0 x=2\nbad\np1 3.0 x=5\np2 3.0 x=6\n");
}

Test(codec_table_rows, what_is_empty_costs_nothing) {
    eop_table_options o = table_options();
    table_open("time,x\n1,1,\n2,2,,,\n,\n,,,\n3,3\n", &o);
    table_expect("a 1.0 x=1\na 2.0 x=2\na 3.0 x=3\n");
    table_notes("line 2 has empty fields behind the last column");
    table_notes("rows of separators alone are left out, the first in line 4: 2");
    table_open("time,x,\n1,1,\n2,2\n", &o);
    table_expect("a 1.0 x=1\na 2.0 x=2\n");
    table_open("time,x\n1,1,5\n", &o);
    cr_expect_str_eq(table_rows(), "bad\n");
    table_open("time,x,y\n1,1\n", &o);
    cr_expect_str_eq(table_rows(), "bad\n");
}

/* An export has no other sign for it, and arrays with masks give the same. */
Test(codec_table_rows, a_row_of_nulls_is_one_where_the_header_has_a_type) {
    eop_table_options o = table_options();
    table_open("time,x,y\n1,1,2\n2,,\n3,NA,\n4,3,4\n", &o);
    table_expect("a 1.0 x=1 y=2\na 3.0 x=null\na 4.0 x=3 y=4\n");
    table_open("time,x:float64,y\n1,1,2\n2,,\n3,,5\n", &o);
    table_expect("a 1.0 x=1 y=2\na 2.0 x=null\na 3.0 y=5\n");
    table_open("time,s:string\n1,on\n2,\n3,\"\"\n", &o);
    table_expect("a 1.0 s='on'\na 2.0 s=null\na 3.0 s=''\n");
}

/* Without a column of the time each row has its place, also an empty one. */
Test(codec_table_rows, empty_rows_take_their_time) {
    eop_table_options o = table_options();
    o.time_column = NULL;
    o.period = 10;
    table_open("x,y\n1,2\n,\n3,4\n", &o);
    table_expect("a 0.0 x=1 y=2\na 20.0 x=3 y=4\n");
}

static bool nothing_known(const char *asset, const char *channel, edgeops_type *type,
                          uint32_t *length, void *user_data) {
    (void)asset, (void)channel, (void)type, (void)length, (void)user_data;
    return false;
}

Test(codec_table_rows, what_is_done_with_times_is_said) {
    eop_table_options o = table_options();
    o.on_known = nothing_known; /* it is for a store */
    table_open("time,x\n1793000000,1\n1793000001,2\n1793000000,1\n", &o);
    table_expect("a 1793000000.0 x=1\na 1793000001.0 x=2\na 1793000000.1 x=1\n");
    table_notes(
        "rows that have the time of another row of their asset, and a sequence number (seq) "
        "of their own: 1");
    table_open("time,x\n1,\n1793000000,1\n", &o);
    table_expect("a 1793000000.0 x=1\n");
    table_notes("rows without a value in any channel, which are not taken: 1");
    table_is_calm(); /* the row that is not taken has no part in the range of the times */
    o.rules.times.unit = NULL;
    table_open("time,x\n1793000000,1\n1793000001000,2\n", &o);
    table_expect("a 1793000000000000000.0 x=1\na 1793000001000000000.0 x=2\n");
    table_warns("the times are numbers of different units since 1970");
}

Test(codec_table_rows, columns_without_a_name_get_one) {
    eop_table_options o = table_options();
    table_open(",time,x,\n0,1,5,\n1,2,6,\n", &o);
    table_expect("a 1.0 column_1=0 x=5\na 2.0 column_1=1 x=6\n");
    table_notes("the column without a name in place 1 is called 'column_1'");
    cr_expect(!table_says("notes", "column_4"));
    const eop_table_column *channels = NULL;
    cr_expect_eq(eop_table_reader_channels(table, &channels), 2);
    table_open("Unnamed: 0,time,x,Unnamed: 3\n,1,5,\n,2,6,7\n", &o);
    table_expect("a 1.0 x=5\na 2.0 x=6 column_4=7\n");
    o.skip = (const char *[]){"column_4"};
    o.skip_count = 1;
    table_open("Unnamed: 0,time,x,Unnamed: 3\n,1,5,\n,2,6,7\n", &o);
    table_expect("a 1.0 x=5\na 2.0 x=6\n");
}

Test(codec_table_rows, names_that_come_again_get_a_number) {
    eop_table_options o = table_options();
    table_open("time,x,x,x_2,x\n1,2,3,4,5\n", &o);
    table_expect("a 1.0 x=2 x_2=3 x_2_2=4 x_3=5\n");
    table_notes("column 'x' is there again: the one in place 3 is 'x_2'");
    table_open("time,x,x:int8,x_2\n1,2,3,4\n", &o);
    table_expect("a 1.0 x=2 x_2=3 x_2_2=4\n");
    table_notes("channel 'x' is there again: column 'x:int8' becomes 'x_2'");
    table_open("time, x , y:int8\n1,2,3\n", &o);
    table_expect("a 1.0 x=2 y=3\n");
}

Test(codec_table_rows, without_a_header) {
    eop_table_options o = table_options();
    const char *const names[] = {"time", "x", "s"};
    o.no_header = true;
    o.names = names;
    o.name_count = 3;
    table_open("1,2.5,a\n2,3.5,b\n", &o);
    table_expect("a 1.0 x=2.5 s='a'\na 2.0 x=3.5 s='b'\n");
    o.name_count = 2;
    table_refuses("1,2.5,a\n", &o, "2 names are given for 3 columns");
    o.name_count = 0;
    o.time_column = "c1";
    table_open("1,2.5\n2,3.5\n", &o);
    table_expect("a 1.0 c2=2.5\na 2.0 c2=3.5\n");
    o = table_options();
    o.rules.times.unit = NULL;
    o.no_header = true;
    table_open("7,2026-01-01T00:00:00Z,on\n8,2026-01-01T00:00:01Z,off\n", &o);
    table_notes("column 'c2' has the time");
    table_expect("a 1767225600000000000.0 c1=7 c3='on'\na 1767225601000000000.0 c1=8 c3='off'\n");
    table_refuses("1,2\n3,4\n", &o, "no column 'time'; it has c1, c2");
    o = table_options();
    o.names = names;
    o.name_count = 3;
    o.time_column = "time";
    table_open("t,a,b\n1,2.5,a\n", &o);
    table_expect("a 1.0 x=2.5 s='a'\n");
}

Test(codec_table_rows, a_row_of_numbers_is_no_header) {
    eop_table_options o = table_options();
    o.time_column = NULL;
    table_refuses("1.5,2.5\n3.5,4.5\n", &o, "t.csv:1: the header has numbers");
    cr_expect_not_null(strstr(edgeops_error_last()->message, "--no-header"));
    table_refuses("2026-01-01T00:00:00Z,2.5\n2026-01-01T00:00:01Z,4.5\n", &o, "--no-header");
    table_refuses("a,2.5,7\n3.5,4.5,7\n", &o, "--no-header");
    table_open("1990,1991,1992\n1,2,3\n", &o);
    table_warns("line 1 has numbers and is taken as the header");
    table_expect("a 0.0 1990=1 1991=2 1992=3\n");
    table_open("0,1,2\n5,6,7\n", &o);
    table_warns("--no-header");
    table_open("x,7\n5,6\n", &o);
    table_is_calm();
    o.time_column = "time";
    table_open("time,1990,1991\n1,2,3\n", &o);
    table_is_calm();
    table_expect("a 1.0 1990=2 1991=3\n");
}

Test(codec_table_rows, rows_of_units_and_comments_below_the_header) {
    eop_table_options o = table_options();
    table_open("time,temp,press,state\nns,[degC],bar,\n,,Smp,Smp\n1,2.5,1,on\n2,3.5,2,off\n", &o);
    table_notes("line 2 has the units");
    table_notes("line 3 is no row of data");
    const eop_table_column *channels = NULL;
    cr_assert_eq(eop_table_reader_channels(table, &channels), 3);
    cr_expect_str_eq(channels[0].unit, "degC");
    cr_expect_str_eq(channels[1].unit, "bar");
    cr_expect_null(channels[2].unit);
    table_type("temp", "float64", "numbers");
    table_expect("a 1.0 temp=2.5 press=1 state='on'\na 2.0 temp=3.5 press=2 state='off'\n");
    o.time_column = NULL;
    table_open("temp,press\ndegC,bar\n2.5,1\n", &o);
    table_expect("a 0.0 temp=2.5 press=1\n");
    const eop_table_column given[] = {{"x", EDGEOPS_TYPE_FLOAT64, 1, "K"}};
    o.columns = given;
    o.column_count = 1;
    table_open("x\ndegC\n2.5\n", &o);
    table_expect("a 0.0 x=2.5\n");
    cr_expect_eq(eop_table_reader_channels(table, &channels), 1);
    cr_expect_str_eq(channels[0].unit, "K");
}

/* What is no unit: a text among texts, a word for null, a bad time with numbers beside it. */
Test(codec_table_rows, data_is_not_taken_for_units) {
    eop_table_options o = table_options();
    o.time_column = NULL;
    table_open("s,t\na,b\nc,d\n", &o);
    table_expect("a 0.0 s='a' t='b'\na 1000000000.0 s='c' t='d'\n");
    table_open("x,y\nNA,-\n1,2\n", &o);
    cr_expect_null(strstr(table_rows(), "bad"));
    cr_expect(!table_says("notes", "units"));
    o.time_column = "time";
    table_open("time,x\nsoon,5\n2,6\n", &o);
    cr_expect_str_eq(table_rows(), "bad\na 2.0 x=6\n");
    table_open("time,x\n31/12/2025,off\n2,6\n", &o);
    cr_expect_not_null(strstr(table_rows(), "bad\n"));
}

Test(codec_table_rows, lines_above_the_header) {
    eop_table_options o = table_options();
    static const char text[] = "\"TOA5\",\"dev1\",\"model\"\n\"TIMESTAMP\",\"RECORD\",\"temp\","
                               "\"press\"\n\"TS\",\"RN\",\"C\",\"kPa\"\n\"\",\"\",\"Smp\",\"Smp\"\n"
                               "\"2024-06-07 13:00:00.05\",1,28.5,NAN\n";
    table_refuses(text, &o, "--skip-rows 1");
    table_refuses("Exported by logger 7\nSerial,12\ntime,x\n1,1\n2,2\n", &o, "--skip-rows 2");
    table_refuses("time;x\n1;1\n", &o, "--separator ';'");
    o.time_column = NULL;
    table_refuses("w,t\n5,2,3\n6,3,4\n", &o, "a name less than the rows");
    table_refuses("logger 7\nt,x\n1,2\n2,3\n", &o, "--skip-rows 1");
    table_open("logger 7\nserial 5\nt,x\n1,2\n2,3\n3,4\n", &o);
    eop_table_row row;
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "t.csv:3: 2 fields, the header in "
                                                             "line 1 has 1"),
                       "%s", edgeops_error_last()->message);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "--skip-rows 2"));
    o.time_column = "time";
    o.dialect.skip_rows = 1;
    table_open(text, &o);
    table_expect("a 1717765200050000000.0 RECORD=1 temp=28.5\n");
    table_notes("line 3 has the units");
    table_notes("column 'TIMESTAMP' has the time");
}

/* What R writes has a name less in the header than in the rows; a header that lost a separator looks
 * alike. */
Test(codec_table_rows, names_of_rows) {
    static const char note[] = "the first column has the names of the rows";
    eop_table_options o = table_options();
    table_open("\"time\",\"x\"\n\"1\",1,4\n\"2\",2,5\n", &o);
    table_expect("a 1.0 column_1=1 x=4\na 2.0 column_1=2 x=5\n");
    table_notes(note);
    table_notes("in place 1 is called 'column_1'");
    o.dialect.separator = " ";
    table_open("time x\n1 1 4\n2 2 5\n3 3 NA\n", &o);
    table_expect("a 1.0 column_1=1 x=4\na 2.0 column_1=2 x=5\na 3.0 column_1=3\n");
    table_notes(note);
    o.time_column = "column_1";
    table_open("\"x\"\n\"7\" 4\n\"9\" 5\n", &o);
    table_expect("a 7.0 x=4\na 9.0 x=5\n");
    table_notes(note);
    o = table_options();
    static const char *const torn[] = {
        "time,x\n1,1,4\n3,2,5\n",               /* not 1, 2, 3 */
        "time,x\n1,1,4\n",                      /* one row says nothing */
        "time,x\n1,1,4\n2,2,5\n3,3,6,7\n",      /* not all rows */
        "time,x\nfour,1,4\nfive,2,5\n",         /* without quotes */
        "time,x\n\"four\",1,4\n\"four\",2,5\n", /* twice */
        "logger,7\n\"time\",\"x\",\"y\"\n\"1\",1,4\n\"2\",2,5\n",
    };
    for (size_t i = 0; i < EOP_COUNT(torn); i++) {
        table_write(torn[i]);
        if (eop_table_reader_open(&table, table_fd, &o) == EDGEOPS_OK) {
            cr_expect(!table_says("notes", note), "%s", torn[i]);
        }
    }
    table_open("time,x\n1,4,\n2,5,\n", &o); /* a separator at the end */
    table_expect("a 1.0 x=4\na 2.0 x=5\n");
}

Test(codec_table_rows, files_behind_each_other) {
    eop_table_options o = table_options();
    table_open("time,x\n1,1\ntime,x\n2,2\n", &o);
    table_expect("a 1.0 x=1\na 2.0 x=2\n");
    table_type("x", "float64", "numbers");
    table_notes("line 3 has the header again");
    table_is_calm();
}

Test(codec_table_rows, a_comma_in_a_number_is_told_of) {
    eop_table_options o = table_options();
    eop_table_row row;
    const eop_table_column given[] = {{"x", EDGEOPS_TYPE_FLOAT64}};
    o.columns = given;
    o.column_count = 1;
    table_open("time,x\n1,1\n2,\"1,5\"\n", &o);
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_OK);
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "--decimal ,"), "%s",
                       edgeops_error_last()->message);
}

Test(codec_table_rows, where_and_texts_as_before) {
    eop_table_options o = table_options();
    const eop_table_condition where[] = {{"s", "b"}};
    o.where = where;
    o.where_count = 1;
    o.as_text = true;
    table_open("time,s,x\n1,a,1\n2,b,NA\n", &o);
    table_expect("a 2.0 time='2' s='b' x='NA'\n");
}
