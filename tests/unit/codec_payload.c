/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/payload.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "codec/schema.h"
#include "codec_corpus.h"
#include "codec_payload_help.h"

static void has_time(const char *config, const char *time, edgeops_time wanted) {
    eop_payload *payload = make(config);
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    char message[128];
    snprintf(message, sizeof(message), "{\"time\":%s,\"x\":1}", time);
    edgeops_status status =
        eop_payload_decode(payload, "t", message, strlen(message), ARRIVED, &samples, &n);
    cr_expect_eq(status, EDGEOPS_OK, "%s: %s", time, edgeops_error_last()->message);
    if (status == EDGEOPS_OK) {
        cr_expect_eq(samples[0].time, wanted, "%s: %lld", time, (long long)samples[0].time);
    }
    eop_payload_free(payload);
}

Test(codec_payload, an_object_is_a_sample) {
    gives(NULL,
          "{\"time\":\"2026-01-02T03:04:05.5Z\",\"seq\":7,\"x\":1.5,\"on\":true,\"s\":"
          "\"\\u00e9\\n\"}",
          "t "
          "{\"time\":\"2026-01-02T03:04:05.500Z\",\"seq\":7,\"x\":1.5,\"on\":true,\"s\":"
          "\"\xc3\xa9\\n\"}");
    gives("{}", " {\"x\":-0,\"n\":null} ",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"x\":-0}");
}

Test(codec_payload, an_array_is_many_samples) {
    gives(NULL, "[{\"time\":1,\"x\":1},{\"time\":2,\"y\":2,\"x\":3}]",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}\n"
          "t {\"time\":\"1970-01-01T00:00:02Z\",\"y\":2,\"x\":3}");
    gives(NULL, "[{\"x\":1},{\"x\":2}]",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"x\":1}\n"
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"seq\":1,\"x\":2}");
    gives(NULL, "[]", "byte 1: an array without samples");
    gives(NULL, "[{\"x\":1},5]", "byte 9: each element of the array must be an object");
    gives(NULL, "[{\"x\":1},{}]", "byte 9: the sample has no values");
}

/* A channel that comes again at one time is another row; what completes a row keeps its number. */
Test(codec_payload, an_array_with_times_that_come_again_counts_up) {
    static const char at[] = "t {\"time\":\"1970-01-01T00:00:01Z\",";
    char wanted[600];
    snprintf(wanted, sizeof wanted,
             "%s\"x\":1}\n%s\"y\":5}\n%s\"seq\":1,\"x\":2}\n"
             "t {\"time\":\"1970-01-01T00:00:02Z\",\"x\":9}\n%s\"seq\":1,\"y\":6}\n"
             "%s\"seq\":2,\"x\":2,\"y\":7}",
             at, at, at, at, at);
    gives(NULL,
          "[{\"time\":1,\"x\":1},{\"time\":1,\"y\":5},{\"time\":1,\"x\":2},{\"time\":2,\"x\":9},"
          "{\"time\":1,\"y\":6},{\"time\":1,\"x\":2,\"y\":7}]",
          wanted);
    snprintf(wanted, sizeof wanted,
             "%s\"x\":1}\n%s\"seq\":4,\"x\":2}\n%s\"seq\":4,\"y\":8}\n%s\"seq\":5,\"x\":3}", at, at,
             at, at);
    gives(NULL,
          "[{\"time\":1,\"x\":1},{\"time\":1,\"seq\":4,\"x\":2},{\"time\":1,\"y\":8},"
          "{\"time\":1,\"x\":3}]",
          wanted);
    gives(NULL, "[{\"x\":1},{\"y\":2,\"x\":null},{\"x\":3}]",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"x\":1}\n"
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"y\":2}\n"
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"seq\":1,\"x\":3}");
    gives(NULL, "[{\"time\":1,\"seq\":9223372036854775807,\"x\":1},{\"time\":1,\"x\":2}]",
          "byte 44: there is no sequence number left for it");
    gives("{\"asset\":\"{id}\"}",
          "[{\"id\":\"a\",\"time\":1,\"x\":1},{\"id\":\"b\",\"time\":1,\"x\":2},"
          "{\"id\":\"a\",\"time\":1,\"x\":3}]",
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}\n"
          "b {\"time\":\"1970-01-01T00:00:01Z\",\"x\":2}\n"
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":1,\"x\":3}");
}

