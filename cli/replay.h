/* SPDX-License-Identifier: Apache-2.0 */
/* What replay.c (rows become messages) and replay_options.c (what was asked for) share. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include <pthread.h>

#include "sink.h"

#define CLI_REPLAY_QUEUE 256

/* "watch/{subject}/imu" taken apart: texts and columns in turn. */
typedef struct cli_part {
    char *text; /* or the column's name */
    bool column;
} cli_part;
typedef struct cli_pattern {
    cli_part *parts;
    size_t count;
} cli_pattern;

/* The open run of equal labels of an asset. */
typedef struct cli_track {
    char *asset;
    char *label; /* NULL: none */
    edgeops_time start, last;
} cli_track;

/* A column that a row had a value of. */
typedef struct cli_sent_column {
    const char *name; /* the driver's */
    bool sent;
} cli_sent_column;

typedef struct cli_letter {
    char *topic, *message;
} cli_letter;

typedef struct cli_replay_state {
    const cli_call *call;
    cli_sink *sink;
    edgeops_source *source;
    cli_labels labels;
    cli_pattern topic, asset;
    cli_sent_column *columns;
    size_t column_count;
    const char *time_column, *clock_column, *label_column, *asset_column;
    bool endless; /* a read of the file may never return */
    int64_t count;
    int64_t rows; /* that were made into messages */
    double speed, rate;
    cli_track *tracks;
    size_t track_count, track_capacity;

    pthread_mutex_t work; /* held while rows are made into messages; taken before mutex */
    pthread_mutex_t mutex;
    pthread_cond_t room;
    cli_letter queue[CLI_REPLAY_QUEUE];
    size_t first, queued;
    bool over;     /* no more rows are wanted */
    bool ended;    /* no more rows come */
    char *failure; /* why; NULL: a good end */
    uint64_t left_out;
    char *first_left_out; /* why */

    /* The main thread's. */
    bool starting; /* the source has yet to report anything */
    bool done;     /* the driver has ended */
} cli_replay_state;

/** Checks the options and takes them apart. *config: that of the driver `replay`; free it. Exit
 * code, the error is reported. */
int cli_replay_options(char **config, cli_replay_state *r);
/** Whether one of the pattern's columns has this name. */
bool cli_pattern_has(const cli_pattern *pattern, const char *name);
void cli_pattern_dispose(cli_pattern *pattern);
/** Whether a list option was given this value. */
bool cli_is_given(const cli_call *call, const char *option, const char *name);

#endif /* CLI_REPLAY_H */
