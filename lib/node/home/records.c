/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the catalog as JSON. */

#include "node/home/records.h"

#include <string.h>

#include "catalog/record.h"

edgeops_status eop_put_record(edgeops_node *node, const char *kind, const char *name,
                              const eop_json *record, bool insert_only) {
    char *text = eop_json_print(record);
    if (text == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_record_put(node->catalog, kind, name, text, insert_only);
    if (status == EDGEOPS_E_EXISTS) {
        status = eop_fail(EDGEOPS_E_EXISTS, "node",
                          "there is a %s '%s' already; take another name or remove it", kind, name);
    }
    eop_free(text);
    return status;
}

edgeops_status eop_get_record(eop_json **out, edgeops_node *node, const char *kind,
                              const char *name) {
    char *text = NULL;
    edgeops_status status = eop_record_get(&text, node->catalog, kind, name);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(out, text, strlen(text), kind, NULL);
        if (status == EDGEOPS_E_INVALID) {
            status =
                eop_fail(EDGEOPS_E_CORRUPT, "node", "the record of %s '%s' is broken", kind, name);
        }
    } else if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node", "there is no %s '%s'", kind, name);
    }
    eop_free(text);
    return status;
}
