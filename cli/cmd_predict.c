/* SPDX-License-Identifier: Apache-2.0 */
/* `predict`: on a file, a dataset or a stretch of an asset as one operation; with --follow live,
 * where each prediction is an event that is printed as it comes, until Ctrl-C. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* -- live, until Ctrl-C -- */

/* The event, with the asset and the latency added where it lacks them. */
static void print_json(const cli_call *call, const json_value *event) {
    cli_text out = {0};
    cli_puts(&out, "{");
    for (const json_value *m = event->first; m != NULL; m = m->next) {
        json_put_key(&out, m->key);
        cli_put(&out, m->raw, m->raw_size);
    }
    if (json_at(event, "asset") == NULL) {
        json_put_member(&out, "asset", cli_get(call, "asset", ""));
    }
    if (json_at(event, "latency_us") == NULL) {
        json_put_key(&out, "latency_us");
        cli_puts(&out, "null"); /* a sample of the past */
    }
    cli_puts(&out, "}");
    puts(cli_text_get(&out));
    cli_text_dispose(&out);
}

static void print_prediction(const char *event_json, void *user_data) {
    const cli_call *call = user_data;
    json_document *document = json_parse(event_json, strlen(event_json), NULL, NULL);
    const json_value *event = document != NULL ? json_root(document) : NULL;
    const char *type = json_text(event, "type", "");
    if (strcmp(type, "prediction") != 0) {
        const char *text = json_text(event, "message", json_text(event, "detail", NULL));
        if (call->globals.events) {
            fprintf(stderr, "%s\n", event_json);
        } else if (text != NULL && !call->globals.quiet) {
            fprintf(stderr, "%s: ", type);
            cli_print_safe(stderr, text, strlen(text));
            fputc('\n', stderr);
        }
    } else if (call->globals.json) {
        print_json(call, event);
    } else {
        char *time = cli_shaped(json_at(event, "time"), CLI_AS_TIME);
        char *outputs = cli_shaped(json_at(event, "outputs"), CLI_AS_LIST);
        char *latency = cli_shaped(json_at(event, "latency_us"), CLI_AS_MICROS);
        const char *error = json_text(event, "error", json_text(event, "message", NULL));
        cli_text line = {0};
        cli_putf(&line, "%s  %s", time != NULL ? time : "-",
                 outputs != NULL ? outputs
                 : error != NULL ? error
                                 : "-");
        if (latency != NULL) {
            cli_putf(&line, "  (%s)", latency);
        }
        cli_print_safe(stdout, line.data, line.size);
        fputc('\n', stdout);
        cli_text_dispose(&line);
        free(time);
        free(outputs);
        free(latency);
    }
    fflush(stdout);
    json_free(document);
}

static int follow(cli_call *call) {
    if (!cli_has(call, "asset") || cli_has(call, "start") || cli_has(call, "end") ||
        cli_has(call, "format") || cli_has(call, "output")) {
        return cli_usage(call, "--follow goes with --asset and --from, and prints to standard "
                               "output");
    }
    cli_session session;
    int code = cli_session_open(&session, call, EDGEOPS_NODE_AUTO);
    if (code != CLI_OK) {
        return code;
    }
    /* With no daemon the sources must run here, or nothing would ever come in. */
    if (!edgeops_node_is_remote(session.node)) {
        if (!call->globals.quiet) {
            fputs("no daemon runs: this command runs the node, with its sources and deployments, "
                  "until it ends, and other commands must wait; or start `edgeopsctl node serve` "
                  "first\n",
                  stderr);
        }
        edgeops_status status = edgeops_node_start(session.node);
        code = status == EDGEOPS_OK ? CLI_OK : cli_fail_last(status, NULL);
    }
    if (code == CLI_OK) {
        cli_text members = {0};
        cli_put_arguments(&members, call);
        char *arguments = cli_format("{%s}", cli_text_get(&members)), *result = NULL;
        if (!call->globals.quiet && !call->globals.json) {
            fprintf(stderr, "following %s, Ctrl-C ends\n", cli_get(call, "asset", ""));
        }
        code = cli_session_call_until(&result, &session, "predict.follow", arguments, -1,
                                      print_prediction, call);
        free(result);
        free(arguments);
        cli_text_dispose(&members);
    }
    cli_session_close(&session);
    return code;
}

