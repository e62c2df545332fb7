/* SPDX-License-Identifier: Apache-2.0 */
/* Reads datasets from the catalog and writes, describes and removes them there. Loading takes the
 * catalog's lock; saving happens in one transaction. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/json.h"
#include "dataset/dataset.h"
#include "dataset/frozen.h"
#include "store/birth.h"
#include "store/room.h"

static edgeops_status fail_no_dataset(const char *name) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store", "dataset '%s' does not exist", name);
}

void eop_frozen_asset_dispose(eop_frozen_asset *asset) {
    eop_free(asset->name);
    eop_free(asset->channels);
    eop_free(asset->tested);
    *asset = (eop_frozen_asset){0};
}

void eop_frozen_dispose(eop_frozen *frozen) {
    for (size_t i = 0; i < frozen->asset_count; i++) {
        eop_frozen_asset_dispose(&frozen->assets[i]);
    }
    eop_free(frozen->assets);
    for (size_t k = 0; k < frozen->channel_count; k++) {
        eop_free((void *)(uintptr_t)frozen->channels[k].name);
        eop_free((void *)(uintptr_t)frozen->channels[k].unit);
    }
    eop_free(frozen->channels);
    eop_label_names_dispose(&frozen->labels);
    eop_spec_dispose(&frozen->spec);
    eop_free(frozen->profile);
    eop_free(frozen->name);
    *frozen = (eop_frozen){0};
}

/* -- loading; the catalog's lock is held -- */

static edgeops_status load_head(eop_frozen *frozen, eop_catalog *catalog, const char *name) {
    eop_sql_statement *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_GET);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(select, 1, name);
    status = eop_sql_next(&catalog->sql, select);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_DONE ? fail_no_dataset(name) : status;
    }
    const char *digest = eop_sql_text(select, 1);
    frozen->name = eop_strdup(name);
    frozen->id = eop_sql_int(select, 0);
    if (frozen->name == NULL) {
        status = eop_fail_nomem("store");
    } else if (strlen(digest) != 64) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "dataset '%s' has no digest", name);
    } else {
        memcpy(frozen->digest, digest, sizeof frozen->digest);
    }
    frozen->created = eop_sql_int(select, 2);
    frozen->start = eop_sql_int(select, 3);
    frozen->end = eop_sql_int(select, 4);
    frozen->labelled_only = eop_sql_int(select, 5) != 0;
    frozen->label_version = (uint64_t)eop_sql_int(select, 6);
    frozen->rows = (uint64_t)eop_sql_int(select, 7);
    if (status == EDGEOPS_OK && !eop_sql_is_null(select, 8)) {
        status = eop_spec_parse(&frozen->spec, eop_sql_text(select, 8));
    }
    if (status == EDGEOPS_OK && !eop_sql_is_null(select, 9)) {
        frozen->profile = eop_strdup(eop_sql_text(select, 9));
        status = frozen->profile != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    }
    eop_sql_rewind(select);
    return status;
}

static edgeops_status load_channel(eop_frozen *frozen, size_t *capacity,
                                   eop_sql_statement *select) {
    int type = (int)eop_sql_int(select, 1);
    int64_t length = eop_sql_int(select, 3);
    if (!eop_type_has_length((edgeops_type)type, length)) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "dataset '%s' has a channel of no known type",
                        frozen->name);
    }
    if (!eop_grow(&frozen->channels, capacity, frozen->channel_count + 1,
                  sizeof *frozen->channels)) {
        return eop_fail_nomem("store");
    }
    char *name = eop_strdup(eop_sql_text(select, 0));
    char *unit = eop_strdup(eop_sql_text(select, 2));
    frozen->channels[frozen->channel_count++] =
        (edgeops_channel_info){name, unit, (edgeops_type)type, (uint32_t)length};
    return name != NULL && unit != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

