/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of an import, which the readers of the formats fill. */
#ifndef EOP_NODE_FILES_IMPORT_H
#define EOP_NODE_FILES_IMPORT_H

#include "base/map.h"
#include "codec/table_options.h"
#include "node/control/call.h"
#include "node/control/job.h"

typedef struct eop_import_label {
    char *asset;
    char *label;
    edgeops_time start;
    edgeops_time end;
} eop_import_label;

typedef struct eop_import {
    edgeops_call *call;
    eop_table_args args;
    size_t batch;
    /* the rows of a batch; offsets stand for texts and pointers until it is complete */
    edgeops_sample *samples;
    size_t *first; /**< value of each sample */
    size_t *asset_at;
    size_t sample_count;
    const char **names;
    edgeops_value *values;
    size_t value_count;
    size_t value_capacity;
    size_t name_capacity;
    eop_buf text;
    eop_import_label *labels;
    size_t label_count;
    size_t label_capacity;
    eop_map known; /**< hashes of labels and assets that were seen */
    char **assets;
    size_t asset_count;
    size_t asset_capacity;
    char **kept; /**< names of channels that a decoder only lends */
    size_t kept_count;
    size_t kept_capacity;
    uint64_t rows;
    uint64_t labelled;
    edgeops_append_result sum;
} eop_import;

/** Puts a row into the batch. The names of its channels must stay until the batch is stored. */
edgeops_status eop_import_put(eop_import *w, const edgeops_sample *sample);
/** Whether the batch is full. */
bool eop_import_is_full(const eop_import *w);
/** Stores the batch and the labels so far. */
edgeops_status eop_import_flush(eop_import *w);
/** Stores the labels so far. */
edgeops_status eop_import_flush_labels(eop_import *w);
/** Adds up what an append did. */
void eop_import_add(eop_import *w, const edgeops_append_result *result);
/** The rows that follow are of this asset. */
edgeops_status eop_import_asset(eop_import *w, const char *asset);
/** A label, unless it is there already. */
edgeops_status eop_import_label_run(const char *asset, edgeops_time start, edgeops_time end,
                                    const char *label, void *import);
/** Notes a label that the store has already. user_data: the import. */
edgeops_status eop_import_know_label(const edgeops_label *label, void *user_data);
/** bytes: of the input so far; total: rows, 0 where they are not known. */
void eop_import_report(eop_job *job, const eop_import *w, uint64_t bytes, uint64_t total);

#endif /* EOP_NODE_FILES_IMPORT_H */
