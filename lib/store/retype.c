/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a channel another type: looks, reserves a position, and lets the background writer fill it
 * and switch to it; retype.h describes the steps. The caller's thread waits for the writer's, so
 * that the job needs no lock of its own; what others see of it is under the store's. */
#include "store/retype.h"

#include <string.h>

#include "base/abi.h"
#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "column/table.h"
#include "store/birth.h"
#include "store/home.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/rollup.h"
#include "store/room.h"
#include "store/telemetry_db.h"
#include "store/upkeep.h"
#include "store/wal.h"

enum { FILL_CHUNKS = 32, LOOK_ROWS = 4096, BUSY_TRIES = 100, BUSY_MS = 100 };

#define LOOK_SHARE 0.4 /* of the progress */

/* -- what is asked -- */

void edgeops_retype_options_init(edgeops_retype_options *options, size_t struct_size) {
    const edgeops_retype_options defaults = EDGEOPS_RETYPE_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

void edgeops_retype_result_init(edgeops_retype_result *result, size_t struct_size) {
    const edgeops_retype_result empty = EDGEOPS_RETYPE_RESULT_INIT;
    eop_struct_init(result, struct_size, &empty, sizeof empty);
}

static edgeops_status fail_canceled(void) {
    return eop_fail(EDGEOPS_E_CANCELED, "store", "it was canceled");
}

/* The channel that the options name, and the rule for its values. */
typedef struct target {
    uint32_t asset;
    uint32_t position;
    edgeops_type was;
    uint32_t was_length;
    uint64_t rows;
    eop_retype_rule rule;
} target;

static edgeops_status find_target(target *out, edgeops_store *store,
                                  const edgeops_retype_options *options) {
    pthread_mutex_lock(&store->lock);
    const eop_series *series = eop_series_find(&store->assets, options->asset);
    const eop_channel *channel =
        series != NULL ? eop_asset_channel(&series->asset, options->channel) : NULL;
    edgeops_status status = EDGEOPS_OK;
    if (series == NULL) {
        status = eop_fail_no_asset(options->asset);
    } else if (channel == NULL) {
        status = eop_fail_no_channel(options->asset, options->channel);
    } else {
        *out = (target){series->asset.id,
                        channel->position,
                        channel->type,
                        channel->length,
                        series->all.rows,
                        {options->type, options->length > 0 ? options->length : channel->length,
                         options->nulls, options->null_count}};
    }
    pthread_mutex_unlock(&store->lock);
    return status == EDGEOPS_OK ? eop_retype_check(out->was, out->was_length, &out->rule) : status;
}

/* -- looking -- */

void eop_retype_look_dispose(eop_retype_look *look) {
    eop_free(look->misfit);
    eop_free(look->datasets);
    *look = (eop_retype_look){0};
}

/* The caller holds the catalog's lock. *names: "a, b"; NULL: none. */
static edgeops_status list_holders(char **names, eop_catalog *catalog, uint32_t asset,
                                   uint32_t position) {
    eop_sql_statement *select = NULL;
    eop_buf buf = {0};
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_HOLDS_CHANNEL);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
        eop_sql_bind_int(select, 2, position);
    }
    while (status == EDGEOPS_OK && (status = eop_sql_next(&catalog->sql, select)) == EDGEOPS_OK) {
        eop_buf_printf(&buf, "%s%s", buf.size > 0 ? ", " : "", eop_sql_text(select, 0));
    }
    eop_sql_rewind(select);
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    if (status == EDGEOPS_OK && buf.failed) {
        status = eop_fail_nomem("store");
    }
    if (status == EDGEOPS_OK && buf.size > 0) {
        *names = buf.data;
        return status;
    }
    eop_buf_dispose(&buf);
    return status;
}

