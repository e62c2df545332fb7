/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader met and decided: the types of the channels and why, nulls by word, the range of the
 * times, what was refused and where, and what a person should know. All readers fill one. */
#ifndef EOP_CODEC_REPORT_H
#define EOP_CODEC_REPORT_H

#include "base/type.h"
#include "codec/json.h"
#include "codec/time_text.h"

#define EOP_REPORT_ROWS 100u /* bad rows that are shown */

typedef struct eop_report eop_report;
/** NULL: no memory. One thread. All functions ignore failing memory: a report then has less. */
eop_report *eop_report_new(void);
void eop_report_free(eop_report *report);

/** A channel; again: what changed. why: "given", "of the asset", "found: all values are numbers",
 * "in the header"; NULL keeps it. Returns its index for the functions below. */
size_t eop_report_channel(eop_report *report, const char *name, edgeops_type type, uint32_t length,
                          const char *unit, const char *why);
/** Values and nulls of a channel; word: as eop_rules_null() gives it. Cheap. */
void eop_report_value(eop_report *report, size_t channel);
void eop_report_null(eop_report *report, size_t channel, const char *word);
/** The time of a row that was taken. Cheap. */
void eop_report_time(eop_report *report, edgeops_time time, const eop_time_seen *seen);
/** The zone of times without one of their own; NULL: UTC is assumed. */
void eop_report_zone(eop_report *report, const char *name);
/** Notes and warns of the times so far: not between 1980 and 2100, of different units, local times
 * that the clocks showed twice or left out. */
void eop_report_clocks(eop_report *report);
/** A row that was left out. column, text: NULL where it is not one field's. */
void eop_report_bad(eop_report *report, uint64_t line, const char *column, const char *reason,
                    const char *text, size_t size);
/** A sentence with what to do; each only once. At most 32 are kept, then "and N more". */
EOP_PRINTF(2, 3)
void eop_report_warn(eop_report *report, const char *format, ...);
/** Something that was decided, such as "row 2 has the units". Likewise. */
EOP_PRINTF(2, 3)
void eop_report_note(eop_report *report, const char *format, ...);

/** {"channels": [{"name", "type", "why", "unit"?, "values", "nulls", "words": {"NA": 3}}],
 *   "first"?, "last"?: times, "times": {"form", "unit"?, "zone", "repeated"?, "missing"?},
 *   (form: "iso", "compact", "number", "format" or "several"; zone: a name, "UTC", "in the text", or
 *   "UTC (assumed)"),
 *   "skipped": bad rows, "reasons": [{"reason", "rows"}],
 *   "bad_rows": [{"line", "column"?, "reason", "text"?}], "notes": [...], "warnings": [...]}
 * NULL: no memory. */
eop_json *eop_report_json(const eop_report *report);

#endif /* EOP_CODEC_REPORT_H */
