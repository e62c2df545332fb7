/* SPDX-License-Identifier: Apache-2.0 */
/* The drivers that are built into the library. */
#ifndef EOP_INGEST_DRIVERS_H
#define EOP_INGEST_DRIVERS_H

#include "edgeops/driver.h"

#ifdef EOP_HAVE_MQTT
extern const edgeops_hld_driver eop_driver_mqtt;
#endif
extern const edgeops_hld_driver eop_driver_replay;

/** The built-in driver of that name; NULL: there is none. */
const edgeops_hld_driver *eop_driver_find(const char *name);

#endif /* EOP_INGEST_DRIVERS_H */
