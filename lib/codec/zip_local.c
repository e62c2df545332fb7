/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around each content in a zip: the header in front, which repeats the directory, the
 * extra fields, and the descriptor behind. A reader that streams believes these, one that seeks
 * believes the directory; here both must say the same. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/zip_format.h"

enum { DESCRIPTOR_MAX = 24 };

typedef struct local {
    uint32_t flags;
    uint32_t method;
    uint32_t crc;
    uint64_t packed;
    uint64_t size;
    uint64_t content; /* where it begins */
    bool renamed;
} local;

/* buffer: 128 KiB for a name and extra fields. */
static edgeops_status read_local(local *out, const eop_zip *zip, const eop_zip_entry *entry,
                                 unsigned char *buffer) {
    unsigned char p[EOP_ZIP_LOCAL_SIZE];
    edgeops_status status = eop_zip_read_at(zip, p, sizeof p, entry->offset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (eop_zip_get32(p) != EOP_ZIP_LOCAL) {
        return eop_zip_corrupt(zip, "an entry is not where the directory says");
    }
    size_t name = eop_zip_get16(p + 26);
    size_t extra = eop_zip_get16(p + 28);
    status = eop_zip_read_at(zip, buffer, name + extra, entry->offset + sizeof p);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (name != strlen(entry->name) || memcmp(buffer, entry->name, name) != 0) {
        return eop_zip_corrupt(
            zip, "an entry has two names, one in the directory and one in front of it");
    }
    *out = (local){.flags = eop_zip_get16(p + 6),
                   .method = eop_zip_get16(p + 8),
                   .crc = eop_zip_get32(p + 14),
                   .packed = eop_zip_get32(p + 18),
                   .size = eop_zip_get32(p + 22),
                   .content = entry->offset + sizeof p + name + extra};
    uint64_t *wanted[3] = {&out->size, &out->packed, NULL};
    out->renamed = entry->renamed;
    status = eop_zip_take_extra(zip, entry->name, &out->renamed, buffer + name, extra, wanted);
    if (status == EDGEOPS_OK && out->renamed) {
        status = eop_zip_corrupt(zip, "an entry has two names, one of them in an extra field");
    }
    return status;
}

/* Behind the content, in one of four forms: with a signature or not, with sizes of 4 or 8 bytes.
 * *size: of the descriptor; 0 where there is none that fits. */
static edgeops_status read_descriptor(size_t *size, const eop_zip *zip, const eop_zip_entry *entry,
                                      uint64_t at) {
    unsigned char bytes[DESCRIPTOR_MAX] = {0};
    uint64_t left = zip->size - at;
    edgeops_status status =
        eop_zip_read_at(zip, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, at);
    *size = 0;
    for (int form = 0; status == EDGEOPS_OK && form < 4; form++) {
        const unsigned char *p = form < 2 ? bytes + 4 : bytes;
        bool large = form % 2 == 0;
        bool fits =
            (form >= 2 || eop_zip_get32(bytes) == EOP_ZIP_DESCRIPTOR) &&
            eop_zip_get32(p) == entry->crc &&
            (large ? eop_zip_get64(p + 4) == entry->packed && eop_zip_get64(p + 12) == entry->size
                   : eop_zip_get32(p + 4) == entry->packed && eop_zip_get32(p + 8) == entry->size);
        if (fits) {
            *size = (size_t)(p - bytes) + (large ? 20 : 12);
            break;
        }
    }
    return status;
}

/* Does the header in front say what the directory says, where it says anything? */
static bool agree(uint64_t front, uint64_t directory, bool open) {
    return front == directory || (open && front == 0);
}

/* Moves entry->offset to the content. *end: first byte behind all that is the entry's. */
static edgeops_status check_local(uint64_t *end, const eop_zip *zip, eop_zip_entry *entry,
                                  uint64_t limit, unsigned char *buffer) {
    local l;
    edgeops_status status = read_local(&l, zip, entry, buffer);
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool encrypted = (l.flags & EOP_ZIP_FLAG_ENCRYPTED) != 0 || l.method == 99;
    bool open = (l.flags & EOP_ZIP_FLAG_DESCRIPTOR) != 0;
    if (l.method != entry->method || encrypted != entry->encrypted) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec",
                        "%s: '%s' is packed in two ways, one told by the directory and one in "
                        "front of its content",
                        zip->what, entry->name);
    }
    if (!agree(l.size, entry->size, open) || !agree(l.packed, entry->packed, open) ||
        !agree(l.crc, entry->crc, open)) {
        return eop_fail(EDGEOPS_E_CORRUPT, "codec",
                        "%s: '%s' has one size or checksum in the directory and another in front "
                        "of its content",
                        zip->what, entry->name);
    }
    if (l.content > limit || entry->packed > limit - l.content) {
        return eop_zip_corrupt(zip, "an entry runs into the directory or past the end");
    }
    *end = l.content + entry->packed;
    /* Some writers set the flag, know all in front and put nothing behind. */
    bool known = l.size == entry->size && l.packed == entry->packed && l.crc == entry->crc;
    size_t descriptor = 0;
    if (open) {
        status = read_descriptor(&descriptor, zip, entry, *end);
        if (status == EDGEOPS_OK && descriptor == 0 && !known) {
            status = eop_fail(EDGEOPS_E_CORRUPT, "codec",
                              "%s: '%s' has one size or checksum in the directory and another "
                              "behind its content",
                              zip->what, entry->name);
        }
    }
    *end += descriptor;
    entry->offset = l.content;
    return status;
}

typedef struct place {
    uint64_t start;
    eop_zip_entry *entry;
} place;

static int by_start(const void *a, const void *b) {
    uint64_t x = ((const place *)a)->start, y = ((const place *)b)->start;
    return (x > y) - (x < y);
}

/* In the order of the file. Shared bytes are how a small zip unpacks to petabytes, and how two
 * readers see two zips. */
static edgeops_status check_places(eop_zip *zip, const place *places, uint64_t limit,
                                   unsigned char *buffer) {
    uint64_t end = 0;
    for (size_t i = 0; i < zip->count; i++) {
        eop_zip_entry *entry = places[i].entry;
        if (places[i].start < end) {
            return eop_fail(EDGEOPS_E_DENIED, "codec", "%s: two entries share the same bytes",
                            zip->what);
        }
        if (places[i].start > limit || EOP_ZIP_LOCAL_SIZE > limit - places[i].start) {
            return eop_zip_corrupt(zip, "an entry runs into the directory or past the end");
        }
        edgeops_status status = check_local(&end, zip, entry, limit, buffer);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (end > limit) {
            return eop_zip_corrupt(zip, "an entry runs into the directory or past the end");
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_zip_check(eop_zip *zip) {
    place *places = eop_calloc(zip->count, sizeof *places);
    unsigned char *buffer = eop_alloc((size_t)2 * UINT16_MAX);
    edgeops_status status = places != NULL && buffer != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
    if (status == EDGEOPS_OK) {
        for (size_t i = 0; i < zip->count; i++) {
            places[i] = (place){zip->entries[i].offset, &zip->entries[i]};
        }
        if (zip->count > 0) {
            qsort(places, zip->count, sizeof *places, by_start);
        }
        status = check_places(zip, places, zip->directory, buffer);
    }
    zip->checked = status == EDGEOPS_OK;
    eop_free(buffer);
    eop_free(places);
    return status;
}