Test(codec_payload, nested_members_get_dotted_names) {
    gives(
        NULL, "{\"time\":1,\"a\":{\"b\":{\"c\":1},\"d\":[2,[3],{\"e\":4}]},\"f\":[],\"g\":{}}",
        "t "
        "{\"time\":\"1970-01-01T00:00:01Z\",\"a.b.c\":1,\"a.d.0\":2,\"a.d.1.0\":3,\"a.d.2.e\":4}");
    gives(NULL, "{\"a\\u002eb\":1,\"a\":{\"b\":2}}",
          "byte 23, member 'a.b': it is there twice in one sample");
}

Test(codec_payload, doubles_are_refused) {
    gives(NULL, "{\"x\":1,\"x\":2}", "byte 11, member 'x': it is there twice in one sample");
    gives(NULL, "{\"x\":null,\"x\":2}", "byte 14, member 'x': it is there twice in one sample");
    gives(NULL, "{\"x\":{\"a\":1},\"x\":{\"b\":2}}",
          "byte 17, member 'x': it is there twice in one sample");
    gives(NULL, "{\"time\":1,\"time\":2,\"x\":1}",
          "byte 17, member 'time': it is there twice in one sample");
    gives(NULL, "{\"x\":1,\"\\u0078\":2}", "byte 16, member 'x': it is there twice in one sample");
}

Test(codec_payload, time_stamps_are_exact) {
    has_time(NULL, "1657533977", 1657533977000000000);
    has_time(NULL, "1657533977.810123", 1657533977810123000);
    has_time(NULL, "1657533977.8101234567", 1657533977810123456);
    has_time(NULL, "1657533977810", 1657533977810000000);
    has_time(NULL, "1657533977810.123", 1657533977810123000);
    has_time(NULL, "1657533977810123", 1657533977810123000);
    has_time(NULL, "1657533977810123457", 1657533977810123457);
    has_time(NULL, "1.657533977810123457e18", 1657533977810123457);
    has_time(NULL, "-1.5", -1500000000);
    has_time(NULL, "0", 0);
    has_time(NULL, "99999999999e-10", 9999999999);
    has_time("{\"time_unit\":\"ms\"}", "5", 5000000);
    has_time("{\"time_unit\":\"us\"}", "5.25", 5250);
    has_time("{\"time_unit\":\"ns\"}", "9223372036854775807", INT64_MAX);
    has_time("{\"time_unit\":\"ns\"}", "-9223372036854775808", INT64_MIN);
    has_time("{\"time_unit\":\"s\"}", "0.000000001999999999999999999999", 1);
    has_time(NULL, "\"2026-01-02T03:04:05+01:00\"", 1767319445000000000);
    has_time(NULL, "null", ARRIVED);
    has_time("{\"time\":\"\"}", "5", ARRIVED);
}

Test(codec_payload, an_hour_that_the_clocks_left_out_is_counted) {
    static const char message[] = "[{\"x\":1,\"time\":\"2024-03-31 01:59\"},"
                                  "{\"x\":2,\"time\":\"2024-03-31 02:30\"},"
                                  "{\"x\":3,\"time\":\"2024-03-31 03:45\"}]";
    eop_payload *payload = make("{\"time_zone\":\"Europe/Vienna\"}");
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    cr_assert_eq(eop_payload_decode(payload, "t", message, strlen(message), 0, &samples, &n),
                 EDGEOPS_OK);
    cr_expect_eq(eop_payload_skipped_count(payload), 1);
    cr_expect_eq(samples[1].time, INT64_C(1711848600) * EDGEOPS_SECOND); /* by the clock before */
    cr_assert_eq(eop_payload_decode(payload, "t", "{\"x\":1,\"time\":5}", 16, 0, &samples, &n),
                 EDGEOPS_OK);
    cr_expect_eq(eop_payload_skipped_count(payload), 0);
    eop_payload_free(payload);
}

