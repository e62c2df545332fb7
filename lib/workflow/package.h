/* SPDX-License-Identifier: Apache-2.0 */
/* A package that is looked at: a source folder, a zip or a packed tar, read the same way in two
 * passes. The first pass lists the entries and puts them to the policy of entries.h; only then does
 * the second one read contents. */
#ifndef EOP_WORKFLOW_PACKAGE_H
#define EOP_WORKFLOW_PACKAGE_H

#include "codec/zip.h"
#include "workflow/content.h"
#include "workflow/manifest.h"

struct edgeops_workflow {
    eop_manifest manifest;
    char digest[65];
    char *directory; /**< "" for a checked zip */
    uint64_t size_bytes;
    edgeops_workflow_info info; /**< of the members above, by eop_workflow_describe() */
};

typedef enum eop_form { EOP_FORM_FOLDER, EOP_FORM_ZIP, EOP_FORM_TAR } eop_form;

typedef struct eop_package {
    char *path;
    int fd;
    eop_form form;
    eop_zip zip; /**< form ZIP: open from the first pass to the end */
    eop_entries entries;
    eop_manifest manifest; /**< folder: from the start; else once it was read */
    char digest[65];       /**< once it was read */
    eop_buf text;          /**< workflow.json as it comes out of a zip or tar */
} eop_package;

/** First pass: the entries are known and within policy, nothing was unpacked to disk. Close it,
 * also after a failure. E_NOTFOUND when path is not there; else as edgeops_workflow_check(). */
edgeops_status eop_package_open(eop_package *package, const char *path);
/** Second pass: content to the sink, digests and the manifest into the package, which is sound
 * after EDGEOPS_OK. The sink is optional. */
edgeops_status eop_package_read(eop_package *package, const eop_sink *sink);
void eop_package_close(eop_package *package);

/** Makes a workflow of a package that was read; takes its manifest. Its directory is the folder's,
 * from the root, and "" for a file. */
edgeops_status eop_workflow_take(edgeops_workflow **out, eop_package *package);

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
/** Second pass over a folder. E_BUSY: it changed meanwhile. */
edgeops_status eop_folder_read(eop_entries *entries, int fd, const eop_sink *sink);

/** First pass over a zip: its directory and headers, by codec/zip.h.
 *
 *  @param zip  dispose of it in any case
 *  @return EDGEOPS_OK; E_CORRUPT; E_DENIED; E_LIMIT; E_UNSUPPORTED; E_IO; E_NOMEM */
edgeops_status eop_package_index_zip(eop_entries *entries, eop_zip *zip, int fd, const char *what);
edgeops_status eop_package_read_zip(eop_entries *entries, const eop_zip *zip, const eop_sink *sink);
/** Writes a zip: deflate, no times, mode 0644, in the order of the entries, so that the same files
 * give the same bytes. Entries of folders are left out. */
edgeops_status eop_package_write_zip(int fd, const eop_entries *entries, const char *what,
                                     eop_open_source_fn open_source, void *user_data);

/** First pass over a tar that is packed with gzip, zstd or xz: all of it is unpacked, nothing is
 * kept. Loads libarchive; E_UNSUPPORTED where it is not installed. Else as for a zip. */
edgeops_status eop_package_index_tar(eop_entries *entries, int fd, const char *what);
/** Second pass: what comes must be what the first pass saw. */
edgeops_status eop_package_read_tar(eop_entries *entries, int fd, const char *what,
                                    const eop_sink *sink);

#endif /* EOP_WORKFLOW_PACKAGE_H */
