/* SPDX-License-Identifier: Apache-2.0 */
/* Models as folders that describe themselves: what a training writes, what opening one refuses, and
 * that a kill leaves a whole one or none. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tree.h"
#include "codec/json.h"
#include "edgeops/dataset.h"
#include "edgeops/store.h"
#include "runtime_fixture.h"

TestSuite(runtime_model, .init = fixture_enter, .fini = fixture_leave, .timeout = 100);

typedef struct outcome {
    edgeops_ctx *ctx;
    bool ended;
    edgeops_status status;
    char message[512];
    char states[64];
    edgeops_usage usage;
    edgeops_training *cancel_at_state;
} outcome;

static void on_event(const edgeops_train_event *event, void *user_data) {
    outcome *o = user_data;
    if (event->kind == EDGEOPS_TRAIN_STATE) {
        size_t used = strlen(o->states);
        (void)snprintf(o->states + used, sizeof o->states - used, "%s ", event->text);
    }
}

static void on_done(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data) {
    outcome *o = user_data;
    o->ended = true;
    o->status = status;
    o->usage = *usage;
    (void)snprintf(o->message, sizeof o->message, "%s", message);
    edgeops_ctx_stop(o->ctx);
}

/* Asset m with a = 0..rows-1 and b = 0, frozen as d. */
static edgeops_store *make_store(size_t rows) {
    edgeops_store *store = NULL;
    char *home = path_of("home");
    double *a = eop_calloc(rows, sizeof *a);
    double *b = eop_calloc(rows, sizeof *b);
    edgeops_time *times = eop_calloc(rows, sizeof *times);
    for (size_t i = 0; i < rows; i++) {
        a[i] = (double)i;
        times[i] = (edgeops_time)i;
    }
    const edgeops_column columns[] = {
        {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = a},
        {.name = "b", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = b}};
    const edgeops_table table = {
        .asset = "m", .rows = rows, .times = times, .column_count = 2, .columns = columns};
    const char *asset = "m";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = &asset;
    options.asset_count = 1;
    cr_assert(eq(int, edgeops_store_open(&store, home, NULL), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_store_append_tables(NULL, store, &table, 1, NULL), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_dataset_create(store, &options), EDGEOPS_OK));
    eop_free(times);
    eop_free(a);
    eop_free(b);
    eop_free(home);
    return store;
}

static edgeops_status start(edgeops_training **out, outcome *o, edgeops_runtime *runtime,
                            edgeops_store *store, const edgeops_workflow *workflow,
                            const char *dataset, const char *directory) {
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    *o = (outcome){.ctx = o->ctx != NULL ? o->ctx : fixture_ctx};
    options.workflow = workflow;
    options.store = store;
    options.dataset = dataset;
    options.directory = directory;
    options.on_event = on_event;
    options.on_done = on_done;
    options.user_data = o;
    return edgeops_training_start(out, runtime, &options);
}

static void wait_for(outcome *o) {
    while (!o->ended) {
        cr_assert(eq(int, edgeops_ctx_run(o->ctx, 90 * EDGEOPS_SECOND), EDGEOPS_OK));
    }
}

static void train(outcome *o, edgeops_store *store, const edgeops_workflow *workflow,
                  const char *directory) {
    edgeops_training *training = NULL;
    edgeops_status status = start(&training, o, fixture_runtime, store, workflow, "d", directory);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    wait_for(o);
}

static edgeops_status count_one(const char *name, void *user_data) {
    (void)name;
    ++*(int *)user_data;
    return EDGEOPS_OK;
}

static int count_in(const char *folder) {
    int count = 0;
    cr_assert(eq(int, eop_dir_walk(folder, count_one, &count), EDGEOPS_OK));
    return count;
}

#define SUM                                                                                        \
    "import numpy\n"                                                                               \
    "def train(d, p, r):\n"                                                                        \
    "    r.metric('sum', 1); r.metric('sum', float(d.values[:, 0].sum()))\n"                       \
    "    return 5\n"                                                                               \
    "def predict(m, w, p): return {'class': 'ok', 'score': w.values[0, 0] * p['gain'] + m}\n"
#define GAIN ",\"parameters\":[{\"name\":\"gain\",\"type\":\"number\",\"default\":2.5}]"

