/* SPDX-License-Identifier: Apache-2.0 */
/* Labels for the rooms inside the library: their texts, painting them onto rows, and statistics.
 * Labels are in the catalog, under its lock; edgeops/label.h is the interface for hosts. */
#ifndef EOP_DATASET_LABEL_H
#define EOP_DATASET_LABEL_H

#include "catalog/catalog.h"
#include "catalog/names.h"
#include "edgeops/label.h"

typedef struct eop_label_name {
    char *name; /* first: eop_names */
    int32_t index;
    uint64_t rows;
} eop_label_name;

/** The different texts of labels, by index and by text. */
typedef struct eop_label_names {
    eop_names by_name;
    eop_label_name **items; /**< by index */
    size_t count;
    size_t capacity;
} eop_label_names;

void eop_label_names_dispose(eop_label_names *names);
/** Drops texts without rows and sorts the others; map[old index] is the new index. */
void eop_label_names_sort(eop_label_names *names, int32_t *map);

/** Copies the texts with the same indices; out is empty. */
edgeops_status eop_label_names_copy(eop_label_names *out, const eop_label_names *names);
/** Finds the index of a text; adds a new text. */
edgeops_status eop_label_name_index(int32_t *index, eop_label_names *names, const char *text);

/* -- a layer: for each of n ascending times an index, -1 for none. The label that counts most comes
 * first; a row keeps the first one it gets, and is passed over then, so that many labels on top of
 * each other cost no more than few. skip: n + 1 elements -- */
void eop_layer_begin(int32_t *out, uint32_t *skip, size_t n);
/** The rows that [start, end), or the instant start == end, covers; false: none. */
bool eop_layer_rows(size_t *from, size_t *to, const int64_t *times, size_t n, int64_t start,
                    int64_t end);
/** Whether one of the rows has no index yet. */
bool eop_layer_bare(uint32_t *skip, size_t from, size_t to);
void eop_layer_put(int32_t *out, uint32_t *skip, size_t from, size_t to, int32_t index);

/** What the statistics cover. */
typedef struct eop_label_stats_options {
    const char *pattern;               /**< matches assets; NULL: all */
    edgeops_time start;                /**< of labels and rows, inclusive */
    edgeops_time end;                  /**< exclusive */
    uint64_t version;                  /**< 0: now */
    size_t conflicts;                  /**< how many to list */
    bool (*canceled)(void *user_data); /**< optional */
    void *user_data;
} eop_label_stats_options;
/** Class counts and agreement of authors as JSON; label_stats.c has the formulas. Free with
 * eop_free. */
edgeops_status eop_label_stats(char **json, edgeops_store *store,
                               const eop_label_stats_options *options);

/** What edgeops_label_add_new() would do, which is then taken back: nothing changes. */
edgeops_status eop_label_try_new(edgeops_label_result *result, edgeops_store *store,
                                 const edgeops_label *labels, size_t n);

/** Under the catalog's lock: the id of an asset. E_NOTFOUND. */
edgeops_status eop_label_asset(int64_t *id, eop_catalog *catalog, const char *name);
/** The current version of the labels. */
edgeops_status eop_label_version(uint64_t *out, eop_catalog *catalog);
/** For each of the n ascending times: the index of the label in force at that version, -1 for none.
 * Adds new texts to names; does not count rows. */
edgeops_status eop_label_paint(int32_t *out, eop_label_names *names, eop_catalog *catalog,
                               uint32_t asset, uint64_t version, const int64_t *times, size_t n);

#endif /* EOP_DATASET_LABEL_H */
