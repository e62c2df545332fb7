/* SPDX-License-Identifier: Apache-2.0 */
/* Message payloads to samples: the hot path. It has a reader of its own, since it must be fast and
 * exact for int64. */
#ifndef EOP_CODEC_PAYLOAD_H
#define EOP_CODEC_PAYLOAD_H

#include "base/str.h"
#include "edgeops/types.h"

/** JSON Schema (text) of a source's "payload" member:
 *  {"format": "json",      one object a sample, or an array of objects; "value": the message is
 *                          one bare value (21.5, true, ON, a text); "databus": the common payload
 *                          format of Siemens' databus, vals or records, as if the rest were
 *                          "time": "ts", "values": "vals", "quality": "qc", "list": {"name": "id",
 *                          "value": "val", "quality": "qc"} (qx before it)
 *   "asset": "watch/{2}",  name of the asset; {n} is the n-th level of the topic, {topic} the whole
 *                          one, {device}, {meta.id} or (RFC 6901) {/meta/id} a member of the
 *                          message, a text or an integer, wherever it stands; default "{topic}".
 *                          Such a member is no channel unless it is listed
 *   "channel": "{3}",      of "value": name of the channel, of the topic alone; default "value"
 *   "time": "time",        member with the time stamp, as time_text.h reads it (ISO 8601 in its
 *                          forms, or a number, taken exactly, digits past the nanosecond cut off);
 *                          "": none
 *   "time_unit": "ms",     "s", "ms", "us" or "ns"; default: by magnitude (< 1e11 s, < 1e14 ms,
 *                          < 1e17 us, else ns; eight, twelve or fourteen digits may be a date)
 *   "time_format", "time_zone": as in eop_times_options; of an hour that the clocks show twice, the
 *                          pass that is nearer to the arrival
 *   "on_missing_time": "refuse",  a sample whose time is absent or null: "refuse", or "arrival",
 *                          which takes the time of arrival, also for what is not a time, and counts
 *                          it. Default: "refuse" where "time" is given, else the time of arrival
 *                          where there is none, and what is not a time is refused
 *   "seq": "seq",          member with the sequence number, an integer; absent: 0 (where a message
 *                          has several samples of one asset and time, as the rule of seqs.h counts)
 *   "values": "",          member that holds the values; "": the object itself
 *   "list": {"name": "id", "value": "val", "time": "ts", "quality": "qc"},  see below
 *   "channels": {"name": {"type": "float64", "unit": "um", "from": "other.member",
 *                         "quality": "member"}},
 *                          types (default float64) and units; from: member within "values" that it
 *                          comes from, default the name; quality: member within "values" with the
 *                          quality code of its value, an integer 0..65534 as edgeops_sample has it,
 *                          or 0..3 for the Siemens databus' `qc` (see "quality"). A channel not
 *                          listed has the type of its value (every number is float64, true and
 *                          false bool, text string)
 *   "quality": "code",     "code": the members that "quality" names hold codes as they are; "qc":
 *                          a databus' qc 0..3, kept in bits 6 and 7 as in its qx
 *   "null": ["n.a."],      words for null in texts for numbers and bools, beside those of rules.h
 *   "decimal": ",",        decimal sign in texts for numbers; default "."
 *   "new_channels": "add", "add", "ignore" or "refuse" what "channels" does not list
 *   "non_finite": "refuse"}  "refuse" or "null" for the words NaN, Infinity, -Infinity where a
 *                          number belongs, bare
 * Dots part the levels in "time", "seq", "values" and "from". Nested objects give "a.b", arrays
 * "a.0", "a.1". null gives no value. A channel that is listed as a number may come as a text, as
 * rules.h reads it (never Infinity); a listed string may come as a number and keeps its digits; a
 * listed bool may be 0 or 1, or true, on, yes, false, off, no in quotes. A listed array such as
 * "float32[4096]" is an array of that many numbers and comes as one value.
 *
 * Lists of objects are told apart by what names their elements, never by place. Of a list where
 * "values" points to (also through lists on the way, such as "records.vals"):
 *  - with "list"."name", elements are channels by that member, a text or an integer: NAME with
 *    "value", the member with the value, else NAME.member for each. Elements of one asset and time
 *    become one sample; from where a name comes again, the next.
 *    A message that is an object with "name" and "value" is such an element itself.
 *  - with "list"."name": "", each element is a sample; those of one asset and time are numbered from
 *    the message's sequence number on.
 *  - without "list": channels where all elements have a member id, name, tag or the like (tagname,
 *    key, sensor, signal, metric, variable, channel, device, in any case) and no time, samples
 *    where none has; what could be both is refused.
 * Time, sequence number and members of the asset's name are an element's own, else those around it.
 * "list"."time" is an element's time where it is called otherwise than the message's. Lists
 * elsewhere give "a.NAME.member" where all elements have a name, "a.0.member" where none has;
 * where new channels are added, elements with times of their own are refused there. */
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

/** How many of the samples that the last good call gave out have the time of arrival. */
size_t eop_payload_arrived_count(const eop_payload *payload);
/** How many times of the last good call lie in an hour that the clocks of the time zone left out; they
 * are read by the clock before it. */
size_t eop_payload_skipped_count(const eop_payload *payload);

/** Unit that the config gives a channel, "" for none: visit all listed ones. */
typedef edgeops_status (*eop_payload_channel_fn)(const char *channel, edgeops_type type,
                                                 const char *unit, void *user_data);
edgeops_status eop_payload_channels(const eop_payload *payload, eop_payload_channel_fn fn,
                                    void *user_data);

#endif /* EOP_CODEC_PAYLOAD_H */
