/* SPDX-License-Identifier: Apache-2.0 */
/* `simulate replay`: a recording sent as its asset would send it, one JSON message a row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"
#include "table.h"

#define PAUSE_LIMIT_S 5.0 /* longer pauses and jumps back of a recording are not waited for */
#define ASSET_LIMIT   100000
#define NONE          SIZE_MAX

/* "watch/{subject}/imu" taken apart: texts and columns in turn. */
typedef struct part {
    char *text;
    size_t column; /* NONE: the text */
} part;
typedef struct pattern {
    part *parts;
    size_t count;
} pattern;

/* An asset of the recording on its way through the rows. */
typedef struct track {
    char *asset;
    char *label; /* of the run of equal labels that is open; NULL: none */
    edgeops_time start, last;
    uint64_t seq; /* rows just before this one with the same time */
    bool seen;
} track;

typedef struct replay {
    const cli_call *call;
    cli_table *table;
    cli_sink *sink;
    cli_labels labels;
    pattern topic, asset;
    size_t time, label, asset_column;
    bool *sent;   /* a column: goes into the message */
    bool own_seq; /* one of them is "seq" */
    int64_t count;
    double speed, rate;
    double unit_s; /* 0: by size */
    track *tracks;
    size_t track_count, track_capacity;
    double due; /* clock at which the next row is to go */
    edgeops_time previous;
    bool has_previous;
    cli_text topic_text, asset_text, message;
} replay;

static int column_of(size_t *out, const replay *r, const char *name, const char *option) {
    *out = cli_table_find(r->table, name);
    if (*out != NONE) {
        return CLI_OK;
    }
    cli_text names = {0};
    for (size_t i = 0; i < cli_table_columns(r->table) && i < 40; i++) {
        cli_putf(&names, "%s%s", i > 0 ? ", " : "", cli_table_name(r->table, i));
    }
    char *hint = cli_format("its columns: %s", cli_text_get(&names));
    int code =
        cli_fail(CLI_USAGE, hint, "--%s: %s has no column '%s'", option, cli_arg(r->call, 0), name);
    free(hint);
    cli_text_dispose(&names);
    return code;
}

static void add_part(pattern *t, const char *text, size_t size, size_t column) {
    t->parts = cli_realloc(t->parts, t->count + 1, sizeof *t->parts);
    t->parts[t->count++] = (part){cli_strndup(text, size), column};
}

static int parse_pattern(pattern *t, const replay *r, const char *text, const char *option) {
    while (*text != 0) {
        size_t plain = strcspn(text, "{");
        if (plain > 0) {
            add_part(t, text, plain, NONE);
        }
        text += plain;
        if (*text == 0) {
            break;
        }
        const char *end = strchr(text, '}');
        if (end == NULL) {
            return cli_usage(r->call, "--%s: a '}' is missing", option);
        }
        size_t column;
        char *name = cli_strndup(text + 1, (size_t)(end - text) - 1);
        int code = column_of(&column, r, name, option);
        free(name);
        if (code != CLI_OK) {
            return code;
        }
        add_part(t, "", 0, column);
        text = end + 1;
    }
    return CLI_OK;
}

static void fill(cli_text *out, const pattern *t, const char *const *fields) {
    cli_text_clear(out);
    for (size_t i = 0; i < t->count; i++) {
        cli_puts(out, t->parts[i].column == NONE ? t->parts[i].text : fields[t->parts[i].column]);
    }
}

static void pattern_dispose(pattern *t) {
    for (size_t i = 0; i < t->count; i++) {
        free(t->parts[i].text);
    }
    free(t->parts);
}

/* -- options against the header -- */

