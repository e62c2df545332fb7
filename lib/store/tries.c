/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the background writer's tries at one kind of work and keeps how the last one ended; see
 * tries.h. Under the store's `lock`. */
#include "store/tries.h"

#include <stdio.h>

void eop_tries_begin(eop_tries *tries) {
    tries->begun++;
}

bool eop_tries_end(eop_tries *tries, edgeops_status status) {
    bool news = status != EDGEOPS_OK && tries->status == EDGEOPS_OK;
    if (status != EDGEOPS_OK) {
        snprintf(tries->message, sizeof tries->message, "%s", edgeops_error_last()->message);
    }
    tries->status = status;
    tries->ended = tries->begun;
    return news;
}

edgeops_status eop_tries_failed(const eop_tries *tries, uint64_t begun) {
    if (tries->ended > begun && tries->status != EDGEOPS_OK) {
        return eop_fail_with(tries->status, "store", tries->message);
    }
    return EDGEOPS_OK;
}
