/* SPDX-License-Identifier: Apache-2.0 */
/* Zips of plain files (APPNOTE.TXT 6.3.9, with ZIP64): written without packing, as a stream; read
 * at any place, packed or not. For arrays; packages have stricter rules, see workflow. */
#ifndef EOP_CODEC_ZIP_H
#define EOP_CODEC_ZIP_H

#include "base/str.h"
#include "edgeops/status.h"

#define EOP_ZIP_NAME_MAX    1024u
#define EOP_ZIP_ENTRIES_MAX 65536u

typedef struct eop_zip_entry {
    char *name;
    uint64_t size;
    uint64_t packed;
    uint64_t offset; /**< of its local header */
    uint32_t crc;
    uint16_t method; /**< 0: stored, 8: deflated */
} eop_zip_entry;

/** Writes into a buf that the caller empties from time to time. {0} is a new one. */
typedef struct eop_zip_writer {
    eop_zip_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t offset; /**< bytes written so far */
    uint64_t left;   /**< of the entry's data */
} eop_zip_writer;

/** Begins a file of exactly that size. E_NOMEM. */
edgeops_status eop_zip_begin(eop_zip_writer *zip, eop_buf *out, const char *name, uint64_t size);
void eop_zip_put(eop_zip_writer *zip, eop_buf *out, const void *data, size_t size);
/** All of the file was put. */
void eop_zip_end(eop_zip_writer *zip, eop_buf *out);
/** Puts the directory; the zip is complete. */
void eop_zip_finish(eop_zip_writer *zip, eop_buf *out);
void eop_zip_writer_dispose(eop_zip_writer *zip);

/** A zip that is read. Trusts nothing in it. */
typedef struct eop_zip {
    int fd; /**< borrowed; a regular file */
    const char *what;
    uint64_t size;
    eop_zip_entry *entries;
    size_t count;
} eop_zip;

/** Reads the directory. E_CORRUPT; E_UNSUPPORTED (encrypted, other methods); E_LIMIT; E_IO. what:
 * borrowed, names the file in errors. Dispose it in any case. */
edgeops_status eop_zip_open(eop_zip *zip, int fd, const char *what);
void eop_zip_dispose(eop_zip *zip);

/** The content of an entry, from its front to its end. */
typedef struct eop_zip_stream eop_zip_stream;
edgeops_status eop_zip_stream_open(eop_zip_stream **out, const eop_zip *zip,
                                   const eop_zip_entry *entry);
/** Reads exactly so many bytes. E_CORRUPT when there are not as many, for bad packed data, and at
 * the end of the entry for a wrong checksum. */
edgeops_status eop_zip_stream_read(eop_zip_stream *stream, void *data, size_t size);
void eop_zip_stream_close(eop_zip_stream *stream);

#endif /* EOP_CODEC_ZIP_H */
