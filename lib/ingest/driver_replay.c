/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a CSV file or JSON lines back as if its asset sent it now: as a source of a node, and for `simulate
 * replay`. Each running source has a thread that reads, waits until a row is due and emits it.
 * Others touch what that thread owns only before it starts and after it was joined; `mutex` guards
 * only `stopping`. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/locale.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/schema.h"
#include "codec/table_options.h"
#include "edgeops/context.h"
#include "ingest/drivers.h"

#define RETRY_INTERVAL (2 * EDGEOPS_SECOND)

typedef struct replay {
    const edgeops_hld_host *host;
    eop_json *config;
    const char *path; /* as given, for messages */
    char *file;       /* the same from the root */
    double speed;
    double rate;                    /* rows a second; 0: as recorded */
    edgeops_duration longest_pause; /* EDGEOPS_FOREVER: all are waited for */
    bool loop;
    bool rewrite_time;
    bool starts;          /* the configuration says when */
    eop_table_args table; /* its texts belong to config */
    eop_table_condition *where;

    pthread_t thread;
    bool running; /* the thread is to be joined */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool stopping;

    /* The thread's own; kept while stopped, so that a start goes on where it was. */
    int fd;
    eop_table_reader *samples;
    eop_table_row row;
    bool has_row; /* read and not yet taken */
    bool placed;  /* first_time and the rest are set */
    edgeops_time first_time;
    edgeops_time shift;     /* added to the times */
    edgeops_time previous;  /* of the row before */
    edgeops_duration begun; /* monotonic: when first_time was due */
    uint64_t rows;
    uint64_t bad;   /* that were left out */
    uint64_t paced; /* rows since `begun` */
} replay;

/* -- pace -- */

static bool is_stopping(replay *r) {
    pthread_mutex_lock(&r->mutex);
    bool stopping = r->stopping;
    pthread_mutex_unlock(&r->mutex);
    return stopping;
}

/* False when stopped meanwhile. */
static bool sleep_until(replay *r, edgeops_duration deadline) {
    struct timespec at = {.tv_sec = (time_t)(deadline / EDGEOPS_SECOND),
                          .tv_nsec = (long)(deadline % EDGEOPS_SECOND)};
    pthread_mutex_lock(&r->mutex);
    while (!r->stopping && pthread_cond_timedwait(&r->cond, &r->mutex, &at) != ETIMEDOUT) {
    }
    bool go_on = !r->stopping;
    pthread_mutex_unlock(&r->mutex);
    return go_on;
}

/* The difference of two times as a duration that a clock can wait for. */
static edgeops_duration scaled(const replay *r, edgeops_time from, edgeops_time to) {
    double span = ((double)to - (double)from) / r->speed;
    double most = 100.0 * 365 * 86400 * 1e9;
    return span <= 0 ? 0 : (edgeops_duration)(span < most ? span : most);
}

static void place_first(replay *r) {
    if (r->placed) {
        return;
    }
    r->placed = true;
    r->first_time = r->previous = r->row.sample.time;
    r->begun = eop_monotonic();
    r->paced = 0;
    if (r->rewrite_time &&
        __builtin_sub_overflow(r->host->now(r->host->self), r->first_time, &r->shift)) {
        r->shift = 0;
    }
}

/* A pause that is not waited for moves the time at which the recording began. */
static void leave_pause_out(replay *r) {
    edgeops_time now = r->row.sample.time;
    edgeops_duration gap = 0;
    bool over = __builtin_sub_overflow(now, r->previous, &gap);
    if (r->longest_pause != EDGEOPS_FOREVER && (over || gap < 0 || gap > r->longest_pause) &&
        (over || __builtin_add_overflow(r->first_time, gap, &r->first_time))) {
        r->first_time = now;
        r->begun = eop_monotonic();
    }
    r->previous = now;
}

static bool wait_for_row(replay *r) {
    if (r->rate > 0) {
        double due = (double)++r->paced / r->rate * 1e9;
        return sleep_until(r, r->begun + (edgeops_duration)(due < 1e18 ? due : 1e18));
    }
    if (r->speed <= 0 || !eop_table_reader_timed(r->samples)) {
        return !is_stopping(r);
    }
    leave_pause_out(r);
    return sleep_until(r, r->begun + scaled(r, r->first_time, r->row.sample.time));
}

/* -- the file -- */

