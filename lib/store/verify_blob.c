/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the file of each blob once and notes the damaged ones; then walks the rows and reports by
 * asset and channel which of their blobs are damaged or missing. */
#include "store/verify_blob.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/tree.h"
#include "store/blob.h"
#include "store/internal.h"

#define HINT                                                                                       \
    "append these samples again where their source still has them: that mends them; or restore "   \
    "the files from a backup; and look after the disk"

typedef struct bad {
    uint8_t digest[EOP_BLOB_DIGEST];
    bool used; /* a row refers to it */
} bad;

/* Blobs of one channel that cannot be read. */
typedef struct fault {
    uint32_t asset;
    uint32_t channel;
    uint64_t missing;
    uint64_t damaged;
    edgeops_time first;
    edgeops_time last;
    char why[256]; /* of the first one found */
} fault;

typedef struct check {
    edgeops_store *store;
    eop_verified *sum;
    const eop_verify_handler *handler;
    bad *bads; /* sorted once all are added */
    size_t bad_count;
    size_t bad_capacity;
    fault *faults;
    size_t fault_count;
    size_t fault_capacity;
} check;

/* -- files -- */

/* Of a file that no sample needs. A power cut leaves such ones with durability PROCESS: it takes
 * the bytes and the sample, and keeps the name. */
static void tell_file(const check *c, const char *path, const char *detail) {
    char *what = eop_format("blob %s", path);
    c->handler->finding(&(eop_finding){.what = what != NULL ? what : "blob",
                                       .detail = detail,
                                       .hint =
                                           "remove the file; where the power did not fail, look "
                                           "after the disk",
                                       .harmless = true},
                        c->handler->user_data);
    eop_free(what);
}

static edgeops_status add_bad(check *c, const uint8_t *digest) {
    if (!eop_grow(&c->bads, &c->bad_capacity, c->bad_count + 1, sizeof *c->bads)) {
        return eop_fail_nomem("store");
    }
    memcpy(c->bads[c->bad_count++].digest, digest, EOP_BLOB_DIGEST);
    c->bads[c->bad_count - 1].used = false;
    return EDGEOPS_OK;
}

/* "ab/REST": the digest in two parts. A half-written file has another name. */
static bool take_name(uint8_t *digest, char wanted[65], const char *path) {
    if (strlen(path) != 2 * EOP_BLOB_DIGEST + 1 || path[2] != '/') {
        return false;
    }
    memcpy(wanted, path, 2);
    memcpy(wanted + 2, path + 3, 2 * EOP_BLOB_DIGEST - 1);
    return eop_hex_take(digest, EOP_BLOB_DIGEST, wanted);
}

static edgeops_status check_file(const eop_tree_entry *entry, void *user_data) {
    check *c = user_data;
    uint8_t digest[EOP_BLOB_DIGEST];
    char wanted[65];
    char hex[65] = "";
    if (entry->folder || strchr(entry->path, '.') != NULL) {
        return EDGEOPS_OK;
    }
    c->sum->blobs++;
    if (!take_name(digest, wanted, entry->path)) {
        tell_file(c, entry->path, "has a name that no blob has: it takes room only");
        return EDGEOPS_OK;
    }
    char *path = eop_blob_path(c->store, digest);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    edgeops_status status = fd >= 0 ? eop_sha256_of_fd(hex, NULL, fd, path) : EDGEOPS_DONE;
    if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    if (status == EDGEOPS_E_NOMEM) {
        return status;
    }
    status = strcmp(hex, wanted) != 0 ? add_bad(c, digest) : EDGEOPS_OK;
    return status == EDGEOPS_OK ? c->handler->progress(0, c->handler->user_data) : status;
}

static int by_digest(const void *a, const void *b) {
    return memcmp(((const bad *)a)->digest, ((const bad *)b)->digest, EOP_BLOB_DIGEST);
}

