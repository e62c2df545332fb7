/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines and arrays of objects as records. */
#include "codec/json_lines.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"

static int file_of(const char *data, size_t size) {
    int fd = memfd_create("json", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_write_all(fd, data, size), EDGEOPS_OK);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static bool is_spectrum(const char *name, void *user_data) {
    (void)user_data;
    return strcmp(name, "spectrum") == 0;
}

/* All records as "line:name=text ...", the kind behind a text that is not plain, and what is bad. */
static char *dump(const char *data, size_t size) {
    eop_buf out = {0};
    eop_records *records = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    int fd = file_of(data, size);
    cr_assert_eq(eop_json_lines_open(&records, fd, -1, "f", is_spectrum, NULL), EDGEOPS_OK);
    for (;;) {
        edgeops_status status = records->next(records, &fields, &count);
        if (status == EDGEOPS_DONE) {
            break;
        }
        if (status != EDGEOPS_OK) {
            eop_buf_printf(&out, "!%s\n", edgeops_error_last()->message);
            if (status != EDGEOPS_E_INVALID && status != EDGEOPS_E_LIMIT) {
                break;
            }
            continue;
        }
        size_t named = 0;
        const char *const *names = records->names(records, &named);
        cr_assert_eq(named, count);
        eop_buf_printf(&out, "%d:", (int)records->line(records));
        for (size_t i = 0; i < count; i++) {
            if (fields[i].kind != EOP_FIELD_ABSENT) {
                cr_assert_eq(strlen(fields[i].text), fields[i].size);
                eop_buf_printf(&out, " %s=%s%s", names[i], fields[i].text,
                               fields[i].kind == EOP_FIELD_TEXT ? "t" : "");
            }
        }
        eop_buf_puts(&out, "\n");
    }
    records->close(records);
    close(fd);
    return out.data != NULL ? eop_buf_take(&out) : eop_strdup("");
}

static void expect(const char *data, const char *want) {
    char *got = dump(data, strlen(data));
    cr_expect_str_eq(got, want, "%s", data);
    eop_free(got);
}

Test(codec_json_lines, lines) {
    expect("", "");
    expect("\n \r\n\t\n", "");
    expect("{\"time\":1,\"a\":1.50}\r\n\n{\"a\":2,\"time\":\"x\",\"b\":null}",
           "1: time=1 a=1.50\n3: time=xt a=2 b=\n");
    expect("\xef\xbb\xbf{\"a\":true}\n{\"b\":-1e3}\n{}\n", "1: a=true\n2: b=-1e3\n3:\n");
    expect("{\"a\":NaN,\"b\":-Infinity,\"c\":\"NaN\"}\n", "1: a=NaN b=-Infinity c=NaNt\n");
    expect("{\"n\":9007199254740993,\"t\":\"a\\nb\\u00e9\\\"\"}\n",
           "1: n=9007199254740993 t=a\nb\xc3\xa9\"t\n");
}

Test(codec_json_lines, nested) {
    expect("{\"m\":{\"x\":1,\"y\":{\"z\":2}},\"v\":[1,[2,3],{\"q\":4}],\"w\":5}",
           "1: m.x=1 m.y.z=2 v.0=1 v.1.0=2 v.1.1=3 v.2.q=4 w=5\n");
    expect("{\"spectrum\":[1, 2.5,NaN],\"o\":{\"spectrum\":[1]}}",
           "1: spectrum=[1, 2.5,NaN] o.spectrum.0=1\n");
    expect("{\"spectrum\":null}\n{\"spectrum\":[\"x\"]}\n{\"spectrum\":[]}",
           "1: spectrum=\n!f:2: byte 13: member 'spectrum': an array of numbers belongs here\n"
           "3: spectrum=[]\n");
}

Test(codec_json_lines, bad_lines_stop_nothing) {
    expect("{\"a\":1}\n{\"a\":}\n[1]\nonline\n{\"a\":1,\"a\":2}\n{\"a\":2} {\"a\":3}\n{\"a\":4}\n",
           "1: a=1\n!f:2: byte 5: a value is missing or misspelt\n"
           "!f:3: byte 0: a line is one object, such as "
           "{\"time\":\"2026-01-31T12:00:00Z\",\"x\":1.5}\n"
           "!f:4: byte 0: a value is missing or misspelt\n"
           "!f:5: byte 11: member 'a' is there twice\n!f:6: byte 8: more text behind the value\n"
           "7: a=4\n");
    expect("{\"a\":\"x\\u0000y\"}\n{\"a\":1", "!f:1: byte 5: member 'a': \\u0000 in a text\n"
                                              "!f:2: byte 6: the text ends too early\n");
    expect("{\"a.b\":1,\"a\":{\"b\":2}}\n", "!f:1: byte 18: member 'a.b' is there twice\n");
    expect("\xff\xfe{\0", "!f: this is UTF-16; save it as UTF-8\n");
}

Test(codec_json_lines, arrays_of_objects) {
    expect("[]", "");
    expect(" [ {\"a\":1},\n  {\"a\":\"],}[\\\"\"}\n,{\"b\":{\"c\":[1]}} ]\n",
           "1: a=1\n2: a=],}[\"t\n3: b.c.0=1\n");
    expect("[{\"a\":1}]\n[{\"a\":2},{\"a\":3}]\n", "1: a=1\n2: a=2\n2: a=3\n");
    expect("[{\"a\":1},2,{\"a\":}, \"x\" ,{\"a\":4}]",
           "1: a=1\n!f:1: byte 0: a line is one object, such as "
           "{\"time\":\"2026-01-31T12:00:00Z\",\"x\":1.5}\n"
           "!f:1: byte 5: a value is missing or misspelt\n!f:1: byte 0: a line is one object, such "
           "as {\"time\":\"2026-01-31T12:00:00Z\",\"x\":1.5}\n1: a=4\n");
    expect("[{\"a\":1} {\"a\":2}]", "1: a=1\n!f:1: a comma or ']' is missing\n");
    expect("[{\"a\":1},]", "1: a=1\n!f:1: an element is missing\n");
    expect("[{\"a\":1},{\"a\":", "1: a=1\n!f:1: the file ends inside an array\n");
    expect("[{\"a\":1}] x", "1: a=1\n!f:1: more text behind the array\n");
}

/* Objects around the size of the buffer and over the limit, in both forms. */
Test(codec_json_lines, sizes) {
    static const size_t sizes[] = {10, 65530, 65536, 200000, 1048000, 1048577, 3000000};
    for (size_t i = 0; i < EOP_COUNT(sizes); i++) {
        for (int array = 0; array < 2; array++) {
            eop_buf data = {0};
            eop_buf_puts(&data, array ? "[{\"a\":1},{\"t\":\"" : "{\"a\":1}\n{\"t\":\"");
            for (size_t k = 0; k < sizes[i]; k++) {
                eop_buf_put(&data, &"xyz"[k % 3], 1);
            }
            eop_buf_puts(&data, array ? "\"},{\"a\":2}]" : "\"}\n{\"a\":2}\n");
            char *got = dump(data.data, data.size);
            bool fits = sizes[i] < 1048570;
            cr_expect(strncmp(got, "1: a=1\n", 7) == 0);
            cr_expect_eq(strlen(got) > sizes[i], fits, "%zu", sizes[i]);
            cr_expect_eq(strstr(got, "longer than 1 MiB") != NULL, !fits);
            cr_expect_str_eq(got + strlen(got) - 7, array ? "1: a=2\n" : "3: a=2\n");
            eop_free(got);
            eop_buf_dispose(&data);
        }
    }
}

Test(codec_json_lines, limits) {
    eop_buf data = {0};
    for (int i = 0; i < 4100; i++) {
        eop_buf_printf(&data, "{\"n%d\":1}\n", i);
    }
    char *got = dump(data.data, data.size);
    cr_expect(strstr(got, "!f:4097: byte 9: over 4096 different names\n") != NULL);
    eop_free(got);
    eop_buf_clear(&data);
    for (int i = 0; i < 40; i++) {
        eop_buf_puts(&data, "{\"a\":");
    }
    got = dump(data.data, data.size);
    cr_expect(strstr(got, "nested") != NULL, "%s", got);
    eop_free(got);
    eop_buf_dispose(&data);
}
