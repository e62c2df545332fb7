/* SPDX-License-Identifier: Apache-2.0 */
/* Several assets in a file: by a column, by the names of columns; and the long format. */
#include "codec_table.h"

TestSuite(codec_table_long, .fini = table_close, .timeout = 60);

static eop_table_options as_long(void) {
    eop_table_options o = table_options();
    o.asset = "{dev}";
    o.channel_column = "name";
    o.value_column = "value";
    return o;
}

Test(codec_table_long, records_of_one_time_become_a_row) {
    eop_table_options o = as_long();
    table_open("time,dev,name,value\n1,a,t,1.5\n1,a,p,2\n1,b,t,7\n2,a,p,NA\n2,a,t,3\n2,a,t,4\n"
               "1,a,t,9\n",
               &o);
    table_expect("a 1.0 t=1.5 p=2\nb 1.0 t=7\na 2.0 t=3\na 2.1 t=4\na 1.1 t=9\n");
    cr_expect_eq(eop_json_integer(table_channel("p"), "nulls", 0), 1);
    cr_expect_eq(eop_json_integer(table_channel("t"), "values", 0), 5);
}

Test(codec_table_long, each_channel_has_its_type) {
    eop_table_options o = as_long();
    const eop_table_column given[] = {{"n", EDGEOPS_TYPE_INT32, 1, "1"}};
    o.columns = given;
    o.column_count = 1;
    table_open("time,dev,name,value\n1,a,x,1\n1,a,s,on\n1,a,b,true\n1,a,n,5\n2,a,s,7\n2,a,x,off\n"
               "3,a,late,word\n3,a,late,2\n",
               &o);
    table_type("s", "string", "texts");
    table_type("n", "int32", "given");
    table_type("b", "bool", "true");
    table_type("x", "string", "numbers and texts");
    table_warns("column 'x' became text");
    table_expect("a 1.0 x='1' s='on' b=true n=5\na 2.0 s='7' x='off'\na 3.0 late='word'\n"
                 "a 3.1 late='2'\n");
}

Test(codec_table_long, a_late_channel_and_bad_values) {
    eop_table_options o = as_long();
    eop_buf text = {0};
    eop_buf_puts(&text, "time,dev,name,value\n");
    for (int i = 0; i < 600; i++) {
        eop_buf_printf(&text, "%d,a,x,1\n", i);
    }
    eop_buf_puts(&text, "600,a,x,oops\n600,a,late,on\n600,a,x,5\n600,a,,5\n601,a,late,\n");
    table_open(text.data, &o);
    eop_buf_dispose(&text);
    const char *rows = table_rows();
    cr_expect_not_null(strstr(rows, "bad\nbad\na 600.0 late='on' x=5\n"), "%s",
                       rows + strlen(rows) - 80);
    table_type("late", "string", "first value");
    cr_expect_eq(eop_json_integer(table_report(), "skipped", 0), 2);
}

Test(codec_table_long, codes_units_and_columns_that_are_not_used) {
    eop_table_options o = as_long();
    o.label_column = "state";
    table_open("time,dev,name,value,quality,unit,note,state\n1,a,t,5,192,K,hello,ok\n"
               "1,a,p,6,,bar,,ok\n2,a,t,7,0,K,,\n",
               &o);
    table_expect("a 1.0 t=5!192 p=6 /ok\na 2.0 t=7!0\n");
    table_notes("columns that the long format does not use: note");
    const eop_table_column *channels = NULL;
    cr_assert_eq(eop_table_reader_channels(table, &channels), 2);
    cr_expect_str_eq(channels[0].unit, "K");
    cr_expect_str_eq(channels[1].unit, "bar");
}

Test(codec_table_long, without_a_time) {
    eop_table_options o = as_long();
    o.time_column = NULL;
    o.period = 10;
    table_open("dev,name,value\na,t,1\na,p,2\na,t,3\n", &o);
    table_expect("a 0.0 t=1 p=2\na 10.0 t=3\n");
    o.value_column = "values";
    table_refuses("dev,name,value\na,t,1\n", &o, "no column 'values'");
}

Test(codec_table_long, wide_files_of_several_assets) {
    eop_table_options o = table_options();
    o.asset = "plant/{asset}";
    o.column_pattern = "{asset}.{channel}";
    table_open("time,p1.temp,p2.temp,p1.rpm\n1,1,2,3\n2,,,\n3,5,,6\n3,7,8,\n", &o);
    table_expect("plant/p1 1.0 temp=1 rpm=3\nplant/p2 1.0 temp=2\nplant/p1 3.0 temp=5 rpm=6\n"
                 "plant/p1 3.1 temp=7\nplant/p2 3.0 temp=8\n");
    o.column_pattern = "{channel} ({asset})";
    table_open("time,temp (p1),temp (p2)\n1,1,2\n", &o);
    table_expect("plant/p1 1.0 temp=1\nplant/p2 1.0 temp=2\n");
    table_refuses("time,temp\n1,1\n", &o, "does not fit the pattern");
    o.column_pattern = "{asset}.{channel}";
    table_open("time,p1.x,p2.x,p1.x:int8\n1,1,2,3\n", &o);
    table_expect("plant/p1 1.0 x=1 x_2=3\nplant/p2 1.0 x=2\n");
    o.column_pattern = "{channel} ({asset})";
    o.asset = "plant";
    table_refuses("time,temp (p1)\n1,1\n", &o, "the name needs {asset}");
    o.asset = "plant/{asset}";
    o.column_pattern = "{asset}{channel}";
    table_refuses("time,temp\n1,1\n", &o, "a text between");
    o.column_pattern = "{asset}.{channel}";
    o.asset = "{asset}";
    o.skip = (const char *[]){"note"};
    o.skip_count = 1;
    o.label_column = "l";
    table_open("time,p1.a,p2.a,note,l\n1,1,2,x,on\n2,1,,x,on\n", &o);
    table_expect("p1 1.0 a=1 /on\np2 1.0 a=2 /on\np1 2.0 a=1 /on\n");
}

