/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the journal's rows that are not in chunks yet back into the memtable when a store is opened.
 * No other thread has the store yet, so no lock is needed. Rows of assets or channels that the
 * catalog does not know are left out and counted. */
#include "store/replay.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "column/chunk.h"
#include "journal/table_frame.h"
#include "store/internal.h"
#include "store/queue.h"

/* Makes the segment of that number the active one. */
static edgeops_status enter_segment(edgeops_store *store, uint64_t number) {
    if (store->active != NULL && store->active->number == number) {
        return EDGEOPS_OK;
    }
    eop_segment *segment = eop_calloc(1, sizeof *segment);
    if (segment == NULL) {
        return eop_fail_nomem("store");
    }
    segment->number = number;
    segment->write = 1;
    if (store->active != NULL) {
        eop_store_seal(store, store->active);
    }
    store->active = segment;
    return EDGEOPS_OK;
}

/* Whether the catalog knows the channels: after a power cut it may be older than the journal. */
static bool channels_fit(const eop_asset *asset, const eop_frame_row *row, const eop_cell *cells) {
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (cells[i].channel >= asset->channel_count ||
            !eop_channel_holds(asset->channels[cells[i].channel], &cells[i].value)) {
            return false;
        }
    }
    return true;
}

/* Notes that rows up to this ordinal use channels that the catalog does not know and are left
 * out. */
static void note_misfit(edgeops_store *store, eop_series *series, uint64_t ordinal) {
    series->torn = true;
    /* The ordinal must not be used again: the next row would be taken for this one. */
    series->all.ordinal = ordinal;
    store->misfits = true;
}

/* Notes ordinals that are missing in front of a row. */
static void note_loss(edgeops_store *store, eop_series *series, uint64_t ordinal) {
    if (ordinal == series->all.ordinal + 1) {
        return;
    }
    series->torn = true;
    if (store->loss_count < EOP_LOSSES_MAX) {
        store->losses[store->loss_count++] =
            (eop_loss){series->asset.id, series->all.ordinal + 1, ordinal - 1};
    }
}

static bool take_any(eop_search *search, const eop_rows *rows, size_t row) {
    (void)search;
    (void)rows;
    (void)row;
    return true;
}

/* The first part of a row may be among what is missing: then the row begins with what is left of
 * it, or nobody would count it. */
static edgeops_status find_first_part(eop_frame_row *row, edgeops_store *store,
                                      const eop_series *series) {
    eop_search search = {.time = row->time, .seq = row->seq, .found = take_any};
    edgeops_status status = eop_memtable_lookup(&search, series);
    if (status == EDGEOPS_OK && !search.any) {
        status = eop_lookup_find(&search, &store->lookup, series, store->chunk_epoch);
    }
    row->later = search.any;
    return status;
}

