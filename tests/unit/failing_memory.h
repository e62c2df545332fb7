/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that fails at the Nth allocation, counts them, and knows how many blocks are alive:
 * for tests that let each allocation fail in turn. Threads may use it, one sets it; fail_here is for
 * where other threads allocate as they like. */
#ifndef EOP_TEST_FAILING_MEMORY_H
#define EOP_TEST_FAILING_MEMORY_H

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "edgeops/context.h"
#include "edgeops/status.h"

static atomic_long fail_at; /* 0: never */
static atomic_long allocations;
static atomic_long alive;
static _Thread_local long fail_here; /* of this thread only, counted down; 0: never, or it failed */

static inline bool allocation_fails(void) {
    bool here = fail_here > 0 && --fail_here == 0;
    return ++allocations == fail_at || here;
}

static inline void *failing_alloc(void *user_data, size_t size) {
    (void)user_data;
    void *memory = allocation_fails() ? NULL : malloc(size);
    alive += memory != NULL;
    return memory;
}

static inline void *failing_realloc(void *user_data, void *memory, size_t size) {
    (void)user_data;
    void *again = allocation_fails() ? NULL : realloc(memory, size);
    alive += memory == NULL && again != NULL;
    return again;
}

static inline void failing_free(void *user_data, void *memory) {
    (void)user_data;
    alive -= memory != NULL;
    free(memory);
}

static inline void take_failing_memory(void) {
    const edgeops_allocator allocator = {failing_alloc, failing_realloc, failing_free, NULL};
    cr_assert_eq(edgeops_set_allocator(&allocator), EDGEOPS_OK);
}

#endif
