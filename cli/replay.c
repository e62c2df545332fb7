/* SPDX-License-Identifier: Apache-2.0 */
/* `simulate replay`: sends a recording as its asset would, one JSON message a row. The driver
 * `replay` of the library reads the file and keeps the pace, on a thread of its own, with each
 * column as text; here rows become messages, which pass through a bounded queue to the main thread
 * and its sink. Patterns, tracks and labels belong to the driver's thread until the source is
 * stopped. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replay.h"

/* -- a row becomes a message; the driver's thread -- */

/* Text of a column of the row, "" where it has none. Not NUL-terminated. */
static const char *cell(size_t *size, const edgeops_sample *row, const char *name) {
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->channels[i], name) == 0) {
            *size = row->values[i].size;
            return row->values[i].as.str;
        }
    }
    *size = 0;
    return "";
}

static void fill(cli_text *out, const cli_pattern *t, const edgeops_sample *row) {
    for (size_t i = 0; i < t->count; i++) {
        size_t size = strlen(t->parts[i].text);
        const char *text =
            t->parts[i].column ? cell(&size, row, t->parts[i].text) : t->parts[i].text;
        cli_put(out, text, size);
    }
}

/* A cell as the JSON it looks like; nothing for an empty one. */
static void put_cell(cli_text *out, const char *name, const char *text, size_t size) {
    double number;
    if (size == 0) {
        return;
    }
    char *copy = cli_strndup(text, size);
    json_put_key(out, name);
    if (json_is_number(copy, size) || strcmp(copy, "true") == 0 || strcmp(copy, "false") == 0) {
        cli_put(out, copy, size);
    } else if (strpbrk(copy, "xX") == NULL && cli_parse_number(&number, copy)) {
        cli_put_double(out, number); /* such as +1 or .5 */
    } else {
        json_put_string(out, copy, size);
    }
    free(copy);
}

/* What names the topic or the asset is not a value, unless it is asked for. */
static bool decide_sent(const cli_replay_state *r, const char *name) {
    const char *const apart[] = {r->time_column, r->clock_column, r->label_column, r->asset_column};
    for (size_t i = 0; i < CLI_COUNT(apart); i++) {
        if (apart[i] != NULL && strcmp(apart[i], name) == 0) {
            return false;
        }
    }
    if (cli_is_given(r->call, "skip-column", name)) {
        return false;
    }
    return cli_has(r->call, "column")
               ? cli_is_given(r->call, "column", name)
               : !cli_pattern_has(&r->topic, name) && !cli_pattern_has(&r->asset, name);
}

/* Decided once for each column: the driver gives a column's name at the same address each time.
 * *hint: where the previous column was found. */
static bool is_sent(cli_replay_state *r, const char *name, size_t *hint) {
    for (size_t i = 0; i < r->column_count; i++) {
        size_t at = (*hint + 1 + i) % r->column_count;
        if (r->columns[at].name == name) {
            *hint = at;
            return r->columns[at].sent;
        }
    }
    r->columns = cli_realloc(r->columns, r->column_count + 1, sizeof *r->columns);
    r->columns[r->column_count] = (cli_sent_column){name, decide_sent(r, name)};
    *hint = r->column_count++;
    return r->columns[*hint].sent;
}

static char *make_message(cli_replay_state *r, const edgeops_sample *row) {
    cli_text out = {0};
    size_t size;
    cli_puts(&out, "{");
    if (!cli_sink_publishes(r->sink) && r->asset.count > 0) {
        json_put_member(&out, "asset", row->asset);
    }
    const char *time = cell(&size, row, r->time_column);
    char utc[40];
    if (cli_has(r->call, "time-format") || cli_has(r->call, "time-zone") ||
        r->clock_column != NULL) {
        /* Who takes the message does not know of these. */
        cli_format_time(utc, row->time);
        time = utc;
        size = strlen(utc);
    }
    put_cell(&out, "time", time, size);
    bool own_seq = false;
    for (size_t i = 0, hint = 0; i < row->count; i++) {
        if (is_sent(r, row->channels[i], &hint)) {
            own_seq = own_seq || strcmp(row->channels[i], "seq") == 0;
            put_cell(&out, row->channels[i], row->values[i].as.str, row->values[i].size);
        }
    }
    if (row->seq > 0 && !own_seq) { /* a clock too coarse for its rate: number the samples */
        json_put_key(&out, "seq");
        cli_putf(&out, "%lld", (long long)row->seq);
    }
    cli_puts(&out, "}");
    return out.data;
}

static cli_track *find_track(cli_replay_state *r, const char *asset) {
    /* Rows of one asset mostly follow each other: search from the newest. */
    size_t i = r->track_count;
    while (i > 0 && strcmp(r->tracks[i - 1].asset, asset) != 0) {
        i--;
    }
    if (i == 0) {
        if (r->track_count == r->track_capacity) {
            r->track_capacity = r->track_capacity * 2 + 16;
            r->tracks = cli_realloc(r->tracks, r->track_capacity, sizeof *r->tracks);
        }
        r->tracks[r->track_count] = (cli_track){.asset = cli_strdup(asset)};
        i = ++r->track_count;
    }
    return &r->tracks[i - 1];
}

