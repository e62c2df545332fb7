/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EOP_WORKFLOW_ZIP_INDEX_H
#define EOP_WORKFLOW_ZIP_INDEX_H

#include "workflow/entries.h"

/** First pass over a zip: its directory alone, by our own reader, so that nothing is unpacked and
 * libarchive is not started before policy has seen every entry. What is looked at: the end record
 * (also ZIP64) ends exactly at the end of the file, one disk, the directory ends where the end
 * record begins, entry count as stated; stored or deflated; no encryption; regular files and
 * folders; no two entries share bytes; names, sizes, count and ratio as in entries.h. Bytes before
 * the first entry (a self-extracting stub) are passed over; bytes after the end record are not.
 *
 *  @param entries  empty; sealed afterwards
 *  @param fd       regular file
 *  @param what     names the file in errors
 *  @return EDGEOPS_OK; E_CORRUPT; E_DENIED; E_LIMIT; E_UNSUPPORTED; E_IO; E_NOMEM */
edgeops_status eop_zip_index(eop_entries *entries, int fd, const char *what);

#endif /* EOP_WORKFLOW_ZIP_INDEX_H */
