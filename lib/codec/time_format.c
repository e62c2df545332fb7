/* SPDX-License-Identifier: Apache-2.0 */
/* A format becomes a list of steps once; a text is then read step by step. */
#include "codec/time_format.h"

#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"

#define FORMAT_MAX 128u
#define STEPS_MAX  256u

static const char known[] =
    "%Y %y %m %b %B %d %e %j %a %A %H %I %p %M %S %f %L %z %Z %s %F %D %T %R %r %n %t %%";

typedef struct time_step {
    char word; /**< the letter behind '%'; ' ' blanks, '=' a sign as it is */
    char sign;
} time_step;

struct eop_time_format {
    time_step steps[STEPS_MAX];
    size_t count;
};

/* What was read so far. */
typedef struct time_state {
    const char *p;
    const char *end;
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned of_year; /**< 0: not given */
    unsigned hour;
    unsigned minute;
    unsigned second;
    int64_t ns;
    int64_t epoch_s;
    int64_t offset_s;
    bool pm;
    bool half; /**< hour is one of 12 */
    bool epoch;
    bool zoned;
} time_state;

/* -- the format -- */

static const char *shortcut(char word) {
    switch (word) {
    case 'F':
        return "%Y-%m-%d";
    case 'D':
        return "%m/%d/%y";
    case 'T':
        return "%H:%M:%S";
    case 'R':
        return "%H:%M";
    case 'r':
        return "%I:%M:%S %p";
    default:
        return NULL;
    }
}

static char plain_word(char word) {
    switch (word) {
    case 'e':
        return 'd';
    case 'k':
        return 'H';
    case 'l':
        return 'I';
    case 'b':
    case 'h':
        return 'B';
    case 'a':
        return 'A';
    case 'n':
    case 't':
        return ' ';
    default:
        return word != '\0' && strchr("YymBdjAHIpMSfLzZs", word) != NULL ? word : '\0';
    }
}

static bool add_step(eop_time_format *f, char word, char sign) {
    if (f->count == STEPS_MAX) {
        return false;
    }
    f->steps[f->count++] = (time_step){word, sign};
    return true;
}

