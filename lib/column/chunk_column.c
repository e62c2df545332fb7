/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a column of format 3 from its first row to its last: header, nulls, quality codes, then the
 * elements one tile at a time. Trusts nothing in the BLOB: each size is checked before it is
 * used. */
#include "column/chunk_column.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/type.h"

/* -- opening -- */

static edgeops_status check_header(const uint8_t *blob, size_t size,
                                   const eop_column_shape *shape) {
    uint32_t crc;
    if (size < EOP_COLUMN_HEADER) {
        return eop_column_damaged("too short");
    }
    memcpy(&crc, blob + 4, sizeof crc);
    if (eop_crc32c(eop_crc32c(0, blob, 4), blob + EOP_COLUMN_HEADER, size - EOP_COLUMN_HEADER) !=
        crc) {
        return eop_column_damaged("wrong checksum");
    }
    if (blob[0] != EOP_COLUMN_VERSION ||
        (blob[2] & ~(EOP_COLUMN_ARRAY | EOP_COLUMN_NULLS | EOP_COLUMN_QUALITY)) != 0 ||
        blob[3] != 0) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "a column has format %u.%u.%u, this program reads up to %d.7.0: use a "
                        "newer edgeops",
                        blob[0], blob[2], blob[3], EOP_COLUMN_VERSION);
    }
    return blob[1] == (uint8_t)shape->type
               ? EDGEOPS_OK
               : eop_column_damaged("its type differs from the catalog's");
}

/* Finds the end of the runs of nulls. They must cover all rows and hold exactly `count` values. */
static bool check_runs(eop_column *c) {
    uint64_t told = 0;
    uint64_t values = 0;
    bool value = true;
    for (const uint8_t *at = c->at; told < c->rows; value = !value) {
        uint64_t run = 0;
        if (!eop_take_varint(&run, &at, c->end) || run > c->rows - told ||
            (run == 0 && at != c->at + 1)) {
            return false;
        }
        told += run;
        values += value ? run : 0;
        c->runs_end = at;
    }
    c->runs = c->at;
    c->at = c->runs_end;
    c->run_flag = 0; /* the first run flips it to 1 */
    return values == c->count;
}

static bool check_bitmap(eop_column *c) {
    size_t size = (c->rows + 7) / 8;
    size_t values = 0;
    if ((size_t)(c->end - c->at) < size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        values += (size_t)__builtin_popcount(c->at[i]);
    }
    c->bitmap = c->at;
    c->at += size;
    return values == c->count && (c->rows % 8 == 0 || c->bitmap[size - 1] >> c->rows % 8 == 0);
}

static bool open_nulls(eop_column *c) {
    uint64_t count = 0;
    if (!eop_take_varint(&count, &c->at, c->end) || count > c->rows || c->at == c->end) {
        return false;
    }
    c->count = (size_t)count;
    switch (*c->at++) {
    case EOP_FORM_PLAIN:
        return check_bitmap(c);
    case EOP_FORM_RUNS:
        return check_runs(c);
    default:
        return false;
    }
}

static bool open_codes(eop_column *c) {
    if (c->at == c->end) {
        return false;
    }
    c->codes_in_runs = *c->at == EOP_FORM_RUNS;
    if (*c->at++ > EOP_FORM_RUNS) {
        return false;
    }
    c->codes = c->at;
    if (!c->codes_in_runs) {
        if ((size_t)(c->end - c->at) / sizeof c->code < c->count) {
            return false;
        }
        c->at += c->count * sizeof c->code;
    }
    for (uint64_t told = 0; c->codes_in_runs && told < c->count;) {
        uint64_t run = 0;
        if (!eop_take_varint(&run, &c->at, c->end) || run == 0 || run > c->count - told ||
            (size_t)(c->end - c->at) < sizeof c->code) {
            return false;
        }
        c->at += sizeof c->code;
        told += run;
    }
    c->codes_end = c->at;
    return true;
}

