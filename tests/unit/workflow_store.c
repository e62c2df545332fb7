/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "edgeops/context.h"
#include "workflow/store.h"
#include "workflow_tools.h"

TestSuite(workflow_store, .init = enter_folder, .fini = leave_folder);

static void put_source(const char *directory, const char *name, const char *version,
                       const char *extra) {
    char path[256];
    char *text = eop_format("{\"format\": 1, \"name\": \"%s\", \"version\": \"%s\",\n"
                            " \"python\": {\"module\": \"m\"},\n"
                            " \"inputs\": [{\"name\": \"x\", \"type\": \"float64\"}],\n"
                            " \"outputs\": [{\"name\": \"y\", \"type\": \"float64\"}]}\n",
                            name, version);
    (void)snprintf(path, sizeof path, "%s/workflow.json", directory);
    put_text(path, text);
    (void)snprintf(path, sizeof path, "%s/m.py", directory);
    put_text(path, "x = 1\n");
    (void)snprintf(path, sizeof path, "%s/data/one/two.txt", directory);
    put_text(path, extra);
    eop_free(text);
}

static size_t count_names(const char *path, const char *prefix) {
    DIR *dir = opendir(path);
    size_t count = 0;
    if (dir != NULL) {
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
                     strncmp(e->d_name, prefix, strlen(prefix)) == 0;
        }
        closedir(dir);
    }
    return count;
}

static void check_same_bytes(const char *a, const char *b) {
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    CHECK_CODE(EDGEOPS_OK, eop_file_read(&x, &n, a, 1 << 20));
    CHECK_CODE(EDGEOPS_OK, eop_file_read(&y, &m, b, 1 << 20));
    cr_assert(n == m && memcmp(x, y, n) == 0, "%s and %s differ", a, b);
    eop_free(x);
    eop_free(y);
}

Test(workflow_store, same_files_give_the_same_zip) {
    char *written = NULL;
    put_source("a", "w", "1.0.0", "text");
    put_source("b", "w", "1.0.0", "text");
    put_text("b/.hidden", "1");
    put_text("b/__pycache__/m.pyc", "1");
    put_text("b/w-0.9.0.zip", "1");
    cr_assert(setenv("TZ", "Asia/Tokyo", 1) == 0);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(&written, "a", NULL));
    cr_assert_str_eq(written, "w-1.0.0.zip");
    cr_assert(setenv("TZ", "America/New_York", 1) == 0);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "b", "b.zip"));
    check_same_bytes("w-1.0.0.zip", "b.zip");
    cr_assert(count_names(".", "") == 4, "a temporary file was left");
    edgeops_free(written);
}

Test(workflow_store, folder_zip_and_installed_files_have_one_digest) {
    edgeops_workflow *folder_one = NULL, *zip = NULL, *installed = NULL;
    struct stat st;
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&folder_one, "a"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&zip, "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(&installed, "s", "a.zip"));
    cr_assert_str_eq(edgeops_workflow_info_of(folder_one)->digest,
                     edgeops_workflow_info_of(zip)->digest);
    cr_assert_str_eq(edgeops_workflow_info_of(installed)->digest,
                     edgeops_workflow_info_of(zip)->digest);
    char *full = realpath("a", NULL);
    cr_assert_str_eq(edgeops_workflow_info_of(folder_one)->directory, full);
    free(full);
    cr_assert(edgeops_workflow_info_of(installed)->size_bytes ==
              edgeops_workflow_info_of(zip)->size_bytes);
    char *file = eop_path_join(edgeops_workflow_info_of(installed)->directory, "data/one/two.txt");
    check_same_bytes(file, "a/data/one/two.txt");
    cr_assert(stat(file, &st) == 0 && (st.st_mode & 0222) == 0, "the file can be written");
    cr_assert(stat(edgeops_workflow_info_of(installed)->directory, &st) == 0 &&
              (st.st_mode & 0222) == 0);
    eop_free(file);
    edgeops_workflow_close(folder_one);
    edgeops_workflow_close(zip);
    edgeops_workflow_close(installed);
}

