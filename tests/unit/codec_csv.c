/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/csv.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "edgeops/status.h"

/* A file without a name that holds data, standing at its start. */
static int file_of(const void *data, size_t size) {
    int fd = memfd_create("csv", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(eop_write_all(fd, data, size), EDGEOPS_OK);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void put_fields(eop_buf *out, const eop_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(strlen(fields[i].text), fields[i].size);
        eop_buf_printf(out, "[%s]%s", fields[i].text,
                       fields[i].kind == EOP_FIELD_QUOTED ? "q" : "");
    }
}

/* All records as "[a][b]q\n", q for a quoted field, then the status and, for an error, its text. */
static void dump(eop_buf *out, int fd, char separator) {
    const char text[] = {separator, 0};
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    edgeops_status status =
        eop_csv_open(&reader, fd, 0, &(eop_csv_dialect){.separator = text}, "f");
    cr_assert_eq(status, EDGEOPS_OK);
    while ((status = eop_csv_next(reader, &fields, &count)) == EDGEOPS_OK) {
        eop_buf_printf(out, "%d:", (int)eop_csv_line(reader));
        put_fields(out, fields, count);
        eop_buf_puts(out, "\n");
    }
    if (status < 0) {
        eop_buf_printf(out, "%s %s", edgeops_status_name(status), edgeops_error_last()->message);
    }
    eop_csv_close(reader);
    close(fd);
}

/* All records in one line, "1[a][b] 2[c][d]", and each refused one as "3!its text!". */
static void dump_all(eop_buf *out, int fd, const eop_csv_dialect *dialect) {
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    edgeops_status status = EDGEOPS_OK;
    cr_assert_eq(eop_csv_open(&reader, fd, 0, dialect, "f"), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    eop_records *records = eop_csv_records(reader);
    while (status != EDGEOPS_DONE) {
        size_t size = 0;
        status = records->next(records, &fields, &count);
        const char *text = records->text(records, &size);
        eop_buf_printf(out, "%s%.0d", out->size > 0 ? " " : "",
                       status == EDGEOPS_DONE ? 0 : (int)records->line(records));
        if (status == EDGEOPS_OK) {
            cr_expect_null(text);
            put_fields(out, fields, count);
        } else if (status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT) {
            eop_buf_printf(out, "!%.*s!", (int)size, text);
        } else {
            cr_assert_eq(status, EDGEOPS_DONE);
            eop_buf_puts(out, "=");
        }
    }
    records->close(records);
    close(fd);
}

static void reads_all_as(const char *text, size_t size, eop_csv_dialect dialect,
                         const char *wanted) {
    eop_buf out = {0};
    dump_all(&out, file_of(text, size), &dialect);
    cr_expect_str_eq(out.data != NULL ? out.data : "", wanted);
    eop_buf_dispose(&out);
}

#define READS_ALL_AS(text, wanted, ...)                                                            \
    reads_all_as(text, sizeof(text) - 1, (eop_csv_dialect){__VA_ARGS__}, wanted)

static void reads_as(const char *text, size_t size, const char *wanted) {
    eop_buf out = {0};
    dump(&out, file_of(text, size), ',');
    cr_expect_str_eq(out.data != NULL ? out.data : "", wanted);
    eop_buf_dispose(&out);
}

#define READS_AS(text, wanted) reads_as(text, sizeof(text) - 1, wanted)

Test(codec_csv, rfc_4180) {
    READS_AS("", "");
    READS_AS("a,b\r\nc,d\r\n", "1:[a][b]\n2:[c][d]\n");
    READS_AS("a,b\nc,d", "1:[a][b]\n2:[c][d]\n");
    READS_AS("a,", "1:[a][]\n");
    READS_AS(",\n", "1:[][]\n");
    READS_AS("a,b\r", "1:[a][b]\n");
    READS_AS("\"a\",\"b \"\"q\"\" , x\",\"\"\n", "1:[a]q[b \"q\" , x]q[]q\n");
    READS_AS("\"l1\r\nl2\",x\ny,z\n", "1:[l1\r\nl2]q[x]\n3:[y][z]\n");
    READS_AS("\"\"\"\"", "1:[\"]q\n");
    READS_AS(" a , b \n", "1:[ a ][ b ]\n");
}

Test(codec_csv, blank_lines_are_skipped_and_counted) {
    READS_AS("\n\r\na\n\n\"\"\n\nb", "3:[a]\n5:[]q\n7:[b]\n");
    READS_AS("\n\n", "");
}

Test(codec_csv, byte_order_mark_is_skipped) {
    READS_AS("\xef\xbb\xbf"
             "a,b\n",
             "1:[a][b]\n");
    READS_AS("\xef\xbb\xbf", "");
    READS_AS("\xff\xfe"
             "a\0",
             "EDGEOPS_E_INVALID f: this is UTF-16; save it as UTF-8");
}

Test(codec_csv, errors_tell_the_line) {
    READS_AS("a\n\"b\nc", "1:[a]\nEDGEOPS_E_INVALID f:2: the file ends inside quotes");
    READS_AS("a\nb\"c\n",
             "1:[a]\nEDGEOPS_E_INVALID f:2: a quote inside a field that is not quoted; "
             "write the field as \"...\" and the quote as \"\"");
    READS_AS("\"a\"b\n",
             "EDGEOPS_E_INVALID f:1: text behind a closing quote; a quote inside a field is "
             "written \"\"");
    READS_AS("\"a\";\"b\"\n",
             "EDGEOPS_E_INVALID f:1: ';' behind a closing quote; if it parts the fields: "
             "--separator ';'");
    READS_AS("a\na\rb\n",
             "1:[a]\nEDGEOPS_E_INVALID f:2: a carriage return inside a field that is not quoted");
    READS_AS("a\rb\n",
             "EDGEOPS_E_INVALID f:1: a carriage return inside a field that is not quoted");
    READS_AS("a\rb\r", /* too few to tell */
             "EDGEOPS_E_INVALID f:1: a carriage return inside a field that is not quoted");
    READS_AS("a\rb\rc\n",
             "1:[a]\n2:[b]\nEDGEOPS_E_INVALID f:3: a line feed inside a field that is not quoted; "
             "the lines of this file end with a carriage return alone");
    READS_AS("\"a\nb\"c\n",
             "EDGEOPS_E_INVALID f:1: the quotes that open here reach over lines to one where "
             "text is behind them; a quote inside a field is written \"\"");
    READS_AS("a\0b\n", "EDGEOPS_E_INVALID f:1: a NUL byte; is this a text file?");
    READS_AS("\"a\0b\"\n", "EDGEOPS_E_INVALID f:1: a NUL byte; is this a text file?");
    READS_AS("a,\xff\n", "EDGEOPS_E_INVALID f:1: field 2 is not UTF-8; convert the file first");
}

Test(codec_csv, other_separators) {
    eop_buf out = {0};
    eop_csv_reader *reader = NULL;
    dump(&out, file_of("a;b,c\n", 6), ';');
    dump(&out, file_of("a\tb\n", 4), '\t');
    cr_expect_str_eq(out.data, "1:[a][b,c]\n1:[a][b]\n");
    cr_expect_eq(eop_csv_open(&reader, 0, 0, &(eop_csv_dialect){.separator = "\""}, "f"),
                 EDGEOPS_E_INVALID);
    cr_expect_null(reader);
    eop_buf_dispose(&out);
}

Test(codec_csv, signs_that_are_one_are_refused) {
    static const eop_csv_dialect dialects[] = {
        {.separator = ""},
        {.separator = "abc"},
        {.separator = "\n"},
        {.separator = "a\r"},
        {.separator = "\xc3\xa9"},
        {.separator = ",", .quote = ','},
        {.separator = ";", .escape = ';'},
        {.quote = '\'', .comment = '\''},
        {.escape = '#', .comment = '#'},
        {.escape = '\n'},
    };
    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        eop_csv_reader *reader = NULL;
        cr_expect_eq(eop_csv_open(&reader, 0, 0, &dialects[i], "f"), EDGEOPS_E_INVALID, "%zu", i);
        cr_expect_null(reader);
    }
}

Test(codec_csv, separator_of_two_characters) {
    READS_ALL_AS("a, b, \n1,5, \"x, y\", z\n", "1[a][b][] 2[1,5][x, y]q[z] =", ", ");
    READS_ALL_AS("\"a\",b\nc||d|e|||f", "1[\"a\",b] 2[c][d|e][|f] =", "||", '\'');
    READS_ALL_AS("\"a\"|b\nc||d", "1!\"a\"|b! 2[c][d] =", "||");
    READS_ALL_AS("a|", "1[a|] =", "||");
}

Test(codec_csv, runs_of_blanks_part_fields) {
    READS_ALL_AS("  a \t b\n\n \t\n1 2  \n\t3 \"4 5\" \r\n6",
                 "1[a][b] 4[1][2] 5[3][4 5]q 6[6] =", " ");
    READS_ALL_AS(" ", "=", " ");
    READS_ALL_AS("a \rb c\r\r d", "1[a] 2[b][c] 4[d] =", " ");
}

Test(codec_csv, quote_escape_and_comment) {
    READS_ALL_AS("'a''b',\"c\"\n", "1[a'b]q[\"c\"] =", .quote = '\'');
    READS_ALL_AS("\"48\\\", \"\"x\"\"\",b\\,c\\\\\n\"l\\\nm\"\n",
                 "1[48\", \"x\"]q[b,c\\] 2[l\nm]q =", .escape = '\\');
    READS_ALL_AS("a\\", "1!a\\! =", .escape = '\\');
    READS_ALL_AS("\"a\"\"b\"\n", "1[a\"b]q =", .escape = '"');
    READS_ALL_AS("# \"one\n#\n a,#\n#,\r\n\"#\"\n#", "3[ a][#] 5[#]q =", .comment = '#');
}

Test(codec_csv, lines_above_the_header) {
    READS_ALL_AS("a \"preamble\n\nwith, \" \xff\n#\nh,i\n", "5[h][i] =", .skip_rows = 4);
    READS_ALL_AS("one\r\r\"\rh\r", "4[h] =", .skip_rows = 3);
    READS_ALL_AS("one\rtwo\rh\r", "3[h] =", .skip_rows = 1, .comment = 't');
    READS_ALL_AS("one\n", "=", .skip_rows = 7);
}

Test(codec_csv, carriage_returns_end_lines_where_the_first_does) {
    READS_ALL_AS("a,b\r\"c\rd\",e\r\rf,g", "1[a][b] 2[c\rd]q[e] 5[f][g] =");
    READS_ALL_AS("\"a\rb\",c\rd\re\r", "1[a\rb]q[c] 3[d] 4[e] =");
    READS_ALL_AS("a\rb\rc", "1[a] 2[b] 3[c] =");
    READS_ALL_AS("a\r\rb", "1[a] 3[b] =");
    READS_ALL_AS("\"a\rb\",c\nd\r\ne\n", "1[a\rb]q[c] 2[d] 3[e] =");
    READS_ALL_AS("a\r\r\nb\r\r\r\nc\r\r", "1[a] 2[b] 3[c] =");
    READS_ALL_AS("a\rb\rc\nd\re\r", "1[a] 2[b] 3!c! 4[d] 5[e] =");
    READS_ALL_AS("a\nb\rc\nd\n", "1[a] 2!b\rc! 3[d] =");
}

/* A single one may be a stray one: with fewer than three lines nobody can tell. */
Test(codec_csv, a_stray_carriage_return_is_none_of_them) {
    READS_ALL_AS("a\rb\nc\rd\re\n", "1!a\rb! 2!c\rd\re! =");
    READS_ALL_AS("a\rb\r\nc\n", "1!a\rb! 2[c] =");
    READS_ALL_AS("a\rb\r", "1!a\rb! =");
    READS_ALL_AS("a\rb", "1!a\rb! =");
    READS_ALL_AS("# x\ry\nb\n", "2[b] =", .comment = '#');
    READS_ALL_AS("x\ry\nb\n", "2[b] =", .skip_rows = 1);
}

Test(codec_csv, a_bad_record_costs_its_first_line) {
    READS_ALL_AS("a\nb\"c\nd\n", "1[a] 2!b\"c! 3[d] =");
    READS_ALL_AS("1,\"2\n3,\"4\"\n\n5,6\r\n", "1!1,\"2! 2[3][4]q 4[5][6] =");
    READS_ALL_AS("1,\"2\n3,4\n5,6", "1!1,\"2! 2[3][4] 3[5][6] =");
    READS_ALL_AS("\"a\0\nb\n\0\nc", "1!\"a! 2[b] 3!! 4[c] =");
    READS_ALL_AS("\"a\n\xff\n\",b\nc,d", "1!\"a\n\xff\n\",b! 4[c][d] =");
    READS_ALL_AS("\"a", "1!\"a! =");
    READS_ALL_AS("\"a\rb\"c\rd\r", "1!\"a! 2!b\"c! 3[d] =");
}

Test(codec_csv, records_that_quotes_make_one_are_refused_together) {
    READS_ALL_AS("a,b\n1,\"2\n3,4\n5,6\"\n7,8\n", "1[a][b] 2!1,\"2\n3,4\n5,6\"! 5[7][8] =");
    READS_ALL_AS("a,b,c\n1,2,\"3\n4,5,6\"", "1[a][b][c] 2!1,2,\"3\n4,5,6\"! =");
    READS_ALL_AS("a,b\n1,\"x\ny, z\"\n2,\"x\n\ny, z\"\n",
                 "1[a][b] 2[1][x\ny, z]q 4[2][x\n\ny, z]q =");
    READS_ALL_AS("id,n,text\n1,2,\"Street 5\n12345, Town, Land\"\nA,b,\"c\nd,e,f\"\n",
                 "1[id][n][text] 2[1][2][Street 5\n12345, Town, Land]q 4[A][b][c\nd,e,f]q =");
    READS_ALL_AS("a, b, c\n1, , \"x\n2, 3, y\"\n", "1[a][b][c] 2!1, , \"x\n2, 3, y\"! =", ", ");
    READS_ALL_AS("a,b,c\n1,\"x\ny\nz\",2\n", "1[a][b][c] 2[1][x\ny\nz]q[2] =");
    READS_ALL_AS("\"a\nb\nc\"\n\"d\ne\nf\"\n", "1[a\nb\nc]q 4[d\ne\nf]q =");
}

/* A quote before line 2 opens what never closes: over 1 MiB of good records behind it all come. */
Test(codec_csv, an_open_quote_swallows_nothing) {
    eop_buf text = {0};
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    edgeops_status status = EDGEOPS_OK;
    int seen[3] = {0};
    eop_buf_puts(&text, "time,x\n1,\"2\n");
    for (int i = 0; i < 300000; i++) {
        eop_buf_printf(&text, "%d,3\n", i);
    }
    int fd = file_of(text.data, text.size);
    cr_assert_eq(eop_csv_open(&reader, fd, 0, &(eop_csv_dialect){0}, "f"), EDGEOPS_OK);
    while (status != EDGEOPS_DONE) {
        status = eop_csv_next(reader, &fields, &count);
        seen[status == EDGEOPS_OK ? 0 : status == EDGEOPS_E_LIMIT ? 1 : 2]++;
    }
    cr_expect(seen[0] == 300001 && seen[1] == 1 && seen[2] == 1);
    eop_csv_close(reader);
    close(fd);
    eop_buf_dispose(&text);
}

/* A line without an end is left out in bounded memory, a long comment costs nothing. */
Test(codec_csv, long_lines) {
    eop_buf text = {0};
    eop_buf out = {0};
    eop_buf_puts(&text, "#");
    while (text.size <= (size_t)5 << 20) {
        eop_buf_puts(&text, "0123456789abcdef");
    }
    eop_buf_puts(&text, "\na,b\n");
    dump_all(&out, file_of(text.data, text.size), &(eop_csv_dialect){.comment = '#'});
    dump_all(&out, file_of(text.data, text.size), &(eop_csv_dialect){.skip_rows = 1});
    cr_expect_str_eq(out.data, "2[a][b] = 2[a][b] =");
    eop_buf_clear(&out);
    dump_all(&out, file_of(text.data, text.size), &(eop_csv_dialect){0});
    cr_expect(out.size > (1 << 20) && strcmp(out.data + out.size - 11, "! 2[a][b] =") == 0, "%s",
              out.data + out.size - 11);
    eop_buf_dispose(&out);
    eop_buf_dispose(&text);
}

Test(codec_csv, limits_of_a_record) {
    eop_buf text = {0};
    eop_buf out = {0};
    for (int i = 0; i < 4096; i++) {
        eop_buf_puts(&text, i == 0 ? "1" : ",1");
    }
    dump(&out, file_of(text.data, text.size), ',');
    cr_expect_null(strstr(out.data, "EDGEOPS"));
    eop_buf_puts(&text, ",1");
    eop_buf_clear(&out);
    dump(&out, file_of(text.data, text.size), ',');
    cr_expect_str_eq(out.data, "EDGEOPS_E_LIMIT f:1: the record has over 4,096 fields");
    eop_buf_clear(&text);
    eop_buf_clear(&out);
    eop_buf_puts(&text, "\"");
    while (text.size <= (size_t)3 << 20) {
        eop_buf_puts(&text, "0123456789abcdef\n");
    }
    dump(&out, file_of(text.data, text.size), ',');
    cr_expect_str_eq(out.data, "EDGEOPS_E_LIMIT f:1: the record is over 1 MiB; is a closing quote "
                               "missing?");
    text.data[(1 << 20) - 2] = '"'; /* exactly at the limit */
    text.data[(1 << 20) - 1] = '\n';
    eop_buf_clear(&out);
    dump(&out, file_of(text.data, (size_t)1 << 20), ',');
    cr_expect_null(strstr(out.data, "EDGEOPS"));
    eop_buf_dispose(&text);
    eop_buf_dispose(&out);
}

static size_t gzip(unsigned char *out, size_t room, const void *data, size_t size) {
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    unsigned char *copy = eop_alloc(size);
    memcpy(copy, data, size);
    z.next_in = copy;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t used = room - z.avail_out;
    deflateEnd(&z);
    eop_free(copy);
    return used;
}

Test(codec_csv, gzip_of_several_members_and_padding) {
    unsigned char data[1024] = {0};
    eop_buf out = {0};
    size_t n = gzip(data, sizeof(data), "a,b\nc", 5);
    n += gzip(data + n, sizeof(data) - n, ",d\n", 3);
    dump(&out, file_of(data, n), ',');
    dump(&out, file_of(data, n + 100), ','); /* zeros */
    cr_expect_str_eq(out.data, "1:[a][b]\n2:[c][d]\n1:[a][b]\n2:[c][d]\n");
    eop_buf_dispose(&out);
}

Test(codec_csv, every_cut_of_gzip_is_an_error) {
    unsigned char data[1024];
    size_t n = gzip(data, sizeof(data), "a,b\nc,d\n", 8);
    for (size_t cut = 2; cut < n; cut++) {
        eop_buf out = {0};
        dump(&out, file_of(data, cut), ',');
        cr_expect(strstr(out.data, "EDGEOPS_E_CORRUPT f: the gzip data ends too early") != NULL,
                  "%zu: %s", cut, out.data);
        eop_buf_dispose(&out);
    }
    eop_buf out = {0};
    data[n - 5] ^= 1;
    dump(&out, file_of(data, n), ',');
    data[n - 5] ^= 1;
    data[n] = 'x';
    dump(&out, file_of(data, n + 1), ',');
    cr_expect_str_eq(out.data, "EDGEOPS_E_CORRUPT f: broken gzip data (incorrect data check)"
                               "EDGEOPS_E_CORRUPT f: there is something behind the gzip data");
    eop_buf_dispose(&out);
}

typedef struct feed {
    const char *text;
    size_t size;
    size_t step;
    int fd;
} feed;

static void *feed_pipe(void *user_data) {
    feed *f = user_data;
    for (size_t i = 0; i < f->size; i += f->step) {
        size_t n = f->size - i < f->step ? f->size - i : f->step;
        (void)!eop_write_all(f->fd, f->text + i, n);
    }
    close(f->fd);
    return NULL;
}

static void splits_read_the_same(const char *text, size_t size, const eop_csv_dialect *dialect) {
    eop_buf whole = {0};
    dump_all(&whole, file_of(text, size), dialect);
    for (size_t step = 1; step < 12; step++) {
        int fds[2];
        pthread_t thread;
        eop_buf out = {0};
        cr_assert_eq(pipe(fds), 0);
        feed f = {text, size, step, fds[1]};
        cr_assert_eq(pthread_create(&thread, NULL, feed_pipe, &f), 0);
        dump_all(&out, fds[0], dialect);
        pthread_join(thread, NULL);
        cr_expect_str_eq(out.data, whole.data);
        eop_buf_dispose(&out);
    }
    eop_buf_dispose(&whole);
}

Test(codec_csv, any_split_of_the_input_reads_the_same) {
    static const char plain[] =
        "\xef\xbb\xbfh1,\"h \"\"2\"\"\",h3\r\n1,\"a\nb\",\r\n\r\n,,\n\"\",x,\xc3\xa9";
    static const char dialect[] =
        "\"one\r\r#, \"\r\"a\\\", b\", c\\, d, e,f\r\"x\"y\rz, \"u\rv, w, x\\\r#\r1, 2, 3";
    static const char blanks[] = "  a  b\t \r\n1 2\r\r\n \"3  4\"\t 5 \r\n 6\r7 \n8 ";
    splits_read_the_same(plain, sizeof(plain) - 1, &(eop_csv_dialect){0});
    splits_read_the_same(dialect, sizeof(dialect) - 1,
                         &(eop_csv_dialect){", ", .escape = '\\', .comment = '#', .skip_rows = 1});
    splits_read_the_same(blanks, sizeof(blanks) - 1, &(eop_csv_dialect){" "});
}

Test(codec_csv, a_long_file_goes_through_bounded_memory) {
    eop_buf text = {0};
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    size_t records = 0;
    for (int i = 0; i < 100000; i++) {
        eop_buf_printf(&text, "%d,%d.5,\"x,%d\"\n", i, i, i);
    }
    int fd = file_of(text.data, text.size);
    cr_assert_eq(eop_csv_open(&reader, fd, 0, &(eop_csv_dialect){0}, "f"), EDGEOPS_OK);
    edgeops_status status = EDGEOPS_OK;
    while ((status = eop_csv_next(reader, &fields, &count)) == EDGEOPS_OK) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "x,%zu", records++);
        cr_assert_eq(count, 3);
        cr_assert_str_eq(fields[2].text, wanted);
        cr_assert_eq(eop_csv_line(reader), records);
    }
    cr_expect_eq(status, EDGEOPS_DONE);
    cr_expect_eq(records, 100000);
    cr_expect_eq(eop_csv_offset(reader), text.size);
    eop_csv_close(reader);
    close(fd);
    eop_buf_dispose(&text);
}

