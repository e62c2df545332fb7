/* SPDX-License-Identifier: Apache-2.0 */
/* The check of answers that tests turn on: what does not fit fails the call. */
#include "node_fixture.h"

#include "node/control/answer.h"
#include "node/control/call.h"

static const eop_op_spec spec = {
    .name = "lamp.count",
    .args = "{}",
    .result = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"lit\"],"
              "\"properties\":{\"lit\":{\"type\":\"integer\"}}}",
    .events = "[{\"type\":\"object\",\"required\":[\"type\"],\"properties\":{\"type\":{\"const\":"
              "\"on\"}}},{\"type\":\"object\",\"required\":[\"type\"],\"properties\":{\"type\":"
              "{\"const\":\"off\"}}}]"};
static const eop_op counts = {.spec = &spec};
static const eop_op_spec silent_spec = {
    .name = "lamp.ls", .args = "{}", .result = "{}", .events = "[]"};
static const eop_op silent = {.spec = &silent_spec};

static void ask(const char *value) {
    cr_assert(setenv("EDGEOPS_CHECK_ANSWERS", value, 1) == 0);
}

static edgeops_status event(const eop_op *op, const char *type) {
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "type", type);
    edgeops_status status = eop_answer_check_event(op, json);
    eop_json_free(json);
    return status;
}

TestSuite(node_control_answer, .timeout = 30);

Test(node_control_answer, what_fits_passes) {
    ask("1");
    cr_expect(eq(int, eop_answer_check_result(&counts, "{\"lit\":3}"), EDGEOPS_OK));
    cr_expect(eq(int, event(&counts, "on"), EDGEOPS_OK));
    cr_expect(eq(int, event(&counts, "off"), EDGEOPS_OK));
}

Test(node_control_answer, nothing_is_looked_at_unless_asked) {
    ask("0");
    cr_expect(eq(int, eop_answer_check_result(&counts, "{\"lit\":\"three\"}"), EDGEOPS_OK));
    cr_expect(eq(int, event(&silent, "on"), EDGEOPS_OK));
}

#ifndef NDEBUG
Test(node_control_answer, what_does_not_fit_is_told) {
    static const char *const results[] = {"{\"lit\":\"three\"}", "{\"lit\":3,\"dark\":1}", "{}",
                                          "[]"};
    ask("1");
    for (size_t i = 0; i < EOP_COUNT(results); i++) {
        cr_expect(eq(int, eop_answer_check_result(&counts, results[i]), EDGEOPS_E_INTERNAL), "%s",
                  results[i]);
        cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "lamp.count"), NULL));
    }
    cr_expect(eq(int, event(&counts, "flickers"), EDGEOPS_E_INTERNAL));
    cr_expect(eq(int, event(&silent, "on"), EDGEOPS_E_INTERNAL));
}

/* -- a call of such an operation -- */

static edgeops_status give_three(edgeops_call *call, eop_json **result) {
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "type", eop_json_string(call->args, "event", "on"));
    eop_call_event(call, json);
    *result = eop_json_object();
    eop_json_set_string(*result, "lit", "three");
    return EDGEOPS_OK;
}

static edgeops_status give_up(edgeops_call *call, eop_json **result) {
    eop_json_free(*result);
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "type", "flickers");
    eop_call_event(call, json);
    return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
}

static const eop_op lamps[] = {{&spec, .run = give_three}, {&silent_spec, .run = give_up}, {0}};
static const eop_op *const lamp_groups[] = {lamps, NULL};

Test(node_control_answer, a_call_fails_with_what_does_not_fit, .init = fixture_enter,
     .fini = fixture_leave) {
    const eop_op *const *ops = fixture_node->ops;
    fixture_node->ops = lamp_groups;
    ask("0");
    must_do("lamp.count", "{}");
    ask("1");
    must_fail(EDGEOPS_E_INTERNAL, "lamp.count", "{}", "result of lamp.count");
    /* Also one that fails anyhow, since its events were seen. */
    must_fail(EDGEOPS_E_INTERNAL, "lamp.ls", "{}", "event of lamp.ls");
    fixture_node->ops = ops;
}
#endif
