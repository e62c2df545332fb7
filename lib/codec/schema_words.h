/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the schema check: how its errors speak about values, and the check of schemas. */
#ifndef EOP_CODEC_SCHEMA_WORDS_H
#define EOP_CODEC_SCHEMA_WORDS_H

#include "codec/json.h"

/** Puts a value as a reader wants to see it: texts in single quotes and cut, "an object",
 * "12.5". */
void eop_put_brief(eop_buf *buf, const eop_json *json);
/** "a string", "a whole number", ...: for a schema's type word. */
const char *eop_type_phrase(const char *type);
/** Adds "; did you mean 'x'?" when a key (keys true) or text of `among` is close to name. */
void eop_put_suggestion(eop_buf *buf, const char *name, const eop_json *among, bool keys);
/** Deep equality as JSON Schema means it: 1 and 1.0 are equal, the order of keys does not count. */
bool eop_json_equal(const eop_json *a, const eop_json *b);
/** Equal values have equal hashes. */
uint64_t eop_json_hash(const eop_json *json);

/** How deep schema and document may go together. */
#define EOP_SCHEMA_DEPTH 1200
/** E_INTERNAL for a keyword that is not supported or has a wrong value. */
edgeops_status eop_schema_lint(const eop_json *schema);
/** What "#/$defs/NAME" refers to, or NULL. */
const eop_json *eop_schema_resolve(const eop_json *root, const char *reference);

#endif /* EOP_CODEC_SCHEMA_WORDS_H */
