/* SPDX-License-Identifier: Apache-2.0 */
/* What the schema of workflow.json cannot say: bounds of sizes and durations, defaults within
 * their bounds, names that occur once, files that must be in the package. Each error names line
 * and column. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "workflow/manifest.h"

enum { ROWS_MAX = 1000000, POINTER_MAX = 64 };

edgeops_status eop_manifest_fail(const eop_manifest *manifest, const char *pointer,
                                 const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = eop_vformat(format, args);
    va_end(args);
    if (text == NULL) {
        return eop_fail_nomem("workflow");
    }
    size_t line = 1, column = 1;
    (void)eop_json_locate(manifest->text, strlen(manifest->text), pointer, false, &line, &column);
    edgeops_status status = eop_fail(EDGEOPS_E_INVALID, "workflow",
                                     EOP_MANIFEST_NAME ":%zu:%zu: %s", line, column, text);
    eop_free(text);
    return status;
}

/* Long enough for "/parameters/255/default" and the like: every pointer here is made in this file.
 */
static const char *point(char out[POINTER_MAX], const char *list, size_t index, const char *key) {
    (void)snprintf(out, POINTER_MAX, "/%s/%zu/%s", list, index, key);
    return out;
}

static edgeops_status check_names(const eop_manifest *m, const char *list,
                                  const edgeops_port *ports, size_t count) {
    char at[POINTER_MAX];
    for (size_t i = 0; i < count; i++) {
        if (!eop_name_valid(ports[i].name, strlen(ports[i].name), 128)) {
            return eop_manifest_fail(m, point(at, list, i, "name"),
                                     "'%s' is not a channel name: 1 to 128 bytes, no control "
                                     "characters, no empty level between '/'",
                                     ports[i].name);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(ports[i].name, ports[j].name) == 0) {
                return eop_manifest_fail(m, point(at, list, i, "name"),
                                         "'%s' is in %s twice; give each its own name",
                                         ports[i].name, list);
            }
        }
    }
    return EDGEOPS_OK;
}

