/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, starts, stops and closes a node. The only file that knows all of its rooms: it wires them
 * and owns the tick and the order in which they end. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/abi.h"
#include "node/control/job.h"
#include "node/control/socket_client.h"
#include "node/control/socket_server.h"
#include "node/home/derived.h"
#include "node/home/models.h"
#include "node/home/records.h"
#include "node/home/runs.h"
#include "node/live/deployments.h"
#include "node/live/feed.h"
#include "node/live/joins.h"
#include "node/live/outbox.h"
#include "node/live/sources.h"
#include "node/live/told.h"
#include "node/ops/ops.h"
#include "store/home.h"
#include "store/inner.h"
#include "store/log.h"
#include "store/retention.h"
#include "store/room.h"

#define TICK         EDGEOPS_SECOND
#define STOP_WITHIN  (2 * EDGEOPS_SECOND)
#define CLOSE_EVERY  (10 * EDGEOPS_MILLISECOND) /* how often a node that waits for its close looks */
#define RETAIN_EVERY (60 * EDGEOPS_SECOND)
#define RETAIN_FULL  (2 * EDGEOPS_SECOND)
#define OPEN_WAIT    (3 * EDGEOPS_SECOND)
#define SERVE_WAIT   (10 * EDGEOPS_SECOND)
#define OPEN_AGAIN   (20 * EDGEOPS_MILLISECOND)

void edgeops_node_options_init(edgeops_node_options *options, size_t struct_size) {
    static const edgeops_node_options defaults = EDGEOPS_NODE_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

static void on_turn(void *user_data) {
    edgeops_node *node = user_data;
    eop_jobs_turn(node);
    eop_calls_turn(node);
}

static void tell_disk(const edgeops_node *node) {
    bool full = atomic_load(&node->disk_full);
    eop_log_write(node_log(node), full ? EDGEOPS_LOG_ERROR : EDGEOPS_LOG_WARN, "node", "%s",
                  full ? node->disk_detail : "there is room on the disk again");
}

/* The free disk is checked here, once a second for all, and not by those who append. A node that
 * was not started takes nothing in: there it is no news. */
static void look_at_disk(edgeops_node *node) {
    bool was_full = atomic_load(&node->disk_full);
    bool full = eop_store_ready(node->store) != EDGEOPS_OK;
    if (full) {
        size_t size = strnlen(edgeops_error_last()->message, sizeof(node->disk_detail) - 1);
        memcpy(node->disk_detail, edgeops_error_last()->message, size);
        node->disk_detail[size] = '\0';
    }
    atomic_store(&node->disk_full, full);
    if (full != was_full && node->started) {
        tell_disk(node);
    }
}

/* Its start, or the end of it, is news: samples without a time of their own get what it says. */
static void look_at_clock(edgeops_node *node) {
    edgeops_time now = eop_now();
    bool unset = eop_clock_unset(now);
    if (unset != node->clock_unset) {
        char *text = unset ? eop_tell_clock(now) : NULL;
        eop_log_write(node_log(node), EDGEOPS_LOG_WARN, "node", "%s",
                      text != NULL ? text : "this node's clock is set now");
        eop_free(text);
    }
    node->clock_unset = unset;
}

/* Retention runs in the background. On a full disk it is what makes room. */
static void retain(edgeops_node *node) {
    edgeops_duration every = atomic_load(&node->disk_full) ? RETAIN_FULL : RETAIN_EVERY;
    edgeops_time now = eop_monotonic();
    if (node->retained == 0 || now - node->retained >= every) {
        node->retained = now;
        eop_store_retain(node->store);
    }
}

static void on_tick(void *user_data) {
    edgeops_node *node = user_data;
    look_at_disk(node);
    if (node->started) {
        look_at_clock(node);
    }
    retain(node);
    eop_sources_tick(node);
    eop_deployments_tick(node);
    eop_outboxes_tick(node);
}

/* 64 random bits, as text. */
static char *new_id(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
        bits = (uint64_t)eop_now() ^ (uint64_t)eop_monotonic() ^ ((uint64_t)getpid() << 40);
    }
    return eop_format("%016llx", (unsigned long long)bits);
}