edgeops_status eop_column_open(eop_column *column, const void *blob, size_t size,
                               const eop_column_shape *shape) {
    eop_column *c = column;
    const uint8_t *bytes = blob;
    uint64_t rows = 0;
    uint64_t length = 1;
    memset(c, 0, offsetof(eop_column, page));
    c->page.count = 0;
    c->page.done = 0;
    c->text = NULL;
    edgeops_status status = check_header(bytes, bytes != NULL ? size : 0, shape);
    if (status != EDGEOPS_OK) {
        return status;
    }
    c->at = bytes + EOP_COLUMN_HEADER;
    c->end = bytes + size;
    if (!eop_take_varint(&rows, &c->at, c->end) ||
        ((bytes[2] & EOP_COLUMN_ARRAY) != 0 && !eop_take_varint(&length, &c->at, c->end)) ||
        rows != shape->rows || length != (shape->length > 1 ? shape->length : 1)) {
        return eop_column_damaged("rows or length differ from the catalog's");
    }
    c->type = shape->type;
    c->rows = shape->rows;
    c->count = shape->rows;
    c->length = (size_t)length;
    c->width = c->type == EDGEOPS_TYPE_STRING ? 0 : eop_type_width(c->type);
    if ((bytes[2] & EOP_COLUMN_NULLS) != 0 && !open_nulls(c)) {
        return eop_column_damaged("rows do not add up");
    }
    if ((bytes[2] & EOP_COLUMN_QUALITY) != 0 && !open_codes(c)) {
        return eop_column_damaged("quality codes");
    }
    c->elements = c->count * c->length;
    c->need = eop_column_has_nulls(c) ? c->elements : shape->need * c->length;
    return EDGEOPS_OK;
}

void eop_column_dispose(eop_column *column) {
    if (column->text != NULL) {
        eop_text_dispose(column->text);
        eop_free(column->text);
        column->text = NULL;
    }
}

/* -- nulls and codes -- */

edgeops_status eop_column_flags(size_t *found, uint8_t *flags, eop_column *column, size_t n) {
    eop_column *c = column;
    size_t sum = 0;
    if (c->bitmap != NULL) {
        for (size_t i = 0; i < n; i++, c->row++) {
            flags[i] = c->bitmap[c->row / 8] >> c->row % 8 & 1u;
            sum += flags[i];
        }
    }
    for (size_t i = 0; c->runs != NULL && i < n;) {
        while (c->run == 0) {
            uint64_t run = 0;
            if (!eop_take_varint(&run, &c->runs, c->runs_end)) {
                return eop_column_damaged("rows do not add up");
            }
            c->run = (size_t)run;
            c->run_flag = !c->run_flag;
        }
        size_t take = c->run < n - i ? c->run : n - i;
        memset(flags + i, c->run_flag, take);
        sum += c->run_flag != 0 ? take : 0;
        c->run -= take;
        i += take;
    }
    *found = sum;
    return EDGEOPS_OK;
}

edgeops_status eop_column_take_codes(uint16_t *out, eop_column *column, size_t n) {
    eop_column *c = column;
    if (!c->codes_in_runs) {
        if ((size_t)(c->codes_end - c->codes) < n * sizeof *out) {
            return eop_column_damaged("quality codes");
        }
        if (out != NULL) {
            memcpy(out, c->codes, n * sizeof *out);
        }
        c->codes += n * sizeof *out;
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < n;) {
        if (c->code_run == 0) {
            if (!eop_take_varint(&c->code_run, &c->codes, c->codes_end) || c->code_run == 0 ||
                (size_t)(c->codes_end - c->codes) < sizeof c->code) {
                return eop_column_damaged("quality codes");
            }
            memcpy(&c->code, c->codes, sizeof c->code);
            c->codes += sizeof c->code;
        }
        for (; i < n && c->code_run > 0; i++, c->code_run--) {
            if (out != NULL) {
                out[i] = c->code;
            }
        }
    }
    return EDGEOPS_OK;
}

/* -- elements -- */

/* Finds the bytes of the next page and its number of elements. */
static bool next_page(const uint8_t **data, size_t *size, size_t *count, eop_column *c) {
    size_t left = c->elements - c->opened;
    *count = left < EOP_PAGE_MAX ? left : EOP_PAGE_MAX;
    *size = (size_t)(c->end - c->at);
    if (c->elements > EOP_PAGE_MAX) {
        uint32_t named;
        if (*size < sizeof named) {
            return false;
        }
        memcpy(&named, c->at, sizeof named);
        c->at += sizeof named;
        if (named > *size - sizeof named) {
            return false;
        }
        *size = named;
    }
    *data = c->at;
    c->at += *size;
    c->opened += *count;
    return *count > 0;
}

static edgeops_status open_page(eop_column *c) {
    const uint8_t *data = NULL;
    size_t size = 0;
    size_t count = 0;
    size_t before = c->opened;
    if (!next_page(&data, &size, &count, c)) {
        return eop_column_damaged("too short");
    }
    size_t need = c->need > before ? c->need - before : 0;
    return eop_page_open(&c->page, c->type, data, size, count, need < count ? need : count)
               ? EDGEOPS_OK
               : eop_column_damaged("values");
}

