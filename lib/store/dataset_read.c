/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a frozen dataset and their digest. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/str.h"
#include "store/dataset.h"

void eop_frozen_values_dispose(eop_frozen_values *values) {
    for (size_t i = 0; i < values->part_count; i++) {
        if (values->parts[i].table != NULL) {
            edgeops_table_free(&values->parts[i].table->view);
        }
        eop_free(values->parts[i].labels);
    }
    eop_free(values->parts);
    eop_label_names_dispose(&values->labels);
    *values = (eop_frozen_values){0};
}

/* -- rows -- */

/* Leaves out the rows that have no label. */
static edgeops_status keep_labelled(eop_rows *rows, int32_t *labels) {
    size_t n = 0;
    uint32_t *keep = eop_realloc_array(NULL, rows->rows, sizeof *keep);
    if (keep == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < rows->rows; i++) {
        if (labels[i] >= 0) {
            labels[n] = labels[i];
            keep[n++] = (uint32_t)i;
        }
    }
    edgeops_status status = n < rows->rows ? eop_rows_gather(rows, keep, n) : EDGEOPS_OK;
    eop_free(keep);
    return status;
}

/* Rows of one asset with the columns that `rows` has, and a label for each. */
static edgeops_status read_labelled(eop_rows *rows, int32_t **labels, eop_label_names *names,
                                    edgeops_store *store, const eop_frozen *frozen,
                                    const eop_frozen_asset *asset) {
    static const uint32_t none;
    eop_selection want = {.asset = asset->id,
                          .max_ordinal = asset->max_ordinal,
                          .channels = asset->channels != NULL ? asset->channels : &none};
    edgeops_status status = EDGEOPS_OK;
    *labels = NULL;
    if (eop_time_bounds(&want.from, &want.to, frozen->start, frozen->end)) {
        status = eop_store_read_rows(rows, store, &want);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    int32_t *out = eop_realloc_array(NULL, rows->rows, sizeof *out);
    if (out == NULL) {
        return eop_fail_nomem("store");
    }
    status = eop_label_paint(out, names, &store->catalog, asset->id, frozen->label_version,
                             rows->times, rows->rows);
    if (status == EDGEOPS_OK && frozen->labelled_only) {
        status = keep_labelled(rows, out);
    }
    if (status != EDGEOPS_OK) {
        eop_free(out);
        return status;
    }
    *labels = out;
    return EDGEOPS_OK;
}

edgeops_status eop_frozen_count(uint64_t *out, edgeops_store *store, const eop_frozen *frozen,
                                const eop_frozen_asset *asset) {
    eop_rows keys = {0};
    eop_label_names names = {0};
    int32_t *labels = NULL;
    edgeops_status status = read_labelled(&keys, &labels, &names, store, frozen, asset);
    if (status == EDGEOPS_OK) {
        *out = keys.rows;
    }
    eop_free(labels);
    eop_label_names_dispose(&names);
    eop_rows_dispose(&keys);
    return status;
}

/* -- the digest -- */

static edgeops_status put_hash(eop_buf *text, const void *data, size_t size) {
    char hex[65];
    edgeops_status status = eop_sha256_of(hex, size > 0 ? data : "", size);
    if (status == EDGEOPS_OK) {
        eop_buf_puts(text, hex);
    }
    return status;
}

static edgeops_status put_sizes(eop_buf *text, const uint32_t *offsets, size_t n) {
    eop_sha256 *hash = NULL;
    uint32_t sizes[1024];
    char hex[65];
    edgeops_status status = eop_sha256_new(&hash);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t at = 0; at < n;) {
        size_t count = n - at < EOP_COUNT(sizes) ? n - at : EOP_COUNT(sizes);
        for (size_t i = 0; i < count; i++) {
            sizes[i] = offsets[at + i + 1] - offsets[at + i];
        }
        eop_sha256_update(hash, sizes, count * sizeof *sizes);
        at += count;
    }
    eop_sha256_finish(hash, hex);
    eop_buf_puts(text, hex);
    return EDGEOPS_OK;
}

static bool all_equal(const void *data, size_t size, unsigned char byte) {
    const unsigned char *bytes = data;
    return size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static edgeops_status put_column(eop_buf *text, const eop_vector *vector, size_t rows) {
    edgeops_status status;
    eop_buf_puts(text, "column ");
    if (vector->type == EDGEOPS_TYPE_STRING) {
        const uint32_t *offsets = vector->data;
        status = put_sizes(text, offsets, rows);
        eop_buf_puts(text, " ");
        if (status == EDGEOPS_OK) {
            status = put_hash(text, vector->bytes, rows > 0 ? offsets[rows] : 0);
        }
    } else {
        status = put_hash(text, vector->data, rows * eop_vector_row_bytes(vector));
    }
    eop_buf_puts(text, " ");
    if (vector->nulls == 0) {
        eop_buf_puts(text, "-");
    } else if (status == EDGEOPS_OK) {
        status = put_hash(text, vector->valid, rows);
    }
    eop_buf_puts(text, "\n");
    if (status == EDGEOPS_OK && vector->quality != NULL &&
        !all_equal(vector->quality, rows * sizeof *vector->quality, 0xff)) {
        eop_buf_puts(text, "qualities ");
        status = put_hash(text, vector->quality, rows * sizeof *vector->quality);
        eop_buf_puts(text, "\n");
    }
    return status;
}

static edgeops_status put_part(eop_buf *text, const char *asset, const eop_rows *rows) {
    eop_buf_printf(text, "part %zu %s %zu\ntimes ", strlen(asset), asset, rows->rows);
    edgeops_status status = put_hash(text, rows->times, rows->rows * sizeof *rows->times);
    eop_buf_puts(text, "\nseqs ");
    if (all_equal(rows->seqs, rows->rows * sizeof *rows->seqs, 0)) {
        eop_buf_puts(text, "-");
    } else if (status == EDGEOPS_OK) {
        status = put_hash(text, rows->seqs, rows->rows * sizeof *rows->seqs);
    }
    eop_buf_puts(text, "\n");
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = put_column(text, &rows->vectors[k], rows->rows);
    }
    return status;
}

