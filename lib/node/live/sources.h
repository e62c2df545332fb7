/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of a home: added, started, shown. */
#ifndef EOP_NODE_LIVE_SOURCES_H
#define EOP_NODE_LIVE_SOURCES_H

#include "catalog/dead_letter.h"
#include "node/home/home.h"

edgeops_status eop_sources_load(edgeops_node *node);
void eop_sources_start(edgeops_node *node);
void eop_sources_stop(edgeops_node *node);
void eop_sources_free(edgeops_node *node);
void eop_sources_tick(edgeops_node *node);
eop_source *eop_source_find(edgeops_node *node, const char *name);
/** config: copied. */
edgeops_status eop_source_add(eop_source **out, edgeops_node *node, const char *name,
                              const char *driver, const eop_json *config, bool start);
/** How many assets it may make, from now on. */
edgeops_status eop_source_set_max_assets(eop_source *source, uint64_t max);
/** Tells all sources that an asset was removed: one that made it may make another. */
void eop_sources_asset_removed(edgeops_node *node, const char *asset);
edgeops_status eop_source_enable(eop_source *source, bool enable);
/** For one that nothing publishes through, with nothing left in its outbox. */
edgeops_status eop_source_remove(eop_source *source);
eop_json *eop_source_brief(eop_source *source);
eop_json *eop_source_describe(eop_source *source);
/** The newest first, at most max: also those that still wait to be written. fn: calls nothing of the
 * source. */
edgeops_status eop_source_letters(eop_source *source, size_t max, eop_dead_letter_fn fn,
                                  void *user_data);
const char *eop_source_name(const eop_source *source);
const char *eop_source_driver(const eop_source *source);
const eop_json *eop_source_config(const eop_source *source);
/** True when samples of the asset came through it, in this process or an earlier one. */
bool eop_source_feeds(eop_source *source, const char *asset);
bool eop_source_enabled(const eop_source *source);
/** True while it was started and the driver has not reported the outcome. */
bool eop_source_settling(eop_source *source);
/** True when messages can be published through it. */
bool eop_source_publishes(const eop_source *source);
/** Counts the MQTT sources that fit for publishing the predictions of an asset; *out is the first.
 * Fitting are those that feed the asset; without any, unless feeding_only, enabled ones. */
size_t eop_publish_sources(const char **out, edgeops_node *node, const char *asset,
                           bool feeding_only);

#endif /* EOP_NODE_LIVE_SOURCES_H */
