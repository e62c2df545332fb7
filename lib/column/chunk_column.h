/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a column of format 3 from its first row on; chunk.h has the format. */
#ifndef EOP_COLUMN_CHUNK_COLUMN_H
#define EOP_COLUMN_CHUNK_COLUMN_H

#include "column/chunk_text.h"

enum { EOP_COLUMN_VERSION = 3, EOP_COLUMN_HEADER = 8 };
enum { EOP_COLUMN_ARRAY = 1, EOP_COLUMN_NULLS = 2, EOP_COLUMN_QUALITY = 4 };
/* Forms of nulls and of quality codes. */
enum { EOP_FORM_PLAIN, EOP_FORM_RUNS };

/** What a column has to be. */
typedef struct eop_column_shape {
    edgeops_type type;
    uint32_t length;
    size_t rows;
    size_t need; /**< rows from the first one on that are asked for at most */
} eop_column_shape;

typedef struct eop_column {
    edgeops_type type;
    size_t length;
    size_t width;
    size_t rows;
    size_t count;          /**< rows that are not null */
    const uint8_t *bitmap; /**< neither this nor runs: none is null */
    const uint8_t *runs;
    const uint8_t *runs_end;
    size_t run; /**< rows left of this run */
    uint8_t run_flag;
    size_t row;           /**< next one whose flag is asked for */
    const uint8_t *codes; /**< NULL: there are none */
    const uint8_t *codes_end;
    bool codes_in_runs;
    uint64_t code_run;
    uint16_t code;
    const uint8_t *at; /**< of the next page */
    const uint8_t *end;
    size_t elements; /**< all of them */
    size_t need;     /**< of them */
    size_t opened;   /**< those before the next page */
    size_t tile_at;  /**< in the tile, next one */
    size_t tile_count;
    eop_page page;
    eop_text *text;
    /** Elements that were decoded but not yet asked for; the widest is an edgeops_blob. */
    uint64_t tile[EOP_PACK_TILE * sizeof(edgeops_blob) / sizeof(uint64_t)];
} eop_column;

/** blob: borrowed. Checks the checksum and the shape. Dispose of it also after a failure. */
edgeops_status eop_column_open(eop_column *column, const void *blob, size_t size,
                               const eop_column_shape *shape);
/** The same, and passes over the rows before `from`. */
edgeops_status eop_column_open_at(eop_column *column, const void *blob, size_t size,
                                  const eop_column_shape *shape, size_t from);
void eop_column_dispose(eop_column *column);
/** Which of the next n rows are not null, and how many; not for a column without nulls. */
edgeops_status eop_column_flags(size_t *found, uint8_t *flags, eop_column *column, size_t n);
static inline bool eop_column_has_nulls(const eop_column *column) {
    return column->bitmap != NULL || column->runs != NULL;
}
/** The next n elements of what is not null, in their width; out is aligned to it. */
edgeops_status eop_column_take(void *out, eop_column *column, size_t n);
/** The next text; borrowed until the next call. */
edgeops_status eop_column_take_text(edgeops_value *out, eop_column *column);
/** Passes over the next n elements or texts. */
edgeops_status eop_column_skip(eop_column *column, size_t n);
/** The codes of the next n rows that are not null; out NULL: passes over them. */
edgeops_status eop_column_take_codes(uint16_t *out, eop_column *column, size_t n);

#endif /* EOP_COLUMN_CHUNK_COLUMN_H */
