/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for other libraries in this process, without a copy and without a dependency: the Arrow C
 * data interface (https://arrow.apache.org/docs/format/CDataInterface.html), whose structs are
 * declared here by their ABI, as the specification wants it. */
#ifndef EDGEOPS_ARROW_H
#define EDGEOPS_ARROW_H

#include "edgeops/store.h"
#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

/** Shows a table as an Arrow record batch: a struct array with one child a column.
 *
 *  The first child is `time`, timestamp[ns, UTC]. A second one, `seq`, int64, is there when a row
 *  has another seq than 0. The channels follow in the table's order, under their names, all
 *  nullable: numbers as they are, BOOL as bits, STRING as utf8, an array channel as
 *  fixed_size_list[length] of `item`, BLOB as struct{digest: fixed_size_binary[32], size: uint64}.
 *  A channel that is called time or seq keeps its name; then '_' is put behind that of the column
 *  of times or seqs until no channel has it. A unit is the field's metadata `unit`, the asset the
 *  batch's metadata `asset`. Quality codes and ordinals are not in it.
 *
 *  Times, seqs, numbers, arrays of them and strings are the table's own memory; bits of bools and
 *  nulls and the two columns of a blob are made. The table and what comes from here share that
 *  memory: edgeops_table_free() and the release callbacks may be called in any order, on any
 *  thread; the last one frees it.
 *
 *  @param schema  the caller's memory, overwritten; call its release. NULL: not wanted
 *  @param array   likewise. NULL: not wanted
 *  @param table   from edgeops_store_read() or edgeops_table_copy(), or a part of a dataset
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a block of a cursor, which the next one overwrites;
 *          EDGEOPS_E_LIMIT for a text column over 2 GiB; EDGEOPS_E_NOMEM. After a failure both are
 *          untouched
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_table_arrow(struct ArrowSchema *schema,
                                                                 struct ArrowArray *array,
                                                                 edgeops_table *table);

/** The same as a stream of one record batch, which keeps the table until it is released.
 *
 *  @param stream  the caller's memory, overwritten; untouched after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID as above; EDGEOPS_E_NOMEM. What else edgeops_table_arrow()
 *          may find comes from its get_schema and get_next, as an errno value with a text
 *  Threads: any; the stream one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_table_arrow_stream(struct ArrowArrayStream *stream, edgeops_table *table);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_ARROW_H */
