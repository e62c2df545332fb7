/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema for all JSON that comes from outside: configurations, manifests, arguments. */
#ifndef EOP_CODEC_SCHEMA_H
#define EOP_CODEC_SCHEMA_H

#include "codec/json.h"

/** Checks a document against a JSON Schema (2020-12; the keywords type, properties, required,
 * additionalProperties, items, prefixItems, enum, const, minimum, maximum, exclusiveMinimum,
 * exclusiveMaximum, minLength, maxLength, pattern (POSIX ERE), minItems, maxItems, uniqueItems,
 * anyOf, oneOf, $ref to #/$defs/...; annotations are passed over; any other keyword is E_INTERNAL).
 *
 *  @param text  the document's text for line and column in the error; NULL when there is none
 *  @param what  names the document in the error: "workflow.json:12:5: unknown key 'colour' in
 * /inputs/0; ..." An unknown key close to a known one gets "did you mean 'unit'?"
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID */
edgeops_status eop_schema_check(const eop_json *schema, const eop_json *json, const char *text,
                                size_t size, const char *what);

/** Writes the defaults that the schema gives for absent members into the document. */
void eop_schema_defaults(const eop_json *schema, eop_json *json);

/** Parses the schema text and checks; for schemas that are string constants. */
edgeops_status eop_schema_check_text(const char *schema, const eop_json *json, const char *text,
                                     size_t size, const char *what);

#endif /* EOP_CODEC_SCHEMA_H */
