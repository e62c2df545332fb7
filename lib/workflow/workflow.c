/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls on workflows: check, pack, open, list. Installing and removing are in
 * store.c. */
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
    edgeops_status status = eop_package_open(&package, path);
    if (status == EDGEOPS_OK) {
        status = eop_package_read(&package, NULL);
    }
    if (status == EDGEOPS_OK && out != NULL) {
        status = eop_workflow_take(out, &package);
    }
    eop_package_close(&package);
    return status;
}

static edgeops_status write_zip(eop_package *package, const char *zip) {
    eop_replacement file;
    struct stat st;
    edgeops_status status = eop_replacement_open(&file, zip, 0644);
    if (status < 0) {
        return status;
    }
    status = eop_package_write_zip(file.fd, &package->entries, zip, eop_folder_open, &package->fd);
    if (status == EDGEOPS_OK && fstat(file.fd, &st) == 0 &&
        (uint64_t)st.st_size > EOP_ENTRY_ZIP_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "workflow", "'%s': a package has at most 1 GiB", zip);
    }
    if (status < 0) {
        eop_replacement_dispose(&file);
        return status;
    }
    return eop_replacement_commit(&file);
}

edgeops_status edgeops_workflow_pack(char **written, const char *directory, const char *zip) {
    if (written != NULL) {
        *written = NULL;
    }
    EOP_REQUIRE(directory != NULL, "workflow");
    eop_package package;
    char *path = NULL;
    edgeops_status status = eop_package_open(&package, directory);
    if (status == EDGEOPS_OK && package.form != EOP_FORM_FOLDER) {
        status = eop_fail(EDGEOPS_E_INVALID, "workflow", "'%s' is not a folder", directory);
    }
    if (status == EDGEOPS_OK) {
        path = zip != NULL ? eop_strdup(zip)
                           : eop_format("%s-%s.zip", package.manifest.view.name,
                                        package.manifest.view.version);
        status = path != NULL ? write_zip(&package, path) : eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK && written != NULL) {
        *written = path;
        path = NULL;
    }
    eop_free(path);
    eop_package_close(&package);
    return status;
}

edgeops_status edgeops_workflow_open(edgeops_workflow **out, const char *store,
                                     const char *reference) {
    EOP_REQUIRE(out != NULL, "workflow");
    *out = NULL;
    EOP_REQUIRE(store != NULL && reference != NULL, "workflow");
    eop_installed item;
    edgeops_status status = eop_installed_find(&item, store, reference);
    return status == EDGEOPS_OK ? eop_installed_open(out, &item, store) : status;
}

edgeops_status edgeops_workflow_list(const char *store, edgeops_workflow_fn fn, void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "workflow");
    eop_installed *items = NULL;
    size_t count = 0, damaged = 0;
    edgeops_status status = eop_installed_load(&items, &count, &damaged, store);
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        edgeops_workflow *workflow = NULL;
        status = eop_installed_open(&workflow, &items[i], store);
        if (status == EDGEOPS_E_CORRUPT) {
            damaged++;
            status = EDGEOPS_OK;
            continue;
        }
        if (status == EDGEOPS_OK) {
            status = fn(workflow, user_data);
        }
        edgeops_workflow_close(workflow);
    }
    if (status == EDGEOPS_OK && damaged > 0) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                          "%zu installed workflows are damaged and not shown; remove them by "
                          "NAME@VERSION and install them again",
                          damaged);
    }
    eop_free(items);
    return status;
}
