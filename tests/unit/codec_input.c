/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed input of each kind: "a,b\nc" and 200,000 lines "1,2", packed by the usual tools. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/decompress.h"
#include "codec/input.h"
#include "edgeops/status.h"

static const unsigned char gzip_small[] = {
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 212, 73, 226, 74, 6, 0, 64, 126, 147, 237, 5, 0, 0, 0,
};
static const unsigned char gzip_many[] = {
    31,  139, 8,   0,   0,   0,   0,   0,   2,   3,   237, 195, 49,  13,  0,   0,   8,   3,   176,
    31,  45,  60,  155, 127, 113, 248, 32,  109, 210, 108, 39,  170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170, 170,
    170, 170, 170, 170, 170, 170, 170, 170, 15,  30,  245, 96,  25,  57,  0,   53,  12,  0,
};
static const unsigned char bzip2_small[] = {
    66,  90,  104, 57,  49,  65, 89, 38,  83, 89, 94,  104, 102, 220, 0,
    0,   1,   81,  0,   0,   16, 0,  4,   56, 0,  32,  0,   48,  205, 0,
    193, 166, 192, 113, 119, 36, 83, 133, 9,  5,  230, 134, 109, 192,
};
static const unsigned char bzip2_many[] = {
    66, 90, 104, 57, 49, 65,  89,  38,  83,  89,  193, 34, 149, 69, 4,  147, 223, 216, 0,
    0,  16, 0,   4,  48, 0,   32,  0,   80,  102, 154, 5,  42,  61, 48, 18,  80,  88,  9,
    40, 47, 129, 37, 5,  128, 146, 130, 225, 119, 36,  83, 133, 9,  12, 18,  41,  84,  80,
};
static const unsigned char xz_small[] = {
    253, 55, 122, 88,  90,  0,   0,   4,   230, 214, 180, 70, 2,  0,  33, 1,
    22,  0,  0,   0,   116, 47,  229, 163, 1,   0,   4,   97, 44, 98, 10, 99,
    0,   0,  0,   0,   0,   188, 191, 232, 153, 191, 75,  12, 0,  1,  29, 5,
    184, 45, 128, 175, 31,  182, 243, 125, 1,   0,   0,   0,  0,  4,  89, 90,
};
static const unsigned char xz_many[] = {
    253, 55,  122, 88,  90,  0,   0,   4,   230, 214, 180, 70,  2,   0,   33,  1,   22,  0,
    0,   0,   116, 47,  229, 163, 236, 52,  255, 0,   187, 93,  0,   24,  139, 2,   166, 199,
    125, 12,  62,  173, 210, 180, 42,  90,  136, 168, 139, 233, 134, 202, 229, 19,  117, 69,
    54,  242, 177, 54,  58,  242, 87,  88,  54,  26,  11,  104, 161, 184, 39,  120, 31,  125,
    146, 138, 139, 211, 232, 230, 180, 120, 33,  158, 85,  255, 169, 12,  16,  51,  98,  179,
    203, 255, 250, 55,  84,  27,  183, 143, 188, 89,  51,  112, 55,  78,  92,  82,  159, 201,
    8,   173, 28,  46,  17,  209, 239, 183, 7,   73,  254, 29,  232, 135, 169, 137, 135, 14,
    255, 16,  147, 248, 113, 120, 89,  248, 11,  205, 255, 149, 40,  70,  15,  169, 252, 124,
    222, 251, 154, 48,  46,  86,  192, 143, 133, 243, 131, 129, 192, 101, 196, 37,  83,  248,
    245, 145, 54,  49,  5,   165, 176, 238, 111, 193, 112, 77,  71,  12,  209, 145, 17,  170,
    173, 96,  29,  186, 206, 177, 39,  24,  92,  89,  134, 233, 102, 82,  88,  190, 233, 118,
    172, 89,  228, 229, 91,  5,   8,   249, 199, 218, 173, 252, 251, 82,  43,  10,  154, 138,
    52,  0,   0,   0,   88,  138, 147, 113, 139, 242, 245, 8,   0,   1,   215, 1,   128, 234,
    48,  0,   68,  4,   100, 103, 177, 196, 103, 251, 2,   0,   0,   0,   0,   4,   89,  90,
};
static const unsigned char zstd_small[] = {
    40, 181, 47, 253, 0, 88, 41, 0, 0, 97, 44, 98, 10, 99,
};
static const unsigned char zstd_many[] = {
    40,  181, 47,  253, 0,  88, 100, 0,   0,   32,  49,  44, 50,  10,  1,   0,   249, 255, 231,
    142, 8,   76,  0,   0,  8,  49,  1,   0,   252, 255, 57, 16,  2,   76,  0,   0,   8,   49,
    1,   0,   252, 255, 57, 16, 2,   76,  0,   0,   8,   49, 1,   0,   252, 255, 57,  16,  2,
    76,  0,   0,   8,   49, 1,  0,   252, 255, 57,  16,  2,  76,  0,   0,   8,   49,  1,   0,
    252, 255, 57,  16,  2,  69, 0,   0,   8,   49,  1,   0,  252, 148, 7,   66,
};