static edgeops_status open_it(edgeops_model **out, const char *directory) {
    char *workflows = path_of("store");
    edgeops_status status = edgeops_model_open(out, directory, workflows);
    eop_free(workflows);
    return status;
}

Test(runtime_model, a_training_makes_a_folder_that_says_what_it_is) {
    outcome o = {0};
    edgeops_model *model = NULL;
    edgeops_store *store = make_store(100);
    edgeops_workflow *workflow = workflow_of(SUM, GAIN);
    char *directory = path_of("new/models/first"); /* no parent yet */
    train(&o, store, workflow, directory);
    cr_assert(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_expect(eq(int, strncmp(o.states, "training ", 9), 0), "%s", o.states);
    cr_expect(ne(ptr, strstr(o.states, "saving "), NULL), "%s", o.states);
    cr_expect(eq(str, o.message, ""));
    cr_expect(gt(dbl, o.usage.wall_s, 0));
    /* Nothing beside it, and nothing in it but what belongs there. */
    char *parent = path_of("new/models");
    cr_expect(eq(int, count_in(parent), 1));
    cr_expect(eq(int, count_in(directory), 2));
    edgeops_status status = open_it(&model, directory);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    const edgeops_model_info *info = edgeops_model_info_of(model);
    const edgeops_workflow_info *about = edgeops_workflow_info_of(workflow);
    cr_expect(eq(str, (char *)info->workflow, (char *)about->manifest->name));
    cr_expect(eq(str, (char *)info->workflow_version, "1.0.0"));
    cr_expect(eq(str, (char *)info->workflow_digest, (char *)about->digest));
    cr_expect(eq(str, (char *)info->manifest->name, (char *)about->manifest->name));
    cr_expect(eq(str, (char *)info->dataset, "d"));
    edgeops_dataset *head = NULL;
    cr_assert(eq(int, edgeops_dataset_head(&head, store, "d"), EDGEOPS_OK));
    cr_expect(eq(str, (char *)info->dataset_digest, (char *)head->digest));
    edgeops_dataset_free(head);
    cr_expect(eq(str, (char *)info->params_json, "{\"gain\":2.5}"));
    cr_expect(eq(str, (char *)info->metrics_json, "{\"sum\":4950}"));
    cr_expect(gt(u64, info->size_bytes, 0));
    expect_in(info->json, "\"numpy\":\"");
    expect_in(info->json, "\"name\":\"files/model.pkl\"");
    expect_in(info->json, "\"program\":\"edgeops ");
    /* It works when it was moved, and under its own name no second one is made. */
    edgeops_model_close(model);
    cr_expect(
        eq(int,
           start(&(edgeops_training *){NULL}, &o, fixture_runtime, store, workflow, "d", directory),
           EDGEOPS_E_EXISTS));
    char *moved = path_of("moved");
    cr_assert(eq(int, rename(directory, moved), 0));
    cr_assert(eq(int, open_it(&model, moved), EDGEOPS_OK));
    edgeops_lane *lane = NULL;
    const edgeops_prediction *p = NULL;
    const double values[] = {4, 0};
    const edgeops_time time = 1;
    cr_assert(eq(int, edgeops_lane_open(&lane, fixture_runtime, model, NULL), EDGEOPS_OK));
    edgeops_model_close(model);
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, values, &time, 1), EDGEOPS_OK));
    cr_expect(eq(dbl, p->values[1].as.f64, 15.0));
    edgeops_lane_close(lane);
    edgeops_workflow_close(workflow);
    edgeops_store_close(store);
    eop_free(parent);
    eop_free(moved);
    eop_free(directory);
}

static void replace(const char *path, const char *from, const char *to) {
    char *text = NULL;
    size_t size = 0;
    cr_assert(eq(int, eop_file_read(&text, &size, path, 1 << 20), EDGEOPS_OK));
    char *at = strstr(text, from);
    cr_assert(ne(ptr, at, NULL), "no '%s' in %s", from, text);
    char *changed = eop_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    cr_assert(eq(int, eop_file_write(path, changed, strlen(changed), 0600), EDGEOPS_OK));
    eop_free(changed);
    eop_free(text);
}

