/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"

/* A struct as this library knows it, and as a later one does. */
typedef struct now {
    size_t struct_size;
    int64_t a;
    int64_t b;
} now;
#define NOW_INIT                                                                                   \
    { sizeof(now), 7, 8 }

typedef struct later {
    now known;
    int64_t c;
    int64_t d;
} later;

static edgeops_status take(now *out, const void *given) {
    return EOP_STRUCT_TAKE(out, (const now *)given, "test", NOW_INIT);
}

Test(base_abi, no_struct_leaves_the_defaults) {
    now out = NOW_INIT;
    cr_assert_eq(take(&out, NULL), EDGEOPS_OK);
    cr_assert(out.struct_size == sizeof out && out.a == 7 && out.b == 8);
}

Test(base_abi, an_older_caller_keeps_the_defaults_of_what_it_does_not_have) {
    now out = NOW_INIT;
    now given = {offsetof(now, b), 1, 2};
    cr_assert_eq(take(&out, &given), EDGEOPS_OK);
    cr_assert(out.struct_size == sizeof out && out.a == 1 && out.b == 8);
}

Test(base_abi, a_newer_caller_is_taken_while_it_uses_nothing_new) {
    for (size_t i = sizeof(now); i < sizeof(later); i++) {
        now out = NOW_INIT;
        later given = {.known = {sizeof given, 1, 2}};
        cr_assert_eq(take(&out, &given), EDGEOPS_OK);
        cr_assert(out.struct_size == sizeof out && out.a == 1 && out.b == 2);
        out = (now)NOW_INIT;
        ((unsigned char *)&given)[i] = 1;
        cr_assert_eq(take(&out, &given), EDGEOPS_E_INVALID);
        cr_assert(out.a == 7 && out.b == 8);
        cr_assert_not_null(strstr(edgeops_error_last()->message, "NOW_INIT"));
    }
}

Test(base_abi, a_size_that_nobody_set_is_refused) {
    const size_t sizes[] = {0, 1, sizeof(size_t) - 1, EOP_STRUCT_MAX + 1, SIZE_MAX};
    for (size_t i = 0; i < EOP_COUNT(sizes); i++) {
        now out = NOW_INIT;
        now given = {sizes[i], 1, 2};
        cr_assert_eq(take(&out, &given), EDGEOPS_E_INVALID);
        cr_assert_eq(eop_result_check(&given, "test", "NOW_INIT"), EDGEOPS_E_INVALID);
        cr_assert_not_null(strstr(edgeops_error_last()->message, "NOW_INIT"));
        cr_assert(out.a == 7 && out.b == 8);
    }
    cr_assert_eq(eop_result_check(NULL, "test", "NOW_INIT"), EDGEOPS_OK);
}

/* Nothing behind the caller's struct is written, whatever its size. */
Test(base_abi, a_result_is_cut_or_filled_up_to_the_size_of_the_caller) {
    const now made = {0, 1, 2};
    for (size_t size = sizeof(size_t); size <= sizeof(later); size++) {
        later given;
        memset(&given, 0x5a, sizeof given);
        given.known.struct_size = size;
        cr_assert_eq(eop_result_check(&given, "test", "NOW_INIT"), EDGEOPS_OK);
        eop_result_give(&given, &made, sizeof made);
        cr_assert_eq(given.known.struct_size, size);
        for (size_t i = sizeof(size_t); i < sizeof given; i++) {
            unsigned char wanted = i >= size          ? 0x5a
                                   : i >= sizeof made ? 0
                                                      : ((const unsigned char *)&made)[i];
            cr_assert_eq(((unsigned char *)&given)[i], wanted);
        }
    }
    eop_result_give(NULL, &made, sizeof made);
}

Test(base_abi, init_writes_the_caller_s_size_and_no_more) {
    const now defaults = NOW_INIT;
    for (size_t size = 0; size <= sizeof(later); size++) {
        later given;
        memset(&given, 0x5a, sizeof given);
        eop_struct_init(&given, size, &defaults, sizeof defaults);
        for (size_t i = size; i < sizeof given; i++) {
            cr_assert_eq(((unsigned char *)&given)[i], 0x5a);
        }
        cr_assert(size < sizeof(size_t) || given.known.struct_size == size);
    }
    eop_struct_init(NULL, sizeof defaults, &defaults, sizeof defaults);
}
