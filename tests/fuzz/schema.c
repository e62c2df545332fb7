/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is a schema, the rest a document; defaults of a schema must not crash either. */
#include "codec/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_json *schema = NULL;
    eop_json *json = NULL;
    const char *text = memchr(data, '\n', size);
    size_t schema_size = text != NULL ? (size_t)(text - (const char *)data) : size;
    size_t text_size = text != NULL ? size - schema_size - 1 : 0;
    text = text != NULL ? text + 1 : "";
    if (eop_json_parse(&schema, (const char *)data, schema_size, "schema", NULL) == EDGEOPS_OK &&
        eop_json_parse(&json, text, text_size, "doc", NULL) == EDGEOPS_OK) {
        edgeops_status status = eop_schema_check(schema, json, text, text_size, "doc");
        if (status != EDGEOPS_OK && edgeops_error_last()->message[0] == '\0') {
            abort();
        }
        if (status == EDGEOPS_OK) {
            eop_schema_defaults(schema, json);
        }
    }
    eop_json_free(schema);
    eop_json_free(json);
    return 0;
}
