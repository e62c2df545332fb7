/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor and the status say about a home that something happened to. */
#include "node_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "catalog/policy.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/retention.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[4096];

static void on_log(edgeops_log_level level, const char *subsystem, const char *message,
                   void *user_data) {
    (void)level;
    (void)user_data;
    pthread_mutex_lock(&log_lock);
    size_t used = strlen(log_text);
    (void)snprintf(log_text + used, sizeof log_text - used, "%s: %s\n", subsystem, message);
    pthread_mutex_unlock(&log_lock);
}

static void enter(void) {
    edgeops_ctx_options options = EDGEOPS_CTX_OPTIONS_INIT;
    strcpy(fixture_root, "/tmp/edgeops-node-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(fixture_root), NULL));
    (void)snprintf(fixture_home, sizeof fixture_home, "%s/home", fixture_root);
    options.log = on_log;
    options.log_level = EDGEOPS_LOG_WARN;
    cr_assert(eq(int, edgeops_ctx_new(&fixture_ctx, &options), EDGEOPS_OK));
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
}

TestSuite(node_ops_doctor, .init = enter, .fini = fixture_leave, .timeout = 60);

/* A check by its name; borrowed from the answer. */
static const eop_json *check_of(const eop_json *doctor, const char *name) {
    const eop_json *checks = eop_json_get(doctor, "checks");
    for (const eop_json *c = eop_json_first(checks); c != NULL; c = eop_json_next(c)) {
        if (strcmp(eop_json_string(c, "name", ""), name) == 0) {
            return c;
        }
    }
    return NULL;
}

static void expect_check(const char *args, const char *name, const char *state, const char *part) {
    eop_json *doctor = must("doctor", args);
    const eop_json *check = check_of(doctor, name);
    cr_assert(ne(ptr, (void *)check, NULL), "no check '%s'", name);
    cr_expect(eq(str, (char *)eop_json_string(check, "state", ""), (char *)state), "%s: %s", name,
              eop_json_string(check, "detail", ""));
    cr_expect(ne(ptr, strstr(eop_json_string(check, "detail", ""), part), NULL), "%s: %s", name,
              eop_json_string(check, "detail", ""));
    bool ok = strcmp(state, "fail") != 0;
    cr_expect(ok || strlen(eop_json_string(check, "hint", "")) > 0);
    cr_expect(ok || !eop_json_bool(doctor, "ok", true));
    eop_json_free(doctor);
}

static void flip(const char *path, off_t at) {
    char byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(ge(int, fd, 0), "%s", path);
    cr_assert(eq(i64, pread(fd, &byte, 1, at), 1));
    byte = (char)(byte ^ 0x55);
    cr_assert(eq(i64, pwrite(fd, &byte, 1, at), 1));
    close(fd);
}

/* The segment with the rows that "data.import" appended. */
static char *newest_segment(void) {
    char *folder = eop_path_join(fixture_home, "data/journal");
    char best[256] = "";
    DIR *dir = opendir(folder);
    cr_assert(ne(ptr, dir, NULL));
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char *path = eop_path_join(folder, entry->d_name);
        char *text = NULL;
        size_t size = 0;
        if (strcmp(entry->d_name, "spare") != 0 &&
            eop_file_read(&text, &size, path, (size_t)64 << 20) == EDGEOPS_OK && size > 0 &&
            memmem(text, size, "MARK-5", 6) != NULL) {
            (void)snprintf(best, sizeof best, "%s", entry->d_name);
        }
        eop_free(text);
        eop_free(path);
    }
    closedir(dir);
    cr_assert(ne(int, best[0], 0));
    char *path = eop_path_join(folder, best);
    eop_free(folder);
    return path;
}

/* Ten rows, each an append of its own, in the journal. */
static void import_marks(void) {
    eop_buf csv = {0};
    eop_buf_puts(&csv, "time,a\n");
    for (int i = 0; i < 10; i++) {
        eop_buf_printf(&csv, "%lld,MARK-%d\n", (long long)(T0 + i * EDGEOPS_SECOND), i);
    }
    char *rows = eop_buf_take(&csv);
    eop_json_free(bulk(fixture_node, "data.import",
                       "{\"asset\":\"m/1\",\"time_unit\":\"ns\",\"batch\":1}", rows, NULL));
    eop_free(rows);
}

