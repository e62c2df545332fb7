/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk holds: see disk.h. The lock of disk.c is held. */
#ifndef TESTS_SUPPORT_DISK_MODEL_H
#define TESTS_SUPPORT_DISK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/** Takes the folder as it is, all of it synced. */
void model_begin(const char *folder);
void model_end(void);
/** What is in a folder, and its name, is not synced yet. */
void model_doubt(const char *folder);

void model_created(const char *path, const struct stat *st);
void model_written(const struct stat *st, uint64_t offset, const void *data, size_t size);
void model_resized(const struct stat *st, uint64_t size);
void model_renamed(const char *from, const char *to, const struct stat *st);
void model_removed(const char *path);
void model_synced(const struct stat *st);
/** What was written since the last sync is lost, but for what the seed spares. */
void model_sync_failed(const struct stat *st, uint64_t seed);
/** Writes the folder as it is after a power cut to `out`, which is not there. */
void model_cut(const char *out, uint64_t seed);

#endif /* TESTS_SUPPORT_DISK_MODEL_H */
