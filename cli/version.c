/* SPDX-License-Identifier: Apache-2.0 */
/* `version`, and the option --version of every command. */
#include "cli.h"

int cli_version(cli_call *call) {
    if (call->globals.json) {
        printf("{\"version\":\"%d.%d.%d\",\"library\":\"%s\"}\n", EDGEOPS_VERSION_MAJOR,
               EDGEOPS_VERSION_MINOR, EDGEOPS_VERSION_PATCH, edgeops_version_string());
    } else {
        printf("edgeopsctl %d.%d.%d, libedgeops %s\n", EDGEOPS_VERSION_MAJOR, EDGEOPS_VERSION_MINOR,
               EDGEOPS_VERSION_PATCH, edgeops_version_string());
    }
    return cli_flush();
}
