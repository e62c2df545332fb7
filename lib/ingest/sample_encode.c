/* SPDX-License-Identifier: Apache-2.0 */
/* The public door to the encoder of messages, for programs that publish samples. */
#include "base/compiler.h"
#include "base/error.h"
#include "codec/message.h"
#include "edgeops/ingest.h"

edgeops_status edgeops_sample_encode(char **out, size_t *size, const edgeops_sample *sample) {
    eop_buf buf = {0};
    EOP_REQUIRE(out != NULL && sample != NULL, "ingest");
    *out = NULL;
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
