/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the resident size of this process from /proc. */
#include "monitor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

edgeops_status eop_memory_resident(uint64_t *out) {
    char text[128];
    uint64_t pages = 0;
    ssize_t n = 0;
    int saved = 0;
    int fd = eop_open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return eop_fail_errno(errno, "monitor", "/proc/self/statm cannot be opened");
    }
    do {
        n = read(fd, text, sizeof(text) - 1);
    } while (n < 0 && errno == EINTR);
    saved = errno;
    (void)close(fd);
    if (n < 0) {
        return eop_fail_errno(saved, "monitor", "/proc/self/statm cannot be read");
    }
    text[n] = '\0';
    /* size resident shared ..., in pages: proc(5) */
    if (sscanf(text, "%*s %" SCNu64, &pages) != 1) {
        return eop_fail(EDGEOPS_E_IO, "monitor", "/proc/self/statm does not hold what is expected");
    }
    *out = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return EDGEOPS_OK;
}
