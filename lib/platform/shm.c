/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "platform/platform.h"

edgeops_status eop_shm_new(int *fd, void **memory, size_t size, const char *name) {
    void *map = MAP_FAILED;
    int file = -1;
    int saved = 0;
    EOP_REQUIRE(size > 0 && size <= INT64_MAX, "platform");
    file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        return eop_fail_errno(errno, "platform", "no shared memory '%s' can be made", name);
    }
    if (ftruncate(file, (off_t)size) == 0) {
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    if (map == MAP_FAILED) {
        saved = errno;
        (void)close(file);
        return eop_fail_errno(saved, "platform", "no shared memory '%s' of %zu bytes", name, size);
    }
    *fd = file;
    *memory = map;
    return EDGEOPS_OK;
}

edgeops_status eop_shm_seal(int fd) {
    /* FUTURE_WRITE leaves the mapping of the one who made it writable (Linux 5.1). */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) != 0) {
        return eop_fail_errno(errno, "platform", "the shared memory cannot be sealed");
    }
    return EDGEOPS_OK;
}

void eop_shm_free(int fd, void *memory, size_t size) {
    if (memory != NULL) {
        (void)munmap(memory, size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}
