/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a JSON file into its objects without reading them: at line ends, or, where the file begins
 * with '[', at the brace that closes an element. The buffer holds one object at a time. */
#include "codec/json_split.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/input.h"

#define FIRST_BUFFER ((size_t)64 << 10)

/* Where an array stands, between its elements. */
typedef enum place { OUTSIDE, FIRST, BEHIND_ELEMENT, BEHIND_COMMA } place;

/* The scan of the element at hand; an element that is no object or array ends at a comma. */
typedef struct scan {
    size_t done; /* bytes looked at */
    uint64_t newlines;
    uint32_t depth;
    bool in_text;
    bool escaped;
} scan;

struct eop_json_split {
    eop_input *input;
    char *what;
    char *buffer;
    size_t capacity;
    size_t at;   /* what comes next */
    size_t size; /* filled */
    bool at_end; /* of the input */
    bool begun;
    bool array;
    bool skipping; /* the rest of a line that is too long */
    place place;
    scan scan;
    uint64_t line; /* of `at` */
};

edgeops_status eop_json_split_open(eop_json_split **out, int fd, int cancel_fd, const char *what) {
    *out = NULL;
    eop_json_split *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        return eop_fail_nomem("json");
    }
    s->line = 1;
    s->capacity = FIRST_BUFFER;
    s->buffer = eop_alloc(s->capacity);
    s->what = eop_strdup(what);
    edgeops_status status =
        s->buffer != NULL && s->what != NULL ? EDGEOPS_OK : eop_fail_nomem("json");
    if (status == EDGEOPS_OK) {
        status = eop_input_open(&s->input, fd, cancel_fd, s->what, EOP_INPUT_TEXT);
    }
    if (status != EDGEOPS_OK) {
        eop_json_split_close(s);
        return status;
    }
    *out = s;
    return EDGEOPS_OK;
}

void eop_json_split_close(eop_json_split *split) {
    if (split != NULL) {
        eop_input_close(split->input);
        eop_free(split->what);
        eop_free(split->buffer);
        eop_free(split);
    }
}

uint64_t eop_json_split_offset(const eop_json_split *split) {
    return eop_input_taken(split->input);
}

