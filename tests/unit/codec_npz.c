/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's files: what is written comes back, and what is damaged is told, not believed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "codec/npy.h"
#include "codec/table_npz.h"
#include "codec/zip.h"

enum { ROWS = 3000 };

static void put_array(eop_zip_writer *zip, eop_buf *out, const char *name, const char *descr,
                      uint32_t length, const void *data, size_t bytes) {
    eop_buf head = {0};
    eop_npy_put_header(&head, descr, ROWS, length);
    cr_assert_eq(head.size % 64, 0);
    cr_assert_eq(eop_zip_begin(zip, out, name, head.size + bytes, EOP_ZIP_STORED), EDGEOPS_OK);
    eop_zip_put(zip, out, head.data, head.size);
    eop_zip_put(zip, out, data, bytes);
    eop_zip_end(zip, out);
    eop_buf_dispose(&head);
}

static void make_npz(eop_buf *out) {
    static int64_t times[ROWS];
    static double x[ROWS];
    static int16_t pairs[ROWS][2];
    static uint8_t valid[ROWS];
    static uint32_t words[ROWS][3];
    eop_zip_writer zip = {0};
    for (int i = 0; i < ROWS; i++) {
        times[i] = i * 1000;
        x[i] = i / 8.0;
        pairs[i][0] = (int16_t)i;
        pairs[i][1] = (int16_t)-i;
        valid[i] = i % 3 > 0;
        words[i][0] = 0x1f600;
        words[i][1] = i % 2 > 0 ? 'b' : 0;
    }
    put_array(&zip, out, "times.npy", "<i8", 0, times, sizeof times);
    put_array(&zip, out, "x.npy", "<f8", 0, x, sizeof x);
    put_array(&zip, out, "pairs.npy", "<i2", 2, pairs, sizeof pairs);
    put_array(&zip, out, "valid/x.npy", "|b1", 0, valid, sizeof valid);
    put_array(&zip, out, "labels.npy", "<U3", 0, words, sizeof words);
    eop_zip_finish(&zip, out);
    cr_assert(!out->failed);
    eop_zip_writer_dispose(&zip);
}

