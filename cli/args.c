/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: global options, noun, verb, then the command's options and positional arguments in
 * any order, all checked against the table of commands that it is given. */
#include "operations.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 64

/* What getopt_long needs, made of the tables: the command's options first, then the global ones. */
typedef struct grammar {
    const cli_option *by_index[MAX_OPTIONS];
    struct option longs[MAX_OPTIONS + 1];
    char shorts[2 * MAX_OPTIONS + 4];
    size_t count;
} grammar;

static void add_options(grammar *g, const cli_option *options, char **at) {
    for (; options != NULL && options->name != NULL && g->count < MAX_OPTIONS; options++) {
        if (options->kind == CLI_HEADING) {
            continue;
        }
        bool value = options->kind != CLI_FLAG && options->kind != CLI_OFF;
        g->by_index[g->count] = options;
        g->longs[g->count] = (struct option){options->name, value, NULL, 256 + (int)g->count};
        g->count++;
        if (options->letter != 0) {
            *(*at)++ = options->letter;
            if (value) {
                *(*at)++ = ':';
            }
        }
    }
}

static void make_grammar(grammar *g, const cli_command *command) {
    *g = (grammar){0};
    char *at = g->shorts;
    *at++ = command == NULL ? '+' : '-'; /* before the noun: stop there; after: in order */
    *at++ = ':';
    if (command != NULL) {
        add_options(g, command->options, &at);
    }
    add_options(g, cli_global_options, &at);
}

static const cli_option *option_of(const grammar *g, int c) {
    if (c >= 256) {
        return g->by_index[c - 256];
    }
    for (size_t i = 0; i < g->count; i++) {
        if (g->by_index[i]->letter == c) {
            return g->by_index[i];
        }
    }
    return NULL;
}

static int unknown_option(const cli_call *call, const grammar *g, const char *typed) {
    const char *names[MAX_OPTIONS];
    for (size_t i = 0; i < g->count; i++) {
        names[i] = g->by_index[i]->name;
    }
    char *bare = cli_strdup(typed + strspn(typed, "-"));
    bare[strcspn(bare, "=")] = 0;
    const char *near = cli_nearest(bare, names, g->count);
    free(bare);
    return near != NULL ? cli_usage(call, "unknown option '%s': did you mean --%s?", typed, near)
                        : cli_usage(call, "unknown option '%s'", typed);
}

static bool one_of(const char *choices, const char *text) {
    size_t n = strlen(text);
    for (const char *at = choices; *at != 0; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == n && memcmp(at, text, n) == 0) {
            return true;
        }
        at += word;
    }
    return false;
}

static bool keep_option(cli_call *call, const cli_option *option, const char *text, int *code) {
    int64_t integer;
    double number;
    edgeops_time time;
    if (option->choices != NULL && !one_of(option->choices, text)) {
        *code = cli_usage(call, "--%s does not know '%s': choose one of %s", option->name, text,
                          option->choices);
        return false;
    }
    if ((option->kind == CLI_INTEGER && !cli_parse_integer(&integer, text)) ||
        (option->kind == CLI_NUMBER && !cli_parse_number(&number, text))) {
        *code = cli_usage(call, "--%s wants a%s number, not '%s'", option->name,
                          option->kind == CLI_INTEGER ? " whole" : "", text);
        return false;
    }
    if (option->kind == CLI_TIME && edgeops_time_parse(&time, text) != EDGEOPS_OK) {
        *code = cli_usage(call, "--%s: %s", option->name, edgeops_error_last()->message);
        return false;
    }
    if (option->kind == CLI_DURATION &&
        (!cli_parse_seconds(&number, text) || strspn(text, "0123456789.") == strlen(text))) {
        *code = cli_usage(call, "--%s wants a duration such as 20ms, not '%s'", option->name, text);
        return false;
    }
    if (option->kind == CLI_PAIRS && (strchr(text, '=') == NULL || text[0] == '=')) {
        *code = cli_usage(call, "--%s wants %s, not '%s'", option->name, option->value, text);
        return false;
    }
    if (option->kind == CLI_COLUMNS && cli_get_nth(call, option->name, 1) != NULL) {
        *code = cli_usage(call, "--%s is given at most twice: the date's, then the clock's",
                          option->name);
        return false;
    }
    call->given = cli_realloc(call->given, call->given_count + 1, sizeof *call->given);
    call->given[call->given_count++] = (cli_given){option, text};
    return true;
}

