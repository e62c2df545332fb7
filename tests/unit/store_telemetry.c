/* SPDX-License-Identifier: Apache-2.0 */
/* The rows and states that the writer puts into data/telemetry.db. */
#include "store/telemetry.h"

#include "parts_model.h"
#include "store_fixture.h"

static edgeops_status add_rows(uint32_t asset, const eop_state *state, void *data) {
    (void)asset;
    *(uint64_t *)data += state->extent.rows;
    return EDGEOPS_OK;
}

/* A commit may be done and yet be told to have failed: the writer tries again. */
Test(store_telemetry, segment_is_applied_once) {
    char path[100];
    eop_telemetry telemetry = {0};
    eop_asset_list table = {.item_bytes = sizeof(eop_series), .next_id = 1};
    eop_series *series = NULL;
    uint64_t rows = 0;
    eop_segment *segment = eop_calloc(1, sizeof *segment);
    eop_cell cell = {0, EDGEOPS_QUALITY_NONE, f64(1)};
    make_home();
    snprintf(path, sizeof path, "%s/telemetry.db", folder);
    CHECK_OK(eop_telemetry_open(&telemetry, path, true, NULL));
    CHECK_OK(eop_series_add(&series, &table, "a", 0));
    CHECK_OK(eop_asset_add_channel(&series->asset, "x", EDGEOPS_TYPE_FLOAT64, 1, ""));
    segment->number = 3;
    const eop_frame_row row = {.cell_count = 1, .ordinal = 1, .time = 10};
    CHECK_OK(eop_memtable_push(series, segment, &row, &cell));
    for (int try = 0; try < 2; try++) {
        CHECK_OK(eop_telemetry_write(&telemetry, segment));
        cr_assert_eq(segment->blocks->extent.rows, 1);
    }
    CHECK_OK(eop_telemetry_states(&telemetry, add_rows, &rows));
    cr_assert_eq(rows, 1);
    eop_segment_free(segment);
    eop_asset_list_dispose(&table);
    eop_telemetry_close(&telemetry);
    remove_home();
}

/* -- chunks whose rows come in parts -- */

static eop_telemetry chunks;
static uint64_t segments;

static void open_chunks(void) {
    char path[100];
    make_home();
    snprintf(path, sizeof path, "%s/telemetry.db", folder);
    CHECK_OK(eop_telemetry_open(&chunks, path, true, NULL));
    segments = 0;
}

static void close_chunks(void) {
    eop_telemetry_close(&chunks);
    remove_home();
}

/* Writes arrivals [from, to) as a segment of their own. */
static edgeops_status write_arrivals(const model *m, size_t from, size_t to, const int64_t *split) {
    eop_segment segment = {.number = ++segments};
    eop_parts parts = {0};
    eop_block block = {.asset_id = 1, .whole = true, .t_min = INT64_MAX, .t_max = INT64_MIN};
    if (model_collection(&block.data, &parts, m, from, to)) {
        block.parts = &parts;
    } else {
        eop_free(block.data.ordinals);
        block.data.ordinals = NULL;
    }
    for (size_t i = 0; i < block.data.rows; i++) {
        int64_t time = block.data.times[i];
        block.t_min = time < block.t_min ? time : block.t_min;
        block.t_max = time > block.t_max ? time : block.t_max;
    }
    if (split != NULL) {
        block.splits = true;
        block.split = *split;
    }
    segment.blocks = &block;
    edgeops_status status = eop_telemetry_write(&chunks, &segment);
    eop_rows_dispose(&block.data);
    eop_parts_dispose(&parts);
    return status;
}

static void check_arrivals(const eop_chunk_info *chunk, const model *m, const eop_rows *rows,
                           const eop_parts *parts) {
    eop_rows out = {0};
    size_t n = chunk->ord1 - chunk->ord0 + 1;
    uint8_t *flags = calloc(n, 1);
    CHECK_OK(eop_parts_arrivals(&out, flags, rows, parts, chunk->ord0, 0, n, NULL));
    cr_assert_eq(out.rows, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = chunk->ord0 + i - 1;
        model_check_row(&out, i, m, at, at + 1, UINT64_MAX);
        cr_assert_eq(flags[i], m->arrivals[at].later);
    }
    free(flags);
    eop_rows_dispose(&out);
}

