/* SPDX-License-Identifier: Apache-2.0 */
/* Adds, corrects and takes back labels. Each call is one transaction of the catalog and makes at
 * most one new version of the labels. */
#include "dataset/label.h"

#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "edgeops/label.h"
#include "store/birth.h"
#include "store/inner.h"
#include "store/room.h"

#define LABEL_MAX  256u
#define AUTHOR_MAX 256u

static const char *or_empty(const char *text) {
    return text != NULL ? text : "";
}

static const char *source_of(const edgeops_label *label) {
    return label->source != NULL && label->source[0] != '\0' ? label->source : "api";
}

static edgeops_status check_text(const char *asset, const char *what, const char *text, size_t min,
                                 size_t max) {
    size_t size = strlen(text);
    if (size < min || size > max || eop_utf8_valid(text, size) != size) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s': %s has %zu to %zu bytes of UTF-8",
                        asset, what, min, max);
    }
    return EDGEOPS_OK;
}

static edgeops_status check_label(const edgeops_label *label, const char *asset) {
    if (asset == NULL || label->label == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a label has no asset or no text");
    }
    edgeops_status status = check_text(asset, "a label", label->label, 1, LABEL_MAX);
    if (status == EDGEOPS_OK) {
        status = check_text(asset, "an author", or_empty(label->author), 0, AUTHOR_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = check_text(asset, "the source of a label", source_of(label), 1, AUTHOR_MAX);
    }
    if (status == EDGEOPS_OK && label->end < label->start) {
        status = eop_fail(EDGEOPS_E_INVALID, "store",
                          "asset '%s': label '%s' ends before it starts", asset, label->label);
    }
    return status;
}

static edgeops_status bump_version(eop_catalog *catalog) {
    eop_sql_statement *update = NULL;
    edgeops_status status = eop_catalog_get(&update, catalog, EOP_LABEL_BUMP);
    return status == EDGEOPS_OK ? eop_sql_run(&catalog->sql, update) : status;
}

edgeops_status eop_label_asset(int64_t *id, eop_catalog *catalog, const char *name) {
    eop_sql_statement *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_ASSET_FIND);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_text(select, 1, name);
    status = eop_sql_next(&catalog->sql, select);
    if (status == EDGEOPS_OK) {
        *id = eop_sql_int(select, 0);
        eop_sql_rewind(select);
    }
    return status == EDGEOPS_DONE ? eop_fail_no_asset(name) : status;
}

static void bind_said(eop_sql_statement *statement, int64_t asset, const edgeops_label *label) {
    eop_sql_bind_int(statement, 1, asset);
    eop_sql_bind_int(statement, 2, label->start);
    eop_sql_bind_int(statement, 3, label->end);
    eop_sql_bind_text(statement, 4, label->label);
    eop_sql_bind_text(statement, 5, or_empty(label->author));
}