Test(codec_payload, an_hour_that_comes_twice_is_the_one_nearer_to_the_arrival) {
    eop_payload *payload = make("{\"time_zone\":\"Europe/Vienna\"}");
    static const struct {
        const char *text;
        edgeops_time arrived, wanted;
    } all[] = {{"2024-10-27 02:30:00", 1729989010, 1729989000},
               {"2024-10-27 02:30:00", 1729992605, 1729992600},
               {"2024-10-27 02:30:00", 1729993000, 1729992600},
               {"2024-10-27T02:30:00+01:00", 1729989010, 1729992600},
               {"2024-07-01 12:00", 0, 1719828000},
               {"2024-10-27 02:30:00Z", 0, 1729996200}};
    for (size_t i = 0; i < EOP_COUNT(all); i++) {
        const edgeops_sample *samples = NULL;
        size_t n = 0;
        char message[80];
        snprintf(message, sizeof(message), "{\"x\":1,\"time\":\"%s\"}", all[i].text);
        cr_assert_eq(eop_payload_decode(payload, "t", message, strlen(message),
                                        all[i].arrived * EDGEOPS_SECOND, &samples, &n),
                     EDGEOPS_OK, "%s: %s", message, edgeops_error_last()->message);
        cr_expect_eq(samples[0].time, all[i].wanted * EDGEOPS_SECOND, "%s: %lld", message,
                     (long long)samples[0].time);
    }
    eop_payload_free(payload);
}

Test(codec_payload, times_have_the_forms_of_tables) {
    has_time(NULL, "\"1657533977\"", 1657533977000000000);
    has_time(NULL, "\"1657533977810\"", 1657533977810000000);
    has_time(NULL, "20220711", 1657497600000000000);
    has_time(NULL, "\"2022-07-11T12:06+0200\"", 1657533960000000000);
    has_time(NULL, "\"2022-07-11 12:06:17+02\"", 1657533977000000000);
    has_time(NULL, "\"2022-07-11T10:06:17,5Z\"", 1657533977500000000);
    has_time(NULL, "\"2022\\/07\\/11 10:06:17\"", 1657533977000000000);
    has_time("{\"time_format\":\"%d.%m.%Y %H:%M\",\"time_zone\":\"+02:00\"}",
             "\"11.07.2022 12:06\"", 1657533960000000000);
}

Test(codec_payload, a_mark_of_utf8_in_front_does_not_count) {
    gives(NULL, "\xef\xbb\xbf{\"time\":1,\"x\":1}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}");
    gives(NULL, "\xef\xbb\xbf{\"time\":1,\"x\":[{\"y\":1}]}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"x.0.y\":1}");
    gives("{\"format\":\"value\"}",
          "\xef\xbb\xbf"
          "5",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"value\":5}");
}

Test(codec_payload, texts_are_numbers_where_numbers_are_listed) {
    const char *config = "{\"null\":[\"err\"],\"channels\":{\"f\":{},\"g\":{\"type\":\"float32\"},"
                         "\"i\":{\"type\":\"int8\"},\"b\":{\"type\":\"bool\"}}}";
    gives(config, "{\"time\":1,\"f\":\"21.5\",\"g\":\"1e3\",\"i\":\"-7\",\"b\":\"True\"}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"f\":21.5,\"g\":1000,\"i\":-7,\"b\":true}");
    gives(config, "{\"time\":1,\"f\":\"NA\",\"g\":\"-\",\"i\":\"err\",\"b\":\"\",\"s\":\"NA\"}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"s\":\"NA\"}");
    gives(config, "{\"f\":\"Infinity\"}",
          "byte 5, member 'f': Infinity stands where a number belongs; \"non_finite\": \"null\" "
          "takes it as missing");
    gives(config, "{\"f\":\"1,5\"}",
          "byte 5, member 'f': the text '1,5' stands where a number belongs");
    gives(config, "{\"i\":\"300\"}",
          "byte 5, member 'i': the text '300' stands where a number belongs");
    gives("{\"decimal\":\",\",\"channels\":{\"f\":{}}}", "{\"time\":1,\"f\":\"1,5\",\"g\":2.5}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"f\":1.5,\"g\":2.5}");
}

