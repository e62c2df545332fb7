/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that waits for the background writer gets the failure of a try that began after it
 * came, and of no other. */
#include "store/tries.h"

#include <criterion/criterion.h>

static bool fail_try(eop_tries *tries, const char *why) {
    return eop_tries_end(tries, eop_fail(EDGEOPS_E_NOMEM, "store", "%s", why));
}

Test(store_tries, a_try_that_runs_when_a_waiter_comes_is_not_its_own) {
    eop_tries tries = {0};
    eop_tries_begin(&tries);
    uint64_t begun = tries.begun; /* the waiter comes */
    cr_assert(fail_try(&tries, "the first"));
    cr_assert_eq(eop_tries_failed(&tries, begun), EDGEOPS_OK);
    eop_tries_begin(&tries);
    cr_assert_eq(eop_tries_failed(&tries, begun), EDGEOPS_OK, "it has not ended");
    cr_assert_not(fail_try(&tries, "the second"), "only the first failure is news");
    cr_assert_eq(eop_tries_failed(&tries, begun), EDGEOPS_E_NOMEM);
    cr_assert_str_eq(edgeops_error_last()->message, "the second");
}

Test(store_tries, an_old_failure_is_not_that_of_a_waiter_who_comes_later) {
    eop_tries tries = {0};
    eop_tries_begin(&tries);
    fail_try(&tries, "before it came");
    cr_assert_eq(eop_tries_failed(&tries, tries.begun), EDGEOPS_OK);
    cr_assert_eq(eop_tries_failed(&tries, 0), EDGEOPS_E_NOMEM);
}

Test(store_tries, a_good_try_after_a_failure_makes_the_next_failure_news) {
    eop_tries tries = {0};
    eop_tries_begin(&tries);
    cr_assert(fail_try(&tries, "once"));
    eop_tries_begin(&tries);
    cr_assert_not(eop_tries_end(&tries, EDGEOPS_OK));
    cr_assert_eq(eop_tries_failed(&tries, 0), EDGEOPS_OK);
    eop_tries_begin(&tries);
    cr_assert(fail_try(&tries, "again"));
}
