/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which row of a dataset is for training, test or validation; edgeops_dataset_options
 * documents the rules. Pure functions of names, times and seed: the same on every node. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "dataset/spec.h"

/* The mixing step of splitmix64. */
static uint64_t mix_seed(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t eop_split_hash(const char *asset, uint64_t seed) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)asset; *p != '\0'; p++) {
        hash = (hash ^ *p) * 0x100000001b3u;
    }
    return mix_seed(hash + seed * 0x9e3779b97f4a7c15u);
}

/* -- by time, and blocks -- */

/* from - part * (last - first). */
static int64_t cut_at(int64_t from, int64_t first, int64_t last, double part) {
    double range = (double)((uint64_t)last - (uint64_t)first);
    double back = floor(range * part);
    uint64_t most = (uint64_t)from - (uint64_t)INT64_MIN;
    return back < (double)most ? (int64_t)((uint64_t)from - (uint64_t)back) : INT64_MIN;
}

edgeops_status eop_split_settle(eop_spec *spec, int64_t first, int64_t last) {
    if (spec->split == EDGEOPS_SPLIT_FRACTION && spec->block == 0) {
        uint64_t block = ((uint64_t)last - (uint64_t)first) / 100 + 1;
        spec->block = block > INT64_MAX ? INT64_MAX : (int64_t)block;
    }
    if (spec->split != EDGEOPS_SPLIT_TIME) {
        return EDGEOPS_OK;
    }
    if (spec->test_from == 0) {
        spec->test_from = cut_at(last, first, last, spec->test);
    }
    if (spec->validation > 0) {
        spec->validation_from = cut_at(spec->test_from, first, last, spec->validation);
    } else if (spec->validation_from == 0) {
        spec->validation_from = spec->test_from;
    }
    if (spec->validation_from > spec->test_from) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "validation begins before the test");
    }
    spec->has_cut = true;
    return EDGEOPS_OK;
}

static int64_t block_of(int64_t time, int64_t block) {
    return time / block - (time % block < 0);
}

static edgeops_subset subset_of_block(const eop_spec *spec, uint64_t asset, int64_t block) {
    double place = (double)(mix_seed(asset ^ (uint64_t)block) >> 11) * 0x1p-53;
    if (place < spec->test) {
        return EDGEOPS_SUBSET_TEST;
    }
    return place < spec->test + spec->validation ? EDGEOPS_SUBSET_VALIDATION : EDGEOPS_SUBSET_TRAIN;
}

/* -- by group -- */

static bool is_in(const char *name, char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (eop_glob(names[i], name)) {
            return true;
        }
    }
    return false;
}

static edgeops_status check_found(const char *const *names, size_t count, char *const *patterns,
                                  size_t pattern_count) {
    for (size_t i = 0; i < pattern_count; i++) {
        bool found = false;
        for (size_t k = 0; !found && k < count; k++) {
            found = eop_glob(patterns[i], names[k]);
        }
        if (!found) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "store",
                            "the split names '%s', which is not an asset of the dataset",
                            patterns[i]);
        }
    }
    return EDGEOPS_OK;
}

typedef struct ranked {
    uint64_t place;
    const char *name;
} ranked;

static int by_place(const void *a, const void *b) {
    const ranked *x = a;
    const ranked *y = b;
    return x->place != y->place ? (x->place < y->place ? -1 : 1) : strcmp(x->name, y->name);
}

