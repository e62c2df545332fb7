/* SPDX-License-Identifier: Apache-2.0 */
/* The rows and states that the writer puts into data/telemetry.db. */
#include "store/telemetry.h"

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
