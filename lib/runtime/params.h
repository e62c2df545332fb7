/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a training: what the caller gave, checked and completed by the manifest. */
#ifndef EOP_RUNTIME_PARAMS_H
#define EOP_RUNTIME_PARAMS_H

#include "codec/json.h"
#include "edgeops/workflow.h"

/** Checks parameters against the manifest and fills in its defaults.
 *
 *  @param out          an object with every parameter of the manifest; free with eop_json_free
 *  @param params_json  JSON object; NULL or "": all defaults
 *  @return E_INVALID names the parameter that is unknown, out of range, of another type or that has
 * no default */
edgeops_status eop_params_resolve(eop_json **out, const edgeops_manifest *manifest,
                                  const char *params_json);

#endif /* EOP_RUNTIME_PARAMS_H */