/* Flips a bit of a row in the journal of the home, which is closed; or cuts the row off. */
static void change_mark(const char *mark, bool cut) {
    static const char zeros[64];
    char *text = NULL;
    size_t size = 0;
    char *path = newest_segment();
    cr_assert(eq(int, eop_file_read(&text, &size, path, (size_t)64 << 20), EDGEOPS_OK));
    off_t at = (const char *)memmem(text, size, mark, strlen(mark)) - text;
    if (cut) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        cr_assert(eq(i64, pwrite(fd, zeros, sizeof zeros, at), sizeof zeros));
        close(fd);
    } else {
        flip(path, at);
    }
    eop_free(text);
    eop_free(path);
}

Test(node_ops_doctor, damage_of_the_journal_is_told_everywhere) {
    import_marks();
    expect_check(NULL, "store", "ok", "");
    edgeops_node_close(fixture_node);
    char *segment = newest_segment();
    change_mark("MARK-5", false);
    log_text[0] = '\0';
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    cr_expect(ne(ptr, strstr(log_text, "store: the journal was damaged in 1 places"), NULL), "%s",
              log_text);
    cr_expect(ne(ptr, strstr(log_text, "samples of 'm/1': those with the ordinals 6 to 6"), NULL),
              "%s", log_text);
    eop_json *status = must("node.status", NULL);
    cr_expect(eq(i64, eop_json_integer(eop_json_get(status, "disk"), "damaged", 0), 1));
    eop_json_free(status);
    expect_check(NULL, "store", "fail", "1 places");
    expect_check("{\"deep\":true}", "data/journal", "fail", "asset 'm/1': samples are missing");
    /* Later lives see the file that is kept, until somebody has taken care of it. */
    cr_assert(eq(int, eop_store_flush(edgeops_node_store(fixture_node)), EDGEOPS_OK));
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    expect_check(NULL, "store", "fail", "1 damaged files were put aside");
    char *aside = eop_format("%s.bad", segment);
    cr_assert(eq(int, unlink(aside), 0));
    expect_check(NULL, "store", "ok", "no damage");
    eop_free(aside);
    eop_free(segment);
}

Test(node_ops_doctor, damage_of_the_last_append_is_told_when_the_journal_was_closed) {
    import_marks();
    edgeops_node_close(fixture_node);
    change_mark("MARK-9", false);
    log_text[0] = '\0';
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    cr_expect(ne(ptr, strstr(log_text, "store: the journal was damaged in 1 places"), NULL), "%s",
              log_text);
    expect_check(NULL, "store", "fail", "1 places");
    expect_check("{\"deep\":true}", "samples", "fail", "");
}

static void import_and_die(void) {
    int ended = 0;
    edgeops_node_close(fixture_node);
    pid_t pid = fork();
    if (pid == 0) {
        edgeops_ctx *ctx = NULL;
        edgeops_ctx_options options = EDGEOPS_CTX_OPTIONS_INIT;
        cr_assert(eq(int, edgeops_ctx_new(&ctx, &options), EDGEOPS_OK));
        fixture_ctx = ctx;
        fixture_node = open_node(ctx, EDGEOPS_NODE_LOCAL);
        import_marks();
        kill(getpid(), SIGKILL);
    }
    cr_assert(eq(int, waitpid(pid, &ended, 0), pid));
    cr_assert(eq(int, WIFSIGNALED(ended) ? WTERMSIG(ended) : 0, SIGKILL));
}

/* No row was cut, so each was written. */
Test(node_ops_doctor, damage_of_the_last_append_is_told_after_a_kill) {
    import_and_die();
    change_mark("MARK-9", false);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    expect_check(NULL, "store", "fail", "1 places");
}

/* The process was killed while it wrote: nothing of that was acknowledged. */
Test(node_ops_doctor, torn_end_of_the_journal_is_no_damage) {
    import_and_die();
    change_mark("MARK-9", true);
    log_text[0] = '\0';
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    cr_expect(eq(str, log_text, (char *)""), "%s", log_text);
    expect_check(NULL, "store", "ok", "bytes at the end of the journal were not complete");
    expect_check("{\"deep\":true}", "samples", "ok", "");
}

static void put_image(const char *asset, uint8_t of) {
    const char *channel = "image";
    uint8_t bytes[100];
    memset(bytes, of, sizeof bytes);
    edgeops_value value = {.type = EDGEOPS_TYPE_BLOB, .size = sizeof bytes, .as.data = bytes};
    edgeops_sample sample = {
        .asset = asset, .time = of, .count = 1, .channels = &channel, .values = &value};
    cr_assert(eq(int,
                 edgeops_store_append(NULL, edgeops_node_store(fixture_node), &sample, 1, NULL),
                 EDGEOPS_OK));
}

