/* SPDX-License-Identifier: Apache-2.0 */
/* Compares results and events with their schemas, as the receiver sees them: parsed from the text
 * that goes out. A mismatch is a fault of the library: where a test asked for the check, call.c
 * lets the call fail with it. A build with NDEBUG has none of this. */
#include "node/control/answer.h"

#ifndef NDEBUG

#include <stdlib.h>
#include <string.h>

#include "codec/schema.h"

static bool is_asked_for(void) {
    const char *value = getenv("EDGEOPS_CHECK_ANSWERS");
    return value != NULL && strcmp(value, "1") == 0;
}

static edgeops_status misfit(const eop_op *op, const char *what, const char *text) {
    char *why = eop_strdup(edgeops_error_last()->message);
    edgeops_status status =
        eop_fail(EDGEOPS_E_INTERNAL, "node", "the %s of %s does not fit its schema: %s: %.200s",
                 what, op->spec->name, why != NULL ? why : "", text);
    eop_free(why);
    return status;
}

edgeops_status eop_answer_check_result(const eop_op *op, const char *text) {
    eop_json *json = NULL;
    if (!is_asked_for()) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_json_parse(&json, text, strlen(text), "result", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_schema_check_text(op->spec->result, json, NULL, 0, "result");
    }
    eop_json_free(json);
    return status == EDGEOPS_OK ? EDGEOPS_OK : misfit(op, "result", text);
}

/* One schema that any of the events fits. NULL without memory. */
static char *any_event(const eop_op *op) {
    return eop_format("{\"anyOf\":%s}", op->spec->events);
}

edgeops_status eop_answer_check_event(const eop_op *op, const eop_json *event) {
    eop_json *json = NULL;
    char *text = is_asked_for() ? eop_json_print(event) : NULL;
    char *schema = text != NULL ? any_event(op) : NULL;
    edgeops_status status = EDGEOPS_OK;
    if (schema != NULL && strcmp(op->spec->events, "[]") == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "node", "it sends no events");
    } else if (schema != NULL) {
        status = eop_json_parse(&json, text, strlen(text), "event", NULL);
    }
    if (json != NULL) {
        status = eop_schema_check_text(schema, json, NULL, 0, "event");
    }
    status = status == EDGEOPS_OK ? EDGEOPS_OK : misfit(op, "event", text);
    eop_json_free(json);
    eop_free(schema);
    eop_free(text);
    return status;
}

#endif