typedef enum outcome { GO_ON, HELP, VERSION, ENDED } outcome;

static outcome take_global(cli_call *call, const cli_option *option, const char *text) {
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"json", &call->globals.json},
                 {"events", &call->globals.events},
                 {"quiet", &call->globals.quiet},
                 {"verbose", &call->globals.verbose}};
    for (size_t i = 0; i < CLI_COUNT(flags); i++) {
        if (strcmp(flags[i].name, option->name) == 0) {
            *flags[i].flag = true;
            if (call->globals.json) {
                cli_fail_as_json();
            }
            return GO_ON;
        }
    }
    if (strcmp(option->name, "home") == 0) {
        call->globals.home = text;
        return GO_ON;
    }
    return strcmp(option->name, "help") == 0 ? HELP : VERSION;
}

static bool is_global(const cli_option *option) {
    const cli_option *o = cli_global_options;
    while (o->name != NULL && o != option) {
        o++;
    }
    return o == option;
}

/* Takes options, and after the command also positionals, until the end (or the noun). */
static outcome take_options(cli_call *call, const grammar *g, int argc, char **argv, int *code) {
    bool help = false;
    int c;
    while ((c = getopt_long(argc, argv, g->shorts, g->longs, NULL)) != -1) {
        if (c == 1) {
            call->arguments[call->argument_count++] = optarg;
            continue;
        }
        if (c == '?') {
            if (help) {
                return HELP;
            }
            const char short_name[] = {'-', (char)optopt, 0};
            bool is_short = optopt != 0 && optopt < 256;
            *code = optopt >= 256
                        ? cli_usage(call, "--%s takes no value", option_of(g, optopt)->name)
                        : unknown_option(call, g, is_short ? short_name : argv[optind - 1]);
            return ENDED;
        }
        if (c == ':') {
            const cli_option *option = option_of(g, optopt);
            *code = cli_usage(call, "--%s wants a value: %s",
                              option != NULL ? option->name : argv[optind - 1],
                              option != NULL ? option->value : "");
            return ENDED;
        }
        const cli_option *option = option_of(g, c);
        if (is_global(option)) {
            outcome o = take_global(call, option, optarg);
            help = help || o == HELP;
            if (o == VERSION) {
                return o;
            }
        } else if (!keep_option(call, option, optarg != NULL ? optarg : "", code)) {
            return ENDED;
        }
    }
    return help ? HELP : GO_ON;
}

static bool known_noun(const cli_language *language, const char *noun) {
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0) {
            return true;
        }
    }
    return false;
}

static const cli_command *find(const cli_language *language, const char *noun, const char *verb) {
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0 &&
            (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0))) {
            return c;
        }
    }
    return NULL;
}

static int unknown_word(const cli_call *call, const char *noun, const char *typed) {
    const char *words[96];
    size_t count = 0;
    for (const cli_command *c = call->language->commands;
         c->noun != NULL && count < CLI_COUNT(words); c++) {
        if (noun == NULL) {
            words[count++] = c->noun;
        } else if (strcmp(c->noun, noun) == 0) {
            words[count++] = c->verb;
        }
    }
    const char *near = cli_nearest(typed, words, count);
    const char *end = near != NULL ? "'?" : "";
    const char *ask = near != NULL ? ": did you mean '" : "";
    near = near != NULL ? near : "";
    if (noun != NULL) {
        char *hint = cli_format("see: edgeopsctl %s --help", noun);
        cli_fail(CLI_USAGE, hint, "'%s' is not a command of '%s'%s%s%s", typed, noun, ask, near,
                 end);
        free(hint);
        return CLI_USAGE;
    }
    return cli_usage(call, "'%s' is not a command%s%s%s", typed, ask, near, end);
}

static int show_help(const cli_call *call, const char *noun) {
    cli_help(stdout, call->language, noun, NULL);
    return CLI_OK;
}

static int no_command(const cli_call *call, const char *noun) {
    if (call->globals.json) {
        return noun != NULL ? cli_usage(call, "a command of '%s' is missing", noun)
                            : cli_usage(call, "a command is missing");
    }
    cli_help(stderr, call->language, noun, NULL);
    return CLI_USAGE;
}

