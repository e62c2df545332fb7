/* SPDX-License-Identifier: Apache-2.0 */
/* Results for people: lines of an object, aligned tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define CELL_WIDTH 64 /* longer texts of a table are cut, except in its last column */

static void put_joined(cli_text *out, const json_value *value) {
    for (const json_value *v = value->first; v != NULL; v = v->next) {
        cli_puts(out, v == value->first ? "" : ", ");
        if (value->kind == JSON_OBJECT) {
            cli_putf(out, "%s=", v->key[0] != 0 ? v->key : "(empty)");
        }
        if (v->kind >= JSON_ARRAY) {
            cli_put(out, v->raw, v->raw_size);
        } else if (v->kind == JSON_NUMBER && strpbrk(v->text, ".eE") != NULL) {
            cli_putf(out, "%.6g", strtod(v->text, NULL));
        } else {
            cli_put(out, v->text, v->size);
        }
    }
}

/* The fraction of a time cut to milliseconds. */
static char *short_time(const char *text) {
    const char *dot = strchr(text, '.');
    size_t digits = dot != NULL ? strspn(dot + 1, "0123456789") : 0;
    return digits > 3 ? cli_format("%.*s%s", (int)(dot - text) + 4, text, dot + 1 + digits)
                      : cli_strdup(text);
}

static char *shaped_number(double x, cli_shape shape) {
    char buf[40];
    switch (shape) {
    case CLI_AS_BYTES:
        cli_human_bytes(buf, x);
        break;
    case CLI_AS_SECONDS:
        cli_human_seconds(buf, x);
        break;
    case CLI_AS_MICROS:
        cli_human_seconds(buf, x / 1e6);
        break;
    case CLI_AS_SAMPLES:
        snprintf(buf, sizeof buf, "%.0f sample%s", x, x == 1 ? "" : "s");
        break;
    case CLI_AS_RATIO:
        snprintf(buf, sizeof buf, "%.3f", x);
        break;
    default:
        snprintf(buf, sizeof buf, "%.6g", x);
    }
    return cli_strdup(buf);
}

char *cli_shaped(const json_value *value, cli_shape shape) {
    if (value == NULL || value->kind == JSON_NULL) {
        return NULL;
    }
    bool container = value->kind >= JSON_ARRAY;
    if (shape == CLI_AS_COUNT) {
        return cli_format("%zu", value->count);
    }
    if (container && value->count == 0) {
        return NULL;
    }
    if (container && shape != CLI_AS_LIST) {
        return cli_strndup(value->raw, value->raw_size);
    }
    if (shape == CLI_AS_LIST && container) {
        cli_text out = {0};
        put_joined(&out, value);
        return out.data;
    }
    if (value->kind == JSON_STRING && value->size == 0) {
        return NULL;
    }
    if (shape == CLI_AS_TIME) {
        return short_time(value->text);
    }
    if (shape == CLI_AS_DIGEST) {
        return cli_format("%.12s", value->text);
    }
    if (shape == CLI_AS_MICROS && value->kind == JSON_NUMBER && strtod(value->text, NULL) <= 0) {
        return NULL;
    }
    bool number = value->kind == JSON_NUMBER && shape >= CLI_AS_BYTES && shape <= CLI_AS_NUMBER;
    return number ? shaped_number(strtod(value->text, NULL), shape) : cli_strdup(value->text);
}

static bool right_aligned(const json_value *value, cli_shape shape) {
    bool figure = (shape >= CLI_AS_BYTES && shape <= CLI_AS_NUMBER) || shape == CLI_AS_COUNT;
    return figure || (value != NULL && value->kind == JSON_NUMBER);
}

static const json_value *cell(const json_value *row, const cli_field *column, json_value *key) {
    if (strcmp(column->path, "$self") == 0) {
        return row;
    }
    if (strcmp(column->path, "$key") != 0) {
        return json_at(row, column->path);
    }
    *key = (json_value){.kind = JSON_STRING, .key = "", .text = row->key, .size = strlen(row->key)};
    return key;
}

static void pad(FILE *file, size_t width) {
    fprintf(file, "%*s", (int)width, "");
}

