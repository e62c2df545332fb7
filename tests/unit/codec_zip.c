/* SPDX-License-Identifier: Apache-2.0 */
/* The zip reader and writer: what is written comes back, and a zip that could be read in two ways
 * is refused, whichever way is right. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/zip.h"
#include "failing_memory.h"
#include "zip_tools.h"

static int file_of(const void *data, size_t size) {
    int fd = memfd_create("zip", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_write_all(fd, data, size), EDGEOPS_OK);
    return fd;
}

/* All contents behind one another, if given; piece: bytes a read. */
static edgeops_status read_all(int fd, eop_buf *contents, size_t piece) {
    eop_zip zip;
    char block[4096];
    edgeops_status status = eop_zip_open(&zip, fd, "a.zip", 1000);
    if (status == EDGEOPS_OK) {
        status = eop_zip_check(&zip);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < zip.count; i++) {
        eop_zip_stream *stream = NULL;
        uint64_t left = zip.entries[i].size;
        status = eop_zip_stream_open(&stream, &zip, &zip.entries[i]);
        while (status == EDGEOPS_OK && left > 0) {
            size_t n = left < piece ? (size_t)left : piece;
            status = eop_zip_stream_read(stream, block, n);
            left -= n;
            if (status == EDGEOPS_OK && contents != NULL) {
                eop_buf_put(contents, block, n);
            }
        }
        eop_zip_stream_close(stream);
    }
    eop_zip_dispose(&zip);
    return status;
}

static edgeops_status read_bytes(const eop_buf *bytes) {
    int fd = file_of(bytes->data, bytes->size);
    edgeops_status status = read_all(fd, NULL, 4096);
    close(fd);
    return status;
}

/* -- the writer -- */

/* Three files of each method, one empty, one that packs well, one that does not. */
static void write_zip(eop_buf *out, eop_buf *contents, size_t piece) {
    static const int methods[] = {EOP_ZIP_STORED, EOP_ZIP_DEFLATED};
    eop_zip_writer zip = {0};
    uint64_t state = 1;
    for (size_t m = 0; m < 2; m++) {
        for (size_t kind = 0; kind < 3; kind++) {
            static char data[100000];
            size_t size = kind == 0 ? 0 : sizeof data;
            char name[64];
            for (size_t i = 0; i < size; i++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                data[i] = kind == 1 ? (char)(i / 1000) : (char)(state >> 33);
            }
            (void)snprintf(name, sizeof name, "d%zu/f%zu", m, kind);
            cr_assert_eq(eop_zip_begin(&zip, out, name, size, methods[m]), EDGEOPS_OK);
            for (size_t at = 0; at < size; at += piece) {
                eop_zip_put(&zip, out, data + at, size - at < piece ? size - at : piece);
            }
            cr_assert_eq(zip.left, 0);
            eop_zip_end(&zip, out);
            if (contents != NULL) {
                eop_buf_put(contents, data, size);
            }
        }
    }
    eop_zip_finish(&zip, out);
    cr_assert(!out->failed);
    cr_assert_eq(zip.offset, out->size);
    eop_zip_writer_dispose(&zip);
}

Test(codec_zip, what_is_written_comes_back) {
    static const size_t pieces[] = {1, 7, 4096};
    eop_buf zip = {0}, contents = {0};
    write_zip(&zip, &contents, 5000);
    int fd = file_of(zip.data, zip.size);
    for (size_t i = 0; i < 3; i++) {
        eop_buf got = {0};
        cr_assert_eq(read_all(fd, &got, pieces[i]), EDGEOPS_OK, "%s",
                     edgeops_error_last()->message);
        cr_assert(got.size == contents.size && memcmp(got.data, contents.data, got.size) == 0);
        eop_buf_dispose(&got);
    }
    cr_assert_lt(zip.size, 310000, "nothing was packed: %zu bytes", zip.size);
    close(fd);
    eop_buf_dispose(&contents);
    eop_buf_dispose(&zip);
}

