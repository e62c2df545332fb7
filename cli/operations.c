/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up what is said of an argument. A command may call an operation and those below it: predict,
 * predict.follow. */
#include "operations.h"

#include <string.h>

static bool is_of(const char *operation, const char *called) {
    size_t size = strlen(called);
    return strncmp(operation, called, size) == 0 &&
           (operation[size] == '\0' || operation[size] == '.');
}

static const cli_operation_argument *find(const char *called, const char *name) {
    for (const cli_operation_argument *a = cli_operation_arguments; a->operation != NULL; a++) {
        if (is_of(a->operation, called) && strcmp(a->name, name) == 0) {
            return a;
        }
    }
    return NULL;
}

const char *cli_keys_of(const cli_command *command) {
    return command->run == cli_replay ? "data.import" : command->operation;
}

const char *cli_summary(const cli_command *command) {
    const cli_operation_summary *s = cli_operation_summaries;
    if (command->summary != NULL || command->operation == NULL) {
        return command->summary != NULL ? command->summary : "";
    }
    while (s->operation != NULL && strcmp(s->operation, command->operation) != 0) {
        s++;
    }
    return s->operation != NULL ? s->text : "";
}

char *cli_explain(const cli_command *command, const char *key, cli_kind kind, const char *help) {
    const cli_operation_argument *a = NULL;
    const char *operation = command != NULL ? cli_keys_of(command) : NULL;
    if (key != NULL && kind != CLI_OFF && operation != NULL) {
        a = find(operation, key);
    }
    if (a == NULL) {
        return cli_strdup(help != NULL ? help : "");
    }
    if (help != NULL) {
        return cli_format("%s (%s)", a->text, help);
    }
    return a->otherwise != NULL ? cli_format("%s (default %s)", a->text, a->otherwise)
                                : cli_strdup(a->text);
}
