/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the header of an array. It is a Python literal; only the dictionary with its
 * three keys is read, and what NumPy never writes is refused. */
#include "codec/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/type.h"

enum { MAGIC = 6, ALIGNMENT = 64 };
static const char magic[MAGIC + 1] = "\x93NUMPY";

static const char *const descrs[EOP_TYPES] = {
    [EDGEOPS_TYPE_FLOAT64] = "<f8", [EDGEOPS_TYPE_INT64] = "<i8", [EDGEOPS_TYPE_BOOL] = "|b1",
    [EDGEOPS_TYPE_FLOAT32] = "<f4", [EDGEOPS_TYPE_INT8] = "|i1",  [EDGEOPS_TYPE_INT16] = "<i2",
    [EDGEOPS_TYPE_INT32] = "<i4",   [EDGEOPS_TYPE_UINT8] = "|u1", [EDGEOPS_TYPE_UINT16] = "<u2",
    [EDGEOPS_TYPE_UINT32] = "<u4",  [EDGEOPS_TYPE_UINT64] = "<u8"};

const char *eop_npy_descr(edgeops_type type) {
    return eop_type_known(type) ? descrs[type] : NULL;
}

void eop_npy_put_header(eop_buf *buf, const char *descr, uint64_t rows, uint32_t length) {
    eop_buf dict = {0};
    const char *quote = descr[0] == '[' ? "" : "'";
    eop_buf_printf(&dict, "{'descr': %s%s%s, 'fortran_order': False, 'shape': (%llu,", quote, descr,
                   quote, (unsigned long long)rows);
    if (length > 0) {
        eop_buf_printf(&dict, " %u", (unsigned)length);
    }
    eop_buf_puts(&dict, "), }");
    /* Version 1.0 has 16 bits for the size of the text. */
    size_t lead = MAGIC + 2 + 2;
    bool large = dict.size + ALIGNMENT > UINT16_MAX;
    lead += large ? 2 : 0;
    while ((lead + dict.size + 1) % ALIGNMENT != 0) {
        eop_buf_puts(&dict, " ");
        if (dict.failed) {
            break;
        }
    }
    eop_buf_puts(&dict, "\n");
    unsigned char size[4] = {(unsigned char)dict.size, (unsigned char)(dict.size >> 8),
                             (unsigned char)(dict.size >> 16), (unsigned char)(dict.size >> 24)};
    char version[2] = {large ? 2 : 1, 0};
    eop_buf_put(buf, magic, MAGIC);
    eop_buf_put(buf, version, sizeof version);
    eop_buf_put(buf, size, large ? 4 : 2);
    eop_buf_put(buf, dict.data, dict.size);
    buf->failed = buf->failed || dict.failed;
    eop_buf_dispose(&dict);
}

/* -- reading -- */

typedef struct parser {
    const char *at;
    const char *end;
    const char *what;
} parser;

static edgeops_status corrupt(const parser *p) {
    return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: this is not the header of a .npy array",
                    p->what);
}

static edgeops_status unsupported(const parser *p, const char *what) {
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec", "%s: %s", p->what, what);
}

static void skip_blanks(parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t')) {
        p->at++;
    }
}

static bool take(parser *p, const char *text) {
    size_t n = strlen(text);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0) {
        return false;
    }
    p->at += n;
    return true;
}

/* A text in quotes, without escapes. */
static bool take_quoted(parser *p, char out[32]) {
    size_t n = 0;
    skip_blanks(p);
    if (p->at >= p->end || (*p->at != '\'' && *p->at != '"')) {
        return false;
    }
    char quote = *p->at++;
    while (p->at < p->end && *p->at != quote) {
        if (n >= 31 || *p->at == '\\') {
            return false;
        }
        out[n++] = *p->at++;
    }
    out[n] = 0;
    return p->at++ < p->end;
}

static bool take_number(parser *p, uint64_t *out) {
    const char *from = NULL;
    skip_blanks(p);
    from = p->at;
    *out = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && p->at - from < 18) {
        *out = *out * 10 + (uint64_t)(*p->at++ - '0');
    }
    (void)take(p, "L"); /* Python 2 wrote long numbers so */
    return p->at > from;
}

static bool parse_time_unit(eop_npy *out, const char *text) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"[ns]", 1}, {"[us]", 1000}, {"[ms]", 1000000}, {"[s]", 1000000000}};
    for (size_t i = 0; i < EOP_COUNT(units); i++) {
        if (strcmp(text, units[i].name) == 0) {
            out->time = true;
            out->unit_ns = units[i].ns;
            out->type = EDGEOPS_TYPE_INT64;
            out->item_bytes = 8;
            return true;
        }
    }
    return false;
}

