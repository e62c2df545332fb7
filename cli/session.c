/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the node: its home, its context, operations that Ctrl-C can cancel. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static edgeops_ctx *volatile watched;
static volatile sig_atomic_t interrupts;

/* A hang-up comes to a process more than once, from the kernel and from the shell: it never ends
 * what is being ended already. */
static void on_signal(int number) {
    if (++interrupts > 1 && number != SIGHUP) {
        _exit(128 + number);
    }
    edgeops_ctx *ctx = watched;
    if (ctx != NULL) {
        edgeops_ctx_stop(ctx);
    }
}

void cli_interrupt_watch(edgeops_ctx *ctx) {
    watched = ctx;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* For a process that owns the home. A client of a daemon ends as ever: what it began goes on. */
static void watch_hangup(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction before = {0};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* not nohup(1) */
        sigaction(SIGHUP, &action, NULL);
    }
}

bool cli_interrupted(void) {
    return interrupts > 0;
}

char *cli_home(const cli_call *call) {
    const char *home = call->globals.home;
    if (home == NULL || *home == 0) {
        home = getenv("EDGEOPS_HOME");
    }
    if (home != NULL && *home != 0) {
        return cli_strdup(home);
    }
    struct stat st;
    if (stat(".edgeops", &st) == 0 && S_ISDIR(st.st_mode)) {
        return cli_strdup(".edgeops");
    }
    const char *data = getenv("XDG_DATA_HOME");
    if (data != NULL && *data == '/') {
        return cli_format("%s/edgeops", data);
    }
    const char *user = getenv("HOME");
    return user != NULL && *user != 0 ? cli_format("%s/.local/share/edgeops", user)
                                      : cli_strdup(".edgeops");
}

bool cli_home_exists(const char *home) {
    char *catalog = cli_format("%s/catalog.db", home);
    char *samples = cli_format("%s/data/telemetry.db", home);
    bool exists = access(catalog, F_OK) == 0 || access(samples, F_OK) == 0;
    free(samples);
    free(catalog);
    return exists;
}

/* One write(2) a line, so that lines of several threads do not mix. */
static void log_line(edgeops_log_level level, const char *subsystem, const char *message,
                     void *user_data) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    (void)user_data;
    char time[40], line[1400];
    edgeops_time now = cli_now();
    cli_format_time(time, now - now % EDGEOPS_MILLISECOND);
    int n =
        snprintf(line, sizeof line, "%s %-5s %s: %s\n", time,
                 names[level <= EDGEOPS_LOG_DEBUG ? level : EDGEOPS_LOG_DEBUG], subsystem, message);
    if (n >= (int)sizeof line) {
        n = (int)sizeof line - 1;
    }
    if (n > 0) {
        /* A message may quote what a stranger sent. */
        cli_make_safe(line, (size_t)n - 1);
        line[n - 1] = '\n';
    }
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
        return; /* nowhere to report it */
    }
}

int cli_context(edgeops_ctx **out, const cli_call *call, edgeops_log_level level) {
    edgeops_ctx_options options = EDGEOPS_CTX_OPTIONS_INIT;
    options.log = log_line;
    options.log_level = call->globals.verbose ? EDGEOPS_LOG_DEBUG : level;
    edgeops_status status = edgeops_ctx_new(out, &options);
    return status == EDGEOPS_OK ? CLI_OK : cli_fail_last(status, NULL);
}

/* All but the node. */
static int prepare(cli_session *session, const cli_call *call, edgeops_log_level level) {
    *session = (cli_session){.call = call, .home = cli_home(call)};
    int code = CLI_OK;
    if (!cli_home_exists(session->home)) {
        char *hint = cli_format("make one: edgeopsctl --home '%s' node init", session->home);
        code = cli_fail(CLI_NOTFOUND, hint, "there is no node home at '%s'", session->home);
        free(hint);
    } else {
        code = cli_context(&session->ctx, call, level);
    }
    if (code != CLI_OK) {
        cli_session_close(session);
    }
    return code;
}

