/* SPDX-License-Identifier: Apache-2.0 */
/* `source add` and `source test`: the typed options laid over --config. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define CONFIG_LIMIT (1u << 20)

typedef enum form { AS_TEXT, AS_PATH, AS_NUMBER } form;

/* Option -> member of an object of a driver's configuration. */
typedef struct mapping {
    const char *option, *member;
    form form;
} mapping;

static const mapping connection[] = {{"url", "url", AS_TEXT},
                                     {"qos", "qos", AS_NUMBER},
                                     {"max-assets", "max_assets", AS_NUMBER},
                                     {"mqtt-version", "version", AS_TEXT},
                                     {"client-id", "client_id", AS_TEXT},
                                     {"user", "user", AS_TEXT},
                                     {"password-file", "password_file", AS_PATH},
                                     {NULL, NULL, AS_TEXT}};
static const mapping tls[] = {{"ca", "ca", AS_PATH},
                              {"cert", "cert", AS_PATH},
                              {"key", "key", AS_PATH},
                              {NULL, NULL, AS_TEXT}};
static const mapping payload[] = {{"format", "format", AS_TEXT},
                                  {"asset", "asset", AS_TEXT},
                                  {"channel", "channel", AS_TEXT},
                                  {"time", "time", AS_TEXT},
                                  {"time-unit", "time_unit", AS_TEXT},
                                  {"time-format", "time_format", AS_TEXT},
                                  {"time-zone", "time_zone", AS_TEXT},
                                  {"on-missing-time", "on_missing_time", AS_TEXT},
                                  {"seq", "seq", AS_TEXT},
                                  {"values", "values", AS_TEXT},
                                  {"decimal", "decimal", AS_TEXT},
                                  {NULL, NULL, AS_TEXT}};
static const mapping list[] = {{"list-name", "name", AS_TEXT},
                               {"list-value", "value", AS_TEXT},
                               {"list-time", "time", AS_TEXT},
                               {"list-quality", "quality", AS_TEXT},
                               {NULL, NULL, AS_TEXT}};

static const mapping labels[] = {{"labels-asset", "asset", AS_TEXT}, {NULL, NULL, AS_TEXT}};

static const mapping *mapped_to(const mapping *map, const char *member) {
    for (; map->option != NULL; map++) {
        if (strcmp(map->member, member) == 0) {
            return map;
        }
    }
    return NULL;
}

static bool any_given(const cli_call *call, const mapping *map) {
    for (; map->option != NULL; map++) {
        if (cli_has(call, map->option)) {
            return true;
        }
    }
    return false;
}

/* Members of `base` that no option replaces, then those of the options. */
static void put_mapped(cli_text *out, const cli_call *call, const json_value *base,
                       const mapping *map) {
    for (const json_value *m = base != NULL ? base->first : NULL; m != NULL; m = m->next) {
        const mapping *by = mapped_to(map, m->key);
        if (by == NULL || !cli_has(call, by->option)) {
            json_put_key(out, m->key);
            cli_put(out, m->raw, m->raw_size);
        }
    }
    for (; map->option != NULL; map++) {
        const char *text = cli_get(call, map->option, NULL);
        if (text == NULL) {
            continue;
        }
        if (map->form == AS_NUMBER) {
            json_put_key(out, map->member);
            cli_puts(out, text);
        } else {
            char *path = map->form == AS_PATH ? cli_absolute(text) : cli_strdup(text);
            json_put_member(out, map->member, path);
            free(path);
        }
    }
}

static void put_object(cli_text *out, const cli_call *call, const char *key, const json_value *base,
                       const mapping *map) {
    if (base == NULL && !any_given(call, map)) {
        return;
    }
    json_put_key(out, key);
    cli_puts(out, "{");
    put_mapped(out, call, base, map);
    cli_puts(out, "}");
}

/* Members of the configuration itself, except those that are handled one by one. */
static void put_rest(cli_text *out, const cli_call *call, const json_value *base) {
    cli_text kept = {0};
    cli_puts(&kept, "{");
    for (const json_value *m = base != NULL ? base->first : NULL; m != NULL; m = m->next) {
        bool apart = strcmp(m->key, "tls") == 0 || strcmp(m->key, "payload") == 0 ||
                     strcmp(m->key, "labels") == 0 ||
                     (strcmp(m->key, "topics") == 0 && cli_has(call, "topic"));
        if (!apart) {
            json_put_key(&kept, m->key);
            cli_put(&kept, m->raw, m->raw_size);
        }
    }
    cli_puts(&kept, "}");
    json_document *document = json_parse(kept.data, kept.size, NULL, NULL);
    put_mapped(out, call, document != NULL ? json_root(document) : NULL, connection);
    json_free(document);
    cli_text_dispose(&kept);
}

/* An array of what an option that may be repeated gave; nothing when it gave none. */
static void put_array(cli_text *out, const cli_call *call, const char *option, const char *member) {
    const char *text;
    for (size_t i = 0; (text = cli_get_nth(call, option, i)) != NULL; i++) {
        if (i == 0) {
            json_put_key(out, member);
        }
        cli_puts(out, i == 0 ? "[" : ",");
        json_put_string(out, text, strlen(text));
    }
    cli_puts(out, cli_has(call, option) ? "]" : "");
}

