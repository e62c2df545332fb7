/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents for control: operations, configuration, manifests. Samples do not pass through
 * here (payload.h). The only place that knows cJSON. A document is a tree owned by its root. */
#ifndef EOP_CODEC_JSON_H
#define EOP_CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "edgeops/types.h"

typedef struct cJSON eop_json;

/** Limits of a parse. Zero means default. */
typedef struct eop_json_limits {
    size_t max_bytes; /**< default 16 MiB */
    size_t max_depth; /**< default 64, at most 512 */
    size_t max_nodes; /**< default 1,000,000 */
} eop_json_limits;

/** Parses exactly one RFC 8259 value from size bytes: strict (UTF-8 checked, no duplicate keys, no
 * trailing bytes, no \\u0000, integers beyond +-2^53 and numbers beyond float64 refused). `what`
 * names the document in errors, which give line and column. E_INVALID, E_LIMIT, E_NOMEM. */
edgeops_status eop_json_parse(eop_json **out, const char *text, size_t size, const char *what,
                              const eop_json_limits *limits);
void eop_json_free(eop_json *json);
/** Compact text, free with eop_free; NULL when there is no memory. Integers without a fraction, NaN
 * as null. */
char *eop_json_print(const eop_json *json);
char *eop_json_print_pretty(const eop_json *json);

/* -- reading; none fails, a missing or other-typed member gives the default -- */
const eop_json *eop_json_get(const eop_json *object, const char *key);
const char *eop_json_string(const eop_json *object, const char *key, const char *otherwise);
double eop_json_number(const eop_json *object, const char *key, double otherwise);
/** A whole number, or what eop_json_set_integer() made of one beyond 2^53: the digits as a
 * string. */
int64_t eop_json_integer(const eop_json *object, const char *key, int64_t otherwise);
bool eop_json_bool(const eop_json *object, const char *key, bool otherwise);
/** Array or object: members; else 0. */
size_t eop_json_size(const eop_json *json);
/** First member of an array or object, then the next one; NULL at the end. */
const eop_json *eop_json_first(const eop_json *json);
const eop_json *eop_json_next(const eop_json *member);
/** Key of an object's member. */
const char *eop_json_key(const eop_json *member);
/** Text of a string value, NULL for another type. */
const char *eop_json_text(const eop_json *json);
double eop_json_value(const eop_json *json);
typedef enum eop_json_kind {
    EOP_JSON_NULL,
    EOP_JSON_BOOL,
    EOP_JSON_NUMBER,
    EOP_JSON_STRING,
    EOP_JSON_ARRAY,
    EOP_JSON_OBJECT
} eop_json_kind;
eop_json_kind eop_json_type(const eop_json *json);

/* -- building; a failed allocation gives NULL, and every function accepts NULL, so that a builder
 * checks once: at eop_json_print(), which returns NULL for a tree that lost a member -- */
eop_json *eop_json_object(void);
eop_json *eop_json_array(void);
eop_json *eop_json_new_string(const char *value); /**< NULL: JSON null */
eop_json *eop_json_new_number(double value);
eop_json *eop_json_new_bool(bool value);
/** Sets or replaces a member. */
void eop_json_set_string(eop_json *object, const char *key,
                         const char *value); /**< NULL value: JSON null */
void eop_json_set_number(eop_json *object, const char *key, double value);
void eop_json_set_integer(eop_json *object, const char *key,
                          int64_t value); /**< beyond 2^53: as a string */
void eop_json_set_bool(eop_json *object, const char *key, bool value);
void eop_json_set_time(eop_json *object, const char *key, edgeops_time value); /**< ISO 8601 */
void eop_json_set(eop_json *object, const char *key,
                  eop_json *value);                     /**< value taken, also on failure */
void eop_json_append(eop_json *array, eop_json *value); /**< taken */
void eop_json_append_string(eop_json *array, const char *value);
void eop_json_append_format(eop_json *array, const char *format, ...) EOP_PRINTF(2, 3);
void eop_json_remove(eop_json *object, const char *key);
eop_json *eop_json_copy(const eop_json *json);

/** Puts text as a JSON string literal, quotes included. */
void eop_json_put_string(eop_buf *buf, const char *text, size_t size);

/** Where the value (or, for key_only, the key) at a JSON pointer (RFC 6901) is in the text. False:
 * nowhere. */
bool eop_json_locate(const char *text, size_t size, const char *pointer, bool key_only,
                     size_t *line, size_t *column);

#endif /* EOP_CODEC_JSON_H */
