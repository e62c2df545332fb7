/* SPDX-License-Identifier: Apache-2.0 */
/* One line that is written anew on a terminal; elsewhere a line now and then, for logs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define TERMINAL_EVERY_S 0.1
#define METRICS_EVERY_S  1 /* figures that change faster cannot be read */
#define PLAIN_EVERY_S    5
#define PLAIN_PART       0.1

void cli_progress_start(cli_progress *progress, const cli_call *call, int input) {
    *progress = (cli_progress){.part = NAN};
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->events = call->globals.events;
    progress->quiet = call->globals.quiet || (call->globals.json && !call->globals.events);
    progress->last = progress->terminal ? 0 : cli_clock();
    struct stat st;
    if (input >= 0 && fstat(input, &st) == 0 && S_ISREG(st.st_mode)) {
        progress->total_bytes = (uint64_t)st.st_size;
    }
}

static void clear_line(cli_progress *progress) {
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        progress->shown = false;
    }
}

/* Text that does not fit into the line could not be cleared again. */
static size_t fitting(const char *text) {
    struct winsize size = {0};
    size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
    size_t bytes = 0;
    for (size_t n = 0; text[bytes] != 0; bytes++) {
        n += ((unsigned char)text[bytes] & 0xC0) != 0x80;
        if (n > width) {
            break;
        }
    }
    return bytes;
}

static void put_line(cli_progress *progress, const char *text) {
    progress->last = cli_clock();
    progress->news = false;
    clear_line(progress);
    if (progress->terminal) {
        cli_print_safe(stderr, text, fitting(text));
        fflush(stderr);
        progress->shown = true;
    } else {
        cli_print_safe(stderr, text, strlen(text));
        fputc('\n', stderr);
    }
}

void cli_progress_line(cli_progress *progress, const char *text) {
    double every = progress->terminal ? TERMINAL_EVERY_S : PLAIN_EVERY_S;
    if (!progress->quiet && !progress->events && cli_clock() - progress->last >= every) {
        put_line(progress, text);
    }
}

/* A line that stays. */
static void say(cli_progress *progress, const char *text, size_t size) {
    clear_line(progress);
    cli_print_safe(stderr, text, size);
    fputc('\n', stderr);
}

static void take_metrics(cli_progress *progress) {
    cli_text_clear(&progress->shown_metrics);
    for (size_t i = 0; i < CLI_PROGRESS_METRICS && progress->names[i].size > 0; i++) {
        cli_putf(&progress->shown_metrics, "  %s = %s", progress->names[i].data,
                 progress->values[i].data);
    }
    progress->last_metrics = cli_clock();
}

static void print_state(cli_progress *progress) {
    cli_text line = {0};
    if (!isnan(progress->part)) {
        cli_putf(&line, "%3.0f %%", 100 * progress->part);
        progress->told_part = progress->part;
    }
    cli_puts(&line, cli_text_get(&progress->amounts));
    if (!progress->terminal || cli_clock() - progress->last_metrics >= METRICS_EVERY_S) {
        take_metrics(progress);
    }
    cli_puts(&line, cli_text_get(&progress->shown_metrics));
    const char *text = cli_text_get(&line);
    put_line(progress, text + strspn(text, " "));
    cli_text_dispose(&line);
}

/* now: whatever the clock says. */
static void show_state(cli_progress *progress, bool now) {
    progress->news = true;
    bool further = !progress->terminal && progress->part - progress->told_part >= PLAIN_PART;
    double every = progress->terminal ? TERMINAL_EVERY_S : PLAIN_EVERY_S;
    if (now || further || cli_clock() - progress->last >= every) {
        print_state(progress);
    }
}

static void take_amounts(cli_progress *progress, const json_value *event) {
    double part = json_number(event, "progress", NAN);
    double bytes = json_number(event, "bytes", NAN);
    if (isnan(part) && !isnan(bytes) && progress->total_bytes > 0) {
        part = bytes / (double)progress->total_bytes;
    }
    if (!isnan(part)) {
        progress->part = part < 0 ? 0 : part > 1 ? 1 : part;
    }
    static const char *const amounts[] = {"rows", "windows", "predictions"};
    cli_text_clear(&progress->amounts);
    for (size_t i = 0; i < CLI_COUNT(amounts); i++) {
        const char *amount = json_text(event, amounts[i], NULL);
        if (amount != NULL) {
            cli_putf(&progress->amounts, "  %s %s", amount, amounts[i]);
        }
    }
    /* How far rows have come is for who watches, not for a log. */
    if (progress->terminal || progress->amounts.size == 0) {
        show_state(progress, false);
    }
}

static void take_metric(cli_progress *progress, const json_value *event) {
    const char *name = json_text(event, "name", "metric");
    const char *step = json_text(event, "step", NULL);
    size_t i = 0;
    while (i < CLI_PROGRESS_METRICS && progress->names[i].size > 0 &&
           strcmp(progress->names[i].data, name) != 0) {
        i++;
    }
    if (i == CLI_PROGRESS_METRICS || *name == 0) {
        return;
    }
    bool first = progress->names[i].size == 0;
    char *value = cli_shaped(json_at(event, "value"), CLI_AS_NUMBER);
    cli_text_clear(&progress->values[i]);
    cli_puts(&progress->values[i], value != NULL ? value : "-");
    if (step != NULL) {
        cli_putf(&progress->values[i], " (step %s)", step);
    }
    if (first) {
        cli_puts(&progress->names[i], name);
    }
    free(value);
    show_state(progress, first && i == 0 && !progress->terminal);
}

void cli_progress_event(const char *event_json, void *user_data) {
    cli_progress *progress = user_data;
    if (progress->events) {
        fprintf(stderr, "%s\n", event_json);
    }
    json_document *document = json_parse(event_json, strlen(event_json), NULL, NULL);
    if (document == NULL) {
        return;
    }
    const json_value *event = json_root(document);
    const char *type = json_text(event, "type", "");
    if (strcmp(type, "state") == 0) {
        progress->run = (int64_t)json_number(event, "run", (double)progress->run);
    }
    if (progress->events || progress->quiet) {
        json_free(document);
        return;
    }
    if (strcmp(type, "progress") == 0) {
        take_amounts(progress, event);
    } else if (strcmp(type, "metric") == 0) {
        take_metric(progress, event);
    } else if (strcmp(type, "log") == 0) {
        const char *text = json_text(event, "text", "");
        say(progress, text, strlen(text));
    } else if (strcmp(type, "state") == 0) {
        cli_progress_line(progress, json_text(event, "state", ""));
    }
    json_free(document);
}

void cli_progress_end(cli_progress *progress) {
    bool metrics = progress->names[0].size > 0;
    if (progress->news && metrics && !progress->terminal) {
        print_state(progress); /* how it ended */
    }
    clear_line(progress);
    progress->news = false;
    for (size_t i = 0; i < CLI_PROGRESS_METRICS; i++) {
        cli_text_dispose(&progress->names[i]);
        cli_text_dispose(&progress->values[i]);
    }
    cli_text_dispose(&progress->amounts);
    cli_text_dispose(&progress->shown_metrics);
}
