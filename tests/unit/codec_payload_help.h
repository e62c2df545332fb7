/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of the payload decoder share: a message in, its samples as text out. */
#ifndef EOP_TEST_CODEC_PAYLOAD_HELP_H
#define EOP_TEST_CODEC_PAYLOAD_HELP_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/message.h"
#include "codec/payload.h"
#include "failing_memory.h"

#define ARRIVED ((edgeops_time)1000000005)

static inline eop_payload *make(const char *config) {
    eop_payload *payload = NULL;
    cr_assert_eq(eop_payload_new(&payload, config), EDGEOPS_OK, "%s: %s",
                 config != NULL ? config : "", edgeops_error_last()->message);
    return payload;
}

/* "asset {...}" a sample, with "qualities q q" behind it where it has any ("-": none of this
 * value), or the error's text. */
static inline void put_decoded(eop_buf *out, eop_payload *payload, const char *topic,
                               const void *message, size_t size) {
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    edgeops_status status =
        eop_payload_decode(payload, topic, message, size, ARRIVED, &samples, &n);
    eop_buf_puts(out, "");
    if (status != EDGEOPS_OK) {
        eop_buf_puts(out, status == EDGEOPS_E_LIMIT ? "limit: " : "");
        eop_buf_puts(out, edgeops_error_last()->message);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        eop_buf_printf(out, "%s%s ", i > 0 ? "\n" : "", samples[i].asset);
        eop_message_put_sample(out, &samples[i], NULL);
        for (size_t k = 0; samples[i].qualities != NULL && k < samples[i].count; k++) {
            eop_buf_puts(out, k == 0 ? " qualities" : "");
            if (samples[i].qualities[k] == EDGEOPS_QUALITY_NONE) {
                eop_buf_puts(out, " -");
            } else {
                eop_buf_printf(out, " %u", (unsigned)samples[i].qualities[k]);
            }
        }
    }
}

static inline void gives_on(const char *config, const char *topic, const char *message,
                            const char *wanted) {
    eop_payload *payload = make(config);
    eop_buf out = {0};
    put_decoded(&out, payload, topic, message, strlen(message));
    cr_expect_str_eq(out.data, wanted, "%.80s: %s", message, out.data);
    eop_buf_dispose(&out);
    eop_payload_free(payload);
}

static inline void gives(const char *config, const char *message, const char *wanted) {
    gives_on(config, "t", message, wanted);
}

static inline void config_refused(const char *config, const char *wanted) {
    eop_payload *payload = NULL;
    cr_expect_eq(eop_payload_new(&payload, config), EDGEOPS_E_INVALID, "%s", config);
    cr_expect_null(payload);
    cr_expect_str_eq(edgeops_error_last()->message, wanted);
}

/* Each allocation fails in turn: an error, and the same decoder goes on afterwards. */
static inline void each_allocation_fails(const char *config, const char *message, size_t wanted) {
    take_failing_memory();
    bool done = false;
    for (fail_at = 1; !done; fail_at++) {
        eop_payload *payload = NULL;
        const edgeops_sample *samples = NULL;
        size_t n = 0;
        allocations = 0;
        edgeops_status status = eop_payload_new(&payload, config);
        if (status == EDGEOPS_OK) {
            status = eop_payload_decode(payload, "t", message, strlen(message), 0, &samples, &n);
            if (status == EDGEOPS_E_NOMEM) {
                cr_expect_eq(
                    eop_payload_decode(payload, "t", message, strlen(message), 0, &samples, &n),
                    EDGEOPS_OK);
                cr_expect_eq(n, wanted);
            }
        }
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "%s",
                  edgeops_error_last()->message);
        done = allocations < fail_at;
        cr_expect(status == EDGEOPS_OK || !done);
        eop_payload_free(payload);
    }
    cr_expect_gt(fail_at, 20);
}

#endif /* EOP_TEST_CODEC_PAYLOAD_HELP_H */
