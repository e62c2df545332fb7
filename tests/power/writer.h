/* SPDX-License-Identifier: Apache-2.0 */
/* One life of a home in the virtual machine, which ends when the power goes. */
#ifndef TESTS_POWER_WRITER_H
#define TESTS_POWER_WRITER_H

#include <stdint.h>

typedef enum writer_mode {
    WRITER_PROCESS, /* durability PROCESS */
    WRITER_POWER,   /* durability POWER */
    WRITER_SWITCH   /* PROCESS at first, POWER from some moment on */
} writer_mode;

typedef struct writer_options {
    const char *home;
    const char *disk;     /* for the promises: the raw disk */
    uint64_t promises_at; /* its first byte for them */
    uint32_t life;
    writer_mode mode;
    uint64_t seed;
} writer_options;

/** Opens the home, looks at what is there, sends again what was lost, and goes on from there. Never
 * returns: ends by writer_fail() or by the cut. */
_Noreturn void writer_live(const writer_options *options);

/** A line for the host. */
void writer_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** A line that begins with "failed: "; then waits for the end. */
_Noreturn void writer_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* TESTS_POWER_WRITER_H */
