/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/package.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "workflow/zip_index.h"

/* No workflow.json at the root: say what the zip seems to be instead. */
static edgeops_status explain_missing(const eop_package *p) {
    const eop_entries *e = &p->entries;
    if (eop_entries_find(e, "MLmodel") != NULL) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "%s: is an MLflow model, which this version cannot run", p->path);
    }
    if (eop_entries_find(e, "pipeline_config.yml") != NULL ||
        eop_entries_find(e, "runtime_config.yml") != NULL) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "%s: is a Siemens AI package, which this version cannot run", p->path);
    }
    for (size_t i = 0; i < e->count; i++) {
        const char *slash = strchr(e->items[i].path, '/');
        if (slash != NULL && strcmp(slash + 1, EOP_MANIFEST_NAME) == 0) {
            return eop_fail(EDGEOPS_E_INVALID, "workflow",
                            "%s: has '%s', but no workflow.json at its root; make the package with "
                            "edgeopsctl workflow pack",
                            p->path, e->items[i].path);
        }
    }
    return eop_fail(EDGEOPS_E_INVALID, "workflow",
                    "%s: has no workflow.json at its root, so it is no workflow", p->path);
}

static edgeops_status open_folder(eop_package *p) {
    char *file = eop_path_join(p->path, EOP_MANIFEST_NAME);
    char *text = NULL;
    size_t size = 0;
    edgeops_status rc = file != NULL ? eop_file_read(&text, &size, file, EOP_MANIFEST_MAX)
                                     : eop_fail_nomem("workflow");
    if (rc == EDGEOPS_E_NOTFOUND) {
        rc = explain_missing(p);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_manifest_parse(&p->manifest, text, size);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_folder_index(&p->entries, p->fd, &p->manifest, p->path);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_manifest_check_files(&p->manifest, &p->entries);
    }
    eop_free(text);
    eop_free(file);
    return rc;
}

static edgeops_status open_zip(eop_package *p) {
    edgeops_status rc = eop_zip_index(&p->entries, p->fd, p->path);
    if (rc != EDGEOPS_OK) {
        return rc;
    }
    const eop_entry *manifest = eop_entries_find(&p->entries, EOP_MANIFEST_NAME);
    if (manifest == NULL || manifest->directory) {
        return explain_missing(p);
    }
    if (manifest->size > EOP_MANIFEST_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: workflow.json has more than 1 MiB",
                        p->path);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_package_open(eop_package *p, const char *path) {
    *p = (eop_package){.fd = -1};
    p->path = eop_strdup(path);
    if (p->path == NULL) {
        return eop_fail_nomem("workflow");
    }
    struct stat st;
    p->fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (p->fd < 0 || fstat(p->fd, &st) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot open package '%s'", path);
    }
    p->folder = S_ISDIR(st.st_mode);
    if (!p->folder && !S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "workflow", "'%s' is neither a zip file nor a folder",
                        path);
    }
    return p->folder ? open_folder(p) : open_zip(p);
}

/* Keeps workflow.json on its way to the caller's sink. */
typedef struct capture {
    eop_package *package;
    const eop_sink *sink;
    bool on;
} capture;

static edgeops_status capture_begin(const eop_entry *entry, void *user_data) {
    capture *c = user_data;
    c->on = strcmp(entry->path, EOP_MANIFEST_NAME) == 0;
    return c->sink != NULL && c->sink->begin != NULL ? c->sink->begin(entry, c->sink->user_data)
                                                     : EDGEOPS_OK;
}

static edgeops_status capture_data(const void *data, size_t size, void *user_data) {
    capture *c = user_data;
    if (c->on) {
        eop_buf_put(&c->package->text, data, size);
    }
    return c->sink != NULL && c->sink->data != NULL ? c->sink->data(data, size, c->sink->user_data)
                                                    : EDGEOPS_OK;
}

static edgeops_status capture_end(const eop_entry *entry, void *user_data) {
    capture *c = user_data;
    return c->sink != NULL && c->sink->end != NULL ? c->sink->end(entry, c->sink->user_data)
                                                   : EDGEOPS_OK;
}

static edgeops_status read_manifest(eop_package *p) {
    if (p->text.failed) {
        return eop_fail_nomem("workflow");
    }
    /* A manifest that changed between the passes over a folder is another package. */
    if (p->folder) {
        return strlen(p->manifest.text) == p->text.size &&
                       memcmp(p->manifest.text, p->text.data, p->text.size) == 0
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_BUSY, "workflow",
                              "%s: workflow.json changed while it was read; try again", p->path);
    }
    edgeops_status rc =
        eop_manifest_parse(&p->manifest, p->text.data != NULL ? p->text.data : "", p->text.size);
    return rc == EDGEOPS_OK ? eop_manifest_check_files(&p->manifest, &p->entries) : rc;
}

edgeops_status eop_package_read(eop_package *p, const eop_sink *sink) {
    capture c = {.package = p, .sink = sink};
    const eop_sink through = {capture_begin, capture_data, capture_end, &c};
    eop_buf_clear(&p->text);
    for (size_t i = 0; i < p->entries.count; i++) {
        p->entries.items[i].digest[0] = '\0';
    }
    edgeops_status rc = p->folder ? eop_folder_read(&p->entries, p->fd, &through)
                                  : eop_archive_read(&p->entries, p->fd, p->path, &through);
    if (rc == EDGEOPS_OK) {
        rc = read_manifest(p);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_entries_digest(&p->entries, p->digest, NULL);
    }
    return rc;
}

void eop_package_close(eop_package *p) {
    if (p->fd >= 0) {
        close(p->fd);
    }
    eop_entries_dispose(&p->entries);
    eop_manifest_dispose(&p->manifest);
    eop_buf_dispose(&p->text);
    eop_free(p->path);
    *p = (eop_package){.fd = -1};
}

edgeops_status eop_workflow_take(edgeops_workflow **out, eop_package *package,
                                 const char *directory) {
    edgeops_workflow *w = eop_calloc(1, sizeof *w);
    char *copy = eop_strdup(directory);
    if (w == NULL || copy == NULL) {
        eop_free(w);
        eop_free(copy);
        return eop_fail_nomem("workflow");
    }
    w->directory = copy;
    w->size_bytes = package->entries.total;
    memcpy(w->digest, package->digest, sizeof w->digest);
    w->manifest = package->manifest;
    package->manifest = (eop_manifest){0};
    eop_workflow_describe(w);
    *out = w;
    return EDGEOPS_OK;
}

void eop_workflow_describe(edgeops_workflow *workflow) {
    workflow->info = (edgeops_workflow_info){
        .manifest = &workflow->manifest.view,
        .digest = workflow->digest,
        .directory = workflow->directory,
        .size_bytes = workflow->size_bytes,
    };
}

const edgeops_workflow_info *edgeops_workflow_info_of(const edgeops_workflow *workflow) {
    return workflow != NULL ? &workflow->info : NULL;
}

void edgeops_workflow_close(edgeops_workflow *workflow) {
    if (workflow != NULL) {
        eop_manifest_dispose(&workflow->manifest);
        eop_free(workflow->directory);
        eop_free(workflow);
    }
}
