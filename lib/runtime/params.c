/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the parameters of a manifest into a JSON Schema and checks given values against it, so
 * that parameters and all other JSON obey the same rules and give the same messages. */
#include "runtime/params.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/schema.h"

/* The schema words that a parameter of a manifest may use; all else there is for people. */
static const char *const passed_on[] = {"default",          "minimum",          "maximum",
                                        "exclusiveMinimum", "exclusiveMaximum", "enum",
                                        "minLength",        "maxLength",        "pattern"};

static const char *schema_type(const char *type) {
    static const struct {
        const char *from;
        const char *to;
    } names[] = {{"int64", "integer"}, {"int", "integer"},  {"float64", "number"},
                 {"float", "number"},  {"bool", "boolean"}, {"str", "string"}};
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        if (strcmp(type, names[i].from) == 0) {
            return names[i].to;
        }
    }
    return type;
}

static eop_json *schema_of(const eop_json *parameters) {
    eop_json *schema = eop_json_object();
    eop_json *properties = eop_json_object();
    eop_json *required = eop_json_array();

    for (const eop_json *p = eop_json_first(parameters); p != NULL; p = eop_json_next(p)) {
        eop_json *property = eop_json_object();
        eop_json_set_string(property, "type", schema_type(eop_json_string(p, "type", "number")));
        for (size_t i = 0; i < EOP_COUNT(passed_on); i++) {
            const eop_json *word = eop_json_get(p, passed_on[i]);
            if (word != NULL) {
                eop_json_set(property, passed_on[i], eop_json_copy(word));
            }
        }
        if (eop_json_get(p, "default") == NULL) {
            eop_json_append_string(required, eop_json_key(p));
        }
        eop_json_set(properties, eop_json_key(p), property);
    }
    eop_json_set_string(schema, "type", "object");
    eop_json_set(schema, "properties", properties);
    eop_json_set(schema, "required", required);
    eop_json_set_bool(schema, "additionalProperties", false);
    return schema;
}

edgeops_status eop_params_resolve(eop_json **out, const edgeops_manifest *manifest,
                                  const char *params_json) {
    const char *given = params_json != NULL && params_json[0] != '\0' ? params_json : "{}";
    eop_json *parameters = NULL;
    eop_json *params = NULL;
    eop_json *schema = NULL;
    char *text = NULL;

    *out = NULL;
    edgeops_status status =
        eop_json_parse(&parameters, manifest->parameters_json, strlen(manifest->parameters_json),
                       "the manifest's parameters", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&params, given, strlen(given), "parameters", NULL);
    }
    if (status < 0) {
        goto out;
    }
    schema = schema_of(parameters);
    text = eop_json_print(schema); /* NULL also when a part of the tree was lost */
    if (text == NULL) {
        status = eop_fail_nomem("runtime");
        goto out;
    }
    if (eop_json_type(params) == EOP_JSON_OBJECT) {
        eop_schema_defaults(schema, params);
    }
    status = eop_schema_check(schema, params, NULL, 0, "parameters");
    if (status == EDGEOPS_OK) {
        *out = params;
        params = NULL;
    }
out:
    eop_free(text);
    eop_json_free(schema);
    eop_json_free(params);
    eop_json_free(parameters);
    return status;
}
