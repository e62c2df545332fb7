/* SPDX-License-Identifier: Apache-2.0 */
/* Values of all types as text and as JSON. */
#ifndef EOP_CODEC_VALUE_H
#define EOP_CODEC_VALUE_H

#include "base/type.h"
#include "codec/json.h"

/** As text, such as a CSV field's: empty for null; numbers with all their digits, "NaN",
 * "Infinity"; true, false; an array as "[1,2.5,NaN]"; a blob as "sha256:HEX:SIZE". */
void eop_value_put_text(eop_buf *buf, const edgeops_value *value);
/** As JSON text: integers with all their digits; float64 never as digits alone where they would read
 * as an int64 beyond 2^53, and null where it is not finite; a blob as "sha256:HEX:SIZE". */
void eop_value_put_json(eop_buf *buf, const edgeops_value *value);
/** The same without a loss: what is not finite as a string: "NaN", "Infinity", "-Infinity", an array
 * with such an element as "[1,NaN]". A reader must know the type (column_name.h). */
void eop_value_put_json_whole(eop_buf *buf, const edgeops_value *value);
/** As JSON for a program: the same, but integers beyond 2^53 as strings of digits. NULL when there
 * is no memory. */
eop_json *eop_value_json(const edgeops_value *value);

/** A type that a channel may have, as people write it: "float64", "float32[4096]".
 *
 *  @param where  what holds the channel, for the error: "columns/"
 *  @param name   of the channel
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID */
edgeops_status eop_type_read(edgeops_type *type, uint32_t *length, const char *text,
                             const char *where, const char *name);
/** The member of a JSON schema for it. */
#define EOP_TYPE_SCHEMA                                                                            \
    "{\"type\":\"string\",\"maxLength\":24,\"description\":"                                       \
    "\"float64, float32, int8 to int64, uint8 to uint64, bool, string; with [N] behind a "         \
    "number's "                                                                                    \
    "type for arrays of N elements\"}"

/** "sha256:HEX:SIZE". */
#define EOP_BLOB_TEXT 96u
size_t eop_blob_format(char out[EOP_BLOB_TEXT], const edgeops_blob *blob);
/** False when the text is nothing that eop_blob_format() makes. */
bool eop_blob_parse(edgeops_blob *out, const char *text, size_t size);

#endif /* EOP_CODEC_VALUE_H */