/* A duration of the manifest within its bounds; *out stays when the key is absent. */
static edgeops_status read_duration(edgeops_duration *out, const eop_manifest *m,
                                    const char *object, const char *key, edgeops_duration low,
                                    edgeops_duration high) {
    const char *text = eop_json_string(eop_json_get(m->json, object), key, NULL);
    edgeops_duration value = 0;
    char at[POINTER_MAX];
    if (text == NULL) {
        return EDGEOPS_OK;
    }
    (void)snprintf(at, sizeof at, "/%s/%s", object, key);
    if (!eop_parse_duration(&value, text)) {
        return eop_manifest_fail(
            m, at, "%s is not a duration: '%s'; write it as \"500ms\" or \"2s\"", key, text);
    }
    if (value < low || value > high) {
        char a[32], b[32];
        eop_format_duration(a, low);
        eop_format_duration(b, high);
        return eop_manifest_fail(m, at, "%s must be %s to %s, not '%s'", key, a, b, text);
    }
    *out = value;
    return EDGEOPS_OK;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* rows = duration * rate, 0 when that is not a whole number or out of range. */
static uint32_t whole_rows(edgeops_duration duration, uint64_t rate_mhz) {
    const uint64_t unit = 1000000000000u; /* ns * mHz in one row */
    uint64_t ns = (uint64_t)duration;
    uint64_t divisor = common_divisor(ns, unit);
    uint64_t rows;
    if (ns == 0 || rate_mhz % (unit / divisor) != 0 ||
        __builtin_mul_overflow(ns / divisor, rate_mhz / (unit / divisor), &rows) ||
        rows > ROWS_MAX) {
        return 0;
    }
    return (uint32_t)rows;
}

static edgeops_status read_grid_window(eop_manifest *m, const eop_json *window) {
    static const char *const fills[] = {"previous", "linear", "none"};
    edgeops_window_spec *spec = &m->view.window;
    edgeops_duration duration = 0, step = -1;
    uint64_t rate = 0;
    if (!eop_parse_rate(&rate, eop_json_string(window, "rate", ""))) {
        return eop_manifest_fail(m, "/window/rate", "rate must be 1 mHz to 1 MHz, not '%s'",
                                 eop_json_string(window, "rate", ""));
    }
    edgeops_status status =
        read_duration(&duration, m, "window", "duration", 1, 86400 * EDGEOPS_SECOND * 30);
    if (status == EDGEOPS_OK) {
        status = read_duration(&step, m, "window", "step", 1, 86400 * EDGEOPS_SECOND * 30);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    spec->rows = whole_rows(duration, rate);
    spec->step = step < 0 ? 1 : whole_rows(step, rate);
    spec->period = eop_rate_period(rate);
    if (spec->rows == 0 || spec->step == 0) {
        const char *key = spec->rows == 0 ? "duration" : "step";
        return eop_manifest_fail(m, spec->rows == 0 ? "/window/duration" : "/window/step",
                                 "%s '%s' at %s is not a whole number of rows from 1 to %d", key,
                                 eop_json_string(window, key, ""),
                                 eop_json_string(window, "rate", ""), ROWS_MAX);
    }
    const char *fill = eop_json_string(window, "fill", "previous");
    for (uint32_t i = 0; i < EOP_COUNT(fills); i++) {
        if (strcmp(fill, fills[i]) == 0) {
            spec->fill = i;
        }
    }
    return EDGEOPS_OK;
}

/* What a row gets that lacks an input, and how long it waits for it first. */
static edgeops_status read_missing(eop_manifest *m, const eop_json *window) {
    edgeops_window_spec *spec = &m->view.window;
    if (strcmp(eop_json_string(window, "missing", "null"), "previous") == 0) {
        spec->missing = EDGEOPS_MISSING_PREVIOUS;
        spec->wait = 0;
    }
    return read_duration(&spec->wait, m, "window", "wait", 0, EOP_WINDOW_MAX_WAIT);
}

static edgeops_status read_window(eop_manifest *m) {
    const eop_json *window = eop_json_get(m->json, "window");
    edgeops_window_spec *spec = &m->view.window;
    *spec = (edgeops_window_spec){.rows = 1, .step = 1, .wait = EDGEOPS_SECOND};
    if (window == NULL) {
        return EDGEOPS_OK;
    }
    if (eop_json_get(window, "rows") != NULL) {
        spec->rows = (uint32_t)eop_json_integer(window, "rows", 1);
        spec->step = (uint32_t)eop_json_integer(window, "step", 1);
    } else {
        edgeops_status status = read_grid_window(m, window);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    edgeops_status status =
        read_duration(&spec->max_gap, m, "window", "max_gap", 1, 86400 * EDGEOPS_SECOND * 30);
    return status == EDGEOPS_OK ? read_missing(m, window) : status;
}

static edgeops_status read_limits(eop_manifest *m) {
    const char *text = eop_json_string(eop_json_get(m->json, "limits"), "memory", NULL);
    edgeops_manifest *v = &m->view;
    v->memory_bytes = (uint64_t)512 << 20;
    v->train_timeout = 30 * 60 * EDGEOPS_SECOND;
    v->predict_timeout = EDGEOPS_SECOND;
    if (text != NULL) {
        uint64_t size = 0;
        if (!eop_parse_size(&size, text)) {
            return eop_manifest_fail(m, "/limits/memory",
                                     "memory is not a size: '%s'; write it as \"512MiB\"", text);
        }
        if (size < (uint64_t)16 << 20 || size > (uint64_t)1 << 40) {
            return eop_manifest_fail(m, "/limits/memory",
                                     "memory must be 16 MiB to 1 TiB, not '%s'", text);
        }
        v->memory_bytes = size;
    }
    edgeops_status status = read_duration(&v->train_timeout, m, "limits", "train_timeout",
                                          EDGEOPS_SECOND, 7 * 86400 * EDGEOPS_SECOND);
    if (status == EDGEOPS_OK) {
        status = read_duration(&v->predict_timeout, m, "limits", "predict_timeout",
                               EDGEOPS_MILLISECOND, 3600 * EDGEOPS_SECOND);
    }
    return status;
}

static bool is_of_type(const eop_json *value, const char *type) {
    eop_json_kind kind = eop_json_type(value);
    if (strcmp(type, "string") == 0) {
        return kind == EOP_JSON_STRING;
    }
    if (strcmp(type, "boolean") == 0) {
        return kind == EOP_JSON_BOOL;
    }
    double number = eop_json_value(value);
    return kind == EOP_JSON_NUMBER && (strcmp(type, "number") == 0 || number == floor(number));
}

static bool same_value(const eop_json *a, const eop_json *b) {
    const char *x = eop_json_text(a), *y = eop_json_text(b);
    if (x != NULL || y != NULL) {
        return x != NULL && y != NULL && strcmp(x, y) == 0;
    }
    return eop_json_value(a) == eop_json_value(b);
}

static edgeops_status check_bounds(const eop_manifest *m, const eop_json *p, size_t index) {
    const char *name = eop_json_string(p, "name", "");
    const char *type = eop_json_string(p, "type", "");
    bool numeric = strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    double value = eop_json_value(eop_json_get(p, "default"));
    const eop_json *low = eop_json_get(p, "minimum"), *high = eop_json_get(p, "maximum");
    char at[POINTER_MAX];
    if (!numeric && (low != NULL || high != NULL)) {
        return eop_manifest_fail(m, point(at, "parameters", index, low ? "minimum" : "maximum"),
                                 "parameter '%s' is a %s and has no bounds", name, type);
    }
    if (low != NULL && high != NULL && eop_json_value(low) > eop_json_value(high)) {
        return eop_manifest_fail(m, point(at, "parameters", index, "minimum"),
                                 "minimum of parameter '%s' is above its maximum", name);
    }
    if ((low != NULL && value < eop_json_value(low)) ||
        (high != NULL && value > eop_json_value(high))) {
        return eop_manifest_fail(m, point(at, "parameters", index, "default"),
                                 "default of parameter '%s' is outside its bounds", name);
    }
    return EDGEOPS_OK;
}

static edgeops_status check_enum(const eop_manifest *m, const eop_json *p, size_t index) {
    const eop_json *choices = eop_json_get(p, "enum");
    const char *name = eop_json_string(p, "name", "");
    const char *type = eop_json_string(p, "type", "");
    bool found = choices == NULL;
    char at[POINTER_MAX];
    for (const eop_json *c = eop_json_first(choices); c != NULL; c = eop_json_next(c)) {
        if (!is_of_type(c, type)) {
            return eop_manifest_fail(m, point(at, "parameters", index, "enum"),
                                     "enum of parameter '%s' holds a value that is no %s", name,
                                     type);
        }
        found = found || same_value(c, eop_json_get(p, "default"));
    }
    return found ? EDGEOPS_OK
                 : eop_manifest_fail(m, point(at, "parameters", index, "default"),
                                     "default of parameter '%s' is not in its enum", name);
}

static edgeops_status check_parameters(const eop_manifest *m) {
    const eop_json *list = eop_json_get(m->json, "parameters");
    size_t index = 0;
    char at[POINTER_MAX];
    for (const eop_json *p = eop_json_first(list); p != NULL; p = eop_json_next(p), index++) {
        const char *name = eop_json_string(p, "name", "");
        const char *type = eop_json_string(p, "type", "");
        if (!is_of_type(eop_json_get(p, "default"), type)) {
            return eop_manifest_fail(m, point(at, "parameters", index, "default"),
                                     "default of parameter '%s' is no %s", name, type);
        }
        for (const eop_json *q = eop_json_first(list); q != p; q = eop_json_next(q)) {
            if (strcmp(name, eop_json_string(q, "name", "")) == 0) {
                return eop_manifest_fail(m, point(at, "parameters", index, "name"),
                                         "'%s' is in parameters twice", name);
            }
        }
        edgeops_status status = check_bounds(m, p, index);
        if (status == EDGEOPS_OK) {
            status = check_enum(m, p, index);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

/* What the schema leaves open: it has no words for lengths. */
static edgeops_status check_inputs(const eop_manifest *m) {
    char at[POINTER_MAX];
    for (size_t i = 0; i < m->view.input_count; i++) {
        edgeops_type type = m->inputs[i].type;
        if (type == EDGEOPS_TYPE_NULL || type == EDGEOPS_TYPE_BLOB) {
            return eop_manifest_fail(m, point(at, "inputs", i, "type"),
                                     "%s is not a type: choose one of float64, "
                                     "float32, int8, int16, int32, int64, uint8, uint16, uint32, "
                                     "uint64, bool, string, or an array such as float32[4096]",
                                     at);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_manifest_check_rules(eop_manifest *m) {
    edgeops_status status = check_names(m, "inputs", m->inputs, m->view.input_count);
    if (status == EDGEOPS_OK) {
        status = check_inputs(m);
    }
    if (status == EDGEOPS_OK) {
        status = check_names(m, "outputs", m->outputs, m->view.output_count);
    }
    if (status == EDGEOPS_OK) {
        status = read_window(m);
    }
    if (status == EDGEOPS_OK) {
        status = read_limits(m);
    }
    if (status == EDGEOPS_OK) {
        status = check_parameters(m);
    }
    return status;
}

/* FOLDER/a/b.py or FOLDER/a/b/__init__.py for the module a.b; folder "" is the root. */
static edgeops_status has_module(bool *found, const eop_manifest *m, const eop_entries *entries,
                                 const char *folder) {
    char *module = eop_strdup(m->view.module);
    char *file = NULL, *package = NULL;
    if (module != NULL) {
        for (char *p = module; *p != '\0'; p++) {
            *p = *p == '.' ? '/' : *p;
        }
        file = eop_format("%s%s%s.py", folder, *folder != '\0' ? "/" : "", module);
        package = eop_format("%s%s%s/__init__.py", folder, *folder != '\0' ? "/" : "", module);
    }
    edgeops_status status = EDGEOPS_OK;
    if (file == NULL || package == NULL) {
        status = eop_fail_nomem("workflow");
    } else {
        const eop_entry *a = eop_entries_find(entries, file);
        const eop_entry *b = eop_entries_find(entries, package);
        *found = (a != NULL && !a->directory) || (b != NULL && !b->directory);
    }
    eop_free(module);
    eop_free(file);
    eop_free(package);
    return status;
}

edgeops_status eop_manifest_check_files(const eop_manifest *m, const eop_entries *entries) {
    bool found = false;
    char at[POINTER_MAX];
    if (eop_entries_has_folder(entries, "wheels")) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "the package has a folder wheels/, which this version cannot install; use "
                        "the system's Python packages, or put plain folders on python.path");
    }
    edgeops_status status = has_module(&found, m, entries, "");
    for (size_t i = 0; status == EDGEOPS_OK && i < m->view.path_count; i++) {
        if (!eop_entries_has_folder(entries, m->path[i])) {
            (void)snprintf(at, sizeof at, "/python/path/%zu", i);
            return eop_manifest_fail(m, at, "folder '%s' of python.path is not in the package",
                                     m->path[i]);
        }
        if (!found) {
            status = has_module(&found, m, entries, m->path[i]);
        }
    }
    if (status == EDGEOPS_OK && !found) {
        return eop_manifest_fail(
            m, "/python/module",
            "module '%s' is not in the package: neither %s.py nor %s/__init__.py is there",
            m->view.module, m->view.module, m->view.module);
    }
    const eop_json *include = eop_json_get(eop_json_get(m->json, "python"), "include");
    size_t index = 0;
    for (const eop_json *p = eop_json_first(include); status == EDGEOPS_OK && p != NULL;
         p = eop_json_next(p), index++) {
        const char *text = eop_json_text(p);
        const char *slash = strrchr(text, '/');
        const char *name = slash != NULL ? slash + 1 : text;
        if (eop_entries_find(entries, name) == NULL && !eop_entries_has_folder(entries, name)) {
            (void)snprintf(at, sizeof at, "/python/include/%zu", index);
            status =
                eop_manifest_fail(m, at,
                                  "'%s' is not at the root of the package; make the package with "
                                  "edgeopsctl workflow pack",
                                  name);
        }
    }
    return status;
}
