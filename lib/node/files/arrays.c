/* SPDX-License-Identifier: Apache-2.0 */
/* Writes samples and datasets as NumPy arrays to a descriptor, piece by piece: a .npz is a zip of
 * them. Texts are measured first, since an array of texts has one width. Job's thread. */
#include "node/files/arrays.h"

#include <string.h>

#include "codec/npy.h"
#include "codec/table_npz.h"
#include "codec/value.h"
#include "node/control/job.h"
#include "node/files/slices.h"
#include "node/home/inputs.h"

#define FLUSH_BYTES      ((size_t)256 * 1024)
#define TEXT_ARRAY_BYTES ((uint64_t)4 << 30)

/* -- the file -- */

static edgeops_status flush(eop_arrays *a, size_t above) {
    if (a->buf.failed) {
        return eop_fail_nomem("node");
    }
    if (a->buf.size <= above) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_job_write(a->job, a->output, a->buf.data, a->buf.size);
    eop_buf_clear(&a->buf);
    return status;
}

edgeops_status eop_array_begin(eop_arrays *a, const char *name, const char *descr, uint64_t rows,
                               uint32_t length, size_t row_bytes) {
    eop_buf head = {0};
    size_t bytes = 0;
    edgeops_status status = EDGEOPS_OK;
    eop_npy_put_header(&head, descr, rows, length);
    if (rows > SIZE_MAX || !eop_mul_size(&bytes, (size_t)rows, row_bytes) ||
        !eop_add_size(&bytes, bytes, head.size)) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node", "array '%s' is too large", name);
    }
    if (status == EDGEOPS_OK && a->npz) {
        char *file = eop_format("%s.npy", name);
        status = file != NULL ? eop_zip_begin(&a->zip, &a->buf, file, bytes, EOP_ZIP_STORED)
                              : eop_fail_nomem("node");
        eop_free(file);
    }
    if (status == EDGEOPS_OK && head.failed) {
        status = eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = eop_array_put(a, head.data, head.size);
    }
    eop_buf_dispose(&head);
    return status;
}

edgeops_status eop_array_put(eop_arrays *a, const void *data, size_t size) {
    const char *from = data;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && size > 0) {
        size_t n = size < FLUSH_BYTES ? size : FLUSH_BYTES;
        if (a->npz) {
            eop_zip_put(&a->zip, &a->buf, from, n);
        } else {
            eop_buf_put(&a->buf, from, n);
        }
        from += n;
        size -= n;
        status = flush(a, FLUSH_BYTES);
    }
    return status;
}

edgeops_status eop_array_end(eop_arrays *a) {
    if (a->npz && a->zip.left != 0) {
        return eop_fail(EDGEOPS_E_BUSY, "node",
                        "rows went while they were written; write them again");
    }
    if (a->npz) {
        eop_zip_end(&a->zip, &a->buf);
    }
    return flush(a, FLUSH_BYTES);
}

edgeops_status eop_arrays_finish(eop_arrays *a) {
    if (a->npz) {
        eop_zip_finish(&a->zip, &a->buf);
    }
    return flush(a, 0);
}

void eop_arrays_dispose(eop_arrays *a) {
    eop_zip_writer_dispose(&a->zip);
    eop_buf_dispose(&a->buf);
}

/* -- texts -- */

static size_t count_characters(const char *text, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

void eop_wide_texts_measure(eop_wide_texts *t, const char *text, size_t size) {
    size_t n = count_characters(text, size);
    t->characters = n > t->characters ? n : t->characters;
}

edgeops_status eop_wide_texts_begin(eop_wide_texts *t, eop_arrays *a, const char *name,
                                    uint64_t rows) {
    t->characters = t->characters > 0 ? t->characters : 1;
    if (rows > TEXT_ARRAY_BYTES / (t->characters * 4)) {
        return eop_fail(EDGEOPS_E_LIMIT, "node",
                        "'%s' has texts of up to %zu characters, and each of the %llu rows takes "
                        "as much: leave it out or write CSV",
                        name, t->characters, (unsigned long long)rows);
    }
    eop_buf descr = {0};
    eop_buf_printf(&descr, "<U%zu", t->characters);
    if (descr.failed) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_array_begin(a, name, descr.data, rows, 0, t->characters * 4);
    eop_buf_dispose(&descr);
    return status;
}

/* One code point of valid UTF-8. */
static uint32_t next_point(const char **at, const char *end) {
    const unsigned char *p = (const unsigned char *)*at;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t point = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n && *at + i < end; i++) {
        point = point << 6 | (p[i] & 0x3fu);
    }
    *at = (size_t)(end - *at) < n ? end : *at + n;
    return point;
}

