/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the skeleton of a new workflow. The manifest comes last: a folder without one is
 * unfinished. */
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "edgeops/workflow.h"

static const char manifest_text[] =
    "{\n"
    "  \"format\": 1,\n"
    "  \"name\": \"@NAME@\",\n"
    "  \"version\": \"0.1.0\",\n"
    "  \"description\": \"Tells classes apart by the nearest mean\",\n"
    "  \"python\": {\"module\": \"@MODULE@\", \"requires\": \">=3.9\"},\n"
    "  \"inputs\": [\n"
    "    {\"name\": \"x\", \"type\": \"float64\", \"unit\": \"1\"},\n"
    "    {\"name\": \"y\", \"type\": \"float64\", \"unit\": \"1\"}\n"
    "  ],\n"
    "  \"window\": {\"rows\": 1},\n"
    "  \"label\": {\"name\": \"class\", \"classes\": [\"good\", \"bad\"]},\n"
    "  \"outputs\": [\n"
    "    {\"name\": \"class\", \"type\": \"string\"},\n"
    "    {\"name\": \"confidence\", \"type\": \"float64\"}\n"
    "  ],\n"
    "  \"parameters\": [\n"
    "    {\"name\": \"shrink\", \"type\": \"number\", \"default\": 0.0, \"minimum\": 0.0, "
    "\"maximum\": 1.0,\n"
    "     \"description\": \"0: class means as they are, 1: all at the overall mean\"}\n"
    "  ],\n"
    "  \"limits\": {\"memory\": \"512MiB\", \"train_timeout\": \"30m\", \"predict_timeout\": "
    "\"1s\"}\n"
    "}\n";

static const char module_text[] =
    "\"\"\"Nearest class mean: a small model that really trains and predicts; put yours "
    "here.\"\"\"\n"
    "import numpy as np\n"
    "\n"
    "\n"
    "def train(dataset, params, run):\n"
    "    values = np.asarray(dataset.values)\n"
    "    labels = np.array([label or \"\" for label in dataset.labels])\n"
    "    known = (labels != \"\") & np.isfinite(values).all(axis=1)\n"
    "    values, labels = values[known], labels[known]\n"
    "    if len(values) == 0:\n"
    "        raise ValueError(\"the dataset has no row with a label and all values\")\n"
    "    center = values.mean(axis=0)\n"
    "    spread = values.std(axis=0)\n"
    "    spread[spread == 0] = 1.0\n"
    "    scaled = (values - center) / spread\n"
    "    classes = sorted(set(labels.tolist()))\n"
    "    means = np.array([scaled[labels == c].mean(axis=0) for c in classes])\n"
    "    model = {\"classes\": classes, \"center\": center, \"spread\": spread,\n"
    "             \"means\": means * (1.0 - params[\"shrink\"])}\n"
    "    guess = np.array(classes)[scores(model, values).argmax(axis=1)]\n"
    "    run.metric(\"train_accuracy\", float((guess == labels).mean()))\n"
    "    return model\n"
    "\n"
    "\n"
    "def scores(model, rows):\n"
    "    \"\"\"Weight of each class for each row, in 0..1; a row sums up to 1.\"\"\"\n"
    "    scaled = (rows - model[\"center\"]) / model[\"spread\"]\n"
    "    distance = ((scaled[:, None, :] - model[\"means\"][None]) ** 2).sum(axis=2)\n"
    "    weight = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True)))\n"
    "    return weight / weight.sum(axis=1, keepdims=True)\n"
    "\n"
    "\n"
    "def predict(model, window, params):\n"
    "    row = np.asarray(window.values)[-1:]\n"
    "    if not np.isfinite(row).all():\n"
    "        return None\n"
    "    weight = scores(model, row)[0]\n"
    "    best = int(weight.argmax())\n"
    "    return {\"class\": model[\"classes\"][best], \"confidence\": float(weight[best])}\n";