static edgeops_status load_channels(eop_frozen *frozen, eop_catalog *catalog) {
    eop_sql_statement *select = NULL;
    size_t capacity = 0;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_CHANNEL_LIST);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, frozen->id);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        status = load_channel(frozen, &capacity, select);
    }
    eop_sql_rewind(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status load_columns(eop_frozen *frozen, eop_catalog *catalog,
                                   eop_frozen_asset *asset) {
    eop_sql_statement *select = NULL;
    size_t n = 0;
    size_t tested = frozen->spec.filter.count;
    asset->channels = eop_calloc(frozen->channel_count, sizeof *asset->channels);
    asset->tested = eop_calloc(tested, sizeof *asset->tested);
    if (asset->channels == NULL || asset->tested == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_COLUMN_LIST);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, frozen->id);
    eop_sql_bind_int(select, 2, asset->id);
    while ((status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK &&
           n < frozen->channel_count + tested) {
        uint32_t place = (uint32_t)eop_sql_int(select, 0);
        if (n < frozen->channel_count) {
            asset->channels[n] = place;
        } else {
            asset->tested[n - frozen->channel_count] = place;
        }
        n++;
    }
    eop_sql_rewind(select);
    if (status >= 0 && (status == EDGEOPS_OK || n < frozen->channel_count + tested)) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "dataset '%s' has lost columns", frozen->name);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status load_assets(eop_frozen *frozen, eop_catalog *catalog) {
    eop_sql_statement *select = NULL;
    size_t capacity = 0;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_ASSET_LIST);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, frozen->id);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        if (!eop_grow(&frozen->assets, &capacity, frozen->asset_count + 1,
                      sizeof *frozen->assets)) {
            status = eop_fail_nomem("store");
            break;
        }
        eop_frozen_asset *asset = &frozen->assets[frozen->asset_count++];
        *asset = (eop_frozen_asset){.id = (uint32_t)eop_sql_int(select, 0),
                                    .name = eop_strdup(eop_sql_text(select, 1)),
                                    .rows = (uint64_t)eop_sql_int(select, 2),
                                    .max_ordinal = (uint64_t)eop_sql_int(select, 3)};
        status = asset->name != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    }
    eop_sql_rewind(select);
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        status = load_columns(frozen, catalog, &frozen->assets[i]);
    }
    return status;
}

/* Sorted by text. */
static edgeops_status load_labels(eop_frozen *frozen, eop_catalog *catalog) {
    eop_sql_statement *select = NULL;
    int32_t index = 0;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_LABEL_LIST);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, frozen->id);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        status = eop_label_name_index(&index, &frozen->labels, eop_sql_text(select, 0));
        if (status == EDGEOPS_OK) {
            frozen->labels.items[index]->rows = (uint64_t)eop_sql_int(select, 1);
        }
    }
    eop_sql_rewind(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_frozen_load(eop_frozen *frozen, eop_catalog *catalog, const char *name) {
    *frozen = (eop_frozen){0};
    eop_catalog_lock(catalog);
    edgeops_status status = load_head(frozen, catalog, name);
    if (status == EDGEOPS_OK) {
        status = load_channels(frozen, catalog);
    }
    if (status == EDGEOPS_OK) {
        status = load_assets(frozen, catalog);
    }
    if (status == EDGEOPS_OK) {
        status = load_labels(frozen, catalog);
    }
    eop_catalog_unlock(catalog);
    if (status != EDGEOPS_OK) {
        eop_frozen_dispose(frozen);
    }
    return status;
}

/* -- saving, inside a transaction -- */

static edgeops_status save_head(int64_t *id, const eop_frozen *frozen, const char *spec,
                                eop_catalog *catalog) {
    eop_sql_statement *insert = NULL;
    edgeops_status status = eop_catalog_get(&insert, catalog, EOP_DATASET_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(insert, 1, frozen->name);
    eop_sql_bind_text(insert, 2, frozen->digest);
    eop_sql_bind_int(insert, 3, frozen->created);
    eop_sql_bind_int(insert, 4, frozen->start);
    eop_sql_bind_int(insert, 5, frozen->end);
    eop_sql_bind_int(insert, 6, frozen->labelled_only);
    eop_sql_bind_int(insert, 7, (int64_t)frozen->label_version);
    eop_sql_bind_int(insert, 8, (int64_t)frozen->rows);
    if (spec != NULL) {
        eop_sql_bind_text(insert, 9, spec);
    }
    if (frozen->profile != NULL) {
        eop_sql_bind_text(insert, 10, frozen->profile);
    }
    status = eop_sql_run(&catalog->sql, insert);
    *id = eop_sql_last_id(&catalog->sql);
    if (status == EDGEOPS_E_EXISTS) {
        return eop_fail(EDGEOPS_E_EXISTS, "store", "dataset '%s' exists already", frozen->name);
    }
    return status;
}

static edgeops_status save_columns(int64_t id, const eop_frozen *frozen,
                                   const eop_frozen_asset *asset, eop_catalog *catalog) {
    edgeops_status status = EDGEOPS_OK;
    size_t columns = frozen->channel_count;
    for (size_t k = 0; status == EDGEOPS_OK && k < columns + frozen->spec.filter.count; k++) {
        eop_sql_statement *insert = NULL;
        status = eop_catalog_get(&insert, catalog, EOP_DATASET_COLUMN_ADD);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(insert, 1, id);
            eop_sql_bind_int(insert, 2, asset->id);
            eop_sql_bind_int(insert, 3, (int64_t)k);
            eop_sql_bind_int(insert, 4,
                             k < columns ? asset->channels[k] : asset->tested[k - columns]);
            status = eop_sql_run(&catalog->sql, insert);
        }
    }
    return status;
}

static edgeops_status save_assets(int64_t id, const eop_frozen *frozen, eop_catalog *catalog) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        const eop_frozen_asset *asset = &frozen->assets[i];
        eop_sql_statement *insert = NULL;
        status = eop_catalog_get(&insert, catalog, EOP_DATASET_ASSET_ADD);
        if (status != EDGEOPS_OK) {
            break;
        }
        eop_sql_bind_int(insert, 1, id);
        eop_sql_bind_int(insert, 2, (int64_t)i);
        eop_sql_bind_int(insert, 3, asset->id);
        eop_sql_bind_text(insert, 4, asset->name);
        eop_sql_bind_int(insert, 5, (int64_t)asset->rows);
        eop_sql_bind_int(insert, 6, (int64_t)asset->max_ordinal);
        status = eop_sql_run(&catalog->sql, insert);
        if (status == EDGEOPS_E_EXISTS) {
            /* The foreign key failed: the asset was removed while it was read. */
            return eop_fail_no_asset(asset->name);
        }
        if (status == EDGEOPS_OK) {
            status = save_columns(id, frozen, asset, catalog);
        }
    }
    return status;
}

