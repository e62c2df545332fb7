/* SPDX-License-Identifier: Apache-2.0 */
/* The host side of drivers, and what every driver must do: without a broker. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "support/collector.h"

static edgeops_ctx *ctx;
static collector c;
static char folder[] = "/tmp/edgeops-source-XXXXXX";
static char path[64];

static void write_rows(size_t rows) {
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs("time,who,x,y\n", f);
    for (size_t i = 0; i < rows; i++) {
        fprintf(f, "%zu,%c,%zu.5,%zu\n", 1700000000000 + i * 20, "ab"[i % 2], i, i);
    }
    cr_assert_eq(fclose(f), 0);
}

static void setup(void) {
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    collector_init(&c);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/rows.csv", folder);
}

static void teardown(void) {
    unlink(path);
    rmdir(folder);
    collector_dispose(&c);
    edgeops_ctx_free(ctx);
}

TestSuite(ingest_source, .init = setup, .fini = teardown, .timeout = 60);

static const char *replay_config(const char *more) {
    static char text[256];
    snprintf(text, sizeof(text), "{\"path\": \"%s\", \"asset\": \"watch/{who}\"%s}", path, more);
    return text;
}

/* Nobody listens on port 1. */
static const char mqtt_config[] =
    "{\"url\": \"mqtt://127.0.0.1:1\", \"topics\": [\"a/#\"], \"payload\": {\"asset\": \"{2}\"}}";

