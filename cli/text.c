/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and text, and what people write and read: numbers, times, durations, sizes. The lowest
 * file of the program: it uses no other. */
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *last_words;

void cli_last_words(const char *line) {
    last_words = line;
}

static void *checked(void *memory) {
    if (memory == NULL) {
        fputs("edgeopsctl: error: out of memory\n", stderr);
        if (last_words != NULL) {
            puts(last_words);
        }
        exit(CLI_FAILED);
    }
    return memory;
}

void *cli_calloc(size_t count, size_t size) {
    return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *cli_realloc(void *memory, size_t count, size_t size) {
    return checked(reallocarray(memory, count > 0 ? count : 1, size > 0 ? size : 1));
}

char *cli_strndup(const char *text, size_t size) {
    char *copy = cli_calloc(size + 1, 1);
    memcpy(copy, text, size);
    return copy;
}

char *cli_strdup(const char *text) {
    return cli_strndup(text, strlen(text));
}

void cli_put(cli_text *text, const void *data, size_t size) {
    if (size >= SIZE_MAX / 4 - text->size) {
        checked(NULL);
    }
    if (text->size + size + 1 > text->capacity) {
        text->capacity = (text->size + size + 64) * 2;
        text->data = cli_realloc(text->data, text->capacity, 1);
    }
    if (size > 0) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = 0;
}

void cli_puts(cli_text *text, const char *data) {
    cli_put(text, data, strlen(data));
}

char *cli_vformat(const char *format, va_list args) {
    char *out = NULL;
    if (vasprintf(&out, format, args) < 0) {
        out = NULL;
    }
    return checked(out);
}

void cli_putf(cli_text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *out = cli_vformat(format, args);
    va_end(args);
    cli_puts(text, out);
    free(out);
}

char *cli_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *out = cli_vformat(format, args);
    va_end(args);
    return out;
}

void cli_text_clear(cli_text *text) {
    text->size = 0;
    if (text->data != NULL) {
        text->data[0] = 0;
    }
}

void cli_text_dispose(cli_text *text) {
    free(text->data);
    *text = (cli_text){0};
}

const char *cli_text_get(const cli_text *text) {
    return text->data != NULL ? text->data : "";
}

/* Edits from a to b, transposed neighbours counted once (optimal string alignment). */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 40 };
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *upper = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                upper[j - 2] + 1 < best) {
                best = upper[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *cli_nearest(const char *typed, const char *const *words, size_t count) {
    const char *best = NULL;
    size_t nearest = SIZE_MAX, length = strlen(typed);
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(typed, words[i]);
        if (length >= 2 && strncmp(words[i], typed, length) == 0) {
            d = 1;
        }
        if (d < nearest) {
            nearest = d;
            best = words[i];
        }
    }
    return best != NULL && nearest <= (strlen(best) > 4 ? 2u : 1u) ? best : NULL;
}

bool cli_parse_number(double *out, const char *text) {
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool cli_parse_integer(int64_t *out, const char *text) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

bool cli_parse_seconds(double *out, const char *text) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1},   {"s", 1},    {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9},
                 {"m", 60}, {"min", 60}, {"h", 3600},  {"d", 86400}};
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value) || value < 0) {
        return false;
    }
    end += strspn(end, " ");
    for (size_t i = 0; i < CLI_COUNT(units); i++) {
        if (strcmp(end, units[i].name) == 0) {
            *out = value * units[i].seconds;
            return true;
        }
    }
    return false;
}

void cli_format_time(char *buf, edgeops_time time) {
    int64_t seconds = time / EDGEOPS_SECOND, rest = time % EDGEOPS_SECOND;
    if (rest < 0) {
        rest += EDGEOPS_SECOND;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    int n = snprintf(buf, 24, "%04d-%02d-%02dT%02d:%02d:%02d", (tm.tm_year + 1900) % 10000,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (rest != 0) {
        n += snprintf(buf + n, 16, ".%09d", (int)rest);
        while (strncmp(buf + n - 3, "000", 3) == 0) {
            n -= 3;
        }
    }
    buf[n] = 'Z';
    buf[n + 1] = 0;
}

edgeops_time cli_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (edgeops_time)now.tv_sec * EDGEOPS_SECOND + now.tv_nsec;
}

double cli_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void cli_human_bytes(char *buf, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < CLI_COUNT(units); i++) {
        bytes /= 1024;
    }
    snprintf(buf, 32, i == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

void cli_human_seconds(char *buf, double s) {
    if (s <= 0) {
        snprintf(buf, 32, "%.3g s", s);
    } else if (s < 1e-3) {
        snprintf(buf, 32, "%.0f us", s * 1e6);
    } else if (s < 1) {
        snprintf(buf, 32, s < 0.1 ? "%.2f ms" : "%.0f ms", s * 1e3);
    } else if (s < 120) {
        snprintf(buf, 32, "%.1f s", s);
    } else if (s < 7200) {
        snprintf(buf, 32, "%.0f min", s / 60);
    } else if (s < 172800) {
        snprintf(buf, 32, "%.0f h %02.0f min", floor(s / 3600), floor(fmod(s, 3600) / 60));
    } else {
        snprintf(buf, 32, "%.0f d %.0f h", floor(s / 86400), floor(fmod(s, 86400) / 3600));
    }
}

size_t cli_width(const char *text, size_t size) {
    size_t width = 0;
    for (size_t i = 0; i < size; i++) {
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return width;
}

void cli_make_safe(char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F) {
            text[i] = '?';
        } else if (c == 0xC2 && i + 1 < size && (unsigned char)text[i + 1] < 0xA0) {
            memcpy(text + i, "??", 2);
        }
    }
}

void cli_print_safe(FILE *file, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        /* 0xC2 0x80..0x9F are the C1 controls. */
        bool c1 = c == 0xC2 && i + 1 < size && (unsigned char)text[i + 1] < 0xA0;
        fputc(c < 0x20 || c == 0x7F || c1 ? '?' : c, file);
        i += c1;
    }
}
