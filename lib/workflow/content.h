/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a package's files on its way from a folder, zip or tar to whoever wants it. Its
 * size and digest are taken on the way, once for all three forms. */
#ifndef EOP_WORKFLOW_CONTENT_H
#define EOP_WORKFLOW_CONTENT_H

#include "base/hash.h"
#include "workflow/entries.h"

enum { EOP_CONTENT_BLOCK = 64 << 10 };

/** Where the content of files goes. Any member may be NULL. */
typedef struct eop_sink {
    edgeops_status (*begin)(const eop_entry *entry, void *user_data);
    edgeops_status (*data)(const void *data, size_t size, void *user_data);
    edgeops_status (*end)(const eop_entry *entry, void *user_data);
    void *user_data;
} eop_sink;

/** One file. {0} is none; dispose it in any case. */
typedef struct eop_content {
    eop_entry *entry;
    const eop_sink *sink;
    eop_sha256 *hash;
    uint64_t size; /**< that came so far */
} eop_content;

edgeops_status eop_content_begin(eop_content *content, eop_entry *entry, const eop_sink *sink);
/** Passes on what entry->size has room for; the rest is counted only, so that the caller sees it
 * in `size`. */
edgeops_status eop_content_put(eop_content *content, const void *data, size_t size);
/** size is entry->size: puts the digest into the entry. */
edgeops_status eop_content_end(eop_content *content);
void eop_content_dispose(eop_content *content);

/** Gives a descriptor for an entry's content; whoever calls it closes it. */
typedef edgeops_status (*eop_open_source_fn)(int *fd, const eop_entry *entry, void *user_data);

#endif /* EOP_WORKFLOW_CONTENT_H */
