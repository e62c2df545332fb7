/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are one bare value. */
#include "codec_payload_help.h"

#define AT "{\"time\":\"1970-01-01T00:00:01.000000005Z\","

static void bare(const char *message, const char *wanted) {
    gives_on("{\"format\":\"value\",\"asset\":\"{2}\",\"channel\":\"{3}\"}", "m/m1/temp", message,
             wanted);
}

Test(codec_payload_value, a_value_goes_to_the_channel_of_the_topic) {
    bare("21.5", "m1 " AT "\"temp\":21.5}");
    bare(" -3e2\r\n", "m1 " AT "\"temp\":-300}");
    bare("true", "m1 " AT "\"temp\":true}");
    bare("True", "m1 " AT "\"temp\":true}");
    bare("on hold", "m1 " AT "\"temp\":\"on hold\"}");
    bare("\"21.5\"", "m1 " AT "\"temp\":\"21.5\"}");
    bare("\"a\\nb\"", "m1 " AT "\"temp\":\"a\\nb\"}");
    bare("007", "m1 " AT "\"temp\":\"007\"}");
    bare("21.5 C", "m1 " AT "\"temp\":\"21.5 C\"}");
    gives_on("{\"format\":\"value\"}", "a/b", "5", "a/b " AT "\"value\":5}");
    gives_on("{\"format\":\"value\",\"channel\":\"{2}/time\"}", "a/b", "5",
             "a/b " AT "\"b/time\":5}");
}

Test(codec_payload_value, a_listed_channel_has_its_type) {
    const char *config =
        "{\"format\":\"value\",\"asset\":\"a\",\"channel\":\"{1}\",\"new_channels\":\"refuse\","
        "\"channels\":{\"f\":{},\"i\":{\"type\":\"int64\"},\"b\":{\"type\":\"bool\"},\"s\":{"
        "\"type\":"
        "\"string\"},\"v\":{\"type\":\"int16[3]\"},\"from\":{\"from\":\"x/y\"}}}";
    gives_on(config, "f", "21", "a " AT "\"f\":21}");
    gives_on(config, "f", "\"21.5\"", "a " AT "\"f\":21.5}");
    gives_on(config, "i", "9007199254740993", "a " AT "\"i\":9007199254740993}");
    gives_on(config, "b", "ON", "a " AT "\"b\":true}");
    gives_on(config, "b", "off", "a " AT "\"b\":false}");
    gives_on(config, "b", "1", "a " AT "\"b\":true}");
    gives_on(config, "s", "021.50", "a " AT "\"s\":\"021.50\"}");
    gives_on(config, "s", "true", "a " AT "\"s\":\"true\"}");
    gives_on(config, "v", "[1,2,3]", "a " AT "\"v\":[1,2,3]}");
    gives_on(config, "v", "[1,2]", "byte 4, member 'v': an array of 3 numbers belongs here");
    gives_on(config, "v", "[1,2,3] 4", "byte 8, member 'v': more text behind the value");
    gives_on(config, "f", "warm",
             "byte 0, member 'f': the text 'warm' stands where a number belongs");
    gives_on(config, "b", "maybe",
             "byte 0, member 'b': the text 'maybe' stands where a bool belongs");
    gives_on(config, "q", "1",
             "byte 0, member 'q': the config does not list this channel, and \"new_channels\" is "
             "\"refuse\"");
}

Test(codec_payload_value, what_is_no_value_is_refused) {
    bare("", "byte 0: the message is empty");
    bare(" \n", "byte 0: the message is empty");
    bare("null", "byte 0: the sample has no values");
    bare("NaN", "byte 0, member 'temp': NaN stands where a number belongs; \"non_finite\": "
                "\"null\" takes it "
                "as missing");
    bare("1e999", "byte 0, member 'temp': 1e999 is beyond float64");
    bare("9007199254740993",
         "byte 0, member 'temp': 9007199254740993 is beyond 2^53 and would lose digits; list the "
         "channel 'temp' as int64 or string");
    bare("{\"a\":1}",
         "byte 0, member 'temp': a bare value belongs here; \"format\": \"json\" takes an object");
    bare("[1]",
         "byte 0, member 'temp': a bare value belongs here; \"format\": \"json\" takes a list");
    bare("a\xff", "byte 0, member 'temp': it is not a text in UTF-8");
    gives_on("{\"format\":\"value\",\"channel\":\"{3}\"}", "a/b", "5",
             "topic 'a/b' has no level 3 for the channel's name");
    gives_on("{\"format\":\"value\",\"asset\":\"a\",\"channel\":\"{2}\"}", "a/", "5",
             "'' is not a valid name for a channel; set \"channel\" in the payload config");
    config_refused("{\"format\":\"value\",\"time\":\"ts\"}",
                   "payload: /time: a message of format \"value\" has no members");
    config_refused("{\"format\":\"value\",\"asset\":\"{device}\"}",
                   "payload: /asset: a message of format \"value\" has no member 'device'");
    config_refused("{\"format\":\"value\",\"channel\":\"{device}\"}",
                   "payload: /channel: braces hold 'topic' or a level from 1 to 64, such as "
                   "\"{topic}\" or \"{3}\"");
    config_refused("{\"channel\":\"{3}\"}",
                   "payload: /channel is for format \"value\", see /channels");
}

Test(codec_payload_value, it_has_the_time_of_arrival_and_is_counted) {
    eop_payload *payload = make("{\"format\":\"value\"}");
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    cr_assert_eq(eop_payload_decode(payload, "t", "5", 1, ARRIVED, &samples, &n), EDGEOPS_OK);
    cr_expect_eq(samples[0].time, ARRIVED);
    cr_expect_eq(eop_payload_arrived_count(payload), 1);
    eop_payload_free(payload);
}

Test(codec_payload_value, every_failed_allocation_is_an_error) {
    each_allocation_fails("{\"format\":\"value\",\"channel\":\"{1}\"}", "\"a\\nb\"", 1);
}
