/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for the command line: a reader for the results it shows and the files it is given, and a
 * writer for the arguments it sends. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "text.h"

typedef enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

/** A node of a document; lives as long as it. Numbers stay the text they were, so that nothing is
 * rounded on the way through. */
typedef struct json_value {
    json_kind kind;
    const char *key; /**< in an object, else "" */
    const char
        *text;       /**< STRING: unescaped; NUMBER: as written; else its word, "" for containers */
    size_t size;     /**< of text */
    size_t count;    /**< children */
    const char *raw; /**< the value as written in the source */
    size_t raw_size;
    struct json_value *first, *next;
} json_value;

typedef struct json_document json_document;

/** Parses a whole text (RFC 8259; depth at most 64). NULL with *error (static) and its *offset. */
json_document *json_parse(const char *text, size_t size, const char **error, size_t *offset);
void json_free(json_document *document);
const json_value *json_root(const json_document *document);

/** Member "a.b.c" of nested objects, "" for value itself; NULL when there is none. */
const json_value *json_at(const json_value *value, const char *path);
/** Text of a string, number or word; fallback when absent, null or a container. */
const char *json_text(const json_value *value, const char *path, const char *fallback);
double json_number(const json_value *value, const char *path, double fallback);

/** Whether text is one JSON number and nothing else. */
bool json_is_number(const char *text, size_t size);
/** Appends a string in quotes; bytes that are not UTF-8 become U+FFFD. */
void json_put_string(cli_text *out, const char *text, size_t size);
/** Appends `"key":` after a comma where one is needed: out must end in '{' for the first one. */
void json_put_key(cli_text *out, const char *key);
/** json_put_key and a string. */
void json_put_member(cli_text *out, const char *key, const char *text);

#endif /* CLI_JSON_H */
