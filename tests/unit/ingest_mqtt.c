/* SPDX-License-Identifier: Apache-2.0 */
/* The mqtt driver against a real broker. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "ingest/mqtt_config.h"
#include "support/broker.h"
#include "support/collector.h"

static edgeops_ctx *ctx;
static collector c;
static test_broker *broker;
static edgeops_source *source;

static void setup(void) {
    const char *missing = test_broker_missing();
    if (edgeops_source_check("mqtt", "{}") == EDGEOPS_E_NOTFOUND) {
        missing = "built without MQTT";
    }
    if (missing != NULL) {
        cr_skip("%s", missing);
    }
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    collector_init(&c);
}

static void teardown(void) {
    if (ctx == NULL) {
        return;
    }
    edgeops_source_close(source);
    edgeops_ctx_free(ctx);
    collector_dispose(&c);
    test_broker_free(broker);
}

TestSuite(ingest_mqtt, .init = setup, .fini = teardown, .timeout = 100);

static void make_broker(test_broker_options options) {
    broker = test_broker_new(&options);
    test_broker_start(broker);
}

/* more: further members, each with a comma before it. */
static void open_source(const char *more, bool with_ready) {
    char config[4096];
    snprintf(config, sizeof(config),
             "{\"url\": \"%s\", \"topics\": [\"watch/+/imu\"], \"payload\": {\"asset\": "
             "\"watch/{2}\"}%s}",
             test_broker_url(broker), more);
    edgeops_source_options options = collector_options(&c, "mqtt", config);
    if (with_ready) {
        options.ready = collector_ready;
    }
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
}

static edgeops_source_stats stats_now(void) {
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, source);
    return stats;
}

static void run_up(const char *more) {
    open_source(more, false);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING), "%s", stats_now().detail);
}

/* n lines {"seq":i,"x":i} from first on; free(). */
static char *lines(size_t first, size_t n) {
    char *text = malloc(n * 64 + 1);
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = first; i < first + n; i++) {
        used += (size_t)snprintf(text + used, 64, "{\"time\":%zu,\"seq\":%zu,\"x\":%zu}\n",
                                 1700000000000 + i, i, i);
    }
    return text;
}

static void publish(size_t first, size_t n, int qos) {
    char *text = lines(first, n);
    test_publish(broker, "watch/s1/imu", qos, text, NULL);
    free(text);
}

/* Each of the first n came at least once, and no stranger. */
static void expect_all(size_t n) {
    char *seen = calloc(n, 1);
    size_t unique = 0;
    for (size_t i = 0; i < collector_count(&c); i++) {
        cr_assert_str_eq(c.samples[i].asset, "watch/s1");
        cr_assert_eq(c.samples[i].value, (double)c.samples[i].seq);
        cr_assert_lt(c.samples[i].seq, (int64_t)n);
        unique += !seen[c.samples[i].seq];
        seen[c.samples[i].seq] = 1;
    }
    free(seen);
    cr_assert_eq(unique, n);
}

static bool reports(void *text) {
    return strstr(stats_now().detail, text) != NULL;
}

static void expect_detail(const char *text) {
    cr_expect(test_run_until(ctx, reports, (void *)(uintptr_t)text), "'%s' is not in '%s'", text,
              stats_now().detail);
}

/* -- delivery -- */

static void delivers(const char *more, int qos) {
    make_broker((test_broker_options){0});
    run_up(more);
    publish(0, 500, qos);
    cr_assert(test_run_samples(ctx, &c, 500));
    test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
    cr_expect_eq(collector_count(&c), 500);
    for (size_t i = 0; i < 500; i++) {
        cr_assert_eq(c.samples[i].seq, (int64_t)i, "the order of one publisher is kept");
    }
    edgeops_source_stats stats = stats_now();
    cr_expect_eq(stats.messages, 500);
    cr_expect_eq(stats.samples, 500);
    cr_expect_eq(stats.dead, 0);
    cr_expect_gt(stats.bytes, 500 * 30);
    cr_expect_gt(stats.last, 0);
    edgeops_source_stop(source);
    publish(500, 10, qos);
    test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
    cr_expect_eq(collector_count(&c), 500);
}