Test(workflow_store, a_directory_is_absolute_from_opening_on) {
    edgeops_workflow *all[4] = {NULL};
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(&all[0], "s", "a.zip"));
    CHECK_CODE(EDGEOPS_DONE, edgeops_workflow_install(&all[1], "./s", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&all[2], "s", "w"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&all[3], "a"));
    cr_assert(chdir("/") == 0);
    for (size_t i = 0; i < 4; i++) {
        const char *directory = edgeops_workflow_info_of(all[i])->directory;
        char *file = eop_path_join(directory, "data/one/two.txt");
        cr_expect(directory[0] == '/' && eop_file_exists(file), "%zu: %s", i, directory);
        eop_free(file);
        edgeops_workflow_close(all[i]);
    }
    cr_assert(chdir(folder) == 0);
}

Test(workflow_store, second_install_is_done_and_writes_nothing) {
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a.zip"));
    CHECK_CODE(EDGEOPS_DONE, edgeops_workflow_install(NULL, "s", "a.zip"));
    CHECK_CODE(EDGEOPS_DONE, edgeops_workflow_install(NULL, "s", "a"));
    /* A copy under another name is known by its content. */
    char *data = NULL;
    size_t size = 0;
    CHECK_CODE(EDGEOPS_OK, eop_file_read(&data, &size, "a.zip", 1 << 20));
    put_file("copy.zip", data, size);
    CHECK_CODE(EDGEOPS_DONE, edgeops_workflow_install(NULL, "s", "copy.zip"));
    cr_assert(count_names("s/workflows/objects", "") == 2);
    eop_free(data);
}

Test(workflow_store, changed_content_needs_a_new_version) {
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    put_source("a", "w", "1.0.0", "other");
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_workflow_install(NULL, "s", "a"));
    CHECK_TEXT("new version");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_workflow_install(NULL, "s", "a.zip"));
    cr_assert(count_names("s/workflows/objects", ".tmp-") == 0);
    /* The zip that was remembered is another one once it was rewritten in place. */
    put_source("a", "w", "1.0.1", "other");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a.zip"));
}

static edgeops_status note(const edgeops_workflow *workflow, void *user_data) {
    const edgeops_manifest *m = edgeops_workflow_info_of(workflow)->manifest;
    eop_buf_printf(user_data, "%s@%s ", m->name, m->version);
    return EDGEOPS_OK;
}

Test(workflow_store, names_resolve_to_the_highest_version) {
    static const char *const versions[] = {"1.9.0", "1.10.0", "0.99.99"};
    eop_buf list = {0};
    edgeops_workflow *w = NULL;
    for (size_t i = 0; i < EOP_COUNT(versions); i++) {
        put_source("a", "w", versions[i], "text");
        CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    }
    put_source("a", "w-other", "3.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_list("s", note, &list));
    cr_assert_str_eq(list.data, "w@0.99.99 w@1.9.0 w@1.10.0 w-other@3.0.0 ");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&w, "s", "w"));
    cr_assert_str_eq(edgeops_workflow_info_of(w)->manifest->version, "1.10.0");
    char digest[13];
    (void)snprintf(digest, sizeof digest, "%s", edgeops_workflow_info_of(w)->digest);
    edgeops_workflow_close(w);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&w, "s", digest));
    cr_assert_str_eq(edgeops_workflow_info_of(w)->manifest->version, "1.10.0");
    edgeops_workflow_close(w);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&w, "s", "w@1.9.0"));
    edgeops_workflow_close(w);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_workflow_open(&w, "s", "w@2.0.0"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_workflow_open(&w, "s", "../../etc/passwd"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_remove("s", "w@1.10.0"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_workflow_open(&w, "s", digest));
    cr_assert(w == NULL);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&w, "s", "w"));
    cr_assert_str_eq(edgeops_workflow_info_of(w)->manifest->version, "1.9.0");
    edgeops_workflow_close(w);
    eop_buf_dispose(&list);
}

