/* SPDX-License-Identifier: Apache-2.0 */
/* Records of fields, whatever file they come from: CSV gives them by place, JSON lines by name. The
 * table reader (table_reader.h) makes samples of them. */
#ifndef EOP_CODEC_RECORDS_H
#define EOP_CODEC_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

/** How a field was written. */
typedef enum eop_field_kind {
    EOP_FIELD_PLAIN,  /**< CSV without quotes; a number, true, false or an array of JSON as written;
                           JSON's null as an empty text */
    EOP_FIELD_QUOTED, /**< CSV in quotes: "" differs from nothing, a number is a number still */
    EOP_FIELD_TEXT,   /**< a JSON string: digits in it are text where no type is given */
    EOP_FIELD_ABSENT  /**< the record has no such member, or ends before */
} eop_field_kind;

/** One field; text is NUL-terminated and borrowed until the next record. */
typedef struct eop_field {
    const char *text;
    size_t size;
    eop_field_kind kind;
} eop_field;

typedef struct eop_records eop_records;
/** A source of records: the first member of what implements it. One thread. */
struct eop_records {
    /** The next record. EDGEOPS_DONE at the end. EDGEOPS_E_INVALID and E_LIMIT with file, line and
     * reason: this record is bad, the next call goes on behind it. Else (E_CORRUPT, E_UNSUPPORTED,
     * E_IO, E_NOMEM) only close. */
    edgeops_status (*next)(eop_records *records, const eop_field **fields, size_t *count);
    /** Names of the fields so far; they only become more. NULL: the records have no names, the first
     * one may be a header. */
    const char *const *(*names)(const eop_records *records, size_t *count);
    /** First line of the record given (or refused) last, from 1. */
    uint64_t (*line)(const eop_records *records);
    /** Bytes of the (compressed) input taken so far: progress. */
    uint64_t (*offset)(const eop_records *records);
    void (*close)(eop_records *records);
    /** The line of the record that was refused last, as it was read and without its end (of a huge
     * one the beginning); borrowed until the next record. NULL: there is none. */
    const char *(*text)(const eop_records *records, size_t *size);
};

#endif /* EOP_CODEC_RECORDS_H */
