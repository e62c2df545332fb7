/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the suffixes of column names. Owns nothing. */
#include "codec/column_name.h"

#include <string.h>

#include "base/compiler.h"
#include "base/type.h"

static const char quality[] = "quality";

bool eop_column_name_read(eop_column_name *out, const char *text, size_t size) {
    char type[EOP_TYPE_TEXT];
    const char *colon = size > 0 ? memrchr(text, ':', size) : NULL;
    *out = (eop_column_name){.size = size, .length = 1};
    if (colon == NULL || colon == text) {
        return false;
    }
    size_t name = (size_t)(colon - text);
    size_t rest = size - name - 1;
    if (rest == sizeof quality - 1 && memcmp(colon + 1, quality, rest) == 0) {
        out->size = name;
        out->quality = true;
        return true;
    }
    if (rest == 0 || rest >= sizeof type || memchr(colon + 1, '\0', rest) != NULL) {
        return false;
    }
    memcpy(type, colon + 1, rest);
    type[rest] = '\0';
    edgeops_type found = EDGEOPS_TYPE_NULL;
    uint32_t length = 1;
    if (!eop_type_parse(&found, &length, type) || found == EDGEOPS_TYPE_BLOB) {
        return false;
    }
    out->size = name;
    out->type = found;
    out->length = length;
    return true;
}

bool eop_column_name_is_taken(const char *name) {
    static const char *const taken[] = {"time", "seq", "label", "asset"};
    static const char pandas[] = "Unnamed: "; /* what it calls a column without a name */
    eop_column_name parts;
    for (size_t i = 0; i < EOP_COUNT(taken); i++) {
        if (strcmp(name, taken[i]) == 0) {
            return true;
        }
    }
    if (strncmp(name, pandas, sizeof pandas - 1) == 0) {
        return true;
    }
    return eop_column_name_read(&parts, name, strlen(name));
}

void eop_column_name_put(eop_buf *out, const char *name, edgeops_type type, uint32_t length) {
    char text[EOP_TYPE_TEXT];
    eop_buf_puts(out, name);
    if (type != EDGEOPS_TYPE_NULL) {
        type = type == EDGEOPS_TYPE_BLOB ? EDGEOPS_TYPE_STRING : type;
        eop_buf_puts(out, ":");
        eop_buf_puts(out, eop_type_text(text, type, length));
    }
}

void eop_column_name_put_quality(eop_buf *out, const char *name) {
    eop_buf_puts(out, name);
    eop_buf_puts(out, ":");
    eop_buf_puts(out, quality);
}
