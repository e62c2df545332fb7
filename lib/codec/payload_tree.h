/* SPDX-License-Identifier: Apache-2.0 */
/* A message that is read as a whole: see payload_tree.c and payload_entries.c. Nodes are indexes of
 * eop_payload.nodes; 0 is the message. All of it belongs to one decoder and lasts for one message.
 * */
#ifndef EOP_CODEC_PAYLOAD_TREE_H
#define EOP_CODEC_PAYLOAD_TREE_H

#include "codec/payload_decoder.h"

#define EOP_NOWHERE UINT32_MAX
/* What names the elements of a list, beside an index of the words for it. */
enum { EOP_UNNAMED = -1, EOP_SOME_NAMED = -2 };

/* The node behind one and all that is inside it. */
static inline uint32_t eop_tree_next(const eop_payload *p, uint32_t node) {
    return p->nodes[node].end;
}

/* Reads the message up to its end. E_INVALID or E_LIMIT as the reader finds. */
edgeops_status eop_tree_read(eop_payload *p);
/* Gives the node's token again, as the reader gave it first. */
eop_token eop_tree_seek(eop_payload *p, uint32_t node);
/* So that an error names this place. */
void eop_tree_point(eop_payload *p, uint32_t node);

/* A path from an object or a list; in a list by name, in one without names by place. */
uint32_t eop_tree_find(eop_payload *p, uint32_t node, const char *path, size_t size);
/* Of an object, by keys alone. */
uint32_t eop_tree_find_path(const eop_payload *p, uint32_t object, const char *path, size_t size);
uint32_t eop_tree_find_element(eop_payload *p, uint32_t list, const char *key, size_t size);

/* What names the elements: 0 or more; EOP_UNNAMED; EOP_SOME_NAMED: only some have a name. */
int eop_tree_named_by(const eop_payload *p, uint32_t list);
/* Of a list with that path among the values of a sample: its asset is named outside of it. */
int eop_tree_named_inside(const eop_payload *p, uint32_t list, const char *path, size_t size);
bool eop_tree_is_named(const eop_payload *p, uint32_t element, int by);
/* How the message calls it. */
const char *eop_tree_naming_key(const eop_payload *p, uint32_t list, int by,
                                char quoted[EOP_QUOTE_BYTES]);
edgeops_status eop_tree_refuse_unnamed(eop_payload *p, uint32_t list);
/* An element's name; the text is borrowed until text_used is put back. */
edgeops_status eop_tree_read_name(eop_payload *p, uint32_t element, int by, eop_part *out);

/* payload_entries.c: fills eop_payload.entries. */
edgeops_status eop_entries_read(eop_payload *p);
/* No values where they should be, of the object `node`. */
edgeops_status eop_entries_refuse_empty(eop_payload *p, uint32_t node);

#endif /* EOP_CODEC_PAYLOAD_TREE_H */
