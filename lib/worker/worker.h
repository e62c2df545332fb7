/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's own files. Py_LIMITED_API: one binary for every CPython from 3.9 on, and no way into
 * the interpreter's insides. */
#ifndef EOP_WORKER_WORKER_H
#define EOP_WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>

/** Text of glue.py, made at build time. */
extern const char eop_worker_glue[];

/** The C half of the glue: module "_edgeops". */
struct _object *eop_worker_module(void);

/* -- the connection to the host; any thread, without the interpreter lock -- */

/** Waits until a whole frame can be read and gives its size. With wait false: 0 when nothing has
 * come. @return 1; 0; -1 when the host is gone */
int eop_channel_peek(size_t *size, bool wait);
/** Reads the frame that eop_channel_peek() told of. False when the host is gone. */
bool eop_channel_read(void *out, size_t size);
/** Writes one frame, whole. False when the host is gone. */
bool eop_channel_write(const void *data, size_t size);

#endif /* EOP_WORKER_WORKER_H */
