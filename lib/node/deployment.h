/* SPDX-License-Identifier: Apache-2.0 */
/* Between deployment.c (running one) and deployments.c (all of them, and what they show). */
#ifndef EOP_NODE_DEPLOYMENT_H
#define EOP_NODE_DEPLOYMENT_H

#include "monitor/histogram.h"
#include "node/stage.h"

typedef enum eop_deployment_state {
    EOP_DEPLOYMENT_STOPPED,
    EOP_DEPLOYMENT_STARTING,
    EOP_DEPLOYMENT_RUNNING,
    EOP_DEPLOYMENT_FAILED /**< not predicting now; tried again */
} eop_deployment_state;

typedef struct eop_batch_item {
    edgeops_time time;
    int64_t seq;
    edgeops_duration durable;
    edgeops_status status;
    size_t message; /**< place in text, where status < 0 */
    bool fixed;     /**< values point into text */
} eop_batch_item;

/** The answers that are not durable yet: never more than are in flight. */
typedef struct eop_batch {
    size_t count;
    size_t good;
    size_t outputs;
    eop_batch_item *items;
    edgeops_value *values; /**< EOP_STAGE_DEPTH x outputs */
    edgeops_sample *samples;
    eop_outbox_message *messages;
    const char **names;
    eop_buf text;
    eop_buf payload;
} eop_batch;

struct eop_deployment {
    edgeops_node *node;
    char *name;
    char *output; /**< predictions/NAME */
    eop_json *record;
    uint8_t qos;
    uint8_t retain;
    eop_deployment_state state;
    char *detail;
    char *last_error;
    bool stalled; /**< what was answered cannot be made durable now */
    bool ended;   /**< the stage cannot go on */
    bool dirty;   /**< answered is past what was committed */
    edgeops_duration retry_at;
    edgeops_duration checkpointed;
    eop_model *model;
    eop_run *run;
    eop_stage *stage;
    eop_outbox *outbox;
    eop_batch batch;
    eop_buf payload_head;
    eop_window_state answered;
    uint64_t committed;
    uint64_t predictions;
    uint64_t errors;
    uint64_t timeouts;
    uint64_t restarts;
    eop_json *last;
    eop_histogram latency;
};

/** Opens what it needs and starts; the state tells what went wrong, too. */
edgeops_status eop_deployment_run(eop_deployment *deployment);
/** Commits what was answered and closes. Idempotent. */
void eop_deployment_halt(eop_deployment *deployment);
void eop_deployment_tick(eop_deployment *deployment);
bool eop_deployment_enabled(const eop_deployment *deployment);
const char *eop_deployment_state_name(const eop_deployment *deployment);

#endif /* EOP_NODE_DEPLOYMENT_H */
