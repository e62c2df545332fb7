/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `simulate replay`: takes templates apart, reads numbers, and makes the
 * configuration of the driver `replay` of them. */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define LONGEST_PAUSE "5s" /* longer pauses and jumps back of a recording are not waited for */

static void add_part(cli_pattern *t, const char *text, size_t size, bool column) {
    t->parts = cli_realloc(t->parts, t->count + 1, sizeof *t->parts);
    t->parts[t->count++] = (cli_part){cli_strndup(text, size), column};
}

static int parse_pattern(cli_pattern *t, const cli_replay_state *r, const char *text,
                         const char *option) {
    while (*text != 0) {
        size_t plain = strcspn(text, "{");
        if (plain > 0) {
            add_part(t, text, plain, false);
        }
        text += plain;
        if (*text == 0) {
            break;
        }
        const char *end = strchr(text, '}');
        if (end == NULL) {
            return cli_usage(r->call, "--%s: a '}' is missing", option);
        }
        add_part(t, text + 1, (size_t)(end - text) - 1, true);
        text = end + 1;
    }
    return CLI_OK;
}

bool cli_pattern_has(const cli_pattern *t, const char *name) {
    for (size_t i = 0; i < t->count; i++) {
        if (t->parts[i].column && strcmp(t->parts[i].text, name) == 0) {
            return true;
        }
    }
    return false;
}

void cli_pattern_dispose(cli_pattern *t) {
    for (size_t i = 0; i < t->count; i++) {
        free(t->parts[i].text);
    }
    free(t->parts);
}

bool cli_is_given(const cli_call *call, const char *option, const char *name) {
    const char *given;
    for (size_t i = 0; (given = cli_get_nth(call, option, i)) != NULL; i++) {
        if (strcmp(given, name) == 0) {
            return true;
        }
    }
    return false;
}

static void put_pairs(cli_text *out, const cli_call *call) {
    const char *text;
    json_put_key(out, "where");
    cli_puts(out, "{");
    for (size_t i = 0; (text = cli_get_nth(call, "where", i)) != NULL; i++) {
        char *name = cli_strndup(text, strcspn(text, "="));
        json_put_member(out, name, text + strlen(name) + 1);
        free(name);
    }
    cli_puts(out, "}");
}

static void put_skipped(cli_text *out, const cli_replay_state *r) {
    const char *name;
    cli_text list = {0};
    for (size_t i = 0; (name = cli_get_nth(r->call, "skip-column", i)) != NULL; i++) {
        bool needed = strcmp(name, r->time_column) == 0 ||
                      (r->clock_column != NULL && strcmp(name, r->clock_column) == 0);
        if (!needed) {
            cli_puts(&list, list.size > 0 ? "," : "");
            json_put_string(&list, name, strlen(name));
        }
    }
    json_put_key(out, "skip_columns");
    cli_putf(out, "[%s]", cli_text_get(&list));
    cli_text_dispose(&list);
}

/* Columns that must be there, each once. */
static void put_needed(cli_text *out, const cli_replay_state *r) {
    cli_text members = {0};
    const char *name = r->label_column;
    cli_pattern seen = {0};
    cli_puts(&members, "{");
    for (size_t i = 0, c = 0;;) {
        if (name != NULL && !cli_pattern_has(&seen, name)) {
            add_part(&seen, name, strlen(name), true);
            json_put_key(&members, name);
            cli_puts(&members, "{\"type\":\"string\"}");
        }
        if (i < r->topic.count) {
            name = r->topic.parts[i].column ? r->topic.parts[i].text : NULL;
            i++;
        } else if ((name = cli_get_nth(r->call, "column", c++)) == NULL) {
            break;
        }
    }
    cli_puts(&members, "}");
    json_put_key(out, "columns");
    cli_puts(out, members.data);
    cli_text_dispose(&members);
    cli_pattern_dispose(&seen);
}