static edgeops_status save_channels(int64_t id, const eop_frozen *frozen, eop_catalog *catalog) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < frozen->channel_count; k++) {
        eop_sql_statement *insert = NULL;
        status = eop_catalog_get(&insert, catalog, EOP_DATASET_CHANNEL_ADD);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(insert, 1, id);
            eop_sql_bind_int(insert, 2, (int64_t)k);
            eop_sql_bind_text(insert, 3, frozen->channels[k].name);
            eop_sql_bind_int(insert, 4, frozen->channels[k].type);
            eop_sql_bind_text(insert, 5, frozen->channels[k].unit);
            eop_sql_bind_int(insert, 6, frozen->channels[k].length);
            status = eop_sql_run(&catalog->sql, insert);
        }
    }
    return status;
}

static edgeops_status save_labels(int64_t id, const eop_frozen *frozen, eop_catalog *catalog) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->labels.count; i++) {
        eop_sql_statement *insert = NULL;
        status = eop_catalog_get(&insert, catalog, EOP_DATASET_LABEL_ADD);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(insert, 1, id);
            eop_sql_bind_text(insert, 2, frozen->labels.items[i]->name);
            eop_sql_bind_int(insert, 3, (int64_t)frozen->labels.items[i]->rows);
            status = eop_sql_run(&catalog->sql, insert);
        }
    }
    return status;
}

edgeops_status eop_frozen_save(const eop_frozen *frozen, eop_catalog *catalog) {
    int64_t id = 0;
    eop_json *json = eop_spec_json(&frozen->spec);
    char *spec = eop_json_print(json);
    eop_json_free(json);
    if (spec == NULL && !eop_spec_is_plain(&frozen->spec)) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_SAFE);
    if (status != EDGEOPS_OK) {
        eop_free(spec);
        return status;
    }
    status = save_head(&id, frozen, spec, catalog);
    if (status == EDGEOPS_OK) {
        status = save_channels(id, frozen, catalog);
    }
    if (status == EDGEOPS_OK) {
        status = save_assets(id, frozen, catalog);
    }
    if (status == EDGEOPS_OK) {
        status = save_labels(id, frozen, catalog);
    }
    eop_free(spec);
    return eop_catalog_end(catalog, status);
}

/* -- showing and removing -- */

edgeops_status edgeops_dataset_remove(edgeops_store *store, const char *name) {
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    eop_catalog *catalog = eop_store_catalog(store);
    eop_sql_statement *remove = NULL;
    eop_store_make_way(store);
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_SAFE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&remove, catalog, EOP_DATASET_REMOVE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(remove, 1, name);
        status = eop_sql_run(&catalog->sql, remove);
    }
    if (status == EDGEOPS_OK && eop_sql_changes(&catalog->sql) == 0) {
        status = fail_no_dataset(name);
    }
    return eop_catalog_end(catalog, status);
}

static eop_json *show_labels(const eop_frozen *frozen) {
    eop_json *labels = eop_json_object();
    for (size_t i = 0; i < frozen->labels.count; i++) {
        eop_json_set_integer(labels, frozen->labels.items[i]->name,
                             (int64_t)frozen->labels.items[i]->rows);
    }
    return labels;
}

