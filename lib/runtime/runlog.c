/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a run: a pipe that workers write to, read in the loop of the context, and a file. A
 * timer lets a worker that prints too much wait. All calls are made on the thread of the
 * context. */
#include "runtime/runlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "platform/platform.h"

#define READ_BYTES     65536
#define LINE_BYTES     1024
#define LINES_A_SECOND 100
/* A drain reads what a dead worker left in the pipe, whose size is 64 KiB, and no more than this of
 * what a grandchild may go on writing. */
#define DRAIN_BYTES (1u << 20)
#define SLOW_DOWN   (10 * EDGEOPS_MILLISECOND)
/* What a worker said last is what explains its end: so much of it is written beyond the limit, for
 * as many workers of a run as TAILS_BYTES hold. */
#define TAIL_BYTES  16384
#define TAILS_BYTES (64u * TAIL_BYTES)

struct eop_runlog {
    int file;
    int read_fd;
    int write_fd;
    eop_io *io;
    eop_timer *timer; /* lets a slowed-down writer go on */
    uint64_t limit;
    uint64_t size;
    bool full;
    eop_runlog_fn on_line;
    void *user_data;
    /* the line that is being read, and how many were given in this second */
    char line[LINE_BYTES + 1];
    size_t line_size;
    edgeops_duration second;
    uint32_t given;
    uint64_t skipped;
    /* a ring of the newest bytes that were left out; tail_size counts all of them */
    char tail[TAIL_BYTES];
    uint64_t tail_size;
    char buffer[READ_BYTES];
};

static void keep_tail(eop_runlog *log, const char *data, size_t size) {
    if (size > TAIL_BYTES) {
        log->tail_size += size - TAIL_BYTES;
        data += size - TAIL_BYTES;
        size = TAIL_BYTES;
    }
    size_t at = (size_t)(log->tail_size % TAIL_BYTES);
    size_t first = size < TAIL_BYTES - at ? size : TAIL_BYTES - at;
    memcpy(log->tail + at, data, first);
    memcpy(log->tail, data + first, size - first);
    log->tail_size += size;
}

/* From the first whole line of what is kept. */
static void write_tail(eop_runlog *log) {
    eop_buf text = {0};
    size_t size = log->tail_size < TAIL_BYTES ? (size_t)log->tail_size : TAIL_BYTES;
    size_t at = (size_t)((log->tail_size - size) % TAIL_BYTES);

    if (log->tail_size == 0 || log->size >= log->limit + TAILS_BYTES) {
        return;
    }
    eop_buf_put(&text, log->tail + at, size < TAIL_BYTES - at ? size : TAIL_BYTES - at);
    eop_buf_put(&text, log->tail, size - text.size);
    if (!text.failed) {
        const char *line = log->tail_size > size ? memchr(text.data, '\n', text.size) : NULL;
        size_t skip = line != NULL ? (size_t)(line + 1 - text.data) : 0;
        if (eop_write_all(log->file, "edgeops: the end of what was left out:\n", 39) ==
                EDGEOPS_OK &&
            eop_write_all(log->file, text.data + skip, text.size - skip) == EDGEOPS_OK) {
            log->size += text.size;
        }
    }
    log->tail_size = 0;
    eop_buf_dispose(&text);
}

static void append(eop_runlog *log, const char *data, size_t size) {
    uint64_t room = log->size < log->limit ? log->limit - log->size : 0;
    size_t n = size < room ? size : (size_t)room;

    if (n > 0 && eop_write_all(log->file, data, n) < 0) {
        n = 0; /* a full disk: left out */
    }
    log->size += n;
    keep_tail(log, data + n, size - n);
    if (n < size && !log->full) {
        static const char note[] = "\nedgeops: the log has reached its limit; more is left out\n";
        log->full = true;
        (void)eop_write_all(log->file, note, sizeof note - 1);
    }
}

/* Replaces what is not UTF-8 or a control character, in place. */
static void make_printable(char *text, size_t size) {
    size_t at = 0;

    while (at < size) {
        size_t valid = eop_utf8_valid(text + at, size - at);
        for (size_t i = 0; i < valid; i++) {
            if ((unsigned char)text[at + i] < 0x20) {
                text[at + i] = ' ';
            }
        }
        at += valid;
        if (at < size) {
            text[at++] = '?';
        }
    }
}

static void give_skipped(eop_runlog *log) {
    char note[96];

    if (log->skipped == 0) {
        return;
    }
    (void)snprintf(note, sizeof note, "... %llu more lines, see the run's log",
                   (unsigned long long)log->skipped);
    log->skipped = 0;
    log->on_line(note, log->user_data);
}

static void end_line(eop_runlog *log) {
    edgeops_duration now = eop_monotonic();
    size_t size = log->line_size;

    log->line_size = 0;
    if (size > 0 && log->line[size - 1] == '\r') {
        size--;
    }
    if (log->on_line == NULL || size == 0) {
        return;
    }
    if (now - log->second >= EDGEOPS_SECOND) {
        log->second = now;
        log->given = 0;
        give_skipped(log);
    }
    if (log->given >= LINES_A_SECOND) {
        log->skipped++;
        return;
    }
    log->given++;
    make_printable(log->line, size);
    log->line[size] = '\0';
    log->on_line(log->line, log->user_data);
}