Test(codec_zip, the_same_files_give_the_same_bytes) {
    eop_buf a = {0}, b = {0};
    write_zip(&a, NULL, 5000);
    write_zip(&b, NULL, 5000);
    cr_assert(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
    eop_buf_dispose(&a);
    eop_buf_dispose(&b);
}

Test(codec_zip, sizes_over_4_gib_are_written_and_read) {
    enum { MIB = 1 << 20 };
    const uint64_t size = ((uint64_t)4 << 30) + 5;
    static char zeros[MIB];
    eop_buf out = {0};
    eop_zip_writer writer = {0};
    eop_zip zip;
    eop_zip_stream *stream = NULL;
    int fd = memfd_create("zip", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_zip_begin(&writer, &out, "large", size, EOP_ZIP_STORED), EDGEOPS_OK);
    cr_assert_eq(eop_write_all(fd, out.data, out.size), EDGEOPS_OK);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < MIB ? (size_t)(size - at) : MIB;
        eop_buf_clear(&out);
        eop_zip_put(&writer, &out, zeros, n);
        cr_assert_geq(lseek(fd, (off_t)n, SEEK_CUR), 0); /* a hole */
        at += n;
    }
    eop_buf_clear(&out);
    eop_zip_end(&writer, &out);
    cr_assert_eq(eop_zip_begin(&writer, &out, "small", 2, EOP_ZIP_DEFLATED), EDGEOPS_OK);
    eop_zip_put(&writer, &out, "ok", 2);
    eop_zip_end(&writer, &out);
    eop_zip_finish(&writer, &out);
    cr_assert_eq(eop_write_all(fd, out.data, out.size), EDGEOPS_OK);
    cr_assert_eq(eop_zip_open(&zip, fd, "a.zip", 10), EDGEOPS_OK);
    cr_assert_eq(eop_zip_check(&zip), EDGEOPS_OK, "%s", edgeops_error_last()->message);
    cr_assert_eq(zip.entries[0].size, size);
    cr_assert_gt(zip.entries[1].offset, size);
    cr_assert_eq(eop_zip_stream_open(&stream, &zip, &zip.entries[1]), EDGEOPS_OK);
    cr_assert_eq(eop_zip_stream_read(stream, zeros, 2), EDGEOPS_OK);
    cr_assert_eq(memcmp(zeros, "ok", 2), 0);
    eop_zip_stream_close(stream);
    eop_zip_dispose(&zip);
    eop_zip_writer_dispose(&writer);
    eop_buf_dispose(&out);
    close(fd);
}

/* -- the reader -- */

#define PLAIN                                                                                      \
    { .name = "a", .data = "hello" }

/* raw deflate of "hello", and of 2,000 bytes "a" */
static const char hello[] = "\xcb\x48\xcd\xc9\xc9\x07\x00";
static const char letters[] = "\x4b\x4c\x1c\x05\xa3\x60\x14\x0c\x77\x00\x00";

/* PK\7\8, the checksum of "hello", 5 and 5; with 8 bytes a size the fives follow zeros */
#define CRC_HELLO  "\x86\xa6\x10\x36"
#define FIVE       "\5\0\0\0"
#define FIVE_LARGE "\5\0\0\0\0\0\0\0"

typedef struct contradiction {
    const char *label;
    fake entry;
    edgeops_status code;
    const char *text; /* in the message */
} contradiction;

static void check_all(const contradiction *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const fake entries[] = {PLAIN, cases[i].entry, {.name = "z", .data = "last"}};
        eop_buf zip = {0};
        build_zip(&zip, entries, 3);
        edgeops_status status = read_bytes(&zip);
        cr_expect(status == cases[i].code &&
                      (cases[i].text == NULL ||
                       strstr(edgeops_error_last()->message, cases[i].text) != NULL),
                  "%s: %s: %s", cases[i].label, edgeops_status_name(status),
                  status < 0 ? edgeops_error_last()->message : "");
        eop_buf_dispose(&zip);
    }
}