static eop_json *show_assets(const eop_frozen *frozen) {
    eop_json *list = eop_json_array();
    for (size_t i = 0; i < frozen->asset_count; i++) {
        const eop_frozen_asset *asset = &frozen->assets[i];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "name", asset->name);
        eop_json_set_integer(item, "rows", (int64_t)asset->rows);
        eop_json_set_integer(item, "max_ordinal", (int64_t)asset->max_ordinal);
        eop_json_append(list, item);
    }
    return list;
}

static eop_json *show_channels(const eop_frozen *frozen) {
    eop_json *list = eop_json_array();
    for (size_t k = 0; k < frozen->channel_count; k++) {
        const edgeops_channel_info *channel = &frozen->channels[k];
        char text[EOP_TYPE_TEXT];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "name", channel->name);
        eop_json_set_string(item, "type", eop_type_text(text, channel->type, channel->length));
        eop_json_set_string(item, "unit", channel->unit);
        eop_json_append(list, item);
    }
    return list;
}

/* null: the range is open at this end. */
static void set_bound(eop_json *root, const char *key, edgeops_time time, edgeops_time open) {
    if (time == open) {
        eop_json_set_string(root, key, NULL);
    } else {
        eop_json_set_time(root, key, time);
    }
}

static edgeops_status describe_dataset(char **json, edgeops_store *store, const char *name,
                                       bool in_full) {
    eop_frozen frozen;
    edgeops_status status = eop_frozen_load(&frozen, eop_store_catalog(store), name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *root = eop_json_object();
    eop_json_set_string(root, "name", frozen.name);
    eop_json_set_string(root, "digest", frozen.digest);
    eop_json_set_time(root, "created", frozen.created);
    eop_json_set(root, "assets", show_assets(&frozen));
    eop_json_set(root, "channels", show_channels(&frozen));
    set_bound(root, "start", frozen.start, EDGEOPS_TIME_MIN);
    set_bound(root, "end", frozen.end, EDGEOPS_TIME_MAX);
    eop_json_set_bool(root, "labelled_only", frozen.labelled_only);
    eop_json_set_integer(root, "rows", (int64_t)frozen.rows);
    eop_json_set(root, "labels", show_labels(&frozen));
    if (!eop_spec_is_plain(&frozen.spec)) {
        eop_json_set(root, "definition", eop_spec_json(&frozen.spec));
    }
    if (in_full && frozen.profile != NULL) {
        eop_json *profile = NULL;
        status = eop_json_parse(&profile, frozen.profile, strlen(frozen.profile),
                                "a dataset's profile", NULL);
        eop_json_set(root, "profile", profile);
    }
    char *text = status == EDGEOPS_OK ? eop_json_print(root) : NULL;
    if (status == EDGEOPS_OK && text == NULL) {
        status = eop_fail_nomem("store");
    }
    eop_json_free(root);
    eop_frozen_dispose(&frozen);
    if (status == EDGEOPS_OK) {
        *json = text;
    }
    return status;
}

edgeops_status eop_dataset_describe(char **json, edgeops_store *store, const char *name) {
    EOP_REQUIRE(json != NULL && store != NULL && name != NULL, "store");
    return describe_dataset(json, store, name, true);
}

typedef struct name_list {
    char **items;
    size_t count;
    size_t capacity;
} name_list;

static edgeops_status list_names(name_list *list, eop_catalog *catalog) {
    eop_sql_statement *select = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_LIST);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        char *name = eop_strdup(eop_sql_text(select, 0));
        if (name == NULL ||
            !eop_grow(&list->items, &list->capacity, list->count + 1, sizeof(char *))) {
            eop_free(name);
            eop_sql_rewind(select);
            status = eop_fail_nomem("store");
        } else {
            list->items[list->count++] = name;
        }
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_dataset_list(edgeops_store *store, eop_record_fn fn, void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "store");
    name_list list = {0};
    edgeops_status status = list_names(&list, eop_store_catalog(store));
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        char *json = NULL;
        status = describe_dataset(&json, store, list.items[i], false);
        if (status == EDGEOPS_OK) {
            status = fn(list.items[i], json, user_data);
            eop_free(json);
        } else if (status == EDGEOPS_E_NOTFOUND) {
            status = EDGEOPS_OK; /* removed since */
        }
    }
    for (size_t i = 0; i < list.count; i++) {
        eop_free(list.items[i]);
    }
    eop_free(list.items);
    return status;
}
