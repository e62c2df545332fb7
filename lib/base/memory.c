/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator that all rooms use, which the host may replace before its first use, and the
 * checked arithmetic of sizes. */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
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
