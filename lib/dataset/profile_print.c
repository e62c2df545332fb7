/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a profile as JSON and derives its warnings. profile.h describes the members. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "dataset/profile.h"

static const char *const subsets[] = {"train", "test", "validation"};

static bool is_split(const eop_profile *p) {
    return p->frozen->spec.split != EDGEOPS_SPLIT_NONE;
}

/* -- times -- */

static eop_json *asset_json(const eop_profile *p, size_t i) {
    const eop_profile_asset *a = &p->assets[i];
    eop_json *item = eop_json_object();
    eop_json_set_string(item, "name", p->frozen->assets[i].name);
    eop_json_set_integer(item, "rows", (int64_t)a->rows);
    eop_json_set_time(item, "first", a->first);
    eop_json_set_time(item, "last", a->last);
    eop_json_set_integer(item, "interval_ns", p->frozen->assets[i].interval);
    eop_json_set_integer(item, "gaps", (int64_t)a->gaps);
    eop_json_set_integer(item, "longest_gap_ns", (int64_t)a->longest_gap);
    eop_json_set_integer(item, "same_time", (int64_t)a->same_time);
    return item;
}

static void put_times(eop_json *root, const eop_profile *p) {
    eop_json *gaps = eop_json_object();
    eop_json *assets = eop_json_array();
    eop_profile_asset all = p->assets[0];
    uint64_t rows[3] = {0};
    for (size_t i = 0; i < p->frozen->asset_count; i++) {
        const eop_profile_asset *a = &p->assets[i];
        for (size_t s = 0; s < 3; s++) {
            rows[s] += a->subset_rows[s];
        }
        if (i < EOP_PROFILE_ASSETS) {
            eop_json_append(assets, asset_json(p, i));
        }
        if (i > 0) {
            all.rows += a->rows;
            all.first = a->first < all.first ? a->first : all.first;
            all.last = a->last > all.last ? a->last : all.last;
            all.gaps += a->gaps;
            all.gap_total = eop_profile_sum(all.gap_total, a->gap_total);
            all.longest_gap = a->longest_gap > all.longest_gap ? a->longest_gap : all.longest_gap;
            all.same_time += a->same_time;
        }
    }
    eop_json_set_integer(root, "rows", (int64_t)all.rows);
    eop_json_set_time(root, "first", all.first);
    eop_json_set_time(root, "last", all.last);
    if (is_split(p)) {
        eop_json *counts = eop_json_object();
        for (size_t s = 0; s < 3; s++) {
            eop_json_set_integer(counts, subsets[s], (int64_t)rows[s]);
        }
        eop_json_set(root, "subsets", counts);
    }
    eop_json_set_integer(gaps, "count", (int64_t)all.gaps);
    eop_json_set_integer(gaps, "longest_ns", (int64_t)all.longest_gap);
    eop_json_set_integer(gaps, "total_ns", (int64_t)all.gap_total);
    eop_json_set(root, "gaps", gaps);
    eop_json_set_integer(root, "same_time", (int64_t)all.same_time);
    eop_json_set(root, "assets", assets);
    if (p->frozen->asset_count > EOP_PROFILE_ASSETS) {
        eop_json_set_integer(root, "assets_left_out",
                             (int64_t)(p->frozen->asset_count - EOP_PROFILE_ASSETS));
    }
}

/* -- channels -- */

static bool is_constant(const eop_profile_channel *c) {
    return !c->many && c->value_count == 1 && c->missing == 0;
}

