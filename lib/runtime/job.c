/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the job, the first message to a worker: manifest, parameters, folders and the
 * description of the dataset, as one JSON text. */
#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/wire.h"
#include "runtime/runtime.h"

static eop_json *ports(const edgeops_port *list, size_t count) {
    eop_json *array = eop_json_array();

    for (size_t i = 0; i < count; i++) {
        eop_json *port = eop_json_object();
        eop_json_set_string(port, "name", list[i].name);
        char type[EOP_TYPE_TEXT];
        eop_json_set_string(port, "type", eop_type_text(type, list[i].type, list[i].length));
        eop_json_set_string(port, "unit", list[i].unit != NULL ? list[i].unit : "");
        eop_json_append(array, port);
    }
    return array;
}

static eop_json *texts(const char *const *list, size_t count) {
    eop_json *array = eop_json_array();

    for (size_t i = 0; i < count; i++) {
        eop_json_append_string(array, list[i]);
    }
    return array;
}

char *eop_job_text(const char *mode, const edgeops_workflow *workflow, const char *artifact_dir,
                   const eop_json *params, eop_json *dataset) {
    const edgeops_manifest *m = edgeops_workflow_info_of(workflow)->manifest;
    eop_json *job = eop_json_object();

    eop_json_set_string(job, "mode", mode);
    eop_json_set_string(job, "workflow", m->name);
    eop_json_set_string(job, "version", m->version);
    eop_json_set_string(job, "directory", edgeops_workflow_info_of(workflow)->directory);
    eop_json_set(job, "path", texts(m->path, m->path_count));
    eop_json_set_string(job, "module", m->module);
    eop_json_set_string(job, "requires", m->requires_python);
    eop_json_set_string(job, "artifacts", artifact_dir);
    eop_json_set(job, "inputs", ports(m->inputs, m->input_count));
    eop_json_set(job, "outputs", ports(m->outputs, m->output_count));
    eop_json_set(job, "classes", texts(m->classes, m->class_count));
    eop_json_set_integer(job, "window", m->window.rows);
    eop_json_set_number(job, "predict_timeout", (double)m->predict_timeout * 1e-9);
    eop_json_set(job, "params", eop_json_copy(params));
    if (dataset != NULL) {
        eop_json_set(job, "dataset", dataset);
    }
    char *text = eop_json_print(job);
    eop_json_free(job);
    return text;
}
