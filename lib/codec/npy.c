/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the header of an array. It is a Python literal; only the dictionary with its
 * three keys is read, and what NumPy never writes is refused. */
#include "codec/npy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "base/type.h"

enum { MAGIC = 6, ALIGNMENT = 64, FIELDS_MAX = 1024 };
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
static bool take_quoted(parser *p, char *out, size_t capacity) {
    size_t n = 0;
    skip_blanks(p);
    if (p->at >= p->end || (*p->at != '\'' && *p->at != '"')) {
        return false;
    }
    char quote = *p->at++;
    while (p->at < p->end && *p->at != quote) {
        if (n + 1 >= capacity || *p->at == '\\' || *p->at == '\0') {
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

/* "[ns]", "[25s]", "[D]". */
static bool parse_time_unit(eop_npy_element *out, const char *text, bool span) {
    static const struct {
        const char *name;
        int64_t ns;
        uint32_t months;
        int64_t parts;
    } units[] = {{"ns]", 1, 0, 0},
                 {"us]", 1000, 0, 0},
                 {"ms]", 1000000, 0, 0},
                 {"s]", 1000000000, 0, 0},
                 {"m]", INT64_C(60000000000), 0, 0},
                 {"h]", INT64_C(3600000000000), 0, 0},
                 {"D]", INT64_C(86400000000000), 0, 0},
                 {"W]", INT64_C(604800000000000), 0, 0},
                 {"M]", 0, 1, 0},
                 {"Y]", 0, 12, 0},
                 {"ps]", 0, 0, 1000},
                 {"fs]", 0, 0, 1000000},
                 {"as]", 0, 0, 1000000000}};
    if (*text++ != '[') {
        return false;
    }
    char *rest = NULL;
    unsigned long count = *text >= '1' && *text <= '9' ? strtoul(text, &rest, 10) : 1;
    text = rest != NULL ? rest : text;
    for (size_t i = 0; i < EOP_COUNT(units) && count <= INT32_MAX; i++) {
        if (strcmp(text, units[i].name) == 0 && !(span && units[i].months > 0)) {
            out->type = EDGEOPS_TYPE_INT64;
            out->item_bytes = 8;
            out->time = !span;
            out->span = span;
            out->count = (int64_t)count;
            out->ns = units[i].ns;
            out->months = units[i].months;
            out->parts = units[i].parts;
            return true;
        }
    }
    return false;
}

/* Texts, bytes between fields and numbers: "<f8" without the first character. */
static bool parse_plain(eop_npy_element *out, const char *text) {
    char *rest = NULL;
    unsigned long number =
        text[1] >= '0' && text[1] <= '9' ? strtoul(text + 1, &rest, 10) : ULONG_MAX;
    if (rest != NULL && *rest == 0 && number <= 65536 &&
        (*text == 'U' || *text == 'S' || *text == 'V')) {
        out->type = EDGEOPS_TYPE_STRING;
        out->gap = *text == 'V';
        out->ucs4 = *text == 'U';
        out->characters = (uint32_t)number;
        out->item_bytes = number * (out->ucs4 ? 4 : 1);
        return true;
    }
    if (strcmp(text, "f2") == 0) {
        out->type = EDGEOPS_TYPE_FLOAT32;
        out->half = true;
        out->item_bytes = 2;
        return true;
    }
    for (size_t i = 0; i < EOP_TYPES; i++) {
        if (descrs[i] != NULL && strcmp(descrs[i] + 1, text) == 0) {
            out->type = (edgeops_type)i;
            out->item_bytes = eop_type_width(out->type);
            return true;
        }
    }
    return false;
}

static edgeops_status refuse_type(const parser *p, const char *text) {
    if (text[1] == 'O') {
        return unsupported(p, "Python objects are not read; save numbers or texts");
    }
    if (text[1] == 'c') {
        return unsupported(p, "complex numbers are not read; save .real and .imag, or abs()");
    }
    if ((text[1] == 'M' || text[1] == 'm') && text[2] == '8') {
        return unsupported(p, text[1] == 'M'
                                  ? "a datetime64 without a unit that is known is not read; save "
                                    "it as datetime64[ns]"
                                  : "a timedelta64 of months, years or no unit is not read; save "
                                    "it as timedelta64[ns]");
    }
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec",
                    "%s: elements of type '%s' are not read; save float64, int64 or texts", p->what,
                    text);
}

static edgeops_status parse_element(eop_npy_element *out, parser *p) {
    char text[32];
    if (!take_quoted(p, text, sizeof text) || strlen(text) < 2) {
        return corrupt(p);
    }
    if (text[1] == 'O') {
        return refuse_type(p, text);
    }
    out->swapped = text[0] == '>';
    if (strchr("<>|=", text[0]) == NULL || text[2] == 0) {
        return corrupt(p);
    }
    bool time = (text[1] == 'M' || text[1] == 'm') && text[2] == '8';
    bool done = time ? parse_time_unit(out, text + 3, text[1] == 'm') : parse_plain(out, text + 1);
    return done ? EDGEOPS_OK : refuse_type(p, text);
}

static edgeops_status add_field(eop_npy *out, eop_npy_field **field) {
    if (out->field_count == FIELDS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "codec", "an array has more than %d fields", FIELDS_MAX);
    }
    if (out->field_count % 16 == 0) {
        eop_npy_field *more =
            eop_realloc_array(out->fields, out->field_count + 16, sizeof *out->fields);
        if (more == NULL) {
            return eop_fail_nomem("codec");
        }
        out->fields = more;
    }
    *field = &out->fields[out->field_count++];
    **field = (eop_npy_field){.length = 1};
    return EDGEOPS_OK;
}

/* The length of a field that is an array: "(3,)", "(3)" or 3. */
static edgeops_status parse_length(eop_npy_field *field, parser *p) {
    uint64_t n = 0;
    bool tuple = take(p, "(");
    if (!take_number(p, &n)) {
        return corrupt(p);
    }
    (void)take(p, ",");
    if (tuple && !take(p, ")")) {
        return unsupported(p, "fields of two dimensions are not read");
    }
    if (n < 1 || n > EOP_LENGTH_MAX) {
        return unsupported(p, "an array in a row has 1 to 65536 elements");
    }
    field->length = (uint32_t)n;
    return EDGEOPS_OK;
}

/* ('name', '<f8'), ('name', '<f8', (3,)) */
static edgeops_status parse_field(eop_npy *out, parser *p) {
    eop_npy_field *field = NULL;
    edgeops_status status = add_field(out, &field);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (!take(p, "(")) {
        return corrupt(p);
    }
    if (!take_quoted(p, field->name, sizeof field->name) || !take(p, ",")) {
        return unsupported(p, "a field has a title, or a name that is long or has a backslash: "
                              "save each field as an array");
    }
    skip_blanks(p);
    if (p->at < p->end && *p->at == '[') {
        return unsupported(p, "fields in fields are not read; save each field as an array");
    }
    status = parse_element(&field->element, p);
    if (status == EDGEOPS_OK && take(p, ",")) {
        status = parse_length(field, p);
    }
    if (status == EDGEOPS_OK && !take(p, ")")) {
        status = corrupt(p);
    }
    return status;
}

static edgeops_status parse_descr(eop_npy *out, parser *p) {
    eop_npy_field *field = NULL;
    if (out->fields != NULL) {
        return corrupt(p);
    }
    if (!take(p, "[")) {
        edgeops_status status = add_field(out, &field);
        return status == EDGEOPS_OK ? parse_element(&field->element, p) : status;
    }
    out->structured = true;
    while (!take(p, "]")) {
        edgeops_status status = parse_field(out, p);
        if (status != EDGEOPS_OK) {
            return status;
        }
        skip_blanks(p);
        if (!take(p, ",") && (p->at >= p->end || *p->at != ']')) {
            return corrupt(p);
        }
    }
    return out->field_count > 0 ? EDGEOPS_OK : corrupt(p);
}

static edgeops_status parse_shape(eop_npy *out, uint32_t *length, parser *p) {
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
    out->dimensions = (uint32_t)n;
    *length = (uint32_t)sizes[1];
    return EDGEOPS_OK;
}

static edgeops_status parse_order(eop_npy *out, parser *p) {
    out->fortran = take(p, "True");
    return out->fortran || take(p, "False") ? EDGEOPS_OK : corrupt(p);
}

/* Where the fields are in a row. */
static edgeops_status place_fields(eop_npy *out, const parser *p, uint32_t length) {
    if (out->structured && length > 1) {
        return unsupported(p, "arrays with fields have one dimension");
    }
    for (size_t i = 0; i < out->field_count; i++) {
        eop_npy_field *field = &out->fields[i];
        size_t bytes = 0;
        field->length = out->structured ? field->length : length;
        field->offset = out->row_bytes;
        if (!eop_mul_size(&bytes, field->element.item_bytes, field->length) ||
            !eop_add_size(&out->row_bytes, out->row_bytes, bytes)) {
            return unsupported(p, "the rows are too long");
        }
        if (field->element.gap && !out->structured) {
            return unsupported(p, "elements of raw bytes are not read");
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status parse_dict(eop_npy *out, parser *p) {
    unsigned seen = 0;
    uint32_t length = 1;
    if (!take(p, "{")) {
        return corrupt(p);
    }
    while (!take(p, "}")) {
        char key[32];
        edgeops_status status = EDGEOPS_OK;
        if (!take_quoted(p, key, sizeof key) || !take(p, ":")) {
            return corrupt(p);
        }
        if (strcmp(key, "descr") == 0) {
            seen |= 1;
            status = parse_descr(out, p);
        } else if (strcmp(key, "shape") == 0) {
            seen |= 2;
            status = parse_shape(out, &length, p);
        } else if (strcmp(key, "fortran_order") == 0) {
            seen |= 4;
            status = parse_order(out, p);
        } else {
            status = corrupt(p);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        (void)take(p, ",");
    }
    return seen == 7 ? place_fields(out, p, length) : corrupt(p);
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
    if (status != EDGEOPS_OK) {
        eop_npy_dispose(out);
    }
    return status;
}

void eop_npy_dispose(eop_npy *npy) {
    eop_free(npy->fields);
    npy->fields = NULL;
    npy->field_count = 0;
}

/* Of months since January 1970. */
static bool month_time(int64_t *out, int64_t months) {
    int64_t year = months / 12 - (months % 12 < 0);
    int64_t day = 0;
    if (year < -1000 || year > 1000) {
        return false;
    }
    day = eop_days_from_civil(1970 + year, (unsigned)(months - year * 12) + 1, 1);
    return !__builtin_mul_overflow(day, INT64_C(86400000000000), out);
}

bool eop_npy_time(int64_t *out, const eop_npy_element *element, int64_t count) {
    int64_t units = 0;
    if (__builtin_mul_overflow(count, element->count, &units)) {
        return false;
    }
    if (element->months > 0) {
        return !__builtin_mul_overflow(units, (int64_t)element->months, &units) &&
               month_time(out, units);
    }
    if (element->parts > 0) {
        *out = units / element->parts - (units % element->parts < 0);
        return true;
    }
    return !__builtin_mul_overflow(units, element->ns, out);
}
