/* SPDX-License-Identifier: Apache-2.0 */
/* A time as its parts, and the words that all texts of times are made of: what the readers by look
 * (time_text.h), by format (time_format.h) and of zones (zone.h) share. No locale plays a part. */
#ifndef EOP_CODEC_TIME_PARTS_H
#define EOP_CODEC_TIME_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define EOP_DAY_S  INT64_C(86400)
#define EOP_NS     INT64_C(1000000000)
#define EOP_HOUR_S INT64_C(3600)

/** What a text says, before a zone is applied where it has none. */
typedef struct eop_time_parts {
    int64_t days;     /**< since 1970-01-01 */
    int64_t seconds;  /**< since that midnight */
    int64_t ns;       /**< 0 to 999999999 */
    int64_t offset_s; /**< east of UTC, where zoned */
    bool zoned;
} eop_time_parts;

/** Days since 1970-01-01. False: the calendar has no such day. */
bool eop_date_days(int64_t *days, unsigned year, unsigned month, unsigned day);
/** The day-th day of a year, from 1. */
bool eop_ordinal_days(int64_t *days, unsigned year, unsigned day);
/** ISO 8601 weeks: 1 to 53, Monday is 1. */
bool eop_week_days(int64_t *days, unsigned year, unsigned week, unsigned weekday);
/** Seconds since midnight; 24:00:00 is the next one, second 60 is refused. */
bool eop_clock_seconds(int64_t *seconds, unsigned hour, unsigned minute, unsigned second);

/** Digits of a fraction of a second: one or more, those behind the ninth are cut off. */
bool eop_take_fraction(int64_t *ns, const char **p, const char *end);
/** "Z", "UTC", "GMT", "+02", "-0830", "+02:00", "+01:05:21"; blanks before it do not count. */
bool eop_take_zone(int64_t *offset_s, const char **p, const char *end);

EOP_INLINE bool eop_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/** What does not count around a time. */
EOP_INLINE bool eop_is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/** Exactly n digits. */
EOP_INLINE bool eop_take_digits(unsigned *out, const char **p, const char *end, int n) {
    unsigned value = 0;
    const char *q = *p;
    if (end - q < n) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (!eop_is_digit(q[i])) {
            return false;
        }
        value = value * 10 + (unsigned)(q[i] - '0');
    }
    *out = value;
    *p = q + n;
    return true;
}

#endif /* EOP_CODEC_TIME_PARTS_H */