static edgeops_status put_numbers(eop_json *item, eop_profile_channel *c) {
    static const char *const names[] = {"p1", "p5", "p25", "p50", "p75", "p95", "p99"};
    static const double parts[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
    double values[EOP_COUNT(parts)];
    double n = (double)c->count;
    double mean = c->sum / n;
    double variance = c->squares / n - mean * mean;
    edgeops_status status = eop_quantiles_get(values, &c->quantiles, parts, EOP_COUNT(parts));
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json_set_number(item, "min", c->min);
    eop_json_set_number(item, "max", c->max);
    eop_json_set_number(item, "mean", c->shift + mean);
    eop_json_set_number(item, "std", variance > 0 ? sqrt(variance) : 0);
    for (size_t i = 0; i < EOP_COUNT(parts); i++) {
        eop_json_set_number(item, names[i], values[i]);
    }
    return EDGEOPS_OK;
}

static edgeops_status put_channels(eop_json *root, const eop_profile *p) {
    eop_json *list = eop_json_array();
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < p->frozen->channel_count; k++) {
        eop_profile_channel *c = &p->channels[k];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "name", p->frozen->channels[k].name);
        eop_json_set_integer(item, "missing", (int64_t)c->missing);
        eop_json_set_integer(item, "non_finite", (int64_t)c->non_finite);
        if (!c->many) {
            eop_json_set_integer(item, "distinct", (int64_t)c->value_count);
        }
        if (is_constant(c)) {
            eop_json_set_bool(item, "constant", true);
        }
        if (c->quantiles.count > 0) {
            status = put_numbers(item, c);
        }
        eop_json_append(list, item);
    }
    eop_json_set(root, "channels", list);
    return status;
}

/* -- labels -- */

static void put_classes(eop_json *root, const eop_profile *p) {
    eop_json *list = eop_json_array();
    for (size_t i = 0; i < p->frozen->labels.count; i++) {
        const eop_profile_label *l = &p->labels[i];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "label", p->frozen->labels.items[i]->name);
        eop_json_set_integer(item, "rows", (int64_t)l->rows);
        eop_json_set_integer(item, "intervals", (int64_t)l->intervals);
        for (size_t s = 0; is_split(p) && s < 3; s++) {
            eop_json_set_integer(item, subsets[s], (int64_t)l->subset_rows[s]);
        }
        eop_json_append(list, item);
    }
    eop_json_set(root, "classes", list);
    eop_json_set_integer(root, "unlabelled", (int64_t)p->unlabelled);
}

/* -- warnings -- */

static void add_warning(eop_json *list, const char *kind, const char *format, ...) EOP_PRINTF(3, 4);
static void add_warning(eop_json *list, const char *kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = eop_vformat(format, args);
    va_end(args);
    eop_json *item = eop_json_object();
    eop_json_set_string(item, "kind", kind);
    if (text != NULL) {
        eop_json_set_string(item, "text", text);
    } else {
        eop_json_set(item, "text", NULL); /* so that printing reports the lost member */
    }
    eop_json_append(list, item);
    eop_free(text);
}

static void warn_of_assets(eop_json *list, const eop_profile *p) {
    size_t both = 0;
    size_t older = 0;
    const char *first = NULL;
    for (size_t i = 0; i < p->frozen->asset_count; i++) {
        const eop_profile_asset *a = &p->assets[i];
        if (a->subset_rows[EDGEOPS_SUBSET_TRAIN] == 0 || a->subset_rows[EDGEOPS_SUBSET_TEST] == 0) {
            continue;
        }
        first = first != NULL ? first : p->frozen->assets[i].name;
        both++;
        older += a->subset_first[EDGEOPS_SUBSET_TEST] < a->subset_last[EDGEOPS_SUBSET_TRAIN];
    }
    if (both > 0) {
        add_warning(
            list, "asset_in_both",
            "%zu of %zu assets, such as '%s', have rows in train and in test: a model may know "
            "the asset; --split group keeps assets apart",
            both, p->frozen->asset_count, first);
    }
    if (older > 0) {
        add_warning(
            list, "test_before_train",
            "in %zu assets test rows are older than train rows: a model would be measured on the "
            "past; --split time keeps the newest for the test",
            older);
    }
}

static void warn_of_twins(eop_json *list, const eop_profile *p) {
    uint64_t others = 0;
    uint64_t alike = 0;
    for (size_t i = 0; i < EOP_PROFILE_TWINS; i++) {
        others += p->twins[i].others;
        alike += p->twins[i].train > 0 ? p->twins[i].others : 0;
    }
    if (alike > 0) {
        add_warning(
            list, "identical_rows",
            "%.2g %% of the rows for test and validation have the same values as a train row",
            100.0 * (double)alike / (double)others);
    }
}