static edgeops_status note_misfit(eop_retype_look *look, const edgeops_retype_options *options,
                                  const target *t, const edgeops_table *table, size_t row,
                                  const edgeops_value *value) {
    char text[EOP_MISFIT_TEXT];
    char time[40];
    if (look->misfits++ > 0) {
        return EDGEOPS_OK;
    }
    eop_retype_explain(text, value, &t->rule);
    eop_format_time(time, table->times[row]);
    look->misfit =
        eop_format("asset '%s', channel '%s', the value of %s (seq %lld): %s", options->asset,
                   options->channel, time, (long long)table->seqs[row], text);
    return look->misfit != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

/* Later parts are not rows. */
static uint64_t count_begun(const edgeops_table *table) {
    uint64_t rows = table->rows;
    for (uint64_t i = 0; i < table->rows; i++) {
        rows -= eop_is_later_part(table, i);
    }
    return rows;
}

static edgeops_status look_at_block(eop_retype_look *look, const edgeops_retype_options *options,
                                    const target *t, const edgeops_table *table, eop_buf *buf) {
    const eop_vector *vector = &((const eop_table *)(const void *)table)->rows.vectors[0];
    edgeops_status status = EDGEOPS_OK;
    look->sum.rows += count_begun(table);
    if (vector->type != t->was) {
        return eop_fail(EDGEOPS_E_BUSY, "store",
                        "asset '%s', channel '%s' has changed meanwhile; try again", options->asset,
                        options->channel);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < table->rows; i++) {
        edgeops_value value = eop_vector_value(vector, i);
        edgeops_value made;
        if (value.type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        look->sum.values++;
        eop_retyped done = eop_retype_value(&made, &value, &t->rule, buf);
        look->sum.nulled += done == EOP_RETYPED_NULLED;
        look->sum.respelled += done == EOP_RETYPED_RESPELLED;
        if (done == EOP_RETYPED_MISFIT) {
            status = note_misfit(look, options, t, table, i, &value);
        }
    }
    return status == EDGEOPS_OK && buf->failed ? eop_fail_nomem("store") : status;
}

static edgeops_status look_at_rows(eop_retype_look *look, edgeops_store *store,
                                   const edgeops_retype_options *options, const target *t) {
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_cursor *cursor = NULL;
    const edgeops_table *table = NULL;
    eop_buf buf = {0};
    from.asset = options->asset;
    from.channels = &options->channel;
    from.channel_count = 1;
    edgeops_status status = edgeops_cursor_open(&cursor, store, &from);
    while (status == EDGEOPS_OK &&
           (status = edgeops_cursor_next(&table, cursor, LOOK_ROWS)) == EDGEOPS_OK) {
        status = look_at_block(look, options, t, table, &buf);
        double part = t->rows > 0 ? (double)look->sum.rows / (double)t->rows : 1;
        if (status == EDGEOPS_OK && options->progress != NULL &&
            options->progress(LOOK_SHARE * (part < 1 ? part : 1), options->user_data) !=
                EDGEOPS_OK) {
            status = fail_canceled();
        }
    }
    edgeops_cursor_close(cursor);
    eop_buf_dispose(&buf);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status look_at(eop_retype_look *out, target *t, edgeops_store *store,
                              const edgeops_retype_options *options) {
    *out = (eop_retype_look){.sum = EDGEOPS_RETYPE_RESULT_INIT};
    edgeops_status status = find_target(t, store, options);
    if (status != EDGEOPS_OK) {
        return status;
    }
    out->sum.was = t->was;
    out->sum.was_length = t->was_length;
    if (t->was == t->rule.type) {
        out->sum.rows = t->rows;
        return EDGEOPS_OK;
    }
    eop_catalog_lock(&store->catalog);
    status = list_holders(&out->datasets, &store->catalog, t->asset, t->position);
    eop_catalog_unlock(&store->catalog);
    return status == EDGEOPS_OK ? look_at_rows(out, store, options, t) : status;
}

edgeops_status eop_retype_look_at(eop_retype_look *out, edgeops_store *store,
                                  const edgeops_retype_options *options) {
    target t = {0};
    return look_at(out, &t, store, options);
}

static edgeops_status fail_held(const char *asset, const char *channel, const char *datasets) {
    return eop_fail(EDGEOPS_E_BUSY, "store",
                    "asset '%s', channel '%s': these datasets hold it as it is: %s; remove them "
                    "first, or take another channel",
                    asset, channel, datasets);
}

edgeops_status eop_retype_judge(const eop_retype_look *look,
                                const edgeops_retype_options *options) {
    if (look->datasets != NULL) {
        return fail_held(options->asset, options->channel, look->datasets);
    }
    if (look->misfits > 1) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "%s; %llu more values do not fit", look->misfit,
                        (unsigned long long)look->misfits - 1);
    }
    return look->misfits == 1 ? eop_fail(EDGEOPS_E_INVALID, "store", "%s", look->misfit)
                              : EDGEOPS_OK;
}

/* -- filling, in the writer's thread -- */

typedef struct job {
    edgeops_store *store;
    const edgeops_retype_options *options;
    target t;
    uint32_t to;   /* the new position */
    uint64_t next; /* chunks that end before this ordinal have the new cell */
    uint64_t done; /* rows; under `lock` */
    eop_buf blob;
    eop_buf text;
    bool switched;
} job;

static edgeops_status fail_removed(void) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store", "the asset was removed");
}

