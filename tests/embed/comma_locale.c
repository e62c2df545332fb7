/* SPDX-License-Identifier: Apache-2.0 */
/* A host in a locale with a decimal comma: every way by which numbers become text or text numbers gives what it gives in
 * any other: files in and out, payloads, filters, parameters, periods, metrics, predictions. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../support/comma.h"
#include "host.h"

static void give_and_take(const char *operation, const char *args, const char *given,
                          const char *expected) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    static int n;
    char text[4096] = "";
    char *path = path_of("bulk-%d", n++);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (given != NULL) {
        NEED(write(fd, given, strlen(given)) == (ssize_t)strlen(given) &&
                 lseek(fd, 0, SEEK_SET) == 0,
             "%s", path);
        options.input = fd;
    } else {
        options.output = fd;
    }
    CHECK(edgeops_node_call(NULL, node, operation, args, &options) == EDGEOPS_OK, "%s %s: %s",
          operation, args, why());
    if (expected != NULL) {
        CHECK(pread(fd, text, sizeof text - 1, 0) > 0 && strstr(text, expected) != NULL,
              "%s %s: %s", operation, args, text);
    }
    (void)close(fd);
}

static void holds(const char *operation, const char *args, const char *expected) {
    char *result = answer_of(operation, args);
    CHECK(strstr(result, expected) != NULL, "%s: no %s in %s", operation, expected, result);
    edgeops_free(result);
}

static void files(void) {
    give_and_take(
        "data.import", "{\"asset\":\"csv\",\"format\":\"csv\"}",
        "time,a,b\n2026-01-01T00:00:00.25Z,0.5,1e-3\n2026-01-01T00:00:01Z,-2.75,123456.789\n",
        NULL);
    give_and_take("data.import", "{\"asset\":\"jsonl\",\"format\":\"jsonl\"}",
                  "{\"time\":\"2026-01-01T00:00:00Z\",\"a\":0.5,\"b\":[1.5,2.5]}\n", NULL);
    give_and_take("data.export", "{\"asset\":\"csv\"}", NULL, "-2.75,123456.789");
    give_and_take("data.export", "{\"asset\":\"csv\",\"format\":\"jsonl\"}", NULL, "123456.789");
    give_and_take("data.export", "{\"asset\":\"jsonl\",\"format\":\"jsonl\"}", NULL,
                  "1.5,\"b.1\":2.5");
    holds("data.head", "{\"asset\":\"csv\"}", "123456.789");
    holds("data.stats", "{\"asset\":\"csv\"}", "-2.75");
    holds("data.aggregate", "{\"asset\":\"csv\",\"every\":\"0.5s\"}", "123456.789");
    give_and_take(
        "label.import", "{}",
        "asset,start,end,label\ncsv,2026-01-01T00:00:00.25Z,2026-01-01T00:00:00.75Z,good\n", NULL);
    holds("label.stats", NULL, "good");
}

static void texts(void) {
    const char *channel = "v";
    edgeops_value value = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = 0.1}};
    edgeops_sample sample = {
        .asset = "a", .time = 1, .count = 1, .channels = &channel, .values = &value};
    char *text = NULL;
    NEED(edgeops_sample_encode(&text, NULL, &sample) == EDGEOPS_OK, "%s", why());
    CHECK(strstr(text, "0.1") != NULL && strstr(text, "0,1") == NULL, "%s", text);
    edgeops_free(text);
    for (int i = 0; i < 20; i++) {
        NEED(put("many", i, i / 4.0) == EDGEOPS_OK, "%s", why());
    }
    CHECK(call("dataset.create",
               "{\"name\":\"f\",\"assets\":[\"csv\"],\"filter\":\"a > 0.25 and b < 0.5\"}") ==
              EDGEOPS_OK,
          "%s", why());
    holds("dataset.show", "{\"name\":\"f\"}", "\"rows\":1");
    CHECK(call("dataset.create",
               "{\"name\":\"s\",\"assets\":[\"many\"],\"split\":\"fraction:0.5\"}") == EDGEOPS_OK,
          "%s", why());
    CHECK(call("retention.set", "{\"pattern\":\"csv\",\"max_age\":\"1.5h\"}") == EDGEOPS_OK ||
              strstr(why(), "1.5h") != NULL,
          "%s", why());
}

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *unused) {
    (void)unused;
    return edgeops_store_append(result, store, samples, n, options);
}

static void a_source(void) {
    edgeops_source *source = NULL;
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    char *recording = path_of("recording.csv");
    FILE *file = fopen(recording, "we");
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    NEED(file != NULL && fputs("time,v\n2026-01-01T00:00:00Z,1.5\n", file) >= 0 &&
             fclose(file) == 0,
         "%s", recording);
    options.name = "s";
    options.driver = "replay";
    options.config_json = text_of("{\"path\":\"%s\",\"asset\":\"replayed\"}", recording);
    options.append = take;
    NEED(edgeops_source_open(&source, ctx, &options) == EDGEOPS_OK &&
             edgeops_source_start(source) == EDGEOPS_OK,
         "%s", why());
    for (int i = 0; i < 100 && rows_of(store, "replayed") == 0; i++) {
        turn(20, NULL);
    }
    edgeops_source_close(source);
    query.asset = "replayed";
    NEED(edgeops_store_read(&table, store, &query) == EDGEOPS_OK && table->rows == 1, "%s", why());
    CHECK(table->columns[0].type == EDGEOPS_TYPE_FLOAT64 && table->columns[0].f64[0] == 1.5,
          "the replayed value");
    edgeops_table_free(table);
}

static double predicted = -1;
static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    predicted = prediction->status == EDGEOPS_OK ? prediction->values[0].as.f64 : -2;
}

/* The worker is a process of its own and has the host's environment. */
static void a_model(void) {
    char *path = make_workflow(
        "gain",
        "def train(dataset, params, run):\n"
        "    run.metric('score', 0.625)\n"
        "    run.log('%.3f %r' % (params['gain'], float('0.5')))\n    return params['gain']\n"
        "def predict(model, window, params):\n"
        "    return {'y': float(window.values[-1, 0]) * model}\n");
    FILE *manifest = fopen(text_of("%s/workflow.json", path), "we");
    NEED(manifest != NULL &&
             fputs("{\"format\":1,\"name\":\"gain\",\"version\":\"1.0.0\",\"python\":{\"module\":"
                   "\"gain\"},"
                   "\"inputs\":[{\"name\":\"v\",\"type\":\"float64\"}],\"window\":{\"rows\":1},"
                   "\"parameters\":[{\"name\":\"gain\",\"type\":\"number\",\"default\":1.25,"
                   "\"minimum\":0.5}],"
                   "\"limits\":{\"predict_timeout\":\"2.5s\"},"
                   "\"outputs\":[{\"name\":\"y\",\"type\":\"float64\"}]}",
                   manifest) >= 0 &&
             fclose(manifest) == 0,
         "%s", path);
    NEED(put("x", 1, 1) == EDGEOPS_OK, "%s", why());
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", path)) == EDGEOPS_OK, "%s", why());
    NEED(call("dataset.create", "{\"name\":\"d\",\"assets\":[\"x\"]}") == EDGEOPS_OK, "%s", why());
    NEED(
        call(
            "train",
            "{\"workflow\":\"gain\",\"dataset\":\"d\",\"name\":\"m\",\"params\":{\"gain\":2.5}}") ==
            EDGEOPS_OK,
        "%s", why());
    holds("model.show", "{\"model\":\"m\"}", "0.625");
    holds("model.show", "{\"model\":\"m\"}", "2.5");
    NEED(call("deploy", "{\"model\":\"m\",\"asset\":\"x\",\"name\":\"dep\"}") == EDGEOPS_OK, "%s",
         why());
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(300, NULL);
    NEED(put("x", 100, 0.5) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 100 && predicted == -1; i++) {
        turn(50, NULL);
    }
    CHECK(predicted == 1.25, "predicted %g", predicted);
    holds("data.head", "{\"asset\":\"predictions/dep\"}", "1.25");
}

int main(void) {
    const char *root = host_begin();
    need_worker();
    if (!comma_enter(root, "de_DE")) {
        host_skip("no localedef here, or no source of the locale de_DE");
    }
    char text[16];
    (void)snprintf(text, sizeof text, "%.1f", 0.5);
    NEED(strcmp(text, "0,5") == 0, "the locale has no decimal comma: %s", text);
    node_up(path_of("home"));
    files();
    texts();
    a_source();
    a_model();
    node_down();
    return host_end();
}
