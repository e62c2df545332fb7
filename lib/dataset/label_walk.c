/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over labels, asset by asset, a page at a time: neither memory nor the time under the
 * catalog's lock grows with the number of labels. */
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "dataset/label.h"
#include "edgeops/label.h"
#include "store/birth.h"
#include "store/inner.h"

enum { PAGE = 1024 };

void edgeops_label_query_init(edgeops_label_query *query, size_t struct_size) {
    static const edgeops_label_query defaults = EDGEOPS_LABEL_QUERY_INIT;
    eop_struct_init(query, struct_size, &defaults, sizeof defaults);
}

typedef struct item {
    edgeops_label label;
    size_t texts[3]; /**< offsets of label, author and source */
} item;

typedef struct walk {
    eop_catalog *catalog;
    const edgeops_label_query *query;
    bool exact;       /**< the asset's name is not a pattern, even with a '*' */
    uint64_t version; /**< 0: any */
    int64_t asset;
    char *name; /**< name of the current asset; NULL: before the first one */
    int64_t start;
    int64_t id; /**< the next page begins behind (start, id) */
    uint64_t left;
    item items[PAGE];
    size_t count;
    eop_buf texts;
} walk;

static void walk_free(walk *w) {
    if (w != NULL) {
        eop_buf_dispose(&w->texts);
        eop_free(w->name);
        eop_free(w);
    }
}

static size_t keep_text(walk *w, eop_sql_statement *select, int column) {
    size_t at = w->texts.size;
    const char *text = eop_sql_text(select, column);
    eop_buf_put(&w->texts, text, strlen(text) + 1);
    return at;
}

/* Columns as in LABEL_COLUMNS. */
static void take_item(walk *w, eop_sql_statement *select) {
    item *i = &w->items[w->count++];
    i->label = (edgeops_label){.id = eop_sql_int(select, 0),
                               .start = eop_sql_int(select, 1),
                               .end = eop_sql_int(select, 2),
                               .created = eop_sql_int(select, 5),
                               .version = (uint64_t)eop_sql_int(select, 7),
                               .replaces = eop_sql_int(select, 8),
                               .withdrawn = (uint64_t)eop_sql_int(select, 9),
                               .place = eop_sql_int(select, 10)};
    i->texts[0] = keep_text(w, select, 3);
    i->texts[1] = keep_text(w, select, 4);
    i->texts[2] = keep_text(w, select, 6);
}

/* Binds [start, end) as the bounds that the page statement compares with. */
static void bind_range(eop_sql_statement *select, const edgeops_label_query *q) {
    eop_sql_bind_int(select, 4, q->start);
    eop_sql_bind_int(
        select, 5, q->end == EDGEOPS_TIME_MAX || q->end == EDGEOPS_TIME_MIN ? q->end : q->end - 1);
}

/* Reads the next labels of the asset, or of a chain of corrections. */
static edgeops_status read_page(walk *w) {
    const edgeops_label_query *q = w->query;
    eop_sql_statement *select = NULL;
    size_t limit = w->left < PAGE ? (size_t)w->left : PAGE;
    w->count = 0;
    eop_buf_clear(&w->texts);
    edgeops_status status =
        eop_catalog_get(&select, w->catalog, q->id != 0 ? EOP_LABEL_CHAIN : EOP_LABEL_PAGE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, q->id != 0 ? q->id : w->asset);
    eop_sql_bind_int(select, 3, w->id);
    eop_sql_bind_int(select, 9, (int64_t)limit);
    if (q->id == 0) {
        eop_sql_bind_int(select, 2, w->start);
        bind_range(select, q);
        if (w->version != 0) {
            eop_sql_bind_int(select, 6, (int64_t)w->version);
        }
        eop_sql_bind_text(select, 7, q->label);
        eop_sql_bind_text(select, 8, q->author);
    }
    while ((status = eop_sql_next(&w->catalog->sql, select)) == EDGEOPS_OK) {
        take_item(w, select);
    }
    return status != EDGEOPS_DONE ? status : w->texts.failed ? eop_fail_nomem("store") : EDGEOPS_OK;
}

static edgeops_status enter_asset(walk *w, int64_t id, const char *name) {
    char *copy = eop_strdup(name);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    eop_free(w->name);
    w->name = copy;
    w->asset = id;
    w->start = INT64_MIN;
    w->id = 0;
    return EDGEOPS_OK;
}

static bool is_pattern(const char *asset) {
    return asset == NULL || strchr(asset, '*') != NULL;
}

static bool is_one_asset(const walk *w) {
    return w->exact || !is_pattern(w->query->asset);
}

