/* SPDX-License-Identifier: Apache-2.0 */
/* What the ending of a file's name says of its format, where no option does: asked for before the
 * file is opened, so that nothing is written in a format that its name denies. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

/* Endings of inputs; .txt, .dat and .data say little, but are CSV as a rule. */
static const struct {
    const char *ending, *format;
    bool tab;
} inputs[] = {{"csv", "csv", false},     {"tsv", "csv", true},          {"tab", "csv", true},
              {"txt", "csv", false},     {"dat", "csv", false},         {"data", "csv", false},
              {"jsonl", "jsonl", false}, {"ndjson", "jsonl", false},    {"npz", "npz", false},
              {"npy", "npy", false},     {"parquet", "parquet", false}, {"pq", "parquet", false},
              {"arrow", "arrow", false}, {"feather", "arrow", false},   {"ipc", "arrow", false}};

static const char *const packings[] = {"gz", "bz2", "xz", "zst"};

/* Of any case: other systems write .CSV. */
static bool is_one(const char *text, size_t size, const char *word) {
    return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

/* The ending of the name, without that of a packing: "csv" of "a.csv.gz". NULL: there is none.
 * *packing: NULL, or the packing's. */
static const char *ending_of(const char *path, size_t *size, const char **packing) {
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    size_t end = strlen(name);
    *packing = NULL;
    for (int part = 0; part < 2; part++) {
        size_t at = end;
        while (at > 0 && name[at - 1] != '.') {
            at--;
        }
        if (at <= 1) { /* no dot, or a hidden file */
            return NULL;
        }
        *size = end - at;
        bool packed = false;
        for (size_t i = 0; part == 0 && i < CLI_COUNT(packings); i++) {
            if (is_one(name + at, *size, packings[i])) {
                *packing = packings[i];
                packed = true;
            }
        }
        if (!packed) {
            return name + at;
        }
        end = at - 1;
    }
    return NULL;
}

/* The option of the command that says a format. */
static const cli_option *format_option(const cli_command *command, const char *name) {
    const cli_option *o = command->options;
    while (o->name != NULL && strcmp(o->name, name) != 0) {
        o++;
    }
    return o;
}

static const char *formats_of(const cli_command *command, const char *name) {
    const cli_option *o = format_option(command, name);
    return o->choices != NULL ? o->choices : "";
}

static bool has_gzip(const cli_command *command) {
    const cli_option *o = command->options;
    while (o->name != NULL && strcmp(o->name, "gzip") != 0) {
        o++;
    }
    return o->name != NULL;
}

static const char *find_word(const char *words, const char *text, size_t size) {
    for (const char *at = words; *at != 0; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == size && strncasecmp(at, text, size) == 0) {
            return at;
        }
        at += n;
    }
    return NULL;
}

int cli_put_input_format(cli_text *out, const cli_call *call, const char *option,
                         const char *path) {
    size_t size = 0, i = 0;
    const char *packing = NULL, *ending = ending_of(path, &size, &packing);
    const char *formats = formats_of(call->command, option);
    if (cli_has(call, option) || strcmp(path, "-") == 0 || strncmp(path, "/dev/", 5) == 0) {
        return CLI_OK;
    }
    if (ending == NULL) {
        if (!call->globals.quiet && !call->globals.json) {
            cli_print_safe(stderr, path, strlen(path));
            fprintf(stderr, " has no ending and is read as CSV; --%s says otherwise\n", option);
        }
        return CLI_OK;
    }
    while (i < CLI_COUNT(inputs) &&
           !(is_one(ending, size, inputs[i].ending) &&
             find_word(formats, inputs[i].format, strlen(inputs[i].format)) != NULL)) {
        i++;
    }
    if (i == CLI_COUNT(inputs)) {
        return cli_usage(
            call,
            "%s: the ending .%.*s says nothing of the format: give --%s, one of %s, or "
            "use one of .csv .tsv .txt .dat .jsonl .ndjson%s, packed also .gz .bz2 .xz "
            ".zst",
            path, (int)size, ending, option, formats,
            find_word(formats, "npz", 3) != NULL ? " .npz .npy .parquet .arrow .feather" : "");
    }
    json_put_member(out, format_option(call->command, option)->key, inputs[i].format);
    if (inputs[i].tab && !cli_has(call, "separator")) {
        json_put_member(out, "separator", "tab");
    }
    return CLI_OK;
}

/* The format that an ending names, in its own or another word; NULL: none that can be written. */
static const char *output_format(const cli_command *command, const char *ending, size_t size) {
    const char *formats = formats_of(command, "format");
    for (size_t i = 0; i < CLI_COUNT(inputs); i++) {
        bool own = strcmp(inputs[i].format, "csv") != 0 || is_one(ending, size, "csv");
        if (own && is_one(ending, size, inputs[i].ending) &&
            find_word(formats, inputs[i].format, strlen(inputs[i].format)) != NULL) {
            return inputs[i].format;
        }
    }
    return NULL;
}

static int fail_ending(const cli_call *call, const char *path, bool gzip) {
    cli_text list = {0};
    for (const char *at = formats_of(call->command, "format"); *at != 0; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        bool rows = is_one(at, n, "csv") || is_one(at, n, "jsonl");
        cli_putf(&list, " .%.*s", (int)n, at);
        if (gzip && rows) {
            cli_putf(&list, " .%.*s.gz", (int)n, at);
        }
        at += n;
    }
    int code = cli_usage(call,
                         "--output %s: the ending says no format that can be written: use one "
                         "of%s, or give --format",
                         path, cli_text_get(&list));
    cli_text_dispose(&list);
    return code;
}

int cli_put_output_format(cli_text *out, const cli_call *call, const char *path) {
    size_t size = 0;
    const char *packing = NULL, *ending = ending_of(path, &size, &packing);
    bool gzip = has_gzip(call->command), packed = packing != NULL && strcmp(packing, "gz") == 0;
    bool device = strcmp(path, "-") == 0 || strncmp(path, "/dev/", 5) == 0;
    if (device || (ending == NULL && packing == NULL)) {
        return CLI_OK;
    }
    if (packing != NULL && !(packed && gzip)) {
        return fail_ending(call, path, gzip);
    }
    const char *format = ending != NULL ? output_format(call->command, ending, size) : NULL;
    if (!cli_has(call, "format")) {
        if (format == NULL) {
            return fail_ending(call, path, gzip);
        }
        json_put_member(out, "format", format);
    }
    if (packed && !cli_has(call, "gzip")) {
        json_put_key(out, "gzip");
        cli_puts(out, "true");
    }
    return CLI_OK;
}
