/* SPDX-License-Identifier: Apache-2.0 */
/* node.backup: a copy of the whole home while everything goes on. It is made beside its place,
 * with the manifest last, and gets its name when all of it is on the disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/version.h"
#include "edgeops/version.h"
#include "node/control/job.h"
#include "node/files/backup_list.h"
#include "node/ops/groups.h"
#include "store/backup.h"
#include "store/room.h"

/* Between two looks at the free disk. */
#define LOOK_BYTES ((uint64_t)32 << 20)

typedef struct backup {
    edgeops_call *call;
    edgeops_node *node;
    eop_job *job;
    char *target;  /**< absolute */
    char *partial; /**< where it is made */
    int lock_fd;
    uint64_t total; /**< bytes to be copied and then to be hashed, about */
    uint64_t done;
    uint64_t looked; /**< `done` at the last look at the disk */
    uint64_t floor;
    edgeops_time moment;
    eop_backup_sum sum;
} backup;

static void backup_free(backup *b) {
    eop_unlock_file(b->lock_fd);
    eop_free(b->target);
    eop_free(b->partial);
    eop_free(b);
}

/* -- progress -- */

static edgeops_status check_room(backup *b) {
    uint64_t free_bytes = 0;
    edgeops_status status = eop_disk_free(&free_bytes, b->partial);
    b->looked = b->done;
    if (status == EDGEOPS_OK && free_bytes < b->floor + LOOK_BYTES) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node",
                          "the disk of '%s' has %llu MiB free and %llu MiB must stay free: make "
                          "room, or name a folder on another disk",
                          b->target, (unsigned long long)(free_bytes >> 20),
                          (unsigned long long)((b->floor + LOOK_BYTES) >> 20));
    }
    return status;
}

