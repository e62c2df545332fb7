/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of CSV or JSON lines into an import. */
#ifndef EOP_NODE_FILES_IMPORT_TABLE_H
#define EOP_NODE_FILES_IMPORT_TABLE_H

#include "node/files/import.h"

/** All of the input. */
edgeops_status eop_import_rows(eop_import *w, int fd);

#endif /* EOP_NODE_FILES_IMPORT_TABLE_H */
