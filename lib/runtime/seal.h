/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a model: brought to the disk and listed once, compared with that list later. */
#ifndef EOP_RUNTIME_SEAL_H
#define EOP_RUNTIME_SEAL_H

#include <stdbool.h>

#include "codec/json.h"

/** Asked after each MiB; anything but EDGEOPS_OK, with its error set, ends the work. */
typedef edgeops_status (*eop_seal_go_fn)(void *user_data);

/** Makes the files under a folder durable and lists them: [{name, size, sha256}], sorted by name;
 * *total is the sum of the sizes. Only regular files and folders are taken: E_DENIED. Any thread.
 */
edgeops_status eop_seal(eop_json **files, uint64_t *total, const char *folder, eop_seal_go_fn go,
                        void *user_data);

/** Compares a file with what is known of it. deep: its content too, else only its size. E_CORRUPT
 * says how it differs. Any thread. */
edgeops_status eop_seal_check(const char *folder, const char *name, uint64_t size,
                              const char *sha256, bool deep);
/** The same for each file of a list as eop_seal() makes it; NULL: no file. */
edgeops_status eop_seal_check_all(const char *folder, const eop_json *files, bool deep);

#endif /* EOP_RUNTIME_SEAL_H */
