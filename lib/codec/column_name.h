/* SPDX-License-Identifier: Apache-2.0 */
/* What our own exports write behind a column's name (a CSV header's cell, a JSON key) where a reader
 * would otherwise take the column for something else: "name:TYPE" or "name:quality". */
#ifndef EOP_CODEC_COLUMN_NAME_H
#define EOP_CODEC_COLUMN_NAME_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/types.h"

/** A column's name and what is said behind it. */
typedef struct eop_column_name {
    size_t size;       /**< bytes of the name itself, without the last suffix */
    bool quality;      /**< quality codes of the channel of that name */
    edgeops_type type; /**< NULL: none is given */
    uint32_t length;   /**< elements; 1 for a scalar */
} eop_column_name;

/** Only the last suffix counts: "a:int64:float64" is the channel "a:int64". A blob is no such type:
 * a text only names it.
 *
 *  @return false: there is no suffix; size is that of the text then */
bool eop_column_name_read(eop_column_name *out, const char *text, size_t size);
/** Whether a channel of that name needs its type behind it: readers give a meaning to "time", "seq",
 * "label" and "asset", and to what looks like a suffix. */
bool eop_column_name_is_taken(const char *name);
/** Puts "name:TYPE"; type NULL: "name"; BLOB as string. */
void eop_column_name_put(eop_buf *out, const char *name, edgeops_type type, uint32_t length);
/** Puts "name:quality". */
void eop_column_name_put_quality(eop_buf *out, const char *name);

#endif /* EOP_CODEC_COLUMN_NAME_H */
