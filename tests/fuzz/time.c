/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text: the first line is a format, the second a zone, the rest a time; and all of it as a
 * time by its look. What is read and written is read again the same. */
#include "codec/time_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/time.h"
#include "codec/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(edgeops_time time) {
    char text[40];
    edgeops_time again = 0;
    size_t size = eop_format_time(text, time);
    if (!eop_time_text(&again, NULL, NULL, text, size) || again != time) {
        abort();
    }
}

static void read_by(const char *format, const char *zone, const char *text, size_t size) {
    eop_times *times = NULL;
    eop_time_seen seen;
    edgeops_time time = 0;
    const eop_times_options options = {.format = format[0] != '\0' ? format : NULL,
                                       .zone = zone[0] != '\0' ? zone : NULL};
    if (eop_times_new(&times, &options) == EDGEOPS_OK &&
        eop_time_text(&time, &seen, times, text, size)) {
        read_again(time);
        if (seen.repeated && (seen.second <= time || seen.missing || seen.zoned)) {
            abort();
        }
    }
    eop_times_free(times);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    edgeops_time time = 0;
    if (eop_time_text(&time, NULL, NULL, text, size)) {
        read_again(time);
    }
    char *moment = eop_strndup(text, size);
    if (moment != NULL && eop_when(&time, moment, INT64_C(1772366400000000000))) {
        read_again(time);
    }
    eop_free(moment);
    const char *first = size > 0 ? memchr(text, '\n', size) : NULL;
    size_t left = first != NULL ? size - (size_t)(first + 1 - text) : 0;
    const char *second = left > 0 ? memchr(first + 1, '\n', left) : NULL;
    if (second != NULL) {
        char *format = eop_strndup(text, (size_t)(first - text));
        char *zone = eop_strndup(first + 1, (size_t)(second - first - 1));
        if (format != NULL && zone != NULL) {
            read_by(format, zone, second + 1, (size_t)(text + size - second - 1));
        }
        eop_free(format);
        eop_free(zone);
    }
    return 0;
}