static edgeops_status convert_vector(eop_vector *to, const eop_vector *from, job *j) {
    edgeops_status status = eop_vector_reserve(to, from->filled);
    for (size_t i = 0; status == EDGEOPS_OK && i < from->filled; i++) {
        edgeops_value value = eop_vector_value(from, i);
        edgeops_value made;
        uint16_t quality = eop_vector_quality(from, i);
        if (eop_retype_value(&made, &value, &j->t.rule, &j->text) == EOP_RETYPED_MISFIT) {
            char text[EOP_MISFIT_TEXT];
            eop_retype_explain(text, &value, &j->t.rule);
            return eop_fail(EDGEOPS_E_INVALID, "store",
                            "asset '%s', channel '%s', a value that came meanwhile: %s",
                            j->options->asset, j->options->channel, text);
        }
        status = j->text.failed ? eop_fail_nomem("store") : eop_vector_put(to, &made);
        if (status == EDGEOPS_OK && quality != EDGEOPS_QUALITY_NONE &&
            made.type != EDGEOPS_TYPE_NULL) {
            status = eop_vector_rate(to, i, &quality, 1);
        }
    }
    return status;
}

/* Who brought a value brought what became of it. */
static edgeops_status convert_parts(job *j, const eop_chunk_info *chunk) {
    eop_telemetry *telemetry = &j->store->writer;
    eop_parts parts = {0};
    edgeops_status status = eop_telemetry_parts(&parts, telemetry, chunk);
    if (status == EDGEOPS_OK) {
        status = eop_parts_alias(&parts, (uint16_t)j->t.position, (uint16_t)j->to);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_put_parts(telemetry, chunk->id, &parts, &j->blob);
    }
    eop_parts_dispose(&parts);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status convert_chunk(job *j, const eop_chunk_info *chunk) {
    eop_telemetry *telemetry = &j->store->writer;
    eop_vector from = {.type = j->t.was, .length = j->t.was_length};
    eop_vector to = {.type = j->t.rule.type, .length = j->t.rule.length};
    const void *blob = NULL;
    size_t size = 0;
    edgeops_status status = eop_telemetry_cell(&blob, &size, telemetry, chunk, j->t.position);
    if (status == EDGEOPS_OK) {
        status = eop_chunk_decode(&from, blob, size, chunk->rows, 0, chunk->rows);
        if (status == EDGEOPS_OK) {
            status = convert_vector(&to, &from, j);
        }
    } else if (status == EDGEOPS_DONE) {
        status = eop_vector_pad(&to, chunk->rows);
    }
    eop_sql_reset(&telemetry->sql);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_put_cell(telemetry, chunk->id, j->to, &to, &j->blob);
    }
    if (status == EDGEOPS_OK) {
        status = convert_parts(j, chunk);
    }
    eop_vector_dispose(&from);
    eop_vector_dispose(&to);
    return status;
}