Test(workflow_store, included_files_come_to_the_root) {
    edgeops_workflow *zip = NULL, *source = NULL;
    put_source("a", "w", "1.0.0", "text");
    put_text("shared/forest.py", "y = 2\n");
    put_text("secret", "s");
    char *text = eop_format(
        "%s", "{\"format\": 1, \"name\": \"w\", \"version\": \"1.0.0\",\n"
              " \"python\": {\"module\": \"m\", \"include\": [\"../shared/forest.py\"]},\n"
              " \"inputs\": [{\"name\": \"x\", \"type\": \"float64\"}],\n"
              " \"outputs\": [{\"name\": \"y\", \"type\": \"float64\"}]}\n");
    put_text("a/workflow.json", text);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&zip, "a.zip"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&source, "a"));
    cr_assert_str_eq(edgeops_workflow_info_of(zip)->digest,
                     edgeops_workflow_info_of(source)->digest);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    static const char *const bad[] = {"../../secret",      "/etc/passwd",  "../shared/../secret",
                                      "../link/forest.py", "../absent.py", ".."};
    cr_assert(symlink("shared", "link") == 0);
    for (size_t i = 0; i < EOP_COUNT(bad); i++) {
        char *at = strstr(text, "../shared/forest.py");
        char *other = eop_format("%.*s%s%s", (int)(at - text), text, bad[i], at + 19);
        put_text("a/workflow.json", other);
        CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_pack(NULL, "a", "b.zip"));
        CHECK_TEXT("workflow.json:2:");
        eop_free(other);
    }
    eop_free(text);
    edgeops_workflow_close(zip);
    edgeops_workflow_close(source);
}

Test(workflow_store, links_in_a_source_folder_are_refused) {
    put_source("a", "w", "1.0.0", "text");
    cr_assert(symlink("/etc/passwd", "a/data/link") == 0);
    CHECK_CODE(EDGEOPS_E_DENIED, edgeops_workflow_pack(NULL, "a", "a.zip"));
    CHECK_TEXT("'data/link' is a symbolic link");
    cr_assert(!eop_file_exists("a.zip"));
}

Test(workflow_store, damage_is_told_and_can_be_removed) {
    eop_buf list = {0};
    edgeops_workflow *w = NULL;
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    put_source("a", "v", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    put_text("s/workflows/index/w@1.0.0", "nonsense");
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_workflow_open(&w, "s", "w@1.0.0"));
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_workflow_list("s", note, &list));
    cr_assert_str_eq(list.data, "v@1.0.0 ");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_remove("s", "w@1.0.0"));
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    cr_assert(count_names("s/workflows/objects", "") == 4);
    eop_buf_dispose(&list);
}

Test(workflow_store, one_at_a_time) {
    int lock = -1, owner = 0;
    put_source("a", "w", "1.0.0", "text");
    CHECK_CODE(EDGEOPS_OK, eop_mkdirs("s/workflows", 0755));
    CHECK_CODE(EDGEOPS_OK, eop_lock_file(&lock, &owner, "s/workflows/lock"));
    CHECK_CODE(EDGEOPS_E_BUSY, edgeops_workflow_install(NULL, "s", "a"));
    close(lock);
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
}

Test(workflow_store, skeleton_passes_its_own_check) {
    edgeops_workflow *w = NULL;
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_init("new", "numpy"));
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_check(&w, "new"));
    cr_assert_str_eq(edgeops_workflow_info_of(w)->manifest->module, "numpy_workflow");
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_workflow_init("new", "numpy"));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_workflow_init("other", "Bad Name"));
    cr_assert(!eop_file_exists("other"));
    edgeops_workflow_close(w);
}

/* -- the process dies, or memory ends, at the Nth allocation -- */

static long countdown = -1; /* -1: never */
static bool deadly;

static bool strikes(void) {
    if (countdown < 0 || --countdown >= 0) {
        return false;
    }
    if (deadly) {
        (void)kill(getpid(), SIGKILL);
    }
    countdown = deadly ? -1 : 0; /* memory stays out */
    return true;
}

