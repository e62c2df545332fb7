/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: what a human or a system says about a time or an interval of an asset. They are kept
 * beside the samples, with their history; a dataset freezes those that are in force. */
#ifndef EDGEOPS_LABEL_H
#define EDGEOPS_LABEL_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** What someone says about a time or an interval of an asset. Labels are never changed: a
 *  correction is a label of its own, and what was taken back or replaced stays in the history. Each
 *  call that adds or takes back makes a new version of all labels, counted from 1. Passed in
 *  arrays: its size never changes; set all members that you do not use to 0. */
typedef struct edgeops_label {
    int64_t id; /**< given by the store, from 1; ignored when adding */
    const char *asset;
    edgeops_time start;
    edgeops_time end;     /**< exclusive; == start: a point in time */
    const char *label;    /**< 1..256 bytes of UTF-8 */
    const char *author;   /**< who says it, at most 256 bytes; "" if not known */
    edgeops_time created; /**< set by the store */
    const char *source;   /**< how it came, at most 256 bytes, such as "cli", "import:FILE" or
                             "mqtt:SOURCE/TOPIC"; NULL when adding: "api" */
    uint64_t version;     /**< of all labels, that its adding made; set by the store */
    int64_t replaces;     /**< id of the label that it corrects, 0 for none; set by the store */
    uint64_t
        withdrawn; /**< first version in which it is not in force, 0: it is; set by the store */
    int64_t place; /**< of the labels that cover one instant the one with the highest place wins:
                      its id, for a correction the place of what it corrects; set by the store */
} edgeops_label;

/** Adds n labels: all or none. Of two labels that cover one instant the newer one wins.
 *
 *  @param first_id  optional; id of the first label, the others have the next ones
 *  @param labels    copied; NULL when n is 0
 *  @param n         0 does nothing
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (end before start, bad text); EDGEOPS_E_NOTFOUND (asset);
 *          EDGEOPS_E_LIMIT (disk); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_add(int64_t *first_id,
                                                               edgeops_store *store,
                                                               const edgeops_label *labels,
                                                               size_t n);

/** What edgeops_label_add_new() did. Start with the INIT macro or the _init function. Append-only.
 *  */
typedef struct edgeops_label_result {
    size_t struct_size;
    uint64_t added;
    uint64_t duplicates; /**< labels that are there already: left out */
} edgeops_label_result;
#define EDGEOPS_LABEL_RESULT_INIT                                                                  \
    { sizeof(edgeops_label_result), 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_label_result_init(edgeops_label_result *result, size_t struct_size);

/** Adds those of n labels that are not there yet, all or none of them. For files that are imported
 *  twice and messages that are delivered twice. A label is there if one with the same asset, start,
 *  end, text and author is in force, was corrected since, or comes earlier among these n. One that
 *  was taken back is not there.
 *
 *  @param result  optional; untouched after a failure
 *  @param labels  copied; NULL when n is 0
 *  @param n       0 does nothing
 *  @return as edgeops_label_add()
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_add_new(edgeops_label_result *result,
                                                                   edgeops_store *store,
                                                                   const edgeops_label *labels,
                                                                   size_t n);

/** Corrects a label: adds one that replaces it and has its place among others that cover the same
 *  instants. Datasets keep what they were frozen with.
 *
 *  @param new_id  optional; id of the label that was added
 *  @param id      of a label that is in force
 *  @param label   copied; asset NULL or the same one; everything else as in edgeops_label_add()
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (as there, or another asset); EDGEOPS_E_NOTFOUND (no such
 *          label, or it was replaced or taken back: the message says which); EDGEOPS_E_IO;
 *          EDGEOPS_E_NOMEM
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_correct(int64_t *new_id,
                                                                   edgeops_store *store, int64_t id,
                                                                   const edgeops_label *label);

/** Gets one label of a walk. It may call the store: no lock is held.
 *
 *  @param label  borrowed for the call
 *  @return EDGEOPS_OK to go on; anything else ends the walk and is passed through */
typedef edgeops_status (*edgeops_label_fn)(const edgeops_label *label, void *user_data);

/** Which labels to walk. Start with the INIT macro or the _init function: they set the range to all
 *  times. Append-only. NULL or zero in any other member means no condition. */
typedef struct edgeops_label_query {
    size_t struct_size;
    const char *asset;  /**< name, in which '*' matches any run of characters unless `exact` */
    const char *label;  /**< exactly this text */
    const char *author; /**< exactly this one; "" for those without */
    edgeops_time start; /**< labels that cover an instant at or after this one */
    edgeops_time end;   /**< and before this one; EDGEOPS_TIME_MAX: to the last */
    uint64_t version;   /**< labels that were in force at this version; 0: now */
    int64_t id;         /**< not 0: this label, all that it corrects and all that correct it, sorted
                           by id; the other members are not read then */
    uint32_t history;   /**< not 0: also labels that are not in force any more */
    uint64_t limit;     /**< at most N labels; 0: all */
    int64_t after;      /**< not 0: go on after the label with this id, the last of a page */
    uint32_t exact;     /**< not 0: `asset` is a name; EDGEOPS_E_NOTFOUND when there is none */
    uint32_t reserved;  /**< 0, else EDGEOPS_E_INVALID */
} edgeops_label_query;
#define EDGEOPS_LABEL_QUERY_INIT                                                                   \
    {                                                                                              \
        sizeof(edgeops_label_query), NULL, NULL, NULL, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX, 0, 0,   \
            0, 0, 0, 0, 0                                                                          \
    }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_label_query_init(edgeops_label_query *query, size_t struct_size);

/** Walks labels, sorted by asset, start and id. Labels that are added during the walk are left out,
 *  unless with `history`.
 *
 *  @param version  optional; the version that was walked: give it in the query for the next page,
 *                  so that all pages show the same state
 *  @param query    NULL: all labels that are in force
 *  @param fn       called on this thread, inside the call
 *  @return EDGEOPS_OK, also without any; EDGEOPS_E_INVALID for a version that does not exist yet;
 *          EDGEOPS_E_NOTFOUND (`id`, `after`, or `asset` with `exact`); EDGEOPS_E_IO;
 *          EDGEOPS_E_NOMEM; what fn returned
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_list(uint64_t *version,
                                                                edgeops_store *store,
                                                                const edgeops_label_query *query,
                                                                edgeops_label_fn fn,
                                                                void *user_data);

/** Takes a label back: it is not in force any more, but stays in the history. Datasets keep what
 *  they were frozen with.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (no such label, or it was replaced or taken back);
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_remove(edgeops_store *store, int64_t id);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_LABEL_H */
