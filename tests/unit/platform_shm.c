/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/platform.h"

/* Small and large ones, none of whole pages; what one side wrote the other reads. */
Test(platform_shm, both_sides_see_the_same) {
    static const size_t sizes[] = {1, 100, 4097, ((size_t)2 << 20) - 1, ((size_t)7 << 20) + 12345};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = -1;
        void *memory = NULL;
        size_t size = sizes[i];
        cr_assert_eq(eop_shm_new(&fd, &memory, size, "test"), EDGEOPS_OK);
        eop_shm_use_large_pages(memory, size);
        memset(memory, 0x5a, size);
        ((char *)memory)[size - 1] = 1;
        cr_assert_eq(eop_shm_seal(fd), EDGEOPS_OK);
        char *other = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        cr_assert(other != MAP_FAILED);
        cr_assert_eq(memcmp(memory, other, size), 0);
        cr_assert_eq(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        munmap(other, size);
        eop_shm_free(fd, memory, size);
    }
}
