/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: what a human or a system says about a time or an interval of an asset. They are kept
 * beside the samples, with their history; a dataset freezes those that are in force. */
#ifndef EDGEOPS_LABEL_H
#define EDGEOPS_LABEL_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** What someone says about a time or an interval of an asset. Labels are never changed: a
 *  correction is a label of its own, and what was taken back or replaced stays in the history. Each
 *  call that adds or takes back makes a new version of all labels, counted from 1. */
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
    uint64_t version;     /**< of the labels that it came with; set by the store */
    int64_t replaces;     /**< id of the label that it corrects, 0 for none; set by the store */
    uint64_t
        withdrawn; /**< version from which on it counts no more, 0: it does; set by the store */
    int64_t place; /**< of the labels that cover one instant the one with the highest place wins:
                      its id, for a correction the place of what it corrects; set by the store */
} edgeops_label;

/** Adds n labels: all or none. The newest of two labels that cover one instant wins.
 *
 *  @param first_id  optional; id of the first, the others follow
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (end before start, bad text); EDGEOPS_E_NOTFOUND (asset)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_add(int64_t *first_id,
                                                               edgeops_store *store,
                                                               const edgeops_label *labels,
                                                               size_t n);

/** What edgeops_label_add_new() did. Make it with the INIT macro. */
typedef struct edgeops_label_result {
    size_t struct_size;
    uint64_t added;
    uint64_t duplicates; /**< left out */
} edgeops_label_result;
#define EDGEOPS_LABEL_RESULT_INIT                                                                  \
    { sizeof(edgeops_label_result), 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_label_result_init(edgeops_label_result *result, size_t struct_size);

/** Adds those of n labels that are not there yet, all or none of them, so that it can be called
 *  again: for files that are imported twice and messages that are delivered twice. The same asset,
 *  start, end, text and author as a label that is in force, as one that was corrected since, or as
 *  an earlier one of these n: it is there. One that was taken back is not.
 *
 *  @param result  optional; untouched after a failure
 *  @return as edgeops_label_add()
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_add_new(edgeops_label_result *result,
                                                                   edgeops_store *store,
                                                                   const edgeops_label *labels,
                                                                   size_t n);

/** Corrects a label: adds one that takes its place and its rank among others that cover the same
 *  instants. What a dataset was frozen with stays.
 *
 *  @param new_id  optional
 *  @param id      one that is in force
 *  @param label   asset NULL or the same one; everything else as in edgeops_label_add()
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (as there, or another asset); EDGEOPS_E_NOTFOUND (no such
 *          label, or it was replaced or taken back: the detail tells by what)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_correct(int64_t *new_id,
                                                                   edgeops_store *store, int64_t id,
                                                                   const edgeops_label *label);

/** Borrowed for the call. Anything but EDGEOPS_OK ends the walk and is passed through. */
typedef edgeops_status (*edgeops_label_fn)(const edgeops_label *label, void *user_data);

/** Which labels to walk. Make it with the INIT macro; zero or NULL means no condition. */
typedef struct edgeops_label_query {
    size_t struct_size;
    const char *asset;  /**< name, '*' stands for any run of characters, unless `exact` */
    const char *label;  /**< exactly this text */
    const char *author; /**< exactly this one; "" for those without */
    edgeops_time start; /**< those that cover an instant from here on */
    edgeops_time end;   /**< and before this one; EDGEOPS_TIME_MAX: to the last */
    uint64_t version;   /**< those that were in force at this version; 0: now */
    int64_t id;         /**< this one with all that it corrects and that corrects it, by id; nothing
                           else is looked at then */
    uint32_t history;   /**< not 0: also what is not in force any more, at any version */
    uint64_t limit;     /**< the first N; 0: all */
    int64_t after;      /**< go on behind the label with this id, the last one of the page before */
    uint32_t exact;     /**< not 0: `asset` is a name; EDGEOPS_E_NOTFOUND when there is none */
    uint32_t reserved;  /**< 0 */
} edgeops_label_query;
#define EDGEOPS_LABEL_QUERY_INIT                                                                   \
    {                                                                                              \
        sizeof(edgeops_label_query), NULL, NULL, NULL, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX, 0, 0,   \
            0, 0, 0, 0, 0                                                                          \
    }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_label_query_init(edgeops_label_query *query, size_t struct_size);

/** Walks labels, sorted by asset, start and id; those that come while it walks are left out, unless
 *  with `history`.
 *
 *  @param version  optional; the version at which was looked: give it to get further pages of the
 *                  same state
 *  @param query    NULL: all that are in force
 *  @return EDGEOPS_OK (also with none); EDGEOPS_E_INVALID for a version that is yet to come;
 *          EDGEOPS_E_NOTFOUND (`id`, `after`, or `asset` with `exact`)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_list(uint64_t *version,
                                                                edgeops_store *store,
                                                                const edgeops_label_query *query,
                                                                edgeops_label_fn fn,
                                                                void *user_data);

/** Takes a label back. What a dataset was frozen with stays. EDGEOPS_E_NOTFOUND if there is none.
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_label_remove(edgeops_store *store, int64_t id);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_LABEL_H */
