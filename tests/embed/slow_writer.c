/* SPDX-License-Identifier: Apache-2.0 */
/* A host that appends faster than the background writer makes chunks: an append that does not want to wait says
 * EDGEOPS_E_AGAIN at once, one with a bound comes back by it, and what was acknowledged is there, all of it and once. */
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { CHANNELS = 1000, ASSETS = 40 };

static char names[CHANNELS][8];
static const char *channels[CHANNELS];
static edgeops_value values[CHANNELS];
static uint64_t acknowledged[ASSETS];

static edgeops_status append_wide(long n, edgeops_duration wait) {
    char asset[16];
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    edgeops_sample sample = {
        .asset = asset, .time = n, .count = CHANNELS, .channels = channels, .values = values};
    (void)snprintf(asset, sizeof asset, "a%ld", n % ASSETS);
    for (int i = 0; i < CHANNELS; i++) {
        values[i].as.f64 = rand() / 7.0;
    }
    options.wait = wait;
    edgeops_status status = edgeops_store_append(NULL, store, &sample, 1, &options);
    acknowledged[n % ASSETS] += status == EDGEOPS_OK;
    return status;
}

/* Appends for so long; gives how often it was refused and the longest call. */
static long flat_out(long *n, double seconds, edgeops_duration wait, double *longest) {
    long refused = 0;
    *longest = 0;
    for (double end = now_s() + seconds; now_s() < end; (*n)++) {
        double start = now_s();
        edgeops_status status = append_wide(*n, wait);
        double took = now_s() - start;
        *longest = took > *longest ? took : *longest;
        refused += status == EDGEOPS_E_AGAIN;
        CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_AGAIN, "%s", why());
    }
    return refused;
}

int main(void) {
    double longest = 0;
    long n = 0;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    (void)host_begin();
    for (int i = 0; i < CHANNELS; i++) {
        (void)snprintf(names[i], sizeof names[i], "c%d", i);
        channels[i] = names[i];
        values[i].type = EDGEOPS_TYPE_FLOAT64;
    }
    options.segment_bytes = 1 << 20;
    NEED(edgeops_store_open(&store, path_of("home"), &options) == EDGEOPS_OK, "%s", why());
    long refused = flat_out(&n, 1, -1, &longest);
    printf("not waiting: %ld of %ld refused, longest call %.0f ms\n", refused, n, longest * 1e3);
    CHECK(longest < 1.0, "a call that does not wait took %.2f s", longest);
    long before = n;
    refused = flat_out(&n, 1, 20 * EDGEOPS_MILLISECOND, &longest);
    printf("20 ms at most: %ld of %ld refused, longest call %.0f ms\n", refused, n - before,
           longest * 1e3);
    CHECK(longest < 1.0, "a call that waits 20 ms at most took %.2f s", longest);
    before = n;
    refused = flat_out(&n, 1, 0, &longest);
    printf("by default: %ld of %ld refused, longest call %.0f ms\n", refused, n - before,
           longest * 1e3);
    CHECK(refused == 0, "%ld calls refused that wait 10 s", refused);
    edgeops_store_close(store);
    NEED(edgeops_store_open(&store, path_of("home"), NULL) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < ASSETS; i++) {
        uint64_t rows = rows_of(store, text_of("a%d", i));
        CHECK(rows == acknowledged[i], "asset %d: %llu rows, %llu acknowledged", i,
              (unsigned long long)rows, (unsigned long long)acknowledged[i]);
    }
    edgeops_store_close(store);
    return host_end();
}
