/* SPDX-License-Identifier: Apache-2.0 */
/* `edgeopsctl completion bash`: a script made from the command table. */
#include <string.h>

#include "cli.h"

static void put_words(const cli_language *language, const char *noun) {
    const char *previous = "";
    for (const cli_command *c = language->commands; c->noun != NULL; c++) {
        if (noun == NULL && strcmp(previous, c->noun) != 0) {
            printf("%s ", c->noun);
        } else if (noun != NULL && strcmp(noun, c->noun) == 0 && c->verb != NULL) {
            printf("%s ", c->verb);
        }
        previous = c->noun;
    }
}

static bool takes_value(const cli_option *option) {
    return option->kind != CLI_FLAG && option->kind != CLI_OFF && option->kind != CLI_HEADING;
}

static void put_options(const cli_option *options, bool with_value_only) {
    for (; options != NULL && options->name != NULL; options++) {
        bool heading = options->kind == CLI_HEADING;
        if (!heading && (takes_value(options) || !with_value_only)) {
            printf(" --%s", options->name);
        }
        if (with_value_only && takes_value(options) && options->letter != 0) {
            printf(" -%c", options->letter);
        }
    }
}

/* The noun whose names the node knows for a word of the table; NULL for what is free. */
static const char *noun_of(const char *word) {
    static const char *const nouns[] = {"model", "dataset", "asset", "source", "workflow"};
    for (size_t i = 0; word != NULL && i < CLI_COUNT(nouns); i++) {
        if (strcmp(word, nouns[i]) == 0) {
            return nouns[i];
        }
    }
    return NULL;
}

/* What the first positional argument names, unless the command makes it. */
static const char *noun_of_argument(const cli_command *c) {
    const cli_argument *a = c->arguments;
    if (a == NULL || a->name == NULL || a->key == NULL || c->operation == NULL) {
        return NULL;
    }
    if (strcmp(a->key, "name") != 0 && strcmp(a->key, "id") != 0) {
        return noun_of(a->key);
    }
    bool makes = strcmp(c->verb, "add") == 0 || strcmp(c->verb, "create") == 0;
    return makes || strcmp(c->noun, "label") == 0 ? NULL : c->noun;
}

/* One case branch for each option whose value has words, names or files to offer. */
static void put_values(const char *indent, const cli_option *options, bool names) {
    for (; options != NULL && options->name != NULL; options++) {
        if (!takes_value(options)) {
            continue;
        }
        const char *noun = names ? noun_of(options->key != NULL ? options->name : NULL) : NULL;
        if (options->choices != NULL) {
            printf("%s--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n", indent,
                   options->name, options->choices);
        } else if (options->kind == CLI_FILE) {
            printf("%s--%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", indent,
                   options->name);
        } else if (noun != NULL) {
            printf("%s--%s) _edgeopsctl_names %s; return ;;\n", indent, options->name, noun);
        } else {
            printf("%s--%s) return ;;\n", indent, options->name);
        }
    }
}

static bool takes_file(const cli_command *c) {
    for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
        if (a->kind == CLI_FILE) {
            return true;
        }
    }
    return false;
}

static void put_command(const cli_command *c) {
    printf("    \"%s %s\")\n        case \"$prev\" in\n", c->noun, c->verb != NULL ? c->verb : "");
    put_values("        ", c->options, c->operation != NULL);
    put_values("        ", cli_global_options, false);
    fputs("        esac\n        opts=\"", stdout);
    put_options(c->options, false);
    put_options(cli_global_options, false);
    fputs("\"\n        valued=\"", stdout);
    put_options(c->options, true);
    const char *noun = noun_of_argument(c);
    printf(" --home \"\n        files=%d names=%s ;;\n", takes_file(c), noun != NULL ? noun : "");
}

/* Names come from the network and must never be evaluated by the shell: only those of plain
 * characters are offered. */
static const char script_names[] =
    "# bash completion of edgeopsctl: source <(edgeopsctl completion bash)\n"
    "_edgeopsctl_names() {\n"
    "    local name\n"
    "    while read -r name; do\n"
    "        if [[ $name == \"$cur\"* ]]; then COMPREPLY+=(\"$name\"); fi\n"
    "    done < <(timeout 2 \"${COMP_WORDS[0]}\" ${home:+--home \"$home\"} --json \"$1\" ls "
    "2>/dev/null </dev/null |\n"
    "        sed -E 's/^[{]\"items\":|\\][}]$//g; :a; s/\\[[^][]*\\]//; ta' |\n"
    "        grep -oE '[[,]\\{\"(name\":\"[A-Za-z0-9._/@:+-]+\"|id\":[0-9]+)' |\n"
    "        sed -E 's/^.*\":\"?//; s/\"$//' | sort -u)\n"
    "}\n";
static const char script_begin[] =
    "_edgeopsctl() {\n"
    "    local cur prev noun verb opts files names valued home i word count at first\n"
    "    cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "    prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "    noun= verb= opts= files=0 names= valued= home= count=0 at=0 first=0 COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=\"${COMP_WORDS[i]}\"\n"
    "        if [[ $word == --home ]]; then ((i++)); home=\"${COMP_WORDS[i]}\"; continue; fi\n"
    "        if [[ $word == -* ]]; then continue; fi\n"
    "        if [[ -z $noun ]]; then noun=$word at=$i first=$i\n"
    "        elif [[ -z $verb ]]; then verb=$word at=$i; break; fi\n"
    "    done\n"
    "    if [[ -z $noun ]]; then\n"
    "        case \"$prev\" in\n";
static const char script_end[] = "    esac\n"
                                 "    for ((i = at + 1; i < COMP_CWORD; i++)); do\n"
                                 "        word=\"${COMP_WORDS[i]}\"\n"
                                 "        if [[ $valued == *\" $word \"* ]]; then ((i++))\n"
                                 "        elif [[ $word != -* ]]; then ((count++)); fi\n"
                                 "    done\n"
                                 "    if [[ $cur == -* ]]; then\n"
                                 "        COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n"
                                 "    elif [[ -n $names && $count == 0 ]]; then\n"
                                 "        _edgeopsctl_names \"$names\"\n"
                                 "    elif ((files)); then\n"
                                 "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                                 "    fi\n"
                                 "}\n"
                                 "complete -o filenames -F _edgeopsctl edgeopsctl\n";

int cli_completion(cli_call *call) {
    fputs(script_names, stdout);
    fputs(script_begin, stdout);
    put_values("        ", cli_global_options, false);
    fputs("        esac\n        COMPREPLY=($(compgen -W \"", stdout);
    put_words(call->language, NULL);
    put_options(cli_global_options, false);
    fputs("\" -- \"$cur\"))\n        return\n    fi\n    case \"$noun\" in\n", stdout);
    const char *previous = "";
    for (const cli_command *c = call->language->commands; c->noun != NULL; c++) {
        if (c->verb == NULL) {
            printf("    %s) verb= at=$first ;;\n", c->noun);
        } else if (strcmp(previous, c->noun) != 0) {
            printf("    %s) if [[ -z $verb ]]; then COMPREPLY=($(compgen -W \"", c->noun);
            put_words(call->language, c->noun);
            fputs("--help\" -- \"$cur\")); return; fi ;;\n", stdout);
        }
        previous = c->noun;
    }
    fputs("    esac\n    case \"$noun $verb\" in\n", stdout);
    for (const cli_command *c = call->language->commands; c->noun != NULL; c++) {
        put_command(c);
    }
    fputs(script_end, stdout);
    return cli_flush();
}
