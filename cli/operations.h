/* SPDX-License-Identifier: Apache-2.0 */
/* What the node's table of operations (lib/node/ops/) says of them and their arguments: made at build
 * time, so that a help text stands once and is there without a node. */
#ifndef CLI_OPERATIONS_H
#define CLI_OPERATIONS_H

#include "cli.h"

typedef struct cli_operation_argument {
    const char *operation, *name;
    const char *text;
    const char *otherwise; /**< the default as text; NULL: none that says anything */
} cli_operation_argument;

/** Sorted by operation; ends with a NULL operation. Made by table.py. */
extern const cli_operation_argument cli_operation_arguments[];

typedef struct cli_operation_summary {
    const char *operation, *text;
} cli_operation_summary;

/** Ends with a NULL operation. Made by table.py. */
extern const cli_operation_summary cli_operation_summaries[];

/** The operation whose arguments a command's keys are: its own; a recording is read as an import is.
 * NULL: it has no keys. */
const char *cli_keys_of(const cli_command *command);
/** What a command is for: its own summary, else that of its operation. */
const char *cli_summary(const cli_command *command);
/** What the help says of an option or argument of a command: its own text where key is NULL or the
 * option says the opposite (CLI_OFF); else that of the operation's argument, with its default or
 * what the command adds. Free it. */
char *cli_explain(const cli_command *command, const char *key, cli_kind kind, const char *help);

#endif /* CLI_OPERATIONS_H */
