/* SPDX-License-Identifier: Apache-2.0 */
/* Structs of callers that were built with other headers than this library. Options come in through
 * eop_struct_take(), results go out through eop_result_give(): nothing else reads or writes a struct
 * of a caller that starts with struct_size. The rule is in lib/README.md. */
#ifndef EOP_BASE_ABI_H
#define EOP_BASE_ABI_H

#include <stddef.h>

#include "base/compiler.h"
#include "edgeops/status.h"

/** No struct of this library is ever longer. A greater struct_size is memory without INIT. */
#define EOP_STRUCT_MAX 4096u

/** Copies a caller's struct over `out`, which holds the defaults.
 *
 *  A smaller struct_size is an older caller: what its struct does not have keeps the default. A
 *  greater one is a newer caller: taken when all that is unknown here is 0.
 *  @param size   of `out`
 *  @param given  NULL: the defaults stay
 *  @param init   name of the INIT macro, for the message
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a struct_size of 0 and for unknown members in use */
edgeops_status eop_struct_take(void *out, size_t size, const void *given, const char *subsystem,
                               const char *init);

/** The same, with the types checked by the compiler and the macro's name as text. */
#define EOP_STRUCT_TAKE(out, given, subsystem, init)                                               \
    ((void)sizeof((out) == (given)),                                                               \
     eop_struct_take((out), sizeof *(out), (given), (subsystem), #init))

/** What an `_init` function does: the defaults, as far as the caller's struct has them, and
 * struct_size. A NULL or a struct without room for struct_size is left alone. */
void eop_struct_init(void *out, size_t struct_size, const void *defaults, size_t size);

/** Looks, before the work starts, whether a result can be given.
 *
 *  @param result  the caller's struct, NULL: none is wanted
 *  @return as eop_struct_take() for struct_size */
edgeops_status eop_result_check(const void *result, const char *subsystem, const char *init);

/** Gives a result: `made`, cut to what the caller's struct has; what it has beyond becomes 0, its
 * struct_size stays.
 *
 *  @param result  passed eop_result_check(); NULL: nothing happens */
void eop_result_give(void *result, const void *made, size_t size);

#endif /* EOP_BASE_ABI_H */