static edgeops_source *open_source(const edgeops_source_options *options) {
    edgeops_source *source = NULL;
    cr_assert_eq(edgeops_source_open(&source, ctx, options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    return source;
}

static bool has_driver(const char *name) {
    return edgeops_source_check(name, "{}") != EDGEOPS_E_NOTFOUND;
}

/* -- registry and configuration -- */

static edgeops_status note_name(const edgeops_hld_driver *driver, void *user_data) {
    strcat(user_data, driver->name);
    strcat(user_data, " ");
    cr_expect_not_null(driver->config_schema_json);
    return EDGEOPS_OK;
}

Test(ingest_source, drivers_come_sorted) {
    char names[64] = "";
    cr_assert_eq(edgeops_driver_list(note_name, names), EDGEOPS_OK);
    cr_assert_str_eq(names, has_driver("mqtt") ? "mqtt replay " : "replay ");
}

static edgeops_status stop_walk(const edgeops_hld_driver *driver, void *user_data) {
    (void)driver;
    (*(int *)user_data)++;
    return EDGEOPS_E_USER;
}

Test(ingest_source, walk_ends_with_the_callback_s_status) {
    int calls = 0;
    cr_assert_eq(edgeops_driver_list(stop_walk, &calls), EDGEOPS_E_USER);
    cr_assert_eq(calls, 1);
}

Test(ingest_source, init_function_and_macro_agree) {
    edgeops_source_options a = EDGEOPS_SOURCE_OPTIONS_INIT;
    edgeops_source_options b;
    memset(&b, 0xff, sizeof(b));
    edgeops_source_options_init(&b, sizeof(b));
    cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
    edgeops_publisher_options p = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    edgeops_publisher_options q;
    memset(&q, 0xff, sizeof(q));
    edgeops_publisher_options_init(&q, sizeof(q));
    /* Member by member: there is padding behind in_flight. */
    cr_assert_eq(p.struct_size, q.struct_size);
    cr_assert_eq(p.config_json, q.config_json);
    cr_assert_eq(p.in_flight, q.in_flight);
    cr_assert_eq(p.on_state, q.on_state);
    cr_assert_eq(p.on_delivered, q.on_delivered);
    cr_assert_eq(p.user_data, q.user_data);
    cr_assert_eq(p.instance, q.instance);
    cr_assert_eq(p.on_refused, q.on_refused);
}

static void refuses(const char *driver, const char *config, const char *word) {
    cr_expect_eq(edgeops_source_check(driver, config), EDGEOPS_E_INVALID, "%s", config);
    cr_expect_not_null(strstr(edgeops_error_last()->message, word), "'%s' lacks '%s' for %s",
                       edgeops_error_last()->message, word, config);
}

Test(ingest_source, check_names_what_is_wrong) {
    cr_assert_eq(edgeops_source_check("telex", "{}"), EDGEOPS_E_NOTFOUND);
    refuses("replay", "{\"path\": \"x\"", "config");
    refuses("replay", "{\"path\": \"x\"}", "asset");
    refuses("replay", "{\"path\": \"x\", \"asset\": \"a\", \"sped\": 2}", "sped");
    refuses("replay", "{\"path\": \"x\", \"asset\": \"a\", \"speed\": -1}", "speed");
    refuses("replay",
            "{\"path\": \"x\", \"asset\": \"a\", \"columns\": {\"x\": {\"type\": \"double\"}}}",
            "columns");
    cr_expect_eq(edgeops_source_check("replay", replay_config("")), EDGEOPS_OK);
}

Test(ingest_source, check_of_mqtt_names_what_is_wrong) {
    if (!has_driver("mqtt")) {
        cr_skip("built without MQTT");
    }
    static const struct {
        const char *config;
        const char *word;
    } bad[] = {
        {"{\"url\": \"mqtt://h\"}", "topics"},
        {"{\"topics\": [\"a\"]}", "url"},
        {"{\"url\": \"http://h\", \"topics\": [\"a\"]}", "scheme"},
        {"{\"url\": \"mqtt://h:0\", \"topics\": [\"a\"]}", "port"},
        {"{\"url\": \"mqtt://h:65536\", \"topics\": [\"a\"]}", "port"},
        {"{\"url\": \"mqtt://u:p@h\", \"topics\": [\"a\"]}", "user"},
        {"{\"url\": \"mqtt://\", \"topics\": [\"a\"]}", "host"},
        {"{\"url\": \"h\", \"topics\": []}", "topics"},
        {"{\"url\": \"h\", \"topics\": [\"a/#/b\"]}", "a/#/b"},
        {"{\"url\": \"h\", \"topics\": [\"a+\"]}", "a+"},
        {"{\"url\": \"h\", \"topics\": [\"$share/g\"]}", "$share/g"},
        {"{\"url\": \"h\", \"topics\": [{\"filter\": \"a\", \"qos\": 3}]}", "qos"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"keep_alive\": \"20\"}", "keep_alive"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"keep_alive\": \"20h\"}", "keep_alive"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"max_payload\": \"1GiB\"}", "max_payload"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"password\": \"x\"}", "user"},
        {"{\"url\": \"mqtt://h\", \"topics\": [\"a\"], \"tls\": {}}", "tls"},
        {"{\"url\": \"mqtts://h\", \"topics\": [\"a\"], \"tls\": {\"key\": \"k\"}}", "cert"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"will\": {\"topic\": \"a/+\"}}", "will"},
        {"{\"url\": \"h\", \"topics\": [\"a\"], \"payload\": {\"assett\": \"x\"}}", "assett"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuses("mqtt", bad[i].config, bad[i].word);
    }
    static const char *const good[] = {"ie-databus",        "ie-databus:1883", "tcp://h:1",
                                       "mqtt://h",          "ssl://h",         "mqtts://h:8883",
                                       "mqtt://[::1]:1883", "[::1]",           "mqtt://h/"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char config[128];
        snprintf(config, sizeof(config),
                 "{\"url\": \"%s\", \"topics\": [\"$share/g/a/+/#\", \"#\", \"+\"]}", good[i]);
        cr_expect_eq(edgeops_source_check("mqtt", config), EDGEOPS_OK, "%s: %s", good[i],
                     edgeops_error_last()->message);
    }
}

Test(ingest_source, secrets_are_in_no_message) {
    if (!has_driver("mqtt")) {
        cr_skip("built without MQTT");
    }
    cr_assert_eq(
        edgeops_source_check("mqtt", "{\"url\": \"mqtt://u:hunter2@h\", \"topics\": [\"a\"]}"),
        EDGEOPS_E_INVALID);
    cr_assert_null(strstr(edgeops_error_last()->message, "hunter2"));
}

Test(ingest_source, open_refuses_a_bad_name) {
    edgeops_source *source = NULL;
    edgeops_source_options options = collector_options(&c, "replay", replay_config(""));
    options.name = "Not a name";
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_E_INVALID);
    cr_assert_null(source);
}

Test(ingest_source, a_build_without_mqtt_says_so) {
    if (has_driver("mqtt")) {
        cr_skip("built with MQTT");
    }
    edgeops_publisher *publisher = NULL;
    edgeops_publisher_options options_p = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options_p.config_json = "{\"url\": \"h\"}";
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options_p), EDGEOPS_E_UNSUPPORTED);
    cr_assert_null(publisher);
}

/* -- what every driver does -- */

