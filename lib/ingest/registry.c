/* SPDX-License-Identifier: Apache-2.0 */
/* The list of built-in drivers. */
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "edgeops/ingest.h"
#include "ingest/drivers.h"

static const edgeops_hld_driver *const drivers[] = {
#ifdef EOP_HAVE_MQTT
    &eop_driver_mqtt,
#endif
    &eop_driver_replay,
};

edgeops_status edgeops_driver_list(edgeops_driver_fn fn, void *user_data) {
    EOP_REQUIRE(fn != NULL, "ingest");
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < EOP_COUNT(drivers) && status == EDGEOPS_OK; i++) {
        status = fn(drivers[i], user_data);
    }
    return status;
}

const edgeops_hld_driver *eop_driver_find(const char *name) {
    for (size_t i = 0; i < EOP_COUNT(drivers); i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}
