/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_STATUS_H
#define EDGEOPS_STATUS_H

#include <stdint.h>

#include "edgeops/export.h"

EDGEOPS_BEGIN_DECLS

/** Result of every fallible call: 0 success, > 0 not an error, < 0 error. Values never change. */
typedef enum edgeops_status {
    EDGEOPS_DONE = 1, /**< iteration finished; not an error */
    EDGEOPS_OK = 0,
    EDGEOPS_E_INVALID = -1,      /**< argument or state forbidden by the contract */
    EDGEOPS_E_NOMEM = -2,        /**< out of memory; nothing was changed */
    EDGEOPS_E_NOTFOUND = -3,     /**< the named thing does not exist */
    EDGEOPS_E_EXISTS = -4,       /**< the name is taken */
    EDGEOPS_E_BUSY = -5,         /**< held by someone else; retry later */
    EDGEOPS_E_AGAIN = -6,        /**< queue full or nothing ready; retry after dispatch */
    EDGEOPS_E_TIMEOUT = -7,      /**< a deadline passed */
    EDGEOPS_E_CANCELED = -8,     /**< ended on request */
    EDGEOPS_E_CLOSED = -9,       /**< object stopped or peer gone */
    EDGEOPS_E_IO = -10,          /**< operating system refused; see edgeops_error.os_errno */
    EDGEOPS_E_CORRUPT = -11,     /**< bytes do not match format or checksum */
    EDGEOPS_E_PROTOCOL = -12,    /**< peer broke the wire contract */
    EDGEOPS_E_VERSION = -13,     /**< home, package or plug-in ABI not supported */
    EDGEOPS_E_LIMIT = -14,       /**< configured limit exceeded */
    EDGEOPS_E_DENIED = -15,      /**< policy or permission */
    EDGEOPS_E_UNSUPPORTED = -16, /**< built without, or driver lacks, the feature */
    EDGEOPS_E_WORKER = -17,      /**< workflow code failed; detail carries its own message */
    EDGEOPS_E_INTERNAL = -18,    /**< bug in libedgeops; please report */
    EDGEOPS_E_USER = -100        /**< returned by a host callback, passed through untouched */
} edgeops_status;

/** Detail of the last error on this thread. Borrowed: valid until this thread's next edgeops call.
 */
typedef struct edgeops_error {
    edgeops_status code;
    int32_t os_errno;      /**< errno value, 0 if none */
    const char *subsystem; /**< "store", "workflow", ... */
    const char *message;   /**< one line, UTF-8, never NULL, at most 1,023 bytes */
} edgeops_error;

/** Last error of the calling thread; meaningful only right after a call returned < 0. Never NULL.
 *  Any thread. Since 0.1. */
EDGEOPS_API const edgeops_error *edgeops_error_last(void);

/** Symbolic name of a code, e.g. "EDGEOPS_E_NOTFOUND"; "EDGEOPS_E_UNKNOWN" for a value that is
 *  none. Static. Any thread. Since 0.1. */
EDGEOPS_API const char *edgeops_status_name(edgeops_status code);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_STATUS_H */
