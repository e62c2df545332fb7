/* SPDX-License-Identifier: Apache-2.0 */
/* Values of all types as text and as JSON. */
#ifndef EOP_CODEC_VALUE_H
#define EOP_CODEC_VALUE_H

#include "base/type.h"
#include "codec/json.h"

/** As text, such as a CSV field's: empty for null; numbers with all their digits, "NaN",
 * "Infinity"; true, false; an array as "[1,2.5,NaN]"; a blob as "sha256:HEX:SIZE". */
void eop_value_put_text(eop_buf *buf, const edgeops_value *value);
/** As JSON text: integers with all their digits, a float that is not finite as null, a blob as the
 * string "sha256:HEX:SIZE". */
void eop_value_put_json(eop_buf *buf, const edgeops_value *value);
/** As JSON for a program: the same, but integers beyond 2^53 as strings of digits. NULL when there
 * is no memory. */
eop_json *eop_value_json(const edgeops_value *value);

/** "sha256:HEX:SIZE". */
#define EOP_BLOB_TEXT 96u
size_t eop_blob_format(char out[EOP_BLOB_TEXT], const edgeops_blob *blob);
/** False when the text is nothing that eop_blob_format() makes. */
bool eop_blob_parse(edgeops_blob *out, const char *text, size_t size);

#endif /* EOP_CODEC_VALUE_H */