static edgeops_status parse_descr(eop_npy *out, parser *p) {
    char text[32];
    if (take(p, "[")) {
        return unsupported(p, "arrays with fields are not read; save each field as an array");
    }
    if (!take_quoted(p, text) || strlen(text) < 2) {
        return corrupt(p);
    }
    if (text[1] == 'O') {
        return unsupported(p, "Python objects are not read; save numbers or texts");
    }
    out->swapped = text[0] == '>';
    if (strchr("<>|=", text[0]) == NULL || text[2] == 0) {
        return corrupt(p);
    }
    if (text[1] == 'M' && text[2] == '8' && parse_time_unit(out, text + 3)) {
        return EDGEOPS_OK;
    }
    char *rest = NULL;
    unsigned long number = strtoul(text + 2, &rest, 10);
    if (*rest == 0 && (text[1] == 'U' || text[1] == 'S') && number <= 65536) {
        out->type = EDGEOPS_TYPE_STRING;
        out->ucs4 = text[1] == 'U';
        out->characters = (uint32_t)number;
        out->item_bytes = number * (out->ucs4 ? 4 : 1);
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < EOP_TYPES; i++) {
        if (descrs[i] != NULL && strcmp(descrs[i] + 1, text + 1) == 0) {
            out->type = (edgeops_type)i;
            out->item_bytes = eop_type_width(out->type);
            return EDGEOPS_OK;
        }
    }
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec", "%s: elements of type '%s' are not read",
                    p->what, text);
}

static edgeops_status parse_shape(eop_npy *out, parser *p) {
    uint64_t sizes[2] = {1, 1};
    size_t n = 0;
    if (!take(p, "(")) {
        return corrupt(p);
    }
    while (!take(p, ")")) {
        if (n >= EOP_COUNT(sizes)) {
            return unsupported(p, "arrays of more than two dimensions are not read");
        }
        if (!take_number(p, &sizes[n++])) {
            return corrupt(p);
        }
        if (!take(p, ",") && p->at < p->end && *p->at != ')') {
            return corrupt(p);
        }
    }
    if (sizes[1] < 1 || sizes[1] > EOP_LENGTH_MAX) {
        return unsupported(p, "an array in a row has 1 to 65536 elements");
    }
    out->rows = sizes[0];
    out->length = (uint32_t)sizes[1];
    return EDGEOPS_OK;
}

static edgeops_status parse_dict(eop_npy *out, parser *p) {
    unsigned seen = 0;
    if (!take(p, "{")) {
        return corrupt(p);
    }
    while (!take(p, "}")) {
        char key[32];
        edgeops_status status = EDGEOPS_OK;
        if (!take_quoted(p, key) || !take(p, ":")) {
            return corrupt(p);
        }
        if (strcmp(key, "descr") == 0) {
            seen |= 1;
            status = parse_descr(out, p);
        } else if (strcmp(key, "shape") == 0) {
            seen |= 2;
            status = parse_shape(out, p);
        } else if (strcmp(key, "fortran_order") == 0) {
            seen |= 4;
            if (take(p, "True")) {
                status = unsupported(p, "arrays in Fortran order are not read");
            } else if (!take(p, "False")) {
                status = corrupt(p);
            }
        } else {
            status = corrupt(p);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        (void)take(p, ",");
    }
    return seen == 7 ? EDGEOPS_OK : corrupt(p);
}

edgeops_status eop_npy_read_header(eop_npy *out, const char *data, size_t size, const char *what) {
    parser p = {.what = what};
    const unsigned char *bytes = (const unsigned char *)data;
    *out = (eop_npy){.header_bytes = MAGIC + 2 + 4};
    if (memcmp(data, magic, size < MAGIC ? size : MAGIC) != 0) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s is no .npy array", what);
    }
    if (size < out->header_bytes) {
        return EDGEOPS_DONE;
    }
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
        return unsupported(&p, "the header has a version that is not known");
    }
    size_t lead = bytes[6] == 1 ? 10 : 12;
    size_t text = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1) {
        text |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (text > EOP_NPY_HEADER_MAX - lead) {
        return unsupported(&p, "the header is longer than 64 KiB");
    }
    if (size < lead + text) {
        out->header_bytes = lead + text;
        return EDGEOPS_DONE;
    }
    p.at = data + lead;
    p.end = p.at + text;
    edgeops_status status = parse_dict(out, &p);
    out->header_bytes = lead + text;
    return status;
}
