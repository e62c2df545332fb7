/* SPDX-License-Identifier: Apache-2.0 */
/* workflow.*: an upload goes to a file in HOME/tmp first, then into the store of workflows, which
 * one job at a time writes (node->workflow_lock). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/record.h"
#include "node/control/job.h"
#include "node/home/models.h"
#include "node/ops/groups.h"
#include "store/room.h"

#define UPLOAD_MAX ((uint64_t)4 << 30)

static void put_brief(eop_json *json, const edgeops_workflow *workflow) {
    const edgeops_manifest *m = edgeops_workflow_info_of(workflow)->manifest;
    eop_json_set_string(json, "name", m->name);
    eop_json_set_string(json, "version", m->version);
    eop_json_set_string(json, "digest", edgeops_workflow_info_of(workflow)->digest);
}

/* -- add -- */

typedef struct add_work {
    edgeops_call *call;
    char *store;
    char *folder; /**< HOME/tmp */
    char *upload; /**< file in it, NULL with args.path */
    edgeops_workflow *workflow;
    bool was_there;
} add_work;

static void add_free(add_work *w) {
    edgeops_workflow_close(w->workflow);
    eop_free(w->store);
    eop_free(w->folder);
    eop_free(w->upload);
    eop_free(w);
}

static edgeops_status copy_upload(eop_job *job, const add_work *w) {
    char data[65536];
    uint64_t total = 0;
    size_t n = 0;
    edgeops_status status = eop_mkdirs(w->folder, 0700);
    if (status != EDGEOPS_OK) {
        return status;
    }
    int fd = eop_open(w->upload, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return eop_fail_errno(errno, "node", "'%s'", w->upload);
    }
    do {
        status = eop_job_read(job, w->call->input, data, sizeof(data), &n);
        total += n;
        if (status == EDGEOPS_OK && total > UPLOAD_MAX) {
            status = eop_fail(EDGEOPS_E_LIMIT, "node", "the package is over 4 GiB");
        }
        if (status == EDGEOPS_OK) {
            status = eop_write_all(fd, data, n);
        }
    } while (status == EDGEOPS_OK && n > 0);
    close(fd);
    return status;
}

/* After a failure: the store knows which disk is full, and whether bytes or files are missing. */
static edgeops_status name_full_disk(edgeops_node *node, edgeops_status status) {
    eop_kept_error error;
    if (status != EDGEOPS_E_LIMIT || edgeops_error_last()->os_errno == 0) {
        return status;
    }
    eop_keep_error(&error);
    return eop_store_ready(node->store) == EDGEOPS_E_LIMIT ? EDGEOPS_E_LIMIT
                                                           : eop_fail_kept(&error);
}

static void add_work_fn(eop_job *job, void *user_data) {
    add_work *w = user_data;
    edgeops_node *node = eop_job_node(job);
    const char *path = w->upload != NULL ? w->upload : eop_json_string(w->call->args, "path", "");
    edgeops_status status = w->upload != NULL ? copy_upload(job, w) : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&node->workflow_lock);
        status = edgeops_workflow_install(&w->workflow, w->store, path);
        pthread_mutex_unlock(&node->workflow_lock);
    }
    w->was_there = status == EDGEOPS_DONE;
    eop_job_end(job, name_full_disk(node, status));
    if (w->upload != NULL) {
        (void)unlink(w->upload);
    }
}

static void add_done(eop_job *job, void *user_data) {
    add_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status >= 0) {
        result = eop_json_object();
        put_brief(result, w->workflow);
        eop_json_set_bool(result, "installed", !w->was_there);
    }
    eop_call_finish(w->call, status, result);
    add_free(w);
}

static edgeops_status add_paths(add_work *w) {
    static uint64_t uploads; /* context's thread; the process's number keeps two apart */
    edgeops_node *node = w->call->node;
    w->store = eop_workflow_store(node);
    if (w->store == NULL) {
        return eop_fail_nomem("node");
    }
    if (eop_json_get(w->call->args, "path") != NULL) {
        return EDGEOPS_OK;
    }
    if (w->call->input < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "give the package as input, or its path");
    }
    w->folder = eop_node_path(node, "tmp", NULL);
    w->upload = w->folder != NULL ? eop_format("%s/upload-%ld-%llu", w->folder, (long)getpid(),
                                               (unsigned long long)++uploads)
                                  : NULL;
    return w->upload != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
}

