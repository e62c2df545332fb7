/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of derived assets: made of texts, checked, kept as JSON. */
#include "join/spec.h"

#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "catalog/asset_list.h"
#include "store/append.h"

#define CHANNELS_MAX 1024u
#define LONGEST      (366 * 86400 * EDGEOPS_SECOND)

void eop_join_spec_dispose(eop_join_spec *spec) {
    for (size_t i = 0; i < spec->count; i++) {
        eop_free(spec->channels[i].asset);
        eop_free(spec->channels[i].channel);
        eop_free(spec->channels[i].as);
    }
    eop_free(spec->channels);
    eop_free(spec->name);
    *spec = (eop_join_spec){0};
}

/* -- made of texts -- */

edgeops_status eop_join_spec_add(eop_join_spec *spec, const char *asset, const char *channel,
                                 const char *as) {
    eop_join_channel added = {eop_strdup(asset), eop_strdup(channel),
                              as != NULL ? eop_strdup(as) : NULL};
    if (added.asset == NULL || added.channel == NULL || (as != NULL && added.as == NULL) ||
        !eop_grow(&spec->channels, &spec->capacity, spec->count + 1, sizeof *spec->channels)) {
        eop_free(added.asset);
        eop_free(added.channel);
        eop_free(added.as);
        return eop_fail_nomem("join");
    }
    spec->channels[spec->count++] = added;
    return EDGEOPS_OK;
}

/* rest: "CHANNEL" or "CHANNEL=NAME", where the first '=' parts the two unless the asset (NULL: not
 * known) has a channel with the longer name. */
static edgeops_status add_channel(eop_join_spec *spec, const char *asset, const char *rest,
                                  const edgeops_asset_info *info) {
    const char *equals = strchr(rest, '=');
    if (eop_info_channel(info, rest) != NULL) {
        equals = NULL;
    }
    char *channel = equals != NULL ? eop_strndup(rest, (size_t)(equals - rest)) : eop_strdup(rest);
    while (equals != NULL && channel != NULL && info != NULL &&
           eop_info_channel(info, channel) == NULL) {
        const char *further = strchr(equals + 1, '=');
        if (further == NULL) {
            break;
        }
        eop_free(channel);
        channel = eop_strndup(rest, (size_t)(further - rest));
        equals = further;
    }
    edgeops_status status = channel == NULL ? eop_fail_nomem("join")
                                            : eop_join_spec_add(spec, asset, channel,
                                                                equals != NULL ? equals + 1 : NULL);
    eop_free(channel);
    return status;
}

edgeops_status eop_join_spec_add_text(eop_join_spec *spec, edgeops_store *store, const char *text) {
    const char *first = strchr(text, ':');
    if (first == NULL || first == text || first[1] == '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "join",
                        "channel '%.200s': write it as ASSET:CHANNEL, or ASSET:CHANNEL=NAME", text);
    }
    edgeops_asset_info *info = NULL;
    const char *colon = first;
    for (const char *at = first; at != NULL && info == NULL; at = strchr(at + 1, ':')) {
        char *asset = eop_strndup(text, (size_t)(at - text));
        edgeops_status status =
            asset != NULL ? edgeops_asset_get(&info, store, asset) : eop_fail_nomem("join");
        eop_free(asset);
        if (status != EDGEOPS_OK && status != EDGEOPS_E_NOTFOUND) {
            return status;
        }
        colon = info != NULL ? at : colon;
    }
    char *asset = eop_strndup(text, (size_t)(colon - text));
    edgeops_status status =
        asset != NULL ? add_channel(spec, asset, colon + 1, info) : eop_fail_nomem("join");
    eop_free(asset);
    edgeops_free(info);
    return status;
}

/* -- names -- */

/* Whether no other channel has the name, or would like to. */
static bool is_only(const eop_join_spec *spec, size_t at) {
    const char *name = spec->channels[at].channel;
    for (size_t i = 0; i < spec->count; i++) {
        const eop_join_channel *c = &spec->channels[i];
        if (i != at && strcmp(c->as != NULL ? c->as : c->channel, name) == 0) {
            return false;
        }
    }
    return true;
}

