/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with the members that the other suites do not come by. What is looked at here is little: each
 * answer is held against the schema of its operation, as in all suites (node/control/answer.h). */
#include "node_fixture.h"

TestSuite(node_ops_table, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

/* Two assets with a constant channel, and labels by three people who do not quite agree. */
static void import_two(void) {
    static const char *const assets[] = {"m/1", "m/2"};
    static const char *const authors[] = {"ann", "bob", "cle"};
    for (size_t a = 0; a < 2; a++) {
        eop_buf csv = {0};
        eop_buf_puts(&csv, "time,a,flat\n");
        for (size_t i = 0; i < 60; i++) {
            char time[40];
            eop_format_time(time, T0 + (edgeops_time)i * EDGEOPS_SECOND);
            eop_buf_printf(&csv, "%s,%zu,7\n", time, i);
        }
        char *text = eop_buf_take(&csv);
        char *args = eop_format("{\"asset\":\"%s\"}", assets[a]);
        eop_json_free(bulk(fixture_node, "data.import", args, text, NULL));
        eop_free(args);
        for (size_t i = 0; i < 3; i++) {
            args = eop_format("{\"asset\":\"%s\",\"start\":\"2026-01-01T00:00:00Z\",\"end\":"
                              "\"2026-01-01T00:00:%zuZ\",\"label\":\"run\",\"author\":\"%s\"}",
                              assets[a], 30 + 5 * i, authors[i]);
            must_do("label.add", args);
            eop_free(args);
        }
        eop_free(text);
    }
}

Test(node_ops_table, every_member_of_a_definition) {
    static const char *const definitions[] = {
        "\"split\":\"group:m/2\"",
        "\"split\":\"group:m/2\",\"validation\":\"m/1\"",
        "\"split\":\"group:0.5\",\"seed\":9007199254740991",
        "\"split\":\"fraction:0.25\",\"validation\":\"0.25\",\"block\":\"5s\",\"seed\":3",
        "\"split\":\"time:2026-01-01T00:00:50Z\",\"validation\":\"2026-01-01T00:00:40Z\"",
        "\"filter\":\"a >= 5 and a is not null\"",
        "\"rate\":\"2Hz\",\"fill\":\"linear\",\"tolerance\":\"2s\"",
        "\"period\":\"2s\",\"fill\":\"none\",\"window\":\"10s\",\"step\":\"2s\"",
        "\"window\":\"4\",\"step\":\"2\",\"start\":\"2026-01-01T00:00:10Z\"",
        "\"window\":\"4\",\"step\":\"2\",\"labelled_only\":true"};
    import_two();
    for (size_t i = 0; i < EOP_COUNT(definitions); i++) {
        char *args = eop_format("{\"name\":\"d%zu\",\"assets\":[\"m/*\"],%s}", i, definitions[i]);
        char *show = eop_format("{\"name\":\"d%zu\"}", i);
        char *diff = eop_format("{\"name\":\"d%zu\",\"other\":\"d0\"}", i);
        edgeops_status status = EDGEOPS_OK;
        eop_json *made = call_with(fixture_node, &status, "dataset.create", args, NULL);
        /* One that leaves nothing to train on is refused: that is no answer to look at. */
        if (status == EDGEOPS_OK) {
            must_do("dataset.show", show);
            must_do("dataset.diff", diff);
        } else {
            cr_expect(eq(int, status, EDGEOPS_E_INVALID), "%s: %s", args,
                      edgeops_error_last()->message);
        }
        eop_json_free(made);
        eop_free(args);
        eop_free(show);
        eop_free(diff);
    }
    eop_json *list = must("dataset.ls", NULL);
    cr_expect(ge(sz, eop_json_size(eop_json_get(list, "items")), EOP_COUNT(definitions) - 1));
    eop_json_free(list);
}

Test(node_ops_table, all_who_labelled_and_pages) {
    import_two();
    eop_json *stats = must("label.stats", "{}");
    cr_expect(eq(i64, eop_json_integer(eop_json_get(stats, "all"), "authors", 0), 3));
    eop_json_free(stats);
    eop_json *page = must("label.history", "{\"asset\":\"*\",\"limit\":2}");
    cr_expect(eq(i64, eop_json_integer(page, "next", 0), 2));
    eop_json_free(page);
    must_do("label.correct", "{\"id\":1,\"label\":\"stop\"}");
    must_do("label.history", "{\"id\":1}");
    must_do("label.rm", "{\"id\":2}");
    must_do("label.history", "{\"asset\":\"m/1\"}");
    must_do("data.compact", NULL);
    must_do("retention.set", "{\"pattern\":\"m/1\",\"max_age\":\"90d\",\"max_size\":\"10GB\","
                             "\"min_free\":\"1GB\",\"rollups\":[\"1m\",\"1h\"]}");
    must_do("retention.ls", NULL);
    must_do("asset.rename", "{\"name\":\"m/1\",\"to\":\"m/3\"}");
    must_do("asset.show", "{\"name\":\"m/3\"}");
}

Test(node_ops_table, a_source_in_each_state) {
    char *path = eop_path_join(fixture_root, "r.csv");
    eop_buf csv = {0};
    eop_buf_puts(&csv, "time,a\n2026-01-01T00:00:00Z,1\n");
    char *text = eop_buf_take(&csv);
    cr_assert(eq(int, eop_file_write(path, text, strlen(text), 0600), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_node_start(fixture_node), EDGEOPS_OK));
    char *args = eop_format("{\"name\":\"r\",\"driver\":\"replay\",\"config\":{\"path\":\"%s\","
                            "\"asset\":\"m/1\",\"speed\":0}}",
                            path);
    must_do("source.add", args);
    for (const char *state = ""; strcmp(state, "done") != 0;) {
        eop_json *shown = must("source.show", "{\"name\":\"r\"}");
        state = strcmp(eop_json_string(shown, "state", ""), "done") == 0 ? "done" : "";
        eop_json_free(shown);
    }
    must_do("source.ls", NULL);
    must_do("source.stop", "{\"name\":\"r\"}");
    must_do("source.start", "{\"name\":\"r\"}");
    must_do("asset.rename", "{\"name\":\"m/1\",\"to\":\"m/2\"}");
    must_do("node.status", NULL);
    must_do("source.rm", "{\"name\":\"r\"}");
    eop_free(args);
    eop_free(text);
    eop_free(path);
}
