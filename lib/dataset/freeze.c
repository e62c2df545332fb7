/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a dataset: chooses assets and channels, counts the rows, settles the split, computes the
 * digest and writes all of it into the catalog. Holds retention off from the first read to the
 * commit. */
#include "dataset/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "store/birth.h"
#include "store/blob.h"

void edgeops_dataset_options_init(edgeops_dataset_options *options, size_t struct_size) {
    static const edgeops_dataset_options defaults = EDGEOPS_DATASET_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

/* -- which assets -- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const eop_frozen_asset *)a)->name, ((const eop_frozen_asset *)b)->name);
}

/* mark: unique to this call, so that an asset that several patterns match is added once. */
static edgeops_status add_asset(eop_frozen *frozen, size_t *capacity, eop_asset *asset,
                                uint64_t mark) {
    if (eop_store_newest(asset) == 0 || asset->mark == mark) {
        return EDGEOPS_OK;
    }
    asset->mark = mark;
    if (!eop_grow(&frozen->assets, capacity, frozen->asset_count + 1, sizeof *frozen->assets)) {
        return eop_fail_nomem("store");
    }
    char *name = eop_strdup(asset->name);
    if (name == NULL) {
        return eop_fail_nomem("store");
    }
    frozen->assets[frozen->asset_count++] =
        (eop_frozen_asset){.id = asset->id, .name = name, .max_ordinal = eop_store_newest(asset)};
    return EDGEOPS_OK;
}

/* Under the store's lock: adds the assets with rows that the options name, in no order. */
static edgeops_status find_assets(eop_frozen *frozen, eop_asset_list *list,
                                  const edgeops_dataset_options *options) {
    size_t capacity = 0;
    uint64_t mark = ++list->stamp;
    for (size_t i = 0; i < options->asset_count; i++) {
        const char *pattern = options->assets[i];
        bool found = false;
        if (pattern == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "store", "a dataset's asset has no name");
        }
        if (strchr(pattern, '*') == NULL) {
            eop_asset *asset = eop_asset_list_find(list, pattern);
            if (asset == NULL) {
                return eop_fail_no_asset(pattern);
            }
            edgeops_status status = add_asset(frozen, &capacity, asset, mark);
            if (status != EDGEOPS_OK) {
                return status;
            }
            continue;
        }
        for (size_t k = 0; k < list->count; k++) {
            eop_asset *asset = list->items[k];
            if (!eop_glob(pattern, asset->name)) {
                continue;
            }
            found = true;
            edgeops_status status = add_asset(frozen, &capacity, asset, mark);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
        if (!found) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "store", "no asset matches '%s'", pattern);
        }
    }
    return EDGEOPS_OK;
}

/* What the first pass over the keys finds. */
typedef struct extent {
    int64_t first;
    int64_t last;
    bool any;
} extent;

/* Rows of the same time do not make an interval. */
static edgeops_status add_intervals(eop_quantiles *intervals, int64_t before, const int64_t *times,
                                    size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        uint64_t interval = (uint64_t)times[i] - (uint64_t)before;
        before = times[i];
        if (interval > 0 && interval < INT64_MAX / 2) {
            status = eop_quantiles_add(intervals, (double)interval);
        }
    }
    return status;
}

/* Counts the rows of one asset that belong to the dataset, and their labels. */
static edgeops_status count_asset(extent *range, eop_frozen *frozen, eop_frozen_asset *asset,
                                  edgeops_store *store) {
    eop_part_reader *reader = NULL;
    eop_batch batch = {0};
    eop_quantiles intervals = {0};
    int64_t before = 0;
    edgeops_status status =
        eop_part_open(&reader, store, frozen, asset, &frozen->labels, EOP_PART_KEYS);
    while (status == EDGEOPS_OK && (status = eop_part_next(reader, &batch)) == EDGEOPS_OK) {
        size_t n = batch.rows.rows;
        const int64_t *times = batch.rows.times;
        status = add_intervals(&intervals, asset->rows == 0 ? times[0] : before, times, n);
        before = times[n - 1];
        for (size_t i = 0; i < n; i++) {
            if (batch.labels[i] >= 0) {
                frozen->labels.items[batch.labels[i]]->rows++;
            }
        }
        range->first = range->any && range->first < times[0] ? range->first : times[0];
        range->last = range->any && range->last > times[n - 1] ? range->last : times[n - 1];
        range->any = true;
        asset->rows += n;
    }
    if (status == EDGEOPS_DONE && intervals.count > 0) {
        double median = 0;
        edgeops_status found = eop_quantiles_get(&median, &intervals, &(double){0.5}, 1);
        status = found == EDGEOPS_OK ? status : found;
        asset->interval = (int64_t)median;
    }
    eop_quantiles_dispose(&intervals);
    eop_batch_dispose(&batch);
    eop_part_close(reader);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Counts all rows and drops assets without any: whether such an asset exists must not change the
 * digest. */
static edgeops_status count_rows(eop_frozen *frozen, extent *range, edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    size_t n = 0;
    for (size_t i = 0; i < frozen->asset_count; i++) {
        eop_frozen_asset *asset = &frozen->assets[i];
        if (status == EDGEOPS_OK) {
            status = count_asset(range, frozen, asset, store);
        }
        if (status == EDGEOPS_OK && asset->rows == 0) {
            eop_frozen_asset_dispose(asset);
            continue;
        }
        frozen->rows += status == EDGEOPS_OK ? asset->rows : 0;
        frozen->assets[n++] = *asset;
    }
    frozen->asset_count = n;
    if (status == EDGEOPS_OK && frozen->rows == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "store",
                          "dataset '%s' would have no rows: no %ssample of these assets is in the "
                          "range%s",
                          frozen->name, frozen->labelled_only ? "labelled " : "",
                          frozen->spec.filter.count > 0 ? " and meets the filter" : "");
    }
    return status;
}

