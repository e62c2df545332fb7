/* SPDX-License-Identifier: Apache-2.0 */
/* Operations with bulk data: import, export, labels, logs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The word only; the node checks what is in the brackets. */
static bool is_type(const char *text) {
    static const char *const types[] = {"float64", "float32", "int8",   "int16",  "int32",  "int64",
                                        "uint8",   "uint16",  "uint32", "uint64", "string", "bool"};
    size_t size = strcspn(text, "[");
    for (size_t i = 0; i < CLI_COUNT(types); i++) {
        if (strlen(types[i]) == size && strncmp(types[i], text, size) == 0) {
            return true;
        }
    }
    return false;
}

/* --column NAME=TYPE[:UNIT] -> "columns":{NAME:{"type":TYPE,"unit":UNIT}} */
static int put_columns(cli_text *out, const cli_call *call) {
    const char *text;
    for (size_t i = 0; (text = cli_get_nth(call, "column", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text) {
            return cli_usage(call, "--column wants NAME=TYPE[:UNIT], not '%s'", text);
        }
        char *name = cli_strndup(text, (size_t)(equals - text));
        char *type = cli_strndup(equals + 1, strcspn(equals + 1, ":"));
        const char *unit = strchr(equals, ':');
        bool found_out = *type == 0 && unit != NULL && unit[1] != 0;
        bool known = found_out || is_type(type);
        cli_puts(out, i == 0 ? (out->size > 0 ? ",\"columns\":{" : "\"columns\":{") : "");
        json_put_key(out, name);
        cli_puts(out, "{");
        if (!found_out) {
            json_put_member(out, "type", type);
        }
        if (unit != NULL) {
            json_put_member(out, "unit", unit + 1);
        }
        cli_puts(out, "}");
        int code = known ? CLI_OK
                         : cli_usage(call,
                                     "--column %s: '%s' is not a type: choose one of float64, "
                                     "float32, int8, int16, int32, int64, uint8, uint16, uint32, "
                                     "uint64, bool, string, or an array such as float32[4096]",
                                     name, type);
        free(name);
        free(type);
        if (code != CLI_OK) {
            return code;
        }
    }
    cli_puts(out, cli_has(call, "column") ? "}" : "");
    return CLI_OK;
}

static void print_texts(FILE *file, const char *kind, const json_value *texts) {
    for (const json_value *t = texts != NULL ? texts->first : NULL; t != NULL; t = t->next) {
        fputs(kind, file);
        cli_print_safe(file, t->text, t->size);
        fputc('\n', file);
    }
}

void cli_tell_report(const cli_call *call, FILE *file, const json_value *report) {
    if (!call->globals.json && !call->globals.quiet) {
        print_texts(file, "note: ", json_at(report, "notes"));
        fflush(file);
    }
    if (!call->globals.json) {
        print_texts(stderr, "edgeopsctl: warning: ", json_at(report, "warnings"));
    }
}

/* What a person should know of an import, beside its numbers. Rows that are not stored since others
 * are make it fail, unless that was asked for. */
static int tell_import(const cli_call *call, const char *result) {
    json_document *document = json_parse(result, strlen(result), NULL, NULL);
    const json_value *root = document != NULL ? json_root(document) : NULL;
    bool conflicts = strcmp(json_text(root, "conflicts", "0"), "0") != 0;
    cli_tell_report(call, stdout, root);
    json_free(document);
    bool keep = strcmp(cli_get(call, "on-conflict", "error"), "keep") == 0;
    return conflicts && !keep ? CLI_FAILED : CLI_OK;
}

static int import_rows(const cli_call *call, const char *members, int input, int output) {
    char *result = NULL;
    int code = cli_session_run(&result, call, "data.import", members, input, output);
    if (code == CLI_OK) {
        cli_show(stdout, call, "data.import", result);
        code = tell_import(call, result);
    }
    free(result);
    return code;
}

typedef int (*import_fn)(const cli_call *call, const char *members, int input, int output);

/* The list of refused rows is kept whatever becomes of the import. */
static int import_with_list(const cli_call *call, cli_text *members, int input, import_fn import) {
    const char *list = cli_get(call, "bad-rows-file", NULL);
    cli_output output = {.fd = -1};
    if (list == NULL) {
        return import(call, cli_text_get(members), input, -1);
    }
    if (strcmp(cli_get(call, "bad-rows", "skip"), "skip") != 0) {
        return cli_usage(call, "--bad-rows-file goes with --bad-rows skip");
    }
    if (strcmp(list, "-") == 0) {
        return cli_usage(call, "--bad-rows-file wants a file: standard output is the result's");
    }
    if (!cli_has(call, "bad-rows")) {
        json_put_member(members, "bad_rows", "skip");
    }
    int code = cli_output_open(&output, list);
    if (code == CLI_OK) {
        code = import(call, cli_text_get(members), input, output.fd);
        int closed = cli_output_close(&output, CLI_OK);
        code = code == CLI_OK ? closed : code;
    }
    return code;
}

int cli_data_import(cli_call *call) {
    const char *path = cli_get(call, "input", cli_arg(call, 1));
    if (path == NULL) {
        return cli_usage(call, "--input FILE is missing: - is standard input");
    }
    cli_text members = {0};
    cli_put_arguments(&members, call);
    cli_put_input_name(&members, path);
    int code = cli_put_input_format(&members, call, "format", path);
    if (code == CLI_OK) {
        code = put_columns(&members, call);
    }
    int input = -1;
    if (code == CLI_OK) {
        code = cli_open_input(&input, path);
    }
    if (code == CLI_OK) {
        code = import_with_list(call, &members, input, import_rows);
    }
    cli_close(input);
    cli_text_dispose(&members);
    return code;
}

/* Rows on standard output and a JSON result would mix. */
static int open_rows(cli_output *out, const cli_call *call) {
    const char *path = cli_get(call, "output", "-");
    if (call->globals.json && strcmp(path, "-") == 0) {
        return cli_usage(call, "--json needs --output FILE: rows and the result would mix");
    }
    return cli_output_open(out, path);
}

int cli_data_export(cli_call *call) {
    cli_output output = {.fd = -1};
    cli_text members = {0};
    cli_put_arguments(&members, call);
    int code = cli_put_output_format(&members, call, cli_get(call, "output", "-"));
    if (code == CLI_OK) {
        code = open_rows(&output, call);
    }
    if (code != CLI_OK) {
        cli_text_dispose(&members);
        return code;
    }
    bool rows_only = output.fd == STDOUT_FILENO;
    bool quiet = call->globals.quiet;
    call->globals.quiet = quiet || rows_only;
    code = cli_operation(call, call->command->operation, cli_text_get(&members), -1, output.fd);
    call->globals.quiet = quiet;
    code = cli_output_close(&output, code);
    cli_text_dispose(&members);
    return code;
}

int cli_run_log(cli_call *call) {
    cli_output output = {.fd = -1};
    int code = open_rows(&output, call);
    if (code != CLI_OK) {
        return code;
    }
    cli_session session;
    code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    if (code == CLI_OK) {
        cli_text members = {0};
        cli_put_arguments(&members, call);
        char *arguments = cli_format("{%s}", cli_text_get(&members)), *result = NULL;
        code =
            cli_session_call_until(&result, &session, "run.log", arguments, output.fd, NULL, NULL);
        if (code == CLI_OK && result != NULL && call->globals.json) {
            cli_show(stdout, call, "run.log", result);
        }
        free(result);
        free(arguments);
        cli_text_dispose(&members);
        cli_session_close(&session);
    }
    return cli_output_close(&output, code);
}

/* Also for `label correct`. */
int cli_label_add(cli_call *call) {
    cli_text members = {0};
    cli_put_arguments(&members, call);
    cli_puts(&members, ",\"source\":\"cli\"");
    int code = cli_operation(call, call->command->operation, cli_text_get(&members), -1, -1);
    cli_text_dispose(&members);
    return code;
}

int cli_label_history(cli_call *call) {
    const char *which = cli_arg(call, 0);
    cli_text members = {0};
    int64_t id = 0;
    cli_put_arguments(&members, call);
    cli_puts(&members, members.size > 0 ? "," : "");
    if (cli_parse_integer(&id, which)) {
        cli_putf(&members, "\"id\":%lld", (long long)id);
    } else {
        json_put_key(&members, "asset");
        json_put_string(&members, which, strlen(which));
    }
    int code = cli_operation(call, "label.history", cli_text_get(&members), -1, -1);
    cli_text_dispose(&members);
    return code;
}

static int import_labels(const cli_call *call, const char *members, int input, int output) {
    char *result = NULL;
    int code = cli_session_run(&result, call, "label.import", members, input, output);
    if (code == CLI_OK) {
        json_document *document = json_parse(result, strlen(result), NULL, NULL);
        cli_show(stdout, call, "label.import", result);
        cli_tell_report(call, stdout, document != NULL ? json_root(document) : NULL);
        json_free(document);
    }
    free(result);
    return code;
}

int cli_label_import(cli_call *call) {
    const char *path = cli_arg(call, 0);
    cli_text members = {0};
    cli_put_arguments(&members, call);
    cli_put_input_name(&members, path);
    int input = -1;
    int code = cli_put_input_format(&members, call, "format", path);
    if (code == CLI_OK) {
        code = cli_open_input(&input, path);
    }
    if (code == CLI_OK) {
        code = import_with_list(call, &members, input, import_labels);
    }
    cli_close(input);
    cli_text_dispose(&members);
    return code;
}

/* Columns and rows as arrays: a table whose columns are known only now. */
static void show_rows(const cli_call *call, const char *result) {
    json_document *document = json_parse(result, strlen(result), NULL, NULL);
    const json_value *root = document != NULL ? json_root(document) : NULL;
    const json_value *columns = json_at(root, "columns"), *rows = json_at(root, "rows");
    if (call->globals.json || columns == NULL || rows == NULL) {
        printf("%s\n", result);
    } else if (rows->count == 0) {
        puts("no rows");
    } else {
        cli_show_rows(stdout, columns, rows);
    }
    json_free(document);
}

int cli_data_head(cli_call *call) {
    cli_session session;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    if (code != CLI_OK) {
        return code;
    }
    cli_text members = {0};
    cli_put_arguments(&members, call);
    char *arguments = cli_format("{%s}", cli_text_get(&members)), *result = NULL;
    code = cli_session_call(&result, &session, "data.head", arguments, -1, -1, NULL, NULL);
    if (code == CLI_OK) {
        show_rows(call, result);
    }
    free(result);
    free(arguments);
    cli_text_dispose(&members);
    cli_session_close(&session);
    return code;
}
