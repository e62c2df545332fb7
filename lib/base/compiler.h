/* SPDX-License-Identifier: Apache-2.0 */
/* The only place for attributes of the compiler, and the check of arguments at the public door. */
#ifndef EOP_BASE_COMPILER_H
#define EOP_BASE_COMPILER_H

#include <assert.h> /* static_assert only: nothing here ends the process */
#include <stddef.h>

#define EOP_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
/** A function for processors that have these extensions; call it only after a look at the
 * processor. */
#define EOP_TARGET(extensions) __attribute__((target(extensions)))
#define EOP_INLINE             static inline __attribute__((always_inline))
#define EOP_LIKELY(x)          __builtin_expect(!!(x), 1)
#define EOP_UNLIKELY(x)        __builtin_expect(!!(x), 0)
#define EOP_COUNT(array)       (sizeof(array) / sizeof((array)[0]))

/** Misuse of the public API is an error, never the end of the host's process. */
#define EOP_REQUIRE(condition, subsystem)                                                          \
    do {                                                                                           \
        if (EOP_UNLIKELY(!(condition))) {                                                          \
            return eop_fail(EDGEOPS_E_INVALID, subsystem, "misuse: %s does not hold", #condition); \
        }                                                                                          \
    } while (0)

#endif /* EOP_BASE_COMPILER_H */
