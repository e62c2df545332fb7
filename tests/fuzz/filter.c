/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of a dataset: what is read, printed and read again is printed the same. */
#include "dataset/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = eop_strndup((const char *)data, size);
    eop_filter filter = {0};
    eop_filter again = {0};
    eop_buf one = {0};
    eop_buf two = {0};
    if (text != NULL && eop_filter_parse(&filter, text) == EDGEOPS_OK) {
        eop_filter_print(&one, &filter);
        edgeops_status status = eop_filter_parse(&again, one.data);
        /* Quotes may make it longer than a filter may be. */
        if (status == EDGEOPS_OK) {
            eop_filter_print(&two, &again);
            if (strcmp(one.data, two.data) != 0) {
                abort();
            }
        } else if (one.size <= EOP_FILTER_BYTES) {
            abort();
        }
    }
    eop_filter_dispose(&filter);
    eop_filter_dispose(&again);
    eop_buf_dispose(&one);
    eop_buf_dispose(&two);
    eop_free(text);
    return 0;
}
