/* SPDX-License-Identifier: Apache-2.0 */
/* A zone is a list of the moments at which its clocks change. The footer's rule for the years behind
 * the last of them is written out until 2263, where int64 ns end: a look-up then is one search. */
#include "codec/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/time_parts.h"

#define ZONE_FOLDER  "/usr/share/zoneinfo"
#define ZONE_NAME    64u
#define ZONE_BYTES   (256u << 10)
#define HEADER_BYTES 44u
#define FIRST_YEAR   1677
#define LAST_YEAR    2263
#define OFFSET_MAX   (26 * EOP_HOUR_S)
#define FAR          (INT64_C(1) << 40) /* beyond int64 ns, and far from overflow */

/* From `at` (UTC) on the clocks are offset_s ahead of UTC. */
typedef struct zone_change {
    int64_t at;
    int64_t offset_s;
} zone_change;

struct eop_zone {
    int64_t before_s; /**< before the first change */
    zone_change *changes;
    size_t count;
    size_t capacity;
};

static bool add_change(eop_zone *zone, int64_t at, int64_t offset_s) {
    if (!eop_grow(&zone->changes, &zone->capacity, zone->count + 1, sizeof(*zone->changes))) {
        return false;
    }
    zone->changes[zone->count++] = (zone_change){at, offset_s};
    return true;
}

/* -- look-up -- */

static int64_t offset_before(const eop_zone *zone, size_t i) {
    return i == 0 ? zone->before_s : zone->changes[i - 1].offset_s;
}

/* The offset of a local time, where a change counts from when both clocks, the old and the new one,
 * show it (late) or one of them does. */
