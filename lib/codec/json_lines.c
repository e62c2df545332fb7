/* SPDX-License-Identifier: Apache-2.0 */
/* Objects to records. Names get their place when they are first met and keep it; a record that
 * lacks one has an absent field there. Texts of the record at hand lie in one buffer, as large as
 * the object, so that no field costs an allocation. */
#include "codec/json_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/locale.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/json_reader.h"
#include "codec/json_split.h"

#define MAX_DEPTH  32
#define MAX_NAMES  4096u
#define PATH_BYTES 512u

typedef struct nest {
    size_t path_size; /* of the path to it */
    uint32_t index;   /* of the next element */
    bool array;
} nest;

typedef struct eop_json_lines {
    eop_records records;
    eop_json_split *split;
    char *what;
    eop_json_whole_fn whole;
    void *user_data;
    uint64_t line;
    char **names;
    eop_field *fields;
    size_t name_count;
    size_t name_capacity;
    size_t field_capacity;
    eop_map by_name; /* place + 1 */
    size_t next;     /* the place that comes next where all records are alike */
    /* the record at hand */
    eop_reader reader;
    char *text;
    size_t text_size;
    size_t text_capacity;
    char path[PATH_BYTES + 1];
    size_t path_size;
    nest nests[MAX_DEPTH + 1];
    uint32_t depth;
} eop_json_lines;

EOP_PRINTF(2, 3)
static edgeops_status bad(const eop_json_lines *j, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    eop_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return eop_fail(EDGEOPS_E_INVALID, "json", "%s:%llu: byte %zu: %s", j->what,
                    (unsigned long long)j->line, j->reader.start, text);
}

static edgeops_status bad_json(const eop_json_lines *j) {
    return bad(j, "%s", j->reader.problem);
}

/* -- names -- */

static edgeops_status add_name(eop_json_lines *j, uint64_t hash, size_t *place) {
    size_t n = j->name_count;
    if (n == MAX_NAMES) {
        return bad(j, "over %u different names", MAX_NAMES);
    }
    if (!eop_map_reserve(&j->by_name) ||
        !eop_grow(&j->names, &j->name_capacity, n + 1, sizeof(*j->names)) ||
        !eop_grow(&j->fields, &j->field_capacity, n + 1, sizeof(*j->fields)) ||
        (j->names[n] = eop_strdup(j->path)) == NULL) {
        return eop_fail_nomem("json");
    }
    j->fields[n] = (eop_field){.text = "", .kind = EOP_FIELD_ABSENT};
    eop_map_add(&j->by_name, hash, n + 1);
    j->name_count = n + 1;
    *place = n;
    return EDGEOPS_OK;
}

/* The place of the name in j->path. */
static edgeops_status find_name(eop_json_lines *j, size_t *place) {
    if (j->next < j->name_count && strcmp(j->names[j->next], j->path) == 0) {
        *place = j->next++;
        return EDGEOPS_OK;
    }
    uint64_t hash = eop_hash64(j->path, j->path_size);
    size_t step = 0;
    uintptr_t item;
    while ((item = eop_map_next(&j->by_name, hash, &step)) != 0 &&
           strcmp(j->names[item - 1], j->path) != 0) {
    }
    edgeops_status status = EDGEOPS_OK;
    if (item != 0) {
        *place = item - 1;
    } else {
        status = add_name(j, hash, place);
    }
    j->next = status == EDGEOPS_OK ? *place + 1 : 0;
    return status;
}

/* -- one record -- */

/* Copies a text of the record, unescaped where it must be. */
static const char *keep_text(eop_json_lines *j, const char *raw, size_t raw_size, bool escaped,
                             size_t *size) {
    char *text = j->text + j->text_size;
    *size = raw_size;
    if (escaped) {
        *size = eop_reader_unescape(text, raw, raw_size);
    } else {
        memcpy(text, raw, raw_size);
    }
    text[*size] = '\0';
    j->text_size += *size + 1;
    return text;
}