static void expect_refused(const char *directory, edgeops_status status, const char *part) {
    edgeops_model *model = NULL;
    cr_expect(eq(int, open_it(&model, directory), status), "%s", edgeops_error_last()->message);
    expect_in(edgeops_error_last()->message, part);
    cr_expect(eq(ptr, model, NULL));
}

Test(runtime_model, what_is_not_a_sound_model_is_refused) {
    edgeops_workflow *workflow = workflow_of("def load(p): return 1\n", "");
    char *directory = path_of("model");
    char *json = path_of("model/model.json");
    char *file = path_of("model/files/weights");
    static const struct {
        const char *from;
        const char *to;
        edgeops_status status;
        const char *part;
    } bad[] = {
        {"\"format\": 1", "\"format\":2", EDGEOPS_E_VERSION, "newer"},
        {"\"format\": 1", "\"format\":\"1\"", EDGEOPS_E_CORRUPT, "format"},
        {"{", "[", EDGEOPS_E_CORRUPT, "model.json"},
        {"\"params\"", "\"parms\"", EDGEOPS_E_CORRUPT, "params"},
        {"files/weights", "files/../../weights", EDGEOPS_E_CORRUPT, "cannot be named"},
        {"files/weights", "/etc/passwd", EDGEOPS_E_CORRUPT, "cannot be named"},
        {"files/weights", "files//weights", EDGEOPS_E_CORRUPT, "cannot be named"},
        {"files/weights", "files/weighs", EDGEOPS_E_CORRUPT, "is missing"},
        {"\"size\": 3", "\"size\":4", EDGEOPS_E_CORRUPT, "another size"},
        {"\"created\": \"2", "\"created\":\"x", EDGEOPS_E_CORRUPT, "not a time"},
    };
    for (size_t i = 0; i < EOP_COUNT(bad); i++) {
        edgeops_model_close(model_of(workflow, NULL));
        cr_assert(eq(int, eop_file_write(file, "abc", 3, 0600), EDGEOPS_OK));
        cr_assert(eq(int, unlink(json), 0));
        const edgeops_usage usage = {0};
        const eop_model_parts parts = {
            .workflow = workflow, .dataset = "d", .dataset_digest = "", .usage = &usage};
        cr_assert(eq(int, eop_model_write(directory, &parts, always, NULL), EDGEOPS_OK));
        replace(json, bad[i].from, bad[i].to);
        expect_refused(directory, bad[i].status, bad[i].part);
    }
    edgeops_model_close(model_of(workflow, NULL));
    cr_assert(eq(int, unlink(json), 0));
    expect_refused(directory, EDGEOPS_E_NOTFOUND, "no model.json");
    cr_assert(eq(int, eop_remove_tree(directory), EDGEOPS_OK));
    expect_refused(directory, EDGEOPS_E_NOTFOUND, "model");
    edgeops_model_close(model_of(workflow, NULL));
    char *store = path_of("store");
    cr_assert(eq(int, eop_remove_tree(store), EDGEOPS_OK));
    expect_refused(directory, EDGEOPS_E_NOTFOUND, "not installed");
    edgeops_workflow_close(workflow);
    eop_free(store);
    eop_free(file);
    eop_free(json);
    eop_free(directory);
}

