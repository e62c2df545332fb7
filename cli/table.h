/* SPDX-License-Identifier: Apache-2.0 */
/* Reads CSV (RFC 4180) row by row, gzip unpacked by gzip(1). */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "text.h"

typedef struct cli_table cli_table;

/** Opens and reads the header. "-": standard input. Exit code, the error is reported. */
int cli_table_open(cli_table **out, const char *path, char separator);
size_t cli_table_columns(const cli_table *table);
const char *cli_table_name(const cli_table *table, size_t column);
/** Column of a name, SIZE_MAX for none. */
size_t cli_table_find(const cli_table *table, const char *name);
/** Next row: its fields are borrowed until the next call. *fields is NULL at the end. Exit code. */
int cli_table_next(cli_table *table, const char *const **fields);
uint64_t cli_table_line(const cli_table *table);
/** NULL is allowed. */
void cli_table_close(cli_table *table);

#endif /* CLI_TABLE_H */