static edgeops_status make_record(edgeops_node *node, eop_json **out, const char *layer) {
    char *id = new_id();
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "layer", layer != NULL ? layer : "edge");
    eop_json_set_string(record, "id", id != NULL ? id : "");
    eop_json_set_time(record, "created", eop_now());
    eop_free(id);
    *out = record;
    return eop_put_record(node, "node", "node", record, true);
}

static edgeops_status open_record(edgeops_node *node, const char *layer) {
    eop_json *record = NULL;
    edgeops_status status = eop_get_record(&record, node, "node", "node");
    if (status == EDGEOPS_E_NOTFOUND) {
        status = make_record(node, &record, layer);
    }
    if (status == EDGEOPS_OK) {
        node->layer = eop_strdup(eop_json_string(record, "layer", "edge"));
        node->id = eop_strdup(eop_json_string(record, "id", ""));
        status = node->layer != NULL && node->id != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    eop_json_free(record);
    return status;
}

/* Absolute, since workers run in folders of their own and hosts may change theirs. A home that does
 * not exist yet gets the path it will have. */
static edgeops_status set_home(edgeops_node *node, const char *home) {
    char *full = realpath(home, NULL);
    char *path = full != NULL || home[0] == '/' ? eop_strdup(full != NULL ? full : home) : NULL;
    if (full == NULL && errno != ENOENT) {
        eop_free(path);
        return eop_fail_errno(errno, "node", "%s", home);
    }
    if (full == NULL && home[0] != '/') {
        full = realpath(".", NULL);
        if (full == NULL) {
            return eop_fail_errno(errno, "node", "the current folder");
        }
        path = eop_path_join(full, home);
    }
    free(full);
    if (path == NULL) {
        return eop_fail_nomem("node");
    }
    eop_free(node->home);
    node->home = path;
    return EDGEOPS_OK;
}

/* status: of opening the store. */
static edgeops_status open_local(edgeops_node *node, const edgeops_node_options *options,
                                 edgeops_status status) {
    if (status == EDGEOPS_OK) {
        node->catalog = eop_store_catalog(node->store);
        eop_store_set_log(node->store, node_log(node));
        /* Now that it is there for sure: without links and dots. */
        status = set_home(node, node->home);
    }
    if (status == EDGEOPS_OK) {
        node->workflows = eop_workflow_store(node);
        status = node->workflows != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    if (node->store == NULL && status == EDGEOPS_E_BUSY) {
        status = eop_fail(EDGEOPS_E_BUSY, "node",
                          "%s; wait for its end, or if it is a daemon end it with 'edgeopsctl node "
                          "stop'",
                          edgeops_error_last()->message);
    }
    if (status == EDGEOPS_OK) {
        status = open_record(node, options->layer);
    }
    if (status == EDGEOPS_OK) {
        status = eop_feed_new(&node->feed, node);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&node->tick, node->ctx, on_tick, node);
    }
    if (status == EDGEOPS_OK && eop_store_check_writable(node->store) == EDGEOPS_OK) {
        status = eop_runs_recover(node);
    }
    if (status == EDGEOPS_OK) {
        status = eop_sources_load(node);
    }
    if (status == EDGEOPS_OK) {
        status = eop_joins_load(node);
    }
    if (status == EDGEOPS_OK) {
        status = eop_deployments_load(node);
    }
    if (status == EDGEOPS_OK) {
        look_at_disk(node);
        eop_timer_start(node->tick, TICK, TICK);
    }
    return status;
}

static edgeops_status check_options(const edgeops_node_options *options) {
    const char *layer = options->layer;
    if (layer != NULL && strcmp(layer, "edge") != 0 && strcmp(layer, "fog") != 0 &&
        strcmp(layer, "cloud") != 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "layer '%.32s' is not one of edge, fog, cloud",
                        layer);
    }
    if (options->mode != EDGEOPS_NODE_AUTO && options->mode != EDGEOPS_NODE_LOCAL &&
        options->mode != EDGEOPS_NODE_REMOTE) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "mode %d is not one of edgeops_node_mode",
                        (int)options->mode);
    }
    return EDGEOPS_OK;
}