static void close_file(replay *r) {
    eop_table_reader_close(r->samples);
    r->samples = NULL;
    if (r->fd >= 0) {
        close(r->fd);
        r->fd = -1;
    }
    r->has_row = false;
    r->placed = false;
    r->shift = 0;
    r->rows = r->bad = 0;
}

/* A row that is left out: a dead letter. */
static void on_bad(uint64_t line, const char *column, const char *reason, const char *text,
                   size_t size, void *user_data) {
    replay *r = user_data;
    char said[256];
    (void)eop_snprintf(said, sizeof(said), "line %" PRIu64 "%s%.80s%s: %.120s", line,
                       column != NULL ? ", column '" : "", column != NULL ? column : "",
                       column != NULL ? "'" : "", reason);
    r->bad++;
    r->host->refused(r->host->self, r->path, text != NULL ? text : "", text != NULL ? size : 0,
                     r->host->now(r->host->self), said);
}

/* What the reader would have a person look at. */
static void tell_warnings(const replay *r) {
    eop_json *report = eop_table_reader_report(r->samples);
    const eop_json *warnings = eop_json_get(report, "warnings");
    for (const eop_json *w = eop_json_first(warnings); w != NULL; w = eop_json_next(w)) {
        r->host->log(r->host->self, 1, eop_json_text(w));
    }
    eop_json_free(report);
}

