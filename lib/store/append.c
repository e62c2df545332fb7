/* SPDX-License-Identifier: Apache-2.0 */
/* Appends samples: resolves names to assets and channels and values to cells, then changes
 * memtable, catalog and journal, all or nothing. One append at a time, under `lock`; it notes what
 * it touched, so that it can be rolled back. Waiting for the disk and telling watchers happen after
 * the lock. */
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "column/chunk.h"
#include "journal/table_frame.h"
#include "store/append.h"
#include "store/birth.h"
#include "store/blob.h"
#include "store/blob_sync.h"
#include "store/compare.h"
#include "store/convert.h"
#include "store/durable.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/verdict.h"
#include "store/watch.h"

#define WHOLE_ROWS "predictions/" /* assets below it take no parts */

/* An asset that this call appends to, with its state before. */
typedef struct touch {
    eop_series *series;
    const char *name; /* the caller's */
    size_t sample;    /* its first sample */
    bool made;        /* by this call */
    uint32_t channel_count;
    eop_extent all;
    int64_t seen;
    const eop_block *block; /* the newest one; it had block_arrivals arrivals */
    size_t block_arrivals;
    uint64_t arrivals; /* rows and later parts of this call */
} touch;

/* What watchers are told about an asset. */
typedef struct news {
    const char *asset;
    uint64_t ordinal;
} news;

struct eop_append_scratch {
    eop_buf frame;
    eop_converter converter;
    eop_cell cells[EOP_CHANNELS_MAX];
    touch *touches;
    size_t touch_count;
    size_t touch_capacity;
    size_t turn; /* the touch that was used last */
    uint64_t call;
    int64_t limit;  /* times after it are ahead of the clock */
    bool new_names; /* some assets or channels are not in the catalog yet */
    bool known;     /* some cells were stored already */
    size_t loose;   /* blobs that are not on the disk yet */
    edgeops_append_result result;
    eop_verdicts verdicts;
};

void eop_append_scratch_free(eop_append_scratch *scratch) {
    if (scratch != NULL) {
        eop_buf_dispose(&scratch->frame);
        eop_buf_dispose(&scratch->converter.arrays);
        eop_free(scratch->touches);
        eop_verdicts_dispose(&scratch->verdicts);
        eop_free(scratch);
    }
}

/* -- names -- */

