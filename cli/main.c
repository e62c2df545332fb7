/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

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

static int run(cli_call *call) {
    const cli_command *command = call->command;
    if (command->run != NULL) {
        return command->run(call);
    }
    cli_text members = {0};
    cli_put_arguments(&members, call);
    int code = cli_operation(call, command->operation, cli_text_get(&members), -1, -1);
    cli_text_dispose(&members);
    return code;
}

int main(int argc, char **argv) {
    /* A reader that leaves early is an error of write(2), not the end of this program. */
    signal(SIGPIPE, SIG_IGN);
    cli_call call;
    int code;
    if (cli_parse(&call, argc, argv, &code)) {
        code = run(&call);
    }
    cli_call_dispose(&call);
    int flushed = cli_flush();
    return code != CLI_OK ? code : flushed;
}
