/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that do not depend on the host's locale. A host that called setlocale() may have a decimal
 * comma, translated messages and other letters; whatever the library reads or writes is as in the C
 * locale. The shortest decimal text of a number is eop_format_double() (base/str.h), the reading of
 * one eop_decimal_scan() (codec/number.h): both rest on this. */
#ifndef EOP_BASE_LOCALE_H
#define EOP_BASE_LOCALE_H

#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/** This thread is in the C locale until eop_locale_leave(): around calls of other libraries that
 * look at it. Gives what was in force before. */
locale_t eop_locale_enter(void);
void eop_locale_leave(locale_t before);

/** As those of the C library, in the C locale. */
int eop_vsnprintf(char *buf, size_t size, const char *format, va_list args) EOP_PRINTF(3, 0);
int eop_snprintf(char *buf, size_t size, const char *format, ...) EOP_PRINTF(3, 4);
double eop_strtod(const char *text, char **end);
float eop_strtof(const char *text, char **end);

/** The English text of an errno value, static. */
const char *eop_errno_text(int os_errno);

/** n bytes are the same but for the case of A to Z. */
bool eop_ascii_equal(const char *a, const char *b, size_t n);

#endif /* EOP_BASE_LOCALE_H */