edgeops_status eop_wide_texts_put(const eop_wide_texts *t, eop_arrays *a, const char *text,
                                  size_t size) {
    uint32_t piece[64];
    const char *end = text + size;
    for (size_t done = 0; done < t->characters;) {
        size_t n = 0;
        for (; n < EOP_COUNT(piece) && done + n < t->characters; n++) {
            piece[n] = text < end ? next_point(&text, end) : 0;
        }
        edgeops_status status = eop_array_put(a, piece, n * sizeof *piece);
        if (status != EDGEOPS_OK) {
            return status;
        }
        done += n;
    }
    return EDGEOPS_OK;
}

/* -- an asset -- */

typedef struct asset_work {
    eop_arrays *a;
    const eop_asset_arrays *what;
    edgeops_summary *summary;
    uint64_t max_ordinal;
    uint64_t rows;
    bool has_quality; /* a code in the channel that was written last */
} asset_work;

typedef edgeops_status (*slice_fn)(asset_work *w, const edgeops_table *table, uint64_t first,
                                   void *user_data);

/* The same rows each time: those that had arrived at the beginning. channel NULL: only times. */
static edgeops_status each_slice(asset_work *w, const char *channel, slice_fn fn, void *user_data) {
    eop_slices *slices = NULL;
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    const char *name = channel != NULL ? channel : w->summary->channels[0].name;
    edgeops_status status = w->rows > 0 ? eop_slices_open(&slices, w->what->store, w->what->asset,
                                                          &name, 1, w->what->start, w->what->end)
                                        : EDGEOPS_DONE;
    if (status == EDGEOPS_OK) {
        eop_slices_limit(slices, w->max_ordinal);
    }
    while (status == EDGEOPS_OK &&
           (status = eop_slices_next(slices, &table, &first)) == EDGEOPS_OK) {
        status = fn(w, table, first, user_data);
        if (status == EDGEOPS_OK && eop_job_canceled(w->a->job)) {
            status = eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
        }
    }
    eop_slices_close(slices);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status put_times(asset_work *w, const edgeops_table *table, uint64_t first,
                                void *user_data) {
    const int64_t *values = user_data != NULL ? table->seqs : table->times;
    return eop_array_put(w->a, values + first, (size_t)(table->rows - first) * sizeof *values);
}

static void look_at_quality(asset_work *w, const edgeops_table *table, uint64_t first) {
    const uint16_t *quality = table->columns[0].quality;
    for (uint64_t i = first; quality != NULL && !w->has_quality && i < table->rows; i++) {
        w->has_quality = quality[i] != EDGEOPS_QUALITY_NONE;
    }
}

static edgeops_status put_numbers(asset_work *w, const edgeops_table *table, uint64_t first,
                                  void *user_data) {
    size_t row_bytes = *(const size_t *)user_data;
    look_at_quality(w, table, first);
    return eop_array_put(w->a, (const char *)table->columns[0].data + first * row_bytes,
                         (size_t)(table->rows - first) * row_bytes);
}

static edgeops_status put_valid(asset_work *w, const edgeops_table *table, uint64_t first,
                                void *user_data) {
    static const uint8_t all = 1;
    const uint8_t *valid = table->columns[0].valid;
    edgeops_status status = EDGEOPS_OK;
    (void)user_data;
    if (valid != NULL) {
        return eop_array_put(w->a, valid + first, (size_t)(table->rows - first));
    }
    for (uint64_t i = first; status == EDGEOPS_OK && i < table->rows; i++) {
        status = eop_array_put(w->a, &all, 1);
    }
    return status;
}

static edgeops_status put_quality(asset_work *w, const edgeops_table *table, uint64_t first,
                                  void *user_data) {
    static const uint16_t none = EDGEOPS_QUALITY_NONE;
    const uint16_t *quality = table->columns[0].quality;
    edgeops_status status = EDGEOPS_OK;
    (void)user_data;
    if (quality != NULL) {
        return eop_array_put(w->a, quality + first, (size_t)(table->rows - first) * sizeof none);
    }
    for (uint64_t i = first; status == EDGEOPS_OK && i < table->rows; i++) {
        status = eop_array_put(w->a, &none, sizeof none);
    }
    return status;
}

typedef struct text_work {
    eop_wide_texts array;
    eop_buf text;
    eop_labels *labels; /* instead of the column */
    bool put;
} text_work;

static edgeops_status put_texts(asset_work *w, const edgeops_table *table, uint64_t first,
                                void *user_data) {
    text_work *t = user_data;
    edgeops_status status = EDGEOPS_OK;
    look_at_quality(w, table, first);
    for (uint64_t row = first; status == EDGEOPS_OK && row < table->rows; row++) {
        eop_buf_clear(&t->text);
        if (t->labels != NULL) {
            const char *label = eop_labels_at(t->labels, table->times[row]);
            eop_buf_puts(&t->text, label != NULL ? label : "");
        } else {
            edgeops_value value = edgeops_column_value(&table->columns[0], row);
            eop_value_put_text(&t->text, &value);
        }
        if (t->text.failed) {
            return eop_fail_nomem("node");
        }
        if (t->put) {
            status = eop_wide_texts_put(&t->array, w->a, t->text.size > 0 ? t->text.data : "",
                                        t->text.size);
        } else {
            eop_wide_texts_measure(&t->array, t->text.size > 0 ? t->text.data : "", t->text.size);
        }
    }
    return status;
}

static edgeops_status write_texts(asset_work *w, const char *name, const char *channel) {
    text_work t = {0};
    edgeops_status status = EDGEOPS_OK;
    for (int turn = 0; status == EDGEOPS_OK && turn < 2; turn++) {
        t.put = turn > 0;
        if (channel == NULL) {
            status = eop_labels_open(&t.labels, w->what->store, w->what->asset);
        }
        if (status == EDGEOPS_OK && t.put) {
            status = eop_wide_texts_begin(&t.array, w->a, name, w->rows);
        }
        if (status == EDGEOPS_OK) {
            status = each_slice(w, channel, put_texts, &t);
        }
        eop_labels_close(t.labels);
        t.labels = NULL;
    }
    eop_buf_dispose(&t.text);
    return status == EDGEOPS_OK ? eop_array_end(w->a) : status;
}

/* The array of a channel: names that mean something else stand behind "channel/". */
static char *array_name(const asset_work *w, const char *channel) {
    return eop_format("%s%s", w->a->npz && eop_npz_name_is_taken(channel) ? "channel/" : "",
                      channel);
}

static edgeops_status write_channel(asset_work *w, size_t number) {
    const edgeops_channel_info *info = &w->summary->channels[number];
    const char *descr = eop_npy_descr(info->type);
    char *name = array_name(w, info->name);
    edgeops_status status = name != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    w->has_quality = false;
    if (status == EDGEOPS_OK && descr == NULL) {
        status = write_texts(w, name, info->name);
    } else if (status == EDGEOPS_OK) {
        size_t row_bytes = eop_type_width(info->type) * (info->length > 1 ? info->length : 1);
        status = eop_array_begin(w->a, name, descr, w->rows, info->length > 1 ? info->length : 0,
                                 row_bytes);
        if (status == EDGEOPS_OK) {
            status = each_slice(w, info->name, put_numbers, &row_bytes);
        }
        if (status == EDGEOPS_OK) {
            status = eop_array_end(w->a);
        }
    }
    eop_free(name);
    return status;
}

/* An array beside that of a channel. */
static edgeops_status write_beside(asset_work *w, size_t number, const char *kind,
                                   const char *descr, size_t bytes, slice_fn put) {
    const edgeops_channel_info *info = &w->summary->channels[number];
    char *name = eop_format("%s/%s", kind, info->name);
    edgeops_status status = name != NULL ? eop_array_begin(w->a, name, descr, w->rows, 0, bytes)
                                         : eop_fail_nomem("node");
    eop_free(name);
    if (status == EDGEOPS_OK) {
        status = each_slice(w, info->name, put, NULL);
    }
    return status == EDGEOPS_OK ? eop_array_end(w->a) : status;
}

static bool has_nulls(const asset_work *w, size_t number) {
    const edgeops_summary *s = w->summary;
    return s->bucket_count > 0 && s->buckets[0].channels[number].nulls > 0;
}

/* A .npy has one array and no masks. Nulls of floats are NaN there, as NumPy's users expect. */
static edgeops_status check_npy(const asset_work *w) {
    const edgeops_channel_info *info = w->summary->channels;
    if (w->a->npz) {
        return EDGEOPS_OK;
    }
    if (w->summary->channel_count != 1) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "a .npy file holds one channel: choose it with --channel, or write a .npz");
    }
    if (has_nulls(w, 0) && !eop_type_is_float(info->type)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "channel '%s' has nulls, and %s has none in a .npy: write a .npz",
                        info->name, eop_type_name(info->type));
    }
    return EDGEOPS_OK;
}