/* Keeps the labels that rows have, sorted by text. */
static edgeops_status sort_labels(eop_frozen *frozen) {
    int32_t *map = eop_calloc(frozen->labels.count, sizeof *map);
    if (map == NULL) {
        return eop_fail_nomem("store");
    }
    eop_label_names_sort(&frozen->labels, map);
    eop_free(map);
    return EDGEOPS_OK;
}

/* Finds the filter's channels in each asset; under the store's lock. */
static edgeops_status place_tested(eop_frozen *frozen, eop_asset_list *list) {
    const eop_filter *filter = &frozen->spec.filter;
    bool found[EOP_CONDITIONS_MAX] = {false};
    for (size_t i = 0; i < frozen->asset_count; i++) {
        eop_frozen_asset *asset = &frozen->assets[i];
        const eop_asset *known = eop_asset_list_by_id(list, asset->id);
        asset->tested = eop_calloc(filter->count, sizeof *asset->tested);
        if (asset->tested == NULL) {
            return eop_fail_nomem("store");
        }
        for (size_t k = 0; k < filter->count; k++) {
            const eop_channel *channel =
                known != NULL ? eop_asset_channel(known, filter->items[k].channel) : NULL;
            asset->tested[k] = channel != NULL ? channel->position : UINT32_MAX;
            found[k] = found[k] || channel != NULL;
            edgeops_status status =
                channel != NULL
                    ? eop_condition_check(&filter->items[k], channel->type, channel->length)
                    : EDGEOPS_OK;
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    for (size_t k = 0; k < filter->count; k++) {
        if (!found[k]) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "store",
                            "no asset of the dataset has the filter's channel '%s'",
                            filter->items[k].channel);
        }
    }
    return EDGEOPS_OK;
}

/* -- which channels -- */

