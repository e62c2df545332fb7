/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the library. Nothing here sets an error or ends the process. */
#ifndef EOP_BASE_MEMORY_H
#define EOP_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All memory of the library comes from here, so that tests can fail the Nth allocation. NULL when
 * there is none; the caller reports it with eop_fail_nomem(). Size 0 gives a unique pointer. */
void *eop_alloc(size_t size);
/** Zeroed; NULL also when count * size overflows. */
void *eop_calloc(size_t count, size_t size);
/** Old memory stays valid after a failure. */
void *eop_realloc(void *memory, size_t size);
/** count * size checked. */
void *eop_realloc_array(void *memory, size_t count, size_t size);
void eop_free(void *memory);
char *eop_strdup(const char *text);
char *eop_strndup(const char *text, size_t size);

/** Makes room for `need` elements of `size` bytes: doubles *capacity. False when there is no
 * memory; all is as before then. */
bool eop_grow(void *array_pointer, size_t *capacity, size_t need, size_t size);

/** Memory that this process may take: that of the machine, or of its control group where it has a
 * limit. UINT64_MAX: not known. */
uint64_t eop_memory_limit(void);

static inline bool eop_add_size(size_t *out, size_t a, size_t b) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool eop_mul_size(size_t *out, size_t a, size_t b) {
    return !__builtin_mul_overflow(a, b, out);
}

#endif /* EOP_BASE_MEMORY_H */