static edgeops_status refuse(const eop_json_split *s, edgeops_status code, const char *problem) {
    return eop_fail(code, "json", "%s:%llu: %s", s->what, (unsigned long long)s->line, problem);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Reads on behind what is there. */
static edgeops_status refill(eop_json_split *s) {
    if (s->at > 0) {
        memmove(s->buffer, s->buffer + s->at, s->size - s->at);
        s->size -= s->at;
        s->at = 0;
    }
    if (s->size == s->capacity) {
        char *grown = eop_realloc(s->buffer, s->capacity * 2);
        if (grown == NULL) {
            return eop_fail_nomem("json");
        }
        s->buffer = grown;
        s->capacity *= 2;
    }
    size_t got = 0;
    edgeops_status status =
        eop_input_read(s->input, s->buffer + s->size, s->capacity - s->size, &got);
    s->size += got;
    s->at_end = status == EDGEOPS_OK && got == 0;
    return status;
}

/* The next byte that is no blank, not taken; *c is 0 at the end. */
static edgeops_status look(eop_json_split *s, char *c) {
    for (;;) {
        while (s->at < s->size && is_blank(s->buffer[s->at])) {
            s->line += s->buffer[s->at] == '\n';
            s->at++;
        }
        if (s->at < s->size) {
            *c = s->buffer[s->at];
            return *c != '\0' ? EDGEOPS_OK
                              : refuse(s, EDGEOPS_E_CORRUPT, "a NUL byte; is this a text file?");
        }
        if (s->at_end) {
            *c = '\0';
            return EDGEOPS_OK;
        }
        edgeops_status status = refill(s);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

/* Skips a byte order mark and finds out whether the file is an array. */
static edgeops_status begin(eop_json_split *s) {
    char c = '\0';
    while (s->size < 3 && !s->at_end) {
        edgeops_status status = refill(s);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (s->size >= 3 && memcmp(s->buffer, "\xef\xbb\xbf", 3) == 0) {
        s->at = 3;
    } else if (s->size >= 2 &&
               (memcmp(s->buffer, "\xff\xfe", 2) == 0 || memcmp(s->buffer, "\xfe\xff", 2) == 0)) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "json", "%s: this is UTF-16; save it as UTF-8",
                        s->what);
    }
    edgeops_status status = look(s, &c);
    s->array = c == '[';
    s->begun = true;
    return status;
}

/* -- lines -- */

/* Takes bytes up to `size` of what is there, and the end of line behind them, where there is one. */
static void take_line(eop_json_split *s, size_t size) {
    bool ended = s->at + size < s->size;
    s->at += size + (ended ? 1 : 0);
    s->line += ended ? 1 : 0;
    s->scan = (scan){0};
}

static edgeops_status next_line(eop_json_split *s, const char **text, size_t *size,
                                uint64_t *line) {
    edgeops_status status = EDGEOPS_OK;
    for (;;) {
        const char *from = s->buffer + s->at;
        size_t held = s->size - s->at;
        const char *end = memchr(from + s->scan.done, '\n', held - s->scan.done);
        size_t length = end != NULL ? (size_t)(end - from) : held;
        if (end == NULL && !s->at_end) {
            s->scan.done = held;
            if (held > EOP_JSON_OBJECT_BYTES) {
                s->skipping = true;
                s->at = s->size;
                s->scan.done = 0;
            }
            if ((status = refill(s)) != EDGEOPS_OK) {
                return status;
            }
            continue;
        }
        bool too_long = s->skipping || length > EOP_JSON_OBJECT_BYTES;
        s->skipping = false;
        *line = s->line;
        if (too_long) {
            status = refuse(s, EDGEOPS_E_LIMIT, "the line is longer than 1 MiB");
        }
        *text = from;
        *size = length;
        bool last = end == NULL;
        take_line(s, length);
        if (too_long) {
            return status;
        }
        while (*size > 0 && is_blank(from[*size - 1])) {
            *size -= 1;
        }
        if (*size > 0) {
            return EDGEOPS_OK;
        }
        if (last) {
            return EDGEOPS_DONE;
        }
    }
}

/* -- arrays -- */

/* Scans the element on. True: it ends before byte s->scan.done. */
static bool scan_element(scan *n, const char *text, size_t size) {
    for (; n->done < size; n->done++) {
        char c = text[n->done];
        n->newlines += c == '\n';
        if (n->in_text) {
            bool plain = n->escaped || c != '\\';
            n->in_text = n->escaped || c != '"';
            n->escaped = !plain;
        } else if (c == '"') {
            n->in_text = true;
        } else if (c == '{' || c == '[') {
            n->depth++;
        } else if (n->depth == 0 && (c == ',' || c == ']')) {
            return true;
        } else if (c == '}' || c == ']') {
            n->depth -= n->depth > 0;
            if (n->depth == 0) {
                n->done++;
                return true;
            }
        }
    }
    return false;
}

static edgeops_status take_element(eop_json_split *s, const char **text, size_t *size,
                                   uint64_t *line) {
    bool too_long = false;
    *line = s->line;
    while (!scan_element(&s->scan, s->buffer + s->at, s->size - s->at)) {
        if (s->at_end) {
            return refuse(s, EDGEOPS_E_CORRUPT, "the file ends inside an array");
        }
        if (s->scan.done > EOP_JSON_OBJECT_BYTES) {
            too_long = true;
            s->at = s->size;
            s->scan.done = 0;
        }
        edgeops_status status = refill(s);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    edgeops_status status = EDGEOPS_OK;
    if (too_long || s->scan.done > EOP_JSON_OBJECT_BYTES) {
        status = refuse(s, EDGEOPS_E_LIMIT, "the element is longer than 1 MiB");
    }
    *text = s->buffer + s->at;
    *size = s->scan.done;
    s->at += s->scan.done;
    s->line += s->scan.newlines;
    s->scan = (scan){0};
    s->place = BEHIND_ELEMENT;
    return status;
}

static edgeops_status next_element(eop_json_split *s, const char **text, size_t *size,
                                   uint64_t *line) {
    for (;;) {
        char c = '\0';
        edgeops_status status = look(s, &c);
        *line = s->line;
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (c == '\0') {
            return s->place == OUTSIDE
                       ? EDGEOPS_DONE
                       : refuse(s, EDGEOPS_E_CORRUPT, "the file ends inside an array");
        }
        if (s->place == OUTSIDE) {
            if (c != '[') {
                return refuse(s, EDGEOPS_E_CORRUPT, "more text behind the array");
            }
            s->place = FIRST;
        } else if (c == ']' && s->place != BEHIND_COMMA) {
            s->place = OUTSIDE;
        } else if (s->place == BEHIND_ELEMENT) {
            if (c != ',') {
                return refuse(s, EDGEOPS_E_CORRUPT, "a comma or ']' is missing");
            }
            s->place = BEHIND_COMMA;
        } else if (c == ',' || c == ']') {
            return refuse(s, EDGEOPS_E_CORRUPT, "an element is missing");
        } else {
            return take_element(s, text, size, line);
        }
        s->at++;
    }
}

edgeops_status eop_json_split_next(eop_json_split *split, const char **text, size_t *size,
                                   uint64_t *line) {
    if (!split->begun) {
        edgeops_status status = begin(split);
        if (status != EDGEOPS_OK) {
            *line = split->line;
            return status;
        }
    }
    return split->array ? next_element(split, text, size, line)
                        : next_line(split, text, size, line);
}
