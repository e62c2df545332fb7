/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the values of a frozen dataset: in slices for the digest, or all of it into memory for a
 * host. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dataset/dataset.h"
#include "dataset/frozen.h"
#include "store/birth.h"

/* -- in slices -- */

static edgeops_status digest_part(eop_buf *text, edgeops_store *store, const eop_frozen *frozen,
                                  size_t number, eop_label_names *names, eop_batch_fn fn,
                                  void *user_data) {
    const eop_frozen_asset *asset = &frozen->assets[number];
    eop_part_reader *reader = NULL;
    eop_part_hash *hash = NULL;
    eop_batch batch = {0};
    edgeops_status status = eop_part_hash_new(&hash, frozen);
    if (status == EDGEOPS_OK) {
        status = eop_part_open(&reader, store, frozen, asset, names, EOP_PART_SLICES);
    }
    while (status == EDGEOPS_OK && (status = eop_part_next(reader, &batch)) == EDGEOPS_OK) {
        status = eop_part_hash_add(hash, &batch);
        if (status == EDGEOPS_OK && fn != NULL) {
            status = fn(number, &batch, user_data);
        }
    }
    if (status == EDGEOPS_DONE) {
        eop_part_hash_finish(text, hash, asset->name);
        hash = NULL;
        status = EDGEOPS_OK;
    }
    eop_part_hash_free(hash);
    eop_part_close(reader);
    eop_batch_dispose(&batch);
    return status;
}

static edgeops_status finish_digest(char digest[65], const eop_buf *text) {
    return text->failed ? eop_fail_nomem("store") : eop_sha256_of(digest, text->data, text->size);
}

edgeops_status eop_frozen_digest(char digest[65], edgeops_store *store, const eop_frozen *frozen,
                                 eop_batch_fn fn, void *user_data) {
    eop_label_names names = {0};
    eop_buf text = {0};
    edgeops_status status = eop_label_names_copy(&names, &frozen->labels);
    eop_digest_head(&text, frozen);
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        status = digest_part(&text, store, frozen, i, &names, fn, user_data);
    }
    if (status == EDGEOPS_OK) {
        status = finish_digest(digest, &text);
    }
    eop_buf_dispose(&text);
    eop_label_names_dispose(&names);
    return status;
}

static edgeops_status check_digest(const eop_frozen *frozen, const char *digest) {
    if (strcmp(digest, frozen->digest) == 0) {
        return EDGEOPS_OK;
    }
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "dataset '%s' is not what was frozen: its values have digest %.12s..., "
                    "not %.12s...",
                    frozen->name, digest, frozen->digest);
}

typedef struct verification {
    edgeops_store *store;
    const eop_frozen *frozen;
    eop_verify_depth depth;
    bool (*canceled)(void *user_data);
    void *user_data;
} verification;

static edgeops_status go_on(size_t asset, const eop_batch *batch, void *user_data) {
    const verification *v = user_data;
    if (v->canceled != NULL && v->canceled(v->user_data)) {
        return eop_fail(EDGEOPS_E_CANCELED, "store", "ended on request");
    }
    return v->depth != EOP_VERIFY_VALUES ? eop_frozen_check_blobs(v->store, v->frozen, asset, batch,
                                                                  v->depth == EOP_VERIFY_CONTENT)
                                         : EDGEOPS_OK;
}

edgeops_status eop_dataset_verify(edgeops_store *store, const char *name, eop_verify_depth depth,
                                  bool (*canceled)(void *user_data), void *user_data) {
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    eop_frozen frozen = {0};
    verification v = {store, &frozen, depth, canceled, user_data};
    char digest[65];
    edgeops_status status = eop_frozen_load(&frozen, eop_store_catalog(store), name);
    if (status == EDGEOPS_OK) {
        status = eop_frozen_digest(digest, store, &frozen, go_on, &v);
    }
    if (status == EDGEOPS_OK) {
        status = check_digest(&frozen, digest);
    }
    eop_frozen_dispose(&frozen);
    return status;
}

edgeops_status edgeops_dataset_verify(edgeops_store *store, const char *name) {
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    return eop_dataset_verify(store, name, EOP_VERIFY_CONTENT, NULL, NULL);
}

/* -- all of it into memory -- */

typedef struct part {
    eop_table *table;
    int32_t *labels;
    uint8_t *subsets;
} part;

typedef struct dataset {
    edgeops_dataset view; /* first */
    eop_frozen frozen;
    eop_label_names names;
    part *owned;
    edgeops_dataset_part *parts;
    const char **label_names;
} dataset;

void edgeops_dataset_free(edgeops_dataset *view) {
    dataset *set = (dataset *)view;
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; set->owned != NULL && i < set->frozen.asset_count; i++) {
        if (set->owned[i].table != NULL) {
            edgeops_table_free(&set->owned[i].table->view);
        }
        eop_free(set->owned[i].labels);
        eop_free(set->owned[i].subsets);
    }
    eop_free(set->owned);
    eop_free(set->parts);
    eop_free(set->label_names);
    eop_label_names_dispose(&set->names);
    eop_frozen_dispose(&set->frozen);
    eop_free(set);
}

static edgeops_status whole_batch(eop_batch *batch, edgeops_store *store, dataset *set,
                                  const eop_frozen_asset *asset) {
    eop_part_reader *reader = NULL;
    edgeops_status status =
        eop_part_open(&reader, store, &set->frozen, asset, &set->names, EOP_PART_WHOLE);
    if (status == EDGEOPS_OK) {
        status = eop_part_next(reader, batch);
    }
    eop_part_close(reader);
    if (status == EDGEOPS_DONE || (status == EDGEOPS_OK && batch->rows.rows != asset->rows)) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store",
                          "dataset '%s' is not what was frozen: it has %zu rows of asset '%s', not "
                          "%llu",
                          set->frozen.name, batch->rows.rows, asset->name,
                          (unsigned long long)asset->rows);
    }
    return status;
}