static edgeops_status write_keys(asset_work *w) {
    static const char *const names[] = {"times", "seqs"};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(names); i++) {
        status = eop_array_begin(w->a, names[i], "<i8", w->rows, 0, sizeof(int64_t));
        if (status == EDGEOPS_OK) {
            status = each_slice(w, NULL, put_times, i > 0 ? w : NULL);
        }
        if (status == EDGEOPS_OK) {
            status = eop_array_end(w->a);
        }
    }
    return status;
}

static edgeops_status write_all(asset_work *w) {
    edgeops_status status = check_npy(w);
    if (status == EDGEOPS_OK && w->a->npz && w->summary->channel_count > 0) {
        status = write_keys(w);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < w->summary->channel_count; k++) {
        status = write_channel(w, k);
        if (status == EDGEOPS_OK && w->a->npz && has_nulls(w, k)) {
            status = write_beside(w, k, "valid", "|b1", 1, put_valid);
        }
        if (status == EDGEOPS_OK && w->a->npz && w->has_quality) {
            status = write_beside(w, k, "quality", "<u2", sizeof(uint16_t), put_quality);
        }
    }
    if (status == EDGEOPS_OK && w->what->with_labels && w->a->npz &&
        w->summary->channel_count > 0) {
        status = write_texts(w, "labels", NULL);
    }
    return status == EDGEOPS_OK ? eop_arrays_finish(w->a) : status;
}

