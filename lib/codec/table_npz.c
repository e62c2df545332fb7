/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays to tables: reads all arrays of a file in step, a batch of rows at a time, so that
 * memory does not grow with the file. A batch of several assets is given in pieces. */
#include "codec/table_npz.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/npz_parts.h"

#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_ROWS  ((size_t)16384)
#define NOWHERE     SIZE_MAX

/* -- opening -- */

static bool has_texts(const eop_npz_array *a) {
    return eop_npz_field(a)->element.type == EDGEOPS_TYPE_STRING;
}

static bool has_counts(const eop_npz_array *a) {
    return eop_npz_field(a)->element.time || eop_npz_field(a)->element.span;
}

static bool has_data(const eop_npz_array *a) {
    return a->role != EOP_NPZ_SKIPPED && a->role != EOP_NPZ_TIMES;
}

static bool prepare_array(eop_npz_array *a, size_t batch) {
    size_t width = eop_type_width(eop_npz_field(a)->element.type) * a->length;
    bool done = true;
    if (has_texts(a)) {
        a->offsets = eop_calloc(batch + 1, sizeof *a->offsets);
        done = a->offsets != NULL;
    } else {
        a->data = eop_calloc(batch, width);
        done = a->data != NULL;
    }
    if (a->mask != NULL || has_counts(a) || a->nan_is_null) {
        a->valid = eop_calloc(batch, 1);
        done = done && a->valid != NULL;
    }
    if (a->codes != NULL) {
        a->quality = eop_calloc(batch, sizeof *a->quality);
        done = done && a->quality != NULL;
    }
    return done;
}

/* Bytes of a row in all sources and in memory; at least 16. */
static edgeops_status measure_row(const eop_npz *npz, size_t *out) {
    size_t bytes = 16;
    bool fits = true;
    for (size_t i = 0; i < npz->source_count; i++) {
        if (!npz->sources[i]->used) {
            continue;
        }
        fits = fits && eop_add_size(&bytes, bytes, npz->sources[i]->npy.row_bytes);
    }
    for (size_t i = 0; i < npz->count; i++) {
        const eop_npz_array *a = &npz->arrays[i];
        size_t width = 4;
        if (has_data(a)) {
            width += eop_type_width(eop_npz_field(a)->element.type) * a->length;
        }
        fits = fits && eop_add_size(&bytes, bytes, width);
    }
    *out = bytes;
    return fits ? EDGEOPS_OK
                : eop_fail(EDGEOPS_E_INVALID, "codec", "%s has rows that are too long",
                           npz->options.what);
}

static edgeops_status prepare_sources(eop_npz *npz) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < npz->source_count && status == EDGEOPS_OK; i++) {
        if (npz->sources[i]->used) {
            status = eop_npz_source_prepare(npz->sources[i], npz->batch);
        }
    }
    return status;
}

