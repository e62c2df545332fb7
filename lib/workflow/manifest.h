/* SPDX-License-Identifier: Apache-2.0 */
/* workflow.json: its schema, its checks and the view that hosts get. */
#ifndef EOP_WORKFLOW_MANIFEST_H
#define EOP_WORKFLOW_MANIFEST_H

#include "codec/json.h"
#include "edgeops/workflow.h"
#include "workflow/entries.h"

/** The JSON Schema of workflow.json; workflow.schema.json, embedded. */
extern const char eop_manifest_schema[];

/** How long a live row may wait for its parts. */
#define EOP_WINDOW_MAX_WAIT (3600 * EDGEOPS_SECOND)
/** workflow.json at the root of a package, at most this long. */
#define EOP_MANIFEST_NAME "workflow.json"
enum { EOP_MANIFEST_MAX = 1 << 20 };

/** A manifest and what its view borrows from. {0} is an empty one. */
typedef struct eop_manifest {
    edgeops_manifest view;
    eop_json *json;
    char *text;
    char *parameters;
    edgeops_port *inputs;
    edgeops_port *outputs;
    const char **path;
    const char **classes;
} eop_manifest;

/** Checks the text against the schema and the rules that a schema cannot say, and fills the view.
 *
 *  @param out   empty; dispose of it, also after a failure
 *  @return EDGEOPS_OK; E_INVALID ("workflow.json:LINE:COLUMN: ..."); E_LIMIT; E_NOMEM */
edgeops_status eop_manifest_parse(eop_manifest *out, const char *text, size_t size);
/** Are the files there that the manifest speaks of? E_INVALID, E_UNSUPPORTED. */
edgeops_status eop_manifest_check_files(const eop_manifest *manifest, const eop_entries *entries);
void eop_manifest_dispose(eop_manifest *manifest);

/** What a schema cannot say: bounds of sizes and durations, whole numbers of rows, defaults within
 * their bounds, names that occur once. Fills window, limits of the view. */
edgeops_status eop_manifest_check_rules(eop_manifest *manifest);
/** E_INVALID with the place of a JSON pointer in front. */
edgeops_status eop_manifest_fail(const eop_manifest *manifest, const char *pointer,
                                 const char *format, ...) EOP_PRINTF(3, 4);

#endif /* EOP_WORKFLOW_MANIFEST_H */