/* replaces: id of the corrected label, 0 for none. */
static edgeops_status add_label(int64_t *id, eop_catalog *catalog, const edgeops_label *label,
                                int64_t asset, int64_t replaces, edgeops_time now) {
    eop_sql_statement *insert = NULL;
    edgeops_status status = eop_catalog_get(&insert, catalog, EOP_LABEL_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    bind_said(insert, asset, label);
    eop_sql_bind_int(insert, 6, now);
    eop_sql_bind_text(insert, 7, source_of(label));
    if (replaces != 0) {
        eop_sql_bind_int(insert, 8, replaces);
    }
    status = eop_sql_run(&catalog->sql, insert);
    *id = eop_sql_last_id(&catalog->sql);
    return status;
}

static edgeops_status is_there(bool *out, eop_catalog *catalog, const edgeops_label *label,
                               int64_t asset) {
    eop_sql_statement *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_SAME);
    if (status == EDGEOPS_OK) {
        bind_said(select, asset, label);
        status = eop_sql_next(&catalog->sql, select);
        *out = status == EDGEOPS_OK;
        eop_sql_rewind(select);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status check_all(const edgeops_label *labels, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = check_label(&labels[i], labels[i].asset);
    }
    return status;
}

/* Makes a new version only when a label is new. new_only: skips and counts duplicates. */
static edgeops_status add_all(int64_t *first_id, edgeops_label_result *result, eop_catalog *catalog,
                              const edgeops_label *labels, size_t n, bool new_only) {
    int64_t asset = 0;
    edgeops_time now = eop_now();
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        int64_t id = 0;
        bool there = false;
        if (i == 0 || strcmp(labels[i].asset, labels[i - 1].asset) != 0) {
            status = eop_label_asset(&asset, catalog, labels[i].asset);
        }
        if (status == EDGEOPS_OK && new_only) {
            status = is_there(&there, catalog, &labels[i], asset);
        }
        if (status != EDGEOPS_OK || there) {
            result->duplicates += there;
            continue;
        }
        if (result->added == 0) {
            status = bump_version(catalog);
        }
        if (status == EDGEOPS_OK) {
            status = add_label(&id, catalog, &labels[i], asset, 0, now);
        }
        *first_id = result->added++ == 0 ? id : *first_id;
    }
    return status;
}

edgeops_status eop_label_try_new(edgeops_label_result *result, edgeops_store *store,
                                 const edgeops_label *labels, size_t n) {
    eop_catalog *catalog = eop_store_catalog(store);
    int64_t first = 0;
    edgeops_status status = check_all(labels, n);
    if (status == EDGEOPS_OK && n > 0) {
        status = eop_catalog_begin(catalog);
        if (status == EDGEOPS_OK) {
            status = add_all(&first, result, catalog, labels, n, true);
            status = eop_catalog_end(catalog, status == EDGEOPS_OK ? EDGEOPS_DONE : status);
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status add_labels(int64_t *first_id, edgeops_label_result *result,
                                 edgeops_store *store, const edgeops_label *labels, size_t n,
                                 bool new_only) {
    edgeops_status status = check_all(labels, n);
    if (status != EDGEOPS_OK || n == 0) {
        return status;
    }
    status = eop_catalog_begin(eop_store_catalog(store));
    if (status == EDGEOPS_OK) {
        status = add_all(first_id, result, eop_store_catalog(store), labels, n, new_only);
        status = eop_catalog_end(eop_store_catalog(store), status);
    }
    return status;
}

void edgeops_label_result_init(edgeops_label_result *result, size_t struct_size) {
    static const edgeops_label_result defaults = EDGEOPS_LABEL_RESULT_INIT;
    eop_struct_init(result, struct_size, &defaults, sizeof defaults);
}

edgeops_status edgeops_label_add(int64_t *first_id, edgeops_store *store,
                                 const edgeops_label *labels, size_t n) {
    EOP_REQUIRE(store != NULL && (labels != NULL || n == 0), "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_label_result result = EDGEOPS_LABEL_RESULT_INIT;
    int64_t first = 0;
    edgeops_status status = add_labels(&first, &result, store, labels, n, false);
    if (status == EDGEOPS_OK && n > 0 && first_id != NULL) {
        *first_id = first;
    }
    return status;
}

edgeops_status edgeops_label_add_new(edgeops_label_result *result, edgeops_store *store,
                                     const edgeops_label *labels, size_t n) {
    EOP_REQUIRE(store != NULL && (labels != NULL || n == 0), "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_label_result out = EDGEOPS_LABEL_RESULT_INIT;
    int64_t first = 0;
    edgeops_status status = eop_result_check(result, "store", "EDGEOPS_LABEL_RESULT_INIT");
    if (status == EDGEOPS_OK) {
        status = add_labels(&first, &out, store, labels, n, true);
    }
    if (status == EDGEOPS_OK) {
        eop_result_give(result, &out, sizeof out);
    }
    return status;
}

/* -- correcting and taking back -- */

static edgeops_status fail_gone(int64_t id) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store", "label %lld does not exist", (long long)id);
}

/* Finds the asset of a label that is in force. */
static edgeops_status find_in_force(int64_t *asset, eop_catalog *catalog, int64_t id) {
    eop_sql_statement *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_GET);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, id);
    status = eop_sql_next(&catalog->sql, select);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_DONE ? fail_gone(id) : status;
    }
    bool in_force = eop_sql_is_null(select, 1);
    int64_t by = eop_sql_int(select, 2);
    *asset = eop_sql_int(select, 0);
    eop_sql_rewind(select);
    if (in_force) {
        return EDGEOPS_OK;
    }
    return by != 0
               ? eop_fail(EDGEOPS_E_NOTFOUND, "store",
                          "label %lld was corrected already: by label %lld", (long long)id,
                          (long long)by)
               : eop_fail(EDGEOPS_E_NOTFOUND, "store", "label %lld was taken back", (long long)id);
}

/* The caller has made the new version. */
static edgeops_status withdraw_label(eop_catalog *catalog, int64_t id) {
    eop_sql_statement *update = NULL;
    edgeops_status status = eop_catalog_get(&update, catalog, EOP_LABEL_WITHDRAW);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(update, 1, id);
        status = eop_sql_run(&catalog->sql, update);
    }
    return status;
}

