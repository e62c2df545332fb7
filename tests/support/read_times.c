/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines of a zone, a format and a time with tabs between (the first two may be empty) and writes
 * what the library makes of each: "NS", "NS repeated SECOND_NS", "NS missing" or "refused". For the
 * comparison with other readers: unit/times.py. */
#include <stdio.h>
#include <string.h>

#include "codec/time_text.h"

static void write_time(const eop_times *times, const char *text) {
    eop_time_seen seen;
    edgeops_time time;
    if (!eop_time_text(&time, &seen, times, text, strlen(text))) {
        printf("refused\n");
    } else if (seen.repeated) {
        printf("%lld repeated %lld\n", (long long)time, (long long)seen.second);
    } else {
        printf("%lld%s\n", (long long)time, seen.missing ? " missing" : "");
    }
}

int main(void) {
    char line[512];
    char last[512] = "";
    eop_times *times = NULL;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *format = strchr(line, '\t');
        char *text = format != NULL ? strchr(format + 1, '\t') : NULL;
        if (text == NULL) {
            return 1;
        }
        *text++ = '\0';
        if (strcmp(last, line) != 0 || times == NULL) {
            strcpy(last, line); /* zone and format, before the tab goes */
            *format++ = '\0';
            const eop_times_options options = {.zone = line[0] != '\0' ? line : NULL,
                                               .format = format[0] != '\0' ? format : NULL};
            eop_times_free(times);
            if (eop_times_new(&times, &options) != EDGEOPS_OK) {
                fprintf(stderr, "%s\n", edgeops_error_last()->message);
                return 1;
            }
        }
        write_time(times, text);
    }
    eop_times_free(times);
    return 0;
}