Test(codec_payload, bad_time_stamps_are_refused) {
    gives(NULL, "{\"time\":\"noon\",\"x\":1}",
          "byte 8, member 'time': \"noon\" is not a time stamp (ISO 8601 text, or a number between "
          "1677 and 2262)");
    gives(
        "{\"time_unit\":\"s\"}", "{\"time\":9223372037,\"x\":1}",
        "byte 8, member 'time': 9223372037 is not a time stamp (ISO 8601 text, or a number between "
        "1677 and "
        "2262)");
    gives("{\"time_format\":\"%d.%m.%Y\"}", "{\"time\":\"2026-02-01\",\"x\":1}",
          "byte 8, member 'time': \"2026-02-01\" is not a time stamp of the form '%d.%m.%Y' "
          "(time_format)");
    gives(NULL, "{\"time\":NaN,\"x\":1}",
          "byte 8, member 'time': NaN is not a time stamp (ISO 8601 text, or a number between 1677 "
          "and 2262)");
    gives(NULL, "{\"seq\":1.5,\"x\":1}",
          "byte 7, member 'seq': 1.5 is not a sequence number, which is an int64");
    gives(NULL, "{\"seq\":\"1\",\"x\":1}",
          "byte 7, member 'seq': \"1\" is not a sequence number, which is an int64");
}

Test(codec_payload, numbers_that_would_change_are_refused) {
    gives(NULL, "{\"x\":9007199254740992}",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"x\":9007199254740992}");
    gives(NULL, "{\"x\":9007199254740993}",
          "byte 5, member 'x': 9007199254740993 is beyond 2^53 and would lose digits; list the "
          "channel 'x' as int64 or string");
    gives("{\"values\":\"v\"}", "{\"v\":{\"x\":9007199254740993}}",
          "byte 10, member 'v.x': 9007199254740993 is beyond 2^53 and would lose digits; list the "
          "channel 'x' as int64 or string");
    gives(NULL, "{\"x\":-100000000000000000000}",
          "byte 5, member 'x': -100000000000000000000 is beyond 2^53 and would lose digits; list "
          "the channel 'x' as int64 or string");
    gives(NULL, "{\"x\":1e999}", "byte 5, member 'x': 1e999 is beyond float64");
    gives("{\"channels\":{\"x\":{\"type\":\"int64\"}}}", "{\"x\":9223372036854775808}",
          "byte 5, member 'x': 9223372036854775808 is not an int64");
    gives("{\"channels\":{\"x\":{\"type\":\"int64\"}}}", "{\"x\":0.5}",
          "byte 5, member 'x': 0.5 is not an int64");
}

Test(codec_payload, listed_types_hold) {
    const char *config = "{\"time\":\"\",\"channels\":{\"i\":{\"type\":\"int64\"},\"b\":{\"type\":"
                         "\"bool\"},\"s\":{\"type\":"
                         "\"string\"},\"f\":{}}}";
    gives(
        config,
        "{\"i\":-9223372036854775808,\"b\":1,\"s\":9007199254740993.10,\"f\":18446744073709551616}",
        "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"i\":-9223372036854775808,\"b\":true,"
        "\"s\":\"9007199254740993.10\",\"f\":1.8446744073709552e+19}");
    gives(config, "{\"i\":\"9223372036854775807\"}",
          "t {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"i\":9223372036854775807}");
    gives(config, "{\"f\":\"1.5x\"}",
          "byte 5, member 'f': the text '1.5x' stands where a number belongs");
    gives(config, "{\"b\":2}", "byte 5, member 'b': 2 is not a bool");
    gives(config, "{\"b\":\"maybe\"}",
          "byte 5, member 'b': the text 'maybe' stands where a bool belongs");
    gives(config, "{\"f\":true}", "byte 5, member 'f': true stands where a number belongs");
    gives(config, "{\"s\":false}", "byte 5, member 's': false stands where a text belongs");
}

