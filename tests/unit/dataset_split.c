/* SPDX-License-Identifier: Apache-2.0 */
/* Splits by time, group and fraction: blocks are drawn as documented, and nonsense is refused. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dataset/spec.h"
#include "edgeops/status.h"

static void init(eop_spec *spec, const edgeops_dataset_options *options) {
    cr_assert_eq(eop_spec_init(spec, options), EDGEOPS_OK, "%s", edgeops_error_last()->message);
}

/* What is drawn is a promise between machines and versions. */
Test(dataset_split, blocks_are_drawn_as_documented) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    eop_spec spec;
    options.split = EDGEOPS_SPLIT_FRACTION;
    options.test = 0.25;
    options.validation = 0.25;
    options.seed = 7;
    options.block = 10;
    init(&spec, &options);
    int64_t times[400];
    uint8_t subsets[400];
    size_t counts[3] = {0};
    for (int i = 0; i < 400; i++) {
        times[i] = i * 5 - 1000;
    }
    eop_split_rows(subsets, &spec, "line/3", times, 400);
    for (int i = 0; i < 400; i++) {
        counts[subsets[i]]++;
        cr_assert(i % 2 == 0 || subsets[i] == subsets[i - 1], "a block was parted");
    }
    cr_assert_eq(eop_split_hash("line/3", 7), 0xe4798bd2ba976069u);
    for (int i = 0; i < 20; i++) { /* blocks -10 to 9 */
        cr_assert_eq(subsets[180 + 2 * i], "01102012020211022021"[i] - '0');
    }
    cr_assert(counts[0] > 150 && counts[1] > 60 && counts[2] > 60);
    /* Rows that stand alone get what they get among others. */
    for (int i = 0; i < 400; i += 7) {
        uint8_t one;
        eop_split_rows(&one, &spec, "line/3", &times[i], 1);
        cr_assert_eq(one, subsets[i]);
    }
    eop_spec_dispose(&spec);
}

Test(dataset_split, a_cut_parts_the_newest) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    eop_spec spec;
    const int64_t times[] = {-100, 0, 59, 60, 79, 80, 100};
    uint8_t subsets[7];
    options.split = EDGEOPS_SPLIT_TIME;
    options.test = 0.2;
    options.validation = 0.2;
    init(&spec, &options);
    cr_assert_eq(eop_split_settle(&spec, 0, 100), EDGEOPS_OK);
    eop_split_rows(subsets, &spec, "a", times, 7);
    cr_assert_eq(memcmp(subsets, "\0\0\0\2\2\1\1", 7), 0);
    char *json;
    eop_json *tree = eop_spec_json(&spec);
    json = eop_json_print(tree);
    eop_spec again;
    cr_assert_eq(eop_spec_parse(&again, json), EDGEOPS_OK);
    cr_assert_eq(again.test_from, 80);
    cr_assert_eq(again.validation_from, 60);
    cr_assert(again.has_cut);
    eop_free(json);
    eop_json_free(tree);
    eop_spec_dispose(&spec);
    eop_spec_dispose(&again);
    options.validation = 0;
    options.test = 0;
    options.test_from = 100;
    options.validation_from = 60;
    init(&spec, &options);
    cr_assert_eq(eop_split_settle(&spec, INT64_MIN, INT64_MAX), EDGEOPS_OK);
    eop_split_rows(subsets, &spec, "a", times, 7);
    cr_assert_eq(memcmp(subsets, "\0\0\0\2\2\2\1", 7), 0);
    eop_spec_dispose(&spec);
    options = (edgeops_dataset_options)EDGEOPS_DATASET_OPTIONS_INIT;
    options.split = EDGEOPS_SPLIT_TIME;
    options.test = 0.9;
    options.validation = 0.09;
    init(&spec, &options);
    cr_assert_eq(eop_split_settle(&spec, INT64_MIN, INT64_MAX), EDGEOPS_OK);
    cr_assert(spec.validation_from < spec.test_from && spec.test_from < 0);
    eop_spec_dispose(&spec);
}

Test(dataset_split, groups_are_named_or_drawn) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    eop_spec spec;
    const char *const names[] = {"a/1", "a/2", "b/1", "b/2", "b/3"};
    const char *const tests[] = {"b/*"};
    const char *const none[] = {"c"};
    options.split = EDGEOPS_SPLIT_GROUP;
    options.test_assets = tests;
    options.test_asset_count = 1;
    options.validation = 0.2;
    init(&spec, &options);
    cr_assert_eq(eop_split_groups(&spec, names, 5), EDGEOPS_OK);
    cr_assert_eq(spec.test_count, 3);
    cr_assert_eq(spec.validation_count, 1);
    cr_assert_eq(eop_split_of_asset(&spec, "b/2"), EDGEOPS_SUBSET_TEST);
    cr_assert_neq(eop_split_of_asset(&spec, "a/1"), eop_split_of_asset(&spec, "a/2"));
    eop_spec_dispose(&spec);
    options.test_assets = none;
    init(&spec, &options);
    cr_assert_eq(eop_split_groups(&spec, names, 5), EDGEOPS_E_NOTFOUND);
    eop_spec_dispose(&spec);
    options.test_assets = NULL;
    options.test_asset_count = 0;
    options.test = 0.01; /* at least one */
    options.validation = 0;
    init(&spec, &options);
    cr_assert_eq(eop_split_groups(&spec, names, 5), EDGEOPS_OK);
    cr_assert_eq(spec.test_count, 1);
    eop_spec_dispose(&spec);
}

Test(dataset_split, nonsense_is_refused) {
    static const edgeops_dataset_options bad[] = {
        {.split = 4, .test = 0.5},
        {.test = 0.5},
        {.split = EDGEOPS_SPLIT_TIME},
        {.split = EDGEOPS_SPLIT_TIME, .test = 0.6, .validation = 0.4},
        {.split = EDGEOPS_SPLIT_TIME, .test = 0.6, .test_from = 5},
        {.split = EDGEOPS_SPLIT_TIME, .test_from = 5, .validation_from = 6},
        {.split = EDGEOPS_SPLIT_GROUP, .test = -0.5},
        {.split = EDGEOPS_SPLIT_GROUP, .test = 0.5, .block = 5},
        {.fill = EDGEOPS_FILL_LINEAR},
        {.tolerance = 5},
        {.period = -1},
        {.period = 1, .fill = 3},
        {.window_rows = 5, .window = 5},
        {.window_step = 5},
        {.step = 5},
        {.window_rows = 1000001},
        {.filter = "x >"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        eop_spec spec;
        cr_assert_eq(eop_spec_init(&spec, &bad[i]), EDGEOPS_E_INVALID, "number %zu", i);
    }
}
