/* SPDX-License-Identifier: Apache-2.0 */
/* Reads columns of format 2, which homes of earlier programs may still hold. Nothing writes it.
 * Trusts nothing in the BLOB. */
#include "column/chunk_v2.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/type.h"
#include "column/chunk_column.h"

enum { HEADER = 16, VERSION = 2, RAW = 0, HAS_BITMAP = 1, HAS_PLACES = 2, HAS_QUALITY = 4 };

typedef struct header {
    uint8_t version;
    uint8_t encoding;
    uint8_t type;
    uint8_t flags;
    uint32_t rows;
    uint32_t crc;
    uint32_t count;
} header;
static_assert(sizeof(header) == HEADER, "the header of a column has 16 bytes");

static uint32_t checksum_v2(const char *blob, size_t size) {
    return eop_crc32c(eop_crc32c(0, blob, 8), blob + 12, size - 12);
}

/* A BLOB and the position of its reader. */
typedef struct column {
    size_t rows;
    size_t count;
    const char *bitmap; /* rows that are not null; NULL, and places NULL: no row is null */
    const char *places;
    const char *quality; /* of the rows that are not null; NULL: the column has no codes */
    const char *values;
    size_t size;  /* bytes of the values */
    size_t place; /* next place to examine */
    size_t value; /* next value to read */
} column;

static edgeops_status check_header(header *head, const char *blob, size_t size, edgeops_type type,
                                   size_t rows) {
    if (blob == NULL || size < HEADER) {
        return eop_column_damaged("too short");
    }
    memcpy(head, blob, sizeof *head);
    if (checksum_v2(blob, size) != head->crc) {
        return eop_column_damaged("wrong checksum");
    }
    if (head->version != VERSION || head->encoding != RAW ||
        (head->flags & ~(HAS_BITMAP | HAS_PLACES | HAS_QUALITY)) != 0) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "a column has format %u.%u, this program reads %d.%d: use a newer edgeops",
                        head->version, head->encoding, VERSION, RAW);
    }
    if (head->rows != rows || head->type != (uint8_t)type) {
        return eop_column_damaged("rows or type differ from the catalog's");
    }
    int which = head->flags & (HAS_BITMAP | HAS_PLACES);
    if (head->count > rows || (which == 0 && head->count != rows) ||
        which == (HAS_BITMAP | HAS_PLACES)) {
        return eop_column_damaged("rows do not add up");
    }
    return EDGEOPS_OK;
}

static edgeops_status open_column(column *c, const char *blob, size_t size, edgeops_type type,
                                  size_t width, size_t rows) {
    header head;
    edgeops_status status = check_header(&head, blob, size, type, rows);
    if (status != EDGEOPS_OK) {
        return status;
    }
    size_t lead = 0;
    *c = (column){.rows = rows, .count = head.count};
    if ((head.flags & HAS_BITMAP) != 0) {
        c->bitmap = blob + HEADER;
        lead = (rows + 7) / 8;
    } else if ((head.flags & HAS_PLACES) != 0) {
        c->places = blob + HEADER;
        lead = c->count * sizeof(uint16_t);
    }
    if ((head.flags & HAS_QUALITY) != 0) {
        c->quality = blob + HEADER + lead;
        lead += c->count * sizeof(uint16_t);
    }
    if (size - HEADER < lead) {
        return eop_column_damaged("too short");
    }
    c->values = blob + HEADER + lead;
    c->size = size - HEADER - lead;
    if (type == EDGEOPS_TYPE_STRING ? c->size / width < c->count + 1
                                    : c->size != c->count * width) {
        return eop_column_damaged("wrong size");
    }
    return EDGEOPS_OK;
}

static size_t place_at(const column *c, size_t i) {
    uint16_t place;
    memcpy(&place, c->places + i * sizeof place, sizeof place);
    return place;
}

/* Sets the flags of the n rows from `at` on that are not null and returns their number. Calls go
 * through the rows in order. */