Test(ingest_mqtt, delivers_v311_qos0) {
    delivers(", \"qos\": 0", 0);
}
Test(ingest_mqtt, delivers_v311_qos1) {
    delivers("", 1);
}
Test(ingest_mqtt, delivers_v311_qos2) {
    delivers(", \"qos\": 2", 2);
}
Test(ingest_mqtt, delivers_v5_qos0) {
    delivers(", \"version\": \"5\", \"qos\": 0", 0);
}
Test(ingest_mqtt, delivers_v5_qos1) {
    delivers(", \"version\": \"5\"", 1);
}
Test(ingest_mqtt, delivers_v5_qos2) {
    delivers(", \"version\": \"5\", \"qos\": 2", 2);
}
Test(ingest_mqtt, delivers_with_a_clean_session) {
    delivers(", \"clean_session\": true", 1);
}
Test(ingest_mqtt, delivers_with_a_clean_session_v5) {
    delivers(", \"clean_session\": true, \"version\": \"5\"", 1);
}

Test(ingest_mqtt, many_filters) {
    make_broker((test_broker_options){0});
    char config[1024];
    snprintf(config, sizeof(config),
             "{\"url\": \"%s\", \"topics\": [\"a/#\", {\"filter\": \"b/+\", \"qos\": 0}, "
             "\"$share/g/c\"]}",
             test_broker_url(broker));
    edgeops_source_options options = collector_options(&c, "mqtt", config);
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    test_publish(broker, "a/1/2", 1, "{\"x\":1}\n", NULL);
    test_publish(broker, "b/1", 1, "{\"x\":1}\n", NULL);
    test_publish(broker, "c", 1, "{\"x\":1}\n", NULL);
    test_publish(broker, "d", 1, "{\"x\":1}\n", NULL);
    cr_assert(test_run_samples(ctx, &c, 3));
    test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
    cr_expect_eq(collector_count(&c), 3);
    cr_expect_str_eq(c.samples[0].asset, "a/1/2");
    cr_expect_str_eq(c.samples[2].asset, "c");
}

static const char *const retain[] = {"-r", NULL};

Test(ingest_mqtt, retained_messages_are_taken) {
    make_broker((test_broker_options){0});
    test_publish(broker, "watch/s1/imu", 1, "{\"x\":1}\n", retain);
    run_up("");
    cr_assert(test_run_samples(ctx, &c, 1));
}

Test(ingest_mqtt, retained_messages_are_ignored) {
    make_broker((test_broker_options){0});
    test_publish(broker, "watch/s1/imu", 1, "{\"x\":1}\n", retain);
    run_up(", \"retained\": \"ignore\"");
    publish(0, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 1));
    cr_expect_eq(c.samples[0].value, 0);
    cr_expect_eq(stats_now().messages, 1);
}

/* -- who may connect -- */

Test(ingest_mqtt, tls_with_a_client_certificate) {
    char more[1024];
    broker = test_broker_new(&(test_broker_options){.tls = true, .client_cert = true});
    test_broker_start(broker);
    snprintf(more, sizeof(more), ", \"tls\": {\"ca\": \"%s\", \"cert\": \"%s\", \"key\": \"%s\"}",
             test_broker_file(broker, "ca.crt"), test_broker_file(broker, "client.crt"),
             test_broker_file(broker, "client.key"));
    run_up(more);
    expect_detail("(TLS)");
    publish(0, 100, 1);
    cr_assert(test_run_samples(ctx, &c, 100));
}

Test(ingest_mqtt, tls_without_the_wanted_client_certificate) {
    char more[1024];
    make_broker((test_broker_options){.tls = true, .client_cert = true});
    snprintf(more, sizeof(more), ", \"tls\": {\"ca\": \"%s\"}", test_broker_file(broker, "ca.crt"));
    open_source(more, false);
    expect_detail("client certificate");
    cr_expect_eq(stats_now().state, EDGEOPS_SOURCE_CONNECTING);
}

