/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the definition of a dataset, prints it as JSON for the catalog and parses it back. spec.h
 * has the members. */
#include "dataset/spec.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define WINDOW_ROWS_MAX 1000000u
#define LONGEST                                                                                    \
    (366 * 86400 * EDGEOPS_SECOND) /* the longest period, tolerance, window and
                                                        * block */

static const char *const fills[] = {"previous", "linear", "none"};
static const char *const splits[] = {"none", "time", "group", "fraction"};

static void free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        eop_free(names[i]);
    }
    eop_free(names);
}

void eop_spec_dispose(eop_spec *spec) {
    eop_filter_dispose(&spec->filter);
    free_names(spec->test_assets, spec->test_count);
    free_names(spec->validation_assets, spec->validation_count);
    *spec = (eop_spec){0};
}

bool eop_spec_is_plain(const eop_spec *spec) {
    return spec->filter.count == 0 && spec->period == 0 && spec->window_rows == 0 &&
           spec->window_time == 0 && spec->split == EDGEOPS_SPLIT_NONE;
}

/* -- from the options -- */

static edgeops_status check_duration(const char *what, int64_t duration) {
    if (duration < 0 || duration > LONGEST) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "%s of a dataset is 1 ns to 366 days", what);
    }
    return EDGEOPS_OK;
}

/* Reserved members must be 0, so that a later version can give them a meaning. */
static edgeops_status check_reserved(const edgeops_dataset_options *o) {
    if (o->reserved != 0 || o->reserved32 != 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "edgeops_dataset_options: reserved is not 0");
    }
    if (o->channel_assets != NULL || o->mixed != EDGEOPS_LABEL_RULE_SKIP) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "store",
                        "edgeops_dataset_options: this version takes no %s",
                        o->channel_assets != NULL ? "channel_assets" : "rule for mixed labels");
    }
    return EDGEOPS_OK;
}

static edgeops_status check_align(const edgeops_dataset_options *o) {
    edgeops_status status = check_duration("the period", o->period);
    if (status == EDGEOPS_OK) {
        status = check_duration("the tolerance", o->tolerance);
    }
    if (status == EDGEOPS_OK && o->fill > EDGEOPS_FILL_NONE) {
        status = eop_fail(EDGEOPS_E_INVALID, "store",
                          "the fill of a dataset is previous, linear or none, not %u", o->fill);
    }
    if (status == EDGEOPS_OK && o->period == 0 && (o->fill != 0 || o->tolerance != 0)) {
        status = eop_fail(EDGEOPS_E_INVALID, "store",
                          "fill and tolerance go with a common rate: give a rate or a period, too");
    }
    return status;
}

static edgeops_status check_window(const edgeops_dataset_options *o) {
    edgeops_status status = check_duration("the window", o->window);
    if (status == EDGEOPS_OK) {
        status = check_duration("the step", o->step);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (o->window_rows > WINDOW_ROWS_MAX || o->window_step > WINDOW_ROWS_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a window and its step have 1 to %u rows",
                        WINDOW_ROWS_MAX);
    }
    if ((o->window_rows > 0 && o->window > 0) || (o->window_rows == 0 && o->window_step > 0) ||
        (o->window == 0 && o->step > 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a window is given in rows or as a duration, and its step as the window");
    }
    return EDGEOPS_OK;
}

static bool is_part(double part) {
    return part >= 0 && part < 1;
}

static edgeops_status check_split(const edgeops_dataset_options *o) {
    bool by_time = o->split == EDGEOPS_SPLIT_TIME;
    bool by_group = o->split == EDGEOPS_SPLIT_GROUP;
    if (o->split > EDGEOPS_SPLIT_FRACTION) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a split is by time, group or fraction, not %u",
                        o->split);
    }
    bool given_test = (by_time && o->test_from != 0) || (by_group && o->test_asset_count > 0);
    bool given_validation =
        (by_time && o->validation_from != 0) || (by_group && o->validation_asset_count > 0);
    if (o->split == EDGEOPS_SPLIT_NONE) {
        if (o->test != 0 || o->validation != 0 || o->test_from != 0 || o->validation_from != 0 ||
            o->test_asset_count > 0 || o->validation_asset_count > 0 || o->block != 0) {
            return eop_fail(EDGEOPS_E_INVALID, "store",
                            "a part for the test needs a split by time, group or fraction");
        }
        return EDGEOPS_OK;
    }
    if (!is_part(o->test) || !is_part(o->validation) || o->test + o->validation >= 1) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "the parts for test and validation are above 0 and together below 1");
    }
    if (given_test == (o->test > 0) || (given_validation && o->validation > 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        given_test || given_validation
                            ? "a split has a part or a list (a time), not both"
                            : "a split says what is for the test: a part such as 0.2, a time or "
                              "assets");
    }
    if (o->validation_from != 0 && o->test_from != 0 && o->validation_from >= o->test_from) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "validation begins before the test");
    }
    if (o->block != 0 && o->split != EDGEOPS_SPLIT_FRACTION) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a block goes with a split by fraction");
    }
    return check_duration("a block", o->block);
}