static int64_t offset_of(const eop_zone *zone, int64_t seconds, bool late) {
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t old = offset_before(zone, middle);
        int64_t now = zone->changes[middle].offset_s;
        int64_t shift = (old > now) == late ? old : now;
        if (zone->changes[middle].at + shift <= seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return offset_before(zone, low);
}

eop_zone_local eop_zone_at(const eop_zone *zone, int64_t seconds) {
    eop_zone_local local = {.offset_s = offset_of(zone, seconds, true)};
    local.second_s = local.offset_s;
    if (zone->count > 0) {
        int64_t other = offset_of(zone, seconds, false);
        local.repeated = other < local.offset_s;
        local.missing = other > local.offset_s;
        local.second_s = local.repeated ? other : local.offset_s;
    }
    return local;
}

/* -- the footer: a POSIX TZ string such as CET-1CEST,M3.5.0,M10.5.0/3 -- */

/* When in a year the clocks change. */
typedef struct zone_rule {
    char kind; /**< 'J' day without 29 February, 'D' day from 0, 'M' weekday of a week of a month */
    int month;
    int week;
    int day;
    int64_t second; /**< of that day, by the clocks before the change; may lie in another day */
} zone_rule;

static bool take_int(int *out, const char **p, int max) {
    int value = 0;
    const char *q = *p;
    while (eop_is_digit(*q) && value <= max) {
        value = value * 10 + (*q++ - '0');
    }
    if (q == *p || value > max) {
        return false;
    }
    *out = value;
    *p = q;
    return true;
}

static bool take_name(const char **p) {
    const char *q = *p;
    size_t size;
    if (*q == '<') {
        size = strcspn(q, ">");
        *p = q + size + (q[size] == '>');
        return q[size] == '>' && size > 1;
    }
    while ((*q >= 'A' && *q <= 'Z') || (*q >= 'a' && *q <= 'z')) {
        q++;
    }
    size = (size_t)(q - *p);
    *p = q;
    return size >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_clock(int64_t *out, const char **p, int max_hour) {
    int part[3] = {0};
    int sign = **p == '-' ? -1 : 1;
    *p += **p == '-' || **p == '+';
    bool good = take_int(&part[0], p, max_hour);
    for (int i = 1; i < 3 && good && **p == ':'; i++) {
        ++*p;
        good = take_int(&part[i], p, 59);
    }
    *out = sign * (part[0] * EOP_HOUR_S + part[1] * 60 + part[2]);
    return good;
}

static bool take_rule(zone_rule *out, const char **p) {
    *out = (zone_rule){.kind = 'D', .second = 2 * EOP_HOUR_S};
    if (*(*p)++ != ',') {
        return false;
    }
    bool good = true;
    if (**p == 'M') {
        ++*p;
        out->kind = 'M';
        good = take_int(&out->month, p, 12) && *(*p)++ == '.' && take_int(&out->week, p, 5) &&
               *(*p)++ == '.' && take_int(&out->day, p, 6) && out->month > 0 && out->week > 0;
    } else if (**p == 'J') {
        ++*p;
        out->kind = 'J';
        good = take_int(&out->day, p, 365) && out->day > 0;
    } else {
        good = take_int(&out->day, p, 365);
    }
    if (good && **p == '/') {
        ++*p;
        good = take_clock(&out->second, p, 167);
    }
    return good;
}

/* In seconds of the clocks before the change. */
static int64_t rule_in_year(const zone_rule *rule, int year) {
    int64_t january = eop_days_from_civil(year, 1, 1);
    int64_t days;
    if (rule->kind == 'M') {
        unsigned next = (unsigned)rule->month % 12 + 1;
        int64_t first = eop_days_from_civil(year, (unsigned)rule->month, 1);
        int64_t beyond = eop_days_from_civil(year + (next == 1), next, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        days = first + (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        days -= days >= beyond ? 7 : 0;
    } else {
        bool leap = eop_days_from_civil(year + 1, 1, 1) - january == 366;
        days = january + rule->day;
        days -= rule->kind == 'J' && !(leap && rule->day >= 60);
    }
    return days * EOP_DAY_S + rule->second;
}

/* Changes behind the last one of the file; changes of one moment are one. */
static bool add_rule_change(eop_zone *zone, int64_t last, int64_t at, int64_t offset_s) {
    if (at <= last) {
        return true;
    }
    if (zone->count > 0 && zone->changes[zone->count - 1].at >= at) {
        zone->changes[zone->count - 1].offset_s = offset_s;
        return true;
    }
    return add_change(zone, at, offset_s);
}

static bool add_rules(eop_zone *zone, const zone_rule *start, const zone_rule *end,
                      int64_t standard_s, int64_t summer_s) {
    int64_t last = zone->count > 0 ? zone->changes[zone->count - 1].at : INT64_MIN;
    int64_t year = FIRST_YEAR;
    unsigned month;
    unsigned day;
    if (zone->count > 0) {
        eop_civil_from_days(last / EOP_DAY_S - 1, &year, &month, &day);
        year = year < FIRST_YEAR ? FIRST_YEAR : year;
    }
    bool good = true;
    for (int y = (int)year; good && y <= LAST_YEAR; y++) {
        int64_t on = rule_in_year(start, y) - standard_s;
        int64_t off = rule_in_year(end, y) - summer_s;
        bool on_first = on <= off;
        good = add_rule_change(zone, last, on_first ? on : off, on_first ? summer_s : standard_s) &&
               add_rule_change(zone, last, on_first ? off : on, on_first ? standard_s : summer_s);
    }
    return good;
}

/* text: NUL-terminated. *broken: it is no rule; false: no memory, or that. */
static bool read_footer(eop_zone *zone, const char *text, bool *broken) {
    const char *p = text;
    int64_t west;
    zone_rule start;
    zone_rule end;
    *broken = !take_name(&p) || !take_clock(&west, &p, 24);
    if (*broken) {
        return false;
    }
    int64_t standard_s = -west;
    if (*p == '\0') {
        zone->before_s = zone->count == 0 ? standard_s : zone->before_s;
        return true;
    }
    int64_t summer_s = standard_s + EOP_HOUR_S;
    *broken = !take_name(&p);
    if (!*broken && *p != ',' && *p != '\0') {
        *broken = !take_clock(&west, &p, 24);
        summer_s = -west;
    }
    *broken = *broken || !take_rule(&start, &p) || !take_rule(&end, &p) || *p != '\0';
    return !*broken && add_rules(zone, &start, &end, standard_s, summer_s);
}

/* -- the file: RFC 9636, section 3 -- */

typedef struct zone_file {
    const unsigned char *data;
    size_t size;
    uint32_t utc_flags;
    uint32_t standard_flags;
    uint32_t leaps;
    uint32_t times;
    uint32_t types;
    uint32_t letters;
} zone_file;

static uint32_t big32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big_time(const unsigned char *p, size_t width) {
    return width == 4 ? (int32_t)big32(p) : (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

static bool read_header(zone_file *f) {
    if (f->size < HEADER_BYTES || memcmp(f->data, "TZif", 4) != 0) {
        return false;
    }
    f->utc_flags = big32(f->data + 20);
    f->standard_flags = big32(f->data + 24);
    f->leaps = big32(f->data + 28);
    f->times = big32(f->data + 32);
    f->types = big32(f->data + 36);
    f->letters = big32(f->data + 40);
    uint32_t most = f->utc_flags | f->standard_flags | f->leaps | f->times | f->letters;
    return most <= ZONE_BYTES && f->types >= 1 && f->types <= 256;
}

static size_t body_bytes(const zone_file *f, size_t width) {
    return f->times * (width + 1) + f->types * (size_t)6 + f->letters + f->leaps * (width + 4) +
           f->standard_flags + f->utc_flags;
}

static bool read_changes(eop_zone *zone, const zone_file *f, size_t width, bool *broken) {
    const unsigned char *times = f->data + HEADER_BYTES;
    const unsigned char *which = times + f->times * width;
    const unsigned char *types = which + f->times;
    int64_t last = INT64_MIN;
    *broken = false;
    for (uint32_t i = 0; i < f->types; i++) {
        int64_t offset = (int32_t)big32(types + i * (size_t)6);
        *broken = *broken || offset > OFFSET_MAX || offset < -OFFSET_MAX;
    }
    zone->before_s = (int32_t)big32(types);
    for (uint32_t i = 0; i < f->times && !*broken; i++) {
        int64_t at = big_time(times + i * width, width);
        *broken = (i > 0 && at <= last) || which[i] >= f->types;
        last = at;
        at = at < -FAR ? -FAR : at > FAR ? FAR : at; /* some files begin with the big bang */
        if (!*broken && !add_change(zone, at, (int32_t)big32(types + which[i] * (size_t)6))) {
            return false;
        }
    }
    return !*broken;
}

static bool read_second_part(eop_zone *zone, const zone_file *f, bool *broken) {
    size_t size = body_bytes(f, 8);
    *broken = size > f->size - HEADER_BYTES || f->leaps > 0;
    if (*broken || !read_changes(zone, f, 8, broken)) {
        return false;
    }
    const char *footer = (const char *)f->data + HEADER_BYTES + size;
    const char *end = (const char *)f->data + f->size;
    const char *stop = footer < end ? memchr(footer + 1, '\n', (size_t)(end - footer - 1)) : NULL;
    *broken = stop == NULL || *footer != '\n';
    if (*broken || stop == footer + 1) {
        return !*broken;
    }
    char *text = eop_strndup(footer + 1, (size_t)(stop - footer - 1));
    bool good = text != NULL && read_footer(zone, text, broken);
    eop_free(text);
    return good;
}

/* *broken: it is no zone file that can be used; false: no memory, or that. */
static bool read_zone(eop_zone *zone, const char *data, size_t size, bool *broken) {
    zone_file f = {.data = (const unsigned char *)data, .size = size};
    *broken = !read_header(&f) || body_bytes(&f, 4) > size - HEADER_BYTES || f.leaps > 0;
    if (*broken) {
        return false;
    }
    if (f.data[4] == '\0') {
        return read_changes(zone, &f, 4, broken);
    }
    size_t first = HEADER_BYTES + body_bytes(&f, 4);
    f = (zone_file){.data = f.data + first, .size = size - first};
    *broken = !read_header(&f);
    return !*broken && read_second_part(zone, &f, broken);
}

/* -- by name -- */

/* Only what names of zones are made of, so that no path leads out of the folder. */
static bool name_is_sound(const char *name) {
    size_t size = strlen(name);
    for (const char *p = name; *p != '\0'; p++) {
        bool letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || eop_is_digit(*p);
        if (!letter && strchr("/_+-", *p) == NULL) {
            return false;
        }
    }
    return size > 0 && size <= ZONE_NAME && name[0] != '/' && name[size - 1] != '/' &&
           strstr(name, "//") == NULL;
}

static edgeops_status fail_unknown(const char *name, const char *folder) {
    return eop_fail(EDGEOPS_E_INVALID, "time",
                    "'%.64s' is not a time zone; write a name of %s such as Europe/Vienna, an "
                    "offset such as +02:00, or UTC",
                    name, folder);
}

static edgeops_status load(eop_zone *zone, const char *name) {
    const char *folder = getenv("TZDIR");
    folder = folder != NULL && folder[0] == '/' ? folder : ZONE_FOLDER;
    if (!name_is_sound(name)) {
        return fail_unknown(name, folder);
    }
    char *path = eop_path_join(folder, name);
    char *data = NULL;
    size_t size = 0;
    bool broken = false;
    edgeops_status status =
        path != NULL ? eop_file_read(&data, &size, path, ZONE_BYTES) : eop_fail_nomem("time");
    if (status == EDGEOPS_OK && !read_zone(zone, data, size, &broken)) {
        status = broken ? eop_fail(EDGEOPS_E_INVALID, "time",
                                   "'%s' is not a time zone that can be used: '%s' is damaged, or "
                                   "counts leap seconds",
                                   name, path)
                        : eop_fail_nomem("time");
    } else if (status != EDGEOPS_OK && status != EDGEOPS_E_NOMEM && !eop_file_exists(folder)) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "time",
                          "time zone '%s': this system has no zone files in '%s'; install the "
                          "package tzdata, or write the offset from UTC such as +02:00",
                          name, folder);
    } else if (status == EDGEOPS_E_NOTFOUND || status == EDGEOPS_E_INVALID) {
        status = fail_unknown(name, folder);
    }
    eop_free(data);
    eop_free(path);
    return status;
}

edgeops_status eop_zone_new(eop_zone **out, const char *name) {
    *out = NULL;
    eop_zone *zone = eop_calloc(1, sizeof(*zone));
    if (zone == NULL) {
        return eop_fail_nomem("time");
    }
    const char *p = name;
    const char *end = name + strlen(name);
    bool offset = eop_take_zone(&zone->before_s, &p, end) && p == end;
    edgeops_status status = offset ? EDGEOPS_OK : load(zone, name);
    if (status != EDGEOPS_OK) {
        eop_zone_free(zone);
        return status;
    }
    *out = zone;
    return EDGEOPS_OK;
}

void eop_zone_free(eop_zone *zone) {
    if (zone != NULL) {
        eop_free(zone->changes);
        eop_free(zone);
    }
}
