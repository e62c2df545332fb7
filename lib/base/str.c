/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, UTF-8, names, sizes and numbers as text. Nothing depends on the host's locale: numbers
 * are written with a point whatever it says. */
#include "base/str.h"
#include "base/locale.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

char *eop_buf_reserve(eop_buf *buf, size_t size) {
    size_t need;
    if (buf->failed || !eop_add_size(&need, buf->size, size) || !eop_add_size(&need, need, 1)) {
        buf->failed = true;
        return NULL;
    }
    if (need > buf->capacity) {
        size_t wanted = buf->capacity > 0 ? buf->capacity : 64;
        while (wanted < need) {
            if (!eop_mul_size(&wanted, wanted, 2)) {
                wanted = need;
            }
        }
        char *grown = eop_realloc(buf->data, wanted);
        if (grown == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->capacity = wanted;
    }
    return buf->data + buf->size;
}

void eop_buf_put(eop_buf *buf, const void *data, size_t size) {
    char *place = eop_buf_reserve(buf, size);
    if (place != NULL) {
        if (size > 0) {
            memcpy(place, data, size);
        }
        place[size] = '\0';
        buf->size += size;
    }
}

void eop_buf_puts(eop_buf *buf, const char *text) {
    eop_buf_put(buf, text, strlen(text));
}

void eop_buf_printf(eop_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = eop_vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *place = n < 0 ? NULL : eop_buf_reserve(buf, (size_t)n);
    if (place != NULL) {
        (void)eop_vsnprintf(place, (size_t)n + 1, format, again);
        buf->size += (size_t)n;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

void eop_buf_clear(eop_buf *buf) {
    buf->size = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

char *eop_buf_take(eop_buf *buf) {
    eop_buf_put(buf, "", 0);
    char *text = NULL;
    if (!buf->failed) {
        text = buf->data;
        buf->data = NULL;
    }
    eop_buf_dispose(buf);
    return text;
}

void eop_buf_dispose(eop_buf *buf) {
    eop_free(buf->data);
    *buf = (eop_buf){0};
}

char *eop_vformat(const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = eop_vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : eop_alloc((size_t)n + 1);
    if (text != NULL) {
        (void)eop_vsnprintf(text, (size_t)n + 1, format, again);
    }
    va_end(again);
    return text;
}

char *eop_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = eop_vformat(format, args);
    va_end(args);
    return text;
}

/* Bytes of the well-formed sequence at p (Unicode 15, table 3-7), 0 if there is none. */
static size_t sequence(const unsigned char *p, size_t left) {
    unsigned char c = p[0];
    if (c < 0x80) {
        return 1;
    }
    size_t n = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

size_t eop_utf8_valid(const char *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    size_t at = 0;
    while (at < size) {
        uint64_t word;
        if (size - at >= 8) {
            memcpy(&word, p + at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        size_t n = sequence(p + at, size - at);
        if (n == 0) {
            break;
        }
        at += n;
    }
    return at;
}

bool eop_name_valid(const char *name, size_t size, size_t max) {
    if (size == 0 || size > max || eop_utf8_valid(name, size) != size) {
        return false;
    }
    size_t level = 0;
    for (size_t i = 0; i <= size; i++) {
        unsigned char c = i < size ? (unsigned char)name[i] : '/';
        if (c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)name[i + 1] < 0xA0)) {
            return false;
        }
        if (c == '/') {
            size_t n = i - level;
            if (n == 0 || (n == 1 && name[level] == '.') ||
                (n == 2 && name[level] == '.' && name[level + 1] == '.')) {
                return false;
            }
            level = i + 1;
        }
    }
    return true;
}

bool eop_id_valid(const char *name) {
    size_t n = 0;
    for (const char *c = name; *c != '\0'; c++, n++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        bool inner = *c == '.' || *c == '_' || *c == '-';
        if (n >= 64 || (!plain && (n == 0 || !inner))) {
            return false;
        }
    }
    return n > 0;
}

bool eop_glob(const char *pattern, const char *text) {
    const char *star = NULL;
    const char *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

bool eop_parse_size(uint64_t *out, const char *text) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", 1024},
        {"kB", 1000},
        {"KB", 1000},
        {"MiB", UINT64_C(1) << 20},
        {"MB", 1000000},
        {"GiB", UINT64_C(1) << 30},
        {"GB", 1000000000},
        {"TiB", UINT64_C(1) << 40},
        {"TB", UINT64_C(1000000000000)},
    };
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
            return false;
        }
    }
    if (p == text) {
        return false;
    }
    while (*p == ' ') {
        p++;
    }
    for (size_t i = 0; i < EOP_COUNT(units); i++) {
        if (strcmp(p, units[i].name) == 0) {
            uint64_t bytes;
            if (__builtin_mul_overflow(value, units[i].bytes, &bytes) || bytes > INT64_MAX) {
                return false;
            }
            *out = bytes;
            return true;
        }
    }
    return false;
}

/* "NaN", "Infinity", "-Infinity"; 0 for a number that has digits. */
static size_t format_special(char *buf, double value) {
    if (isnan(value)) {
        return (size_t)snprintf(buf, 32, "NaN");
    }
    if (isinf(value)) {
        return (size_t)snprintf(buf, 32, value < 0 ? "-Infinity" : "Infinity");
    }
    return 0;
}

/* A whole number with all its digits, as people write it: 5142800, not 5.1428e+06. */
static bool is_whole_below(double value, double limit) {
    return value < limit && value > -limit && value == (double)(int64_t)value;
}

static size_t format_whole(char *buf, double value) {
    const char *sign = signbit(value) && value == 0 ? "-" : "";
    return (size_t)snprintf(buf, 32, "%s%" PRId64, sign, (int64_t)value);
}

size_t eop_format_double(char *buf, double value) {
    size_t special = format_special(buf, value);
    if (special > 0) {
        return special;
    }
    if (is_whole_below(value, 1e15)) {
        return format_whole(buf, value);
    }
    /* Most measured values have few digits: the first precision that reads back the same is the
     * shortest. */
    int n = 0;
    for (int precision = 6; precision <= 17; precision++) {
        n = eop_snprintf(buf, 32, "%.*g", precision, value);
        if (eop_strtod(buf, NULL) == value) {
            break;
        }
    }
    return (size_t)n;
}

size_t eop_format_float(char *buf, float value) {
    size_t special = format_special(buf, (double)value);
    if (special > 0) {
        return special;
    }
    if (is_whole_below((double)value, 1e9)) {
        return format_whole(buf, (double)value);
    }
    int n = 0;
    for (int precision = 6; precision <= 9; precision++) {
        n = eop_snprintf(buf, 32, "%.*g", precision, (double)value);
        if (eop_strtof(buf, NULL) == value) {
            break;
        }
    }
    return (size_t)n;
}
