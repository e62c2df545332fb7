/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>

#include <criterion/new/assert.h>

#include "codec/gzip.h"
#include "failing_memory.h"
#include "workflow/package.h"
#include "workflow_tools.h"

TestSuite(workflow_zip, .init = enter_folder, .fini = leave_folder);

#define GOOD                                                                                       \
    {.name = "workflow.json", .data = small_manifest}, {                                           \
        .name = "small.py", .data = "def predict(model, window, params):\n    return None\n"       \
    }

/* Both passes, without a manifest. */
static edgeops_status read_zip(const char *path) {
    eop_entries entries = {0};
    eop_zip zip = {.fd = -1};
    const eop_sink sink = {NULL, NULL, NULL, NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0);
    edgeops_status rc = eop_package_index_zip(&entries, &zip, fd, path);
    if (rc == EDGEOPS_OK) {
        rc = eop_package_read_zip(&entries, &zip, &sink);
    }
    eop_zip_dispose(&zip);
    eop_entries_dispose(&entries);
    close(fd);
    return rc;
}

Test(workflow_zip, sound_package_passes) {
    const fake entries[] = {GOOD,
                            {.name = "data/", .mode = S_IFDIR | 0755},
                            {.name = "data/gr\xC3\xB6\xC3\x9F"
                                     "e.txt",
                             .data = "1"}};
    edgeops_workflow *workflow = NULL;
    put_zip("a.zip", entries, 4);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&workflow, "a.zip"));
    cr_assert_str_eq(edgeops_workflow_info_of(workflow)->manifest->name, "small-one");
    cr_assert_str_eq(edgeops_workflow_info_of(workflow)->directory, "");
    cr_assert_eq(strlen(edgeops_workflow_info_of(workflow)->digest), 64);
    edgeops_workflow_close(workflow);
}

Test(workflow_zip, entries_against_policy_are_refused) {
    static char level[110];
    static char deep[100];
    memset(level, 'a', 101);
    for (size_t i = 0; i < 17; i++) {
        memcpy(deep + i * 2, "d/", 2);
    }
    deep[34] = 'x';
    const struct {
        fake entry;
        edgeops_status code;
        const char *text;
    } cases[] = {
        {{.name = "../up"}, EDGEOPS_E_DENIED, "leads out"},
        {{.name = "a/../../up"}, EDGEOPS_E_DENIED, "leads out"},
        {{.name = "/abs"}, EDGEOPS_E_DENIED, "absolute"},
        {{.name = "C:/abs"}, EDGEOPS_E_DENIED, "drive"},
        {{.name = "..\\up"}, EDGEOPS_E_DENIED, "backslash"},
        {{.name = "a//b"}, EDGEOPS_E_DENIED, "empty level"},
        {{.name = "./a"}, EDGEOPS_E_DENIED, "'.' level"},
        {{.name = "a\nb"}, EDGEOPS_E_DENIED, "control"},
        {{.name = "a\0b", .name_size = 3}, EDGEOPS_E_DENIED, "NUL"},
        {{.name = "a\xFF"}, EDGEOPS_E_DENIED, "UTF-8"},
        {{.name = level}, EDGEOPS_E_DENIED, "100 bytes"},
        {{.name = deep}, EDGEOPS_E_DENIED, "16 levels"},
        {{.name = "small.py", .data = "x"}, EDGEOPS_E_DENIED, "twice"},
        {{.name = "SMALL.py", .data = "x"}, EDGEOPS_E_DENIED, "case only"},
        {{.name = "small.py/x", .data = "x"}, EDGEOPS_E_DENIED, "below it"},
        {{.name = "link", .data = "/etc/passwd", .mode = S_IFLNK | 0777},
         EDGEOPS_E_DENIED,
         "symbolic link"},
        {{.name = "fifo", .mode = S_IFIFO | 0644}, EDGEOPS_E_DENIED, "FIFO"},
        {{.name = "disk", .mode = S_IFBLK | 0644}, EDGEOPS_E_DENIED, "device"},
        {{.name = "secret", .data = "x", .flags = 1}, EDGEOPS_E_DENIED, "encrypted"},
        {{.name = "lzma", .data = "x", .method = 14}, EDGEOPS_E_UNSUPPORTED, "method 14"},
        {{.name = "bomb", .data = "xxxx", .method = 8, .size = 2u << 20},
         EDGEOPS_E_LIMIT,
         "more than 200 times"},
        {{.name = "crc", .data = "x", .crc = 1}, EDGEOPS_E_CORRUPT, "CRC"},
        {{.name = "two", .data = "x", .other = "six"}, EDGEOPS_E_CORRUPT, "two"},
        {{.name = "over", .data = "x", .packed = 5000, .size = 5000}, EDGEOPS_E_CORRUPT, "past"},
        {{.name = "dir/", .data = "x", .mode = S_IFDIR | 0755}, EDGEOPS_E_DENIED, "content"},
        {{.name = "huge", .data = "x", .packed = 1, .size = 0xF0000000u, .method = 8},
         EDGEOPS_E_LIMIT,
         "200 times"},
    };
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        const fake entries[] = {GOOD, cases[i].entry};
        put_zip("a.zip", entries, 3);
        edgeops_status rc = edgeops_workflow_check(NULL, "a.zip");
        cr_expect(rc == cases[i].code && strstr(edgeops_error_last()->message, cases[i].text),
                  "case %zu (%s): %s: %s", i, cases[i].entry.name, edgeops_status_name(rc),
                  edgeops_error_last()->message);
    }
}