/* Cuts what came into lines. */
static void give_lines(eop_runlog *log, const char *data, size_t size) {
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t n = end != NULL ? (size_t)(end - data) : size;
        size_t room = LINE_BYTES - log->line_size;
        size_t take = n < room ? n : room;
        memcpy(log->line + log->line_size, data, take);
        log->line_size += take;
        data += n;
        size -= n;
        if (end != NULL) {
            data++;
            size--;
            end_line(log);
        }
    }
}

/* @return bytes read, 0 when nothing is there */
static size_t take(eop_runlog *log) {
    ssize_t n = read(log->read_fd, log->buffer, sizeof log->buffer);

    if (n <= 0) {
        return 0;
    }
    append(log, log->buffer, (size_t)n);
    give_lines(log, log->buffer, (size_t)n);
    return (size_t)n;
}

static void on_readable(int events, void *user_data) {
    eop_runlog *log = user_data;

    (void)events;
    if (take(log) > 0 && log->full) {
        (void)eop_io_set(log->io, 0);
        eop_timer_start(log->timer, SLOW_DOWN, 0);
    }
}

static void on_timer(void *user_data) {
    eop_runlog *log = user_data;

    (void)eop_io_set(log->io, EOP_READABLE);
}

static edgeops_status open_file(eop_runlog *log, const char *run_dir) {
    struct stat info;
    char *path = run_dir != NULL ? eop_path_join(run_dir, "log") : eop_strdup("/dev/null");
    if (path == NULL) {
        return eop_fail_nomem("runtime");
    }
    log->file = eop_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    edgeops_status status = EDGEOPS_OK;
    if (log->file < 0 || fstat(log->file, &info) != 0) {
        status = eop_fail_errno(errno, "runtime", "cannot open the run's log '%s'", path);
    } else {
        log->size = (uint64_t)info.st_size;
        log->full = log->size >= log->limit;
    }
    eop_free(path);
    return status;
}

static edgeops_status open_pipe(eop_runlog *log) {
    int fds[2];

    if (eop_pipe2(fds, O_CLOEXEC) != 0) {
        return eop_fail_errno(errno, "runtime", "cannot make a pipe for a worker's output");
    }
    log->read_fd = fds[0];
    log->write_fd = fds[1];
    /* Only this end: the worker's writes wait for room. */
    if (fcntl(log->read_fd, F_SETFL, O_NONBLOCK) != 0) {
        return eop_fail_errno(errno, "runtime", "cannot prepare a worker's output");
    }
    return EDGEOPS_OK;
}

edgeops_status eop_runlog_open(eop_runlog **out, edgeops_ctx *ctx, const char *run_dir,
                               uint64_t limit_bytes, eop_runlog_fn on_line, void *user_data) {
    *out = NULL;
    eop_runlog *log = eop_calloc(1, sizeof *log);
    if (log == NULL) {
        return eop_fail_nomem("runtime");
    }
    log->file = log->read_fd = log->write_fd = -1;
    log->limit = limit_bytes;
    log->on_line = on_line;
    log->user_data = user_data;
    edgeops_status status = open_file(log, run_dir);
    if (status == EDGEOPS_OK) {
        status = open_pipe(log);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&log->timer, ctx, on_timer, log);
    }
    if (status == EDGEOPS_OK) {
        status = eop_io_new(&log->io, ctx, log->read_fd, on_readable, log);
    }
    if (status == EDGEOPS_OK) {
        status = eop_io_set(log->io, EOP_READABLE);
    }
    if (status < 0) {
        eop_runlog_close(log);
        return status;
    }
    *out = log;
    return EDGEOPS_OK;
}

int eop_runlog_fd(const eop_runlog *log) {
    return log->write_fd;
}

void eop_runlog_say(eop_runlog *log, const char *format, ...) {
    va_list args;
    eop_buf line = {0};

    va_start(args, format);
    char *text = eop_vformat(format, args);
    va_end(args);
    if (text != NULL) {
        eop_buf_printf(&line, "edgeops: %s\n", text);
    }
    if (!line.failed && line.size > 0) {
        append(log, line.data, line.size);
        write_tail(log);
    }
    eop_buf_dispose(&line);
    eop_free(text);
}

void eop_runlog_drain(eop_runlog *log) {
    size_t total = 0;
    size_t n = 0;

    while (total < DRAIN_BYTES && (n = take(log)) > 0) {
        total += n;
    }
    if (log->line_size > 0) {
        end_line(log);
    }
    give_skipped(log);
    write_tail(log);
}

static void close_fd(int fd) {
    if (fd >= 0) {
        (void)close(fd);
    }
}

void eop_runlog_close(eop_runlog *log) {
    if (log == NULL) {
        return;
    }
    eop_io_free(log->io);
    eop_timer_free(log->timer);
    close_fd(log->file);
    close_fd(log->read_fd);
    close_fd(log->write_fd);
    eop_free(log);
}
