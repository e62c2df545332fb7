/* SPDX-License-Identifier: Apache-2.0 */
/* The version, of the library that runs, not of the headers that a host was built with. */
#include "edgeops/version.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

uint32_t edgeops_version(void) {
    return EDGEOPS_VERSION_HEX;
}

const char *edgeops_version_string(void) {
    return TEXT(EDGEOPS_VERSION_MAJOR) "." TEXT(EDGEOPS_VERSION_MINOR) "." TEXT(
        EDGEOPS_VERSION_PATCH);
}
