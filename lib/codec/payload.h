/* SPDX-License-Identifier: Apache-2.0 */
/* Message payloads to samples: the hot path. It has a reader of its own, since it must be fast and
 * exact for int64. */
#ifndef EOP_CODEC_PAYLOAD_H
#define EOP_CODEC_PAYLOAD_H

#include "base/str.h"
#include "edgeops/types.h"

/* clang-format off */
/** JSON Schema (text) of a source's "payload" member:
 *  {"format": "json",        the only one so far: one object a sample, or an array of objects
 *   "asset": "watch/{2}",    name of the asset; {n} is the n-th level of the topic, {topic} the whole
 *                            one; default "{topic}"
 *   "time": "time",          member with the time stamp (ISO 8601 text, or a number in time_unit, taken
 *                            exactly, digits past the nanosecond cut off); when it is absent or null or
 *                            "time" is "", the time of arrival counts
 *   "time_unit": "ms",       "s", "ms", "us" or "ns"; default: by magnitude (< 1e11 s, < 1e14 ms,
 *                            < 1e17 us, else ns)
 *   "seq": "seq",            member with the sequence number, an integer; absent: 0 (the index within
 *                            an array whose samples have no time either)
 *   "values": "",            member that holds the values; "": the object itself
 *   "channels": {"name": {"type": "float64", "unit": "um", "from": "other.member",
 *                         "quality": "member"}},
 *                            types (default float64) and units; from: member within "values" that it
 *                            comes from, default the name; quality: member within "values" with the
 *                            quality code of its value, an integer 0..65534 as edgeops_sample has it,
 *                            or 0..3 for the Siemens databus' `qc` (see "quality"). A channel not listed has the type of its
 *                            value (every number is float64, true and false bool, text string)
 *   "quality": "code",       "code": the members that "quality" names hold codes as they are; "qc":
 *                            a databus' qc 0..3, kept in bits 6 and 7 as in its qx
 *   "new_channels": "add",   "add", "ignore" or "refuse" what "channels" does not list
 *   "non_finite": "refuse"}  "refuse" or "null" for the words NaN, Infinity, -Infinity where a number
 *                            belongs, bare, or in quotes for a listed channel
 * Dots part the levels in "time", "seq", "values" and "from". Nested objects give "a.b", arrays "a.0",
 * "a.1". null gives no value. A listed int64 may come as a string of digits; a listed string may come
 * as a number and keeps its digits; a listed bool may be 0 or 1. A listed array such as "float32[4096]"
 * is an array of that many numbers and comes as one value. */
/* clang-format on */
extern const char *const eop_payload_schema;

typedef struct eop_payload eop_payload;
/** config_json: NULL or "{}" for all defaults. E_INVALID with the key. */
edgeops_status eop_payload_new(eop_payload **out, const char *config_json);
void eop_payload_free(eop_payload *payload);

/** Decodes one message. One thread at a time for each payload object.
 *
 *  @param data     not changed
 *  @param samples  borrowed until the next call, and texts in them no longer than data
 *  @return EDGEOPS_OK with *n >= 1; EDGEOPS_E_INVALID with the reason for the dead-letter list
 * (byte offset, member; no control characters); E_LIMIT likewise for over 1 MiB, 1,024 channels,
 * 64 KiB of text or depth 32; E_NOMEM. What was given out before is gone also after an error. */
edgeops_status eop_payload_decode(eop_payload *payload, const char *topic, const void *data,
                                  size_t size, edgeops_time arrived, const edgeops_sample **samples,
                                  size_t *n);

/** Unit that the config gives a channel, "" for none: visit all listed ones. */
typedef edgeops_status (*eop_payload_channel_fn)(const char *channel, edgeops_type type,
                                                 const char *unit, void *user_data);
edgeops_status eop_payload_channels(const eop_payload *payload, eop_payload_channel_fn fn,
                                    void *user_data);

#endif /* EOP_CODEC_PAYLOAD_H */