static char *make_config(const cli_replay_state *r, const char *asset) {
    const cli_call *call = r->call;
    cli_text out = {0};
    bool must_have_time = cli_has(call, "time-column") || cli_has(call, "labels");
    cli_text reading = {0};
    cli_put_arguments(&reading, call);
    cli_putf(&out, "{%s", cli_text_get(&reading));
    cli_text_dispose(&reading);
    json_put_member(&out, "path",
                    strcmp(cli_arg(call, 0), "-") == 0 ? "/dev/stdin" : cli_arg(call, 0));
    json_put_member(&out, "asset", asset != NULL ? asset : "recording");
    if (!cli_has(call, "time-column")) {
        json_put_member(&out, "time_column", r->time_column);
    }
    json_put_member(&out, "longest_pause", LONGEST_PAUSE);
    cli_putf(&out, ",\"as_text\":true,\"time_optional\":%s,\"speed\":%.17g",
             must_have_time ? "false" : "true", r->speed);
    if (r->rate > 0) {
        cli_putf(&out, ",\"rate\":%.17g", r->rate);
    }
    put_skipped(&out, r);
    put_needed(&out, r);
    put_pairs(&out, call);
    cli_puts(&out, "}");
    return out.data;
}

static int read_numbers(cli_replay_state *r) {
    const cli_call *call = r->call;
    r->count = -1;
    if (cli_has(call, "count") &&
        (!cli_parse_integer(&r->count, cli_get(call, "count", "")) || r->count < 0)) {
        return cli_usage(call, "--count wants a number of rows, not '%s'",
                         cli_get(call, "count", ""));
    }
    const char *speed = cli_get(call, "speed", cli_has(call, "broker") ? "1" : "0");
    if (!cli_parse_number(&r->speed, speed) || r->speed < 0) {
        return cli_usage(call, "--speed wants a number from 0, not '%s'", speed);
    }
    if (cli_has(call, "rate") &&
        (!cli_parse_number(&r->rate, cli_get(call, "rate", "")) || r->rate <= 0)) {
        return cli_usage(call, "--rate wants rows a second, not '%s'", cli_get(call, "rate", ""));
    }
    return CLI_OK;
}

static int check_words(const cli_replay_state *r) {
    const cli_call *call = r->call;
    const char *text;
    for (size_t i = 0; (text = cli_get_nth(call, "where", i)) != NULL; i++) {
        if (strchr(text, '=') == NULL) {
            return cli_usage(call, "--where wants NAME=VALUE, not '%s'", text);
        }
    }
    if (cli_has(call, "labels") && r->label_column == NULL) {
        return cli_usage(call, "--labels needs --label-column and a column with the time");
    }
    return CLI_OK;
}

/* *name: the template of the asset's name, NULL for none; free it. */
static int make_patterns(cli_replay_state *r, char **name) {
    const cli_call *call = r->call;
    char *column = r->asset_column == NULL ? NULL : cli_format("{%s}", r->asset_column);
    const char *asset = cli_get(call, "asset", column);
    const char *topic = cli_get(call, "topic", asset);
    int code = CLI_OK;
    asset = asset != NULL ? asset : topic;
    if (topic == NULL && cli_has(call, "broker")) {
        code = cli_usage(call, "--topic TEMPLATE is missing: where messages are published to");
    }
    if (code == CLI_OK && topic != NULL) {
        code = parse_pattern(&r->topic, r, topic, "topic");
    }
    if (code == CLI_OK && asset != NULL) {
        code = parse_pattern(&r->asset, r, asset, "asset");
    }
    if (code == CLI_OK && cli_has(call, "labels") && asset == NULL) {
        code = cli_usage(call, "--labels needs --asset: whose labels they are");
    }
    *name = code == CLI_OK && asset != NULL ? cli_strdup(asset) : NULL;
    free(column);
    return code;
}

int cli_replay_options(char **config, cli_replay_state *r) {
    const cli_call *call = r->call;
    char *asset = NULL;
    r->time_column = cli_get_nth(call, "time-column", 0);
    r->time_column = r->time_column != NULL ? r->time_column : "time";
    r->clock_column = cli_get_nth(call, "time-column", 1);
    r->label_column = cli_get(call, "label-column", NULL);
    r->asset_column = cli_get(call, "asset-column", NULL);
    int code = read_numbers(r);
    if (code == CLI_OK) {
        code = check_words(r);
    }
    if (code == CLI_OK) {
        code = make_patterns(r, &asset);
    }
    *config = code == CLI_OK ? make_config(r, asset) : NULL;
    free(asset);
    return code;
}
