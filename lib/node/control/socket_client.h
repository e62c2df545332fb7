/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the daemon of a home. */
#ifndef EOP_NODE_CONTROL_SOCKET_CLIENT_H
#define EOP_NODE_CONTROL_SOCKET_CLIENT_H

#include "node/control/call.h"

edgeops_status eop_client_new(eop_client **out, edgeops_node *node);
void eop_client_free(eop_client *client);
edgeops_status eop_client_send(eop_client *client, edgeops_call *call, const char *operation,
                               const char *args_json);

#endif /* EOP_NODE_CONTROL_SOCKET_CLIENT_H */