/* Decodes the next tile into `out`, or into the column's own tile when out is NULL. */
static edgeops_status next_tile(eop_column *c, void *out) {
    if (c->page.done == c->page.count) {
        edgeops_status status = open_page(c);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    size_t before = c->page.done;
    if (!eop_page_next(&c->page, out != NULL ? out : c->tile)) {
        return eop_column_damaged("values");
    }
    if (out == NULL) {
        c->tile_at = 0;
        c->tile_count = c->page.done - before;
    }
    return EDGEOPS_OK;
}

/* Number of elements in the next tile. */
static size_t next_count(const eop_column *c) {
    size_t left = c->page.count - c->page.done;
    if (left == 0) {
        left = c->elements - c->opened;
    }
    return left < EOP_PACK_TILE ? left : EOP_PACK_TILE;
}

edgeops_status eop_column_take(void *out, eop_column *column, size_t n) {
    eop_column *c = column;
    char *to = out;
    while (n > 0) {
        size_t count = next_count(c);
        edgeops_status status = EDGEOPS_OK;
        if (c->tile_at == c->tile_count && count > 0 && count <= n) {
            status = next_tile(c, to);
            to += count * c->width;
            n -= count;
        } else if (c->tile_at == c->tile_count) {
            status = next_tile(c, NULL);
        } else {
            size_t take = c->tile_count - c->tile_at < n ? c->tile_count - c->tile_at : n;
            memcpy(to, (const char *)c->tile + c->tile_at * c->width, take * c->width);
            c->tile_at += take;
            to += take * c->width;
            n -= take;
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_column_take_text(edgeops_value *out, eop_column *column) {
    eop_column *c = column;
    if (c->text == NULL) {
        c->text = eop_calloc(1, sizeof *c->text);
        if (c->text == NULL) {
            return eop_fail_nomem("store");
        }
    }
    if (c->text->done == c->text->count) {
        const uint8_t *data = NULL;
        size_t size = 0;
        size_t count = 0;
        if (!next_page(&data, &size, &count, c)) {
            return eop_column_damaged("too short");
        }
        eop_text_dispose(c->text);
        edgeops_status status = eop_text_open(c->text, data, size, count);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return eop_text_next(out, c->text) ? EDGEOPS_OK : eop_column_damaged("texts");
}

edgeops_status eop_column_skip(eop_column *column, size_t n) {
    eop_column *c = column;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && n > 0) {
        if (c->type == EDGEOPS_TYPE_STRING) {
            edgeops_value text;
            status = eop_column_take_text(&text, c);
            n--;
            continue;
        }
        size_t held = c->tile_count - c->tile_at;
        size_t take = held < n ? held : n;
        c->tile_at += take;
        n -= take;
        if (n == 0) {
            break;
        }
        size_t left = c->elements - c->opened;
        size_t whole = left < EOP_PAGE_MAX ? left : EOP_PAGE_MAX;
        size_t count = next_count(c);
        if (c->page.done == c->page.count && n >= whole && whole > 0) {
            const uint8_t *data = NULL;
            size_t size = 0;
            if (!next_page(&data, &size, &count, c)) {
                return eop_column_damaged("too short");
            }
            n -= count;
        } else if (c->page.done < c->page.count && count <= n) {
            n -= count;
            if (!eop_page_skip(&c->page)) {
                return eop_column_damaged("values");
            }
        } else if (c->page.done == c->page.count) {
            status = open_page(c);
        } else {
            status = next_tile(c, NULL);
        }
    }
    return status;
}

edgeops_status eop_column_open_at(eop_column *column, const void *blob, size_t size,
                                  const eop_column_shape *shape, size_t from) {
    eop_column *c = column;
    edgeops_status status = eop_column_open(c, blob, size, shape);
    size_t values = from;
    if (status == EDGEOPS_OK && eop_column_has_nulls(c)) {
        uint8_t flags[EOP_PACK_TILE];
        values = 0;
        for (size_t at = 0; status == EDGEOPS_OK && at < from;) {
            size_t found = 0;
            size_t n = from - at < sizeof flags ? from - at : sizeof flags;
            status = eop_column_flags(&found, flags, c, n);
            values += found;
            at += n;
        }
    }
    if (status == EDGEOPS_OK && c->codes != NULL) {
        status = eop_column_take_codes(NULL, c, values);
    }
    return status == EDGEOPS_OK ? eop_column_skip(c, values * c->length) : status;
}