/* Appends a level to the path. */
static edgeops_status extend_path(eop_json_lines *j, const char *key, size_t size) {
    size_t at = j->path_size;
    if (at + size + 1 > PATH_BYTES || memchr(key, '\0', size) != NULL) {
        return bad(j, "a name of over %u bytes, or with a NUL", PATH_BYTES);
    }
    if (at > 0) {
        j->path[at++] = '.';
    }
    memcpy(j->path + at, key, size);
    j->path_size = at + size;
    j->path[j->path_size] = '\0';
    return EDGEOPS_OK;
}

static edgeops_status put_field(eop_json_lines *j, size_t place, eop_token token) {
    eop_field *field = &j->fields[place];
    if (field->kind != EOP_FIELD_ABSENT) {
        return bad(j, "member '%.60s' is there twice", j->names[place]);
    }
    const eop_reader *r = &j->reader;
    field->kind = token == EOP_TOKEN_STRING ? EOP_FIELD_TEXT : EOP_FIELD_PLAIN;
    switch (token) {
    case EOP_TOKEN_STRING:
        field->text = keep_text(j, r->raw, r->raw_size, r->escaped, &field->size);
        return memchr(field->text, '\0', field->size) == NULL
                   ? EDGEOPS_OK
                   : bad(j, "member '%.60s': \\u0000 in a text", j->names[place]);
    case EOP_TOKEN_NULL:
        field->text = "";
        field->size = 0;
        return EDGEOPS_OK;
    case EOP_TOKEN_TRUE:
    case EOP_TOKEN_FALSE:
        field->text = token == EOP_TOKEN_TRUE ? "true" : "false";
        field->size = strlen(field->text);
        return EDGEOPS_OK;
    default: /* a number or a word */
        field->text = keep_text(j, r->raw, r->raw_size, false, &field->size);
        return EDGEOPS_OK;
    }
}

/* An array that is one value, its '[' being taken: of numbers, kept as it is written. */
static edgeops_status put_whole(eop_json_lines *j, size_t place) {
    eop_reader *r = &j->reader;
    size_t from = r->start;
    eop_token token = eop_reader_next(r);
    while (token == EOP_TOKEN_NUMBER || token == EOP_TOKEN_WORD) {
        token = eop_reader_next(r);
    }
    if (token == EOP_TOKEN_ERROR) {
        return bad_json(j);
    }
    if (token != EOP_TOKEN_ARRAY_END) {
        return bad(j, "member '%.60s': an array of numbers belongs here", j->names[place]);
    }
    r->raw = r->text + from;
    r->raw_size = r->at - from;
    return put_field(j, place, EOP_TOKEN_NUMBER);
}

/* The value at j->path; opens it when it is an object or an array. */
static edgeops_status take_value(eop_json_lines *j, eop_token token) {
    size_t place = 0;
    bool whole = token == EOP_TOKEN_ARRAY && j->whole != NULL && j->whole(j->path, j->user_data);
    if ((token == EOP_TOKEN_OBJECT || token == EOP_TOKEN_ARRAY) && !whole) {
        j->nests[j->depth++] = (nest){.path_size = j->path_size, .array = token == EOP_TOKEN_ARRAY};
        return EDGEOPS_OK;
    }
    edgeops_status status = find_name(j, &place);
    if (status != EDGEOPS_OK) {
        return status;
    }
    return whole ? put_whole(j, place) : put_field(j, place, token);
}

/* The next member or element of the innermost nest. */
static edgeops_status take_member(eop_json_lines *j) {
    nest *at = &j->nests[j->depth - 1];
    char index[16];
    size_t size = 0;
    eop_token token = eop_reader_next(&j->reader);
    if (token == EOP_TOKEN_ERROR) {
        return bad_json(j);
    }
    if (token == EOP_TOKEN_OBJECT_END || token == EOP_TOKEN_ARRAY_END) {
        j->depth--;
        return EDGEOPS_OK;
    }
    j->path_size = at->path_size;
    edgeops_status status = EDGEOPS_OK;
    if (at->array) {
        size = (size_t)snprintf(index, sizeof(index), "%u", (unsigned)at->index++);
        status = extend_path(j, index, size);
    } else {
        const char *key = j->reader.raw;
        size = j->reader.raw_size;
        if (j->reader.escaped) {
            key = keep_text(j, j->reader.raw, j->reader.raw_size, true, &size);
        }
        status = extend_path(j, key, size);
        token = status == EDGEOPS_OK ? eop_reader_next(&j->reader) : token;
        if (token == EOP_TOKEN_ERROR) {
            return bad_json(j);
        }
    }
    return status == EDGEOPS_OK ? take_value(j, token) : status;
}

