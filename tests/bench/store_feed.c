/* SPDX-License-Identifier: Apache-2.0 */
/* An app that embeds the store and writes steadily: store_feed HOME RATE SECONDS ASSETS
 * [SEGMENT_MIB] appends RATE samples a second of three values over so many assets, one call a time
 * of all assets, as a controller's cycle does. Prints one line of JSON with its memory in KiB: at
 * the start of main, and the greatest of all that was resident and of its anonymous part. */
#include <edgeops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHANNELS = 3, ASSETS_MAX = 10000 };

static const char *const channels[CHANNELS] = {"temperature", "pressure", "flow"};

static long status_kib(const char *key) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kib = strtol(line + strlen(key) + 1, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static uint64_t random_bits(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int main(int argc, char **argv) {
    static char names[ASSETS_MAX][16];
    static int32_t walks[ASSETS_MAX][CHANNELS];
    static edgeops_value values[ASSETS_MAX][CHANNELS];
    static edgeops_sample samples[ASSETS_MAX];
    static const double scales[CHANNELS] = {100, 10000, 1000};
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: store_feed HOME RATE SECONDS ASSETS [SEGMENT_MIB]\n");
        return 2;
    }
    long rate = strtol(argv[2], NULL, 10);
    double seconds = strtod(argv[3], NULL);
    long assets = strtol(argv[4], NULL, 10);
    if (rate < 1 || seconds <= 0 || assets < 1 || assets > ASSETS_MAX) {
        fprintf(stderr, "store_feed: the rate and the assets are at least 1\n");
        return 2;
    }
    long start_kib = status_kib("VmRSS");
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = argc == 6 ? strtoull(argv[5], NULL, 10) << 20 : 0;
    if (edgeops_store_open(&store, argv[1], &options) != EDGEOPS_OK) {
        fprintf(stderr, "store_feed: %s\n", edgeops_error_last()->message);
        return 1;
    }
    for (long a = 0; a < assets; a++) {
        snprintf(names[a], sizeof names[a], "plant/%06ld", a);
        samples[a] = (edgeops_sample){
            .asset = names[a], .count = CHANNELS, .channels = channels, .values = values[a]};
    }
    long calls = (long)((double)rate * seconds / (double)assets);
    double pause = (double)assets / (double)rate;
    long anon_kib = 0;
    double late = 0;
    struct timespec begun;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long i = 0; i < calls; i++) {
        double due = pause * (double)i;
        clock_gettime(CLOCK_MONOTONIC, &now);
        double passed =
            (double)(now.tv_sec - begun.tv_sec) + 1e-9 * (double)(now.tv_nsec - begun.tv_nsec);
        if (passed < due) {
            struct timespec rest = {(time_t)(due - passed),
                                    (long)((due - passed - (double)(time_t)(due - passed)) * 1e9)};
            nanosleep(&rest, NULL);
        } else if (passed - due > late) {
            late = passed - due;
        }
        for (long a = 0; a < assets; a++) {
            samples[a].time = INT64_C(1760000000000000000) + (int64_t)(due * 1e3) * 1000000 + i;
            for (int c = 0; c < CHANNELS; c++) {
                walks[a][c] += (int32_t)(random_bits() % 9) - 4;
                values[a][c].type = EDGEOPS_TYPE_FLOAT64;
                values[a][c].as.f64 = walks[a][c] / scales[c];
            }
        }
        if (edgeops_store_append(NULL, store, samples, (size_t)assets, NULL) != EDGEOPS_OK) {
            fprintf(stderr, "store_feed: %s\n", edgeops_error_last()->message);
            return 1;
        }
        if (i % 40 == 0) {
            long kib = status_kib("RssAnon");
            anon_kib = kib > anon_kib ? kib : anon_kib;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    double took =
        (double)(now.tv_sec - begun.tv_sec) + 1e-9 * (double)(now.tv_nsec - begun.tv_nsec);
    edgeops_store_close(store);
    printf("{\"seconds\": %.3f, \"samples\": %ld, \"late\": %.4f, \"start\": %ld, \"peak\": %ld, "
           "\"anon\": %ld}\n",
           took, calls * assets, late, start_kib, status_kib("VmHWM"), anon_kib);
    return 0;
}