Test(workflow_zip, names_that_differ_in_case_of_their_folder_are_refused) {
    const fake entries[] = {
        GOOD, {.name = "\xC3\x84/x", .data = "1"}, {.name = "\xC3\xA4/y", .data = "2"}};
    put_zip("a.zip", entries, 4);
    CHECK_CODE(EDGEOPS_E_DENIED, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("case only");
}

Test(workflow_zip, entries_that_share_bytes_are_refused) {
    const fake entries[] = {GOOD,
                            {.name = "one", .data = "PK"},
                            {.name = "two", .data = "x", .offset_add = (uint32_t)-20}};
    put_zip("a.zip", entries, 4);
    CHECK_CODE(EDGEOPS_E_DENIED, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("share");
}

Test(workflow_zip, every_truncation_is_refused_and_nothing_crashes) {
    const fake entries[] = {GOOD};
    eop_buf zip = {0};
    build_zip(&zip, entries, 2);
    for (size_t n = 0; n < zip.size; n++) {
        put_file("a.zip", zip.data, n);
        cr_assert(edgeops_workflow_check(NULL, "a.zip") < 0, "%zu of %zu bytes passed", n,
                  zip.size);
    }
    eop_buf_puts(&zip, "tail");
    put_file("a.zip", zip.data, zip.size);
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("after its end");
    eop_buf_dispose(&zip);
}

Test(workflow_zip, every_flipped_byte_is_refused_or_harmless) {
    const fake entries[] = {GOOD};
    eop_buf zip = {0};
    edgeops_workflow *good = NULL;
    build_zip(&zip, entries, 2);
    put_file("a.zip", zip.data, zip.size);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&good, "a.zip"));
    for (size_t i = 0; i < zip.size; i++) {
        edgeops_workflow *workflow = NULL;
        zip.data[i] = (char)(zip.data[i] ^ 0x41);
        put_file("a.zip", zip.data, zip.size);
        /* Times, versions and modes do not count; names and content do. */
        if (edgeops_workflow_check(&workflow, "a.zip") == EDGEOPS_OK) {
            cr_assert_str_eq(edgeops_workflow_info_of(workflow)->digest,
                             edgeops_workflow_info_of(good)->digest, "byte %zu", i);
        }
        edgeops_workflow_close(workflow);
        zip.data[i] = (char)(zip.data[i] ^ 0x41);
    }
    edgeops_workflow_close(good);
    eop_buf_dispose(&zip);
}

Test(workflow_zip, bytes_in_front_are_passed_over) {
    const fake entries[] = {GOOD};
    eop_buf zip = {0}, all = {0};
    build_zip(&zip, entries, 2);
    eop_buf_puts(&all, "#!/bin/sh\nexit 1\n");
    eop_buf_put(&all, zip.data, zip.size);
    put_file("a.zip", all.data, all.size);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(NULL, "a.zip"));
    eop_buf_dispose(&all);
    eop_buf_dispose(&zip);
}

