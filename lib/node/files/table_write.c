/* SPDX-License-Identifier: Apache-2.0 */
/* Writes tables as text. The keys of all columns are made once, after the look. What the look must
 * know of the reader: it looks at the first 512 rows or 4 MiB for types, takes a column of numbers
 * for float64 and one of texts for string, and numbers rows of one time as seqs.h does. */
#include "node/files/table_write.h"

#include <math.h>
#include <string.h>

#include "codec/column_name.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "codec/rules.h"
#include "codec/seqs.h"
#include "codec/value.h"

/* Well inside what the reader looks at. */
#define LOOK_ROWS  500u
#define LOOK_BYTES ((size_t)2 << 20)
#define SEEN_BYTES ((size_t)1 << 20)

typedef struct column {
    char *name;
    edgeops_type type;
    uint32_t length;
    bool has_value;
    bool has_text; /* a text of the first rows, or the first of all, that a reader takes for one */
    bool has_special; /* NaN, an infinity */
    bool has_quality;
    eop_buf key; /* JSON: "name": */
    eop_buf quality_key;
} column;

struct eop_table_writer {
    eop_table_shape format;
    bool put_seq; /* in each row */
    bool has_seq; /* one that is not 0 */
    bool has_null_row;
    column *columns;
    size_t count;
    /* the look */
    uint64_t rows;
    size_t bytes;
    char *asset;
    eop_seqs seqs; /* what a reader makes of rows without a number */
    eop_seqs_times times;
    uint32_t *ids; /* channels of which a row has a value */
    bool failed;
    uint64_t rows_put;
};

edgeops_status eop_table_writer_new(eop_table_writer **out, const eop_table_shape *format,
                                    const edgeops_channel_info *channels, size_t count) {
    *out = NULL;
    eop_table_writer *w = eop_calloc(1, sizeof *w);
    if (w == NULL || (w->columns = eop_calloc(count > 0 ? count : 1, sizeof *w->columns)) == NULL) {
        eop_table_writer_free(w);
        return eop_fail_nomem("node");
    }
    w->format = *format;
    w->put_seq = format->with_seq;
    w->ids = eop_calloc(count > 0 ? count : 1, sizeof *w->ids);
    if (w->ids == NULL) {
        eop_table_writer_free(w);
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < count; i++) {
        w->columns[i] = (column){.name = eop_strdup(channels[i].name),
                                 .type = channels[i].type,
                                 .length = channels[i].length > 1 ? channels[i].length : 1};
        w->count = i + 1;
        if (w->columns[i].name == NULL) {
            eop_table_writer_free(w);
            return eop_fail_nomem("node");
        }
    }
    *out = w;
    return EDGEOPS_OK;
}

void eop_table_writer_free(eop_table_writer *w) {
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        eop_free(w->columns[i].name);
        eop_buf_dispose(&w->columns[i].key);
        eop_buf_dispose(&w->columns[i].quality_key);
    }
    eop_free(w->columns);
    eop_seqs_times_dispose(&w->times);
    eop_seqs_dispose(&w->seqs);
    eop_free(w->ids);
    eop_free(w->asset);
    eop_free(w);
}

/* -- the look -- */

static bool is_text(const eop_table_writer *w, const edgeops_value *value) {
    if (eop_rules_null(NULL, value->as.str, value->size) != NULL) {
        return false;
    }
    edgeops_type type = eop_rules_type(NULL, value->as.str, value->size);
    /* A string of JSON is a text whatever digits it has. */
    return type == EDGEOPS_TYPE_STRING || (w->format.json_lines && type == EDGEOPS_TYPE_INT64);
}

static bool is_special(const edgeops_value *value) {
    return eop_type_is_float(value->type) && value->size == 0 && !isfinite(eop_value_double(value));
}

/* A reader leaves such a row out, unless a channel with a type says that it is null. */
static bool is_null_row(const eop_table_writer *w, const edgeops_table *table, uint64_t row) {
    size_t k = 0;
    while (k < w->count &&
           edgeops_column_value(&table->columns[k], row).type == EDGEOPS_TYPE_NULL) {
        k++;
    }
    return k == w->count;
}