static edgeops_status empty_file(const char *path, void *user_data) {
    const char *folder = user_data;
    char *file = eop_path_join(folder, path);
    cr_assert(eq(int, truncate(file, 0), 0));
    eop_free(file);
    return EDGEOPS_OK;
}

static edgeops_status empty_folder(const char *name, void *user_data) {
    char *folder = eop_path_join(user_data, name);
    edgeops_status status = eop_dir_walk(folder, empty_file, folder);
    eop_free(folder);
    return status;
}

/* With durability PROCESS a power cut takes both the bytes and the sample, and keeps the name. */
Test(node_ops_doctor, empty_image_is_damage_while_a_sample_has_it) {
    char *blobs = eop_format("%s/data/blobs", fixture_home);
    for (uint8_t i = 1; i <= 25; i++) {
        put_image("cam", i);
    }
    cr_assert(eq(int, eop_dir_walk(blobs, empty_folder, blobs), EDGEOPS_OK));
    expect_check("{\"deep\":true}", "samples", "fail", "");
    expect_check("{\"deep\":true}", "blobs", "fail", "25 have a damaged one");
    cr_assert(eq(int, edgeops_asset_remove(edgeops_node_store(fixture_node), "cam"), EDGEOPS_OK));
    expect_check("{\"deep\":true}", "samples", "ok", "");
    eop_json *doctor = must("doctor", "{\"deep\":true}");
    size_t warnings = 0;
    for (const eop_json *c = eop_json_first(eop_json_get(doctor, "checks")); c != NULL;
         c = eop_json_next(c)) {
        bool blob = strncmp(eop_json_string(c, "name", ""), "blob ", 5) == 0;
        warnings += blob && strcmp(eop_json_string(c, "state", ""), "warn") == 0;
        warnings += blob && strstr(eop_json_string(c, "detail", ""), "no sample has it") != NULL;
    }
    cr_expect(eq(sz, warnings, (size_t)2 * 20)); /* the others are not shown */
    cr_expect(eop_json_bool(doctor, "ok", false));
    eop_json_free(doctor);
    eop_free(blobs);
}

/* As it is when others fill the disk. */
Test(node_ops_doctor, what_needs_room_is_refused_at_once_on_a_full_disk) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    char *csv = csv_rows(10);
    import_rows(40);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow(FLOW_SOURCE, 1);
    edgeops_node_store(fixture_node)->options.free_floor_bytes = UINT64_MAX;
    must_fail(EDGEOPS_E_LIMIT, "dataset.create", "{\"name\":\"d2\",\"assets\":[\"m/1\"]}",
              "make room");
    must_fail(EDGEOPS_E_LIMIT, "train",
              "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\"}", "make room");
    must_fail(EDGEOPS_E_NOTFOUND, "run.show", "{\"id\":1}", "'1'"); /* not even begun */
    options.input = file_of(csv);
    (void)call_with(fixture_node, &status, "data.import", "{\"asset\":\"m/2\"}", &options);
    cr_expect(eq(int, status, EDGEOPS_E_LIMIT));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "make room"), NULL), "%s",
              edgeops_error_last()->message);
    must_fail(EDGEOPS_E_NOTFOUND, "asset.show", "{\"name\":\"m/2\"}", "m/2");
    close(options.input);
    eop_free(csv);
}

/* Path of a file of the only installed workflow. */
static char *installed_file(const char *name) {
    eop_json *r = must("workflow.show", "{\"workflow\":\"flow\"}");
    char *file = eop_format("%s/store/workflows/objects/%s/%s", fixture_home,
                            eop_json_string(r, "digest", ""), name);
    eop_json_free(r);
    return file;
}

