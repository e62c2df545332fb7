/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/manifest.h"
#include "workflow_tools.h"

TestSuite(workflow_manifest, .init = enter_folder, .fini = leave_folder);

static const char whole[] =
    "{\"format\": 1, \"name\": \"pcb-quality\", \"version\": \"1.2.3\", \"description\": \"d\",\n"
    " \"python\": {\"module\": \"pcb.quality\", \"requires\": \">=3.9, <4\", \"path\": "
    "[\"libs\"]},\n"
    " \"inputs\": [{\"name\": \"height\", \"type\": \"float64\", \"unit\": \"um\"}, {\"name\": "
    "\"n\", \"type\": \"int64\"}],\n"
    " \"window\": {\"rows\": 50, \"step\": 25, \"max_gap\": \"1s\"},\n"
    " \"label\": {\"name\": \"class\", \"classes\": [\"ok\", \"error\"]},\n"
    " \"outputs\": [{\"name\": \"class\", \"type\": \"string\"}, {\"name\": \"sure\", \"type\": "
    "\"bool\"}],\n"
    " \"parameters\": [{\"name\": \"trees\", \"type\": \"integer\", \"default\": 100, "
    "\"minimum\": 1, \"maximum\": 1000},\n"
    "   {\"name\": \"kind\", \"type\": \"string\", \"default\": \"a\", \"enum\": [\"a\", "
    "\"b\"]}],\n"
    " \"limits\": {\"memory\": \"1GiB\", \"train_timeout\": \"10m\", \"predict_timeout\": "
    "\"250ms\"}}\n";