/* Inside a transaction. DONE: there are no more chunks. */
static edgeops_status fill_chunks(job *j, uint64_t *rows) {
    eop_telemetry *telemetry = &j->store->writer;
    eop_chunk_info chunk;
    edgeops_status status = EDGEOPS_OK;
    telemetry->grown = 0;
    for (int n = 0; status == EDGEOPS_OK && n < FILL_CHUNKS; n++) {
        status = eop_telemetry_at(&chunk, telemetry, j->t.asset, j->next);
        if (status == EDGEOPS_OK) {
            status = convert_chunk(j, &chunk);
        }
        if (status == EDGEOPS_OK) {
            j->next = chunk.ord1 + 1;
            *rows += chunk.rows - chunk.later;
        }
    }
    edgeops_status grown =
        status >= 0 ? eop_telemetry_note_grown(telemetry, j->t.asset) : EDGEOPS_OK;
    return grown == EDGEOPS_OK ? status : grown;
}

static edgeops_status fill_step(edgeops_store *store, void *data) {
    job *j = data;
    uint64_t next = j->next;
    uint64_t rows = 0;
    edgeops_status status = eop_sql_begin(&store->writer.sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = fill_chunks(j, &rows);
    bool done = status == EDGEOPS_DONE;
    status = eop_sql_end(&store->writer.sql, done ? EDGEOPS_OK : status);
    if (status != EDGEOPS_OK) {
        j->next = next;
        return status;
    }
    eop_store_checkpoint_chunks(store, false);
    pthread_mutex_lock(&store->lock);
    j->done += rows;
    pthread_mutex_unlock(&store->lock);
    return done ? EDGEOPS_DONE : EDGEOPS_OK;
}

/* -- switching, in the writer's thread -- */

static edgeops_status set_name(eop_catalog *catalog, const eop_asset *asset, uint32_t position,
                               eop_catalog_statement number, const char *text) {
    eop_sql_statement *update = NULL;
    edgeops_status status = eop_catalog_get(&update, catalog, number);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(update, 1, asset->id);
        eop_sql_bind_int(update, 2, position);
        eop_sql_bind_text(update, 3, text);
        status = eop_sql_run(&catalog->sql, update);
    }
    return status;
}

/* SAFE: the cells of the old type are removed next. */
static edgeops_status save_switch(job *j, const eop_asset *asset, const eop_channel *old,
                                  const char *hidden) {
    eop_catalog *catalog = &j->store->catalog;
    char *datasets = NULL;
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_SAFE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = list_holders(&datasets, catalog, asset->id, old->position);
    if (status == EDGEOPS_OK && datasets != NULL) {
        status = fail_held(asset->name, old->name, datasets);
    }
    if (status == EDGEOPS_OK) {
        status = set_name(catalog, asset, old->position, EOP_CHANNEL_RENAME, hidden);
    }
    if (status == EDGEOPS_OK) {
        status = set_name(catalog, asset, j->to, EOP_CHANNEL_RENAME, old->name);
    }
    if (status == EDGEOPS_OK) {
        status = set_name(catalog, asset, j->to, EOP_CHANNEL_UNIT, old->unit);
    }
    eop_free(datasets);
    return eop_catalog_end(catalog, status);
}

/* Under `lock`. */
static edgeops_status switch_names(job *j, eop_asset *asset) {
    eop_channel *old = asset->channels[j->t.position];
    eop_channel *new = asset->channels[j->to];
    char hidden[EOP_HIDDEN_NAME];
    eop_hidden_name(hidden, EOP_CHANNEL_OLD, old->position, new->position);
    char *name = eop_strdup(hidden);
    char *unit = eop_strdup(old->unit);
    edgeops_status status = name != NULL && unit != NULL && eop_map_reserve(&asset->by_name)
                                ? save_switch(j, asset, old, hidden)
                                : eop_fail_nomem("store");
    if (status != EDGEOPS_OK) {
        eop_free(name);
        eop_free(unit);
        return status;
    }
    eop_asset_hide(asset, old, EOP_CHANNEL_OLD, new->position);
    eop_free(new->name);
    eop_free(new->unit);
    new->name = old->name;
    new->unit = unit;
    new->heir = true;
    old->name = name;
    eop_asset_unhide(asset, new);
    eop_lookup_forget(&j->store->lookup);
    j->store->purge_due = true;
    return EDGEOPS_OK;
}