static void close_run(cli_replay_state *r, cli_track *t) {
    if (t->label != NULL) {
        cli_labels_put(&r->labels, t->asset, t->start, t->last + 1, t->label, "recording");
        free(t->label);
        t->label = NULL;
    }
}

static void keep_label(cli_replay_state *r, const edgeops_sample *row) {
    size_t size;
    cli_track *t = find_track(r, row->asset);
    const char *at = cell(&size, row, r->label_column);
    char *label = cli_strndup(at, size);
    if (t->label != NULL && (strcmp(t->label, label) != 0 || row->time < t->last)) {
        close_run(r, t);
    }
    if (t->label == NULL && *label != 0) {
        t->label = cli_strdup(label);
        t->start = row->time;
    }
    t->last = row->time;
    free(label);
}

/* Waits while the queue is full. topic and message are taken. */
static void put_letter(cli_replay_state *r, char *topic, char *message) {
    pthread_mutex_lock(&r->mutex);
    while (r->queued == CLI_REPLAY_QUEUE && !r->over) {
        pthread_cond_wait(&r->room, &r->mutex);
    }
    bool wake = r->queued == 0;
    if (!r->over) {
        r->queue[(r->first + r->queued++) % CLI_REPLAY_QUEUE] = (cli_letter){topic, message};
        topic = message = NULL;
    }
    pthread_mutex_unlock(&r->mutex);
    free(topic);
    free(message);
    if (wake) {
        cli_sink_wake(r->sink);
    }
}

/* failure: NULL for a good end. Only the first end counts. */
static void end(cli_replay_state *r, const char *failure) {
    pthread_mutex_lock(&r->mutex);
    r->failure = failure != NULL && !r->ended ? cli_strdup(failure) : r->failure;
    r->ended = true;
    pthread_mutex_unlock(&r->mutex);
    cli_sink_wake(r->sink);
}

static bool is_over(cli_replay_state *r) {
    pthread_mutex_lock(&r->mutex);
    bool over = r->over;
    pthread_mutex_unlock(&r->mutex);
    return over;
}

/* Whether --count allows one more row. */
static bool has_room(const cli_replay_state *r) {
    return r->count < 0 || r->rows < r->count;
}

static edgeops_status on_rows(edgeops_append_result *result, const edgeops_sample *rows, size_t n,
                              const edgeops_append_options *options, void *user_data) {
    (void)options;
    cli_replay_state *r = user_data;
    (void)result;
    pthread_mutex_lock(&r->work);
    for (size_t i = 0; i < n && !is_over(r) && has_room(r); i++) {
        r->rows++;
        cli_text topic = {0};
        fill(&topic, &r->topic, &rows[i]);
        put_letter(r, topic.data, make_message(r, &rows[i]));
        if (r->labels.file != NULL) {
            keep_label(r, &rows[i]);
        }
    }
    if (!has_room(r)) {
        end(r, NULL);
    }
    pthread_mutex_unlock(&r->work);
    return EDGEOPS_OK;
}

/* What the driver reports beside that it runs: the end, or what is wrong with the file. */
static void on_state(edgeops_source_state state, const char *detail, void *user_data) {
    cli_replay_state *r = user_data;
    bool first = r->starting;
    r->starting = false;
    if (first || state == EDGEOPS_SOURCE_RUNNING) {
        return;
    }
    r->done = true;
    end(r, state == EDGEOPS_SOURCE_DONE ? NULL : detail);
}

static void on_left_out(const edgeops_dead_letter *letter, void *user_data) {
    cli_replay_state *r = user_data;
    pthread_mutex_lock(&r->mutex);
    if (r->left_out++ == 0) {
        r->first_left_out = cli_strdup(letter->reason);
    }
    pthread_mutex_unlock(&r->mutex);
}

/* Of rows that were to be skipped where they are bad. */
static void tell_left_out(cli_replay_state *r) {
    pthread_mutex_lock(&r->mutex);
    if (r->left_out > 0) {
        cli_warn("%llu bad rows are left out, the first: %s", (unsigned long long)r->left_out,
                 r->first_left_out);
    }
    pthread_mutex_unlock(&r->mutex);
}

/* A column that is asked for and missing is wrong usage; "FILE:7: ..." becomes "FILE, line 7:
 * ...". */
static int fail_recording(const cli_replay_state *r) {
    const char *path = cli_arg(r->call, 0), *rest = r->failure;
    int code = strstr(rest, "there is no column '") != NULL ? CLI_USAGE : CLI_FAILED;
    size_t size = strlen(path);
    if (strncmp(rest, path, size) == 0 && rest[size] == ':') {
        size_t digits = strspn(rest + size + 1, "0123456789");
        if (digits > 0 && rest[size + 1 + digits] == ':') {
            return cli_fail(code, NULL, "%s, line %.*s%s", path, (int)digits, rest + size + 1,
                            rest + size + 1 + digits);
        }
    }
    return cli_fail(code, NULL, "%s", rest);
}

