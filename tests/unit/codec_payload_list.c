/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with lists of objects, and assets that members name. */
#include <stdio.h>

#include "codec_payload_help.h"

#define T(s) "{\"time\":\"1970-01-01T00:00:0" #s "Z\","

/* -- who sent it -- */

Test(codec_payload_list, a_member_names_the_asset_wherever_it_stands) {
    const char *config = "{\"asset\":\"{1}/{device}\"}";
    gives(config, "{\"device\":\"p1\",\"time\":1,\"x\":2}", "t/p1 " T(1) "\"x\":2}");
    gives(config, "{\"x\":2,\"time\":1,\"device\":\"p1\"}", "t/p1 " T(1) "\"x\":2}");
    gives(config, "{\"x\":2,\"time\":1,\"device\":4711}", "t/4711 " T(1) "\"x\":2}");
    gives(config, "{\"x\":2,\"time\":1,\"device\":\"hall\\/p\\u00e9\"}",
          "t/hall/p\xc3\xa9 " T(1) "\"x\":2}");
    gives(config, "[{\"device\":\"a\",\"time\":1,\"x\":1},{\"time\":1,\"x\":2,\"device\":\"b\"}]",
          "t/a " T(1) "\"x\":1}\nt/b " T(1) "\"x\":2}");
    gives("{\"asset\":\"{meta.id}-{/meta/site}\"}",
          "{\"x\":2,\"time\":1,\"meta\":{\"id\":7,\"site\":\"w\",\"fw\":3}}",
          "7-w " T(1) "\"x\":2,\"meta.fw\":3}");
    gives("{\"asset\":\"{/a~1b/c~0d}\"}", "{\"x\":2,\"time\":1,\"a/b\":{\"c~d\":\"q\"}}",
          "q " T(1) "\"x\":2}");
    gives("{\"asset\":\"{/topic}{/2}\"}", "{\"x\":2,\"time\":1,\"topic\":\"q\",\"2\":\"r\"}",
          "qr " T(1) "\"x\":2}");
}

Test(codec_payload_list, a_member_that_names_the_asset_is_a_channel_only_where_it_is_listed) {
    gives("{\"asset\":\"{id}\",\"channels\":{\"id\":{\"type\":\"string\"}}}",
          "{\"id\":\"a\\\\b\",\"time\":1,\"s\":\"\\n\"}",
          "a\\b " T(1) "\"id\":\"a\\\\b\",\"s\":\"\\n\"}");
    gives("{\"asset\":\"{id}\",\"channels\":{\"id\":{\"type\":\"string\"}}}",
          "{\"id\":{\"a\":1},\"x\":2}",
          "byte 6, member 'id': an object names no asset: a text or an integer belongs there");
    gives("{\"asset\":\"{id}\",\"new_channels\":\"refuse\",\"channels\":{\"x\":{}}}",
          "{\"id\":\"a\",\"time\":1,\"x\":5}", "a " T(1) "\"x\":5}");
    gives("{\"asset\":\"{h.id}\",\"values\":\"v\"}",
          "{\"h\":{\"id\":1},\"time\":1,\"v\":{\"x\":5,\"id\":6}}", "1 " T(1) "\"x\":5,\"id\":6}");
    gives("{\"asset\":\"{v.id}\",\"values\":\"v\",\"channels\":{\"n\":{\"from\":\"id\"}}}",
          "{\"time\":1,\"v\":{\"x\":5,\"id\":6}}", "6 " T(1) "\"x\":5,\"n\":6}");
}

Test(codec_payload_list, a_message_that_does_not_say_whose_it_is_is_refused) {
    const char *config = "{\"asset\":\"{device}\"}";
    char message[400] = "{\"x\":1,\"device\":\"";
    gives(config, "{\"x\":1}", "byte 0: there is no 'device', which names the asset");
    gives(config, "{\"x\":1,\"device\":null}",
          "byte 0: there is no 'device', which names the asset");
    gives(config, "{\"x\":1,\"device\":\"\"}",
          "byte 16, member 'device': \"\" names no asset: a text or an integer belongs there");
    gives(config, "{\"x\":1,\"device\":1.5}",
          "byte 16, member 'device': 1.5 names no asset: a text or an integer belongs there");
    gives(config, "{\"x\":1,\"device\":true}",
          "byte 16, member 'device': true names no asset: a text or an integer belongs there");
    gives(config, "{\"x\":1,\"device\":{\"a\":1}}",
          "byte 16, member 'device': an object names no asset: a text or an integer belongs there");
    gives(config, "{\"x\":1,\"device\":[1]}",
          "byte 16, member 'device': a list names no asset: a text or an integer belongs there");
    gives(config, "{\"x\":1,\"device\":\"/a\"}",
          "'/a' is not a valid name for an asset; set \"asset\" in the payload config");
    gives(config, "{\"x\":1,\"device\":\"a//b\"}",
          "'a//b' is not a valid name for an asset; set \"asset\" in the payload config");
    gives(config, "{\"x\":1,\"device\":\"..\"}",
          "'..' is not a valid name for an asset; set \"asset\" in the payload config");
    gives(config, "{\"x\":1,\"device\":\"a\\u0000b\"}",
          "'a?b' is not a valid name for an asset; set \"asset\" in the payload config");
    gives(config, "[{\"x\":1,\"device\":\"a\"},{\"x\":1}]",
          "byte 22: there is no 'device', which names the asset");
    memset(message + strlen(message), 'n', 300);
    strcat(message, "\"}");
    gives(config, message,
          "the text 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' gives the "
          "asset a name of over 200 bytes");
    config_refused("{\"asset\":\"{time}\"}",
                   "payload: /asset: 'time' is the time stamp or the sequence number");
    config_refused("{\"asset\":\"{a}{b}{c}{d}{e}{f}{g}{h}{i}\"}",
                   "payload: /asset: over 8 members");
}

