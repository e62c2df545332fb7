/* SPDX-License-Identifier: Apache-2.0 */
/* Dates, clocks, fractions and offsets from UTC out of texts. */
#include "codec/time_parts.h"

#include "base/locale.h"
#include "base/time.h"

static bool is_leap(unsigned year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool eop_date_days(int64_t *days, unsigned year, unsigned month, unsigned day) {
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u)) {
        return false;
    }
    *days = eop_days_from_civil(year, month, day);
    return true;
}

bool eop_ordinal_days(int64_t *days, unsigned year, unsigned day) {
    if (day < 1 || day > (is_leap(year) ? 366u : 365u)) {
        return false;
    }
    *days = eop_days_from_civil(year, 1, 1) + day - 1;
    return true;
}

/* The Monday of the week that has the 4th of January. */
static int64_t first_monday(unsigned year) {
    int64_t fourth = eop_days_from_civil(year, 1, 4);
    return fourth - ((fourth + 3) % 7 + 7) % 7;
}

bool eop_week_days(int64_t *days, unsigned year, unsigned week, unsigned weekday) {
    int64_t monday = first_monday(year) + ((int64_t)week - 1) * 7;
    if (week < 1 || weekday < 1 || weekday > 7 || monday >= first_monday(year + 1)) {
        return false;
    }
    *days = monday + weekday - 1;
    return true;
}

bool eop_clock_seconds(int64_t *seconds, unsigned hour, unsigned minute, unsigned second) {
    if (hour > 24 || minute > 59 || second > 59 || (hour == 24 && minute + second > 0)) {
        return false;
    }
    *seconds = hour * EOP_HOUR_S + minute * 60 + second;
    return true;
}

bool eop_take_fraction(int64_t *ns, const char **p, const char *end) {
    const char *q = *p;
    int64_t unit = EOP_NS / 10;
    int64_t value = 0;
    for (; q < end && eop_is_digit(*q); q++) {
        value += (*q - '0') * unit;
        unit /= 10;
    }
    if (q == *p) {
        return false;
    }
    *ns = value;
    *p = q;
    return true;
}

static bool take_word(const char **p, const char *end, const char *word, size_t size) {
    if ((size_t)(end - *p) < size || !eop_ascii_equal(*p, word, size)) {
        return false;
    }
    *p += size;
    return true;
}

bool eop_take_zone(int64_t *offset_s, const char **p, const char *end) {
    const char *q = *p;
    unsigned part[3] = {0};
    while (q < end && eop_is_blank(*q)) {
        q++;
    }
    if (q == end) {
        return false;
    }
    if (*q != '+' && *q != '-') {
        *offset_s = 0;
        bool good = take_word(&q, end, "Z", 1) || take_word(&q, end, "UTC", 3) ||
                    take_word(&q, end, "GMT", 3);
        *p = good ? q : *p;
        return good;
    }
    int sign = *q++ == '-' ? -1 : 1;
    if (!eop_take_digits(&part[0], &q, end, 2)) {
        return false;
    }
    /* Minutes, and seconds as PostgreSQL writes them of times before there were zones. */
    bool colon = q < end && *q == ':';
    for (int i = 1; i < 3 && q < end && (colon ? *q == ':' : eop_is_digit(*q)); i++) {
        q += colon;
        if (!eop_take_digits(&part[i], &q, end, 2)) {
            return false;
        }
    }
    if (part[0] > 23 || part[1] > 59 || part[2] > 59) {
        return false;
    }
    *offset_s = sign * (int64_t)(part[0] * 3600 + part[1] * 60 + part[2]);
    *p = q;
    return true;
}
