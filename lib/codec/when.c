/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as people and programs give them. */
#include "codec/when.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "codec/time_text.h"

#define CLEAR_NS INT64_C(100000000000000000) /* 1e8 seconds */

/* "-1h", "+30m". */
static bool read_shift(edgeops_time *out, const char *text, edgeops_time now) {
    edgeops_duration shift;
    if ((*text != '-' && *text != '+') || !eop_parse_duration(&shift, text + 1)) {
        return false;
    }
    return *text == '-' ? !__builtin_sub_overflow(now, shift, out)
                        : !__builtin_add_overflow(now, shift, out);
}

bool eop_when(edgeops_time *out, const char *text, edgeops_time now) {
    if (strcmp(text, "now") == 0) {
        *out = now;
        return true;
    }
    if (strncmp(text, "now", 3) == 0) {
        return read_shift(out, text + 3, now);
    }
    eop_time_seen seen;
    edgeops_time time;
    if (read_shift(out, text, now)) {
        return true;
    }
    if (!eop_time_text(&time, &seen, NULL, text, strlen(text))) {
        return false;
    }
    /* 2026 or 1000 may be a year, seconds or nanoseconds; there is no second to ask. */
    if (seen.form == EOP_TIME_NUMBER && seen.unit == EOP_UNIT_S && time != 0 && time > -CLEAR_NS &&
        time < CLEAR_NS) {
        return false;
    }
    *out = time;
    return true;
}

edgeops_status edgeops_time_parse(edgeops_time *out, const char *text) {
    EOP_REQUIRE(out != NULL && text != NULL, "time");
    if (!eop_when(out, text, eop_now())) {
        return eop_fail(EDGEOPS_E_INVALID, "time", "'%.64s' is not a time; " EOP_WHEN_FORMS, text);
    }
    return EDGEOPS_OK;
}