/* -- samples in a list -- */

Test(codec_payload_list, readings_are_samples_with_their_own_times) {
    const char *config = "{\"asset\":\"{device}\",\"values\":\"readings\",\"time\":\"ts\"}";
    const char *wanted = "p1 " T(1) "\"temp\":5}\np1 " T(2) "\"temp\":6}";
    gives(config, "{\"device\":\"p1\",\"readings\":[{\"ts\":1,\"temp\":5},{\"temp\":6,\"ts\":2}]}",
          wanted);
    gives(config, "{\"readings\":[{\"ts\":1,\"temp\":5},{\"temp\":6,\"ts\":2}],\"device\":\"p1\"}",
          wanted);
    gives(config, "{\"ts\":2,\"device\":\"p1\",\"readings\":[{\"ts\":1,\"temp\":5},{\"temp\":6}]}",
          wanted);
    gives(config,
          "{\"ts\":2,\"device\":\"p1\",\"readings\":[{\"ts\":1,\"temp\":5},{\"temp\":6,\"ts\":null}"
          "]}",
          wanted);
    gives(config,
          "[{\"device\":\"p1\",\"readings\":[{\"ts\":1,\"temp\":5}]},"
          "{\"readings\":[{\"ts\":2,\"temp\":6}],\"device\":\"p1\"}]",
          wanted);
    gives("{\"asset\":\"a\",\"values\":\"d.r\",\"time\":\"d.r.at.t\",\"seq\":\"n\"}",
          "{\"n\":7,\"d\":{\"r\":[{\"at\":{\"t\":1},\"x\":{\"y\":[2]}},{\"at\":{\"t\":2},\"x\":{},"
          "\"z\":3,\"n\":9}]}}",
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":7,\"x.y.0\":2}\n"
          "a {\"time\":\"1970-01-01T00:00:02Z\",\"seq\":9,\"z\":3}");
}

Test(codec_payload_list, readings_of_one_time_count_up) {
    gives("{\"asset\":\"a\",\"values\":\"r\"}",
          "{\"time\":1,\"r\":[{\"x\":1},{\"x\":2},{\"x\":3}]}",
          "a " T(1) "\"x\":1}\na {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":1,\"x\":2}\n"
                    "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":2,\"x\":3}");
    gives("{\"asset\":\"{s}\",\"values\":\"r\"}",
          "{\"seq\":5,\"s\":\"q\",\"r\":[{\"s\":\"a\",\"x\":1},{\"x\":2},{\"s\":\"a\",\"x\":3}]}",
          "a {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"seq\":5,\"x\":1}\n"
          "q {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"seq\":5,\"x\":2}\n"
          "a {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"seq\":6,\"x\":3}");
    gives("{\"asset\":\"a\",\"values\":\"r\"}",
          "{\"seq\":5,\"time\":1,\"r\":[{\"x\":1},{\"y\":2},{\"x\":3},{\"y\":4,\"z\":5}]}",
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":5,\"x\":1}\n"
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":5,\"y\":2}\n"
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":6,\"x\":3}\n"
          "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":6,\"y\":4,\"z\":5}");
    gives("{\"asset\":\"a\",\"values\":\"r\"}",
          "{\"time\":1,\"seq\":9223372036854775807,\"r\":[{\"x\":1},{\"x\":2}]}",
          "byte 49: there is no sequence number left for it");
}

Test(codec_payload_list, each_element_may_name_its_own_asset) {
    const char *config = "{\"asset\":\"{name}\",\"values\":\"devices\"}";
    gives(config,
          "{\"time\":1,\"devices\":[{\"name\":\"a\",\"x\":1},{\"x\":2,\"name\":\"b\"}],"
          "\"name\":\"hub\"}",
          "a " T(1) "\"x\":1}\nb " T(1) "\"x\":2}");
    gives(config, "{\"time\":1,\"devices\":[{\"name\":\"a\",\"x\":1},{\"x\":2}]}",
          "byte 40: there is no 'name', which names the asset");
    gives(config, "{\"time\":1,\"devices\":[{\"name\":\"a\",\"x\":1},{\"x\":2,\"name\":[]}]}",
          "byte 54, member 'name': a list names no asset: a text or an integer belongs there");
    gives("{\"asset\":\"{unit}\",\"values\":\"v\",\"list\":{\"name\":\"tag\",\"value\":\"val\"}}",
          "{\"time\":1,\"v\":[{\"tag\":\"t\",\"val\":1,\"unit\":\"b\"},{\"val\":2,\"unit\":\"a\","
          "\"tag\":\"t\"},{\"unit\":\"b\",\"tag\":\"p\",\"val\":3}]}",
          "b " T(1) "\"t\":1,\"p\":3}\na " T(1) "\"t\":2}");
}

Test(codec_payload_list, a_list_that_holds_no_samples_is_refused) {
    const char *config = "{\"asset\":\"a\",\"values\":\"r\",\"time\":\"ts\"}";
    gives(config, "{\"ts\":1,\"r\":[]}", "byte 0: the sample has no values in 'r'");
    gives(config, "{\"ts\":1,\"r\":[{\"x\":1},5]}",
          "byte 21, member 'r': each element of the list must be an object");
    gives(config, "{\"ts\":1,\"r\":[{\"x\":1},{}]}", "byte 21: the sample has no values in 'r'");
    gives(config, "{\"ts\":1,\"r\":[{\"x\":1},{\"x\":null}]}",
          "byte 21: the sample has no values in 'r'");
    gives(config, "{\"r\":[{\"x\":1,\"ts\":1},{\"x\":2}]}",
          "byte 21: there is no time in 'ts'; \"on_missing_time\": \"arrival\" takes that of "
          "arrival");
    gives(config, "{\"r\":[{\"x\":1,\"ts\":\"soon\"}]}",
          "byte 18, member 'ts': \"soon\" is not a time stamp (ISO 8601 text, or a number between "
          "1677 and 2262)");
}