edgeops_status eop_check_asset_name(const char *name) {
    if (!eop_name_valid(name, strlen(name), EOP_ASSET_NAME_MAX)) {
        return eop_fail(
            EDGEOPS_E_INVALID, "store",
            "'%.220s' is not an asset name: 1 to %u bytes of UTF-8, no control characters, "
            "no empty level between '/'",
            name, EOP_ASSET_NAME_MAX);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_check_channel_name(const char *asset, const char *name) {
    if (!eop_name_valid(name, strlen(name), EOP_CHANNEL_NAME_MAX)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': '%.150s' is not a channel name: 1 to %u bytes of UTF-8, no "
                        "control characters, no empty level between '/'",
                        asset, name, EOP_CHANNEL_NAME_MAX);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_store_make_asset(eop_series **out, edgeops_store *store, const char *name) {
    uint64_t ordinal = 0;
    edgeops_status status = eop_check_asset_name(name);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_retired(&ordinal, &store->catalog, name);
    }
    if (status == EDGEOPS_OK) {
        status = eop_series_add(out, &store->assets, name, ordinal);
    }
    return status;
}

/* Later times are ahead of the clock. */
static int64_t clock_limit(const edgeops_store *store) {
    int64_t limit;
    return __builtin_add_overflow(eop_now(), store->options.ahead_limit, &limit) ? INT64_MAX
                                                                                 : limit;
}

static bool is_touched(const eop_append_scratch *scratch, size_t index, const char *name) {
    return index < scratch->touch_count &&
           strcmp(scratch->touches[index].series->asset.name, name) == 0;
}

/* Finds the asset of a sample and notes its state before. Samples of one asset mostly come
 * together, those of several in turn. */
static edgeops_status touch_asset(touch **out, edgeops_store *store, const char *name,
                                  size_t index) {
    eop_append_scratch *scratch = store->scratch;
    if (EOP_LIKELY(is_touched(scratch, scratch->turn, name))) {
        *out = &scratch->touches[scratch->turn];
        return EDGEOPS_OK;
    }
    scratch->turn = scratch->turn + 1 < scratch->touch_count ? scratch->turn + 1 : 0;
    if (is_touched(scratch, scratch->turn, name)) {
        *out = &scratch->touches[scratch->turn];
        return EDGEOPS_OK;
    }
    eop_series *series = eop_series_find(&store->assets, name);
    if (series != NULL && series->touch == scratch->call) {
        scratch->turn = series->touch_index;
        *out = &scratch->touches[scratch->turn];
        return EDGEOPS_OK;
    }
    if (!eop_grow(&scratch->touches, &scratch->touch_capacity, scratch->touch_count + 1,
                  sizeof *scratch->touches)) {
        return eop_fail_nomem("store");
    }
    bool made = series == NULL;
    if (made) {
        edgeops_status status = eop_store_make_asset(&series, store, name);
        if (status != EDGEOPS_OK) {
            return status;
        }
        scratch->new_names = true;
    }
    if (!series->seen_known) {
        bool good = series->all.rows > 0 && series->all.last <= scratch->limit;
        series->seen = good ? series->all.last : INT64_MIN;
        series->seen_known = true;
    }
    series->touch = scratch->call;
    series->touch_index = scratch->touch_count;
    scratch->turn = scratch->touch_count;
    *out = &scratch->touches[scratch->touch_count++];
    **out =
        (touch){.series = series,
                .name = name,
                .sample = index,
                .made = made,
                .channel_count = series->asset.channel_count,
                .all = series->all,
                .seen = series->seen,
                .block = series->newest,
                .block_arrivals = series->newest != NULL ? eop_block_arrivals(series->newest) : 0};
    return EDGEOPS_OK;
}

/* Parts of a row mostly come in the order of its channels: the channel behind the one that came at
 * this place before. NULL: it is another one. */
static eop_channel *next_channel(const eop_asset *asset, size_t index, const char *name) {
    if (index >= asset->layout_count) {
        return NULL;
    }
    uint32_t position = asset->layout[index] + 1u;
    eop_channel *channel = asset->channels[position < asset->channel_count ? position : 0];
    return channel->state == EOP_CHANNEL_LIVE && strcmp(channel->name, name) == 0 ? channel : NULL;
}

/* Finds or makes a channel. UINT32_MAX: it does not exist, and a null does not make it. */
static edgeops_status find_channel(uint32_t *out, edgeops_store *store, eop_asset *asset,
                                   size_t index, const char *name, const edgeops_value *value) {
    if (EOP_LIKELY(index < asset->layout_count &&
                   strcmp(asset->channels[asset->layout[index]]->name, name) == 0)) {
        *out = asset->layout[index];
        return EDGEOPS_OK;
    }
    eop_channel *channel = next_channel(asset, index, name);
    if (channel == NULL) {
        channel = eop_asset_channel(asset, name);
    }
    if (channel == NULL) {
        edgeops_status status = eop_check_channel_name(asset->name, name);
        if (status != EDGEOPS_OK || value->type == EDGEOPS_TYPE_NULL) {
            *out = UINT32_MAX;
            return status;
        }
        status = eop_asset_add_channel(asset, name, value->type, eop_value_length(value), "");
        if (status != EDGEOPS_OK) {
            return status;
        }
        store->scratch->new_names = true;
        channel = asset->channels[asset->channel_count - 1];
    }
    *out = channel->position;
    if (index <= asset->layout_count &&
        eop_grow(&asset->layout, &asset->layout_capacity, index + 1, sizeof *asset->layout)) {
        asset->layout[index] = (uint16_t)*out;
        asset->layout_count = index == asset->layout_count ? index + 1 : asset->layout_count;
    }
    return EDGEOPS_OK;
}

static edgeops_status fail_twice(const eop_asset *asset, const eop_channel *channel) {
    return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s': channel '%s' is given twice",
                    asset->name, channel->name);
}

/* Resolves the cells of a sample into scratch->cells. */
static edgeops_status resolve_cells(size_t *count, edgeops_store *store, eop_asset *asset,
                                    const edgeops_sample *sample) {
    eop_append_scratch *scratch = store->scratch;
    uint64_t stamp = ++store->assets.stamp;
    size_t n = 0;
    eop_buf_clear(&scratch->converter.arrays);
    for (size_t i = 0; i < sample->count; i++) {
        uint32_t position = 0;
        edgeops_status status =
            find_channel(&position, store, asset, i, sample->channels[i], &sample->values[i]);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (position == UINT32_MAX) {
            continue;
        }
        eop_channel *channel = asset->channels[position];
        if (channel->stamp == stamp) {
            return fail_twice(asset, channel);
        }
        channel->stamp = stamp;
        status = eop_convert(&scratch->cells[n].value, &scratch->converter, &sample->values[i],
                             asset, channel);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (scratch->cells[n].value.type != EDGEOPS_TYPE_NULL) {
            scratch->cells[n].quality =
                sample->qualities != NULL ? sample->qualities[i] : EDGEOPS_QUALITY_NONE;
            scratch->cells[n++].channel = position;
        }
    }
    if (EOP_UNLIKELY(scratch->converter.arrays.size > 0)) {
        eop_convert_place(&scratch->converter, scratch->cells, n);
    }
    *count = n;
    return EDGEOPS_OK;
}

/* -- is it there already? -- */

static bool is_expired(const eop_series *series, int64_t time) {
    return EOP_UNLIKELY(series->dropped > 0) && time <= series->until;
}

/* Predictions of one time belong together: parts of two runs must not become one row. */
static bool takes_parts(const eop_asset *asset) {
    return strncmp(asset->name, WHOLE_ROWS, sizeof WHOLE_ROWS - 1) != 0;
}

/* Compares the *n cells of a sample that is not newer than all with what is stored of it. MERGED:
 * those that are new remain. */
static edgeops_status judge_old(edgeops_outcome *out, size_t *n, edgeops_store *store,
                                eop_series *series, const edgeops_sample *sample) {
    eop_append_scratch *scratch = store->scratch;
    eop_compare compare;
    eop_search *search = &compare.search;
    eop_compare_begin(&compare, scratch->cells, *n, sample->time, sample->seq,
                      !takes_parts(&series->asset));
    edgeops_status status = eop_memtable_lookup(search, series);
    if (status == EDGEOPS_OK && !search->stop && !search->whole) {
        status = eop_lookup_find(search, &store->lookup, series, store->chunk_epoch);
    }
    scratch->known = scratch->known || compare.known;
    *n = compare.count;
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (compare.conflict != UINT32_MAX) {
        *out = EDGEOPS_OUTCOME_CONFLICT;
        scratch->result.conflicts++;
        return eop_verdicts_conflict(&scratch->verdicts,
                                     series->asset.channels[compare.conflict]->name,
                                     &compare.stored, compare.quality);
    }
    if (search->any && *n == 0) {
        *out = EDGEOPS_OUTCOME_DUPLICATE;
        scratch->result.duplicates++;
    } else if (is_expired(series, sample->time)) {
        *out = EDGEOPS_OUTCOME_EXPIRED;
        scratch->result.expired++;
    } else {
        *out = search->any ? EDGEOPS_OUTCOME_MERGED : EDGEOPS_OUTCOME_APPENDED;
        return EDGEOPS_OK;
    }
    return eop_verdicts_add(&scratch->verdicts, *out, 0, 0);
}

/* What becomes of a sample of *n cells. One that is left out is counted. */
static edgeops_status judge_sample(edgeops_outcome *out, size_t *n, edgeops_store *store,
                                   eop_series *series, const edgeops_sample *sample) {
    if (EOP_LIKELY(
            !is_expired(series, sample->time) &&
            (series->all.rows == 0 || eop_key_compare(sample->time, sample->seq, series->all.last,
                                                      series->all.last_seq) > 0))) {
        *out = EDGEOPS_OUTCOME_APPENDED;
        return EDGEOPS_OK;
    }
    return judge_old(out, n, store, series, sample);
}

/* -- the call -- */

/* Times ahead of the clock do not count as seen: one jump of a clock must not make all later
 * samples late. Returns the marks of the sample. */
static uint32_t note_time(eop_append_scratch *scratch, eop_series *series, int64_t time) {
    if (EOP_UNLIKELY(time > scratch->limit)) {
        scratch->result.ahead++;
        return EDGEOPS_MARK_AHEAD;
    }
    if (time < series->seen) {
        scratch->result.late++;
        return EDGEOPS_MARK_LATE;
    }
    series->seen = time;
    return 0;
}

edgeops_status eop_append_sample(edgeops_store *store, const edgeops_sample *sample, size_t index) {
    eop_append_scratch *scratch = store->scratch;
    touch *touched = NULL;
    size_t n = 0;
    edgeops_outcome outcome = EDGEOPS_OUTCOME_APPENDED;
    edgeops_status status = touch_asset(&touched, store, sample->asset, index);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_series *series = touched->series;
    uint32_t channel_count = series->asset.channel_count;
    bool new_names = scratch->new_names;
    status = resolve_cells(&n, store, &series->asset, sample);
    if (status == EDGEOPS_OK) {
        status = judge_sample(&outcome, &n, store, series, sample);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool merged = outcome == EDGEOPS_OUTCOME_MERGED;
    if (outcome != EDGEOPS_OUTCOME_APPENDED && !merged) {
        /* Only rows declare channels. */
        if (EOP_UNLIKELY(series->asset.channel_count > channel_count)) {
            eop_series_drop_channels(series, channel_count);
            scratch->new_names = new_names;
        }
        return EDGEOPS_OK;
    }
    eop_frame_row row = {.asset = series->asset.id,
                         .cell_count = (uint32_t)n,
                         .ordinal = series->all.ordinal + 1,
                         .time = sample->time,
                         .seq = sample->seq,
                         .later = merged};
    status = eop_memtable_push(series, store->active, &row, scratch->cells);
    if (status != EDGEOPS_OK) {
        return status;
    }
    touched->arrivals++;
    eop_frame_put(&scratch->frame, &row, scratch->cells);
    if (scratch->frame.failed) {
        return eop_fail_nomem("store");
    }
    scratch->result.appended += !merged;
    scratch->result.merged += merged;
    uint32_t marks = note_time(scratch, series, sample->time);
    return eop_verdicts_add(&scratch->verdicts, outcome, marks, row.ordinal);
}

/* Finds the channel of each column. DONE: a column and its channel differ in type. */
static edgeops_status place_columns(uint32_t *channels, edgeops_store *store, eop_asset *asset,
                                    const edgeops_table *table, const eop_rows *rows) {
    uint64_t stamp = ++store->assets.stamp;
    for (size_t k = 0; k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        bool null = vector->nulls == rows->rows;
        edgeops_value like = {.type = null ? EDGEOPS_TYPE_NULL : vector->type};
        uint32_t length = eop_vector_length(vector);
        like.size = null || length == 1 ? 0 : (uint32_t)eop_vector_row_bytes(vector);
        edgeops_status status =
            find_channel(&channels[k], store, asset, k, table->columns[k].name, &like);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (channels[k] == UINT32_MAX) {
            continue;
        }
        eop_channel *channel = asset->channels[channels[k]];
        if (channel->stamp == stamp) {
            return fail_twice(asset, channel);
        }
        channel->stamp = stamp;
        if (null) {
            channels[k] = UINT32_MAX;
        } else if (channel->type != vector->type || channel->length != length) {
            return EDGEOPS_DONE;
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_append_rows(edgeops_store *store, const edgeops_table *table, eop_rows *rows,
                               eop_buf *blocks, bool give) {
    eop_append_scratch *scratch = store->scratch;
    touch *touched = NULL;
    uint32_t channels[EOP_CHANNELS_MAX];
    edgeops_status status = touch_asset(&touched, store, table->asset, 0);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_series *series = touched->series;
    if (is_expired(series, rows->times[0]) ||
        (series->all.rows > 0 && eop_key_compare(rows->times[0], rows->seqs[0], series->all.last,
                                                 series->all.last_seq) <= 0)) {
        return EDGEOPS_DONE;
    }
    status = place_columns(channels, store, &series->asset, table, rows);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint64_t first_ordinal = series->all.ordinal + 1;
    rows->first_ordinal = first_ordinal;
    char *block = blocks->data;
    for (uint64_t at = 0; at < rows->rows; at += EOP_CHUNK_ROWS) {
        block = eop_table_frame_assign(block, series->asset.id, rows->first_ordinal + at, channels);
    }
    eop_buf_put(&scratch->frame, blocks->data, blocks->size);
    if (scratch->frame.failed) {
        return eop_fail_nomem("store");
    }
    size_t n = rows->rows;
    size_t ahead = n - eop_times_upper(rows->times, n, scratch->limit);
    int64_t newest = ahead < n ? rows->times[n - ahead - 1] : 0;
    status = eop_memtable_push_rows(series, store->active, rows, channels, give);
    if (status == EDGEOPS_OK) {
        touched->arrivals += n;
        scratch->result.appended += n;
        scratch->result.ahead += ahead;
        if (ahead < n) {
            (void)note_time(scratch, series, newest);
        }
    }
    for (size_t i = 0; scratch->verdicts.wanted && status == EDGEOPS_OK && i < n; i++) {
        status = eop_verdicts_add(&scratch->verdicts, EDGEOPS_OUTCOME_APPENDED,
                                  i >= n - ahead ? EDGEOPS_MARK_AHEAD : 0, first_ordinal + i);
    }
    return status;
}

/* Commits new assets and channels, before the frame that uses them is written. */
static edgeops_status commit_names(edgeops_store *store) {
    eop_append_scratch *scratch = store->scratch;
    edgeops_status status = eop_catalog_begin(&store->catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < scratch->touch_count; i++) {
        const touch *touched = &scratch->touches[i];
        if (touched->made) {
            status = eop_catalog_add_asset(&store->catalog, &touched->series->asset);
        }
        if (status == EDGEOPS_OK) {
            status = eop_catalog_add_channels(&store->catalog, &touched->series->asset,
                                              touched->channel_count);
        }
    }
    return eop_catalog_end(&store->catalog, status);
}

/* Removes all rows of this call; names too, unless they are in the catalog. */
static void roll_back(edgeops_store *store, bool names_too) {
    eop_append_scratch *scratch = store->scratch;
    for (size_t i = scratch->touch_count; i-- > 0;) {
        touch *touched = &scratch->touches[i];
        eop_series *series = touched->series;
        if (touched->arrivals > 0) {
            eop_memtable_pop(series, store->active,
                             series->newest == touched->block ? touched->block_arrivals : 0);
        }
        series->all = touched->all;
        series->seen = touched->seen;
        if (names_too) {
            eop_series_drop_channels(series, touched->channel_count);
            if (touched->made) {
                eop_asset_list_remove(&store->assets, &series->asset);
            }
        }
    }
}

/* Copies the list: the scratch belongs to the next append as soon as the lock is free. */
static edgeops_status reserve_news(news **list, const eop_append_scratch *scratch) {
    if (scratch->touch_count > 1) {
        *list = eop_realloc_array(NULL, scratch->touch_count, sizeof **list);
        if (*list == NULL) {
            return eop_fail_nomem("store");
        }
    }
    return EDGEOPS_OK;
}

/* Blobs that are to be synced; not for their segment to be written when they are many. */
static void note_loose(edgeops_store *store) {
    size_t before = store->loose_blobs;
    store->loose_blobs += store->scratch->loose;
    if (before < EOP_BLOBS_LOOSE && store->loose_blobs >= EOP_BLOBS_LOOSE) {
        eop_writer_wake(store);
    }
}

/* The frame must be in the journal. */
static size_t fill_news(news *list, edgeops_store *store) {
    const eop_append_scratch *scratch = store->scratch;
    uint64_t durable = eop_store_durable(store);
    size_t n = 0;
    for (size_t i = 0; i < scratch->touch_count; i++) {
        const touch *touched = &scratch->touches[i];
        if (touched->arrivals > 0) {
            eop_series_note_write(touched->series, touched->all.ordinal, store->writes, durable);
            if (EOP_LIKELY(scratch->loose == 0 &&
                           touched->series->blobs_synced == touched->all.ordinal)) {
                touched->series->blobs_synced = touched->series->all.ordinal;
            }
            list[n++] = (news){touched->name, touched->series->all.ordinal};
        }
    }
    note_loose(store);
    return n;
}

/* Under `lock`, which is free meanwhile. Waits for duplicates, too: the stored sample may not be on
 * the disk yet. Others may have appended since, and may report these rows first. */
static edgeops_status wait_durable(edgeops_store *store, news *list, size_t n) {
    edgeops_status status = eop_store_wait_synced(store, store->writes);
    uint64_t durable = eop_store_durable(store);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        const eop_series *series = eop_series_find(&store->assets, list[i].asset);
        list[i].ordinal = series != NULL ? eop_series_durable(series, durable) : 0;
    }
    return status;
}

/* *list: points to room for one, or to an allocated list. */
static edgeops_status append_locked(edgeops_store *store, eop_append_fn fn, void *input,
                                    bool verdicts, news **list) {
    eop_append_scratch *scratch = store->scratch;
    bool names_kept = false;
    edgeops_status status = EDGEOPS_OK;
    scratch->touch_count = 0;
    scratch->turn = 0;
    scratch->call++;
    scratch->new_names = false;
    scratch->known = false;
    scratch->loose = 0;
    scratch->result = (edgeops_append_result)EDGEOPS_APPEND_RESULT_INIT;
    scratch->limit = clock_limit(store);
    eop_verdicts_begin(&scratch->verdicts, verdicts);
    eop_buf_clear(&scratch->frame);
    if (eop_buf_reserve(&scratch->frame, EOP_FRAME_HEADER) == NULL) {
        /* Without clearing the failure every later append would fail as well. */
        eop_buf_dispose(&scratch->frame);
        return eop_fail_nomem("store");
    }
    scratch->frame.size = EOP_FRAME_HEADER;
    status = fn(store, input);
    if (status == EDGEOPS_OK) {
        status = reserve_news(list, scratch);
    }
    if (status == EDGEOPS_OK) {
        status = eop_verdicts_give(&scratch->result.verdicts, &scratch->result.verdict_count,
                                   &scratch->verdicts);
    }
    if (status == EDGEOPS_OK && scratch->new_names) {
        status = commit_names(store);
        names_kept = status == EDGEOPS_OK;
        if (names_kept) {
            eop_writer_sync_names(store);
        }
    }
    if (status == EDGEOPS_OK && scratch->result.appended + scratch->result.merged > 0) {
        status = eop_journal_write(store->journal, &scratch->frame);
        if (status == EDGEOPS_OK) {
            store->active->write = ++store->writes;
            if (EOP_UNLIKELY(store->sync_idle)) {
                store->sync_idle = false;
                eop_writer_wake(store);
            }
        }
    }
    if (status != EDGEOPS_OK) {
        roll_back(store, !names_kept);
        scratch->touch_count = 0;
        eop_free(scratch->result.verdicts);
    }
    if (scratch->frame.failed || scratch->frame.capacity > 1024 * 1024) {
        eop_buf_dispose(&scratch->frame);
    }
    return status;
}

/* Under `watch_lock`. */
static void tell_watchers(edgeops_store *store, const news *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (list[i].ordinal != 0) { /* 0: removed meanwhile */
            eop_watches_tell(store, list[i].asset, list[i].ordinal);
        }
    }
}

edgeops_status eop_append_run(edgeops_append_result *result, edgeops_store *store, size_t bound,
                              eop_append_fn fn, void *input,
                              const edgeops_append_options *options) {
    news one;
    news *list = &one;
    size_t list_count = 0;
    edgeops_append_result done = EDGEOPS_APPEND_RESULT_INIT;
    bool verdicts = result != NULL && options->verdicts != 0 &&
                    result->struct_size >= sizeof *result; /* otherwise nobody could free them */
    pthread_mutex_lock(&store->lock);
    edgeops_status status = eop_store_make_room(store, bound, options->wait);
    if (status == EDGEOPS_OK) {
        status = append_locked(store, fn, input, verdicts, &list);
    }
    if (status == EDGEOPS_OK) {
        done = store->scratch->result;
        list_count = fill_news(list, store);
    }
    if (status == EDGEOPS_OK && store->power) {
        status = wait_durable(store, list, list_count);
        list_count = status == EDGEOPS_OK ? list_count : 0;
    }
    if (list_count > 0) {
        /* Taken before `lock` is released: so watchers hear of rows in the order of their
         * ordinals. */
        pthread_mutex_lock(&store->watch_lock);
    }
    pthread_mutex_unlock(&store->lock);
    if (list_count > 0) {
        tell_watchers(store, list, list_count);
        pthread_mutex_unlock(&store->watch_lock);
    }
    if (list != &one) {
        eop_free(list);
    }
    if (status == EDGEOPS_OK) {
        eop_result_give(result, &done, sizeof done);
    } else {
        eop_free(done.verdicts);
    }
    return status;
}

typedef struct sample_list {
    const edgeops_sample *items;
    size_t count;
    eop_blobs blobs;
    bool old; /* some samples, or cells of them, were left out */
} sample_list;

/* DONE: the durability is POWER since the blobs were written, and they are not on the disk. */
static edgeops_status take_samples(edgeops_store *store, void *input) {
    sample_list *samples = input;
    eop_append_scratch *scratch = store->scratch;
    edgeops_status status = EDGEOPS_OK;
    if (EOP_UNLIKELY(samples->blobs.count > 0 && !samples->blobs.synced)) {
        if (store->power) {
            return EDGEOPS_DONE;
        }
        scratch->loose = samples->blobs.count;
    }
    scratch->converter.blobs = samples->blobs.items;
    for (size_t i = 0; status == EDGEOPS_OK && i < samples->count; i++) {
        status = eop_append_sample(store, &samples->items[i], i);
    }
    samples->old =
        scratch->known || scratch->result.appended + scratch->result.merged < samples->count;
    return status;
}

/* Files before rows. The file of a sample that is there already may have been missing: its row can
 * be in a chunk, and the next chunk would not ask for it, so it is synced at once. */
static edgeops_status append_blobs(edgeops_append_result *result, edgeops_store *store,
                                   size_t bound, sample_list *list,
                                   const edgeops_append_options *options) {
    edgeops_status status = eop_blob_begin(&list->blobs, store, list->items, list->count);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_append_run(result, store, bound, take_samples, list, options);
    if (status == EDGEOPS_DONE) {
        status = eop_blob_sync(store, &list->blobs);
        if (status == EDGEOPS_OK) {
            status = eop_append_run(result, store, bound, take_samples, list, options);
        }
    } else if (status == EDGEOPS_OK && list->old && list->blobs.fresh && !list->blobs.synced) {
        (void)eop_blob_sync(store, &list->blobs);
    }
    eop_blob_end(store, &list->blobs);
    return status;
}

void edgeops_append_options_init(edgeops_append_options *options, size_t struct_size) {
    const edgeops_append_options defaults = EDGEOPS_APPEND_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

void edgeops_append_result_init(edgeops_append_result *result, size_t struct_size) {
    const edgeops_append_result empty = EDGEOPS_APPEND_RESULT_INIT;
    eop_struct_init(result, struct_size, &empty, sizeof empty);
}

edgeops_status eop_append_take(edgeops_append_options *out, const edgeops_append_options *options,
                               const edgeops_append_result *result) {
    *out = (edgeops_append_options)EDGEOPS_APPEND_OPTIONS_INIT;
    edgeops_status status = EOP_STRUCT_TAKE(out, options, "store", EDGEOPS_APPEND_OPTIONS_INIT);
    if (status == EDGEOPS_OK) {
        status = eop_result_check(result, "store", "EDGEOPS_APPEND_RESULT_INIT");
    }
    if (status == EDGEOPS_OK && out->reserved != 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "store", "edgeops_append_options: reserved is not 0");
    }
    if (status == EDGEOPS_OK && out->wait == 0) {
        out->wait = 10 * EDGEOPS_SECOND;
    }
    return status;
}

static edgeops_status check_samples(size_t *bound, bool *has_blobs, const edgeops_sample *samples,
                                    size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = eop_sample_check(bound, has_blobs, &samples[i]);
    }
    return status;
}

edgeops_status edgeops_store_append(edgeops_append_result *result, edgeops_store *store,
                                    const edgeops_sample *samples, size_t n,
                                    const edgeops_append_options *options) {
    EOP_REQUIRE(store != NULL && (samples != NULL || n == 0), "store");
    EOP_STORE_REQUIRE_HERE(store);
    sample_list list = {.items = samples, .count = n};
    edgeops_append_options taken;
    bool has_blobs = false;
    size_t bound = 0;
    edgeops_status status = eop_append_take(&taken, options, result);
    if (status == EDGEOPS_OK) {
        status = check_samples(&bound, &has_blobs, samples, n);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (n == 0) {
        const edgeops_append_result nothing = EDGEOPS_APPEND_RESULT_INIT;
        eop_result_give(result, &nothing, sizeof nothing);
        return EDGEOPS_OK;
    }
    return EOP_LIKELY(!has_blobs)
               ? eop_append_run(result, store, bound, take_samples, &list, &taken)
               : append_blobs(result, store, bound, &list, &taken);
}

edgeops_status eop_append_scratch_new(eop_append_scratch **out) {
    *out = eop_calloc(1, sizeof **out);
    return *out != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}
