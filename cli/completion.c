/* SPDX-License-Identifier: Apache-2.0 */
/* `edgeopsctl completion bash`: a script made from the command table. */
#include <string.h>

#include "cli.h"

static void put_words(const char *noun) {
    const char *previous = "";
    for (const cli_command *c = cli_commands; c->noun != NULL; c++) {
        if (noun == NULL && strcmp(previous, c->noun) != 0) {
            printf("%s ", c->noun);
        } else if (noun != NULL && strcmp(noun, c->noun) == 0 && c->verb != NULL) {
            printf("%s ", c->verb);
        }
        previous = c->noun;
    }
}

static void put_options(const cli_option *options) {
    for (; options != NULL && options->name != NULL; options++) {
        printf(" --%s", options->name);
    }
}

/* One case branch for each option whose value has words or file names to offer. */
static void put_values(const char *indent, const cli_option *options) {
    for (; options != NULL && options->name != NULL; options++) {
        if (options->kind == CLI_FLAG || options->kind == CLI_OFF) {
            continue;
        }
        const char *action = options->kind == CLI_FILE ? "-f" : "";
        if (options->choices != NULL) {
            printf("%s--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n", indent,
                   options->name, options->choices);
        } else if (*action != 0) {
            printf("%s--%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", indent,
                   options->name);
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
    put_values("        ", c->options);
    put_values("        ", cli_global_options);
    fputs("        esac\n        opts=\"", stdout);
    put_options(c->options);
    put_options(cli_global_options);
    printf("\"\n        files=%d ;;\n", takes_file(c));
}

int cli_completion(cli_call *call) {
    (void)call;
    fputs("# bash completion of edgeopsctl: source <(edgeopsctl completion bash)\n"
          "_edgeopsctl() {\n"
          "    local cur prev noun verb opts files i word\n"
          "    cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
          "    prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "    noun= verb= opts= files=0 COMPREPLY=()\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=\"${COMP_WORDS[i]}\"\n"
          "        if [[ $word == --home ]]; then ((i++)); continue; fi\n"
          "        if [[ $word == -* ]]; then continue; fi\n"
          "        if [[ -z $noun ]]; then noun=$word\n"
          "        elif [[ -z $verb ]]; then verb=$word; break; fi\n"
          "    done\n"
          "    if [[ -z $noun ]]; then\n"
          "        case \"$prev\" in\n",
          stdout);
    put_values("        ", cli_global_options);
    fputs("        esac\n        COMPREPLY=($(compgen -W \"", stdout);
    put_words(NULL);
    put_options(cli_global_options);
    fputs("\" -- \"$cur\"))\n        return\n    fi\n    case \"$noun\" in\n", stdout);
    const char *previous = "";
    for (const cli_command *c = cli_commands; c->noun != NULL; c++) {
        if (c->verb == NULL) {
            printf("    %s) verb= ;;\n", c->noun);
        } else if (strcmp(previous, c->noun) != 0) {
            printf("    %s) if [[ -z $verb ]]; then COMPREPLY=($(compgen -W \"", c->noun);
            put_words(c->noun);
            fputs("--help\" -- \"$cur\")); return; fi ;;\n", stdout);
        }
        previous = c->noun;
    }
    fputs("    esac\n    case \"$noun $verb\" in\n", stdout);
    for (const cli_command *c = cli_commands; c->noun != NULL; c++) {
        put_command(c);
    }
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n"
          "    elif ((files)); then\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    fi\n"
          "}\n"
          "complete -o filenames -F _edgeopsctl edgeopsctl\n",
          stdout);
    return cli_flush();
}
