/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of Parquet and Arrow files into an import. */
#ifndef EOP_NODE_FILES_IMPORT_ARROW_H
#define EOP_NODE_FILES_IMPORT_ARROW_H

#include "node/files/import.h"

/** Loop, before the job: starts the program that makes CSV of the input. */
edgeops_status eop_import_arrow_start(eop_import *w);
/** Job: all of the input. What the program says is told by eop_arrow_result() at its end. */
edgeops_status eop_import_arrow(eop_import *w);

#endif /* EOP_NODE_FILES_IMPORT_ARROW_H */
