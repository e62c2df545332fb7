/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is in a table, with bad rows left out it is read to its end, and its samples are such
 * that a store can take them. The first byte chooses what is known of the table. */
#include "codec/table_reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const eop_table_row *row) {
    const edgeops_sample *s = &row->sample;
    if (s->count == 0 || !eop_name_valid(s->asset, strlen(s->asset), 200)) {
        abort();
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!eop_name_valid(s->channels[i], strlen(s->channels[i]), 128) ||
            (s->values[i].type == EDGEOPS_TYPE_STRING && s->values[i].size > 0 &&
             eop_utf8_valid(s->values[i].as.str, s->values[i].size) != s->values[i].size)) {
            abort();
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(s->channels[i], s->channels[k]) == 0) {
                abort();
            }
        }
    }
}

static edgeops_status on_label(const char *asset, edgeops_time start, edgeops_time end,
                               const char *label, void *user_data) {
    (void)user_data;
    if (asset[0] == '\0' || label[0] == '\0' || start > end) {
        abort();
    }
    return EDGEOPS_OK;
}

static eop_table_options options_of(unsigned kind) {
    eop_table_options o = {.asset = "a", .time_column = "time", .on_label = on_label};
    o.bad_rows = EOP_BAD_SKIP;
    o.format = (kind & 1) != 0 ? EOP_TABLE_JSON_LINES : EOP_TABLE_CSV;
    o.dialect.separator = (kind & 2) != 0 ? ";" : ",";
    switch ((kind >> 2) % 6) {
    case 1:
        o.time_column = NULL;
        o.no_header = (kind & 1) == 0;
        break;
    case 2:
        o.asset = "{dev}";
        o.channel_column = "name";
        o.value_column = "value";
        break;
    case 3:
        o.asset = "p/{asset}";
        o.column_pattern = "{asset}.{channel}";
        break;
    case 4:
        o.asset = "{dev}/x";
        o.label_column = "l";
        o.rules.decimal = ',';
        o.rules.thousands = '.';
        o.rules.times.zone = "Europe/Vienna";
        break;
    case 5:
        o.time_column = "date";
        o.clock_column = "clock";
        break;
    default:
        break;
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_table_reader *reader = NULL;
    eop_table_row row;
    if (size == 0) {
        return 0;
    }
    eop_table_options o = options_of(data[0]);
    int fd = memfd_create("table", MFD_CLOEXEC);
    if (fd < 0 || eop_write_all(fd, data + 1, size - 1) != EDGEOPS_OK ||
        lseek(fd, 0, SEEK_SET) != 0) {
        abort();
    }
    edgeops_status status = eop_table_reader_open(&reader, fd, &o);
    while (status == EDGEOPS_OK) {
        status = eop_table_reader_next(reader, &row);
        if (status == EDGEOPS_OK) {
            check_row(&row);
        }
    }
    if (reader != NULL) {
        eop_json *report = eop_table_reader_report(reader);
        char *text = eop_json_print(report);
        if (text == NULL) {
            abort();
        }
        eop_free(text);
        eop_json_free(report);
    }
    eop_table_reader_close(reader);
    close(fd);
    return 0;
}
