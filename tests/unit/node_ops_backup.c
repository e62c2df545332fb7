/* SPDX-License-Identifier: Apache-2.0 */
/* A backup of a whole home, and the home that is made from it. */
#include "node_fixture.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/tree.h"
#include "node/files/backup_list.h"

static char copy[96];
static char again[96];

static void enter(void) {
    fixture_enter();
    (void)snprintf(copy, sizeof copy, "%s/backup", fixture_root);
    (void)snprintf(again, sizeof again, "%s/again", fixture_root);
}

TestSuite(node_ops_backup, .init = enter, .fini = fixture_leave, .timeout = 120);

static void back_up(void) {
    char args[160];
    (void)snprintf(args, sizeof args, "{\"path\":\"%s\"}", copy);
    must_do("node.backup", args);
}

static void refuse(edgeops_status expected, const char *home, const char *part) {
    char *result = NULL;
    edgeops_status status = edgeops_node_restore(&result, copy, home, NULL, NULL);
    cr_expect(eq(int, status, expected), "%s", edgeops_error_last()->message);
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, part), NULL), "'%s' is not in '%s'",
              part, edgeops_error_last()->message);
    cr_expect(eq(ptr, result, NULL));
    cr_expect(home == NULL || !eop_file_exists(home));
}

/* What was restored is the fixture's node from here on. */
static void go_on_with_copy(void) {
    char *result = NULL;
    edgeops_status status = edgeops_node_restore(&result, copy, again, NULL, NULL);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_expect(ne(ptr, strstr(result, "\"files\""), NULL));
    edgeops_free(result);
    edgeops_node_close(fixture_node);
    cr_assert(eq(int, eop_remove_tree(fixture_home), EDGEOPS_OK)); /* no path leads back */
    strcpy(fixture_home, again);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
}

static char *node_id(void) {
    eop_json *manifest = NULL;
    cr_assert(eq(int, eop_backup_manifest_read(&manifest, copy), EDGEOPS_OK));
    char *id = eop_strdup(eop_json_string(manifest, "node", ""));
    eop_json_free(manifest);
    return id;
}

Test(node_ops_backup, a_restored_home_goes_on) {
    make_model(1);
    must_do("source.add",
            "{\"name\":\"s1\",\"driver\":\"mqtt\",\"start\":false,\"config\":{\"url\":"
            "\"mqtt://127.0.0.1:1\",\"topics\":[\"a\"]}}");
    back_up();
    must_do("model.rm", "{\"model\":\"m1\"}");
    char *id = node_id();
    go_on_with_copy();
    /* Its own backup says who it is. */
    cr_assert(eq(int, eop_remove_tree(copy), EDGEOPS_OK));
    back_up();
    char *id_again = node_id();
    cr_expect(eq(str, id_again, id));
    eop_free(id);
    eop_free(id_again);
    eop_json *r = must("doctor", "{\"deep\":true}");
    for (const eop_json *c = eop_json_first(eop_json_get(r, "checks")); c != NULL;
         c = eop_json_next(c)) {
        cr_expect(ne(str, (char *)eop_json_string(c, "state", ""), "fail"), "%s: %s",
                  eop_json_string(c, "name", ""), eop_json_string(c, "detail", ""));
    }
    eop_json_free(r);
    r = must("source.show", "{\"name\":\"s1\"}");
    cr_expect(eq(int, eop_json_bool(r, "enabled", true), false));
    eop_json_free(r);
    must_do("model.show", "{\"model\":\"m1\"}");
    r = must("predict", "{\"model\":\"m1\",\"asset\":\"m/1\"}");
    cr_expect(gt(i64, eop_json_integer(r, "predictions", 0), 0));
    eop_json_free(r);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m2\"}");
}

static int harm_segment(const eop_tree_entry *entry, bool remove) {
    char *path = eop_format("%s/data/journal/%s", fixture_home, entry->path);
    char byte = 0;
    int done = -1;
    if (remove) {
        done = unlink(path);
    } else {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && pread(fd, &byte, 1, 64 + 20) == 1) {
            byte ^= 1;
            done = pwrite(fd, &byte, 1, 64 + 20) == 1 ? 0 : -1;
        }
        close(fd);
    }
    eop_free(path);
    return done;
}

static edgeops_status harm_entry(const eop_tree_entry *entry, void *user_data) {
    if (strcmp(entry->path, "spare.seg") != 0) {
        cr_assert(eq(int, harm_segment(entry, *(bool *)user_data), 0), "%s", entry->path);
    }
    return EDGEOPS_OK;
}

