/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a training left. */
#ifndef EOP_NODE_HOME_ARTIFACTS_H
#define EOP_NODE_HOME_ARTIFACTS_H

#include "node/home/home.h"

/** Makes the files under a folder durable and lists them: [{name, size, sha256}], sorted by name;
 * *total is the sum of the sizes. Only regular files and folders are taken: E_DENIED. Any thread.
 */
edgeops_status eop_artifacts_seal(eop_json **files, uint64_t *total, const char *directory);

#endif /* EOP_NODE_HOME_ARTIFACTS_H */
