/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays to tables: opens one stream an array of the zip and reads all of them in step, a
 * batch of rows at a time, so that memory does not grow with the file. */
#include "codec/table_npz.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/type.h"
#include "codec/npy.h"
#include "codec/zip.h"

#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_ROWS  ((size_t)16384)

typedef enum role { CHANNEL, TIMES, SEQS, LABELS, VALID, SKIPPED } role;

/* An array and the rows of it that were read last. */
typedef struct array {
    char *name;
    role role;
    eop_npy npy;
    eop_zip_stream *stream; /* NULL: the descriptor itself */
    size_t row_bytes;
    char *data;
    uint32_t *offsets; /* texts */
    eop_buf text;
    struct array *valid; /* of a channel */
} array;

struct eop_npz {
    eop_npz_options options;
    int fd;
    eop_zip zip;
    array *arrays;
    size_t count;
    uint64_t rows;
    uint64_t at;
    size_t batch;
    int64_t *times;
    int64_t *seqs;
    array *by_time;
    array *by_seq;
    array *labels;
    edgeops_column *columns;
    array **column_arrays;
    size_t column_count;
    edgeops_table table;
};

static edgeops_status invalid(const eop_npz *npz, const array *a, const char *why) {
    return eop_fail(EDGEOPS_E_INVALID, "codec", "%s: array '%s' %s", npz->options.what, a->name,
                    why);
}

/* -- bytes -- */

static edgeops_status read_bytes(const eop_npz *npz, array *a, void *data, size_t size) {
    char *p = data;
    if (a->stream != NULL) {
        return eop_zip_stream_read(a->stream, data, size);
    }
    while (size > 0) {
        size_t n = 0;
        edgeops_status status =
            eop_read_some(&n, npz->fd, npz->options.cancel_fd, p, size, npz->options.what);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (n == 0) {
            return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s is cut short", npz->options.what);
        }
        p += n;
        size -= n;
    }
    return EDGEOPS_OK;
}

static edgeops_status read_head(const eop_npz *npz, array *a) {
    eop_buf head = {0};
    edgeops_status status = EDGEOPS_DONE;
    a->npy.header_bytes = 12;
    while (status == EDGEOPS_DONE) {
        size_t more = a->npy.header_bytes - head.size;
        char *place = eop_buf_reserve(&head, more);
        status = place != NULL ? read_bytes(npz, a, place, more) : eop_fail_nomem("codec");
        if (status == EDGEOPS_OK) {
            head.size += more;
            status = eop_npy_read_header(&a->npy, head.data, head.size, a->name);
        }
    }
    eop_buf_dispose(&head);
    if (status == EDGEOPS_OK && a->npy.type == EDGEOPS_TYPE_STRING && a->npy.length > 1) {
        return invalid(npz, a, "has texts in two dimensions");
    }
    if (status == EDGEOPS_OK && !eop_mul_size(&a->row_bytes, a->npy.item_bytes, a->npy.length)) {
        return invalid(npz, a, "has rows that are too long");
    }
    return status;
}

static void swap_bytes(char *data, size_t width, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < width / 2; k++) {
            char byte = data[i * width + k];
            data[i * width + k] = data[i * width + width - 1 - k];
            data[i * width + width - 1 - k] = byte;
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

static edgeops_status take_texts(const eop_npz *npz, array *a, size_t rows) {
    eop_buf_clear(&a->text);
    a->offsets[0] = 0;
    for (size_t row = 0; row < rows; row++) {
        const char *at = a->data + row * a->row_bytes;
        for (uint32_t i = 0; i < a->npy.characters; i++) {
            uint32_t point = (unsigned char)at[i];
            if (a->npy.ucs4) {
                memcpy(&point, at + (size_t)i * 4, sizeof point);
            }
            if (point == 0) {
                break;
            }
            if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ||
                (!a->npy.ucs4 && point > 0x7f)) {
                return invalid(npz, a, "has a text that is not Unicode");
            }
            put_point(&a->text, point);
        }
        a->offsets[row + 1] = (uint32_t)a->text.size;
    }
    return a->text.failed ? eop_fail_nomem("codec") : EDGEOPS_OK;
}

/* -- roles -- */

static bool is_named(const char *name, const char *wanted) {
    return wanted != NULL && strcmp(name, wanted) == 0;
}

