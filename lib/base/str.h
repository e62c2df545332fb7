/* SPDX-License-Identifier: Apache-2.0 */
/* Text: growing buffers, UTF-8, the rules for names, sizes and numbers. */
#ifndef EOP_BASE_STR_H
#define EOP_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/** A growing byte buffer, always NUL-terminated once something was put in. A failed allocation is
 * remembered in `failed`; later puts do nothing, so that a writer checks once at its end. {0} is an
 * empty one. */
typedef struct eop_buf {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
} eop_buf;

void eop_buf_put(eop_buf *buf, const void *data, size_t size);
void eop_buf_puts(eop_buf *buf, const char *text);
void eop_buf_printf(eop_buf *buf, const char *format, ...) EOP_PRINTF(2, 3);
/** Makes room for size more bytes and gives the place; NULL when failed. Add to buf->size what was
 * used. */
char *eop_buf_reserve(eop_buf *buf, size_t size);
/** Empties, keeps the memory. */
void eop_buf_clear(eop_buf *buf);
/** Gives the text away (free with eop_free) and empties; NULL when an allocation failed. "" when
 * empty. */
char *eop_buf_take(eop_buf *buf);
void eop_buf_dispose(eop_buf *buf);

/** New text; NULL when there is no memory. */
char *eop_format(const char *format, ...) EOP_PRINTF(1, 2);
char *eop_vformat(const char *format, va_list args) EOP_PRINTF(1, 0);

/** Length of valid UTF-8 (no surrogates, no overlong forms) at the front of data; == size when all
 * is. */
size_t eop_utf8_valid(const char *data, size_t size);

/** Asset or channel name: 1..max bytes of UTF-8, no control characters (C0, DEL, C1), levels
 * separated by '/' and not empty, not "." and not "..". */
bool eop_name_valid(const char *name, size_t size, size_t max);
/** Name of a source, dataset, model, deployment: [a-z0-9][a-z0-9._-]{0,63}. */
bool eop_id_valid(const char *name);
/** '*' in the pattern stands for any run of characters. */
bool eop_glob(const char *pattern, const char *text);

/** "16 MiB", "512KiB", "1000", "2GB" -> bytes. False when malformed or over 2^63. */
bool eop_parse_size(uint64_t *out, const char *text);
/** The shortest decimal text that gives back the same double, 17 digits at most; a whole number
 * below 1e15 without an exponent: "5142800", "-0"; "NaN", "Infinity", "-Infinity". buf >= 32
 * bytes. */
size_t eop_format_double(char *buf, double value);
/** The same for a float: 9 digits at most, a whole number below 1e9 without an exponent. */
size_t eop_format_float(char *buf, float value);

#endif /* EOP_BASE_STR_H */
