/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, and times, durations and rates as text. Dates are computed here, not by the C library, so
 * that no time zone or locale of the host plays a part. */
#include "base/time.h"
#include "base/locale.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

__extension__ typedef __int128 wide;

#define DAY_S INT64_C(86400)
#define NS    INT64_C(1000000000)

edgeops_time eop_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (edgeops_time)t.tv_sec * NS + t.tv_nsec;
}

edgeops_duration eop_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (edgeops_duration)t.tv_sec * NS + t.tv_nsec;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counted in 400-year eras
 * that start on 1 March. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

/* Exactly n digits. */
static bool digits(unsigned *out, const char **p, const char *end, int n) {
    unsigned value = 0;
    for (int i = 0; i < n; i++) {
        if (*p == end || **p < '0' || **p > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(**p - '0');
        ++*p;
    }
    *out = value;
    return true;
}

static bool literal(const char **p, const char *end, char c) {
    if (*p == end || **p != c) {
        return false;
    }
    ++*p;
    return true;
}

static bool fraction(int64_t *ns, const char **p, const char *end) {
    *ns = 0;
    if (*p == end || (**p != '.' && **p != ',')) {
        return true;
    }
    ++*p;
    int64_t unit = NS / 10;
    int n = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p, n++) {
        if (n == 9) {
            return false;
        }
        *ns += (**p - '0') * unit;
        unit /= 10;
    }
    return n > 0;
}

static bool zone(int64_t *offset_s, const char **p, const char *end) {
    *offset_s = 0;
    if (*p == end) {
        return true;
    }
    if (**p == 'Z' || **p == 'z') {
        ++*p;
        return true;
    }
    if (**p != '+' && **p != '-') {
        return false;
    }
    int sign = **p == '-' ? -1 : 1;
    ++*p;
    unsigned h;
    unsigned m;
    if (!digits(&h, p, end, 2)) {
        return false;
    }
    (void)literal(p, end, ':');
    if (!digits(&m, p, end, 2) || h > 23 || m > 59) {
        return false;
    }
    *offset_s = sign * (int64_t)(h * 3600 + m * 60);
    return true;
}

bool eop_parse_time(edgeops_time *out, const char *text, size_t size) {
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = text;
    const char *end = text + size;
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    int64_t ns;
    int64_t offset_s;
    if (!digits(&year, &p, end, 4) || !literal(&p, end, '-') || !digits(&month, &p, end, 2) ||
        !literal(&p, end, '-') || !digits(&day, &p, end, 2) || p == end ||
        (*p != 'T' && *p != 't' && *p != ' ')) {
        return false;
    }
    p++;
    if (!digits(&hour, &p, end, 2) || !literal(&p, end, ':') || !digits(&minute, &p, end, 2) ||
        !literal(&p, end, ':') || !digits(&second, &p, end, 2) || !fraction(&ns, &p, end) ||
        !zone(&offset_s, &p, end) || p != end) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (month == 2 && leap ? 1u : 0u)) {
        return false;
    }
    int64_t s =
        days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
    int64_t t;
    /* Before 1970 the fraction counts up from a negative second; both parts get one sign, so that
     * the product alone does not leave int64 where the sum does not. */
    if (s < 0 && ns > 0) {
        s += 1;
        ns -= NS;
    }
    if (__builtin_mul_overflow(s, NS, &t) || __builtin_add_overflow(t, ns, &t)) {
        return false;
    }
    *out = t;
    return true;
}

size_t eop_format_time(char *buf, edgeops_time time) {
    int64_t s = time / NS;
    int64_t ns = time % NS;
    if (ns < 0) {
        ns += NS;
        s--;
    }
    int64_t days = s / DAY_S;
    int64_t of_day = s % DAY_S;
    if (of_day < 0) {
        of_day += DAY_S;
        days--;
    }
    int64_t year;
    unsigned month;
    unsigned day;
    civil_from_days(days, &year, &month, &day);
    int n = snprintf(buf, 40, "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month, day,
                     (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    size_t used = (size_t)n;
    if (ns > 0) {
        int width = ns % 1000000 == 0 ? 3 : ns % 1000 == 0 ? 6 : 9;
        int64_t shown = width == 3 ? ns / 1000000 : width == 6 ? ns / 1000 : ns;
        used += (size_t)snprintf(buf + used, 40 - used, ".%0*d", width, (int)shown);
    }
    buf[used++] = 'Z';
    buf[used] = '\0';
    return used;
}

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},      {"us", 1000},     {"ms", 1000000},  {"s", NS},
    {"m", 60 * NS}, {"min", 60 * NS}, {"h", 3600 * NS}, {"d", DAY_S *NS},
};

bool eop_parse_duration(edgeops_duration *out, const char *text) {
    const char *p = text;
    int64_t whole = 0;
    int count = 0;
    for (; *p >= '0' && *p <= '9'; p++, count++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *p - '0', &whole)) {
            return false;
        }
    }
    int64_t part = 0;
    int64_t scale = 1;
    if (*p == '.' && count > 0) {
        p++;
        if (*p < '0' || *p > '9') {
            return false;
        }
        for (; *p >= '0' && *p <= '9'; p++) {
            if (scale < NS) {
                part = part * 10 + (*p - '0');
                scale *= 10;
            }
        }
    }
    if (count == 0) {
        return false;
    }
    while (*p == ' ') {
        p++;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(p, units[i].name) == 0) {
            wide ns = (wide)whole * units[i].ns + (wide)part * units[i].ns / scale;
            if (ns > INT64_MAX) {
                return false;
            }
            *out = (edgeops_duration)ns;
            return true;
        }
    }
    return false;
}

bool eop_parse_rate(uint64_t *mhz, const char *text) {
    const char *p = text;
    uint64_t value = 0; /* thousandths of the unit */
    int digits = 0;
    int fraction = 0;
    for (; *p >= '0' && *p <= '9' && digits < 12; p++, digits++) {
        value = value * 10 + (uint64_t)(*p - '0');
    }
    value *= 1000;
    if (digits > 0 && *p == '.') {
        uint64_t unit = 100;
        for (p++; *p >= '0' && *p <= '9' && fraction < 3; p++, fraction++, unit /= 10) {
            value += (uint64_t)(*p - '0') * unit;
        }
        if (fraction == 0) {
            return false;
        }
    }
    p += *p == ' ';
    if (strcmp(p, "mHz") == 0) {
        value = value % 1000 == 0 ? value / 1000 : 0;
    } else if (strcmp(p, "kHz") == 0) {
        value = value <= 1000000000u ? value * 1000 : 0;
    } else if (strcmp(p, "Hz") != 0) {
        return false;
    }
    *mhz = value;
    return digits > 0 && value >= 1 && value <= 1000000000u;
}

edgeops_duration eop_rate_period(uint64_t mhz) {
    return (edgeops_duration)((1000000000000u + mhz / 2) / mhz);
}

size_t eop_format_duration(char *buf, edgeops_duration duration) {
    if (duration == EDGEOPS_FOREVER) {
        return (size_t)snprintf(buf, 32, "forever");
    }
    static const struct {
        const char *name;
        int64_t ns;
    } shown[] = {{"d", DAY_S * NS}, {"h", 3600 * NS}, {"m", 60 * NS}, {"s", NS},
                 {"ms", 1000000},   {"us", 1000},     {"ns", 1}};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (duration >= shown[i].ns || duration <= -shown[i].ns) {
            return (size_t)eop_snprintf(buf, 32, "%.4g%s", (double)duration / (double)shown[i].ns,
                                        shown[i].name);
        }
    }
    return (size_t)snprintf(buf, 32, "0s");
}
