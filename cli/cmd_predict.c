/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* -- live, until Ctrl-C -- */

static void print_prediction(const char *event_json, void *user_data) {
    const cli_call *call = user_data;
    json_document *document = json_parse(event_json, strlen(event_json), NULL, NULL);
    const json_value *event = document != NULL ? json_root(document) : NULL;
    const char *type = json_text(event, "type", "");
    if (strcmp(type, "prediction") != 0) {
        const char *text = json_text(event, "message", json_text(event, "text", NULL));
        if (call->globals.events) {
            fprintf(stderr, "%s\n", event_json);
        } else if (text != NULL && !call->globals.quiet) {
            fprintf(stderr, "%s: ", type);
            cli_print_safe(stderr, text, strlen(text));
            fputc('\n', stderr);
        }
    } else if (call->globals.json) {
        puts(event_json);
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
    static const char *const with[][2] = {{"start", "asset"},       {"end", "asset"},
                                          {"follow", "asset"},      {"from", "follow"},
                                          {"time-column", "input"}, {"label-column", "input"},
                                          {"group-column", "input"}};
    for (size_t i = 0; i < CLI_COUNT(with); i++) {
        if (cli_has(call, with[i][0]) && !cli_has(call, with[i][1])) {
            return cli_usage(call, "--%s goes with --%s only", with[i][0], with[i][1]);
        }
    }
    return CLI_OK;
}

int cli_predict(cli_call *call) {
    int code = check_inputs(call);
    if (code != CLI_OK) {
        return code;
    }
    if (cli_has(call, "follow")) {
        return follow(call);
    }
    int input = -1, output = -1;
    bool apart = !call->globals.json || cli_has(call, "output");
    if (cli_has(call, "input")) {
        code = cli_open_input(&input, cli_get(call, "input", "-"));
    }
    if (code == CLI_OK) {
        /* With --json standard output is the result's: rows need --output, or are left out. */
        code = cli_open_output(&output, apart ? cli_get(call, "output", "-") : "/dev/null");
    }
    if (code == CLI_OK && call->globals.json && strcmp(cli_get(call, "output", ""), "-") == 0) {
        code = cli_usage(call, "--json and --output - would mix rows and the result");
    }
    if (code == CLI_OK) {
        cli_text members = {0};
        cli_put_arguments(&members, call);
        if (cli_has(call, "input")) {
            cli_put_input_name(&members, cli_get(call, "input", "-"));
        }
        code = cli_operation(call, "predict", cli_text_get(&members), input, output);
        cli_text_dispose(&members);
    }
    cli_close(input);
    cli_close(output);
    return code;
}