static edgeops_status check_files(check *c) {
    char *folder = eop_path_join(c->store->home, EOP_BLOB_FOLDER);
    if (folder == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status =
        eop_file_exists(folder) ? eop_tree_walk(folder, check_file, c) : EDGEOPS_OK;
    eop_free(folder);
    if (c->bad_count > 1) {
        qsort(c->bads, c->bad_count, sizeof *c->bads, by_digest);
    }
    return status;
}

/* -- rows -- */

static fault *find_fault(check *c, uint32_t asset, uint32_t channel, edgeops_time time) {
    for (size_t i = c->fault_count; i-- > 0 && c->faults[i].asset == asset;) {
        if (c->faults[i].channel == channel) {
            return &c->faults[i];
        }
    }
    if (!eop_grow(&c->faults, &c->fault_capacity, c->fault_count + 1, sizeof *c->faults)) {
        return NULL;
    }
    fault *made = &c->faults[c->fault_count++];
    *made = (fault){.asset = asset, .channel = channel, .first = time, .last = time};
    snprintf(made->why, sizeof made->why, "%s", edgeops_error_last()->message);
    return made;
}

/* Looks again at those that were damaged: the same bytes may have been appended since. */
static edgeops_status check_blob(check *c, uint32_t asset, uint32_t channel, edgeops_time time,
                                 const edgeops_blob *blob) {
    bad *found = c->bad_count > 0
                     ? bsearch(blob->digest, c->bads, c->bad_count, sizeof *c->bads, by_digest)
                     : NULL;
    edgeops_status status = eop_blob_check(c->store, blob, found != NULL);
    if (found != NULL) {
        found->used = true;
    }
    if (status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM) {
        return status;
    }
    fault *f = find_fault(c, asset, channel, time);
    if (f == NULL) {
        return eop_fail_nomem("store");
    }
    f->missing += status == EDGEOPS_E_NOTFOUND;
    f->damaged += status != EDGEOPS_E_NOTFOUND;
    f->first = time < f->first ? time : f->first;
    f->last = time > f->last ? time : f->last;
    return EDGEOPS_OK;
}

static edgeops_status check_rows(uint32_t asset, const uint32_t *channels, const eop_rows *rows,
                                 void *user_data) {
    check *c = user_data;
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; rows != NULL && k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        for (size_t i = 0; status == EDGEOPS_OK && i < vector->filled; i++) {
            edgeops_blob blob;
            if (!eop_vector_is_null(vector, i)) {
                memcpy(&blob, (const char *)vector->data + i * sizeof blob, sizeof blob);
                status = check_blob(c, asset, channels[k], rows->times[i], &blob);
            }
        }
    }
    return status == EDGEOPS_OK ? c->handler->progress(0.5, c->handler->user_data) : status;
}

static void tell_fault(const check *c, const fault *f) {
    char detail[512];
    char *asset = NULL;
    char *channel = NULL;
    pthread_mutex_lock(&c->store->lock);
    const eop_asset *known = eop_asset_list_by_id(&c->store->assets, f->asset);
    if (known != NULL && f->channel < known->channel_count) {
        asset = eop_strdup(known->name);
        channel = eop_strdup(known->channels[f->channel]->name);
    }
    pthread_mutex_unlock(&c->store->lock);
    snprintf(detail, sizeof detail,
             "%" PRIu64 " samples lack a blob, %" PRIu64 " have a damaged one, the first: %s",
             f->missing, f->damaged, f->why);
    if (known != NULL) {
        c->handler->finding(&(eop_finding){.what = "blobs",
                                           .asset = asset,
                                           .channel = channel,
                                           .has_range = true,
                                           .first = f->first,
                                           .last = f->last,
                                           .detail = detail,
                                           .hint = HINT},
                            c->handler->user_data);
    }
    eop_free(asset);
    eop_free(channel);
}

edgeops_status eop_verify_blobs(eop_verified *sum, edgeops_store *store,
                                const eop_verify_handler *handler) {
    check c = {.store = store, .sum = sum, .handler = handler};
    edgeops_status status = check_files(&c);
    if (status == EDGEOPS_OK) {
        status = eop_blob_walk(store, check_rows, &c);
    }
    for (size_t i = 0; i < c.fault_count; i++) {
        tell_fault(&c, &c.faults[i]);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < c.bad_count; i++) {
        if (!c.bads[i].used) {
            char hex[2 * EOP_BLOB_DIGEST + 1];
            eop_hex_put(hex, c.bads[i].digest, EOP_BLOB_DIGEST);
            tell_file(&c, hex, "has other content than its name says; no sample has it");
        }
    }
    eop_free(c.bads);
    eop_free(c.faults);
    return status;
}
