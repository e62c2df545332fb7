/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_table.h"

TestSuite(codec_table_types, .fini = table_close, .timeout = 60);

Test(codec_table_types, words_for_null_do_not_make_numbers_text) {
    eop_table_options o = table_options();
    table_open("time,x,b,s\n1,NA,null,NA\n2,1.5,true,b\n3,-,?,\n4,N/A,None,NA\n", &o);
    table_type("x", "float64", "all values are numbers");
    table_type("b", "bool", "true and false");
    table_type("s", "string", "texts");
    table_expect("a 1.0 s='NA'\na 2.0 x=1.5 b=true s='b'\na 3.0 b=null\na 4.0 s='NA'\n");
    const eop_json *x = table_channel("x");
    cr_expect_eq(eop_json_integer(x, "values", 0), 1);
    cr_expect_eq(eop_json_integer(x, "nulls", 0), 3);
    cr_expect_eq(eop_json_integer(eop_json_get(x, "words"), "N/A", 0), 1);
    table_is_calm();
}

/* Wherever it stands. */
Test(codec_table_types, a_late_word_for_null_is_one) {
    eop_table_options o = table_options();
    eop_buf text = {0};
    eop_buf_puts(&text, "time,x\n");
    for (int i = 0; i < 1500; i++) {
        eop_buf_printf(&text, "%d,%s\n", i, i == 1200 ? "NULL" : "7");
    }
    table_open(text.data, &o);
    eop_buf_dispose(&text);
    cr_expect_null(strstr(table_rows(), "bad"));
    cr_expect_eq(eop_json_integer(table_channel("x"), "values", 0), 1499);
    cr_expect_eq(eop_json_integer(table_channel("x"), "nulls", 0), 1);
}

Test(codec_table_types, a_late_text_among_numbers_is_a_bad_row) {
    eop_table_options o = table_options();
    eop_buf text = {0};
    eop_buf_puts(&text, "time,x\n");
    for (int i = 0; i < 600; i++) {
        eop_buf_printf(&text, "%d,%s\n", i, i == 550 ? "broken" : "7");
    }
    table_open(text.data, &o);
    eop_buf_dispose(&text);
    eop_table_row row;
    for (int i = 0; i < 550; i++) {
        cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_OK);
    }
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_E_INVALID);
    const char *message = edgeops_error_last()->message;
    static const char *const parts[] = {"t.csv:552: column 'x': 'broken' is not a float64",
                                        "--null 'broken'", "--column x=string", "--bad-rows skip"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        cr_expect_not_null(strstr(message, parts[i]), "%s", message);
    }
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_OK);
    cr_expect_eq(row.sample.time, 551);
}

Test(codec_table_types, numbers_with_groups_or_too_large_are_warned_of) {
    eop_table_options o = table_options();
    o.dialect.separator = ";";
    table_open("time;x;y;z;ok\n1;950,00;1'000;99999999999999999999;007\n"
               "2;1.013,25;2'500.5;1;192.168.1.20\n",
               &o);
    table_type("x", "string", "numbers and texts");
    table_warns("column 'x' became text: '1.013,25' in line 3 looks like a number with groups of "
                "three digits: --decimal , --thousands \".\"; --column x=string");
    table_warns("column 'y' became text: '1'000' in line 2 looks like a number with groups of "
                "three digits: --decimal . --thousands \"'\"");
    table_warns("column 'z' became text: '99999999999999999999' in line 2 looks like a number that "
                "is too large: --column z=uint64");
    cr_expect(!table_says("warnings", "column 'ok'"));
}