Test(codec_payload, not_finite_words) {
    const char *null = "{\"non_finite\":\"null\",\"channels\":{\"f\":{}}}";
    gives(NULL, "{\"x\":-Infinity}",
          "byte 5, member 'x': -Infinity stands where a number belongs; \"non_finite\": \"null\" "
          "takes it as missing");
    gives(null, "{\"time\":1,\"x\":NaN,\"y\":Infinity,\"f\":\"NaN\",\"z\":1}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"z\":1}");
    gives(NULL, "{\"time\":1,\"x\":\"NaN\"}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"x\":\"NaN\"}");
    gives(null, "{\"x\":nan}", "byte 5, member 'x': a value is missing or misspelt");
    gives(null, "{\"x\":NaNa}", "byte 5, member 'x': a value is missing or misspelt");
}

Test(codec_payload, values_and_from_find_their_members) {
    const char *config = "{\"values\":\"d.v\",\"time\":\"d.ts\",\"seq\":\"n\",\"time_unit\":\"ms\","
                         "\"channels\":{\"T\":{\"from\":\"t.0\",\"unit\":\"K\"}}}";
    gives(config, "{\"m\":1,\"n\":3,\"d\":{\"ts\":1000,\"v\":{\"t\":[5,6],\"u\":7},\"w\":8}}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":3,\"T\":5,\"t.1\":6,\"u\":7}");
    gives(config, "{\"d\":{\"ts\":1,\"v\":5}}", "byte 0: the sample has no values in 'd.v'");
    gives(config, "{\"d\":{\"v\":{\"T\":1}}}",
          "byte 15, member 'd.v.T': the channel of this name comes from another member; rename one "
          "of them");
}

Test(codec_payload, new_channels_are_added_ignored_or_refused) {
    gives("{\"new_channels\":\"ignore\",\"channels\":{\"a\":{}}}",
          "{\"time\":1,\"a\":1,\"b\":9007199254740993}",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"a\":1}");
    gives("{\"new_channels\":\"refuse\",\"channels\":{\"a\":{}}}", "{\"a\":1,\"b\":2}",
          "byte 11, member 'b': the config does not list this channel, and \"new_channels\" is "
          "\"refuse\"");
}

Test(codec_payload, assets_are_named_by_the_topic) {
    gives_on("{\"asset\":\"watch/{2}-{1}\"}", "s/left/1", "{\"time\":1,\"x\":1}",
             "watch/left-s {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}");
    gives_on("{\"asset\":\"all/{topic}\"}", "s/left", "{\"time\":1,\"x\":1}",
             "all/s/left {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}");
    gives_on("{\"asset\":\"one\"}", "s//", "{\"time\":1,\"x\":1}",
             "one {\"time\":\"1970-01-01T00:00:01Z\",\"x\":1}");
    gives_on("{\"asset\":\"{4}\"}", "s/left/1", "{\"x\":1}",
             "topic 's/left/1' has no level 4 for the asset's name");
    gives_on(NULL, "/s/left", "{\"x\":1}",
             "'/s/left' is not a valid name for an asset; set \"asset\" in the payload config");
    gives_on(NULL, "a\x01\xc2\x85\x7f\xff", "{\"x\":1}",
             "'a\?\?\?\?' is not a valid name for an asset; set \"asset\" in the payload config");
}

Test(codec_payload, one_object_serves_many_topics) {
    eop_payload *payload = make("{\"asset\":\"w/{1}\"}");
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    static const char *const topics[] = {"a", "b", "b/c", "", "a"};
    static const char *const assets[] = {"w/a", "w/b", "w/b", NULL, "w/a"};
    for (size_t i = 0; i < 5; i++) {
        edgeops_status status =
            eop_payload_decode(payload, topics[i], "{\"x\":1}", 7, 0, &samples, &n);
        cr_expect_eq(status, assets[i] != NULL ? EDGEOPS_OK : EDGEOPS_E_INVALID);
        if (assets[i] != NULL) {
            cr_expect_str_eq(samples[0].asset, assets[i]);
        }
    }
    eop_payload_free(payload);
}

