/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a package of any of its forms and leads both passes over it. It keeps workflow.json on
 * its way to the sink, because the manifest can be checked only after the content was read. */
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

/* No workflow.json at the root: say what the package seems to be instead. */
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
                    "%s: has no workflow.json at its root, so it is not a workflow", p->path);
}

static edgeops_status open_folder(eop_package *p) {
    char *file = eop_path_join(p->path, EOP_MANIFEST_NAME);
    char *text = NULL;
    size_t size = 0;
    edgeops_status status = file != NULL ? eop_file_read(&text, &size, file, EOP_MANIFEST_MAX)
                                         : eop_fail_nomem("workflow");
    if (status == EDGEOPS_E_NOTFOUND) {
        status = explain_missing(p);
    }
    if (status == EDGEOPS_OK) {
        status = eop_manifest_parse(&p->manifest, text, size);
    }
    if (status == EDGEOPS_OK) {
        status = eop_folder_index(&p->entries, p->fd, &p->manifest, p->path);
    }
    if (status == EDGEOPS_OK) {
        status = eop_manifest_check_files(&p->manifest, &p->entries);
    }
    eop_free(text);
    eop_free(file);
    return status;
}

/* The first bytes say what a file is; its name does not count. */
static edgeops_status sniff(eop_form *form, const eop_package *p) {
    static const struct {
        const char *magic;
        size_t size;
    } packed[] = {{"\x1f\x8b", 2},
                  {"\x28\xb5\x2f\xfd", 4},
                  {"\xfd"
                   "7zXZ\0",
                   6}};
    char head[265] = "";
    ssize_t n = pread(p->fd, head, sizeof head, 0);
    if (n < 0) {
        return eop_fail_errno(errno, "workflow", "cannot read '%s'", p->path);
    }
    *form = EOP_FORM_ZIP;
    for (size_t i = 0; i < EOP_COUNT(packed); i++) {
        if (memcmp(head, packed[i].magic, packed[i].size) == 0) {
            *form = EOP_FORM_TAR;
        }
    }
    return memcmp(head + 257, "ustar", 5) == 0 || memcmp(head, "BZh", 3) == 0
               ? eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                          "'%s' is a tar that is not packed with gzip, zstd or xz; pack it so, or "
                          "make a zip",
                          p->path)
               : EDGEOPS_OK;
}

static edgeops_status open_file(eop_package *p, uint64_t size) {
    if (size > EOP_ENTRY_ZIP_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: a package has at most 1 GiB", p->path);
    }
    edgeops_status status = sniff(&p->form, p);
    if (status == EDGEOPS_OK) {
        status = p->form == EOP_FORM_ZIP
                     ? eop_package_index_zip(&p->entries, &p->zip, p->fd, p->path)
                     : eop_package_index_tar(&p->entries, p->fd, p->path);
    }
    if (status != EDGEOPS_OK) {
        return status;
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
    *p = (eop_package){.fd = -1, .zip = {.fd = -1}};
    p->path = eop_strdup(path);
    if (p->path == NULL) {
        return eop_fail_nomem("workflow");
    }
    struct stat st;
    p->fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (p->fd < 0 || fstat(p->fd, &st) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot open package '%s'", path);
    }
    if (S_ISDIR(st.st_mode)) {
        p->form = EOP_FORM_FOLDER;
        return open_folder(p);
    }
    if (!S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "workflow", "'%s' is neither a file nor a folder", path);
    }
    return open_file(p, (uint64_t)st.st_size);
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
    /* When the manifest changed between the two passes, the folder is another package. */
    if (p->form == EOP_FORM_FOLDER) {
        return strlen(p->manifest.text) == p->text.size &&
                       memcmp(p->manifest.text, p->text.data, p->text.size) == 0
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_BUSY, "workflow",
                              "%s: workflow.json changed while it was read; try again", p->path);
    }
    edgeops_status status =
        eop_manifest_parse(&p->manifest, p->text.data != NULL ? p->text.data : "", p->text.size);
    return status == EDGEOPS_OK ? eop_manifest_check_files(&p->manifest, &p->entries) : status;
}

edgeops_status eop_package_read(eop_package *p, const eop_sink *sink) {
    capture c = {.package = p, .sink = sink};
    const eop_sink through = {capture_begin, capture_data, capture_end, &c};
    eop_buf_clear(&p->text);
    for (size_t i = 0; i < p->entries.count; i++) {
        p->entries.items[i].digest[0] = '\0';
    }
    edgeops_status status =
        p->form == EOP_FORM_FOLDER ? eop_folder_read(&p->entries, p->fd, &through)
        : p->form == EOP_FORM_ZIP  ? eop_package_read_zip(&p->entries, &p->zip, &through)
                                   : eop_package_read_tar(&p->entries, p->fd, p->path, &through);
    if (status == EDGEOPS_OK) {
        status = read_manifest(p);
    }
    if (status == EDGEOPS_OK) {
        status = eop_entries_digest(&p->entries, p->digest, NULL);
    }
    return status;
}

void eop_package_close(eop_package *p) {
    if (p->fd >= 0) {
        close(p->fd);
    }
    eop_zip_dispose(&p->zip);
    eop_entries_dispose(&p->entries);
    eop_manifest_dispose(&p->manifest);
    eop_buf_dispose(&p->text);
    eop_free(p->path);
    *p = (eop_package){.fd = -1};
}

edgeops_status eop_workflow_take(edgeops_workflow **out, eop_package *package) {
    edgeops_workflow *w = eop_calloc(1, sizeof *w);
    if (w == NULL) {
        return eop_fail_nomem("workflow");
    }
    /* A host may change its working directory, and a worker has another one. */
    edgeops_status status = EDGEOPS_OK;
    if (package->form == EOP_FORM_FOLDER) {
        status = eop_path_absolute(&w->directory, package->path);
    } else {
        w->directory = eop_strdup("");
        status = w->directory != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    }
    if (status != EDGEOPS_OK) {
        eop_free(w);
        return status;
    }
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
