/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a column of format 3 from its first row to its last; chunk.h has the format. A reader owns
 * one decoded tile and borrows the BLOB. */
#ifndef EOP_COLUMN_CHUNK_COLUMN_H
#define EOP_COLUMN_CHUNK_COLUMN_H

#include "column/chunk_text.h"

enum { EOP_COLUMN_VERSION = 3, EOP_COLUMN_HEADER = 8 };
enum { EOP_COLUMN_ARRAY = 1, EOP_COLUMN_NULLS = 2, EOP_COLUMN_QUALITY = 4 };
/* Forms of nulls and of quality codes. */
enum { EOP_FORM_PLAIN, EOP_FORM_RUNS };

/** What the catalog says a column is; a BLOB that differs is damaged. */
typedef struct eop_column_shape {
    edgeops_type type;
    uint32_t length;
    size_t rows;
    size_t need; /**< no row from here on will be read */
} eop_column_shape;

typedef struct eop_column {
    edgeops_type type;
    size_t length;
    size_t width;
    size_t rows;
    size_t count;          /**< rows that are not null */
    const uint8_t *bitmap; /**< NULL, and runs NULL: no row is null */
    const uint8_t *runs;
    const uint8_t *runs_end;
    size_t run; /**< rows left in the current run */
    uint8_t run_flag;
    size_t row;           /**< the next row whose flag is read */
    const uint8_t *codes; /**< NULL: the column has no codes */
    const uint8_t *codes_end;
    bool codes_in_runs;
    uint64_t code_run;
    uint16_t code;
    const uint8_t *at; /**< of the next page */
    const uint8_t *end;
    size_t elements; /**< in the column */
    size_t need;     /**< number of elements that may be read */
    size_t opened;   /**< elements in the pages opened so far */
    size_t tile_at;  /**< next element in the tile */
    size_t tile_count;
    eop_page page;
    eop_text *text;
    /** Decoded elements that were not read yet; the widest is an edgeops_blob. */
    uint64_t tile[EOP_PACK_TILE * sizeof(edgeops_blob) / sizeof(uint64_t)];
} eop_column;

/** Verifies checksum and shape. blob: borrowed until eop_column_dispose(), which must be called
 * also after a failure. */
edgeops_status eop_column_open(eop_column *column, const void *blob, size_t size,
                               const eop_column_shape *shape);
/** The same, then skips the rows before `from`. */
edgeops_status eop_column_open_at(eop_column *column, const void *blob, size_t size,
                                  const eop_column_shape *shape, size_t from);
void eop_column_dispose(eop_column *column);
/** flags[i] is 1 where row i of the next n is not null, else 0; *found is the number of ones. Not
 * for a column without nulls. */
edgeops_status eop_column_flags(size_t *found, uint8_t *flags, eop_column *column, size_t n);
static inline bool eop_column_has_nulls(const eop_column *column) {
    return column->bitmap != NULL || column->runs != NULL;
}
/** Reads the next n elements of rows that are not null. out: aligned to the type. */
edgeops_status eop_column_take(void *out, eop_column *column, size_t n);
/** Reads the next text; borrowed until the next call. */
edgeops_status eop_column_take_text(edgeops_value *out, eop_column *column);
/** Skips the next n elements or texts. */
edgeops_status eop_column_skip(eop_column *column, size_t n);
/** Reads the codes of the next n rows that are not null; out NULL: skips them. */
edgeops_status eop_column_take_codes(uint16_t *out, eop_column *column, size_t n);

#endif /* EOP_COLUMN_CHUNK_COLUMN_H */
