/* SPDX-License-Identifier: Apache-2.0 */
/* What the node asks of a publisher beyond edgeops/ingest.h. The context's thread. */
#ifndef EOP_INGEST_PUBLISHER_H
#define EOP_INGEST_PUBLISHER_H

#include "edgeops/ingest.h"

/** Behind the client id of a source stands this for what is published through it. */
#define EOP_PUBLISHER_SUFFIX "-out"

/** Ends the connection that the host knows of and makes another: MQTT has no other way to send
 * again what is not acknowledged. on_state tells the end of it, soon, and the new one. */
void eop_publisher_renew(edgeops_publisher *publisher);

#endif /* EOP_INGEST_PUBLISHER_H */