/* -- on what is there -- */

static int check_inputs(const cli_call *call) {
    size_t given =
        (size_t)cli_has(call, "input") + cli_has(call, "dataset") + cli_has(call, "asset");
    if (given != 1) {
        return cli_usage(call, "give one of --input FILE, --dataset NAME and --asset NAME");
    }
    static const char *const with[][2] = {
        {"start", "asset"},        {"end", "asset"},          {"follow", "asset"},
        {"from", "follow"},        {"time-column", "input"},  {"label-column", "input"},
        {"group-column", "input"}, {"input-format", "input"}, {"bad-rows", "input"}};
    for (size_t i = 0; i < CLI_COUNT(with); i++) {
        if (cli_has(call, with[i][0]) && !cli_has(call, with[i][1])) {
            return cli_usage(call, "--%s goes with --%s only", with[i][0], with[i][1]);
        }
    }
    return CLI_OK;
}

/* Windows that could not be predicted; the node calls it a failure when none could. And what was met
 * in the input: standard output may be that of the predictions. */
static void warn_of_errors(const cli_call *call, const char *result) {
    json_document *document = json_parse(result, strlen(result), NULL, NULL);
    const json_value *root = document != NULL ? json_root(document) : NULL;
    cli_tell_report(call, stderr, json_at(root, "input"));
    const char *errors = json_text(root, "errors", "0");
    if (strcmp(errors, "0") != 0) {
        cli_warn("%s of %s predictions failed (see: edgeopsctl run log %s); the first: %s", errors,
                 json_text(root, "windows", "?"), json_text(root, "run", "ID"),
                 json_text(root, "first_error", "-"));
    }
    json_free(document);
}

static int predict(cli_call *call, const char *members, int input, int output) {
    char *result = NULL;
    int code = cli_session_run(&result, call, "predict", members, input, output);
    if (code == CLI_OK) {
        bool beside = output == STDOUT_FILENO; /* the rows are the result */
        if (!beside || !call->globals.quiet) {
            cli_show(beside ? stderr : stdout, call, "predict", result);
        }
        if (!call->globals.json) {
            warn_of_errors(call, result);
        }
    }
    free(result);
    return code;
}

int cli_predict(cli_call *call) {
    int code = check_inputs(call);
    if (code != CLI_OK) {
        return code;
    }
    if (cli_has(call, "follow")) {
        return follow(call);
    }
    int input = -1;
    cli_output output = {.fd = -1};
    cli_text members = {0};
    bool apart = !call->globals.json || cli_has(call, "output");
    cli_put_arguments(&members, call);
    code = cli_put_output_format(&members, call, cli_get(call, "output", "-"));
    if (code == CLI_OK && cli_has(call, "input")) {
        const char *path = cli_get(call, "input", "-");
        cli_put_input_name(&members, path);
        code = cli_put_input_format(&members, call, "input-format", path);
        code = code == CLI_OK ? cli_open_input(&input, path) : code;
    }
    if (code == CLI_OK && call->globals.json && strcmp(cli_get(call, "output", ""), "-") == 0) {
        code = cli_usage(call, "--json and --output - would mix rows and the result");
    }
    if (code == CLI_OK) {
        /* With --json standard output is the result's: rows need --output, or are left out. */
        code = cli_output_open(&output, apart ? cli_get(call, "output", "-") : "/dev/null");
    }
    if (code == CLI_OK) {
        code = predict(call, cli_text_get(&members), input, output.fd);
    }
    cli_text_dispose(&members);
    cli_close(input);
    return cli_output_close(&output, code);
}
