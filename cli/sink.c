/* SPDX-License-Identifier: Apache-2.0 */
/* A sink keeps what the broker does not have yet in a ring and sends it again after a loss. Its
 * context runs only inside these calls, on the main thread. */
#include "sink.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RING      1024 /* messages that the broker does not have yet */
#define IN_FLIGHT 256

typedef struct slot {
    char *topic, *payload;
    size_t size;
    bool delivered;
} slot;

struct cli_sink {
    const cli_call *call;
    edgeops_ctx *ctx;
    edgeops_publisher *publisher; /* NULL: standard output */
    const char *broker;
    char *detail; /* why there is no link */
    uint8_t qos;
    double patience_s;
    double down_since;           /* clock; 0 while the link is up */
    uint64_t head, unsent, next; /* message ids: oldest kept, first to be handed over, end */
    uint64_t written;            /* lines on standard output */
    slot ring[RING];
    cli_progress progress;
};

static void on_state(edgeops_status status, const char *detail, void *user_data) {
    cli_sink *sink = user_data;
    if (status == EDGEOPS_OK) {
        sink->down_since = 0;
    } else {
        sink->down_since = sink->down_since > 0 ? sink->down_since : cli_clock();
        free(sink->detail);
        sink->detail = cli_strdup(detail != NULL ? detail : "");
        sink->unsent = sink->head; /* what is not delivered must be sent again */
    }
    edgeops_ctx_stop(sink->ctx);
}

static void on_delivered(const uint64_t *ids, size_t n, void *user_data) {
    cli_sink *sink = user_data;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= sink->head && ids[i] < sink->next) {
            sink->ring[ids[i] % RING].delivered = true;
        }
    }
    while (sink->head < sink->next && sink->ring[sink->head % RING].delivered) {
        slot *s = &sink->ring[sink->head++ % RING];
        free(s->topic);
        free(s->payload);
        *s = (slot){0};
    }
    if (sink->unsent < sink->head) {
        sink->unsent = sink->head;
    }
    edgeops_ctx_stop(sink->ctx);
}

static char *broker_config(const cli_call *call) {
    cli_text out = {0};
    cli_puts(&out, "{");
    json_put_member(&out, "url", cli_get(call, "broker", ""));
    if (cli_has(call, "user")) {
        json_put_member(&out, "user", cli_get(call, "user", ""));
    }
    if (cli_has(call, "password-file")) {
        json_put_member(&out, "password_file", cli_get(call, "password-file", ""));
    }
    if (cli_has(call, "ca")) {
        json_put_key(&out, "tls");
        cli_puts(&out, "{");
        json_put_member(&out, "ca", cli_get(call, "ca", ""));
        cli_puts(&out, "}");
    }
    cli_puts(&out, "}");
    return out.data;
}

static int open_publisher(cli_sink *sink) {
    const cli_call *call = sink->call;
    if (!cli_parse_seconds(&sink->patience_s, cli_get(call, "wait", "30s"))) {
        return cli_usage(call, "--wait wants a duration such as 30s, not '%s'",
                         cli_get(call, "wait", ""));
    }
    sink->broker = cli_get(call, "broker", "");
    sink->qos = (uint8_t)(cli_get(call, "qos", "1")[0] - '0');
    sink->down_since = cli_clock();
    char *config = broker_config(call);
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.in_flight = IN_FLIGHT;
    options.on_state = on_state;
    options.on_delivered = on_delivered;
    options.user_data = sink;
    edgeops_status status = edgeops_publisher_open(&sink->publisher, sink->ctx, &options);
    free(config);
    return status == EDGEOPS_OK ? CLI_OK : cli_fail_typed(status, NULL);
}

int cli_sink_check(const cli_call *call) {
    bool mixed = call->globals.json && !cli_has(call, "broker");
    bool replay = strcmp(call->command->verb, "replay") == 0;
    return !mixed ? CLI_OK
                  : cli_usage(call, "--json needs --broker URL: samples and the result would mix%s",
                              replay ? "" : "; --format jsonl writes samples as JSON");
}

