/* SPDX-License-Identifier: Apache-2.0 */
/* Errors inside the library: the function that detects one sets it and returns its code; functions
 * that pass it on add nothing. */
#ifndef EOP_BASE_ERROR_H
#define EOP_BASE_ERROR_H

#include <stdarg.h>

#include "base/compiler.h"
#include "edgeops/status.h"

/** Sets the thread's error detail and returns code: the one door for errors. The text is one line,
 * lower case, names the thing and the next step. Bytes below 0x20 in the result become spaces. */
edgeops_status eop_fail(edgeops_status code, const char *subsystem, const char *format, ...)
    EOP_PRINTF(3, 4);

/** The same for a system call: appends ": " and the text of os_errno. ENOMEM gives E_NOMEM, ENOSPC
 * and EDQUOT E_LIMIT, ENOENT E_NOTFOUND, EACCES and EPERM E_DENIED, all else E_IO. */
edgeops_status eop_fail_errno(int os_errno, const char *subsystem, const char *format, ...)
    EOP_PRINTF(3, 4);

/** Short for a failed allocation. */
edgeops_status eop_fail_nomem(const char *subsystem);

/** Sets the detail to a copy of an error that came from elsewhere (another thread, process). The
 * text, and that of eop_fail(), may be the last error's own. */
edgeops_status eop_fail_with(edgeops_status code, const char *subsystem, const char *message);

/** An error that is kept while things are cleaned up, which may set another one. */
typedef struct eop_kept_error {
    edgeops_error error;
    char message[1024];
} eop_kept_error;
/** Copies the thread's error. */
void eop_keep_error(eop_kept_error *out);
/** Makes it the thread's error again, with its subsystem and os_errno; returns its code. */
edgeops_status eop_fail_kept(const eop_kept_error *kept);

/** Code for a name made by edgeops_status_name(); EDGEOPS_E_INTERNAL for an unknown one. */
edgeops_status eop_status_from_name(const char *name);

#endif /* EOP_BASE_ERROR_H */