/* -- JSON lines go the same way -- */

static eop_table_options as_json(void) {
    eop_table_options o = table_options();
    o.format = EOP_TABLE_JSON_LINES;
    return o;
}

Test(codec_table_long, json_lines_by_the_same_rules) {
    eop_table_options o = as_json();
    table_open("{\"time\":1,\"x\":1,\"id\":\"007\",\"ok\":true}\n"
               "{\"time\":1,\"x\":null,\"id\":\"\"}\n"
               "{\"time\":2,\"x\":\"NA\",\"n:int64\":9007199254740993}\n"
               "{\"time\":3,\"x\":\"NA\"}\n{\"time\":\"soon\",\"x\":1}\n{\"x\":1}\n{}\n",
               &o);
    table_expect("a 1.0 x=1 id='007' ok=true\na 1.1 id=''\na 2.0 n=9007199254740993\n"
                 "a 3.0 x=null\nbad\nbad\nbad\n");
    table_type("x", "float64", "numbers");
    table_is_calm();
    table_open("{\"time\":1,\"x\":1}\n{\"time\":2,\"x\":\"2\"}\n{\"time\":3,\"x\":\"NA\"}\n", &o);
    table_expect("a 1.0 x='1'\na 2.0 x='2'\na 3.0 x='NA'\n");
    table_warns("column 'x' became text");
}

Test(codec_table_long, an_empty_part_of_a_name_is_no_asset) {
    eop_table_options o = table_options();
    o.asset = "w{who}";
    table_open("time,who,x\n1,,1\n2,a,2\n", &o);
    table_expect("bad\nwa 2.0 x=2\n");
    o.format = EOP_TABLE_JSON_LINES;
    table_open("{\"time\":1,\"x\":1}\n{\"time\":2,\"x\":1,\"who\":\"a\"}\n", &o);
    table_expect("bad\nwa 2.0 x=1\n");
}

Test(codec_table_long, what_is_given_and_never_there_is_said) {
    eop_table_options o = as_json();
    const eop_table_column given[] = {{"x", EDGEOPS_TYPE_INT64}, {"y", EDGEOPS_TYPE_INT64}};
    o.columns = given;
    o.column_count = 2;
    table_open("{\"time\":1,\"x\":1,\"seq\":1}\n{\"time\":2,\"x\":1}\n", &o);
    table_warns("nothing is called 'y'");
    cr_expect(!table_says("warnings", "'x'"));
    o = table_options();
    table_open("time,seq,x\n1,1,5\n2,,6\n", &o);
    table_warns("column 'seq' does not have a number in each row");
}

Test(codec_table_long, members_that_come_later_become_channels) {
    eop_table_options o = as_json();
    eop_buf text = {0};
    for (int i = 0; i < 700; i++) {
        eop_buf_printf(&text, "{\"time\":%d,\"x\":1}\n", i);
    }
    eop_buf_puts(&text,
                 "{\"time\":700,\"y\":\"on\",\"x\":2}\n{\"time\":701,\"z:int8\":7,\"l\":\"k\"}\n");
    o.label_column = "l";
    table_open(text.data, &o);
    eop_buf_dispose(&text);
    const char *rows = table_rows();
    cr_expect_not_null(strstr(rows, "a 700.0 x=2 y='on'\na 701.0 z=7 /k\n"), "%s",
                       rows + strlen(rows) - 80);
}

Test(codec_table_long, json_numbers_keep_their_point) {
    eop_table_options o = as_json();
    o.rules.decimal = ',';
    table_open("{\"time\":1,\"x\":1.5}\n{\"time\":2,\"x\":2.5}\n", &o);
    table_expect("a 1.0 x=1.5\na 2.0 x=2.5\n");
    const eop_table_column given[] = {{"x", EDGEOPS_TYPE_FLOAT64}, {"v", EDGEOPS_TYPE_FLOAT32, 3}};
    o.columns = given;
    o.column_count = 2;
    table_open("{\"time\":1,\"x\":\"1,5\",\"v\":[1,2.5,NaN]}\n", &o);
    table_expect("a 1.0 x=1.5 v=[3]\n");
}
