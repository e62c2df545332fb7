/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset as columns in memory: the common form of the memtable, a decoded chunk, a read
 * and a cursor. Rows own their arrays. Not locked. */
#ifndef EOP_COLUMN_ROWS_H
#define EOP_COLUMN_ROWS_H

#include <stdbool.h>

#include "base/type.h"
#include "edgeops/store.h"

/** One column. It may lag behind its rows: rows from `filled` on are null, so that a channel that
 * is rarely present costs nothing. A null is stored as NaN (0x7ff8000000000000, 0x7fc00000), 0, an
 * all-zero BLOB or ""; in an array each element is. {.type = T} is an empty vector of scalars. */
typedef struct eop_vector {
    edgeops_type type;
    uint32_t length; /**< elements of a row; 0 means 1 */
    size_t filled;   /**< rows */
    size_t capacity;
    void *data;     /**< eop_vector_row_bytes() a row, or for STRING uint32_t offsets, filled + 1 */
    uint8_t *valid; /**< NULL: no filled row is null */
    uint16_t *quality; /**< NULL: no filled row has a code; else one for each, 0xffff: none */
    char *bytes;       /**< the texts of a STRING, one after the other */
    size_t bytes_size;
    size_t bytes_capacity;
    uint64_t nulls; /**< among the filled rows */
} eop_vector;

/** The next capacity. Grows by a quarter: doubling would leave a quarter of the memtable unused. */
static inline size_t eop_rows_more(size_t capacity) {
    return capacity + (capacity < 64 ? capacity : capacity / 4);
}

void eop_vector_dispose(eop_vector *vector);
/** Removes all rows; keeps memory and type. */
void eop_vector_clear(eop_vector *vector);
edgeops_status eop_vector_reserve(eop_vector *vector, size_t rows);
/** Appends nulls until `rows` are filled. */
edgeops_status eop_vector_pad(eop_vector *vector, size_t rows);
/** Appends one row. value->type is the vector's or NULL; an array has the vector's length, a BLOB
 * is an edgeops_blob. E_LIMIT over 4 GiB of text. */
edgeops_status eop_vector_put(eop_vector *vector, const edgeops_value *value);
/** Sets the quality codes of the filled rows [from, from + n), which have none yet. */
edgeops_status eop_vector_rate(eop_vector *vector, size_t from, const uint16_t *qualities,
                               size_t n);
/** Appends rows [from, to) of a vector of the same type; rows that it lags behind become null. */
edgeops_status eop_vector_append(eop_vector *vector, const eop_vector *source, size_t from,
                                 size_t to);
/** Appends n rows that are not null and have no codes; *place is where the caller writes their
 * values. Not for STRING. */
edgeops_status eop_vector_extend(void **place, eop_vector *vector, size_t n);
/** Marks the last n filled rows as valid (flags[i] 1) or null (0). */
edgeops_status eop_vector_mark(eop_vector *vector, const uint8_t *flags, size_t n);
void eop_vector_truncate(eop_vector *vector, size_t rows);
/** Sets a row that is null, or lies behind the filled ones: then those between become null. value
 * is as for eop_vector_put(), not NULL; quality EDGEOPS_QUALITY_NONE: none. In the middle of a
 * STRING the texts behind it are moved. All or nothing. */
edgeops_status eop_vector_set(eop_vector *vector, size_t row, const edgeops_value *value,
                              uint16_t quality);
/** Makes a row null, without a code. Cannot fail where a row of the vector is null already or was
 * set by eop_vector_set(). */
edgeops_status eop_vector_unset(eop_vector *vector, size_t row);
/** The same for n rows, ascending: one pass. */
edgeops_status eop_vector_hide(eop_vector *vector, const uint32_t *rows, size_t n);
/** Appends n rows of another vector of the same type: its row index[i], null where it has no such
 * row, as UINT32_MAX. */
edgeops_status eop_vector_pick(eop_vector *vector, const eop_vector *source, const uint32_t *index,
                               size_t n);
/** Row i becomes the old row index[i]. The vector must not lag. */
edgeops_status eop_vector_gather(eop_vector *vector, const uint32_t *index, size_t n);
bool eop_vector_is_null(const eop_vector *vector, size_t row);
/** Compares bits; NULL equals null. */
bool eop_vector_equals(const eop_vector *vector, size_t row, const edgeops_value *value);
/** The value of a row; texts, arrays and blobs are borrowed from the vector. */
edgeops_value eop_vector_value(const eop_vector *vector, size_t row);
/** EDGEOPS_QUALITY_NONE also for rows that it lags behind. */
static inline uint16_t eop_vector_quality(const eop_vector *vector, size_t row) {
    return vector->quality != NULL && row < vector->filled ? vector->quality[row]
                                                           : EDGEOPS_QUALITY_NONE;
}
static inline uint32_t eop_vector_length(const eop_vector *vector) {
    return vector->length > 1 ? vector->length : 1;
}
/** Bytes of one element; for STRING those of one offset. */
size_t eop_vector_width(edgeops_type type);
/** Bytes of one row. */
static inline size_t eop_vector_row_bytes(const eop_vector *vector) {
    return eop_vector_width(vector->type) * eop_vector_length(vector);
}
/** Bytes of memory in use. */
size_t eop_vector_bytes(const eop_vector *vector);