Test(ingest_mqtt, tls_broker_of_another_authority) {
    char more[1024];
    make_broker((test_broker_options){.tls = true});
    snprintf(more, sizeof(more), ", \"tls\": {\"ca\": \"%s\"}",
             test_broker_file(broker, "other-ca.crt"));
    open_source(more, false);
    expect_detail("certificate verify failed");
    expect_detail("check tls");
}

Test(ingest_mqtt, tls_broker_of_another_name) {
    char config[1024];
    make_broker((test_broker_options){.tls = true});
    /* The certificate is for "localhost". */
    snprintf(config, sizeof(config),
             "{\"url\": \"mqtts://127.0.0.1:%d\", \"topics\": [\"a\"], \"tls\": {\"ca\": \"%s\"}}",
             test_broker_port(broker), test_broker_file(broker, "ca.crt"));
    edgeops_source_options options = collector_options(&c, "mqtt", config);
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    expect_detail("certificate is not for the name '127.0.0.1'");
}

Test(ingest_mqtt, tls_unverified_only_when_asked) {
    make_broker((test_broker_options){.tls = true});
    run_up(", \"tls\": {\"verify\": false}");
    publish(0, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 1));
}

Test(ingest_mqtt, a_missing_tls_file_is_named) {
    make_broker((test_broker_options){.tls = true});
    open_source(", \"tls\": {\"ca\": \"/nowhere/ca.crt\"}", false);
    expect_detail("tls/ca: cannot read '/nowhere/ca.crt'");
}

static void wrong_password(const char *more) {
    make_broker((test_broker_options){.user = "edge", .password = "right"});
    open_source(more, false);
    expect_detail("check user and password");
    cr_expect_null(strstr(stats_now().detail, "wrong-one"));
    cr_expect_eq(stats_now().state, EDGEOPS_SOURCE_CONNECTING);
}

Test(ingest_mqtt, wrong_password_v311) {
    wrong_password(", \"user\": \"edge\", \"password\": \"wrong-one\"");
}
Test(ingest_mqtt, wrong_password_v5) {
    wrong_password(", \"user\": \"edge\", \"password\": \"wrong-one\", \"version\": \"5\"");
}

Test(ingest_mqtt, password_from_a_file) {
    char more[256];
    make_broker((test_broker_options){.user = "edge", .password = "right"});
    FILE *f = fopen(test_broker_file(broker, "secret"), "w");
    cr_assert_not_null(f);
    fputs("right\n", f);
    fclose(f);
    snprintf(more, sizeof(more), ", \"user\": \"edge\", \"password_file\": \"%s\"",
             test_broker_file(broker, "secret"));
    run_up(more);
}

/* They are read again at each connection, wherever the host is by then. */
Test(ingest_mqtt, names_of_files_are_kept_from_the_root) {
    eop_mqtt_config *config = NULL;
    cr_assert_eq(chdir("/tmp"), 0);
    cr_assert_eq(
        eop_mqtt_config_new(&config,
                            "{\"url\": \"mqtts://h\", \"topics\": [\"a\"], "
                            "\"user\": \"u\", \"password_file\": \"secret\", \"tls\": "
                            "{\"ca\": \"ca.pem\", \"cert\": \"./c.pem\", \"key\": \"/k\"}}",
                            false),
        EDGEOPS_OK, "%s", edgeops_error_last()->message);
    cr_expect_str_eq(config->password_file, "/tmp/secret");
    cr_expect_str_eq(config->ca, "/tmp/ca.pem");
    cr_expect_str_eq(config->cert, "/tmp/./c.pem");
    cr_expect_str_eq(config->key, "/k");
    eop_mqtt_config_unref(config);
}

Test(ingest_mqtt, a_name_that_does_not_resolve) {
    edgeops_source_options options =
        collector_options(&c, "mqtt", "{\"url\": \"no-such-broker.invalid\", \"topics\": [\"a\"]}");
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    expect_detail("does not resolve");
}

/* -- brokers come and go -- */

