/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a descriptor, unpacked where they are gzip, bzip2, xz or zstd. */
#ifndef EOP_CODEC_INPUT_H
#define EOP_CODEC_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

typedef struct eop_input eop_input;

/** What is to be found in it. */
typedef enum eop_input_kind {
    EOP_INPUT_TEXT, /**< what is known to be no text is refused by name */
    EOP_INPUT_BYTES /**< anything */
} eop_input_kind;

/** fd stays the caller's; what: borrowed, for errors. Nothing is read yet. cancel_fd: as for
 * eop_read_some(). */
edgeops_status eop_input_open(eop_input **out, int fd, int cancel_fd, const char *what,
                              eop_input_kind kind);
/** Reads what is there, at most size bytes, at least one; *got is 0 at the end only.
 *  E_IO; E_CANCELED; E_CORRUPT for bad or cut compressed data; E_UNSUPPORTED for what is known not
 *  to be text (zip, tar, Parquet, spreadsheets, other compressions), with what to do. */
edgeops_status eop_input_read(eop_input *input, char *data, size_t size, size_t *got);
/** Bytes taken from the descriptor. */
uint64_t eop_input_taken(const eop_input *input);
void eop_input_close(eop_input *input);

#endif /* EOP_CODEC_INPUT_H */