typedef struct eop_rows {
    size_t rows;
    size_t capacity;
    int64_t *times;
    int64_t *seqs;
    uint64_t *ordinals; /**< NULL: row i has first_ordinal + i */
    uint64_t first_ordinal;
    eop_vector *vectors;
    size_t vector_count;
    size_t vector_capacity;
} eop_rows;

void eop_rows_dispose(eop_rows *rows);
/** Removes all rows; memory, columns and types stay, and so does whether ordinals are kept. */
void eop_rows_clear(eop_rows *rows);
edgeops_status eop_rows_reserve(eop_rows *rows, size_t n);
/** Adds a column; it lags behind all rows. */
edgeops_status eop_rows_add_vector(eop_rows *rows, edgeops_type type, uint32_t length);
/** Stores the ordinal of each row from now on. */
edgeops_status eop_rows_keep_ordinals(eop_rows *rows);
/** Row i has first_ordinal + i again. */
void eop_rows_drop_ordinals(eop_rows *rows);
static inline uint64_t eop_rows_ordinal(const eop_rows *rows, size_t row) {
    return rows->ordinals != NULL ? rows->ordinals[row] : rows->first_ordinal + row;
}
/** Bytes of memory in use. */
size_t eop_rows_bytes(const eop_rows *rows);
/** Copies time, seq and ordinal of rows [from, to); the caller then appends the columns and
 * increases rows->rows. */
edgeops_status eop_rows_append_keys(eop_rows *rows, const eop_rows *source, size_t from, size_t to);
/** Appends whole rows [from, to). map[k] is the source's column for column k; UINT32_MAX, or a
 * number past the source's columns, makes it null. map NULL: the same columns; missing ones are
 * added. */
edgeops_status eop_rows_copy(eop_rows *rows, const eop_rows *source, size_t from, size_t to,
                             const uint32_t *map);
/** Rows [from, to) of a vector that has them: borrows all. */
eop_vector eop_vector_view(const eop_vector *source, size_t from, size_t to);
/** A view of rows [from, to): borrows all but its list of vectors; end it with
 * eop_rows_view_dispose(). DONE: no view is possible, because a column lags or ordinals are
 * kept. */
edgeops_status eop_rows_view(eop_rows *view, const eop_rows *source, size_t from, size_t to);
void eop_rows_view_dispose(eop_rows *view);
/** Row i becomes the old row index[i]. */
edgeops_status eop_rows_gather(eop_rows *rows, const uint32_t *index, size_t n);
/** Only its time, seq and ordinal, and the number of rows; the columns are the caller's. */
edgeops_status eop_rows_gather_keys(eop_rows *rows, const uint32_t *index, size_t n);
void eop_rows_truncate(eop_rows *rows, size_t n);
/** Pads all columns to an element for each row. */
edgeops_status eop_rows_complete(eop_rows *rows);
/** Sorts by (time, seq); cheap when already sorted, otherwise ordinals are kept from then on. */
edgeops_status eop_rows_sort(eop_rows *rows);
/** The order of the rows by (time, seq), rows of one key as they are: free *index with eop_free().
 * NULL: they are in order already. */
edgeops_status eop_rows_order(uint32_t **index, const eop_rows *rows);
/** Sorts by ordinal. */
edgeops_status eop_rows_sort_by_arrival(eop_rows *rows);
/** Whether all n values are 0. The seqs of most rows are, and then they are not written. */
bool eop_all_zero(const int64_t *values, size_t n);
/** First row with time >= (or > for after) time, in sorted rows. */
size_t eop_times_lower(const int64_t *times, size_t n, int64_t time);
size_t eop_times_upper(const int64_t *times, size_t n, int64_t time);
/** Finds (time, seq) in sorted rows. */
bool eop_rows_find(size_t *row, const eop_rows *rows, int64_t time, int64_t seq);

static inline int eop_key_compare(int64_t time_a, int64_t seq_a, int64_t time_b, int64_t seq_b) {
    if (time_a != time_b) {
        return time_a < time_b ? -1 : 1;
    }
    return (seq_a > seq_b) - (seq_a < seq_b);
}

#endif /* EOP_COLUMN_ROWS_H */