Test(ingest_mqtt, a_broker_that_comes_later) {
    broker = test_broker_new(&(test_broker_options){0});
    open_source("", false);
    expect_detail("cannot connect");
    test_broker_start(broker);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    publish(0, 10, 1);
    cr_assert(test_run_samples(ctx, &c, 10));
    cr_expect_eq(stats_now().reconnects, 0);
}

/* Left to itself the MQTT library takes over a second for all but the first (mqtt_anchor.h). The
 * best of some counts, since the machine may be busy. */
Test(ingest_mqtt, connects_soon) {
    double best = 1e9;
    make_broker((test_broker_options){0});
    open_source("", false);
    for (int i = 0; i < 5; i++) {
        struct timespec begin;
        struct timespec end;
        edgeops_source_stop(source);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
        cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
        clock_gettime(CLOCK_MONOTONIC, &end);
        double took =
            (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        best = took < best ? took : best;
    }
    cr_expect_lt(best, 0.5);
}

static bool is_down(void *unused) {
    (void)unused;
    return stats_now().state == EDGEOPS_SOURCE_CONNECTING;
}

static void survives_restart(const char *more) {
    make_broker((test_broker_options){.persistence = true});
    run_up(more);
    publish(0, 100, 1);
    cr_assert(test_run_samples(ctx, &c, 100));
    test_broker_stop(broker);
    cr_assert(test_run_until(ctx, is_down, NULL));
    test_broker_start(broker);
    /* The session is there before its owner is back: the broker queues. */
    publish(100, 100, 1);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    cr_assert(test_run_samples(ctx, &c, 200));
    expect_all(200);
    cr_expect_eq(stats_now().reconnects, 1);
    cr_expect(collector_saw(&c, EDGEOPS_SOURCE_CONNECTING));
}

Test(ingest_mqtt, nothing_is_lost_over_a_restart_v311) {
    survives_restart("");
}
Test(ingest_mqtt, nothing_is_lost_over_a_restart_v5) {
    survives_restart(", \"version\": \"5\"");
}

Test(ingest_mqtt, the_broker_queues_while_stopped) {
    make_broker((test_broker_options){0});
    run_up("");
    edgeops_source_stop(source);
    publish(0, 2000, 1);
    cr_assert_eq(collector_count(&c), 0);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 2000));
    expect_all(2000);
}

Test(ingest_mqtt, qos2_v5_survives_a_stop_in_the_middle) {
    make_broker((test_broker_options){0});
    run_up(", \"version\": \"5\", \"qos\": 2");
    for (size_t i = 0; i < 5; i++) {
        edgeops_source_stop(source);
        publish(i * 400, 400, 2);
        cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
        cr_assert(test_run_samples(ctx, &c, i * 400 + 10));
    }
    cr_assert(test_run_samples(ctx, &c, 2000));
    test_turn(ctx, 300 * EDGEOPS_MILLISECOND);
    expect_all(2000);
}

/* The messages between the two lives of the source are for nobody. */
static void is_forgotten(const char *more) {
    make_broker((test_broker_options){0});
    run_up(more);
    edgeops_source_forget(source);
    edgeops_source_close(source);
    publish(0, 50, 1);
    run_up(more);
    publish(50, 10, 1);
    cr_assert(test_run_samples(ctx, &c, 10));
    test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
    cr_expect_eq(collector_count(&c), 10);
    cr_expect_eq(c.samples[0].seq, 50);
    cr_expect_eq(stats_now().reconnects, 0, "nobody takes its client id away");
}

Test(ingest_mqtt, a_removed_source_is_forgotten_v311) {
    is_forgotten("");
}
Test(ingest_mqtt, a_removed_source_is_forgotten_v5) {
    is_forgotten(", \"version\": \"5\"");
}

Test(ingest_mqtt, forgetting_without_a_broker_hinders_nobody) {
    broker = test_broker_new(&(test_broker_options){0});
    open_source("", false);
    expect_detail("cannot connect");
    edgeops_source_forget(source);
    edgeops_source_close(source);
    test_broker_start(broker);
    run_up("");
    publish(0, 10, 1);
    cr_assert(test_run_samples(ctx, &c, 10));
    edgeops_source_forget(NULL);
}