static edgeops_status open_node(cli_session *session, edgeops_node_mode mode) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = mode;
    options.must_exist = 1;
    return edgeops_node_open(&session->node, session->ctx, session->home, &options);
}

/* Opens the node of a session that is prepared. */
static int finish_open(cli_session *session, edgeops_node_mode mode) {
    int code = CLI_OK;
    cli_interrupt_watch(session->ctx);
    edgeops_status status = open_node(session, mode);
    if (status == EDGEOPS_E_NOTFOUND && mode == EDGEOPS_NODE_REMOTE) {
        code = cli_fail(CLI_NOTFOUND, NULL, "no daemon runs on '%s'", session->home);
        cli_session_close(session);
    } else if (status != EDGEOPS_OK) {
        const char *hint = status == EDGEOPS_E_BUSY && mode != EDGEOPS_NODE_LOCAL
                               ? "wait until it is done, or run `edgeopsctl node serve` so that "
                                 "several commands can work at the same time"
                           : status == EDGEOPS_E_CORRUPT
                               ? "'edgeopsctl node restore' makes a home of a backup; "
                                 "look after the disk"
                               : NULL;
        code = cli_fail_last(status, hint);
        cli_session_close(session);
    } else if (!edgeops_node_is_remote(session->node)) {
        watch_hangup();
    }
    return code;
}

int cli_session_open(cli_session *session, const cli_call *call, edgeops_node_mode mode) {
    bool serves = mode == EDGEOPS_NODE_LOCAL;
    int code = prepare(session, call, serves ? EDGEOPS_LOG_INFO : EDGEOPS_LOG_ERROR);
    return code == CLI_OK ? finish_open(session, mode) : code;
}

/* Where *input has to be read first, it becomes a file, to be closed beside the one given. */
static int open_with(cli_session *session, const cli_call *call, int *input) {
    int code = prepare(session, call, EDGEOPS_LOG_ERROR);
    if (code != CLI_OK || !cli_is_pipe(*input)) {
        return code == CLI_OK ? finish_open(session, EDGEOPS_NODE_AUTO) : code;
    }
    if (open_node(session, EDGEOPS_NODE_REMOTE) == EDGEOPS_OK) {
        cli_interrupt_watch(session->ctx);
        return CLI_OK; /* it takes the input as it comes */
    }
    code = cli_spool(input, *input); /* Ctrl-C ends the program as long as nothing is open */
    if (code != CLI_OK) {
        cli_session_close(session);
        return code;
    }
    return finish_open(session, EDGEOPS_NODE_AUTO);
}

void cli_session_close(cli_session *session) {
    edgeops_node_close(session->node);
    if (session->ctx != NULL) {
        cli_interrupt_watch(NULL);
    }
    edgeops_ctx_free(session->ctx);
    free(session->home);
    *session = (cli_session){0};
}

typedef struct answer {
    edgeops_ctx *ctx;
    bool done;
    edgeops_status status;
    char *result, *message;
} answer;

static void on_done(edgeops_status status, const char *result_json, const char *message,
                    void *user_data) {
    answer *a = user_data;
    a->done = true;
    a->status = status;
    a->result = result_json != NULL ? cli_strdup(result_json) : NULL;
    a->message = message != NULL ? cli_strdup(message) : NULL;
    edgeops_ctx_stop(a->ctx);
}

