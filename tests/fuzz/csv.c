/* SPDX-License-Identifier: Apache-2.0 */
/* What is read, written by eop_csv_put() and read again is the same. In any dialect a bad record
 * leads to a next one, further down. */
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

static edgeops_status open_bytes(eop_csv_reader **reader, int *fd, const void *data, size_t size,
                                 const eop_csv_dialect *dialect) {
    *fd = memfd_create("csv", MFD_CLOEXEC);
    if (*fd < 0 || eop_write_all(*fd, data, size) != EDGEOPS_OK || lseek(*fd, 0, SEEK_SET) != 0) {
        abort();
    }
    return eop_csv_open(reader, *fd, 0, dialect, "fuzz");
}

static edgeops_status rewrite(eop_buf *buf, const void *data, size_t size) {
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    int fd = -1;
    if (open_bytes(&reader, &fd, data, size, &(eop_csv_dialect){0}) != EDGEOPS_OK) {
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

static void read_all(const void *data, size_t size, const eop_csv_dialect *dialect) {
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    int fd = -1;
    if (open_bytes(&reader, &fd, data, size, dialect) != EDGEOPS_OK) {
        abort();
    }
    eop_records *records = eop_csv_records(reader);
    edgeops_status status = EDGEOPS_OK;
    uint64_t line = 0;
    while (status == EDGEOPS_OK || status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT) {
        size_t text = 0;
        status = records->next(records, &fields, &count);
        const bool record =
            status == EDGEOPS_OK || status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT;
        if (record && records->line(records) <= line) {
            abort();
        }
        line = records->line(records);
        if (records->text(records, &text) != NULL && (status == EDGEOPS_OK || !record)) {
            abort();
        }
        for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
            if (strlen(fields[i].text) != fields[i].size ||
                eop_utf8_valid(fields[i].text, fields[i].size) != fields[i].size) {
                abort();
            }
        }
    }
    records->close(records);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_buf first = {0};
    eop_buf second = {0};
    /* A record in front, so that what comes first is no byte order mark and names no format. */
    eop_buf_puts(&first, "x\n");
    if (rewrite(&first, data, size) == EDGEOPS_DONE && first.size < (1 << 20) &&
        (rewrite(&second, first.data, first.size) != EDGEOPS_DONE || second.size != first.size ||
         memcmp(first.data, second.data, first.size) != 0)) {
        abort();
    }
    static const eop_csv_dialect dialects[] = {{0},
                                               {.separator = ", ", .quote = '\'', .escape = '\\'},
                                               {.separator = " ", .comment = '#'},
                                               {.separator = ";", .escape = '/', .skip_rows = 2}};
    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        read_all(data, size, &dialects[i]);
    }
    eop_buf_dispose(&first);
    eop_buf_dispose(&second);
    return 0;
}