/* Under `lock`. DONE: not yet, rows of the asset are in the journal only; appends wait until the
 * writer has made chunks of them. */
static edgeops_status try_switch(job *j) {
    edgeops_store *store = j->store;
    eop_series *series = eop_series_by_id(&store->assets, j->t.asset);
    if (series == NULL) {
        return fail_removed();
    }
    if (series->blocks == NULL) {
        return switch_names(j, &series->asset);
    }
    if (store->writes_tried.status != EDGEOPS_OK) {
        return eop_fail_with(store->writes_tried.status, "store", store->writes_tried.message);
    }
    store->still = true;
    if (store->active != NULL && store->active->blocks != NULL) {
        edgeops_status status = eop_store_rotate(store, 0);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_DONE;
}

static edgeops_status move_rollups(job *j) {
    eop_telemetry *telemetry = &j->store->writer;
    edgeops_status status = eop_sql_begin(&telemetry->sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_rollup_copy(telemetry, j->t.asset, j->t.position, j->to,
                             j->t.rule.type != EDGEOPS_TYPE_STRING);
    return eop_sql_end(&telemetry->sql, status);
}

/* `hold`: a dataset that is being made has found its channels, and the catalog does not know of it
 * yet. */
static edgeops_status switch_step(edgeops_store *store, void *data) {
    job *j = data;
    edgeops_status status = fill_step(store, data);
    if (status != EDGEOPS_DONE) {
        return status;
    }
    if (pthread_rwlock_trywrlock(&store->hold) != 0) {
        return eop_fail(EDGEOPS_E_AGAIN, "store", "a dataset is being made; try again");
    }
    status = move_rollups(j);
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        status = try_switch(j);
        pthread_mutex_unlock(&store->lock);
    }
    pthread_rwlock_unlock(&store->hold);
    if (status == EDGEOPS_DONE) {
        return EDGEOPS_OK;
    }
    j->switched = status == EDGEOPS_OK;
    return status == EDGEOPS_OK ? EDGEOPS_DONE : status;
}

/* -- the call -- */

static bool go_on(void *user_data) {
    job *j = user_data;
    pthread_mutex_lock(&j->store->lock);
    double part = j->t.rows > 0 ? (double)j->done / (double)j->t.rows : 1;
    pthread_mutex_unlock(&j->store->lock);
    part = part < 1 ? part : 1;
    return j->options->progress == NULL ||
           j->options->progress(LOOK_SHARE + (1 - LOOK_SHARE) * part, j->options->user_data) ==
               EDGEOPS_OK;
}

/* SAFE: chunks on the disk get cells for it next. */
static edgeops_status save_reserved(eop_catalog *catalog, const eop_asset *asset) {
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_SAFE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_add_channels(catalog, asset, asset->channel_count - 1);
    return eop_catalog_end(catalog, status);
}

/* Under `lock`. */
static edgeops_status reserve(job *j) {
    eop_series *series = eop_series_by_id(&j->store->assets, j->t.asset);
    if (series == NULL) {
        return fail_removed();
    }
    eop_asset *asset = &series->asset;
    bool busy = asset->channels[j->t.position]->state != EOP_CHANNEL_LIVE;
    for (uint32_t i = 0; !busy && i < asset->channel_count; i++) {
        busy = asset->channels[i]->state == EOP_CHANNEL_NEW;
    }
    if (busy) {
        return eop_fail(EDGEOPS_E_BUSY, "store",
                        "asset '%s': the type of a channel is being changed already", asset->name);
    }
    char hidden[EOP_HIDDEN_NAME];
    uint32_t before = asset->channel_count;
    eop_hidden_name(hidden, EOP_CHANNEL_NEW, before, 0);
    edgeops_status status =
        eop_asset_add_channel(asset, hidden, j->t.rule.type, j->t.rule.length, "");
    if (status != EDGEOPS_OK) {
        return status;
    }
    j->to = before;
    eop_asset_hide(asset, asset->channels[before], EOP_CHANNEL_NEW, 0);
    status = save_reserved(&j->store->catalog, asset);
    if (status != EDGEOPS_OK) {
        eop_series_drop_channels(series, before);
    }
    return status;
}

/* Appends go on; what a job left that did not come to its end is purged. */
static void end_job(job *j) {
    edgeops_store *store = j->store;
    pthread_mutex_lock(&store->lock);
    store->still = false;
    eop_asset *asset = eop_asset_list_by_id(&store->assets, j->t.asset);
    if (!j->switched && asset != NULL) {
        asset->channels[j->to]->state = EOP_CHANNEL_OLD;
        store->purge_due = true;
    }
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    eop_writer_wake(store);
}

static edgeops_status wait_moment(job *j) {
    pthread_mutex_lock(&j->store->lock);
    j->store->still = false;
    pthread_cond_broadcast(&j->store->changed);
    edgeops_duration until = eop_monotonic() + BUSY_MS * EDGEOPS_MILLISECOND;
    while (eop_store_wait_changed(j->store, until)) {
    }
    pthread_mutex_unlock(&j->store->lock);
    return go_on(j) ? EDGEOPS_OK : fail_canceled();
}

static edgeops_status do_job(job *j) {
    edgeops_status status = eop_store_flush(j->store);
    if (status == EDGEOPS_OK) {
        status = eop_upkeep_do(j->store, fill_step, j, go_on, j);
    }
    for (int tries = 0; status == EDGEOPS_OK && !j->switched; tries++) {
        status = eop_upkeep_do(j->store, switch_step, j, go_on, j);
        if (status == EDGEOPS_E_AGAIN && tries < BUSY_TRIES) {
            status = wait_moment(j);
        }
    }
    return status;
}

static edgeops_status rewrite(edgeops_store *store, const edgeops_retype_options *options,
                              const target *t) {
    job j = {.store = store, .options = options, .t = *t, .next = 1};
    edgeops_status status = eop_store_check_writable(store);
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        status = reserve(&j);
        pthread_mutex_unlock(&store->lock);
    }
    if (status == EDGEOPS_OK) {
        status = do_job(&j);
        end_job(&j);
    }
    eop_buf_dispose(&j.blob);
    eop_buf_dispose(&j.text);
    return status;
}