typedef struct packing {
    const char *name;
    const unsigned char *small;
    size_t small_size;
    const unsigned char *many;
    size_t many_size;
    size_t magic; /* bytes that tell the kind */
} packing;

#define PACKING(name, magic)                                                                       \
    { #name, name##_small, sizeof(name##_small), name##_many, sizeof(name##_many), magic }

static const packing packings[] = {PACKING(gzip, 2), PACKING(bzip2, 10), PACKING(xz, 6),
                                   PACKING(zstd, 4)};
enum { PACKINGS = sizeof(packings) / sizeof(packings[0]) };

/* False: this build lacks the library; that it says so is checked. */
static bool is_read(size_t i) {
    eop_decompress *packed = NULL;
    edgeops_status status = eop_decompress_new(&packed, (eop_packing)(EOP_PACKED_GZIP + i), "f");
    eop_decompress_free(packed);
    if (status == EDGEOPS_E_UNSUPPORTED) {
        cr_log_warn("%s is not in this build", packings[i].name);
        cr_expect(i == 1 || i == 2);
        return false;
    }
    cr_assert_eq(status, EDGEOPS_OK);
    return true;
}

/* What comes out of a descriptor, read in steps, and its error. */
static edgeops_status read_all(eop_buf *out, int fd, size_t step) {
    eop_input *in = NULL;
    char data[4096];
    size_t got = 1;
    cr_assert_eq(eop_input_open(&in, fd, 0, "f", EOP_INPUT_TEXT), EDGEOPS_OK);
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && got > 0) {
        status = eop_input_read(in, data, step, &got);
        if (status == EDGEOPS_OK) {
            eop_buf_put(out, data, got);
        }
    }
    eop_input_close(in);
    close(fd);
    return status;
}

