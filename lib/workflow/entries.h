/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a package, whether it is a folder, a zip or a tar, and the policy on their names and
 * sizes. Everything that is extracted or packed has passed through here first. */
#ifndef EOP_WORKFLOW_ENTRIES_H
#define EOP_WORKFLOW_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "edgeops/status.h"

/* The policy. Paths stay below the 255 bytes of a file name and far below PATH_MAX once the home's
 * own path is put in front; a level of 100 bytes fits every file system there is. */
enum {
    EOP_ENTRY_PATH_MAX = 240,
    EOP_ENTRY_LEVEL_MAX = 100,
    EOP_ENTRY_DEPTH_MAX = 16,
    EOP_ENTRY_COUNT_MAX = 20000,
    EOP_ENTRY_RATIO_MAX = 200, /**< unpacked to packed, looked at over EOP_ENTRY_RATIO_FROM */
    EOP_ENTRY_RATIO_FROM = 1 << 20,
};
#define EOP_ENTRY_TOTAL_MAX ((uint64_t)2 << 30) /**< unpacked */
#define EOP_ENTRY_ZIP_MAX   ((uint64_t)1 << 30) /**< the zip or tar file */

typedef struct eop_entry {
    char *path;      /**< relative, levels separated by '/', none at the end */
    char *folded;    /**< lower case, to find names that differ in case only */
    char *source;    /**< folder package: where it is read from, below the package; else NULL */
    uint64_t size;   /**< as declared until the content was read */
    char digest[65]; /**< SHA-256 of the content once it was read, else "" */
    bool directory;
} eop_entry;

typedef struct eop_entries {
    eop_entry *items;
    size_t count;
    size_t capacity;
    uint64_t total; /**< bytes of all files */
} eop_entries;

/** Adds one; path need not be NUL-terminated, a '/' at its end marks a folder.
 *
 *  @return EDGEOPS_OK; E_DENIED for a name that the policy refuses; E_LIMIT; E_NOMEM */
edgeops_status eop_entries_add(eop_entries *entries, const char *path, size_t path_size,
                               uint64_t size, bool directory, const char *what);
/** E_LIMIT when all files together are too many times as large as the package's file. */
edgeops_status eop_entries_check_ratio(const eop_entries *entries, uint64_t file_size,
                                       const char *what);
/** Sorts by path and refuses entries that would overwrite each other: equal names, names that
 * differ in case only, a file where another entry needs a folder. Add nothing afterwards. */
edgeops_status eop_entries_seal(eop_entries *entries, const char *what);
/** NULL when there is none. Sealed entries only. */
eop_entry *eop_entries_find(const eop_entries *entries, const char *path);
/** Is there a file below this folder? Sealed entries only. */
bool eop_entries_has_folder(const eop_entries *entries, const char *path);

/** The content's digest: SHA-256 over one line a file, "DIGEST SIZE PATH\n", DIGEST the file's
 * SHA-256 in lower-case hex, SIZE in decimal, sorted by the bytes of PATH, after a first line
 * "edgeops-content 1\n". Folders, times and modes do not count.
 *
 *  @param listing  optional; gets the very text that is hashed */
edgeops_status eop_entries_digest(const eop_entries *entries, char hex[65], eop_buf *listing);

void eop_entries_dispose(eop_entries *entries);

#endif /* EOP_WORKFLOW_ENTRIES_H */