Test(codec_table_types, numbers_that_became_text_are_warned_of) {
    eop_table_options o = table_options();
    table_open("time,x,id,day\n1,1,A1,20140204\n2,2,A2,20140205\n3,off,7,20140206\n", &o);
    table_type("x", "string", "numbers and texts");
    table_warns("column 'x' became text: 2 of its first 3 values are numbers, 'off' in line 4");
    table_warns("column 'day' has numbers that look like dates");
    cr_expect(!table_says("warnings", "'id'"));
    const char *const words[] = {"off"};
    o.rules.nulls = words;
    o.rules.null_count = 1;
    table_open("time,x\n1,1\n2,2\n3,off\n", &o);
    table_type("x", "float64", "numbers");
    table_is_calm();
}

static bool known(const char *asset, const char *channel, edgeops_type *type, uint32_t *length,
                  void *user_data) {
    (void)user_data;
    *length = 1;
    if (strcmp(channel, "id") == 0) {
        *type = strcmp(asset, "b") == 0 ? EDGEOPS_TYPE_INT32 : EDGEOPS_TYPE_STRING;
        return true;
    }
    return false;
}

Test(codec_table_types, who_decides) {
    eop_table_options o = table_options();
    const eop_table_column given[] = {{"g", EDGEOPS_TYPE_INT16, 1, "bar"}};
    o.columns = given;
    o.column_count = 1;
    o.on_known = known;
    table_open("time,g:float32,h:float32,id,id2:string,f\n1,1,1,1,1,1\n", &o);
    table_type("g", "int16", "given");
    table_type("h", "float32", "in the header");
    table_type("id", "string", "of the asset");
    table_type("id2", "string", "in the header");
    table_type("f", "float64", "found");
    cr_expect_str_eq(eop_json_string(table_channel("g"), "unit", ""), "bar");
    table_open("time,id\n1,1\n2,2\n3,x\n",
               &(eop_table_options){.asset = "a", .time_column = "time", .on_known = known});
    table_type("id", "string", "of the asset");
    table_is_calm();
    table_open("time,g:float32,h:float32,id,id2:string,f\n1,1,1,1,1,1\n", &o);
    table_notes("column 'h:float32' is the channel 'h' of type float32");
    table_expect("a 1.0 g=1 h=1 id='1' id2='1' f=1\n");
}

Test(codec_table_types, each_asset_is_asked_for_its_own) {
    eop_table_options o = table_options();
    o.asset = "{who}";
    o.on_known = known;
    table_open("time,who,id\n1,a,7\n1,b,7\n2,b,x\n2,a,x\n", &o);
    cr_expect_str_eq(table_rows(), "a 1.0 id='7'\nb 1.0 id=7\nbad\na 2.0 id='x'\n");
}

Test(codec_table_types, values_beyond_float64_need_a_type) {
    eop_table_options o = table_options();
    eop_table_row row;
    table_open("time,n\n1,9007199254740993\n2,5\n", &o);
    cr_assert_eq(eop_table_reader_next(table, &row), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "'9007199254740993'"));
    cr_expect_not_null(strstr(edgeops_error_last()->message, "--column n=int64"));
    table_open("time,n:int64\n1,9007199254740993\n2,5\n", &o);
    table_expect("a 1.0 n=9007199254740993\na 2.0 n=5\n");
}

Test(codec_table_types, a_column_without_a_value_is_declared) {
    eop_table_options o = table_options();
    eop_buf text = {0};
    const eop_table_column *channels = NULL;
    eop_buf_puts(&text, "time,x,empty,late,typed:int32,words\n");
    for (int i = 0; i < 600; i++) {
        eop_buf_printf(&text, "%d,1,,%s,,NA\n", i, i < 590 ? "" : "open");
    }
    table_open(text.data, &o);
    eop_buf_dispose(&text);
    cr_assert_eq(eop_table_reader_channels(table, &channels), 5);
    cr_expect_eq(channels[2].type, EDGEOPS_TYPE_NULL);
    cr_expect_null(strstr(table_rows(), "bad"));
    cr_assert_eq(eop_table_reader_channels(table, &channels), 5);
    cr_expect_eq(channels[1].type, EDGEOPS_TYPE_NULL);
    cr_expect_eq(channels[2].type, EDGEOPS_TYPE_STRING);
    cr_expect_eq(channels[3].type, EDGEOPS_TYPE_INT32);
    table_type("late", "string", "first value");
    table_type("empty", "null", "no value");
    cr_expect_eq(eop_json_integer(eop_json_get(table_channel("words"), "words"), "NA", 0), 600);
}