/* Decodes the columns of a block; leaves out those that no longer fit their channel. */
static edgeops_status decode_columns(eop_rows *rows, uint32_t *channels, eop_table_frame *frame,
                                     const eop_asset *asset) {
    eop_table_frame_column column;
    edgeops_status status = EDGEOPS_OK;
    while ((status = eop_table_frame_next(&column, frame)) == EDGEOPS_OK) {
        if (column.channel >= asset->channel_count ||
            asset->channels[column.channel]->type != column.type ||
            asset->channels[column.channel]->length != column.length) {
            return EDGEOPS_DONE;
        }
        status = eop_rows_add_vector(rows, column.type, column.length);
        if (status == EDGEOPS_OK) {
            channels[rows->vector_count - 1] = column.channel;
            status = eop_chunk_decode(&rows->vectors[rows->vector_count - 1], column.blob,
                                      column.size, frame->rows, 0, frame->rows);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return status == EDGEOPS_DONE ? eop_rows_complete(rows) : status;
}

/* Takes a block of rows off the front of *data and puts it into the memtable. E_CORRUPT:
 * malformed. */
static edgeops_status replay_table(edgeops_store *store, const char **data, const char *end) {
    uint32_t channels[EOP_CHANNELS_MAX];
    eop_table_frame frame;
    eop_rows rows = {0};
    edgeops_status status = eop_table_frame_open(&frame, data, end);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_series *series = eop_series_by_id(&store->assets, frame.asset);
    eop_asset_list_skip_id(&store->assets, frame.asset);
    if (series == NULL || frame.ordinal <= series->all.ordinal ||
        frame.ordinal > INT64_MAX - frame.rows) {
        /* Mostly an asset that was removed since, as below. */
        store->skipped_rows += frame.rows;
        return EDGEOPS_OK;
    }
    note_loss(store, series, frame.ordinal);
    status = eop_table_frame_keys(&rows, &frame);
    if (status == EDGEOPS_OK) {
        status = decode_columns(&rows, channels, &frame, &series->asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_memtable_push_rows(series, store->active, &rows, channels, true);
    } else if (status == EDGEOPS_DONE || eop_sql_unreadable(status)) {
        note_misfit(store, series, frame.ordinal + frame.rows - 1);
        store->skipped_rows += frame.rows;
        status = EDGEOPS_OK;
    }
    eop_rows_dispose(&rows);
    return status;
}

typedef struct replay {
    edgeops_store *store;
    eop_cell cells[EOP_CHANNELS_MAX];
} replay;

static edgeops_status replay_frame(uint64_t number, const char *payload, size_t size,
                                   void *user_data) {
    replay *r = user_data;
    edgeops_store *store = r->store;
    const char *end = payload + size;
    eop_series *series = NULL;
    edgeops_status status = enter_segment(store, number);
    if (status != EDGEOPS_OK) {
        return status;
    }
    store->active->bytes += size;
    for (;;) {
        eop_frame_row row;
        if (eop_table_frame_is_next(payload, end)) {
            status = replay_table(store, &payload, end);
            if (status == EDGEOPS_OK) {
                continue;
            }
            if (status != EDGEOPS_E_CORRUPT) {
                return status;
            }
            break;
        }
        status = eop_frame_next(&row, r->cells, &payload, end);
        if (status != EDGEOPS_OK) {
            break;
        }
        if (series == NULL || series->asset.id != row.asset) {
            series = eop_series_by_id(&store->assets, row.asset);
            eop_asset_list_skip_id(&store->assets, row.asset);
        }
        if (series == NULL || row.ordinal <= series->all.ordinal || row.ordinal > INT64_MAX) {
            /* Mostly rows of an asset that was removed since. */
            store->skipped_rows++;
            continue;
        }
        note_loss(store, series, row.ordinal);
        if (!channels_fit(&series->asset, &row, r->cells)) {
            note_misfit(store, series, row.ordinal);
            store->skipped_rows++;
            continue;
        }
        if (EOP_UNLIKELY(row.later && series->torn)) {
            status = find_first_part(&row, store, series);
        }
        if (status == EDGEOPS_OK) {
            status = eop_memtable_push(series, store->active, &row, r->cells);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (status == EDGEOPS_E_CORRUPT) {
        store->skipped_rows++;
    }
    return EDGEOPS_OK;
}

/* With durability POWER blobs were on the disk before their rows, and a close that the catalog knows
 * of synced them. Else those of the rows that came back are to be synced, and a power cut may have
 * left them incomplete. */
static edgeops_status note_blobs(edgeops_store *store) {
    int64_t durability = 0;
    edgeops_status status = eop_catalog_meta(&durability, &store->catalog, "durability");
    uint64_t closed = eop_journal_closed(store->journal);
    bool synced = durability == EDGEOPS_DURABILITY_POWER ||
                  (closed != 0 && closed == (uint64_t)store->journal_closed);
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        eop_series *series = eop_series_at(&store->assets, i);
        bool any = false;
        for (uint32_t k = 0; !any && k < series->asset.channel_count; k++) {
            any = series->asset.channels[k]->type == EDGEOPS_TYPE_BLOB;
        }
        if (any && !synced) {
            series->replayed = series->all.ordinal;
            store->loose_blobs += series->all.ordinal > series->blobs_synced;
        } else {
            series->blobs_synced = series->all.ordinal;
        }
    }
    return status;
}

/* The newest segment may have been begun just before the end: the one before it was full. */
static void fit_segments(edgeops_store *store) {
    const eop_segment *full = store->last_sealed != NULL ? store->last_sealed : store->active;
    if (full != NULL) {
        eop_store_fit_segments(store, full);
    }
}

edgeops_status eop_replay_journal(edgeops_store *store) {
    eop_journal_options options = {.segment_bytes = store->options.segment_bytes,
                                   .floor_bytes = store->options.free_floor_bytes,
                                   .read_only = store->access.status != EDGEOPS_OK};
    replay *r = eop_calloc(1, sizeof *r);
    char *folder = eop_path_join(store->home, "data/journal");
    edgeops_status status = EDGEOPS_OK;
    if (r == NULL || folder == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    r->store = store;
    options.folder = folder;
    status = eop_catalog_meta(&store->journal_closed, &store->catalog, "journal");
    if (status == EDGEOPS_OK) {
        options.closed = (uint64_t)store->journal_closed;
        status = eop_telemetry_applied(&options.applied, &store->writer);
    }
    if (status == EDGEOPS_OK) {
        status = eop_journal_open(&store->journal, &options, replay_frame, r);
    }
    if (status == EDGEOPS_OK && eop_journal_active(store->journal) != 0) {
        status = enter_segment(store, eop_journal_active(store->journal));
    } else if (status == EDGEOPS_OK && store->active != NULL) {
        /* The last file was put aside: the segment before it takes no more rows. */
        eop_store_seal(store, store->active);
        store->active = NULL;
    }
    if (status == EDGEOPS_OK) {
        fit_segments(store);
        status = note_blobs(store);
    }
out:
    eop_free(folder);
    eop_free(r);
    return status;
}
