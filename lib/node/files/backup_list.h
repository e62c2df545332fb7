/* SPDX-License-Identifier: Apache-2.0 */
/* What a backup of a home looks like: a folder with the files of the home, and two more:
 *
 *   files.list     text, LF: "edgeops-files 1", then for each folder and file, a folder before what
 *                  is in it: "d MODE PATH" or "f MODE SIZE SHA256 PATH"; MODE octal permissions,
 *                  SIZE decimal, SHA256 64 hex digits, PATH below the folder, '/' between levels
 *   manifest.json  {"format": 1, "home_version", "program", "node", "layer", "created", "files",
 *                  "bytes", "list_sha256"}: written last; a folder without it is no backup */
#ifndef EOP_NODE_FILES_BACKUP_LIST_H
#define EOP_NODE_FILES_BACKUP_LIST_H

#include <stdio.h>

#include "base/tree.h"
#include "codec/json.h"
#include "edgeops/types.h"

#define EOP_BACKUP_FORMAT   1
#define EOP_BACKUP_LIST     "files.list"
#define EOP_BACKUP_MANIFEST "manifest.json"

typedef struct eop_backup_sum {
    uint64_t files;
    uint64_t bytes;
} eop_backup_sum;

/** Hashes what is in the folder and writes files.list there. fn gets the number of bytes hashed so
 * far. */
edgeops_status eop_backup_list_write(eop_backup_sum *sum, char list_sha256[65], const char *folder,
                                     eop_copy_fn fn, void *user_data);

/** SHA-256 and size of a file in the folder. */
edgeops_status eop_backup_hash(char hex[65], uint64_t *size, const char *folder, const char *path);

typedef struct eop_backup_line {
    eop_tree_entry entry;
    char sha256[65]; /**< of a file */
} eop_backup_line;
typedef edgeops_status (*eop_backup_line_fn)(const eop_backup_line *line, void *user_data);
/** Gives each line of files.list, which must have this digest. E_CORRUPT: it has another one or is
 * malformed, also a path that leads out of the folder. */
edgeops_status eop_backup_list_read(const char *folder, const char *list_sha256,
                                    eop_backup_line_fn fn, void *user_data);

/** The manifest, checked. *out: free with eop_json_free. E_NOTFOUND: no backup, or one that was cut
 * short; E_VERSION: of a newer program; E_CORRUPT. */
edgeops_status eop_backup_manifest_read(eop_json **out, const char *folder);

#endif /* EOP_NODE_FILES_BACKUP_LIST_H */
