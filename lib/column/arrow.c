/* SPDX-License-Identifier: Apache-2.0 */
/* A table as an Arrow record batch. Consumers may move a child out of its parent and release it
 * later, so each node of both trees owns what it points to: a schema its strings, an array a share
 * of the table and the buffers that were made for it. A node is complete before it gets its release
 * callback; its parent owns the memory of the child structs themselves. */
#include "edgeops/arrow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "column/table.h"

/* -- schemas -- */

typedef struct schema_owner {
    char *name;
    char *metadata;
    struct ArrowSchema **list;
    struct ArrowSchema *children;
    char format[32];
} schema_owner;

static void schema_release(struct ArrowSchema *schema) {
    schema_owner *owner = schema->private_data;
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL) {
            schema->children[i]->release(schema->children[i]);
        }
    }
    eop_free(owner->name);
    eop_free(owner->metadata);
    eop_free(owner->list);
    eop_free(owner->children);
    eop_free(owner);
    schema->release = NULL;
}

/* One pair: the number of pairs, then length and bytes of the key and of the value. */
static char *metadata_make(const char *key, const char *value) {
    int32_t sizes[] = {1, (int32_t)strlen(key), (int32_t)strlen(value)};
    char *out = eop_alloc(sizeof sizes + (size_t)sizes[1] + (size_t)sizes[2]);
    char *at = out;
    if (out != NULL) {
        memcpy(at, sizes, 2 * sizeof *sizes);
        at += 2 * sizeof *sizes;
        memcpy(at, key, (size_t)sizes[1]);
        at += sizes[1];
        memcpy(at, &sizes[2], sizeof *sizes);
        memcpy(at + sizeof *sizes, value, (size_t)sizes[2]);
    }
    return out;
}

/* Makes a node; its children have no release callback until the caller makes them. metadata:
 * taken. */
static edgeops_status schema_make(struct ArrowSchema *out, const char *format, const char *name,
                                  char *metadata, int64_t flags, size_t children) {
    schema_owner *owner = eop_calloc(1, sizeof *owner);
    *out = (struct ArrowSchema){0};
    if (owner == NULL) {
        eop_free(metadata);
        return eop_fail_nomem("store");
    }
    owner->metadata = metadata;
    owner->name = eop_strdup(name);
    owner->list = eop_calloc(children, sizeof *owner->list);
    owner->children = eop_calloc(children, sizeof *owner->children);
    if (owner->name == NULL || owner->list == NULL || owner->children == NULL) {
        eop_free(owner->name);
        eop_free(owner->metadata);
        eop_free(owner->list);
        eop_free(owner->children);
        eop_free(owner);
        return eop_fail_nomem("store");
    }
    (void)snprintf(owner->format, sizeof owner->format, "%s", format);
    for (size_t i = 0; i < children; i++) {
        owner->list[i] = &owner->children[i];
    }
    *out = (struct ArrowSchema){.format = owner->format,
                                .name = owner->name,
                                .metadata = owner->metadata,
                                .flags = flags,
                                .n_children = (int64_t)children,
                                .children = children > 0 ? owner->list : NULL,
                                .release = schema_release,
                                .private_data = owner};
    return EDGEOPS_OK;
}

static const char *format_of(edgeops_type type) {
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        return "g";
    case EDGEOPS_TYPE_FLOAT32:
        return "f";
    case EDGEOPS_TYPE_INT8:
        return "c";
    case EDGEOPS_TYPE_INT16:
        return "s";
    case EDGEOPS_TYPE_INT32:
        return "i";
    case EDGEOPS_TYPE_INT64:
        return "l";
    case EDGEOPS_TYPE_UINT8:
        return "C";
    case EDGEOPS_TYPE_UINT16:
        return "S";
    case EDGEOPS_TYPE_UINT32:
        return "I";
    case EDGEOPS_TYPE_UINT64:
        return "L";
    case EDGEOPS_TYPE_BOOL:
        return "b";
    case EDGEOPS_TYPE_STRING:
        return "u";
    default:
        return "n";
    }
}

