/* SPDX-License-Identifier: Apache-2.0 */
/* `simulate pcb` and `simulate imu`: a virtual asset of the library, in its own time or faster. */
#include <stdlib.h>
#include <string.h>

#include "sink.h"

typedef struct simulation {
    const cli_call *call;
    edgeops_virtual *asset;
    cli_sink *sink;
    cli_labels labels;
    int64_t count; /* -1: without end */
    double speed;  /* 0: as fast as it goes */
    bool csv;
    cli_text topic, line;
    const char *author;
} simulation;

/* The newest sample of a live asset is of now: a simulation faster than real time begins in the
 * past. */
static int start_live(const simulation *s, edgeops_virtual_options *options) {
    edgeops_virtual *asset = NULL;
    const edgeops_sample *sample = NULL;
    edgeops_time first = 0;
    edgeops_status status = edgeops_virtual_open(&asset, s->call->command->verb, options);
    for (int i = 0; i < 2 && status == EDGEOPS_OK; i++) {
        first = sample != NULL ? sample->time : 0;
        status = edgeops_virtual_next(&sample, asset);
    }
    int code = status == EDGEOPS_OK ? CLI_OK : cli_fail_typed(status, NULL);
    double ahead_ns = 0;
    if (code == CLI_OK && s->count > 0 && s->speed != 1) {
        double length = (double)(sample->time - first) * (double)s->count;
        ahead_ns = length * (s->speed > 0 ? 1 - 1 / s->speed : 1);
    }
    ahead_ns = ahead_ns > 0 && ahead_ns < 1e18 ? ahead_ns : 0;
    options->start = cli_now() - (edgeops_time)ahead_ns;
    edgeops_virtual_close(asset);
    return code;
}

static int read_numbers(simulation *s, edgeops_virtual_options *options) {
    const cli_call *call = s->call;
    int64_t seed = 1;
    bool broker = cli_has(call, "broker");
    s->count = -1;
    if (cli_has(call, "count") &&
        (!cli_parse_integer(&s->count, cli_get(call, "count", "")) || s->count < 0)) {
        return cli_usage(call, "--count wants a number of samples, not '%s'",
                         cli_get(call, "count", ""));
    }
    if (!cli_parse_integer(&seed, cli_get(call, "seed", "1")) || seed < 1) {
        return cli_usage(call, "--seed wants a whole number from 1, not '%s'",
                         cli_get(call, "seed", ""));
    }
    options->seed = (uint64_t)seed;
    /* A rate given for a broker is one of the wall clock. */
    bool paced = broker && (s->count < 0 || cli_has(call, "rate"));
    const char *speed = cli_get(call, "speed", paced ? "1" : "0");
    if (!cli_parse_number(&s->speed, speed) || s->speed < 0) {
        return cli_usage(call, "--speed wants a number from 0, not '%s'", speed);
    }
    if (cli_has(call, "rate") && (!cli_parse_number(&options->rate_hz, cli_get(call, "rate", "")) ||
                                  options->rate_hz <= 0)) {
        return cli_usage(call, "--rate wants samples a second, not '%s'",
                         cli_get(call, "rate", ""));
    }
    options->asset = cli_get(call, "asset", NULL);
    const char *start = cli_get(call, "start", NULL);
    if (start == NULL && broker) {
        return start_live(s, options);
    }
    if (start != NULL && edgeops_time_parse(&options->start, start) != EDGEOPS_OK) {
        return cli_usage(call, "--start: %s", edgeops_error_last()->message);
    }
    return CLI_OK;
}

/* Every "{asset}" of the template replaced. */
static void make_topic(cli_text *out, const char *template, const char *asset) {
    static const char mark[] = "{asset}";
    for (const char *at; (at = strstr(template, mark)) != NULL; template = at + strlen(mark)) {
        cli_put(out, template, (size_t)(at - template));
        cli_puts(out, asset);
    }
    cli_puts(out, template);
}

static void put_csv_header(simulation *s, const edgeops_sample *sample) {
    cli_text_clear(&s->line);
    cli_puts(&s->line, "asset,time");
    for (size_t i = 0; i < sample->count; i++) {
        cli_putf(&s->line, ",%s", sample->channels[i]);
    }
}