/* Noun and verb; -1 to go on, else the exit code. */
static int find_command(cli_call *call, int argc, char **argv, bool help) {
    const char *noun = optind < argc ? argv[optind] : NULL;
    if (noun != NULL && strcmp(noun, "help") == 0) {
        help = true;
        noun = ++optind < argc ? argv[optind] : NULL;
    }
    if (noun == NULL) {
        return help ? show_help(call, NULL) : no_command(call, NULL);
    }
    if (!known_noun(call->language, noun)) {
        return unknown_word(call, NULL, noun);
    }
    optind++;
    if (find(call->language, noun, NULL) == NULL) { /* it has verbs */
        const char *verb = optind < argc ? argv[optind] : NULL;
        bool asks = verb != NULL && (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 ||
                                     strcmp(verb, "help") == 0);
        if (verb == NULL || asks) {
            return help || asks ? show_help(call, noun) : no_command(call, noun);
        }
        if (find(call->language, noun, verb) == NULL) {
            return verb[0] == '-'
                       ? cli_usage(call, "a command of '%s' must come before '%s'", noun, verb)
                       : unknown_word(call, noun, verb);
        }
        call->command = find(call->language, noun, verb);
        optind++;
    } else {
        call->command = find(call->language, noun, NULL);
    }
    if (help) {
        cli_help(stdout, call->language, call->command->noun, call->command->verb);
        return CLI_OK;
    }
    return -1;
}

static int check_arguments(const cli_call *call) {
    const cli_argument *a = call->command->arguments;
    size_t given = call->argument_count, taken = 0;
    for (; a != NULL && a->name != NULL; a++) {
        int64_t integer;
        if (taken >= given) {
            if (a->count == CLI_ONE) {
                char *help = cli_explain(call->command, a->key, a->kind, a->help);
                int code = cli_usage(call, "%s is missing: %s", a->name, help);
                free(help);
                return code;
            }
            break;
        }
        if (a->kind == CLI_INTEGER && !cli_parse_integer(&integer, call->arguments[taken])) {
            return cli_usage(call, "%s wants a whole number, not '%s'", a->name,
                             call->arguments[taken]);
        }
        taken++;
    }
    for (const cli_option *o = call->command->options; o != NULL && o->name != NULL; o++) {
        if (o->required && !cli_has(call, o->name)) {
            char *help = cli_explain(call->command, o->key, o->kind, o->help);
            int code = cli_usage(call, "--%s %s is missing: %s", o->name, o->value, help);
            free(help);
            return code;
        }
    }
    return taken < given ? cli_usage(call, "'%s' is one argument too many", call->arguments[taken])
                         : -1;
}

/* The error may come before the option that says how to report it. */
static void look_for_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            cli_fail_as_json();
        }
    }
}

bool cli_parse(cli_call *call, const cli_language *language, int argc, char **argv, int *code) {
    *call = (cli_call){.language = language};
    look_for_json(argc, argv);
    call->arguments = cli_calloc((size_t)argc + 1, sizeof *call->arguments);
    grammar g;
    opterr = 0;
    make_grammar(&g, NULL);
    outcome o = take_options(call, &g, argc, argv, code);
    if (o == ENDED) {
        return false;
    }
    if (o == VERSION) {
        *code = cli_version(call);
        return false;
    }
    *code = find_command(call, argc, argv, o == HELP);
    if (*code >= 0) {
        return false;
    }
    make_grammar(&g, call->command);
    argv += optind - 1;
    argc -= optind - 1;
    optind = 0; /* getopt looks at the mode in `shorts` only when it starts anew */
    o = take_options(call, &g, argc, argv, code);
    if (o == ENDED) {
        return false;
    }
    if (o != GO_ON) {
        *code = CLI_OK;
        if (o == HELP) {
            cli_help(stdout, call->language, call->command->noun, call->command->verb);
        } else {
            *code = cli_version(call);
        }
        return false;
    }
    while (optind < argc) { /* after "--" */
        call->arguments[call->argument_count++] = argv[optind++];
    }
    *code = check_arguments(call);
    return *code < 0;
}
