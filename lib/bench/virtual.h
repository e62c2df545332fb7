/* SPDX-License-Identifier: Apache-2.0 */
/* What the virtual assets share: random numbers of a seed, and the table of a kind of asset, which
 * virtual.c drives and virtual_pcb.c and virtual_imu.c fill. */
#ifndef EOP_BENCH_VIRTUAL_H
#define EOP_BENCH_VIRTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/bench.h"

#define EOP_PI 3.14159265358979323846

/** xoshiro256** 1.0 (Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2021),
 * filled by splitmix64. Not for secrets. */
typedef struct eop_random {
    uint64_t s[4];
    double spare; /**< second normal of the polar method */
    bool has_spare;
} eop_random;

/** Different streams of one seed are independent of each other. */
void eop_random_init(eop_random *random, uint64_t seed, uint64_t stream);
uint64_t eop_random_next(eop_random *random);
/** [0, 1), 53 bits. */
double eop_random_unit(eop_random *random);
/** [low, high). */
double eop_random_range(eop_random *random, double low, double high);
/** Normal by Marsaglia's polar method. */
double eop_random_normal(eop_random *random, double mean, double deviation);
double eop_random_exponential(eop_random *random, double mean);
/** 0 .. n - 1; n > 0. */
uint32_t eop_random_below(eop_random *random, uint32_t n);

/** What a kind of asset gives for one sample: its values and at most one label. */
typedef struct eop_virtual_step {
    double *values;    /**< one a channel, to be filled */
    const char *label; /**< static; NULL: none with this sample */
    double label_from; /**< s of asset time */
    double label_to;   /**< exclusive; <= label_from: a point */
    double label_delay;
} eop_virtual_step;

/** A kind of virtual asset. Static. */
typedef struct eop_virtual_kind {
    const char *name;
    const char *asset;
    double rate_hz;
    double rate_min_hz; /**< below, the model means nothing */
    size_t channel_count;
    const char *const *channels;
    const char *const *units;
    /** Zeroed memory of state_size. */
    size_t state_size;
    void (*init)(void *state, uint64_t seed);
    /** t: s since the first sample, rising. */
    void (*next)(void *state, double t, double dt, eop_virtual_step *step);
} eop_virtual_kind;

extern const eop_virtual_kind eop_virtual_pcb;
extern const eop_virtual_kind eop_virtual_imu;

#endif /* EOP_BENCH_VIRTUAL_H */