static edgeops_status read_part(part *out, eop_buf *text, edgeops_store *store, dataset *set,
                                const eop_frozen_asset *asset) {
    const eop_frozen *frozen = &set->frozen;
    eop_part_hash *hash = NULL;
    eop_batch batch = {0};
    edgeops_status status = whole_batch(&batch, store, set, asset);
    if (status == EDGEOPS_OK && text != NULL) {
        status = eop_part_hash_new(&hash, frozen);
        if (status == EDGEOPS_OK) {
            status = eop_part_hash_add(hash, &batch);
        }
        if (status == EDGEOPS_OK) {
            eop_part_hash_finish(text, hash, asset->name);
            hash = NULL;
        }
    }
    eop_part_hash_free(hash);
    out->table = status == EDGEOPS_OK ? eop_calloc(1, sizeof *out->table) : NULL;
    if (status == EDGEOPS_OK && out->table == NULL) {
        status = eop_fail_nomem("store");
    }
    if (status != EDGEOPS_OK) {
        eop_batch_dispose(&batch);
        return status;
    }
    out->table->rows = batch.rows;
    out->labels = batch.labels;
    out->subsets = batch.subsets;
    status = eop_table_name(out->table, asset->name, frozen->channels, frozen->channel_count);
    return status == EDGEOPS_OK ? eop_table_show(out->table) : status;
}

static void show_view(dataset *set) {
    const eop_frozen *frozen = &set->frozen;
    const eop_spec *spec = &frozen->spec;
    uint64_t rows = 0;
    for (size_t i = 0; i < frozen->asset_count; i++) {
        set->parts[i] = (edgeops_dataset_part){&set->owned[i].table->view, set->owned[i].labels,
                                               set->owned[i].subsets};
        rows += set->owned[i].table->view.rows;
    }
    for (size_t i = 0; i < frozen->labels.count; i++) {
        set->label_names[i] = frozen->labels.items[i]->name;
    }
    set->view = (edgeops_dataset){.name = frozen->name,
                                  .digest = frozen->digest,
                                  .rows = rows,
                                  .part_count = frozen->asset_count,
                                  .parts = set->parts,
                                  .label_count = frozen->labels.count,
                                  .label_names = set->label_names,
                                  .period = spec->period,
                                  .fill = spec->fill,
                                  .split = spec->split,
                                  .window_rows = spec->window_rows,
                                  .window_step = spec->window_step,
                                  .window = spec->window_time,
                                  .step = spec->step_time};
}

static edgeops_status set_up(dataset *set) {
    const eop_frozen *frozen = &set->frozen;
    set->owned = eop_calloc(frozen->asset_count, sizeof *set->owned);
    set->parts = eop_calloc(frozen->asset_count, sizeof *set->parts);
    set->label_names = eop_calloc(frozen->labels.count, sizeof(char *));
    if (set->owned == NULL || set->parts == NULL || set->label_names == NULL) {
        return eop_fail_nomem("store");
    }
    return EDGEOPS_OK;
}

static edgeops_status read_parts(dataset *set, edgeops_store *store, bool check) {
    const eop_frozen *frozen = &set->frozen;
    eop_buf text = {0};
    char digest[65];
    edgeops_status status = eop_label_names_copy(&set->names, &frozen->labels);
    eop_digest_head(&text, frozen);
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        status = read_part(&set->owned[i], check ? &text : NULL, store, set, &frozen->assets[i]);
    }
    if (status == EDGEOPS_OK && check) {
        status = finish_digest(digest, &text);
        if (status == EDGEOPS_OK) {
            status = check_digest(frozen, digest);
        }
    }
    eop_buf_dispose(&text);
    return status;
}

/* Gives each part a table with names but without arrays. */
static edgeops_status name_parts(dataset *set) {
    const eop_frozen *frozen = &set->frozen;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        eop_table *table = eop_calloc(1, sizeof *table);
        set->owned[i].table = table;
        if (table == NULL) {
            return eop_fail_nomem("store");
        }
        status =
            eop_table_name(table, frozen->assets[i].name, frozen->channels, frozen->channel_count);
        table->view.rows = frozen->assets[i].rows;
    }
    return status;
}

typedef enum depth { HEAD, UNCHECKED, CHECKED } depth;

static edgeops_status open_dataset(edgeops_dataset **out, edgeops_store *store, const char *name,
                                   depth how) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    dataset *set = eop_calloc(1, sizeof *set);
    if (set == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_frozen_load(&set->frozen, eop_store_catalog(store), name);
    if (status == EDGEOPS_OK) {
        status = set_up(set);
    }
    if (status == EDGEOPS_OK) {
        status = how == HEAD ? name_parts(set) : read_parts(set, store, how == CHECKED);
    }
    if (status != EDGEOPS_OK) {
        edgeops_dataset_free(&set->view);
        return status;
    }
    show_view(set);
    *out = &set->view;
    return EDGEOPS_OK;
}

edgeops_status edgeops_dataset_read(edgeops_dataset **out, edgeops_store *store, const char *name) {
    return open_dataset(out, store, name, CHECKED);
}

edgeops_status edgeops_dataset_read_unchecked(edgeops_dataset **out, edgeops_store *store,
                                              const char *name) {
    return open_dataset(out, store, name, UNCHECKED);
}

edgeops_status edgeops_dataset_head(edgeops_dataset **out, edgeops_store *store, const char *name) {
    return open_dataset(out, store, name, HEAD);
}
