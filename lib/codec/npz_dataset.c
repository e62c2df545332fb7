/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset as it is exported: X has a row a sample and a column a channel, whose names are in
 * `columns`; y, groups and split belong to the rows. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/npz_parts.h"

static bool is_used(const eop_npz *npz, const char *name) {
    const char *label = npz->options.label_array;
    const char *asset = npz->options.asset;
    const char *open = asset != NULL ? strchr(asset, '{') : NULL;
    size_t size = strlen(name);
    return (label != NULL && strcmp(label, name) == 0) ||
           (open != NULL && strncmp(open + 1, name, size) == 0 && open[size + 1] == '}');
}

static edgeops_status add_columns(eop_npz *npz, eop_npz_source *x, eop_npz_source *names) {
    size_t count = x->npy.fields[0].length;
    edgeops_status status = eop_npz_source_prepare(names, count);
    if (status == EDGEOPS_OK) {
        status = eop_npz_source_read(names, count);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        const eop_npz_array like = {
            .source = x, .first = (uint32_t)i, .length = 1, .nan_is_null = true};
        eop_buf name = {0};
        eop_buf_puts(&name, "channel/");
        bool read = eop_npz_source_text(&name, names, &names->npy.fields[0], 0, i);
        if (name.failed) {
            status = eop_fail_nomem("codec");
        } else if (!read) {
            status = eop_fail(EDGEOPS_E_INVALID, "codec",
                              "%s: array '%s' has a text that is not Unicode, or has a NUL",
                              npz->options.what, names->name);
        } else {
            status = eop_npz_add_array(npz, name.data, name.size, &like);
        }
        eop_buf_dispose(&name);
    }
    return status;
}

edgeops_status eop_npz_split_dataset(eop_npz *npz) {
    static const char *const names[] = {"X", "columns", "y", "groups", "times", "split"};
    enum { X, COLUMNS, Y, GROUPS, TIMES, NEEDED };
    const eop_npz_array *found[NEEDED] = {NULL};
    for (size_t i = 0; i < NEEDED; i++) {
        found[i] = eop_npz_find(npz, names[i]);
        if (found[i] == NULL || found[i]->source == NULL) {
            return EDGEOPS_OK;
        }
    }
    eop_npz_source *x = found[X]->source;
    eop_npz_source *columns = found[COLUMNS]->source;
    if (x->npy.structured || columns->npy.structured ||
        x->npy.fields[0].element.type != EDGEOPS_TYPE_FLOAT64 ||
        columns->npy.fields[0].element.type != EDGEOPS_TYPE_STRING ||
        columns->npy.fields[0].length != 1 || columns->npy.rows != x->npy.fields[0].length) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < npz->count; i++) {
        eop_npz_array *a = &npz->arrays[i];
        for (size_t k = 0; k < EOP_COUNT(names); k++) {
            if (k != TIMES && strcmp(a->name, names[k]) == 0 && !is_used(npz, a->name)) {
                a->role = EOP_NPZ_SKIPPED;
            }
        }
    }
    npz->is_dataset = true;
    eop_report_note(npz->report,
                    "this is a dataset: the columns of X are channels of float64, a NaN "
                    "is null; {groups} in the asset's name takes the assets, "
                    "label_column=y the labels");
    return add_columns(npz, x, columns);
}
