/* SPDX-License-Identifier: Apache-2.0 */
/* A home from a backup: made beside its place, every file compared with its digest on the way, and
 * named when all of it is right and on the disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "edgeops/node.h"
#include "node/files/backup_list.h"

typedef struct restore {
    const char *backup;
    char *home;   /**< NULL: only looks */
    char *beside; /**< where it is made */
    uint64_t done;
    uint64_t total;
    uint64_t files;
    uint64_t bytes;
    edgeops_restore_fn fn;
    void *user_data;
} restore;

static edgeops_status on_bytes(uint64_t bytes, void *user_data) {
    restore *r = user_data;
    r->done += bytes;
    if (r->fn == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = r->fn(r->done < r->total ? r->done : r->total, r->total, r->user_data);
    return status == EDGEOPS_OK ? status : eop_fail(status, "node", "ended on request");
}

static edgeops_status fail_file(const restore *r, const char *path, const char *how) {
    return eop_fail(EDGEOPS_E_CORRUPT, "node",
                    "'%s/%s' %s: nothing was restored; take another backup of this home", r->backup,
                    path, how);
}

static edgeops_status take_file(restore *r, const eop_backup_line *line) {
    char hex[65] = "";
    struct stat st;
    const char *path = line->entry.path;
    char *from = eop_path_join(r->backup, path);
    char *to = r->beside != NULL ? eop_path_join(r->beside, path) : eop_strdup("/dev/null");
    edgeops_status status = EDGEOPS_OK;
    if (from == NULL || to == NULL) {
        status = eop_fail_nomem("node");
    } else if (lstat(from, &st) != 0 || !S_ISREG(st.st_mode)) {
        status = fail_file(r, path, "is missing");
    } else if ((uint64_t)st.st_size != line->entry.size) {
        status = fail_file(r, path, "has another size than it was written with");
    } else if (r->beside != NULL) {
        status = eop_file_copy(hex, from, to, line->entry.mode, on_bytes, r);
    } else {
        status = eop_backup_hash(hex, NULL, r->backup, path);
        if (status == EDGEOPS_OK) {
            status = on_bytes(line->entry.size, r);
        }
    }
    if (status == EDGEOPS_OK && strcmp(hex, line->sha256) != 0) {
        status = fail_file(r, path, "has other content than it was written with");
    }
    eop_free(from);
    eop_free(to);
    return status;
}

static edgeops_status take_line(const eop_backup_line *line, void *user_data) {
    restore *r = user_data;
    if (!line->entry.folder) {
        r->files++;
        r->bytes += line->entry.size;
        return take_file(r, line);
    }
    if (r->beside == NULL) {
        return EDGEOPS_OK;
    }
    char *to = eop_path_join(r->beside, line->entry.path);
    edgeops_status status = to != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK && mkdir(to, 0700) != 0) {
        status = eop_fail_errno(errno, "node", "cannot make folder '%s'", to);
    }
    eop_free(to);
    return status;
}

/* Those that may not be written to are full now. */
static edgeops_status set_mode(const eop_backup_line *line, void *user_data) {
    const restore *r = user_data;
    if (!line->entry.folder) {
        return EDGEOPS_OK;
    }
    char *to = eop_path_join(r->beside, line->entry.path);
    edgeops_status status = to != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK && chmod(to, (mode_t)line->entry.mode) != 0) {
        status = eop_fail_errno(errno, "node", "cannot set the permissions of '%s'", to);
    }
    eop_free(to);
    return status;
}

static edgeops_status check_room(const restore *r) {
    uint64_t free_bytes = 0;
    edgeops_status status = eop_disk_free(&free_bytes, r->beside);
    if (status == EDGEOPS_OK && free_bytes < r->total) {
        status = eop_fail(
            EDGEOPS_E_LIMIT, "node",
            "the backup has %llu MiB and the disk of '%s' has %llu MiB free: make room",
            (unsigned long long)(r->total >> 20), r->home, (unsigned long long)(free_bytes >> 20));
    }
    return status;
}

static edgeops_status name_it(const restore *r) {
    edgeops_status status = eop_tree_sync(r->beside);
    if (status == EDGEOPS_OK && rename(r->beside, r->home) != 0) {
        status = errno == ENOTEMPTY || errno == EEXIST
                     ? eop_fail(EDGEOPS_E_EXISTS, "node", "'%s' is in use meanwhile", r->home)
                     : eop_fail_errno(errno, "node", "cannot make '%s'", r->home);
    }
    char *slash = strrchr(r->home, '/');
    char *parent = eop_strndup(r->home, slash == r->home ? 1 : (size_t)(slash - r->home));
    if (status == EDGEOPS_OK) {
        status = parent != NULL ? eop_dir_sync(parent) : eop_fail_nomem("node");
    }
    eop_free(parent);
    return status;
}