static int choose_columns(replay *r) {
    const cli_call *call = r->call;
    size_t columns = cli_table_columns(r->table), at;
    bool chosen = cli_has(call, "column");
    r->sent = cli_calloc(columns, sizeof *r->sent);
    for (size_t i = 0; i < columns; i++) {
        r->sent[i] = !chosen;
    }
    const char *name;
    for (size_t i = 0; (name = cli_get_nth(call, "column", i)) != NULL; i++) {
        int code = column_of(&at, r, name, "column");
        if (code != CLI_OK) {
            return code;
        }
        r->sent[at] = true;
    }
    for (size_t i = 0; (name = cli_get_nth(call, "skip-column", i)) != NULL; i++) {
        int code = column_of(&at, r, name, "skip-column");
        if (code != CLI_OK) {
            return code;
        }
        r->sent[at] = false;
    }
    /* What names the topic or the asset is not a value, unless it is asked for. */
    const pattern *const named[] = {&r->topic, &r->asset};
    for (size_t t = 0; t < CLI_COUNT(named) && !chosen; t++) {
        for (size_t i = 0; i < named[t]->count; i++) {
            if (named[t]->parts[i].column != NONE) {
                r->sent[named[t]->parts[i].column] = false;
            }
        }
    }
    const size_t apart[] = {r->time, r->label, r->asset_column};
    for (size_t i = 0; i < CLI_COUNT(apart); i++) {
        if (apart[i] != NONE) {
            r->sent[apart[i]] = false;
        }
    }
    at = cli_table_find(r->table, "seq");
    return CLI_OK;
}

static int find_columns(replay *r) {
    const cli_call *call = r->call;
    r->label = r->asset_column = NONE;
    r->time = cli_table_find(r->table, "time");
    int code = CLI_OK;
    if (cli_has(call, "time-column")) {
        code = column_of(&r->time, r, cli_get(call, "time-column", ""), "time-column");
    }
    if (code == CLI_OK && cli_has(call, "label-column")) {
        code = column_of(&r->label, r, cli_get(call, "label-column", ""), "label-column");
    }
    if (code == CLI_OK && cli_has(call, "asset-column")) {
        code = column_of(&r->asset_column, r, cli_get(call, "asset-column", ""), "asset-column");
    }
    if (code == CLI_OK && cli_has(call, "labels") && (r->label == NONE || r->time == NONE)) {
        code = cli_usage(call, "--labels needs --label-column and a column with the time");
    }
    return code;
}

static int make_patterns(replay *r) {
    const cli_call *call = r->call;
    char *column = r->asset_column == NONE
                       ? NULL
                       : cli_format("{%s}", cli_table_name(r->table, r->asset_column));
    const char *asset = cli_get(call, "asset", column);
    const char *topic = cli_get(call, "topic", asset);
    int code = CLI_OK;
    if (topic == NULL && cli_has(call, "broker")) {
        code = cli_usage(call, "--topic TEMPLATE is missing: where messages are published to");
    }
    if (code == CLI_OK && topic != NULL) {
        code = parse_pattern(&r->topic, r, topic, "topic");
    }
    if (code == CLI_OK && (asset != NULL || topic != NULL)) {
        code = parse_pattern(&r->asset, r, asset != NULL ? asset : topic, "asset");
    }
    if (code == CLI_OK && cli_has(call, "labels") && r->asset.count == 0) {
        code = cli_usage(call, "--labels needs --asset: whose labels they are");
    }
    free(column);
    return code;
}

static int read_numbers(replay *r) {
    const cli_call *call = r->call;
    r->count = -1;
    if (cli_has(call, "count") &&
        (!cli_parse_integer(&r->count, cli_get(call, "count", "")) || r->count < 0)) {
        return cli_usage(call, "--count wants a number of rows, not '%s'",
                         cli_get(call, "count", ""));
    }
    const char *speed = cli_get(call, "speed", cli_has(call, "broker") ? "1" : "0");
    if (!cli_parse_number(&r->speed, speed) || r->speed < 0) {
        return cli_usage(call, "--speed wants a number from 0, not '%s'", speed);
    }
    if (cli_has(call, "rate") &&
        (!cli_parse_number(&r->rate, cli_get(call, "rate", "")) || r->rate <= 0)) {
        return cli_usage(call, "--rate wants rows a second, not '%s'", cli_get(call, "rate", ""));
    }
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
    for (size_t i = 0; i < CLI_COUNT(units); i++) {
        if (strcmp(cli_get(call, "time-unit", ""), units[i].name) == 0) {
            r->unit_s = units[i].seconds;
        }
    }
    return CLI_OK;
}

/* -- rows -- */