static void put_payload(cli_text *out, const cli_call *call, const json_value *base) {
    bool lists = any_given(call, list);
    if (base == NULL && !lists && !any_given(call, payload) && !cli_has(call, "null")) {
        return;
    }
    json_put_key(out, "payload");
    cli_puts(out, "{");
    for (const json_value *m = base != NULL ? base->first : NULL; m != NULL; m = m->next) {
        const mapping *by = mapped_to(payload, m->key);
        bool replaced = (by != NULL && cli_has(call, by->option)) ||
                        (lists && strcmp(m->key, "list") == 0) ||
                        (cli_has(call, "null") && strcmp(m->key, "null") == 0);
        if (!replaced) {
            json_put_key(out, m->key);
            cli_put(out, m->raw, m->raw_size);
        }
    }
    put_mapped(out, call, NULL, payload);
    if (lists) {
        put_object(out, call, "list", json_at(base, "list"), list);
    }
    put_array(out, call, "null", "null");
    cli_puts(out, "}");
}

static void put_labels(cli_text *out, const cli_call *call, const json_value *base) {
    if (base == NULL && !cli_has(call, "labels-topic") && !any_given(call, labels)) {
        return;
    }
    json_put_key(out, "labels");
    cli_puts(out, "{");
    for (const json_value *m = base != NULL ? base->first : NULL; m != NULL; m = m->next) {
        bool replaced = (strcmp(m->key, "topics") == 0 && cli_has(call, "labels-topic")) ||
                        (strcmp(m->key, "asset") == 0 && cli_has(call, "labels-asset"));
        if (!replaced) {
            json_put_key(out, m->key);
            cli_put(out, m->raw, m->raw_size);
        }
    }
    put_mapped(out, call, NULL, labels);
    put_array(out, call, "labels-topic", "topics");
    cli_puts(out, "}");
}

/* --config: text that starts with '{', or a file. NULL and *code when it is not a JSON object. */
static json_document *read_config(const cli_call *call, int *code) {
    const char *given = cli_get(call, "config", "{}"), *error = NULL;
    size_t size = strlen(given), offset = 0;
    bool inline_text = given[strspn(given, " \t\r\n")] == '{';
    char *text = NULL;
    if (inline_text) {
        text = cli_strdup(given);
    } else if ((*code = cli_read_file(&text, &size, given, CONFIG_LIMIT)) != CLI_OK) {
        return NULL;
    }
    json_document *document = json_parse(text, size, &error, &offset);
    free(text);
    if (document == NULL) {
        *code = cli_fail(CLI_USAGE, NULL, "--config %s: %s at byte %zu", inline_text ? "" : given,
                         error, offset);
    } else if (json_root(document)->kind != JSON_OBJECT) {
        *code = cli_fail(CLI_USAGE, NULL, "--config %s is no JSON object", given);
        json_free(document);
        document = NULL;
    }
    return document;
}

static int put_source(cli_text *out, const cli_call *call) {
    int code = CLI_OK;
    json_document *document = read_config(call, &code);
    if (document == NULL) {
        return code;
    }
    const json_value *base = json_root(document);
    cli_put_arguments(out, call);
    cli_puts(out, ",\"config\":{");
    put_rest(out, call, base);
    put_array(out, call, "topic", "topics");
    put_object(out, call, "tls", json_at(base, "tls"), tls);
    put_payload(out, call, json_at(base, "payload"));
    put_labels(out, call, json_at(base, "labels"));
    cli_puts(out, "}");
    json_free(document);
    return CLI_OK;
}

/* With --config the node judges the whole. */
static int check_given(const cli_call *call) {
    if (strcmp(cli_get(call, "driver", ""), "mqtt") != 0 || cli_has(call, "config")) {
        return CLI_OK;
    }
    if (!cli_has(call, "url")) {
        return cli_usage(call, "--url URL is missing: the broker, such as mqtt://host:1883");
    }
    return cli_has(call, "topic") || cli_has(call, "labels-topic")
               ? CLI_OK
               : cli_usage(call, "--topic FILTER is missing: what to subscribe to");
}

int cli_source_add(cli_call *call) {
    cli_text members = {0};
    int code = check_given(call);
    if (code == CLI_OK) {
        code = put_source(&members, call);
    }
    if (code == CLI_OK) {
        code = cli_operation(call, "source.add", cli_text_get(&members), -1, -1);
    }
    cli_text_dispose(&members);
    return code;
}

int cli_source_test(cli_call *call) {
    cli_session session;
    cli_text members = {0};
    int code = check_given(call);
    if (code == CLI_OK) {
        code = put_source(&members, call);
    }
    if (code == CLI_OK) {
        code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    }
    if (code != CLI_OK) {
        cli_text_dispose(&members);
        return code;
    }
    char *arguments = cli_format("{%s}", cli_text_get(&members)), *result = NULL;
    code = cli_session_call(&result, &session, "source.test", arguments, -1, -1, NULL, NULL);
    if (code == CLI_OK) {
        cli_show(stdout, call, "source.test", result);
        json_document *document = json_parse(result, strlen(result), NULL, NULL);
        if (document == NULL || strcmp(json_text(json_root(document), "ok", ""), "true") != 0) {
            code = CLI_FAILED;
        }
        json_free(document);
    }
    free(result);
    free(arguments);
    cli_text_dispose(&members);
    cli_session_close(&session);
    return code;
}