static int file_of(const void *data, size_t size) {
    int fd = memfd_create("npz", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_write_all(fd, data, size), EDGEOPS_OK);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static const eop_npz_options all = {
    .what = "a.npz", .asset = "a", .time_array = "times", .label_array = "labels"};

Test(codec_npz, what_is_written_comes_back) {
    eop_buf bytes = {0};
    eop_npz *npz = NULL;
    const edgeops_table *table = NULL;
    uint64_t row = 0;
    make_npz(&bytes);
    int fd = file_of(bytes.data, bytes.size);
    cr_assert_eq(eop_npz_open(&npz, fd, &all), EDGEOPS_OK, "%s", edgeops_error_last()->message);
    cr_assert_eq(eop_npz_rows(npz), ROWS);
    while (eop_npz_next(npz, &table) == EDGEOPS_OK) {
        cr_assert_eq(table->column_count, 2);
        cr_assert_str_eq(table->columns[0].name, "x");
        cr_assert_eq(table->columns[1].length, 2);
        for (uint64_t i = 0; i < table->rows; i++, row++) {
            const char *label = NULL;
            size_t size = 0;
            int16_t pair[2];
            eop_npz_label(npz, i, &label, &size);
            cr_assert_eq(table->times[i], (int64_t)row * 1000);
            cr_assert_eq(table->columns[0].f64[i], (double)row / 8);
            cr_assert_eq(table->columns[0].valid[i], row % 3 > 0);
            memcpy(pair, (const char *)table->columns[1].data + i * sizeof pair, sizeof pair);
            cr_assert_eq(pair[1], (int16_t) - (int16_t)row);
            cr_assert_eq(size, row % 2 > 0 ? 5 : 4);
            cr_assert_eq(memcmp(label,
                                "\xf0\x9f\x98\x80"
                                "b",
                                size),
                         0);
        }
    }
    cr_assert_eq(row, ROWS);
    eop_npz_close(npz);
    close(fd);
    eop_buf_dispose(&bytes);
}

/* A byte here and there, or cut short: an error or other values, nothing worse. */
Test(codec_npz, damage_is_told) {
    eop_buf bytes = {0};
    uint64_t state = 12345;
    size_t refused = 0;
    make_npz(&bytes);
    char *copy = malloc(bytes.size);
    cr_assert(copy != NULL);
    const char *rounds = getenv("EDGEOPS_TEST_ROUNDS");
    int n = rounds != NULL ? atoi(rounds) * 10 : 1500;
    for (int round = 0; round < n; round++) {
        size_t size = bytes.size;
        memcpy(copy, bytes.data, size);
        for (int k = 0; k <= round % 4; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(state >> 33) % size;
            /* Mostly where the heads and the directory are. */
            at = round % 2 > 0 ? size - 1 - at % 600 : round % 3 > 0 ? at % 250 : at;
            copy[at] = (char)(state >> 20);
        }
        size -= round % 7 == 0 ? (size_t)(state >> 40) % size : 0;
        int fd = file_of(copy, size);
        eop_npz *npz = NULL;
        const edgeops_table *table = NULL;
        edgeops_status status = eop_npz_open(&npz, fd, &all);
        while (status == EDGEOPS_OK) {
            status = eop_npz_next(npz, &table);
        }
        refused += status != EDGEOPS_DONE;
        eop_npz_close(npz);
        close(fd);
    }
    cr_assert_gt(refused, (size_t)n / 3);
    free(copy);
    eop_buf_dispose(&bytes);
}

static edgeops_status head_of(const char *dict) {
    char data[256];
    eop_npy npy;
    size_t size = strlen(dict);
    memcpy(data, "\x93NUMPY\x01\x00", 8);
    data[8] = (char)size;
    data[9] = 0;
    memcpy(data + 10, dict, size);
    edgeops_status status = eop_npy_read_header(&npy, data, size + 10, "array");
    if (status == EDGEOPS_OK) {
        eop_npy_dispose(&npy);
    }
    return status;
}

Test(codec_npz, heads_are_parsed_strictly) {
    cr_assert_eq(head_of("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"), EDGEOPS_OK);
    cr_assert_eq(head_of("{\"shape\":(3,2),\"descr\":\">u2\",\"fortran_order\":False}"),
                 EDGEOPS_OK);
    cr_assert_eq(head_of("{'descr': '<M8[us]', 'fortran_order': False, 'shape': ()}"), EDGEOPS_OK);
    cr_assert_eq(head_of("{'descr': '<f2', 'fortran_order': True, 'shape': (3,2), }"), EDGEOPS_OK);
    cr_assert_eq(head_of("{'descr': [('a', '<f8'), ('', '|V4'), ('b c', '<i2', (3,)), ], "
                         "'fortran_order': False, 'shape': (3,), }"),
                 EDGEOPS_OK);
    cr_assert_eq(head_of("{'descr': '<M8[25s]', 'fortran_order': False, 'shape': (3,)}"),
                 EDGEOPS_OK);
    static const struct {
        const char *dict;
        edgeops_status status;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '|O8', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<c16', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [('a', [('b', '<f8')])], 'fortran_order': False, 'shape': (3,), }",
         EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,2), }",
         EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [(('title', 'a'), '<f8')], 'fortran_order': False, 'shape': (3,), }",
         EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [('a', '<f8', (2, 2))], 'fortran_order': False, 'shape': (3,), }",
         EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [], 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_CORRUPT},
        {"{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
         EDGEOPS_E_CORRUPT},
        {"{'descr': '<M8', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<m8[M]', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<M8[0s]', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '|V8', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,2,3), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (3,0), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f8', 'fortran_order': False, }", EDGEOPS_E_CORRUPT},
        {"{'descr': '<f8', 'shape': (-3,), 'fortran_order': False, }", EDGEOPS_E_CORRUPT},
        {"{'descr': '<f8', 'shape': (3,), 'fortran_order': False, 'x': 1}", EDGEOPS_E_CORRUPT},
        {"{'descr': '<f8', 'shape': (3", EDGEOPS_E_CORRUPT},
        {"", EDGEOPS_DONE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(head_of(bad[i].dict), bad[i].status, "%s", bad[i].dict);
    }
}

/* -- elements -- */