Test(codec_table_types, own_output_keeps_what_is_not_finite) {
    eop_table_options o = table_options();
    table_open("time,x:float64,y,x:quality,time:int64,n:quality\n"
               "1,NaN,NaN,192,7,1\n2,-Infinity,1,,8,2\n",
               &o);
    table_expect("a 1.0 x=NaN!192 time=7 n:quality=1\n"
                 "a 2.0 x=-Infinity y=1 time=8 n:quality=2\n");
}

Test(codec_table_types, quality_codes_go_to_their_channel) {
    eop_table_options o = table_options();
    table_open("time,x:quality,x,y\n1,3,1,2\n2,,1,2\n3,65535,1,2\n4,5,,2\n", &o);
    table_expect("a 1.0 x=1!3 y=2\na 2.0 x=1 y=2\nbad\na 4.0 y=2\n");
}

Test(codec_table_types, a_column_seq_has_the_sequence) {
    eop_table_options o = table_options();
    table_open("time,seq,x\n1,5,1\n1,9,2\n", &o);
    table_expect("a 1.5 x=1\na 1.9 x=2\n");
    table_notes("column 'seq' has the sequence numbers");
    const eop_table_column given[] = {{"seq", EDGEOPS_TYPE_FLOAT64}};
    o.columns = given;
    o.column_count = 1;
    table_open("time,seq,x\n1,5,1\n1,9,2\n", &o);
    table_expect("a 1.0 seq=5 x=1\na 1.1 seq=9 x=2\n");
    o.column_count = 0;
    table_open("time,seq,x\n1,5.5,1\n1,9,2\n", &o);
    table_expect("a 1.0 seq=5.5 x=1\na 1.1 seq=9 x=2\n");
    table_open("time,seq:float64,x\n1,5,1\n", &o);
    table_expect("a 1.0 seq=5 x=1\n");
}

Test(codec_table_types, decimal_comma_is_taken_where_it_fits) {
    eop_table_options o = table_options();
    o.dialect.separator = ";";
    table_open("time;x;n;s\n1;1,5;3;a,b\n2;-2,25E+1;4;c\n3;NA;5;d\n", &o);
    table_expect("a 1.0 x=1.5 n=3 s='a,b'\na 2.0 x=-22.5 n=4 s='c'\na 3.0 n=5 s='d'\n");
    table_notes("a comma is before the decimals (column 'x')");
    table_is_calm();
    o.rules.decimal = '.';
    table_open("time;x\n1;1,5\n", &o);
    table_expect("a 1.0 x='1,5'\n");
    o.rules.decimal = '\0';
    table_open("time;x;y\n1;1,5;1.5\n", &o);
    table_expect("a 1.0 x='1,5' y=1.5\n");
    table_warns("--decimal ,");
    table_open("time;x\n1;1,500\n2;12,250\n", &o);
    table_expect("a 1.0 x=1.5\na 2.0 x=12.25\n");
    table_warns("--thousands ,");
    o.dialect.separator = ",";
    table_open("time,x\n1,\"1,5\"\n", &o);
    table_expect("a 1.0 x='1,5'\n");
    table_warns("--decimal ,");
}

Test(codec_table_types, quoted_numbers_are_numbers) {
    eop_table_options o = table_options();
    const eop_table_column given[] = {{"n", EDGEOPS_TYPE_INT64}};
    o.columns = given;
    o.column_count = 1;
    table_open("time,n,x,s\n\"1\",\"5142800\",\"1.5\",\"\"\n2,1e3,2,\n", &o);
    table_expect("a 1.0 n=5142800 x=1.5\na 2.0 n=1000 x=2\n");
}
