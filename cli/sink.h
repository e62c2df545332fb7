/* SPDX-License-Identifier: Apache-2.0 */
/* Where simulated data goes: lines on standard output, or messages to a broker. */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "cli.h"

typedef struct cli_sink cli_sink;

/** --json without --broker: samples and the result would mix. Exit code. */
int cli_sink_check(const cli_call *call);
/** Opens what --broker and its companions say. Exit code. */
int cli_sink_open(cli_sink **out, const cli_call *call);
/** False: lines on standard output. */
bool cli_sink_publishes(const cli_sink *sink);
/** Publishes, or prints the payload as a line. Waits while too much is under way. topic and payload
 * are copied. Exit code; CLI_OK also when interrupted. */
int cli_sink_send(cli_sink *sink, const char *topic, const char *payload, size_t size);
/** Lets time pass until the monotonic clock shows `until` seconds, or an interrupt. Exit code. */
int cli_sink_wait(cli_sink *sink, double until);
/** Runs the loop until cli_sink_wake(), an event, or half a second is over. Exit code. */
int cli_sink_turn(cli_sink *sink);
/** Any thread. */
void cli_sink_wake(cli_sink *sink);
/** The context that these calls run; borrowed. */
edgeops_ctx *cli_sink_context(cli_sink *sink);
/** Waits until the broker has everything. Exit code. */
int cli_sink_finish(cli_sink *sink);
uint64_t cli_sink_count(const cli_sink *sink);
/** Ends the link and keeps the context, for what cannot be ended before the program. */
void cli_sink_hang_up(cli_sink *sink);
/** NULL is allowed. */
void cli_sink_close(cli_sink *sink);

/** Says on standard error what went where, unless --quiet; with --json as an object on standard
 * output when that is free. */
int cli_sink_report(const cli_sink *sink, const char *what, uint64_t labels, double seconds);

/* -- label files -- */
typedef struct cli_labels {
    FILE *file;
    const char *path;
    uint64_t count;
} cli_labels;

/** NULL path: a writer that drops everything. Exit code. */
int cli_labels_open(cli_labels *labels, const char *path);
void cli_labels_put(cli_labels *labels, const char *asset, edgeops_time start, edgeops_time end,
                    const char *label, const char *author);
/** Exit code; reports what could not be written. */
int cli_labels_close(cli_labels *labels);

/** A field, quoted where CSV needs it. */
void cli_put_csv(cli_text *out, const char *text);
/** Shortest decimal text that gives back the same double. */
void cli_put_double(cli_text *out, double value);

#endif /* CLI_SINK_H */
