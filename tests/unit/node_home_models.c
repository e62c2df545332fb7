/* SPDX-License-Identifier: Apache-2.0 */
/* Models of a home: the folder that describes itself, homes that are older than that, and the host
 * that opens a model of its node. */
#include <sys/stat.h>

#include "catalog/record.h"
#include "edgeops/runtime.h"
#include "node_fixture.h"
#include "store/inner.h"

TestSuite(node_home_models, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

static char *in_model(const char *name) {
    return eop_format("%s/models/m1/%s", fixture_home, name);
}

/* What the model says of a = 3. */
static double predict_by_call(void) {
    char *out = NULL;
    eop_json_free(bulk(fixture_node, "predict", "{\"model\":\"m1\",\"format\":\"jsonl\"}",
                       "a,b\n3,30\n", &out));
    const char *score = strstr(out, "\"score\":");
    cr_assert(ne(ptr, (void *)score, NULL), "%s", out);
    double value = strtod(score + 8, NULL);
    eop_free(out);
    return value;
}

static double predict_by_lane(edgeops_model *model) {
    const double values[] = {3, 30};
    const edgeops_time time = T0;
    const edgeops_prediction *p = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    cr_assert(eq(int, edgeops_node_runtime(&runtime, fixture_node), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_lane_open(&lane, runtime, model, NULL), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, values, &time, 1), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    double score = p->values[1].as.f64;
    edgeops_lane_close(lane);
    return score;
}

/* What "doctor" says of the model. */
static void expect_doctor(const char *state, const char *detail) {
    eop_json *r = must("doctor", NULL);
    const eop_json *found = NULL;
    for (const eop_json *c = eop_json_first(eop_json_get(r, "checks")); c != NULL;
         c = eop_json_next(c)) {
        found = strcmp(eop_json_string(c, "name", ""), "model m1") == 0 ? c : found;
    }
    cr_assert(ne(ptr, (void *)found, NULL));
    cr_expect(eq(str, (char *)eop_json_string(found, "state", ""), (char *)state));
    cr_expect(ne(ptr, strstr(eop_json_string(found, "detail", ""), detail), NULL), "%s",
              eop_json_string(found, "detail", ""));
    eop_json_free(r);
}

static void train_with_gain(void) {
    import_rows(40);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow(FLOW_SOURCE, 1);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\",\"params\":{"
                     "\"gain\":7}}");
}

Test(node_home_models, a_host_opens_a_model_of_its_node_by_name) {
    edgeops_model *model = NULL;
    edgeops_workflow *workflow = NULL;
    train_with_gain();
    cr_assert(eq(int, edgeops_node_model(&model, fixture_node, "m1"), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    const edgeops_model_info *info = edgeops_model_info_of(model);
    cr_expect(eq(str, (char *)info->workflow, "flow"));
    cr_expect(eq(str, (char *)info->workflow_version, "1.0.0"));
    cr_expect(eq(str, (char *)info->dataset, "d1"));
    cr_expect(eq(sz, strlen(info->dataset_digest), 64));
    cr_expect(eq(str, (char *)info->params_json, "{\"gain\":7}"));
    cr_expect(eq(str, (char *)info->metrics_json, "{\"cut\":20}"));
    cr_expect(eq(sz, info->manifest->input_count, 2));
    cr_expect(gt(u64, info->size_bytes, 0));
    cr_expect(eq(dbl, predict_by_lane(model), 21.0));
    const char *workflows = edgeops_node_workflows(fixture_node);
    cr_assert(eq(int, edgeops_workflow_open(&workflow, workflows, "flow"), EDGEOPS_OK));
    cr_expect(
        eq(str, (char *)edgeops_workflow_info_of(workflow)->digest, (char *)info->workflow_digest));
    edgeops_workflow_close(workflow);
    edgeops_model_close(model);
    cr_expect(eq(int, edgeops_node_model(&model, fixture_node, "m2"), EDGEOPS_E_NOTFOUND));
    cr_expect(eq(ptr, model, NULL));
}

Test(node_home_models, the_folder_of_a_model_goes_without_the_home) {
    edgeops_model *model = NULL;
    train_with_gain();
    char *folder = in_model("");
    cr_assert(eq(int, edgeops_model_open(&model, folder, edgeops_node_workflows(fixture_node)),
                 EDGEOPS_OK),
              "%s", edgeops_error_last()->message);
    cr_expect(eq(dbl, predict_by_lane(model), 21.0));
    eop_json *record = must("model.show", "{\"model\":\"m1\"}");
    eop_json *own = NULL;
    const char *text = edgeops_model_info_of(model)->json;
    cr_assert(eq(int, eop_json_parse(&own, text, strlen(text), "model", NULL), EDGEOPS_OK));
    static const char *const same[] = {"workflow", "dataset", "params",     "metrics",
                                       "usage",    "created", "size_bytes", "files"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *a = eop_json_print(eop_json_get(record, same[i]));
        char *b = eop_json_print(eop_json_get(own, same[i]));
        cr_expect(eq(str, a, b));
        eop_free(a);
        eop_free(b);
    }
    eop_json_free(own);
    eop_json_free(record);
    edgeops_model_close(model);
    eop_free(folder);
}

/* As the first versions left them: no model.json, files in the folder itself, all in the record. */
static void make_old(void) {
    char *json = in_model("model.json");
    char *from = in_model("files/model.pkl");
    char *to = in_model("model.pkl");
    char *files = in_model("files");
    cr_assert(eq(int, unlink(json), 0));
    cr_assert(eq(int, rename(from, to), 0));
    cr_assert(eq(int, rmdir(files), 0));
    eop_json *record = must("model.show", "{\"model\":\"m1\"}");
    eop_json_remove(record, "program");
    eop_json_remove(record, "python");
    char *text = eop_json_print(record);
    char *name = strstr(text, "files/model.pkl");
    cr_assert(ne(ptr, name, NULL), "%s", text);
    memmove(name, name + 6, strlen(name + 6) + 1);
    cr_assert(eq(int,
                 eop_record_put(eop_store_catalog(edgeops_node_store(fixture_node)), "model", "m1",
                                text, false),
                 EDGEOPS_OK));
    eop_free(text);
    eop_json_free(record);
    eop_free(json);
    eop_free(from);
    eop_free(to);
    eop_free(files);
}

Test(node_home_models, a_home_without_model_json_goes_on) {
    edgeops_model *model = NULL;
    train_with_gain();
    make_old();
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    expect_doctor("ok", "");
    cr_expect(eq(dbl, predict_by_call(), 21.0));
    cr_assert(eq(int, edgeops_node_model(&model, fixture_node, "m1"), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    cr_expect(eq(str, (char *)edgeops_model_info_of(model)->params_json, "{\"gain\":7}"));
    cr_expect(eq(dbl, predict_by_lane(model), 21.0));
    edgeops_model_close(model);
    char *folder = in_model("");
    cr_expect(eq(int, edgeops_model_open(&model, folder, edgeops_node_workflows(fixture_node)),
                 EDGEOPS_E_NOTFOUND));
    eop_free(folder);
}

Test(node_home_models, a_description_that_is_lost_is_seen_and_the_record_used) {
    train_with_gain();
    expect_doctor("ok", "");
    char *json = in_model("model.json");
    char *away = in_model("away");
    cr_assert(eq(int, rename(json, away), 0));
    expect_doctor("fail", "'model.json' is missing");
    cr_expect(eq(dbl, predict_by_call(), 21.0));
    cr_assert(eq(int, rename(away, json), 0));
    char *text = NULL;
    size_t size = 0;
    cr_assert(eq(int, eop_file_read(&text, &size, json, 1 << 20), EDGEOPS_OK));
    char *name = strstr(text, "files/model.pkl");
    cr_assert(ne(ptr, name, NULL));
    memcpy(name, "files/model.pkx", 15);
    cr_assert(eq(int, eop_file_write(json, text, size, 0600), EDGEOPS_OK));
    expect_doctor("fail", "other files than the catalog");
    eop_free(text);
    eop_free(away);
    eop_free(json);
}

Test(node_home_models, a_damaged_description_is_not_passed_over) {
    edgeops_model *model = NULL;
    train_with_gain();
    char *json = in_model("model.json");
    cr_assert(eq(int, truncate(json, 20), 0));
    cr_expect(eq(int, edgeops_node_model(&model, fixture_node, "m1"), EDGEOPS_E_CORRUPT));
    must_fail(EDGEOPS_E_CORRUPT, "deploy", "{\"model\":\"m1\",\"asset\":\"m/1\"}", "model.json");
    eop_free(json);
}

Test(node_home_models, a_remote_node_has_no_models_here) {
    edgeops_node *remote = NULL;
    edgeops_model *model = NULL;
    edgeops_runtime *runtime = NULL;
    cr_assert(eq(int, edgeops_node_serve(fixture_node), EDGEOPS_OK));
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_REMOTE;
    cr_assert(eq(int, edgeops_node_open(&remote, fixture_ctx, fixture_home, &options), EDGEOPS_OK));
    cr_expect(eq(ptr, (void *)edgeops_node_workflows(remote), NULL));
    cr_expect(eq(int, edgeops_node_model(&model, remote, "m1"), EDGEOPS_E_UNSUPPORTED));
    cr_expect(eq(int, edgeops_node_runtime(&runtime, remote), EDGEOPS_E_UNSUPPORTED));
    edgeops_node_close(remote);
}