static edgeops_status add_start(edgeops_call *call) {
    add_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = add_paths(w);
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, add_work_fn, add_done, w);
    }
    if (status != EDGEOPS_OK) {
        add_free(w);
    }
    return status;
}

/* -- rm -- */

typedef struct holder {
    const char *digest;
    char *model;
} holder;

static edgeops_status find_holder(const char *name, const char *json, void *user_data) {
    holder *h = user_data;
    eop_json *record = NULL;
    if (eop_json_parse(&record, json, strlen(json), "model", NULL) == EDGEOPS_OK &&
        strcmp(eop_json_string(eop_json_get(record, "workflow"), "digest", ""), h->digest) == 0 &&
        h->model == NULL) {
        h->model = eop_strdup(name);
    }
    eop_json_free(record);
    return EDGEOPS_OK;
}

static edgeops_status check_unused(edgeops_node *node, const char *store, const char *reference) {
    edgeops_workflow *workflow = NULL;
    holder h = {0};
    edgeops_status status = edgeops_workflow_open(&workflow, store, reference);
    if (status == EDGEOPS_OK) {
        h.digest = edgeops_workflow_info_of(workflow)->digest;
        status = eop_record_list(node->catalog, "model", find_holder, &h);
    }
    if (status == EDGEOPS_OK && h.model != NULL) {
        status = eop_fail(EDGEOPS_E_BUSY, "node",
                          "model '%s' needs workflow '%.128s'; remove the model first", h.model,
                          reference);
    }
    eop_free(h.model);
    edgeops_workflow_close(workflow);
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    const char *reference = eop_json_string(call->args, "workflow", "");
    char *store = eop_workflow_store(call->node);
    if (store == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = check_unused(call->node, store, reference);
    if (status == EDGEOPS_OK && pthread_mutex_trylock(&call->node->workflow_lock) != 0) {
        status = eop_fail(EDGEOPS_E_BUSY, "node",
                          "a workflow is being installed or backed up; try again in a moment");
    } else if (status == EDGEOPS_OK) {
        status = edgeops_workflow_remove(store, reference);
        pthread_mutex_unlock(&call->node->workflow_lock);
    }
    eop_free(store);
    return status;
}

/* -- ls, show -- */

static edgeops_status list_one(const edgeops_workflow *workflow, void *user_data) {
    eop_json *json = eop_json_object();
    put_brief(json, workflow);
    eop_json_set_string(json, "description",
                        edgeops_workflow_info_of(workflow)->manifest->description);
    eop_json_set_integer(json, "size_bytes",
                         (int64_t)edgeops_workflow_info_of(workflow)->size_bytes);
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    char *store = eop_workflow_store(call->node);
    if (store == NULL) {
        return eop_fail_nomem("node");
    }
    *result = eop_items(&items);
    edgeops_status status =
        eop_file_exists(store) ? edgeops_workflow_list(store, list_one, items) : EDGEOPS_OK;
    eop_free(store);
    return status;
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    edgeops_workflow *workflow = NULL;
    eop_json *manifest = NULL;
    char *store = eop_workflow_store(call->node);
    edgeops_status status =
        store != NULL
            ? edgeops_workflow_open(&workflow, store, eop_json_string(call->args, "workflow", ""))
            : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        const char *json = edgeops_workflow_info_of(workflow)->manifest->json;
        status = eop_json_parse(&manifest, json, strlen(json), "workflow.json", NULL);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        put_brief(*result, workflow);
        eop_json_set_integer(*result, "size_bytes",
                             (int64_t)edgeops_workflow_info_of(workflow)->size_bytes);
        eop_json_set_string(*result, "installed", edgeops_workflow_info_of(workflow)->directory);
        eop_json_set(*result, "manifest", manifest);
    }
    edgeops_workflow_close(workflow);
    eop_free(store);
    return status;
}

const eop_op eop_workflow_ops[] = {
    {&eop_spec_workflow_add, .start = add_start},
    {&eop_spec_workflow_ls, .run = run_ls},
    {&eop_spec_workflow_show, .run = run_show},
    {&eop_spec_workflow_rm, .run = run_rm},
    {0},
};
