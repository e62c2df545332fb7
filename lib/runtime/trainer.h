/* SPDX-License-Identifier: Apache-2.0 */
/* One worker that trains: its messages, its deadline, its end. */
#ifndef EOP_RUNTIME_TRAINER_H
#define EOP_RUNTIME_TRAINER_H

#include "runtime/runlog.h"
#include "runtime/runtime.h"
#include "runtime/share.h"

typedef struct eop_trainer eop_trainer;

typedef struct eop_trainer_options {
    const edgeops_workflow *workflow; /**< borrowed until the end */
    const char *artifact_dir;         /**< absolute; copied */
    const char *work_dir;             /**< absolute; borrowed for the call */
    const eop_json *params;           /**< resolved */
    eop_share *share;                 /**< its content is taken, also on failure */
    eop_runlog *log;                  /**< borrowed until the trainer is freed */
    edgeops_train_event_fn on_event;  /**< PROGRESS and METRIC */
    /** Once, when the worker is gone. May free the trainer: message is valid until it does. */
    edgeops_train_done_fn on_end;
    void *user_data;
} eop_trainer_options;

edgeops_status eop_trainer_start(eop_trainer **out, edgeops_runtime *runtime,
                                 const eop_trainer_options *options);
/** Kills the worker; on_end fires with E_CANCELED. */
void eop_trainer_cancel(eop_trainer *trainer);
/** What the worker said of its Python: {version, libraries}; NULL when it did not. Borrowed. */
const eop_json *eop_trainer_python(const eop_trainer *trainer);
/** on_end does not fire any more. NULL is allowed. */
void eop_trainer_free(eop_trainer *trainer);

#endif /* EOP_RUNTIME_TRAINER_H */
