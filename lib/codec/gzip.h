/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a stream as gzip (RFC 1952). */
#ifndef EOP_CODEC_GZIP_H
#define EOP_CODEC_GZIP_H

#include "base/str.h"
#include "edgeops/status.h"

typedef struct eop_gzip eop_gzip;
edgeops_status eop_gzip_new(eop_gzip **out);
/** Takes size bytes and puts what is packed of them. last: nothing comes after. E_NOMEM. */
edgeops_status eop_gzip_put(eop_gzip *gzip, eop_buf *out, const void *data, size_t size, bool last);
/** NULL is allowed. */
void eop_gzip_free(eop_gzip *gzip);

#endif /* EOP_CODEC_GZIP_H */
