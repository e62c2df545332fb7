/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by name, from the system's zone files: what UTC a local time is. The library is a guest
 * and never sets TZ nor calls tzset(); a zone is read once and is memory then. */
#ifndef EOP_CODEC_ZONE_H
#define EOP_CODEC_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

typedef struct eop_zone eop_zone;

/** What a local time is. */
typedef struct eop_zone_local {
    int64_t offset_s; /**< east of UTC */
    int64_t second_s; /**< repeated: that of the second pass, else offset_s */
    bool repeated;    /**< the clocks showed it twice; offset_s is that of the first pass */
    bool missing;     /**< the clocks left it out; offset_s is that before the change */
} eop_zone_local;

/** "Europe/Vienna" and such, from the folder TZDIR or /usr/share/zoneinfo (TZif 1 to 4: RFC 9636);
 * an offset such as "+02:00"; "UTC" and "GMT", which need no file.
 *
 *  @return E_INVALID: there is no such zone, or its file is broken; E_NOTFOUND: the system has no
 * zone files; E_NOMEM; E_IO */
edgeops_status eop_zone_new(eop_zone **out, const char *name);
void eop_zone_free(eop_zone *zone);
/** Any thread. seconds: of the local clock since 1970-01-01T00:00:00 of that clock. */
eop_zone_local eop_zone_at(const eop_zone *zone, int64_t seconds);

#endif /* EOP_CODEC_ZONE_H */