static edgeops_status open_file(replay *r) {
    r->fd = eop_open(r->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (r->fd < 0) {
        return eop_fail_errno(errno, "replay", "cannot open '%s'", r->path);
    }
    if (!r->starts) {
        r->table.options.start = r->host->now(r->host->self); /* where the file has no times */
    }
    edgeops_status status = eop_table_reader_open(&r->samples, r->fd, &r->table.options);
    if (status == EDGEOPS_OK) {
        tell_warnings(r);
    }
    return status;
}

/* Sends the row that was read. OK; E_CLOSED: stop now; E_LIMIT and the like: the host stops us. */
static edgeops_status send_row(replay *r) {
    edgeops_sample sample = r->row.sample;
    if (__builtin_add_overflow(sample.time, r->shift, &sample.time)) {
        sample.time = r->row.sample.time;
    }
    edgeops_status status = r->host->emit(r->host->self, &sample, 1);
    if (status == EDGEOPS_OK || status == EDGEOPS_E_INVALID) {
        r->has_row = false;
        r->rows++;
        return EDGEOPS_OK;
    }
    return status;
}

/* Plays to the end of the file: DONE; OK when stopped. */
static edgeops_status play(replay *r) {
    for (;;) {
        if (!r->has_row) {
            edgeops_status status = eop_table_reader_next(r->samples, &r->row);
            if (status != EDGEOPS_OK) {
                return status;
            }
            r->has_row = true;
        }
        place_first(r);
        if (!wait_for_row(r) || send_row(r) < 0) {
            return EDGEOPS_OK;
        }
    }
}

static void report_end(replay *r) {
    char detail[200];
    char left[48] = "";
    if (r->bad > 0) {
        (void)eop_snprintf(left, sizeof(left), ", %" PRIu64 " left out", r->bad);
    }
    (void)eop_snprintf(detail, sizeof(detail), "%" PRIu64 " rows of '%.100s' played%s", r->rows,
                       r->path, left);
    r->host->state(r->host->self, EDGEOPS_DONE, detail);
}

/* A missing file may come; a broken one must be mended and the source started again. */
static bool may_mend(edgeops_status status) {
    return status == EDGEOPS_E_NOTFOUND || status == EDGEOPS_E_DENIED || status == EDGEOPS_E_IO ||
           status == EDGEOPS_E_NOMEM;
}

static void *run(void *argument) {
    replay *r = argument;
    edgeops_status status = EDGEOPS_OK;
    while (!is_stopping(r)) {
        if (r->samples == NULL && (status = open_file(r)) < 0) {
            r->host->state(r->host->self, status, edgeops_error_last()->message);
            close_file(r);
            if (!may_mend(status) || !sleep_until(r, eop_monotonic() + RETRY_INTERVAL)) {
                break;
            }
            continue;
        }
        r->host->state(r->host->self, EDGEOPS_OK, r->path);
        status = play(r);
        if (status == EDGEOPS_OK) {
            break; /* stopped; the place is kept */
        }
        if (status < 0) {
            r->host->state(r->host->self, status, edgeops_error_last()->message);
            close_file(r);
            break;
        }
        bool again = r->loop && r->rows > 0;
        if (!again) {
            report_end(r);
        }
        close_file(r);
        if (!again) {
            break;
        }
    }
    return NULL;
}

/* -- the driver -- */

static void replay_stop(void *state) {
    replay *r = state;
    if (!r->running) {
        return;
    }
    pthread_mutex_lock(&r->mutex);
    r->stopping = true;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    r->running = false;
    /* When it goes on, all rows are due later by the time it rested. */
    r->placed = r->placed && r->speed <= 0 && r->rate <= 0;
}

static edgeops_status replay_start(void *state) {
    replay *r = state;
    if (r->running) {
        return EDGEOPS_OK;
    }
    r->stopping = false;
    int code = eop_thread_create(&r->thread, NULL, run, r);
    if (code != 0) {
        return eop_fail_errno(code, "replay", "no thread for '%s'", r->path);
    }
    r->running = true;
    return EDGEOPS_OK;
}

static void replay_close(void *state) {
    replay *r = state;
    if (r == NULL) {
        return;
    }
    replay_stop(r);
    close_file(r);
    eop_json_free(r->config);
    eop_table_args_dispose(&r->table);
    eop_free(r->where);
    eop_free(r->file);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    eop_free(r);
}

static edgeops_status take_where(replay *r) {
    const eop_json *where = eop_json_get(r->config, "where");
    r->where = eop_calloc(eop_json_size(where), sizeof *r->where);
    if (r->where == NULL) {
        return eop_fail_nomem("replay");
    }
    for (const eop_json *w = eop_json_first(where); w != NULL; w = eop_json_next(w)) {
        r->where[r->table.options.where_count++] =
            (eop_table_condition){eop_json_key(w), eop_json_text(w)};
    }
    r->table.options.where = r->where;
    return EDGEOPS_OK;
}

static edgeops_status take_config(replay *r) {
    r->path = eop_json_string(r->config, "path", "");
    r->speed = eop_json_number(r->config, "speed", 1);
    r->rate = eop_json_number(r->config, "rate", 0);
    r->loop = eop_json_bool(r->config, "loop", false);
    r->rewrite_time = eop_json_bool(r->config, "rewrite_time", false);
    eop_table_options *o = &r->table.options;
    o->what = r->path;
    o->asset = eop_json_string(r->config, "asset", "");
    o->format = strcmp(eop_json_string(r->config, "format", "csv"), "jsonl") == 0
                    ? EOP_TABLE_JSON_LINES
                    : EOP_TABLE_CSV;
    o->on_bad = on_bad;
    o->user_data = r;
    o->time_optional = eop_json_bool(r->config, "time_optional", false);
    r->starts = eop_json_get(r->config, "start") != NULL;
    if (o->time_column == NULL && !r->starts) {
        o->time_column = "time";
    }
    const char *pause = eop_json_string(r->config, "longest_pause", NULL);
    r->longest_pause = EDGEOPS_FOREVER;
    if (pause != NULL && (!eop_parse_duration(&r->longest_pause, pause) || r->longest_pause < 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "replay",
                        "longest_pause: '%s' is not a duration such as '5s'", pause);
    }
    return eop_path_absolute(&r->file, r->path);
}

static edgeops_status replay_open(void **state, const edgeops_hld_host *host,
                                  const char *config_json) {
    *state = NULL;
    pthread_condattr_t attributes;
    replay *r = eop_calloc(1, sizeof(*r));
    if (r == NULL) {
        return eop_fail_nomem("replay");
    }
    r->host = host;
    r->fd = -1;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    edgeops_status status =
        eop_json_parse(&r->config, config_json, strlen(config_json), "config", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_schema_check_text(eop_replay_schema, r->config, config_json,
                                       strlen(config_json), "config");
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_args_read(&r->table, r->config, "config");
    }
    if (status == EDGEOPS_OK) {
        status = take_where(r);
    }
    if (status == EDGEOPS_OK) {
        status = take_config(r);
    }
    if (status < 0) {
        replay_close(r);
        return status;
    }
    *state = r;
    return EDGEOPS_OK;
}

const edgeops_hld_driver eop_driver_replay = {
    .struct_size = sizeof(edgeops_hld_driver),
    .abi_minor = EDGEOPS_HLD_ABI_MINOR,
    .name = "replay",
    .version = "1.0.0",
    .summary = "Plays a CSV file or JSON lines back as live data",
    .config_schema_json = eop_replay_schema,
    .open = replay_open,
    .start = replay_start,
    .stop = replay_stop,
    .close = replay_close,
};
