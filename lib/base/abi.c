/* SPDX-License-Identifier: Apache-2.0 */
/* Copies in and out by the struct_size that the caller's INIT macro set. No state, any thread. */
#include "base/abi.h"

#include <string.h>

#include "base/error.h"

/* The caller's memory need not be aligned for what it says it is. */
static size_t size_of(const void *given) {
    size_t size = 0;
    memcpy(&size, given, sizeof size);
    return size;
}

static edgeops_status check_size(const void *given, const char *subsystem, const char *init) {
    size_t size = size_of(given);
    if (size < sizeof size || size > EOP_STRUCT_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, subsystem,
                        "struct_size is %zu: the struct was not set up, start it with %s", size,
                        init);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_struct_take(void *out, size_t size, const void *given, const char *subsystem,
                               const char *init) {
    if (given == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = check_size(given, subsystem, init);
    if (status < 0) {
        return status;
    }
    size_t given_size = size_of(given);
    const unsigned char *bytes = given;
    for (size_t i = size; i < given_size; i++) {
        if (bytes[i] != 0) {
            return eop_fail(EDGEOPS_E_INVALID, subsystem,
                            "the struct of %s has %zu bytes, this library knows %zu, and byte %zu "
                            "is in use: run with a newer libedgeops or do not set it",
                            init, given_size, size, i);
        }
    }
    memcpy(out, given, given_size < size ? given_size : size);
    memcpy(out, &size, sizeof size);
    return EDGEOPS_OK;
}

void eop_struct_init(void *out, size_t struct_size, const void *defaults, size_t size) {
    if (out == NULL || struct_size < sizeof struct_size || struct_size > EOP_STRUCT_MAX) {
        return;
    }
    memset(out, 0, struct_size);
    memcpy(out, defaults, struct_size < size ? struct_size : size);
    memcpy(out, &struct_size, sizeof struct_size);
}

edgeops_status eop_result_check(const void *result, const char *subsystem, const char *init) {
    return result != NULL ? check_size(result, subsystem, init) : EDGEOPS_OK;
}

void eop_result_give(void *result, const void *made, size_t size) {
    if (result != NULL) {
        eop_struct_init(result, size_of(result), made, size);
    }
}