Test(codec_payload, broken_json_is_refused_with_its_place) {
    gives(NULL, "", "byte 0: nothing but blanks");
    gives(NULL, "5",
          "byte 0: a message is one object or an array of objects; \"format\": \"value\" takes a "
          "bare value");
    gives(NULL, "{\"x\":1}x", "byte 7: more text behind the value");
    gives(NULL, "{\"x\":1,", "byte 7, member 'x': the text ends too early");
    gives(NULL, "{\"x\":1 \"y\":2}", "byte 7, member 'x': a comma or '}' is missing");
    gives(NULL, "{\"x\":\"\x01\"}",
          "byte 6, member 'x': a control character in a string: escape it");
    gives(NULL, "{\"x\":\"\\u0000\"}", "byte 5, member 'x': \\u0000 in a text");
    gives(
        NULL, "{\"x\\u0000y\":1}",
        "byte 12, member 'x?y': this is not a valid name for a channel (1 to 128 bytes, no control "
        "characters, no empty "
        "level between slashes); \"channels\" with \"from\" names it");
    gives("{\"list\":{\"name\":\"n\",\"value\":\"v\"},\"channels\":{\"t\":{\"from\":\"u=http://"
          "x;s=T.1\"}}}",
          "[{\"n\":\"u=http://x;s=T.1\",\"v\":\"5\",\"time\":1}]",
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"t\":5}");
    gives(NULL, "{\"\":1}",
          "byte 4, member '': this is not a valid name for a channel (1 to 128 bytes, no control "
          "characters, no empty level "
          "between slashes); \"channels\" with \"from\" names it");
}

Test(codec_payload, limits_hold) {
    eop_buf text = {0};
    for (int i = 0; i < 33; i++) {
        eop_buf_puts(&text, "{\"a\":");
    }
    gives(NULL, text.data, "limit: byte 160, member 'a': nested too deeply");
    eop_buf_clear(&text);
    for (int i = 0; i < 1025; i++) {
        eop_buf_printf(&text, "%s\"c%d\":%d", i == 0 ? "{" : ",", i, i);
    }
    eop_buf_puts(&text, "}");
    gives(NULL, text.data, "limit: byte 11101, member 'c1024': the sample has over 1,024 channels");
    eop_buf_clear(&text);
    eop_buf_puts(&text, "{\"s\":\"");
    while (text.size <= 65536 + 6) {
        eop_buf_puts(&text, "0123456789abcdef");
    }
    eop_buf_puts(&text, "\"}");
    gives(NULL, text.data, "limit: byte 5, member 's': a text of over 64 KiB");
    eop_buf_clear(&text);
    eop_buf_puts(&text, "{\"");
    for (int i = 0; i < 2000; i++) {
        eop_buf_puts(&text, "n");
    }
    eop_buf_puts(&text, "\":1}");
    gives(NULL, text.data,
          "byte 2004, member 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...': "
          "the name is too "
          "long");
    eop_buf_clear(&text);
    while (text.size <= (size_t)1 << 20) {
        eop_buf_puts(&text, "                ");
    }
    gives(NULL, text.data, "limit: the message has 1048592 bytes; 1 MiB is the most");
    eop_buf_dispose(&text);
}