static edgeops_status on_bytes(uint64_t bytes, void *user_data) {
    backup *b = user_data;
    b->done += bytes;
    if (eop_job_canceled(b->job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    if (eop_job_due(b->job)) {
        eop_json *event = eop_json_object();
        double part = b->total > 0 ? (double)b->done / (double)b->total : 0;
        eop_json_set_string(event, "type", "progress");
        eop_json_set_number(event, "progress", part < 1 ? part : 1);
        eop_json_set_integer(event, "bytes", (int64_t)b->done);
        eop_job_event(b->job, event);
    }
    return b->done - b->looked >= LOOK_BYTES ? check_room(b) : EDGEOPS_OK;
}

/* -- what is copied -- */

/* The store copies its own files; the others of these are made again when needed. */
static bool is_left_out(const char *path) {
    static const char *const names[] = {
        "catalog.db", "catalog.db-wal", "catalog.db-shm", "data", "lock", "edgeops.sock", "tmp"};
    const char *name = strrchr(path, '/');
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        if (strcmp(path, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name != NULL ? name + 1 : path, ".tmp-", 5) == 0;
}

static edgeops_status add_size(const eop_tree_entry *entry, void *user_data) {
    *(uint64_t *)user_data += entry->size;
    return entry->folder && strcmp(entry->path, "tmp") == 0 ? EDGEOPS_DONE : EDGEOPS_OK;
}

static edgeops_status copy_entry(const eop_tree_entry *entry, void *user_data) {
    backup *b = user_data;
    if (is_left_out(entry->path)) {
        return EDGEOPS_DONE;
    }
    char *from = eop_path_join(b->node->home, entry->path);
    char *to = eop_path_join(b->partial, entry->path);
    edgeops_status status = EDGEOPS_OK;
    if (from == NULL || to == NULL) {
        status = eop_fail_nomem("node");
    } else if (entry->folder) {
        /* Read-only files get their mode when they are complete. */
        status = eop_mkdirs(to, 0700);
    } else {
        status = eop_file_copy(NULL, from, to, entry->mode, on_bytes, b);
        /* An old run was removed meanwhile. Its record in the copy is removed at the next start. */
        if (status == EDGEOPS_E_NOTFOUND && strncmp(entry->path, "runs/", 5) == 0) {
            status = EDGEOPS_OK;
        }
    }
    eop_free(from);
    eop_free(to);
    return status;
}

static edgeops_status set_mode(const eop_tree_entry *entry, void *user_data) {
    backup *b = user_data;
    if (is_left_out(entry->path)) {
        return EDGEOPS_DONE;
    }
    if (!entry->folder) {
        return EDGEOPS_OK;
    }
    char *to = eop_path_join(b->partial, entry->path);
    edgeops_status status = to != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK && chmod(to, (mode_t)entry->mode) != 0 && errno != ENOENT) {
        status = eop_fail_errno(errno, "node", "cannot set the permissions of '%s'", to);
    }
    eop_free(to);
    return status;
}

static void on_moment(void *user_data) {
    backup *b = user_data;
    b->moment = eop_now();
}

static edgeops_status copy_home(backup *b) {
    edgeops_status status = eop_tree_walk(b->node->home, add_size, &b->total);
    b->total *= 2;
    if (status == EDGEOPS_OK) {
        status = check_room(b);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    /* What records name must not be removed before it is copied. */
    pthread_mutex_lock(&b->node->workflow_lock);
    status = eop_store_backup(b->node->store, b->partial, on_bytes, on_moment, b);
    if (status == EDGEOPS_OK) {
        status = eop_tree_walk(b->node->home, copy_entry, b);
    }
    if (status == EDGEOPS_OK) {
        status = eop_tree_walk(b->node->home, set_mode, b);
    }
    pthread_mutex_unlock(&b->node->workflow_lock);
    return status;
}

/* -- making it -- */

static edgeops_status write_manifest(backup *b, const char *list_sha256) {
    eop_json *json = eop_json_object();
    eop_json_set_integer(json, "format", EOP_BACKUP_FORMAT);
    eop_json_set_integer(json, "home_version", EOP_HOME_VERSION);
    eop_json_set_string(json, "program", edgeops_version_string());
    eop_json_set_string(json, "node", b->node->id);
    eop_json_set_string(json, "layer", b->node->layer);
    eop_json_set_time(json, "created", b->moment);
    eop_json_set_integer(json, "files", (int64_t)b->sum.files);
    eop_json_set_integer(json, "bytes", (int64_t)b->sum.bytes);
    eop_json_set_string(json, "list_sha256", list_sha256);
    char *text = eop_json_print_pretty(json);
    char *path = eop_path_join(b->partial, EOP_BACKUP_MANIFEST);
    edgeops_status status = text != NULL && path != NULL
                                ? eop_file_write(path, text, strlen(text), 0600)
                                : eop_fail_nomem("node");
    eop_free(path);
    eop_free(text);
    eop_json_free(json);
    return status;
}

/* The lock's file is not part of it: it stays outside. */
static edgeops_status begin_folder(backup *b) {
    int owner = 0;
    char *lock = eop_format("%s.lock", b->partial);
    if (lock == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_lock_file(&b->lock_fd, &owner, lock);
    if (status == EDGEOPS_E_BUSY) {
        status = owner > 0 ? eop_fail(EDGEOPS_E_BUSY, "node",
                                      "process %d makes a backup in '%s' already", owner, b->target)
                           : eop_fail(EDGEOPS_E_BUSY, "node",
                                      "another process makes a backup in '%s' already", b->target);
    }
    eop_free(lock);
    if (status == EDGEOPS_OK) {
        status = eop_remove_tree(b->partial); /* one that was cut short */
    }
    if (status == EDGEOPS_OK && mkdir(b->partial, 0700) != 0) {
        status = eop_fail_errno(errno, "node", "cannot make folder '%s'", b->partial);
    }
    return status;
}

static edgeops_status name_it(const backup *b) {
    char *slash = strrchr(b->target, '/');
    char *parent = eop_strndup(b->target, slash == b->target ? 1 : (size_t)(slash - b->target));
    edgeops_status status = parent != NULL ? eop_tree_sync(b->partial) : eop_fail_nomem("node");
    if (status == EDGEOPS_OK && rename(b->partial, b->target) != 0) {
        status = errno == ENOTEMPTY || errno == EEXIST
                     ? eop_fail(EDGEOPS_E_EXISTS, "node",
                                "'%s' is there meanwhile: name another folder", b->target)
                     : eop_fail_errno(errno, "node", "cannot make '%s'", b->target);
    }
    if (status == EDGEOPS_OK) {
        status = eop_dir_sync(parent);
    }
    eop_free(parent);
    return status;
}

static edgeops_status make(backup *b) {
    char list_sha256[65];
    edgeops_status status = begin_folder(b);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = copy_home(b);
    if (status == EDGEOPS_OK) {
        status = eop_backup_list_write(&b->sum, list_sha256, b->partial, on_bytes, b);
    }
    if (status == EDGEOPS_OK) {
        status = write_manifest(b, list_sha256);
    }
    if (status == EDGEOPS_OK) {
        status = name_it(b);
    }
    if (status != EDGEOPS_OK) {
        eop_kept_error kept;
        eop_keep_error(&kept);
        (void)eop_remove_tree(b->partial);
        status = eop_fail_kept(&kept);
    }
    char *lock = eop_format("%s.lock", b->partial);
    if (lock != NULL) {
        unlink(lock);
    }
    eop_free(lock);
    return status;
}

/* -- the operation -- */

static void backup_work(eop_job *job, void *user_data) {
    backup *b = user_data;
    b->job = job;
    eop_job_end(job, make(b));
}

static void backup_done(eop_job *job, void *user_data) {
    backup *b = user_data;
    eop_json *result = NULL;
    edgeops_status status = eop_job_status(job);
    b->node->backing_up = false;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_string(result, "path", b->target);
        eop_json_set_time(result, "moment", b->moment);
        eop_json_set_integer(result, "files", (int64_t)b->sum.files);
        eop_json_set_integer(result, "bytes", (int64_t)b->sum.bytes);
    }
    eop_call_finish(b->call, status, result);
    backup_free(b);
}

/* A folder that is not there yet or is empty; its parent is there, and not in the home. */
static edgeops_status check_target(backup *b, const char *path) {
    struct stat st;
    edgeops_status status = EDGEOPS_OK;
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    char *given = eop_strndup(path, size);
    char *slash = given != NULL ? strrchr(given, '/') : NULL;
    if (path[0] != '/' || size < 2) {
        eop_free(given);
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "path: '%s' is not an absolute path to a new folder", path);
    }
    if (given == NULL) {
        return eop_fail_nomem("node");
    }
    *slash = '\0';
    char *parent = realpath(given[0] != '\0' ? given : "/", NULL);
    if (parent == NULL) {
        status = eop_fail_errno(errno, "node", "'%s'", given);
    } else {
        b->target = eop_path_join(parent, slash + 1);
        b->partial = b->target != NULL ? eop_format("%s.backup-partial", b->target) : NULL;
        status = b->partial != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    size_t home = strlen(b->node->home);
    if (status == EDGEOPS_OK && strncmp(b->target, b->node->home, home) == 0 &&
        (b->target[home] == '/' || b->target[home] == '\0')) {
        status = eop_fail(EDGEOPS_E_INVALID, "node", "path: '%s' is inside the home", b->target);
    }
    if (status == EDGEOPS_OK && lstat(b->target, &st) == 0 && rmdir(b->target) != 0) {
        status = eop_fail(EDGEOPS_E_EXISTS, "node",
                          "'%s' is there already: name a folder that is not, or an empty one",
                          b->target);
    }
    free(parent);
    eop_free(given);
    return status;
}

static edgeops_status backup_start(edgeops_call *call) {
    eop_store_stats stats;
    if (call->node->backing_up) {
        return eop_fail(EDGEOPS_E_BUSY, "node", "a backup is under way");
    }
    backup *b = eop_calloc(1, sizeof(*b));
    if (b == NULL) {
        return eop_fail_nomem("node");
    }
    b->call = call;
    b->node = call->node;
    b->lock_fd = -1;
    edgeops_status status = check_target(b, eop_json_string(call->args, "path", ""));
    if (status == EDGEOPS_OK) {
        status = eop_store_get_stats(call->node->store, &stats);
        b->floor = status == EDGEOPS_OK ? stats.floor_bytes : 0;
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, backup_work, backup_done, b);
    }
    if (status != EDGEOPS_OK) {
        backup_free(b);
        return status;
    }
    call->node->backing_up = true;
    return EDGEOPS_OK;
}

const eop_op eop_backup_ops[] = {
    {&eop_spec_node_backup, .start = backup_start},
    {0},
};
