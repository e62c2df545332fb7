/* SPDX-License-Identifier: Apache-2.0 */
/* The text of filters: parsing, the one way of printing, and the messages for mistakes. */
#include "dataset/filter.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "edgeops/status.h"

static void check_text(const char *text, const char *expected) {
    eop_filter filter = {0};
    eop_buf out = {0};
    cr_assert_eq(eop_filter_parse(&filter, text), EDGEOPS_OK, "%s: %s", text,
                 edgeops_error_last()->message);
    eop_filter_print(&out, &filter);
    cr_assert_str_eq(out.data, expected);
    eop_buf_dispose(&out);
    eop_filter_dispose(&filter);
}

Test(dataset_filter, texts_are_read_and_written_in_one_way) {
    check_text("temp>=20", "temp >= 20");
    check_text("  temp >= 20.50 AND state='run'  ", "temp >= 20.5 and state == 'run'");
    check_text("line/3.x is not null and y IS NULL", "line/3.x is not null and y is null");
    check_text("\"a \"\"b\"\" and\" != 'it''s'", "\"a \"\"b\"\" and\" != 'it''s'");
    check_text("ok == TRUE and android < -1e3", "ok == true and android < -1000");
    check_text("id = 9007199254740993", "id == 9007199254740993");
    check_text("id = 18446744073709551615 and s > 'a'", "id == 18446744073709551615 and s > 'a'");
    check_text("is is null", "is is null");
}

Test(dataset_filter, mistakes_are_told) {
    static const char *const texts[] = {
        "",           "temp",      "temp >", "temp > 20 or x < 1", "temp > 20x",
        "temp is 20", "x = 'open", "> 3",    "x = 1 and",          "x = 1 and y =1 ;",
        "x is not 1", "x = 1e999", "x = nan"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        eop_filter filter = {0};
        cr_assert_eq(eop_filter_parse(&filter, texts[i]), EDGEOPS_E_INVALID, "%s", texts[i]);
        cr_assert_eq(filter.count, 0);
    }
    eop_buf many = {0};
    for (int i = 0; i < 17; i++) {
        eop_buf_printf(&many, "%sx%d = 1", i > 0 ? " and " : "", i);
    }
    eop_filter filter = {0};
    cr_assert_eq(eop_filter_parse(&filter, many.data), EDGEOPS_E_LIMIT);
    eop_buf_dispose(&many);
}
