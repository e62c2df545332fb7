/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "support/comma.h"

static char root[] = "/tmp/edgeops-locale-XXXXXX";

static int forget(const char *name, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static void enter(void) {
    cr_assert_not_null(mkdtemp(root));
}

static void leave(void) {
    (void)nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(base_locale, .init = enter, .fini = leave);

static void in_german(void) {
    char text[16];
    if (!comma_enter(root, "de_DE")) {
        cr_skip_test("no localedef, or no source of de_DE");
    }
    (void)snprintf(text, sizeof text, "%.1f", 1.5);
    cr_assert_str_eq(text, "1,5"); /* the test would say nothing otherwise */
}

Test(base_locale, numbers_have_a_point_both_ways) {
    static const double values[] = {1.5, 0.1, -2.25e-300, 1e22, 1234567.875, 5e-324, 1.0 / 3.0};
    char text[32];
    in_german();
    for (size_t i = 0; i < EOP_COUNT(values); i++) {
        size_t n = eop_format_double(text, values[i]);
        cr_assert_eq(n, strlen(text));
        cr_assert_null(strchr(text, ','));
        cr_assert_eq(eop_strtod(text, NULL), values[i], "%s", text);
        n = eop_format_float(text, (float)values[i]);
        cr_assert_null(strchr(text, ','));
        cr_assert_eq(eop_strtof(text, NULL), (float)values[i], "%s", text);
    }
    cr_assert_eq(eop_format_float(text, 1.1f), 3);
    cr_assert_str_eq(text, "1.1");
    char *end = NULL;
    cr_assert_eq(eop_strtod("1,5", &end), 1.0);
    cr_assert_str_eq(end, ",5");
}

Test(base_locale, messages_have_a_point_and_are_english) {
    char text[32];
    in_german();
    (void)eop_fail(EDGEOPS_E_INVALID, "test", "a rate of %g Hz", 2.5);
    cr_assert_str_eq(edgeops_error_last()->message, "a rate of 2.5 Hz");
    (void)eop_fail_errno(ENOENT, "test", "cannot open");
    cr_assert_str_eq(edgeops_error_last()->message, "cannot open: No such file or directory");
    char *made = eop_format("%.2f and %d", 0.25, 1000000);
    cr_assert_str_eq(made, "0.25 and 1000000");
    eop_free(made);
    eop_buf buf = {0};
    eop_buf_printf(&buf, "%.3f", 0.5);
    cr_assert_str_eq(buf.data, "0.500");
    eop_buf_dispose(&buf);
    (void)eop_format_duration(text, 1500 * EDGEOPS_MILLISECOND);
    cr_assert_str_eq(text, "1.5s");
}

Test(base_locale, the_host_keeps_its_locale) {
    char text[16];
    in_german();
    locale_t before = eop_locale_enter();
    (void)snprintf(text, sizeof text, "%.1f", 1.5);
    cr_assert_str_eq(text, "1.5");
    eop_locale_leave(before);
    (void)snprintf(text, sizeof text, "%.1f", 1.5);
    cr_assert_str_eq(text, "1,5");
}

/* Turkish has another small letter for I. */
Test(base_locale, letters_are_those_of_ascii) {
    (void)comma_enter(root, "tr_TR");
    cr_assert(eop_ascii_equal("INF", "inf", 3));
    cr_assert(eop_ascii_equal("Infinity", "iNFINITY", 8));
    cr_assert(!eop_ascii_equal("[", "{", 1));
    cr_assert(!eop_ascii_equal("\xC4", "\xE4", 1));
}
