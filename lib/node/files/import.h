/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of an import, which the readers of the formats fill. */
#ifndef EOP_NODE_FILES_IMPORT_H
#define EOP_NODE_FILES_IMPORT_H

#include "base/error.h"
#include "base/map.h"
#include "codec/table_options.h"
#include "node/control/call.h"
#include "node/control/job.h"
#include "node/files/arrow.h"
#include "node/files/bad_list.h"
#include "node/files/import_renumber.h"

typedef struct eop_import_label {
    char *asset;
    char *label;
    edgeops_time start;
    edgeops_time end;
} eop_import_label;

#define EOP_IMPORT_CONFLICTS 10u /* that are shown */

typedef struct eop_import {
    edgeops_call *call;
    eop_job *job;
    eop_table_args args;
    bool dry_run; /**< nothing is stored */
    size_t batch;
    /* the rows of a batch; offsets stand for texts and pointers until it is complete */
    edgeops_sample *samples;
    size_t *first; /**< value of each sample */
    size_t *asset_at;
    int64_t *seqs; /**< of the file, which may be others than the samples' */
    uint64_t *lines;
    size_t sample_count;
    const char **names;
    edgeops_value *values;
    uint16_t *qualities; /**< one a value */
    size_t value_count;
    size_t value_capacity;
    size_t name_capacity;
    size_t quality_capacity;
    bool has_qualities; /**< one of the batch is a code */
    eop_buf text;
    eop_import_label *labels;
    size_t label_count;
    size_t label_capacity;
    eop_map known; /**< hashes of labels and assets that were seen */
    char **assets;
    size_t asset_count;
    size_t asset_capacity;
    edgeops_asset_info *info; /**< of the asset that was asked for last; NULL: none */
    eop_json *conflicts;      /**< the first of them */
    eop_renumber renumber;
    uint64_t renumbered; /**< rows that went to another number than the file's */
    eop_json *report;    /**< of the reader: report.h; NULL: none */
    eop_json *warnings;  /**< beside those of the report */
    eop_arrow_end arrow; /**< that makes CSV of the input */
    int arrow_plan;      /**< what it says before; 0: none */
    eop_json *plan;
    eop_bad_list bad;
    uint64_t rows;
    uint64_t labelled;
    edgeops_append_result sum;
} eop_import;

/** Puts a row into the batch. The names of its channels must stay until the batch is stored. line:
 * of the input, 0 where it has none. */
edgeops_status eop_import_put(eop_import *w, const edgeops_sample *sample, uint64_t line);
/** Whether the batch is full. */
bool eop_import_is_full(const eop_import *w);
/** Whether the batch must be stored before this row is put into it. */
bool eop_import_must_flush(const eop_import *w, const edgeops_sample *sample);
/** Stores the batch and the labels so far. */
edgeops_status eop_import_flush(eop_import *w);
/** Stores the labels so far. */
edgeops_status eop_import_flush_labels(eop_import *w);
/** The rows that follow are of this asset. */
edgeops_status eop_import_asset(eop_import *w, const char *asset);
/** What the store knows of an asset, of a channel of it; kept, since questions about one asset come
 * together. NULL: there is none. */
const edgeops_asset_info *eop_import_info(eop_import *w, const char *asset);
const edgeops_channel_info *eop_import_channel(eop_import *w, const char *asset, const char *name);
/** Of a dry run: whether the batch fits what its assets hold. E_INVALID. */
edgeops_status eop_import_try(eop_import *w);
/** Declares what rows alone do not: channels without a value whose type is known, and units. Once,
 * behind the last row. */
edgeops_status eop_import_declare(eop_import *w, const eop_table_column *channels, size_t count);
/** Declares the channels of an asset that the store does not have yet, before its first rows. Does
 * nothing where several assets come. */
edgeops_status eop_import_order(eop_import *w, const eop_table_column *channels, size_t count);
/** An eop_table_known_fn; user_data: the import. */
bool eop_import_known(const char *asset, const char *channel, edgeops_type *type, uint32_t *length,
                      void *user_data);
/** An eop_table_bad_fn: a line of the list of bad rows; user_data: the import. */
void eop_import_bad(uint64_t line, const char *column, const char *reason, const char *text,
                    size_t size, void *user_data);
/** A label, unless it is there already. */
edgeops_status eop_import_label_run(const char *asset, edgeops_time start, edgeops_time end,
                                    const char *label, void *import);
/** Notes a label that the store has already. user_data: the import. */
edgeops_status eop_import_know_label(const edgeops_label *label, void *user_data);
/** Adds up what an append did. */
void eop_import_add(eop_import *w, const edgeops_append_result *result);
/** Looks up what is stored where the rows of the batch say something else, by appending them once
 * more: what is there is recognised. Not in a dry run. */
edgeops_status eop_import_conflicts(eop_import *w);
/** Appends those of the batch that the store contradicts under the next numbers of their times,
 * until none is left. */
edgeops_status eop_import_next_numbers(eop_import *w);
/** Looks up conflicts, too, for a table that was just stored. */
edgeops_status eop_import_table_conflicts(eop_import *w, const edgeops_table *table);
/** Puts the sentence about all of them among the warnings. */
void eop_import_tell_conflicts(eop_import *w);
/** bytes: of the input so far; total: rows, 0 where they are not known. */
void eop_import_progress(const eop_import *w, uint64_t bytes, uint64_t total);

#endif /* EOP_NODE_FILES_IMPORT_H */