static void *test_alloc(void *user_data, size_t size) {
    (void)user_data;
    return strikes() ? NULL : malloc(size);
}

static void *test_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    return strikes() ? NULL : realloc(memory, size);
}

static void test_free(void *user_data, void *memory) {
    (void)user_data;
    free(memory);
}

static const edgeops_allocator hooks = {test_alloc, test_realloc, test_free, NULL};

static void enter_with_hooks(void) {
    CHECK_CODE(EDGEOPS_OK, edgeops_set_allocator(&hooks));
    enter_folder();
}

TestSuite(workflow_store_faults, .init = enter_with_hooks, .fini = leave_folder, .timeout = 100);

/* Old or new, nothing between: version 1 is always there, version 2 is whole or not there. */
static void check_after_kill(long n) {
    edgeops_workflow *w = NULL;
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_open(&w, "s", "w@1.0.0"));
    edgeops_workflow_close(w);
    edgeops_status rc = edgeops_workflow_open(&w, "s", "w@2.0.0");
    cr_assert(rc == EDGEOPS_OK || rc == EDGEOPS_E_NOTFOUND, "kill %ld: %s", n,
              edgeops_error_last()->message);
    if (rc == EDGEOPS_OK) {
        edgeops_workflow *again = NULL;
        CHECK_CODE(EDGEOPS_OK,
                   edgeops_workflow_check(&again, edgeops_workflow_info_of(w)->directory));
        cr_assert_str_eq(edgeops_workflow_info_of(again)->digest,
                         edgeops_workflow_info_of(w)->digest);
        edgeops_workflow_close(again);
    }
    edgeops_workflow_close(w);
}

Test(workflow_store_faults, kill_at_any_moment_leaves_old_or_new) {
    bool finished = false;
    put_source("a", "w", "1.0.0", "one");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_install(NULL, "s", "a"));
    put_source("a", "w", "2.0.0", "two");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    for (long n = 1; !finished; n++) {
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            countdown = n;
            deadly = true;
            _exit(edgeops_workflow_install(NULL, "s", "a.zip") == EDGEOPS_OK ? 0 : 1);
        }
        int status = 0;
        cr_assert(waitpid(child, &status, 0) == child);
        finished = WIFEXITED(status);
        cr_assert(!finished || WEXITSTATUS(status) == 0);
        cr_assert(n < 100000);
        check_after_kill(n);
        edgeops_status rc = edgeops_workflow_install(NULL, "s", "a.zip");
        cr_assert(rc == EDGEOPS_OK || rc == EDGEOPS_DONE);
        cr_assert(count_names("s/workflows/objects", "") == 4, "kill %ld left something", n);
        CHECK_CODE(EDGEOPS_OK, edgeops_workflow_remove("s", "w@2.0.0"));
    }
}

Test(workflow_store_faults, no_memory_at_any_moment_is_an_error_and_no_leak) {
    edgeops_status rc = EDGEOPS_E_NOMEM;
    put_source("a", "w", "1.0.0", "one");
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_pack(NULL, "a", "a.zip"));
    for (long n = 0; rc < 0; n++) {
        edgeops_workflow *w = NULL;
        countdown = n;
        rc = edgeops_workflow_install(&w, "s", "a.zip");
        countdown = -1;
        cr_assert(rc >= 0 || w == NULL);
        cr_assert(rc >= 0 || rc == EDGEOPS_E_NOMEM, "%ld: %s: %s", n, edgeops_status_name(rc),
                  edgeops_error_last()->message);
        edgeops_workflow_close(w);
        cr_assert(n < 100000);
        if (rc < 0 && edgeops_workflow_open(&w, "s", "w") == EDGEOPS_OK) {
            edgeops_workflow_close(w);
            CHECK_CODE(EDGEOPS_OK, edgeops_workflow_remove("s", "w"));
        }
    }
    CHECK_CODE(EDGEOPS_OK, edgeops_workflow_remove("s", "w"));
}
