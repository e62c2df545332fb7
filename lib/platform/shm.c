/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory for the worker: an anonymous file, mapped here and handed over as a descriptor. It
 * is placed for large pages, and sealed before another process gets it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/fd.h"
#include "platform/platform.h"

#define LARGE_PAGE ((size_t)2 << 20)
/* Linux 6.1; older C libraries do not name it. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
/* Processor time that 512 small pages take; where a large one takes more, memory is in pieces. */
#define SLOW_NS 2000000

/* Large files begin where a large page may. */
static void *map_aligned(int file, size_t size) {
    if (size < LARGE_PAGE || size > SIZE_MAX / 2) {
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    char *room = mmap(NULL, size + LARGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (LARGE_PAGE - (uintptr_t)room % LARGE_PAGE) % LARGE_PAGE;
    char *map = mmap(room + before, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    if (map == MAP_FAILED) {
        (void)munmap(room, size + LARGE_PAGE);
        return MAP_FAILED;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t end = (size + page - 1) / page * page;
    if (before > 0) {
        (void)munmap(room, before);
    }
    if (before + end < size + LARGE_PAGE) {
        (void)munmap(map + end, size + LARGE_PAGE - before - end);
    }
    return map;
}

static int64_t used_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void eop_shm_use_large_pages(void *memory, size_t size) {
    char *at = memory;
    size_t slow = 0;
    for (; (uintptr_t)memory % LARGE_PAGE == 0 && size >= LARGE_PAGE && slow < 2;
         at += LARGE_PAGE, size -= LARGE_PAGE) {
        int64_t begun = used_ns();
        *(volatile char *)at = 0; /* one page must be there */
        if (madvise(at, LARGE_PAGE, MADV_COLLAPSE) != 0) {
            return;
        }
        slow += used_ns() - begun > SLOW_NS;
    }
}

edgeops_status eop_shm_new(int *fd, void **memory, size_t size, const char *name) {
    void *map = MAP_FAILED;
    int file = -1;
    int saved = 0;
    EOP_REQUIRE(size > 0 && size <= INT64_MAX, "platform");
    file = eop_memfd(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        return eop_fail_errno(errno, "platform", "no shared memory '%s' can be made", name);
    }
    if (ftruncate(file, (off_t)size) == 0) {
        map = map_aligned(file, size);
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
    /* FUTURE_WRITE leaves the mapping of its maker writable (Linux 5.1). */
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
