/* SPDX-License-Identifier: Apache-2.0 */
/* Between the JSON of a call and what the other rooms speak: arguments, and pieces of answers. */
#ifndef EOP_NODE_HOME_ARGS_H
#define EOP_NODE_HOME_ARGS_H

#include "codec/value.h"
#include "node/home/home.h"

/** The note of a thing that would run if a daemon ran it. */
#define EOP_NOTE_NOT_STARTED "starts with 'edgeopsctl node serve'"

/** A text that edgeops_time_parse() reads; absent: otherwise. E_INVALID names the key. */
edgeops_status eop_arg_time(edgeops_time *out, const eop_json *args, const char *key,
                            edgeops_time otherwise);
/** A duration such as 20ms, not 0; absent: *out stays. E_INVALID names the key. */
edgeops_status eop_arg_duration(edgeops_duration *out, const eop_json *args, const char *key);
/** The period that "rate" or "period" gives; neither: *out stays. E_INVALID. */
edgeops_status eop_arg_period(edgeops_duration *out, const eop_json *args);
/** Texts of an array, borrowed from args; *out free with eop_free, NULL when absent or empty. */
edgeops_status eop_arg_strings(const char ***out, size_t *count, const eop_json *args,
                               const char *key);
/** E_INVALID unless eop_id_valid(). */
edgeops_status eop_check_id(const char *what, const char *name);
/** {"items": [...]} with room for members. *items is borrowed from what is given. */
eop_json *eop_items(eop_json **items);
void eop_json_set_value(eop_json *object, const char *key, const edgeops_value *value);

#endif /* EOP_NODE_HOME_ARGS_H */
