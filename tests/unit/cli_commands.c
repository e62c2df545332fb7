/* SPDX-License-Identifier: Apache-2.0 */
/* The command line against the node's table of operations: what a command passes on the operation
 * takes, with the same type, and what is shown the operation gives. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codec/json.h"
#include "node/ops/ops_table.h"
#include "operations.h"

TestSuite(cli_commands, .timeout = 60);

static bool is_of(const char *operation, const char *called) {
    size_t size = strlen(called);
    return strncmp(operation, called, size) == 0 &&
           (operation[size] == '\0' || operation[size] == '.');
}

static eop_json *parsed(const char *text) {
    eop_json *json = NULL;
    cr_assert(eop_json_parse(&json, text, strlen(text), "schema", NULL) == EDGEOPS_OK);
    return json;
}

/* The schema of an argument of the operation or of one below it; NULL: it has none such. *args: free
 * it. */
static const eop_json *argument(eop_json **args, const char *operation, const char *key) {
    for (size_t i = 0; eop_op_specs[i] != NULL; i++) {
        if (is_of(eop_op_specs[i]->name, operation)) {
            *args = parsed(eop_op_specs[i]->args);
            const eop_json *found = eop_json_get(eop_json_get(*args, "properties"), key);
            if (found != NULL) {
                return found;
            }
            eop_json_free(*args);
        }
    }
    *args = NULL;
    return NULL;
}

static const char *type_of(cli_kind kind) {
    switch (kind) {
    case CLI_FLAG:
    case CLI_OFF:
        return "boolean";
    case CLI_INTEGER:
        return "integer";
    case CLI_NUMBER:
        return "number";
    case CLI_LIST:
    case CLI_WORDS:
        return "array";
    case CLI_PAIRS:
        return "object";
    default:
        return "string";
    }
}

static bool fits(const eop_json *schema, cli_kind kind) {
    const eop_json *words = eop_json_get(schema, "enum");
    const char *type = eop_json_string(schema, "type", words != NULL ? "string" : "");
    bool whole = kind == CLI_INTEGER && strcmp(type, "number") == 0;
    return whole || strcmp(type, type_of(kind)) == 0;
}

/* The words of an option are those that the operation takes: neither more nor fewer. */
static void check_words(const char *where, const eop_json *schema, const char *choices) {
    const eop_json *words = eop_json_get(schema, "enum");
    size_t given = 0;
    for (const char *at = choices; *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        bool found = false;
        for (const eop_json *w = eop_json_first(words); w != NULL; w = eop_json_next(w)) {
            const char *text = eop_json_text(w);
            found = found || (text != NULL && strlen(text) == size && strncmp(text, at, size) == 0);
        }
        cr_expect(found, "%s: '%.*s' is not taken", where, (int)size, at);
        given++;
        at += size;
    }
    cr_expect(given == eop_json_size(words), "%s: %zu of %zu words", where, given,
              eop_json_size(words));
}

static void check_key(const cli_command *c, const char *name, const char *key, cli_kind kind,
                      const char *choices, const char *help) {
    eop_json *args = NULL;
    char *where = cli_format("%s %s %s", c->noun, c->verb != NULL ? c->verb : "", name);
    const eop_json *schema = argument(&args, cli_keys_of(c), key);
    cr_expect(schema != NULL, "%s: %s has no argument '%s'", where, cli_keys_of(c), key);
    if (schema != NULL) {
        cr_expect(fits(schema, kind), "%s: '%s' is no %s", where, key, type_of(kind));
    }
    if (schema != NULL && choices != NULL) {
        check_words(where, schema, choices);
    }
    /* The text stands in the table. A command adds only what it does itself. */
    cr_expect(help == NULL || kind == CLI_OFF || kind == CLI_COLUMNS ||
                  strncmp(help, "default: ", 9) == 0,
              "%s: '%s' stands in the table already", where, help);
    char *text = cli_explain(c, key, kind, help);
    cr_expect(text[0] != '\0', "%s has no text", where);
    free(text);
    free(where);
    eop_json_free(args);
}

Test(cli_commands, pass_on_what_their_operation_takes) {
    size_t keys = 0;
    for (const cli_command *c = cli_all_commands.commands; c->noun != NULL; c++) {
        for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
            cr_expect(a->key == NULL || cli_keys_of(c) != NULL, "%s: %s", c->noun, a->name);
            if (a->key != NULL && cli_keys_of(c) != NULL) {
                check_key(c, a->name, a->key, a->kind, NULL, a->help);
                keys++;
            }
        }
        for (const cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
            cr_expect(o->key == NULL || cli_keys_of(c) != NULL, "%s --%s", c->noun, o->name);
            if (o->key != NULL && cli_keys_of(c) != NULL) {
                check_key(c, o->name, o->key, o->kind, o->choices, o->help);
                keys++;
            }
        }
    }
    cr_expect(keys > 100, "%zu keys", keys);
}

static bool gives(const cli_command *c, const char *key) {
    for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
        if (a->key != NULL && strcmp(a->key, key) == 0) {
            return a->count == CLI_ONE;
        }
    }
    for (const cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if (o->key != NULL && strcmp(o->key, key) == 0) {
            return o->required;
        }
    }
    return false;
}

