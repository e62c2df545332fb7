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
    EOP_TIME_ISO,     /**< 2026-01-31T12:00:00Z and its shorter forms */
    EOP_TIME_COMPACT, /**< 20260131, 202601311200, 20260131120000 */
    EOP_TIME_NUMBER,  /**< since 1970; `unit` says of what */
    EOP_TIME_FORMAT   /**< by the user's format */
} eop_time_form;

/** How a text was read, for reports. */
typedef struct eop_time_seen {
    eop_time_form form;
    eop_time_unit unit; /**< of EOP_TIME_NUMBER: the one that was taken, never EOP_UNIT_GUESS */
    bool zoned;         /**< it has a zone of its own */
    bool repeated; /**< local time that the clocks showed twice: `second` is the other reading */
    bool missing;  /**< local time that the clocks left out: read with the offset before it */
    edgeops_time second;
} eop_time_seen;

/** Texts are copied. Zero means default. */
typedef struct eop_times_options {
    const char *format; /**< strptime's words, such as "%d.%m.%Y %H:%M:%S"; NULL: by its look */
    const char *unit;   /**< "s", "ms", "us", "ns" of numbers; NULL: by magnitude, dates as dates */
    const char *zone;   /**< of times without one: "Europe/Vienna", "+02:00"; NULL: UTC */
} eop_times_options;

typedef struct eop_times eop_times;
/** E_INVALID: the format, the unit or the zone is none, or the system has no file of that zone. */
edgeops_status eop_times_new(eop_times **out, const eop_times_options *options);
void eop_times_free(eop_times *times);

/** Any thread; blanks around it do not count. times: NULL for the defaults. seen: optional.
 *
 *  @return false: it is no time, or outside int64 ns (1677 to 2262) */
bool eop_time_text(edgeops_time *out, eop_time_seen *seen, const eop_times *times, const char *text,
                   size_t size);
/** A number that was scanned: JSON's. `text` is what eop_decimal_scan() took. */
bool eop_time_number(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                     const eop_decimal *decimal, const char *text, size_t size);

#endif /* EOP_CODEC_TIME_TEXT_H */
