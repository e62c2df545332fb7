/* SPDX-License-Identifier: Apache-2.0 */
/* Threads in somebody else's process: each one of the library starts here. Signals are the host's:
 * a helper thread has all of them blocked, so that no handler runs on it and sigwait() of the host
 * gets them. Faults stay open, so that a crash reporter of the host still sees them. */
#ifndef EOP_BASE_THREAD_H
#define EOP_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/** Starts a thread as pthread_create() does, with the host's signals blocked.
 *
 *  @param attributes  NULL for the defaults
 *  @return 0 or an errno value */
int eop_thread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*fn)(void *),
                      void *argument);

/** Blocks the host's signals on this thread while a library that makes threads of its own is called:
 * they inherit the mask. Give `old` to eop_signals_restore(). */
void eop_signals_block(sigset_t *old);
void eop_signals_restore(const sigset_t *old);

#endif /* EOP_BASE_THREAD_H */