static edgeops_status prepare_arrays(eop_npz *npz) {
    size_t row_bytes = 0;
    for (size_t i = 0; i < npz->count; i++) {
        if (npz->arrays[i].role != EOP_NPZ_SKIPPED) {
            npz->arrays[i].source->used = true;
        }
    }
    edgeops_status status = measure_row(npz, &row_bytes);
    if (status != EDGEOPS_OK) {
        return status;
    }
    npz->batch = BATCH_BYTES / row_bytes;
    npz->batch = npz->batch < 1 ? 1 : npz->batch > BATCH_ROWS ? BATCH_ROWS : npz->batch;
    npz->times = eop_calloc(npz->batch, sizeof *npz->times);
    npz->seqs = eop_calloc(npz->batch, sizeof *npz->seqs);
    npz->columns = eop_calloc(npz->channel_count, sizeof *npz->columns);
    npz->ids = eop_calloc(npz->channel_count, sizeof *npz->ids);
    bool skip = npz->options.bad_rows == EOP_BAD_SKIP;
    npz->bad.rows = skip ? eop_calloc(npz->batch, sizeof *npz->bad.rows) : NULL;
    if (npz->times == NULL || npz->seqs == NULL || npz->columns == NULL || npz->ids == NULL ||
        (skip && npz->bad.rows == NULL)) {
        return eop_fail_nomem("codec");
    }
    status = prepare_sources(npz);
    for (size_t i = 0; i < npz->count && status == EDGEOPS_OK; i++) {
        if (has_data(&npz->arrays[i]) && !prepare_array(&npz->arrays[i], npz->batch)) {
            status = eop_fail_nomem("codec");
        }
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
    npz->options.period = options->period > 0 ? options->period : EDGEOPS_SECOND;
    npz->report = eop_report_new();
    npz->bad = (eop_npz_bad){.what = npz->options.what,
                             .report = npz->report,
                             .on_bad = options->on_bad,
                             .user_data = options->user_data};
    edgeops_status status = npz->report != NULL
                                ? eop_times_new(&npz->times_rules, &npz->options.times)
                                : eop_fail_nomem("codec");
    if (status == EDGEOPS_OK) {
        status = eop_npz_open_arrays(npz);
    }
    if (status == EDGEOPS_OK && npz->options.channel == NULL) {
        status = eop_npz_split_dataset(npz);
    }
    if (status == EDGEOPS_OK) {
        status = eop_npz_set_roles(npz);
    }
    if (status == EDGEOPS_OK) {
        status = prepare_arrays(npz);
    }
    if (status != EDGEOPS_OK) {
        eop_npz_close(npz);
        return status;
    }
    eop_report_zone(npz->report, npz->options.times.zone);
    *out = npz;
    return EDGEOPS_OK;
}

void eop_npz_close(eop_npz *npz) {
    if (npz == NULL) {
        return;
    }
    for (size_t i = 0; i < npz->source_count; i++) {
        eop_npz_source_dispose(npz->sources[i]);
        eop_free(npz->sources[i]);
    }
    for (size_t i = 0; i < npz->count; i++) {
        eop_npz_array *a = &npz->arrays[i];
        eop_buf_dispose(&a->text);
        eop_free(a->name);
        eop_free(a->data);
        eop_free(a->offsets);
        eop_free(a->valid);
        eop_free(a->quality);
    }
    eop_zip_dispose(&npz->zip);
    eop_times_free(npz->times_rules);
    eop_report_free(npz->report);
    eop_seqs_dispose(&npz->seqs_known);
    eop_free(npz->ids);
    eop_buf_dispose(&npz->asset);
    eop_free(npz->sources);
    eop_free(npz->arrays);
    eop_free(npz->channels);
    eop_free(npz->channel_arrays);
    eop_free(npz->columns);
    eop_free(npz->times);
    eop_free(npz->seqs);
    eop_free(npz->bad.rows);
    eop_free(npz);
}

/* -- a batch -- */

static edgeops_status bad_row(const eop_npz *npz, const eop_npz_array *a, size_t row,
                              const char *why) {
    return eop_npz_refuse(&npz->bad, row, a->name, why, NULL);
}

static edgeops_status take_texts(eop_npz *npz, eop_npz_array *a, size_t n) {
    eop_buf_clear(&a->text);
    a->offsets[0] = 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t row = 0; row < n && status == EDGEOPS_OK; row++) {
        size_t before = a->text.size;
        bool read = eop_npz_source_text(&a->text, a->source, eop_npz_field(a), a->first, row);
        if (!read || a->text.size > UINT32_MAX) {
            a->text.size = before;
            status = bad_row(npz, a, row,
                             read ? "has a text that is too long"
                                  : "has a text that is not Unicode, or has a NUL");
        }
        a->offsets[row + 1] = (uint32_t)a->text.size;
    }
    return status == EDGEOPS_OK && a->text.failed ? eop_fail_nomem("codec") : status;
}

/* Counts of a datetime64 or timedelta64 in place; NaT is null. A null's count does not matter. */
static edgeops_status count_ns(const eop_npz *npz, eop_npz_array *a, size_t n) {
    int64_t *counts = a->data;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < n * a->length && status == EDGEOPS_OK; i++) {
        size_t row = i / a->length;
        a->valid[row] = (i % a->length == 0 || a->valid[row] != 0) && counts[i] != INT64_MIN;
        if (counts[i] == INT64_MIN) {
            counts[i] = 0;
        } else if (!eop_npy_time(&counts[i], &eop_npz_field(a)->element, counts[i])) {
            status = bad_row(npz, a, row, "is beyond the years 1677 to 2262");
        }
    }
    return status;
}

