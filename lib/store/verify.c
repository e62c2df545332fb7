/* SPDX-License-Identifier: Apache-2.0 */
/* Reads everything the store has and reports what is not as it was written; see verify.h. Works on
 * a snapshot, so appends and reads go on meanwhile. */
#include "store/verify.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "column/chunk.h"
#include "journal/journal_file.h"
#include "journal/table_frame.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/queue.h"
#include "store/rollup.h"
#include "store/snapshot.h"
#include "store/telemetry_db.h"
#include "store/verify_blob.h"

#define HINT_SAMPLES                                                                               \
    "import these samples again where their source still has them, or restore a backup; and look " \
    "after the disk"

#define SEGMENT_NAME "data/journal/" EOP_SEGMENT_NAME

/* Progress at the beginning of each part, in thousandths. */
enum { AT_CHUNKS = 150, AT_JOURNAL = 750, AT_DATASETS = 800, AT_BLOBS = 900, ALL = 1000 };

typedef struct verify {
    edgeops_store *store;
    const eop_verify_handler *handler;
    eop_verified sum;
    eop_snapshot at;
    /* The asset of the current chunk. */
    uint32_t asset;
    char *name;
    edgeops_type *types;
    uint32_t *lengths;
    char **channels;
    size_t channel_count;
    uint64_t begun;   /**< rows that began in the chunks examined */
    uint64_t arrived; /**< ordinals of these chunks */
    bool unsure;      /**< a chunk is not known */
    bool going;       /**< removed: its chunks are being dropped */
    uint32_t *drops;  /**< assets that were being dropped at the beginning and may be gone now */
    size_t drop_count;
    eop_cell *cells;
    uint64_t bad_frames;
    bool in_memory; /**< rows whose frames went bad since the opening are in memory only */
} verify;

static edgeops_status report_progress(verify *v, int from, int to, double part) {
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return v->handler->progress((from + (to - from) * part) / ALL, v->handler->user_data);
}

static void report_finding(verify *v, const eop_finding *finding) {
    v->sum.findings += finding->harmless ? 0 : 1;
    v->handler->finding(finding, v->handler->user_data);
}

/* Reports the last error as a finding about `what`. */
static void tell_error(verify *v, const char *what, const char *hint) {
    char detail[512];
    snprintf(detail, sizeof detail, "%s", edgeops_error_last()->message);
    report_finding(v, &(eop_finding){.what = what, .detail = detail, .hint = hint});
}

/* Only errors in what is on the disk are findings. */
static bool is_damage(edgeops_status status) {
    return eop_sql_unreadable(status);
}

/* -- databases -- */

static int on_sqlite(void *user_data) {
    return report_progress(user_data, 0, AT_CHUNKS, 0) != EDGEOPS_OK;
}

static edgeops_status check_database(verify *v, sqlite3 *db, const char *what) {
    sqlite3_stmt *check = NULL;
    sqlite3_progress_handler(db, 100000, on_sqlite, v);
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(20)", -1, &check, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(check)) == SQLITE_ROW) {
        const char *text = eop_sql_text(check, 0);
        if (strcmp(text, "ok") != 0) {
            char detail[512];
            snprintf(detail, sizeof detail, "SQLite says: %s", text);
            detail[strcspn(detail, "\n")] = ' ';
            report_finding(v,
                           &(eop_finding){.what = what, .detail = detail, .hint = EOP_HINT_FILE});
        }
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_INTERRUPT) {
        report_finding(
            v, &(eop_finding){.what = what, .detail = sqlite3_errmsg(db), .hint = EOP_HINT_FILE});
    }
    sqlite3_finalize(check);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return report_progress(v, 0, AT_CHUNKS, 0);
}

/* Runs a query with one number; 0 when it fails. */
static int64_t query_number(verify *v, const char *text) {
    sqlite3_stmt *select = NULL;
    int64_t value = 0;
    if (sqlite3_prepare_v2(v->at.chunks.sql.db, text, -1, &select, NULL) == SQLITE_OK &&
        sqlite3_step(select) == SQLITE_ROW) {
        value = sqlite3_column_int64(select, 0);
    }
    sqlite3_finalize(select);
    return value;
}