static edgeops_status set_role(eop_npz *npz, array *a) {
    const eop_npz_options *o = &npz->options;
    a->role = CHANNEL;
    for (size_t i = 0; i < o->skip_count; i++) {
        if (strcmp(a->name, o->skip[i]) == 0) {
            a->role = SKIPPED;
            return EDGEOPS_OK;
        }
    }
    if (is_named(a->name, o->time_array)) {
        a->role = TIMES;
        npz->by_time = a;
        return a->npy.type == EDGEOPS_TYPE_INT64 && a->npy.length == 1
                   ? EDGEOPS_OK
                   : invalid(npz, a, "is not int64 or datetime64");
    }
    if (is_named(a->name, o->seq_array)) {
        a->role = SEQS;
        npz->by_seq = a;
        return a->npy.type == EDGEOPS_TYPE_INT64 && a->npy.length == 1
                   ? EDGEOPS_OK
                   : invalid(npz, a, "is not int64");
    }
    if (is_named(a->name, o->label_array)) {
        a->role = LABELS;
        npz->labels = a;
        return a->npy.type == EDGEOPS_TYPE_STRING ? EDGEOPS_OK : invalid(npz, a, "has no texts");
    }
    if (strcmp(a->name, "labels") == 0 || strcmp(a->name, "times") == 0) {
        a->role = SKIPPED;
    } else if (strncmp(a->name, "valid/", 6) == 0) {
        a->role = VALID;
        return a->npy.type == EDGEOPS_TYPE_BOOL && a->npy.length == 1
                   ? EDGEOPS_OK
                   : invalid(npz, a, "is not bool");
    }
    return EDGEOPS_OK;
}

static edgeops_status check_found(const eop_npz *npz) {
    const eop_npz_options *o = &npz->options;
    const char *missing = NULL;
    missing = o->time_array != NULL && npz->by_time == NULL ? o->time_array : missing;
    missing = o->label_array != NULL && npz->labels == NULL ? o->label_array : missing;
    for (size_t i = 0; i < o->skip_count; i++) {
        bool found = false;
        for (size_t k = 0; k < npz->count; k++) {
            found = found || strcmp(npz->arrays[k].name, o->skip[i]) == 0;
        }
        missing = found ? missing : o->skip[i];
    }
    if (missing != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s has no array '%s'", o->what, missing);
    }
    return EDGEOPS_OK;
}

/* Channels in the order of the file, with what belongs to them. */
static edgeops_status set_columns(eop_npz *npz) {
    npz->columns = eop_calloc(npz->count, sizeof *npz->columns);
    npz->column_arrays = eop_calloc(npz->count, sizeof(array *));
    if (npz->columns == NULL || npz->column_arrays == NULL) {
        return eop_fail_nomem("codec");
    }
    const array *first = NULL;
    for (size_t i = 0; i < npz->count; i++) {
        array *a = &npz->arrays[i];
        if (a->role == SKIPPED) {
            continue;
        }
        if (first != NULL && a->npy.rows != first->npy.rows) {
            return invalid(npz, a, "has not as many rows as the others: leave it out");
        }
        first = a;
        for (size_t k = 0; a->role == VALID && k < npz->count; k++) {
            array *of = &npz->arrays[k];
            of->valid = of->role == CHANNEL && strcmp(of->name, a->name + 6) == 0 ? a : of->valid;
        }
        if (a->role == CHANNEL) {
            npz->columns[npz->column_count] =
                (edgeops_column){.name = a->name,
                                 .unit = "",
                                 .type = a->npy.type,
                                 .length = a->npy.type == EDGEOPS_TYPE_STRING ? 1 : a->npy.length};
            npz->column_arrays[npz->column_count++] = a;
        }
    }
    npz->rows = first != NULL ? first->npy.rows : 0;
    if (npz->column_count == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s has no array that is a channel",
                        npz->options.what);
    }
    return EDGEOPS_OK;
}

static edgeops_status make_room(eop_npz *npz) {
    size_t row_bytes = 16;
    for (size_t i = 0; i < npz->count; i++) {
        if (!eop_add_size(&row_bytes, row_bytes, npz->arrays[i].row_bytes)) {
            return invalid(npz, &npz->arrays[i], "has rows that are too long");
        }
    }
    npz->batch = BATCH_BYTES / row_bytes;
    npz->batch = npz->batch < 1 ? 1 : npz->batch > BATCH_ROWS ? BATCH_ROWS : npz->batch;
    npz->times = eop_calloc(npz->batch, sizeof *npz->times);
    npz->seqs = eop_calloc(npz->batch, sizeof *npz->seqs);
    bool done = npz->times != NULL && npz->seqs != NULL;
    for (size_t i = 0; i < npz->count; i++) {
        array *a = &npz->arrays[i];
        if (a->role == SKIPPED) {
            continue;
        }
        a->data = eop_calloc(npz->batch, a->row_bytes > 0 ? a->row_bytes : 1);
        done = done && a->data != NULL;
        if (a->npy.type == EDGEOPS_TYPE_STRING) {
            a->offsets = eop_calloc(npz->batch + 1, sizeof *a->offsets);
            done = done && a->offsets != NULL;
        }
    }
    return done ? EDGEOPS_OK : eop_fail_nomem("codec");
}