Test(codec_zip, the_header_in_front_must_agree) {
    static const lie name = {.name = "c"}, longer = {.name = "bb"}, method = {.method = 8},
                     secret = {.flags = 1}, size = {.size = 9}, packed = {.packed = 6},
                     crc = {.crc = 7}, open_crc = {.flags = 8, .crc = 7},
                     open_size = {.flags = 8, .size = 7}, large = {.size = UINT32_MAX},
                     zip64 = {.size = UINT32_MAX,
                              .packed = UINT32_MAX,
                              .extra = "\1\0\x10\0" FIVE_LARGE FIVE_LARGE,
                              .extra_size = 20},
                     zip64_lies = {.size = UINT32_MAX,
                                   .packed = UINT32_MAX,
                                   .extra = "\1\0\x10\0\6\0\0\0\0\0\0\0" FIVE_LARGE,
                                   .extra_size = 20},
                     renamed = {.extra = "\x75\x70\x06\0\1abcdx", .extra_size = 10},
                     runs_over = {.extra = "\x99\x99\x09\0x", .extra_size = 5};
#define FRONT(lie)                                                                                 \
    { .name = "b", .data = "hello", .front = &lie }
    const contradiction cases[] = {
        {"another name", FRONT(name), EDGEOPS_E_CORRUPT, "two names"},
        {"a longer name", FRONT(longer), EDGEOPS_E_CORRUPT, "two names"},
        {"another method", FRONT(method), EDGEOPS_E_CORRUPT, "packed in two ways"},
        {"encrypted in front only", FRONT(secret), EDGEOPS_E_CORRUPT, "packed in two ways"},
        {"another size", FRONT(size), EDGEOPS_E_CORRUPT, "in front"},
        {"another packed size", FRONT(packed), EDGEOPS_E_CORRUPT, "in front"},
        {"another checksum", FRONT(crc), EDGEOPS_E_CORRUPT, "in front"},
        {"another checksum, open", FRONT(open_crc), EDGEOPS_E_CORRUPT, "in front"},
        {"another size, open", FRONT(open_size), EDGEOPS_E_CORRUPT, "in front"},
        {"ZIP64 without its field", FRONT(large), EDGEOPS_E_CORRUPT, "ZIP64"},
        {"ZIP64 that agrees", FRONT(zip64), EDGEOPS_OK, NULL},
        {"ZIP64 that lies", FRONT(zip64_lies), EDGEOPS_E_CORRUPT, "in front"},
        {"another name in Unicode", FRONT(renamed), EDGEOPS_E_CORRUPT, "extra field"},
        {"an extra field that runs over", FRONT(runs_over), EDGEOPS_E_CORRUPT, "runs over"},
    };
    check_all(cases, EOP_COUNT(cases));
}

Test(codec_zip, the_descriptor_behind_must_agree) {
    static const lie open = {.flags = 8, .crc = 0, .size = 0};
#define BEHIND(flags_, bytes)                                                                      \
    {                                                                                              \
        .name = "b", .data = "hello", .flags = flags_, .behind = bytes,                            \
        .behind_size = sizeof bytes - 1                                                            \
    }
    const contradiction cases[] = {
        {"with a signature", BEHIND(8, "PK\7\10" CRC_HELLO FIVE FIVE), EDGEOPS_OK, NULL},
        {"without a signature", BEHIND(8, CRC_HELLO FIVE FIVE), EDGEOPS_OK, NULL},
        {"large", BEHIND(8, "PK\7\10" CRC_HELLO FIVE_LARGE FIVE_LARGE), EDGEOPS_OK, NULL},
        {"large without a signature", BEHIND(8, CRC_HELLO FIVE_LARGE FIVE_LARGE), EDGEOPS_OK, NULL},
        {"nothing, but all known in front", BEHIND(8, ""), EDGEOPS_OK, NULL},
        {"bytes between two entries", BEHIND(0, "gap"), EDGEOPS_OK, NULL},
        {"known in front, agrees behind",
         {.name = "b",
          .data = "hello",
          .flags = 8,
          .front = &open,
          .behind = CRC_HELLO FIVE FIVE,
          .behind_size = 12},
         EDGEOPS_OK,
         NULL},
    };
    check_all(cases, EOP_COUNT(cases));
}

