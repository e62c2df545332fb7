/* SPDX-License-Identifier: Apache-2.0 */
/* What is read, written by eop_csv_put() and read again is the same. */
#include "codec/csv.h"
#include "codec/rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_record(eop_buf *buf, const eop_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        edgeops_value value;
        const char *text = fields[i].text;
        if (strlen(text) != fields[i].size ||
            eop_utf8_valid(text, fields[i].size) != fields[i].size) {
            abort();
        }
        edgeops_type type = eop_rules_type(NULL, text, fields[i].size);
        if (fields[i].size <= 65536 && type != EDGEOPS_TYPE_NULL &&
            !eop_rules_value(NULL, &value, type, text, fields[i].size)) {
            abort();
        }
        eop_buf_puts(buf, i > 0 ? "," : "");
        eop_csv_put(buf, fields[i].size > 0 || fields[i].kind == EOP_FIELD_QUOTED ? text : NULL,
                    fields[i].size, ',');
    }
    eop_buf_puts(buf, "\n");
}

static edgeops_status rewrite(eop_buf *buf, const void *data, size_t size) {
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    int fd = memfd_create("csv", MFD_CLOEXEC);
    if (fd < 0 || eop_write_all(fd, data, size) != EDGEOPS_OK || lseek(fd, 0, SEEK_SET) != 0 ||
        eop_csv_open(&reader, fd, 0, &(eop_csv_dialect){0}, "fuzz") != EDGEOPS_OK) {
        abort();
    }
    edgeops_status status = EDGEOPS_OK;
    while ((status = eop_csv_next(reader, &fields, &count)) == EDGEOPS_OK) {
        put_record(buf, fields, count);
    }
    eop_csv_close(reader);
    close(fd);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_buf first = {0};
    eop_buf second = {0};
    if (rewrite(&first, data, size) == EDGEOPS_DONE && first.size > 0 && first.size < (1 << 20)) {
        /* A byte order mark in the middle may come to stand in front. */
        if (memcmp(first.data, "\xef\xbb\xbf", first.size < 3 ? first.size : 3) != 0 &&
            (rewrite(&second, first.data, first.size) != EDGEOPS_DONE ||
             second.size != first.size || memcmp(first.data, second.data, first.size) != 0)) {
            abort();
        }
    }
    eop_buf_dispose(&first);
    eop_buf_dispose(&second);
    return 0;
}