/* -- opening -- */

static edgeops_status open_array(eop_npz *npz, const eop_zip_entry *entry) {
    array *a = &npz->arrays[npz->count];
    size_t size = strlen(entry->name);
    if (size < 5 || strcmp(entry->name + size - 4, ".npy") != 0) {
        return EDGEOPS_OK;
    }
    a->name = eop_strndup(entry->name, size - 4);
    if (a->name == NULL) {
        return eop_fail_nomem("codec");
    }
    npz->count++;
    edgeops_status status = eop_zip_stream_open(&a->stream, &npz->zip, entry);
    return status == EDGEOPS_OK ? read_head(npz, a) : status;
}

static edgeops_status open_arrays(eop_npz *npz) {
    if (npz->options.channel != NULL) {
        npz->arrays = eop_calloc(1, sizeof *npz->arrays);
        npz->options.time_array = NULL;
        npz->options.label_array = NULL;
        if (npz->arrays == NULL ||
            (npz->arrays[0].name = eop_strdup(npz->options.channel)) == NULL) {
            return eop_fail_nomem("codec");
        }
        npz->count = 1;
        return read_head(npz, &npz->arrays[0]);
    }
    edgeops_status status =
        eop_zip_open(&npz->zip, npz->fd, npz->options.what, EOP_ZIP_ENTRIES_MAX);
    if (status == EDGEOPS_OK) {
        status = eop_zip_check(&npz->zip);
    }
    if (status == EDGEOPS_OK && npz->zip.count > 2100) {
        status =
            eop_fail(EDGEOPS_E_LIMIT, "codec", "%s has more than 2,100 arrays", npz->options.what);
    }
    if (status == EDGEOPS_OK) {
        npz->arrays = eop_calloc(npz->zip.count, sizeof *npz->arrays);
        status = npz->arrays != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->zip.count; i++) {
        status = open_array(npz, &npz->zip.entries[i]);
    }
    return status;
}

edgeops_status eop_npz_open(eop_npz **out, int fd, const eop_npz_options *options) {
    *out = NULL;
    eop_npz *npz = eop_calloc(1, sizeof *npz);
    if (npz == NULL) {
        return eop_fail_nomem("codec");
    }
    npz->options = *options;
    npz->fd = fd;
    npz->options.what = options->what != NULL ? options->what : "arrays";
    npz->options.seq_array = options->seq_array != NULL ? options->seq_array : "seqs";
    npz->options.period = options->period > 0 ? options->period : EDGEOPS_SECOND;
    edgeops_status status = open_arrays(npz);
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->count; i++) {
        status = set_role(npz, &npz->arrays[i]);
    }
    if (status == EDGEOPS_OK) {
        status = check_found(npz);
    }
    if (status == EDGEOPS_OK) {
        status = set_columns(npz);
    }
    if (status == EDGEOPS_OK) {
        status = make_room(npz);
    }
    if (status != EDGEOPS_OK) {
        eop_npz_close(npz);
        return status;
    }
    *out = npz;
    return EDGEOPS_OK;
}

void eop_npz_close(eop_npz *npz) {
    if (npz == NULL) {
        return;
    }
    for (size_t i = 0; i < npz->count; i++) {
        eop_zip_stream_close(npz->arrays[i].stream);
        eop_buf_dispose(&npz->arrays[i].text);
        eop_free(npz->arrays[i].name);
        eop_free(npz->arrays[i].data);
        eop_free(npz->arrays[i].offsets);
    }
    eop_zip_dispose(&npz->zip);
    eop_free(npz->arrays);
    eop_free(npz->columns);
    eop_free(npz->column_arrays);
    eop_free(npz->times);
    eop_free(npz->seqs);
    eop_free(npz);
}

/* -- rows -- */

