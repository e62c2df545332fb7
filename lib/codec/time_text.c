/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text and as numbers. */
#include "codec/time_text.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "codec/time_format.h"
#include "codec/time_parts.h"
#include "codec/zone.h"

#define NUMBER_MAX 64u /* of one with a decimal comma */

struct eop_times {
    eop_time_unit unit;
    eop_time_format *format; /**< NULL: by its look */
    eop_zone *zone;          /**< NULL: UTC */
};

edgeops_status eop_times_new(eop_times **out, const eop_times_options *options) {
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    *out = NULL;
    eop_time_unit unit = EOP_UNIT_GUESS;
    for (size_t i = 1; options->unit != NULL && i < EOP_COUNT(units); i++) {
        unit = strcmp(units[i], options->unit) == 0 ? (eop_time_unit)i : unit;
    }
    if (options->unit != NULL && unit == EOP_UNIT_GUESS) {
        return eop_fail(EDGEOPS_E_INVALID, "time", "time unit '%s' is not one of s, ms, us, ns",
                        options->unit);
    }
    if (options->unit != NULL && options->format != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "time",
                        "a time format and a time unit exclude each other; %%s in the format is a "
                        "number of seconds");
    }
    eop_times *times = eop_calloc(1, sizeof(*times));
    if (times == NULL) {
        return eop_fail_nomem("time");
    }
    times->unit = unit;
    edgeops_status status = EDGEOPS_OK;
    if (options->format != NULL) {
        status = eop_time_format_new(&times->format, options->format);
    }
    if (status == EDGEOPS_OK && options->zone != NULL) {
        status = eop_zone_new(&times->zone, options->zone);
    }
    if (status != EDGEOPS_OK) {
        eop_times_free(times);
        return status;
    }
    *out = times;
    return EDGEOPS_OK;
}

void eop_times_free(eop_times *times) {
    if (times != NULL) {
        eop_time_format_free(times->format);
        eop_zone_free(times->zone);
        eop_free(times);
    }
}

/* -- parts to a time -- */

static bool to_time(edgeops_time *out, int64_t seconds, int64_t ns) {
    edgeops_time time;
    /* Before 1970 the fraction counts up from a negative second; both parts get one sign, so that
     * the product alone does not leave int64 where the sum does not. */
    if (seconds < 0 && ns > 0) {
        seconds += 1;
        ns -= EOP_NS;
    }
    if (__builtin_mul_overflow(seconds, EOP_NS, &time) || __builtin_add_overflow(time, ns, &time)) {
        return false;
    }
    *out = time;
    return true;
}

static bool from_parts(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                       const eop_time_parts *parts, eop_time_form form) {
    int64_t seconds = parts->days * EOP_DAY_S + parts->seconds;
    eop_time_seen now = {.form = form, .zoned = parts->zoned};
    int64_t offset_s = parts->offset_s;
    if (!parts->zoned && times != NULL && times->zone != NULL) {
        eop_zone_local local = eop_zone_at(times->zone, seconds);
        offset_s = local.offset_s;
        now.missing = local.missing;
        now.repeated = local.repeated && to_time(&now.second, seconds - local.second_s, parts->ns);
    }
    if (!to_time(out, seconds - offset_s, parts->ns)) {
        return false;
    }
    if (seen != NULL) {
        *seen = now;
    }
    return true;
}

/* -- ISO 8601 -- */

static size_t count_digits(const char *p, const char *end) {
    const char *q = p;
    while (q < end && eop_is_digit(*q)) {
        q++;
    }
    return (size_t)(q - p);
}

/* Behind the 'W'. */
static bool take_week(int64_t *days, unsigned year, const char **p, const char *end,
                      bool extended) {
    unsigned week;
    unsigned weekday = 1;
    if (!eop_take_digits(&week, p, end, 2)) {
        return false;
    }
    if (*p < end && (extended ? **p == '-' : eop_is_digit(**p))) {
        *p += extended;
        if (!eop_take_digits(&weekday, p, end, 1)) {
            return false;
        }
    }
    return eop_week_days(days, year, week, weekday);
}

