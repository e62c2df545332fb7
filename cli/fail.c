/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and warnings for people on standard error and, with --json, the first failure as one line
 * on standard output; exit codes for the statuses of the library. */
#include "fail.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

static bool as_json, reported_json;

static void say(const char *kind, const char *hint, const char *message) {
    fprintf(stderr, "edgeopsctl: %s", kind);
    cli_print_safe(stderr, message, strlen(message));
    fputc('\n', stderr);
    if (hint != NULL) {
        fprintf(stderr, "  %s\n", hint);
    }
}

void cli_fail_as_json(void) {
    as_json = true;
    cli_last_words("{\"error\":{\"code\":\"EDGEOPS_E_NOMEM\",\"message\":\"out of "
                   "memory\",\"hint\":null}}");
}

static void say_json(edgeops_status status, const char *hint, const char *message) {
    if (!as_json || reported_json) {
        return;
    }
    reported_json = true;
    cli_text out = {0};
    cli_puts(&out, "{\"error\":{");
    json_put_member(&out, "code", edgeops_status_name(status));
    json_put_member(&out, "message", message);
    json_put_key(&out, "hint");
    if (hint != NULL) {
        json_put_string(&out, hint, strlen(hint));
    } else {
        cli_puts(&out, "null");
    }
    cli_puts(&out, "}}");
    puts(cli_text_get(&out));
    cli_last_words(NULL);
    cli_text_dispose(&out);
}

static void fail(edgeops_status status, const char *hint, const char *message) {
    say(status == EDGEOPS_E_CANCELED ? "" : "error: ", hint, message);
    say_json(status, hint, message);
}

int cli_fail(int code, const char *hint, const char *format, ...) {
    static const edgeops_status statuses[] = {[CLI_FAILED] = EDGEOPS_E_IO,
                                              [CLI_USAGE] = EDGEOPS_E_INVALID,
                                              [CLI_NOTFOUND] = EDGEOPS_E_NOTFOUND,
                                              [CLI_BUSY] = EDGEOPS_E_TIMEOUT};
    va_list args;
    va_start(args, format);
    char *message = cli_vformat(format, args);
    va_end(args);
    fail(statuses[code], hint, message);
    free(message);
    return code;
}

int cli_fail_status(int code, edgeops_status status, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *message = cli_vformat(format, args);
    va_end(args);
    fail(status, hint, message);
    free(message);
    return code;
}

void cli_warn(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *message = cli_vformat(format, args);
    va_end(args);
    say("warning: ", NULL, message);
    free(message);
}

int cli_exit_code(edgeops_status status) {
    switch (status) {
    case EDGEOPS_OK:
    case EDGEOPS_DONE:
        return CLI_OK;
    case EDGEOPS_E_NOTFOUND:
        return CLI_NOTFOUND;
    case EDGEOPS_E_BUSY:
    case EDGEOPS_E_AGAIN:
    case EDGEOPS_E_TIMEOUT:
        return CLI_BUSY;
    default:
        return CLI_FAILED;
    }
}

static int fail_last(int code, edgeops_status status, const char *hint) {
    const edgeops_error *error = edgeops_error_last();
    return cli_fail_status(code, status, hint, "%s",
                           error->message[0] != 0 ? error->message : edgeops_status_name(status));
}

int cli_fail_last(edgeops_status status, const char *hint) {
    return fail_last(cli_exit_code(status), status, hint);
}

int cli_fail_typed(edgeops_status status, const char *hint) {
    return fail_last(status == EDGEOPS_E_INVALID ? CLI_USAGE : cli_exit_code(status), status, hint);
}