edgeops_status edgeops_channel_retype(edgeops_retype_result *result, edgeops_store *store,
                                      const edgeops_retype_options *options) {
    EOP_REQUIRE(store != NULL && options != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_retype_options o = EDGEOPS_RETYPE_OPTIONS_INIT;
    eop_retype_look look = {0};
    target t = {0};
    edgeops_status status = EOP_STRUCT_TAKE(&o, options, "store", EDGEOPS_RETYPE_OPTIONS_INIT);
    if (status == EDGEOPS_OK) {
        EOP_REQUIRE(o.asset != NULL && o.channel != NULL && (o.nulls != NULL || o.null_count == 0),
                    "store");
        for (size_t i = 0; i < o.null_count; i++) {
            EOP_REQUIRE(o.nulls[i] != NULL, "store");
        }
        status = eop_result_check(result, "store", "EDGEOPS_RETYPE_RESULT_INIT");
    }
    if (status == EDGEOPS_OK && o.reserved != 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "store", "edgeops_retype_options: reserved is not 0");
    }
    if (status == EDGEOPS_OK) {
        status = look_at(&look, &t, store, &o);
    }
    if (status == EDGEOPS_OK) {
        status = eop_retype_judge(&look, &o);
    }
    if (status == EDGEOPS_OK && o.dry_run == 0 && t.was != t.rule.type) {
        status = rewrite(store, &o, &t);
    }
    if (status == EDGEOPS_OK) {
        eop_result_give(result, &look.sum, sizeof look.sum);
    }
    eop_retype_look_dispose(&look);
    return status;
}
