/* SPDX-License-Identifier: Apache-2.0 */
/* Compares a dataset's rate and windows with the manifest's, and walks the rows of one subset.
 * It keeps no state of its own. */
#include "runtime/dataset.h"

#include "base/error.h"
#include "base/time.h"

static const char *const fills[] = {"previous", "linear", "none"};

static edgeops_status check_rate(const edgeops_manifest *m, const edgeops_dataset *d) {
    char has[32];
    char wants[32];
    if (d->period == 0 || m->window.period == 0 ||
        (d->period == m->window.period && d->fill == m->window.fill)) {
        return EDGEOPS_OK;
    }
    (void)eop_format_duration(has, d->period);
    (void)eop_format_duration(wants, m->window.period);
    return eop_fail(EDGEOPS_E_INVALID, "runtime",
                    "dataset '%s' has a point every %s (fill %s), but workflow '%s' wants one "
                    "every %s (fill %s): freeze a dataset with that rate and fill, or without",
                    d->name, has, fills[d->fill], m->name, wants, fills[m->window.fill]);
}

/* Do `rows` rows take this time, at a period that was rounded to 1 ns? */
static bool takes(uint32_t rows, edgeops_duration period, edgeops_duration time) {
    double off = (double)rows * (double)period - (double)time;
    return off <= (double)rows && off >= -(double)rows;
}

static edgeops_status check_window(const edgeops_manifest *m, const edgeops_dataset *d) {
    const edgeops_window_spec *w = &m->window;
    uint32_t step = w->step > 0 ? w->step : 1;
    edgeops_duration period = w->period > 0 ? w->period : d->period;
    char time[32];
    if (d->window_rows > 0 && (d->window_rows != w->rows || d->window_step != step)) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "dataset '%s' is for windows of %u rows, step %u, but workflow '%s' cuts "
                        "%u rows, step %u",
                        d->name, d->window_rows, d->window_step, m->name, w->rows, step);
    }
    if (d->window == 0) {
        return EDGEOPS_OK;
    }
    (void)eop_format_duration(time, d->window);
    if (period == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "dataset '%s' is for windows of %s, but neither it nor workflow '%s' has a "
                        "rate: freeze it with --rate",
                        d->name, time, m->name);
    }
    if (!takes(w->rows, period, d->window) ||
        !takes(step, period, d->step > 0 ? d->step : period)) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "dataset '%s' is for windows of %s, but workflow '%s' cuts %u rows, step "
                        "%u, which is not the same at its rate",
                        d->name, time, m->name, w->rows, step);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_dataset_window(edgeops_window_spec *out, const edgeops_manifest *manifest,
                                  const edgeops_dataset *dataset) {
    edgeops_status status = check_rate(manifest, dataset);
    if (status == EDGEOPS_OK) {
        status = check_window(manifest, dataset);
    }
    *out = manifest->window;
    if (dataset->period > 0) {
        out->period = 0;
        out->max_gap = dataset->period;
    }
    return status;
}

bool eop_dataset_next(eop_dataset_run *run, const edgeops_dataset *dataset, uint32_t subset) {
    uint64_t at = run->first + run->rows;
    for (size_t p = run->part; p < dataset->part_count; p++, at = 0) {
        const edgeops_dataset_part *part = &dataset->parts[p];
        const uint8_t *subsets = subset != EOP_SUBSET_ALL ? part->subsets : NULL;
        uint64_t rows = part->table->rows;
        while (at < rows && subsets != NULL && subsets[at] != subset) {
            at++;
        }
        uint64_t end = subsets != NULL ? at : rows;
        while (end < rows && subsets[end] == subset) {
            end++;
        }
        if (end > at) {
            *run = (eop_dataset_run){p, at, end - at};
            return true;
        }
    }
    return false;
}
