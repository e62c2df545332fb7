/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of column, store and dataset share: checks of a status, short ways to make values,
 * and dice that roll the same everywhere. */
#ifndef VALUE_FIXTURE_H
#define VALUE_FIXTURE_H

#include <criterion/criterion.h>
#include <string.h>

#include "edgeops/status.h"
#include "edgeops/types.h"

#define CHECK_CODE(code, call)                                                                     \
    do {                                                                                           \
        edgeops_status check_status_ = (call);                                                     \
        cr_assert(check_status_ == (code), "%s: %s (%s)", #call,                                   \
                  edgeops_status_name(check_status_), edgeops_error_last()->message);              \
    } while (0)
#define CHECK_OK(call) CHECK_CODE(EDGEOPS_OK, call)

static inline edgeops_value f64(double value) {
    return (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = value};
}

static inline edgeops_value i64(int64_t value) {
    return (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = value};
}

static inline edgeops_value boolean(int value) {
    return (edgeops_value){.type = EDGEOPS_TYPE_BOOL, .as.i64 = value};
}

static inline edgeops_value text(const char *value) {
    return (edgeops_value){
        .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)strlen(value), .as.str = value};
}

/* xorshift64*: the same sequence everywhere. */
typedef struct dice {
    uint64_t state;
} dice;

static inline uint64_t roll(dice *d) {
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return d->state * UINT64_C(2685821657736338717);
}

static inline uint64_t below(dice *d, uint64_t n) {
    return roll(d) % n;
}

#endif /* VALUE_FIXTURE_H */