/* -- a full disk -- */

static bool is_paused(void *unused) {
    (void)unused;
    return stats_now().state == EDGEOPS_SOURCE_PAUSED;
}

Test(ingest_mqtt, stops_taking_before_the_disk_is_full) {
    make_broker((test_broker_options){0});
    open_source("", true);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    publish(0, 100, 1);
    cr_assert(test_run_samples(ctx, &c, 100));
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_E_LIMIT);
    cr_assert(test_run_until(ctx, is_paused, NULL));
    publish(100, 100, 1);
    cr_assert_eq(collector_count(&c), 100);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 200));
    expect_all(200);
}

/* Worse: the first to notice is the message that finds no room, with more on their way. */
Test(ingest_mqtt, holds_what_finds_no_room) {
    make_broker((test_broker_options){0});
    open_source("", true);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    collector_set_refuse(&c, EDGEOPS_E_LIMIT, EDGEOPS_E_LIMIT);
    publish(0, 3000, 1);
    cr_assert(test_run_until(ctx, is_paused, NULL));
    cr_assert_eq(collector_count(&c), 0);
    cr_assert_gt(collector_refused(&c), 0);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 3000));
    expect_all(3000);
    cr_expect_eq(stats_now().dead, 0);
    cr_expect_eq(c.samples[0].seq, 0);
}

static size_t largest = SIZE_MAX; /* allocation that is granted; atomic */

static bool grants(size_t size) {
    return size <= __atomic_load_n(&largest, __ATOMIC_RELAXED);
}

static void *test_alloc(void *user_data, size_t size) {
    (void)user_data;
    return grants(size) ? malloc(size) : NULL;
}

static void *test_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    return grants(size) ? realloc(memory, size) : NULL;
}

static void test_free(void *user_data, void *memory) {
    (void)user_data;
    free(memory);
}

static bool lost_one(void *unused) {
    (void)unused;
    return stats_now().lost == 1;
}

TestSuite(ingest_mqtt_memory, .fini = teardown, .timeout = 100);

/* No room on disk, and none for this one in memory. */
Test(ingest_mqtt_memory, what_can_be_kept_nowhere_is_counted) {
    const edgeops_allocator allocator = {test_alloc, test_realloc, test_free, NULL};
    cr_assert_eq(edgeops_set_allocator(&allocator), EDGEOPS_OK);
    setup();
    make_broker((test_broker_options){0});
    run_up("");
    size_t size = 600000;
    char *text = malloc(size + 2);
    memset(text, ' ', size);
    memcpy(text, "{\"x\":1}", 7);
    memcpy(text + size, "\n", 2);
    collector_set_refuse(&c, EDGEOPS_E_IO, EDGEOPS_E_IO);
    __atomic_store_n(&largest, 500000, __ATOMIC_RELAXED);
    test_publish(broker, "watch/s1/imu", 1, text, NULL);
    free(text);
    cr_expect(test_run_until(ctx, lost_one, NULL));
    __atomic_store_n(&largest, SIZE_MAX, __ATOMIC_RELAXED);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    publish(0, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 1));
    cr_expect_eq(stats_now().lost, 1);
    cr_expect_eq(stats_now().dead, 0);
}

/* -- bad messages -- */

/* Resident memory of this process, KiB. */
static long resident(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long before_kib;

static void put(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        cr_assert_gt(n, 0);
        at += n;
        size -= (size_t)n;
    }
}

