/* SPDX-License-Identifier: Apache-2.0 */
/* The public door to the encoder of messages, for programs that publish samples. */
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "codec/message.h"
#include "edgeops/ingest.h"

/* The reader of messages would take such a channel for what the sample itself says. */
static edgeops_status check_names(const edgeops_sample *sample) {
    static const char *const taken[] = {"time", "seq", "asset"};
    EOP_REQUIRE(sample->count == 0 || (sample->channels != NULL && sample->values != NULL),
                "ingest");
    for (size_t i = 0; i < sample->count; i++) {
        EOP_REQUIRE(sample->channels[i] != NULL, "ingest");
        for (size_t k = 0; k < EOP_COUNT(taken); k++) {
            if (strcmp(sample->channels[i], taken[k]) == 0) {
                return eop_fail(EDGEOPS_E_INVALID, "ingest",
                                "a message has no place for a channel called '%s'; rename it",
                                taken[k]);
            }
        }
    }
    return EDGEOPS_OK;
}

edgeops_status edgeops_sample_encode(char **out, size_t *size, const edgeops_sample *sample) {
    eop_buf buf = {0};
    EOP_REQUIRE(out != NULL, "ingest");
    *out = NULL;
    EOP_REQUIRE(sample != NULL, "ingest"); /* asset may be NULL: it is left out then */
    edgeops_status status = check_names(sample);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_message_put_sample(&buf, sample, sample->asset);
    size_t made = buf.size;
    char *text = eop_buf_take(&buf);
    if (text == NULL) {
        return eop_fail_nomem("ingest");
    }
    if (size != NULL) {
        *size = made;
    }
    *out = text;
    return EDGEOPS_OK;
}
