/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of dataset.create, read into what the store takes. Texts stay those of the call. */
#include "node/files/dataset_options.h"

#include <stdlib.h>
#include <string.h>

#include "codec/number.h"
#include "codec/when.h"
#include "node/home/args.h"

static void free_names(char **names) {
    for (char **name = names; name != NULL && *name != NULL; name++) {
        eop_free(*name);
    }
    eop_free(names);
}

void eop_dataset_args_dispose(eop_dataset_args *args) {
    eop_free(args->assets);
    eop_free(args->channels);
    free_names(args->tests);
    free_names(args->validations);
    *args = (eop_dataset_args){0};
}

/* -- the common rate -- */

static edgeops_status read_period(edgeops_dataset_options *out, const eop_json *args) {
    static const char *const fills[] = {"previous", "linear", "none"};
    const char *fill = eop_json_string(args, "fill", "previous");
    edgeops_status status = eop_arg_period(&out->period, args);
    if (status == EDGEOPS_OK) {
        status = eop_arg_duration(&out->tolerance, args, "tolerance");
    }
    for (uint32_t i = 0; i < EOP_COUNT(fills); i++) {
        out->fill = strcmp(fill, fills[i]) == 0 ? i : out->fill;
    }
    return status;
}

/* -- windows: "128" rows, or "2s" -- */

static edgeops_status read_extent(uint32_t *rows, edgeops_duration *duration, const eop_json *args,
                                  const char *key) {
    const char *text = eop_json_string(args, key, NULL);
    int64_t number = 0;
    if (text == NULL || (eop_parse_duration(duration, text) && *duration > 0)) {
        return EDGEOPS_OK;
    }
    if (!eop_int64_text(&number, text, strlen(text)) || number < 1 || number > 1000000) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "%s: '%.64s' is neither a number of rows, 1 to 1,000,000, nor a duration "
                        "such as 2s",
                        key, text);
    }
    *rows = (uint32_t)number;
    return EDGEOPS_OK;
}

/* -- the split -- */

static bool parse_part(double *out, const char *text) {
    eop_decimal decimal;
    size_t size = strlen(text);
    return eop_decimal_scan(&decimal, text, size) == size &&
           eop_decimal_double(out, &decimal, text, size) && *out > 0 && *out < 1;
}

/* Names separated by commas. */
static edgeops_status parse_names(char ***out, size_t *count, const char *text) {
    size_t n = 1;
    for (const char *p = text; *p != '\0'; p++) {
        n += *p == ',';
    }
    *out = eop_calloc(n + 1, sizeof(char *));
    if (*out == NULL) {
        return eop_fail_nomem("node");
    }
    for (*count = 0; *count < n; ++*count) {
        size_t size = strcspn(text, ",");
        (*out)[*count] = eop_strndup(text, size);
        if ((*out)[*count] == NULL) {
            return eop_fail_nomem("node");
        }
        text += size + 1;
    }
    return EDGEOPS_OK;
}

/* A part, a time or names, as the split takes them. */
static edgeops_status read_share(const char *text, uint32_t by, double *part, edgeops_time *time,
                                 char ***names, size_t *count, const char *key) {
    if (parse_part(part, text)) {
        return EDGEOPS_OK;
    }
    if (by == EDGEOPS_SPLIT_TIME && eop_when(time, text, eop_now()) && *time != 0) {
        return EDGEOPS_OK;
    }
    if (by == EDGEOPS_SPLIT_GROUP && text[0] != '\0' && !(text[0] >= '0' && text[0] <= '9')) {
        return parse_names(names, count, text);
    }
    static const char *const wanted[] = {"", "a part such as 0.2 or a time",
                                         "a part such as 0.2 or assets, parted by commas",
                                         "a part such as 0.2"};
    return eop_fail(EDGEOPS_E_INVALID, "node", "%s: '%.64s' is not %s", key, text, wanted[by]);
}

static edgeops_status read_split(eop_dataset_args *out, const eop_json *args) {
    static const char *const kinds[] = {"", "time:", "group:", "fraction:"};
    edgeops_dataset_options *o = &out->options;
    const char *split = eop_json_string(args, "split", NULL);
    const char *validation = eop_json_string(args, "validation", NULL);
    if (split == NULL) {
        return validation == NULL
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_INVALID, "node", "validation goes with a split");
    }
    for (uint32_t by = 1; by < EOP_COUNT(kinds); by++) {
        if (strncmp(split, kinds[by], strlen(kinds[by])) == 0) {
            o->split = by;
        }
    }
    if (o->split == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "split: '%.64s' is neither time:, group: nor fraction:; write time:0.2, "
                        "time:2026-03-01T00:00:00Z, group:ASSET,ASSET, group:0.25 or fraction:0.2",
                        split);
    }
    edgeops_status status = read_share(split + strlen(kinds[o->split]), o->split, &o->test,
                                       &o->test_from, &out->tests, &o->test_asset_count, "split");
    if (status == EDGEOPS_OK && validation != NULL) {
        status = read_share(validation, o->split, &o->validation, &o->validation_from,
                            &out->validations, &o->validation_asset_count, "validation");
    }
    o->test_assets = (const char *const *)out->tests;
    o->validation_assets = (const char *const *)out->validations;
    o->seed = (uint64_t)eop_json_integer(args, "seed", 0);
    return status;
}

edgeops_status eop_dataset_args_read(eop_dataset_args *out, const eop_json *args) {
    *out = (eop_dataset_args){.options = EDGEOPS_DATASET_OPTIONS_INIT};
    edgeops_dataset_options *o = &out->options;
    o->name = eop_json_string(args, "name", "");
    o->labelled_only = eop_json_bool(args, "labelled_only", false);
    o->filter = eop_json_string(args, "filter", NULL);
    edgeops_status status = eop_check_id("dataset", o->name);
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&out->assets, &o->asset_count, args, "assets");
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&out->channels, &o->channel_count, args, "channels");
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&o->start, args, "start", EDGEOPS_TIME_MIN);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&o->end, args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = read_period(o, args);
    }
    if (status == EDGEOPS_OK) {
        status = read_extent(&o->window_rows, &o->window, args, "window");
    }
    if (status == EDGEOPS_OK) {
        status = read_extent(&o->window_step, &o->step, args, "step");
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_duration(&o->block, args, "block");
    }
    if (status == EDGEOPS_OK) {
        status = read_split(out, args);
    }
    o->assets = out->assets;
    o->channels = out->channels;
    return status;
}