/* Text in a column; the last one of a line is neither padded nor cut. */
static void print_cell(FILE *file, const char *text, size_t width, bool right, bool last) {
    size_t size = strlen(text);
    size_t shown = cli_width(text, size);
    if (!last && shown > width) {
        size_t keep = 0;
        for (size_t n = 0; keep < size; keep++) {
            n += ((unsigned char)text[keep] & 0xC0) != 0x80;
            if (n > width - 1) {
                break;
            }
        }
        cli_print_safe(file, text, keep);
        fputs("~", file);
        shown = width;
    } else {
        if (right) {
            pad(file, width > shown ? width - shown : 0);
        }
        cli_print_safe(file, text, size);
    }
    if (!last) {
        pad(file, (right || shown >= width ? 0 : width - shown) + 2);
    }
}

/* A table being made: cells row by row. */
typedef struct grid {
    size_t columns, cells;
    const char **titles;
    bool *right;
    char **texts;
} grid;

static grid grid_new(size_t columns, size_t rows) {
    return (grid){.columns = columns,
                  .titles = cli_calloc(columns, sizeof(char *)),
                  .right = cli_calloc(columns, sizeof(bool)),
                  .texts = cli_calloc(columns * rows, sizeof(char *))};
}

static void grid_add(grid *g, const json_value *value, cli_shape shape) {
    char *text = cli_shaped(value, shape);
    if (text == NULL) {
        text = cli_strdup("-");
    } else if (right_aligned(value, shape)) {
        g->right[g->cells % g->columns] = true;
    }
    g->texts[g->cells++] = text;
}

static void grid_print(FILE *file, grid *g) {
    size_t *width = cli_calloc(g->columns, sizeof *width);
    for (size_t i = 0; i < g->columns + g->cells; i++) {
        size_t c = i % g->columns;
        const char *text = i < g->columns ? g->titles[c] : g->texts[i - g->columns];
        size_t w = cli_width(text, strlen(text));
        width[c] = w > width[c] ? w : width[c];
        width[c] = width[c] > CELL_WIDTH ? CELL_WIDTH : width[c];
    }
    for (size_t i = 0; i < g->columns + g->cells; i++) {
        size_t c = i % g->columns;
        const char *text = i < g->columns ? g->titles[c] : g->texts[i - g->columns];
        bool last = c + 1 == g->columns;
        print_cell(file, text, width[c], g->right[c], last);
        fputs(last ? "\n" : "", file);
    }
    free(width);
}

static void grid_dispose(grid *g) {
    for (size_t i = 0; i < g->cells; i++) {
        free(g->texts[i]);
    }
    free(g->titles);
    free(g->right);
    free(g->texts);
}

static bool any_has(const json_value *rows, const cli_field *column) {
    for (const json_value *row = rows->first; row != NULL; row = row->next) {
        if (json_at(row, column->path) != NULL) {
            return true;
        }
    }
    return false;
}

/* `most` rows of them, `skip` left out first. */
static void print_table(FILE *file, const json_value *rows, size_t skip, size_t most,
                        const cli_field *columns) {
    size_t count = 0;
    while (columns[count].title != NULL) {
        count++;
    }
    while (count > 0 && columns[count - 1].shape == CLI_AS_RARE &&
           !any_has(rows, &columns[count - 1])) {
        count--;
    }
    grid g = grid_new(count, rows->count);
    for (size_t c = 0; c < count; c++) {
        g.titles[c] = columns[c].title;
    }
    for (const json_value *row = rows->first; row != NULL; row = row->next) {
        if (skip > 0 || most == 0) {
            skip -= skip > 0;
            continue;
        }
        most--;
        for (size_t c = 0; c < count; c++) {
            json_value key;
            grid_add(&g, cell(row, &columns[c], &key), columns[c].shape);
        }
    }
    grid_print(file, &g);
    grid_dispose(&g);
}

void cli_show_rows(FILE *file, const json_value *columns, const json_value *rows) {
    grid g = grid_new(columns->count, rows->count);
    size_t c = 0;
    for (const json_value *v = columns->first; v != NULL; v = v->next) {
        g.titles[c++] = v->text;
    }
    for (const json_value *row = rows->first; row != NULL; row = row->next) {
        const json_value *v = row->first;
        for (c = 0; c < g.columns; c++) {
            grid_add(&g, v, CLI_AS_TEXT);
            v = v != NULL ? v->next : NULL;
        }
    }
    if (g.columns > 0) {
        grid_print(file, &g);
    }
    grid_dispose(&g);
}