static int start_source(cli_replay_state *r, const char *config) {
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "replay";
    options.driver = "replay";
    options.config_json = config;
    options.append = on_rows;
    options.on_state = on_state;
    options.on_dead_letter = on_left_out;
    options.user_data = r;
    r->starting = true;
    edgeops_status status = edgeops_source_open(&r->source, cli_sink_context(r->sink), &options);
    if (status == EDGEOPS_OK) {
        status = edgeops_source_start(r->source);
    }
    return status == EDGEOPS_OK ? CLI_OK : cli_fail_typed(status, NULL);
}

/* The driver would wait for a file that is missing. */
static int check_file(cli_replay_state *r) {
    const char *path = cli_arg(r->call, 0);
    struct stat st = {0};
    if (strcmp(path, "-") == 0) {
        r->endless = true;
        return CLI_OK;
    }
    r->endless = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    int fd = -1;
    int code = r->endless ? CLI_OK : cli_open_input(&fd, path);
    cli_close(fd);
    return code;
}

static int prepare(cli_replay_state *r) {
    char *config = NULL;
    int code = cli_replay_options(&config, r);
    if (code == CLI_OK) {
        code = check_file(r);
    }
    if (code == CLI_OK) {
        code = cli_labels_open(&r->labels, cli_get(r->call, "labels", NULL));
    }
    if (code == CLI_OK) {
        code = cli_sink_open(&r->sink, r->call);
    }
    if (code == CLI_OK) {
        code = start_source(r, config);
    }
    free(config);
    return code;
}

/* -- from the queue to the sink -- */

/* False: nothing is there now. *ended: nothing will come. */
static bool take_letter(cli_replay_state *r, cli_letter *out, bool *ended) {
    pthread_mutex_lock(&r->mutex);
    bool some = r->queued > 0;
    *ended = r->ended && !some;
    if (some) {
        *out = r->queue[r->first];
        r->first = (r->first + 1) % CLI_REPLAY_QUEUE;
        if (--r->queued == CLI_REPLAY_QUEUE / 2) {
            pthread_cond_signal(&r->room);
        }
    }
    pthread_mutex_unlock(&r->mutex);
    return some;
}

static int send_rows(cli_replay_state *r) {
    int code = CLI_OK;
    bool ended = false;
    while (code == CLI_OK && !ended && !cli_interrupted()) {
        cli_letter next;
        if (take_letter(r, &next, &ended)) {
            code = cli_sink_send(r->sink, next.topic != NULL ? next.topic : "", next.message,
                                 strlen(next.message));
            free(next.topic);
            free(next.message);
        } else if (!ended) {
            code = cli_sink_turn(r->sink);
        }
    }
    return code == CLI_OK && r->failure != NULL ? fail_recording(r) : code;
}

/* No row comes after this. A driver that waits in a read cannot be stopped: it stays, with what it
 * uses, until the program ends. */
static void stop_source(cli_replay_state *r) {
    pthread_mutex_lock(&r->mutex);
    r->over = true;
    pthread_cond_broadcast(&r->room);
    pthread_mutex_unlock(&r->mutex);
    pthread_mutex_lock(&r->work);
    pthread_mutex_unlock(&r->work);
    if (!r->endless || r->done) {
        edgeops_source_close(r->source);
        r->source = NULL;
    }
    for (size_t i = 0; i < r->track_count; i++) {
        close_run(r, &r->tracks[i]);
    }
}

static void dispose(cli_replay_state *r) {
    if (r->source != NULL) {
        cli_sink_hang_up(r->sink);
        return;
    }
    cli_sink_close(r->sink);
    cli_pattern_dispose(&r->topic);
    cli_pattern_dispose(&r->asset);
    for (size_t i = 0; i < r->track_count; i++) {
        free(r->tracks[i].asset);
    }
    for (; r->queued > 0; r->queued--, r->first++) {
        free(r->queue[r->first % CLI_REPLAY_QUEUE].topic);
        free(r->queue[r->first % CLI_REPLAY_QUEUE].message);
    }
    free(r->tracks);
    free(r->columns);
    free(r->failure);
    free(r->first_left_out);
    pthread_mutex_destroy(&r->work);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->room);
    free(r);
}

int cli_replay(cli_call *call) {
    cli_replay_state *r = cli_calloc(1, sizeof *r);
    r->call = call;
    pthread_mutex_init(&r->work, NULL);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->room, NULL);
    int code = cli_sink_check(call);
    code = code == CLI_OK ? prepare(r) : code;
    double begun = cli_clock();
    if (code == CLI_OK) {
        code = send_rows(r);
    }
    stop_source(r);
    tell_left_out(r);
    if (code == CLI_OK) {
        code = cli_sink_finish(r->sink);
    }
    int closed = cli_labels_close(&r->labels);
    code = code != CLI_OK ? code : closed;
    if (code == CLI_OK) {
        code = cli_sink_report(r->sink, "messages", r->labels.count, cli_clock() - begun);
    }
    dispose(r);
    return code;
}
