/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and hashes contents between their source and the sink. Nothing of a content that is
 * longer than stated reaches the sink. */
#include "workflow/content.h"

#include "base/error.h"

edgeops_status eop_content_begin(eop_content *content, eop_entry *entry, const eop_sink *sink) {
    *content = (eop_content){.entry = entry, .sink = sink};
    edgeops_status status = eop_sha256_new(&content->hash);
    if (status == EDGEOPS_OK && sink->begin != NULL) {
        status = sink->begin(entry, sink->user_data);
    }
    return status;
}

edgeops_status eop_content_put(eop_content *content, const void *data, size_t size) {
    content->size += size;
    if (content->size > content->entry->size) {
        return EDGEOPS_OK;
    }
    eop_sha256_update(content->hash, data, size);
    return content->sink->data != NULL ? content->sink->data(data, size, content->sink->user_data)
                                       : EDGEOPS_OK;
}

edgeops_status eop_content_end(eop_content *content) {
    eop_sha256_finish(content->hash, content->entry->digest);
    content->hash = NULL;
    return content->sink->end != NULL ? content->sink->end(content->entry, content->sink->user_data)
                                      : EDGEOPS_OK;
}

void eop_content_dispose(eop_content *content) {
    eop_sha256_free(content->hash);
    content->hash = NULL;
}
