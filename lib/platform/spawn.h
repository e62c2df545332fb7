/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a process, for process.c: one thread starts all of them. */
#ifndef EOP_PLATFORM_SPAWN_H
#define EOP_PLATFORM_SPAWN_H

#include "platform/platform.h"

enum { EOP_SPAWN_FDS = 16 }; /* descriptors that a child may be given */

/** Starts a process on the thread that all processes are started on. Any thread; blocks until exec.
 *
 *  @return 0, or an errno value: nothing was started then */
int eop_spawn(pid_t *pid, int *pidfd, const eop_process_options *options);

#endif /* EOP_PLATFORM_SPAWN_H */