static edgeops_status column_schema(struct ArrowSchema *out, const edgeops_column *column) {
    char format[32];
    char *metadata = NULL;
    edgeops_status status = EDGEOPS_OK;
    if (column->unit[0] != '\0') {
        metadata = metadata_make("unit", column->unit);
        if (metadata == NULL) {
            return eop_fail_nomem("store");
        }
    }
    if (column->type == EDGEOPS_TYPE_BLOB) {
        status = schema_make(out, "+s", column->name, metadata, ARROW_FLAG_NULLABLE, 2);
        if (status == EDGEOPS_OK) {
            status = schema_make(out->children[0], "w:32", "digest", NULL, ARROW_FLAG_NULLABLE, 0);
        }
        if (status == EDGEOPS_OK) {
            status = schema_make(out->children[1], "L", "size", NULL, ARROW_FLAG_NULLABLE, 0);
        }
        return status;
    }
    if (column->length > 1) {
        (void)snprintf(format, sizeof format, "+w:%u", column->length);
        status = schema_make(out, format, column->name, metadata, ARROW_FLAG_NULLABLE, 1);
        if (status == EDGEOPS_OK) {
            status = schema_make(out->children[0], format_of(column->type), "item", NULL,
                                 ARROW_FLAG_NULLABLE, 0);
        }
        return status;
    }
    return schema_make(out, format_of(column->type), column->name, metadata, ARROW_FLAG_NULLABLE,
                       0);
}

