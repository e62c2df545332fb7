/* SPDX-License-Identifier: Apache-2.0 */
/* A package that is looked at: a zip or a source folder, read the same way. */
#ifndef EOP_WORKFLOW_PACKAGE_H
#define EOP_WORKFLOW_PACKAGE_H

#include "workflow/archive.h"
#include "workflow/entries.h"
#include "workflow/manifest.h"

struct edgeops_workflow {
    eop_manifest manifest;
    char digest[65];
    char *directory; /**< "" for a checked zip */
    uint64_t size_bytes;
    edgeops_workflow_info info; /**< of the members above, by eop_workflow_describe() */
};

typedef struct eop_package {
    char *path;
    int fd;
    bool folder;
    eop_entries entries;
    eop_manifest manifest; /**< folder: from the start; zip: once it was read */
    char digest[65];       /**< once it was read */
    eop_buf text;          /**< workflow.json as it comes out of a zip */
} eop_package;

/** First pass: the entries are known and within policy, nothing else was read of a zip. Close it,
 * also after a failure. E_NOTFOUND when path is not there; else as edgeops_workflow_check(). */
edgeops_status eop_package_open(eop_package *package, const char *path);
/** Second pass: content to the sink, digests and the manifest into the package, which is sound
 * after EDGEOPS_OK. The sink is optional. */
edgeops_status eop_package_read(eop_package *package, const eop_sink *sink);
void eop_package_close(eop_package *package);

/** Makes a workflow of a package that was read; takes its manifest. directory: copied. */
edgeops_status eop_workflow_take(edgeops_workflow **out, eop_package *package,
                                 const char *directory);

/** Fills workflow->info once all else is there. */
void eop_workflow_describe(edgeops_workflow *workflow);

/** The files of a source folder, by policy; dot-files, __pycache__, *.pyc and packages made of it
 * before (NAME-*.zip) are left out. What the manifest includes is added at the root.
 *
 *  @param fd  the folder */
edgeops_status eop_folder_index(eop_entries *entries, int fd, const eop_manifest *manifest,
                                const char *what);
/** Opens the content of an entry of eop_folder_index(). user_data: int *, the folder. */
edgeops_status eop_folder_open(int *fd, const eop_entry *entry, void *user_data);
/** Second pass over a folder, as eop_archive_read(). */
edgeops_status eop_folder_read(eop_entries *entries, int fd, const eop_sink *sink);

#endif /* EOP_WORKFLOW_PACKAGE_H */
