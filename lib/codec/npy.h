/* SPDX-License-Identifier: Apache-2.0 */
/* The header of NumPy's .npy files (NEP 1, versions 1.0 to 3.0), which the array follows. */
#ifndef EOP_CODEC_NPY_H
#define EOP_CODEC_NPY_H

#include "base/str.h"
#include "edgeops/types.h"

#define EOP_NPY_HEADER_MAX ((size_t)64 * 1024)
#define EOP_NPY_NAME_MAX   128u /* bytes of a field's name */

/** What one element is, and what becomes of it. */
typedef struct eop_npy_element {
    edgeops_type type;   /**< STRING: texts of `characters`; else a type with a width */
    uint32_t characters; /**< STRING */
    bool ucs4;           /**< STRING: 4 bytes a character, else 1 (ASCII); ends at the first 0 */
    bool half;           /**< FLOAT32 of a float16 */
    bool time;           /**< INT64 of a datetime64 */
    bool span;           /**< INT64 of a timedelta64 */
    int64_t count;       /**< time, span: of the units below in one count */
    int64_t ns;          /**< time, span: ns of a unit; 0: `months` or `parts` say it */
    uint32_t months;     /**< time: months of a unit; else 0 */
    int64_t parts;       /**< time, span: units in a nanosecond; else 0 */
    bool swapped;        /**< in the other byte order */
    bool gap;            /**< bytes between fields */
    size_t item_bytes;   /**< in the file */
} eop_npy_element;

/** A field of a row. An array without fields is one field without a name. */
typedef struct eop_npy_field {
    char name[EOP_NPY_NAME_MAX + 1];
    eop_npy_element element;
    uint32_t length; /**< elements a row, 1 for a scalar */
    size_t offset;   /**< in the row */
} eop_npy_field;

/** What an array holds. Dispose it after a good read. */
typedef struct eop_npy {
    eop_npy_field *fields;
    size_t field_count;
    bool structured;     /**< its fields have names */
    bool fortran;        /**< column by column: the first element of all rows, then the second */
    uint32_t dimensions; /**< 0, 1 or 2 */
    uint64_t rows;       /**< first dimension; 1 for an array without one */
    size_t row_bytes;
    size_t header_bytes;
} eop_npy;

/** Type character of an array with such elements: "<f8". NULL for one that it does not have. */
const char *eop_npy_descr(edgeops_type type);
/** Puts the header of an array; descr is put into quotes unless it begins with '['. length 0: one
 * dimension. */
void eop_npy_put_header(eop_buf *buf, const char *descr, uint64_t rows, uint32_t length);
/** Reads a header from the front of data. DONE: data is too short, header_bytes is how much is
 * needed at least. E_UNSUPPORTED for objects, complex numbers, fields in fields and more than two
 * dimensions; E_CORRUPT; E_NOMEM. what: names the array in errors. */
edgeops_status eop_npy_read_header(eop_npy *out, const char *data, size_t size, const char *what);
void eop_npy_dispose(eop_npy *npy);

/** The nanoseconds of a count of a datetime64 or timedelta64; parts of a nanosecond are cut off.
 * False beyond int64; not for NaT (INT64_MIN). */
bool eop_npy_time(int64_t *out, const eop_npy_element *element, int64_t count);

#endif /* EOP_CODEC_NPY_H */