static bool has_channel(const edgeops_table *table, const char *name) {
    for (size_t k = 0; k < table->column_count; k++) {
        if (strcmp(table->columns[k].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A key column is not a channel: if a channel has the same name, the key is renamed. */
static edgeops_status key_schema(struct ArrowSchema *out, const edgeops_table *table,
                                 const char *format, const char *name) {
    size_t size = strlen(name);
    char *free_name = eop_alloc(size + table->column_count + 1);
    if (free_name == NULL) {
        return eop_fail_nomem("store");
    }
    (void)strcpy(free_name, name);
    while (has_channel(table, free_name)) {
        free_name[size++] = '_';
        free_name[size] = '\0';
    }
    edgeops_status status = schema_make(out, format, free_name, NULL, 0, 0);
    eop_free(free_name);
    return status;
}

static edgeops_status table_schema(struct ArrowSchema *out, const edgeops_table *table,
                                   bool with_seqs) {
    char *metadata = metadata_make("asset", table->asset);
    size_t keys = with_seqs ? 2 : 1;
    if (metadata == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = schema_make(out, "+s", "", metadata, 0, keys + table->column_count);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = key_schema(out->children[0], table, "tsn:UTC", "time");
    if (status == EDGEOPS_OK && with_seqs) {
        status = key_schema(out->children[1], table, "l", "seq");
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < table->column_count; k++) {
        status = column_schema(out->children[keys + k], &table->columns[k]);
    }
    if (status != EDGEOPS_OK) {
        schema_release(out);
    }
    return status;
}

/* -- arrays -- */

typedef struct array_owner {
    edgeops_table *table; /* a share of it */
    void *made[2];        /* validity and values, where they are not the table's */
    const void *buffers[3];
    struct ArrowArray **list;
    struct ArrowArray *children;
} array_owner;

static void array_release(struct ArrowArray *array) {
    array_owner *owner = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) {
            array->children[i]->release(array->children[i]);
        }
    }
    edgeops_table_free(owner->table);
    eop_free(owner->made[0]);
    eop_free(owner->made[1]);
    eop_free(owner->list);
    eop_free(owner->children);
    eop_free(owner);
    array->release = NULL;
}

/* Makes a node with empty buffers; the caller makes its children. */
static edgeops_status array_make(struct ArrowArray *out, edgeops_table *table, uint64_t length,
                                 int64_t buffers, size_t children) {
    array_owner *owner = eop_calloc(1, sizeof *owner);
    *out = (struct ArrowArray){0};
    if (owner == NULL) {
        return eop_fail_nomem("store");
    }
    owner->list = eop_calloc(children, sizeof *owner->list);
    owner->children = eop_calloc(children, sizeof *owner->children);
    if (owner->list == NULL || owner->children == NULL) {
        eop_free(owner->list);
        eop_free(owner->children);
        eop_free(owner);
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < children; i++) {
        owner->list[i] = &owner->children[i];
    }
    owner->table = table;
    eop_table_share(table);
    *out = (struct ArrowArray){.length = (int64_t)length,
                               .n_buffers = buffers,
                               .n_children = (int64_t)children,
                               .buffers = owner->buffers,
                               .children = children > 0 ? owner->list : NULL,
                               .release = array_release,
                               .private_data = owner};
    return EDGEOPS_OK;
}

static edgeops_status pack_bits(void **made, const void **buffer, const uint8_t *bytes,
                                uint64_t rows) {
    uint8_t *bits = eop_calloc((size_t)(rows / 8 + 1), 1);
    if (bits == NULL) {
        return eop_fail_nomem("store");
    }
    for (uint64_t i = 0; i < rows; i++) {
        bits[i / 8] |= (uint8_t)((bytes[i] != 0) << (i % 8));
    }
    *made = bits;
    *buffer = bits;
    return EDGEOPS_OK;
}

static edgeops_status set_nulls(struct ArrowArray *out, const edgeops_column *column,
                                uint64_t rows) {
    array_owner *owner = out->private_data;
    if (column->valid == NULL || column->nulls == 0) {
        return EDGEOPS_OK;
    }
    out->null_count = (int64_t)column->nulls;
    return pack_bits(&owner->made[0], &owner->buffers[0], column->valid, rows);
}

/* A column whose buffers are the table's own memory. */
static edgeops_status plain_array(struct ArrowArray *out, edgeops_table *table, uint64_t length,
                                  const void *data) {
    edgeops_status status = array_make(out, table, length, 2, 0);
    if (status == EDGEOPS_OK) {
        out->buffers[1] = data;
    }
    return status;
}

/* One member of the blobs of a column, `size` bytes each. */
static edgeops_status member_array(struct ArrowArray *out, edgeops_table *table,
                                   const edgeops_column *column, size_t offset, size_t size) {
    edgeops_status status = array_make(out, table, table->rows, 2, 0);
    if (status != EDGEOPS_OK) {
        return status;
    }
    array_owner *owner = out->private_data;
    uint8_t *data = eop_calloc((size_t)table->rows, size);
    if (data == NULL) {
        return eop_fail_nomem("store"); /* the parent releases this node */
    }
    const uint8_t *blobs = column->data;
    for (uint64_t i = 0; i < table->rows; i++) {
        memcpy(data + i * size, blobs + i * sizeof(edgeops_blob) + offset, size);
    }
    owner->made[1] = data;
    out->buffers[1] = data;
    return EDGEOPS_OK;
}

static edgeops_status blob_array(struct ArrowArray *out, edgeops_table *table,
                                 const edgeops_column *column) {
    edgeops_status status = array_make(out, table, table->rows, 1, 2);
    if (status == EDGEOPS_OK) {
        status = set_nulls(out, column, table->rows);
    }
    if (status == EDGEOPS_OK) {
        status = member_array(out->children[0], table, column, offsetof(edgeops_blob, digest),
                              sizeof(((edgeops_blob *)0)->digest));
    }
    if (status == EDGEOPS_OK) {
        status = member_array(out->children[1], table, column, offsetof(edgeops_blob, size),
                              sizeof(uint64_t));
    }
    return status;
}

static edgeops_status text_array(struct ArrowArray *out, edgeops_table *table,
                                 const edgeops_column *column) {
    edgeops_status status = EDGEOPS_OK;
    if (table->rows > 0 && column->offsets[table->rows] > INT32_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "asset '%s', channel '%s': Arrow's utf8 holds 2 GiB of text; read fewer "
                        "rows at a time",
                        table->asset, column->name);
    }
    status = array_make(out, table, table->rows, 3, 0);
    if (status == EDGEOPS_OK) {
        status = set_nulls(out, column, table->rows);
        out->buffers[1] = column->offsets;
        out->buffers[2] = column->bytes;
    }
    return status;
}

static edgeops_status column_array(struct ArrowArray *out, edgeops_table *table,
                                   const edgeops_column *column) {
    edgeops_status status = EDGEOPS_OK;
    if (column->type == EDGEOPS_TYPE_BLOB) {
        return blob_array(out, table, column);
    }
    if (column->type == EDGEOPS_TYPE_STRING) {
        return text_array(out, table, column);
    }
    if (column->length > 1) {
        status = array_make(out, table, table->rows, 1, 1);
        if (status == EDGEOPS_OK) {
            status = set_nulls(out, column, table->rows);
        }
        return status == EDGEOPS_OK ? plain_array(out->children[0], table,
                                                  table->rows * column->length, column->data)
                                    : status;
    }
    status = plain_array(out, table, table->rows, column->data);
    if (status == EDGEOPS_OK) {
        status = set_nulls(out, column, table->rows);
    }
    if (status == EDGEOPS_OK && column->type == EDGEOPS_TYPE_BOOL) {
        array_owner *owner = out->private_data;
        status = pack_bits(&owner->made[1], &owner->buffers[1], column->u8, table->rows);
    }
    return status;
}

static edgeops_status table_array(struct ArrowArray *out, edgeops_table *table, bool with_seqs) {
    size_t keys = with_seqs ? 2 : 1;
    edgeops_status status = array_make(out, table, table->rows, 1, keys + table->column_count);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = plain_array(out->children[0], table, table->rows, table->times);
    if (status == EDGEOPS_OK && with_seqs) {
        status = plain_array(out->children[1], table, table->rows, table->seqs);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < table->column_count; k++) {
        status = column_array(out->children[keys + k], table, &table->columns[k]);
    }
    if (status != EDGEOPS_OK) {
        array_release(out);
    }
    return status;
}

/* -- both -- */

static edgeops_status check_table(const edgeops_table *table) {
    if (eop_table_is_borrowed(table)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': the next step of the cursor overwrites this block; give "
                        "edgeops_table_copy() of it",
                        table->asset);
    }
    if (table->times == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': this is the head of a dataset, without rows", table->asset);
    }
    return EDGEOPS_OK;
}

edgeops_status edgeops_table_arrow(struct ArrowSchema *schema, struct ArrowArray *array,
                                   edgeops_table *table) {
    struct ArrowSchema made_schema = {0};
    struct ArrowArray made_array = {0};
    EOP_REQUIRE(table != NULL, "store");
    edgeops_status status = check_table(table);
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool with_seqs = !eop_all_zero(table->seqs, (size_t)table->rows);
    if (schema != NULL) {
        status = table_schema(&made_schema, table, with_seqs);
    }
    if (status == EDGEOPS_OK && array != NULL) {
        status = table_array(&made_array, table, with_seqs);
    }
    if (status != EDGEOPS_OK) {
        if (made_schema.release != NULL) {
            made_schema.release(&made_schema);
        }
        return status;
    }
    if (schema != NULL) {
        *schema = made_schema;
    }
    if (array != NULL) {
        *array = made_array;
    }
    return EDGEOPS_OK;
}

/* -- a stream of one batch -- */

typedef struct stream_owner {
    edgeops_table *table; /* a share of it */
    bool given;
    char error[256];
} stream_owner;

static int stream_result(stream_owner *owner, edgeops_status status) {
    if (status == EDGEOPS_OK) {
        return 0;
    }
    (void)snprintf(owner->error, sizeof owner->error, "%s", edgeops_error_last()->message);
    return status == EDGEOPS_E_NOMEM ? ENOMEM : status == EDGEOPS_E_LIMIT ? EOVERFLOW : EINVAL;
}

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    stream_owner *owner = stream->private_data;
    return stream_result(owner, edgeops_table_arrow(out, NULL, owner->table));
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    stream_owner *owner = stream->private_data;
    if (owner->given) {
        out->release = NULL;
        return 0;
    }
    edgeops_status status = edgeops_table_arrow(NULL, out, owner->table);
    owner->given = status == EDGEOPS_OK;
    return stream_result(owner, status);
}

static const char *stream_error(struct ArrowArrayStream *stream) {
    const stream_owner *owner = stream->private_data;
    return owner->error[0] != '\0' ? owner->error : NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
    stream_owner *owner = stream->private_data;
    edgeops_table_free(owner->table);
    eop_free(owner);
    stream->release = NULL;
}

edgeops_status edgeops_table_arrow_stream(struct ArrowArrayStream *stream, edgeops_table *table) {
    EOP_REQUIRE(stream != NULL && table != NULL, "store");
    edgeops_status status = check_table(table);
    if (status != EDGEOPS_OK) {
        return status;
    }
    stream_owner *owner = eop_calloc(1, sizeof *owner);
    if (owner == NULL) {
        return eop_fail_nomem("store");
    }
    owner->table = table;
    eop_table_share(table);
    *stream = (struct ArrowArrayStream){.get_schema = stream_schema,
                                        .get_next = stream_next,
                                        .get_last_error = stream_error,
                                        .release = stream_release,
                                        .private_data = owner};
    return EDGEOPS_OK;
}
