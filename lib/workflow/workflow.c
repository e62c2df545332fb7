/* SPDX-License-Identifier: Apache-2.0 */
#include "edgeops/workflow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/store.h"

edgeops_status edgeops_workflow_check(edgeops_workflow **out, const char *path) {
    if (out != NULL) {
        *out = NULL;
    }
    EOP_REQUIRE(path != NULL, "workflow");
    eop_package package;
    edgeops_status rc = eop_package_open(&package, path);
    if (rc == EDGEOPS_OK) {
        rc = eop_package_read(&package, NULL);
    }
    if (rc == EDGEOPS_OK && out != NULL) {
        rc = eop_workflow_take(out, &package, package.folder ? path : "");
    }
    eop_package_close(&package);
    return rc;
}

static edgeops_status write_zip(eop_package *package, const char *zip) {
    eop_replacement file;
    struct stat st;
    edgeops_status rc = eop_replacement_open(&file, zip, 0644);
    if (rc < 0) {
        return rc;
    }
    rc = eop_archive_write(file.fd, &package->entries, zip, eop_folder_open, &package->fd);
    if (rc == EDGEOPS_OK && fstat(file.fd, &st) == 0 && (uint64_t)st.st_size > EOP_ENTRY_ZIP_MAX) {
        rc = eop_fail(EDGEOPS_E_LIMIT, "workflow", "'%s': a package has at most 1 GiB", zip);
    }
    if (rc < 0) {
        eop_replacement_dispose(&file);
        return rc;
    }
    return eop_replacement_commit(&file);
}

edgeops_status edgeops_workflow_pack(char **written, const char *directory, const char *zip) {
    EOP_REQUIRE(directory != NULL, "workflow");
    eop_package package;
    char *path = NULL;
    edgeops_status rc = eop_package_open(&package, directory);
    if (rc == EDGEOPS_OK && !package.folder) {
        rc = eop_fail(EDGEOPS_E_INVALID, "workflow", "'%s' is no folder", directory);
    }
    if (rc == EDGEOPS_OK) {
        path = zip != NULL ? eop_strdup(zip)
                           : eop_format("%s-%s.zip", package.manifest.view.name,
                                        package.manifest.view.version);
        rc = path != NULL ? write_zip(&package, path) : eop_fail_nomem("workflow");
    }
    if (rc == EDGEOPS_OK && written != NULL) {
        *written = path;
        path = NULL;
    }
    eop_free(path);
    eop_package_close(&package);
    return rc;
}

edgeops_status edgeops_workflow_open(edgeops_workflow **out, const char *store,
                                     const char *reference) {
    EOP_REQUIRE(out != NULL && store != NULL && reference != NULL, "workflow");
    *out = NULL;
    eop_installed item;
    edgeops_status rc = eop_installed_find(&item, store, reference);
    return rc == EDGEOPS_OK ? eop_installed_open(out, &item, store) : rc;
}

edgeops_status edgeops_workflow_list(const char *store, edgeops_workflow_fn fn, void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "workflow");
    eop_installed *items = NULL;
    size_t count = 0, damaged = 0;
    edgeops_status rc = eop_installed_load(&items, &count, &damaged, store);
    for (size_t i = 0; rc == EDGEOPS_OK && i < count; i++) {
        edgeops_workflow *workflow = NULL;
        rc = eop_installed_open(&workflow, &items[i], store);
        if (rc == EDGEOPS_E_CORRUPT) {
            damaged++;
            rc = EDGEOPS_OK;
            continue;
        }
        if (rc == EDGEOPS_OK) {
            rc = fn(workflow, user_data);
        }
        edgeops_workflow_close(workflow);
    }
    if (rc == EDGEOPS_OK && damaged > 0) {
        rc = eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                      "%zu installed workflows are damaged and not shown; remove them by "
                      "NAME@VERSION and install them again",
                      damaged);
    }
    eop_free(items);
    return rc;
}
