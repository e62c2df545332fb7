/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: records from a descriptor, fields into a buffer, and the one set of rules for what a text in
 * a table is. */
#ifndef EOP_CODEC_CSV_H
#define EOP_CODEC_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "edgeops/types.h"

/** Reads RFC 4180 text, plain or gzip (recognised by its first bytes), from a descriptor with
 * bounded memory. A UTF-8 BOM is skipped; \n and \r\n end a record; records may hold at most 1 MiB
 * and 4,096 fields. */
typedef struct eop_csv_reader eop_csv_reader;
/** fd stays the caller's; read from its position. cancel_fd: as for eop_read_some(). what: for
 * errors ("file.csv:17: ..."). */
edgeops_status eop_csv_open(eop_csv_reader **out, int fd, int cancel_fd, char separator,
                            const char *what);
/** One field; text is NUL-terminated and borrowed until the next record. quoted distinguishes ""
 * from nothing. */
typedef struct eop_csv_field {
    const char *text;
    size_t size;
    bool quoted;
} eop_csv_field;
/** The next record, blank lines skipped. EDGEOPS_DONE at the end. E_INVALID and E_LIMIT with the
 * line number; E_CORRUPT for bad or cut gzip data; E_IO. After an error only close. */
edgeops_status eop_csv_next(eop_csv_reader *reader, const eop_csv_field **fields, size_t *count);
uint64_t eop_csv_line(const eop_csv_reader *reader);
/** Bytes of the (compressed) input taken so far: progress. */
uint64_t eop_csv_offset(const eop_csv_reader *reader);
void eop_csv_close(eop_csv_reader *reader);

/** Puts one field, quoted where it must be. NULL puts nothing (null), an empty text "". */
void eop_csv_put(eop_buf *buf, const char *text, size_t size, char separator);

/** What a text is: int64, float64 (also nan, inf), bool ("true", "True", "TRUE", likewise false) or
 * string; exactly, no locale. Blanks around a number or bool do not count. An empty or blank text
 * is EDGEOPS_TYPE_NULL. A number with a leading zero, digits with a '+' or beyond int64 are a
 * string (ids). */
edgeops_type eop_text_type(const char *text, size_t size);
/** Makes a value of the type. False when it does not fit (a text over 64 KiB; digits that float64
 * cannot hold exactly); an empty text gives a null, a blank one too unless the type is string. A
 * bool may also be 0 or 1. Strings are borrowed. */
bool eop_text_value(edgeops_value *out, edgeops_type type, const char *text, size_t size);
/** An array "[1,2.5,NaN]" of exactly `length` elements into memory for them, which the value points
 * to; an empty text gives a null. */
bool eop_text_array(edgeops_value *out, void *elements, edgeops_type type, uint32_t length,
                    const char *text, size_t size);

#endif /* EOP_CODEC_CSV_H */
