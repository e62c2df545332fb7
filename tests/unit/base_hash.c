/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

Test(base_hash, crc32c_matches_rfc_3720) {
    unsigned char data[32] = {0};
    cr_assert(eq(u32, eop_crc32c(0, data, 32), 0x8A9136AAu));
    memset(data, 0xFF, 32);
    cr_assert(eq(u32, eop_crc32c(0, data, 32), 0x62A8AB43u));
    for (unsigned i = 0; i < 32; i++) {
        data[i] = (unsigned char)i;
    }
    cr_assert(eq(u32, eop_crc32c(0, data, 32), 0x46DD794Eu));
    cr_assert(eq(u32, eop_crc32c(0, "123456789", 9), 0xE3069283u));
    cr_assert(eq(u32, eop_crc32c(eop_crc32c(0, "1234", 4), "56789", 5), 0xE3069283u));
}

Test(base_hash, sha256_matches_fips_180) {
    char hex[65];
    cr_assert(eq(int, eop_sha256_of(hex, "abc", 3), EDGEOPS_OK));
    cr_assert(eq(str, hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    cr_assert(eq(int, eop_sha256_of(hex, "", 0), EDGEOPS_OK));
    cr_assert(eq(str, hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

Test(base_hash, hash64_tells_lengths_and_tails_apart) {
    static const char zeros[24];
    for (size_t a = 0; a < sizeof zeros; a++) {
        for (size_t b = a + 1; b < sizeof zeros; b++) {
            cr_assert(ne(u64, eop_hash64(zeros, a), eop_hash64(zeros, b)));
        }
    }
}

Test(base_hash, a_descriptor_is_hashed_to_its_end) {
    int fds[2];
    char hex[65];
    uint64_t size = 0;
    cr_assert(eq(int, pipe(fds), 0));
    cr_assert(eq(int, (int)write(fds[1], "abc", 3), 3));
    close(fds[1]);
    cr_assert(eq(int, eop_sha256_of_fd(hex, &size, fds[0], "pipe"), EDGEOPS_OK));
    cr_assert(eq(str, hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    cr_assert(eq(u64, size, 3));
    close(fds[0]);
    cr_assert(eq(int, eop_sha256_of_fd(hex, &size, fds[0], "pipe"), EDGEOPS_E_IO));
}