/* DONE: there are no more assets. */
static edgeops_status next_asset(walk *w) {
    const char *pattern = w->query->asset;
    eop_sql_statement *select = NULL;
    if (is_one_asset(w) || w->query->id != 0) {
        return EDGEOPS_DONE;
    }
    for (;;) {
        edgeops_status status = eop_catalog_get(&select, w->catalog, EOP_LABELLED_NEXT);
        if (status != EDGEOPS_OK) {
            return status;
        }
        eop_sql_bind_text(select, 1, w->name != NULL ? w->name : "");
        status = eop_sql_next(&w->catalog->sql, select);
        if (status != EDGEOPS_OK) {
            return status;
        }
        status = enter_asset(w, eop_sql_int(select, 0), eop_sql_text(select, 1));
        eop_sql_rewind(select);
        if (status != EDGEOPS_OK || pattern == NULL || eop_glob(pattern, w->name)) {
            return status;
        }
    }
}

/* Moves to the place of a label; for a chain only to its asset. */
static edgeops_status go_to(walk *w, int64_t id) {
    eop_sql_statement *select = NULL;
    edgeops_status status = eop_catalog_get(&select, w->catalog, EOP_LABEL_WHERE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, id);
    status = eop_sql_next(&w->catalog->sql, select);
    if (status == EDGEOPS_DONE) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "store", "label %lld does not exist", (long long)id);
    }
    if (status == EDGEOPS_OK) {
        int64_t start = eop_sql_int(select, 1);
        status = enter_asset(w, eop_sql_int(select, 2), eop_sql_text(select, 0));
        w->start = start;
        w->id = id;
        eop_sql_rewind(select);
    }
    return status;
}

/* Finds where the first page begins. DONE: there is none. */
static edgeops_status begin_walk(walk *w) {
    const edgeops_label_query *q = w->query;
    edgeops_status status = EDGEOPS_OK;
    if (q->id != 0) {
        status = go_to(w, q->id);
        w->id = q->after;
        return status;
    }
    if (is_one_asset(w)) {
        int64_t id = 0;
        status = eop_label_asset(&id, w->catalog, q->asset);
        if (status == EDGEOPS_OK) {
            status = enter_asset(w, id, q->asset);
        }
    }
    if (status == EDGEOPS_OK && q->after != 0) {
        return go_to(w, q->after);
    }
    return status == EDGEOPS_OK && w->name == NULL ? next_asset(w) : status;
}

static edgeops_status tell_page(walk *w, edgeops_label_fn fn, void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < w->count; i++) {
        item *it = &w->items[i];
        it->label.asset = w->name;
        it->label.label = w->texts.data + it->texts[0];
        it->label.author = w->texts.data + it->texts[1];
        it->label.source = w->texts.data + it->texts[2];
        status = fn(&it->label, user_data);
    }
    if (w->count > 0) {
        w->start = w->items[w->count - 1].label.start;
        w->id = w->items[w->count - 1].label.id;
        w->left -= w->count;
    }
    return status;
}

static edgeops_status walk_all(walk *w, edgeops_label_fn fn, void *user_data) {
    eop_catalog_lock(w->catalog);
    edgeops_status status = begin_walk(w);
    while (status == EDGEOPS_OK && w->left > 0) {
        status = read_page(w);
        bool last = w->count < PAGE;
        if (status == EDGEOPS_OK && w->count > 0) {
            eop_catalog_unlock(w->catalog);
            status = tell_page(w, fn, user_data);
            eop_catalog_lock(w->catalog);
        }
        if (status == EDGEOPS_OK && last) {
            status = next_asset(w);
        }
    }
    eop_catalog_unlock(w->catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status edgeops_label_list(uint64_t *version, edgeops_store *store,
                                  const edgeops_label_query *query, edgeops_label_fn fn,
                                  void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_label_query q = EDGEOPS_LABEL_QUERY_INIT;
    uint64_t now = 0;
    edgeops_status status = EOP_STRUCT_TAKE(&q, query, "store", EDGEOPS_LABEL_QUERY_INIT);
    if (status == EDGEOPS_OK && q.reserved != 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "store", "edgeops_label_query: reserved is not 0");
    }
    if (status == EDGEOPS_OK) {
        status = eop_label_version(&now, eop_store_catalog(store));
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (q.version > now) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "labels have version %llu, %llu is yet to come",
                        (unsigned long long)now, (unsigned long long)q.version);
    }
    walk *w = eop_calloc(1, sizeof *w);
    if (w == NULL) {
        return eop_fail_nomem("store");
    }
    uint64_t at = q.version != 0 ? q.version : now;
    w->catalog = eop_store_catalog(store);
    w->query = &q;
    w->exact = q.exact != 0 && q.asset != NULL;
    w->version = q.history != 0 ? 0 : at;
    w->left = q.limit != 0 ? q.limit : UINT64_MAX;
    if (now > 0 || q.id != 0 || is_one_asset(w)) {
        status = walk_all(w, fn, user_data);
    }
    walk_free(w);
    if (status == EDGEOPS_OK && version != NULL) {
        *version = at;
    }
    return status;
}