/* Behind the year: "-01", "-1-5", "/01/05", "-001", "-W01-1". */
static bool take_extended_date(int64_t *days, unsigned year, const char **p, const char *end) {
    char sign = *(*p)++;
    if (sign == '-' && *p < end && (**p == 'W' || **p == 'w')) {
        ++*p;
        return take_week(days, year, p, end, true);
    }
    unsigned month;
    unsigned day = 1;
    size_t n = count_digits(*p, end);
    if (n == 3 && sign == '-') {
        return eop_take_digits(&day, p, end, 3) && eop_ordinal_days(days, year, day);
    }
    if (n < 1 || n > 2 || !eop_take_digits(&month, p, end, (int)n)) {
        return false;
    }
    if (*p < end && **p == sign) {
        ++*p;
        n = count_digits(*p, end);
        if (n < 1 || n > 2 || !eop_take_digits(&day, p, end, (int)n)) {
            return false;
        }
    } else if (sign != '-' || n != 2) {
        return false;
    }
    return eop_date_days(days, year, month, day);
}

/* Behind the year: "0105", "001", "W011". *joined: the clock follows at once. */
static bool take_basic_date(int64_t *days, unsigned year, const char **p, const char *end,
                            bool *joined) {
    unsigned month;
    unsigned day;
    if (*p < end && (**p == 'W' || **p == 'w')) {
        ++*p;
        return take_week(days, year, p, end, false);
    }
    size_t n = count_digits(*p, end);
    if (n == 3) {
        return eop_take_digits(&day, p, end, 3) && eop_ordinal_days(days, year, day);
    }
    *joined = n == 8 || n == 10;
    return (n == 4 || *joined) && eop_take_digits(&month, p, end, 2) &&
           eop_take_digits(&day, p, end, 2) && eop_date_days(days, year, month, day);
}

/* "12", "12:30", "1230", "7:05:00", "123000.5", and the zone behind it. */
static bool take_clock(eop_time_parts *parts, const char **p, const char *end) {
    unsigned hour;
    unsigned minute = 0;
    unsigned second = 0;
    bool short_hour = end - *p > 1 && (*p)[1] == ':';
    if (!eop_take_digits(&hour, p, end, short_hour ? 1 : 2)) {
        return false;
    }
    bool colon = *p < end && **p == ':';
    bool more = colon || (*p < end && eop_is_digit(**p));
    *p += colon;
    if (more && !eop_take_digits(&minute, p, end, 2)) {
        return false;
    }
    more = more && *p < end && (colon ? **p == ':' : eop_is_digit(**p));
    if (more) {
        *p += colon;
        if (!eop_take_digits(&second, p, end, 2)) {
            return false;
        }
        if (*p < end && (**p == '.' || **p == ',')) {
            ++*p;
            if (!eop_take_fraction(&parts->ns, p, end)) {
                return false;
            }
        }
    }
    return eop_clock_seconds(&parts->seconds, hour, minute, second) &&
           !(hour == 24 && parts->ns > 0);
}

/* Java writes the name of the zone behind its offset: "+01:00[Europe/Vienna]". */
static bool at_end(const char *p, const char *end) {
    return p == end ||
           (*p == '[' && end[-1] == ']' && memchr(p, ']', (size_t)(end - p)) == end - 1);
}

