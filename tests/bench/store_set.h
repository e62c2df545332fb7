/* SPDX-License-Identifier: Apache-2.0 */
/* A set of measurements in a file, as store_sets.py writes it, so that all who are compared take
 * the same bytes from memory. Native byte order:
 *
 *   "EOPSET1\n", u64 assets, u64 channels, u64 rows [assets], then for each asset
 *   i64 times [rows] in ns UTC, ascending, f64 values [channels][rows] */
#ifndef STORE_SET_H
#define STORE_SET_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SET_CHANNELS_MAX = 64 };

typedef struct set {
    size_t assets;
    size_t channels;
    const uint64_t *rows;
    size_t total_rows;
    size_t most_rows; /* of one asset */
    const char *body;
} set;

static inline void set_must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static inline double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline double seconds_now(void) {
    return seconds_of(CLOCK_MONOTONIC);
}

/* Of all threads: what it would take on one processor that nobody else uses. */
static inline double processor_now(void) {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* In memory and touched, so that no page of it is read while the clock runs. */
static inline set set_load(const char *path) {
    set s = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    set_must(fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 24, "cannot read the set");
    size_t size = (size_t)status.st_size;
    char *bytes = malloc(size);
    set_must(bytes != NULL, "no memory for the set");
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, bytes + done, size - done);
        set_must(n > 0, "the set is shorter than it was");
        done += (size_t)n;
    }
    close(fd);
    set_must(memcmp(bytes, "EOPSET1\n", 8) == 0, "this is no set");
    uint64_t counts[2];
    memcpy(counts, bytes + 8, sizeof counts);
    s.assets = counts[0];
    s.channels = counts[1];
    set_must(s.assets <= (size - 24) / 8 && s.channels >= 1 && s.channels <= SET_CHANNELS_MAX,
             "this is no set");
    s.rows = (const uint64_t *)(const void *)(bytes + 24);
    s.body = bytes + 24 + 8 * s.assets;
    for (size_t a = 0; a < s.assets; a++) {
        s.total_rows += s.rows[a];
        s.most_rows = s.rows[a] > s.most_rows ? s.rows[a] : s.most_rows;
    }
    set_must(size == 24 + 8 * s.assets + 8 * (s.channels + 1) * s.total_rows,
             "the set has another length than it says");
    return s;
}

/* The asset that begins `before` rows into the set. */
static inline const int64_t *set_times(const set *s, size_t before) {
    return (const int64_t *)(const void *)(s->body + 8 * (s->channels + 1) * before);
}

static inline const double *set_values(const set *s, size_t before, size_t asset, size_t channel) {
    return (const double *)(const void *)(set_times(s, before) + s->rows[asset] * (1 + channel));
}

/* Bit-exactly the values of the set. */
static inline void set_same(const double *values, const double *wanted, size_t n) {
    set_must(memcmp(values, wanted, n * sizeof *values) == 0,
             "the values that came back are not those that went in");
}

#endif /* STORE_SET_H */