/* The value at a field's path, or the field's text for an absent one; free it. */
static char *field_text(const json_value *object, const cli_field *field) {
    size_t size = strcspn(field->path, "|");
    char *path = cli_strndup(field->path, size);
    char *text = cli_shaped(json_at(object, path), field->shape);
    free(path);
    return text != NULL || field->path[size] == 0 ? text : cli_strdup(field->path + size + 1);
}

static bool print_fields(FILE *file, const json_value *object, const cli_field *fields) {
    size_t width = 0;
    bool any = false;
    for (const cli_field *f = fields; f->title != NULL; f++) {
        size_t w = strlen(f->title);
        width = w > width ? w : width;
    }
    for (const cli_field *f = fields; f->title != NULL; f++) {
        char *text = field_text(object, f);
        if (text != NULL) {
            fprintf(file, "%-*s  ", (int)width, f->title);
            cli_print_safe(file, text, strlen(text));
            fputc('\n', file);
            any = true;
        }
        free(text);
    }
    return any;
}

static void print_sections(FILE *file, const json_value *root, const cli_section *sections,
                           bool any) {
    for (const cli_section *s = sections; s->columns != NULL; s++) {
        size_t size = strcspn(s->path, "#");
        char *path = cli_strndup(s->path, size);
        const json_value *rows = json_at(root, path);
        free(path);
        if (rows == NULL || rows->count == 0) {
            if (s->empty != NULL) {
                fprintf(file, "%s%s\n", any ? "\n" : "", s->empty);
                any = true;
            }
            continue;
        }
        if (any) {
            fputc('\n', file);
        }
        bool cut = s->path[size] == '#', first = cut && s->path[size + 1] == '+';
        size_t most = cut ? strtoul(s->path + size + 1, NULL, 10) : rows->count;
        size_t over = rows->count > most ? rows->count - most : 0;
        if (s->title != NULL && over > 0) {
            fprintf(file, "%s (the %s %zu of %zu):\n", s->title, first ? "first" : "last", most,
                    rows->count);
        } else if (s->title != NULL) {
            fprintf(file, "%s:\n", s->title);
        }
        print_table(file, rows, first ? 0 : over, most, s->columns);
        any = true;
    }
}

void cli_show(FILE *file, const cli_call *call, const char *operation, const char *result) {
    if (call->globals.json) {
        fprintf(file, "%s\n", result);
        return;
    }
    json_document *document = json_parse(result, strlen(result), NULL, NULL);
    const cli_view *view = cli_view_of(operation);
    if (document == NULL || view == NULL) {
        fprintf(file, "%s\n", result);
        json_free(document);
        return;
    }
    const json_value *root = json_root(document);
    bool any = false;
    const char *note = json_text(root, "note", NULL);
    /* What starts later is not "started". */
    bool done = note == NULL || strstr(view->done != NULL ? view->done : "", "started") == NULL;
    if (view->done != NULL && done && !call->globals.quiet) {
        const char *name = cli_arg(call, 0);
        const char *at = strstr(view->done, "%s");
        fprintf(file, "%.*s", at != NULL ? (int)(at - view->done) : (int)strlen(view->done),
                view->done);
        if (at != NULL) {
            name = name != NULL ? name : "";
            cli_print_safe(file, name, strlen(name));
            fputs(at + 2, file);
        }
        fputc('\n', file);
    }
    if (view->fields != NULL) {
        any = print_fields(file, root, view->fields);
    }
    if (view->sections != NULL) {
        print_sections(file, root, view->sections, any);
    }
    if (note != NULL && !call->globals.quiet) {
        fputs("note: ", file);
        cli_print_safe(file, note, strlen(note));
        fputc('\n', file);
    }
    json_free(document);
}

int cli_flush(void) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_reader_gone(STDOUT_FILENO)
                   ? CLI_FAILED
                   : cli_fail(CLI_FAILED, NULL, "standard output could not take everything");
    }
    return CLI_OK;
}
