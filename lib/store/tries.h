/* SPDX-License-Identifier: Apache-2.0 */
/* Tries of the background writer at one kind of work, one after the other, and how the newest one
 * ended. A waiting thread must ignore the failure of a try that began before it came: it notes
 * `begun` when it comes and asks for later failures. Everything here is called under the store's
 * `lock`. */
#ifndef EOP_STORE_TRIES_H
#define EOP_STORE_TRIES_H

#include <stdbool.h>

#include "base/error.h"

typedef struct eop_tries {
    uint64_t begun;
    uint64_t ended;        /* begun or begun - 1 */
    edgeops_status status; /* how the newest ended */
    char message[512];     /* why it failed */
} eop_tries;

void eop_tries_begin(eop_tries *tries);
/** Ends the running try; after a failure its message is this thread's last error. Returns true for
 * the first failure after a success, which is worth a log line. */
bool eop_tries_end(eop_tries *tries, edgeops_status status);
/** If a try that began after `begun` others has failed: its status, with its message as the last
 * error. Else EDGEOPS_OK. */
edgeops_status eop_tries_failed(const eop_tries *tries, uint64_t begun);

#endif /* EOP_STORE_TRIES_H */