static void look_at_quality(column *c, const uint16_t *quality, uint64_t first, uint64_t rows) {
    for (uint64_t i = first; quality != NULL && !c->has_quality && i < rows; i++) {
        c->has_quality = quality[i] != EDGEOPS_QUALITY_NONE;
    }
}

/* Until nothing can change any more. first_rows: how many of them a reader looks at for sure. */
static void look_at_column(const eop_table_writer *w, column *c, const edgeops_column *from,
                           uint64_t first, uint64_t rows, uint64_t first_rows) {
    bool by_text = c->type == EDGEOPS_TYPE_STRING;
    bool by_special = c->type == EDGEOPS_TYPE_FLOAT64;
    for (uint64_t i = first; i < rows; i++) {
        bool wanted = !c->has_value || (by_special && !c->has_special) ||
                      (by_text && !c->has_text && i < first_rows);
        if (!wanted) {
            break;
        }
        edgeops_value value = edgeops_column_value(from, i);
        if (value.type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        if (by_text && (i < first_rows || !c->has_value)) {
            c->has_text = c->has_text || is_text(w, &value);
        }
        c->has_special = c->has_special || is_special(&value);
        c->has_value = true;
    }
}

/* What a row takes in a reader's memory, rather too much. */
static size_t row_bytes(const edgeops_table *table, uint64_t row) {
    size_t bytes = 256;
    for (size_t k = 0; k < table->column_count; k++) {
        const edgeops_column *c = &table->columns[k];
        size_t text = c->offsets != NULL ? c->offsets[row + 1] - c->offsets[row] : 0;
        bytes += 100 + text + (size_t)(c->length > 1 ? c->length : 0) * 32;
    }
    return bytes;
}

/* The rows of this table that are among the file's first. */
static uint64_t first_rows_of(eop_table_writer *w, const edgeops_table *table, uint64_t first) {
    uint64_t row = first;
    while (row < table->rows && (w->rows == 0 || (w->rows < LOOK_ROWS && w->bytes < LOOK_BYTES))) {
        w->bytes += row_bytes(table, row);
        w->rows++;
        row++;
    }
    return row;
}

/* Rows come in the order of their times: few of them are to be remembered. */
static int64_t number_by_reader(eop_table_writer *w, const edgeops_table *table, uint64_t row) {
    int64_t number = 0;
    size_t n = 0;
    w->seqs.limit = SEEN_BYTES;
    for (size_t k = 0; k < w->count && k < table->column_count; k++) {
        const uint8_t *valid = table->columns[k].valid;
        if (valid == NULL || valid[row] != 0) {
            w->ids[n++] = (uint32_t)k;
        }
    }
    eop_seqs_outcome outcome =
        eop_seqs_take(&w->seqs, &w->times, table->times[row], w->ids, n, false, &number);
    w->failed = w->failed || outcome == EOP_SEQS_NO_MEMORY;
    return outcome == EOP_SEQS_OK ? number : -1;
}

static void look_at_seqs(eop_table_writer *w, const edgeops_table *table, uint64_t first) {
    if (w->asset == NULL || strcmp(w->asset, table->asset) != 0) {
        eop_free(w->asset);
        w->asset = eop_strdup(table->asset);
        w->failed = w->failed || w->asset == NULL;
        eop_seqs_times_dispose(&w->times);
    }
    for (uint64_t i = first; !w->put_seq && !w->failed && i < table->rows; i++) {
        int64_t seq = table->seqs != NULL ? table->seqs[i] : 0;
        bool alone = i > first && table->times[i] != table->times[i - 1] && i + 1 < table->rows &&
                     table->times[i] != table->times[i + 1];
        w->has_seq = w->has_seq || seq != 0;
        w->put_seq = seq != (alone ? 0 : number_by_reader(w, table, i));
    }
}

void eop_table_writer_look(eop_table_writer *w, const edgeops_table *table, uint64_t first) {
    uint64_t first_rows = first_rows_of(w, table, first);
    look_at_seqs(w, table, first);
    for (uint64_t i = first; !w->has_null_row && i < table->rows; i++) {
        w->has_null_row = is_null_row(w, table, i);
    }
    for (size_t k = 0; k < w->count && k < table->column_count; k++) {
        look_at_column(w, &w->columns[k], &table->columns[k], first, table->rows, first_rows);
        look_at_quality(&w->columns[k], table->columns[k].quality, first, table->rows);
    }
}

/* -- the head -- */

static bool needs_type(const eop_table_writer *w, const column *c) {
    if (eop_column_name_is_taken(c->name) || w->format.plain_names) {
        return eop_column_name_is_taken(c->name);
    }
    if (w->has_null_row && c == w->columns) {
        return true;
    }
    switch (c->type) {
    case EDGEOPS_TYPE_BLOB:
        return !c->has_value; /* a text that names it */
    case EDGEOPS_TYPE_FLOAT64:
        return c->length > 1 || c->has_special || !c->has_value;
    case EDGEOPS_TYPE_BOOL:
        return !c->has_value;
    case EDGEOPS_TYPE_STRING:
        return !c->has_text;
    default:
        return true;
    }
}

static void put_json_key(eop_buf *key, const eop_buf *name) {
    eop_buf_put(key, ",", 1);
    eop_json_put_string(key, name->data, name->size);
    eop_buf_put(key, ":", 1);
}

static edgeops_status make_keys(eop_table_writer *w, column *c) {
    eop_buf name = {0};
    eop_buf quality = {0};
    eop_column_name_put(&name, c->name, needs_type(w, c) ? c->type : EDGEOPS_TYPE_NULL, c->length);
    eop_column_name_put_quality(&quality, c->name);
    bool done = !name.failed && !quality.failed;
    if (done && w->format.json_lines) {
        put_json_key(&c->key, &name);
        put_json_key(&c->quality_key, &quality);
    } else if (done) {
        eop_csv_put(&c->key, name.data, name.size, ',');
        eop_csv_put(&c->quality_key, quality.data, quality.size, ',');
    }
    eop_buf_dispose(&name);
    eop_buf_dispose(&quality);
    return done && !c->key.failed && !c->quality_key.failed ? EDGEOPS_OK : eop_fail_nomem("node");
}

edgeops_status eop_table_writer_head(eop_table_writer *w, eop_buf *out) {
    edgeops_status status = w->failed ? eop_fail_nomem("node") : EDGEOPS_OK;
    for (size_t k = 0; k < w->count && status == EDGEOPS_OK; k++) {
        status = make_keys(w, &w->columns[k]);
    }
    if (status != EDGEOPS_OK || w->format.json_lines) {
        return status;
    }
    eop_buf_puts(out, w->format.with_asset ? "asset,time" : "time");
    eop_buf_puts(out, w->put_seq ? ",seq" : "");
    for (size_t k = 0; k < w->count; k++) {
        const column *c = &w->columns[k];
        eop_buf_put(out, ",", 1);
        eop_buf_put(out, c->key.data, c->key.size);
        if (c->has_quality) {
            eop_buf_put(out, ",", 1);
            eop_buf_put(out, c->quality_key.data, c->quality_key.size);
        }
    }
    eop_buf_puts(out, w->format.with_labels ? ",label\n" : "\n");
    return out->failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

/* -- rows -- */

static uint16_t quality_of(const edgeops_column *from, uint64_t row) {
    return from->quality != NULL ? from->quality[row] : EDGEOPS_QUALITY_NONE;
}

void eop_table_put_field(eop_buf *out, const edgeops_value *value) {
    if (value->type == EDGEOPS_TYPE_STRING) {
        eop_csv_put(out, value->as.str, value->size, ',');
    } else if (eop_value_is_array(value)) {
        eop_buf_put(out, "\"", 1);
        eop_value_put_text(out, value);
        eop_buf_put(out, "\"", 1);
    } else {
        eop_value_put_text(out, value);
    }
}

static void put_csv_row(eop_table_writer *w, eop_buf *out, const edgeops_table *table, uint64_t row,
                        const char *label) {
    char time[40];
    if (w->format.with_asset) {
        eop_csv_put(out, table->asset, strlen(table->asset), ',');
        eop_buf_put(out, ",", 1);
    }
    eop_buf_put(out, time, eop_format_time(time, table->times[row]));
    if (w->put_seq) {
        eop_buf_printf(out, ",%lld", (long long)(table->seqs != NULL ? table->seqs[row] : 0));
    }
    for (size_t k = 0; k < w->count; k++) {
        edgeops_value value = edgeops_column_value(&table->columns[k], row);
        eop_buf_put(out, ",", 1);
        eop_table_put_field(out, &value);
        if (w->columns[k].has_quality) {
            uint16_t quality = quality_of(&table->columns[k], row);
            eop_buf_put(out, ",", 1);
            if (quality != EDGEOPS_QUALITY_NONE) {
                eop_buf_printf(out, "%u", (unsigned)quality);
            }
        }
    }
    if (w->format.with_labels) {
        eop_buf_put(out, ",", 1);
        eop_csv_put(out, label, label != NULL ? strlen(label) : 0, ',');
    }
    eop_buf_put(out, "\n", 1);
}

static void put_json_value(eop_table_writer *w, eop_buf *out, const edgeops_table *table,
                           uint64_t row, size_t k) {
    const column *c = &w->columns[k];
    edgeops_value value = edgeops_column_value(&table->columns[k], row);
    uint16_t quality = quality_of(&table->columns[k], row);
    /* All channels are in the first row, so that their order and types are known. */
    if (value.type == EDGEOPS_TYPE_NULL && w->rows_put > 0 &&
        (k > 0 || !is_null_row(w, table, row))) {
        return;
    }
    eop_buf_put(out, c->key.data, c->key.size);
    eop_value_put_json_whole(out, &value);
    if (quality != EDGEOPS_QUALITY_NONE && value.type != EDGEOPS_TYPE_NULL) {
        eop_buf_put(out, c->quality_key.data, c->quality_key.size);
        eop_buf_printf(out, "%u", (unsigned)quality);
    }
}

static void put_json_row(eop_table_writer *w, eop_buf *out, const edgeops_table *table,
                         uint64_t row, const char *label) {
    char time[40];
    int64_t seq = table->seqs != NULL ? table->seqs[row] : 0;
    eop_buf_put(out, "{", 1);
    if (w->format.with_asset) {
        eop_buf_puts(out, "\"asset\":");
        eop_json_put_string(out, table->asset, strlen(table->asset));
        eop_buf_put(out, ",", 1);
    }
    eop_format_time(time, table->times[row]);
    eop_buf_printf(out, "\"time\":\"%s\"", time);
    /* The first row says that there are such, wherever the others come. */
    if (w->put_seq || seq != 0 || (w->has_seq && w->rows_put == 0)) {
        eop_buf_printf(out, ",\"seq\":%lld", (long long)seq);
    }
    for (size_t k = 0; k < w->count; k++) {
        put_json_value(w, out, table, row, k);
    }
    if (label != NULL) {
        eop_buf_puts(out, ",\"label\":");
        eop_json_put_string(out, label, strlen(label));
    } else if (w->format.with_labels && w->rows_put == 0) {
        eop_buf_puts(out, ",\"label\":null");
    }
    eop_buf_puts(out, "}\n");
}

void eop_table_writer_row(eop_table_writer *w, eop_buf *out, const edgeops_table *table,
                          uint64_t row, const char *label) {
    if (w->format.json_lines) {
        put_json_row(w, out, table, row, label);
    } else {
        put_csv_row(w, out, table, row, label);
    }
    w->rows_put++;
}