/* Each cell must belong to a chunk, and each statistic to a cell. */
static void check_orphans(verify *v) {
    static const struct {
        const char *query;
        const char *how;
    } orphans[] = {
        {"SELECT count(*) FROM cell WHERE NOT EXISTS(SELECT 1 FROM chunk WHERE chunk.id = cell.id"
         " >> 11)",
         "columns belong to no chunk: they take room only"},
        {"SELECT count(*) FROM stat WHERE NOT EXISTS(SELECT 1 FROM cell WHERE cell.id = stat.id)",
         "statistics belong to no column: they take room only"}};
    for (size_t i = 0; i < EOP_COUNT(orphans); i++) {
        int64_t n = query_number(v, orphans[i].query);
        if (n > 0) {
            char detail[128];
            snprintf(detail, sizeof detail, "%lld %s", (long long)n, orphans[i].how);
            report_finding(v, &(eop_finding){.what = "data/telemetry.db",
                                             .detail = detail,
                                             .hint = EOP_HINT_FILE});
        }
    }
}

/* -- chunks -- */

static void forget_asset(verify *v) {
    for (size_t i = 0; i < v->channel_count; i++) {
        eop_free(v->channels[i]);
    }
    eop_free(v->channels);
    eop_free(v->types);
    eop_free(v->lengths);
    eop_free(v->name);
    v->channels = NULL;
    v->types = NULL;
    v->lengths = NULL;
    v->name = NULL;
    v->channel_count = 0;
    v->asset = 0;
    v->begun = 0;
    v->arrived = 0;
    v->unsure = false;
}

/* Under `lock`. */
static bool copy_asset(verify *v, const eop_asset *asset) {
    size_t n = asset->channel_count;
    v->name = eop_strdup(asset->name);
    v->channels = eop_calloc(n + 1, sizeof *v->channels);
    v->types = eop_calloc(n + 1, sizeof *v->types);
    v->lengths = eop_calloc(n + 1, sizeof *v->lengths);
    if (v->name == NULL || v->channels == NULL || v->types == NULL || v->lengths == NULL) {
        return false;
    }
    for (; v->channel_count < n; v->channel_count++) {
        const eop_channel *channel = asset->channels[v->channel_count];
        v->types[v->channel_count] = channel->type;
        v->lengths[v->channel_count] = channel->length;
        v->channels[v->channel_count] =
            eop_strdup(channel->state == EOP_CHANNEL_LIVE ? channel->name : "(an earlier type)");
        if (v->channels[v->channel_count] == NULL) {
            return false;
        }
    }
    return true;
}

