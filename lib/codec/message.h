/* SPDX-License-Identifier: Apache-2.0 */
/* The one encoder of messages: samples and predictions as JSON, one line each. What it writes of a
 * sample eop_payload_decode() reads with an empty configuration, bit for bit, except float64 that
 * is not finite. */
#ifndef EOP_CODEC_MESSAGE_H
#define EOP_CODEC_MESSAGE_H

#include "base/str.h"
#include "edgeops/types.h"

/** A member's key with a comma where one is needed: the text ends in '{' before the first one. */
void eop_message_put_key(eop_buf *buf, const char *key);
/** A member of text; NULL puts nothing. */
void eop_message_put_text(eop_buf *buf, const char *key, const char *text);
/** "time":"...","seq":1; the latter only if it is not 0. */
void eop_message_put_time(eop_buf *buf, edgeops_time time, int64_t seq);
/** A value: integers with all their digits; float64 so that it reads as float64 again, not finite:
 * null; a blob as the string "sha256:HEX:SIZE". */
void eop_message_put_value(eop_buf *buf, const char *name, const edgeops_value *value);
/** A whole sample: {"time":"...","seq":1,"a":1.5,...}. Its channels are not named "time" or "seq".
 *
 *  @param asset  member "asset" in front of them; NULL: none */
void eop_message_put_sample(eop_buf *buf, const edgeops_sample *sample, const char *asset);

#endif /* EOP_CODEC_MESSAGE_H */
