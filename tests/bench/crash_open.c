/* SPDX-License-Identifier: Apache-2.0 */
/* How long a home that crashed takes until it accepts samples again.
 *
 *   crash_open HOME [MIB [ROUNDS]]
 *       fills HOME with noise, which no codec makes smaller, up to so many MiB (1024), then, so
 * often (7): a process appends at full speed until it is killed, and another one opens the home and
 *       appends a sample. Prints a line each time, and the median and the worst last. In every
 *       other round the files are not in memory, as after a power cut. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "edgeops/store.h"

enum { ASSETS = 100, CHANNELS = 8, BATCH = 100, ROUNDS_MAX = 101 };

static void must(edgeops_status status) {
    if (status != EDGEOPS_OK) {
        fprintf(stderr, "crash_open: %s\n", edgeops_error_last()->message);
        exit(1);
    }
}

static void must_be(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of this thread, the kernel's share too: what is left of the time where others run as well. */
static double processor_seconds(void) {
    struct rusage r;
    getrusage(RUSAGE_THREAD, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

/* Each file of a folder: its size, or out of the page cache. */
static double each_file(const char *home, const char *folder, int forget) {
    char path[1024];
    double mib = 0;
    snprintf(path, sizeof path, "%s/%s", home, folder);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char file[2048];
        struct stat st;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
            mib += (double)st.st_size / (1 << 20);
            if (forget && fsync(fd) == 0) {
                (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            }
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return mib;
}

static double all_files(const char *home, int forget) {
    return each_file(home, "", forget) + each_file(home, "data", forget) +
           each_file(home, "data/journal", forget);
}

static edgeops_status append(edgeops_store *store, int64_t *row) {
    static const char *const channels[CHANNELS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static uint64_t dice = 88172645463325252;
    static edgeops_value values[BATCH][CHANNELS];
    edgeops_sample samples[BATCH];
    char asset[16];
    snprintf(asset, sizeof asset, "noise/%d", (int)(*row / BATCH % ASSETS));
    for (int i = 0; i < BATCH; i++) {
        for (int k = 0; k < CHANNELS; k++) {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            values[i][k] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64,
                                           .as.f64 = (double)dice * 0x1p-64 + (double)(dice % 7)};
        }
        samples[i] = (edgeops_sample){.asset = asset,
                                      .time = (*row)++,
                                      .count = CHANNELS,
                                      .channels = channels,
                                      .values = values[i]};
    }
    return edgeops_store_append(NULL, store, samples, BATCH, NULL);
}

static edgeops_store *open_store(const char *home) {
    edgeops_store *store = NULL;
    must(edgeops_store_open(&store, home, NULL));
    return store;
}

/* Appends until it is killed; tells `pipe` of each MiB of values. */
static void write_until_killed(const char *home, int pipe) {
    edgeops_store *store = open_store(home);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t row = (int64_t)now.tv_sec * 1000000000;
    for (double mib = 0, told = 1;; mib += sizeof(double) * BATCH * CHANNELS / (double)(1 << 20)) {
        must(append(store, &row));
        for (; told < mib; told++) {
            must_be(write(pipe, ".", 1) == 1, "write");
        }
    }
}

/* A process that appends so many MiB and a bit more. */
static void write_and_kill(const char *home, double mib) {
    int ends[2];
    char c;
    must_be(pipe(ends) == 0, "pipe");
    pid_t pid = fork();
    must_be(pid >= 0, "fork");
    if (pid == 0) {
        write_until_killed(home, ends[1]);
    }
    close(ends[1]);
    while (mib > 0 && read(ends[0], &c, 1) == 1) {
        mib -= 1;
    }
    must_be(mib <= 0, "the process that appends has ended");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

/* Seconds from opening to the first sample, in a process that is killed then. */
static double open_and_append(const char *home) {
    int ends[2];
    double times[3] = {0};
    must_be(pipe(ends) == 0, "pipe");
    pid_t pid = fork();
    must_be(pid >= 0, "fork");
    if (pid == 0) {
        int64_t row = 0;
        double start = seconds();
        double processor = processor_seconds();
        edgeops_store *store = open_store(home);
        times[0] = seconds() - start;
        edgeops_value value = {.type = EDGEOPS_TYPE_INT64, .as.i64 = 1};
        const char *channel = "x";
        edgeops_sample sample = {.asset = "first",
                                 .time = (int64_t)(start * 1e9) + row,
                                 .count = 1,
                                 .channels = &channel,
                                 .values = &value};
        must(edgeops_store_append(NULL, store, &sample, 1, NULL));
        times[1] = seconds() - start;
        times[2] = processor_seconds() - processor;
        must_be(write(ends[1], times, sizeof times) == sizeof times, "write");
        kill(getpid(), SIGKILL);
    }
    close(ends[1]);
    must_be(read(ends[0], times, sizeof times) == sizeof times, "the process that opens has ended");
    waitpid(pid, NULL, 0);
    close(ends[0]);
    printf("open %.1f ms, first sample after %.1f ms, of these processor %.1f ms", times[0] * 1e3,
           times[1] * 1e3, times[2] * 1e3);
    return times[1];
}

static int by_time(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    double times[ROUNDS_MAX];
    int rounds = argc > 3 ? atoi(argv[3]) : 7;
    double wanted = argc > 2 ? atof(argv[2]) : 1024;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: crash_open HOME [MIB [ROUNDS]]\n");
        return 2;
    }
    while (all_files(argv[1], 0) < wanted) {
        write_and_kill(argv[1], wanted - all_files(argv[1], 0) + 1);
    }
    for (int i = 0; i < rounds; i++) {
        write_and_kill(argv[1], 20 + i * 5 % 16);
        double mib = all_files(argv[1], i % 2 == 1);
        double journal = each_file(argv[1], "data/journal", 0);
        double wal = each_file(argv[1], "data", 0);
        times[i] = open_and_append(argv[1]);
        printf(" (%.0f MiB, journal %.0f, chunks and their WAL %.0f%s)\n", mib, journal, wal,
               i % 2 == 1 ? ", not in memory" : "");
        fflush(stdout);
    }
    qsort(times, (size_t)rounds, sizeof *times, by_time);
    printf("until the first sample: median %.1f ms, worst %.1f ms\n", times[rounds / 2] * 1e3,
           times[rounds - 1] * 1e3);
    return 0;
}
