/* SPDX-License-Identifier: Apache-2.0 */
/* The reading options as JSON: members of an operation's arguments or of a driver's configuration.
 * lib/node/ops/common.json ("reading", "table") says what each means. */
#ifndef EOP_CODEC_TABLE_OPTIONS_H
#define EOP_CODEC_TABLE_OPTIONS_H

#include "codec/json.h"
#include "codec/table_reader.h"

/** Options and what they point to. The texts are those of the JSON, which must stay; more may be
 * set in `options`. */
typedef struct eop_table_args {
    eop_table_options options;
    const char **nulls;
    const char **names;
    const char **skip;
    eop_table_column *columns;
    char *date; /**< of "DATE+TIME"; the clock's column is in it, too */
} eop_table_args;

/** Reads and checks the options that `json` has; all others are zero, so is time_column without
 * one. json: checked against the schemas, more members are fine.
 *
 *  @param what  names the JSON in errors: "data.import", "config"
 *  @return EDGEOPS_OK; E_INVALID: a value is none, or options contradict each other; E_NOMEM. To be
 * disposed of in any case. */
edgeops_status eop_table_args_read(eop_table_args *out, const eop_json *json, const char *what);
void eop_table_args_dispose(eop_table_args *args);

#endif /* EOP_CODEC_TABLE_OPTIONS_H */
