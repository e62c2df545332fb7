/* SPDX-License-Identifier: Apache-2.0 */
/* A package from anywhere: a zip or a packed tar when it starts like one, a plain tar that is packed
 * here, else the text of a manifest. What both passes accept must be accepted again, with the same
 * digest. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/gzip.h"
#include "workflow/manifest.h"
#include "workflow/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static edgeops_status count_data(const void *data, size_t size, void *user_data) {
    (void)data;
    *(uint64_t *)user_data += size;
    return EDGEOPS_OK;
}

static edgeops_status read_package(int fd, bool tar, char digest[65]) {
    eop_entries entries = {0};
    eop_zip zip = {.fd = -1};
    uint64_t bytes = 0;
    const eop_sink sink = {NULL, count_data, NULL, &bytes};
    edgeops_status status = tar ? eop_package_index_tar(&entries, fd, "fuzz")
                                : eop_package_index_zip(&entries, &zip, fd, "fuzz");
    if (status == EDGEOPS_OK) {
        status = tar ? eop_package_read_tar(&entries, fd, "fuzz", &sink)
                     : eop_package_read_zip(&entries, &zip, &sink);
    }
    if (status == EDGEOPS_OK) {
        status = eop_entries_digest(&entries, digest, NULL);
        if (bytes != entries.total) {
            abort();
        }
    }
    eop_zip_dispose(&zip);
    eop_entries_dispose(&entries);
    return status;
}

static void check_package(const void *data, size_t size, bool tar) {
    char first[65] = "";
    char second[65] = "";
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    if (read_package(fd, tar, first) == EDGEOPS_OK &&
        (read_package(fd, tar, second) != EDGEOPS_OK || strcmp(first, second) != 0)) {
        abort();
    }
    close(fd);
}

/* Packed here, so that a fuzzer changes the tar and not its packing. */
static void check_tar(const uint8_t *data, size_t size) {
    eop_gzip *gzip = NULL;
    eop_buf packed = {0};
    if (eop_gzip_new(&gzip) == EDGEOPS_OK &&
        eop_gzip_put(gzip, &packed, data, size, true) == EDGEOPS_OK) {
        check_package(packed.data, packed.size, true);
    }
    eop_gzip_free(gzip);
    eop_buf_dispose(&packed);
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
    bool packed = size >= 6 &&
                  (memcmp(data, "\x1f\x8b", 2) == 0 || memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0 ||
                   memcmp(data,
                          "\xfd"
                          "7zXZ",
                          5) == 0);
    if (packed || (size >= 2 && memcmp(data, "PK", 2) == 0)) {
        check_package(data, size, packed);
    } else if (size >= 262 && memcmp(data + 257, "ustar", 5) == 0) {
        check_tar(data, size);
    } else {
        check_manifest(data, size);
    }
    return 0;
}