static int file_of(const void *data, size_t size) {
    int fd = memfd_create("input", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_write_all(fd, data, size), EDGEOPS_OK);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void reads_as(const void *data, size_t size, const char *wanted) {
    eop_buf out = {0};
    cr_expect_eq(read_all(&out, file_of(data, size), 3), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_expect_str_eq(out.data != NULL ? out.data : "", wanted);
    eop_buf_dispose(&out);
}

static void is_refused(const void *data, size_t size, edgeops_status code, const char *message) {
    eop_buf out = {0};
    cr_expect_eq(read_all(&out, file_of(data, size), 4096), code);
    cr_expect_str_eq(edgeops_error_last()->message, message);
    eop_buf_dispose(&out);
}

Test(codec_input, plain) {
    reads_as("", 0, "");
    reads_as("B", 1, "B");
    reads_as("BZh9 of plant 1\n", 16, "BZh9 of plant 1\n");
    reads_as("PAR1,PAR2\n", 10, "PAR1,PAR2\n");
    reads_as("P*x", 3, "P*x");
    reads_as("{\"a\": 1}", 8, "{\"a\": 1}");
}

Test(codec_input, members_and_padding) {
    unsigned char data[1024] = {0};
    for (size_t i = 0; i < PACKINGS; i++) {
        const packing *p = &packings[i];
        if (!is_read(i)) {
            continue;
        }
        memset(data, 0, sizeof(data));
        memcpy(data, p->small, p->small_size);
        reads_as(data, p->small_size, "a,b\nc");
        memcpy(data + p->small_size, p->small, p->small_size);
        reads_as(data, 2 * p->small_size, "a,b\nca,b\nc");
        reads_as(data, 2 * p->small_size + 100, "a,b\nca,b\nc");
        memmove(data + p->small_size + 8, p->small, p->small_size);
        memset(data + p->small_size, 0, 8);
        reads_as(data, 2 * p->small_size + 8, "a,b\nca,b\nc");
    }
}

Test(codec_input, frames_of_zstd_without_data) {
    unsigned char data[64] = {0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
    memcpy(data + 11, zstd_small, sizeof(zstd_small));
    memcpy(data + 11 + sizeof(zstd_small), data, 11);
    reads_as(data, 22 + sizeof(zstd_small), "a,b\nc");
}

Test(codec_input, more_comes_out_than_goes_in) {
    for (size_t i = 0; i < PACKINGS; i++) {
        eop_buf out = {0};
        if (!is_read(i)) {
            continue;
        }
        cr_expect_eq(read_all(&out, file_of(packings[i].many, packings[i].many_size), 4096),
                     EDGEOPS_OK);
        cr_expect_eq(out.size, 800000, "%s: %zu", packings[i].name, out.size);
        for (size_t k = 0; k < out.size; k += 4) {
            cr_assert(memcmp(out.data + k, "1,2\n", 4) == 0);
        }
        eop_buf_dispose(&out);
    }
}

Test(codec_input, every_cut_and_what_is_behind) {
    for (size_t i = 0; i < PACKINGS; i++) {
        const packing *p = &packings[i];
        unsigned char data[256];
        char wanted[96];
        if (!is_read(i)) {
            continue;
        }
        snprintf(wanted, sizeof(wanted), "f: the %s data ends too early", p->name);
        for (size_t cut = p->magic; cut < p->small_size; cut++) {
            is_refused(p->small, cut, EDGEOPS_E_CORRUPT, wanted);
        }
        for (size_t cut = p->magic; cut < p->many_size; cut += 3) {
            is_refused(p->many, cut, EDGEOPS_E_CORRUPT, wanted);
        }
        memcpy(data, p->small, p->small_size);
        data[p->small_size] = 'x';
        snprintf(wanted, sizeof(wanted), "f: there is something behind the %s data", p->name);
        is_refused(data, p->small_size + 1, EDGEOPS_E_CORRUPT, wanted);
    }
}

/* Whatever bit is turned: an error, or the same text where the bit means nothing. */
Test(codec_input, damage_is_seen) {
    for (size_t i = 0; i < PACKINGS; i++) {
        const packing *p = &packings[i];
        unsigned char data[256];
        if (!is_read(i) || i == 3) { /* zstd: packed without a check */
            continue;
        }
        for (size_t bit = p->magic * 8; bit < p->small_size * 8; bit++) {
            eop_buf out = {0};
            memcpy(data, p->small, p->small_size);
            data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
            edgeops_status status = read_all(&out, file_of(data, p->small_size), 4096);
            cr_expect(
                status == EDGEOPS_E_CORRUPT || status == EDGEOPS_E_UNSUPPORTED ||
                    (status == EDGEOPS_OK && out.size == 5 && memcmp(out.data, "a,b\nc", 5) == 0),
                "%s, bit %zu: %d", p->name, bit, (int)status);
            eop_buf_dispose(&out);
        }
    }
}

/* A frame that asks for a window of 2 GiB. */
Test(codec_input, memory_is_bounded) {
    static const unsigned char huge[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00};
    is_refused(huge, sizeof(huge), EDGEOPS_E_UNSUPPORTED,
               "f: over 128 MiB of memory are needed to unpack it; pack it again at a lower level");
}

Test(codec_input, what_is_no_text_is_named) {
    static const struct {
        const char *data;
        size_t size;
        const char *message;
    } cases[] = {
#define CASE(data, message) {data, sizeof(data) - 1, message}
        CASE("PK\3\4\24\0\0\0\10\0................\5\0\0\0a.csv",
             "f: this is a zip archive; unpack it and take the file in it"),
        CASE("PK\3\4\24\0\6\0\10\0................\23\0\0\0[Content_Types].xml",
             "f: this is a spreadsheet (xlsx); save the sheet as CSV"),
        CASE("PK\3\4\24\0\0\0\10\0................\5\0\0\0x.npy\x93NUMPY",
             "f: this is a NumPy archive; give it a name that ends in .npz, or save it as CSV"),
        CASE("PAR1\x15\0\x15",
             "f: this is a Parquet file; give it a name that ends in .parquet, or save it as CSV"),
        CASE("\x04\x22\x4d\x18x", "f: this is lz4 data; unpack it first: lz4 -d FILE"),
        CASE("\x1f\x9d\x90", "f: this is data of compress (.Z); unpack it first: uncompress FILE"),
        CASE("7z\xbc\xaf\x27\x1c\0", "f: this is a 7z archive; unpack it and take the file in it"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_refused(cases[i].data, cases[i].size, EDGEOPS_E_UNSUPPORTED, cases[i].message);
    }
    char tar[512] = "a.csv";
    memcpy(tar + 257, "ustar", 5);
    is_refused(tar, sizeof(tar), EDGEOPS_E_UNSUPPORTED,
               "f: this is a tar archive; unpack it and take the file in it");
}

typedef struct feed {
    const unsigned char *data;
    size_t size;
    int fd;
} feed;

static void *feed_bytes(void *user_data) {
    feed *f = user_data;
    for (size_t i = 0; i < f->size; i++) {
        (void)!eop_write_all(f->fd, f->data + i, 1);
    }
    close(f->fd);
    return NULL;
}

Test(codec_input, byte_by_byte_through_a_pipe) {
    for (size_t i = 0; i < PACKINGS; i++) {
        int fds[2];
        pthread_t thread;
        eop_buf out = {0};
        if (!is_read(i)) {
            continue;
        }
        cr_assert_eq(pipe(fds), 0);
        feed f = {packings[i].small, packings[i].small_size, fds[1]};
        cr_assert_eq(pthread_create(&thread, NULL, feed_bytes, &f), 0);
        cr_expect_eq(read_all(&out, fds[0], 2), EDGEOPS_OK);
        pthread_join(thread, NULL);
        cr_expect_str_eq(out.data, "a,b\nc");
        eop_buf_dispose(&out);
    }
}

/* What a writer has sent comes, though it sends no more for now. */
Test(codec_input, what_is_there_is_given, .timeout = 60) {
    int fds[2];
    char data[16];
    size_t got = 0;
    eop_input *in = NULL;
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(eop_input_open(&in, fds[0], 0, "f", EOP_INPUT_TEXT), EDGEOPS_OK);
    cr_assert_eq(write(fds[1], "h\n", 2), 2);
    cr_expect_eq(eop_input_read(in, data, sizeof(data), &got), EDGEOPS_OK);
    cr_expect_eq(got, 2);
    eop_input_close(in);
    close(fds[0]);
    close(fds[1]);
}
