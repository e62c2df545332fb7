/* SPDX-License-Identifier: Apache-2.0 */
/* What a source's driver says of its link, and whether the peer still had the session of an earlier
 * life of this program: a record keeps whose session it was. Loop's thread. */
#ifndef EOP_NODE_LIVE_CONNECTION_H
#define EOP_NODE_LIVE_CONNECTION_H

#include "node/home/home.h"

typedef struct eop_connection {
    edgeops_node *node;
    const char *name; /**< of the source; borrowed */
    char *before;     /**< whose session an earlier process had; NULL: none */
    char *kept;       /**< what the record says */
    bool judged;      /**< the first connection was compared with `before` */
    bool lost;        /**< and its session was gone */
} eop_connection;

/** Reads the record. */
void eop_connection_load(eop_connection *c, edgeops_node *node, const char *name);
void eop_connection_dispose(eop_connection *c);
/** Looks at the link and keeps whose session it has. Call it now and then; cheap. */
void eop_connection_tick(eop_connection *c, edgeops_source *source);
/** *out: the members that edgeops_source_connection() documents, without the warnings, NULL when the
 * driver says nothing. *warnings: an array. Both given to the caller. source: NULL is allowed. */
void eop_connection_get(eop_json **out, eop_json **warnings, eop_connection *c,
                        edgeops_source *source);
/** "'ID' at HOST:PORT" where both sources are, or publish as, one client of one peer; free with
 * eop_free. NULL: they are not, or it is not known; sources may be NULL. */
char *eop_connection_shared(edgeops_source *a, edgeops_source *b);
/** "'ID' at HOST:PORT" where the peer has a session of the source and there is no link over which it
 * could be ended; free with eop_free. Else NULL. */
char *eop_connection_left(eop_connection *c, edgeops_source *source);
/** Removes the record of a source that is removed. */
void eop_connection_forget(edgeops_node *node, const char *name);

#endif /* EOP_NODE_LIVE_CONNECTION_H */