/* The header in front is all zeros, as writers that stream leave it. */
Test(codec_zip, an_open_header_needs_a_descriptor_that_fits) {
    static const struct {
        const char *behind;
        size_t size;
        edgeops_status code;
    } cases[] = {
        {"PK\7\10" CRC_HELLO FIVE FIVE, 16, EDGEOPS_OK},
        {CRC_HELLO FIVE_LARGE FIVE_LARGE, 20, EDGEOPS_OK},
        {"", 0, EDGEOPS_E_CORRUPT},
        {"PK\7\10" CRC_HELLO FIVE "\6\0\0\0", 16, EDGEOPS_E_CORRUPT},
        {"PK\7\10" CRC_HELLO "\6\0\0\0" FIVE, 16, EDGEOPS_E_CORRUPT},
        {"PK\7\10xxxx" FIVE FIVE, 16, EDGEOPS_E_CORRUPT},
    };
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        const fake entries[] = {{.name = "b",
                                 .data = "hello",
                                 .flags = 8,
                                 .behind = cases[i].behind,
                                 .behind_size = cases[i].size},
                                PLAIN};
        eop_buf zip = {0};
        build_zip(&zip, entries, 2);
        memset(zip.data + 14, 0, 12); /* crc, packed, size of the first header */
        edgeops_status status = read_bytes(&zip);
        cr_expect(status == cases[i].code, "case %zu: %s: %s", i, edgeops_status_name(status),
                  edgeops_error_last()->message);
        eop_buf_dispose(&zip);
    }
}

Test(codec_zip, packed_data_are_used_up_exactly) {
    static const char more[] = "\xcb\x48\xcd\xc9\xc9\x07\x00tail";
#define PACKED(bytes, n, size_, crc_)                                                              \
    { .name = "b", .data = bytes, .data_size = n, .method = 8, .size = size_, .crc = crc_ }
    const contradiction cases[] = {
        {"sound", PACKED(hello, 7, 5, 0x3610a686), EDGEOPS_OK, NULL},
        {"a size too small", PACKED(hello, 7, 4, 0x3610a686), EDGEOPS_E_CORRUPT, "another size"},
        {"a size too large", PACKED(hello, 7, 6, 0x3610a686), EDGEOPS_E_CORRUPT, "another size"},
        {"a wrong checksum", PACKED(hello, 7, 5, 1), EDGEOPS_E_CORRUPT, "CRC"},
        {"bytes behind", PACKED(more, 11, 5, 0x3610a686), EDGEOPS_E_CORRUPT, "behind"},
        {"cut short", PACKED(hello, 4, 5, 0x3610a686), EDGEOPS_E_CORRUPT, "damaged"},
        {"cut before its end mark", PACKED(hello, 6, 5, 0x3610a686), EDGEOPS_E_CORRUPT, "damaged"},
        {"content of another size", PACKED(letters, 11, 1, 1), EDGEOPS_E_CORRUPT, NULL},
        {"no deflate at all", PACKED("\7garbage", 8, 5, 1), EDGEOPS_E_CORRUPT, "damaged"},
        {"another method",
         {.name = "b", .data = "x", .method = 12},
         EDGEOPS_E_UNSUPPORTED,
         "not read"},
        {"encrypted", {.name = "b", .data = "x", .flags = 1}, EDGEOPS_E_UNSUPPORTED, "not read"},
        {"stored with two sizes",
         {.name = "b", .data = "hello", .size = 4},
         EDGEOPS_E_CORRUPT,
         "two sizes"},
        {"a name with a NUL",
         {.name = "b\0c", .name_size = 3, .data = "x"},
         EDGEOPS_E_DENIED,
         "NUL"},
        {"a name twice", {.name = "a", .data = "x"}, EDGEOPS_E_DENIED, "twice"},
        {"an entry inside another",
         {.name = "b", .data = "x", .offset_add = (uint32_t)-20},
         EDGEOPS_E_DENIED,
         "share"},
        {"an entry in the directory",
         {.name = "b", .data = "x", .offset_add = 60},
         EDGEOPS_E_CORRUPT,
         NULL},
        {"an entry far away",
         {.name = "b", .data = "x", .offset_add = 0x70000000},
         EDGEOPS_E_CORRUPT,
         "past the end"},
    };
    check_all(cases, EOP_COUNT(cases));
}