/* First those whose name tells them apart: then the others are what is left. */
static edgeops_status name_channels(eop_join_spec *spec) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < spec->count; i++) {
            eop_join_channel *c = &spec->channels[i];
            if (c->as == NULL && (pass == 1 || is_only(spec, i))) {
                c->as =
                    pass == 0 ? eop_strdup(c->channel) : eop_format("%s/%s", c->asset, c->channel);
                if (c->as == NULL) {
                    return eop_fail_nomem("join");
                }
            }
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status check_names(const eop_join_spec *spec) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < spec->count; i++) {
        status = eop_check_channel_name(spec->name, spec->channels[i].as);
        for (size_t k = 0; status == EDGEOPS_OK && k < i; k++) {
            if (strcmp(spec->channels[i].as, spec->channels[k].as) == 0) {
                status = eop_fail(EDGEOPS_E_INVALID, "join",
                                  "two channels would be called '%s'; name one of them: "
                                  "ASSET:CHANNEL=NAME",
                                  spec->channels[i].as);
            }
        }
    }
    return status;
}

edgeops_status eop_join_spec_settle(eop_join_spec *spec) {
    edgeops_status status = eop_check_asset_name(spec->name);
    if (status == EDGEOPS_OK && strncmp(spec->name, "predictions/", 12) == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "join",
                          "'%s': assets under predictions/ are made by deployments; take another "
                          "name",
                          spec->name);
    }
    if (status == EDGEOPS_OK && (spec->count == 0 || spec->count > CHANNELS_MAX)) {
        status = eop_fail(EDGEOPS_E_INVALID, "join", "a join has 1 to %u channels, not %zu",
                          CHANNELS_MAX, spec->count);
    }
    if (status == EDGEOPS_OK &&
        (spec->period < 0 || spec->period > LONGEST || spec->tolerance < 0 ||
         spec->tolerance > LONGEST || spec->wait < 0 || spec->wait > LONGEST)) {
        status = eop_fail(EDGEOPS_E_INVALID, "join",
                          "the period, the tolerance and the wait of a join are at most 366 days");
    }
    if (status == EDGEOPS_OK) {
        status = name_channels(spec);
    }
    return status == EDGEOPS_OK ? check_names(spec) : status;
}

/* -- against the store -- */

static edgeops_status check_channel(const eop_join_channel *c, const edgeops_asset_info *info,
                                    bool missing) {
    const edgeops_channel_info *known = eop_info_channel(info, c->channel);
    if (known != NULL) {
        return known->type != EDGEOPS_TYPE_BLOB
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_INVALID, "join",
                              "channel '%s' of asset '%s' holds images or other blobs, which "
                              "are not joined",
                              c->channel, c->asset);
    }
    return missing ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_NOTFOUND, "join",
                              "asset '%s' has no channel '%s'; --allow-missing joins one that is "
                              "still to come",
                              c->asset, c->channel);
}

edgeops_status eop_join_spec_check(const eop_join_spec *spec, edgeops_store *store, bool missing) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < spec->count; i++) {
        const eop_join_channel *c = &spec->channels[i];
        edgeops_asset_info *info = NULL;
        status = eop_check_asset_name(c->asset);
        if (status == EDGEOPS_OK) {
            status = eop_check_channel_name(c->asset, c->channel);
        }
        if (status == EDGEOPS_OK && strcmp(c->asset, spec->name) == 0) {
            status = eop_fail(EDGEOPS_E_INVALID, "join", "asset '%s' cannot be made of itself",
                              spec->name);
        }
        if (status == EDGEOPS_OK) {
            status = edgeops_asset_get(&info, store, c->asset);
        }
        if (status == EDGEOPS_OK) {
            status = check_channel(c, info, missing);
        } else if (status == EDGEOPS_E_NOTFOUND) {
            status = missing ? EDGEOPS_OK
                             : eop_fail(EDGEOPS_E_NOTFOUND, "join",
                                        "there is no asset '%s'; --allow-missing joins one that is "
                                        "still to come",
                                        c->asset);
        }
        edgeops_free(info);
    }
    return status;
}

