/* SPDX-License-Identifier: Apache-2.0 */
/* data.head and data.stats: numbers that JSON does not have. */
#include "node_fixture.h"

#include <float.h>
#include <math.h>

TestSuite(node_ops_data, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

static const eop_json *at(const eop_json *array, size_t index) {
    const eop_json *item = eop_json_first(array);
    while (item != NULL && index-- > 0) {
        item = eop_json_next(item);
    }
    return item;
}

Test(node_ops_data, what_is_not_finite_is_shown_and_counted) {
    static const double values[] = {1, NAN, INFINITY, -INFINITY, 3};
    static const char *const shown[] = {NULL, "NaN", "Infinity", "-Infinity", NULL};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        append_row(edgeops_node_store(fixture_node), T0 + (edgeops_time)i, values[i]);
    }
    eop_json *r = must("data.head", "{\"asset\":\"m/1\"}");
    const eop_json *rows = eop_json_get(r, "rows");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const eop_json *cell = at(at(rows, i), 1);
        cr_expect(
            eq(int, eop_json_type(cell), shown[i] != NULL ? EOP_JSON_STRING : EOP_JSON_NUMBER));
        if (shown[i] != NULL) {
            cr_expect(eq(str, (char *)eop_json_text(cell), (char *)shown[i]));
        }
    }
    eop_json_free(r);
    r = must("data.stats", "{\"asset\":\"m/1\"}");
    const eop_json *a = eop_json_first(eop_json_get(r, "channels"));
    cr_expect(eq(i64, eop_json_integer(a, "count", 0), 5));
    cr_expect(eq(i64, eop_json_integer(a, "nulls", 1), 0));
    cr_expect(eq(i64, eop_json_integer(a, "non_finite", 0), 3));
    cr_expect(eq(dbl, eop_json_number(a, "min", 0), 1));
    cr_expect(eq(dbl, eop_json_number(a, "max", 0), 3));
    cr_expect(eq(dbl, eop_json_number(a, "mean", 0), 2));
    eop_json_free(r);
}

Test(node_ops_data, the_mean_of_the_largest_numbers_is_a_number) {
    append_row(edgeops_node_store(fixture_node), T0, DBL_MAX / 16);
    append_row(edgeops_node_store(fixture_node), T0 + 1, -DBL_MAX / 16);
    append_row(edgeops_node_store(fixture_node), T0 + 2, DBL_MAX);
    append_row(edgeops_node_store(fixture_node), T0 + 3, -DBL_MAX);
    eop_json *r = must("data.stats", "{\"asset\":\"m/1\"}");
    const eop_json *a = eop_json_first(eop_json_get(r, "channels"));
    cr_expect(isfinite(eop_json_number(a, "mean", NAN)) != 0);
    eop_json_free(r);
}

Test(node_ops_data, aggregates_stand_for_stretches_of_time) {
    for (int i = 0; i < 5; i++) {
        append_row(edgeops_node_store(fixture_node), T0 + i * EDGEOPS_SECOND, i);
    }
    eop_json *r =
        must("data.aggregate", "{\"asset\":\"m/1\",\"every\":\"2s\",\"channels\":[\"a\"]}");
    const eop_json *items = eop_json_get(r, "items");
    cr_expect(eq(sz, eop_json_size(items), 3));
    const eop_json *second = at(items, 1);
    cr_expect(eq(str, (char *)eop_json_string(second, "channel", ""), "a"));
    cr_expect(eq(i64, eop_json_integer(second, "count", 0), 2));
    cr_expect(eq(dbl, eop_json_number(second, "min", 0), 2));
    cr_expect(eq(dbl, eop_json_number(second, "max", 0), 3));
    cr_expect(eq(dbl, eop_json_number(second, "mean", 0), 2.5));
    cr_expect(eq(dbl, eop_json_number(second, "sum", 0), 5));
    eop_json_free(r);
    must_fail(EDGEOPS_E_INVALID, "data.aggregate", "{\"asset\":\"m/1\",\"every\":\"soon\"}",
              "every");
    must_fail(EDGEOPS_E_INVALID, "data.aggregate", "{\"asset\":\"m/1\",\"every\":\"0s\"}", "every");
    must_fail(EDGEOPS_E_NOTFOUND, "data.aggregate", "{\"asset\":\"none\"}", "none");
}