/* ISO 8601 or a number; without a unit its size tells, as for a source. */
static bool row_time(edgeops_time *out, const replay *r, const char *text) {
    if (cli_parse_time(out, text)) {
        return true;
    }
    double number;
    if (!cli_parse_number(&number, text)) {
        return false;
    }
    double size = fabs(number);
    double unit = r->unit_s > 0 ? r->unit_s
                  : size < 1e11 ? 1
                  : size < 1e14 ? 1e-3
                  : size < 1e17 ? 1e-6
                                : 1e-9;
    int64_t integer, scale = (int64_t)llround(unit * 1e9);
    if (cli_parse_integer(&integer, text)) { /* exact where a double is not */
        return !__builtin_mul_overflow(integer, scale, out);
    }
    double ns = number * unit * 1e9;
    if (!(fabs(ns) < 9.2e18)) {
        return false;
    }
    *out = (edgeops_time)llround(ns);
    return true;
}

/* A cell as the JSON it looks like; nothing for an empty one. */
static void put_cell(cli_text *out, const char *name, const char *text) {
    double number;
    size_t size = strlen(text);
    if (size == 0) {
        return;
    }
    json_put_key(out, name);
    if (json_is_number(text, size) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        cli_put(out, text, size);
    } else if (strpbrk(text, "xX") == NULL && cli_parse_number(&number, text)) {
        cli_put_double(out, number); /* such as +1 or .5 */
    } else {
        json_put_string(out, text, size);
    }
}

static void make_message(replay *r, const track *t, const char *const *fields) {
    cli_text *out = &r->message;
    cli_text_clear(out);
    cli_puts(out, "{");
    if (!cli_sink_publishes(r->sink) && r->asset.count > 0) {
        json_put_member(out, "asset", cli_text_get(&r->asset_text));
    }
    if (r->time != NONE) {
        put_cell(out, "time", fields[r->time]);
    }
    if (t->seq > 0) { /* a clock too coarse for its rate: tell the samples apart */
        json_put_key(out, "seq");
        cli_putf(out, "%llu", (unsigned long long)t->seq);
    }
    for (size_t i = 0; i < cli_table_columns(r->table); i++) {
        if (r->sent[i]) {
            put_cell(out, cli_table_name(r->table, i), fields[i]);
        }
    }
    cli_puts(out, "}");
}

static int find_track(track **out, replay *r) {
    const char *asset = cli_text_get(&r->asset_text);
    /* Rows of one asset mostly follow each other: search from the newest. */
    size_t i = r->track_count;
    while (i > 0 && strcmp(r->tracks[i - 1].asset, asset) != 0) {
        i--;
    }
    if (i == 0) {
        if (r->track_count >= ASSET_LIMIT) {
            return cli_fail(CLI_FAILED, NULL, "more than %d assets", ASSET_LIMIT);
        }
        if (r->track_count == r->track_capacity) {
            r->track_capacity = r->track_capacity * 2 + 16;
            r->tracks = cli_realloc(r->tracks, r->track_capacity, sizeof *r->tracks);
        }
        r->tracks[r->track_count] = (track){.asset = cli_strdup(asset)};
        i = ++r->track_count;
    }
    *out = &r->tracks[i - 1];
    return CLI_OK;
}

static void close_run(replay *r, track *t) {
    if (t->label != NULL) {
        cli_labels_put(&r->labels, t->asset, t->start, t->last + 1, t->label, "recording");
        free(t->label);
        t->label = NULL;
    }
}

static void keep_label(replay *r, track *t, const char *label, edgeops_time time) {
    if (t->label != NULL && (strcmp(t->label, label) != 0 || time < t->last)) {
        close_run(r, t);
    }
    if (t->label == NULL && *label != 0) {
        t->label = cli_strdup(label);
        t->start = time;
    }
}

static int keep_pace(replay *r, bool timed, edgeops_time time) {
    if (r->rate > 0) {
        r->due += 1 / r->rate;
    } else if (r->speed > 0 && timed) {
        double step = r->has_previous ? ((double)time - (double)r->previous) / 1e9 : 0;
        r->due += step > 0 && step <= PAUSE_LIMIT_S ? step / r->speed : 0;
        r->previous = time;
        r->has_previous = true;
    } else {
        return CLI_OK;
    }
    return cli_sink_wait(r->sink, r->due);
}

