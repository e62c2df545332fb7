/* SPDX-License-Identifier: Apache-2.0 */
/* Which label covers which row. */
#ifndef EOP_STORE_LABEL_H
#define EOP_STORE_LABEL_H

#include "store/catalog_db.h"
#include "store/names.h"

typedef struct eop_label_name {
    char *name; /* first: eop_names */
    int32_t index;
    uint64_t rows;
} eop_label_name;

/** The different texts of labels. */
typedef struct eop_label_names {
    eop_names by_name;
    eop_label_name **items; /**< by index */
    size_t count;
    size_t capacity;
} eop_label_names;

void eop_label_names_dispose(eop_label_names *names);
/** Leaves out the ones without rows and sorts the others; map[old index] is the new one. */
void eop_label_names_sort(eop_label_names *names, int32_t *map);

/** The version that labels have now. */
edgeops_status eop_label_version(uint64_t *out, eop_catalog *catalog);
/** For each of the n ascending times the index of the label in force at that version, -1 for none.
 * New texts are added to names; their rows are not counted. */
edgeops_status eop_label_paint(int32_t *out, eop_label_names *names, eop_catalog *catalog,
                               uint32_t asset, uint64_t version, const int64_t *times, size_t n);

#endif /* EOP_STORE_LABEL_H */
