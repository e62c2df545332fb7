/* SPDX-License-Identifier: Apache-2.0 */
/* The thread's last error: a code and one line of text, in thread-local memory that lives as long
 * as the thread. Nothing is allocated here, so an error about memory can always be reported. */
#include "base/error.h"
#include "base/locale.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];
static _Thread_local edgeops_error last;

static const struct {
    edgeops_status code;
    const char *name;
} names[] = {
    {EDGEOPS_DONE, "EDGEOPS_DONE"},
    {EDGEOPS_OK, "EDGEOPS_OK"},
    {EDGEOPS_E_INVALID, "EDGEOPS_E_INVALID"},
    {EDGEOPS_E_NOMEM, "EDGEOPS_E_NOMEM"},
    {EDGEOPS_E_NOTFOUND, "EDGEOPS_E_NOTFOUND"},
    {EDGEOPS_E_EXISTS, "EDGEOPS_E_EXISTS"},
    {EDGEOPS_E_BUSY, "EDGEOPS_E_BUSY"},
    {EDGEOPS_E_AGAIN, "EDGEOPS_E_AGAIN"},
    {EDGEOPS_E_TIMEOUT, "EDGEOPS_E_TIMEOUT"},
    {EDGEOPS_E_CANCELED, "EDGEOPS_E_CANCELED"},
    {EDGEOPS_E_CLOSED, "EDGEOPS_E_CLOSED"},
    {EDGEOPS_E_IO, "EDGEOPS_E_IO"},
    {EDGEOPS_E_CORRUPT, "EDGEOPS_E_CORRUPT"},
    {EDGEOPS_E_PROTOCOL, "EDGEOPS_E_PROTOCOL"},
    {EDGEOPS_E_VERSION, "EDGEOPS_E_VERSION"},
    {EDGEOPS_E_LIMIT, "EDGEOPS_E_LIMIT"},
    {EDGEOPS_E_DENIED, "EDGEOPS_E_DENIED"},
    {EDGEOPS_E_UNSUPPORTED, "EDGEOPS_E_UNSUPPORTED"},
    {EDGEOPS_E_WORKER, "EDGEOPS_E_WORKER"},
    {EDGEOPS_E_INTERNAL, "EDGEOPS_E_INTERNAL"},
    {EDGEOPS_E_USER, "EDGEOPS_E_USER"},
};

const edgeops_error *edgeops_error_last(void) {
    last.message = message;
    if (last.subsystem == NULL) {
        last.subsystem = "";
    }
    return &last;
}

const char *edgeops_status_name(edgeops_status code) {
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return "EDGEOPS_E_UNKNOWN";
}

edgeops_status eop_status_from_name(const char *name) {
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].code;
        }
    }
    return EDGEOPS_E_INTERNAL;
}

/* Removes a cut UTF-8 sequence at the end of a full buffer, and everything that could start a
 * second line. */
static void tidy(void) {
    size_t n = strlen(message);
    if (n == sizeof message - 1) {
        while (n > 0 && ((unsigned char)message[n - 1] & 0xC0) == 0x80) {
            n--;
        }
        if (n > 0 && (unsigned char)message[n - 1] >= 0xC0) {
            n--;
        }
        message[n] = '\0';
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)message[i] < 0x20 || message[i] == 0x7F) {
            message[i] = ' ';
        }
    }
}

/* The new text may quote the old one, so it is made beside it. */
EOP_PRINTF(4, 0)
static edgeops_status set(edgeops_status code, int os_errno, const char *subsystem,
                          const char *format, va_list args, const char *suffix) {
    char text[sizeof message];
    int n = eop_vsnprintf(text, sizeof text, format, args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (suffix != NULL) {
        (void)snprintf(text + used, sizeof text - used, ": %s", suffix);
    }
    memcpy(message, text, sizeof message);
    tidy();
    last.code = code;
    last.os_errno = os_errno;
    last.subsystem = subsystem;
    return code;
}

edgeops_status eop_fail(edgeops_status code, const char *subsystem, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(code, 0, subsystem, format, args, NULL);
    va_end(args);
    return code;
}

edgeops_status eop_fail_errno(int os_errno, const char *subsystem, const char *format, ...) {
    edgeops_status code = EDGEOPS_E_IO;
    switch (os_errno) {
    case ENOMEM:
        code = EDGEOPS_E_NOMEM;
        break;
    case ENOSPC:
    case EDQUOT:
        code = EDGEOPS_E_LIMIT;
        break;
    case ENOENT:
        code = EDGEOPS_E_NOTFOUND;
        break;
    case EACCES:
    case EPERM:
        code = EDGEOPS_E_DENIED;
        break;
    default:
        break;
    }
    va_list args;
    va_start(args, format);
    set(code, os_errno, subsystem, format, args, eop_errno_text(os_errno));
    va_end(args);
    return code;
}

edgeops_status eop_fail_nomem(const char *subsystem) {
    return eop_fail(EDGEOPS_E_NOMEM, subsystem, "out of memory");
}

edgeops_status eop_fail_with(edgeops_status code, const char *subsystem, const char *text) {
    return eop_fail(code, subsystem, "%s", text);
}

void eop_keep_error(eop_kept_error *out) {
    out->error = *edgeops_error_last();
    memcpy(out->message, message, sizeof message);
}

edgeops_status eop_fail_kept(const eop_kept_error *kept) {
    memcpy(message, kept->message, sizeof message);
    last = kept->error;
    return kept->error.code;
}
