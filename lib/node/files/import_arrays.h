/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of NumPy arrays into an import. */
#ifndef EOP_NODE_FILES_IMPORT_ARRAYS_H
#define EOP_NODE_FILES_IMPORT_ARRAYS_H

#include "node/files/import.h"

/** All of the input. channel: of a .npy; NULL: a .npz. */
edgeops_status eop_import_arrays(eop_import *w, int fd, const char *channel);

#endif /* EOP_NODE_FILES_IMPORT_ARRAYS_H */