static int send_row(replay *r, const char *const *fields) {
    edgeops_time time = 0;
    bool timed = r->time != NONE && row_time(&time, r, fields[r->time]);
    if (!timed && r->labels.file != NULL) {
        return cli_fail(CLI_FAILED, NULL, "%s, line %llu: '%s' is no time", cli_arg(r->call, 0),
                        (unsigned long long)cli_table_line(r->table), fields[r->time]);
    }
    int code = keep_pace(r, timed, time);
    if (code != CLI_OK || cli_interrupted()) {
        return code;
    }
    fill(&r->topic_text, &r->topic, fields);
    fill(&r->asset_text, &r->asset, fields);
    track *t = NULL;
    code = find_track(&t, r);
    if (t == NULL) {
        return code;
    }
    t->seq = timed && t->seen && t->last == time && !r->own_seq ? t->seq + 1 : 0;
    make_message(r, t, fields);
    code = cli_sink_send(r->sink, cli_text_get(&r->topic_text), r->message.data, r->message.size);
    if (code == CLI_OK && r->labels.file != NULL) {
        keep_label(r, t, fields[r->label], time);
    }
    t->last = time;
    t->seen = timed;
    return code;
}

/* --where NAME=VALUE, all of them. *wanted is untouched after a failure. */
static int row_wanted(bool *wanted, const replay *r, const char *const *fields) {
    const char *text;
    bool all = true;
    for (size_t i = 0; all && (text = cli_get_nth(r->call, "where", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        if (equals == NULL) {
            return cli_usage(r->call, "--where wants NAME=VALUE, not '%s'", text);
        }
        char *name = cli_strndup(text, (size_t)(equals - text));
        size_t column;
        int code = column_of(&column, r, name, "where");
        free(name);
        if (code != CLI_OK) {
            return code;
        }
        all = strcmp(fields[column], equals + 1) == 0;
    }
    *wanted = all;
    return CLI_OK;
}

static int send_rows(replay *r) {
    int code = CLI_OK;
    r->due = cli_clock();
    while (code == CLI_OK && !cli_interrupted() &&
           (r->count < 0 || cli_sink_count(r->sink) < (uint64_t)r->count)) {
        const char *const *fields;
        bool wanted = false;
        code = cli_table_next(r->table, &fields);
        if (code != CLI_OK || fields == NULL) {
            break;
        }
        code = row_wanted(&wanted, r, fields);
        if (code == CLI_OK && wanted) {
            code = send_row(r, fields);
        }
    }
    for (size_t i = 0; i < r->track_count; i++) {
        close_run(r, &r->tracks[i]);
    }
    return code;
}

static int prepare(replay *r) {
    const cli_call *call = r->call;
    const char *separator = cli_get(call, "separator", ",");
    separator = strcmp(separator, "\\t") == 0 ? "\t" : separator;
    if (strlen(separator) != 1 || strchr("\"\r\n", separator[0]) != NULL) {
        return cli_usage(call, "--separator wants one character, not '%s'", separator);
    }
    int code = read_numbers(r);
    if (code == CLI_OK) {
        code = cli_table_open(&r->table, cli_arg(call, 0), separator[0]);
    }
    if (code == CLI_OK) {
        code = find_columns(r);
    }
    if (code == CLI_OK) {
        code = make_patterns(r);
    }
    if (code == CLI_OK) {
        code = choose_columns(r);
    }
    if (code == CLI_OK) {
        code = cli_labels_open(&r->labels, cli_get(call, "labels", NULL));
    }
    return code == CLI_OK ? cli_sink_open(&r->sink, call) : code;
}

static void dispose(replay *r) {
    cli_sink_close(r->sink);
    cli_table_close(r->table);
    pattern_dispose(&r->topic);
    pattern_dispose(&r->asset);
    for (size_t i = 0; i < r->track_count; i++) {
        free(r->tracks[i].asset);
        free(r->tracks[i].label);
    }
    free(r->tracks);
    free(r->sent);
    cli_text_dispose(&r->topic_text);
    cli_text_dispose(&r->asset_text);
    cli_text_dispose(&r->message);
}

int cli_replay(cli_call *call) {
    replay r = {.call = call};
    int code = cli_sink_check(call);
    code = code == CLI_OK ? prepare(&r) : code;
    double begun = cli_clock();
    if (code == CLI_OK) {
        code = send_rows(&r);
    }
    if (code == CLI_OK) {
        code = cli_sink_finish(r.sink);
    }
    int closed = cli_labels_close(&r.labels);
    code = code != CLI_OK ? code : closed;
    if (code == CLI_OK) {
        code = cli_sink_report(r.sink, "messages", r.labels.count, cli_clock() - begun);
    }
    dispose(&r);
    return code;
}