/* One chunk, as it was at any ordinal. */
static void check_chunk(const eop_chunk_info *chunk, const model *m, dice *d) {
    uint32_t channels[MODEL_CHANNELS];
    eop_parts parts = {0};
    size_t from = chunk->ord0 - 1;
    size_t later = 0;
    for (uint32_t k = 0; k < MODEL_CHANNELS; k++) {
        channels[k] = k;
    }
    cr_assert_eq(chunk->rows, model_count(&later, m, from, chunk->ord1, UINT64_MAX));
    cr_assert_eq(chunk->later, later);
    edgeops_status has = eop_telemetry_parts(&parts, &chunks, chunk);
    cr_assert_eq(has, eop_chunk_has_parts(chunk) ? EDGEOPS_OK : EDGEOPS_DONE);
    for (int round = 0; round < 3; round++) {
        eop_rows rows = {0};
        eop_chunk_filter filter = {INT64_MIN, INT64_MAX, UINT64_MAX};
        if (round > 0) {
            filter.max_ordinal = chunk->ord0 + below(d, chunk->ord1 - chunk->ord0 + 2) - 1;
        }
        model_columns(&rows);
        CHECK_OK(eop_telemetry_read(&rows, &chunks, chunk, &filter, channels));
        cr_assert_eq(rows.rows, model_count(&later, m, from, chunk->ord1, filter.max_ordinal));
        for (size_t i = 0; i < rows.rows; i++) {
            cr_assert(i == 0 || eop_key_compare(rows.times[i - 1], rows.seqs[i - 1], rows.times[i],
                                                rows.seqs[i]) < 0);
            model_check_row(&rows, i, m, from, chunk->ord1, filter.max_ordinal);
        }
        if (has == EDGEOPS_OK && round == 0) {
            check_arrivals(chunk, m, &rows, &parts);
        }
        eop_rows_dispose(&rows);
    }
    eop_parts_dispose(&parts);
}

/* Each ordinal is in one chunk, and all chunks are what the arrivals make. */
static size_t check_all(const model *m, dice *d) {
    size_t count = 0;
    eop_chunk_info chunk;
    for (uint64_t next = 1; next <= m->count; next = chunk.ord1 + 1) {
        CHECK_OK(eop_telemetry_at(&chunk, &chunks, 1, next));
        cr_assert_eq(chunk.ord0, next);
        check_chunk(&chunk, m, d);
        count++;
    }
    cr_assert_eq(eop_telemetry_at(&chunk, &chunks, 1, m->count + 1), EDGEOPS_DONE);
    return count;
}

static edgeops_status keep_state(uint32_t asset, const eop_state *state, void *data) {
    cr_assert_eq(asset, 1);
    *(eop_state *)data = *state;
    return EDGEOPS_OK;
}

Test(store_telemetry, chunks_of_parts_are_what_arrived_at_each_ordinal) {
    model *m = calloc(1, sizeof *m);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        dice d = {seed};
        open_chunks();
        m->count = 0;
        bool splits = seed % 2 == 0;
        for (int segment = 0; segment < 40; segment++) {
            size_t from = m->count;
            model_roll(m, &d, 10 + below(&d, 50), UINT32_MAX);
            int64_t split = m->arrivals[from].time + (int64_t)below(&d, 20);
            if (m->count > from) {
                CHECK_OK(
                    write_arrivals(m, from, m->count, splits && below(&d, 5) == 0 ? &split : NULL));
            }
        }
        size_t count = check_all(m, &d);
        cr_assert(splits || count < 25, "%zu chunks: they were not merged", count);
        eop_state state = {0};
        size_t later = 0;
        CHECK_OK(eop_telemetry_states(&chunks, keep_state, &state));
        cr_assert_eq(state.extent.rows, model_count(&later, m, 0, m->count, UINT64_MAX));
        cr_assert_eq(state.extent.parts, m->count - state.extent.rows);
        cr_assert_eq(state.extent.ordinal, m->count);
        close_chunks();
    }
    free(m);
}
