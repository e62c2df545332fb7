/* SPDX-License-Identifier: Apache-2.0 */
/* How schema errors speak about values. */
#ifndef EOP_CODEC_SCHEMA_WORDS_H
#define EOP_CODEC_SCHEMA_WORDS_H

#include "codec/json.h"

/** Puts a value as a reader wants to see it: texts in single quotes and cut, "an object", "12.5".
 */
void eop_put_brief(eop_buf *buf, const eop_json *json);
/** "a string", "a whole number", ...: for a schema's type word. */
const char *eop_type_phrase(const char *type);
/** Adds "; did you mean 'x'?" when a key (keys true) or text of `among` is close to name. */
void eop_put_suggestion(eop_buf *buf, const char *name, const eop_json *among, bool keys);
/** Deep equality as JSON Schema means it: 1 and 1.0 are equal, the order of keys does not count. */
bool eop_json_equal(const eop_json *a, const eop_json *b);
/** Equal values have equal hashes. */
uint64_t eop_json_hash(const eop_json *json);

#endif /* EOP_CODEC_SCHEMA_WORDS_H */
