/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a context. Rooms log what the host cannot learn from a status or callback; each event
 * is logged once, by the room that sees it first. */
#ifndef EOP_BASE_LOG_H
#define EOP_BASE_LOG_H

#include "base/compiler.h"
#include "edgeops/context.h"

/** Where a room's log lines go: a copy of what the host gave in its context options. {0} is
 * silent. */
typedef struct eop_log {
    edgeops_log_fn fn;
    void *user_data;
    edgeops_log_level level;
} eop_log;

/** One line, no secrets. Any thread. */
void eop_log_write(const eop_log *log, edgeops_log_level level, const char *subsystem,
                   const char *format, ...) EOP_PRINTF(4, 5);

#endif /* EOP_BASE_LOG_H */
