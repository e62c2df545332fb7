/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a JSON file one by one: of JSON lines, or of one or more arrays, as data frames
 * are saved. */
#ifndef EOP_CODEC_JSON_SPLIT_H
#define EOP_CODEC_JSON_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

/** Bytes of an object at most. */
#define EOP_JSON_OBJECT_BYTES ((size_t)1 << 20)

typedef struct eop_json_split eop_json_split;

/** fd stays the caller's; plain or compressed. what: for errors ("file.jsonl:17: ..."). cancel_fd:
 * as for eop_read_some(). Nothing is read yet. */
edgeops_status eop_json_split_open(eop_json_split **out, int fd, int cancel_fd, const char *what);
/** The next line that is not blank, or the next element of the array; borrowed until the next call,
 * not checked: its user reads it. *line: its first line, from 1, also of what is wrong.
 *
 *  @return EDGEOPS_OK; EDGEOPS_DONE at the end; EDGEOPS_E_LIMIT: it is too long, the next call goes
 *  on behind it; EDGEOPS_E_CORRUPT: what parts the elements of an array is broken (or packed data);
 *  E_UNSUPPORTED: UTF-16; E_IO; E_NOMEM; after these only close */
edgeops_status eop_json_split_next(eop_json_split *split, const char **text, size_t *size,
                                   uint64_t *line);
/** Bytes of the (compressed) input taken so far. */
uint64_t eop_json_split_offset(const eop_json_split *split);
void eop_json_split_close(eop_json_split *split);

#endif /* EOP_CODEC_JSON_SPLIT_H */