static edgeops_status take_object(eop_json_lines *j, const char *text, size_t size) {
    size_t need = 2 * size + 1; /* each text and its NUL, of which quotes and commas make room */
    if (need > j->text_capacity) {
        char *grown = eop_alloc(need);
        if (grown == NULL) {
            return eop_fail_nomem("json");
        }
        eop_free(j->text);
        j->text = grown;
        j->text_capacity = need;
    }
    for (size_t i = 0; i < j->name_count; i++) {
        j->fields[i] = (eop_field){.text = "", .kind = EOP_FIELD_ABSENT};
    }
    j->text_size = 0;
    j->path_size = 0;
    j->next = 0;
    eop_reader_init(&j->reader, text, size, MAX_DEPTH);
    j->reader.words = true;
    eop_token token = eop_reader_next(&j->reader);
    if (token == EOP_TOKEN_ERROR) {
        return bad_json(j);
    }
    if (token != EOP_TOKEN_OBJECT) {
        return bad(j,
                   "a line is one object, such as {\"time\":\"2026-01-31T12:00:00Z\",\"x\":1.5}");
    }
    j->nests[0] = (nest){0};
    j->depth = 1;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && j->depth > 0) {
        status = take_member(j);
    }
    if (status == EDGEOPS_OK && eop_reader_next(&j->reader) != EOP_TOKEN_END) {
        status = bad_json(j);
    }
    return status;
}

/* -- as a source of records -- */

static edgeops_status lines_next(eop_records *records, const eop_field **fields, size_t *count) {
    eop_json_lines *j = (eop_json_lines *)records;
    const char *text = NULL;
    size_t size = 0;
    edgeops_status status = eop_json_split_next(j->split, &text, &size, &j->line);
    if (status == EDGEOPS_OK) {
        status = take_object(j, text, size);
    }
    *fields = j->fields;
    *count = j->name_count;
    return status;
}

static const char *const *lines_names(const eop_records *records, size_t *count) {
    const eop_json_lines *j = (const eop_json_lines *)records;
    *count = j->name_count;
    return (const char *const *)j->names;
}

static uint64_t lines_line(const eop_records *records) {
    return ((const eop_json_lines *)records)->line;
}

static uint64_t lines_offset(const eop_records *records) {
    return eop_json_split_offset(((const eop_json_lines *)records)->split);
}

static void lines_close(eop_records *records) {
    eop_json_lines *j = (eop_json_lines *)records;
    eop_json_split_close(j->split);
    for (size_t i = 0; i < j->name_count; i++) {
        eop_free(j->names[i]);
    }
    eop_map_dispose(&j->by_name);
    eop_free(j->names);
    eop_free(j->fields);
    eop_free(j->text);
    eop_free(j->what);
    eop_free(j);
}

edgeops_status eop_json_lines_open(eop_records **out, int fd, int cancel_fd, const char *what,
                                   eop_json_whole_fn whole, void *user_data) {
    *out = NULL;
    eop_json_lines *j = eop_calloc(1, sizeof(*j));
    if (j == NULL) {
        return eop_fail_nomem("json");
    }
    j->records = (eop_records){.next = lines_next,
                               .names = lines_names,
                               .line = lines_line,
                               .offset = lines_offset,
                               .close = lines_close};
    j->whole = whole;
    j->user_data = user_data;
    j->what = eop_strdup(what);
    edgeops_status status = j->what != NULL ? eop_json_split_open(&j->split, fd, cancel_fd, what)
                                            : eop_fail_nomem("json");
    if (status != EDGEOPS_OK) {
        lines_close(&j->records);
        return status;
    }
    *out = &j->records;
    return EDGEOPS_OK;
}
