/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset as columns in memory: what the memtable, a decoded chunk, a read and a cursor
 * have in common. Not locked. */
#ifndef EOP_COLUMN_ROWS_H
#define EOP_COLUMN_ROWS_H

#include <stdbool.h>

#include "base/type.h"
#include "edgeops/store.h"

/** One column. It may lag behind its rows: the rows from `filled` on are null, so that a channel
 * which is seldom there costs nothing. A null is NaN (0x7ff8000000000000, 0x7fc00000), 0, all-zero
 * for a BLOB or ""; in an array each element is. {.type = T} is an empty one of scalars. */
typedef struct eop_vector {
    edgeops_type type;
    uint32_t length; /**< elements of a row; 0 reads as 1 */
    size_t filled;   /**< rows */
    size_t capacity;
    void *data;     /**< eop_vector_row_bytes() a row, or for STRING uint32_t offsets, filled + 1 */
    uint8_t *valid; /**< NULL: none of the filled ones is null */
    uint16_t *quality; /**< NULL: none of the filled ones has a code; else of each, 0xffff: none */
    char *bytes;       /**< STRING */
    size_t bytes_size;
    size_t bytes_capacity;
    uint64_t nulls; /**< among the filled ones */
} eop_vector;

/** The next capacity: doubling leaves a quarter of what the memtable takes unused. */
static inline size_t eop_rows_more(size_t capacity) {
    return capacity + (capacity < 64 ? capacity : capacity / 4);
}

void eop_vector_dispose(eop_vector *vector);
/** Empties, keeps memory and type. */
void eop_vector_clear(eop_vector *vector);
edgeops_status eop_vector_reserve(eop_vector *vector, size_t rows);
/** Nulls until `rows` are filled. */
edgeops_status eop_vector_pad(eop_vector *vector, size_t rows);
/** One more row. value->type is the vector's, or NULL; an array has the vector's length, a BLOB is
 * an edgeops_blob. E_LIMIT when 4 GiB of text are reached. */
edgeops_status eop_vector_put(eop_vector *vector, const edgeops_value *value);
/** The quality codes of the filled rows [from, from + n), which have none yet. */
edgeops_status eop_vector_rate(eop_vector *vector, size_t from, const uint16_t *qualities,
                               size_t n);
/** Rows [from, to) of a vector of the same type; what it lags behind is null. */
edgeops_status eop_vector_append(eop_vector *vector, const eop_vector *source, size_t from,
                                 size_t to);
/** Makes room for n rows behind the filled ones, without codes, and gives the place; for fixed
 * sizes only. */
edgeops_status eop_vector_extend(void **place, eop_vector *vector, size_t n);
/** Marks the last n of the filled ones valid or null; flags[i] is 0 or 1. */
edgeops_status eop_vector_mark(eop_vector *vector, const uint8_t *flags, size_t n);
void eop_vector_truncate(eop_vector *vector, size_t rows);
/** Element i becomes the old element index[i]. The vector does not lag behind its rows. */
edgeops_status eop_vector_gather(eop_vector *vector, const uint32_t *index, size_t n);
bool eop_vector_is_null(const eop_vector *vector, size_t row);
/** Bit-wise; NULL matches null. */
bool eop_vector_equals(const eop_vector *vector, size_t row, const edgeops_value *value);
/** The value of a row; text, arrays and blobs are borrowed from the vector. */
edgeops_value eop_vector_value(const eop_vector *vector, size_t row);
/** EDGEOPS_QUALITY_NONE also for what it lags behind. */
static inline uint16_t eop_vector_quality(const eop_vector *vector, size_t row) {
    return vector->quality != NULL && row < vector->filled ? vector->quality[row]
                                                           : EDGEOPS_QUALITY_NONE;
}
static inline uint32_t eop_vector_length(const eop_vector *vector) {
    return vector->length > 1 ? vector->length : 1;
}
/** Bytes of one element, for STRING of one offset. */
size_t eop_vector_width(edgeops_type type);
/** Bytes of one row. */
static inline size_t eop_vector_row_bytes(const eop_vector *vector) {
    return eop_vector_width(vector->type) * eop_vector_length(vector);
}
/** Bytes of memory it takes. */
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
/** No rows; memory, columns and their types stay, ordinals are as they were (kept or not). */
void eop_rows_clear(eop_rows *rows);
edgeops_status eop_rows_reserve(eop_rows *rows, size_t n);
/** One more column; it lags. */
edgeops_status eop_rows_add_vector(eop_rows *rows, edgeops_type type, uint32_t length);
/** From now on the ordinal of each row is kept. */
edgeops_status eop_rows_keep_ordinals(eop_rows *rows);
uint64_t eop_rows_ordinal(const eop_rows *rows, size_t row);
/** Time, seq and ordinal of rows [from, to); the caller appends the columns before it adds to
 * rows->rows. */
edgeops_status eop_rows_append_keys(eop_rows *rows, const eop_rows *source, size_t from, size_t to);
/** Whole rows [from, to). map[k] is the source's column for column k, or UINT32_MAX for none (then
 * null); a column number past the source's is none as well. NULL: same columns, missing ones are
 * added. */
edgeops_status eop_rows_copy(eop_rows *rows, const eop_rows *source, size_t from, size_t to,
                             const uint32_t *map);
/** Rows [from, to) in place: the view borrows all but its list of vectors, and is let go with
 * eop_rows_view_dispose(). DONE: they cannot be seen so, since a column lags behind or the ordinals
 * are kept. */
edgeops_status eop_rows_view(eop_rows *view, const eop_rows *source, size_t from, size_t to);
void eop_rows_view_dispose(eop_rows *view);
/** Row i becomes the old row index[i]. */
edgeops_status eop_rows_gather(eop_rows *rows, const uint32_t *index, size_t n);
void eop_rows_truncate(eop_rows *rows, size_t n);
/** All columns have an element for each row. */
edgeops_status eop_rows_complete(eop_rows *rows);
/** Sorts by (time, seq); cheap when sorted already. The ordinals are kept from then on, unless it
 * was sorted. */
edgeops_status eop_rows_sort(eop_rows *rows);
/** Sorts by ordinal. */
edgeops_status eop_rows_sort_by_arrival(eop_rows *rows);
/** Whether n values are 0, as the seqs of most rows are: then they are not written. */
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
