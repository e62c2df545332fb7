/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of JSON lines into an import. */
#ifndef EOP_NODE_FILES_IMPORT_LINES_H
#define EOP_NODE_FILES_IMPORT_LINES_H

#include "node/files/import.h"

/** All of the input. */
edgeops_status eop_import_lines(eop_job *job, eop_import *w, int fd);

#endif /* EOP_NODE_FILES_IMPORT_LINES_H */
