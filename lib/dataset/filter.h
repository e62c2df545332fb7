/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions as text. A row meets the filter when it meets all conditions:
 *
 *   filter    = condition { "and" condition }          at most EOP_CONDITIONS_MAX
 *   condition = channel compare literal | channel "is" [ "not" ] "null"
 *   channel   = a name without blanks, quotes and < > = !, or any name in "..." ("" for a quote)
 *   compare   = "==" | "=" | "!=" | "<" | "<=" | ">" | ">="
 *   literal   = a decimal number | "true" | "false" | a text in '...' ('' for an apostrophe)
 *
 * The words and, is, not, null, true and false may be written in capitals. */
#ifndef EOP_DATASET_FILTER_H
#define EOP_DATASET_FILTER_H

#include "base/str.h"
#include "column/condition.h"

#define EOP_FILTER_BYTES 8192u

/** Owns the names of channels and the texts. */
typedef struct eop_filter {
    edgeops_condition *items;
    size_t count;
} eop_filter;

/** E_INVALID: the message says what is wrong and where. E_LIMIT. */
edgeops_status eop_filter_parse(eop_filter *out, const char *text);
void eop_filter_dispose(eop_filter *filter);
/** Prints the filter in its normal form. */
void eop_filter_print(eop_buf *buf, const eop_filter *filter);

#endif /* EOP_DATASET_FILTER_H */