static void make_npy(eop_buf *out, const char *descr, bool fortran, const char *shape,
                     const void *data, size_t bytes) {
    char dict[256];
    bool quote = descr[0] != '[';
    int n = snprintf(dict, sizeof dict, "{'descr': %s%s%s, 'fortran_order': %s, 'shape': (%s), }",
                     quote ? "'" : "", descr, quote ? "'" : "", fortran ? "True" : "False", shape);
    char head[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)n, (char)(n >> 8)};
    eop_buf_clear(out);
    eop_buf_put(out, head, sizeof head);
    eop_buf_put(out, dict, (size_t)n);
    eop_buf_put(out, data, bytes);
}

typedef struct opened {
    eop_npz *npz;
    const edgeops_table *table;
    int fd;
} opened;

static edgeops_status open_npy(opened *o, const eop_buf *bytes, const eop_npz_options *more) {
    eop_npz_options options = more != NULL ? *more : (eop_npz_options){0};
    options.asset = options.asset != NULL ? options.asset : "a";
    options.channel = "value";
    o->fd = file_of(bytes->data, bytes->size);
    o->table = NULL;
    edgeops_status status = eop_npz_open(&o->npz, o->fd, &options);
    return status == EDGEOPS_OK ? eop_npz_next(o->npz, &o->table) : status;
}

static void close_npy(opened *o) {
    eop_npz_close(o->npz);
    close(o->fd);
}

Test(codec_npz, fortran_order_gives_the_same_rows) {
    static int16_t by_column[2][ROWS], by_row[ROWS][2];
    eop_buf bytes = {0};
    opened o;
    for (int i = 0; i < ROWS; i++) {
        by_column[0][i] = by_row[i][0] = (int16_t)i;
        by_column[1][i] = by_row[i][1] = (int16_t)(i * 7);
    }
    for (int turn = 0; turn < 2; turn++) {
        uint64_t row = 0;
        make_npy(&bytes, "<i2", turn > 0, "3000, 2", turn > 0 ? (void *)by_column : by_row,
                 sizeof by_row);
        edgeops_status status = open_npy(&o, &bytes, NULL);
        for (; status == EDGEOPS_OK; status = eop_npz_next(o.npz, &o.table)) {
            cr_assert_eq(memcmp(o.table->columns[0].data, by_row[row],
                                (size_t)o.table->rows * sizeof by_row[0]),
                         0);
            row += o.table->rows;
        }
        cr_assert_eq(status, EDGEOPS_DONE);
        cr_assert_eq(row, ROWS);
        close_npy(&o);
    }
    /* Its columns by name, and no more memory than the file has. */
    static const char *const names[] = {"left", "right"};
    const eop_npz_options named = {.names = names, .name_count = 2};
    cr_assert_eq(open_npy(&o, &bytes, &named), EDGEOPS_OK);
    cr_assert_eq(o.table->column_count, 2);
    cr_assert_str_eq(o.table->columns[1].name, "right");
    cr_assert_eq(((const int16_t *)o.table->columns[1].data)[5], 35);
    close_npy(&o);
    make_npy(&bytes, "<i2", true, "30000000, 2", by_column, sizeof by_column);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_CORRUPT);
    close_npy(&o);
    make_npy(&bytes, "<i2", true, "999999999999, 2", by_column, sizeof by_column);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_LIMIT);
    cr_assert(strstr(edgeops_error_last()->message, "ascontiguousarray") != NULL);
    close_npy(&o);
    eop_buf_dispose(&bytes);
}

