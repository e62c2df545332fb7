/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a home. */
#include <stdlib.h>

#include "cli.h"

int cli_node_backup(cli_call *call) {
    cli_text members = {0};
    char *path = cli_absolute(cli_arg(call, 0));
    json_put_member(&members, "path", path);
    int code = cli_operation(call, "node.backup", cli_text_get(&members), -1, -1);
    cli_text_dispose(&members);
    free(path);
    return code;
}

typedef struct watch {
    cli_progress progress;
    double told;
} watch;

static edgeops_status on_bytes(uint64_t bytes, uint64_t total, void *user_data) {
    watch *w = user_data;
    char event[96];
    if (cli_clock() - w->told >= 0.1) {
        w->told = cli_clock();
        snprintf(event, sizeof event, "{\"type\":\"progress\",\"progress\":%.4f,\"bytes\":%llu}",
                 total > 0 ? (double)bytes / (double)total : 1.0, (unsigned long long)bytes);
        cli_progress_event(event, &w->progress);
    }
    return cli_interrupted() ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

int cli_node_restore(cli_call *call) {
    bool check = cli_has(call, "check");
    char *home = cli_home(call), *result = NULL;
    watch w = {.told = cli_clock()};
    cli_progress_start(&w.progress, call, -1);
    cli_interrupt_watch(NULL);
    edgeops_status status =
        edgeops_node_restore(&result, cli_arg(call, 0), check ? NULL : home, on_bytes, &w);
    cli_progress_end(&w.progress);
    int code = status == EDGEOPS_OK ? CLI_OK : cli_fail_last(status, NULL);
    if (code == CLI_OK) {
        cli_show(stdout, call, check ? "node.restore check" : "node.restore", result);
    }
    edgeops_free(result);
    free(home);
    return code;
}
