/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and warnings of the command line. */
#ifndef CLI_FAIL_H
#define CLI_FAIL_H

#include "edgeops/status.h"
#include "text.h"

/** From now on the first failure is also printed as a line of JSON on standard output. */
void cli_fail_as_json(void);
/** Prints "edgeopsctl: error: ..." and, where hint is not NULL, what to do next; returns code. */
int cli_fail(int code, const char *hint, const char *format, ...) CLI_PRINTF(3, 4);
/** The same, where the status says more than the exit code. A cancellation is not an error and is
 * reported without that word. */
int cli_fail_status(int code, edgeops_status status, const char *hint, const char *format, ...)
    CLI_PRINTF(4, 5);
void cli_warn(const char *format, ...) CLI_PRINTF(1, 2);
/** Exit code for a status of the library. */
int cli_exit_code(edgeops_status status);
/** Reports edgeops_error_last(). */
int cli_fail_last(edgeops_status status, const char *hint);
/** The same, where EDGEOPS_E_INVALID is about what was typed: wrong usage. */
int cli_fail_typed(edgeops_status status, const char *hint);

#endif /* CLI_FAIL_H */
