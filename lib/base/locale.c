/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one locale object, made at the first use and kept for the life of the process. Any thread. */
#include "base/locale.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* static in the C library: never fails */
}

static locale_t get(void) {
    (void)pthread_once(&once, make);
    return c_locale;
}

locale_t eop_locale_enter(void) {
    return uselocale(get());
}

void eop_locale_leave(locale_t before) {
    (void)uselocale(before);
}

int eop_vsnprintf(char *buf, size_t size, const char *format, va_list args) {
    locale_t before = eop_locale_enter();
    int n = vsnprintf(buf, size, format, args);
    eop_locale_leave(before);
    return n;
}

int eop_snprintf(char *buf, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = eop_vsnprintf(buf, size, format, args);
    va_end(args);
    return n;
}

double eop_strtod(const char *text, char **end) {
    return strtod_l(text, end, get());
}

float eop_strtof(const char *text, char **end) {
    return strtof_l(text, end, get());
}

const char *eop_errno_text(int os_errno) {
    const char *text = strerrordesc_np(os_errno);
    return text != NULL ? text : "unknown error";
}

static int lower(char c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool eop_ascii_equal(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}
