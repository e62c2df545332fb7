/* SPDX-License-Identifier: Apache-2.0 */
/* A package from anywhere: a zip when it starts like one, else the text of a manifest. What both
 * passes accept must be accepted again, with the same digest. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workflow/archive.h"
#include "workflow/manifest.h"
#include "workflow/zip_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static edgeops_status count_data(const void *data, size_t size, void *user_data) {
    (void)data;
    *(uint64_t *)user_data += size;
    return EDGEOPS_OK;
}

static edgeops_status read_zip(int fd, char digest[65]) {
    eop_entries entries = {0};
    uint64_t bytes = 0;
    const eop_sink sink = {NULL, count_data, NULL, &bytes};
    edgeops_status rc = eop_zip_index(&entries, fd, "fuzz");
    if (rc == EDGEOPS_OK) {
        rc = eop_archive_read(&entries, fd, "fuzz", &sink);
    }
    if (rc == EDGEOPS_OK) {
        rc = eop_entries_digest(&entries, digest, NULL);
        if (bytes != entries.total) {
            abort();
        }
    }
    eop_entries_dispose(&entries);
    return rc;
}

static void check_zip(const uint8_t *data, size_t size) {
    char first[65] = "";
    char second[65] = "";
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    if (read_zip(fd, first) == EDGEOPS_OK &&
        (read_zip(fd, second) != EDGEOPS_OK || strcmp(first, second) != 0)) {
        abort();
    }
    close(fd);
}

static void check_manifest(const uint8_t *data, size_t size) {
    eop_manifest manifest = {0};
    if (eop_manifest_parse(&manifest, (const char *)data, size) == EDGEOPS_OK) {
        const edgeops_window_spec *window = &manifest.view.window;
        if (window->rows < 1 || window->rows > 1000000 || window->step < 1 ||
            manifest.view.input_count < 1 || manifest.view.parameters_json == NULL) {
            abort();
        }
    }
    eop_manifest_dispose(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 2 && memcmp(data, "PK", 2) == 0) {
        check_zip(data, size);
    } else {
        check_manifest(data, size);
    }
    return 0;
}
