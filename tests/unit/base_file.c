/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static char root[64];

static void enter(void) {
    strcpy(root, "/tmp/edgeops-file-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(root), NULL));
}

static void leave(void) {
    cr_assert(eq(int, eop_remove_tree(root), EDGEOPS_OK));
    cr_assert(not(eop_file_exists(root)));
}

TestSuite(base_file, .init = enter, .fini = leave);

Test(base_file, written_file_reads_back_and_leaves_nothing_beside) {
    char *path = eop_path_join(root, "a.json");
    cr_assert(eq(int, eop_file_write(path, "first", 5, 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_file_write(path, "second", 6, 0640), EDGEOPS_OK));
    char *data = NULL;
    size_t size = 0;
    cr_assert(eq(int, eop_file_read(&data, &size, path, 100), EDGEOPS_OK));
    cr_assert(eq(str, data, "second"));
    cr_assert(eq(sz, size, 6));
    eop_free(data);
    struct stat st;
    cr_assert(eq(int, stat(path, &st), 0));
    cr_assert(eq(uint, st.st_mode & 0777u, 0640u));
    char command[160];
    (void)snprintf(command, sizeof command, "test $(ls -A %s | wc -l) = 1", root);
    cr_assert(eq(int, system(command), 0));
    cr_assert(eq(int, eop_file_read(&data, &size, path, 5), EDGEOPS_E_LIMIT));
    cr_assert(eq(int, eop_file_read(&data, &size, root, 5), EDGEOPS_E_INVALID));
    cr_assert(eq(int, eop_file_read(&data, &size, "/nowhere/x", 5), EDGEOPS_E_NOTFOUND));
    eop_free(path);
}

Test(base_file, only_regular_files_are_replaced_and_links_stay) {
    char command[512];
    (void)snprintf(command, sizeof command, "cd %s && mkfifo pipe && touch file && ln -s file link",
                   root);
    cr_assert(eq(int, system(command), 0));
    char *path = eop_path_join(root, "pipe");
    cr_assert(eq(int, eop_file_write(path, "x", 1, 0600), EDGEOPS_E_INVALID));
    cr_assert(eq(int, eop_file_write(root, "x", 1, 0600), EDGEOPS_E_INVALID));
    char *link_path = eop_path_join(root, "link");
    cr_assert(eq(int, eop_file_write(link_path, "new", 3, 0600), EDGEOPS_OK));
    (void)snprintf(command, sizeof command,
                   "cd %s && test -p pipe && test -L link && test $(cat file) = new && "
                   "test $(ls | wc -l) = 3",
                   root);
    cr_assert(eq(int, system(command), 0));
    eop_free(path);
    eop_free(link_path);
}

Test(base_file, a_tree_goes_without_following_links) {
    char command[512];
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p keep tree/a/b && touch keep/file tree/a/b/c && "
                   "ln -s ../keep tree/link && chmod 500 tree/a/b tree/a",
                   root);
    cr_assert(eq(int, system(command), 0));
    char *tree = eop_path_join(root, "tree");
    char *kept = eop_path_join(root, "keep/file");
    cr_assert(eq(int, eop_remove_tree(tree), EDGEOPS_OK));
    cr_assert(not(eop_file_exists(tree)));
    cr_assert(eop_file_exists(kept));
    cr_assert(eq(int, eop_remove_tree(tree), EDGEOPS_OK));
    eop_free(tree);
    eop_free(kept);
}

Test(base_file, a_lock_names_its_owner) {
    char *path = eop_path_join(root, "lock");
    int fd = -1;
    int owner = 0;
    cr_assert(eq(int, eop_lock_file(&fd, &owner, path), EDGEOPS_OK));
    pid_t child = fork();
    if (child == 0) {
        int other;
        int who;
        edgeops_status rc = eop_lock_file(&other, &who, path);
        _exit(rc == EDGEOPS_E_BUSY && who == getppid() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_assert(eq(int, status, 0));
    close(fd);
    cr_assert(eq(int, eop_lock_file(&fd, &owner, path), EDGEOPS_OK));
    close(fd);
    eop_free(path);
}

static edgeops_status collect(const char *name, void *user_data) {
    strcat(user_data, name);
    return EDGEOPS_OK;
}

Test(base_file, a_folder_is_walked_in_the_order_of_names) {
    char *deep = eop_path_join(root, "c/d/e");
    cr_assert(eq(int, eop_mkdirs(deep, 0700), EDGEOPS_OK));
    cr_assert(eq(int, eop_mkdirs(deep, 0700), EDGEOPS_OK));
    char *file = eop_path_join(root, "b");
    cr_assert(eq(int, eop_file_write(file, "", 0, 0600), EDGEOPS_OK));
    char names[64] = "";
    cr_assert(eq(int, eop_dir_walk(root, collect, names), EDGEOPS_OK));
    cr_assert(eq(str, names, "bc"));
    cr_assert(eq(int, eop_mkdirs(file, 0700), EDGEOPS_E_IO));
    eop_free(deep);
    eop_free(file);
}

static void read_fails(int fd, int cancel_fd, edgeops_status expected, const char *word) {
    char data[16];
    size_t got = 7;
    cr_expect_eq(eop_read_some(&got, fd, cancel_fd, data, sizeof data, "it"), expected);
    cr_expect(strstr(edgeops_error_last()->message, word) != NULL, "%s",
              edgeops_error_last()->message);
    cr_expect_eq(got, 7);
}

/* Counts the signals; without SA_RESTART, so that calls are interrupted. */
static volatile sig_atomic_t signals;

static void on_alarm(int number) {
    (void)number;
    signals++;
}

Test(base_file, a_read_ends_with_its_input_alone) {
    char data[16] = "";
    size_t got = 0;
    int ends[2];
    int cancel[2];
    cr_assert(pipe2(ends, O_NONBLOCK) == 0 && pipe(cancel) == 0);
    read_fails(open("/", O_RDONLY), 0, EDGEOPS_E_IO, "cannot read it");
    read_fails(open("/proc/self/mem", O_RDONLY), 0, EDGEOPS_E_IO, "cannot read it");
    cr_assert_eq(write(ends[1], "abc", 3), 3);
    cr_expect_eq(eop_read_some(&got, ends[0], cancel[0], data, sizeof data, "it"), EDGEOPS_OK);
    cr_expect(got == 3 && memcmp(data, "abc", 3) == 0);
    cr_assert_eq(write(cancel[1], "x", 1), 1);
    read_fails(ends[0], cancel[0], EDGEOPS_E_CANCELED, "request");
    close(ends[1]);
    cr_expect_eq(eop_read_some(&got, ends[0], 0, data, sizeof data, "it"), EDGEOPS_OK);
    cr_expect_eq(got, 0);
}

Test(base_file, a_read_goes_on_behind_a_signal) {
    char data[16];
    size_t got = 0;
    int ends[2];
    int cancel[2];
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    cr_assert(pipe2(ends, O_NONBLOCK) == 0 && pipe(cancel) == 0);
    cr_assert(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        usleep(50000);
        _exit(write(ends[1], "late", 4) == 4 ? 0 : 1);
    }
    cr_expect_eq(eop_read_some(&got, ends[0], cancel[0], data, sizeof data, "it"), EDGEOPS_OK);
    cr_expect_eq(got, 4);
    cr_expect_gt(signals, 0);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}