/* A home that lost its catalog is there: the store says what it lost. */
static edgeops_status check_exists(const edgeops_node *node) {
    char *catalog = eop_node_path(node, "catalog.db", NULL);
    bool exists = catalog != NULL && eop_file_exists(catalog);
    eop_free(catalog);
    edgeops_status status = exists ? EDGEOPS_OK : eop_home_in_use(&exists, node->home);
    if (status != EDGEOPS_OK) {
        return status;
    }
    return exists ? EDGEOPS_OK
                  : eop_fail(EDGEOPS_E_NOTFOUND, "node",
                             "there is no node home in '%s'; make one with 'edgeopsctl node init'",
                             node->home);
}

/* A process that serves the home keeps it; others release it soon. */
static bool is_served(const edgeops_node *node) {
    int fd = -1;
    char *path = eop_node_path(node, "edgeops.sock", NULL);
    bool served = path != NULL && eop_connect(&fd, path) == EDGEOPS_OK;
    if (served) {
        (void)close(fd);
    }
    eop_free(path);
    return served;
}

static edgeops_duration longest_wait(const edgeops_node_options *options) {
    if (options->wait != 0) {
        return options->wait < 0 ? 0 : options->wait;
    }
    return options->mode == EDGEOPS_NODE_LOCAL ? SERVE_WAIT : OPEN_WAIT;
}

/* A daemon that answers is used; without one this process opens the home. E_BUSY: another process
 * has it, and may release it or answer soon. */
static edgeops_status try_either(edgeops_node *node, const edgeops_node_options *options) {
    eop_kept_error refused = {.error.code = EDGEOPS_OK};
    if (options->mode != EDGEOPS_NODE_LOCAL) {
        edgeops_status status = eop_client_new(&node->client, node);
        if (status == EDGEOPS_E_DENIED && options->mode == EDGEOPS_NODE_AUTO) {
            /* The socket of a daemon that was killed looks the same: who has the home then? */
            eop_keep_error(&refused);
        } else if (status != EDGEOPS_E_NOTFOUND) {
            return status;
        }
        if (options->mode == EDGEOPS_NODE_REMOTE) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "node",
                            "no daemon answers on '%s'; start one with 'edgeopsctl node serve'",
                            node->home);
        }
    }
    edgeops_status status = options->must_exist != 0 ? check_exists(node) : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        status = edgeops_store_open(&node->store, node->home, NULL);
    }
    return status == EDGEOPS_E_BUSY && refused.error.code != EDGEOPS_OK ? eop_fail_kept(&refused)
                                                                        : status;
}

static edgeops_status open_either(edgeops_node *node, const edgeops_node_options *options) {
    edgeops_duration wait = longest_wait(options);
    edgeops_duration begun = eop_monotonic();
    edgeops_status status = try_either(node, options);
    while (status == EDGEOPS_E_BUSY && eop_monotonic() - begun < wait &&
           !(options->mode == EDGEOPS_NODE_LOCAL && is_served(node))) {
        (void)nanosleep(&(struct timespec){.tv_nsec = OPEN_AGAIN}, NULL);
        status = try_either(node, options);
    }
    return node->client != NULL ? status : open_local(node, options, status);
}

/* A callback that stops the node may be one of a deployment, which is then still at work. */
static void on_halt(void *user_data) {
    edgeops_node *node = user_data;
    node->halting = false;
    eop_deployments_stop(node);
    if (node->started) {
        eop_deployments_start(node); /* started again in the meantime */
    }
}

static void halt_later(edgeops_node *node) {
    if (node->halting) {
        return;
    }
    node->halting = eop_defer(node->ctx, on_halt, node) == EDGEOPS_OK;
    if (!node->halting) {
        eop_log_write(node_log(node), EDGEOPS_LOG_ERROR, "node",
                      "stopped inside a callback without memory for it: deployments take nothing "
                      "more but stay open");
    }
}

