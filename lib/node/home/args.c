/* SPDX-License-Identifier: Apache-2.0 */
/* Between JSON and what the other rooms speak. */

#include "node/home/args.h"

#include "base/time.h"
#include "codec/when.h"

edgeops_status eop_arg_time(edgeops_time *out, const eop_json *args, const char *key,
                            edgeops_time otherwise) {
    const char *text = eop_json_string(args, key, NULL);
    if (text == NULL) {
        *out = otherwise;
        return EDGEOPS_OK;
    }
    if (eop_when(out, text, eop_now())) {
        return EDGEOPS_OK;
    }
    return eop_fail(EDGEOPS_E_INVALID, "node", "%s: '%.64s' is not a time; " EOP_WHEN_FORMS, key,
                    text);
}

edgeops_status eop_arg_duration(edgeops_duration *out, const eop_json *args, const char *key) {
    const char *text = eop_json_string(args, key, NULL);
    if (text != NULL && (!eop_parse_duration(out, text) || *out == 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "%s: '%.64s' is not a duration; write it as 20ms, 2s or 1h", key, text);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_arg_period(edgeops_duration *out, const eop_json *args) {
    const char *rate = eop_json_string(args, "rate", NULL);
    uint64_t mhz = 0;
    if (rate != NULL && eop_json_get(args, "period") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "give a rate or a period, not both");
    }
    if (rate != NULL && !eop_parse_rate(&mhz, rate)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "rate: '%.64s' is not a rate of 1 mHz to 1 MHz; write it as 50Hz or 1kHz",
                        rate);
    }
    if (rate != NULL) {
        *out = eop_rate_period(mhz);
        return EDGEOPS_OK;
    }
    return eop_arg_duration(out, args, "period");
}

edgeops_status eop_arg_strings(const char ***out, size_t *count, const eop_json *args,
                               const char *key) {
    const eop_json *array = eop_json_get(args, key);
    size_t n = array != NULL ? eop_json_size(array) : 0;
    *out = NULL;
    *count = 0;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    const char **texts = eop_calloc(n, sizeof(*texts));
    if (texts == NULL) {
        return eop_fail_nomem("node");
    }
    size_t i = 0;
    for (const eop_json *item = eop_json_first(array); item != NULL; item = eop_json_next(item)) {
        texts[i++] = eop_json_text(item);
    }
    *out = texts;
    *count = n;
    return EDGEOPS_OK;
}

edgeops_status eop_check_id(const char *what, const char *name) {
    return eop_id_valid(name)
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "node",
                          "'%.64s' is not a name for a %s: 1 to 64 of a-z, 0-9, '.', '_', '-', the "
                          "first a letter or digit",
                          name, what);
}

eop_json *eop_items(eop_json **items) {
    eop_json *result = eop_json_object();
    eop_json *array = eop_json_array();
    eop_json_set(result, "items", array);
    *items = result != NULL ? array : NULL;
    return result;
}

void eop_json_set_value(eop_json *object, const char *key, const edgeops_value *value) {
    eop_json_set(object, key, eop_value_json(value));
}