static bool read_iso(eop_time_parts *parts, const char *text, size_t size) {
    const char *p = text;
    const char *end = text + size;
    unsigned year;
    bool joined = false;
    *parts = (eop_time_parts){0};
    if (!eop_take_digits(&year, &p, end, 4) || p == end) {
        return false;
    }
    if (!(*p == '-' || *p == '/' || *p == '.'
              ? take_extended_date(&parts->days, year, &p, end)
              : take_basic_date(&parts->days, year, &p, end, &joined))) {
        return false;
    }
    if (p == end) {
        return true;
    }
    bool blank = eop_is_blank(*p);
    const char *clock = p;
    while (clock < end && eop_is_blank(*clock)) {
        clock++;
    }
    clock += !joined && !blank && (*p == 'T' || *p == 't');
    bool clocked = joined || (clock > p && clock < end && eop_is_digit(*clock));
    if (clocked) {
        p = clock;
        if (!take_clock(parts, &p, end)) {
            return false;
        }
        if (p == end) {
            return true;
        }
    } else if (clock == end || ((*clock == '+' || *clock == '-') && end - clock != 6)) {
        return false; /* a date with -08 behind it may mean anything */
    }
    parts->zoned = eop_take_zone(&parts->offset_s, &p, end);
    return parts->zoned && at_end(p, end);
}

/* -- numbers -- */

/* The digits of a date and, from 12 on, a clock. */
static bool split_compact(eop_time_parts *parts, uint64_t digits, unsigned count) {
    unsigned second = 0;
    unsigned minute = 0;
    unsigned hour = 0;
    if (count == 14) {
        second = (unsigned)(digits % 100);
        digits /= 100;
    }
    if (count >= 12) {
        minute = (unsigned)(digits % 100);
        hour = (unsigned)(digits / 100 % 100);
        digits /= 10000;
    }
    *parts = (eop_time_parts){0};
    return eop_date_days(&parts->days, (unsigned)(digits / 10000), (unsigned)(digits / 100 % 100),
                         (unsigned)(digits % 100)) &&
           eop_clock_seconds(&parts->seconds, hour, minute, second);
}

/* 20140204, 201402041230, 20140204123015 of the years 1900 to 2100, also as a float writes them, and
 * 20140204123015.25. */
static bool read_compact(eop_time_parts *parts, const eop_decimal *decimal, const char *text,
                         size_t size) {
    int64_t value = 0;
    int64_t ns = 0;
    if (decimal->negative ||
        (decimal->shape & (EOP_DECIMAL_PLUS | EOP_DECIMAL_LEADING_ZERO)) != 0) {
        return false;
    }
    if (!eop_decimal_int64(&value, decimal)) {
        const char *p = text;
        const char *end = text + size;
        for (; p < end && p - text < 14 && eop_is_digit(*p); p++) {
            value = value * 10 + (*p - '0');
        }
        if (p - text != 14 || p == end || *p++ != '.' || !eop_take_fraction(&ns, &p, end) ||
            p != end) {
            return false;
        }
    }
    unsigned count = value >= 19000101 && value < 21010000               ? 8
                     : value >= 190001010000 && value < 210100000000     ? 12
                     : value >= 19000101000000 && value < 21010000000000 ? 14
                                                                         : 0;
    if (count == 0 || !split_compact(parts, (uint64_t)value, count)) {
        return false;
    }
    parts->ns = ns;
    return true;
}

bool eop_time_number(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                     const eop_decimal *decimal, const char *text, size_t size) {
    eop_time_unit unit = times != NULL ? times->unit : EOP_UNIT_GUESS;
    eop_time_parts parts;
    if (times != NULL && times->format != NULL) {
        return eop_time_format_read(&parts, times->format, text, size) &&
               from_parts(out, seen, times, &parts, EOP_TIME_FORMAT);
    }
    if (unit == EOP_UNIT_GUESS && read_compact(&parts, decimal, text, size)) {
        return from_parts(out, seen, times, &parts, EOP_TIME_COMPACT);
    }
    unit = unit == EOP_UNIT_GUESS ? eop_decimal_unit(decimal) : unit;
    if (seen != NULL) {
        *seen = (eop_time_seen){.form = EOP_TIME_NUMBER, .unit = unit, .zoned = true};
    }
    return eop_decimal_time(out, decimal, unit);
}