edgeops_status eop_asset_arrays_write(uint64_t *rows, eop_arrays *a, const eop_asset_arrays *what) {
    asset_work w = {.a = a, .what = what};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_status status = eop_asset_last_ordinal(&w.max_ordinal, what->store, what->asset);
    query.asset = what->asset;
    query.start = what->start;
    query.end = what->end;
    query.channels = what->channels;
    query.channel_count = what->channel_count;
    query.max_ordinal = w.max_ordinal;
    if (status == EDGEOPS_OK) {
        status = edgeops_store_aggregate(&w.summary, what->store, &query, 0);
    }
    if (status == EDGEOPS_OK) {
        w.rows = w.summary->bucket_count > 0 ? w.summary->buckets[0].rows : 0;
        status = write_all(&w);
        *rows = w.rows;
    }
    edgeops_summary_free(w.summary);
    return status;
}

/* -- a dataset -- */

/* Texts by code; -1 means none. */
static edgeops_status write_codes(eop_arrays *a, const char *name, const int32_t *codes,
                                  uint64_t rows, const char *const *texts, size_t count) {
    eop_wide_texts t = {0};
    for (size_t i = 0; i < count; i++) {
        eop_wide_texts_measure(&t, texts[i], strlen(texts[i]));
    }
    edgeops_status status = eop_wide_texts_begin(&t, a, name, rows);
    for (uint64_t i = 0; status == EDGEOPS_OK && i < rows; i++) {
        const char *text = codes[i] >= 0 ? texts[codes[i]] : "";
        status = eop_wide_texts_put(&t, a, text, strlen(text));
    }
    return status == EDGEOPS_OK ? eop_array_end(a) : status;
}

static edgeops_status write_array(eop_arrays *a, const char *name, const char *descr,
                                  const void *data, uint64_t rows, uint32_t length, size_t bytes) {
    edgeops_status status = eop_array_begin(a, name, descr, rows, length, bytes);
    if (status == EDGEOPS_OK) {
        status = eop_array_put(a, data, (size_t)rows * bytes);
    }
    return status == EDGEOPS_OK ? eop_array_end(a) : status;
}

/* The codes of the rows' subsets in the place of their labels. */
static edgeops_status write_split(eop_arrays *a, const edgeops_dataset_layout *l, uint64_t rows) {
    static const char *const names[] = {"train", "test", "validation"};
    for (uint64_t i = 0; i < rows; i++) {
        l->labels[i] = l->subsets[i];
    }
    return write_codes(a, "split", l->labels, rows, names, EOP_COUNT(names));
}

