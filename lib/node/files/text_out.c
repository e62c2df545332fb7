/* SPDX-License-Identifier: Apache-2.0 */
/* Collects text and writes it in pieces; an error of a buffer is seen when it is written. */
#include "node/files/text_out.h"

#include "node/control/job.h"

#define FLUSH_BYTES 65536u

static edgeops_status write_text(eop_text_out *out, eop_job *job, bool last) {
    eop_buf *ready = &out->text;
    edgeops_status status = EDGEOPS_OK;
    if (out->text.failed) {
        return eop_fail_nomem("node");
    }
    if (out->gzip != NULL) {
        ready = &out->packed;
        status = eop_gzip_put(out->gzip, ready, out->text.data, out->text.size, last);
    }
    if (status == EDGEOPS_OK && ready->size > 0) {
        status = eop_job_write(job, out->output, ready->data, ready->size);
    }
    eop_buf_clear(&out->text);
    eop_buf_clear(&out->packed);
    return status;
}

edgeops_status eop_text_out_row(eop_text_out *out, eop_job *job) {
    return out->text.size > FLUSH_BYTES || out->text.failed ? write_text(out, job, false)
                                                            : EDGEOPS_OK;
}

edgeops_status eop_text_out_finish(eop_text_out *out, eop_job *job) {
    return write_text(out, job, true);
}

void eop_text_out_dispose(eop_text_out *out) {
    eop_gzip_free(out->gzip);
    eop_buf_dispose(&out->text);
    eop_buf_dispose(&out->packed);
}