static void put_head(eop_buf *text, const eop_frozen *frozen, const eop_label_names *labels) {
    eop_buf_puts(text, "edgeops dataset 1\n");
    for (size_t k = 0; k < frozen->channel_count; k++) {
        const edgeops_channel_info *channel = &frozen->channels[k];
        eop_buf_printf(text, "channel %d %zu %s\n", (int)channel->type, strlen(channel->name),
                       channel->name);
        if (channel->length > 1) {
            eop_buf_printf(text, "array %zu %u\n", k, channel->length);
        }
    }
    for (size_t i = 0; i < labels->count; i++) {
        const char *name = labels->items[i]->name;
        eop_buf_printf(text, "label %zu %s\n", strlen(name), name);
    }
}

/* part_texts[i]: the lines of part i without its labels. */
static edgeops_status make_digest(eop_frozen_values *values, const eop_frozen *frozen,
                                  const eop_buf *part_texts) {
    eop_buf text = {0};
    edgeops_status status = EDGEOPS_OK;
    put_head(&text, frozen, &values->labels);
    for (size_t i = 0; status == EDGEOPS_OK && i < values->part_count; i++) {
        const eop_frozen_part *part = &values->parts[i];
        size_t bytes = part->rows * sizeof *part->labels;
        eop_buf_put(&text, part_texts[i].data, part_texts[i].size);
        eop_buf_puts(&text, "labels ");
        if (all_equal(part->labels, bytes, 0xff)) {
            eop_buf_puts(&text, "-");
        } else {
            status = put_hash(&text, part->labels, bytes);
        }
        eop_buf_puts(&text, "\n");
    }
    if (status == EDGEOPS_OK && text.failed) {
        status = eop_fail_nomem("store");
    }
    if (status == EDGEOPS_OK) {
        status = eop_sha256_of(values->digest, text.data, text.size);
    }
    eop_buf_dispose(&text);
    return status;
}

/* -- all parts -- */

static edgeops_status read_part(eop_frozen_part *part, eop_buf *text, eop_label_names *names,
                                edgeops_store *store, const eop_frozen *frozen,
                                const eop_frozen_asset *asset, bool keep) {
    eop_table *table = eop_calloc(1, sizeof *table);
    if (table == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < frozen->channel_count; k++) {
        status =
            eop_rows_add_vector(&table->rows, frozen->channels[k].type, frozen->channels[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = read_labelled(&table->rows, &part->labels, names, store, frozen, asset);
    }
    if (status == EDGEOPS_OK) {
        part->rows = table->rows.rows;
        status = put_part(text, asset->name, &table->rows);
    }
    if (status == EDGEOPS_OK && text->failed) {
        status = eop_fail_nomem("store");
    }
    if (status == EDGEOPS_OK && keep) {
        status = eop_table_name(table, asset->name, frozen->channels, frozen->channel_count);
        if (status == EDGEOPS_OK) {
            status = eop_table_show(table);
        }
        if (status == EDGEOPS_OK) {
            part->table = table;
            table = NULL;
        }
    }
    if (table != NULL) {
        edgeops_table_free(&table->view);
    }
    return status;
}

/* Numbers the labels in their order and counts their rows. */
static edgeops_status number_labels(eop_frozen_values *values) {
    int32_t *map = eop_calloc(values->labels.count, sizeof *map);
    if (map == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < values->part_count; i++) {
        for (size_t r = 0; r < values->parts[i].rows; r++) {
            if (values->parts[i].labels[r] >= 0) {
                values->labels.items[values->parts[i].labels[r]]->rows++;
            }
        }
    }
    eop_label_names_sort(&values->labels, map);
    for (size_t i = 0; i < values->part_count; i++) {
        for (size_t r = 0; r < values->parts[i].rows; r++) {
            int32_t *label = &values->parts[i].labels[r];
            *label = *label >= 0 ? map[*label] : -1;
        }
    }
    eop_free(map);
    return EDGEOPS_OK;
}

edgeops_status eop_frozen_read(eop_frozen_values *values, edgeops_store *store,
                               const eop_frozen *frozen, bool keep) {
    *values = (eop_frozen_values){0};
    edgeops_status status = EDGEOPS_OK;
    eop_buf *texts = eop_calloc(frozen->asset_count, sizeof *texts);
    values->parts = eop_calloc(frozen->asset_count, sizeof *values->parts);
    if (texts == NULL || values->parts == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < frozen->asset_count; i++) {
        values->part_count++;
        status = read_part(&values->parts[i], &texts[i], &values->labels, store, frozen,
                           &frozen->assets[i], keep);
        values->rows += values->parts[i].rows;
    }
    if (status == EDGEOPS_OK) {
        status = number_labels(values);
    }
    if (status == EDGEOPS_OK) {
        status = make_digest(values, frozen, texts);
    }
out:
    for (size_t i = 0; texts != NULL && i < frozen->asset_count; i++) {
        eop_buf_dispose(&texts[i]);
    }
    eop_free(texts);
    if (status != EDGEOPS_OK) {
        eop_frozen_values_dispose(values);
    }
    return status;
}
