/* SPDX-License-Identifier: Apache-2.0 */
/* The header of NumPy's .npy files (NEP 1, versions 1.0 to 3.0), which the array follows. */
#ifndef EOP_CODEC_NPY_H
#define EOP_CODEC_NPY_H

#include "base/str.h"
#include "edgeops/types.h"

#define EOP_NPY_HEADER_MAX ((size_t)64 * 1024)

/** What an array of one or two dimensions holds. */
typedef struct eop_npy {
    edgeops_type type; /**< STRING: texts of `characters`; else a type with a width */
    uint32_t characters;
    bool ucs4;         /**< STRING: 4 bytes a character, else 1 (ASCII); ends at the first 0 */
    bool time;         /**< INT64: of a datetime64 in `unit_ns` */
    int64_t unit_ns;   /**< 1, 1000, 1,000,000 or 1,000,000,000; 0 where `time` is not set */
    size_t item_bytes; /**< of one element */
    bool swapped;      /**< elements are in the other byte order */
    uint64_t rows;     /**< first dimension; 1 for an array without one */
    uint32_t length;   /**< second dimension, 1 without one */
    size_t header_bytes;
} eop_npy;

/** Type character of an array with such elements: "<f8". NULL for one that it does not have. */
const char *eop_npy_descr(edgeops_type type);
/** Puts the header of an array; descr is put into quotes unless it begins with '['. length 0: one
 * dimension. */
void eop_npy_put_header(eop_buf *buf, const char *descr, uint64_t rows, uint32_t length);
/** Reads a header from the front of data. DONE: data is too short, header_bytes is how much is
 * needed at least. E_UNSUPPORTED for objects, fields, complex numbers, Fortran order and more than
 * two dimensions; E_CORRUPT. what: names the array in errors. */
edgeops_status eop_npy_read_header(eop_npy *out, const char *data, size_t size, const char *what);

#endif /* EOP_CODEC_NPY_H */
