/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define TERMINAL_EVERY_S 0.1
#define PLAIN_EVERY_S    5

void cli_progress_start(cli_progress *progress, const cli_call *call, int input) {
    *progress = (cli_progress){0};
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

void cli_progress_line(cli_progress *progress, const char *text) {
    double now = cli_clock();
    if (progress->quiet || progress->events ||
        now - progress->last < (progress->terminal ? TERMINAL_EVERY_S : PLAIN_EVERY_S)) {
        return;
    }
    progress->last = now;
    clear_line(progress);
    cli_print_safe(stderr, text, strlen(text));
    if (progress->terminal) {
        fflush(stderr);
        progress->shown = true;
    } else {
        fputc('\n', stderr);
    }
}

/* A line that stays. */
static void say(cli_progress *progress, const char *text, size_t size) {
    clear_line(progress);
    cli_print_safe(stderr, text, size);
    fputc('\n', stderr);
}

static void show_amounts(cli_progress *progress, const json_value *event) {
    cli_text line = {0};
    double part = json_number(event, "progress", NAN);
    double bytes = json_number(event, "bytes", NAN);
    if (isnan(part) && !isnan(bytes) && progress->total_bytes > 0) {
        part = bytes / (double)progress->total_bytes;
    }
    if (!isnan(part)) {
        part = part < 0 ? 0 : part > 1 ? 1 : part;
        cli_putf(&line, "%3.0f %%", 100 * part);
    }
    static const char *const amounts[] = {"rows", "windows", "predictions"};
    for (size_t i = 0; i < CLI_COUNT(amounts); i++) {
        const char *amount = json_text(event, amounts[i], NULL);
        if (amount != NULL) {
            cli_putf(&line, "%s%s %s", line.size > 0 ? "  " : "", amount, amounts[i]);
        }
    }
    if (line.size > 0) {
        cli_progress_line(progress, line.data);
    }
    cli_text_dispose(&line);
}

static void show_metric(cli_progress *progress, const json_value *event) {
    char *value = cli_shaped(json_at(event, "value"), CLI_AS_NUMBER);
    const char *step = json_text(event, "step", "-1");
    bool has_step = strcmp(step, "-1") != 0;
    char *line =
        cli_format("%s = %s%s%s", json_text(event, "name", "metric"), value != NULL ? value : "-",
                   has_step ? "  step " : "", has_step ? step : "");
    say(progress, line, strlen(line));
    free(line);
    free(value);
}

void cli_progress_event(const char *event_json, void *user_data) {
    cli_progress *progress = user_data;
    if (progress->events) {
        fprintf(stderr, "%s\n", event_json);
        return;
    }
    if (progress->quiet) {
        return;
    }
    json_document *document = json_parse(event_json, strlen(event_json), NULL, NULL);
    if (document == NULL) {
        return;
    }
    const json_value *event = json_root(document);
    const char *type = json_text(event, "type", "");
    if (strcmp(type, "progress") == 0) {
        show_amounts(progress, event);
    } else if (strcmp(type, "metric") == 0) {
        show_metric(progress, event);
    } else if (strcmp(type, "log") == 0) {
        const char *text = json_text(event, "text", "");
        say(progress, text, strlen(text));
    } else if (strcmp(type, "state") == 0) {
        const char *text = json_text(event, "state", "");
        cli_progress_line(progress, text);
    }
    json_free(document);
}

void cli_progress_end(cli_progress *progress) {
    clear_line(progress);
}
