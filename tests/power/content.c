/* SPDX-License-Identifier: Apache-2.0 */
/* Content that is computed from the number of a row alone, so that nobody must keep it. */
#include "content.h"

#include <stdio.h>

const char *const content_names[CONTENT_ASSETS] = {"line/rows", "line/table", "line/camera"};

edgeops_time content_time(content_asset asset, uint64_t n) {
    edgeops_time begin = (edgeops_time)1700000000 * EDGEOPS_SECOND;
    edgeops_time late = asset == CONTENT_ROWS && n % 3 == 0 ? 5 * EDGEOPS_MILLISECOND / 2 : 0;
    return begin + (edgeops_time)n * EDGEOPS_MILLISECOND - late;
}

uint32_t content_text(char *out, uint64_t n) {
    uint32_t size = (uint32_t)(n * 7 % CONTENT_TEXT_MAX);
    for (uint32_t i = 0; i < size; i++) {
        out[i] = (char)('a' + (n * 31 + i * (7 + n % 5)) % 26);
    }
    return size;
}

int16_t content_wave(uint64_t n, int k) {
    return (int16_t)((n * 37 + (uint64_t)k * 101) % 30000);
}

bool content_extra(char name[24], uint64_t n) {
    (void)snprintf(name, 24, "extra%u", (unsigned)(n / CONTENT_CHANNEL_EVERY));
    return n % 5 == 0;
}

uint32_t content_image(uint8_t *out, uint64_t n) {
    uint64_t of = n % 10 == 9 ? n - 9 : n;
    uint64_t dice = of * UINT64_C(0x9e3779b97f4a7c15) + 1;
    uint32_t size = 1 + (uint32_t)((dice >> 20) % (of % 7 == 0 ? 200 : CONTENT_IMAGE_MAX));
    for (uint32_t i = 0; i < size; i++) {
        dice ^= dice >> 12;
        dice ^= dice << 25;
        dice ^= dice >> 27;
        out[i] = (uint8_t)(dice >> 32);
    }
    return size;
}