/* The noun whose list helps when something is not found: the first one that the message names. */
static char *hint_of_missing(const cli_call *call, const char *operation, const char *message) {
    static const char *const nouns[] = {"model", "dataset", "run",        "workflow", "asset",
                                        "label", "source",  "deployment", "driver"};
    const char *first = NULL, *noun = NULL;
    for (size_t i = 0; i < CLI_COUNT(nouns); i++) {
        char *quoted = cli_format("%s '", nouns[i]), *numbered = cli_format("%s ", nouns[i]);
        const char *at = strstr(message, quoted);
        const char *number = strstr(message, numbered);
        bool digits = number != NULL && strspn(number + strlen(numbered), "0123456789") > 0;
        at = at != NULL ? at : digits ? number : NULL;
        if (at != NULL && (first == NULL || at < first)) {
            first = at;
            noun = nouns[i];
        }
        free(quoted);
        free(numbered);
    }
    const char *name = cli_arg(call, 0);
    if (strncmp(operation, "deployment.", 11) == 0 && name != NULL && strchr(name, '/') != NULL) {
        char *dotted = cli_strdup(name);
        for (char *p = dotted; *p != 0; p++) {
            *p = *p == '/' ? '.' : *p;
        }
        char *hint = cli_format("a '/' of the asset is a '.' in the name: did you mean '%s'? See "
                                "'edgeopsctl deployment ls'",
                                dotted);
        free(dotted);
        return hint;
    }
    if (noun == NULL) {
        return strstr(message, "no asset matches") != NULL ? cli_strdup("see 'edgeopsctl asset ls'")
                                                           : NULL;
    }
    const char *verb = strstr(message, "has no channel") != NULL ? "show ASSET" : "ls";
    return cli_format("see 'edgeopsctl %s %s'", noun, verb);
}

/* Cuts off the command that some of the library's messages suggest: the hint names it. */
static char *without_list(const char *message) {
    const char *at = strstr(message, " shows those there are");
    at = at != NULL ? at : strstr(message, "; see edgeopsctl ");
    while (at != NULL && at > message && *at != ';') {
        at--;
    }
    return at != NULL && at > message ? cli_strndup(message, (size_t)(at - message))
                                      : cli_strdup(message);
}

/* What to do next, where the operation's message alone does not say it; free it. run: 0 for
 * none. */
static char *hint_for(const cli_call *call, const char *operation, edgeops_status status,
                      const char *message, int64_t run) {
    if (status == EDGEOPS_E_NOTFOUND) {
        return hint_of_missing(call, operation, message);
    }
    if (status == EDGEOPS_E_CORRUPT && strstr(message, "telemetry.db") != NULL) {
        return cli_strdup("'edgeopsctl doctor --deep' names the asset, channel and time range that "
                          "cannot be read: all else can");
    }
    if (run <= 0) {
        return NULL;
    }
    const char *longer = status == EDGEOPS_E_TIMEOUT
                             ? "raise limits.train_timeout in workflow.json and add it again; "
                             : "";
    return cli_format("%sthe whole log: edgeopsctl run log %lld", longer, (long long)run);
}

/* What the node says of arguments begins with the operation's name: "data.import: ...". */
static bool is_about_arguments(const char *operation, const char *message) {
    size_t size = strlen(operation);
    return strncmp(message, operation, size) == 0 && message[size] == ':';
}

/* Wrong arguments are wrong usage. Wrong contents of a file, a thing in the wrong state and what a
 * run found out after it had begun are failures. */
static int exit_code_for(const char *operation, edgeops_status status, const char *message,
                         int input, int64_t run) {
    bool judged = input >= 0 || run > 0 || strcmp(operation, "run.cancel") == 0 ||
                  strcmp(operation, "workflow.add") == 0;
    bool usage = !judged || is_about_arguments(operation, message);
    return status == EDGEOPS_E_INVALID && usage ? CLI_USAGE : cli_exit_code(status);
}

static int fail_call(const cli_call *call, const char *operation, edgeops_status status,
                     const char *message, int input, int64_t run) {
    char *canceled = NULL;
    if (status == EDGEOPS_E_CANCELED) {
        /* An import says what it has stored. */
        const char *more =
            message != NULL && strstr(message, "stored") != NULL ? strstr(message, "; ") : NULL;
        canceled = cli_format("canceled%s", more != NULL ? more : "");
        message = canceled;
    } else if (message == NULL || *message == 0) {
        message = edgeops_status_name(status);
    }
    char *hint = hint_for(call, operation, status, message, run);
    char *told = hint != NULL ? without_list(message) : cli_strdup(message);
    int code = cli_fail_status(exit_code_for(operation, status, message, input, run), status, hint,
                               "%s", told);
    free(told);
    free(hint);
    free(canceled);
    return code;
}

