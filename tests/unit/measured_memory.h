/* SPDX-License-Identifier: Apache-2.0 */
/* The failing allocator that also knows how many bytes are alive, and the most that were at once.
 * Threads may use it; a test sets peak_bytes to live_bytes where it begins to measure. */
#ifndef EOP_TEST_MEASURED_MEMORY_H
#define EOP_TEST_MEASURED_MEMORY_H

#include <malloc.h>

#include "failing_memory.h"

static atomic_size_t live_bytes;
static atomic_size_t peak_bytes;

static inline void count_bytes(size_t more, size_t less) {
    size_t now = atomic_fetch_add(&live_bytes, more - less) + (more - less);
    if (now > atomic_load(&peak_bytes) && now < SIZE_MAX / 2) {
        atomic_store(&peak_bytes, now);
    }
}

static inline void *measured_alloc(void *user_data, size_t size) {
    void *memory = failing_alloc(user_data, size);
    count_bytes(malloc_usable_size(memory), 0);
    return memory;
}

static inline void *measured_realloc(void *user_data, void *memory, size_t size) {
    size_t before = malloc_usable_size(memory);
    void *now = failing_realloc(user_data, memory, size);
    if (now != NULL) {
        count_bytes(malloc_usable_size(now), before);
    }
    return now;
}

static inline void measured_free(void *user_data, void *memory) {
    count_bytes(0, malloc_usable_size(memory));
    failing_free(user_data, memory);
}

static inline void take_measured_memory(void) {
    const edgeops_allocator allocator = {measured_alloc, measured_realloc, measured_free, NULL};
    cr_assert_eq(edgeops_set_allocator(&allocator), EDGEOPS_OK);
}

#endif
