/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's files: what is written comes back, and what is damaged is told, not believed. */
#include <criterion/criterion.h>
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
    return eop_npy_read_header(&npy, data, size + 10, "array");
}

Test(codec_npz, heads_are_parsed_strictly) {
    cr_assert_eq(head_of("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"), EDGEOPS_OK);
    cr_assert_eq(head_of("{\"shape\":(3,2),\"descr\":\">u2\",\"fortran_order\":False}"),
                 EDGEOPS_OK);
    cr_assert_eq(head_of("{'descr': '<M8[us]', 'fortran_order': False, 'shape': ()}"), EDGEOPS_OK);
    static const struct {
        const char *dict;
        edgeops_status status;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '|O8', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<c16', 'fortran_order': False, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
        {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }",
         EDGEOPS_E_UNSUPPORTED},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (3,), }", EDGEOPS_E_UNSUPPORTED},
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
