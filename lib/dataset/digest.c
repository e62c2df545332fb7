/* SPDX-License-Identifier: Apache-2.0 */
/* Computes the digest of a dataset piece by piece, in the memory of one batch. frozen.h has the
 * text that is hashed. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dataset/frozen.h"

/* A hash of bytes that are mostly all the same: it is only computed once a different byte comes. */
typedef struct rare_hash {
    eop_sha256 *hash;
    uint64_t same; /* bytes before the hash was begun */
    uint8_t byte;
} rare_hash;

typedef struct column_hash {
    eop_sha256 *data; /* for texts: of their sizes */
    eop_sha256 *text;
    rare_hash valid;
    rare_hash qualities;
} column_hash;

struct eop_part_hash {
    uint64_t rows;
    eop_sha256 *times;
    rare_hash seqs;
    rare_hash labels;
    eop_sha256 *subsets;
    column_hash *columns;
    size_t column_count;
};

/* -- rare bytes -- */

static bool all_same(const void *data, size_t size, uint8_t byte) {
    const uint8_t *bytes = data;
    return size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void add_same(eop_sha256 *hash, uint8_t byte, uint64_t count) {
    uint8_t block[4096];
    memset(block, byte, sizeof block);
    while (count > 0) {
        size_t n = count < sizeof block ? (size_t)count : sizeof block;
        eop_sha256_update(hash, block, n);
        count -= n;
    }
}

/* data NULL: count times the usual byte. */
static edgeops_status rare_add(rare_hash *rare, const void *data, size_t size) {
    if (rare->hash == NULL) {
        if (data == NULL || all_same(data, size, rare->byte)) {
            rare->same += size;
            return EDGEOPS_OK;
        }
        edgeops_status status = eop_sha256_new(&rare->hash);
        if (status != EDGEOPS_OK) {
            return status;
        }
        add_same(rare->hash, rare->byte, rare->same);
    }
    if (data == NULL) {
        add_same(rare->hash, rare->byte, size);
    } else {
        eop_sha256_update(rare->hash, data, size);
    }
    return EDGEOPS_OK;
}

static void put_finished(eop_buf *text, eop_sha256 **hash) {
    char hex[65];
    eop_sha256_finish(*hash, hex);
    *hash = NULL;
    eop_buf_puts(text, hex);
}

static void put_rare(eop_buf *text, rare_hash *rare) {
    if (rare->hash == NULL) {
        eop_buf_puts(text, "-");
    } else {
        put_finished(text, &rare->hash);
    }
}

/* -- a part -- */

void eop_part_hash_free(eop_part_hash *hash) {
    if (hash == NULL) {
        return;
    }
    for (size_t k = 0; hash->columns != NULL && k < hash->column_count; k++) {
        eop_sha256_free(hash->columns[k].data);
        eop_sha256_free(hash->columns[k].text);
        eop_sha256_free(hash->columns[k].valid.hash);
        eop_sha256_free(hash->columns[k].qualities.hash);
    }
    eop_sha256_free(hash->times);
    eop_sha256_free(hash->seqs.hash);
    eop_sha256_free(hash->labels.hash);
    eop_sha256_free(hash->subsets);
    eop_free(hash->columns);
    eop_free(hash);
}

edgeops_status eop_part_hash_new(eop_part_hash **out, const eop_frozen *frozen) {
    *out = NULL;
    eop_part_hash *hash = eop_calloc(1, sizeof *hash);
    if (hash == NULL) {
        return eop_fail_nomem("store");
    }
    hash->labels.byte = 0xff;
    hash->column_count = frozen->channel_count;
    hash->columns = eop_calloc(frozen->channel_count, sizeof *hash->columns);
    edgeops_status status = hash->columns != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    if (status == EDGEOPS_OK) {
        status = eop_sha256_new(&hash->times);
    }
    if (status == EDGEOPS_OK && frozen->spec.split != EDGEOPS_SPLIT_NONE) {
        status = eop_sha256_new(&hash->subsets);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < hash->column_count; k++) {
        column_hash *column = &hash->columns[k];
        column->valid.byte = 1;
        column->qualities.byte = 0xff;
        status = eop_sha256_new(&column->data);
        if (status == EDGEOPS_OK && frozen->channels[k].type == EDGEOPS_TYPE_STRING) {
            status = eop_sha256_new(&column->text);
        }
    }
    if (status != EDGEOPS_OK) {
        eop_part_hash_free(hash);
        return status;
    }
    *out = hash;
    return EDGEOPS_OK;
}

static void add_sizes(eop_sha256 *hash, const uint32_t *offsets, size_t n) {
    uint32_t sizes[1024];
    for (size_t at = 0; at < n;) {
        size_t count = n - at < EOP_COUNT(sizes) ? n - at : EOP_COUNT(sizes);
        for (size_t i = 0; i < count; i++) {
            sizes[i] = offsets[at + i + 1] - offsets[at + i];
        }
        eop_sha256_update(hash, sizes, count * sizeof *sizes);
        at += count;
    }
}

static edgeops_status add_column(column_hash *column, const eop_vector *vector, size_t rows) {
    if (vector->type == EDGEOPS_TYPE_STRING) {
        const uint32_t *offsets = vector->data;
        add_sizes(column->data, offsets, rows);
        if (offsets[rows] > 0) {
            eop_sha256_update(column->text, vector->bytes, offsets[rows]);
        }
    } else {
        eop_sha256_update(column->data, vector->data, rows * eop_vector_row_bytes(vector));
    }
    edgeops_status status =
        rare_add(&column->valid, vector->nulls > 0 ? vector->valid : NULL, rows);
    return status == EDGEOPS_OK
               ? rare_add(&column->qualities, vector->quality, rows * sizeof *vector->quality)
               : status;
}

edgeops_status eop_part_hash_add(eop_part_hash *hash, const eop_batch *batch) {
    const eop_rows *rows = &batch->rows;
    size_t n = rows->rows;
    eop_sha256_update(hash->times, rows->times, n * sizeof *rows->times);
    edgeops_status status = rare_add(&hash->seqs, rows->seqs, n * sizeof *rows->seqs);
    for (size_t k = 0; status == EDGEOPS_OK && k < hash->column_count; k++) {
        status = add_column(&hash->columns[k], &rows->vectors[k], n);
    }
    if (status == EDGEOPS_OK) {
        status = rare_add(&hash->labels, batch->labels, n * sizeof *batch->labels);
    }
    if (hash->subsets != NULL) {
        eop_sha256_update(hash->subsets, batch->subsets, n);
    }
    hash->rows += n;
    return status;
}

void eop_part_hash_finish(eop_buf *text, eop_part_hash *hash, const char *asset) {
    eop_buf_printf(text, "part %zu %s %llu\ntimes ", strlen(asset), asset,
                   (unsigned long long)hash->rows);
    put_finished(text, &hash->times);
    eop_buf_puts(text, "\nseqs ");
    put_rare(text, &hash->seqs);
    eop_buf_puts(text, "\n");
    for (size_t k = 0; k < hash->column_count; k++) {
        column_hash *column = &hash->columns[k];
        eop_buf_puts(text, "column ");
        put_finished(text, &column->data);
        if (column->text != NULL) {
            eop_buf_puts(text, " ");
            put_finished(text, &column->text);
        }
        eop_buf_puts(text, " ");
        put_rare(text, &column->valid);
        eop_buf_puts(text, "\n");
        if (column->qualities.hash != NULL) {
            eop_buf_puts(text, "qualities ");
            put_finished(text, &column->qualities.hash);
            eop_buf_puts(text, "\n");
        }
    }
    eop_buf_puts(text, "labels ");
    put_rare(text, &hash->labels);
    eop_buf_puts(text, "\n");
    if (hash->subsets != NULL) {
        eop_buf_puts(text, "subsets ");
        put_finished(text, &hash->subsets);
        eop_buf_puts(text, "\n");
    }
    eop_part_hash_free(hash);
}

void eop_digest_head(eop_buf *text, const eop_frozen *frozen) {
    const eop_spec *spec = &frozen->spec;
    eop_buf_puts(text, "edgeops dataset 1\n");
    if (spec->period > 0) {
        eop_buf_printf(text, "period %lld\n", (long long)spec->period);
    }
    if (spec->window_rows > 0) {
        eop_buf_printf(text, "window rows %u %u\n", spec->window_rows, spec->window_step);
    } else if (spec->window_time > 0) {
        eop_buf_printf(text, "window time %lld %lld\n", (long long)spec->window_time,
                       (long long)spec->step_time);
    }
    for (size_t k = 0; k < frozen->channel_count; k++) {
        const edgeops_channel_info *channel = &frozen->channels[k];
        eop_buf_printf(text, "channel %d %zu %s\n", (int)channel->type, strlen(channel->name),
                       channel->name);
        if (channel->length > 1) {
            eop_buf_printf(text, "array %zu %u\n", k, channel->length);
        }
    }
    for (size_t i = 0; i < frozen->labels.count; i++) {
        const char *name = frozen->labels.items[i]->name;
        eop_buf_printf(text, "label %zu %s\n", strlen(name), name);
    }
}
