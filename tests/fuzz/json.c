/* SPDX-License-Identifier: Apache-2.0 */
/* What parses must print, and the print must parse to the same print. */
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a value somewhere inside, for eop_json_locate(). */
static void locate(const char *text, size_t size, const eop_json *json) {
    eop_buf pointer = {0};
    size_t line = 0;
    size_t column = 0;
    while (eop_json_first(json) != NULL) {
        json = eop_json_first(json);
        const char *key = eop_json_key(json);
        eop_buf_puts(&pointer, "/");
        for (const char *p = key != NULL ? key : "0"; *p != '\0'; p++) {
            eop_buf_printf(&pointer, "%s", *p == '~' ? "~0" : *p == '/' ? "~1" : "");
            eop_buf_put(&pointer, p, *p == '~' || *p == '/' ? 0 : 1);
        }
    }
    const char *path = pointer.data != NULL ? pointer.data : "";
    if (!eop_json_locate(text, size, path, true, &line, &column) ||
        !eop_json_locate(text, size, path, false, &line, &column)) {
        abort();
    }
    eop_buf_dispose(&pointer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_json *json = NULL;
    eop_json *again = NULL;
    const char *text = (const char *)data;
    if (eop_json_parse(&json, text, size, "fuzz", NULL) != EDGEOPS_OK) {
        return 0;
    }
    char *first = eop_json_print(json);
    if (first == NULL ||
        eop_json_parse(&again, first, strlen(first), "print", NULL) != EDGEOPS_OK) {
        abort();
    }
    char *second = eop_json_print(again);
    if (second == NULL || strcmp(first, second) != 0) {
        abort();
    }
    locate(text, size, json);
    eop_free(first);
    eop_free(second);
    eop_json_free(json);
    eop_json_free(again);
    return 0;
}
