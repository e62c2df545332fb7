/* SPDX-License-Identifier: Apache-2.0 */
/* That a verification of a whole store finds nothing wrong. */
#ifndef EOP_TEST_STORE_SOUND_H
#define EOP_TEST_STORE_SOUND_H

#include <criterion/criterion.h>

#include "folder_fixture.h"
#include "store/verify.h"

static inline void count_finding(const eop_finding *finding, void *user_data) {
    cr_log_error("%s: %s", finding->what, finding->detail);
    *(int *)user_data += 1;
}

static inline edgeops_status go_on(double part, void *user_data) {
    (void)part;
    (void)user_data;
    return EDGEOPS_OK;
}

static inline void check_sound(edgeops_store *store) {
    eop_verified sum = {0};
    int findings = 0;
    eop_verify_handler handler = {
        .finding = count_finding, .progress = go_on, .user_data = &findings};
    CHECK_OK(eop_store_verify(&sum, store, &handler));
    cr_assert_eq(findings, 0);
}

#endif
