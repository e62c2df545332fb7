/* SPDX-License-Identifier: Apache-2.0 */
/* What row n of each asset holds: the writer makes it, the judge compares with it. */
#ifndef TESTS_POWER_CONTENT_H
#define TESTS_POWER_CONTENT_H

#include <stdbool.h>

#include "edgeops/store.h"

enum {
    CONTENT_TEXT_MAX = 300,
    CONTENT_WAVE = 8,            /* elements of the array of a table's row */
    CONTENT_CHANNEL_EVERY = 997, /* rows: then an asset gets one more channel */
    CONTENT_IMAGE_MAX = 40000
};

typedef enum content_asset {
    CONTENT_ROWS,
    CONTENT_TABLE,
    CONTENT_CAMERA,
    CONTENT_ASSETS
} content_asset;

/** "line/rows" comes by the sample and partly late, "line/table" by the table, "line/camera" has
 * an image in each row. */
extern const char *const content_names[CONTENT_ASSETS];
/** The asset that comes and goes. */
#define CONTENT_GUEST "line/guest"

edgeops_time content_time(content_asset asset, uint64_t n);
/** Fills `out` with CONTENT_TEXT_MAX bytes at most; gives their number. */
uint32_t content_text(char *out, uint64_t n);
int16_t content_wave(uint64_t n, int k);
/** The name of the channel that row n has besides the others, if it has one. */
bool content_extra(char name[24], uint64_t n);
/** Fills `out` with CONTENT_IMAGE_MAX bytes at most; gives their number. Each tenth image is one
 * that came before. */
uint32_t content_image(uint8_t *out, uint64_t n);

#endif /* TESTS_POWER_CONTENT_H */