static edgeops_status take_array(eop_npz *npz, eop_npz_array *a, size_t n) {
    if (has_texts(a)) {
        return take_texts(npz, a, n);
    }
    eop_npz_source_take(a->data, a->source, eop_npz_field(a), a->first, a->length, n);
    for (size_t i = 0; a->nan_is_null && i < n; i++) {
        double value = 0;
        memcpy(&value, (const char *)a->data + i * sizeof value, sizeof value);
        a->valid[i] = !isnan(value);
    }
    return has_counts(a) ? count_ns(npz, a, n) : EDGEOPS_OK;
}

/* What masks and quality codes say of a channel's rows. */
static edgeops_status take_beside(eop_npz *npz, eop_npz_array *a, size_t n) {
    const uint8_t *mask = a->mask != NULL ? a->mask->data : NULL;
    for (size_t i = 0; mask != NULL && i < n; i++) {
        a->valid[i] = mask[i] != 0 && (!has_counts(a) || a->valid[i] != 0);
    }
    for (size_t i = 0; a->codes != NULL && i < n; i++) {
        edgeops_type type = eop_npz_field(a->codes)->element.type;
        edgeops_value value =
            eop_value_load(type, (const char *)a->codes->data + i * eop_type_width(type));
        if (value.as.u64 > UINT16_MAX) {
            edgeops_status status =
                bad_row(npz, a->codes, i, "is not a quality code of 0 to 65535");
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
        bool null = a->valid != NULL && a->valid[i] == 0;
        a->quality[i] = null ? EDGEOPS_QUALITY_NONE : (uint16_t)value.as.u64;
    }
    return EDGEOPS_OK;
}

static edgeops_status make_times(eop_npz *npz, size_t n) {
    const eop_npz_options *o = &npz->options;
    if (npz->by_time != NULL) {
        return eop_npz_times_take(npz->times, &npz->by_time_as, npz->by_time->source,
                                  eop_npz_field(npz->by_time), n);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t value = (int64_t)(npz->at + i);
        if (__builtin_mul_overflow(value, o->period, &npz->times[i]) ||
            __builtin_add_overflow(npz->times[i], o->start, &npz->times[i])) {
            return eop_fail(EDGEOPS_E_INVALID, "codec",
                            "%s: row %llu has no time from 1677 to 2262", o->what,
                            (unsigned long long)(npz->at + i + 1));
        }
        if (!eop_npz_is_bad(&npz->bad, i)) {
            eop_report_time(npz->report, npz->times[i], NULL);
        }
    }
    return EDGEOPS_OK;
}

static bool same_text(const eop_npz_array *a, size_t i, size_t k) {
    size_t size = a->offsets[i + 1] - a->offsets[i];
    return size == a->offsets[k + 1] - a->offsets[k] &&
           memcmp(a->text.data + a->offsets[i], a->text.data + a->offsets[k], size) == 0;
}

/* The channels of which a row has a value. sparse: some of the batch have none. */
static size_t find_values(eop_npz *npz, size_t row, bool sparse) {
    size_t n = 0;
    for (size_t k = 0; k < npz->channel_count; k++) {
        const uint8_t *valid = npz->channel_arrays[k]->valid;
        if (!sparse || valid == NULL || valid[row] != 0) {
            npz->ids[n++] = (uint32_t)k;
        }
    }
    return n;
}

static bool is_sparse(const eop_npz *npz, size_t n) {
    bool sparse = false;
    for (size_t k = 0; k < npz->channel_count && !sparse; k++) {
        const uint8_t *valid = npz->channel_arrays[k]->valid;
        sparse = valid != NULL && memchr(valid, 0, n) != NULL;
    }
    return sparse;
}

static edgeops_status refuse_number(const eop_npz *npz, size_t row, eop_seqs_outcome outcome) {
    if (outcome == EOP_SEQS_NO_MEMORY) {
        return eop_fail_nomem("codec");
    }
    return eop_fail(EDGEOPS_E_LIMIT, "codec", "%s: row %llu: %s", npz->options.what,
                    (unsigned long long)(npz->at + row + 1),
                    outcome == EOP_SEQS_FORGOTTEN
                        ? "times step back behind more rows than are remembered: sort the rows by "
                          "time, or number those of one time (an array 'seqs')"
                        : "no sequence number is left for it at its time");
}

/* The rows' numbers among those of their asset and time, wherever they stand. */
static edgeops_status number_rows(eop_npz *npz, size_t n) {
    const eop_npz_array *a = npz->assets;
    bool sparse = !npz->is_dataset && is_sparse(npz, n); /* a dataset has no parts of rows */
    eop_seqs_times *times = NULL;
    size_t last = 0;
    size_t count = find_values(npz, 0, false);
    for (size_t i = 0; i < n && npz->by_time != NULL; i++) {
        if (eop_npz_is_bad(&npz->bad, i)) {
            continue;
        }
        if (times == NULL || (a != NULL && !same_text(a, i, last))) {
            size_t at = a != NULL ? a->offsets[i] : 0;
            size_t size = a != NULL ? a->offsets[i + 1] - at : 0;
            times = eop_seqs_asset(&npz->seqs_known, size > 0 ? a->text.data + at : "", size, 0);
        }
        if (times == NULL) {
            return eop_fail_nomem("codec");
        }
        count = sparse ? find_values(npz, i, true) : count;
        eop_seqs_outcome outcome = eop_seqs_take(&npz->seqs_known, times, npz->times[i], npz->ids,
                                                 count, false, &npz->seqs[i]);
        if (outcome != EOP_SEQS_OK) {
            return refuse_number(npz, i, outcome);
        }
        last = i;
    }
    return EDGEOPS_OK;
}

static edgeops_status take_seqs(eop_npz *npz, size_t n) {
    const eop_npz_array *a = npz->by_seq;
    edgeops_status status = EDGEOPS_OK;
    edgeops_type type = a != NULL ? eop_npz_field(a)->element.type : EDGEOPS_TYPE_INT64;
    for (size_t i = 0; a != NULL && i < n && status == EDGEOPS_OK; i++) {
        edgeops_value value =
            eop_value_load(type, (const char *)a->data + i * eop_type_width(type));
        if (eop_type_is_unsigned(type) && value.as.u64 > INT64_MAX) {
            status = bad_row(npz, a, i, "is beyond int64");
        }
        npz->seqs[i] = value.as.i64;
    }
    return status;
}

static void count_values(eop_npz *npz, size_t n) {
    for (size_t k = 0; k < npz->channel_count; k++) {
        const uint8_t *valid = npz->channel_arrays[k]->valid;
        for (size_t i = 0; i < n; i++) {
            if (eop_npz_is_bad(&npz->bad, i)) {
                continue;
            }
            if (valid != NULL && valid[i] == 0) {
                eop_report_null(npz->report, k, NULL);
            } else {
                eop_report_value(npz->report, k);
            }
        }
    }
}

static edgeops_status read_batch(eop_npz *npz, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    npz->bad.at = npz->at;
    if (npz->bad.rows != NULL) {
        memset(npz->bad.rows, 0, npz->batch);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->source_count; i++) {
        status = npz->sources[i]->used ? eop_npz_source_read(npz->sources[i], n) : EDGEOPS_OK;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->count; i++) {
        if (has_data(&npz->arrays[i])) {
            status = take_array(npz, &npz->arrays[i], n);
        }
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < npz->channel_count; k++) {
        status = take_beside(npz, npz->channel_arrays[k], n);
    }
    if (status == EDGEOPS_OK) {
        status = take_seqs(npz, n);
    }
    if (status == EDGEOPS_OK) {
        status = make_times(npz, n); /* what is bad by then counts for no time */
    }
    if (status == EDGEOPS_OK && npz->by_seq == NULL) {
        status = number_rows(npz, n);
    }
    if (status == EDGEOPS_OK) {
        count_values(npz, n);
        npz->filled = n;
        npz->given = 0;
    }
    return status;
}

/* -- tables -- */

/* The good rows of one asset from `first` on. */
static size_t run_length(const eop_npz *npz, size_t first) {
    bool whole = npz->assets == NULL && npz->bad.rows == NULL;
    size_t end = whole ? npz->filled : first + 1;
    while (end < npz->filled && !eop_npz_is_bad(&npz->bad, end) &&
           (npz->assets == NULL || same_text(npz->assets, first, end))) {
        end++;
    }
    return end - first;
}

static edgeops_status name_asset(eop_npz *npz, size_t row) {
    const char *pattern = npz->options.asset;
    const eop_npz_array *a = npz->assets;
    if (a == NULL) {
        npz->table.asset = pattern;
        return EDGEOPS_OK;
    }
    eop_buf_clear(&npz->asset);
    eop_buf_put(&npz->asset, pattern, strcspn(pattern, "{"));
    eop_buf_put(&npz->asset, a->text.data != NULL ? a->text.data + a->offsets[row] : "",
                a->offsets[row + 1] - a->offsets[row]);
    eop_buf_puts(&npz->asset, strchr(pattern, '}') + 1);
    eop_buf_put(&npz->asset, "", 1);
    npz->table.asset = npz->asset.data;
    return npz->asset.failed ? eop_fail_nomem("codec") : EDGEOPS_OK;
}

static void show_column(edgeops_column *column, const eop_table_column *channel,
                        const eop_npz_array *a, size_t first, size_t n) {
    size_t width = eop_type_width(channel->type) * channel->length;
    void *data = a->data != NULL ? (char *)a->data + first * width : NULL;
    bool scalar = channel->length == 1;
    *column = (edgeops_column){.name = channel->name,
                               .unit = channel->unit != NULL ? channel->unit : "",
                               .type = channel->type,
                               .length = channel->length,
                               .data = data};
    column->f64 = scalar && column->type == EDGEOPS_TYPE_FLOAT64 ? data : NULL;
    column->i64 = scalar && column->type == EDGEOPS_TYPE_INT64 ? data : NULL;
    column->u8 = scalar && column->type == EDGEOPS_TYPE_BOOL ? data : NULL;
    column->offsets = a->offsets != NULL ? a->offsets + first : NULL;
    column->bytes = a->text.data != NULL ? a->text.data : "";
    column->valid = a->valid != NULL ? a->valid + first : NULL;
    column->quality = a->quality != NULL ? a->quality + first : NULL;
    for (size_t i = 0; column->valid != NULL && i < n; i++) {
        column->nulls += column->valid[i] == 0;
    }
}

/* Goes to the next good row, with the next batch if need be. */
static edgeops_status find_row(eop_npz *npz) {
    for (;;) {
        while (npz->given < npz->filled && eop_npz_is_bad(&npz->bad, npz->given)) {
            npz->given++;
        }
        if (npz->given < npz->filled) {
            return EDGEOPS_OK;
        }
        npz->at += npz->filled;
        npz->filled = npz->given = 0;
        uint64_t left = npz->rows - npz->at;
        if (left == 0) {
            return EDGEOPS_DONE;
        }
        edgeops_status status = read_batch(npz, left < npz->batch ? (size_t)left : npz->batch);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

edgeops_status eop_npz_next(eop_npz *npz, const edgeops_table **table) {
    edgeops_status status = find_row(npz);
    if (status != EDGEOPS_OK) {
        return status;
    }
    size_t first = npz->given;
    size_t n = run_length(npz, first);
    status = name_asset(npz, first);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t k = 0; k < npz->channel_count; k++) {
        show_column(&npz->columns[k], &npz->channels[k], npz->channel_arrays[k], first, n);
    }
    npz->table = (edgeops_table){.asset = npz->table.asset,
                                 .rows = n,
                                 .times = npz->times + first,
                                 .seqs = npz->seqs + first,
                                 .column_count = npz->channel_count,
                                 .columns = npz->columns};
    npz->first = first;
    npz->given += n;
    *table = &npz->table;
    return EDGEOPS_OK;
}

void eop_npz_label(const eop_npz *npz, uint64_t row, const char **text, size_t *size) {
    const eop_npz_array *a = npz->labels;
    size_t at = npz->first + (size_t)row;
    *text = a != NULL && a->text.data != NULL ? a->text.data + a->offsets[at] : "";
    *size = a != NULL ? a->offsets[at + 1] - a->offsets[at] : 0;
}

uint64_t eop_npz_rows(const eop_npz *npz) {
    return npz->rows;
}

size_t eop_npz_channels(const eop_npz *npz, const eop_table_column **out) {
    *out = npz->channels;
    return npz->channel_count;
}

eop_json *eop_npz_report(const eop_npz *npz) {
    eop_report_clocks(npz->report);
    eop_seqs_note(&npz->seqs_known, npz->report);
    return eop_report_json(npz->report);
}
