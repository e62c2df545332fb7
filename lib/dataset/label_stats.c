/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the rows of each class, and how far authors agree. Reads an asset at a time in slices, so
 * that memory does not grow with the rows; no lock is held between two slices.
 *
 * The unit is the row: a label counts once for each sample that it covers. Of the labels of one
 * author (or of one source, where no author is named) that cover a row, the one with the highest
 * precedence counts, as in a dataset.
 *
 * Two authors, over the N rows that both of them labelled (J. Cohen, "A coefficient of agreement
 * for nominal scales", Educational and Psychological Measurement 20, 1960, 37-46):
 *
 *   agreement p_o = rows with the same label / N
 *   by chance p_e = sum over the labels k of (rows the first calls k) (rows the second calls k)
 *                   / N^2
 *   kappa         = (p_o - p_e) / (1 - p_e)
 *                   none where p_e = 1: both used one and the same label only
 *
 * n > 2 authors, over the N rows that all of them labelled; n_ik of them call row i k (J. L.
 * Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76, 1971,
 * 378-382):
 *
 *   agreement P = 1 / (N n (n - 1)) sum over i and k of n_ik (n_ik - 1)
 *   by chance P_e = sum over k of ((sum over i of n_ik) / (N n))^2
 *   kappa         = (P - P_e) / (1 - P_e) */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/json.h"
#include "dataset/label.h"
#include "edgeops/label.h"
#include "store/inner.h"
#include "store/read.h"

enum { ROWS = 8192, AUTHORS_MAX = 32, CLASSES_MAX = 4096 };

/* A label of the current asset. */
typedef struct span {
    int64_t start;
    int64_t end;
    int64_t place;
    int32_t name;
    int32_t author;
} span;

typedef struct class_count {
    uint64_t labels;
    uint64_t points;
    double seconds;
    uint64_t rows;
} class_count;

/* Two authors. */
typedef struct pair {
    uint64_t rows;
    uint64_t same;
    uint64_t *of[2]; /**< rows by label; NULL: no row in common yet */
} pair;

typedef struct author_count {
    uint64_t labels;
    uint64_t rows;
    int32_t *layer; /**< labels of the slice's rows; NULL: the author has none in this asset */
    uint32_t *skip;
} author_count;

/* Consecutive rows on which the same two authors disagree in the same way. */
typedef struct conflict {
    int64_t first;
    int64_t last;
    uint64_t rows; /**< 0: no conflict is open */
    int32_t said[AUTHORS_MAX];
} conflict;

typedef struct stats {
    edgeops_store *store;
    const eop_label_stats_options *options;
    eop_label_names names;
    class_count *classes;
    size_t class_capacity;
    eop_label_names authors;
    author_count by_author[AUTHORS_MAX];
    pair pairs[AUTHORS_MAX][AUTHORS_MAX]; /**< [a][b], a < b */
    pair all;                             /**< of[0]: ratings by label; same: sum n_ik (n_ik - 1) */
    char *asset;
    span *spans; /**< labels of the asset, by start */
    size_t span_count;
    size_t span_capacity;
    const span **active; /**< labels that may cover rows of the slice, highest precedence first */
    size_t active_count;
    int32_t *layer; /**< the labels that count among all authors */
    uint32_t *skip;
    conflict now;
    uint64_t assets;
    uint64_t labels;
    uint64_t rows;
    uint64_t conflicts;
    uint64_t conflict_rows;
    eop_json *list;
} stats;

static void drop_layers(stats *s) {
    for (size_t a = 0; a < AUTHORS_MAX; a++) {
        eop_free(s->by_author[a].layer);
        eop_free(s->by_author[a].skip);
        s->by_author[a].layer = NULL;
        s->by_author[a].skip = NULL;
    }
}

static void stats_free(stats *s) {
    if (s == NULL) {
        return;
    }
    drop_layers(s);
    for (size_t a = 0; a < AUTHORS_MAX; a++) {
        for (size_t b = a + 1; b < AUTHORS_MAX; b++) {
            eop_free(s->pairs[a][b].of[0]);
            eop_free(s->pairs[a][b].of[1]);
        }
    }
    eop_free(s->all.of[0]);
    eop_label_names_dispose(&s->names);
    eop_label_names_dispose(&s->authors);
    eop_free(s->classes);
    eop_free(s->asset);
    eop_free(s->spans);
    eop_free(s->active);
    eop_free(s->layer);
    eop_free(s->skip);
    eop_json_free(s->list);
    eop_free(s);
}

/* -- conflicts -- */

static void end_conflict(stats *s) {
    conflict *c = &s->now;
    if (c->rows == 0) {
        return;
    }
    s->conflict_rows += c->rows;
    if (s->conflicts++ < s->options->conflicts) {
        eop_json *item = eop_json_object();
        eop_json *said = eop_json_object();
        eop_json_set_string(item, "asset", s->asset);
        eop_json_set_time(item, "first", c->first);
        eop_json_set_time(item, "last", c->last);
        eop_json_set_integer(item, "rows", (int64_t)c->rows);
        for (size_t a = 0; a < s->authors.count; a++) {
            if (c->said[a] >= 0) {
                eop_json_set_string(said, s->authors.items[a]->name,
                                    s->names.items[c->said[a]]->name);
            }
        }
        eop_json_set(item, "said", said);
        eop_json_append(s->list, item);
    }
    c->rows = 0;
}

static void note_row(stats *s, int64_t time, const int32_t *said, bool differ) {
    conflict *c = &s->now;
    size_t size = s->authors.count * sizeof *said;
    if (c->rows > 0 && (!differ || memcmp(c->said, said, size) != 0)) {
        end_conflict(s);
    }
    if (differ) {
        c->first = c->rows == 0 ? time : c->first;
        c->last = time;
        c->rows++;
        memcpy(c->said, said, size);
    }
}

/* -- rows -- */

static edgeops_status make_counts(pair *p, uint32_t sides) {
    for (uint32_t i = 0; i < sides; i++) {
        if (p->of[i] == NULL && (p->of[i] = eop_calloc(CLASSES_MAX, sizeof *p->of[i])) == NULL) {
            return eop_fail_nomem("store");
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status compare_two(stats *s, size_t a, size_t b, int32_t x, int32_t y) {
    pair *p = &s->pairs[a][b];
    edgeops_status status = p->rows == 0 ? make_counts(p, 2) : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        p->rows++;
        p->same += x == y;
        p->of[0][x]++;
        p->of[1][y]++;
    }
    return status;
}

/* For a row that all authors labelled. */
static edgeops_status compare_all(stats *s, const int32_t *said) {
    edgeops_status status = s->all.rows == 0 ? make_counts(&s->all, 1) : EDGEOPS_OK;
    for (size_t a = 0; status == EDGEOPS_OK && a < s->authors.count; a++) {
        s->all.of[0][said[a]]++;
        for (size_t b = 0; b < s->authors.count; b++) {
            s->all.same += a != b && said[a] == said[b];
        }
    }
    s->all.rows++;
    return status;
}

static edgeops_status compare_row(stats *s, int64_t time, size_t row) {
    int32_t said[AUTHORS_MAX];
    size_t n = s->authors.count;
    size_t count = 0;
    bool differ = false;
    edgeops_status status = EDGEOPS_OK;
    for (size_t a = 0; a < n; a++) {
        author_count *author = &s->by_author[a];
        said[a] = author->layer != NULL ? author->layer[row] : -1;
        author->rows += said[a] >= 0;
        count += said[a] >= 0;
    }
    for (size_t a = 0; count > 1 && a < n; a++) {
        for (size_t b = a + 1; said[a] >= 0 && status == EDGEOPS_OK && b < n; b++) {
            if (said[b] >= 0) {
                differ = differ || said[a] != said[b];
                status = compare_two(s, a, b, said[a], said[b]);
            }
        }
    }
    if (status == EDGEOPS_OK && count == n && n > 2) {
        status = compare_all(s, said);
    }
    note_row(s, time, said, differ);
    return status;
}

static int by_place(const void *a, const void *b) {
    const span *x = *(const span *const *)a;
    const span *y = *(const span *const *)b;
    return (x->place < y->place) - (x->place > y->place);
}

/* Finds the labels that may cover a time in [first, last]; *next: the first label that begins
 * later. */
static void find_active(stats *s, size_t *next, int64_t first, int64_t last) {
    size_t kept = 0;
    for (size_t i = 0; i < s->active_count; i++) {
        if (s->active[i]->end >= first) {
            s->active[kept++] = s->active[i];
        }
    }
    for (; *next < s->span_count && s->spans[*next].start <= last; ++*next) {
        if (s->spans[*next].end >= first) {
            s->active[kept++] = &s->spans[*next];
        }
    }
    s->active_count = kept;
    qsort(s->active, kept, sizeof *s->active, by_place);
}

static edgeops_status count_slice(stats *s, size_t *next, const int64_t *times, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    find_active(s, next, times[0], times[n - 1]);
    eop_layer_begin(s->layer, s->skip, n);
    for (size_t a = 0; a < s->authors.count; a++) {
        if (s->by_author[a].layer != NULL) {
            eop_layer_begin(s->by_author[a].layer, s->by_author[a].skip, n);
        }
    }
    for (size_t i = 0; i < s->active_count; i++) {
        const span *sp = s->active[i];
        author_count *author = &s->by_author[sp->author];
        size_t from = 0;
        size_t to = 0;
        if (eop_layer_rows(&from, &to, times, n, sp->start, sp->end)) {
            eop_layer_put(s->layer, s->skip, from, to, sp->name);
            eop_layer_put(author->layer, author->skip, from, to, sp->name);
        }
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (s->layer[i] >= 0) {
            s->rows++;
            s->classes[s->layer[i]].rows++;
        }
        status = compare_row(s, times[i], i);
    }
    return status;
}

/* Reads the times of the next rows of an asset. Never splits rows of one time, so that the next
 * read begins behind them. *more: rows are left. */
static edgeops_status read_times(eop_rows *rows, bool *more, edgeops_store *store,
                                 eop_selection *want) {
    for (want->limit = ROWS;; want->limit *= 2) {
        eop_rows_clear(rows);
        edgeops_status status = eop_store_read_rows(rows, store, want);
        size_t n = rows->rows;
        *more = status == EDGEOPS_OK && n >= want->limit;
        if (!*more) {
            return status;
        }
        int64_t last = rows->times[n - 1];
        n = eop_times_lower(rows->times, n, last);
        if (n > 0) {
            rows->rows = n;
            want->from = last;
            return EDGEOPS_OK;
        }
    }
}

static bool is_canceled(const stats *s) {
    return s->options->canceled != NULL && s->options->canceled(s->options->user_data);
}

static edgeops_status make_layers(stats *s, size_t rows, size_t *capacity) {
    if (rows <= *capacity) {
        return EDGEOPS_OK;
    }
    *capacity = rows;
    int32_t *layer = eop_realloc_array(s->layer, rows, sizeof *layer);
    s->layer = layer != NULL ? layer : s->layer;
    uint32_t *skip = eop_realloc_array(s->skip, rows + 1, sizeof *skip);
    s->skip = skip != NULL ? skip : s->skip;
    bool good = layer != NULL && skip != NULL;
    drop_layers(s);
    for (size_t i = 0; good && i < s->span_count; i++) {
        author_count *author = &s->by_author[s->spans[i].author];
        if (author->layer == NULL) {
            author->layer = eop_calloc(rows, sizeof *author->layer);
            author->skip = eop_calloc(rows + 1, sizeof *author->skip);
            good = author->layer != NULL && author->skip != NULL;
        }
    }
    return good ? EDGEOPS_OK : eop_fail_nomem("store");
}

static edgeops_status count_rows(stats *s, uint32_t asset) {
    static const uint32_t no_channels[1] = {UINT32_MAX};
    eop_selection want = {.asset = asset, .max_ordinal = UINT64_MAX, .channels = no_channels};
    eop_rows rows = {0};
    size_t next = 0;
    size_t capacity = 0;
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < s->span_count; i++) {
        last = s->spans[i].end > last ? s->spans[i].end : last;
    }
    if (!eop_time_bounds(&want.from, &want.to, s->options->start, s->options->end)) {
        return EDGEOPS_OK;
    }
    want.from = s->spans[0].start > want.from ? s->spans[0].start : want.from;
    want.to = last < want.to ? last : want.to;
    edgeops_status status = EDGEOPS_OK;
    for (bool more = want.from <= want.to; status == EDGEOPS_OK && more;) {
        status = is_canceled(s) ? eop_fail(EDGEOPS_E_CANCELED, "store", "ended on request")
                                : read_times(&rows, &more, s->store, &want);
        if (status == EDGEOPS_OK && rows.rows > 0) {
            status = make_layers(s, rows.rows, &capacity);
            if (status == EDGEOPS_OK) {
                status = count_slice(s, &next, rows.times, rows.rows);
            }
        }
    }
    end_conflict(s);
    eop_rows_dispose(&rows);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status; /* removed meanwhile */
}

/* -- labels -- */

/* Counts the asset, whose labels are all collected. */
static edgeops_status end_asset(stats *s) {
    edgeops_status status = EDGEOPS_OK;
    if (s->span_count == 0) {
        return EDGEOPS_OK;
    }
    const span **active = eop_realloc_array((void *)s->active, s->span_count, sizeof *active);
    if (active == NULL) {
        return eop_fail_nomem("store");
    }
    s->active = active;
    s->active_count = 0;
    const eop_asset *asset = eop_asset_list_find(eop_store_lock_assets(s->store), s->asset);
    uint32_t id = asset != NULL ? asset->id : 0;
    eop_store_unlock_assets(s->store);
    if (id != 0) {
        status = count_rows(s, id);
    }
    s->assets++;
    s->span_count = 0;
    drop_layers(s);
    return status;
}

static edgeops_status author_of(int32_t *out, stats *s, const edgeops_label *label) {
    char *name =
        label->author[0] != '\0' ? eop_strdup(label->author) : eop_format("(%s)", label->source);
    if (name == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_label_name_index(out, &s->authors, name);
    eop_free(name);
    if (status == EDGEOPS_OK && s->authors.count > AUTHORS_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store",
                          "more than %d authors and sources have labelled these assets: name fewer "
                          "assets",
                          AUTHORS_MAX);
    }
    return status;
}

static edgeops_status note_label(const edgeops_label *label, void *user_data) {
    stats *s = user_data;
    span sp = {.start = label->start, .end = label->end, .place = label->place};
    edgeops_status status = EDGEOPS_OK;
    if (s->asset == NULL || strcmp(s->asset, label->asset) != 0) {
        status = end_asset(s);
        eop_free(s->asset);
        s->asset = eop_strdup(label->asset);
        if (status != EDGEOPS_OK || s->asset == NULL) {
            return status != EDGEOPS_OK ? status : eop_fail_nomem("store");
        }
    }
    status = eop_label_name_index(&sp.name, &s->names, label->label);
    if (status == EDGEOPS_OK && s->names.count > CLASSES_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store",
                          "these assets have more than %d different labels: name fewer assets",
                          CLASSES_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = author_of(&sp.author, s, label);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    size_t before = s->class_capacity;
    if (!eop_grow(&s->classes, &s->class_capacity, s->names.count, sizeof *s->classes) ||
        !eop_grow(&s->spans, &s->span_capacity, s->span_count + 1, sizeof *s->spans)) {
        return eop_fail_nomem("store");
    }
    memset(s->classes + before, 0, (s->class_capacity - before) * sizeof *s->classes);
    s->spans[s->span_count++] = sp;
    s->labels++;
    s->by_author[sp.author].labels++;
    s->classes[sp.name].labels++;
    s->classes[sp.name].points += sp.start == sp.end;
    s->classes[sp.name].seconds += ((double)sp.end - (double)sp.start) / 1e9;
    return EDGEOPS_OK;
}

/* -- the answer -- */

static int by_text(const void *a, const void *b) {
    return strcmp((*(eop_label_name *const *)a)->name, (*(eop_label_name *const *)b)->name);
}

static eop_json *classes_json(stats *s) {
    eop_json *array = eop_json_array();
    if (s->names.count > 0) {
        qsort(s->names.items, s->names.count, sizeof *s->names.items, by_text);
    }
    for (size_t i = 0; i < s->names.count; i++) {
        const class_count *c = &s->classes[s->names.items[i]->index];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "label", s->names.items[i]->name);
        eop_json_set_integer(item, "labels", (int64_t)c->labels);
        eop_json_set_integer(item, "points", (int64_t)c->points);
        eop_json_set_number(item, "seconds", c->seconds);
        eop_json_set_integer(item, "rows", (int64_t)c->rows);
        eop_json_append(array, item);
    }
    return array;
}

static eop_json *authors_json(const stats *s) {
    eop_json *array = eop_json_array();
    for (size_t a = 0; a < s->authors.count; a++) {
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "author", s->authors.items[a]->name);
        eop_json_set_integer(item, "labels", (int64_t)s->by_author[a].labels);
        eop_json_set_integer(item, "rows", (int64_t)s->by_author[a].rows);
        eop_json_append(array, item);
    }
    return array;
}

static void set_kappa(eop_json *item, double agreement, double by_chance) {
    eop_json_set_number(item, "agreement", agreement);
    if (by_chance < 1.0) {
        eop_json_set_number(item, "kappa", (agreement - by_chance) / (1.0 - by_chance));
    } else {
        eop_json_set_string(item, "kappa", NULL);
    }
}

static eop_json *pair_json(const stats *s, size_t a, size_t b) {
    const pair *p = &s->pairs[a][b];
    eop_json *item = eop_json_object();
    double n = (double)p->rows;
    double by_chance = 0;
    for (size_t k = 0; k < s->names.count; k++) {
        by_chance += (double)p->of[0][k] / n * ((double)p->of[1][k] / n);
    }
    eop_json_set_string(item, "first", s->authors.items[a]->name);
    eop_json_set_string(item, "second", s->authors.items[b]->name);
    eop_json_set_integer(item, "rows", (int64_t)p->rows);
    set_kappa(item, (double)p->same / n, by_chance);
    return item;
}

static eop_json *pairs_json(const stats *s) {
    eop_json *array = eop_json_array();
    for (size_t a = 0; a < s->authors.count; a++) {
        for (size_t b = a + 1; b < s->authors.count; b++) {
            if (s->pairs[a][b].rows > 0) {
                eop_json_append(array, pair_json(s, a, b));
            }
        }
    }
    return array;
}

static eop_json *all_json(const stats *s) {
    eop_json *item = eop_json_object();
    double n = (double)s->authors.count;
    double rows = (double)s->all.rows;
    double by_chance = 0;
    for (size_t k = 0; k < s->names.count; k++) {
        double share = (double)s->all.of[0][k] / (rows * n);
        by_chance += share * share;
    }
    eop_json_set_integer(item, "authors", (int64_t)s->authors.count);
    eop_json_set_integer(item, "rows", (int64_t)s->all.rows);
    set_kappa(item, (double)s->all.same / (rows * n * (n - 1)), by_chance);
    return item;
}

static edgeops_status print_stats(char **json, stats *s, uint64_t version) {
    eop_json *root = eop_json_object();
    eop_json *conflicts = eop_json_object();
    eop_json_set_integer(root, "version", (int64_t)version);
    eop_json_set_integer(root, "assets", (int64_t)s->assets);
    eop_json_set_integer(root, "labels", (int64_t)s->labels);
    eop_json_set_integer(root, "rows", (int64_t)s->rows);
    eop_json_set(root, "authors", authors_json(s));
    eop_json_set(root, "pairs", pairs_json(s));
    if (s->all.rows > 0) {
        eop_json_set(root, "all", all_json(s));
    }
    /* Last, because it sorts the names and so invalidates all indices. */
    eop_json_set(root, "classes", classes_json(s));
    eop_json_set_integer(conflicts, "count", (int64_t)s->conflicts);
    eop_json_set_integer(conflicts, "rows", (int64_t)s->conflict_rows);
    eop_json_set(conflicts, "items", s->list);
    s->list = NULL;
    eop_json_set(root, "conflicts", conflicts);
    char *text = eop_json_print(root);
    eop_json_free(root);
    if (text == NULL) {
        return eop_fail_nomem("store");
    }
    *json = text;
    return EDGEOPS_OK;
}

edgeops_status eop_label_stats(char **json, edgeops_store *store,
                               const eop_label_stats_options *options) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    uint64_t version = 0;
    stats *s = eop_calloc(1, sizeof *s);
    if (s == NULL) {
        return eop_fail_nomem("store");
    }
    s->store = store;
    s->options = options;
    s->list = eop_json_array();
    query.asset = options->pattern;
    query.start = options->start;
    query.end = options->end;
    query.version = options->version;
    edgeops_status status = edgeops_label_list(&version, store, &query, note_label, s);
    if (status == EDGEOPS_OK) {
        status = end_asset(s);
    }
    if (status == EDGEOPS_OK) {
        status = print_stats(json, s, version);
    }
    stats_free(s);
    return status;
}
