/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines as records: an object is a record, its members are fields by name. */
#ifndef EOP_CODEC_JSON_LINES_H
#define EOP_CODEC_JSON_LINES_H

#include <stdbool.h>

#include "codec/records.h"

/** Whether the array at a path is one value (a channel of arrays) and stays a text such as
 * "[1,2.5]"; asked for each array. */
typedef bool (*eop_json_whole_fn)(const char *name, void *user_data);

/** Reads JSON lines, or arrays of objects, plain or compressed; a byte order mark is skipped.
 * Nested objects give names "a.b", arrays "a.0", "a.1" unless `whole` says otherwise; names come in
 * the order in which they are met. Numbers keep their digits; NaN, Infinity and -Infinity, which
 * many write, are taken as such words; null is an empty plain field. A record has at most 1 MiB,
 * 4,096 names in all and 32 levels; a name twice, a \u0000 in a text, or what is no object make a
 * record bad.
 *
 *  @param what   names the file in errors; copied
 *  @param whole  NULL: no array is one value
 *  @return EDGEOPS_OK; E_NOMEM. What is in the file is told when it is read. */
edgeops_status eop_json_lines_open(eop_records **out, int fd, int cancel_fd, const char *what,
                                   eop_json_whole_fn whole, void *user_data);

#endif /* EOP_CODEC_JSON_LINES_H */
