/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a host needs. Driver authors include edgeops/driver.h only. */
#ifndef EDGEOPS_H
#define EDGEOPS_H

#include "edgeops/arrow.h"
#include "edgeops/bench.h"
#include "edgeops/context.h"
#include "edgeops/dataset.h"
#include "edgeops/export.h"
#include "edgeops/ingest.h"
#include "edgeops/label.h"
#include "edgeops/node.h"
#include "edgeops/runtime.h"
#include "edgeops/status.h"
#include "edgeops/store.h"
#include "edgeops/types.h"
#include "edgeops/version.h"
#include "edgeops/workflow.h"

#endif /* EDGEOPS_H */