int cli_sink_open(cli_sink **out, const cli_call *call) {
    cli_sink *sink = cli_calloc(1, sizeof *sink);
    sink->call = call;
    cli_progress_start(&sink->progress, call, -1);
    int code = cli_context(&sink->ctx, call, EDGEOPS_LOG_ERROR);
    if (code == CLI_OK) {
        cli_interrupt_watch(sink->ctx);
    }
    if (code == CLI_OK && cli_has(call, "broker")) {
        code = open_publisher(sink);
    }
    if (code != CLI_OK) {
        cli_sink_close(sink);
        sink = NULL;
    }
    *out = sink;
    return code;
}

bool cli_sink_publishes(const cli_sink *sink) {
    return sink->publisher != NULL;
}

uint64_t cli_sink_count(const cli_sink *sink) {
    return sink->publisher != NULL ? sink->next : sink->written;
}

/* Hands over what the publisher takes now. */
static int pump(cli_sink *sink) {
    for (; sink->unsent < sink->next; sink->unsent++) {
        const slot *s = &sink->ring[sink->unsent % RING];
        if (s->delivered) {
            continue;
        }
        edgeops_message message = {.id = sink->unsent,
                                   .topic = s->topic,
                                   .payload = s->payload,
                                   .size = s->size,
                                   .qos = sink->qos};
        edgeops_status status = edgeops_publisher_send(sink->publisher, &message);
        if (status == EDGEOPS_E_AGAIN) {
            break;
        }
        if (status != EDGEOPS_OK) {
            return cli_fail_last(status, NULL);
        }
    }
    return CLI_OK;
}

/* One turn of the loop, at most `seconds` long. */
static int turn(cli_sink *sink, double seconds) {
    if (sink->down_since > 0) {
        double left = sink->patience_s - (cli_clock() - sink->down_since);
        if (left <= 0) {
            return cli_fail(CLI_BUSY, "is the broker running, and is the URL right?",
                            "no link to %s for %g s%s%s", sink->broker, sink->patience_s,
                            sink->detail != NULL && *sink->detail != 0 ? ": " : "",
                            sink->detail != NULL ? sink->detail : "");
        }
        seconds = left < seconds ? left : seconds;
    }
    if (seconds > 0.5) {
        seconds = 0.5;
    }
    edgeops_duration timeout = (edgeops_duration)(seconds * 1e9);
    edgeops_status status = edgeops_ctx_run(sink->ctx, timeout > 0 ? timeout : 0);
    if (status != EDGEOPS_OK && status != EDGEOPS_E_TIMEOUT) {
        return cli_fail_last(status, NULL);
    }
    return sink->publisher != NULL ? pump(sink) : CLI_OK;
}

static void show_count(cli_sink *sink) {
    char line[80];
    snprintf(line, sizeof line, "%llu messages sent", (unsigned long long)cli_sink_count(sink));
    cli_progress_line(&sink->progress, line);
}

int cli_sink_send(cli_sink *sink, const char *topic, const char *payload, size_t size) {
    if (sink->publisher == NULL) {
        bool good = fwrite(payload, 1, size, stdout) == size && fputc('\n', stdout) != EOF;
        sink->written++;
        return good ? CLI_OK : cli_fail(CLI_FAILED, NULL, "standard output: %s", strerror(errno));
    }
    int code = CLI_OK;
    while (code == CLI_OK && sink->next - sink->head >= RING && !cli_interrupted()) {
        code = turn(sink, 0.5);
    }
    if (code != CLI_OK || cli_interrupted()) {
        return code;
    }
    sink->ring[sink->next++ % RING] =
        (slot){.topic = cli_strdup(topic), .payload = cli_strndup(payload, size), .size = size};
    show_count(sink);
    return pump(sink);
}

int cli_sink_wait(cli_sink *sink, double until) {
    if (sink->publisher == NULL && until > cli_clock()) {
        fflush(stdout); /* the reader of the lines wants them in time */
    }
    int code = CLI_OK;
    double left;
    while (code == CLI_OK && !cli_interrupted() && (left = until - cli_clock()) > 0) {
        code = turn(sink, left);
    }
    return code;
}

int cli_sink_turn(cli_sink *sink) {
    if (sink->publisher == NULL) {
        fflush(stdout);
    }
    return turn(sink, 0.5);
}

