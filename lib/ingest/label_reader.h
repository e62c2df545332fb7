/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are labels: {"asset"?, "start" or "time", "end"?, "label", "author"?}, or an array
 * of such objects. */
#ifndef EOP_INGEST_LABEL_READER_H
#define EOP_INGEST_LABEL_READER_H

#include <stdbool.h>

#include "codec/json.h"
#include "edgeops/label.h"
#include "edgeops/store.h"

/* clang-format off */
#define EOP_LABELS_MEMBER(key, text) \
    "\"" key "\":{\"type\":\"string\",\"maxLength\":256,\"default\":\"" key "\",\"description\":\"" text "\"}"
/** JSON Schema of a source's "labels" member. */
#define EOP_LABELS_SCHEMA \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"topics\"],\"description\":" \
    "\"messages on these topics are labels, not samples\",\"properties\":{" \
    "\"topics\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"string\"}," \
    "\"description\":\"filters to subscribe to\"}," \
    "\"asset\":{\"type\":\"string\",\"minLength\":1,\"default\":\"{topic}\",\"description\":" \
    "\"where the message names none; made of the topic as in payload\"}," \
    "\"members\":{\"type\":\"object\",\"additionalProperties\":false,\"description\":" \
    "\"members of the message; dots part levels\",\"properties\":{" \
    EOP_LABELS_MEMBER("asset", "may be absent") "," \
    EOP_LABELS_MEMBER("start", "as times in payload; absent: the member time") "," \
    EOP_LABELS_MEMBER("end", "absent: a point in time") "," \
    EOP_LABELS_MEMBER("label", "what is said") "," \
    EOP_LABELS_MEMBER("author", "may be absent") "}}," \
    "\"time_unit\":{\"enum\":[\"s\",\"ms\",\"us\",\"ns\"],\"description\":\"of numbers; default: by size\"}," \
    "\"time_format\":{\"type\":\"string\",\"description\":\"as in payload\"}," \
    "\"time_zone\":{\"type\":\"string\"}}}"
/* clang-format on */

typedef struct eop_label_reader eop_label_reader;

/** config: checked against the schema; NULL gives *out NULL: every topic has samples. kind, source:
 * what the labels give as their source: "KIND:SOURCE/TOPIC". E_INVALID with the key. */
edgeops_status eop_label_reader_new(eop_label_reader **out, const eop_json *config,
                                    const char *kind, const char *source);
void eop_label_reader_free(eop_label_reader *reader);

/** Whether messages of this topic are labels. NULL: none are. */
bool eop_label_reader_takes(const eop_label_reader *reader, const char *topic);
/** Whether an MQTT filter, also one of a shared subscription, takes a topic. */
bool eop_topic_matches(const char *filter, const char *topic);
/** One message. One thread at a time for each reader.
 *
 *  @param labels  borrowed until the next call
 *  @return EDGEOPS_OK with *n of 1 to 10,000; EDGEOPS_E_INVALID with the reason for the dead-letter
 * list; E_NOMEM */
edgeops_status eop_label_reader_decode(eop_label_reader *reader, const char *topic,
                                       const void *data, size_t size, const edgeops_label **labels,
                                       size_t *n);

#endif /* EOP_INGEST_LABEL_READER_H */
