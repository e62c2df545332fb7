/* SPDX-License-Identifier: Apache-2.0 */
/* A strict RFC 8259 pull reader over text in memory: no allocation, bounded depth, UTF-8 checked.
 * What neither the grammar nor the encoding forbids (double keys, big numbers) is its users'
 * business. */
#ifndef EOP_CODEC_JSON_READER_H
#define EOP_CODEC_JSON_READER_H

#include "codec/number.h"

/** What max_depth can be at most. */
#define EOP_READER_DEPTH 512

typedef enum eop_token {
    EOP_TOKEN_ERROR, /**< see problem and start; stays so */
    EOP_TOKEN_END,   /**< after the one value and trailing blanks; stays so */
    EOP_TOKEN_OBJECT,
    EOP_TOKEN_OBJECT_END,
    EOP_TOKEN_ARRAY,
    EOP_TOKEN_ARRAY_END,
    EOP_TOKEN_KEY, /**< raw, its colon is taken */
    EOP_TOKEN_STRING,
    EOP_TOKEN_NUMBER, /**< number and raw */
    EOP_TOKEN_TRUE,
    EOP_TOKEN_FALSE,
    EOP_TOKEN_NULL,
    EOP_TOKEN_WORD /**< NaN, Infinity or -Infinity in raw; only with `words` */
} eop_token;

typedef struct eop_reader {
    const char *text;
    size_t size;
    size_t at;       /**< next byte */
    size_t start;    /**< first byte of the token; of what is wrong after an error */
    const char *raw; /**< between the quotes (with its escapes), or the number's text */
    size_t raw_size;
    bool escaped;        /**< raw holds escapes: eop_reader_unescape() */
    bool words;          /**< set after init: take NaN, Infinity, -Infinity as EOP_TOKEN_WORD */
    bool too_deep;       /**< the error is max_depth */
    const char *problem; /**< static, ASCII, such as "a comma or '}' is missing" */
    eop_decimal number;
    uint32_t depth; /**< open objects and arrays */
    uint32_t max_depth;
    int expect; /**< private */
    uint64_t objects[EOP_READER_DEPTH / 64];
} eop_reader;

/** text: borrowed. max_depth: 1..EOP_READER_DEPTH. */
void eop_reader_init(eop_reader *reader, const char *text, size_t size, uint32_t max_depth);
eop_token eop_reader_next(eop_reader *reader);
/** Goes to a value that begins at byte `at` and was read before: the next token is its first, and
 * END comes behind it. */
void eop_reader_seek(eop_reader *reader, size_t at);

/** Writes the text of a KEY or STRING token's raw, at most raw_size bytes, without a NUL at its
 * end; \u0000 gives a NUL byte inside.
 *
 *  @return bytes written */
size_t eop_reader_unescape(char *out, const char *raw, size_t raw_size);

/** Line and column of a byte, both from 1; a column is a character. */
void eop_text_position(size_t *line, size_t *column, const char *text, size_t size, size_t at);

#endif /* EOP_CODEC_JSON_READER_H */
