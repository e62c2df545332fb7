/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers for the virtual assets: the same seed gives the same asset on every machine, so
 * no function of the C library decides a value except sqrt and log. */
#include <math.h>

#include "bench/virtual.h"

static uint64_t splitmix64(uint64_t *x) {
    uint64_t z = (*x += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

void eop_random_init(eop_random *random, uint64_t seed, uint64_t stream) {
    uint64_t x = seed;
    x = splitmix64(&x) ^ (stream * UINT64_C(0xD1342543DE82EF95));
    for (int i = 0; i < 4; i++) {
        random->s[i] = splitmix64(&x);
    }
    random->spare = 0;
    random->has_spare = false;
}

uint64_t eop_random_next(eop_random *random) {
    uint64_t *s = random->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double eop_random_unit(eop_random *random) {
    return (double)(eop_random_next(random) >> 11) * 0x1.0p-53;
}

double eop_random_range(eop_random *random, double low, double high) {
    return low + (high - low) * eop_random_unit(random);
}

double eop_random_normal(eop_random *random, double mean, double deviation) {
    if (random->has_spare) {
        random->has_spare = false;
        return mean + deviation * random->spare;
    }
    double u, v, r;
    do {
        u = 2 * eop_random_unit(random) - 1;
        v = 2 * eop_random_unit(random) - 1;
        r = u * u + v * v;
    } while (r >= 1 || r == 0);
    double scale = sqrt(-2 * log(r) / r);
    random->spare = v * scale;
    random->has_spare = true;
    return mean + deviation * u * scale;
}

double eop_random_exponential(eop_random *random, double mean) {
    return -mean * log(1 - eop_random_unit(random));
}

uint32_t eop_random_below(eop_random *random, uint32_t n) {
    return (uint32_t)(((eop_random_next(random) >> 32) * (uint64_t)n) >> 32);
}
