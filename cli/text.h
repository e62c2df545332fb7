/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and text of the command line. The program ends when memory runs out. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "edgeops/types.h"

#define CLI_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#define CLI_COUNT(array)        (sizeof(array) / sizeof((array)[0]))

/** Exit codes, a promise to scripts. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NOTFOUND = 3, CLI_BUSY = 4 };

void *cli_calloc(size_t count, size_t size);
void *cli_realloc(void *memory, size_t count, size_t size);
char *cli_strdup(const char *text);
char *cli_strndup(const char *text, size_t size);
char *cli_format(const char *format, ...) CLI_PRINTF(1, 2);
char *cli_vformat(const char *format, va_list args) CLI_PRINTF(1, 0);
/** A static line, printed on standard output when memory runs out, before the program ends.
 * NULL: nothing is printed there. */
void cli_last_words(const char *line);

/** A growing text, NUL-terminated; {0} is empty. */
typedef struct cli_text {
    char *data;
    size_t size, capacity;
} cli_text;

void cli_put(cli_text *text, const void *data, size_t size);
void cli_puts(cli_text *text, const char *data);
void cli_putf(cli_text *text, const char *format, ...) CLI_PRINTF(2, 3);
void cli_text_clear(cli_text *text);
void cli_text_dispose(cli_text *text);
/** "" when nothing was put in. */
const char *cli_text_get(const cli_text *text);

/** The word of `words` that is nearest to a mistyped one; NULL when none is near. */
const char *cli_nearest(const char *typed, const char *const *words, size_t count);

/** Seconds of "500ms", "1.5s", "30m", "2h" or a bare number of seconds. */
bool cli_parse_seconds(double *out, const char *text);
bool cli_parse_number(double *out, const char *text);
bool cli_parse_integer(int64_t *out, const char *text);
/** "2026-01-02T03:04:05.123456789Z"; buf >= 40 bytes. */
void cli_format_time(char *buf, edgeops_time time);
edgeops_time cli_now(void);
/** Monotonic seconds. */
double cli_clock(void);

/** "1.4 MiB"; buf >= 32 bytes. */
void cli_human_bytes(char *buf, double bytes);
/** "412 us", "1.3 s", "2 h 05 min"; buf >= 32 bytes. */
void cli_human_seconds(char *buf, double seconds);
/** Columns a terminal needs for UTF-8 text: one a character. */
size_t cli_width(const char *text, size_t size);
/** Makes control characters of UTF-8 text '?', so that nothing in data can steer a terminal. */
void cli_make_safe(char *text, size_t size);
/** Prints text with control characters as '?', so that nothing in data can steer a terminal. */
void cli_print_safe(FILE *file, const char *text, size_t size);

#endif /* CLI_TEXT_H */