static edgeops_status copy_names(char ***out, size_t *count, const char *const *names, size_t n) {
    if (n == 0) {
        return EDGEOPS_OK;
    }
    EOP_REQUIRE(names != NULL, "store");
    *out = eop_calloc(n, sizeof(char *));
    if (*out == NULL) {
        return eop_fail_nomem("store");
    }
    for (; *count < n; ++*count) {
        if (names[*count] == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "store", "an asset of a split has no name");
        }
        (*out)[*count] = eop_strdup(names[*count]);
        if ((*out)[*count] == NULL) {
            return eop_fail_nomem("store");
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_spec_init(eop_spec *spec, const edgeops_dataset_options *o) {
    *spec = (eop_spec){0};
    edgeops_status status = check_reserved(o);
    if (status == EDGEOPS_OK) {
        status = check_align(o);
    }
    if (status == EDGEOPS_OK) {
        status = check_window(o);
    }
    if (status == EDGEOPS_OK) {
        status = check_split(o);
    }
    if (status == EDGEOPS_OK && o->filter != NULL) {
        status = eop_filter_parse(&spec->filter, o->filter);
    }
    spec->period = o->period;
    spec->fill = o->fill;
    spec->tolerance = o->tolerance;
    spec->window_rows = o->window_rows;
    spec->window_step = o->window_rows > 0 && o->window_step == 0 ? 1 : o->window_step;
    spec->window_time = o->window;
    spec->step_time = o->step;
    spec->split = o->split;
    spec->test = o->test;
    spec->validation = o->validation;
    spec->test_from = o->test_from;
    spec->validation_from = o->validation_from;
    spec->seed = o->seed;
    spec->block = o->block;
    if (status == EDGEOPS_OK) {
        status =
            copy_names(&spec->test_assets, &spec->test_count, o->test_assets, o->test_asset_count);
    }
    if (status == EDGEOPS_OK) {
        status = copy_names(&spec->validation_assets, &spec->validation_count, o->validation_assets,
                            o->validation_asset_count);
    }
    if (status != EDGEOPS_OK) {
        eop_spec_dispose(spec);
    }
    return status;
}

/* -- to JSON -- */

static void set_text(eop_json *object, const char *key, eop_buf *text) {
    char *given = eop_buf_take(text);
    if (given != NULL) {
        eop_json_set_string(object, key, given);
    } else {
        eop_json_set(object, key, NULL); /* so that printing reports the lost member */
    }
    eop_free(given);
}

static void set_positive(eop_json *object, const char *key, int64_t value) {
    if (value != 0) {
        eop_json_set_integer(object, key, value);
    }
}

static void set_names(eop_json *object, const char *key, char *const *names, size_t count) {
    if (count > 0) {
        eop_json *list = eop_json_array();
        for (size_t i = 0; i < count; i++) {
            eop_json_append_string(list, names[i]);
        }
        eop_json_set(object, key, list);
    }
}

static eop_json *split_json(const eop_spec *spec) {
    eop_json *split = eop_json_object();
    eop_json_set_string(split, "by", splits[spec->split]);
    if (spec->test > 0) {
        eop_json_set_number(split, "test", spec->test);
    }
    if (spec->validation > 0) {
        eop_json_set_number(split, "validation", spec->validation);
    }
    if (spec->has_cut) {
        eop_json_set_integer(split, "test_from_ns", spec->test_from);
        if (spec->validation_from < spec->test_from) {
            eop_json_set_integer(split, "validation_from_ns", spec->validation_from);
        }
    }
    set_names(split, "test_assets", spec->test_assets, spec->test_count);
    set_names(split, "validation_assets", spec->validation_assets, spec->validation_count);
    if (spec->split != EDGEOPS_SPLIT_TIME) {
        eop_json_set_integer(split, "seed", (int64_t)spec->seed);
    }
    set_positive(split, "block_ns", spec->block);
    return split;
}

eop_json *eop_spec_json(const eop_spec *spec) {
    if (eop_spec_is_plain(spec)) {
        return NULL;
    }
    eop_json *root = eop_json_object();
    if (spec->filter.count > 0) {
        eop_buf text = {0};
        eop_filter_print(&text, &spec->filter);
        set_text(root, "filter", &text);
    }
    if (spec->period > 0) {
        eop_json *align = eop_json_object();
        eop_json_set_integer(align, "period_ns", spec->period);
        eop_json_set_string(align, "fill", fills[spec->fill]);
        set_positive(align, "tolerance_ns", spec->tolerance);
        eop_json_set(root, "align", align);
    }
    if (spec->window_rows > 0 || spec->window_time > 0) {
        eop_json *window = eop_json_object();
        set_positive(window, "rows", spec->window_rows);
        set_positive(window, "step", spec->window_step);
        set_positive(window, "duration_ns", spec->window_time);
        set_positive(window, "step_ns", spec->step_time);
        eop_json_set(root, "window", window);
    }
    if (spec->split != EDGEOPS_SPLIT_NONE) {
        eop_json_set(root, "split", split_json(spec));
    }
    return root;
}

/* -- from JSON -- */

static uint32_t number_of(const char *text, const char *const *names, size_t count) {
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (uint32_t)i;
        }
    }
    return UINT32_MAX;
}