/* False at a word that is not known; *at is where it stands then. */
static bool add_steps(eop_time_format *f, const char *format, const char **at) {
    for (const char *p = format; *p != '\0'; p++) {
        bool good = true;
        *at = p;
        if (eop_is_blank(*p)) {
            good = add_step(f, ' ', ' ');
        } else if (*p != '%') {
            good = add_step(f, '=', *p);
        } else {
            p += p[1] == '-' ? 2 : 1;
            const char *inner = NULL;
            const char *meant = shortcut(*p);
            char word = plain_word(*p);
            good = meant != NULL ? add_steps(f, meant, &inner)
                   : *p == '%'   ? add_step(f, '=', '%')
                                 : word != '\0' && add_step(f, word, '\0');
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool has(const eop_time_format *f, char word) {
    for (size_t i = 0; i < f->count; i++) {
        if (f->steps[i].word == word) {
            return true;
        }
    }
    return false;
}

static edgeops_status check_words(const eop_time_format *f, const char *format) {
    bool any = false;
    for (size_t i = 0; i < f->count; i++) {
        any = any || strchr("= ", f->steps[i].word) == NULL;
    }
    if (!any) {
        return eop_fail(EDGEOPS_E_INVALID, "time",
                        "time format '%s' has none of the words %s; write it like %%d.%%m.%%Y "
                        "%%H:%%M:%%S",
                        format, known);
    }
    if (has(f, 'I') != has(f, 'p')) {
        return eop_fail(EDGEOPS_E_INVALID, "time",
                        "time format '%s': %%I (hours of 12) and %%p (AM, PM) belong together",
                        format);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_time_format_new(eop_time_format **out, const char *format) {
    *out = NULL;
    if (strlen(format) > FORMAT_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "time", "a time format has at most %u bytes",
                        FORMAT_MAX);
    }
    eop_time_format *made = eop_calloc(1, sizeof(*made));
    if (made == NULL) {
        return eop_fail_nomem("time");
    }
    const char *at = format;
    edgeops_status status = EDGEOPS_OK;
    if (!add_steps(made, format, &at)) {
        status = eop_fail(EDGEOPS_E_INVALID, "time",
                          "time format '%s': it is not understood from '%s' on; known are %s",
                          format, at, known);
    }
    if (status == EDGEOPS_OK) {
        status = check_words(made, format);
    }
    if (status != EDGEOPS_OK) {
        eop_free(made);
        return status;
    }
    *out = made;
    return EDGEOPS_OK;
}

void eop_time_format_free(eop_time_format *format) {
    eop_free(format);
}

/* -- a text -- */

/* One digit or more, up to max. */
static bool take_number(unsigned *out, time_state *s, int max) {
    int n = 0;
    while (n < max && s->end - s->p > n && eop_is_digit(s->p[n])) {
        n++;
    }
    return n > 0 && eop_take_digits(out, &s->p, s->end, n);
}

/* A name in full or its first letters, any case; the index counts from 0. */
static bool take_name(unsigned *out, time_state *s, const char *const *names, unsigned count,
                      size_t letters) {
    for (unsigned i = 0; i < count; i++) {
        size_t left = (size_t)(s->end - s->p);
        size_t size = strlen(names[i]);
        if (left < size || !eop_ascii_equal(s->p, names[i], size)) {
            size = letters;
        }
        if (left >= size && eop_ascii_equal(s->p, names[i], size)) {
            s->p += size;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool take_month(time_state *s) {
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    if (!take_name(&s->month, s, names, EOP_COUNT(names), 3)) {
        return false;
    }
    s->month++;
    return true;
}

static bool take_weekday(time_state *s) {
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    unsigned ignored;
    return take_name(&ignored, s, names, EOP_COUNT(names), 3);
}

static bool take_half(time_state *s) {
    static const char *const names[] = {"a.m.", "p.m.", "am", "pm"};
    unsigned which;
    for (which = 0; which < EOP_COUNT(names); which++) {
        size_t size = strlen(names[which]);
        if ((size_t)(s->end - s->p) >= size && eop_ascii_equal(s->p, names[which], size)) {
            s->p += size;
            s->pm = which % 2 == 1;
            return true;
        }
    }
    return false;
}

/* [next: the step behind the second] */
static bool take_second(time_state *s, const time_step *next) {
    if (!take_number(&s->second, s, 2)) {
        return false;
    }
    bool theirs = next != NULL && next->word == '=' && (next->sign == '.' || next->sign == ',');
    if (!theirs && s->end - s->p > 1 && (*s->p == '.' || *s->p == ',') && eop_is_digit(s->p[1])) {
        s->p++;
        return eop_take_fraction(&s->ns, &s->p, s->end);
    }
    return true;
}

static bool take_epoch(time_state *s) {
    bool negative = s->p < s->end && *s->p == '-';
    s->p += negative;
    int n = 0;
    int64_t value = 0;
    for (; n < 12 && s->p < s->end && eop_is_digit(*s->p); n++, s->p++) {
        value = value * 10 + (*s->p - '0');
    }
    if (n == 0) {
        return false;
    }
    if (s->end - s->p > 1 && *s->p == '.' && eop_is_digit(s->p[1])) {
        s->p++;
        (void)eop_take_fraction(&s->ns, &s->p, s->end);
    }
    if (negative && s->ns > 0) {
        value++;
        s->ns = EOP_NS - s->ns;
    }
    s->epoch_s = negative ? -value : value;
    s->epoch = true;
    return true;
}

static bool take_milliseconds(time_state *s) {
    unsigned value;
    bool good = eop_take_digits(&value, &s->p, s->end, 3);
    s->ns = good ? (int64_t)value * 1000000 : s->ns;
    return good;
}

static bool take_short_year(time_state *s) {
    bool good = eop_take_digits(&s->year, &s->p, s->end, 2);
    s->year += s->year >= 69 ? 1900 : 2000;
    return good;
}

static bool take_zone(time_state *s, bool name) {
    if (name && (s->p == s->end || *s->p == '+' || *s->p == '-')) {
        return false;
    }
    s->zoned = eop_take_zone(&s->offset_s, &s->p, s->end);
    return s->zoned;
}

static bool take_sign(time_state *s, char sign) {
    bool good = s->p < s->end && *s->p == sign;
    s->p += good;
    return good;
}

static bool take_blanks(time_state *s) {
    while (s->p < s->end && eop_is_blank(*s->p)) {
        s->p++;
    }
    return true;
}

static bool take_step(time_state *s, const time_step *step, const time_step *next) {
    switch (step->word) {
    case 'Y':
        return eop_take_digits(&s->year, &s->p, s->end, 4);
    case 'y':
        return take_short_year(s);
    case 'm':
        return take_number(&s->month, s, 2);
    case 'B':
        return take_month(s);
    case 'd':
        return take_blanks(s) && take_number(&s->day, s, 2);
    case 'j':
        return take_number(&s->of_year, s, 3) && s->of_year > 0;
    case 'A':
        return take_weekday(s);
    case 'H':
        return take_blanks(s) && take_number(&s->hour, s, 2);
    case 'I':
        s->half = true;
        return take_blanks(s) && take_number(&s->hour, s, 2) && s->hour >= 1 && s->hour <= 12;
    case 'p':
        return take_half(s);
    case 'M':
        return take_number(&s->minute, s, 2);
    case 'S':
        return take_second(s, next);
    case 'f':
        return eop_take_fraction(&s->ns, &s->p, s->end);
    case 'L':
        return take_milliseconds(s);
    case 'z':
    case 'Z':
        return take_zone(s, step->word == 'Z');
    case 's':
        return take_epoch(s);
    case ' ':
        return take_blanks(s);
    default:
        return take_sign(s, step->sign);
    }
}

/* "%S.%f" of a text without a fraction. */
static bool fraction_is_missing(const eop_time_format *f, size_t i, const time_state *s) {
    return i > 0 && i + 1 < f->count && f->steps[i - 1].word == 'S' && f->steps[i].word == '=' &&
           (f->steps[i].sign == '.' || f->steps[i].sign == ',') && f->steps[i + 1].word == 'f' &&
           (s->p == s->end || *s->p != f->steps[i].sign);
}

static bool to_parts(eop_time_parts *out, const time_state *s) {
    eop_time_parts parts = {.ns = s->ns, .offset_s = s->offset_s, .zoned = s->zoned || s->epoch};
    if (s->epoch) {
        parts.seconds = s->epoch_s;
        parts.offset_s = 0;
    } else {
        unsigned hour = s->half ? s->hour % 12 + (s->pm ? 12u : 0u) : s->hour;
        bool good = s->of_year > 0 ? eop_ordinal_days(&parts.days, s->year, s->of_year)
                                   : eop_date_days(&parts.days, s->year, s->month, s->day);
        if (!good || !eop_clock_seconds(&parts.seconds, hour, s->minute, s->second) ||
            (hour == 24 && s->ns > 0)) {
            return false;
        }
    }
    *out = parts;
    return true;
}

bool eop_time_format_read(eop_time_parts *out, const eop_time_format *format, const char *text,
                          size_t size) {
    time_state s = {.p = text, .end = text + size, .year = 1970, .month = 1, .day = 1};
    for (size_t i = 0; i < format->count; i++) {
        const time_step *next = i + 1 < format->count ? &format->steps[i + 1] : NULL;
        if (fraction_is_missing(format, i, &s)) {
            i++;
        } else if (!take_step(&s, &format->steps[i], next)) {
            return false;
        }
    }
    return s.p == s.end && to_parts(out, &s);
}