static const char readme_text[] =
    "# @NAME@\n"
    "\n"
    "A workflow of EdgeOps: `workflow.json` says what goes in and out, `@MODULE@.py` trains and "
    "predicts.\n"
    "\n"
    "    edgeopsctl workflow check .\n"
    "    edgeopsctl workflow add .\n"
    "    edgeopsctl train @NAME@ --dataset DATASET\n"
    "    edgeopsctl predict MODEL --input file.csv\n"
    "\n"
    "`train(dataset, params, run)` sees `dataset.values` (float64, rows x inputs), `.times`, "
    "`.columns`, `.labels` and\n"
    "`.windows()`, and returns the model. `predict(model, window, params)` sees `window.values` "
    "and returns the outputs\n"
    "as a dict, or None when there is nothing to say.\n";

/* Text with @NAME@ and @MODULE@ put in, written to directory/file. */
static edgeops_status write_file(const char *directory, const char *file, const char *text,
                                 const char *name, const char *module) {
    eop_buf buf = {0};
    for (const char *p = text; *p != '\0';) {
        if (strncmp(p, "@NAME@", 6) == 0) {
            eop_buf_puts(&buf, name);
            p += 6;
        } else if (strncmp(p, "@MODULE@", 8) == 0) {
            eop_buf_puts(&buf, module);
            p += 8;
        } else {
            eop_buf_put(&buf, p++, 1);
        }
    }
    char *path = eop_path_join(directory, file);
    edgeops_status status = path != NULL && !buf.failed
                                ? eop_file_write(path, buf.data, buf.size, 0644)
                                : eop_fail_nomem("workflow");
    eop_free(path);
    eop_buf_dispose(&buf);
    return status;
}

static edgeops_status refuse_entry(const char *name, void *user_data) {
    return eop_fail(EDGEOPS_E_EXISTS, "workflow",
                    "folder '%s' is not empty (it holds '%s'); give a new one",
                    (const char *)user_data, name);
}

static bool is_workflow_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 1 && n <= 63 && name[n] == '\0' && name[0] >= 'a' && name[0] <= 'z';
}

static bool ends_in_workflow(const char *name) {
    static const char word[] = "-workflow";
    size_t n = strlen(name), m = sizeof word - 1;
    return n > m && strcmp(name + n - m, word) == 0;
}

edgeops_status edgeops_workflow_init(const char *directory, const char *name) {
    EOP_REQUIRE(directory != NULL && name != NULL, "workflow");
    if (!is_workflow_name(name)) {
        return eop_fail(EDGEOPS_E_INVALID, "workflow",
                        "'%s' is not a workflow name: lower case letters, digits and '-', a letter "
                        "first, at most 63",
                        name);
    }
    edgeops_status status = eop_mkdirs(directory, 0755);
    if (status == EDGEOPS_OK) {
        char *shown = eop_strdup(directory);
        status = shown != NULL ? eop_dir_walk(directory, refuse_entry, shown)
                               : eop_fail_nomem("workflow");
        eop_free(shown);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    /* With a word of its own: the name may be that of a Python module that is needed, such as
     * numpy. */
    char *module = eop_format("%s%s", name, ends_in_workflow(name) ? "" : "_workflow");
    char *file = NULL;
    if (module != NULL) {
        for (char *p = module; *p != '\0'; p++) {
            *p = *p == '-' ? '_' : *p;
        }
        file = eop_format("%s.py", module);
    }
    status = file != NULL ? write_file(directory, file, module_text, name, module)
                          : eop_fail_nomem("workflow");
    if (status == EDGEOPS_OK) {
        status = write_file(directory, "README.md", readme_text, name, module);
    }
    /* Last: a folder with a manifest is a whole one. */
    if (status == EDGEOPS_OK) {
        status = write_file(directory, "workflow.json", manifest_text, name, module);
    }
    eop_free(module);
    eop_free(file);
    return status;
}
