/* SPDX-License-Identifier: Apache-2.0 */
/* What a source reads out of its configuration before its driver does. */
#ifndef EOP_INGEST_SOURCE_CONFIG_H
#define EOP_INGEST_SOURCE_CONFIG_H

#include "codec/json.h"
#include "codec/payload.h"
#include "edgeops/driver.h"

/** Parses a configuration and checks it against the driver's schema. */
edgeops_status eop_source_config_check(const edgeops_hld_driver *driver, const char *config_json,
                                       eop_json **out);
/** Makes the decoder of a driver that takes payloads; else *payload stays NULL. */
edgeops_status eop_source_payload_open(eop_payload **payload, uint64_t *max_payload,
                                       const edgeops_hld_driver *driver, const eop_json *config);
/** Puts a client id into the configuration where the driver uses one and none is given: the same at
 * each start, and a different one for each source and installation. */
edgeops_status eop_source_client_id(eop_json *config, const edgeops_hld_driver *driver,
                                    const char *name, const char *instance);

#endif /* EOP_INGEST_SOURCE_CONFIG_H */