/* With a decimal comma, as ISO 8601 allows it for fractions. */
static bool read_comma(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                       const char *text, size_t size) {
    char copy[NUMBER_MAX];
    eop_decimal decimal;
    const char *comma = memchr(text, ',', size);
    if (comma == NULL || size > sizeof(copy) || comma == text || !eop_is_digit(comma[-1])) {
        return false;
    }
    memcpy(copy, text, size);
    copy[comma - text] = '.';
    return eop_decimal_scan(&decimal, copy, size) == size &&
           eop_time_number(out, seen, times, &decimal, copy, size);
}

static unsigned two_digits(const char *p) {
    unsigned tens = (unsigned)(unsigned char)p[0] - '0';
    unsigned ones = (unsigned)(unsigned char)p[1] - '0';
    return tens < 10 && ones < 10 ? tens * 10 + ones : 100000;
}

/* 2026-01-31T12:00:00Z, with a fraction or without, by its places: what most senders write. Anything
 * else is left to read_iso(), which gives the same. */
static bool read_usual(edgeops_time *out, const char *text, size_t size) {
    int64_t days = 0;
    int64_t ns = 0;
    if (size < 20 || size > 30 || text[size - 1] != 'Z' || text[10] != 'T' || text[4] != '-' ||
        text[7] != '-' || text[13] != ':' || text[16] != ':' || size == 21 ||
        (size > 20 && text[19] != '.')) {
        return false;
    }
    unsigned year = two_digits(text) * 100 + two_digits(text + 2);
    unsigned hour = two_digits(text + 11);
    unsigned minute = two_digits(text + 14);
    unsigned second = two_digits(text + 17);
    if (year > 9999 || hour > 23 || minute > 59 || second > 59 ||
        !eop_date_days(&days, year, two_digits(text + 5), two_digits(text + 8))) {
        return false;
    }
    for (size_t i = 20; i < 29; i++) {
        unsigned digit = i < size - 1 ? (unsigned)(unsigned char)text[i] - '0' : 0;
        if (digit > 9) {
            return false;
        }
        ns = ns * 10 + digit;
    }
    return to_time(out, days * EOP_DAY_S + hour * 3600 + minute * 60 + second, ns);
}

bool eop_time_text(edgeops_time *out, eop_time_seen *seen, const eop_times *times, const char *text,
                   size_t size) {
    eop_time_parts parts;
    eop_decimal decimal;
    while (size > 0 && eop_is_blank(text[size - 1])) {
        size--;
    }
    while (size > 0 && eop_is_blank(*text)) {
        text++;
        size--;
    }
    if (size == 0) {
        return false;
    }
    if (times != NULL && times->format != NULL) {
        return eop_time_format_read(&parts, times->format, text, size) &&
               from_parts(out, seen, times, &parts, EOP_TIME_FORMAT);
    }
    if (read_usual(out, text, size)) {
        if (seen != NULL) {
            *seen = (eop_time_seen){.form = EOP_TIME_ISO, .zoned = true};
        }
        return true;
    }
    /* A date is not scanned as a number first. */
    bool dated = size > 4 && text[4] == '-' && eop_is_digit(text[3]);
    if (!dated && eop_decimal_scan(&decimal, text, size) == size) {
        return eop_time_number(out, seen, times, &decimal, text, size);
    }
    return (read_iso(&parts, text, size) && from_parts(out, seen, times, &parts, EOP_TIME_ISO)) ||
           read_comma(out, seen, times, text, size);
}

bool eop_time_end(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                  edgeops_time start, const char *text, size_t size) {
    eop_time_seen mine;
    seen = seen != NULL ? seen : &mine;
    if (!eop_time_text(out, seen, times, text, size)) {
        return false;
    }
    if (seen->repeated && *out < start) {
        *out = seen->second;
    }
    return true;
}
