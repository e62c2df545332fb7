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

bool eop_clock_unset(edgeops_time now) {
    return now < (edgeops_time)1704067200 * EDGEOPS_SECOND;
}

edgeops_duration eop_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (edgeops_duration)t.tv_sec * NS + t.tv_nsec;
}

/* Counted in 400-year eras that start on 1 March. */
int64_t eop_days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void eop_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day) {
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
    eop_civil_from_days(days, &year, &month, &day);
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
