/* SPDX-License-Identifier: Apache-2.0 */
/* The content of zips, by libarchive. What may be read at all was decided before: see zip_index.h.
 */
#ifndef EOP_WORKFLOW_ARCHIVE_H
#define EOP_WORKFLOW_ARCHIVE_H

#include "workflow/entries.h"

/** Where the content of files goes. Any member may be NULL. */
typedef struct eop_sink {
    edgeops_status (*begin)(const eop_entry *entry, void *user_data);
    edgeops_status (*data)(const void *data, size_t size, void *user_data);
    edgeops_status (*end)(const eop_entry *entry, void *user_data);
    void *user_data;
} eop_sink;

/** Second pass over a zip: the content of every file, its CRC and size checked, its digest put into
 * its entry. What libarchive sees must be what the first pass saw, name by name.
 *
 *  @param entries  from eop_zip_index() on the same descriptor
 *  @return EDGEOPS_OK; E_CORRUPT; E_DENIED; E_IO; E_NOMEM; what the sink returned */
edgeops_status eop_archive_read(eop_entries *entries, int fd, const char *what,
                                const eop_sink *sink);

/** Writes a zip: deflate, no times, mode 0644, one owner, in the order of the entries, so that the
 * same files give the same bytes. Entries of folders are left out.
 *
 *  @param open_source  gives a descriptor for an entry's content, closed by this call */
typedef edgeops_status (*eop_open_source_fn)(int *fd, const eop_entry *entry, void *user_data);
edgeops_status eop_archive_write(int fd, const eop_entries *entries, const char *what,
                                 eop_open_source_fn open_source, void *user_data);

/** Loads libarchive; before any of its functions is called. E_UNSUPPORTED: it is not installed. */
edgeops_status eop_archive_load(void);

#endif /* EOP_WORKFLOW_ARCHIVE_H */