/* libarchive wrote the packages of the first versions. */
Test(workflow_zip, zips_of_the_first_writer_are_read) {
    const char *root = getenv("EDGEOPS_SOURCE_ROOT");
    char path[512];
    edgeops_workflow *workflow = NULL;
    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/workflow/first-writer.zip",
                   root != NULL ? root : ".");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&workflow, path));
    cr_assert_str_eq(edgeops_workflow_info_of(workflow)->digest,
                     "8839e12c08ad86e05c36ffd6bb82ac43b8097fd32c1f57cc6d523f6254fdf712");
    edgeops_workflow_close(workflow);
}

Test(workflow_zip, what_is_no_zip_says_so) {
    put_text("a.zip", "hello");
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("is not a zip file");
    put_text("empty.zip", "");
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_workflow_check(NULL, "empty.zip"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_workflow_check(NULL, "absent.zip"));
    cr_assert(mkfifo("fifo", 0600) == 0);
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_check(NULL, "fifo"));
}

Test(workflow_zip, other_packages_are_named) {
    const fake nested[] = {{.name = "top/workflow.json", .data = small_manifest}};
    const fake mlflow[] = {{.name = "MLmodel", .data = "x"}};
    const fake wheels[] = {GOOD, {.name = "wheels/a.whl", .data = "x"}};
    put_zip("a.zip", nested, 1);
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("'top/workflow.json', but no workflow.json at its root");
    put_zip("a.zip", mlflow, 1);
    CHECK_CODE(EDGEOPS_E_UNSUPPORTED, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("MLflow");
    put_zip("a.zip", wheels, 3);
    CHECK_CODE(EDGEOPS_E_UNSUPPORTED, edgeops_workflow_check(NULL, "a.zip"));
    CHECK_TEXT("wheels/");
}

/* -- memory -- */

static void put_ustar(eop_buf *tar, const char *name, const char *data) {
    char head[512] = "";
    unsigned sum = 0;
    size_t size = strlen(data);
    (void)snprintf(head, 100, "%s", name);
    memcpy(head + 100, "0000644\0000000000\0000000000", 23);
    (void)snprintf(head + 124, 12, "%011o", (unsigned)size);
    (void)snprintf(head + 136, 12, "%011o", 0);
    memcpy(head + 148, "        ", 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof head; i++) {
        sum += (unsigned char)head[i];
    }
    (void)snprintf(head + 148, 8, "%06o", sum);
    static const char zeros[512];
    eop_buf_put(tar, head, sizeof head);
    eop_buf_put(tar, data, size);
    eop_buf_put(tar, zeros, (512 - size % 512) % 512);
}

static void put_tar(const char *path) {
    static const char zeros[1024];
    eop_buf tar = {0}, packed = {0};
    eop_gzip *gzip = NULL;
    put_ustar(&tar, "./workflow.json", small_manifest);
    put_ustar(&tar, "./small.py", "x = 1\n");
    eop_buf_put(&tar, zeros, sizeof zeros);
    CHECK_CODE(EDGEOPS_OK, eop_gzip_new(&gzip));
    CHECK_CODE(EDGEOPS_OK, eop_gzip_put(gzip, &packed, tar.data, tar.size, true));
    eop_gzip_free(gzip);
    put_file(path, packed.data, packed.size);
    eop_buf_dispose(&tar);
    eop_buf_dispose(&packed);
}

static edgeops_status use(int step) {
    edgeops_workflow *workflow = NULL;
    edgeops_status status = step == 0   ? edgeops_workflow_check(&workflow, "a.zip")
                            : step == 1 ? edgeops_workflow_check(&workflow, "a.tar.gz")
                            : step == 2 ? edgeops_workflow_pack(NULL, "source", "b.zip")
                                        : edgeops_workflow_install(&workflow, "s", "a.tar.gz");
    edgeops_workflow_close(workflow);
    return status;
}

/* The fourth step is an installation: after each failure the next try finds a sound store. */
Test(workflow_zip, each_allocation_fails, .timeout = 100) {
    const fake entries[] = {GOOD};
    take_failing_memory();
    put_zip("a.zip", entries, 2);
    put_tar("a.tar.gz");
    put_text("source/workflow.json", small_manifest);
    put_text("source/small.py", "x = 1\n");
    for (int step = 0; step < 4; step++) {
        /* What is loaded once stays. */
        CHECK_CODE(EDGEOPS_OK, step < 3 ? use(step) : EDGEOPS_OK);
        const long before = alive;
        for (fail_at = 1;; fail_at++) {
            allocations = 0;
            edgeops_status status = use(step);
            const bool reached = allocations >= fail_at;
            fail_at = reached ? fail_at : 0;
            cr_assert_eq(alive, before, "step %d: %ld blocks are left", step, alive - before);
            if (!reached) {
                cr_assert_eq(status, EDGEOPS_OK, "step %d: %s", step,
                             edgeops_error_last()->message);
                break;
            }
            /* What is only for an error's text or a cache may fail and nothing is lost. */
            cr_assert(status == EDGEOPS_E_NOMEM || status == EDGEOPS_OK,
                      "step %d, allocation %ld: %s", step, fail_at, edgeops_status_name(status));
            if (step == 3) { /* it may be installed, and only its opening have failed */
                status = edgeops_workflow_remove("s", "small-one");
                cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND);
                CHECK_CODE(EDGEOPS_OK, eop_remove_tree("s/workflows/seen"));
            }
        }
    }
    fail_at = 0;
}

