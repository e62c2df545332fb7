/* SPDX-License-Identifier: Apache-2.0 */
/* The drivers that are built into the library. */
#ifndef EOP_INGEST_DRIVERS_H
#define EOP_INGEST_DRIVERS_H

#include "edgeops/driver.h"

/** The largest message where the configuration has no "max_payload", and the most that it may
 * say. */
#define EOP_MAX_PAYLOAD (1024u * 1024)

/** JSON Schema of the member that says how many assets the source may make. The host of the source
 * keeps it: see edgeops_source_options. */
#define EOP_MAX_ASSETS 10000
#define EOP_MAX_ASSETS_SCHEMA                                                                      \
    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":10000,"                    \
    "\"description\":\"how many assets it may make\"}"

#ifdef EOP_HAVE_MQTT
extern const edgeops_hld_driver eop_driver_mqtt;
#endif
/** Of its configuration; made of replay.schema.json. */
extern const char eop_replay_schema[];
extern const edgeops_hld_driver eop_driver_replay;

/** The built-in driver of that name; NULL: there is none. */
const edgeops_hld_driver *eop_driver_find(const char *name);

#endif /* EOP_INGEST_DRIVERS_H */
