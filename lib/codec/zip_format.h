/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a zip, PKWARE's APPNOTE.TXT 6.3.10; all numbers are little-endian.
 *
 *     local header   4.3.7   sig(4) version(2) flags(2) method(2) time(2) date(2) crc(4) packed(4)
 *                            size(4) name length(2) extra length(2), name, extra; then the content
 *     descriptor     4.3.9   [sig(4)] crc(4) packed(4 or 8) size(4 or 8), where the flag says so
 *     header         4.3.12  sig(4) made by(2) version(2) flags(2) method(2) time(2) date(2) crc(4)
 *                            packed(4) size(4) name length(2) extra length(2) comment length(2)
 *                            disk(2) attributes(2) outer attributes(4) offset(4), name, extra,
 *                            comment
 *     ZIP64 end      4.3.14  sig(4) length(8) made by(2) version(2) disk(4) disk(4) count(8)
 *                            count(8) size(8) offset(8)
 *     ZIP64 locator  4.3.15  sig(4) disk(4) offset(8) disks(4)
 *     end            4.3.16  sig(4) disk(2) disk(2) count(2) count(2) size(4) offset(4)
 *                            comment length(2), comment
 *     ZIP64 extra    4.5.3   1(2) length(2), then of size(8) packed(8) offset(8) those that are all
 *                            ones in the header */
#ifndef EOP_CODEC_ZIP_FORMAT_H
#define EOP_CODEC_ZIP_FORMAT_H

#include "codec/zip.h"

enum {
    EOP_ZIP_LOCAL = 0x04034b50,
    EOP_ZIP_DESCRIPTOR = 0x08074b50,
    EOP_ZIP_HEADER = 0x02014b50,
    EOP_ZIP_END64 = 0x06064b50,
    EOP_ZIP_LOCATOR64 = 0x07064b50,
    EOP_ZIP_END = 0x06054b50,
    EOP_ZIP_EXTRA64 = 1,
    EOP_ZIP_EXTRA_NAME = 0x7075, /**< Info-ZIP's: the name in UTF-8 */
};

enum {
    EOP_ZIP_LOCAL_SIZE = 30,
    EOP_ZIP_HEADER_SIZE = 46,
    EOP_ZIP_END_SIZE = 22,
    EOP_ZIP_LOCATOR_SIZE = 20,
    EOP_ZIP_END64_SIZE = 56,
    EOP_ZIP_COMMENT_MAX = 65535,
};

enum {
    EOP_ZIP_FLAG_ENCRYPTED = 1 | 1 << 6 | 1 << 13, /**< content, content (strong), the headers */
    EOP_ZIP_FLAG_DESCRIPTOR = 1 << 3,              /**< checksum and sizes behind the content */
    EOP_ZIP_FLAG_UTF8 = 1 << 11,
};

static inline uint32_t eop_zip_get16(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t eop_zip_get32(const unsigned char *p) {
    return eop_zip_get16(p) | eop_zip_get16(p + 2) << 16;
}

static inline uint64_t eop_zip_get64(const unsigned char *p) {
    return (uint64_t)eop_zip_get32(p) | (uint64_t)eop_zip_get32(p + 4) << 32;
}

/** Bytes at any place of the file. E_CORRUPT when they are not all there. */
edgeops_status eop_zip_read_at(const eop_zip *zip, void *out, size_t size, uint64_t offset);
edgeops_status eop_zip_corrupt(const eop_zip *zip, const char *why);
/** Fills what is all ones from the ZIP64 extra field; NULL: not wanted. E_CORRUPT when it is not
 * there or too short.
 *
 *  @param renamed  set when a field holds another name than this one */
edgeops_status eop_zip_take_extra(const eop_zip *zip, const char *name, bool *renamed,
                                  const unsigned char *extra, size_t extra_size,
                                  uint64_t *wanted[3]);

#endif /* EOP_CODEC_ZIP_FORMAT_H */