static void warn_of_cuts(eop_json *list, const eop_profile *p) {
    const eop_spec *spec = &p->frozen->spec;
    int64_t window =
        spec->window_time > 0 ? spec->window_time : (int64_t)spec->window_rows * spec->period;
    if (p->cuts > 0 && spec->split == EDGEOPS_SPLIT_FRACTION) {
        add_warning(
            list, "neighbours",
            "rows of train and test stand side by side at %llu places: samples near them are "
            "alike; a longer --block makes fewer",
            (unsigned long long)p->cuts);
    }
    if (window > 0 && spec->split == EDGEOPS_SPLIT_FRACTION && window > spec->block) {
        add_warning(
            list, "window_over_block",
            "a window is longer than a block of the split, so that most have no place; take "
            "a longer --block");
    }
}

static void warn_of_labels(eop_json *list, const eop_profile *p) {
    for (size_t i = 0; i < p->frozen->labels.count; i++) {
        const uint64_t *rows = p->labels[i].subset_rows;
        const char *name = p->frozen->labels.items[i]->name;
        if (rows[EDGEOPS_SUBSET_TRAIN] == 0) {
            add_warning(list, "label_not_in_train",
                        "label '%.60s' is not in train: a model cannot learn it", name);
        } else if (rows[EDGEOPS_SUBSET_TEST] == 0) {
            add_warning(list, "label_only_in_train",
                        "label '%.60s' is only in train: the test says nothing about it", name);
        }
    }
}

/* How many labelled rows would be predicted correctly from the value of this channel alone. */
static uint64_t told_right(const eop_profile_channel *c, size_t labels) {
    uint64_t right = 0;
    for (size_t v = 0; v < c->value_count; v++) {
        uint64_t best = 0;
        for (size_t i = 0; i < labels; i++) {
            best = c->values[v].labels[i] > best ? c->values[v].labels[i] : best;
        }
        right += best;
    }
    return right;
}

static void warn_of_copies(eop_json *list, const eop_profile *p) {
    size_t labels = p->frozen->labels.count;
    uint64_t labelled = 0;
    uint64_t most = 0;
    if (labels < 2 || labels > EOP_PROFILE_LABELS) {
        return;
    }
    for (size_t i = 0; i < labels; i++) {
        labelled += p->labels[i].rows;
        most = p->labels[i].rows > most ? p->labels[i].rows : most;
    }
    if (labelled < 20 || (double)most > 0.95 * (double)labelled) {
        return;
    }
    for (size_t k = 0; k < p->frozen->channel_count; k++) {
        const eop_profile_channel *c = &p->channels[k];
        uint64_t right = c->many ? 0 : told_right(c, labels);
        if ((double)right >= 0.99 * (double)labelled) {
            add_warning(
                list, "label_copy",
                "channel '%.60s' tells the label of %.4g %% of the rows by itself: it may be a "
                "copy of it",
                p->frozen->channels[k].name, 100.0 * (double)right / (double)labelled);
        }
    }
}

static void warn_of_filled(eop_json *list, const eop_profile *p) {
    uint64_t rows = 0;
    for (size_t i = 0; i < p->frozen->asset_count; i++) {
        rows += p->assets[i].rows;
    }
    if ((double)p->filled > EOP_PROFILE_FILLED * (double)rows) {
        add_warning(
            list, "filled",
            "%.3g %% of the rows are filled over gaps of the source, of up to %.3g s: give a "
            "tolerance",
            100.0 * (double)p->filled / (double)rows,
            (double)p->longest_filled * (double)p->frozen->spec.period / EDGEOPS_SECOND);
    }
}

static eop_json *warnings_json(const eop_profile *p) {
    eop_json *list = eop_json_array();
    if (is_split(p)) {
        warn_of_assets(list, p);
        warn_of_twins(list, p);
        warn_of_cuts(list, p);
        warn_of_labels(list, p);
    }
    warn_of_copies(list, p);
    warn_of_filled(list, p);
    for (size_t k = 0; k < p->frozen->channel_count; k++) {
        if (is_constant(&p->channels[k])) {
            add_warning(list, "constant", "channel '%.60s' has one value only",
                        p->frozen->channels[k].name);
        }
    }
    return list;
}

edgeops_status eop_profile_print(char **json, eop_profile *p) {
    eop_json *root = eop_json_object();
    put_times(root, p);
    edgeops_status status = put_channels(root, p);
    put_classes(root, p);
    eop_json_set(root, "warnings", warnings_json(p));
    *json = status == EDGEOPS_OK ? eop_json_print(root) : NULL;
    eop_json_free(root);
    return status == EDGEOPS_OK && *json == NULL ? eop_fail_nomem("store") : status;
}
