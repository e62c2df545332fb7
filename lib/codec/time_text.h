/* SPDX-License-Identifier: Apache-2.0 */
/* The one set of rules for what a time from outside is: ISO 8601 as it is really written, numbers
 * since 1970, compact dates, a format of the user's, and the time zone of what has none. */
#ifndef EOP_CODEC_TIME_TEXT_H
#define EOP_CODEC_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/number.h"
#include "edgeops/types.h"

typedef enum eop_time_form {
    EOP_TIME_ISO,     /**< 2026-01-31T12:00:00Z and its other forms */
    EOP_TIME_COMPACT, /**< 20260131, 202601311200, 20260131120000 */
    EOP_TIME_NUMBER,  /**< since 1970; `unit` says of what */
    EOP_TIME_FORMAT   /**< by the user's format */
} eop_time_form;

/** How a text was read, for reports. */
typedef struct eop_time_seen {
    eop_time_form form;
    eop_time_unit unit; /**< of EOP_TIME_NUMBER: the one that was taken, never EOP_UNIT_GUESS */
    bool zoned;         /**< it has a zone of its own, or is EOP_TIME_NUMBER, which counts in UTC */
    bool repeated; /**< local time that the clocks showed twice: `second` is the other reading */
    bool missing;  /**< local time that the clocks left out: read with the offset before it */
    edgeops_time second;
} eop_time_seen;

/** Texts are copied. Zero means default. */
typedef struct eop_times_options {
    const char *format; /**< strptime's words (time_format.h), such as "%d.%m.%Y %H:%M:%S"; then a
                             time is nothing else, also a number; NULL: by its look */
    const char *unit; /**< "s", "ms", "us", "ns" of numbers; NULL: compact dates are dates, else by
                             magnitude (number.h) */
    const char *zone; /**< of times without one (zone.h): "Europe/Vienna", "+02:00"; NULL: UTC */
} eop_times_options;

typedef struct eop_times eop_times;
/** E_INVALID: the format, the unit or the zone is none, or both a format and a unit are given;
 * E_NOTFOUND: the system has no zone files; E_NOMEM; E_IO. */
edgeops_status eop_times_new(eop_times **out, const eop_times_options *options);
void eop_times_free(eop_times *times);

/** Any thread; blanks around it do not count. times: NULL for the defaults. seen: optional.
 *
 *  By their look are read:
 *  - ISO 8601: 2026-01-31T12:00:00.5Z with 'T' or blanks, '.' or ',', a fraction of any length (cut
 *    behind nine digits), seconds, minutes or the whole clock left out, 24:00, one digit for month,
 *    day and hour (2026-1-5 7:05), 2026-01, 2026-031, 2026-W05-6, the basic forms 20260131T120000Z
 *    and 20260131120000Z, '/' or '.' in the date (2026/01/31)
 *  - behind it, also after blanks: Z, UTC, GMT, +02, +0200, +02:00, +01:05:21, and then a name in
 *    brackets, which does not count; a date alone takes Z, UTC, GMT and +02:00
 *  - compact dates of 1900 to 2100: 20260131, 202601311200, 20260131120000[.5], also 20260131.0
 *  - numbers since 1970 with sign, fraction ('.' or ',') and exponent
 *
 *  Second 60 is refused. A local time that comes twice is the first one (seen->second has the other),
 *  one that the clocks left out is read with the offset before the change.
 *
 *  @return false: it is no time, or outside int64 ns (1677 to 2262) */
bool eop_time_text(edgeops_time *out, eop_time_seen *seen, const eop_times *times, const char *text,
                   size_t size);
/** The end of what began at `start`: of a local time that came twice the one that is not before it. */
bool eop_time_end(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                  edgeops_time start, const char *text, size_t size);
/** A number that was scanned: JSON's. `text` is what eop_decimal_scan() took. */
bool eop_time_number(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                     const eop_decimal *decimal, const char *text, size_t size);

#endif /* EOP_CODEC_TIME_TEXT_H */
