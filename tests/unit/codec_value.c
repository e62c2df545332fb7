/* SPDX-License-Identifier: Apache-2.0 */
/* Values of all types as CSV text, as JSON and as members of messages. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "codec/payload.h"
#include "codec/rules.h"
#include "codec/value.h"

static const char *text_of(const edgeops_value *value,
                           void (*put)(eop_buf *, const edgeops_value *)) {
    static eop_buf buf;
    eop_buf_clear(&buf);
    put(&buf, value);
    cr_assert_not(buf.failed);
    eop_buf_put(&buf, "", 1);
    return buf.data;
}

Test(codec_value, numbers_survive_their_text) {
    for (unsigned t = 1; t < EOP_TYPES; t++) {
        edgeops_type type = (edgeops_type)t;
        static const uint64_t bits[] = {0,
                                        1,
                                        UINT64_MAX,
                                        UINT64_C(0x7fffffffffffffff),
                                        UINT64_C(0x8000000080000000),
                                        UINT64_C(0x3f8ccccd3dcccccd)};
        for (size_t i = 0; eop_type_is_numeric(type) && i < sizeof bits / sizeof *bits; i++) {
            edgeops_value value = eop_value_load(type, &bits[i]);
            edgeops_value back = {.type = EDGEOPS_TYPE_NULL};
            const char *text = text_of(&value, eop_value_put_text);
            if (eop_type_is_float(type) && isnan(eop_value_double(&value))) {
                continue;
            }
            cr_assert(eop_rules_value(NULL, &back, type, text, strlen(text)), "%s", text);
            cr_assert_eq(back.type, type);
            cr_assert_eq(memcmp(&back.as, &value.as, eop_type_width(type)), 0, "%s %s",
                         eop_type_name(type), text);
        }
    }
    edgeops_value value;
    cr_assert_not(eop_rules_value(NULL, &value, EDGEOPS_TYPE_INT8, "128", 3));
    cr_assert_not(eop_rules_value(NULL, &value, EDGEOPS_TYPE_UINT8, "-1", 2));
    cr_assert_not(eop_rules_value(NULL, &value, EDGEOPS_TYPE_UINT64, "18446744073709551616", 20));
    cr_assert_not(eop_rules_value(NULL, &value, EDGEOPS_TYPE_INT32, "1.5", 3));
    cr_assert_not(eop_rules_value(NULL, &value, EDGEOPS_TYPE_FLOAT32, "1e39", 4));
    cr_assert(eop_rules_value(NULL, &value, EDGEOPS_TYPE_UINT16, " ", 1));
    cr_assert_eq(value.type, EDGEOPS_TYPE_NULL);
}

Test(codec_value, array_is_one_field) {
    float elements[3] = {0.1f, -INFINITY, 3};
    float back[3];
    edgeops_value value = {
        .type = EDGEOPS_TYPE_FLOAT32, .size = sizeof elements, .as.data = elements};
    const char *text = text_of(&value, eop_value_put_text);
    cr_assert_str_eq(text, "[0.1,-Infinity,3]");
    edgeops_value read;
    cr_assert(eop_rules_array(NULL, &read, back, EDGEOPS_TYPE_FLOAT32, 3, text, strlen(text)));
    cr_assert_eq(read.size, sizeof elements);
    cr_assert_eq(memcmp(back, elements, sizeof elements), 0);
    cr_assert_str_eq(text_of(&value, eop_value_put_json), "[0.1,null,3]");
    cr_assert(eop_rules_array(NULL, &read, back, EDGEOPS_TYPE_FLOAT32, 3, " [ 1 , 2,3 ] ", 13));
    cr_assert_eq(back[1], 2);
    cr_assert(eop_rules_array(NULL, &read, back, EDGEOPS_TYPE_FLOAT32, 3, "", 0));
    cr_assert_eq(read.type, EDGEOPS_TYPE_NULL);
    static const char *const bad[] = {"[1,2]", "[1,2,3,4]", "1,2,3", "[1,2,3",  "[1,,3]",  "[1,2,]",
                                      "[]",    "[",         "]",     "[a,b,c]", "[1,2,3]]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_not(
            eop_rules_array(NULL, &read, back, EDGEOPS_TYPE_FLOAT32, 3, bad[i], strlen(bad[i])),
            "%s", bad[i]);
    }
}

Test(codec_value, json_keeps_digits_and_writes_float32_short) {
    const struct {
        edgeops_value value;
        const char *json;
    } cases[] = {
        {{.type = EDGEOPS_TYPE_UINT64, .as.u64 = UINT64_MAX}, "\"18446744073709551615\""},
        {{.type = EDGEOPS_TYPE_INT64, .as.i64 = -5}, "-5"},
        {{.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = 0.1f}, "0.1"},
        {{.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = NAN}, "null"},
        {{.type = EDGEOPS_TYPE_BOOL, .as.i64 = 1}, "true"},
        {{.type = EDGEOPS_TYPE_STRING, .size = 2, .as.str = "a\"b"}, "\"a\\\"\""},
        {{.type = EDGEOPS_TYPE_NULL}, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eop_json *json = eop_value_json(&cases[i].value);
        char *text = eop_json_print(json);
        cr_assert_str_eq(text, cases[i].json);
        eop_free(text);
        eop_json_free(json);
    }
}

Test(codec_value, blob_text_goes_there_and_back) {
    edgeops_blob blob = {.size = 12345678901};
    edgeops_blob back;
    char text[EOP_BLOB_TEXT];
    for (size_t i = 0; i < 32; i++) {
        blob.digest[i] = (uint8_t)(i * 9);
    }
    size_t size = eop_blob_format(text, &blob);
    cr_assert_eq(size, 7 + 64 + 1 + 11);
    cr_assert(eop_blob_parse(&back, text, size));
    cr_assert_eq(memcmp(&back, &blob, sizeof blob), 0);
    for (size_t i = 0; i < size; i++) {
        char broken[EOP_BLOB_TEXT];
        memcpy(broken, text, size);
        broken[i] = 'G';
        cr_assert_not(eop_blob_parse(&back, broken, size));
    }
    cr_assert_not(eop_blob_parse(&back, text, 71));
}

static const edgeops_sample *decode(eop_payload *p, const char *message) {
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    cr_assert_eq(eop_payload_decode(p, "t", message, strlen(message), 1, &samples, &n), EDGEOPS_OK,
                 "%s", edgeops_error_last()->message);
    return samples;
}

Test(codec_value, message_has_listed_types_arrays_and_qualities) {
    eop_payload *p = NULL;
    cr_assert_eq(eop_payload_new(&p, "{\"quality\": \"qc\", \"channels\": {"
                                     "\"block\": {\"type\": \"int16[4]\"},"
                                     "\"id\": {\"type\": \"uint64\"},"
                                     "\"t\": {\"type\": \"float32\", \"quality\": \"t_qc\"}}}"),
                 EDGEOPS_OK, "%s", edgeops_error_last()->message);
    const edgeops_sample *sample = decode(
        p, "[{\"t_qc\":3,\"block\":[1,-2,3,-32768],\"id\":\"18446744073709551615\",\"t\":0.1,"
           "\"free\":[5]},{\"block\":[9,8,7,6],\"t\":1}]");
    cr_assert_eq(sample[0].count, 4);
    const int16_t *block = sample[0].values[0].as.data;
    cr_assert_eq(sample[0].values[0].size, 8);
    cr_assert_eq(block[3], -32768);
    cr_assert_eq(sample[0].values[1].as.u64, UINT64_MAX);
    cr_assert_eq(sample[0].values[2].as.f32, 0.1f);
    cr_assert_str_eq(sample[0].channels[3], "free.0");
    cr_assert_eq(sample[0].qualities[0], EDGEOPS_QUALITY_NONE);
    cr_assert_eq(sample[0].qualities[2], 3 << 6);
    cr_assert_eq(((const int16_t *)sample[1].values[0].as.data)[0], 9);
    cr_assert_eq(sample[1].qualities[1], EDGEOPS_QUALITY_NONE);
    sample = decode(p, "{\"t\":1}");
    cr_assert(sample->qualities == NULL);
    static const char *const bad[] = {"{\"block\":[1,2,3]}",
                                      "{\"block\":[1,2,3,4,5]}",
                                      "{\"block\":[1,2,3,40000]}",
                                      "{\"block\":[1,2,3,\"4\"]}",
                                      "{\"block\":7}",
                                      "{\"block\":[1,2,[3],4]}",
                                      "{\"id\":-1}",
                                      "{\"id\":1.5}",
                                      "{\"t\":1,\"t_qc\":4}",
                                      "{\"t\":1e39}",
                                      "{\"block\":[1,2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = 0;
        cr_assert_eq(eop_payload_decode(p, "t", bad[i], strlen(bad[i]), 1, &sample, &n),
                     EDGEOPS_E_INVALID, "%s", bad[i]);
    }
    eop_payload_free(p);
    cr_assert_eq(eop_payload_new(&p, "{\"channels\": {\"x\": {\"type\": \"float33\"}}}"),
                 EDGEOPS_E_INVALID);
    cr_assert(strstr(edgeops_error_last()->message,
                     "payload: /channels/x/type: 'float33' is not a type") != NULL);
}
