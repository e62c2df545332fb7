/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory an xz file wants for its unpacking, told by its headers before it gets any. */
#ifndef EOP_WORKFLOW_XZ_WINDOW_H
#define EOP_WORKFLOW_XZ_WINDOW_H

#include <stdint.h>

#include "edgeops/status.h"

/** Looks at the header of each block. Nothing is unpacked.
 *
 *  @param size    of the file
 *  @param window  most bytes of a block's dictionary
 *  @return EDGEOPS_OK; E_LIMIT; E_CORRUPT for a file that is not one xz stream from its first to
 *  its last byte; E_IO; E_NOMEM */
edgeops_status eop_xz_check_window(int fd, uint64_t size, uint64_t window, const char *what);

#endif /* EOP_WORKFLOW_XZ_WINDOW_H */