static void put_csv_row(simulation *s, const edgeops_sample *sample) {
    char time[40];
    cli_format_time(time, sample->time);
    cli_put_csv(&s->line, sample->asset);
    cli_putf(&s->line, ",%s", time);
    for (size_t i = 0; i < sample->count; i++) {
        cli_puts(&s->line, ",");
        cli_put_double(&s->line, sample->values[i].as.f64);
    }
}

/* The sample as a line; the topic names its asset where there is one. */
static int put_sample(simulation *s, const edgeops_sample *sample) {
    cli_text_clear(&s->line);
    if (s->csv) {
        put_csv_row(s, sample);
        return CLI_OK;
    }
    char *message = NULL;
    size_t size = 0;
    edgeops_sample sent = *sample;
    sent.asset = cli_sink_publishes(s->sink) ? NULL : sample->asset;
    edgeops_status status = edgeops_sample_encode(&message, &size, &sent);
    if (status != EDGEOPS_OK) {
        return cli_fail_last(status, NULL);
    }
    cli_put(&s->line, message, size);
    edgeops_free(message);
    return CLI_OK;
}

static int step(simulation *s, int64_t index, edgeops_time *first, double begun) {
    const edgeops_sample *sample;
    edgeops_status status = edgeops_virtual_next(&sample, s->asset);
    if (status != EDGEOPS_OK) {
        return cli_fail_last(status, NULL);
    }
    int code = CLI_OK;
    if (index == 0) {
        *first = sample->time;
        make_topic(&s->topic, cli_get(s->call, "topic", "{asset}"), sample->asset);
        if (s->csv) {
            put_csv_header(s, sample);
            code = cli_sink_send(s->sink, "", s->line.data, s->line.size);
        }
    }
    if (code == CLI_OK && s->speed > 0) {
        code = cli_sink_wait(s->sink, begun + (double)(sample->time - *first) / 1e9 / s->speed);
    }
    if (code != CLI_OK || cli_interrupted()) {
        return code;
    }
    code = put_sample(s, sample);
    if (code != CLI_OK) {
        return code;
    }
    code = cli_sink_send(s->sink, cli_text_get(&s->topic), s->line.data, s->line.size);
    const edgeops_virtual_label *label;
    while (code == CLI_OK && edgeops_virtual_next_label(&label, s->asset) == EDGEOPS_OK) {
        cli_labels_put(&s->labels, sample->asset, label->start, label->end, label->label,
                       s->author);
    }
    if (s->speed > 0 && s->labels.file != NULL) {
        fflush(s->labels.file);
    }
    return code;
}

static int simulate(simulation *s) {
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    int code = read_numbers(s, &options);
    if (code == CLI_OK) {
        edgeops_status status = edgeops_virtual_open(&s->asset, s->call->command->verb, &options);
        code = status == EDGEOPS_OK ? CLI_OK : cli_fail_typed(status, NULL);
    }
    if (code == CLI_OK) {
        code = cli_labels_open(&s->labels, cli_get(s->call, "labels", NULL));
    }
    if (code == CLI_OK) {
        code = cli_sink_open(&s->sink, s->call);
    }
    if (code != CLI_OK) {
        return code;
    }
    s->csv = !cli_sink_publishes(s->sink) && strcmp(cli_get(s->call, "format", "csv"), "csv") == 0;
    s->author = strcmp(s->call->command->verb, "pcb") == 0 ? "inspector" : "observer";
    double begun = cli_clock();
    edgeops_time first = 0;
    for (int64_t i = 0; code == CLI_OK && !cli_interrupted() && (s->count < 0 || i < s->count);
         i++) {
        code = step(s, i, &first, begun);
    }
    if (code == CLI_OK) {
        code = cli_sink_finish(s->sink);
    }
    int closed = cli_labels_close(&s->labels);
    code = code != CLI_OK ? code : closed;
    return code == CLI_OK
               ? cli_sink_report(s->sink, "samples", s->labels.count, cli_clock() - begun)
               : code;
}

int cli_simulate(cli_call *call) {
    simulation s = {.call = call};
    int code = cli_sink_check(call);
    code = code == CLI_OK ? simulate(&s) : code;
    int closed = cli_labels_close(&s.labels);
    cli_sink_close(s.sink);
    edgeops_virtual_close(s.asset);
    cli_text_dispose(&s.topic);
    cli_text_dispose(&s.line);
    return code != CLI_OK ? code : closed;
}