static edgeops_status add_channel(eop_frozen *frozen, size_t *capacity,
                                  const eop_channel *channel) {
    if (!eop_grow(&frozen->channels, capacity, frozen->channel_count + 1,
                  sizeof *frozen->channels)) {
        return eop_fail_nomem("store");
    }
    char *name = eop_strdup(channel->name);
    char *unit = eop_strdup(channel->unit);
    frozen->channels[frozen->channel_count++] =
        (edgeops_channel_info){name, unit, channel->type, channel->length};
    return name != NULL && unit != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

static int by_channel(const void *a, const void *b) {
    return strcmp(((const edgeops_channel_info *)a)->name, ((const edgeops_channel_info *)b)->name);
}

/* Adds the channels that all assets have, sorted by name: the order of arrival may differ between
 * nodes with the same data. */
static edgeops_status common_channels(eop_frozen *frozen, const eop_asset *const *assets) {
    size_t capacity = 0;
    uint32_t place = 0;
    const eop_channel *channel = NULL;
    while ((channel = eop_asset_next_channel(assets[0], &place)) != NULL) {
        bool common = true;
        for (size_t i = 1; common && i < frozen->asset_count; i++) {
            common = eop_asset_channel(assets[i], channel->name) != NULL;
        }
        edgeops_status status = common ? add_channel(frozen, &capacity, channel) : EDGEOPS_OK;
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (frozen->channel_count == 0) {
        return eop_fail(
            EDGEOPS_E_INVALID, "store",
            "the assets of dataset '%s' have no channel in common; --join puts their channels "
            "side by side",
            frozen->name);
    }
    qsort(frozen->channels, frozen->channel_count, sizeof *frozen->channels, by_channel);
    return EDGEOPS_OK;
}

static edgeops_status given_channels(eop_frozen *frozen, const eop_asset *asset,
                                     const edgeops_dataset_options *options) {
    size_t capacity = 0;
    for (size_t k = 0; k < options->channel_count; k++) {
        const char *name = options->channels[k];
        if (name == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "store", "a dataset's channel has no name");
        }
        for (size_t j = 0; j < k; j++) {
            if (strcmp(options->channels[j], name) == 0) {
                return eop_fail(EDGEOPS_E_INVALID, "store", "channel '%s' is given twice", name);
            }
        }
        const eop_channel *channel = eop_asset_channel(asset, name);
        if (channel == NULL) {
            return eop_fail_no_channel(asset->name, name);
        }
        edgeops_status status = add_channel(frozen, &capacity, channel);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

/* Finds the channels in each asset. */
static edgeops_status place_channels(eop_frozen *frozen, const eop_asset *const *assets) {
    for (size_t i = 0; i < frozen->asset_count; i++) {
        uint32_t *places = eop_calloc(frozen->channel_count, sizeof *places);
        if (places == NULL) {
            return eop_fail_nomem("store");
        }
        frozen->assets[i].channels = places;
        for (size_t k = 0; k < frozen->channel_count; k++) {
            const edgeops_channel_info *wanted = &frozen->channels[k];
            const eop_channel *channel = eop_asset_channel(assets[i], wanted->name);
            if (channel == NULL) {
                return eop_fail_no_channel(assets[i]->name, wanted->name);
            }
            if (channel->type != wanted->type || channel->length != wanted->length) {
                return eop_fail(EDGEOPS_E_INVALID, "store",
                                "channel '%s' has one type in asset '%s' and another in '%s'",
                                wanted->name, assets[0]->name, assets[i]->name);
            }
            places[k] = channel->position;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status choose_channels(eop_frozen *frozen, edgeops_store *store,
                                      const edgeops_dataset_options *options) {
    const eop_asset **assets = eop_calloc(frozen->asset_count, sizeof(eop_asset *));
    if (assets == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    const eop_asset_list *known = eop_store_lock_assets(store);
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        assets[i] = eop_asset_list_by_id(known, frozen->assets[i].id);
        if (assets[i] == NULL) {
            status = eop_fail_no_asset(frozen->assets[i].name);
        }
    }
    if (status == EDGEOPS_OK) {
        status = options->channels != NULL ? given_channels(frozen, assets[0], options)
                                           : common_channels(frozen, assets);
    }
    if (status == EDGEOPS_OK) {
        status = place_channels(frozen, assets);
    }
    eop_store_unlock_assets(store);
    eop_free(assets);
    return status;
}

/* -- freezing -- */

static edgeops_status check_options(const edgeops_dataset_options *options) {
    if (options->name == NULL || !eop_id_valid(options->name)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "'%.80s' is not a dataset name: [a-z0-9][a-z0-9._-]{0,63}",
                        options->name != NULL ? options->name : "");
    }
    if (options->assets == NULL || options->asset_count == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "dataset '%s' names no asset", options->name);
    }
    if (options->channels != NULL &&
        (options->channel_count == 0 || options->channel_count > EOP_CHANNELS_MAX)) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "dataset '%s' has 1 to %u channels, not %zu",
                        options->name, EOP_CHANNELS_MAX, options->channel_count);
    }
    if (options->end <= options->start) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "dataset '%s' ends before it starts",
                        options->name);
    }
    return EDGEOPS_OK;
}

static edgeops_status check_free_name(eop_catalog *catalog, const char *name) {
    eop_sql_statement *select = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_GET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, name);
        status = eop_sql_next(&catalog->sql, select);
        eop_sql_rewind(select);
        if (status == EDGEOPS_OK) {
            status = eop_fail(EDGEOPS_E_EXISTS, "store", "dataset '%s' exists already", name);
        }
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status split_groups(eop_frozen *frozen) {
    if (frozen->spec.split != EDGEOPS_SPLIT_GROUP) {
        return EDGEOPS_OK;
    }
    const char **names = eop_calloc(frozen->asset_count, sizeof(char *));
    if (names == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < frozen->asset_count; i++) {
        names[i] = frozen->assets[i].name;
    }
    edgeops_status status = eop_split_groups(&frozen->spec, names, frozen->asset_count);
    eop_free(names);
    return status;
}

