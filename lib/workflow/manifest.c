/* SPDX-License-Identifier: Apache-2.0 */
/* Parses workflow.json and fills the public view of it. The view borrows its texts from the JSON
 * document, which the manifest owns. */
#include "workflow/manifest.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/schema.h"

static edgeops_status fill_ports(edgeops_port **out, size_t *count, const eop_json *list) {
    size_t n = eop_json_size(list);
    edgeops_port *ports = eop_calloc(n, sizeof *ports);
    if (ports == NULL) {
        return eop_fail_nomem("workflow");
    }
    size_t i = 0;
    for (const eop_json *p = eop_json_first(list); p != NULL; p = eop_json_next(p)) {
        edgeops_port *port = &ports[i++];
        *port = (edgeops_port){.name = eop_json_string(p, "name", ""),
                               .unit = eop_json_string(p, "unit", ""),
                               .length = 1};
        /* eop_manifest_check() has refused any other. */
        (void)eop_type_parse(&port->type, &port->length, eop_json_string(p, "type", ""));
    }
    *out = ports;
    *count = n;
    return EDGEOPS_OK;
}

static edgeops_status fill_strings(const char ***out, size_t *count, const eop_json *list) {
    size_t n = eop_json_size(list);
    const char **texts = eop_calloc(n, sizeof *texts);
    if (texts == NULL) {
        return eop_fail_nomem("workflow");
    }
    size_t i = 0;
    for (const eop_json *p = eop_json_first(list); p != NULL; p = eop_json_next(p)) {
        texts[i++] = eop_json_text(p);
    }
    *out = texts;
    *count = n;
    return EDGEOPS_OK;
}

/* [{"name": "trees", ...}] -> {"trees": {...}} */
static edgeops_status fill_parameters(eop_manifest *m) {
    eop_json *all = eop_json_object();
    const eop_json *list = eop_json_get(m->json, "parameters");
    for (const eop_json *p = eop_json_first(list); p != NULL; p = eop_json_next(p)) {
        eop_json *copy = eop_json_copy(p);
        eop_json_remove(copy, "name");
        eop_json_set(all, eop_json_string(p, "name", ""), copy);
    }
    m->parameters = eop_json_print(all);
    eop_json_free(all);
    m->view.parameters_json = m->parameters;
    return m->parameters != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
}

static edgeops_status fill_view(eop_manifest *m) {
    const eop_json *python = eop_json_get(m->json, "python");
    const eop_json *label = eop_json_get(m->json, "label");
    edgeops_manifest *v = &m->view;
    v->name = eop_json_string(m->json, "name", "");
    v->version = eop_json_string(m->json, "version", "");
    v->description = eop_json_string(m->json, "description", "");
    v->module = eop_json_string(python, "module", "");
    v->requires_python = eop_json_string(python, "requires", "");
    v->label = eop_json_string(label, "name", "");
    v->json = m->text;
    edgeops_status status =
        fill_ports(&m->inputs, &v->input_count, eop_json_get(m->json, "inputs"));
    if (status == EDGEOPS_OK) {
        status = fill_ports(&m->outputs, &v->output_count, eop_json_get(m->json, "outputs"));
    }
    if (status == EDGEOPS_OK) {
        status = fill_strings(&m->path, &v->path_count, eop_json_get(python, "path"));
    }
    if (status == EDGEOPS_OK) {
        status = fill_strings(&m->classes, &v->class_count, eop_json_get(label, "classes"));
    }
    if (status == EDGEOPS_OK) {
        status = fill_parameters(m);
    }
    v->inputs = m->inputs;
    v->outputs = m->outputs;
    v->path = m->path;
    v->classes = m->classes;
    return status;
}

edgeops_status eop_manifest_parse(eop_manifest *out, const char *text, size_t size) {
    const eop_json_limits limits = {
        .max_bytes = EOP_MANIFEST_MAX, .max_depth = 16, .max_nodes = 100000};
    edgeops_status status = eop_json_parse(&out->json, text, size, EOP_MANIFEST_NAME, &limits);
    if (status != EDGEOPS_OK) {
        return status;
    }
    out->text = eop_strndup(text, size);
    if (out->text == NULL) {
        return eop_fail_nomem("workflow");
    }
    status = eop_schema_check_text(eop_manifest_schema, out->json, text, size, EOP_MANIFEST_NAME);
    if (status == EDGEOPS_OK) {
        status = fill_view(out);
    }
    if (status == EDGEOPS_OK) {
        status = eop_manifest_check_rules(out);
    }
    return status;
}

void eop_manifest_dispose(eop_manifest *manifest) {
    eop_json_free(manifest->json);
    eop_free(manifest->text);
    eop_free(manifest->parameters);
    eop_free(manifest->inputs);
    eop_free(manifest->outputs);
    eop_free(manifest->path);
    eop_free(manifest->classes);
    *manifest = (eop_manifest){0};
}
