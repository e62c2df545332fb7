/* SPDX-License-Identifier: Apache-2.0 */
/* What a parsed command line says: its options, its positional arguments, the arguments of the
 * operation that are made of them, and the usage error of a command that finds them wrong. Knows
 * neither the parser nor the table of commands. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const cli_option cli_global_options[] = {
    {"home", CLI_FILE, "DIR",
     "node home (default: $EDGEOPS_HOME, ./.edgeops, the user's data folder)", NULL, NULL, 0,
     false},
    {"json", CLI_FLAG, NULL, "print the result as one line of JSON", NULL, NULL, 0, false},
    {"events", CLI_FLAG, NULL, "print events of long work as JSON lines on standard error", NULL,
     NULL, 0, false},
    {"quiet", CLI_FLAG, NULL, "print results and errors only", NULL, NULL, 'q', false},
    {"verbose", CLI_FLAG, NULL, "print what the library logs", NULL, NULL, 'v', false},
    {"help", CLI_FLAG, NULL, "show this help", NULL, NULL, 'h', false},
    {"version", CLI_FLAG, NULL, "show the version", NULL, NULL, 0, false},
    {NULL, 0, NULL, NULL, NULL, NULL, 0, false},
};

void cli_call_dispose(cli_call *call) {
    free(call->arguments);
    free(call->given);
    *call = (cli_call){0};
}

int cli_usage(const cli_call *call, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *message = NULL;
    if (vasprintf(&message, format, args) < 0) {
        message = NULL;
    }
    va_end(args);
    const cli_command *c = call->command;
    char *hint = c == NULL ? cli_strdup("see: edgeopsctl --help")
                           : cli_format("see: edgeopsctl %s%s%s --help", c->noun,
                                        c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "");
    cli_fail(CLI_USAGE, hint, "%s", message != NULL ? message : "wrong usage");
    free(hint);
    free(message);
    return CLI_USAGE;
}

const char *cli_get_nth(const cli_call *call, const char *name, size_t index) {
    for (size_t i = 0; i < call->given_count; i++) {
        if (strcmp(call->given[i].option->name, name) == 0 && index-- == 0) {
            return call->given[i].text;
        }
    }
    return NULL;
}

const char *cli_get(const cli_call *call, const char *name, const char *fallback) {
    for (size_t i = 0;; i++) {
        const char *text = cli_get_nth(call, name, i);
        if (text == NULL) {
            return fallback;
        }
        fallback = text;
    }
}

bool cli_has(const cli_call *call, const char *name) {
    return cli_get_nth(call, name, 0) != NULL;
}

const char *cli_arg(const cli_call *call, size_t index) {
    return index < call->argument_count ? call->arguments[index] : NULL;
}

/* A parameter's text as the JSON it looks like: number, true, false, null, else a string. */
static void put_scalar(cli_text *out, const char *text) {
    bool word =
        strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0;
    if (word || json_is_number(text, strlen(text))) {
        cli_puts(out, text);
    } else {
        json_put_string(out, text, strlen(text));
    }
}

static void put_member(cli_text *out, const char *key) {
    if (out->size > 0) {
        json_put_key(out, key);
    } else {
        json_put_string(out, key, strlen(key));
        cli_puts(out, ":");
    }
}

static void put_words(cli_text *out, const char *text) {
    for (const char *at = text;; at++) {
        size_t size = strcspn(at, ",");
        cli_puts(out, at == text ? "[" : ",");
        json_put_string(out, at, size);
        at += size;
        if (*at == 0) {
            break;
        }
    }
    cli_puts(out, "]");
}

static void put_option(cli_text *out, const cli_call *call, const cli_option *option) {
    put_member(out, option->key);
    const char *text = cli_get(call, option->name, "");
    switch (option->kind) {
    case CLI_FLAG:
        cli_puts(out, "true");
        break;
    case CLI_OFF:
        cli_puts(out, "false");
        break;
    case CLI_INTEGER:
    case CLI_NUMBER:
        if (json_is_number(text, strlen(text))) {
            cli_puts(out, text);
        } else if (option->kind == CLI_INTEGER) {
            cli_putf(out, "%lld", strtoll(text, NULL, 10));
        } else {
            cli_putf(out, "%.17g", strtod(text, NULL));
        }
        break;
    case CLI_LIST:
        for (size_t i = 0; (text = cli_get_nth(call, option->name, i)) != NULL; i++) {
            cli_puts(out, i == 0 ? "[" : ",");
            json_put_string(out, text, strlen(text));
        }
        cli_puts(out, "]");
        break;
    case CLI_WORDS:
        put_words(out, text);
        break;
    case CLI_COLUMNS:
        text = cli_get_nth(call, option->name, 0);
        json_put_string(out, text, strlen(text));
        if ((text = cli_get_nth(call, option->name, 1)) != NULL) {
            json_put_member(out, "clock_column", text);
        }
        break;
    case CLI_PAIRS:
        cli_puts(out, "{");
        for (size_t i = 0; (text = cli_get_nth(call, option->name, i)) != NULL; i++) {
            char *name = cli_strndup(text, strcspn(text, "="));
            json_put_key(out, name);
            put_scalar(out, text + strlen(name) + 1);
            free(name);
        }
        cli_puts(out, "}");
        break;
    default:
        json_put_string(out, text, strlen(text));
    }
}

void cli_put_arguments(cli_text *out, const cli_call *call) {
    size_t index = 0;
    const cli_argument *a = call->command->arguments;
    for (; a != NULL && a->name != NULL && index < call->argument_count; a++) {
        if (a->key != NULL) {
            put_member(out, a->key);
            if (a->kind == CLI_INTEGER) {
                cli_putf(out, "%lld", strtoll(call->arguments[index], NULL, 10));
            } else {
                json_put_string(out, call->arguments[index], strlen(call->arguments[index]));
            }
        }
        index++;
    }
    for (const cli_option *o = call->command->options; o != NULL && o->name != NULL; o++) {
        if (o->key != NULL && cli_has(call, o->name)) {
            put_option(out, call, o);
        }
    }
}
