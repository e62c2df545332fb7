/* SPDX-License-Identifier: Apache-2.0 */
/* The help texts of the program, a noun and a command, made from the table of commands. */
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#define COLUMN 26 /* where the explanations start */
#define WIDTH  100

/* Text broken at blanks, the lines after the first indented. */
static void print_wrapped(FILE *file, const char *text, size_t indent) {
    size_t room = WIDTH - indent, used = 0;
    while (*text != 0) {
        size_t word = strcspn(text, " \n");
        if (used > 0 && used + 1 + word > room) {
            fprintf(file, "\n%*s", (int)indent, "");
            used = 0;
        }
        if (used > 0) {
            fputc(' ', file);
            used++;
        }
        fwrite(text, 1, word, file);
        used += word;
        text += word;
        if (*text == '\n') {
            fprintf(file, "\n%*s", (int)indent, "");
            used = 0;
        }
        text += *text != 0;
    }
    fputc('\n', file);
}

static void print_entry(FILE *file, const char *left, const char *right) {
    int n = fprintf(file, "  %s", left);
    if (n + 1 >= COLUMN) {
        fputc('\n', file);
        n = 0;
    }
    fprintf(file, "%*s", COLUMN - n, "");
    print_wrapped(file, right, COLUMN);
}

static void print_options(FILE *file, const cli_command *command, const cli_option *options) {
    for (; options != NULL && options->name != NULL; options++) {
        if (options->kind == CLI_HEADING) {
            fprintf(file, "\n%s:\n", options->name);
            continue;
        }
        bool value =
            options->value != NULL && options->kind != CLI_FLAG && options->kind != CLI_OFF;
        char letter[] = {'-', options->letter, ',', ' ', 0};
        bool again = options->kind == CLI_LIST || options->kind == CLI_PAIRS;
        char *left =
            cli_format("%s--%s%s%s%s", options->letter != 0 ? letter : "    ", options->name,
                       value ? " " : "", value ? options->value : "", again ? "..." : "");
        char *help = cli_explain(command, options->key, options->kind, options->help);
        char *right = options->choices != NULL ? cli_format("%s; one of %s", help, options->choices)
                                               : cli_strdup(help);
        print_entry(file, left, right);
        free(left);
        free(help);
        free(right);
    }
}

static void print_usage(FILE *file, const cli_command *c) {
    fprintf(file, "usage: edgeopsctl %s%s%s", c->noun, c->verb != NULL ? " " : "",
            c->verb != NULL ? c->verb : "");
    for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
        fprintf(file, a->count == CLI_OPTIONAL ? " [%s]" : " %s", a->name);
    }
    fputs(c->options != NULL && c->options->name != NULL ? " [OPTION]...\n\n" : "\n\n", file);
}

static void help_command(FILE *file, const cli_command *c) {
    print_usage(file, c);
    print_wrapped(file, cli_summary(c), 0);
    if (c->details != NULL) {
        fputc('\n', file);
        print_wrapped(file, c->details, 0);
    }
    if (c->arguments != NULL && c->arguments->name != NULL) {
        fputs("\nArguments:\n", file);
        for (const cli_argument *a = c->arguments; a->name != NULL; a++) {
            char *help = cli_explain(c, a->key, a->kind, a->help);
            print_entry(file, a->name, help);
            free(help);
        }
    }
    if (c->options != NULL && c->options->name != NULL) {
        fputs("\nOptions:\n", file);
        print_options(file, c, c->options);
    }
    fputs("\nFor all commands:\n", file);
    print_options(file, NULL, cli_global_options);
}

static const char *noun_summary(const cli_language *language, const char *noun) {
    for (const cli_noun *n = language->nouns; n->noun != NULL; n++) {
        if (strcmp(n->noun, noun) == 0) {
            return n->summary;
        }
    }
    return NULL;
}

static void help_noun(FILE *file, const cli_language *language, const char *noun) {
    fprintf(file, "usage: edgeopsctl %s COMMAND ...\n\n%s\n\nCommands:\n", noun,
            noun_summary(language, noun));
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0) {
            cli_text left = {0};
            cli_puts(&left, c->verb);
            for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
                cli_putf(&left, a->count == CLI_OPTIONAL ? " [%s]" : " %s", a->name);
            }
            print_entry(file, cli_text_get(&left), cli_summary(c));
            cli_text_dispose(&left);
        }
    }
    fprintf(file, "\nedgeopsctl %s COMMAND --help says more.\n", noun);
}

static void help_all(FILE *file, const cli_language *language) {
    fputs(
        "usage: edgeopsctl [--home DIR] [--json] COMMAND ...\n\n"
        "Machine-learning workflows next to the machine: take data in, label it, train, predict,\n"
        "and hand the predictions back.\n\nCommands:\n",
        file);
    const char *previous = "";
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, previous) != 0) {
            const char *summary = noun_summary(language, c->noun);
            print_entry(file, c->noun, summary != NULL ? summary : cli_summary(c));
        }
        previous = c->noun;
    }
    fputs("\nOptions:\n", file);
    print_options(file, NULL, cli_global_options);
    fputs(
        "\nExit codes: 0 ok, 1 failed or canceled, 2 wrong usage, 3 not found, 4 busy or timeout.\n"
        "Wrong usage is also an argument that the node refuses (EDGEOPS_E_INVALID), such as an "
        "unknown\n"
        "--param. Wrong contents of a file (workflow check and add, data import, label import, "
        "predict\n"
        "--input), a thing in a wrong state and whatever a run finds out are failures: 1. With "
        "--json a\n"
        "failure is a line {\"error\":{\"code\",\"message\",\"hint\"}} on standard output.\n"
        "edgeopsctl COMMAND --help says more.\n",
        file);
}

void cli_help(FILE *file, const cli_language *language, const char *noun, const char *verb) {
    if (noun == NULL) {
        help_all(file, language);
        return;
    }
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        bool same = verb == NULL ? c->verb == NULL : c->verb != NULL && strcmp(c->verb, verb) == 0;
        if (same && strcmp(c->noun, noun) == 0) {
            help_command(file, c);
            return;
        }
    }
    help_noun(file, language, noun);
}
