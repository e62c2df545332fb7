/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer in the virtual machine (guest.c) was told by the library, for the host to hold
 * it to. The writer puts one promise after each acknowledgement on the raw disk, behind the file
 * system, in a ring of slots, past the guest's cache: so a promise is among the writes of the disk
 * at the very place where it was given. writelog.py reads the same bytes. */
#ifndef TESTS_POWER_PROMISE_H
#define TESTS_POWER_PROMISE_H

#include <assert.h>
#include <stdint.h>

enum { PROMISE_BYTES = 512, PROMISE_SLOTS = 32768, PROMISE_ASSETS = 3, PROMISE_DIGEST = 64 };
#define PROMISE_MAGIC UINT64_C(0x31524557504f4545)

enum {
    PROMISE_DURABLE = 1 /**< the power may go: all that is acknowledged is on the disk */
};

/** What becomes of the dataset that a promise names. */
typedef enum promise_set {
    PROMISE_NO_SET = 0,
    PROMISE_MAKING = 1, /**< it may be there */
    PROMISE_MADE = 2,   /**< it is there */
    PROMISE_REMOVING = 3,
    PROMISE_REMOVED = 4
} promise_set;

/** Little endian, as the machine writes it. */
typedef struct promise {
    uint64_t magic;
    uint64_t number;  /**< from 1, over all lives of a home; its slot is number % PROMISE_SLOTS */
    uint64_t time_ns; /**< since the boot */
    uint32_t life;
    uint32_t flags;
    uint64_t acknowledged[PROMISE_ASSETS]; /**< rows 1..n of each asset */
    uint64_t labels;                       /**< labels 1..n */
    uint64_t sets;                         /**< datasets 1..n were begun */
    uint64_t set;                          /**< number of the dataset that this one is about */
    uint64_t set_rows;                     /**< MADE */
    uint32_t set_state;                    /**< promise_set */
    uint32_t gone;                         /**< 1: the asset that comes and goes is removed */
    char digest[PROMISE_DIGEST];           /**< MADE */
    uint8_t filler[PROMISE_BYTES - 168];
    uint32_t reserved_too;
    uint32_t crc; /**< CRC-32 of all before it */
} promise;
static_assert(sizeof(promise) == PROMISE_BYTES, "one sector");

#endif /* TESTS_POWER_PROMISE_H */
