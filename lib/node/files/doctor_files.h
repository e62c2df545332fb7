/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that files of workflows and models are as they were written. Any thread. */
#ifndef EOP_NODE_FILES_DOCTOR_FILES_H
#define EOP_NODE_FILES_DOCTOR_FILES_H

#include <stdbool.h>

#include "node/home/home.h"

/** All files of an installed workflow. Other files in its folder are ignored. */
edgeops_status eop_check_workflow(const edgeops_workflow *workflow, bool deep);
/** All files of a model, by its record. */
edgeops_status eop_check_model(const edgeops_node *node, const eop_json *record, bool deep);
/** Whether the workflow of a model is installed: 'workflow rm' leaves it there while there is the model. */
edgeops_status eop_check_model_workflow(const edgeops_node *node, const eop_json *record);
/** Counts what unfinished work left: ".tmp-..." in a folder, which need not be there. */
uint64_t eop_count_temporary(const char *folder);

#endif /* EOP_NODE_FILES_DOCTOR_FILES_H */