Test(node_ops_doctor, a_changed_file_of_a_workflow_or_model_is_seen) {
    make_model(1);
    char *module = installed_file("flow.py");
    eop_json *r = must("model.show", "{\"model\":\"m1\"}");
    char *file = eop_format("%s/models/m1/%s", fixture_home,
                            eop_json_string(eop_json_first(eop_json_get(r, "files")), "name", ""));
    eop_json_free(r);
    expect_check(NULL, "workflow flow@1.0.0", "ok", "sizes");
    expect_check("{\"deep\":true}", "workflow flow@1.0.0", "ok", "not changed");
    expect_check("{\"deep\":true}", "model m1", "ok", "not changed");
    /* One byte is another: only who reads it sees it. */
    cr_assert(eq(int, chmod(module, 0644), 0));
    flip(module, 7);
    flip(file, 1);
    expect_check(NULL, "workflow flow@1.0.0", "ok", "sizes");
    expect_check("{\"deep\":true}", "workflow flow@1.0.0", "fail", "'flow.py' has other content");
    expect_check("{\"deep\":true}", "model m1", "fail", "has other content");
    cr_assert(eq(int, truncate(module, 3), 0));
    cr_assert(eq(int, unlink(file), 0));
    expect_check(NULL, "workflow flow@1.0.0", "fail", "'flow.py' has another size");
    expect_check(NULL, "model m1", "fail", "is missing");
    eop_free(file);
    eop_free(module);
}

/* 'workflow rm' refuses it while there is a model. */
Test(node_ops_doctor, a_model_without_its_workflow_is_a_failure) {
    make_model(1);
    expect_check(NULL, "model m1", "ok", "sizes");
    char *entry = eop_path_join(fixture_home, "store/workflows/index/flow@1.0.0");
    cr_assert(eq(int, unlink(entry), 0));
    expect_check(NULL, "model m1", "fail", "its workflow 'flow@1.0.0' is missing");
    expect_check("{\"deep\":true}", "model m1", "fail", "its workflow 'flow@1.0.0' is missing");
    eop_free(entry);
}

Test(node_ops_doctor, what_unfinished_work_left_is_a_warning) {
    char *folder = eop_path_join(fixture_home, "models/.tmp-77");
    cr_assert(eq(int, eop_mkdirs(folder, 0700), EDGEOPS_OK));
    expect_check(NULL, "temporary", "warn", "1 folders");
    eop_free(folder);
}

Test(node_ops_doctor, deep_reads_all_samples_and_names_what_is_damaged) {
    import_rows(100);
    cr_assert(eq(int, eop_store_flush(edgeops_node_store(fixture_node)), EDGEOPS_OK));
    expect_check("{\"deep\":true}", "samples", "ok", "100 rows");
    edgeops_node_close(fixture_node);
    char *path = eop_path_join(fixture_home, "data/telemetry.db");
    sqlite3 *db = NULL;
    cr_assert(eq(int, sqlite3_open(path, &db), SQLITE_OK));
    cr_assert(eq(
        int, sqlite3_exec(db, "UPDATE cell SET data = x'00' WHERE id & 2047 = 1", NULL, NULL, NULL),
        SQLITE_OK));
    sqlite3_close(db);
    eop_free(path);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    expect_check("{\"deep\":true}", "samples", "fail", "100 rows");
    eop_json *doctor = must("doctor", "{\"deep\":true}");
    const eop_json *found = NULL;
    for (const eop_json *c = eop_json_first(eop_json_get(doctor, "checks")); c != NULL;
         c = eop_json_next(c)) {
        found = strncmp(eop_json_string(c, "name", ""), "chunk ", 6) == 0 ? c : found;
    }
    cr_assert(ne(ptr, (void *)found, NULL));
    cr_expect(eq(str, (char *)eop_json_string(found, "asset", ""), "m/1"));
    cr_expect(eq(str, (char *)eop_json_string(found, "channel", ""), "b"));
    cr_expect(eq(str, (char *)eop_json_string(found, "first", ""), "2026-01-01T00:00:00Z"));
    cr_expect(eq(str, (char *)eop_json_string(found, "last", ""), "2026-01-01T00:01:39Z"));
    cr_expect(ne(ptr, strstr(eop_json_string(found, "hint", ""), "backup"), NULL));
    eop_json_free(doctor);
}

Test(node_ops_doctor, a_size_that_cannot_be_reached_is_a_warning) {
    import_rows(5000);
    cr_assert(eq(int, eop_store_flush(edgeops_node_store(fixture_node)), EDGEOPS_OK));
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    eop_policy policy = {.pattern = "*", .max_bytes = 1u << 30};
    cr_assert(eq(int, eop_policy_put(eop_store_catalog(edgeops_node_store(fixture_node)), &policy),
                 EDGEOPS_OK));
    expect_check(NULL, "retention", "ok", "1 policies");
    policy.max_bytes = 1;
    cr_assert(eq(int, eop_policy_put(eop_store_catalog(edgeops_node_store(fixture_node)), &policy),
                 EDGEOPS_OK));
    expect_check(NULL, "retention", "warn", "datasets hold");
}