/* A list inside the values: what tells its elements apart would be their place. */
Test(codec_payload_list, elements_with_times_are_never_told_apart_by_place) {
    gives(NULL,
          "{\"device\":\"p1\",\"readings\":[{\"time\":1,\"temp\":5},{\"time\":2,\"temp\":6}]}",
          "byte 26, member 'readings': its elements have a time each, in 'time': \"values\": "
          "\"readings\" and \"time\" take them");
    gives(
        NULL, "{\"a\":{\"vals\":[{\"id\":\"101\",\"val\":1,\"ts\":\"2024-01-01\"}]}}",
        "byte 13, member 'a.vals': its elements have a time each, in 'ts': \"values\": \"a.vals\" "
        "and \"time\" take them");
    gives("{\"new_channels\":\"ignore\",\"channels\":{\"x\":{},\"q\":{\"from\":\"log.b.n\"}}}",
          "{\"time\":1,\"x\":2,\"log\":[{\"ts\":1,\"id\":\"a\",\"n\":3},{\"id\":\"b\",\"n\":4}],"
          "\"more\":[{\"ts\":1,\"n\":3},{\"id\":\"b\",\"n\":4}]}",
          "t " T(1) "\"x\":2,\"q\":4}");
    gives(NULL, "{\"time\":1,\"a\":[{\"x\":5},{\"x\":6}]}", "t " T(1) "\"a.0.x\":5,\"a.1.x\":6}");
}

/* -- channels in a list -- */

Test(codec_payload_list, elements_are_channels_by_the_member_that_names_them) {
    gives(NULL, "{\"time\":1,\"vals\":[{\"id\":\"101\",\"val\":11},{\"val\":22,\"id\":\"102\"}]}",
          "t " T(1) "\"vals.101.val\":11,\"vals.102.val\":22}");
    gives("{\"values\":\"v\"}",
          "{\"time\":1,\"v\":[{\"Tag_Name\":\"a\",\"x\":1},{\"Tag_Name\":\"b\",\"x\":2}]}",
          "t " T(1) "\"a.x\":1,\"b.x\":2}");
    gives(NULL, "{\"time\":1,\"v\":[{\"sensorId\":4,\"x\":1},{\"sensorId\":5,\"x\":2}]}",
          "t " T(1) "\"v.4.x\":1,\"v.5.x\":2}");
    gives(NULL, "{\"time\":1,\"v\":[{\"key\":4,\"x\":1},{\"x\":2}]}",
          "t " T(1) "\"v.0.key\":4,\"v.0.x\":1,\"v.1.x\":2}");
    gives("{\"values\":\"vals\"}",
          "{\"vals\":[{\"val\":11,\"ID\":101},{\"ID\":102,\"val\":22}],\"time\":1}",
          "t " T(1) "\"101.val\":11,\"102.val\":22}");
    gives(NULL, "{\"time\":1,\"a\":{\"b\":[{\"tag\":\"T 1\",\"v\":[1,{\"name\":\"q\",\"w\":2}]}]}}",
          "t " T(1) "\"a.b.T 1.v.0\":1,\"a.b.T 1.v.1.name\":\"q\",\"a.b.T 1.v.1.w\":2}");
    gives("{\"list\":{\"name\":\"sensor.key\",\"value\":\"v\"}}",
          "{\"time\":1,\"m\":[{\"sensor\":{\"key\":\"k1\"},\"v\":1},{\"v\":2,\"sensor\":{\"key\":"
          "\"k2\"}}]}",
          "t " T(1) "\"m.k1\":1,\"m.k2\":2}");
    gives("{\"list\":{\"name\":\"n\",\"value\":\"v\"}}",
          "[{\"n\":\"a\",\"v\":1,\"time\":1},{\"n\":\"b\",\"v\":true,\"time\":1}]",
          "t " T(1) "\"a\":1,\"b\":true}");
    gives("{\"values\":\"vals\",\"channels\":{\"speed\":{\"type\":\"int64\",\"from\":\"102.val\","
          "\"quality\":\"102.q\"}},\"new_channels\":\"ignore\"}",
          "{\"time\":1,\"vals\":[{\"id\":\"101\",\"val\":1.5},{\"id\":\"102\",\"q\":192,\"val\":"
          "\"7\"}]}",
          "t " T(1) "\"speed\":7} qualities 192");
}

Test(codec_payload_list, a_message_may_be_one_element) {
    const char *config = "{\"asset\":\"{plc}\",\"list\":{\"name\":\"tag\",\"value\":\"value\","
                         "\"quality\":\"q\"}}";
    gives(config,
          "{\"value\":21.5,\"unit\":\"C\",\"tag\":\"T1\",\"q\":192,\"time\":1,\"plc\":\"p\"}",
          "p " T(1) "\"T1\":21.5} qualities 192");
    gives(config,
          "[{\"tag\":\"T1\",\"value\":1,\"time\":1,\"plc\":\"p\"},{\"tag\":\"T2\",\"value\":2,"
          "\"time\":1,"
          "\"plc\":\"p\"},{\"tag\":\"T1\",\"value\":3,\"time\":1,\"plc\":\"r\"}]",
          "p " T(1) "\"T1\":1,\"T2\":2}\nr " T(1) "\"T1\":3}");
    gives(config, "{\"value\":21.5,\"tag\":[1],\"time\":1,\"plc\":\"p\"}",
          "p " T(1) "\"value\":21.5,\"tag.0\":1}");
    gives(config, "{\"value\":null,\"tag\":\"T1\",\"time\":1,\"plc\":\"p\"}",
          "byte 0: the sample has no values");
}

