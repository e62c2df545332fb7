/* SPDX-License-Identifier: Apache-2.0 */
/* Reads arrays in step, in bounded memory. An array in Fortran order has the first element of all
 * rows before the second, and a packed stream has no way back: it is read whole, up to a limit, and
 * grows only as far as bytes come, whatever its header says. */
#include "codec/npz_source.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/type.h"

#define PIECE ((size_t)1 << 20)

/* -- bytes -- */

static edgeops_status read_bytes(const eop_npz_source *s, void *data, size_t size) {
    char *p = data;
    if (s->stream != NULL) {
        return eop_zip_stream_read(s->stream, data, size);
    }
    while (size > 0) {
        size_t n = 0;
        edgeops_status status = eop_read_some(&n, s->fd, s->cancel_fd, p, size, s->what);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (n == 0) {
            return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s is cut short", s->what);
        }
        p += n;
        size -= n;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_npz_source_open(eop_npz_source *s) {
    eop_buf head = {0};
    edgeops_status status = EDGEOPS_DONE;
    s->npy.header_bytes = 12;
    while (status == EDGEOPS_DONE) {
        size_t more = s->npy.header_bytes - head.size;
        char *place = eop_buf_reserve(&head, more);
        status = place != NULL ? read_bytes(s, place, more) : eop_fail_nomem("codec");
        if (status == EDGEOPS_OK) {
            head.size += more;
            status = eop_npy_read_header(&s->npy, head.data, head.size, s->name);
        }
    }
    eop_buf_dispose(&head);
    if (status == EDGEOPS_OK && s->npy.dimensions == 0) {
        status = eop_fail(
            EDGEOPS_E_INVALID, "codec",
            "%s: array '%s' is a single value, not one value a row: --skip-column leaves it out",
            s->what, s->name);
    }
    return status;
}

static bool is_whole(const eop_npz_source *s) {
    return s->npy.fortran && s->npy.fields[0].length > 1;
}

static edgeops_status read_whole(eop_npz_source *s) {
    eop_buf all = {0};
    uint64_t bytes = 0;
    edgeops_status status = EDGEOPS_OK;
    if (__builtin_mul_overflow(s->npy.rows, (uint64_t)s->npy.row_bytes, &bytes) ||
        bytes > EOP_NPZ_WHOLE_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "codec",
                        "%s: array '%s' is in Fortran order and over %u MiB: save "
                        "numpy.ascontiguousarray() of it",
                        s->what, s->name, (unsigned)(EOP_NPZ_WHOLE_MAX >> 20));
    }
    while (status == EDGEOPS_OK && all.size < bytes) {
        size_t n = (size_t)bytes - all.size < PIECE ? (size_t)bytes - all.size : PIECE;
        char *place = eop_buf_reserve(&all, n);
        status = place != NULL ? read_bytes(s, place, n) : eop_fail_nomem("codec");
        all.size += status == EDGEOPS_OK ? n : 0;
    }
    s->rows = all.data;
    return status;
}

edgeops_status eop_npz_source_prepare(eop_npz_source *s, size_t batch) {
    if (is_whole(s)) {
        return read_whole(s);
    }
    s->rows = eop_calloc(batch, s->npy.row_bytes > 0 ? s->npy.row_bytes : 1);
    return s->rows != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
}

edgeops_status eop_npz_source_read(eop_npz_source *s, size_t n) {
    s->first = s->next;
    s->next += n;
    return is_whole(s) ? EDGEOPS_OK : read_bytes(s, s->rows, n * s->npy.row_bytes);
}

void eop_npz_source_dispose(eop_npz_source *s) {
    eop_zip_stream_close(s->stream);
    eop_npy_dispose(&s->npy);
    eop_free(s->name);
    eop_free(s->rows);
}

/* -- elements -- */

static const char *place_of(const eop_npz_source *s, const eop_npy_field *field, uint32_t element,
                            size_t row) {
    size_t item = field->element.item_bytes;
    if (is_whole(s)) {
        size_t at = (size_t)s->first + row;
        return s->rows + ((size_t)element * (size_t)s->npy.rows + at) * item;
    }
    return s->rows + row * s->npy.row_bytes + field->offset + element * item;
}

static float widen_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    uint32_t bits = 0;
    float value = 0;
    if (exponent == 0x1fu) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else if (exponent > 0) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        value = (float)fraction * 0x1p-24f; /* exact */
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void take_one(char *out, const eop_npy_element *e, const char *from) {
    char bytes[8];
    size_t width = e->item_bytes;
    for (size_t k = 0; k < width; k++) {
        bytes[k] = from[e->swapped ? width - 1 - k : k];
    }
    if (e->half) {
        uint16_t half = 0;
        memcpy(&half, bytes, sizeof half);
        float value = widen_half(half);
        memcpy(out, &value, sizeof value);
    } else if (e->type == EDGEOPS_TYPE_BOOL) {
        *out = bytes[0] != 0;
    } else {
        memcpy(out, bytes, width);
    }
}

void eop_npz_source_take(void *out, const eop_npz_source *s, const eop_npy_field *field,
                         uint32_t first, uint32_t length, size_t n) {
    const eop_npy_element *e = &field->element;
    size_t width = eop_type_width(e->type);
    char *to = out;
    if (!e->swapped && !e->half && e->type != EDGEOPS_TYPE_BOOL && !is_whole(s) &&
        length * width == s->npy.row_bytes) {
        memcpy(out, s->rows, n * s->npy.row_bytes);
        return;
    }
    for (size_t row = 0; row < n; row++) {
        for (uint32_t k = 0; k < length; k++) {
            take_one(to, e, place_of(s, field, first + k, row));
            to += width;
        }
    }
}

/* -- texts -- */

static void put_point(eop_buf *out, uint32_t c) {
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (n == 1) {
        bytes[0] = (char)c;
    } else {
        for (size_t i = n - 1; i > 0; i--) {
            bytes[i] = (char)(0x80 | (c & 0x3f));
            c >>= 6;
        }
        bytes[0] = (char)((0xf00u >> n) | c);
    }
    eop_buf_put(out, bytes, n);
}

static uint32_t point_at(const eop_npy_element *e, const char *at, uint32_t i) {
    uint32_t point = 0;
    memcpy(&point, at + (size_t)i * 4, sizeof point);
    return e->swapped ? __builtin_bswap32(point) : point;
}

static bool put_points(eop_buf *out, const eop_npy_element *e, const char *at) {
    bool ended = false;
    for (uint32_t i = 0; i < e->characters; i++) {
        uint32_t point = point_at(e, at, i);
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000) || (ended && point != 0)) {
            return false;
        }
        ended = ended || point == 0;
        if (!ended) {
            put_point(out, point);
        }
    }
    return true;
}

bool eop_npz_source_text(eop_buf *out, const eop_npz_source *s, const eop_npy_field *field,
                         uint32_t element, size_t row) {
    const eop_npy_element *e = &field->element;
    const char *at = place_of(s, field, element, row);
    if (e->ucs4) {
        return put_points(out, e, at);
    }
    size_t size = e->characters;
    while (size > 0 && at[size - 1] == '\0') {
        size--;
    }
    if (memchr(at, '\0', size) != NULL || eop_utf8_valid(at, size) != size) {
        return false;
    }
    eop_buf_put(out, at, size);
    return true;
}
