/* SPDX-License-Identifier: Apache-2.0 */
#include "support/collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

void collector_init(collector *c) {
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->mutex, NULL);
}

void collector_dispose(collector *c) {
    free(c->samples);
    pthread_mutex_destroy(&c->mutex);
}

static void keep(collector *c, const edgeops_sample *sample) {
    if (c->count == c->capacity) {
        c->capacity = c->capacity == 0 ? 1024 : c->capacity * 2;
        c->samples = realloc(c->samples, c->capacity * sizeof(*c->samples));
        if (c->samples == NULL) {
            abort();
        }
    }
    collected *k = &c->samples[c->count++];
    memset(k, 0, sizeof(*k));
    snprintf(k->asset, sizeof(k->asset), "%s", sample->asset);
    snprintf(k->channel, sizeof(k->channel), "%s", sample->channels[0]);
    k->time = sample->time;
    k->seq = sample->seq;
    k->count = sample->count;
    k->type = sample->values[0].type;
    k->value = k->type == EDGEOPS_TYPE_FLOAT64 ? sample->values[0].as.f64
                                               : (double)sample->values[0].as.i64;
}

static edgeops_status on_append(edgeops_append_result *result, const edgeops_sample *samples,
                                size_t n, const edgeops_append_options *options, void *user_data) {
    (void)options;
    collector *c = user_data;
    pthread_mutex_lock(&c->mutex);
    edgeops_status rc = c->refuse;
    c->refused += rc < 0;
    for (size_t i = 0; i < n && rc == EDGEOPS_OK; i++) {
        keep(c, &samples[i]);
    }
    pthread_mutex_unlock(&c->mutex);
    if (rc < 0) {
        return eop_fail(rc, "test", "no room for the test");
    }
    result->appended = n;
    return EDGEOPS_OK;
}

edgeops_status collector_ready(void *user_data) {
    collector *c = user_data;
    pthread_mutex_lock(&c->mutex);
    edgeops_status rc = c->not_ready;
    c->ready_calls++;
    pthread_mutex_unlock(&c->mutex);
    return rc < 0 ? eop_fail(rc, "test", "the disk of the test is full") : rc;
}

static void on_state(edgeops_source_state state, const char *detail, void *user_data) {
    collector *c = user_data;
    if (c->state_count < sizeof(c->states) / sizeof(c->states[0])) {
        c->states[c->state_count++] = state;
    }
    snprintf(c->detail, sizeof(c->detail), "%s", detail);
}

static void on_dead_letter(const edgeops_dead_letter *letter, void *user_data) {
    collector *c = user_data;
    pthread_mutex_lock(&c->mutex);
    c->dead_count++;
    c->dead_size = (size_t)letter->message_size;
    snprintf(c->dead_topic, sizeof(c->dead_topic), "%s", letter->topic);
    snprintf(c->dead_reason, sizeof(c->dead_reason), "%s", letter->reason);
    snprintf(c->dead_payload, sizeof(c->dead_payload), "%.*s", (int)letter->payload_size,
             letter->payload_size > 0 ? (const char *)letter->payload : "");
    pthread_mutex_unlock(&c->mutex);
}

edgeops_source_options collector_options(collector *c, const char *driver, const char *config) {
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "test";
    options.driver = driver;
    options.config_json = config;
    options.append = on_append;
    options.on_state = on_state;
    options.on_dead_letter = on_dead_letter;
    options.user_data = c;
    options.instance = "test instance";
    return options;
}

void collector_set_refuse(collector *c, edgeops_status refuse, edgeops_status not_ready) {
    pthread_mutex_lock(&c->mutex);
    c->refuse = refuse;
    c->not_ready = not_ready;
    pthread_mutex_unlock(&c->mutex);
}

static size_t read_size(collector *c, const size_t *value) {
    pthread_mutex_lock(&c->mutex);
    size_t n = *value;
    pthread_mutex_unlock(&c->mutex);
    return n;
}

size_t collector_count(collector *c) {
    return read_size(c, &c->count);
}

size_t collector_refused(collector *c) {
    return read_size(c, &c->refused);
}

size_t collector_dead(collector *c) {
    return read_size(c, &c->dead_count);
}

bool collector_saw(const collector *c, edgeops_source_state state) {
    for (size_t i = 0; i < c->state_count; i++) {
        if (c->states[i] == state) {
            return true;
        }
    }
    return false;
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void test_turn(edgeops_ctx *ctx, edgeops_duration duration) {
    edgeops_status rc = edgeops_ctx_run(ctx, duration);
    (void)rc; /* timeout or stop: both will do */
}

bool test_run_until(edgeops_ctx *ctx, test_condition condition, void *user_data) {
    int64_t deadline = now_ms() + 20000;
    while (!condition(user_data)) {
        if (now_ms() > deadline) {
            return false;
        }
        /* What is waited for may happen on another thread without waking this loop. */
        test_turn(ctx, 10 * EDGEOPS_MILLISECOND);
    }
    return true;
}

typedef struct wanted {
    collector *c;
    edgeops_source *source;
    size_t n;
    edgeops_source_state state;
} wanted;

static bool has_samples(void *user_data) {
    wanted *w = user_data;
    return collector_count(w->c) >= w->n;
}

static bool has_dead(void *user_data) {
    wanted *w = user_data;
    return collector_dead(w->c) >= w->n;
}

static bool has_state(void *user_data) {
    wanted *w = user_data;
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, w->source);
    return stats.state == w->state;
}

bool test_run_samples(edgeops_ctx *ctx, collector *c, size_t n) {
    wanted w = {.c = c, .n = n};
    bool there = test_run_until(ctx, has_samples, &w);
    if (!there) {
        fprintf(stderr, "%zu samples, %zu dead letters, the last: %s\n", collector_count(c),
                collector_dead(c), c->dead_reason);
    }
    return there;
}

bool test_run_dead(edgeops_ctx *ctx, collector *c, size_t n) {
    wanted w = {.c = c, .n = n};
    return test_run_until(ctx, has_dead, &w);
}

bool test_run_state(edgeops_ctx *ctx, edgeops_source *source, edgeops_source_state state) {
    wanted w = {.source = source, .state = state};
    return test_run_until(ctx, has_state, &w);
}