static void conforms(const char *driver, const char *config) {
    edgeops_source_options options = collector_options(&c, driver, config);
    edgeops_source *source = open_source(&options);
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_STOPPED);
    edgeops_source_stop(source);
    for (int round = 0; round < 3; round++) {
        c.state_count = 0;
        cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
        cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
        cr_expect_eq(c.state_count, 0, "a callback came inside start()");
        test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
        cr_expect_eq(c.states[0], EDGEOPS_SOURCE_CONNECTING);
        edgeops_source_stop(source);
        size_t samples = collector_count(&c);
        size_t states = c.state_count;
        edgeops_source_stop(source);
        edgeops_source_get_stats(&stats, source);
        cr_expect_eq(stats.state, EDGEOPS_SOURCE_STOPPED);
        test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
        cr_expect_eq(collector_count(&c), samples, "a sample came after stop()");
        cr_expect_eq(c.state_count, states, "a state came after stop()");
    }
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    edgeops_source_close(source);
    edgeops_source_close(NULL);
}

Test(ingest_source, replay_conforms) {
    write_rows(100000);
    conforms("replay", replay_config(", \"speed\": 0"));
}

Test(ingest_source, slow_replay_conforms) {
    write_rows(100);
    conforms("replay", replay_config(", \"speed\": 0.001"));
}

Test(ingest_source, replay_without_a_file_conforms) {
    conforms("replay", replay_config(""));
}

Test(ingest_source, mqtt_without_a_broker_conforms) {
    if (!has_driver("mqtt")) {
        cr_skip("built without MQTT");
    }
    conforms("mqtt", mqtt_config);
}

Test(ingest_source, a_driver_may_say_nothing_of_its_link) {
    char *json = NULL;
    write_rows(1);
    edgeops_source_options options = collector_options(&c, "replay", replay_config(""));
    edgeops_source *source = open_source(&options);
    cr_expect_eq(edgeops_source_connection(&json, source), EDGEOPS_E_UNSUPPORTED);
    cr_expect_null(json);
    edgeops_source_close(source);
    if (has_driver("mqtt")) {
        options = collector_options(&c, "mqtt", mqtt_config);
        source = open_source(&options);
        cr_assert_eq(edgeops_source_connection(&json, source), EDGEOPS_OK);
        cr_expect_not_null(strstr(json, "\"up\":false"), "%s", json);
        edgeops_free(json);
        edgeops_source_close(source);
    }
}

Test(ingest_source, an_absent_broker_is_named) {
    if (!has_driver("mqtt")) {
        cr_skip("built without MQTT");
    }
    edgeops_source_options options = collector_options(&c, "mqtt", mqtt_config);
    edgeops_source *source = open_source(&options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    for (int i = 0; i < 500; i++) {
        test_turn(ctx, 10 * EDGEOPS_MILLISECOND);
        edgeops_source_get_stats(&stats, source);
        if (strstr(stats.detail, "cannot connect to 127.0.0.1:1") != NULL) {
            break;
        }
    }
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_CONNECTING);
    cr_expect_not_null(strstr(stats.detail, "cannot connect to 127.0.0.1:1"), "%s", stats.detail);
    edgeops_source_close(source);
}

/* -- a full disk -- */

static bool is_paused_and_told(void *user_data) {
    (void)user_data;
    return collector_saw(&c, EDGEOPS_SOURCE_PAUSED);
}

Test(ingest_source, waits_for_room_and_loses_nothing) {
    write_rows(3000);
    edgeops_source_options options =
        collector_options(&c, "replay", replay_config(", \"speed\": 0"));
    collector_set_refuse(&c, EDGEOPS_E_LIMIT, EDGEOPS_OK);
    edgeops_source *source = open_source(&options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_paused_and_told, NULL));
    cr_expect_not_null(strstr(c.detail, "no room for the test"), "%s", c.detail);
    cr_expect_eq(collector_count(&c), 0);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 3000));
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_source_close(source);
    cr_assert_eq(collector_count(&c), 3000);
    for (size_t i = 0; i < 3000; i++) {
        cr_assert_eq(c.samples[i].value, (double)i + 0.5);
    }
}

Test(ingest_source, stops_taking_when_not_ready) {
    write_rows(3000);
    edgeops_source_options options =
        collector_options(&c, "replay", replay_config(", \"speed\": 0.01"));
    options.ready = collector_ready;
    edgeops_source *source = open_source(&options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_E_LIMIT);
    cr_assert(test_run_until(ctx, is_paused_and_told, NULL));
    cr_expect_not_null(strstr(c.detail, "the disk of the test is full"), "%s", c.detail);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    edgeops_source_close(source);
}

