/* SPDX-License-Identifier: Apache-2.0 */
/* Folders with all that is in them. */
#ifndef EOP_BASE_TREE_H
#define EOP_BASE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "edgeops/status.h"

/** How deep folders may be nested. */
#define EOP_TREE_DEPTH 64

typedef struct eop_tree_entry {
    const char *path; /**< below the root, without a '/' in front */
    bool folder;      /**< else a regular file */
    unsigned mode;    /**< permissions */
    uint64_t size;
} eop_tree_entry;

/** Given each entry; EDGEOPS_DONE: goes on, in a folder without what is in it. */
typedef edgeops_status (*eop_tree_fn)(const eop_tree_entry *entry, void *user_data);

/** Walks what is below root in the order of names, a folder before what is in it. Sockets and pipes
 * are passed over, and so is what disappears meanwhile. A link in the root itself is followed; a
 * deeper one is an error (E_INVALID), as it could lead out of the tree. */
edgeops_status eop_tree_walk(const char *root, eop_tree_fn fn, void *user_data);

/** Called with the number of bytes copied since the last call; anything but EDGEOPS_OK ends the
 * copy. */
typedef edgeops_status (*eop_copy_fn)(uint64_t bytes, void *user_data);

/** Copies what is left to read from fd, at most `size` bytes of it, to a new file, and brings it to
 * the disk. E_EXISTS.
 *
 *  @param hex  optional: SHA-256 of what was copied
 *  @param fn   optional */
edgeops_status eop_file_copy_fd(char hex[65], int fd, uint64_t size, const char *to, unsigned mode,
                                eop_copy_fn fn, void *user_data);
/** The same with a regular file, not a link. E_NOTFOUND. */
edgeops_status eop_file_copy(char hex[65], const char *from, const char *to, unsigned mode,
                             eop_copy_fn fn, void *user_data);

/** fsync of each folder of a tree, root included. */
edgeops_status eop_tree_sync(const char *root);

#endif /* EOP_BASE_TREE_H */
