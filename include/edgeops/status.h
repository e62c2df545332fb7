/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_STATUS_H
#define EDGEOPS_STATUS_H

#include <stdint.h>

#include "edgeops/export.h"

EDGEOPS_BEGIN_DECLS

/** Result of every fallible call: 0 success, > 0 not an error, < 0 error. Values never change.
 *
 *  The functions name the codes that are particular to them. Each may also return
 *  EDGEOPS_E_INVALID for a NULL that its contract does not allow and in a forked child,
 *  EDGEOPS_E_NOMEM, and what the operating system gives where it uses files: EDGEOPS_E_LIMIT (no
 *  space, or over a quota), EDGEOPS_E_DENIED (permission), EDGEOPS_E_IO (all else). After a failure
 *  a handle that a call gives is NULL, and any other output is as it was, unless the function says
 *  otherwise. */
typedef enum edgeops_status {
    EDGEOPS_DONE = 1, /**< nothing more, or nothing to do; not an error */
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
    EDGEOPS_E_IO = -10,          /**< the operating system refused; see edgeops_error.os_errno */
    EDGEOPS_E_CORRUPT = -11,     /**< bytes do not match format or checksum */
    EDGEOPS_E_PROTOCOL = -12,    /**< peer broke the wire contract */
    EDGEOPS_E_VERSION = -13,     /**< home, package or plug-in ABI not supported */
    EDGEOPS_E_LIMIT = -14,       /**< over a limit, of this library or of the disk */
    EDGEOPS_E_DENIED = -15,      /**< a policy or a permission forbids it */
    EDGEOPS_E_UNSUPPORTED = -16, /**< not in this version, this build or this driver */
    EDGEOPS_E_WORKER = -17,      /**< workflow code failed; the message is its own */
    EDGEOPS_E_INTERNAL = -18,    /**< bug in libedgeops; please report */
    EDGEOPS_E_USER = -100        /**< returned by a host callback, passed through untouched */
} edgeops_status;

/** What the last error on this thread was. */
typedef struct edgeops_error {
    edgeops_status code;
    int32_t os_errno;      /**< errno value, 0 if none */
    const char *subsystem; /**< "store", "workflow", ... */
    const char *message;   /**< one line, UTF-8, never NULL, at most 1,023 bytes */
} edgeops_error;

/** The last error of the calling thread. Read it right after a call returned < 0: calls that
 *  succeed do not clear it, and one that passes on what a host callback returned does not set it.
 *
 *  @return never NULL; borrowed until the next edgeops call on this thread
 *  Threads: any. Since 0.1. */
EDGEOPS_API const edgeops_error *edgeops_error_last(void);

/** Symbolic name of a code, such as "EDGEOPS_E_NOTFOUND".
 *
 *  @return static; "EDGEOPS_E_UNKNOWN" for a value that is not a code
 *  Threads: any. Since 0.1. */
EDGEOPS_API const char *edgeops_status_name(edgeops_status code);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_STATUS_H */