Test(runtime_model, a_changed_file_is_seen_by_its_digest) {
    edgeops_workflow *workflow = workflow_of("def load(p): return 1\n", "");
    edgeops_model_close(model_of(workflow, NULL));
    char *directory = path_of("model");
    char *json = path_of("model/model.json");
    char *file = path_of("model/files/weights");
    const edgeops_usage usage = {0};
    const eop_model_parts parts = {
        .workflow = workflow, .dataset = "d", .dataset_digest = "", .usage = &usage};
    edgeops_model *model = NULL;
    cr_assert(eq(int, unlink(json), 0));
    cr_assert(eq(int, eop_file_write(file, "abc", 3, 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_model_write(directory, &parts, always, NULL), EDGEOPS_OK));
    cr_assert(eq(int, open_it(&model, directory), EDGEOPS_OK));
    edgeops_model_close(model);
    cr_assert(eq(int, eop_file_write(file, "abd", 3, 0600), EDGEOPS_OK));
    expect_refused(directory, EDGEOPS_E_CORRUPT, "'files/weights' has other content");
    cr_assert(eq(int, unlink(file), 0));
    cr_assert(eq(int, symlink("/etc/passwd", file), 0));
    expect_refused(directory, EDGEOPS_E_CORRUPT, "is a link");
    edgeops_workflow_close(workflow);
    eop_free(file);
    eop_free(json);
    eop_free(directory);
}

/* Files with any name are the workflow's, those of libraries that like "model.json" too. */
Test(runtime_model, a_workflow_may_name_its_files_as_it_likes) {
    outcome o = {0};
    edgeops_model *model = NULL;
    edgeops_store *store = make_store(3);
    edgeops_workflow *workflow =
        workflow_of("def train(d, p, r):\n"
                    "    open(r.artifact_dir + '/model.json', 'w').write('[]')\n"
                    "def load(path): return open(path + '/model.json').read()\n",
                    "");
    char *directory = path_of("m");
    train(&o, store, workflow, directory);
    cr_assert(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_assert(eq(int, open_it(&model, directory), EDGEOPS_OK));
    expect_in(edgeops_model_info_of(model)->json, "files/model.json");
    edgeops_model_close(model);
    edgeops_workflow_close(workflow);
    edgeops_store_close(store);
    eop_free(directory);
}

Test(runtime_model, links_of_a_training_are_refused) {
    outcome o = {0};
    edgeops_store *store = make_store(3);
    edgeops_workflow *workflow =
        workflow_of("import os\n"
                    "def train(d, p, r):\n"
                    "    os.symlink('/etc/passwd', r.artifact_dir + '/weights')\n"
                    "def load(path): return 1\n",
                    "");
    char *directory = path_of("m");
    train(&o, store, workflow, directory);
    cr_expect(eq(int, o.status, EDGEOPS_E_DENIED), "%s", o.message);
    expect_in(o.message, "weights");
    cr_expect(not(eop_file_exists(directory)));
    edgeops_workflow_close(workflow);
    edgeops_store_close(store);
    eop_free(directory);
}

/* Half an hour of reading, without any room on the disk. */
Test(runtime_model, a_file_without_end_comes_to_one) {
    outcome o = {0};
    edgeops_training *training = NULL;
    edgeops_store *store = make_store(3);
    const char *source = "def train(d, p, r): open(r.artifact_dir + '/s', 'wb').truncate(1 << 40)\n"
                         "def load(path): return 1\n";
    edgeops_workflow *workflow = workflow_of(source, ",\"limits\":{\"train_timeout\":\"2s\"}");
    char *directory = path_of("models/m");
    char *parent = path_of("models");
    train(&o, store, workflow, directory);
    cr_expect(eq(int, o.status, EDGEOPS_E_TIMEOUT), "%s", o.message);
    expect_in(o.message, "train_timeout");
    cr_expect(eq(int, count_in(parent), 0));
    edgeops_workflow_close(workflow);
    workflow = workflow_of(source, "");
    cr_assert(eq(int, start(&training, &o, fixture_runtime, store, workflow, "d", directory),
                 EDGEOPS_OK));
    while (strstr(o.states, "saving") == NULL) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    edgeops_training_cancel(training);
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED), "%s", o.message);
    cr_expect(eq(int, count_in(parent), 0));
    edgeops_store_close(store);
    edgeops_workflow_close(workflow);
    eop_free(parent);
    eop_free(directory);
}

Test(runtime_model, no_model_is_kept_of_a_dataset_that_is_not_what_was_frozen) {
    outcome o = {0};
    edgeops_training *training = NULL;
    edgeops_store *store = make_store(50);
    edgeops_workflow *workflow = workflow_of(SUM, GAIN);
    char *directory = path_of("models/m");
    cr_expect(eq(int, start(&training, &o, fixture_runtime, store, workflow, "e", directory),
                 EDGEOPS_E_NOTFOUND));
    cr_expect(eq(ptr, training, NULL));
    edgeops_store_close(store);
    char *path = path_of("home/catalog.db");
    sqlite3 *db = NULL;
    cr_assert(eq(int, sqlite3_open(path, &db), SQLITE_OK));
    cr_assert(eq(int,
                 sqlite3_exec(db,
                              "UPDATE dataset SET digest = replace(replace(digest, 'a', 'b'), '0', "
                              "'1')",
                              NULL, NULL, NULL),
                 SQLITE_OK));
    sqlite3_close(db);
    char *home = path_of("home");
    cr_assert(eq(int, edgeops_store_open(&store, home, NULL), EDGEOPS_OK));
    train(&o, store, workflow, directory);
    cr_expect(eq(int, o.status, EDGEOPS_E_CORRUPT), "%s", o.message);
    cr_expect(not(eop_file_exists(directory)));
    char *parent = path_of("models");
    cr_expect(eq(int, count_in(parent), 0));
    edgeops_store_close(store);
    edgeops_workflow_close(workflow);
    eop_free(parent);
    eop_free(home);
    eop_free(path);
    eop_free(directory);
}