/* Sets up the columns of rollups: min, max, sum and count of each channel (rollup.h). */
static edgeops_status copy_rollup(verify *v) {
    enum { COLUMNS = 4 };
    static const char *const names[COLUMNS] = {"min", "max", "sum", "count"};
    size_t n = v->channel_count < EOP_ROLLUP_CHANNELS ? v->channel_count : EOP_ROLLUP_CHANNELS;
    char **channels = eop_calloc(n * COLUMNS + 1, sizeof *channels);
    edgeops_type *types = eop_calloc(n * COLUMNS + 1, sizeof *types);
    uint32_t *lengths = eop_calloc(n * COLUMNS + 1, sizeof *lengths);
    bool good = channels != NULL && types != NULL && lengths != NULL;
    for (size_t i = 0; good && i < n * COLUMNS; i++) {
        channels[i] = eop_format("%s.%s", v->channels[i / COLUMNS], names[i % COLUMNS]);
        types[i] = i % COLUMNS == COLUMNS - 1 ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_FLOAT64;
        lengths[i] = 1;
        good = channels[i] != NULL;
    }
    char *name = good ? eop_strdup(v->name) : NULL;
    uint32_t asset = v->asset;
    forget_asset(v);
    v->name = name;
    v->channels = channels;
    v->types = types;
    v->lengths = lengths;
    v->channel_count = channels != NULL ? n * COLUMNS : 0;
    v->asset = asset;
    return name != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

static bool is_in(const uint32_t *assets, size_t count, uint32_t asset) {
    for (size_t i = 0; i < count; i++) {
        if (assets[i] == asset) {
            return true;
        }
    }
    return false;
}

/* Called before the snapshot, which may have chunks of assets that are gone a moment later. */
static edgeops_status note_drops(verify *v) {
    edgeops_store *store = v->store;
    pthread_mutex_lock(&store->lock);
    v->drops = eop_realloc_array(NULL, store->drop_count, sizeof *v->drops);
    if (v->drops != NULL && store->drop_count > 0) {
        memcpy(v->drops, store->drops, store->drop_count * sizeof *v->drops);
        v->drop_count = store->drop_count;
    }
    pthread_mutex_unlock(&store->lock);
    return v->drops != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

/* name is NULL afterwards when nothing knows the asset. */
static edgeops_status enter_asset(verify *v, uint32_t id) {
    char query[96];
    if (id == v->asset && v->asset != 0) {
        return EDGEOPS_OK;
    }
    forget_asset(v);
    v->asset = id;
    uint32_t of = id;
    if (id >= EOP_ROLLUP_ID) {
        snprintf(query, sizeof query, "SELECT asset FROM rollup WHERE id = %" PRIu32, id);
        of = (uint32_t)query_number(v, query);
    }
    pthread_mutex_lock(&v->store->lock);
    const eop_asset *asset = eop_asset_list_by_id(&v->store->assets, of);
    bool good = asset == NULL || copy_asset(v, asset);
    v->going = asset == NULL && (is_in(v->store->drops, v->store->drop_count, of) ||
                                 is_in(v->drops, v->drop_count, of));
    pthread_mutex_unlock(&v->store->lock);
    if (!good) {
        return eop_fail_nomem("store");
    }
    return asset != NULL && id >= EOP_ROLLUP_ID ? copy_rollup(v) : EDGEOPS_OK;
}

static void tell_chunk(verify *v, const eop_chunk_info *chunk, const char *channel,
                       const char *detail, const char *hint) {
    char what[64];
    snprintf(what, sizeof what, "%s %" PRId64, v->asset >= EOP_ROLLUP_ID ? "rollup" : "chunk",
             chunk->id);
    report_finding(v, &(eop_finding){.what = what,
                                     .asset = v->name,
                                     .channel = channel,
                                     .has_range = true,
                                     .first = chunk->t0,
                                     .last = chunk->t1,
                                     .detail = detail,
                                     .hint = hint});
}

static void tell_chunk_error(verify *v, const eop_chunk_info *chunk, const char *channel) {
    char detail[512];
    snprintf(detail, sizeof detail, "cannot be read: %s", edgeops_error_last()->message);
    tell_chunk(v, chunk, channel, detail, HINT_SAMPLES);
}

/* Keys must be sorted by (time, seq) and within the chunk's bounds; with parts, each once. */
static bool keys_are_sorted(const eop_rows *keys, const eop_chunk_info *chunk) {
    size_t n = keys->rows;
    int most = eop_chunk_has_parts(chunk) ? -1 : 0;
    if (keys->times[0] != chunk->t0 || keys->times[n - 1] != chunk->t1) {
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        if (eop_key_compare(keys->times[i - 1], keys->seqs[i - 1], keys->times[i], keys->seqs[i]) >
            most) {
            return false;
        }
    }
    return true;
}

/* Each ordinal must be there once. */
static bool ordinals_are_sound(const eop_rows *keys, const eop_chunk_info *chunk) {
    uint8_t seen[EOP_CHUNK_ROWS / 8] = {0};
    size_t n = keys->rows;
    for (size_t i = 0; i < n; i++) {
        uint64_t at = eop_rows_ordinal(keys, i) - chunk->ord0;
        if (at >= n || (seen[at / 8] >> (at % 8) & 1) != 0) {
            return false;
        }
        seen[at / 8] = (uint8_t)(seen[at / 8] | 1u << (at % 8));
    }
    return true;
}

/* No channel may come twice to a row: which of the arrivals brought it? Their number, their rows
 * and which of these began earlier were checked when they were decoded. */
static edgeops_status parts_are_sound(bool *sound, const eop_parts *parts) {
    uint32_t *by = eop_calloc(EOP_CHANNELS_MAX, sizeof *by); /* row + 1 that has the channel */
    if (by == NULL) {
        return eop_fail_nomem("store");
    }
    *sound = true;
    for (uint32_t row = 0; row < parts->row_count; row++) {
        for (uint32_t i = parts->last[row]; i != EOP_PARTS_NONE && parts->shapes[i] != 0;
             i = parts->before[i]) {
            size_t n;
            const uint16_t *channels = eop_parts_shape(&n, parts, parts->shapes[i]);
            for (size_t k = 0; k < n; k++) {
                *sound = *sound && by[channels[k]] != row + 1;
                by[channels[k]] = row + 1;
            }
        }
    }
    eop_free(by);
    return EDGEOPS_OK;
}

static bool same_number(double a, double b) {
    return a == b || (a != a && b != b);
}

/* Checks the statistics, by which readers skip columns. */
static edgeops_status check_stats(verify *v, const eop_chunk_info *chunk, uint32_t channel,
                                  const eop_vector *vector) {
    eop_chunk_stats kept = {0};
    eop_chunk_stats real = {0};
    edgeops_status status = eop_telemetry_stats(&kept, &v->at.chunks, chunk, channel);
    if (status != EDGEOPS_OK && status != EDGEOPS_DONE) {
        return status;
    }
    eop_chunk_measure(&real, vector);
    bool same = status == EDGEOPS_OK && kept.count == real.count && kept.nulls == real.nulls;
    if (same && eop_chunk_measures(vector) && real.count > 0) {
        same = eop_type_is_float(vector->type)
                   ? same_number(kept.min, real.min) && same_number(kept.max, real.max)
                   : kept.min_i64 == real.min_i64 && kept.max_i64 == real.max_i64;
    }
    if (!same) {
        tell_chunk(v, chunk, v->channels[channel],
                   status == EDGEOPS_DONE ? "has no statistics" : "has statistics of other values",
                   "aggregates and filters of this range may be wrong: restore a backup");
    }
    return EDGEOPS_OK;
}

static edgeops_status check_column(verify *v, const eop_chunk_info *chunk, uint32_t channel) {
    const void *blob = NULL;
    size_t size = 0;
    eop_vector vector = {.type = v->types[channel], .length = v->lengths[channel]};
    edgeops_status status = eop_telemetry_cell(&blob, &size, &v->at.chunks, chunk, channel);
    if (status == EDGEOPS_DONE) {
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        v->sum.columns++;
        status = eop_chunk_decode(&vector, blob, size, chunk->rows, 0, chunk->rows);
    }
    if (status == EDGEOPS_OK) {
        status = check_stats(v, chunk, channel, &vector);
    }
    if (is_damage(status)) {
        tell_chunk_error(v, chunk, v->channels[channel]);
        status = EDGEOPS_OK;
    }
    eop_vector_dispose(&vector);
    return status;
}

/* The keys, and which appends brought them. */
static edgeops_status check_keys(verify *v, const eop_chunk_info *chunk) {
    eop_telemetry *telemetry = &v->at.chunks;
    bool sound = true;
    edgeops_status status = eop_telemetry_keys(telemetry, chunk);
    if (is_damage(status)) {
        tell_chunk_error(v, chunk, NULL);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK && eop_chunk_has_parts(chunk)) {
        status = parts_are_sound(&sound, &telemetry->parts);
    } else if (status == EDGEOPS_OK) {
        sound = ordinals_are_sound(&telemetry->keys, chunk);
    }
    if (status == EDGEOPS_OK && (!sound || !keys_are_sorted(&telemetry->keys, chunk))) {
        tell_chunk(v, chunk, NULL, "has times or ordinals that are out of order", HINT_SAMPLES);
    }
    return status;
}

static edgeops_status check_chunk(verify *v, const eop_chunk_info *chunk) {
    v->sum.chunks++;
    v->sum.rows += chunk->rows - chunk->later;
    v->begun += chunk->rows - chunk->later;
    v->arrived += chunk->ord1 - chunk->ord0 + 1;
    if (v->name == NULL) {
        if (!v->going) {
            tell_chunk(v, chunk, NULL, "belongs to no asset that the catalog knows", EOP_HINT_FILE);
        }
        return EDGEOPS_OK;
    }
    edgeops_status status = check_keys(v, chunk);
    for (uint32_t k = 0; status == EDGEOPS_OK && k < v->channel_count; k++) {
        status = check_column(v, chunk, k);
    }
    return status;
}

/* The sums that are kept of the asset must be those of its chunks. Parts are counted for ever. */
static void check_sums(verify *v) {
    char query[96];
    char detail[160];
    if (v->name == NULL || v->unsure) {
        return;
    }
    snprintf(query, sizeof query, "SELECT rows FROM state WHERE asset = %" PRIu32, v->asset);
    uint64_t rows = (uint64_t)query_number(v, query);
    snprintf(query, sizeof query, "SELECT parts FROM state WHERE asset = %" PRIu32, v->asset);
    uint64_t parts = (uint64_t)query_number(v, query);
    if (rows == v->begun && parts >= v->arrived - v->begun) {
        return;
    }
    snprintf(detail, sizeof detail,
             "counts %" PRIu64 " samples and %" PRIu64 " more parts of them, but has %" PRIu64
             " and %" PRIu64,
             rows, parts, v->begun, v->arrived - v->begun);
    report_finding(v, &(eop_finding){.what = "data/telemetry.db",
                                     .asset = v->name,
                                     .detail = detail,
                                     .hint = EOP_HINT_FILE});
}

/* An unreadable row ends the list: what follows it cannot be known. */
static edgeops_status check_chunks(verify *v) {
    eop_sql *sql = &v->at.chunks.sql;
    int64_t total = query_number(v, "SELECT count(*) FROM chunk");
    sqlite3_stmt *select = NULL;
    /* In two halves, as the indexes are. */
    int rc = sqlite3_prepare_v2(sql->db,
                                "SELECT id, t0, t1, ord0, ord1, rows, asset FROM chunk"
                                " WHERE id < 1099511627776 UNION ALL"
                                " SELECT id, t0, t1, ord0, ord1, rows, asset FROM chunk"
                                " WHERE id >= 1099511627776 ORDER BY asset, ord1",
                                -1, &select, NULL);
    edgeops_status status = rc == SQLITE_OK ? EDGEOPS_OK : eop_sql_fail(sql, rc);
    while (status == EDGEOPS_OK && (rc = sqlite3_step(select)) == SQLITE_ROW) {
        eop_chunk_info chunk;
        uint32_t asset = (uint32_t)sqlite3_column_int64(select, 6);
        if (asset != v->asset) {
            check_sums(v);
        }
        status = enter_asset(v, asset);
        if (status != EDGEOPS_OK) {
            break;
        }
        status = eop_telemetry_take_info(&chunk, select);
        if (status == EDGEOPS_E_CORRUPT) {
            tell_chunk_error(v, &chunk, NULL);
            v->unsure = true;
            status = EDGEOPS_OK;
        } else if (status == EDGEOPS_OK) {
            status = check_chunk(v, &chunk);
        }
        if (status == EDGEOPS_OK) {
            status = report_progress(v, AT_CHUNKS, AT_JOURNAL,
                                     total > 0 ? (double)v->sum.chunks / (double)total : 1);
        }
    }
    if (status == EDGEOPS_OK && rc != SQLITE_DONE) {
        status = eop_sql_fail(sql, rc);
    }
    sqlite3_finalize(select);
    if (is_damage(status)) {
        tell_error(v, "data/telemetry.db", EOP_HINT_FILE);
        status = EDGEOPS_OK;
    } else if (status == EDGEOPS_OK) {
        check_sums(v);
    }
    return status;
}

/* -- the journal -- */

/* Checks a block of rows that were appended as columns. */
static edgeops_status check_block(const char **payload, const char *end) {
    eop_table_frame frame;
    eop_table_frame_column column;
    eop_rows keys = {0};
    edgeops_status status = eop_table_frame_open(&frame, payload, end);
    if (status == EDGEOPS_OK) {
        status = eop_table_frame_keys(&keys, &frame);
    }
    eop_rows_dispose(&keys);
    while (status == EDGEOPS_OK && (status = eop_table_frame_next(&column, &frame)) == EDGEOPS_OK) {
        eop_vector values = {.type = column.type, .length = column.length};
        status = eop_chunk_decode(&values, column.blob, column.size, frame.rows, 0, frame.rows);
        eop_vector_dispose(&values);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status check_frame(uint64_t segment, const char *payload, size_t size,
                                  void *user_data) {
    verify *v = user_data;
    const char *end = payload + size;
    eop_frame_row row;
    edgeops_status status = EDGEOPS_OK;
    (void)segment;
    v->sum.frames++;
    while (status == EDGEOPS_OK) {
        status = eop_table_frame_is_next(payload, end)
                     ? check_block(&payload, end)
                     : eop_frame_next(&row, v->cells, &payload, end);
    }
    v->bad_frames += status == EDGEOPS_E_CORRUPT;
    return report_progress(v, AT_JOURNAL, AT_DATASETS, 0);
}

static void tell_place(verify *v, const eop_place *place, const char *more) {
    char what[64];
    char text[EOP_PLACE_TEXT];
    char detail[2 * EOP_PLACE_TEXT];
    snprintf(what, sizeof what, SEGMENT_NAME, place->segment);
    eop_store_place_text(text, place);
    snprintf(detail, sizeof detail, "%s%s", text, more);
    report_finding(v, &(eop_finding){.what = what, .detail = detail, .hint = HINT_SAMPLES});
}

/* Names what the opening missed of an asset. */
static void tell_loss(verify *v, const eop_loss *loss) {
    char detail[128];
    char *name = NULL;
    pthread_mutex_lock(&v->store->lock);
    const eop_asset *asset = eop_asset_list_by_id(&v->store->assets, loss->asset);
    name = asset != NULL ? eop_strdup(asset->name) : NULL;
    pthread_mutex_unlock(&v->store->lock);
    snprintf(detail, sizeof detail, "samples are missing: the ordinals %" PRIu64 " to %" PRIu64,
             loss->first, loss->last);
    report_finding(
        v, &(eop_finding){
               .what = "data/journal", .asset = name, .detail = detail, .hint = HINT_SAMPLES});
    eop_free(name);
}

/* What the opening found: the files may be gone by now. */
static void tell_opening(verify *v) {
    size_t count = 0;
    const eop_place *places = eop_journal_places(&count, v->store->journal);
    bool lost = false;
    for (size_t i = 0; i < count; i++) {
        if (places[i].kind != EOP_PLACE_TORN) {
            tell_place(v, &places[i], "");
            lost = true;
        }
    }
    for (size_t i = 0; lost && i < v->store->loss_count; i++) {
        tell_loss(v, &v->store->losses[i]);
    }
}

/* What was not yet so when the store was opened: it went bad since, because all that was written
 * since then can be read, on the disk or not. */
static void tell_new_place(verify *v, uint64_t segment, uint64_t from, uint64_t to) {
    eop_place place = {EOP_PLACE_FRAMES, segment, from, to - from};
    if (!eop_journal_knows(v->store->journal, &place)) {
        tell_place(v, &place, "; they are still in memory and become chunks");
        v->in_memory = true;
    }
}

static edgeops_status check_segment(verify *v, const eop_journal_pin *pin) {
    char what[64];
    eop_segment_header header = {0};
    eop_walked walked = {0};
    snprintf(what, sizeof what, SEGMENT_NAME, pin->number);
    v->bad_frames = 0;
    v->sum.segments++;
    edgeops_status status = eop_segment_check(&header, pin->fd, what);
    if (status == EDGEOPS_OK) {
        header.bytes = pin->bytes < header.bytes ? pin->bytes : header.bytes;
        status = eop_segment_walk(&walked, pin->fd, what, &header, check_frame, v);
    }
    if (is_damage(status) || status == EDGEOPS_E_NOTFOUND) {
        tell_error(v, what, HINT_SAMPLES);
        v->in_memory = true;
        status = EDGEOPS_DONE;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < walked.gap_count; i++) {
        tell_new_place(v, pin->number, walked.gaps[i].from, walked.gaps[i].to);
    }
    if (status == EDGEOPS_OK && walked.end < pin->end) {
        tell_new_place(v, pin->number, walked.end, pin->end);
    }
    if (status == EDGEOPS_OK && v->bad_frames > 0) {
        char detail[128];
        snprintf(detail, sizeof detail, "has %" PRIu64 " appends that are malformed",
                 v->bad_frames);
        report_finding(v, &(eop_finding){.what = what, .detail = detail, .hint = HINT_SAMPLES});
    }
    eop_walked_dispose(&walked);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status check_journal(verify *v) {
    edgeops_status status = EDGEOPS_OK;
    v->cells = eop_calloc(EOP_CHANNELS_MAX, sizeof *v->cells);
    if (v->cells == NULL) {
        return eop_fail_nomem("store");
    }
    tell_opening(v);
    for (size_t i = 0; status == EDGEOPS_OK && i < v->at.pin_count; i++) {
        status = check_segment(v, &v->at.pins[i]);
    }
    return status;
}

/* -- what is above -- */

static void on_finding_above(const eop_finding *finding, void *user_data) {
    report_finding(user_data, finding);
}

static edgeops_status on_progress_above(double part, void *user_data) {
    return report_progress(user_data, AT_DATASETS, AT_BLOBS, part);
}

static edgeops_status check_above(verify *v) {
    eop_verify_handler handler = {
        .finding = on_finding_above, .progress = on_progress_above, .user_data = v};
    return v->handler->above != NULL ? v->handler->above(&v->sum, v->store, &handler) : EDGEOPS_OK;
}

/* -- blobs -- */

static edgeops_status on_progress_blobs(double part, void *user_data) {
    return report_progress(user_data, AT_BLOBS, ALL, part);
}

static edgeops_status check_blobs(verify *v) {
    eop_verify_handler handler = {
        .finding = on_finding_above, .progress = on_progress_blobs, .user_data = v};
    return eop_verify_blobs(&v->sum, v->store, &handler);
}

/* Rows that only the memory has would be lost with the process: the journal cannot bring them back. */
static void save_rows(verify *v) {
    bool kept = v->store->access.status != EDGEOPS_OK; /* nothing is appended: the files have all */
    if (v->in_memory && !kept && eop_store_flush(v->store) != EDGEOPS_OK) {
        tell_error(
            v, "data/journal",
            "rows are in the memory of this process only: let it run, mend this, and check again");
    }
    v->in_memory = false;
}

/* Without a snapshot nothing can be checked. A file of the journal that is gone is not needed any
 * more when its rows are in chunks. */
static edgeops_status take_snapshot(verify *v) {
    edgeops_status status = eop_snapshot_take(&v->at, v->store);
    if (is_damage(status) || status == EDGEOPS_E_NOTFOUND) {
        tell_error(v, "home", EOP_HINT_FILE);
        eop_snapshot_release(&v->at);
        v->in_memory = true;
        save_rows(v);
        status = eop_snapshot_take(&v->at, v->store) == EDGEOPS_OK ? EDGEOPS_OK : EDGEOPS_DONE;
    }
    return status;
}

edgeops_status eop_store_verify(eop_verified *out, edgeops_store *store,
                                const eop_verify_handler *handler) {
    EOP_REQUIRE(store != NULL && handler != NULL, "store");
    static edgeops_status (*const parts[])(verify * v) = {check_chunks, check_journal, check_above,
                                                          check_blobs};
    verify v = {.store = store, .handler = handler};
    edgeops_status status = note_drops(&v);
    if (status == EDGEOPS_OK) {
        status = take_snapshot(&v);
    }
    if (status == EDGEOPS_OK) {
        status = check_database(&v, v.at.catalog.db, "catalog.db");
    }
    if (status == EDGEOPS_OK) {
        status = check_database(&v, v.at.chunks.sql.db, "data/telemetry.db");
    }
    if (status == EDGEOPS_OK) {
        check_orphans(&v);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(parts); i++) {
        status = parts[i](&v);
    }
    eop_snapshot_release(&v.at);
    save_rows(&v);
    forget_asset(&v);
    eop_free(v.cells);
    eop_free(v.drops);
    *out = v.sum;
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}