Test(codec_payload_list, a_place_never_stands_for_a_name) {
    const char *config =
        "{\"values\":\"vals\",\"quality\":\"qc\",\"new_channels\":\"ignore\","
        "\"channels\":{\"t101\":{\"from\":\"0.val\",\"quality\":\"0.qc\"},\"t102\":{\"from\":"
        "\"1.val\",\"quality\":\"1.qc\"}}}";
    gives(
        config, "{\"time\":1,\"vals\":[{\"id\":\"102\",\"qc\":3,\"val\":23}]}",
        "byte 18: the sample has no values in 'vals'; elements go by their names, as '102', not by "
        "place");
    gives("{\"values\":\"vals\",\"time\":\"vals.0.ts\"}",
          "{\"vals\":[{\"id\":\"102\",\"ts\":5,\"val\":23}]}",
          "byte 9: there is no time in 'vals.0.ts'; \"on_missing_time\": \"arrival\" takes that of "
          "arrival");
    gives("{\"values\":\"d.7\"}",
          "{\"time\":1,\"d\":[{\"name\":\"8\",\"x\":1},{\"name\":\"7\",\"x\":2}]}",
          "t " T(1) "\"x\":2}");
}

Test(codec_payload_list, what_is_around_a_list_counts_in_any_order) {
    const char *const around[] = {"\"time\":\"bad\"", "\"d\":\"\"", "\"seq\":1.5"};
    const char *list = "\"v\":[{\"d\":\"a\",\"time\":1,\"seq\":2,\"x\":1}]";
    for (size_t i = 0; i < EOP_COUNT(around); i++) {
        char message[128];
        snprintf(message, sizeof(message), "{%s,%s}", around[i], list);
        gives("{\"asset\":\"{d}\",\"values\":\"v\"}", message,
              "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":2,\"x\":1}");
        snprintf(message, sizeof(message), "{%s,%s}", list, around[i]);
        gives("{\"asset\":\"{d}\",\"values\":\"v\"}", message,
              "a {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":2,\"x\":1}");
    }
    gives("{\"values\":\"v\"}", "{\"time\":\"bad\",\"v\":{\"x\":1},\"w\":[1,2]}",
          "byte 8, member 'time': \"bad\" is not a time stamp (ISO 8601 text, or a number between "
          "1677 and 2262)");
    gives("{\"values\":\"v\"}", "{\"time\":\"bad\",\"v\":[{\"x\":1}]}",
          "byte 8, member 'time': \"bad\" is not a time stamp (ISO 8601 text, or a number between "
          "1677 and 2262)");
}

Test(codec_payload_list, a_word_that_names_the_asset_still_names_elements) {
    const char *const messages[] = {
        "{\"id\":\"d\",\"time\":1,\"v\":[{\"id\":\"a\",\"x\":1},{\"id\":\"b\",\"x\":2}]}",
        "{\"v\":[{\"x\":1,\"id\":\"a\"},{\"x\":2,\"id\":\"b\"}],\"time\":1,\"id\":\"d\"}",
    };
    for (size_t i = 0; i < EOP_COUNT(messages); i++) {
        gives("{\"asset\":\"{id}\"}", messages[i], "d " T(1) "\"v.a.x\":1,\"v.b.x\":2}");
    }
    gives("{\"asset\":\"{/meta/id}\"}",
          "{\"meta\":{\"id\":7},\"time\":1,\"v\":[{\"id\":\"b\",\"x\":2},{\"id\":\"a\",\"x\":1}]}",
          "7 " T(1) "\"v.b.x\":2,\"v.a.x\":1}");
    gives("{\"asset\":\"{id}\"}", "{\"id\":7,\"time\":1,\"v\":[{\"id\":\"b\",\"x\":2},{\"x\":1}]}",
          "byte 22, member 'v': only some elements of the list have a name (id, name or tag); "
          "\"list\" says what names them");
    /* Of a list that the asset's name is made of, the place says which element. */
    gives("{\"asset\":\"{v.0.id}\"}", "{\"time\":1,\"v\":[{\"id\":\"d\",\"x\":1}]}",
          "d " T(1) "\"v.0.x\":1}");
    gives("{\"asset\":\"{id}\",\"values\":\"v\"}",
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"x\":1},{\"id\":\"b\",\"x\":2}]}",
          "a " T(1) "\"x\":1}\nb " T(1) "\"x\":2}");
}

Test(codec_payload_list, elements_of_one_time_are_one_sample) {
    const char *config = "{\"values\":\"v\",\"time\":\"ts\",\"quality\":\"qc\","
                         "\"list\":{\"name\":\"id\",\"value\":\"val\",\"quality\":\"q\"}}";
    gives(config,
          "{\"seq\":4,\"v\":[{\"id\":\"a\",\"q\":3,\"ts\":2,\"val\":1},{\"ts\":1,\"val\":2,\"id\":"
          "\"b\"},{\"val\":3,\"q\":0,\"id\":\"c\",\"ts\":2}],\"ts\":3}",
          "t {\"time\":\"1970-01-01T00:00:02Z\",\"seq\":4,\"a\":1,\"c\":3} qualities 192 0\n"
          "t {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":4,\"b\":2} qualities -");
    gives(config,
          "{\"ts\":3,\"v\":[{\"id\":1,\"val\":1},{\"id\":2,\"val\":null,\"q\":1},"
          "{\"id\":3,\"val\":{\"x\":[1,2]}},{\"id\":4}]}",
          "t " T(3) "\"1\":1,\"3.x.0\":1,\"3.x.1\":2}");
    gives(config, "{\"ts\":3,\"v\":[{\"id\":1,\"val\":null},{\"id\":2,\"val\":5,\"ts\":4}]}",
          "t " T(4) "\"2\":5}");
    gives("{\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"val\",\"time\":\"at\"}}",
          "{\"time\":3,\"v\":[{\"id\":1,\"val\":1,\"at\":4},{\"id\":2,\"val\":5,\"time\":9}]}",
          "t " T(4) "\"1\":1}\nt " T(3) "\"2\":5}");
}