/* Under the running node, which has the rows in memory. */
static void lose_journal(bool remove) {
    import_rows(700);
    char *journal = eop_path_join(fixture_home, "data/journal");
    cr_assert(eq(int, eop_tree_walk(journal, harm_entry, &remove), EDGEOPS_OK));
    eop_free(journal);
    back_up();
    go_on_with_copy();
    eop_json *r = must("asset.show", "{\"name\":\"m/1\"}");
    cr_expect(eq(i64, eop_json_integer(r, "rows", 0), 700));
    eop_json_free(r);
}

Test(node_ops_backup, has_rows_of_a_damaged_journal) {
    lose_journal(false);
}

Test(node_ops_backup, has_rows_of_a_journal_that_is_gone) {
    lose_journal(true);
}

Test(node_ops_backup, damage_is_found_by_name_and_nothing_appears) {
    static const char *const files[] = {"catalog.db", "data/telemetry.db",
                                        "models/m1/files/model.pkl", "files.list"};
    make_model(1);
    back_up();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = eop_path_join(copy, files[i]);
        char byte = 0;
        cr_assert(eq(int, chmod(path, 0600), 0));
        int fd = open(path, O_RDWR | O_CLOEXEC);
        cr_assert(ge(int, fd, 0), "%s", path);
        cr_assert(eq(i64, pread(fd, &byte, 1, 20), 1));
        byte ^= 1;
        cr_assert(eq(i64, pwrite(fd, &byte, 1, 20), 1));
        refuse(EDGEOPS_E_CORRUPT, again, files[i]);
        refuse(EDGEOPS_E_CORRUPT, NULL, files[i]);
        byte ^= 1;
        cr_assert(eq(i64, pwrite(fd, &byte, 1, 20), 1));
        close(fd);
        eop_free(path);
    }
    char *path = eop_path_join(copy, "data/telemetry.db");
    cr_assert(eq(int, truncate(path, 16384), 0));
    refuse(EDGEOPS_E_CORRUPT, again, "another size");
    cr_assert(eq(int, unlink(path), 0));
    refuse(EDGEOPS_E_CORRUPT, again, "is missing");
    eop_free(path);
}

static void write_manifest(const char *key, const char *value) {
    eop_json *json = NULL;
    eop_json *member = NULL;
    char *path = eop_path_join(copy, EOP_BACKUP_MANIFEST);
    cr_assert(eq(int, eop_backup_manifest_read(&json, copy), EDGEOPS_OK));
    cr_assert(eq(int, eop_json_parse(&member, value, strlen(value), "value", NULL), EDGEOPS_OK));
    eop_json_set(json, key, member);
    char *text = eop_json_print(json);
    cr_assert(eq(int, eop_file_write(path, text, strlen(text), 0600), EDGEOPS_OK));
    eop_free(text);
    eop_free(path);
    eop_json_free(json);
}

Test(node_ops_backup, what_is_no_backup_is_refused) {
    import_rows(10);
    refuse(EDGEOPS_E_NOTFOUND, again, "no backup");
    back_up();
    cr_assert(eq(int, eop_mkdirs(again, 0700), EDGEOPS_OK));
    char *file = eop_path_join(again, "x");
    cr_assert(eq(int, eop_file_write(file, "x", 1, 0600), EDGEOPS_OK));
    edgeops_status status = edgeops_node_restore(NULL, copy, again, NULL, NULL);
    cr_expect(eq(int, status, EDGEOPS_E_EXISTS));
    cr_expect(eop_file_exists(file));
    cr_assert(eq(int, eop_remove_tree(again), EDGEOPS_OK));
    eop_free(file);
    write_manifest("files", "7");
    refuse(EDGEOPS_E_CORRUPT, again, "as many files");
    write_manifest("home_version", "99");
    refuse(EDGEOPS_E_VERSION, again, "newer edgeops");
    char *manifest = eop_path_join(copy, EOP_BACKUP_MANIFEST);
    cr_assert(eq(int, eop_file_write(manifest, "{\"format\":1}", 12, 0600), EDGEOPS_OK));
    refuse(EDGEOPS_E_CORRUPT, again, "home_version");
    eop_free(manifest);
}