Test(ingest_source, starts_paused_when_not_ready) {
    write_rows(10);
    edgeops_source_options options = collector_options(&c, "replay", replay_config(""));
    options.ready = collector_ready;
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_E_LIMIT);
    edgeops_source *source = open_source(&options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_PAUSED);
    edgeops_source_stop(source);
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_STOPPED);
    edgeops_source_close(source);
}

Test(ingest_source, a_limit_with_room_on_disk_is_a_dead_letter) {
    write_rows(5);
    edgeops_source_options options =
        collector_options(&c, "replay", replay_config(", \"speed\": 0"));
    options.ready = collector_ready;
    collector_set_refuse(&c, EDGEOPS_E_LIMIT, EDGEOPS_OK);
    edgeops_source *source = open_source(&options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, source);
    cr_expect_eq(stats.dead, 5);
    cr_expect_eq(stats.messages, 5);
    cr_expect_eq(collector_dead(&c), 5);
    cr_expect_str_eq(c.dead_topic, "watch/a");
    cr_expect_not_null(strstr(c.dead_reason, "no room for the test"));
    cr_expect_not_null(strstr(c.dead_payload, "\"x\":4.5"), "%s", c.dead_payload);
    edgeops_source_close(source);
}

/* -- callbacks -- */

static edgeops_source *self;

static void close_self(edgeops_source_state state, const char *detail, void *user_data) {
    (void)state;
    (void)detail;
    (*(int *)user_data)++;
    edgeops_source_close(self);
}

static edgeops_status take_all(edgeops_append_result *result, const edgeops_sample *samples,
                               size_t n, const edgeops_append_options *options, void *user_data) {
    (void)options;
    (void)samples;
    (void)user_data;
    result->appended = n;
    return EDGEOPS_OK;
}

Test(ingest_source, may_be_closed_in_its_own_callback) {
    int calls = 0;
    write_rows(1000);
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "test";
    options.driver = "replay";
    options.config_json = replay_config(", \"speed\": 0");
    options.append = take_all;
    options.on_state = close_self;
    options.user_data = &calls;
    self = open_source(&options);
    cr_assert_eq(edgeops_source_start(self), EDGEOPS_OK);
    test_turn(ctx, 100 * EDGEOPS_MILLISECOND);
    cr_assert_eq(calls, 1);
}

/* -- no memory -- */

static long allocations_left = -1; /* -1: as many as wanted */

static bool may_allocate(void) {
    long left = __atomic_load_n(&allocations_left, __ATOMIC_RELAXED);
    if (left == 0) {
        return false;
    }
    if (left > 0) {
        __atomic_sub_fetch(&allocations_left, 1, __ATOMIC_RELAXED);
    }
    return true;
}

static void *test_alloc(void *user_data, size_t size) {
    (void)user_data;
    return may_allocate() ? malloc(size) : NULL;
}

static void *test_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void test_free(void *user_data, void *memory) {
    (void)user_data;
    free(memory);
}

TestSuite(ingest_memory, .timeout = 60);

/* Fails the first, the second, ... allocation of opening until it succeeds. */
static void opens_or_says_no_memory(const char *driver, const char *config) {
    edgeops_source_options options = collector_options(&c, driver, config);
    edgeops_status rc = EDGEOPS_E_NOMEM;
    for (long n = 0; rc != EDGEOPS_OK; n++) {
        edgeops_source *source = NULL;
        cr_assert_lt(n, 10000);
        allocations_left = n;
        rc = edgeops_source_open(&source, ctx, &options);
        allocations_left = -1;
        cr_assert(rc == EDGEOPS_OK || rc == EDGEOPS_E_NOMEM, "allocation %ld gives %s", n,
                  edgeops_status_name(rc));
        cr_assert_eq(source != NULL, rc == EDGEOPS_OK);
        edgeops_source_close(source);
    }
}

Test(ingest_memory, opening_fails_cleanly) {
    const edgeops_allocator allocator = {test_alloc, test_realloc, test_free, NULL};
    cr_assert_eq(edgeops_set_allocator(&allocator), EDGEOPS_OK);
    setup();
    opens_or_says_no_memory("replay",
                            "{\"path\": \"x\", \"asset\": \"a\", \"skip_columns\": [\"y\"],"
                            "\"columns\": {\"x\": {\"type\": \"int64\"}}}");
    if (has_driver("mqtt")) {
        opens_or_says_no_memory("mqtt", mqtt_config);
    }
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = "{\"url\": \"127.0.0.1:1\", \"will\": {\"topic\": \"t\"}}";
    edgeops_status rc = EDGEOPS_E_NOMEM;
    for (long n = 0; rc == EDGEOPS_E_NOMEM; n++) {
        edgeops_publisher *publisher = NULL;
        allocations_left = n;
        rc = edgeops_publisher_open(&publisher, ctx, &options);
        edgeops_publisher_close(publisher);
        allocations_left = -1;
    }
    cr_assert(rc == EDGEOPS_OK || rc == EDGEOPS_E_UNSUPPORTED, "%s", edgeops_status_name(rc));
    teardown();
}

