/* SPDX-License-Identifier: Apache-2.0 */
/* Times by a format of the user's, in strptime's words. Unlike strptime() it knows no locale, has
 * fractions of a second, and never reads behind the text. */
#ifndef EOP_CODEC_TIME_FORMAT_H
#define EOP_CODEC_TIME_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/time_parts.h"
#include "edgeops/status.h"

typedef struct eop_time_format eop_time_format;

/** Words:
 *  - %Y (4 digits), %y (69 to 99 are 19.., 00 to 68 are 20..), %m, %b %B %h (English names), %d %e,
 *    %j (day of the year), %a %A (English names; read, not checked against the date)
 *  - %H %k, %I %l with %p (AM, PM, a.m., p.m.), %M, %S, %f (a fraction, of any length), %L (exactly
 *    3 digits of milliseconds)
 *  - %z (all that eop_take_zone() reads), %Z (UTC, GMT or Z), %s (seconds since 1970, also with a
 *    fraction; alone or with text around)
 *  - %F = %Y-%m-%d, %D = %m/%d/%y, %T = %H:%M:%S, %R = %H:%M, %r = %I:%M:%S %p
 *  - %n, %t and blanks: any number of blanks, also none; %%
 *
 *  Digits may be fewer than two, with "%-d" as well. A fraction behind %S is read where the format
 *  does not go on with '.' or ','; the fraction of "%S.%f" may be missing. What a format does not say
 *  is 1970, January, the 1st, 0 o'clock. E_INVALID names the word and lists those that are known. */
edgeops_status eop_time_format_new(eop_time_format **out, const char *format);
void eop_time_format_free(eop_time_format *format);
/** Any thread. False: the whole text is not a time of that format. */
bool eop_time_format_read(eop_time_parts *out, const eop_time_format *format, const char *text,
                          size_t size);

#endif /* EOP_CODEC_TIME_FORMAT_H */
