/* SPDX-License-Identifier: Apache-2.0 */
/* What workers print, kept in a file of limited size. */
#ifndef EOP_RUNTIME_RUNLOG_H
#define EOP_RUNTIME_RUNLOG_H

#include "base/compiler.h"
#include "edgeops/context.h"

/** The log of a run: what its workers write to stdout and stderr, and what the host says about
 * them. Bytes over the limit are counted and left out, and the writer is slowed down then; neither
 * the disk nor the loop suffers from a worker that prints for ever. The last 16 KiB that a worker
 * said are kept all the same. */
typedef struct eop_runlog eop_runlog;

/** One line, without its end, valid UTF-8, cut after 1,024 bytes. Must not close the log. */
typedef void (*eop_runlog_fn)(const char *line, void *user_data);

/** Opens run_dir/log and appends; run_dir NULL: no log is kept. on_line: optional, gets at most
 * 100 lines a second of what workers print, and a note about those left out. */
edgeops_status eop_runlog_open(eop_runlog **out, edgeops_ctx *ctx, const char *run_dir,
                               uint64_t limit_bytes, eop_runlog_fn on_line, void *user_data);
/** The descriptor that workers write to: borrowed. */
int eop_runlog_fd(const eop_runlog *log);
/** A line of the host: "edgeops: ...". */
void eop_runlog_say(eop_runlog *log, const char *format, ...) EOP_PRINTF(2, 3);
/** Takes what is in the pipe now, gives the last unfinished line too: after a worker's end. */
void eop_runlog_drain(eop_runlog *log);
/** NULL is allowed. */
void eop_runlog_close(eop_runlog *log);

#endif /* EOP_RUNTIME_RUNLOG_H */