Test(codec_npz, times_are_one_moment_in_every_unit) {
    static const struct {
        const char *descr;
        int64_t count, ns;
    } cases[] = {{"<M8[s]", 1577836800, 1577836800000000000},
                 {"<M8[ns]", 1577836800000000000, 1577836800000000000},
                 {"<M8[D]", 18262, 1577836800000000000},
                 {"<M8[h]", 18262 * 24, 1577836800000000000},
                 {"<M8[25s]", 63113472, 1577836800000000000},
                 {"<M8[W]", 2609, 1577923200000000000},
                 {"<M8[M]", 600, 1577836800000000000},
                 {"<M8[M]", -1, -2678400000000000},
                 {"<M8[Y]", 50, 1577836800000000000},
                 {"<M8[ps]", -1, -1},
                 {"<M8[as]", 7000000000, 7},
                 {"<m8[ms]", 3, 3000000}};
    eop_buf bytes = {0};
    opened o;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t counts[2] = {cases[i].count, INT64_MIN};
        make_npy(&bytes, cases[i].descr, false, "2,", counts, sizeof counts);
        cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_OK, "%s", edgeops_error_last()->message);
        cr_assert_eq(o.table->columns[0].i64[0], cases[i].ns, "%s: %lld", cases[i].descr,
                     (long long)o.table->columns[0].i64[0]);
        cr_assert_eq(o.table->columns[0].valid[0], 1);
        cr_assert_eq(o.table->columns[0].valid[1], 0); /* NaT */
        cr_assert_str_eq(o.table->columns[0].unit, "ns");
        close_npy(&o);
    }
    int64_t late = 99999;
    make_npy(&bytes, "<M8[Y]", false, "1,", &late, sizeof late);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_INVALID);
    cr_assert(strstr(edgeops_error_last()->message, "1677 to 2262") != NULL);
    close_npy(&o);
    eop_buf_dispose(&bytes);
}

Test(codec_npz, elements_become_what_a_channel_holds) {
    static const uint16_t halves[] = {0x0000, 0x8000, 0x0001, 0x3c00, 0x7bff, 0x7c00, 0xfe01};
    static const uint16_t shown[] = {0x0100, 0x0200}; /* other byte order */
    eop_buf bytes = {0};
    opened o;
    make_npy(&bytes, "<f2", false, "7,", halves, sizeof halves);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_OK);
    cr_assert_eq(o.table->columns[0].type, EDGEOPS_TYPE_FLOAT32);
    uint32_t bits[7];
    memcpy(bits, o.table->columns[0].data, sizeof bits);
    static const uint32_t wanted[] = {0,          0x80000000, 0x33800000, 0x3f800000,
                                      0x477fe000, 0x7f800000, 0xffc02000};
    cr_assert_eq(memcmp(bits, wanted, sizeof wanted), 0);
    close_npy(&o);
    make_npy(&bytes, ">u2", false, "2,", shown, sizeof shown);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_OK);
    cr_assert_eq(((const uint16_t *)o.table->columns[0].data)[1], 2);
    close_npy(&o);
    make_npy(&bytes, "|S3", false, "3,", "a\0\0\xc3\xbc\0a\0b", 9);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_INVALID, "a NUL inside is not dropped");
    close_npy(&o);
    make_npy(&bytes, "|S3", false, "2,", "a\0\0\xc3\xbc\0", 6);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_OK);
    cr_assert_eq(memcmp(o.table->columns[0].bytes, "a\xc3\xbc", 3), 0);
    close_npy(&o);
    double one = 1;
    make_npy(&bytes, "<f8", false, "", &one, sizeof one);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_INVALID);
    cr_assert(strstr(edgeops_error_last()->message, "single value") != NULL);
    close_npy(&o);
    make_npy(&bytes, "|b1", false, "2, 2", "\0\1\0\1", 4);
    cr_assert_eq(open_npy(&o, &bytes, NULL), EDGEOPS_E_INVALID);
    close_npy(&o);
    eop_buf_dispose(&bytes);
}

Test(codec_npz, fields_are_arrays) {
    struct {
        int64_t time;
        float x;
        char gap[4];
        uint8_t pair[2];
    } __attribute__((packed))
    rows[] = {{1704067200, 0.5f, "", {1, 2}}, {1704067201, 1, "", {3, 4}}};
    static const char descr[] =
        "[('time', '<i8'), ('x', '<f4'), ('', '|V4'), ('pair', '|u1', (2,))]";
    const eop_npz_options options = {.time_array = "time"};
    eop_buf bytes = {0};
    opened o;
    make_npy(&bytes, descr, false, "2,", rows, sizeof rows);
    cr_assert_eq(open_npy(&o, &bytes, &options), EDGEOPS_OK, "%s", edgeops_error_last()->message);
    cr_assert_eq(o.table->column_count, 2);
    cr_assert_eq(o.table->times[1], INT64_C(1704067201000000000)); /* seconds: 1980 to 2100 */
    cr_assert_eq(((const float *)o.table->columns[0].data)[0], 0.5f);
    cr_assert_eq(o.table->columns[1].length, 2);
    cr_assert_eq(((const uint8_t *)o.table->columns[1].data)[3], 4);
    close_npy(&o);
    eop_buf_dispose(&bytes);
}