Test(cli_commands, ask_for_what_their_operation_needs) {
    for (const cli_command *c = cli_all_commands.commands; c->noun != NULL; c++) {
        for (size_t i = 0; c->operation != NULL && c->run == NULL && eop_op_specs[i] != NULL; i++) {
            if (strcmp(eop_op_specs[i]->name, c->operation) != 0) {
                continue;
            }
            eop_json *args = parsed(eop_op_specs[i]->args);
            const eop_json *required = eop_json_get(args, "required");
            for (const eop_json *r = eop_json_first(required); r != NULL; r = eop_json_next(r)) {
                cr_expect(gives(c, eop_json_text(r)), "%s needs '%s'", c->operation,
                          eop_json_text(r));
            }
            eop_json_free(args);
        }
    }
}

/* Those that the command makes by itself. */
static bool is_made(const char *key) {
    static const char *const made[] = {"what", "columns", "clock_column"};
    size_t i = 0;
    while (i < CLI_COUNT(made) && strcmp(made[i], key) != 0) {
        i++;
    }
    return i < CLI_COUNT(made);
}

static bool takes(const cli_command *c, const char *key) {
    bool found = false;
    for (const cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        found = found || (o->key != NULL && strcmp(o->key, key) == 0);
    }
    for (const cli_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
        found = found || (a->key != NULL && strcmp(a->key, key) == 0);
    }
    return found;
}

Test(cli_commands, an_import_can_be_told_all_that_its_operation_takes) {
    for (const cli_command *c = cli_all_commands.commands; c->noun != NULL; c++) {
        for (size_t i = 0; c->operation != NULL && eop_op_specs[i] != NULL; i++) {
            if (strcmp(eop_op_specs[i]->name, c->operation) != 0 ||
                strcmp(c->operation, "data.import") != 0) {
                continue;
            }
            eop_json *args = parsed(eop_op_specs[i]->args);
            const eop_json *properties = eop_json_get(args, "properties");
            for (const eop_json *p = eop_json_first(properties); p != NULL; p = eop_json_next(p)) {
                cr_expect(is_made(eop_json_key(p)) || takes(c, eop_json_key(p)),
                          "%s: no option for '%s'", c->operation, eop_json_key(p));
            }
            eop_json_free(args);
        }
    }
}

Test(cli_commands, call_operations_that_there_are) {
    for (const cli_command *c = cli_all_commands.commands; c->noun != NULL; c++) {
        bool found = c->operation == NULL;
        for (size_t i = 0; eop_op_specs[i] != NULL; i++) {
            found = found || strcmp(eop_op_specs[i]->name, c->operation) == 0;
        }
        cr_expect(found, "%s", c->operation);
        /* The summary of an operation stands in its table; `node init` and the like have their own. */
        bool from_table = c->summary == NULL;
        cr_expect(from_table == (c->operation != NULL), "%s %s", c->noun, c->verb);
        cr_expect(cli_summary(c)[0] != '\0', "%s %s", c->noun, c->verb);
    }
}

/* -- what is shown -- */

/* The schema that a path such as "a.b|text" or "items#20" leads to; NULL: nowhere. */
static const eop_json *follow(const eop_json *schema, const char *path) {
    size_t left = strcspn(path, "|#");
    while (schema != NULL && left > 0) {
        size_t size = strcspn(path, ".|#");
        char *name = cli_strndup(path, size);
        const eop_json *properties = eop_json_get(schema, "properties");
        const eop_json *others = eop_json_get(schema, "additionalProperties");
        const eop_json *next = eop_json_get(properties, name);
        bool open = properties == NULL && others != NULL;
        free(name);
        if (next == NULL && open && eop_json_type(others) != EOP_JSON_OBJECT) {
            return schema; /* anything may come here: a manifest, a configuration */
        }
        schema = next != NULL ? next : open ? others : NULL;
        left -= size < left ? size + 1 : size;
        path += size + 1;
    }
    return schema;
}

static void check_fields(const char *operation, const eop_json *schema, const cli_field *fields) {
    for (const cli_field *f = fields; f != NULL && f->title != NULL; f++) {
        cr_expect(f->path[0] == '$' || follow(schema, f->path) != NULL, "%s: there is no '%s'",
                  operation, f->path);
    }
}

/* What a row is made of: an element of the array, a member of the object. */
static const eop_json *row_of(const eop_json *schema) {
    const eop_json *items = eop_json_get(schema, "items");
    const eop_json *others = eop_json_get(schema, "additionalProperties");
    return items != NULL ? items : others != NULL ? others : schema;
}

Test(cli_commands, show_what_their_operation_gives) {
    size_t shown = 0;
    for (size_t i = 0; eop_op_specs[i] != NULL; i++) {
        const char *name = eop_op_specs[i]->name;
        const cli_view *view = cli_view_of(name);
        eop_json *result = parsed(eop_op_specs[i]->result);
        check_fields(name, result, view != NULL ? view->fields : NULL);
        for (const cli_section *s = view != NULL ? view->sections : NULL;
             s != NULL && s->columns != NULL; s++) {
            const eop_json *list = follow(result, s->path);
            cr_expect(list != NULL, "%s: there is no '%s'", name, s->path);
            const eop_json *row = list != NULL ? row_of(list) : NULL;
            if (row != NULL && eop_json_type(row) == EOP_JSON_OBJECT) {
                check_fields(name, row, s->columns);
            }
        }
        shown += view != NULL;
        eop_json_free(result);
    }
    cr_expect(shown > 40, "%zu views", shown);
}
