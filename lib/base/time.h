/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks, the calendar, and the texts for times, durations and rates. Times are read by
 * codec/time_text.h. */
#ifndef EOP_BASE_TIME_H
#define EOP_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

/** Wall clock, UTC. */
edgeops_time eop_now(void);
/** Whether a wall clock that says this was never set: before the year 2024. */
bool eop_clock_unset(edgeops_time now);
/** For deadlines and durations. */
edgeops_duration eop_monotonic(void);

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar; month and day are sound. */
int64_t eop_days_from_civil(int64_t year, unsigned month, unsigned day);
void eop_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
/** "2026-01-02T03:04:05.123456789Z"; trailing zeros of the fraction cut in groups of three. buf >=
 * 40 bytes. */
size_t eop_format_time(char *buf, edgeops_time time);

/** "500ms", "1.5 s", "30m", "2h", "1d", "250us", "10ns" -> ns, not negative. */
bool eop_parse_duration(edgeops_duration *out, const char *text);
/** "50Hz", "12.5 kHz", "100mHz" -> mHz, 1 mHz to 1 MHz. At most three digits of fraction. */
bool eop_parse_rate(uint64_t *mhz, const char *text);
/** The time from one to the next, to the nearest ns. */
edgeops_duration eop_rate_period(uint64_t mhz);
/** Readable, such as "1.5s" or "30m". buf >= 32 bytes. */
size_t eop_format_duration(char *buf, edgeops_duration duration);

#endif /* EOP_BASE_TIME_H */