/* Log lines of the sources; `lines` is guarded by nothing: they are read after the source closed. */
static char lines[64][256];
static size_t line_count;

static void keep_line(edgeops_log_level level, const char *subsystem, const char *message,
                      void *user_data) {
    (void)user_data;
    if (line_count < 64 && strcmp(subsystem, "source") == 0) {
        snprintf(lines[line_count++], sizeof(lines[0]), "%d %s", (int)level, message);
    }
}

static size_t lines_with(const char *text) {
    size_t n = 0;
    for (size_t i = 0; i < line_count; i++) {
        n += strstr(lines[i], text) != NULL;
    }
    return n;
}

/* A file that is not there is looked for again and again, and comes at last. */
Test(ingest_source, each_state_is_logged_once) {
    edgeops_ctx_options options = EDGEOPS_CTX_OPTIONS_INIT;
    options.log = keep_line;
    options.log_level = EDGEOPS_LOG_INFO;
    edgeops_ctx_free(ctx);
    cr_assert_eq(edgeops_ctx_new(&ctx, &options), EDGEOPS_OK);
    edgeops_source_options source_options =
        collector_options(&c, "replay", replay_config(", \"speed\": 0"));
    edgeops_source *source = open_source(&source_options);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    test_turn(ctx, 5 * EDGEOPS_SECOND);
    write_rows(10);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_DONE));
    edgeops_source_close(source);
    cr_expect_eq(lines_with("connecting: starting"), 1);
    cr_expect_eq(lines_with("cannot open"), 1, "three tries, one event");
    cr_expect_eq(lines_with(" running: "), 1);
    cr_expect_eq(lines_with(" done: 10 rows"), 1);
    cr_expect_eq(line_count, 4);
    cr_expect_eq(lines[1][0], '0' + EDGEOPS_LOG_WARN);
}

Test(ingest_source, a_sample_is_made_into_a_message) {
    static const char *const names[] = {"x", "ok"};
    const edgeops_value values[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 0.1},
                                    {.type = EDGEOPS_TYPE_BOOL, .as.i64 = 1}};
    edgeops_sample sample = {
        .asset = "a", .time = 1, .count = 2, .channels = names, .values = values};
    char *text = NULL;
    size_t size = 0;
    cr_assert_eq(edgeops_sample_encode(&text, &size, &sample), EDGEOPS_OK);
    cr_expect_str_eq(text, "{\"asset\":\"a\",\"time\":\"1970-01-01T00:00:00.000000001Z\","
                           "\"x\":0.1,\"ok\":true}");
    cr_expect_eq(size, strlen(text));
    edgeops_free(text);
    sample.asset = NULL;
    sample.seq = 3;
    cr_assert_eq(edgeops_sample_encode(&text, NULL, &sample), EDGEOPS_OK);
    cr_expect_str_eq(
        text, "{\"time\":\"1970-01-01T00:00:00.000000001Z\",\"seq\":3,\"x\":0.1,\"ok\":true}");
    edgeops_free(text);
    cr_expect_eq(edgeops_sample_encode(&text, NULL, NULL), EDGEOPS_E_INVALID);
}

/* A channel of such a name would make a message that is read back as another sample. */
Test(ingest_source, a_message_has_no_channel_that_is_called_like_its_own_members) {
    static const char *const taken[] = {"time", "seq", "asset"};
    const edgeops_value values[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 0.1},
                                    {.type = EDGEOPS_TYPE_INT64, .as.i64 = 5}};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        const char *names[] = {"x", taken[i]};
        edgeops_sample sample = {.time = 1, .count = 2, .channels = names, .values = values};
        char *text = (char *)"";
        size_t size = 7;
        cr_expect_eq(edgeops_sample_encode(&text, &size, &sample), EDGEOPS_E_INVALID);
        cr_expect_null(text);
        cr_expect_eq(size, 7);
        cr_expect_not_null(strstr(edgeops_error_last()->message, taken[i]));
    }
}
