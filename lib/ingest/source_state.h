/* SPDX-License-Identifier: Apache-2.0 */
/* The word for a source's state, one in logs, records and views. */
#ifndef EOP_INGEST_SOURCE_STATE_H
#define EOP_INGEST_SOURCE_STATE_H

#include "edgeops/ingest.h"

/** Such as "running". Static. */
const char *eop_source_state_name(edgeops_source_state state);

#endif /* EOP_INGEST_SOURCE_STATE_H */
