/* SPDX-License-Identifier: Apache-2.0 */
/* zlib as the codecs use it: its memory comes from base, so that tests can fail each allocation.
 * Only files of this room see zlib.h. */
#ifndef EOP_CODEC_DEFLATE_H
#define EOP_CODEC_DEFLATE_H

#ifndef ZLIB_CONST
#define ZLIB_CONST
#endif
#include <zlib.h>

#include "edgeops/status.h"

/** window_bits as inflateInit2() takes them: negative for raw data, + 16 for gzip, + 32 for gzip or
 * zlib. E_NOMEM. End it with inflateEnd(). */
edgeops_status eop_inflate_begin(z_stream *z, int window_bits);
/** The same for packing, at zlib's level 6. End it with deflateEnd(). */
edgeops_status eop_deflate_begin(z_stream *z, int window_bits);

#endif /* EOP_CODEC_DEFLATE_H */