static edgeops_status parse_names(char ***out, size_t *count, const eop_json *list) {
    size_t n = eop_json_size(list);
    if (n == 0) {
        return EDGEOPS_OK;
    }
    *out = eop_calloc(n, sizeof(char *));
    if (*out == NULL) {
        return eop_fail_nomem("store");
    }
    for (const eop_json *item = eop_json_first(list); item != NULL; item = eop_json_next(item)) {
        const char *text = eop_json_text(item);
        char *copy = eop_strdup(text != NULL ? text : "");
        if (copy == NULL) {
            return eop_fail_nomem("store");
        }
        (*out)[(*count)++] = copy;
    }
    return EDGEOPS_OK;
}

static edgeops_status parse_split(eop_spec *spec, const eop_json *split) {
    spec->split = number_of(eop_json_string(split, "by", NULL), splits, EOP_COUNT(splits));
    spec->test = eop_json_number(split, "test", 0);
    spec->validation = eop_json_number(split, "validation", 0);
    spec->has_cut = eop_json_get(split, "test_from_ns") != NULL;
    spec->test_from = eop_json_integer(split, "test_from_ns", 0);
    spec->validation_from = eop_json_integer(split, "validation_from_ns", spec->test_from);
    spec->seed = (uint64_t)eop_json_integer(split, "seed", 0);
    spec->block = eop_json_integer(split, "block_ns", 0);
    edgeops_status status =
        parse_names(&spec->test_assets, &spec->test_count, eop_json_get(split, "test_assets"));
    return status == EDGEOPS_OK ? parse_names(&spec->validation_assets, &spec->validation_count,
                                              eop_json_get(split, "validation_assets"))
                                : status;
}

static bool is_sound(const eop_spec *spec) {
    return spec->split <= EDGEOPS_SPLIT_FRACTION && spec->fill <= EDGEOPS_FILL_NONE &&
           spec->period >= 0 && spec->tolerance >= 0 && spec->block >= 0 &&
           (spec->split != EDGEOPS_SPLIT_TIME || spec->has_cut) &&
           (spec->split != EDGEOPS_SPLIT_FRACTION || spec->block > 0);
}

edgeops_status eop_spec_parse(eop_spec *spec, const char *json) {
    eop_json *root = NULL;
    *spec = (eop_spec){0};
    edgeops_status status =
        eop_json_parse(&root, json, strlen(json), "the definition of a dataset", NULL);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_E_INVALID
                   ? eop_fail(EDGEOPS_E_CORRUPT, "store", "a dataset's definition is damaged")
                   : status;
    }
    const eop_json *align = eop_json_get(root, "align");
    const eop_json *window = eop_json_get(root, "window");
    const eop_json *split = eop_json_get(root, "split");
    const char *filter = eop_json_string(root, "filter", NULL);
    spec->period = eop_json_integer(align, "period_ns", 0);
    spec->tolerance = eop_json_integer(align, "tolerance_ns", 0);
    spec->fill = number_of(eop_json_string(align, "fill", "previous"), fills, EOP_COUNT(fills));
    spec->window_rows = (uint32_t)eop_json_integer(window, "rows", 0);
    spec->window_step = (uint32_t)eop_json_integer(window, "step", 0);
    spec->window_time = eop_json_integer(window, "duration_ns", 0);
    spec->step_time = eop_json_integer(window, "step_ns", 0);
    if (filter != NULL) {
        status = eop_filter_parse(&spec->filter, filter);
    }
    if (status == EDGEOPS_OK && split != NULL) {
        status = parse_split(spec, split);
    }
    if (status == EDGEOPS_OK && !is_sound(spec)) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "a dataset's definition is damaged");
    }
    eop_json_free(root);
    if (status != EDGEOPS_OK) {
        eop_spec_dispose(spec);
    }
    return status;
}