Test(runtime_model, a_cancel_ends_it_wherever_it_is) {
    edgeops_store *store = make_store(1000);
    edgeops_workflow *workflow =
        workflow_of("import time\ndef train(d, p, r): time.sleep(0.2); return 1\n", "");
    char *directory = path_of("models/m");
    char *parent = path_of("models");
    for (int turns = 0; turns < 12; turns++) {
        outcome o = {0};
        edgeops_training *training = NULL;
        cr_assert(eq(int, start(&training, &o, fixture_runtime, store, workflow, "d", directory),
                     EDGEOPS_OK));
        for (int i = 0; i < turns && !o.ended; i++) {
            (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
        }
        edgeops_training_cancel(training);
        edgeops_training_cancel(training);
        wait_for(&o);
        cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED), "%s", o.message);
        cr_expect(eq(int, count_in(parent), 0));
    }
    edgeops_store_close(store);
    edgeops_workflow_close(workflow);
    eop_free(parent);
    eop_free(directory);
}

/* The runtime is freed with the last that uses it, not under it. */
Test(runtime_model, a_runtime_that_is_freed_early_lasts_for_its_training) {
    outcome o = {0};
    edgeops_training *training = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_store *store = make_store(10);
    edgeops_workflow *workflow = workflow_of(SUM, GAIN);
    char *directory = path_of("m");
    cr_assert(eq(int, edgeops_runtime_new(&runtime, fixture_ctx, NULL), EDGEOPS_OK));
    cr_assert(eq(int, start(&training, &o, runtime, store, workflow, "d", directory), EDGEOPS_OK));
    edgeops_runtime_free(runtime);
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    edgeops_store_close(store);
    edgeops_workflow_close(workflow);
    eop_free(directory);
}

/* -- a kill -- */

/* Trains until it is killed; its model has some MB, so that saving takes a while. */
static void child(void) {
    edgeops_store *store = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_workflow *workflow = NULL;
    edgeops_training *training = NULL;
    outcome o = {0};
    char *home = path_of("home");
    char *workflows = path_of("store");
    char *directory = path_of("models/m");
    if (edgeops_ctx_new(&o.ctx, NULL) != EDGEOPS_OK ||
        edgeops_store_open(&store, home, NULL) != EDGEOPS_OK ||
        edgeops_workflow_open(&workflow, workflows, "flow-1") != EDGEOPS_OK ||
        edgeops_runtime_new(&runtime, o.ctx, NULL) != EDGEOPS_OK ||
        start(&training, &o, runtime, store, workflow, "d", directory) != EDGEOPS_OK) {
        _exit(3);
    }
    while (!o.ended) {
        (void)!edgeops_ctx_run(o.ctx, EDGEOPS_SECOND);
    }
    _exit(o.status == EDGEOPS_OK ? 0 : 4);
}

/* Whether there is a temporary folder, and whether it is being saved. */
static edgeops_status look(const eop_tree_entry *entry, void *user_data) {
    int *stage = user_data;
    if (strstr(entry->path, "model.pkl") != NULL && *stage < 2) {
        *stage = 2;
    } else if (*stage < 1) {
        *stage = 1;
    }
    return EDGEOPS_OK;
}

static int stage_of(const char *parent) {
    int stage = 0;
    if (eop_file_exists(parent)) {
        (void)!eop_tree_walk(parent, look, &stage);
    }
    return stage;
}

