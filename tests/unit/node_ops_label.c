/* SPDX-License-Identifier: Apache-2.0 */
/* label.import: all of a file or nothing, and the same file twice changes nothing. */
#include "node_fixture.h"
#include "support/broker.h"

static void enter(void) {
    fixture_enter();
    import_rows(10); /* two labels of the class column */
}

TestSuite(node_ops_label, .init = enter, .fini = fixture_leave, .timeout = 60);

static size_t labels_now(void) {
    size_t n = 0;
    int64_t next = 0;
    do {
        char args[64];
        (void)snprintf(args, sizeof args, next != 0 ? "{\"limit\":1000,\"after\":%d}" : "{}",
                       (int)next);
        eop_json *r = must("label.ls", args);
        n += eop_json_size(eop_json_get(r, "items"));
        next = eop_json_integer(r, "next", 0);
        eop_json_free(r);
    } while (next != 0);
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

Test(node_ops_label, a_failure_in_the_middle_leaves_nothing) {
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

Test(node_ops_label, the_same_file_twice_changes_nothing) {
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

Test(node_ops_label, one_taken_back_can_be_imported_again) {
    static const char csv[] = "asset,start,label\nm/1,2026-01-01T00:00:05Z,odd\n";
    expect_import(csv, 1, 0);
    must_do("label.rm", "{\"id\":3}");
    expect_import(csv, 1, 0);
    expect_import("asset,start,label\n", 0, 0);
}

Test(node_ops_label, more_than_a_million_are_refused) {
    char *csv = file_with(1000001, "");
    refuse_import(csv, EDGEOPS_E_LIMIT, "1000000");
    cr_expect(eq(sz, labels_now(), 2));
    eop_free(csv);
}

Test(node_ops_label, what_is_imported_tells_from_where) {
    static const char csv[] = "asset,start,label\nm/1,2026-01-01T00:00:05Z,odd\n";
    eop_json_free(bulk(fixture_node, "label.import", "{\"what\":\"shift.csv\"}", csv, NULL));
    eop_json *r = must("label.ls", "{\"label\":\"odd\"}");
    const eop_json *item = eop_json_first(eop_json_get(r, "items"));
    cr_expect(eq(str, (char *)eop_json_string(item, "source", ""), "import:shift.csv"));
    eop_json_free(r);
}

Test(node_ops_label, many_at_once_all_or_none) {
    static const char two[] =
        "{\"asset\":\"m/1\",\"once\":%s,\"source\":\"mes\",\"items\":["
        "{\"start\":\"2026-01-01T00:00:01Z\",\"label\":\"p\"},"
        "{\"start\":\"2026-01-01T00:00:02Z\",\"end\":\"2026-01-01T00:00:03Z\",\"label\":\"q\","
        "\"author\":\"ann\"}]}";
    char args[512];
    (void)snprintf(args, sizeof args, two, "false");
    eop_json *r = must("label.add_many", args);
    cr_expect(eq(i64, eop_json_integer(r, "labels", 0), 2));
    cr_expect(eq(i64, eop_json_integer(r, "first_id", 0), 3));
    eop_json_free(r);
    (void)snprintf(args, sizeof args, two, "true");
    r = must("label.add_many", args);
    cr_expect(eq(i64, eop_json_integer(r, "labels", -1), 0));
    cr_expect(eq(i64, eop_json_integer(r, "duplicates", 0), 2));
    eop_json_free(r);
    cr_expect(eq(sz, labels_now(), 4));
    must_fail(EDGEOPS_E_INVALID, "label.add_many",
              "{\"asset\":\"m/1\",\"items\":[{\"start\":\"0\",\"label\":\"p\"},"
              "{\"start\":\"2026-01-05\",\"end\":\"2026-01-04\",\"label\":\"p\"}]}",
              "before it starts");
    must_fail(EDGEOPS_E_INVALID, "label.add_many",
              "{\"items\":[{\"start\":\"0\",\"label\":\"p\"}]}", "items/0");
    must_fail(EDGEOPS_E_INVALID, "label.add_many", "{\"asset\":\"m/1\",\"items\":[]}", "items");
    cr_expect(eq(sz, labels_now(), 4));
}

Test(node_ops_label, a_correction_says_only_what_was_wrong) {
    must_do("label.add",
            "{\"asset\":\"m/1\",\"start\":\"2026-01-10\",\"end\":\"1768867200\",\"label\":\"l\","
            "\"author\":\"ann\"}");
    eop_json *r =
        must("label.correct", "{\"id\":3,\"end\":\"1769731200000000030\",\"source\":\"cli\"}");
    cr_expect(eq(i64, eop_json_integer(r, "id", 0), 4));
    eop_json_free(r);
    r = must("label.history", "{\"id\":4}");
    const eop_json *items = eop_json_get(r, "items");
    cr_assert(eq(sz, eop_json_size(items), 2));
    const eop_json *old = eop_json_first(items);
    const eop_json *new = eop_json_next(old);
    cr_expect(eq(i64, eop_json_integer(old, "withdrawn", 0), eop_json_integer(new, "version", -1)));
    cr_expect(eq(i64, eop_json_integer(new, "replaces", 0), 3));
    cr_expect(eq(str, (char *)eop_json_string(new, "label", ""), "l"));
    cr_expect(eq(str, (char *)eop_json_string(new, "author", ""), "ann"));
    cr_expect(eq(str, (char *)eop_json_string(new, "source", ""), "cli"));
    cr_expect(eq(str, (char *)eop_json_string(new, "end", ""), "2026-01-30T00:00:00.000000030Z"));
    eop_json_free(r);
    must_fail(EDGEOPS_E_INVALID, "label.correct", "{\"id\":4}", "say what is right");
    must_fail(EDGEOPS_E_INVALID, "label.correct", "{\"id\":4,\"end\":\"20260105\"}",
              "before it starts");
    must_fail(EDGEOPS_E_INVALID, "label.correct", "{\"id\":4,\"end\":\"5\"}", "'5' is not a time");
    must_fail(EDGEOPS_E_NOTFOUND, "label.correct", "{\"id\":3,\"label\":\"x\"}", "by label 4");
    must_fail(EDGEOPS_E_INVALID, "label.history", "{}", "one of asset and id");
}

Test(node_ops_label, stats_count_rows_and_compare_authors) {
    must_do("label.add", "{\"asset\":\"m/1\",\"start\":\"2026-01-01T00:00:00Z\","
                         "\"end\":\"2027-01-01T00:00:00Z\",\"label\":\"low\",\"author\":\"ann\"}");
    eop_json *r = must("label.stats", "{\"asset\":\"m/*\",\"conflicts\":1}");
    cr_expect(eq(i64, eop_json_integer(r, "rows", 0), 10));
    const eop_json *pair = eop_json_first(eop_json_get(r, "pairs"));
    cr_expect(eq(i64, eop_json_integer(pair, "rows", 0), 10));
    cr_expect(eq(sz, eop_json_size(eop_json_get(eop_json_get(r, "conflicts"), "items")), 1));
    eop_json_free(r);
}

/* -- from a broker -- */

static int64_t counter(const char *name) {
    eop_json *r = must("source.show", "{\"name\":\"said\"}");
    int64_t value = eop_json_integer(eop_json_get(r, "stats"), name, 0);
    eop_json_free(r);
    return value;
}

static void wait_messages(int64_t n) {
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    while (counter("messages") < n) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 20 * EDGEOPS_MILLISECOND);
    }
}

static void wait_running(void) {
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    for (bool runs = false; !runs;) {
        eop_json *r = must("source.show", "{\"name\":\"said\"}");
        runs = strcmp(eop_json_string(r, "state", ""), "running") == 0;
        eop_json_free(r);
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 20 * EDGEOPS_MILLISECOND);
    }
}