/* Two directories that share the file, in every way in which readers look for one. */
Test(codec_zip, two_ways_to_the_directory_are_refused) {
    const fake entries[] = {PLAIN, {.name = "b", .data = "x"}};
    eop_buf good = {0};
    build_zip(&good, entries, 2);
    const size_t end = good.size - 22;
    /* An end record inside the comment of another one. */
    eop_buf zip = {0};
    eop_buf_put(&zip, good.data, good.size);
    zip.data[zip.size - 2] = 22;
    eop_buf_put(&zip, good.data + end, 22);
    cr_expect_eq(read_bytes(&zip), EDGEOPS_E_CORRUPT);
    eop_buf_clear(&zip);
    /* A plain comment is none of these. */
    eop_buf_put(&zip, good.data, good.size);
    zip.data[zip.size - 2] = 4;
    eop_buf_puts(&zip, "note");
    cr_expect_eq(read_bytes(&zip), EDGEOPS_OK, "%s", edgeops_error_last()->message);
    eop_buf_clear(&zip);
    /* A ZIP64 end record that says the same, one that says otherwise, and one on another disk. */
    for (int kind = 0; kind < 3; kind++) {
        eop_buf_put(&zip, good.data, end);
        eop_buf_put(&zip, "PK\6\6\x2c\0\0\0\0\0\0\0\x2d\3\x2d\0\0\0\0\0\0\0\0\0", 24);
        put32(&zip, 2);
        put32(&zip, 0);
        put32(&zip, kind == 1 ? 1 : 2);
        put32(&zip, 0);
        eop_buf_put(&zip, good.data + end + 12, 4);
        put32(&zip, 0);
        eop_buf_put(&zip, good.data + end + 16, 4);
        put32(&zip, 0);
        eop_buf_put(&zip, "PK\6\7", 4);
        put32(&zip, kind == 2 ? 1 : 0);
        put32(&zip, (uint32_t)end);
        put32(&zip, 0);
        put32(&zip, 1);
        eop_buf_put(&zip, good.data + end, 22);
        if (kind == 1) {
            zip.data[end + 24] = 1;
        }
        static const edgeops_status wanted[] = {EDGEOPS_OK, EDGEOPS_E_CORRUPT,
                                                EDGEOPS_E_UNSUPPORTED};
        edgeops_status status = read_bytes(&zip);
        cr_expect(status == wanted[kind], "kind %d: %s: %s", kind, edgeops_status_name(status),
                  edgeops_error_last()->message);
        eop_buf_clear(&zip);
    }
    eop_buf_dispose(&zip);
    eop_buf_dispose(&good);
}

