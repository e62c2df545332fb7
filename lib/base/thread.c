/* SPDX-License-Identifier: Apache-2.0 */
/* The only pthread_create() of the library. No state, any thread. */
#include "base/thread.h"

#include "base/compiler.h"

void eop_signals_block(sigset_t *old) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked;
    (void)sigfillset(&blocked);
    for (size_t i = 0; i < EOP_COUNT(faults); i++) {
        (void)sigdelset(&blocked, faults[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &blocked, old);
}

void eop_signals_restore(const sigset_t *old) {
    (void)pthread_sigmask(SIG_SETMASK, old, NULL);
}

int eop_thread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*fn)(void *),
                      void *argument) {
    sigset_t old;
    eop_signals_block(&old);
    int rc = pthread_create(out, attributes, fn, argument);
    eop_signals_restore(&old);
    return rc;
}
