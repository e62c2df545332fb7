/* SPDX-License-Identifier: Apache-2.0 */
/* Moments that a person or a program gives, such as --start and --end: times as files have them, and
 * such that count from now. */
#ifndef EOP_CODEC_WHEN_H
#define EOP_CODEC_WHEN_H

#include <stdbool.h>

#include "edgeops/types.h"

/** What a message advises. */
#define EOP_WHEN_FORMS                                                                             \
    "write 2026-01-31T12:00:00Z, 2026-01-31, now, -1h, or a number since 1970 from 9 digits on "   \
    "(s, ms, us or ns by its size)"

/** As edgeops_time_parse(), by another clock. False: it is not a time, or not clear. */
bool eop_when(edgeops_time *out, const char *text, edgeops_time now);

#endif /* EOP_CODEC_WHEN_H */