Test(codec_zip, limits_and_unchecked_zips_are_errors) {
    const fake entries[] = {PLAIN, {.name = "b", .data = "x"}};
    eop_buf bytes = {0};
    eop_zip zip;
    eop_zip_stream *stream = NULL;
    build_zip(&bytes, entries, 2);
    int fd = file_of(bytes.data, bytes.size);
    cr_assert_eq(eop_zip_open(&zip, fd, "a.zip", 1), EDGEOPS_E_LIMIT);
    cr_assert_str_eq(edgeops_error_last()->message, "a.zip: more than 1 entries");
    eop_zip_dispose(&zip);
    cr_assert_eq(eop_zip_open(&zip, fd, "a.zip", 2), EDGEOPS_OK);
#ifdef NDEBUG
    cr_assert_eq(eop_zip_stream_open(&stream, &zip, &zip.entries[0]), EDGEOPS_E_INVALID);
#endif
    cr_assert_eq(eop_zip_check(&zip), EDGEOPS_OK);
    cr_assert_eq(eop_zip_stream_open(&stream, &zip, &zip.entries[0]), EDGEOPS_OK);
    char more[6];
    cr_assert_eq(eop_zip_stream_read(stream, more, 6), EDGEOPS_E_CORRUPT);
    eop_zip_stream_close(stream);
    eop_zip_stream_close(NULL);
    eop_zip_dispose(&zip);
    close(fd);
    eop_buf_dispose(&bytes);
}

/* Bytes here and there, or cut short: an error or the same content, nothing worse. */
Test(codec_zip, mutants_are_refused_or_read_the_same) {
    const char *rounds = getenv("EDGEOPS_TEST_ROUNDS");
    const int n = rounds != NULL ? atoi(rounds) * 20 : 20000;
    const fake entries[] = {PLAIN,
                            PACKED(hello, 7, 5, 0x3610a686),
                            {.name = "c",
                             .data = "hello",
                             .flags = 8,
                             .behind = CRC_HELLO FIVE FIVE,
                             .behind_size = 12}};
    eop_buf zip = {0}, contents = {0};
    uint64_t state = 99;
    int refused = 0;
    build_zip(&zip, entries, 3);
    char *copy = malloc(zip.size);
    for (int round = 0; round < n; round++) {
        size_t size = zip.size;
        memcpy(copy, zip.data, size);
        for (int k = 0; k <= round % 3; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            copy[(size_t)(state >> 33) % size] = (char)(state >> 20);
        }
        size -= round % 9 == 0 ? (size_t)(state >> 40) % size : 0;
        int fd = file_of(copy, size);
        eop_buf_clear(&contents);
        edgeops_status status = read_all(fd, &contents, 4096);
        refused += status < 0;
        cr_assert(status < 0 ||
                      (contents.size == 15 && memcmp(contents.data, "hellohellohello", 15) == 0),
                  "round %d passed with other content", round);
        close(fd);
    }
    cr_assert_gt(refused, n / 2);
    free(copy);
    eop_buf_dispose(&contents);
    eop_buf_dispose(&zip);
}

/* -- memory -- */

static edgeops_status write_and_read(void) {
    eop_zip_writer writer = {0};
    eop_buf out = {0};
    edgeops_status status = eop_zip_begin(&writer, &out, "a", 5, EOP_ZIP_DEFLATED);
    if (status == EDGEOPS_OK) {
        eop_zip_put(&writer, &out, "hello", 5);
        eop_zip_end(&writer, &out);
        status = eop_zip_begin(&writer, &out, "b", 0, EOP_ZIP_STORED);
    }
    if (status == EDGEOPS_OK) {
        eop_zip_end(&writer, &out);
        eop_zip_finish(&writer, &out);
        status = out.failed ? eop_fail_nomem("test") : read_bytes(&out);
    }
    eop_zip_writer_dispose(&writer);
    eop_buf_dispose(&out);
    return status;
}

Test(codec_zip, each_allocation_fails) {
    take_failing_memory();
    for (fail_at = 1;; fail_at++) {
        allocations = 0;
        edgeops_status status = write_and_read();
        cr_assert_eq(alive, 0, "%ld blocks are left after allocation %ld failed", alive, fail_at);
        if (allocations < fail_at) {
            cr_assert_eq(status, EDGEOPS_OK, "%s", edgeops_error_last()->message);
            break;
        }
        cr_assert_eq(status, EDGEOPS_E_NOMEM, "allocation %ld: %s", fail_at,
                     edgeops_status_name(status));
    }
    cr_assert_gt(fail_at, 10);
}