static edgeops_status run(restore *r, const eop_json *manifest) {
    const char *list = eop_json_string(manifest, "list_sha256", "");
    edgeops_status status = EDGEOPS_OK;
    if (r->beside != NULL) {
        status = eop_remove_tree(r->beside); /* one that was cut short */
        if (status == EDGEOPS_OK && mkdir(r->beside, 0700) != 0) {
            status = eop_fail_errno(errno, "node", "cannot make folder '%s'", r->beside);
        }
        if (status == EDGEOPS_OK) {
            status = check_room(r);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_backup_list_read(r->backup, list, take_line, r);
    }
    if (status == EDGEOPS_OK &&
        (r->files != (uint64_t)eop_json_integer(manifest, "files", -1) || r->bytes != r->total)) {
        status = fail_file(r, EOP_BACKUP_LIST, "does not have as many files as the manifest says");
    }
    if (r->beside != NULL && status == EDGEOPS_OK) {
        status = eop_backup_list_read(r->backup, list, set_mode, r);
    }
    if (r->beside != NULL && status == EDGEOPS_OK) {
        status = name_it(r);
    }
    if (r->beside != NULL && status != EDGEOPS_OK) {
        eop_kept_error kept;
        eop_keep_error(&kept);
        (void)eop_remove_tree(r->beside);
        status = eop_fail_kept(&kept);
    }
    return status;
}

static edgeops_status note_entry(const char *name, void *user_data) {
    (void)name;
    (void)user_data;
    return EDGEOPS_DONE;
}

/* Absolute, without a '/' at its end. */
static char *full_path(const char *home) {
    size_t size = strlen(home);
    char *here = home[0] == '/' ? NULL : realpath(".", NULL);
    while (size > 1 && home[size - 1] == '/') {
        size--;
    }
    char *path =
        eop_format("%s%s%.*s", here != NULL ? here : "", here != NULL ? "/" : "", (int)size, home);
    free(here);
    return path;
}

/* It is not there, or an empty folder. */
static edgeops_status check_home(restore *r, const char *home) {
    edgeops_status status = EDGEOPS_OK;
    char *path = full_path(home);
    if (path == NULL) {
        return eop_fail_nomem("node");
    }
    char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        *slash = '\0';
        status = eop_mkdirs(path, 0700);
        *slash = '/';
    }
    if (status == EDGEOPS_OK && eop_file_exists(path)) {
        status = eop_dir_walk(path, note_entry, NULL);
        if (status == EDGEOPS_DONE) {
            status = eop_fail(EDGEOPS_E_EXISTS, "node",
                              "'%s' is not empty: name another home, or move it away first", path);
        }
    }
    r->home = path;
    r->beside = status == EDGEOPS_OK ? eop_format("%s.restore-partial", path) : NULL;
    return status == EDGEOPS_OK && r->beside == NULL ? eop_fail_nomem("node") : status;
}

static edgeops_status tell(char **result, const restore *r, const eop_json *manifest) {
    static const char *const texts[] = {"node", "layer", "program", "created"};
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "backup", r->backup);
    eop_json_set_string(json, "home", r->home);
    eop_json_set_integer(json, "files", (int64_t)r->files);
    eop_json_set_integer(json, "bytes", (int64_t)r->bytes);
    for (size_t i = 0; i < EOP_COUNT(texts); i++) {
        eop_json_set_string(json, texts[i], eop_json_string(manifest, texts[i], NULL));
    }
    *result = eop_json_print(json);
    eop_json_free(json);
    return *result != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
}

edgeops_status edgeops_node_restore(char **result, const char *backup, const char *home,
                                    edgeops_restore_fn fn, void *user_data) {
    if (result != NULL) {
        *result = NULL;
    }
    EOP_REQUIRE(backup != NULL, "node");
    restore r = {.backup = backup, .fn = fn, .user_data = user_data};
    eop_json *manifest = NULL;
    edgeops_status status = eop_backup_manifest_read(&manifest, backup);
    if (status == EDGEOPS_OK && home != NULL) {
        status = check_home(&r, home);
    }
    if (status == EDGEOPS_OK) {
        r.total = (uint64_t)eop_json_integer(manifest, "bytes", 0);
        status = run(&r, manifest);
    }
    if (status == EDGEOPS_OK && result != NULL) {
        status = tell(result, &r, manifest);
    }
    eop_json_free(manifest);
    eop_free(r.home);
    eop_free(r.beside);
    return status;
}
