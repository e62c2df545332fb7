/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders by path. All calls block; errors name the path. */
#ifndef EOP_BASE_FILE_H
#define EOP_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

/** "a/b" with one slash between; NULL when there is no memory. */
char *eop_path_join(const char *a, const char *b);

/** The path from the root: for what is kept, since a host may change its working directory and a
 * worker has another one. Links stay as they are; nothing need be there. Free with eop_free.
 * E_NOMEM; E_IO or E_NOTFOUND where there is no working directory any more. */
edgeops_status eop_path_absolute(char **out, const char *path);

/** Reads a whole file of at most limit bytes. *data is NUL-terminated, free with eop_free.
 *  E_NOTFOUND, E_LIMIT, E_IO. Regular files only. */
edgeops_status eop_file_read(char **data, size_t *size, const char *path, size_t limit);

/** A file that will replace another: written beside it, then renamed. */
typedef struct eop_replacement {
    char *path; /**< what a link at the given path points to */
    char *temporary;
    int fd; /**< write here */
} eop_replacement;
/** E_INVALID when what is at path is not a regular file (a device, a pipe, a folder). */
edgeops_status eop_replacement_open(eop_replacement *out, const char *path, unsigned mode);
/** fsync, rename, fsync of the folder; disposes, also on failure (the old file stays then). */
edgeops_status eop_replacement_commit(eop_replacement *file);
/** Takes the temporary file away. */
void eop_replacement_dispose(eop_replacement *file);

/** Old content or new, never a mix: temporary file beside it, fsync, rename, fsync of the
 * folder. */
edgeops_status eop_file_write(const char *path, const void *data, size_t size, unsigned mode);

/** read(2) of what is there, at least a byte; *got is 0 at the end only. Waits also where fd does
 * not block. E_IO names what; E_CANCELED once cancel_fd is readable (0 or less: none). */
edgeops_status eop_read_some(size_t *got, int fd, int cancel_fd, void *data, size_t size,
                             const char *what);

/** write(2) until all is written; EINTR and short writes handled. */
edgeops_status eop_write_all(int fd, const void *data, size_t size);

/** fsync of a folder, so that a rename in it is durable. */
edgeops_status eop_dir_sync(const char *path);
/** The same for the folder that holds path. */
edgeops_status eop_dir_sync_parent(const char *path);
/** Makes all missing folders of path. */
edgeops_status eop_mkdirs(const char *path, unsigned mode);
/** Removes a file or a whole tree, without following links; a missing one is fine. */
edgeops_status eop_remove_tree(const char *path);
bool eop_file_exists(const char *path);

/** Takes an exclusive flock on path (made with mode 0600) and writes this pid into it.
 *  E_BUSY: someone has it, *owner is its pid or 0. The lock lives as long as *fd. */
edgeops_status eop_lock_file(int *fd, int *owner, const char *path);
/** The same for one that cannot write: shared with others of its kind, without a pid. A missing file
 * is fine, *fd is -1 then: who writes makes it first. */
edgeops_status eop_lock_file_shared(int *fd, int *owner, const char *path);
/** Gives it up. -1 is allowed. The child of a fork never holds it. */
void eop_unlock_file(int fd);

/** The next entry of a folder but "." and "..". EDGEOPS_DONE at the end; E_IO names path. */
edgeops_status eop_dir_next(struct dirent **out, DIR *dir, const char *path);
/** Given each entry but "." and "..". */
typedef edgeops_status (*eop_dir_fn)(const char *name, void *user_data);
/** Walks a folder in the order of names. */
edgeops_status eop_dir_walk(const char *path, eop_dir_fn fn, void *user_data);

/** Bytes and files (inodes) free for this user on the file system of path; UINT64_MAX files where it
 * does not count them. */
edgeops_status eop_disk_room(uint64_t *bytes, uint64_t *files, const char *path);
/** The bytes alone. */
edgeops_status eop_disk_free(uint64_t *out, const char *path);

#endif /* EOP_BASE_FILE_H */