static edgeops_status freeze_rows(eop_frozen *frozen, edgeops_store *store,
                                  const edgeops_dataset_options *options) {
    extent range = {0};
    frozen->start = options->start;
    frozen->end = options->end;
    frozen->labelled_only = options->labelled_only != 0;
    frozen->created = eop_now();
    frozen->name = eop_strdup(options->name);
    if (frozen->name == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_label_version(&frozen->label_version, eop_store_catalog(store));
    if (status == EDGEOPS_OK) {
        eop_asset_list *known = eop_store_lock_assets(store);
        status = find_assets(frozen, known, options);
        if (status == EDGEOPS_OK) {
            status = place_tested(frozen, known);
        }
        eop_store_unlock_assets(store);
    }
    if (status == EDGEOPS_OK && frozen->asset_count > 1) {
        qsort(frozen->assets, frozen->asset_count, sizeof *frozen->assets, by_name);
    }
    if (status == EDGEOPS_OK) {
        status = count_rows(frozen, &range, store);
    }
    if (status == EDGEOPS_OK) {
        status = sort_labels(frozen);
    }
    if (status == EDGEOPS_OK) {
        status = eop_split_settle(&frozen->spec, range.first, range.last);
    }
    if (status == EDGEOPS_OK) {
        status = split_groups(frozen);
    }
    return status == EDGEOPS_OK ? choose_channels(frozen, store, options) : status;
}

typedef struct look {
    edgeops_store *store;
    const eop_frozen *frozen;
    eop_profile profile;
} look;

static edgeops_status look_at_batch(size_t asset, const eop_batch *batch, void *user_data) {
    look *l = user_data;
    edgeops_status status = eop_frozen_check_blobs(l->store, l->frozen, asset, batch, false);
    return status == EDGEOPS_OK ? eop_profile_add(&l->profile, asset, batch) : status;
}

/* A split without rows to train on or to test with is a mistake. */
static edgeops_status check_subsets(const eop_frozen *frozen, const eop_profile *profile) {
    static const char *const names[] = {"training", "the test", "validation"};
    const eop_spec *spec = &frozen->spec;
    bool wants_validation = spec->validation > 0 || spec->validation_count > 0 ||
                            (spec->has_cut && spec->validation_from < spec->test_from);
    for (size_t s = 0; spec->split != EDGEOPS_SPLIT_NONE && s < 3; s++) {
        uint64_t rows = 0;
        for (size_t i = 0; i < frozen->asset_count; i++) {
            rows += profile->assets[i].subset_rows[s];
        }
        if (rows == 0 && (s != EDGEOPS_SUBSET_VALIDATION || wants_validation)) {
            return eop_fail(EDGEOPS_E_INVALID, "store",
                            "the split of dataset '%s' leaves no row for %s; take another part, "
                            "time, block or seed",
                            frozen->name, names[s]);
        }
    }
    return EDGEOPS_OK;
}

/* Reads all values once, for digest and profile, and looks whether the blobs are there. */
static edgeops_status look_at_values(eop_frozen *frozen, edgeops_store *store) {
    look l = {.store = store, .frozen = frozen};
    edgeops_status status = eop_profile_init(&l.profile, frozen);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_frozen_digest(frozen->digest, store, frozen, look_at_batch, &l);
    if (status == EDGEOPS_OK) {
        status = check_subsets(frozen, &l.profile);
    }
    if (status == EDGEOPS_OK) {
        eop_profile_finish(&l.profile);
        status = eop_profile_print(&frozen->profile, &l.profile);
    }
    eop_profile_dispose(&l.profile);
    return status;
}

edgeops_status edgeops_dataset_create(edgeops_store *store,
                                      const edgeops_dataset_options *options) {
    EOP_REQUIRE(store != NULL && options != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_dataset_options o = EDGEOPS_DATASET_OPTIONS_INIT;
    eop_frozen frozen = {0};
    edgeops_status status = EOP_STRUCT_TAKE(&o, options, "store", EDGEOPS_DATASET_OPTIONS_INIT);
    if (status == EDGEOPS_OK) {
        status = check_options(&o);
    }
    if (status == EDGEOPS_OK) {
        status = eop_spec_init(&frozen.spec, &o);
    }
    if (status == EDGEOPS_OK) {
        status = check_free_name(eop_store_catalog(store), o.name);
    }
    /* Retention must not drop rows after they were read and before the catalog says that they are
     * held. */
    eop_store_hold_rows(store);
    if (status == EDGEOPS_OK) {
        status = freeze_rows(&frozen, store, &o);
    }
    if (status == EDGEOPS_OK) {
        /* The dataset must not survive a power cut that its rows and their blobs do not. */
        status = eop_store_sync(store);
    }
    if (status == EDGEOPS_OK) {
        status = look_at_values(&frozen, store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_blob_settle(store); /* the blobs that were seen there are on the disk now */
    }
    if (status == EDGEOPS_OK) {
        status = eop_frozen_save(&frozen, eop_store_catalog(store));
    }
    eop_store_release_rows(store);
    eop_frozen_dispose(&frozen);
    return status;
}