Test(codec_payload, wrong_configs_name_the_key) {
    config_refused("{\"time_units\":\"s\"}",
                   "payload: unknown key 'time_units' in the document; did you mean 'time_unit'?");
    static const char *const bad_assets[] = {"a}", "{}", "a/{0}", "{65}",
                                             "{",  "{a", "{{a}}", "{/}"};
    for (size_t i = 0; i < EOP_COUNT(bad_assets); i++) {
        char config[64];
        snprintf(config, sizeof(config), "{\"asset\":\"%s\"}", bad_assets[i]);
        config_refused(config,
                       "payload: /asset: braces hold 'topic' or a level from 1 to 64, or a member "
                       "of the message: \"{topic}\", \"watch/{2}\", \"{device}\"");
    }
    config_refused("{\"time\":\"t\",\"seq\":\"t\"}",
                   "payload: /time and /seq name the same member 't'");
    config_refused("{\"channels\":{\"a\":{\"from\":\"c\"},\"b\":{\"from\":\"c\"}}}",
                   "payload: /channels: 'a' and 'b' both come from 'c'");
    config_refused("{\"channels\":{\"a\":{\"from\":\"time\"}}}",
                   "payload: /channels/a comes from 'time', which is the time stamp or the "
                   "sequence number; name "
                   "another member in /time or /seq");
    config_refused("{\"channels\":{\"a/\":{}}}",
                   "payload: /channels: 'a/' is not a valid name for a channel");
    config_refused(
        "{\"channels\":{\"a\":{\"type\":\"float\"}}}",
        "payload: /channels/a/type: 'float' is not a type: choose one of float64, float32, "
        "int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, string, or an "
        "array of 2 to 65536 numbers such as float32[4096]");
}

static edgeops_status note_channel(const char *channel, edgeops_type type, const char *unit,
                                   void *user_data) {
    eop_buf_printf(user_data, "%s %d %s;", channel, (int)type, unit);
    return strcmp(channel, "stop") == 0 ? EDGEOPS_E_USER : EDGEOPS_OK;
}

Test(codec_payload, listed_channels_are_visited) {
    eop_payload *payload =
        make("{\"channels\":{\"b\":{\"type\":\"int64\"},\"a\":{\"unit\":\"um\"}}}");
    eop_buf out = {0};
    cr_expect_eq(eop_payload_channels(payload, note_channel, &out), EDGEOPS_OK);
    cr_expect_str_eq(out.data, "a 1 um;b 2 ;");
    eop_payload_free(payload);
    payload = make("{\"channels\":{\"stop\":{}}}");
    cr_expect_eq(eop_payload_channels(payload, note_channel, &out), EDGEOPS_E_USER);
    eop_payload_free(payload);
    eop_buf_dispose(&out);
}

