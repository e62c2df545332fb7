/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a log line and gives it to the host's function: one line, without control characters,
 * whatever is in the data. */
#include "base/log.h"
#include "base/locale.h"

#include <stdarg.h>
#include <stdio.h>

void eop_log_write(const eop_log *log, edgeops_log_level level, const char *subsystem,
                   const char *format, ...) {
    if (log == NULL || log->fn == NULL || level > log->level) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = eop_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            *c = ' ';
        }
    }
    log->fn(level, subsystem, text, log->user_data);
}
