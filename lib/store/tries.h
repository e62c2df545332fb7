/* SPDX-License-Identifier: Apache-2.0 */
/* Tries of the background writer at one kind of work, one after the other, and how the newest one
 * ended. A thread that waits for that work must not take the failure of a try that began before it
 * came for its own: it notes `begun` when it comes and asks for failures since. Everything here is
 * called under the store's `lock`. */
#ifndef EOP_STORE_TRIES_H
#define EOP_STORE_TRIES_H

#include <stdbool.h>

#include "base/error.h"

typedef struct eop_tries {
    uint64_t begun;
    uint64_t ended;        /* begun or begun - 1 */
    edgeops_status status; /* of the newest one that ended */
    char message[512];     /* why it failed */
} eop_tries;

void eop_tries_begin(eop_tries *tries);
/** Ends the running one. After a failure the text is this thread's last error. True when the try
 * before it was good: the first failure is news, those that follow are not. */
bool eop_tries_end(eop_tries *tries, edgeops_status status);
/** A try that began after `begun` others has failed: its status, and its text as the last error.
 * Else OK. */
edgeops_status eop_tries_failed(const eop_tries *tries, uint64_t begun);

#endif /* EOP_STORE_TRIES_H */
