/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the node behind a source: keeps what comes, can be out of room. */
#ifndef TESTS_SUPPORT_COLLECTOR_H
#define TESTS_SUPPORT_COLLECTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "edgeops/context.h"
#include "edgeops/ingest.h"

typedef struct collected {
    char asset[64];
    edgeops_time time;
    int64_t seq;
    size_t count;
    char channel[32]; /* the first */
    double value;     /* of the first channel */
    edgeops_type type;
} collected;

typedef struct collector {
    pthread_mutex_t mutex;
    collected *samples;
    size_t count;
    size_t capacity;
    edgeops_status refuse; /* what append gives; EDGEOPS_OK: takes */
    edgeops_status not_ready;
    size_t refused;
    size_t ready_calls;
    char dead_reason[256];
    char dead_topic[128];
    char dead_payload[600];
    size_t dead_size;
    size_t dead_count;
    /* Context's thread. */
    edgeops_source_state states[256];
    char detail[256]; /* of the last one */
    size_t state_count;
} collector;

void collector_init(collector *c);
void collector_dispose(collector *c);
/** Options for a source that gives to the collector; ready is left out. */
edgeops_source_options collector_options(collector *c, const char *driver, const char *config);
edgeops_status collector_ready(void *user_data);
void collector_set_refuse(collector *c, edgeops_status refuse, edgeops_status not_ready);
size_t collector_count(collector *c);
size_t collector_refused(collector *c);
size_t collector_dead(collector *c);
bool collector_saw(const collector *c, edgeops_source_state state);

/** Runs the loop for so long. */
void test_turn(edgeops_ctx *ctx, edgeops_duration duration);
/** Runs the loop until the condition holds; false after 20 s. */
typedef bool (*test_condition)(void *user_data);
bool test_run_until(edgeops_ctx *ctx, test_condition condition, void *user_data);
/** Until the collector has n samples, n dead letters; the source is in the state. */
bool test_run_samples(edgeops_ctx *ctx, collector *c, size_t n);
bool test_run_dead(edgeops_ctx *ctx, collector *c, size_t n);
bool test_run_state(edgeops_ctx *ctx, edgeops_source *source, edgeops_source_state state);

#endif /* TESTS_SUPPORT_COLLECTOR_H */
