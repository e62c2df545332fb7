/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of what is stored, a hash for tables in memory, digests of content. */
#ifndef EOP_BASE_HASH_H
#define EOP_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), start with 0, may be continued. SSE4.2 where there
 * is. */
uint32_t eop_crc32c(uint32_t crc, const void *data, size_t size);

/** Fast non-cryptographic 64-bit hash for tables in memory; not stable between versions. */
uint64_t eop_hash64(const void *data, size_t size);

/** SHA-256 (FIPS 180-4), by OpenSSL's libcrypto. */
typedef struct eop_sha256 eop_sha256;
edgeops_status eop_sha256_new(eop_sha256 **out);
void eop_sha256_update(eop_sha256 *hash, const void *data, size_t size);
/** Writes 64 lower-case hex digits and a NUL, frees the hash. */
void eop_sha256_finish(eop_sha256 *hash, char hex[65]);
void eop_sha256_free(eop_sha256 *hash);
edgeops_status eop_sha256_of(char hex[65], const void *data, size_t size);
/** Of what is left to read from fd. size: optional, the bytes read. what: names the file in an
 * error. */
edgeops_status eop_sha256_of_fd(char hex[65], uint64_t *size, int fd, const char *what);

/** Writes 2 n lower-case hex digits and a NUL. */
void eop_hex_put(char *hex, const uint8_t *bytes, size_t n);
/** Reads 2 n lower-case hex digits; false for anything else. */
bool eop_hex_take(uint8_t *bytes, size_t n, const char *hex);

#endif /* EOP_BASE_HASH_H */
