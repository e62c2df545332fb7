/* SPDX-License-Identifier: Apache-2.0 */
/* Zips: the one reader and the one writer (PKWARE's APPNOTE.TXT 6.3.10, with ZIP64). The reader
 * believes nothing: before any content is read, the end record, the directory and the header in
 * front of each content agree, and no two entries share bytes. What a zip may hold (names, kinds of
 * files, sizes) is for the caller to judge. */
#ifndef EOP_CODEC_ZIP_H
#define EOP_CODEC_ZIP_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/status.h"

#define EOP_ZIP_ENTRIES_MAX 65536u

enum { EOP_ZIP_STORED = 0, EOP_ZIP_DEFLATED = 8 };

typedef struct eop_zip_entry {
    char *name; /**< as the zip has it: no encoding, no policy; no NUL inside */
    uint64_t size;
    uint64_t packed;
    uint64_t offset; /**< reader: of the content; writer: of the header in front of it */
    uint32_t crc;
    uint32_t mode;   /**< Unix type and permissions; 0 where the zip's writer knew none */
    uint16_t method; /**< EOP_ZIP_STORED, EOP_ZIP_DEFLATED or one that cannot be read */
    bool encrypted;  /**< cannot be read */
    bool renamed;    /**< an extra field gives another name; eop_zip_check() refuses it */
} eop_zip_entry;

/** A zip that is read. It does not change once it is checked: several threads may read it. */
typedef struct eop_zip {
    int fd; /**< borrowed; a regular file */
    const char *what;
    uint64_t size;          /**< of the file */
    eop_zip_entry *entries; /**< in the directory's order */
    size_t count;
    uint64_t directory; /**< where it begins */
    bool checked;
} eop_zip;

/** Reads the directory. Refused are: no end record exactly at the end of the file, a directory that
 * is not right in front of it, several disks, end records that contradict each other, names that
 * hold a NUL or come twice. Bytes in front of the first entry (a self-extracting stub) are passed
 * over. The entries can be judged now; eop_zip_check() comes before any content.
 *
 *  @param zip          dispose it in any case
 *  @param what         borrowed; names the file in errors
 *  @param entries_max  more entries are E_LIMIT
 *  @return EDGEOPS_OK; E_CORRUPT; E_DENIED (a NUL, a name twice); E_LIMIT; E_UNSUPPORTED (several
 *  disks); E_INVALID (no regular file); E_IO; E_NOMEM */
edgeops_status eop_zip_open(eop_zip *zip, int fd, const char *what, size_t entries_max);
/** Checks the directory against what stands around each content: the header in front of it (name,
 * method, sizes, checksum) and the descriptor behind it.
 *
 *  @return EDGEOPS_OK; E_CORRUPT; E_DENIED (two entries share bytes); E_IO; E_NOMEM */
edgeops_status eop_zip_check(eop_zip *zip);
void eop_zip_dispose(eop_zip *zip);

/** The content of one entry, from its front to its end, in bounded memory. */
typedef struct eop_zip_stream eop_zip_stream;
/** E_UNSUPPORTED: encrypted, or packed by another method than the two. E_INVALID: the zip was not
 * checked. zip and entry: borrowed. */
edgeops_status eop_zip_stream_open(eop_zip_stream **out, const eop_zip *zip,
                                   const eop_zip_entry *entry);
/** Reads exactly `size` bytes. E_CORRUPT when there are fewer, for bad packed data, and with
 * the last byte for a wrong checksum or packed bytes that are left. */
edgeops_status eop_zip_stream_read(eop_zip_stream *stream, void *data, size_t size);
/** NULL is allowed. */
void eop_zip_stream_close(eop_zip_stream *stream);

/** Writes into a buf that the caller empties from time to time: no seek, no clock, so the same
 * entries give the same bytes. {0} is a new one. */
typedef struct eop_zip_writer {
    eop_zip_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t offset; /**< bytes written so far */
    uint64_t left;   /**< of the entry's content */
    struct eop_zip_packer *packer;
} eop_zip_writer;

/** Begins a regular file of exactly that size.
 *
 *  @param method  EOP_ZIP_STORED or EOP_ZIP_DEFLATED */
edgeops_status eop_zip_begin(eop_zip_writer *zip, eop_buf *out, const char *name, uint64_t size,
                             int method);
/** E_NOMEM is remembered in out->failed. */
void eop_zip_put(eop_zip_writer *zip, eop_buf *out, const void *data, size_t size);
/** All of the file was put. */
void eop_zip_end(eop_zip_writer *zip, eop_buf *out);
/** Puts the directory; the zip is complete. */
void eop_zip_finish(eop_zip_writer *zip, eop_buf *out);
void eop_zip_writer_dispose(eop_zip_writer *zip);

#endif /* EOP_CODEC_ZIP_H */