static size_t next_flags(uint8_t *flags, column *c, size_t at, size_t n) {
    size_t found = 0;
    if (c->bitmap != NULL) {
        for (size_t i = 0; i < n; i++) {
            flags[i] = (unsigned char)c->bitmap[(at + i) / 8] >> (at + i) % 8 & 1u;
            found += flags[i];
        }
        return found;
    }
    memset(flags, 0, n);
    while (c->place < c->count && place_at(c, c->place) < at + n) {
        size_t place = place_at(c, c->place++);
        if (place >= at && flags[place - at] == 0) {
            flags[place - at] = 1;
            found++;
        }
    }
    return found;
}

static edgeops_status take_string(eop_vector *vector, column *c) {
    const char *bytes = c->values + (c->count + 1) * sizeof(uint32_t);
    size_t bytes_size = c->size - (c->count + 1) * sizeof(uint32_t);
    uint32_t ends[2];
    memcpy(ends, c->values + c->value++ * sizeof *ends, sizeof ends);
    if (ends[1] < ends[0] || ends[1] > bytes_size) {
        return eop_column_damaged("text runs over its end");
    }
    edgeops_value value = {
        .type = EDGEOPS_TYPE_STRING, .size = ends[1] - ends[0], .as.str = bytes + ends[0]};
    return eop_vector_put(vector, &value);
}

static edgeops_status take_values(eop_vector *vector, column *c, const uint8_t *flags, size_t n) {
    size_t width = eop_vector_row_bytes(vector);
    edgeops_status status = EDGEOPS_OK;
    if (vector->type == EDGEOPS_TYPE_STRING) {
        for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
            status = flags == NULL || flags[i] != 0 ? take_string(vector, c)
                                                    : eop_vector_pad(vector, vector->filled + 1);
        }
        return status;
    }
    void *place = NULL;
    status = eop_vector_extend(&place, vector, n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (flags == NULL) {
        memcpy(place, c->values + c->value * width, n * width);
        c->value += n;
        return EDGEOPS_OK;
    }
    memset(place, 0, n * width);
    for (size_t i = 0; i < n; i++) {
        if (flags[i] != 0) {
            memcpy((char *)place + i * width, c->values + c->value++ * width, width);
        }
    }
    return eop_vector_mark(vector, flags, n);
}

/* Reads the codes of the last n rows; `value` is the index of their first value. */
static edgeops_status take_quality(eop_vector *vector, const column *c, const uint8_t *flags,
                                   size_t value, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t at = 0; status == EDGEOPS_OK && at < n;) {
        uint16_t codes[256];
        size_t count = n - at < EOP_COUNT(codes) ? n - at : EOP_COUNT(codes);
        memset(codes, 0xff, sizeof codes);
        for (size_t i = 0; i < count; i++) {
            if (flags == NULL || flags[at + i] != 0) {
                memcpy(&codes[i], c->quality + value++ * sizeof *codes, sizeof *codes);
            }
        }
        status = eop_vector_rate(vector, vector->filled - n + at, codes, count);
        at += count;
    }
    return status;
}

/* Appends n rows: values where the flag is set, null for the others; flags NULL: no row is null. */
static edgeops_status take_rows(eop_vector *vector, column *c, const uint8_t *flags, size_t n) {
    size_t value = c->value;
    edgeops_status status = take_values(vector, c, flags, n);
    return status == EDGEOPS_OK && c->quality != NULL ? take_quality(vector, c, flags, value, n)
                                                      : status;
}

edgeops_status eop_chunk2_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                 size_t from, size_t to) {
    column c;
    uint8_t flags[256];
    edgeops_status status =
        open_column(&c, blob, size, vector->type, eop_vector_row_bytes(vector), rows);
    if (status != EDGEOPS_OK || from == to) {
        return status;
    }
    if (c.bitmap == NULL && c.places == NULL) {
        c.value = from;
        return take_rows(vector, &c, NULL, to - from);
    }
    for (size_t at = 0; status == EDGEOPS_OK && at < to;) {
        size_t end = at < from ? from : to;
        size_t n = end - at < sizeof flags ? end - at : sizeof flags;
        size_t found = next_flags(flags, &c, at, n);
        if (c.count - c.value < found) {
            return eop_column_damaged("rows do not add up");
        }
        if (at < from) {
            c.value += found;
        } else {
            status = take_rows(vector, &c, flags, n);
        }
        at += n;
    }
    return status;
}

bool eop_chunk2_is(const void *blob, size_t size) {
    return blob != NULL && size > 0 && *(const uint8_t *)blob == VERSION;
}