static edgeops_status write_dataset(eop_arrays *a, const edgeops_dataset *head,
                                    const edgeops_dataset_layout *l) {
    const edgeops_table *first = head->parts[0].table;
    size_t columns = first->column_count;
    uint64_t rows = head->rows;
    edgeops_status status = EDGEOPS_OK;
    const char **names = eop_calloc(head->part_count + columns, sizeof *names);
    int32_t *order = eop_calloc(columns, sizeof *order);
    if (names == NULL || order == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    status = write_array(a, "X", "<f8", l->values, rows, (uint32_t)columns, columns * 8);
    if (status == EDGEOPS_OK) {
        status = write_codes(a, "y", l->labels, rows, head->label_names, head->label_count);
    }
    if (status == EDGEOPS_OK) {
        status = write_array(a, "times", "<i8", l->times, rows, 0, 8);
    }
    for (size_t i = 0; i < head->part_count; i++) {
        names[i] = head->parts[i].table->asset;
    }
    if (status == EDGEOPS_OK) {
        status = write_codes(a, "groups", l->groups, rows, names, head->part_count);
    }
    if (status == EDGEOPS_OK && head->split != EDGEOPS_SPLIT_NONE) {
        status = write_split(a, l, rows);
    }
    for (size_t k = 0; k < columns; k++) {
        names[k] = first->columns[k].name;
        order[k] = (int32_t)k;
    }
    if (status == EDGEOPS_OK) {
        status = write_codes(a, "columns", order, columns, names, columns);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arrays_finish(a);
    }
out:
    eop_free(names);
    eop_free(order);
    return status;
}

/* X is float64. What it cannot hold is never rounded silently. */
static edgeops_status check_exact(const edgeops_dataset *head, const edgeops_dataset_layout *l) {
    const edgeops_table *table = head->parts[0].table;
    for (size_t k = 0; k < table->column_count; k++) {
        edgeops_type type = table->columns[k].type;
        bool wide = type == EDGEOPS_TYPE_INT64 || type == EDGEOPS_TYPE_UINT64;
        for (uint64_t i = 0; wide && i < head->rows; i++) {
            double value = ((const double *)l->values)[i * table->column_count + k];
            if (value >= 0x1p53 || value <= -0x1p53) {
                return eop_fail(
                    EDGEOPS_E_INVALID, "node",
                    "channel '%s' has integers beyond 2^53, which the float64 of X does "
                    "not hold: export as csv, or freeze a dataset without the channel",
                    table->columns[k].name);
            }
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status check_numbers(const edgeops_dataset *head) {
    const edgeops_table *table = head->parts[0].table;
    for (size_t k = 0; k < table->column_count; k++) {
        if (table->columns[k].type == EDGEOPS_TYPE_STRING ||
            table->columns[k].type == EDGEOPS_TYPE_BLOB) {
            return eop_fail(
                EDGEOPS_E_INVALID, "node",
                "channel '%s' is not a number, and X is float64: export as csv, or freeze a "
                "dataset without the channel",
                table->columns[k].name);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_dataset_arrays_write(uint64_t *rows, eop_arrays *a, edgeops_store *store,
                                        const char *dataset) {
    edgeops_dataset *head = NULL;
    edgeops_dataset_layout l = EDGEOPS_DATASET_LAYOUT_INIT;
    edgeops_status status = edgeops_dataset_head(&head, store, dataset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = check_numbers(head);
    if (status != EDGEOPS_OK) {
        edgeops_dataset_free(head);
        return status;
    }
    size_t n = (size_t)head->rows;
    l.capacity = n;
    l.channel_count = head->parts[0].table->column_count;
    l.values = eop_realloc_array(NULL, n, l.channel_count * sizeof(double));
    l.times = eop_realloc_array(NULL, n, sizeof *l.times);
    l.labels = eop_realloc_array(NULL, n, sizeof *l.labels);
    l.groups = eop_realloc_array(NULL, n, sizeof *l.groups);
    l.subsets = eop_realloc_array(NULL, n, 1);
    if (l.values == NULL || l.times == NULL || l.labels == NULL || l.groups == NULL ||
        l.subsets == NULL) {
        status = eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_dataset_read_into(store, dataset, &l);
    }
    if (status == EDGEOPS_OK) {
        status = check_exact(head, &l);
    }
    if (status == EDGEOPS_OK) {
        status = write_dataset(a, head, &l);
        *rows = head->rows;
    }
    eop_free(l.values);
    eop_free(l.times);
    eop_free(l.labels);
    eop_free(l.groups);
    eop_free(l.subsets);
    edgeops_dataset_free(head);
    return status;
}
