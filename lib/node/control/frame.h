/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over HOME/edgeops.sock: frames of one JSON object each.
 *
 *   to the daemon    {"id", "op", "args", "input": bool, "output": bool}, with a descriptor for
 *                    each that is true, input first; {"id", "cancel": true}
 *   from the daemon  any number of {"id", "event"}, then {"id", "result"} or
 *                    {"id", "error": {"code", "message"}}
 *
 * A client gives its calls rising ids from 1 on. */
#ifndef EOP_NODE_CONTROL_FRAME_H
#define EOP_NODE_CONTROL_FRAME_H

#include <stddef.h>

#define EOP_NODE_FRAME_MAX ((size_t)16 << 20)

#endif /* EOP_NODE_CONTROL_FRAME_H */
