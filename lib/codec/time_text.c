/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text and as numbers. */
#include "codec/time_text.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"

struct eop_times {
    eop_time_unit unit;
};

edgeops_status eop_times_new(eop_times **out, const eop_times_options *options) {
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    *out = NULL;
    eop_time_unit unit = EOP_UNIT_GUESS;
    for (size_t i = 1; options->unit != NULL && i < EOP_COUNT(units); i++) {
        unit = strcmp(units[i], options->unit) == 0 ? (eop_time_unit)i : unit;
    }
    if (options->unit != NULL && unit == EOP_UNIT_GUESS) {
        return eop_fail(EDGEOPS_E_INVALID, "time", "time unit '%s' is not one of s, ms, us, ns",
                        options->unit);
    }
    eop_times *times = eop_calloc(1, sizeof(*times));
    if (times == NULL) {
        return eop_fail_nomem("time");
    }
    times->unit = unit;
    *out = times;
    return EDGEOPS_OK;
}

void eop_times_free(eop_times *times) {
    eop_free(times);
}

bool eop_time_number(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                     const eop_decimal *decimal, const char *text, size_t size) {
    (void)text;
    (void)size;
    if (seen != NULL) {
        *seen = (eop_time_seen){.form = EOP_TIME_NUMBER};
    }
    return eop_decimal_time(out, decimal, times != NULL ? times->unit : EOP_UNIT_GUESS);
}

bool eop_time_text(edgeops_time *out, eop_time_seen *seen, const eop_times *times, const char *text,
                   size_t size) {
    eop_decimal decimal;
    if (size > 0 && eop_decimal_scan(&decimal, text, size) == size &&
        (decimal.shape & EOP_DECIMAL_EXPONENT) == 0) {
        return eop_time_number(out, seen, times, &decimal, text, size);
    }
    if (seen != NULL) {
        *seen = (eop_time_seen){.form = EOP_TIME_ISO};
    }
    return eop_parse_time(out, text, size);
}