/* Without a copy of the message in this process, whose memory is looked at. */
static void publish_huge(size_t size) {
    static const unsigned char connect_packet[] = {0x10, 13, 0, 4,  'M', 'Q', 'T', 'T',
                                                   4,    2,  0, 60, 0,   1,   'h'};
    static const char topic[] = "watch/s1/imu";
    static char block[65536];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)test_broker_port(broker))};
    unsigned char head[16] = {0x30};
    size_t used = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    put(fd, connect_packet, sizeof(connect_packet));
    cr_assert_eq(read(fd, block, 4), 4);
    memset(block, 'a', sizeof(block));
    for (size_t left = size + sizeof(topic) + 1; left > 0; left /= 128) {
        head[used++] = (unsigned char)(left % 128 + (left >= 128 ? 128 : 0));
    }
    head[used++] = 0;
    head[used++] = sizeof(topic) - 1;
    put(fd, head, used);
    put(fd, topic, sizeof(topic) - 1);
    for (size_t left = size; left > 0; left -= left < sizeof(block) ? left : sizeof(block)) {
        put(fd, block, left < sizeof(block) ? left : sizeof(block));
    }
    close(fd);
}

static bool is_given_back(void *user_data) {
    (void)user_data;
    return resident() < before_kib + 4 * 1024;
}

/* The MQTT library keeps a buffer of the size of the largest packet, unless it is made to let go
 * of it (mqtt_release.h). */
Test(ingest_mqtt, memory_of_a_huge_message_is_given_back) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    cr_skip("a sanitizer keeps what was freed");
#endif
    make_broker((test_broker_options){0});
    run_up("");
    publish(0, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 1));
    before_kib = resident();
    publish_huge(40u << 20);
    cr_assert(test_run_dead(ctx, &c, 1));
    cr_expect_str_eq(c.dead_reason, "41943040 bytes are over max_payload (1048576)");
    cr_expect(test_run_until(ctx, is_given_back, NULL), "%ld KiB before, %ld KiB after", before_kib,
              resident());
    publish(1, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 2));
    cr_expect_eq(stats_now().reconnects, 0);
}

/* It needs no room, and keeps none from the others. */
Test(ingest_mqtt, what_is_too_large_is_refused_as_that_without_room_too) {
    make_broker((test_broker_options){0});
    run_up(", \"max_payload\": \"1KiB\"");
    collector_set_refuse(&c, EDGEOPS_E_IO, EDGEOPS_E_IO);
    char *text = lines(0, 200);
    char *mixed = malloc(200 * 64 + 4096);
    size_t half = (size_t)(strstr(text, "\"seq\":100,") - text);
    half -= strlen("{\"time\":1700000000100,");
    memcpy(mixed, text, half);
    memset(mixed + half, ' ', 2000);
    memcpy(mixed + half, "{\"x\":1}", 7);
    mixed[half + 2000] = '\n';
    strcpy(mixed + half + 2001, text + half);
    test_publish(broker, "watch/s1/imu", 1, mixed, NULL);
    free(mixed);
    free(text);
    test_turn(ctx, EDGEOPS_SECOND / 2);
    collector_set_refuse(&c, EDGEOPS_OK, EDGEOPS_OK);
    cr_assert(test_run_samples(ctx, &c, 200));
    expect_all(200);
    cr_assert(test_run_dead(ctx, &c, 1));
    cr_expect_str_eq(c.dead_reason, "2000 bytes are over max_payload (1024)");
    cr_expect_eq(stats_now().lost, 0);
    cr_expect_eq(stats_now().dead, 1);
}

Test(ingest_mqtt, bad_messages_are_dead_letters) {
    make_broker((test_broker_options){0});
    run_up(", \"max_payload\": \"1KiB\"");
    test_publish(broker, "watch/s1/imu", 1, "{broken\n", NULL);
    cr_assert(test_run_dead(ctx, &c, 1));
    cr_expect_str_eq(c.dead_topic, "watch/s1/imu");
    cr_expect_str_eq(c.dead_payload, "{broken");
    cr_expect_neq(c.dead_reason[0], '\0');
    char *big = malloc(4096);
    memset(big, ' ', 4096);
    memcpy(big, "{\"x\":1", 6);
    strcpy(big + 4000, "}\n");
    test_publish(broker, "watch/s1/imu", 1, big, NULL);
    free(big);
    cr_assert(test_run_dead(ctx, &c, 2));
    cr_expect_not_null(strstr(c.dead_reason, "max_payload"), "%s", c.dead_reason);
    cr_expect_eq(c.dead_size, 4001);
    publish(0, 1, 1);
    cr_assert(test_run_samples(ctx, &c, 1));
    edgeops_source_stats stats = stats_now();
    cr_expect_eq(stats.dead, 2);
    cr_expect_eq(stats.messages, 3);
    cr_expect_eq(stats.state, EDGEOPS_SOURCE_RUNNING);
}