/* -- times, sequence numbers, masks -- */

typedef struct part {
    const char *name, *descr;
    const void *data;
    size_t bytes; /* of an element */
} part;

static edgeops_status open_parts(opened *o, const part *parts, size_t count, uint64_t rows,
                                 const eop_npz_options *options) {
    eop_buf out = {0};
    eop_zip_writer zip = {0};
    for (size_t i = 0; i < count; i++) {
        eop_buf head = {0};
        char file[64];
        snprintf(file, sizeof file, "%s.npy", parts[i].name);
        eop_npy_put_header(&head, parts[i].descr, rows, 0);
        size_t bytes = parts[i].bytes * (size_t)rows;
        cr_assert_eq(eop_zip_begin(&zip, &out, file, head.size + bytes, EOP_ZIP_DEFLATED),
                     EDGEOPS_OK);
        eop_zip_put(&zip, &out, head.data, head.size);
        eop_zip_put(&zip, &out, parts[i].data, bytes);
        eop_zip_end(&zip, &out);
        eop_buf_dispose(&head);
    }
    eop_zip_finish(&zip, &out);
    eop_zip_writer_dispose(&zip);
    o->fd = file_of(out.data, out.size);
    eop_buf_dispose(&out);
    o->table = NULL;
    edgeops_status status = eop_npz_open(&o->npz, o->fd, options);
    return status == EDGEOPS_OK ? eop_npz_next(o->npz, &o->table) : status;
}

Test(codec_npz, times_go_by_the_rules_of_csv) {
    static const double floats[] = {1704067200.1, 1704067201.25};
    static const int64_t ms[] = {1704067200100, 1704067201250};
    static const int64_t ns[] = {1704067200100000000, 1704067201250000000};
    static const int32_t days[] = {20240101, 20240102};
    static const char texts[] = "2024-01-01 00:00:00.1\0\0\0"
                                "2024-01-01T00:00:01.25Z\0";
    static const double x[] = {1, 2};
    static const struct {
        const char *descr;
        const void *data;
        size_t bytes;
        int64_t second;
    } cases[] = {{"<f8", floats, 8, INT64_C(1704067201250000000)},
                 {"<i8", ms, 8, INT64_C(1704067201250000000)},
                 {"<i8", ns, 8, INT64_C(1704067201250000000)},
                 {"<i4", days, 4, INT64_C(1704153600000000000)},
                 {"|S24", texts, 24, INT64_C(1704067201250000000)}};
    const eop_npz_options options = {.what = "f.npz", .asset = "a", .time_array = "times"};
    opened o;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const part parts[] = {{"times", cases[i].descr, cases[i].data, cases[i].bytes},
                              {"x", "<f8", x, 8}};
        cr_assert_eq(open_parts(&o, parts, 2, 2, &options), EDGEOPS_OK, "%zu: %s", i,
                     edgeops_error_last()->message);
        cr_assert_eq(o.table->times[1], cases[i].second, "%zu: %lld", i,
                     (long long)o.table->times[1]);
        close_npy(&o);
    }
    static const float narrow[] = {1, 2};
    static const double none[] = {1, (double)NAN};
    static const int64_t nat[] = {0, INT64_MIN};
    const part bad[][2] = {{{"times", "<f4", narrow, 4}, {"x", "<f8", x, 8}},
                           {{"times", "<f8", none, 8}, {"x", "<f8", x, 8}},
                           {{"times", "<M8[s]", nat, 8}, {"x", "<f8", x, 8}}};
    static const char *const said[] = {"float32 cannot hold", "row 2", "NaT"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(open_parts(&o, bad[i], 2, 2, &options), EDGEOPS_E_INVALID);
        cr_assert(strstr(edgeops_error_last()->message, said[i]) != NULL, "%s",
                  edgeops_error_last()->message);
        close_npy(&o);
    }
}

