/* SPDX-License-Identifier: Apache-2.0 */
/* The content store of a node, STORE/workflows:
 *     objects/DIGEST/       the files of a workflow, read-only, named by content
 *     objects/DIGEST.list   the text whose SHA-256 is DIGEST, see eop_entries_digest()
 *     index/NAME@VERSION    "edgeops-index 1\nDIGEST BYTES\n": what is installed
 *     seen/KEY              "NAME@VERSION DIGEST\n": packages that were installed, by SHA-256 of
 *                           the file and by its identity on disk (device, inode, size, times)
 *     lock                  held while something is installed or removed
 * Each object is made under a name ".tmp-..." beside, synced, then renamed; the index entry comes
 * after it. A crash leaves temporary names and objects without an entry; the next install
 * removes both. */
#ifndef EOP_WORKFLOW_STORE_H
#define EOP_WORKFLOW_STORE_H

#include "workflow/package.h"

typedef struct eop_installed {
    char name[64];
    char version[32];
    char digest[65];
    uint64_t size_bytes;
} eop_installed;

/** What is installed, sorted by name and version. No store: none. *out: free with eop_free.
 *
 *  @param damaged  optional; gets the number of index entries that cannot be read, left out */
edgeops_status eop_installed_load(eop_installed **out, size_t *count, size_t *damaged,
                                  const char *store);
/** By NAME, NAME@VERSION or digest. E_NOTFOUND; E_INVALID when digits fit several; E_CORRUPT. */
edgeops_status eop_installed_find(eop_installed *out, const char *store, const char *reference);
edgeops_status eop_installed_write(const eop_installed *item, const char *store);
/** Splits "NAME@VERSION"; false when it is not exactly that. */
bool eop_installed_parse_name(eop_installed *out, const char *text);

/** STORE/workflows/A, with B behind it. NULL when there is no memory. */
char *eop_store_path(const char *store, const char *a, const char *b);
/** Opens what the index says. E_CORRUPT when its files are not there or not sound. */
edgeops_status eop_installed_open(edgeops_workflow **out, const eop_installed *item,
                                  const char *store);

/** Reads the package into a new folder beside the objects, sealed. *folder is set as soon as it is
 * there, also after a failure; free with eop_free. */
edgeops_status eop_store_extract(char **folder, eop_package *package, const char *store);
/** Removes what a crash left. Under the lock. */
edgeops_status eop_store_sweep(const char *store);

/** Was this very package installed before? *found says so. No error when nothing is known. */
edgeops_status eop_seen_find(eop_installed *out, bool *found, const char *store, int fd);
/** Remembers a package. Failures do not matter to the caller: it is a cache. */
void eop_seen_add(const eop_installed *item, const char *store, int fd);

#endif /* EOP_WORKFLOW_STORE_H */
