/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: long work on a thread of its own, which a cancel ends. Each function says whether the job's
 * thread may call it; all others are for the loop. */
#ifndef EOP_NODE_CONTROL_JOB_H
#define EOP_NODE_CONTROL_JOB_H

#include "node/home/home.h"

#define EOP_NODE_JOBS_MAX 32

typedef void (*eop_job_fn)(eop_job *job, void *user_data);
/** work: on its own thread. done: on the loop, once. The status, result and text of work come with
 * eop_job_status(). call: optional, gets the job's events; its cancel cancels the job. */
edgeops_status eop_job_start(eop_job **out, edgeops_node *node, edgeops_call *call, eop_job_fn work,
                             eop_job_fn done, void *user_data);
/** Any thread. */
void eop_job_cancel(eop_job *job);
bool eop_job_canceled(const eop_job *job);
edgeops_node *eop_job_node(const eop_job *job);
/** Readable once the job is canceled. */
int eop_job_cancel_fd(const eop_job *job);
/** Job's thread: takes this thread's error detail along when status < 0. */
void eop_job_end(eop_job *job, edgeops_status status);
/** In done: the status; its text is then this thread's last error. */
edgeops_status eop_job_status(const eop_job *job);
/** Job's thread: an event for the call; a newer one replaces one that did not go out yet. Taken. */
void eop_job_event(eop_job *job, eop_json *event);
/** Job's thread: true at most ten times a second, for progress. */
bool eop_job_due(eop_job *job);
/** E_INVALID: the job's call came without a descriptor to read from. */
edgeops_status eop_job_check_input(const eop_job *job);
/** Job's thread: read(2) that a cancel ends (E_CANCELED). *got is 0 at the end. */
edgeops_status eop_job_read(eop_job *job, int fd, void *data, size_t size, size_t *got);
/** Job's thread: writes all; a cancel ends it. E_CLOSED when the reader is gone. */
edgeops_status eop_job_write(eop_job *job, int fd, const void *data, size_t size);
/** Job's thread: waits; E_CANCELED, else OK once the time has passed. */
edgeops_status eop_job_pause(eop_job *job, edgeops_duration duration);
/** Loop: reports the jobs that ended and the events that wait. */
void eop_jobs_turn(edgeops_node *node);

#endif /* EOP_NODE_CONTROL_JOB_H */
