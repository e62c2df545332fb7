/* SPDX-License-Identifier: Apache-2.0 */
/* The one set of rules for what a text from outside is: a null, a number, a bool, a time or a text.
 * All that reads (CSV, JSON lines, messages, label files, arrays) asks here. */
#ifndef EOP_CODEC_RULES_H
#define EOP_CODEC_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/time_text.h"
#include "edgeops/types.h"

/** Texts are copied. Zero means default. */
typedef struct eop_rules_options {
    const char *const *nulls; /**< the user's words for null, beside the usual ones */
    size_t null_count;
    char decimal;      /**< '.' (default) or ',' */
    char thousands;    /**< between groups of three digits: '.', ',', ' ', '\''; '\0': none */
    bool nan_is_value; /**< NaN is a value of float64; default: a null like NA */
    eop_times_options times;
} eop_rules_options;

typedef struct eop_rules eop_rules;
/** E_INVALID: decimal and thousands are the same or no such sign; a format, unit or zone of times. */
edgeops_status eop_rules_new(eop_rules **out, const eop_rules_options *options);
void eop_rules_free(eop_rules *rules);
/** For eop_time_text(). NULL rules: the defaults, here and below. */
const eop_times *eop_rules_times(const eop_rules *rules);

/** The word for null that a text is, as the rules list it: "NA", "N/A", "#N/A", "NaN" (unless it is
 * a value), "null", "None", "?", "-", "" or one of the user's; blanks around it do not count. NULL:
 * it is none. Valid as long as the rules. Among numbers such a text is a null; in a column of texts
 * it is a text. */
const char *eop_rules_null(const eop_rules *rules, const char *text, size_t size);
/** What a text is: int64, float64, bool or string, exactly, no locale; EDGEOPS_TYPE_NULL for a word
 * that eop_rules_null() knows. A number with a leading zero, digits with a '+' or beyond int64 are
 * a string (ids). */
edgeops_type eop_rules_type(const eop_rules *rules, const char *text, size_t size);
/** Makes a value of the type; a word for null among numbers gives a null, an empty text always.
 * False when it does not fit (a text over 64 KiB; digits that float64 cannot hold exactly; a
 * fraction for an integer, which may be written 1e3 or 5.0). A bool may also be 0 or 1. Strings are
 * borrowed. */
bool eop_rules_value(const eop_rules *rules, edgeops_value *out, edgeops_type type,
                     const char *text, size_t size);
/** An array "[1,2.5,NaN]", always with points and commas, of exactly `length` elements into memory for them, which the value points
 * to; an empty text gives a null. */
bool eop_rules_array(const eop_rules *rules, edgeops_value *out, void *elements, edgeops_type type,
                     uint32_t length, const char *text, size_t size);

#endif /* EOP_CODEC_RULES_H */
