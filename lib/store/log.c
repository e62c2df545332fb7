/* SPDX-License-Identifier: Apache-2.0 */
/* Logs to the host: lines about background work, each damaged chunk once, and how many files of
 * blobs were mended. `wake_lock` guards the log, the list of damaged chunks and the count. No lock is
 * held while a line is written, because the log may block or call back. */
#include "store/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/locale.h"
#include "base/memory.h"
#include "journal/journal_file.h"
#include "store/internal.h"

enum { LINES_MAX = 8 };

void eop_store_log(edgeops_store *store, edgeops_log_level level, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    eop_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&store->wake_lock);
    eop_log log = store->log;
    pthread_mutex_unlock(&store->wake_lock);
    eop_log_write(&log, level, "store", "%s", text);
}

void eop_store_place_text(char text[EOP_PLACE_TEXT], const eop_place *place) {
    unsigned long long bytes = place->bytes;
    unsigned long long at = place->offset;
    switch (place->kind) {
    case EOP_PLACE_TORN:
        eop_snprintf(text, EOP_PLACE_TEXT,
                     "has %llu bytes at byte %llu that were not complete (normal after a crash or "
                     "power cut)",
                     bytes, at);
        break;
    case EOP_PLACE_FRAMES:
        eop_snprintf(text, EOP_PLACE_TEXT,
                     "is damaged: samples in %llu bytes from byte %llu on cannot be read", bytes,
                     at);
        break;
    case EOP_PLACE_HEADER:
        eop_snprintf(text, EOP_PLACE_TEXT,
                     "has a damaged header: its samples cannot be read, and it was put aside as "
                     "*.bad");
        break;
    case EOP_PLACE_MISSING:
        eop_snprintf(text, EOP_PLACE_TEXT, "is missing, with its samples");
        break;
    case EOP_PLACE_BEHIND:
        eop_snprintf(text, EOP_PLACE_TEXT,
                     "has %llu bytes behind its end at byte %llu; no sample is affected", bytes,
                     at);
        break;
    case EOP_PLACE_MARK:
        eop_snprintf(text, EOP_PLACE_TEXT,
                     "has a damaged end: %llu bytes at byte %llu; no sample is affected", bytes,
                     at);
        break;
    }
}

/* Writes a line for each of the journal's places of one sort, up to some. */
static void log_places(edgeops_store *store, const eop_log *log, bool torn) {
    size_t count = 0;
    int lines = 0;
    const eop_place *places = eop_journal_places(&count, store->journal);
    for (size_t i = 0; i < count && lines < LINES_MAX; i++) {
        char text[EOP_PLACE_TEXT];
        if ((places[i].kind == EOP_PLACE_TORN) != torn) {
            continue;
        }
        eop_store_place_text(text, &places[i]);
        eop_log_write(log, torn ? EDGEOPS_LOG_INFO : EDGEOPS_LOG_ERROR, "store",
                      "data/journal/" EOP_SEGMENT_NAME " %s", places[i].segment, text);
        lines++;
    }
}

/* Writes a line for each gap in the ordinals of the journal. */
static void log_losses(edgeops_store *store, const eop_log *log) {
    for (size_t i = 0; i < store->loss_count && i < LINES_MAX; i++) {
        const eop_loss *loss = &store->losses[i];
        char *name = NULL;
        pthread_mutex_lock(&store->lock);
        const eop_asset *asset = eop_asset_list_by_id(&store->assets, loss->asset);
        name = asset != NULL ? eop_strdup(asset->name) : NULL;
        pthread_mutex_unlock(&store->lock);
        if (name != NULL) {
            eop_log_write(log, EDGEOPS_LOG_WARN, "store",
                          "the journal lacks samples of '%s': those with the ordinals %llu to %llu",
                          name, (unsigned long long)loss->first, (unsigned long long)loss->last);
        }
        eop_free(name);
    }
}

void eop_store_set_log(edgeops_store *store, const eop_log *log) {
    pthread_mutex_lock(&store->wake_lock);
    store->log = *log;
    store->damaged_told = 0;
    store->woken = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
    pthread_mutex_lock(&store->lock);
    uint64_t damaged = eop_journal_damaged(store->journal);
    uint64_t torn = eop_journal_torn(store->journal);
    uint64_t skipped = store->skipped_rows;
    pthread_mutex_unlock(&store->lock);
    if (damaged > 0) {
        eop_log_write(log, EDGEOPS_LOG_ERROR, "store",
                      "the journal was damaged in %llu places; the rest was kept",
                      (unsigned long long)damaged);
    }
    if (torn > 0) {
        eop_log_write(log, EDGEOPS_LOG_INFO, "store",
                      "%llu bytes at the end of the journal were not complete (normal after a "
                      "crash or power cut)",
                      (unsigned long long)torn);
    }
    log_places(store, log, false);
    log_places(store, log, true);
    if (damaged + torn > 0) {
        log_losses(store, log);
    }
    if (skipped > 0) {
        eop_log_write(log, EDGEOPS_LOG_WARN, "store",
                      "%llu rows of the journal belong to no asset any more and were left out",
                      (unsigned long long)skipped);
    }
}

void eop_store_note_damage(int64_t chunk, void *user_data) {
    edgeops_store *store = user_data;
    pthread_mutex_lock(&store->wake_lock);
    size_t i = 0;
    while (i < store->damaged_count && store->damaged[i] != chunk) {
        i++;
    }
    if (i == store->damaged_count && i < EOP_DAMAGED_MAX) {
        store->damaged[store->damaged_count++] = chunk;
        store->woken = true;
        pthread_cond_signal(&store->wake);
    }
    pthread_mutex_unlock(&store->wake_lock);
}

void eop_store_note_mended(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    store->mended++;
    store->woken = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
}

static void log_mended(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    uint64_t news = store->mended - store->mended_told;
    store->mended_told = store->mended;
    pthread_mutex_unlock(&store->wake_lock);
    if (news > 0) {
        eop_store_log(store, EDGEOPS_LOG_WARN,
                      "%llu damaged files in '%s/data/blobs' were replaced as the same bytes were "
                      "appended again: look after the disk",
                      (unsigned long long)news, store->home);
    }
}

void eop_store_log_damage(edgeops_store *store) {
    log_mended(store);
    for (bool more = true; more;) {
        pthread_mutex_lock(&store->wake_lock);
        int64_t chunk = 0;
        more = store->damaged_told < store->damaged_count;
        if (more) {
            chunk = store->damaged[store->damaged_told++];
        }
        pthread_mutex_unlock(&store->wake_lock);
        if (more && chunk == 0) {
            eop_store_log(store, EDGEOPS_LOG_ERROR,
                          "'%s' is damaged where it says which chunks there are",
                          store->telemetry_path);
        } else if (more) {
            eop_store_log(store, EDGEOPS_LOG_ERROR,
                          "chunk %lld of '%s' is damaged: its samples cannot be read",
                          (long long)chunk, store->telemetry_path);
        }
    }
}