bool eop_join_spec_equal(const eop_join_spec *a, const eop_join_spec *b) {
    bool equal = a->count == b->count && a->period == b->period && a->tolerance == b->tolerance &&
                 a->wait == b->wait;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = strcmp(a->channels[i].asset, b->channels[i].asset) == 0 &&
                strcmp(a->channels[i].channel, b->channels[i].channel) == 0 &&
                strcmp(a->channels[i].as, b->channels[i].as) == 0;
    }
    return equal;
}

bool eop_join_spec_reads(const eop_join_spec *spec, const char *asset) {
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->channels[i].asset, asset) == 0) {
            return true;
        }
    }
    return false;
}

edgeops_status eop_join_spec_rename(eop_join_spec *spec, const char *asset, const char *channel,
                                    const char *to) {
    for (size_t i = 0; i < spec->count; i++) {
        eop_join_channel *c = &spec->channels[i];
        if (strcmp(c->asset, asset) != 0 || (channel != NULL && strcmp(c->channel, channel) != 0)) {
            continue;
        }
        char *copy = eop_strdup(to);
        if (copy == NULL) {
            return eop_fail_nomem("join");
        }
        char **at = channel != NULL ? &c->channel : &c->asset;
        eop_free(*at);
        *at = copy;
    }
    return EDGEOPS_OK;
}

/* -- as JSON -- */

static void set_rule(eop_json *json, const eop_join_spec *spec) {
    char period[32];
    char tolerance[32];
    eop_format_duration(period, spec->period);
    eop_format_duration(tolerance, spec->tolerance);
    char *text = NULL;
    if (spec->period > 0) {
        text = spec->tolerance > 0
                   ? eop_format("every %s, null where older than %s", period, tolerance)
                   : eop_format("every %s", period);
    } else if (spec->tolerance > 0) {
        text = eop_format("rows of %s, the nearest within %s", spec->channels[0].asset, tolerance);
    } else {
        text = eop_strdup("rows of the same time");
    }
    if (text != NULL) {
        eop_json_set_string(json, "rule", text);
    } else {
        eop_json_set(json, "rule", NULL); /* so that printing reports the lost member */
    }
    eop_free(text);
}

eop_json *eop_join_spec_json(const eop_join_spec *spec) {
    eop_json *json = eop_json_object();
    eop_json *channels = eop_json_array();
    for (size_t i = 0; i < spec->count; i++) {
        eop_json *channel = eop_json_object();
        eop_json_set_string(channel, "asset", spec->channels[i].asset);
        eop_json_set_string(channel, "channel", spec->channels[i].channel);
        eop_json_set_string(channel, "as", spec->channels[i].as);
        eop_json_append(channels, channel);
    }
    set_rule(json, spec);
    eop_json_set(json, "channels", channels);
    if (spec->period > 0) {
        eop_json_set_integer(json, "period_ns", spec->period);
    }
    if (spec->tolerance > 0) {
        eop_json_set_integer(json, "tolerance_ns", spec->tolerance);
    }
    eop_json_set_integer(json, "wait_ns", spec->wait);
    return json;
}

edgeops_status eop_join_spec_parse(eop_join_spec *spec, const char *name, const eop_json *json) {
    const eop_json *channels = eop_json_get(json, "channels");
    *spec = (eop_join_spec){.name = eop_strdup(name),
                            .period = eop_json_integer(json, "period_ns", 0),
                            .tolerance = eop_json_integer(json, "tolerance_ns", 0),
                            .wait = eop_json_integer(json, "wait_ns", EOP_JOIN_WAIT)};
    edgeops_status status = spec->name != NULL ? EDGEOPS_OK : eop_fail_nomem("join");
    for (const eop_json *c = eop_json_first(channels); status == EDGEOPS_OK && c != NULL;
         c = eop_json_next(c)) {
        status = eop_join_spec_add(spec, eop_json_string(c, "asset", ""),
                                   eop_json_string(c, "channel", ""), eop_json_string(c, "as", ""));
    }
    if (status == EDGEOPS_OK) {
        status = eop_join_spec_settle(spec);
        status = status == EDGEOPS_E_INVALID ? eop_fail(EDGEOPS_E_CORRUPT, "join",
                                                        "the record of join '%s' is broken", name)
                                             : status;
    }
    if (status != EDGEOPS_OK) {
        eop_join_spec_dispose(spec);
    }
    return status;
}