/* -- the corpus of hostile zips beside the project -- */

typedef struct corpus {
    size_t files;
    size_t sound;
} corpus;

/* What yauzl calls good and this policy refuses, each for a reason of its own. */
static bool refused_on_purpose(const char *name) {
    static const char *const parts[] = {"encryption", "bogus-compression", "sloppy-filenames",
                                        "unicode-path-extra"};
    for (size_t i = 0; i < EOP_COUNT(parts); i++) {
        if (strstr(name, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void replay_file(corpus *c, const char *path, const char *name) {
    edgeops_status whole = edgeops_workflow_check(NULL, path);
    edgeops_status read = read_zip(path);
    c->files++;
    c->sound += read == EDGEOPS_OK;
    cr_expect(whole < 0, "%s is a workflow", name);
    CHECK_CODE(whole, edgeops_workflow_install(NULL, "store", path));
    if (strncmp(name, "failure__", 9) == 0 || strstr(name, "zip-slip") != NULL ||
        strstr(name, "dot_dot") != NULL) {
        cr_expect(read < 0, "%s passed", name);
    }
    if (strncmp(name, "success__", 9) == 0 && !refused_on_purpose(name)) {
        cr_expect(read == EDGEOPS_OK, "%s: %s", name, edgeops_error_last()->message);
    }
}

static void replay_folder(corpus *c, const char *path) {
    DIR *dir = opendir(path);
    cr_assert(dir != NULL, "%s", path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char below[1024];
        struct stat st;
        (void)snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.' || stat(below, &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            replay_folder(c, below);
        } else if (st.st_size < 64 << 20) {
            replay_file(c, below, e->d_name);
        }
    }
    closedir(dir);
}

Test(workflow_zip, hostile_corpus_never_escapes, .timeout = 100) {
    const char *root = getenv("EDGEOPS_SOURCE_ROOT");
    char path[512];
    corpus c = {0};
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/../shared/corpora/zip-hostile",
                   root != NULL ? root : ".");
    if (stat(path, &st) != 0) {
        cr_skip_test("../shared/corpora/zip-hostile is not there");
    }
    CHECK_CODE(EDGEOPS_OK, eop_mkdirs("inner/store", 0755));
    cr_assert(chdir("inner") == 0);
    replay_folder(&c, path);
    cr_assert(chdir("..") == 0);
    cr_expect(c.files > 150 && c.sound > 10, "%zu files, %zu sound", c.files, c.sound);
    /* Nothing was written but the store's own, empty folders. */
    DIR *dir = opendir(".");
    size_t count = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    cr_expect(count == 1, "%zu entries beside the store", count);
    (void)eop_remove_tree("inner/store/workflows/lock");
    cr_expect(rmdir("inner/store/workflows/objects") == 0 ||
              !eop_file_exists("inner/store/workflows/objects"));
}
