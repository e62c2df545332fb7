/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_BENCH_H
#define EDGEOPS_BENCH_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** A virtual asset: a documented, seeded model of a machine that makes labelled samples. The same
 *  kind, seed and options give the same samples, bit for bit, on one platform. */
typedef struct edgeops_virtual edgeops_virtual;

/** Append-only. Zero means default for every field but struct_size. */
typedef struct edgeops_virtual_options {
    size_t struct_size;
    uint64_t seed;      /**< default 1 */
    edgeops_time start; /**< time of the first sample, default 2026-01-01T00:00:00Z */
    double rate_hz;     /**< samples a second of asset time, 0.001..1,000,000; default by kind */
    const char *asset;  /**< name in the samples; default by kind */
} edgeops_virtual_options;
#define EDGEOPS_VIRTUAL_OPTIONS_INIT                                                               \
    { sizeof(edgeops_virtual_options), 0, 0, 0.0, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_virtual_options_init(edgeops_virtual_options *options, size_t struct_size);

/** Opens a virtual asset.
 *
 *  @param kind  "pcb" (solder-paste inspection, 16 measurements a deposit) or "imu" (both wrists of
 *               a worker)
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND for an unknown kind; EDGEOPS_E_INVALID (rate);
 *          EDGEOPS_E_NOMEM
 *  Threads: any; a virtual asset is used by one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_virtual_open(
    edgeops_virtual **out, const char *kind, const edgeops_virtual_options *options);

/** A label the virtual asset's inspector or observer gives. */
typedef struct edgeops_virtual_label {
    edgeops_time given; /**< asset time at which it becomes known; may be late */
    edgeops_time start;
    edgeops_time end; /**< exclusive; == start: a point */
    const char *label;
} edgeops_virtual_label;

/** Gives the next sample. There is always one.
 *
 *  @param sample  borrowed until the next call
 *  @return EDGEOPS_OK
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_virtual_next(const edgeops_sample **sample,
                                                                  edgeops_virtual *asset);

/** Gives the next label that has become known by the time of the last sample.
 *
 *  @param label  borrowed until the next call; untouched unless EDGEOPS_OK
 *  @return EDGEOPS_OK; EDGEOPS_DONE: none now
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_virtual_next_label(const edgeops_virtual_label **label, edgeops_virtual *asset);

/** Unit of a channel, "" for a channel without one or an unknown channel. Static.
 *  Threads: any. Since 0.1. */
EDGEOPS_API const char *edgeops_virtual_unit(const edgeops_virtual *asset, const char *channel);

/** Closes a virtual asset. NULL is allowed. Threads: one at a time. Since 0.1. */
EDGEOPS_API void edgeops_virtual_close(edgeops_virtual *asset);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_BENCH_H */