/* The whole manifest with one piece of text put in place of another. */
static char *with(const char *from, const char *to) {
    const char *at = strstr(whole, from);
    cr_assert(at != NULL, "'%s' is not in the manifest", from);
    char *text = eop_format("%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    cr_assert(text != NULL);
    return text;
}

static edgeops_status parse(eop_manifest *m, const char *text) {
    *m = (eop_manifest){0};
    return eop_manifest_parse(m, text, strlen(text));
}

Test(workflow_manifest, all_members_come_through) {
    eop_manifest m;
    CHECK_CODE(EDGEOPS_OK, parse(&m, whole));
    const edgeops_manifest *v = &m.view;
    cr_assert_str_eq(v->name, "pcb-quality");
    cr_assert_str_eq(v->version, "1.2.3");
    cr_assert_str_eq(v->module, "pcb.quality");
    cr_assert_str_eq(v->requires_python, ">=3.9, <4");
    cr_assert(v->path_count == 1 && strcmp(v->path[0], "libs") == 0);
    cr_assert(v->input_count == 2 && v->inputs[0].type == EDGEOPS_TYPE_FLOAT64);
    cr_assert_str_eq(v->inputs[0].unit, "um");
    cr_assert_str_eq(v->inputs[1].unit, "");
    cr_assert(v->output_count == 2 && v->outputs[1].type == EDGEOPS_TYPE_BOOL);
    cr_assert(v->window.rows == 50 && v->window.step == 25 && v->window.period == 0);
    cr_assert(v->window.max_gap == EDGEOPS_SECOND);
    cr_assert(v->class_count == 2 && strcmp(v->classes[1], "error") == 0);
    cr_assert(v->memory_bytes == (uint64_t)1 << 30);
    cr_assert(v->train_timeout == 600 * EDGEOPS_SECOND);
    cr_assert(v->predict_timeout == 250 * EDGEOPS_MILLISECOND);
    cr_assert(strstr(v->parameters_json, "\"trees\":{\"type\":\"integer\"") != NULL, "%s",
              v->parameters_json);
    cr_assert_str_eq(v->json, whole);
    eop_manifest_dispose(&m);
}

Test(workflow_manifest, defaults_are_in_force) {
    eop_manifest m;
    CHECK_CODE(EDGEOPS_OK, parse(&m, small_manifest));
    const edgeops_manifest *v = &m.view;
    cr_assert(v->window.rows == 1 && v->window.step == 1 && v->window.max_gap == 0);
    cr_assert(v->memory_bytes == (uint64_t)512 << 20);
    cr_assert(v->train_timeout == 1800 * EDGEOPS_SECOND && v->predict_timeout == EDGEOPS_SECOND);
    cr_assert_str_eq(v->label, "");
    cr_assert_str_eq(v->description, "");
    cr_assert_str_eq(v->requires_python, "");
    cr_assert_str_eq(v->parameters_json, "{}");
    eop_manifest_dispose(&m);
}

Test(workflow_manifest, grid_windows_are_whole_rows) {
    const struct {
        const char *window;
        uint32_t rows;
        uint32_t step;
        edgeops_duration period;
        uint32_t fill;
    } cases[] = {
        {"{\"duration\": \"2s\", \"step\": \"1s\", \"rate\": \"50Hz\", \"fill\": \"previous\"}",
         100, 50, 20000000, 0},
        {"{\"duration\": \"2s\", \"rate\": \"52 Hz\", \"fill\": \"linear\"}", 104, 1, 19230769, 1},
        {"{\"duration\": \"1h\", \"step\": \"20m\", \"rate\": \"2.5mHz\"}", 0, 0, 0, 0},
        {"{\"duration\": \"400s\", \"rate\": \"5mHz\", \"fill\": \"none\"}", 2, 1, 200000000000, 2},
        {"{\"duration\": \"10ms\", \"rate\": \"1kHz\"}", 10, 1, 1000000, 0},
        {"{\"duration\": \"1s\", \"rate\": \"12.5Hz\"}", 0, 0, 0, 0},
        {"{\"duration\": \"2s\", \"rate\": \"12.5Hz\"}", 25, 1, 80000000, 0},
        {"{\"duration\": \"2s\", \"step\": \"30ms\", \"rate\": \"50Hz\"}", 0, 0, 0, 0},
        {"{\"duration\": \"10d\", \"rate\": \"1kHz\"}", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        eop_manifest m;
        char *text = with("{\"rows\": 50, \"step\": 25, \"max_gap\": \"1s\"}", cases[i].window);
        edgeops_status rc = parse(&m, text);
        const edgeops_window_spec *w = &m.view.window;
        if (cases[i].rows == 0) {
            cr_expect(rc == EDGEOPS_E_INVALID, "case %zu", i);
        } else {
            cr_expect(rc == EDGEOPS_OK && w->rows == cases[i].rows && w->step == cases[i].step &&
                          w->period == cases[i].period && w->fill == cases[i].fill,
                      "case %zu: %u %u %lld %s", i, w->rows, w->step, (long long)w->period,
                      edgeops_error_last()->message);
        }
        eop_manifest_dispose(&m);
        eop_free(text);
    }
}

/* Members of edgeops_window_spec that are reserved have no key, and are 0. */
Test(workflow_manifest, reserved_rules_of_a_window_are_refused) {
    static const char *const keys[] = {"\"missing\": \"skip\"", "\"mixed\": \"last\""};
    eop_manifest m;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *window = eop_format("\"rows\": 50, %s", keys[i]);
        char *text = with("\"rows\": 50", window);
        CHECK_CODE(EDGEOPS_E_INVALID, parse(&m, text));
        eop_manifest_dispose(&m);
        eop_free(text);
        eop_free(window);
    }
    CHECK_CODE(EDGEOPS_OK, parse(&m, whole));
    const edgeops_window_spec *w = &m.view.window;
    cr_assert_eq(w->mixed, EDGEOPS_LABEL_RULE_SKIP);
    cr_assert(w->reserved32 == 0 && w->reserved[0] == 0 && w->reserved[1] == 0);
    eop_manifest_dispose(&m);
}

Test(workflow_manifest, rows_that_lack_an_input_wait_and_get_what_it_says) {
    static const struct {
        const char *window; /* NULL: none at all */
        edgeops_missing missing;
        edgeops_duration wait; /* -1: refused */
    } cases[] = {
        {NULL, EDGEOPS_MISSING_NULL, EDGEOPS_SECOND},
        {"{\"rows\": 2}", EDGEOPS_MISSING_NULL, EDGEOPS_SECOND},
        {"{\"rows\": 2, \"missing\": \"null\"}", EDGEOPS_MISSING_NULL, EDGEOPS_SECOND},
        {"{\"rows\": 2, \"missing\": \"previous\"}", EDGEOPS_MISSING_PREVIOUS, 0},
        {"{\"rows\": 2, \"wait\": \"0s\"}", EDGEOPS_MISSING_NULL, 0},
        {"{\"rows\": 2, \"wait\": \"250ms\", \"missing\": \"previous\"}", EDGEOPS_MISSING_PREVIOUS,
         250 * EDGEOPS_MILLISECOND},
        {"{\"duration\": \"2s\", \"rate\": \"10Hz\", \"wait\": \"1h\", \"missing\": \"previous\"}",
         EDGEOPS_MISSING_PREVIOUS, 3600 * EDGEOPS_SECOND},
        {"{\"rows\": 2, \"wait\": \"61m\"}", EDGEOPS_MISSING_NULL, -1},
        {"{\"rows\": 2, \"wait\": \"soon\"}", EDGEOPS_MISSING_NULL, -1},
        {"{\"rows\": 2, \"wait\": 1}", EDGEOPS_MISSING_NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        eop_manifest m;
        char *text =
            cases[i].window != NULL
                ? with("{\"rows\": 50, \"step\": 25, \"max_gap\": \"1s\"}", cases[i].window)
                : with(" \"window\": {\"rows\": 50, \"step\": 25, \"max_gap\": \"1s\"},\n", "");
        edgeops_status status = parse(&m, text);
        if (cases[i].wait < 0) {
            cr_expect(status == EDGEOPS_E_INVALID, "case %zu", i);
            cr_expect(strstr(edgeops_error_last()->message, "wait") != NULL, "%s",
                      edgeops_error_last()->message);
        } else {
            cr_expect(status == EDGEOPS_OK && m.view.window.missing == cases[i].missing &&
                          m.view.window.wait == cases[i].wait,
                      "case %zu: %s", i, edgeops_error_last()->message);
        }
        eop_manifest_dispose(&m);
        eop_free(text);
    }
}

Test(workflow_manifest, errors_name_place_key_and_remedy) {
    const struct {
        const char *from;
        const char *to;
        const char *text;
    } cases[] = {
        {"\"unit\": \"um\"", "\"unitt\": \"um\"", "did you mean 'unit'"},
        {"\"unit\": \"um\"", "\"unitt\": \"um\"", "workflow.json:3:"},
        {"\"limits\"", "\"limit\"", "did you mean 'limits'"},
        {"\"memory\": \"1GiB\"", "\"memory\": \"1 potato\"", "memory is not a size"},
        {"\"memory\": \"1GiB\"", "\"memory\": \"1KiB\"", "16 MiB to 1 TiB"},
        {"\"250ms\"", "\"soon\"", "predict_timeout is not a duration"},
        {"\"250ms\"", "\"2h\"", "predict_timeout must be"},
        {"\"format\": 1", "\"format\": 2", "format"},
        {"\"pcb-quality\"", "\"PCB quality\"", "/name"},
        {"\"1.2.3\"", "\"1.2\"", "/version"},
        {"\"1.2.3\"", "\"01.2.3\"", "/version"},
        {"\"float64\"", "\"float33\"", "/inputs/0/type"},
        {"\"name\": \"n\"", "\"name\": \"height\"", "twice"},
        {"\"name\": \"sure\"", "\"name\": \"class\"", "twice"},
        {"\"name\": \"n\"", "\"name\": \"a//b\"", "not a channel name"},
        {"[\"ok\", \"error\"]", "[\"ok\", \"ok\"]", "/label/classes"},
        {"\"default\": 100", "\"default\": 0", "outside its bounds"},
        {"\"default\": 100", "\"default\": 1.5", "is no integer"},
        {"\"default\": 100", "\"default\": \"many\"", "is no integer"},
        {"\"minimum\": 1,", "\"minimum\": 2000,", "above its maximum"},
        {"\"default\": \"a\"", "\"default\": \"c\"", "not in its enum"},
        {"\"enum\": [\"a\", \"b\"]", "\"enum\": [\"a\", 1]", "is no string"},
        {"\"enum\": [\"a\", \"b\"]", "\"minimum\": 1", "has no bounds"},
        {"\"name\": \"kind\"", "\"name\": \"trees\"", "'trees' is in parameters twice"},
        {"\"rows\": 50", "\"rows\": 0", "/window/rows"},
        {"\"rows\": 50, ", "", "/window"},
        {"\"module\": \"pcb.quality\"", "\"module\": \"pcb quality\"", "/python/module"},
        {"\">=3.9, <4\"", "\"three\"", "/python/requires"},
        {"\"inputs\":", "\"inputs\" ", "workflow.json:"},
        {"\"description\": \"d\"", "\"name\": \"twice\"", "workflow.json:1:"},
    };
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        eop_manifest m;
        char *text = with(cases[i].from, cases[i].to);
        edgeops_status rc = parse(&m, text);
        const char *message = edgeops_error_last()->message;
        cr_expect(rc == EDGEOPS_E_INVALID && strstr(message, cases[i].text) != NULL &&
                      strstr(message, "workflow.json:") == message,
                  "case %zu (%s): %s: %s", i, cases[i].to, edgeops_status_name(rc), message);
        eop_manifest_dispose(&m);
        eop_free(text);
    }
}

Test(workflow_manifest, files_it_speaks_of_must_be_there) {
    put_text("w/workflow.json", whole);
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_check(NULL, "w"));
    CHECK_TEXT("folder 'libs' of python.path");
    put_text("w/libs/other.py", "");
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_check(NULL, "w"));
    CHECK_TEXT("module 'pcb.quality' is not in the package");
    CHECK_TEXT("workflow.json:2:");
    put_text("w/libs/pcb/quality/__init__.py", "");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(NULL, "w"));
    CHECK_CODE(EDGEOPS_OK, eop_remove_tree("w/libs/pcb"));
    put_text("w/pcb/quality.py", "");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(NULL, "w"));
}
