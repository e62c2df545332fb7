/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample costs when many assets have a few channels each and their samples arrive in turn,
 * so that a segment of the journal has few rows of each. Each call prints one line of JSON.
 *
 *   store_assets feed HOME ASSETS CHANNELS ROWS BATCH   appends ROWS samples, one of each asset and
 *       then the next, BATCH a call, until all of them are in chunks: processor time of all threads,
 *       bytes written, the greatest resident memory, the longest call
 *   store_assets kill HOME ASSETS CHANNELS ROWS BATCH   the same, but ends there as kill -9 does
 *   store_assets look HOME ASSETS CHANNELS ROWS         opens, and reads a channel of each asset:
 *       times of opening and reading; fails unless each sample is there, once */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "edgeops/store.h"
#include "store/queue.h"
#include "store/room.h"

enum { CHANNELS_MAX = 64, ASSETS_MAX = 100000, BATCH_MAX = 100000 };

#define BEGIN  INT64_C(1760000000000000000)
#define SECOND INT64_C(1000000000)

static const char *channel_names[CHANNELS_MAX];

static void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "store_assets: %s\n", what);
        exit(1);
    }
}

static void must_do(edgeops_status status) {
    must(status == EDGEOPS_OK, edgeops_error_last()->message);
}

static double clock_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A number behind a key in a file of /proc/self. */
static double proc_number(const char *path, const char *key) {
    char line[256];
    double number = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            number = strtod(line + strlen(key), NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

typedef struct plant {
    char (*names)[16];
    size_t assets;
    size_t channels;
    size_t rows; /* of all assets */
    size_t batch;
    edgeops_sample *samples;
    edgeops_value *values;
} plant;

static void make_plant(plant *p) {
    static char names[CHANNELS_MAX][8];
    for (size_t c = 0; c < CHANNELS_MAX; c++) {
        snprintf(names[c], sizeof names[c], "c%zu", c + 1);
        channel_names[c] = names[c];
    }
    p->names = calloc(p->assets, sizeof *p->names);
    p->samples = calloc(p->batch, sizeof *p->samples);
    p->values = calloc(p->batch * p->channels, sizeof *p->values);
    must(p->names != NULL && p->samples != NULL && p->values != NULL, "no memory");
    for (size_t a = 0; a < p->assets; a++) {
        snprintf(p->names[a], sizeof p->names[a], "plant/%06zu", a % 1000000);
    }
}

/* A value that is known from its place, with two decimals, near the one before it. */
static double value_at(size_t asset, size_t row, size_t channel) {
    uint64_t h = (asset * 64 + channel + 1) * UINT64_C(0x9e3779b97f4a7c15) + row / 16;
    h = (h ^ h >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return (double)(2000 + asset % 997 + (h >> 40) % 32 + row * 7 % 5) / 100;
}

static int64_t time_at(size_t asset, size_t row) {
    uint64_t h = (asset + 1) * UINT64_C(0xbf58476d1ce4e5b9) ^ row * UINT64_C(0x9e3779b97f4a7c15);
    return BEGIN + (int64_t)row * SECOND + (int64_t)((h >> 40) % 100) * 1000000;
}

static double feed_plant(plant *p, edgeops_store *store) {
    size_t in_batch = 0;
    double longest = 0;
    for (size_t i = 0; i < p->rows; i++) {
        size_t row = i / p->assets;
        size_t asset = i % p->assets;
        edgeops_value *values = p->values + in_batch * p->channels;
        for (size_t c = 0; c < p->channels; c++) {
            values[c] =
                (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = value_at(asset, row, c)};
        }
        p->samples[in_batch++] = (edgeops_sample){.asset = p->names[asset],
                                                  .time = time_at(asset, row),
                                                  .count = p->channels,
                                                  .channels = channel_names,
                                                  .values = values};
        if (in_batch == p->batch || i + 1 == p->rows) {
            edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
            double begun = clock_of(CLOCK_MONOTONIC);
            must_do(edgeops_store_append(&result, store, p->samples, in_batch, NULL));
            must(result.appended == in_batch, "the store left samples out");
            double took = clock_of(CLOCK_MONOTONIC) - begun;
            longest = took > longest ? took : longest;
            in_batch = 0;
        }
    }
    return longest;
}

static void feed(plant *p, const char *home, int killed) {
    edgeops_store *store = NULL;
    eop_store_stats stats;
    make_plant(p);
    double start_kib = proc_number("/proc/self/status", "VmRSS:");
    must_do(edgeops_store_open(&store, home, NULL));
    double processor = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    double written = proc_number("/proc/self/io", "wchar:");
    double begun = clock_of(CLOCK_MONOTONIC);
    double longest = feed_plant(p, store);
    double seconds = clock_of(CLOCK_MONOTONIC) - begun;
    must_do(eop_store_get_stats(store, &stats));
    if (!killed) {
        must_do(eop_store_flush(store));
    }
    processor = clock_of(CLOCK_PROCESS_CPUTIME_ID) - processor;
    written = proc_number("/proc/self/io", "wchar:") - written;
    double n = (double)p->rows;
    printf("{\"seconds\": %.3f, \"processor_us\": %.4f, \"points_us\": %.4f, \"written\": %.1f, "
           "\"longest\": %.4f, \"journal\": %llu, \"memory_mib\": %.1f}\n",
           seconds, 1e6 * processor / n, 1e6 * processor / n / (double)p->channels, written / n,
           longest, (unsigned long long)stats.journal_bytes,
           (proc_number("/proc/self/status", "VmHWM:") - start_kib) / 1024);
    fflush(stdout);
    if (killed) {
        _exit(0);
    }
    edgeops_store_close(store);
}

static void look(plant *p, const char *home) {
    edgeops_store *store = NULL;
    make_plant(p);
    double processor = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    double opened = clock_of(CLOCK_MONOTONIC);
    must_do(edgeops_store_open(&store, home, NULL));
    opened = clock_of(CLOCK_MONOTONIC) - opened;
    double open_processor = clock_of(CLOCK_PROCESS_CPUTIME_ID) - processor;
    must_do(eop_store_flush(store));
    processor = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t a = 0; a < p->assets; a++) {
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_table *table = NULL;
        size_t wanted = p->rows / p->assets + (a < p->rows % p->assets);
        query.asset = p->names[a];
        query.channels = channel_names;
        query.channel_count = 1;
        must_do(edgeops_store_read(&table, store, &query));
        must(table->rows == wanted, "rows are missing");
        for (size_t row = 0; row < wanted; row++) {
            must(table->times[row] == time_at(a, row) &&
                     table->columns[0].f64[row] == value_at(a, row, 0),
                 "a row is another one");
        }
        edgeops_table_free(table);
    }
    processor = clock_of(CLOCK_PROCESS_CPUTIME_ID) - processor;
    edgeops_store_close(store);
    printf("{\"open\": %.4f, \"open_processor\": %.4f, \"read_us\": %.4f}\n", opened,
           open_processor, 1e6 * processor / (double)p->rows);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    plant p = {.batch = 1};
    if (argc >= 6) {
        p.assets = strtoul(argv[3], NULL, 10);
        p.channels = strtoul(argv[4], NULL, 10);
        p.rows = strtoul(argv[5], NULL, 10);
        p.batch = argc > 6 ? strtoul(argv[6], NULL, 10) : 1;
        must(p.assets >= 1 && p.assets <= ASSETS_MAX && p.channels >= 1 &&
                 p.channels <= CHANNELS_MAX && p.rows >= 1 && p.batch >= 1 && p.batch <= BATCH_MAX,
             "1 to 100,000 assets of 1 to 64 channels, 1 to 100,000 samples a call");
    }
    if ((strcmp(what, "feed") == 0 || strcmp(what, "kill") == 0) && argc == 7) {
        feed(&p, argv[2], strcmp(what, "kill") == 0);
    } else if (strcmp(what, "look") == 0 && argc == 6) {
        look(&p, argv[2]);
    } else {
        fprintf(stderr, "usage: store_assets feed|kill HOME ASSETS CHANNELS ROWS BATCH\n"
                        "       store_assets look HOME ASSETS CHANNELS ROWS\n");
        return 2;
    }
    return 0;
}