Test(runtime_model, a_kill_leaves_a_whole_model_or_none) {
    edgeops_workflow *workflow = workflow_of("def train(d, p, r): return b'x' * (24 << 20)\n", "");
    char *directory = path_of("models/m");
    char *parent = path_of("models");
    int whole = 0;
    edgeops_workflow_close(workflow);
    edgeops_store_close(make_store(10));
    for (int round = 0; round < 14; round++) {
        pid_t pid = fork();
        cr_assert(ge(int, pid, 0));
        if (pid == 0) {
            child();
        }
        int wanted = round % 3; /* at the start, while it is loaded, while it is saved */
        int state = 0;
        while (waitpid(pid, &state, WNOHANG) == 0 && stage_of(parent) < wanted) {
            usleep(500);
        }
        usleep((useconds_t)(round < 13 ? round * 6000 : 0)); /* the last one is surely not done */
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &state, 0);
        if (eop_file_exists(directory)) {
            edgeops_model *model = NULL;
            edgeops_status status = open_it(&model, directory);
            cr_assert(eq(int, status, EDGEOPS_OK), "%d: %s", round, edgeops_error_last()->message);
            edgeops_model_close(model);
            cr_assert(eq(int, eop_remove_tree(directory), EDGEOPS_OK));
            whole++;
        }
    }
    /* The next one sweeps what they left, and succeeds. */
    cr_assert(gt(int, count_in(parent), 0));
    pid_t pid = fork();
    if (pid == 0) {
        child();
    }
    int state = 0;
    cr_assert(eq(int, waitpid(pid, &state, 0), pid));
    cr_expect(eq(int, state, 0));
    cr_expect(eq(int, count_in(parent), 1));
    cr_expect(lt(int, whole, 14));
    eop_free(parent);
    eop_free(directory);
}

/* -- memory -- */

static long allocations_left;

static bool may_allocate(void) {
    return allocations_left < 0 || allocations_left-- > 0;
}

static void *failing_alloc(void *user_data, size_t size) {
    (void)user_data;
    return may_allocate() ? malloc(size) : NULL;
}

static void *failing_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void plain_free(void *user_data, void *memory) {
    (void)user_data;
    free(memory);
}

static void enter_failing(void) {
    const edgeops_allocator failing = {failing_alloc, failing_realloc, plain_free, NULL};
    allocations_left = -1;
    cr_assert(eq(int, edgeops_set_allocator(&failing), EDGEOPS_OK));
    fixture_enter();
}

TestSuite(runtime_model_memory, .init = enter_failing, .fini = fixture_leave, .timeout = 100);

Test(runtime_model_memory, each_failed_allocation_of_an_open_or_a_predict_is_an_error) {
    edgeops_workflow *workflow =
        workflow_of("def load(p): return 5\n"
                    "def predict(m, w, p): return {'class': 'text', 'score': w.values[0, 0]}\n",
                    "");
    edgeops_model_close(model_of(workflow, NULL));
    char *directory = path_of("model");
    char *workflows = path_of("store");
    edgeops_model *model = NULL;
    edgeops_status status = EDGEOPS_E_NOMEM;
    int failures = -1;
    for (long n = 0; status == EDGEOPS_E_NOMEM; n++, failures++) {
        allocations_left = n;
        status = edgeops_model_open(&model, directory, workflows);
        allocations_left = -1;
        cr_assert(eq(int, model != NULL, status == EDGEOPS_OK));
    }
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_expect(gt(int, failures, 5));
    edgeops_lane *lane = NULL;
    const edgeops_prediction *p = NULL;
    const double values[] = {4, 0};
    const edgeops_time time = 1;
    cr_assert(eq(int, edgeops_lane_open(&lane, fixture_runtime, model, NULL), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, values, &time, 1), EDGEOPS_OK));
    failures = -1;
    status = EDGEOPS_E_NOMEM;
    for (long n = 0; status == EDGEOPS_E_NOMEM; n++, failures++) {
        allocations_left = n;
        status = edgeops_lane_predict(&p, lane, values, &time, 1);
        allocations_left = -1;
        cr_assert(eq(int, p != NULL, status == EDGEOPS_OK));
    }
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_expect(gt(int, failures, 3));
    cr_expect(eq(dbl, p->values[1].as.f64, 4.0));
    edgeops_lane_close(lane);
    edgeops_model_close(model);
    edgeops_workflow_close(workflow);
    eop_free(workflows);
    eop_free(directory);
}
