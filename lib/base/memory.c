/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator that all rooms use, which the host may replace before its first use, and the
 * checked arithmetic of sizes. */
#include "base/memory.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "edgeops/context.h"

static void *default_alloc(void *user_data, size_t size) {
    (void)user_data;
    return malloc(size);
}

static void *default_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    return realloc(memory, size);
}

static void default_free(void *user_data, void *memory) {
    (void)user_data;
    free(memory);
}

static edgeops_allocator hooks = {default_alloc, default_realloc, default_free, NULL};
static atomic_bool used;

edgeops_status edgeops_set_allocator(const edgeops_allocator *allocator) {
    EOP_REQUIRE(allocator != NULL && allocator->alloc != NULL && allocator->realloc != NULL &&
                    allocator->free != NULL,
                "base");
    if (atomic_load(&used)) {
        return eop_fail(EDGEOPS_E_BUSY, "base",
                        "memory is in use already; set the allocator before any other call");
    }
    hooks = *allocator;
    return EDGEOPS_OK;
}

/* A plain load first: a store in every allocation would bounce the cache line between threads. */
static void mark_used(void) {
    if (EOP_UNLIKELY(!atomic_load_explicit(&used, memory_order_relaxed))) {
        atomic_store(&used, true);
    }
}

void *eop_alloc(size_t size) {
    mark_used();
    return hooks.alloc(hooks.user_data, size > 0 ? size : 1);
}

void *eop_calloc(size_t count, size_t size) {
    size_t total;
    if (!eop_mul_size(&total, count, size)) {
        return NULL;
    }
    if (hooks.alloc == default_alloc) {
        /* Large memory comes zeroed from the system: what is never used takes no room then. */
        mark_used();
        return calloc(total > 0 ? total : 1, 1);
    }
    void *memory = eop_alloc(total);
    if (memory != NULL) {
        memset(memory, 0, total);
    }
    return memory;
}

void *eop_realloc(void *memory, size_t size) {
    mark_used();
    return hooks.realloc(hooks.user_data, memory, size > 0 ? size : 1);
}

void *eop_realloc_array(void *memory, size_t count, size_t size) {
    size_t total;
    return eop_mul_size(&total, count, size) ? eop_realloc(memory, total) : NULL;
}

void eop_free(void *memory) {
    if (memory != NULL) {
        hooks.free(hooks.user_data, memory);
    }
}

void edgeops_free(void *memory) {
    eop_free(memory);
}

char *eop_strndup(const char *text, size_t size) {
    size_t total;
    char *copy = eop_add_size(&total, size, 1) ? eop_alloc(total) : NULL;
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

char *eop_strdup(const char *text) {
    return eop_strndup(text, strlen(text));
}

bool eop_grow(void *array_pointer, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) {
        return true;
    }
    size_t wanted = *capacity > 0 ? *capacity : 8;
    while (wanted < need) {
        if (!eop_mul_size(&wanted, wanted, 2)) {
            return false;
        }
    }
    void *old;
    memcpy(&old, array_pointer, sizeof old);
    void *grown = eop_realloc_array(old, wanted, size);
    if (grown == NULL) {
        return false;
    }
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

/* The first bytes of a file, as text. False when there are none. */
static bool read_text(char *text, size_t capacity, const char *path) {
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, capacity - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

uint64_t eop_memory_limit(void) {
    char groups[512];
    char path[600];
    char limit[32];
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    char *group =
        read_text(groups, sizeof groups, "/proc/self/cgroup") ? strstr(groups, "0::") : NULL;
    if (group == NULL) {
        return bytes;
    }
    group[strcspn(group, "\n")] = '\0';
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group + 3);
    /* "max": none */
    if (read_text(limit, sizeof limit, path) && limit[0] >= '0' && limit[0] <= '9') {
        uint64_t most = strtoull(limit, NULL, 10);
        bytes = most < bytes ? most : bytes;
    }
    return bytes;
}