Test(ingest_mqtt, a_megabyte_is_taken) {
    make_broker((test_broker_options){0});
    run_up("");
    size_t size = 1000 * 1000;
    char *big = malloc(size + 64);
    memset(big, ' ', size);
    memcpy(big, "{\"x\":1", 6);
    strcpy(big + size - 1, "}\n");
    test_publish(broker, "watch/s1/imu", 1, big, NULL);
    free(big);
    cr_assert(test_run_samples(ctx, &c, 1));
    cr_expect_eq(stats_now().bytes, size);
}

static size_t publish_file(const char *path) {
    char *text = calloc(1, 1 << 20);
    FILE *f = fopen(path, "r");
    size_t n = 0;
    if (f != NULL) {
        n = fread(text, 1, (1 << 20) - 2, f);
        fclose(f);
    }
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == '\n' || text[i] == '\r' || text[i] == '\0' ? ' ' : text[i];
    }
    bool some = n > 0;
    if (some) {
        strcpy(text + n, "\n");
        test_publish(broker, "watch/s1/imu", 1, text, NULL);
    }
    free(text);
    return some;
}

static size_t publish_folder(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
        if (strstr(e->d_name, ".json") != NULL) {
            char path[1024];
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
            n += publish_file(path);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    return n;
}

/* What other systems send is taken or refused with a reason, one by one, and stops nothing. */
Test(ingest_mqtt, messages_of_other_systems) {
    static const char *const folders[] = {"opcua-pubsub-json", "sparkplug", "telegraf-json"};
    const char *root = getenv("EDGEOPS_SOURCE_ROOT");
    char corpus[512];
    char folder[600];
    size_t n = 0;
    snprintf(corpus, sizeof(corpus), "%s/../shared/corpora/mqtt-payloads",
             root != NULL ? root : ".");
    if (access(corpus, R_OK) != 0) {
        cr_skip("the corpus of payloads is not there");
    }
    make_broker((test_broker_options){0});
    run_up("");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(folder, sizeof(folder), "%s/%s", corpus, folders[i]);
        n += publish_folder(folder);
    }
    cr_assert_gt(n, 0);
    publish(0, 1, 1);
    do {
        test_turn(ctx, 10 * EDGEOPS_MILLISECOND);
    } while (stats_now().messages < n + 1);
    cr_expect_eq(stats_now().messages, n + 1);
    cr_expect_gt(stats_now().samples, 0);
    cr_expect_lt(stats_now().dead, n);
}

/* -- the rest -- */

/* mosquitto refuses no subscription because of an access list, it only delivers nothing. So this
 * broker is played: it accepts anybody and answers each SUBSCRIBE with the next of `codes`. */
typedef struct player {
    int listener;
    int port;
    const unsigned char *codes;
    pthread_t thread;
} player;

static bool read_all(int fd, unsigned char *data, size_t size) {
    while (size > 0) {
        ssize_t got = read(fd, data, size);
        if (got <= 0) {
            return false;
        }
        data += got;
        size -= (size_t)got;
    }
    return true;
}

static void play_connection(int fd, const unsigned char *codes) {
    unsigned char head[2];
    unsigned char body[127];
    while (read_all(fd, head, 2) && head[1] < sizeof(body) && read_all(fd, body, head[1])) {
        static const unsigned char connack[] = {0x20, 2, 0, 0};
        unsigned char suback[] = {0x90, 3, body[0], body[1], 0};
        ssize_t put = 0;
        if (head[0] == 0x10) {
            put = write(fd, connack, sizeof(connack));
        } else if (head[0] == 0x82) {
            suback[4] = *codes++;
            put = write(fd, suback, sizeof(suback));
        }
        if (put < 0) {
            break;
        }
    }
}