Test(codec_payload_list, a_code_goes_with_every_value_of_its_element) {
    const char *config = "{\"values\":\"v\",\"quality\":\"qc\",\"list\":{\"name\":\"id\","
                         "\"value\":\"val\",\"quality\":\"q\"}}";
    gives(config,
          "{\"time\":3,\"v\":[{\"id\":1,\"q\":0,\"val\":[7,null,true]},{\"id\":2,\"val\":[8]},{"
          "\"q\":3,"
          "\"val\":{\"x\":1,\"y\":[2]},\"id\":3},{\"id\":4,\"val\":[],\"q\":1}]}",
          "t " T(3) "\"1.0\":7,\"1.2\":true,\"2.0\":8,\"3.x\":1,\"3.y.0\":2} qualities 0 0 - 192 "
                    "192");
    gives(config,
          "{\"time\":3,\"v\":[{\"id\":1,\"q\":3,\"val\":[{\"id\":\"a\",\"q\":0,\"val\":1},"
          "{\"id\":\"b\",\"val\":2}]}]}",
          "t " T(3) "\"1.a\":1,\"1.b\":2} qualities 0 192");
}

Test(codec_payload_list, a_member_that_comes_twice_is_refused_wherever_it_stands) {
    const char *config = "{\"asset\":\"{d}\",\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":"
                         "\"val\",\"quality\":\"q\"}}";
    const char *const doubled[][2] = {
        {"{\"d\":\"a\",\"time\":1,\"time\":2,\"v\":[{\"id\":1,\"val\":1}]}",
         "byte 0, member 'time'"},
        {"{\"d\":\"a\",\"time\":1,\"v\":[{\"id\":1,\"val\":1}],\"d\":\"b\"}", "byte 0, member 'd'"},
        {"{\"d\":\"a\",\"time\":1,\"v\":[{\"id\":1,\"val\":1}],\"v\":[]}", "byte 0, member 'v'"},
        {"{\"d\":\"a\",\"time\":1,\"v\":[{\"id\":1,\"val\":1,\"id\":2}]}", "byte 23, member 'id'"},
        {"{\"d\":\"a\",\"time\":1,\"v\":[{\"val\":2,\"id\":1,\"val\":1}]}",
         "byte 23, member 'val'"},
        {"{\"d\":\"a\",\"time\":1,\"v\":[{\"q\":2,\"id\":1,\"q\":2,\"val\":1}]}",
         "byte 23, member 'q'"},
        {"{\"d\":\"a\",\"time\":1,\"m\":{\"x\":1,\"\\u0078\":1},\"v\":[{\"id\":1,\"val\":1}]}",
         "byte 22, member 'x'"},
    };
    for (size_t i = 0; i < EOP_COUNT(doubled); i++) {
        char reason[96];
        snprintf(reason, sizeof(reason), "%s: it is there twice in one object", doubled[i][1]);
        gives(config, doubled[i][0], reason);
    }
    /* Objects of many members are compared in another way. */
    char message[2048];
    for (int last = 39; last < 41; last++) {
        int at =
            snprintf(message, sizeof(message), "{\"d\":\"a\",\"time\":1,\"m\":{\"k%d\":0", last);
        for (int i = 0; i < 40; i++) {
            at += snprintf(message + at, sizeof(message) - (size_t)at, ",\"k%d\":%d", i, i);
        }
        snprintf(message + at, sizeof(message) - (size_t)at, "},\"v\":[{\"id\":1,\"val\":1}]}");
        gives(config, message,
              last == 39 ? "byte 22, member 'k39': it is there twice in one object"
                         : "a " T(1) "\"1\":1}");
    }
}

/* What buffers its readings while it has no network sends them in one list. */
Test(codec_payload_list, names_that_come_twice_begin_the_next_sample) {
    const char *config = "{\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"val\"}}";
    gives(config,
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":1},{\"id\":\"b\",\"val\":5},"
          "{\"id\":\"a\",\"val\":2},{\"id\":\"c\",\"val\":7},{\"id\":\"\\u0062\",\"val\":6}]}",
          "t " T(1) "\"a\":1,\"b\":5}\n"
                    "t {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":1,\"a\":2,\"c\":7,\"b\":6}");
    gives(config, "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":null},{\"id\":\"a\",\"val\":2}]}",
          "t " T(1) "\"a\":2}");
    gives(config,
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":1},{\"id\":\"a\",\"val\":2,\"time\":2},"
          "{\"id\":\"a\",\"val\":3}]}",
          "t " T(1) "\"a\":1}\nt " T(2) "\"a\":2}\n"
                                        "t {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":1,\"a\":3}");
    gives(config,
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"seq\":3,\"val\":1},{\"id\":\"a\",\"seq\":3,\"val\":2}"
          "]}",
          "byte 66, member 'v.a': it is there twice in one sample");
}

Test(codec_payload_list, names_that_are_missing_are_refused) {
    const char *config = "{\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"val\"}}";
    gives(config, "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":1},{\"val\":2}]}",
          "byte 34, member 'v': element 1 of the list has no 'id', which names it");
    gives(config, "{\"time\":1,\"v\":[{\"id\":null,\"val\":1}]}",
          "byte 15, member 'v': element 0 of the list has no 'id', which names it");
    gives(config, "{\"time\":1,\"v\":[{\"id\":1.5,\"val\":1}]}",
          "byte 15, member 'v': element 0 of the list has no 'id', which names it");
    gives(config, "{\"time\":1,\"v\":[{\"id\":\"\",\"val\":1}]}",
          "byte 21, member 'id': an element's name is empty");
    gives(config,
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":1},{\"id\":\"a\",\"val\":2,\"time\":2}]}",
          "t " T(1) "\"a\":1}\nt " T(2) "\"a\":2}");
    gives(NULL, "{\"time\":1,\"v\":[{\"id\":\"a\",\"x\":1},{\"y\":2}]}",
          "byte 15, member 'v': only some elements of the list have a name (id, name or tag); "
          "\"list\" says what names them");
    gives(config, "{\"time\":1,\"v\":{\"id\":\"a\",\"val\":1}}",
          "byte 14, member 'v': it is an object, where a list belongs");
    gives("{\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"val\",\"quality\":\"q\"}}",
          "{\"time\":1,\"v\":[{\"id\":\"a\",\"val\":1,\"q\":\"good\"}]}",
          "byte 37, member 'q': \"good\" is not a quality code from 0 to 65534");
}

