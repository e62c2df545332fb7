/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows all: hands the table of commands to the parser, runs the command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

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

/* A closed standard descriptor would be given to the next file that is opened, and output meant for
 * people would go into the node's database. In its place goes one on which reading or writing
 * fails. */
static bool hold_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        bool open_now = fcntl(fd, F_GETFD) >= 0;
        if (!open_now && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    if (!hold_standard_descriptors()) {
        return CLI_FAILED;
    }
    /* A reader that leaves early is an error of write(2), not the end of this program. */
    signal(SIGPIPE, SIG_IGN);
    cli_call call;
    int code;
    if (cli_parse(&call, &cli_all_commands, argc, argv, &code)) {
        code = run(&call);
    }
    cli_call_dispose(&call);
    if (code != CLI_OK) {
        (void)fflush(stdout); /* what is wrong was said */
        return code;
    }
    code = cli_flush();
    if (code == CLI_OK && close(STDOUT_FILENO) != 0 && errno != EBADF) {
        code = cli_fail(CLI_FAILED, NULL, "standard output: %s", strerror(errno));
    }
    return code;
}
