/* SPDX-License-Identifier: Apache-2.0 */
/* What the types of values are called, how large they are and how a value is stored in memory: the
 * one table that every room uses. */
#ifndef EOP_BASE_TYPE_H
#define EOP_BASE_TYPE_H

#include <stdbool.h>

#include "edgeops/types.h"

#define EOP_TYPES        14u    /**< numbers below are types */
#define EOP_CHANNELS_MAX 1024u  /**< of an asset */
#define EOP_LENGTH_MAX   65536u /**< elements of an array */
#define EOP_TYPE_TEXT    24u    /**< bytes that the text of any type and length takes */

/** "float64"; "unknown" for a number that is not a type. */
const char *eop_type_name(edgeops_type type);
/** "a" or "an", to be put in front of the name. */
const char *eop_type_article(edgeops_type type);
/** NULL type: no such name; "null" gives that, too. */
edgeops_type eop_type_from_name(const char *name);
/** "float32", "float32[4096]". */
const char *eop_type_text(char out[EOP_TYPE_TEXT], edgeops_type type, uint32_t length);
/** The other way round; false for anything else, and for an array of what has none. */
bool eop_type_parse(edgeops_type *type, uint32_t *length, const char *text);

/** A type that a channel may have. */
static inline bool eop_type_known(int64_t type) {
    return type > EDGEOPS_TYPE_NULL && type < (int64_t)EOP_TYPES;
}
/** What a channel may have: 1, or 2..65,536 for a numeric type. */
bool eop_type_has_length(edgeops_type type, int64_t length);

/** Bytes of one element; BLOB: of an edgeops_blob; 0 for NULL and STRING, which have no fixed
 * size. */
size_t eop_type_width(edgeops_type type);
bool eop_type_is_float(edgeops_type type);
/** INT8 to INT64, UINT8 to UINT64. */
bool eop_type_is_integer(edgeops_type type);
bool eop_type_is_unsigned(edgeops_type type);
/** Float or integer: those that arrays are made of. */
bool eop_type_is_numeric(edgeops_type type);

/** Loads the scalar of a type with a width, except BLOB, from a place that need not be aligned. */
edgeops_value eop_value_load(edgeops_type type, const void *at);
/** Writes a scalar of such a type: eop_type_width() bytes. */
void eop_value_save(void *at, const edgeops_value *value);
/** Writes n null elements of a type with a width: NaN (0x7ff8000000000000, 0x7fc00000), else all
 * zero. */
void eop_null_fill(void *at, edgeops_type type, size_t n);
/** False for an integer that its type cannot have, such as the INT8 200. */
bool eop_value_in_range(const edgeops_value *value);
/** Text of a number (eop_format_double) or a bool; "" for the others. Gives its length. */
#define EOP_VALUE_TEXT 32u
size_t eop_value_format(char out[EOP_VALUE_TEXT], const edgeops_value *value);
/** Whether it is an array: elements of a numeric type at a place. */
static inline bool eop_value_is_array(const edgeops_value *value) {
    return value->size != 0 && eop_type_is_numeric(value->type);
}
/** Elements; 1 for a scalar. */
uint32_t eop_value_length(const edgeops_value *value);
/** What a number or a bool comes nearest to as a double; NaN for the others. */
double eop_value_double(const edgeops_value *value);
/** The same number as another numeric type; false when that type does not have it: an integer out
 * of range, a number with a fraction, more digits than the type has. A FLOAT64 becomes a FLOAT32 by
 * rounding to nearest, and is none when only that makes it infinite. NULL, BOOL, STRING, BLOB and
 * arrays only stay what they are. */
bool eop_value_convert(edgeops_value *out, const edgeops_value *value, edgeops_type type);

#endif /* EOP_BASE_TYPE_H */
