/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums (CRC-32C, in hardware where the processor has it), a fast hash for tables in memory,
 * and SHA-256 by libcrypto. */
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p,
                                                               size_t size) {
    uint64_t c = crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
    }
    for (; size > 0; size--, p++) {
        c = _mm_crc32_u8((uint32_t)c, *p);
    }
    return (uint32_t)c;
}
#endif

/* Reflected polynomial 0x82F63B78, four bits at a time: small and without set-up. */
static uint32_t crc32c_plain(uint32_t crc, const uint8_t *p, size_t size) {
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    for (; size > 0; size--, p++) {
        crc ^= *p;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

uint32_t eop_crc32c(uint32_t crc, const void *data, size_t size) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc32c_sse42(~crc, data, size);
    }
#endif
    return ~crc32c_plain(~crc, data, size);
}

/* The finisher is that of MurmurHash3 (Appleby, public domain constants); the loop takes 8 bytes a
 * step. */
static uint64_t mix(uint64_t h) {
    h ^= h >> 33;
    h *= 0xFF51AFD7ED558CCDu;
    h ^= h >> 33;
    h *= 0xC4CEB9FE1A85EC53u;
    return h ^ (h >> 33);
}

uint64_t eop_hash64(const void *data, size_t size) {
    const uint8_t *p = data;
    uint64_t h = 0x9E3779B97F4A7C15u ^ (uint64_t)size;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = mix(h ^ word) * 0x9E3779B97F4A7C15u;
    }
    uint64_t tail = 0;
    if (size > 0) {
        memcpy(&tail, p, size);
    }
    return mix(h ^ tail);
}

struct eop_sha256 {
    EVP_MD_CTX *evp;
};

edgeops_status eop_sha256_new(eop_sha256 **out) {
    *out = NULL;
    eop_sha256 *hash = eop_calloc(1, sizeof *hash);
    if (hash == NULL) {
        return eop_fail_nomem("base");
    }
    hash->evp = EVP_MD_CTX_new();
    if (hash->evp == NULL || EVP_DigestInit_ex(hash->evp, EVP_sha256(), NULL) != 1) {
        eop_sha256_free(hash);
        return eop_fail(EDGEOPS_E_INTERNAL, "base", "libcrypto offers no SHA-256");
    }
    *out = hash;
    return EDGEOPS_OK;
}

void eop_sha256_update(eop_sha256 *hash, const void *data, size_t size) {
    if (size > 0) {
        /* On an initialised SHA-256 context an update does not fail (it only adds to a counter and
         * a block). */
        (void)EVP_DigestUpdate(hash->evp, data, size);
    }
}

void eop_hex_put(char *hex, const uint8_t *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n] = '\0';
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool eop_hex_take(uint8_t *bytes, size_t n, const char *hex) {
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = high >= 0 ? hex_digit(hex[2 * i + 1]) : -1;
        if (low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void eop_sha256_finish(eop_sha256 *hash, char hex[65]) {
    unsigned char digest[32] = {0};
    (void)EVP_DigestFinal_ex(hash->evp, digest, NULL);
    eop_hex_put(hex, digest, sizeof digest);
    eop_sha256_free(hash);
}

void eop_sha256_free(eop_sha256 *hash) {
    if (hash != NULL) {
        EVP_MD_CTX_free(hash->evp);
        eop_free(hash);
    }
}

edgeops_status eop_sha256_of(char hex[65], const void *data, size_t size) {
    eop_sha256 *hash;
    edgeops_status status = eop_sha256_new(&hash);
    if (status == EDGEOPS_OK) {
        eop_sha256_update(hash, data, size);
        eop_sha256_finish(hash, hex);
    }
    return status;
}

edgeops_status eop_sha256_of_fd(char hex[65], uint64_t *size, int fd, const char *what) {
    char data[16384]; /* a host's threads may have small stacks */
    eop_sha256 *hash = NULL;
    uint64_t total = 0;
    edgeops_status status = eop_sha256_new(&hash);
    while (status == EDGEOPS_OK) {
        ssize_t n = read(fd, data, sizeof data);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            status = eop_fail_errno(errno, "base", "cannot read '%s'", what);
        } else if (n == 0) {
            eop_sha256_finish(hash, hex);
            if (size != NULL) {
                *size = total;
            }
            return EDGEOPS_OK;
        } else {
            eop_sha256_update(hash, data, (size_t)n);
            total += (uint64_t)n;
        }
    }
    eop_sha256_free(hash);
    return status;
}