void cli_sink_wake(cli_sink *sink) {
    edgeops_ctx_stop(sink->ctx);
}

edgeops_ctx *cli_sink_context(cli_sink *sink) {
    return sink->ctx;
}

int cli_sink_finish(cli_sink *sink) {
    int code = CLI_OK;
    while (code == CLI_OK && sink->head < sink->next) {
        code = turn(sink, 0.5);
        if (cli_interrupted() && sink->down_since > 0) {
            break; /* there is no broker to wait for */
        }
    }
    cli_progress_end(&sink->progress);
    if (sink->head < sink->next && code == CLI_OK) {
        cli_warn("%llu messages were not delivered", (unsigned long long)(sink->next - sink->head));
        code = CLI_FAILED;
    }
    return code;
}

int cli_sink_report(const cli_sink *sink, const char *what, uint64_t labels, double seconds) {
    unsigned long long count = cli_sink_count(sink);
    if (sink->publisher == NULL) {
        return cli_flush();
    }
    if (sink->call->globals.json) {
        printf("{\"%s\":%llu,\"labels\":%llu,\"seconds\":%.3f}\n", what, count,
               (unsigned long long)labels, seconds);
    } else if (!sink->call->globals.quiet) {
        char time[32];
        cli_human_seconds(time, seconds);
        printf("sent %llu %s to %s in %s", count, what, sink->broker, time);
        if (labels > 0) {
            printf(", %llu labels", (unsigned long long)labels);
        }
        puts("");
    }
    return cli_flush();
}

void cli_sink_hang_up(cli_sink *sink) {
    cli_progress_end(&sink->progress);
    edgeops_publisher_close(sink->publisher);
    sink->publisher = NULL;
    cli_interrupt_watch(NULL);
}

void cli_sink_close(cli_sink *sink) {
    if (sink == NULL) {
        return;
    }
    cli_sink_hang_up(sink);
    edgeops_ctx_free(sink->ctx);
    for (size_t i = 0; i < RING; i++) {
        free(sink->ring[i].topic);
        free(sink->ring[i].payload);
    }
    free(sink->detail);
    free(sink);
}

void cli_put_csv(cli_text *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        cli_puts(out, text);
        return;
    }
    cli_puts(out, "\"");
    for (; *text != 0; text++) {
        cli_put(out, text, 1);
        if (*text == '"') {
            cli_puts(out, "\"");
        }
    }
    cli_puts(out, "\"");
}

void cli_put_double(cli_text *out, double value) {
    char buf[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, value);
        if (strtod(buf, NULL) == value) {
            break;
        }
    }
    cli_puts(out, buf);
}

int cli_labels_open(cli_labels *labels, const char *path) {
    *labels = (cli_labels){.path = path};
    if (path == NULL) {
        return CLI_OK;
    }
    labels->file = fopen(path, "we");
    if (labels->file == NULL) {
        return cli_fail(CLI_FAILED, NULL, "%s: %s", path, strerror(errno));
    }
    fputs("asset,start,end,label,author\n", labels->file);
    return CLI_OK;
}

void cli_labels_put(cli_labels *labels, const char *asset, edgeops_time start, edgeops_time end,
                    const char *label, const char *author) {
    if (labels->file == NULL) {
        return;
    }
    char time[40];
    cli_text line = {0};
    cli_put_csv(&line, asset);
    cli_format_time(time, start);
    cli_putf(&line, ",%s,", time);
    if (end > start) {
        cli_format_time(time, end);
        cli_puts(&line, time);
    }
    cli_puts(&line, ",");
    cli_put_csv(&line, label);
    cli_puts(&line, ",");
    cli_put_csv(&line, author);
    cli_puts(&line, "\n");
    fwrite(line.data, 1, line.size, labels->file);
    cli_text_dispose(&line);
    labels->count++;
}

int cli_labels_close(cli_labels *labels) {
    if (labels->file == NULL) {
        return CLI_OK;
    }
    bool bad = ferror(labels->file) != 0;
    bad = fclose(labels->file) != 0 || bad;
    labels->file = NULL;
    return bad ? cli_fail(CLI_FAILED, NULL, "%s could not be written to its end", labels->path)
               : CLI_OK;
}