Test(codec_payload, the_schema_has_defaults_that_mean_the_same) {
    eop_json *schema = NULL;
    eop_json *json = eop_json_object();
    cr_assert_eq(
        eop_json_parse(&schema, eop_payload_schema, strlen(eop_payload_schema), "schema", NULL),
        EDGEOPS_OK);
    eop_schema_defaults(schema, json);
    char *config = eop_json_print(json);
    gives_on(config, "a/b", "{\"time\":1,\"seq\":2,\"x\":[3]}",
             "a/b {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":2,\"x.0\":3}");
    eop_free(config);
    eop_json_free(json);
    eop_json_free(schema);
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void) { /* xorshift64 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

Test(codec_payload, what_is_encoded_decodes_to_the_same_bits) {
    eop_payload *payload = make("{\"channels\":{\"i\":{\"type\":\"int64\"}}}");
    static const char *const names[] = {"f", "i", "b", "s"};
    char text[24];
    eop_buf out = {0};
    for (int round = 0; round < 20000; round++) {
        const edgeops_sample *back = NULL;
        size_t n = 0;
        edgeops_value values[4] = {{.type = EDGEOPS_TYPE_FLOAT64},
                                   {.type = EDGEOPS_TYPE_INT64},
                                   {.type = EDGEOPS_TYPE_BOOL},
                                   {.type = EDGEOPS_TYPE_STRING}};
        uint64_t raw = next_random();
        memcpy(&values[0].as.f64, &raw, 8);
        if (!isfinite(values[0].as.f64)) {
            continue;
        }
        if (round % 2 != 0) {
            values[0].as.f64 = (double)(int64_t)raw / (double)(1u << (round % 31));
        }
        values[1].as.i64 = (int64_t)(next_random() >> (round % 64));
        values[2].as.i64 = round % 2;
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (char)(1 + next_random() % 127);
        }
        values[3].as.str = text;
        values[3].size = sizeof(text);
        edgeops_sample sample = {
            "t", (edgeops_time)next_random(), (int64_t)next_random(), 4, names, values};
        eop_buf_clear(&out);
        eop_message_put_sample(&out, &sample, NULL);
        cr_assert_eq(eop_payload_decode(payload, "t", out.data, out.size, 0, &back, &n), EDGEOPS_OK,
                     "%s: %s", out.data, edgeops_error_last()->message);
        cr_assert(n == 1 && back->count == 4);
        cr_assert_eq(back->time, sample.time, "%s", out.data);
        cr_assert_eq(back->seq, sample.seq, "%s", out.data);
        cr_assert_eq(memcmp(&back->values[0].as.f64, &values[0].as.f64, 8), 0, "%s", out.data);
        cr_assert_eq(back->values[1].as.i64, values[1].as.i64, "%s", out.data);
        cr_assert_eq(back->values[2].as.i64, values[2].as.i64, "%s", out.data);
        cr_assert_eq(back->values[3].size, sizeof(text), "%s", out.data);
        cr_assert_eq(memcmp(back->values[3].as.str, text, sizeof(text)), 0, "%s", out.data);
    }
    eop_buf_dispose(&out);
    eop_payload_free(payload);
}

Test(codec_payload, ever_new_names_do_not_pile_up) {
    eop_payload *payload = make(NULL);
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    char message[256];
    for (int i = 0; i < 40000; i++) {
        int size = snprintf(message, sizeof(message), "{\"same\":1,\"n%d\":{\"v\":%d}}", i, i);
        cr_assert_eq(eop_payload_decode(payload, "t", message, (size_t)size, 0, &samples, &n),
                     EDGEOPS_OK);
        cr_assert_eq(samples[0].values[1].as.f64, i);
        snprintf(message, sizeof(message), "n%d.v", i);
        cr_assert_str_eq(samples[0].channels[1], message);
    }
    eop_payload_free(payload);
}

static size_t decoded;

static void decode_file(const char *name, const char *data, size_t size) {
    eop_payload *payload = make("{\"asset\":\"a\"}");
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    edgeops_status status = eop_payload_decode(payload, "t", data, size, 0, &samples, &n);
    if (status == EDGEOPS_OK) {
        cr_expect_geq(n, 1, "%s", name);
        decoded++;
    } else {
        const char *reason = edgeops_error_last()->message;
        cr_expect(status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT, "%s: %s", name, reason);
        cr_expect_eq(eop_utf8_valid(reason, strlen(reason)), strlen(reason), "%s: %s", name,
                     reason);
        for (const char *p = reason; *p != '\0'; p++) {
            cr_expect((unsigned char)*p >= 0x20 && *p != 0x7f, "%s: %s", name, reason);
        }
    }
    eop_payload_free(payload);
}

Test(codec_payload, payloads_of_other_systems_decode_or_are_refused) {
    size_t files = corpus_each("mqtt-payloads/telegraf-json", decode_file);
    cr_expect(files == 0 || decoded > files / 2, "%zu of %zu", decoded, files);
    corpus_each("mqtt-payloads/opcua-pubsub-json", decode_file);
    corpus_each("json-torture/JSONTestSuite/test_parsing", decode_file);
}

Test(codec_payload, every_failed_allocation_is_an_error) {
    each_allocation_fails("{\"asset\":\"a/{1}\",\"channels\":{\"a\":{}}}",
                          "[{\"a\":1,\"b\":\"x\\n\"},{\"c\":{\"d\":[1,2]}}]", 2);
}

Test(codec_payload, every_failed_allocation_is_an_error_where_times_come_again) {
    each_allocation_fails("{\"channels\":{\"x\":{}}}",
                          "[{\"time\":1,\"x\":1},{\"time\":1,\"x\":2,\"s\":\"a\\n\"}]", 2);
}

Test(codec_payload, every_failed_allocation_is_an_error_where_a_member_names_the_asset) {
    each_allocation_fails("{\"asset\":\"{b}\",\"null\":[\"q\"],\"time_zone\":\"+01:00\"}",
                          "[{\"a\":1,\"b\":\"x\\u0041\"}]", 1);
}