Test(codec_npz, names_of_exports_have_their_meaning) {
    static const int64_t times[] = {5, 5, 5};
    static const double x[] = {1, 2, 3}, seqs[] = {0.2, 0.4, 0.6};
    static const uint16_t quality[] = {192, EDGEOPS_QUALITY_NONE, 7};
    static const char valid[] = {1, 1, 0}, words[] = "ssstt";
    const eop_npz_options options = {.what = "f.npz", .asset = "p/{sensor}", .time_array = "times"};
    const part parts[] = {{"times", "<i8", times, 8},          {"channel/times", "<f8", x, 8},
                          {"valid/times", "|b1", valid, 1},    {"quality/times", "<u2", quality, 2},
                          {"channel/valid/q", "<f8", seqs, 8}, {"sensor", "|S1", words, 1}};
    opened o;
    cr_assert_eq(open_parts(&o, parts, 6, 3, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_assert_eq(o.table->rows, 3);
    cr_assert_str_eq(o.table->asset, "p/s");
    cr_assert_eq(o.table->column_count, 2);
    const edgeops_column *c = &o.table->columns[0];
    cr_assert_str_eq(c->name, "times");
    cr_assert_eq(c->valid[2], 0);
    cr_assert_eq(c->quality[0], 192);
    cr_assert_eq(c->quality[2], EDGEOPS_QUALITY_NONE, "a null has no code");
    cr_assert_str_eq(o.table->columns[1].name, "valid/q");
    cr_assert_eq(o.table->seqs[2], 2, "rows of one time count up");
    close_npy(&o);
    const part floats[] = {
        {"times", "<i8", times, 8}, {"x", "<f8", x, 8}, {"seqs", "<f8", seqs, 8}};
    cr_assert_eq(open_parts(&o, floats, 3, 3, &options), EDGEOPS_E_INVALID);
    cr_assert(strstr(edgeops_error_last()->message, "'seqs' has no whole numbers") != NULL);
    close_npy(&o);
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = {"x", "times", "valid/a", "a"};
        cr_assert_eq(eop_npz_name_is_taken(names[i]), i == 1);
        cr_assert_eq(eop_npz_name_is_taken(names[i + 2]), i == 0);
    }
}

Test(codec_npz, assets_are_named_by_an_array) {
    static const int64_t times[] = {1, 2, 3, 4};
    static const double x[] = {1, 2, 3, 4};
    const eop_npz_options options = {
        .what = "f.npz", .asset = "{who}", .time_array = "times", .label_array = "y"};
    const part parts[] = {{"times", "<i8", times, 8},
                          {"x", "<f8", x, 8},
                          {"who", "|S1", "aabb", 1},
                          {"y", "|S1", "mnop", 1}};
    opened o;
    const char *label = NULL;
    size_t size = 0;
    cr_assert_eq(open_parts(&o, parts, 4, 4, &options), EDGEOPS_OK);
    cr_assert_str_eq(o.table->asset, "a");
    cr_assert_eq(o.table->rows, 2);
    cr_assert_eq(eop_npz_next(o.npz, &o.table), EDGEOPS_OK);
    cr_assert_str_eq(o.table->asset, "b");
    cr_assert_eq(o.table->columns[0].f64[1], 4);
    eop_npz_label(o.npz, 1, &label, &size);
    cr_assert(size == 1 && *label == 'p');
    cr_assert_eq(eop_npz_next(o.npz, &o.table), EDGEOPS_DONE);
    close_npy(&o);
}

Test(codec_npz, rows_of_one_time_count_up_wherever_they_stand) {
    static const int64_t times[] = {1, 2, 1, 2, 3, 1};
    static const double x[] = {1, 2, 3, 4, 5, 6};
    static const int64_t wanted[] = {0, 0, 1, 1, 0, 2};
    const eop_npz_options options = {.what = "f.npz", .asset = "a", .time_array = "times"};
    const part parts[] = {{"times", "<M8[s]", times, 8}, {"x", "<f8", x, 8}};
    opened o;
    cr_assert_eq(open_parts(&o, parts, 2, 6, &options), EDGEOPS_OK);
    cr_assert_eq(memcmp(o.table->seqs, wanted, sizeof wanted), 0);
    close_npy(&o);
}

static void note_bad(uint64_t line, const char *column, const char *reason, const char *text,
                     size_t size, void *user_data) {
    eop_buf *out = user_data;
    (void)reason;
    eop_buf_printf(out, "%d %s %.*s\n", (int)line, column, (int)size, text != NULL ? text : "");
}

/* What is bad in one array leaves out the row of all; the others count as if it were not there. */
Test(codec_npz, bad_rows_are_left_out_and_told) {
    static const int64_t times[] = {1, INT64_MIN, 1, INT64_MAX, 1, 2, 3, INT64_MIN};
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint32_t codes[] = {1, 1, 1, 70000, 1, 70000, 1, 1};
    eop_buf told = {0};
    eop_npz_options options = {.what = "f.npz",
                               .asset = "{who}",
                               .time_array = "times",
                               .bad_rows = EOP_BAD_SKIP,
                               .on_bad = note_bad,
                               .user_data = &told};
    const part parts[] = {{"times", "<M8[s]", times, 8},
                          {"x", "<f8", x, 8},
                          {"quality/x", "<u4", codes, 4},
                          {"who", "|S1", "ababaaaa", 1}};
    static const double wanted_x[] = {1, 3, 5, 7};
    static const int64_t wanted_seqs[] = {0, 1, 2, 0};
    opened o;
    size_t n = 0;
    edgeops_status status = open_parts(&o, parts, 4, 8, &options);
    for (; status == EDGEOPS_OK; status = eop_npz_next(o.npz, &o.table)) {
        cr_assert_str_eq(o.table->asset, "a");
        for (size_t i = 0; i < o.table->rows && n < 4; i++, n++) {
            cr_expect_eq(o.table->columns[0].f64[i], wanted_x[n]);
            cr_expect_eq(o.table->seqs[i], wanted_seqs[n], "%zu", n);
        }
    }
    cr_assert_eq(status, EDGEOPS_DONE, "%s", edgeops_error_last()->message);
    cr_expect_eq(n, 4);
    eop_json *report = eop_npz_report(o.npz);
    cr_expect_eq(eop_json_integer(report, "skipped", 0), 4);
    cr_expect_eq(eop_json_size(eop_json_get(report, "bad_rows")), 4);
    const eop_json *channel = eop_json_first(eop_json_get(report, "channels"));
    cr_expect_eq(eop_json_integer(channel, "values", 0), 4);
    cr_expect_str_eq(eop_json_string(report, "last", ""), "1970-01-01T00:00:03Z");
    eop_json_free(report);
    eop_buf_put(&told, "", 1);
    cr_expect_str_eq(told.data, "4 quality/x \n6 quality/x \n2 times NaT\n8 times NaT\n");
    eop_buf_dispose(&told);
    close_npy(&o);
    options = (eop_npz_options){.what = "f.npz", .asset = "a", .time_array = "times"};
    cr_assert_eq(open_parts(&o, parts, 2, 8, &options), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "row 2 of array 'times'"));
    close_npy(&o);
}

