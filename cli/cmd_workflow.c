/* SPDX-License-Identifier: Apache-2.0 */
/* `workflow init`, `check`, `pack` and `add`. The first three need no node: they call the
 * library on a folder or package. `add` names the path to the node, which runs as the same user,
 * or sends what comes on standard input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static int show_check(const cli_call *call, const char *operation, const edgeops_workflow *workflow,
                      const char *path) {
    const edgeops_manifest *manifest = edgeops_workflow_info_of(workflow)->manifest;
    cli_text out = {0};
    cli_puts(&out, "{");
    json_put_member(&out, "name", manifest->name);
    json_put_member(&out, "version", manifest->version);
    json_put_member(&out, "digest", edgeops_workflow_info_of(workflow)->digest);
    json_put_key(&out, "size_bytes");
    cli_putf(&out, "%llu", (unsigned long long)edgeops_workflow_info_of(workflow)->size_bytes);
    if (path != NULL) {
        json_put_member(&out, "path", path);
    }
    cli_puts(&out, "}");
    cli_show(stdout, call, operation, cli_text_get(&out));
    cli_text_dispose(&out);
    return CLI_OK;
}

/* Prints the next steps, with the names of the files that were made. */
static void say_next(const char *name, const char *directory) {
    edgeops_workflow *workflow = NULL;
    edgeops_status status = edgeops_workflow_check(&workflow, directory);
    const char *module =
        status == EDGEOPS_OK ? edgeops_workflow_info_of(workflow)->manifest->module : "";
    printf("made workflow '%s' in %s\n\n"
           "Say in %s/workflow.json what goes in and out, write train() and predict() in "
           "%s/%s.py, then:\n"
           "  edgeopsctl workflow check %s\n"
           "  edgeopsctl workflow add %s\n"
           "  edgeopsctl train %s --dataset NAME\n",
           name, directory, directory, directory, module, directory, directory, name);
    edgeops_workflow_close(workflow);
}

int cli_workflow_init(cli_call *call) {
    const char *directory = cli_arg(call, 0);
    char *copy = cli_strdup(directory);
    const char *name = cli_get(call, "name", basename(copy));
    edgeops_status status = edgeops_workflow_init(directory, name);
    int code = status == EDGEOPS_OK
                   ? CLI_OK
                   : cli_fail_typed(status, status == EDGEOPS_E_EXISTS
                                                ? "choose a folder that is not there yet, or empty"
                                                : NULL);
    if (code == CLI_OK && call->globals.json) {
        cli_text out = {0};
        cli_puts(&out, "{");
        json_put_member(&out, "name", name);
        json_put_member(&out, "path", directory);
        cli_puts(&out, "}");
        puts(cli_text_get(&out));
        cli_text_dispose(&out);
    } else if (code == CLI_OK && !call->globals.quiet) {
        say_next(name, directory);
    }
    free(copy);
    return code;
}

int cli_workflow_check(cli_call *call) {
    edgeops_workflow *workflow = NULL;
    edgeops_status status = edgeops_workflow_check(&workflow, cli_arg(call, 0));
    int code = status == EDGEOPS_OK ? show_check(call, "workflow.check", workflow, NULL)
                                    : cli_fail_last(status, NULL);
    edgeops_workflow_close(workflow);
    return code;
}

int cli_workflow_pack(cli_call *call) {
    char *written = NULL;
    edgeops_workflow *workflow = NULL;
    edgeops_status status =
        edgeops_workflow_pack(&written, cli_arg(call, 0), cli_get(call, "output", NULL));
    if (status == EDGEOPS_OK) {
        status = edgeops_workflow_check(&workflow, written);
    }
    int code = CLI_OK;
    if (status != EDGEOPS_OK) {
        code = cli_fail_last(status, NULL);
    } else if (call->globals.json) {
        code = show_check(call, "workflow.check", workflow, written);
    } else if (!call->globals.quiet) {
        const edgeops_manifest *manifest = edgeops_workflow_info_of(workflow)->manifest;
        struct stat st;
        char size[32] = "";
        if (stat(written, &st) == 0) {
            cli_human_bytes(size, (double)st.st_size);
        }
        printf("packed %s %s into %s (%s)\n", manifest->name, manifest->version, written, size);
    }
    edgeops_workflow_close(workflow);
    edgeops_free(written);
    return code;
}

/* The node gets the path, not the bytes: it runs as the same user, and checks quickly whether it
 * has the package already. */
int cli_workflow_add(cli_call *call) {
    const char *path = cli_arg(call, 0);
    if (strcmp(path, "-") == 0) {
        return cli_operation(call, "workflow.add", "", STDIN_FILENO, -1);
    }
    char *full = realpath(path, NULL);
    if (full == NULL) {
        return cli_fail(errno == ENOENT ? CLI_NOTFOUND : CLI_FAILED, NULL, "%s: %s", path,
                        strerror(errno));
    }
    cli_text members = {0};
    json_put_member(&members, "path", full);
    int code = cli_operation(call, "workflow.add", cli_text_get(&members), -1, -1);
    cli_text_dispose(&members);
    free(full);
    return code;
}
