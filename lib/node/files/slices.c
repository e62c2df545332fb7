/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the rows of an asset into slices by range queries: each begins after the last row of the one
 * before. The labels of an asset are loaded whole and walked with rising times. */
#include "node/files/slices.h"

#include <string.h>

#define SLICE_ROWS 32768u

struct eop_slices {
    edgeops_store *store;
    edgeops_query query;
    char *asset;
    edgeops_table *table;
    bool begun;
    bool ended;
    edgeops_type *types; /**< of the columns of the first slice */
    uint32_t *lengths;
    size_t column_count;
    edgeops_time time; /**< of the last row that was given */
    int64_t seq;
};

edgeops_status eop_asset_last(uint64_t *out, edgeops_store *store, const char *asset) {
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, store, asset);
    if (status == EDGEOPS_OK) {
        *out = info->last_ordinal;
        edgeops_free(info);
    } else if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "there is no asset '%s'; 'asset ls' shows those there are", asset);
    }
    return status;
}

edgeops_status eop_slices_open(eop_slices **out, edgeops_store *store, const char *asset,
                               const char *const *channels, size_t channel_count,
                               edgeops_time start, edgeops_time end) {
    uint64_t last_ordinal = 0;
    edgeops_status status = eop_asset_last(&last_ordinal, store, asset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_slices *s = eop_calloc(1, sizeof(*s));
    char *name = eop_strdup(asset);
    if (s == NULL || name == NULL) {
        eop_free(s);
        eop_free(name);
        return eop_fail_nomem("node");
    }
    s->store = store;
    s->asset = name;
    s->query = (edgeops_query)EDGEOPS_QUERY_INIT;
    s->query.asset = name;
    s->query.start = start;
    s->query.end = end;
    s->query.channels = channels;
    s->query.channel_count = channel_count;
    s->query.max_ordinal = last_ordinal;
    s->query.limit = SLICE_ROWS;
    s->ended = last_ordinal == 0;
    *out = s;
    return EDGEOPS_OK;
}

void eop_slices_limit(eop_slices *s, uint64_t max_ordinal) {
    s->query.max_ordinal = max_ordinal;
    s->ended = max_ordinal == 0;
}

/* A slice starts at the time of the last row: rows of that time may have been given already. */
static uint64_t skip_given(const eop_slices *s) {
    uint64_t i = 0;
    while (s->begun && i < s->table->rows && s->table->times[i] == s->time &&
           s->table->seqs[i] <= s->seq) {
        i++;
    }
    return i;
}

/* Whoever takes the slices goes by the types of the first one. E_AGAIN: one has changed. */
static edgeops_status check_types(eop_slices *s) {
    size_t n = s->table->column_count;
    if (s->types == NULL) {
        s->types = eop_calloc(n + 1, sizeof *s->types);
        s->lengths = eop_calloc(n + 1, sizeof *s->lengths);
        if (s->types == NULL || s->lengths == NULL) {
            return eop_fail_nomem("node");
        }
        for (size_t k = 0; k < n; k++) {
            s->types[k] = s->table->columns[k].type;
            s->lengths[k] = s->table->columns[k].length;
        }
        s->column_count = n;
    }
    for (size_t k = 0; k < n && k < s->column_count; k++) {
        const edgeops_column *c = &s->table->columns[k];
        if (c->type != s->types[k] || c->length != s->lengths[k]) {
            return eop_fail(
                EDGEOPS_E_AGAIN, "node",
                "channel '%s' of asset '%s' has changed its type meanwhile; begin again", c->name,
                s->asset);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_slices_next(eop_slices *s, const edgeops_table **table, uint64_t *first) {
    while (!s->ended) {
        edgeops_table_free(s->table);
        s->table = NULL;
        edgeops_status status = edgeops_store_read(&s->table, s->store, &s->query);
        if (status == EDGEOPS_OK) {
            status = check_types(s);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        uint64_t rows = s->table->rows;
        uint64_t skip = skip_given(s);
        s->ended = rows < s->query.limit;
        if (skip < rows) {
            s->begun = true;
            s->time = s->query.start = s->table->times[rows - 1];
            s->seq = s->table->seqs[rows - 1];
            s->query.limit = SLICE_ROWS;
            *table = s->table;
            *first = skip;
            return EDGEOPS_OK;
        }
        s->query.limit *= 2; /* more rows of one time than fit into a slice */
    }
    return EDGEOPS_DONE;
}

void eop_slices_close(eop_slices *s) {
    if (s != NULL) {
        edgeops_table_free(s->table);
        eop_free(s->types);
        eop_free(s->lengths);
        eop_free(s->asset);
        eop_free(s);
    }
}

typedef struct span {
    edgeops_time start;
    edgeops_time end;
    int64_t place;
    char *label;
} span;

struct eop_labels {
    span *spans; /**< by start */
    size_t count;
    size_t capacity;
    size_t next;
    const span **active; /**< that cover the time asked for last */
    size_t active_count;
};

static edgeops_status note_label(const edgeops_label *label, void *user_data) {
    eop_labels *l = user_data;
    char *text = eop_strdup(label->label);
    if (text == NULL || !eop_grow(&l->spans, &l->capacity, l->count + 1, sizeof(*l->spans))) {
        eop_free(text);
        return eop_fail_nomem("node");
    }
    /* A point covers its instant. */
    edgeops_time end = label->end > label->start ? label->end : label->start + 1;
    l->spans[l->count++] =
        (span){.start = label->start, .end = end, .place = label->place, .label = text};
    return EDGEOPS_OK;
}

edgeops_status eop_labels_open(eop_labels **out, edgeops_store *store, const char *asset) {
    eop_labels *l = eop_calloc(1, sizeof(*l));
    if (l == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    query.asset = asset;
    query.exact = 1;
    edgeops_status status = edgeops_label_list(NULL, store, &query, note_label, l);
    if (status == EDGEOPS_OK) {
        l->active = eop_calloc(l->count + 1, sizeof(*l->active));
        status = l->active != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    if (status != EDGEOPS_OK) {
        eop_labels_close(l);
        return status;
    }
    *out = l;
    return EDGEOPS_OK;
}

const char *eop_labels_at(eop_labels *l, edgeops_time time) {
    const span *newest = NULL;
    size_t kept = 0;
    while (l->next < l->count && l->spans[l->next].start <= time) {
        l->active[l->active_count++] = &l->spans[l->next++];
    }
    for (size_t i = 0; i < l->active_count; i++) {
        const span *s = l->active[i];
        if (s->end > time) {
            l->active[kept++] = s;
            newest = newest == NULL || s->place > newest->place ? s : newest;
        }
    }
    l->active_count = kept;
    return newest != NULL ? newest->label : NULL;
}

void eop_labels_close(eop_labels *l) {
    if (l != NULL) {
        for (size_t i = 0; i < l->count; i++) {
            eop_free(l->spans[i].label);
        }
        eop_free(l->spans);
        eop_free(l->active);
        eop_free(l);
    }
}
