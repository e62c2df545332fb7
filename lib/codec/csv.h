/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: records from a descriptor, fields into a buffer, and the one set of rules for what a text in
 * a table is. */
#ifndef EOP_CODEC_CSV_H
#define EOP_CODEC_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codec/records.h"
#include "edgeops/types.h"

/** How the text is written. Texts are copied. Zero means default. All signs are ASCII and differ. */
typedef struct eop_csv_dialect {
    const char
        *separator;     /**< default ","; two characters, such as ", ", part fields only together;
                                " ": any run of blanks and tabs, with those around a line ignored */
    char quote;         /**< default '"'; opens a field only where the field begins */
    char escape;        /**< makes the next character plain, in quotes and outside, such as '\\';
                                default none; a quote is written twice anyway */
    char comment;       /**< lines that begin with it are left out, such as '#'; default none */
    uint32_t skip_rows; /**< lines above the header, left out whatever is in them */
} eop_csv_dialect;

/** Reads CSV, RFC 4180 and its dialects, plain or compressed (recognised by its first bytes), from a
 * descriptor with bounded memory. A UTF-8 BOM is skipped; records may hold at most 1 MiB and 4,096
 * fields. Lines end with a line feed, with carriage returns before it or not. Where the first two
 * of three lines or more end with a carriage return alone, all do, and a line feed outside quotes is
 * an error; else a carriage return alone is one. */
typedef struct eop_csv_reader eop_csv_reader;
/** fd stays the caller's; read from its position. cancel_fd: as for eop_read_some(). what: for
 * errors ("file.csv:17: ..."). */
edgeops_status eop_csv_open(eop_csv_reader **out, int fd, int cancel_fd,
                            const eop_csv_dialect *dialect, const char *what);
/** The same reader as a source of records; closing either closes both. */
eop_records *eop_csv_records(eop_csv_reader *reader);
/** The next record, blank lines skipped. EDGEOPS_DONE at the end. E_INVALID and E_LIMIT with file,
 * line and reason: this record is bad, and the next call goes on
 *  - behind its first line, where it has a quote, a NUL, a lone carriage return or an escape in the
 *    wrong place, is too large or open at the end of the file: one stray quote costs one line;
 *  - behind the record, where a field is not UTF-8, or where quotes make one record of lines that
 *    each have as many fields as the first record.
 * E_CORRUPT for bad or cut compressed data, E_UNSUPPORTED for what is no text, E_IO, E_NOMEM: only
 * close. */
edgeops_status eop_csv_next(eop_csv_reader *reader, const eop_field **fields, size_t *count);
uint64_t eop_csv_line(const eop_csv_reader *reader);
/** Bytes of the (compressed) input taken so far: progress. */
uint64_t eop_csv_offset(const eop_csv_reader *reader);
void eop_csv_close(eop_csv_reader *reader);

/** Puts one field, quoted where it must be. NULL puts nothing (null), an empty text "". */
void eop_csv_put(eop_buf *buf, const char *text, size_t size, char separator);

#endif /* EOP_CODEC_CSV_H */