Test(codec_payload_list, lists_on_the_way_to_the_values_keep_their_elements_apart) {
    const char *message =
        "{\"m\":[{\"name\":\"cpu\",\"time\":1,\"f\":{\"used\":5}},{\"f\":{\"used\":6},"
        "\"time\":1,\"name\":\"mem\"}]}";
    gives("{\"values\":\"m.f\"}", message,
          "byte 5, member 'm': its elements have a name, 'name': make the asset's name of it, or "
          "\"list\": {\"name\": \"\"} takes each as a sample");
    gives("{\"values\":\"m.f\",\"asset\":\"{1}/{name}\"}", message,
          "t/cpu " T(1) "\"used\":5}\nt/mem " T(1) "\"used\":6}");
    gives("{\"values\":\"m.f\",\"list\":{\"name\":\"\"}}", message,
          "t " T(1) "\"used\":5}\nt {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":1,\"used\":6}");
    gives("{\"values\":\"m.cpu.f\"}", message, "t " T(1) "\"used\":5}");
}

Test(codec_payload_list, samples_or_channels_is_never_guessed) {
    const char *message = "{\"r\":[{\"id\":7,\"ts\":1,\"x\":1},{\"id\":8,\"ts\":2,\"x\":2}]}";
    gives(
        "{\"values\":\"r\",\"time\":\"ts\"}", message,
        "byte 5, member 'r': its elements have both 'id' and a time: \"list\": {\"name\": \"id\"} "
        "makes channels of them, \"list\": {\"name\": \"\"} samples");
    gives("{\"values\":\"r\"}", "{\"r\":[{\"Sensor\":7,\"time\":1,\"x\":1}]}",
          "byte 5, member 'r': its elements have both 'Sensor' and a time: \"list\": {\"name\": "
          "\"Sensor\"} makes channels of them, \"list\": {\"name\": \"\"} samples");
    gives("{\"values\":\"r\",\"time\":\"ts\",\"list\":{\"name\":\"\"}}", message,
          "t " T(1) "\"id\":7,\"x\":1}\nt " T(2) "\"id\":8,\"x\":2}");
    gives("{\"values\":\"r\",\"time\":\"ts\",\"list\":{\"name\":\"id\"}}", message,
          "t " T(1) "\"7.x\":1}\nt " T(2) "\"8.x\":2}");
    config_refused("{\"list\":{\"name\":\"a\",\"quality\":\"q\"}}",
                   "payload: /list/quality needs /list/value: the value that it is of");
    config_refused("{\"list\":{\"name\":\"\",\"value\":\"q\"}}",
                   "payload: /list/value needs /list/name: the member that names the channel");
}

/* -- the databus -- */

Test(codec_payload_list, the_databus_is_one_word) {
    const char *config = "{\"format\":\"databus\",\"asset\":\"{6}\"}";
    const char *topic = "ie/d/j/simatic/v1/s7c1/dp/r/c/default";
    gives_on(config, topic,
             "{\"seq\":3,\"vals\":[{\"id\":\"101\",\"qc\":3,\"ts\":\"1970-01-01T00:00:01.5Z\","
             "\"val\":-1.5},{\"id\":\"102\",\"qc\":0,\"qx\":3,\"ts\":\"1970-01-01T00:00:01.5Z\","
             "\"val\":false}]}",
             "s7c1 {\"time\":\"1970-01-01T00:00:01.500Z\",\"seq\":3,\"101\":-1.5,\"102\":false} "
             "qualities 192 3");
    gives_on(config, topic,
             "{\"seq\":281,\"records\":[{\"rseq\":1,\"ts\":\"1970-01-01T00:00:01Z\",\"vals\":[{"
             "\"id\":\"1\",\"val\":335},{\"id\":\"2\",\"val\":6,\"ts\":\"1970-01-01T00:00:03Z\"}]},"
             "{\"vals\":[{\"id\":\"1\",\"val\":336}],\"ts\":\"1970-01-01T00:00:02Z\"},{\"ts\":5,"
             "\"vals\":[]}]}",
             "s7c1 {\"time\":\"1970-01-01T00:00:01Z\",\"seq\":281,\"1\":335}\n"
             "s7c1 {\"time\":\"1970-01-01T00:00:03Z\",\"seq\":281,\"2\":6}\n"
             "s7c1 {\"time\":\"1970-01-01T00:00:02Z\",\"seq\":281,\"1\":336}");
    gives_on("{\"format\":\"databus\",\"asset\":\"a\",\"channels\":{\"sound\":{\"from\":\"2\","
             "\"type\":\"int16[3]\"},\"n\":{\"from\":\"4\",\"type\":\"uint64\"}}}",
             topic,
             "{\"records\":[{\"ts\":1,\"vals\":[{\"id\":\"2\",\"val\":[1,-2,3]},{\"id\":\"4\","
             "\"val\":\"18446744073709551615\"}]}]}",
             "a " T(1) "\"sound\":[1,-2,3],\"n\":18446744073709551615}");
    gives_on(config, topic, "{\"vals\":[{\"id\":\"1\",\"val\":5}]}",
             "s7c1 {\"time\":\"1970-01-01T00:00:01.000000005Z\",\"1\":5}");
    gives_on(config, topic, "{\"vals\":{\"id\":\"1\",\"val\":5}}",
             "byte 8, member 'vals': it is an object, where a list belongs");
    gives_on(config, topic, "{\"connector\":{\"status\":\"good\"}}",
             "byte 0: the sample has no values in 'vals'");
    gives_on(config, topic, "{\"vals\":[{\"id\":1,\"val\":5,\"ts\":1}],\"records\":[]}",
             "s7c1 " T(1) "\"1\":5}");
    gives_on(config, topic,
             "{\"vals\":[{\"id\":1,\"val\":5,\"ts\":1}],\"records\":[{\"ts\":1,\"vals\":[]}]}",
             "byte 44, member 'records': the message has both 'records' and 'vals'");
    gives_on(config, topic, "{\"records\":[]}", "byte 0: the sample has no values in 'vals'");
}

