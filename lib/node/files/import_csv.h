/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a CSV into an import. */
#ifndef EOP_NODE_FILES_IMPORT_CSV_H
#define EOP_NODE_FILES_IMPORT_CSV_H

#include "node/files/import.h"

/** All of the input. */
edgeops_status eop_import_csv(eop_job *job, eop_import *w, int fd);

#endif /* EOP_NODE_FILES_IMPORT_CSV_H */