static edgeops_status correct_label(int64_t *new_id, eop_catalog *catalog, int64_t id,
                                    const edgeops_label *label) {
    int64_t asset = 0;
    int64_t named = 0;
    edgeops_status status = find_in_force(&asset, catalog, id);
    if (status == EDGEOPS_OK && label->asset != NULL) {
        status = eop_label_asset(&named, catalog, label->asset);
        if (status == EDGEOPS_OK && named != asset) {
            status = eop_fail(EDGEOPS_E_INVALID, "store",
                              "label %lld is not of asset '%s': take it back and add another one",
                              (long long)id, label->asset);
        }
    }
    if (status == EDGEOPS_OK) {
        status = bump_version(catalog);
    }
    if (status == EDGEOPS_OK) {
        status = withdraw_label(catalog, id);
    }
    return status == EDGEOPS_OK ? add_label(new_id, catalog, label, asset, id, eop_now()) : status;
}

edgeops_status edgeops_label_correct(int64_t *new_id, edgeops_store *store, int64_t id,
                                     const edgeops_label *label) {
    EOP_REQUIRE(store != NULL && label != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    int64_t made = 0;
    edgeops_status status = check_label(label, label->asset != NULL ? label->asset : "");
    if (status == EDGEOPS_OK) {
        status = eop_catalog_begin(eop_store_catalog(store));
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = correct_label(&made, eop_store_catalog(store), id, label);
    status = eop_catalog_end(eop_store_catalog(store), status);
    if (status == EDGEOPS_OK && new_id != NULL) {
        *new_id = made;
    }
    return status;
}

edgeops_status edgeops_label_remove(edgeops_store *store, int64_t id) {
    EOP_REQUIRE(store != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    eop_catalog *catalog = eop_store_catalog(store);
    int64_t asset = 0;
    eop_store_make_way(store);
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = find_in_force(&asset, catalog, id);
    if (status == EDGEOPS_OK) {
        status = bump_version(catalog);
    }
    if (status == EDGEOPS_OK) {
        status = withdraw_label(catalog, id);
    }
    return eop_catalog_end(catalog, status);
}

edgeops_status eop_label_version(uint64_t *out, eop_catalog *catalog) {
    eop_sql_statement *select = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_LABEL_VERSION);
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&catalog->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = (uint64_t)eop_sql_int(select, 0);
        eop_sql_rewind(select);
    } else if (status == EDGEOPS_DONE) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' has lost its label version",
                          catalog->sql.path);
    }
    eop_catalog_unlock(catalog);
    return status;
}