static void *play(void *argument) {
    player *p = argument;
    int fd;
    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        play_connection(fd, p->codes);
        close(fd);
    }
    return NULL;
}

static void player_start(player *p, const unsigned char *codes) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    p->codes = codes;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(p->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(p->listener, 4), 0);
    cr_assert_eq(getsockname(p->listener, (struct sockaddr *)&address, &size), 0);
    p->port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&p->thread, NULL, play, p), 0);
}

static void player_end(player *p) {
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

static void open_played(const player *p) {
    char config[256];
    snprintf(config, sizeof(config),
             "{\"url\": \"mqtt://127.0.0.1:%d\", \"topics\": [\"a\", \"b\"]}", p->port);
    edgeops_source_options options = collector_options(&c, "mqtt", config);
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
}

Test(ingest_mqtt, a_refused_filter_is_named) {
    player p;
    player_start(&p, (const unsigned char[]){1, 0x80});
    open_played(&p);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    expect_detail("refuses 1 of 2 filters, first 'b'");
    edgeops_source_stop(source);
    player_end(&p);
}

Test(ingest_mqtt, nothing_but_refused_filters_is_no_link) {
    player p;
    player_start(&p, (const unsigned char[]){0x80, 0x80});
    open_played(&p);
    expect_detail("does not allow to subscribe to 'a'");
    cr_expect_eq(stats_now().state, EDGEOPS_SOURCE_CONNECTING);
    edgeops_source_stop(source);
    player_end(&p);
}

/* The id under which our client came last, from the broker's log. */
static void find_client_id(char id[128]) {
    char line[512];
    FILE *f = fopen(test_broker_file(broker, "broker.log"), "r");
    cr_assert_not_null(f);
    id[0] = '\0';
    while (fgets(line, sizeof(line), f) != NULL) {
        const char *p = strstr(line, " as edgeops-test-");
        if (p != NULL) {
            sscanf(p + 4, "%127s", id);
        }
    }
    fclose(f);
    cr_assert_neq(id[0], '\0');
}

Test(ingest_mqtt, last_will_is_published_when_the_link_breaks) {
    char id[128];
    make_broker((test_broker_options){0});
    int sub = test_subscribe(broker, "gone/#", "will");
    run_up(", \"will\": {\"topic\": \"gone/s\", \"payload\": \"it died\"}");
    edgeops_source_stop(source); /* a proper end: no will */
    cr_assert_eq(edgeops_source_start(source), EDGEOPS_OK);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
    /* Another client with the same id: the broker throws ours out, which counts as a death. */
    find_client_id(id);
    const char *const same[] = {"-i", id, NULL};
    test_publish(broker, "other", 1, "x\n", same);
    char *text = test_wait_messages(broker, "will", 1);
    cr_expect_str_eq(text, "> gone/s 1 0 it died\n", "%s", text);
    free(text);
    test_unsubscribe(sub);
    cr_assert(test_run_state(ctx, source, EDGEOPS_SOURCE_RUNNING));
}

Test(ingest_mqtt, two_sources_at_once) {
    collector other;
    edgeops_source *second = NULL;
    char config[512];
    make_broker((test_broker_options){0});
    collector_init(&other);
    snprintf(config, sizeof(config), "{\"url\": \"%s\", \"topics\": [\"watch/#\"]}",
             test_broker_url(broker));
    edgeops_source_options options = collector_options(&other, "mqtt", config);
    options.name = "second";
    cr_assert_eq(edgeops_source_open(&second, ctx, &options), EDGEOPS_OK);
    cr_assert_eq(edgeops_source_start(second), EDGEOPS_OK);
    run_up("");
    cr_assert(test_run_state(ctx, second, EDGEOPS_SOURCE_RUNNING));
    publish(0, 500, 1);
    cr_assert(test_run_samples(ctx, &c, 500));
    cr_assert(test_run_samples(ctx, &other, 500));
    edgeops_source_close(second);
    publish(500, 100, 1);
    cr_assert(test_run_samples(ctx, &c, 600));
    collector_dispose(&other);
}
