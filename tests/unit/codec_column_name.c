/* SPDX-License-Identifier: Apache-2.0 */
/* What exports write behind a column's name comes off again, whatever the channel is called. */
#include <criterion/criterion.h>
#include <string.h>

#include "codec/column_name.h"

Test(codec_column_name, only_the_last_suffix_counts) {
    static const struct {
        const char *text;
        size_t size;
        bool quality;
        edgeops_type type;
        uint32_t length;
    } cases[] = {{"a", 1, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:int64", 1, false, EDGEOPS_TYPE_INT64, 1},
                 {"a:int64:float64", 7, false, EDGEOPS_TYPE_FLOAT64, 1},
                 {"a:float32[16]", 1, false, EDGEOPS_TYPE_FLOAT32, 16},
                 {"a:float32[1]", 12, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:float32[70000]", 16, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:string[2]", 11, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:quality", 1, true, EDGEOPS_TYPE_NULL, 1},
                 {"a:quality:bool", 9, false, EDGEOPS_TYPE_BOOL, 1},
                 {"a:INT64", 7, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:int64 ", 8, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:blob", 6, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:null", 6, false, EDGEOPS_TYPE_NULL, 1},
                 {"a:", 2, false, EDGEOPS_TYPE_NULL, 1},
                 {":int64", 6, false, EDGEOPS_TYPE_NULL, 1},
                 {"", 0, false, EDGEOPS_TYPE_NULL, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eop_column_name got;
        const char *text = cases[i].text;
        bool found = eop_column_name_read(&got, text, strlen(text));
        cr_assert_eq(found, cases[i].quality || cases[i].type != EDGEOPS_TYPE_NULL, "%s", text);
        cr_assert_eq(got.size, cases[i].size, "%s", text);
        cr_assert_eq(got.quality, cases[i].quality, "%s", text);
        cr_assert_eq(got.type, cases[i].type, "%s", text);
        cr_assert_eq(got.length, cases[i].length, "%s", text);
    }
}

Test(codec_column_name, what_is_put_is_read) {
    static const char *const names[] = {"x", "time", "a:b", "a:int8", "x:quality", "x:", "p[2]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        eop_column_name got;
        eop_buf text = {0};
        eop_column_name_put(&text, names[i], EDGEOPS_TYPE_UINT16, 3);
        cr_assert(eop_column_name_read(&got, text.data, text.size));
        cr_assert_eq(got.size, strlen(names[i]));
        cr_assert_eq(got.type, EDGEOPS_TYPE_UINT16);
        cr_assert_eq(got.length, 3);
        eop_buf_clear(&text);
        eop_column_name_put_quality(&text, names[i]);
        cr_assert(eop_column_name_read(&got, text.data, text.size) && got.quality);
        cr_assert_eq(got.size, strlen(names[i]));
        eop_buf_clear(&text);
        eop_column_name_put(&text, names[i], EDGEOPS_TYPE_NULL, 1);
        cr_assert_eq(eop_column_name_read(&got, text.data, text.size),
                     eop_column_name_is_taken(names[i]) && strcmp(names[i], "time") != 0);
        eop_buf_dispose(&text);
    }
    cr_assert(eop_column_name_is_taken("seq"));
    cr_assert_not(eop_column_name_is_taken("Time"));
}