/* A list that somebody made, with its digest in the manifest. */
static void refuse_list(const char *lines) {
    char hex[65];
    char quoted[72];
    char *text = eop_format("edgeops-files 1\n%s", lines);
    char *path = eop_path_join(copy, EOP_BACKUP_LIST);
    cr_assert(eq(int, eop_file_write(path, text, strlen(text), 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_backup_hash(hex, NULL, copy, EOP_BACKUP_LIST), EDGEOPS_OK));
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", hex);
    write_manifest("list_sha256", quoted);
    edgeops_status status = edgeops_node_restore(NULL, copy, again, NULL, NULL);
    cr_expect(eq(int, status, EDGEOPS_E_CORRUPT), "%s: %s", lines, edgeops_error_last()->message);
    cr_expect(eq(int, eop_file_exists(again), false));
    eop_free(text);
    eop_free(path);
}

Test(node_ops_backup, a_list_leads_nowhere_else) {
    static const char *const lines[] = {
        "d 700 ../evil\n",
        "d 700 /tmp/evil\n",
        "d 700 a/../../evil\n",
        "d 700 \n",
        "d 4700 a\n",
        "d 700 a",
        "x 700 a\n",
        "f 600 1 abc a\n",
        "f 600 1 0000000000000000000000000000000000000000000000000000000000000000 ../catalog.db\n",
        "f 600 -1 0000000000000000000000000000000000000000000000000000000000000000 catalog.db\n",
        "f 600 9 0000000000000000000000000000000000000000000000000000000000000000 catalog.db\n"};
    import_rows(10);
    back_up();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        refuse_list(lines[i]);
    }
    char *link = eop_path_join(copy, "link");
    cr_assert(eq(int, symlink("/etc/passwd", link), 0));
    refuse_list("f 600 9 0000000000000000000000000000000000000000000000000000000000000000 link\n");
    eop_free(link);
}

Test(node_ops_backup, a_place_that_is_taken_is_refused) {
    char args[200];
    import_rows(10);
    back_up();
    (void)snprintf(args, sizeof args, "{\"path\":\"%s\"}", copy);
    must_fail(EDGEOPS_E_EXISTS, "node.backup", args, "there already");
    (void)snprintf(args, sizeof args, "{\"path\":\"%s/x\"}", fixture_home);
    must_fail(EDGEOPS_E_INVALID, "node.backup", args, "inside the home");
    (void)snprintf(args, sizeof args, "{\"path\":\"%s/none/x\"}", fixture_root);
    must_fail(EDGEOPS_E_NOTFOUND, "node.backup", args, "none");
    must_fail(EDGEOPS_E_INVALID, "node.backup", "{\"path\":\"here\"}", "absolute");
}

/* Ends of a child at many moments: `what` runs in it. */
static void kill_rounds(void (*what)(void), void (*check)(int round)) {
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        cr_assert(ge(int, child, 0));
        if (child == 0) {
            what();
            _exit(0);
        }
        usleep((useconds_t)(round * 1200));
        kill(child, SIGKILL);
        cr_assert(eq(int, waitpid(child, NULL, 0), child));
        check(round);
    }
}

static void restore_again(void) {
    if (edgeops_node_restore(NULL, copy, again, NULL, NULL) != EDGEOPS_OK) {
        _exit(1);
    }
}

static void expect_none_or_all(int round) {
    (void)round;
    if (!eop_file_exists(again)) {
        return;
    }
    edgeops_node *node = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    options.must_exist = 1;
    edgeops_status status = edgeops_node_open(&node, fixture_ctx, again, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    edgeops_node_close(node);
    cr_assert(eq(int, eop_remove_tree(again), EDGEOPS_OK));
}

Test(node_ops_backup, a_kill_while_restoring_leaves_no_half_home) {
    import_rows(20000);
    back_up();
    kill_rounds(restore_again, expect_none_or_all);
    restore_again();
    expect_none_or_all(0);
}

static void back_up_in_child(void) {
    edgeops_ctx *ctx = NULL;
    edgeops_node *node = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    char args[160];
    options.mode = EDGEOPS_NODE_LOCAL;
    (void)snprintf(args, sizeof args, "{\"path\":\"%s\"}", copy);
    if (edgeops_ctx_new(&ctx, NULL) != EDGEOPS_OK ||
        edgeops_node_open(&node, ctx, fixture_home, &options) != EDGEOPS_OK ||
        edgeops_node_call(NULL, node, "node.backup", args, NULL) != EDGEOPS_OK) {
        _exit(1);
    }
}

static void expect_sound_or_none(int round) {
    (void)round;
    edgeops_status status = edgeops_node_restore(NULL, copy, NULL, NULL, NULL);
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND, "%s",
              edgeops_error_last()->message);
    cr_assert(eq(int, status == EDGEOPS_OK, eop_file_exists(copy)));
    cr_assert(eq(int, eop_remove_tree(copy), EDGEOPS_OK));
}

Test(node_ops_backup, a_kill_while_backing_up_leaves_no_half_backup) {
    import_rows(20000);
    edgeops_node_close(fixture_node);
    kill_rounds(back_up_in_child, expect_sound_or_none);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    eop_json *r = must("asset.show", "{\"name\":\"m/1\"}");
    cr_expect(eq(i64, eop_json_integer(r, "rows", 0), 20000));
    eop_json_free(r);
    back_up(); /* removes what was left of the others */
    expect_sound_or_none(0);
}
