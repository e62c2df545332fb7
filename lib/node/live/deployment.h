/* SPDX-License-Identifier: Apache-2.0 */
/* Between deployment.c (running one) and deployments.c (all of them, and what they show). */
#ifndef EOP_NODE_LIVE_DEPLOYMENT_H
#define EOP_NODE_LIVE_DEPLOYMENT_H

#include "monitor/histogram.h"
#include "node/home/models.h"
#include "node/home/runs.h"
#include "node/live/outbox.h"
#include "node/live/stage.h"

typedef enum eop_deployment_state {
    EOP_DEPLOYMENT_STOPPED,
    EOP_DEPLOYMENT_STARTING,
    EOP_DEPLOYMENT_RUNNING,
    EOP_DEPLOYMENT_WAITING, /**< ready, the asset lacks samples or inputs */
    EOP_DEPLOYMENT_FAILED   /**< not predicting now; tried again */
} eop_deployment_state;

typedef struct eop_batch_item {
    edgeops_time time;
    int64_t seq;
    edgeops_duration durable;
    edgeops_status status;
    size_t message;        /**< place in text, where status < 0 */
    bool fixed;            /**< values point into text */
    edgeops_table *stored; /**< has the values, where an earlier life stored others */
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

/** Since the deployment was made; kept with the checkpoint, in one transaction with the messages
 * that they count. */
typedef struct eop_deployment_counters {
    uint64_t windows; /**< answered: predictions + errors + skipped */
    uint64_t predictions;
    uint64_t errors;
    uint64_t timeouts; /**< of the errors */
    uint64_t skipped;
    uint64_t conflicts;  /**< predictions for whose time a different one is stored already */
    uint64_t unstored;   /**< predictions that could not be stored at all */
    uint64_t late;       /**< samples without a place in a window */
    uint64_t late_parts; /**< parts that came after their rows were predicted */
    uint64_t incomplete; /**< windows whose newest row lacked an input when its wait was over */
    uint64_t early;      /**< rows that did not wait to the end since too many were held */
    uint64_t refused;    /**< messages that the broker did not take, each once */
    uint64_t dropped;    /**< messages that were skipped by hand */
} eop_deployment_counters;

#define EOP_RECENT 50u

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
    edgeops_model *model;
    eop_run *run;
    eop_stage *stage;
    eop_outbox *outbox; /**< while it is to run and publishes, as sink */
    eop_sink *sink;
    eop_batch batch;
    eop_buf payload_head;
    eop_window_state answered;
    uint64_t committed;
    uint64_t published; /**< of the output's ordinals, as the stage was opened: before those that
                             were stored, but not committed */
    uint64_t stored;    /**< likewise: the newest */
    eop_deployment_counters counters;
    eop_deployment_counters
        before_stage;        /**< late, late_parts, early: before the stage was opened */
    uint64_t refused_before; /**< of counters.refused: before the outbox was acquired */
    uint64_t restarts;       /**< since this process runs */
    uint64_t recent;         /**< the newest EOP_RECENT windows, a bit each: failed */
    uint32_t recent_count;
    uint64_t errors_said; /**< of counters.errors: written to the log */
    edgeops_duration said_at;
    uint64_t late_parts_said; /**< likewise of counters.late_parts */
    edgeops_duration parts_said_at;
    eop_json *last;
    eop_histogram latency;
};

/** Opens what it needs and starts; the state tells what went wrong, too. */
edgeops_status eop_deployment_run(eop_deployment *deployment);
/** Commits what was answered and closes. Idempotent. */
void eop_deployment_halt(eop_deployment *deployment);
void eop_deployment_tick(eop_deployment *deployment);
bool eop_deployment_enabled(const eop_deployment *deployment);
/** What --wait said, < 0: nothing. */
edgeops_duration eop_deployment_wait(const eop_deployment *deployment);
/** Brings the counters up to date with the stage and the outbox. */
void eop_deployment_count(eop_deployment *deployment);
/** Makes the counters durable, at the latest with the next checkpoint. */
edgeops_status eop_deployment_save_counters(eop_deployment *deployment);
/** The last checkpoint. It has beside the window's state the counters and three ordinals: "seen" and
 * "done" as of the stage, "stored" of the output.
 *
 *  @param state  free with eop_json_free(); NULL where it has none
 *  @return E_NOTFOUND; else, also with a state that cannot be read, *ordinal is set */
edgeops_status eop_deployment_checkpoint(uint64_t *ordinal, eop_json **state,
                                         const eop_deployment *deployment);
/** Writes one, with the messages that it covers. state: taken. */
edgeops_status eop_deployment_commit(eop_deployment *deployment, uint64_t ordinal, eop_json *state,
                                     eop_outbox_message *messages, size_t n);
/** Reads the counters of the last checkpoint. */
void eop_deployment_read_counters(eop_deployment *deployment, const eop_json *state);
/** Of the newest windows, how many failed. */
uint32_t eop_deployment_recent_errors(const eop_deployment *deployment);
/** Publishes through this source from now on. */
edgeops_status eop_deployment_bind(eop_deployment *deployment, const char *source,
                                   const char *topic);
const char *eop_deployment_state_name(const eop_deployment *deployment);

#endif /* EOP_NODE_LIVE_DEPLOYMENT_H */
