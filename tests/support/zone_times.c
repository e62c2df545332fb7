/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines "ZONE LOCAL_TIME" and writes what the library makes of each: "NS [repeated SECOND_NS]"
 * or "NS [missing]". For the comparison with another reader of zones (zones.py). */
#include <stdio.h>
#include <string.h>

#include "codec/time_text.h"

int main(void) {
    char line[256];
    char last[256] = "";
    eop_times *times = NULL;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *text = strchr(line, ' ');
        if (text == NULL) {
            return 1;
        }
        *text++ = '\0';
        if (strcmp(last, line) != 0) {
            const eop_times_options options = {.zone = line};
            eop_times_free(times);
            if (eop_times_new(&times, &options) != EDGEOPS_OK) {
                fprintf(stderr, "%s\n", edgeops_error_last()->message);
                return 1;
            }
            memcpy(last, line, sizeof(last));
        }
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
    eop_times_free(times);
    return 0;
}
