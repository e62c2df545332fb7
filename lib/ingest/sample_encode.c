/* SPDX-License-Identifier: Apache-2.0 */
/* The public door to the encoder of messages, for programs that publish samples. */
#include "base/compiler.h"
#include "base/error.h"
#include "codec/message.h"
#include "edgeops/ingest.h"

edgeops_status edgeops_sample_encode(char **out, size_t *size, const edgeops_sample *sample) {
    eop_buf buf = {0};
    EOP_REQUIRE(out != NULL, "ingest");
    *out = NULL;
    EOP_REQUIRE(sample != NULL, "ingest"); /* asset may be NULL: it is left out then */
    EOP_REQUIRE((sample->channels != NULL && sample->values != NULL) || sample->count == 0,
                "ingest");
    for (size_t i = 0; i < sample->count; i++) {
        EOP_REQUIRE(sample->channels[i] != NULL, "ingest");
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
