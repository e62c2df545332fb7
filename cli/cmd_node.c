/* SPDX-License-Identifier: Apache-2.0 */
/* `node init`, `node serve`, `node status`, `node stop` and `doctor`. serve owns the daemon's life:
 * it announces that it is ready (standard output, --ready-fd, the service manager), runs the loop
 * until a signal or `node.stop` ends it, and closes the node on the same thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"

static int set_durability(cli_session *session, const char *durability) {
    cli_text args = {0};
    char *result = NULL;
    if (durability == NULL) {
        return CLI_OK;
    }
    cli_puts(&args, "{");
    json_put_member(&args, "durability", durability);
    cli_puts(&args, "}");
    int code =
        cli_session_call(&result, session, "node.set", cli_text_get(&args), -1, -1, NULL, NULL);
    cli_text_dispose(&args);
    free(result);
    return code;
}

int cli_node_init(cli_call *call) {
    cli_session session = {.call = call, .home = cli_home(call)};
    bool existed = cli_home_exists(session.home);
    int code = cli_context(&session.ctx, call, EDGEOPS_LOG_ERROR);
    char *result = NULL;
    if (code == CLI_OK) {
        edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
        options.layer = cli_get(call, "layer", NULL);
        edgeops_status status =
            edgeops_node_open(&session.node, session.ctx, session.home, &options);
        code = status == EDGEOPS_OK ? CLI_OK : cli_fail_last(status, NULL);
    }
    if (code == CLI_OK) {
        code = set_durability(&session, cli_get(call, "durability", NULL));
    }
    if (code == CLI_OK && call->globals.json) {
        code = cli_session_call(&result, &session, "node.status", "{}", -1, -1, NULL, NULL);
    }
    if (code == CLI_OK && call->globals.json) {
        printf("%s\n", result);
    } else if (code == CLI_OK && !call->globals.quiet) {
        printf(existed ? "%s is a node home already\n" : "made a node home at %s\n", session.home);
    }
    free(result);
    cli_session_close(&session);
    return code;
}

/* The service manager's protocol (sd_notify(3)): one datagram. Nothing happens without one. */
static void notify_manager(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path != NULL ? strlen(path) : 0;
    if (size < 2 || size >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = 0;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0) {
        cli_warn("the service manager did not get '%s': %s", state, strerror(errno));
    }
    close(fd);
}

static int say_ready(const cli_call *call, const char *home) {
    if (call->globals.json) {
        cli_text line = {0};
        cli_puts(&line, "{");
        json_put_member(&line, "state", "ready");
        json_put_member(&line, "home", home);
        cli_putf(&line, ",\"pid\":%ld}", (long)getpid());
        puts(cli_text_get(&line));
        cli_text_dispose(&line);
    } else {
        printf("ready: %s, pid %ld\n", home, (long)getpid());
    }
    int64_t fd;
    if (cli_parse_integer(&fd, cli_get(call, "ready-fd", "-1")) && fd >= 0) {
        if (write((int)fd, "ready\n", 6) != 6) {
            return cli_fail(CLI_USAGE, NULL, "--ready-fd %lld cannot be written to: %s",
                            (long long)fd, strerror(errno));
        }
        if (fd > STDERR_FILENO) {
            close((int)fd);
        }
    }
    notify_manager("READY=1");
    return cli_flush();
}

static int serve(cli_session *session) {
    edgeops_status status = edgeops_node_serve(session->node);
    if (status == EDGEOPS_OK) {
        status = edgeops_node_start(session->node);
    }
    if (status != EDGEOPS_OK) {
        return cli_fail_last(status, NULL);
    }
    int code = say_ready(session->call, session->home);
    if (code != CLI_OK) {
        return code;
    }
    do { /* a stop of the loop is a signal or node.stop */
        status = edgeops_ctx_run(session->ctx, EDGEOPS_FOREVER);
    } while (status == EDGEOPS_E_TIMEOUT);
    notify_manager("STOPPING=1");
    edgeops_node_stop(session->node);
    return status == EDGEOPS_OK ? CLI_OK : cli_fail_last(status, NULL);
}

int cli_node_serve(cli_call *call) {
    cli_session session;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_LOCAL);
    if (code == CLI_OK) {
        code = serve(&session);
        cli_session_close(&session);
    }
    return code;
}

static void say_no_daemon(const char *result) {
    json_document *document = json_parse(result, strlen(result), NULL, NULL);
    const json_value *root = document != NULL ? json_root(document) : NULL;
    if (strcmp(json_text(root, "mode", ""), "local") == 0) {
        puts("\nno daemon: sources and deployments do not run; start it with `edgeopsctl node "
             "serve`");
    }
    json_free(document);
}

int cli_node_status(cli_call *call) {
    cli_session session;
    char *result = NULL;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    if (code == CLI_OK) {
        code = cli_session_call(&result, &session, "node.status", "{}", -1, -1, NULL, NULL);
    }
    if (code == CLI_OK) {
        cli_show(stdout, call, "node.status", result);
        if (!call->globals.json) {
            say_no_daemon(result);
        }
    }
    free(result);
    cli_session_close(&session);
    return code;
}

int cli_node_stop(cli_call *call) {
    cli_session session;
    char *result = NULL;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_REMOTE);
    if (code == CLI_OK) {
        code = cli_session_call(&result, &session, "node.stop", "{}", -1, -1, NULL, NULL);
    }
    if (code == CLI_OK) {
        cli_show(stdout, call, "node.stop", result);
    }
    free(result);
    cli_session_close(&session);
    return code;
}

int cli_doctor(cli_call *call) {
    cli_session session;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    if (code != CLI_OK) {
        return code;
    }
    char *result = NULL;
    code = cli_session_call(&result, &session, "doctor",
                            cli_has(call, "deep") ? "{\"deep\":true}" : "{}", -1, -1, NULL, NULL);
    if (code == CLI_OK) {
        cli_show(stdout, call, "doctor", result);
        json_document *document = json_parse(result, strlen(result), NULL, NULL);
        const json_value *root = document != NULL ? json_root(document) : NULL;
        const json_value *checks = json_at(root, "checks");
        for (const json_value *c = checks != NULL ? checks->first : NULL; c != NULL; c = c->next) {
            const char *hint = json_text(c, "hint", "");
            if (!call->globals.json && *hint != 0 && strcmp(json_text(c, "state", ""), "ok") != 0) {
                printf("%s: %s\n", json_text(c, "name", ""), hint);
            }
        }
        if (strcmp(json_text(root, "ok", "false"), "true") != 0) {
            code = CLI_FAILED;
        }
        json_free(document);
    }
    free(result);
    cli_session_close(&session);
    return code;
}
