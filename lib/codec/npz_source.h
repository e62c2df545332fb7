/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one .npy array, alone in a file or in a .npz, a batch of rows at a time; and the
 * elements that are in them. One thread. */
#ifndef EOP_CODEC_NPZ_SOURCE_H
#define EOP_CODEC_NPZ_SOURCE_H

#include "codec/npy.h"
#include "codec/zip.h"

/** Arrays in Fortran order are read whole: no more than this. */
#define EOP_NPZ_WHOLE_MAX ((uint64_t)256 << 20)

typedef struct eop_npz_source {
    char *name; /**< of the array, for errors */
    eop_npy npy;
    eop_zip_stream *stream; /**< NULL: the descriptor itself */
    int fd;
    int cancel_fd;
    const char *what;
    char *rows;     /**< of the batch; all of an array that is read whole */
    uint64_t first; /**< row that the batch begins with */
    uint64_t next;  /**< row behind it */
    bool used;      /**< by an array that is read in step with the others */
} eop_npz_source;

/** Reads the header. name and stream are taken; dispose it in any case. */
edgeops_status eop_npz_source_open(eop_npz_source *source);
/** Memory for batches of so many rows, or for all of them. */
edgeops_status eop_npz_source_prepare(eop_npz_source *source, size_t batch);
/** Reads the next n rows, of a file that has as many. */
edgeops_status eop_npz_source_read(eop_npz_source *source, size_t n);
void eop_npz_source_dispose(eop_npz_source *source);

/** Elements first .. first + length of the rows of the last batch as they are in memory: a half as
 * a float, a time as its count, in the machine's byte order; not texts.
 *
 *  @param out  n x length elements of the type's width */
void eop_npz_source_take(void *out, const eop_npz_source *source, const eop_npy_field *field,
                         uint32_t first, uint32_t length, size_t n);
/** Puts the text of one row of the batch as UTF-8. False: it is not Unicode, or has a NUL inside. */
bool eop_npz_source_text(eop_buf *out, const eop_npz_source *source, const eop_npy_field *field,
                         uint32_t element, size_t row);

#endif /* EOP_CODEC_NPZ_SOURCE_H */
