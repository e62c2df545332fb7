/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's end of HOME/edgeops.sock. */
#ifndef EOP_NODE_CONTROL_SOCKET_SERVER_H
#define EOP_NODE_CONTROL_SOCKET_SERVER_H

#include "node/home/home.h"

edgeops_status eop_server_new(eop_server **out, edgeops_node *node);
void eop_server_free(eop_server *server);

#endif /* EOP_NODE_CONTROL_SOCKET_SERVER_H */