Test(node_ops_label, messages_of_a_label_topic_become_labels_once) {
    const char *missing = test_broker_missing();
    if (missing != NULL || !has_mqtt()) {
        cr_skip_test("%s", missing != NULL ? missing : "built without MQTT");
    }
    test_broker *broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    cr_assert(eq(int, edgeops_node_start(fixture_node), EDGEOPS_OK));
    char *args = eop_format(
        "{\"name\":\"said\",\"driver\":\"mqtt\",\"config\":{\"url\":\"%s\",\"topics\":[\"data/#\"],"
        "\"labels\":{\"topics\":[\"mes/+/+\"],\"asset\":\"{2}/{3}\"}}}",
        test_broker_url(broker));
    must_do("source.add", args);
    eop_free(args);
    wait_running();
    static const char said[] = "{\"start\":\"2026-01-01T00:00:01Z\",\"end\":\"2026-01-01T00:00:"
                               "03Z\",\"label\":\"scratch\","
                               "\"author\":\"camera\"}\n";
    test_publish(broker, "mes/m/1", 1, said, NULL);
    test_publish(broker, "mes/m/1", 1, said, NULL); /* as after a lost acknowledgement */
    wait_messages(2);
    cr_expect(eq(i64, counter("labels"), 1));
    cr_expect(eq(i64, counter("duplicates"), 1));
    cr_expect(eq(i64, counter("dead"), 0));
    eop_json *r = must("label.ls", "{\"label\":\"scratch\"}");
    const eop_json *item = eop_json_first(eop_json_get(r, "items"));
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 1));
    cr_expect(eq(str, (char *)eop_json_string(item, "source", ""), "mqtt:said/mes/m/1"));
    cr_expect(eq(str, (char *)eop_json_string(item, "author", ""), "camera"));
    eop_json_free(r);
    /* A correction is not undone by the broker. */
    must_do("label.correct", "{\"id\":3,\"label\":\"dent\"}");
    test_publish(broker, "mes/m/1", 1, said, NULL);
    test_publish(broker, "mes/nobody/1", 1, said, NULL);
    test_publish(broker, "mes/m/1", 1, "{\"start\":\"soon\",\"label\":\"x\"}\n", NULL);
    test_publish(broker, "data/m/2", 1, "{\"a\":1}\n", NULL);
    wait_messages(6);
    cr_expect(eq(i64, counter("labels"), 1));
    cr_expect(eq(i64, counter("dead"), 2));
    cr_expect(eq(i64, counter("samples"), 1));
    cr_expect(eq(sz, labels_now(), 3));
    edgeops_node_stop(fixture_node);
    r = must("source.show", "{\"name\":\"said\"}");
    const eop_json *letters = eop_json_get(r, "dead_letters");
    cr_assert(eq(sz, eop_json_size(letters), 2));
    const eop_json *newest = eop_json_first(letters);
    cr_expect(ne(ptr, strstr(eop_json_string(newest, "reason", ""), "'soon' is not a time"), NULL));
    cr_expect(
        ne(ptr, strstr(eop_json_string(eop_json_next(newest), "reason", ""), "nobody/1"), NULL));
    eop_json_free(r);
    test_broker_free(broker);
}
