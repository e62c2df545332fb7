/* SPDX-License-Identifier: Apache-2.0 */
/* What the workflow suites share: folders, files and a small manifest. */
#ifndef EOP_TESTS_WORKFLOW_TOOLS_H
#define EOP_TESTS_WORKFLOW_TOOLS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "edgeops/workflow.h"
#include "zip_tools.h"

#define CHECK_CODE(expected, call)                                                                 \
    do {                                                                                           \
        edgeops_status given_ = (call);                                                            \
        cr_assert(given_ == (expected), "%s gave %s, not %s: %s", #call,                           \
                  edgeops_status_name(given_), edgeops_status_name(expected),                      \
                  edgeops_error_last()->message);                                                  \
    } while (0)
#define CHECK_TEXT(part)                                                                           \
    cr_assert(strstr(edgeops_error_last()->message, (part)) != NULL, "'%s' is not in '%s'",        \
              (part), edgeops_error_last()->message)

static char folder[64];

static void enter_folder(void) {
    (void)snprintf(folder, sizeof folder, "/tmp/eop-workflow-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert(chdir(folder) == 0);
}

static void leave_folder(void) {
    cr_assert(chdir("/") == 0);
    CHECK_CODE(EDGEOPS_OK, eop_remove_tree(folder));
}

static inline void put_file(const char *path, const void *data, size_t size) {
    char parent[256];
    (void)snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        CHECK_CODE(EDGEOPS_OK, eop_mkdirs(parent, 0755));
    }
    CHECK_CODE(EDGEOPS_OK, eop_file_write(path, data, size, 0644));
}

static inline void put_text(const char *path, const char *text) {
    put_file(path, text, strlen(text));
}

static const char small_manifest[] =
    "{\"format\": 1, \"name\": \"small-one\", \"version\": \"1.0.0\",\n"
    " \"python\": {\"module\": \"small\"},\n"
    " \"inputs\": [{\"name\": \"x\", \"type\": \"float64\", \"unit\": \"um\"}],\n"
    " \"outputs\": [{\"name\": \"class\", \"type\": \"string\"}]}\n";

static inline void put_zip(const char *path, const fake *entries, size_t count) {
    eop_buf zip = {0};
    build_zip(&zip, entries, count);
    put_file(path, zip.data, zip.size);
    eop_buf_dispose(&zip);
}

#endif /* EOP_TESTS_WORKFLOW_TOOLS_H */
