/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the corpora beside the project, which not every machine has. */
#ifndef TESTS_UNIT_CODEC_CORPUS_H
#define TESTS_UNIT_CODEC_CORPUS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"

typedef void (*corpus_fn)(const char *name, const char *data, size_t size);

typedef struct corpus_walk {
    const char *folder;
    corpus_fn fn;
    size_t files;
} corpus_walk;

static edgeops_status corpus_visit(const char *name, void *user_data) {
    corpus_walk *walk = user_data;
    char *data = NULL;
    size_t size = 0;
    size_t length = strlen(name);
    if (length < 6 || strcmp(name + length - 5, ".json") != 0) {
        return EDGEOPS_OK;
    }
    char *path = eop_path_join(walk->folder, name);
    edgeops_status status = eop_file_read(&data, &size, path, (size_t)16 << 20);
    if (status == EDGEOPS_OK) {
        walk->fn(name, data, size);
        walk->files++;
    }
    eop_free(data);
    eop_free(path);
    return status;
}

/** Number of files visited; 0 with a printed reason when the folder is not there. */
static size_t corpus_each(const char *folder, corpus_fn fn) {
    const char *root = getenv("EDGEOPS_SOURCE_ROOT");
    char *path = eop_format("%s/../shared/corpora/%s", root != NULL ? root : ".", folder);
    corpus_walk walk = {path, fn, 0};
    if (!eop_file_exists(path)) {
        fprintf(stderr, "skipped: there is no %s\n", path);
    } else if (eop_dir_walk(path, corpus_visit, &walk) != EDGEOPS_OK) {
        fprintf(stderr, "skipped: %s cannot be read\n", path);
    }
    eop_free(path);
    return walk.files;
}

#endif /* TESTS_UNIT_CODEC_CORPUS_H */