static int call_node(char **result, cli_session *session, const char *operation,
                     const char *arguments, int input, int output, edgeops_event_fn on_event,
                     void *user_data, bool until_interrupted) {
    cli_progress progress;
    cli_progress_start(&progress, session->call, input);
    answer a = {.ctx = session->ctx};
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = input;
    options.output = output;
    options.on_event = on_event != NULL ? on_event : cli_progress_event;
    options.user_data = on_event != NULL ? user_data : &progress;
    edgeops_call *call = NULL;
    edgeops_status status =
        edgeops_node_call_start(&call, session->node, operation, arguments, &options, on_done, &a);
    if (status != EDGEOPS_OK) {
        cli_progress_end(&progress);
        char *message = cli_strdup(edgeops_error_last()->message);
        int code = fail_call(session->call, operation, status, message, input, 0);
        free(message);
        return code;
    }
    bool canceled = false;
    while (!a.done) {
        if (cli_interrupted() && !canceled) {
            edgeops_call_cancel(call);
            canceled = true;
            continue;
        }
        status = edgeops_ctx_run(session->ctx, EDGEOPS_FOREVER);
        if (status < 0 && status != EDGEOPS_E_TIMEOUT) {
            /* Without its loop the call can never end, and it still points into this frame. */
            cli_progress_end(&progress);
            exit(cli_fail_last(status, NULL));
        }
    }
    cli_progress_end(&progress);
    int code = CLI_OK;
    bool ended = until_interrupted && canceled && a.status == EDGEOPS_E_CANCELED;
    if (a.status == EDGEOPS_OK || ended) {
        *result = a.result;
        a.result = NULL;
    } else if (cli_reader_gone(output)) {
        code = CLI_FAILED; /* as when `head` has seen enough: not worth a message */
    } else {
        code = fail_call(session->call, operation, a.status, a.message, input, progress.run);
    }
    free(a.result);
    free(a.message);
    return code;
}

int cli_session_call(char **result, cli_session *session, const char *operation,
                     const char *arguments, int input, int output, edgeops_event_fn on_event,
                     void *user_data) {
    return call_node(result, session, operation, arguments, input, output, on_event, user_data,
                     false);
}

int cli_session_call_until(char **result, cli_session *session, const char *operation,
                           const char *arguments, int output, edgeops_event_fn on_event,
                           void *user_data) {
    return call_node(result, session, operation, arguments, -1, output, on_event, user_data, true);
}

int cli_session_run(char **result, const cli_call *call, const char *operation, const char *members,
                    int input, int output) {
    cli_session session;
    int given = input;
    *result = NULL;
    int code = open_with(&session, call, &input);
    if (code != CLI_OK) {
        return code;
    }
    char *arguments = cli_format("{%s}", members);
    code = cli_session_call(result, &session, operation, arguments, input, output, NULL, NULL);
    free(arguments);
    if (input != given) {
        cli_close(input);
    }
    cli_session_close(&session);
    return code;
}

int cli_operation(cli_call *call, const char *operation, const char *members, int input,
                  int output) {
    char *result = NULL;
    int code = cli_session_run(&result, call, operation, members, input, output);
    if (code == CLI_OK && output != STDOUT_FILENO) {
        cli_show(stdout, call, operation, result);
    } else if (code == CLI_OK && !call->globals.quiet) {
        /* Rows on standard output are the result; the summary goes to standard error. */
        cli_show(stderr, call, operation, result);
    }
    free(result);
    return code;
}