/* How many of n belong to a part: at least one unless the part is 0. */
static size_t share_of(size_t n, double part) {
    size_t count = (size_t)floor((double)n * part + 0.5);
    return part > 0 && count == 0 ? 1 : count;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The chosen names, copied and sorted, instead of the patterns. */
static edgeops_status take_names(char ***out, size_t *out_count, const char **names, size_t n) {
    char **list = eop_calloc(n, sizeof(char *));
    size_t count = 0;
    bool failed = list == NULL;
    for (; !failed && count < n; count++) {
        list[count] = eop_strdup(names[count]);
        failed = list[count] == NULL;
    }
    if (!failed && n > 1) {
        qsort(list, n, sizeof(char *), by_text);
    }
    for (size_t i = 0; i < *out_count; i++) {
        eop_free((*out)[i]);
    }
    eop_free(*out);
    *out = list;
    *out_count = count;
    return failed ? eop_fail_nomem("store") : EDGEOPS_OK;
}

edgeops_status eop_split_groups(eop_spec *spec, const char *const *names, size_t count) {
    if (spec->split != EDGEOPS_SPLIT_GROUP) {
        return EDGEOPS_OK;
    }
    ranked *ranks = eop_calloc(count, sizeof *ranks);
    const char **test = eop_calloc(count, sizeof(char *));
    const char **validation = eop_calloc(count, sizeof(char *));
    size_t tests = 0;
    size_t validations = 0;
    edgeops_status status =
        ranks != NULL && test != NULL && validation != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    if (status == EDGEOPS_OK) {
        status = check_found(names, count, spec->test_assets, spec->test_count);
    }
    if (status == EDGEOPS_OK) {
        status = check_found(names, count, spec->validation_assets, spec->validation_count);
    }
    if (status != EDGEOPS_OK) {
        goto out;
    }
    size_t wanted_tests = share_of(count, spec->test);
    size_t wanted_validations = share_of(count, spec->validation);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_in(names[i], spec->test_assets, spec->test_count)) {
            test[tests++] = names[i];
        } else if (is_in(names[i], spec->validation_assets, spec->validation_count)) {
            validation[validations++] = names[i];
        } else {
            ranks[left++] = (ranked){eop_split_hash(names[i], spec->seed), names[i]};
        }
    }
    if (left > 1) {
        qsort(ranks, left, sizeof *ranks, by_place);
    }
    for (size_t i = 0; i < left && i < wanted_tests + wanted_validations; i++) {
        if (i < wanted_tests) {
            test[tests++] = ranks[i].name;
        } else {
            validation[validations++] = ranks[i].name;
        }
    }
    status = take_names(&spec->test_assets, &spec->test_count, test, tests);
    if (status == EDGEOPS_OK) {
        status =
            take_names(&spec->validation_assets, &spec->validation_count, validation, validations);
    }
out:
    eop_free(ranks);
    eop_free(test);
    eop_free(validation);
    return status;
}

static bool has_name(char *const *names, size_t count, const char *name) {
    return count > 0 && bsearch(&name, names, count, sizeof(char *), by_text) != NULL;
}

edgeops_subset eop_split_of_asset(const eop_spec *spec, const char *asset) {
    if (has_name(spec->test_assets, spec->test_count, asset)) {
        return EDGEOPS_SUBSET_TEST;
    }
    return has_name(spec->validation_assets, spec->validation_count, asset)
               ? EDGEOPS_SUBSET_VALIDATION
               : EDGEOPS_SUBSET_TRAIN;
}

/* -- rows -- */

void eop_split_rows(uint8_t *out, const eop_spec *spec, const char *asset, const int64_t *times,
                    size_t n) {
    switch (spec->split) {
    case EDGEOPS_SPLIT_TIME:
        for (size_t i = 0; i < n; i++) {
            out[i] = times[i] >= spec->test_from         ? EDGEOPS_SUBSET_TEST
                     : times[i] >= spec->validation_from ? EDGEOPS_SUBSET_VALIDATION
                                                         : EDGEOPS_SUBSET_TRAIN;
        }
        break;
    case EDGEOPS_SPLIT_GROUP:
        memset(out, eop_split_of_asset(spec, asset), n);
        break;
    case EDGEOPS_SPLIT_FRACTION: {
        uint64_t hash = eop_split_hash(asset, spec->seed);
        int64_t block = 0;
        for (size_t i = 0; i < n; i++) {
            int64_t now = block_of(times[i], spec->block);
            if (i == 0 || now != block) {
                block = now;
                out[i] = (uint8_t)subset_of_block(spec, hash, block);
            } else {
                out[i] = out[i - 1];
            }
        }
        break;
    }
    case EDGEOPS_SPLIT_NONE:
    default:
        memset(out, EDGEOPS_SUBSET_TRAIN, n);
        break;
    }
}
