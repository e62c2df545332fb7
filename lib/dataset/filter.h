/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions as text:
 *
 *   filter    = condition { "and" condition }          at most EOP_CONDITIONS_MAX
 *   condition = channel compare literal | channel "is" [ "not" ] "null"
 *   channel   = a name without blanks, quotes and < > = !, or any name in "..." ("" for a quote)
 *   compare   = "==" | "=" | "!=" | "<" | "<=" | ">" | ">="
 *   literal   = a decimal number | "true" | "false" | a text in '...' ('' for an apostrophe)
 *
 * Words may be written in capitals. */
#ifndef EOP_DATASET_FILTER_H
#define EOP_DATASET_FILTER_H

#include "base/str.h"
#include "column/condition.h"

#define EOP_FILTER_BYTES 8192u

/** Names of channels and texts are owned. */
typedef struct eop_filter {
    edgeops_condition *items;
    size_t count;
} eop_filter;

/** E_INVALID tells what is wrong and where; E_LIMIT. */
edgeops_status eop_filter_parse(eop_filter *out, const char *text);
void eop_filter_dispose(eop_filter *filter);
/** The filter in one way of writing. */
void eop_filter_print(eop_buf *buf, const eop_filter *filter);

#endif /* EOP_DATASET_FILTER_H */
