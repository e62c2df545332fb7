/* SPDX-License-Identifier: Apache-2.0 */
/* label.import: all of a file or nothing, and the same file twice changes nothing. */
#include "node_fixture.h"

static void enter(void) {
    fixture_enter();
    import_rows(10); /* two labels of the class column */
}

TestSuite(node_labels, .init = enter, .fini = fixture_leave, .timeout = 60);

static size_t labels_now(void) {
    eop_json *r = must("label.ls", NULL);
    size_t n = eop_json_size(eop_json_get(r, "items"));
    eop_json_free(r);
    return n;
}

/* n labels, then this text. */
static char *file_with(size_t n, const char *last) {
    eop_buf csv = {0};
    eop_buf_puts(&csv, "asset,start,end,label,author\n");
    for (size_t i = 0; i < n; i++) {
        eop_buf_printf(&csv, "m/1,%lld,%lld,l%zu,ann\n", (long long)T0 + (long long)i,
                       (long long)T0 + (long long)i + 5, i % 7);
    }
    eop_buf_puts(&csv, last);
    return eop_buf_take(&csv);
}

static void expect_import(const char *csv, int64_t added, int64_t duplicates) {
    eop_json *r = bulk(fixture_node, "label.import", "{}", csv, NULL);
    cr_expect(eq(i64, eop_json_integer(r, "labels", -1), added));
    cr_expect(eq(i64, eop_json_integer(r, "duplicates", -1), duplicates));
    eop_json_free(r);
}

static void refuse_import(const char *csv, edgeops_status expected, const char *part) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = file_of(csv);
    (void)call_with(fixture_node, &status, "label.import", "{}", &options);
    cr_expect(eq(int, status, expected));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, part), NULL), "%s",
              edgeops_error_last()->message);
    close(options.input);
}

Test(node_labels, a_failure_in_the_middle_leaves_nothing) {
    static const struct {
        const char *line;
        edgeops_status status;
        const char *part;
    } bad[] = {
        {"m/1,soon,,l,\n", EDGEOPS_E_INVALID, "labels:2502"},
        {"m/1,2026-01-01T00:00:05Z,2026-01-01T00:00:04Z,l,\n", EDGEOPS_E_INVALID, "labels:2502"},
        {"m/1,2026-01-01T00:00:05Z,,,\n", EDGEOPS_E_INVALID, "labels:2502"},
        {"nobody,2026-01-01T00:00:05Z,,l,\n", EDGEOPS_E_NOTFOUND, "nobody"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *csv = file_with(2500, bad[i].line);
        refuse_import(csv, bad[i].status, bad[i].part);
        cr_expect(eq(sz, labels_now(), 2));
        eop_free(csv);
    }
}

Test(node_labels, the_same_file_twice_changes_nothing) {
    char *csv = file_with(2500, "m/1,2026-01-01T00:00:05Z,,now,\nm/1,2026-01-01T00:00:05Z,,now,\n");
    expect_import(csv, 2501, 1);
    cr_expect(eq(sz, labels_now(), 2503));
    expect_import(csv, 0, 2502);
    cr_expect(eq(sz, labels_now(), 2503));
    eop_free(csv);
    /* Other author, other end: other labels. */
    expect_import("asset,start,label,author\nm/1,2026-01-01T00:00:05Z,now,bea\n"
                  "m/1,2026-01-01T00:00:05Z,now,\n",
                  1, 1);
}

Test(node_labels, one_taken_back_can_be_imported_again) {
    static const char csv[] = "asset,start,label\nm/1,2026-01-01T00:00:05Z,odd\n";
    expect_import(csv, 1, 0);
    must_do("label.rm", "{\"id\":3}");
    expect_import(csv, 1, 0);
    expect_import("asset,start,label\n", 0, 0);
}

Test(node_labels, more_than_a_million_are_refused) {
    char *csv = file_with(1000001, "");
    refuse_import(csv, EDGEOPS_E_LIMIT, "1000000");
    cr_expect(eq(sz, labels_now(), 2));
    eop_free(csv);
}