static void close_now(edgeops_node *node) {
    node->closing = true;
    edgeops_node_stop(node);
    if (node->halting) {
        eop_defer_cancel(node->ctx, on_halt, node);
        eop_deployments_stop(node);
    }
    eop_server_free(node->server);
    eop_client_free(node->client);
    eop_deployments_free(node);
    eop_sources_free(node);
    eop_outboxes_free(node);
    eop_joins_free(node->joins);
    eop_derived_free(node->derived);
    eop_feed_free(node->feed);
    edgeops_runtime_free(node->runtime);
    eop_timer_free(node->tick);
    eop_wake_free(node->turn);
    edgeops_store_close(node->store);
    pthread_mutex_destroy(&node->lock);
    pthread_mutex_destroy(&node->workflow_lock);
    eop_ctx_unref(node->ctx);
    eop_free(node->layer);
    eop_free(node->id);
    eop_free(node->worker);
    eop_free(node->home);
    eop_free(node->workflows);
    eop_free(node);
}

edgeops_status edgeops_node_open(edgeops_node **out, edgeops_ctx *ctx, const char *home,
                                 const edgeops_node_options *options) {
    edgeops_node_options given = EDGEOPS_NODE_OPTIONS_INIT;
    edgeops_status status = EDGEOPS_OK;
    edgeops_node *node = NULL;
    EOP_REQUIRE(out != NULL, "node");
    *out = NULL;
    EOP_REQUIRE(ctx != NULL && home != NULL && home[0] != '\0', "node");
    EOP_REQUIRE_HERE(eop_ctx_birth(ctx), "node", "context");
    status = EOP_STRUCT_TAKE(&given, options, "node", EDGEOPS_NODE_OPTIONS_INIT);
    status = status == EDGEOPS_OK ? check_options(&given) : status;
    if (status != EDGEOPS_OK) {
        return status;
    }
    node = eop_calloc(1, sizeof(*node));
    if (node == NULL) {
        return eop_fail_nomem("node");
    }
    node->ctx = ctx;
    node->ops = eop_op_groups;
    eop_ctx_ref(ctx);
    node->opened = eop_now();
    node->opened_monotonic = eop_monotonic();
    pthread_mutex_init(&node->lock, NULL);
    pthread_mutex_init(&node->workflow_lock, NULL);
    node->worker = given.worker != NULL ? eop_strdup(given.worker) : NULL;
    if (given.worker != NULL && node->worker == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    status = set_home(node, home);
    if (status == EDGEOPS_OK) {
        status = eop_wake_new(&node->turn, ctx, on_turn, node);
    }
    if (status == EDGEOPS_OK) {
        status = open_either(node, &given);
    }
    if (status == EDGEOPS_OK) {
        *out = node;
        node = NULL;
    }
out:
    if (node != NULL) {
        eop_kept_error why;
        eop_keep_error(&why);
        close_now(node);
        status = eop_fail_kept(&why);
    }
    return status;
}

static edgeops_status need_local(const edgeops_node *node, const char *what) {
    return node->client == NULL ? EDGEOPS_OK
                                : eop_fail(EDGEOPS_E_INVALID, "node",
                                           "%s is for the process that owns the home", what);
}

edgeops_status edgeops_node_start(edgeops_node *node) {
    EOP_REQUIRE(node != NULL, "node");
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    edgeops_status status = need_local(node, "edgeops_node_start()");
    if (status == EDGEOPS_OK) {
        status = eop_store_check_writable(node->store);
    }
    if (status != EDGEOPS_OK || node->started) {
        return status;
    }
    node->started = true;
    if (atomic_load(&node->disk_full)) {
        tell_disk(node);
    }
    look_at_clock(node);
    eop_deployments_start(node);
    eop_joins_start(node);
    eop_sources_start(node);
    return EDGEOPS_OK;
}

void edgeops_node_stop(edgeops_node *node) {
    if (node == NULL || !eop_born_here(eop_ctx_birth(node->ctx)) || !node->started) {
        return;
    }
    node->started = false;
    eop_sources_stop(node);
    eop_joins_stop(node);
    /* What is in flight may still answer; nothing new is submitted. */
    eop_deployments_drain(node);
    eop_outboxes_drain(node);
    if (eop_ctx_in_turn(node->ctx)) {
        halt_later(node);
        return;
    }
    edgeops_duration until = eop_monotonic() + STOP_WITHIN;
    node->turning++;
    while ((eop_deployments_busy(node) || eop_outboxes_busy(node)) && eop_monotonic() < until) {
        if (eop_ctx_turn(node->ctx, 20 * EDGEOPS_MILLISECOND) != EDGEOPS_OK) {
            break;
        }
    }
    node->turning--;
    eop_deployments_stop(node);
}

edgeops_status edgeops_node_serve(edgeops_node *node) {
    EOP_REQUIRE(node != NULL, "node");
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    edgeops_status status = need_local(node, "edgeops_node_serve()");
    if (status == EDGEOPS_OK) {
        status = eop_store_check_writable(node->store);
    }
    if (status != EDGEOPS_OK || node->server != NULL) {
        return status;
    }
    status = eop_server_new(&node->server, node);
    if (status == EDGEOPS_E_LIMIT) { /* the socket is a file, and there may be no inode for it */
        eop_store_make_way(node->store);
        status = eop_server_new(&node->server, node);
    }
    return status;
}

/* Not before the callback that closed the node has returned, its calls have ended and nobody turns the loop for it. */
static void on_closing(void *user_data) {
    edgeops_node *node = user_data;
    edgeops_ctx *ctx = node->ctx;
    if (node->call_count == 0 && node->job_count == 0 && node->turning == 0) {
        eop_timer_free(node->closer);
        close_now(node);
        eop_ctx_let_go(ctx);
    }
}

/* Inside a callback nothing can be waited for, and who called it still uses the node. */
static void close_later(edgeops_node *node) {
    edgeops_status status = eop_timer_new(&node->closer, node->ctx, on_closing, node);
    if (status != EDGEOPS_OK) {
        eop_log_write(node_log(node), EDGEOPS_LOG_ERROR, "node",
                      "closed inside a callback without memory for it: it stays open");
        return;
    }
    edgeops_node_on_prediction(node, NULL, NULL);
    eop_calls_cancel(node);
    edgeops_node_stop(node);
    eop_ctx_hold(node->ctx);
    eop_timer_start(node->closer, 0, CLOSE_EVERY);
}

void edgeops_node_close(edgeops_node *node) {
    if (node == NULL || !eop_born_here(eop_ctx_birth(node->ctx)) || node->closing) {
        return;
    }
    node->closing = true;
    if (eop_ctx_in_turn(node->ctx)) {
        close_later(node);
        return;
    }
    if (node->call_count > 0) {
        eop_calls_end(node);
    }
    close_now(node);
}

int edgeops_node_is_remote(const edgeops_node *node) {
    return node != NULL && node->client != NULL;
}

edgeops_store *edgeops_node_store(edgeops_node *node) {
    return node != NULL ? node->store : NULL;
}

const char *edgeops_node_workflows(edgeops_node *node) {
    return node != NULL ? node->workflows : NULL;
}

static edgeops_status check_local(const edgeops_node *node) {
    return node->client == NULL
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_UNSUPPORTED, "node",
                          "a daemon has the home: its models and workers are in that process");
}

edgeops_status edgeops_node_runtime(edgeops_runtime **out, edgeops_node *node) {
    EOP_REQUIRE(out != NULL, "node");
    *out = NULL;
    EOP_REQUIRE(node != NULL, "node");
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    edgeops_status status = check_local(node);
    return status == EDGEOPS_OK ? eop_node_runtime(out, node) : status;
}

edgeops_status edgeops_node_model(edgeops_model **out, edgeops_node *node, const char *name) {
    EOP_REQUIRE(out != NULL, "node");
    *out = NULL;
    EOP_REQUIRE(node != NULL && name != NULL, "node");
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    edgeops_status status = check_local(node);
    return status == EDGEOPS_OK ? eop_home_model(out, node, name) : status;
}

void edgeops_node_on_prediction(edgeops_node *node, edgeops_node_prediction_fn fn,
                                void *user_data) {
    if (node != NULL && eop_born_here(eop_ctx_birth(node->ctx))) {
        node->on_prediction = fn;
        node->prediction_data = user_data;
    }
}