Test(codec_csv, what_was_put_is_read_back) {
    static const char *const texts[] = {"plain", "a,b",  "q\"q", "l\nl", "\r",
                                        " lead", "end ", "",     "\"",   "\xc3\xa9"};
    eop_buf text = {0};
    eop_csv_reader *reader = NULL;
    const eop_field *fields = NULL;
    size_t count = 0;
    size_t n = sizeof(texts) / sizeof(texts[0]);
    for (size_t i = 0; i < n; i++) {
        eop_csv_put(&text, texts[i], strlen(texts[i]), ',');
        eop_buf_puts(&text, ",");
    }
    eop_csv_put(&text, NULL, 0, ',');
    int fd = file_of(text.data, text.size);
    cr_assert_eq(eop_csv_open(&reader, fd, 0, &(eop_csv_dialect){0}, "f"), EDGEOPS_OK);
    cr_assert_eq(eop_csv_next(reader, &fields, &count), EDGEOPS_OK);
    cr_assert_eq(count, n + 1);
    for (size_t i = 0; i < n; i++) {
        cr_expect_str_eq(fields[i].text, texts[i]);
    }
    cr_expect(fields[7].kind == EOP_FIELD_QUOTED && fields[n].kind != EOP_FIELD_QUOTED);
    eop_csv_close(reader);
    close(fd);
    eop_buf_dispose(&text);
}