/* Heads of every kind with bytes changed: an error or other values, nothing worse. */
Test(codec_npz, damaged_heads_are_told) {
    static const struct {
        const char *descr, *shape;
        bool fortran;
    } kinds[] = {{"[('time', '<i8'), ('', '|V2'), ('x', '<f4', (2,)), ('w', '<U2')]", "9,", false},
                 {"<i2", "40, 3", true},
                 {"<M8[25s]", "30,", false},
                 {">f2", "120,", false},
                 {"|S4", "60,", false}};
    static char data[240];
    uint64_t state = 777;
    size_t refused = 0;
    eop_buf bytes = {0};
    for (int round = 0; round < 3000; round++) {
        size_t k = (size_t)round % 5;
        make_npy(&bytes, kinds[k].descr, kinds[k].fortran, kinds[k].shape, data, sizeof data);
        for (int i = 0; i <= round % 3; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            bytes.data[(size_t)(state >> 33) % (bytes.size - sizeof data)] = (char)(state >> 20);
        }
        opened o;
        const eop_npz_options options = {.time_array = k == 0 ? "time" : NULL};
        edgeops_status status = open_npy(&o, &bytes, &options);
        while (status == EDGEOPS_OK) {
            status = eop_npz_next(o.npz, &o.table);
        }
        refused += status != EDGEOPS_DONE;
        close_npy(&o);
    }
    cr_assert_gt(refused, 1000);
    eop_buf_dispose(&bytes);
}
