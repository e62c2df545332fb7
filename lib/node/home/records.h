/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the catalog as JSON. */
#ifndef EOP_NODE_HOME_RECORDS_H
#define EOP_NODE_HOME_RECORDS_H

#include "node/home/home.h"

edgeops_status eop_put_record(edgeops_node *node, const char *kind, const char *name,
                              const eop_json *record, bool insert_only);
/** *out: free with eop_json_free. E_NOTFOUND names kind and name. */
edgeops_status eop_get_record(eop_json **out, edgeops_node *node, const char *kind,
                              const char *name);

#endif /* EOP_NODE_HOME_RECORDS_H */
