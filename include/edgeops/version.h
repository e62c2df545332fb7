/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_VERSION_H
#define EDGEOPS_VERSION_H

#include <stdint.h>

#include "edgeops/export.h"

#define EDGEOPS_VERSION_MAJOR 0
#define EDGEOPS_VERSION_MINOR 1
#define EDGEOPS_VERSION_PATCH 0
#define EDGEOPS_VERSION_HEX   0x000100u /* 0xMMmmpp */

EDGEOPS_BEGIN_DECLS

/** EDGEOPS_VERSION_HEX of the library that is running. Threads: any. Since 0.1. */
EDGEOPS_API uint32_t edgeops_version(void);

/** "major.minor.patch" of the library that is running. Static. Threads: any. Since 0.1. */
EDGEOPS_API const char *edgeops_version_string(void);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_VERSION_H */