static int64_t unit_of(const eop_npz *npz) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    const array *a = npz->by_time;
    int64_t unit = a->npy.time ? a->npy.unit_ns : 1;
    for (size_t i = 0; !a->npy.time && i < EOP_COUNT(units); i++) {
        unit = is_named(units[i].name, npz->options.time_unit) ? units[i].ns : unit;
    }
    return unit;
}

static edgeops_status make_times(eop_npz *npz, size_t n) {
    const eop_npz_options *o = &npz->options;
    int64_t unit = npz->by_time != NULL ? unit_of(npz) : o->period;
    for (size_t i = 0; i < n; i++) {
        int64_t value = (int64_t)(npz->at + i);
        int64_t start = npz->by_time != NULL ? 0 : o->start;
        if (npz->by_time != NULL) {
            memcpy(&value, npz->by_time->data + i * sizeof value, sizeof value);
        }
        if (__builtin_mul_overflow(value, unit, &npz->times[i]) ||
            __builtin_add_overflow(npz->times[i], start, &npz->times[i]) ||
            (npz->by_time != NULL && npz->by_time->npy.time && value == INT64_MIN)) {
            return eop_fail(EDGEOPS_E_INVALID, "codec",
                            "%s: row %llu has no time from 1677 to 2262", o->what,
                            (unsigned long long)(npz->at + i + 1));
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_rows(eop_npz *npz, array *a, size_t n) {
    edgeops_status status = read_bytes(npz, a, a->data, n * a->row_bytes);
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool text = a->npy.type == EDGEOPS_TYPE_STRING;
    size_t width = text ? 4 : a->npy.item_bytes;
    if (a->npy.swapped && (!text || a->npy.ucs4)) {
        swap_bytes(a->data, width, n * a->row_bytes / width);
    }
    if (a->npy.type == EDGEOPS_TYPE_BOOL) {
        for (size_t i = 0; i < n * a->row_bytes; i++) {
            a->data[i] = a->data[i] != 0;
        }
    }
    return text ? take_texts(npz, a, n) : EDGEOPS_OK;
}

static void show_column(edgeops_column *column, const array *a, size_t n) {
    void *data = a->data;
    column->data = a->npy.type == EDGEOPS_TYPE_STRING ? NULL : data;
    column->f64 = NULL;
    column->i64 = NULL;
    column->u8 = NULL;
    if (column->length == 1) {
        column->f64 = column->type == EDGEOPS_TYPE_FLOAT64 ? data : NULL;
        column->i64 = column->type == EDGEOPS_TYPE_INT64 ? data : NULL;
        column->u8 = column->type == EDGEOPS_TYPE_BOOL ? data : NULL;
    }
    column->offsets = a->offsets;
    column->bytes = a->text.data != NULL ? a->text.data : "";
    column->valid = NULL;
    column->nulls = 0;
    if (a->valid != NULL) {
        column->valid = (const uint8_t *)a->valid->data;
        for (size_t i = 0; i < n; i++) {
            column->nulls += column->valid[i] == 0;
        }
    }
}

edgeops_status eop_npz_next(eop_npz *npz, const edgeops_table **table) {
    uint64_t left = npz->rows - npz->at;
    size_t n = left < npz->batch ? (size_t)left : npz->batch;
    edgeops_status status = EDGEOPS_OK;
    if (n == 0) {
        return EDGEOPS_DONE;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->count; i++) {
        if (npz->arrays[i].role != SKIPPED) {
            status = read_rows(npz, &npz->arrays[i], n);
        }
    }
    if (status == EDGEOPS_OK) {
        status = make_times(npz, n);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (npz->by_seq != NULL) {
        memcpy(npz->seqs, npz->by_seq->data, n * sizeof *npz->seqs);
    }
    for (size_t k = 0; k < npz->column_count; k++) {
        show_column(&npz->columns[k], npz->column_arrays[k], n);
    }
    npz->table = (edgeops_table){.asset = npz->options.asset,
                                 .rows = n,
                                 .times = npz->times,
                                 .seqs = npz->by_seq != NULL ? npz->seqs : NULL,
                                 .column_count = npz->column_count,
                                 .columns = npz->columns};
    npz->at += n;
    *table = &npz->table;
    return EDGEOPS_OK;
}

void eop_npz_label(const eop_npz *npz, uint64_t row, const char **text, size_t *size) {
    const array *a = npz->labels;
    *text = a != NULL && a->text.data != NULL ? a->text.data + a->offsets[row] : "";
    *size = a != NULL ? a->offsets[row + 1] - a->offsets[row] : 0;
}

uint64_t eop_npz_rows(const eop_npz *npz) {
    return npz->rows;
}