/* -- limits -- */

/* A list of n elements, each with its number in `member`. */
static void put_list(eop_buf *text, size_t n, const char *member, const char *rest) {
    eop_buf_clear(text);
    eop_buf_puts(text, "{\"time\":1,\"v\":[");
    for (size_t i = 0; i < n; i++) {
        eop_buf_printf(text, "%s{\"%s\":%zu%s}", i > 0 ? "," : "", member, i, rest);
    }
    eop_buf_puts(text, "]}");
}

Test(codec_payload_list, limits_hold_in_lists) {
    eop_buf text = {0};
    eop_payload *payload = make("{\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"x\"}}");
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    put_list(&text, 1024, "id", ",\"x\":1");
    cr_expect_eq(eop_payload_decode(payload, "t", text.data, text.size, 0, &samples, &n),
                 EDGEOPS_OK);
    cr_expect_eq(n, 1);
    cr_expect_eq(samples[0].count, 1024);
    put_list(&text, 1025, "id", ",\"x\":1");
    cr_expect_eq(eop_payload_decode(payload, "t", text.data, text.size, 0, &samples, &n),
                 EDGEOPS_E_LIMIT);
    put_list(&text, 30000, "time", ",\"id\":1,\"x\":1");
    cr_expect_eq(eop_payload_decode(payload, "t", text.data, text.size, 0, &samples, &n),
                 EDGEOPS_OK);
    cr_expect_eq(n, 30000);
    eop_buf_clear(&text);
    for (int i = 0; i < 33; i++) {
        eop_buf_puts(&text, i % 2 == 0 ? "{\"v\":" : "[");
    }
    cr_expect_eq(eop_payload_decode(payload, "t", text.data, text.size, 0, &samples, &n),
                 EDGEOPS_E_LIMIT);
    eop_buf_dispose(&text);
    eop_payload_free(payload);
}

Test(codec_payload_list, what_has_the_time_of_arrival_is_counted) {
    eop_payload *payload =
        make("{\"values\":\"v\",\"time\":\"ts\",\"on_missing_time\":\"arrival\"}");
    const edgeops_sample *samples = NULL;
    static const struct {
        const char *message;
        size_t samples, arrived;
    } all[] = {{"{\"v\":{\"x\":1},\"ts\":1}", 1, 0},
               {"{\"v\":{\"x\":1}}", 1, 1},
               {"{\"v\":{\"x\":1},\"ts\":null}", 1, 1},
               {"{\"v\":{\"x\":1},\"ts\":\"noon\"}", 1, 1},
               {"{\"v\":{\"x\":1},\"ts\":true}", 1, 1},
               {"{\"v\":[{\"x\":1},{\"x\":2,\"ts\":5},{\"x\":3,\"ts\":\"?\"}]}", 3, 2},
               {"[{\"v\":{\"x\":1}},{\"v\":{\"x\":1},\"ts\":7}]", 2, 1}};
    for (size_t i = 0; i < EOP_COUNT(all); i++) {
        size_t n = 0;
        cr_expect_eq(eop_payload_decode(payload, "t", all[i].message, strlen(all[i].message),
                                        ARRIVED, &samples, &n),
                     EDGEOPS_OK, "%s: %s", all[i].message, edgeops_error_last()->message);
        cr_expect_eq(n, all[i].samples, "%s", all[i].message);
        cr_expect_eq(eop_payload_arrived_count(payload), all[i].arrived, "%s", all[i].message);
    }
    eop_payload_free(payload);
    gives(
        "{\"time\":\"ts\"}", "{\"x\":1}",
        "byte 0: there is no time in 'ts'; \"on_missing_time\": \"arrival\" takes that of arrival");
    gives(
        "{\"time\":\"ts\"}", "{\"x\":1,\"ts\":null}",
        "byte 0: there is no time in 'ts'; \"on_missing_time\": \"arrival\" takes that of arrival");
    gives("{\"on_missing_time\":\"refuse\"}", "{\"x\":1}",
          "byte 0: there is no time in 'time'; \"on_missing_time\": \"arrival\" takes that of "
          "arrival");
    config_refused("{\"time\":\"\",\"on_missing_time\":\"refuse\"}",
                   "payload: /on_missing_time is \"refuse\", and /time names no member");
}

Test(codec_payload_list, every_failed_allocation_is_an_error) {
    each_allocation_fails(
        "{\"asset\":\"{d}\",\"values\":\"v\",\"list\":{\"name\":\"id\",\"value\":\"x\","
        "\"quality\":\"q\"},\"channels\":{\"a\":{\"type\":\"int8[2]\"}}}",
        "{\"d\":\"a\\/1\",\"v\":[{\"id\":\"a\",\"x\":[1,2],\"q\":1},{\"id\":"
        "\"b\",\"x\":2,\"time\":5},{\"id\":\"c\",\"x\":\"\\t\",\"d\":\"e\"}]}",
        3);
}

/* -- one set of values in each of the shapes -- */

#define ASSETS   3
#define TIMES    4
#define CHANNELS 3

/* A value for each asset, time and channel, 0 for none: what a message is made of, and what it
 * gives. */
