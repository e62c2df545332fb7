/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of retention as records of the catalog: checks them and turns them to JSON and back. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "catalog/asset_list.h"
#include "catalog/catalog.h"
#include "catalog/policy.h"
#include "catalog/record.h"
#include "codec/json.h"

static edgeops_status check_policy(const eop_policy *policy) {
    size_t size = strlen(policy->pattern);
    if (size < 1 || size > EOP_ASSET_NAME_MAX || eop_utf8_valid(policy->pattern, size) != size) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a pattern of retention has 1 to %u bytes of UTF-8", EOP_ASSET_NAME_MAX);
    }
    if (policy->max_age < 0 || policy->rollup_count > EOP_ROLLUPS_MAX) {
        return eop_fail(
            EDGEOPS_E_INVALID, "store",
            "retention of '%s': an age must not be negative, and there are at most %u rollups",
            policy->pattern, EOP_ROLLUPS_MAX);
    }
    if (policy->max_age == 0 && policy->max_bytes == 0 && policy->min_free == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "retention of '%s' needs a greatest age, a greatest size or a free disk",
                        policy->pattern);
    }
    for (size_t i = 0; i < policy->rollup_count; i++) {
        if (policy->rollups[i] < EDGEOPS_MILLISECOND ||
            (i > 0 && policy->rollups[i] <= policy->rollups[i - 1])) {
            return eop_fail(EDGEOPS_E_INVALID, "store",
                            "retention of '%s': rollups are ascending and of 1 ms or more",
                            policy->pattern);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status count_other(const eop_policy *policy, void *user_data) {
    const char **pattern = ((void **)user_data)[0];
    size_t *count = ((void **)user_data)[1];
    *count += strcmp(policy->pattern, *pattern) != 0;
    return EDGEOPS_OK;
}

edgeops_status eop_policy_put(eop_catalog *catalog, const eop_policy *policy) {
    EOP_REQUIRE(catalog != NULL && policy != NULL && policy->pattern != NULL, "store");
    const char *pattern = policy->pattern;
    size_t others = 0;
    void *counted[] = {&pattern, &others};
    edgeops_status status = check_policy(policy);
    if (status == EDGEOPS_OK) {
        status = eop_policy_list(catalog, count_other, counted);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (others >= EOP_POLICIES_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "there are %u policies of retention already; remove one", EOP_POLICIES_MAX);
    }
    eop_json *json = eop_json_object();
    eop_json *rollups = eop_json_array();
    eop_json_set_integer(json, "max_age", policy->max_age);
    eop_json_set_integer(json, "max_bytes", (int64_t)policy->max_bytes);
    eop_json_set_integer(json, "min_free", (int64_t)policy->min_free);
    for (size_t i = 0; i < policy->rollup_count; i++) {
        char text[32];
        snprintf(text, sizeof text, "%lldns", (long long)policy->rollups[i]);
        eop_json_append_string(rollups, text);
    }
    eop_json_set(json, "rollups", rollups);
    char *text = eop_json_print(json);
    eop_json_free(json);
    status = text != NULL
                 ? eop_record_put(catalog, EOP_RETENTION_KIND, policy->pattern, text, false)
                 : eop_fail_nomem("store");
    eop_free(text);
    return status;
}

edgeops_status eop_policy_remove(eop_catalog *catalog, const char *pattern) {
    return eop_record_remove(catalog, EOP_RETENTION_KIND, pattern);
}

typedef struct listing {
    eop_policy_fn fn;
    void *user_data;
} listing;

static edgeops_status list_one(const char *name, const char *text, void *user_data) {
    const listing *l = user_data;
    eop_json *json = NULL;
    edgeops_status status = eop_json_parse(&json, text, strlen(text), "retention", NULL);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_policy policy = {.pattern = name,
                         .max_age = eop_json_integer(json, "max_age", 0),
                         .max_bytes = (uint64_t)eop_json_integer(json, "max_bytes", 0),
                         .min_free = (uint64_t)eop_json_integer(json, "min_free", 0)};
    for (const eop_json *item = eop_json_first(eop_json_get(json, "rollups"));
         item != NULL && policy.rollup_count < EOP_ROLLUPS_MAX; item = eop_json_next(item)) {
        const char *period = eop_json_text(item);
        if (period != NULL && eop_parse_duration(&policy.rollups[policy.rollup_count], period)) {
            policy.rollup_count++;
        }
    }
    status = l->fn(&policy, l->user_data);
    eop_json_free(json);
    return status;
}

edgeops_status eop_policy_list(eop_catalog *catalog, eop_policy_fn fn, void *user_data) {
    listing l = {fn, user_data};
    return eop_record_list(catalog, EOP_RETENTION_KIND, list_one, &l);
}