typedef struct truth {
    int values[ASSETS][TIMES][CHANNELS];
} truth;

static uint64_t state = 0x9e3779b97f4a7c15u;

static unsigned below(unsigned n) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % n);
}

static void invent(truth *t) {
    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < 1 + below(ASSETS * TIMES * CHANNELS); i++) {
        t->values[below(ASSETS)][below(TIMES)][below(CHANNELS)] = 1 + (int)below(1000);
    }
}

/* The members of an object in any order. */
static void put_shuffled(eop_buf *out, char members[][64], size_t n) {
    eop_buf_puts(out, "{");
    for (size_t i = 0; i < n; i++) {
        size_t pick = i + below((unsigned)(n - i));
        char swap[64];
        memcpy(swap, members[i], sizeof(swap));
        memcpy(members[i], members[pick], sizeof(swap));
        memcpy(members[pick], swap, sizeof(swap));
        eop_buf_printf(out, "%s%s", i > 0 ? "," : "", members[i]);
    }
    eop_buf_puts(out, "}");
}

/* An object for each asset and time, with its channels as members. */
static void put_objects(eop_buf *out, const truth *t) {
    bool any = false;
    for (unsigned at = 0; at < ASSETS * TIMES; at++) {
        const int *values = t->values[at / TIMES][at % TIMES];
        char members[CHANNELS + 2][64];
        size_t n = 2;
        snprintf(members[0], 64, "\"who\":\"a%u\"", at / TIMES);
        snprintf(members[1], 64, "\"ts\":%u", at % TIMES + 1);
        for (unsigned c = 0; c < CHANNELS; c++) {
            if (values[c] != 0) {
                snprintf(members[n++], 64, "\"c%u\":%d", c, values[c]);
            }
        }
        if (n > 2) {
            eop_buf_puts(out, any ? "," : "");
            put_shuffled(out, members, n);
            any = true;
        }
    }
}

/* An element for each value. */
static void put_elements(eop_buf *out, const truth *t) {
    bool any = false;
    for (unsigned at = 0; at < ASSETS * TIMES * CHANNELS; at++) {
        unsigned of = (at * 7 + 5) % (ASSETS * TIMES * CHANNELS); /* all over the place */
        unsigned asset = of / (TIMES * CHANNELS);
        unsigned time = of / CHANNELS % TIMES;
        unsigned channel = of % CHANNELS;
        char members[4][64];
        if (t->values[asset][time][channel] == 0) {
            continue;
        }
        snprintf(members[0], 64, "\"who\":\"a%u\"", asset);
        snprintf(members[1], 64, "\"ts\":%u", time + 1);
        snprintf(members[2], 64, "\"id\":\"c%u\"", channel);
        snprintf(members[3], 64, "\"val\":%d", t->values[asset][time][channel]);
        eop_buf_puts(out, any ? "," : "");
        put_shuffled(out, members, 4);
        any = true;
    }
}

static void same_truth(eop_payload *payload, const char *message, const truth *wanted) {
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    truth got = {0};
    cr_assert_eq(eop_payload_decode(payload, "t", message, strlen(message), 0, &samples, &n),
                 EDGEOPS_OK, "%s: %s", message, edgeops_error_last()->message);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            cr_assert(samples[i].time != samples[j].time ||
                          strcmp(samples[i].asset, samples[j].asset) != 0,
                      "%s: two samples of one time", message);
        }
        for (size_t k = 0; k < samples[i].count; k++) {
            int *value = &got.values[samples[i].asset[1] - '0'][samples[i].time / EDGEOPS_SECOND -
                                                                1][samples[i].channels[k][1] - '0'];
            cr_assert_eq(*value, 0);
            *value = (int)samples[i].values[k].as.f64;
        }
    }
    cr_assert_eq(memcmp(&got, wanted, sizeof(got)), 0, "%s", message);
}

Test(codec_payload_list, each_shape_gives_the_same_samples) {
    eop_payload *plain = make("{\"asset\":\"{who}\",\"time\":\"ts\"}");
    eop_payload *readings = make("{\"asset\":\"{who}\",\"time\":\"ts\",\"values\":\"r\"}");
    eop_payload *named = make("{\"asset\":\"{who}\",\"time\":\"ts\",\"values\":\"r.v\","
                              "\"list\":{\"name\":\"id\",\"value\":\"val\"}}");
    eop_payload *databus = make("{\"asset\":\"{who}\",\"format\":\"databus\"}");
    eop_buf objects = {0};
    eop_buf elements = {0};
    eop_buf message = {0};
    for (int round = 0; round < 500; round++) {
        truth t;
        invent(&t);
        eop_buf_clear(&objects);
        eop_buf_clear(&elements);
        put_objects(&objects, &t);
        put_elements(&elements, &t);
        eop_buf_clear(&message);
        eop_buf_printf(&message, "[%s]", objects.data);
        same_truth(plain, message.data, &t);
        eop_buf_clear(&message);
        eop_buf_printf(&message, "{\"ts\":99,\"r\":[%s],\"who\":\"z\"}", objects.data);
        same_truth(readings, message.data, &t);
        eop_buf_clear(&message);
        eop_buf_printf(&message, "{\"who\":5,\"r\":{\"v\":[%s]}}", elements.data);
        same_truth(named, message.data, &t);
        eop_buf_clear(&message);
        eop_buf_printf(&message, "{\"who\":5,\"%s\":[%s%s%s],\"ts\":99}",
                       round % 2 == 0 ? "vals" : "records", round % 2 == 0 ? "" : "{\"vals\":[",
                       elements.data, round % 2 == 0 ? "" : "]}");
        same_truth(databus, message.data, &t);
    }
    eop_buf_dispose(&objects);
    eop_buf_dispose(&elements);
    eop_buf_dispose(&message);
    eop_payload_free(plain);
    eop_payload_free(readings);
    eop_payload_free(named);
    eop_payload_free(databus);
}
