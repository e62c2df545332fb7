/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes files.list and manifest.json of a backup; the header has their format. What is
 * read is not trusted: a path must stay below the folder. */
#include "node/files/backup_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "catalog/version.h"
#include "codec/schema.h"

#define HEADER       "edgeops-files 1\n"
#define PATH_BYTES   4000
#define LINE_BYTES   (PATH_BYTES + 128)
#define MANIFEST_MAX ((size_t)1 << 20)

/* -- writing -- */

typedef struct writer {
    const char *folder;
    FILE *file;
    eop_backup_sum *sum;
    eop_copy_fn fn;
    void *user_data;
} writer;

edgeops_status eop_backup_hash(char hex[65], uint64_t *size, const char *folder, const char *path) {
    char *full = eop_path_join(folder, path);
    if (full == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        status = eop_fail_errno(errno, "node", "cannot read '%s'", full);
    } else {
        status = eop_sha256_of_fd(hex, size, fd, full);
        close(fd);
    }
    eop_free(full);
    return status;
}

static edgeops_status write_line(const eop_tree_entry *entry, void *user_data) {
    writer *w = user_data;
    char hex[65] = "";
    uint64_t size = 0;
    edgeops_status status = EDGEOPS_OK;
    if (!eop_name_valid(entry->path, strlen(entry->path), PATH_BYTES)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "'%s' has a name that a backup cannot hold: UTF-8 without control "
                        "characters, at most %d bytes",
                        entry->path, PATH_BYTES);
    }
    if (entry->folder) {
        (void)fprintf(w->file, "d %o %s\n", entry->mode & 0777u, entry->path);
        return EDGEOPS_OK;
    }
    if (strcmp(entry->path, EOP_BACKUP_LIST) == 0) {
        return EDGEOPS_OK;
    }
    status = eop_backup_hash(hex, &size, w->folder, entry->path);
    (void)fprintf(w->file, "f %o %" PRIu64 " %s %s\n", entry->mode & 0777u, size, hex, entry->path);
    w->sum->files++;
    w->sum->bytes += size;
    if (status == EDGEOPS_OK && w->fn != NULL) {
        status = w->fn(size, w->user_data);
    }
    return status;
}

static edgeops_status write_lines(writer *w, const char *path) {
    int fd = eop_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    w->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (w->file == NULL) {
        edgeops_status status = eop_fail_errno(errno, "node", "cannot make '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    (void)fputs(HEADER, w->file);
    edgeops_status status = eop_tree_walk(w->folder, write_line, w);
    bool failed = fflush(w->file) != 0 || ferror(w->file) != 0 || fsync(fd) != 0;
    int error = errno;
    failed = fclose(w->file) != 0 || failed;
    if (status == EDGEOPS_OK && failed) {
        status = eop_fail_errno(error, "node", "cannot write '%s'", path);
    }
    return status;
}

edgeops_status eop_backup_list_write(eop_backup_sum *sum, char list_sha256[65], const char *folder,
                                     eop_copy_fn fn, void *user_data) {
    writer w = {.folder = folder, .sum = sum, .fn = fn, .user_data = user_data};
    *sum = (eop_backup_sum){0};
    char *path = eop_path_join(folder, EOP_BACKUP_LIST);
    if (path == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = write_lines(&w, path);
    eop_free(path);
    return status == EDGEOPS_OK ? eop_backup_hash(list_sha256, NULL, folder, EOP_BACKUP_LIST)
                                : status;
}

/* -- reading -- */

static edgeops_status malformed(const char *folder, uint64_t line) {
    return eop_fail(EDGEOPS_E_CORRUPT, "node",
                    "'%s/" EOP_BACKUP_LIST "' is damaged at line %" PRIu64
                    ": take another backup of this home",
                    folder, line);
}

/* "d MODE PATH" or "f MODE SIZE SHA256 PATH", without the LF. */
static bool parse_line(eop_backup_line *out, const char *line) {
    int used = 0;
    *out = (eop_backup_line){.entry = {.folder = line[0] == 'd'}};
    if (out->entry.folder) {
        if (sscanf(line, "d %5o%n", &out->entry.mode, &used) != 1) {
            return false;
        }
    } else if (sscanf(line, "f %5o %19" SCNu64 " %64[0-9a-f]%n", &out->entry.mode, &out->entry.size,
                      out->sha256, &used) != 3 ||
               strlen(out->sha256) != 64) {
        return false;
    }
    if (used == 0 || line[used] != ' ' || out->entry.mode > 0777) {
        return false;
    }
    out->entry.path = line + used + 1;
    return eop_name_valid(out->entry.path, strlen(out->entry.path), PATH_BYTES);
}

static edgeops_status read_lines(FILE *file, const char *folder, eop_backup_line_fn fn,
                                 void *user_data) {
    char text[LINE_BYTES];
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t n = 1; status == EDGEOPS_OK && fgets(text, sizeof text, file) != NULL; n++) {
        eop_backup_line line;
        size_t size = strlen(text);
        if (n == 1) {
            status = strcmp(text, HEADER) == 0 ? EDGEOPS_OK : malformed(folder, n);
            continue;
        }
        if (size == 0 || text[size - 1] != '\n') {
            return malformed(folder, n);
        }
        text[size - 1] = '\0';
        status = parse_line(&line, text) ? fn(&line, user_data) : malformed(folder, n);
    }
    return status == EDGEOPS_OK && ferror(file) != 0
               ? eop_fail_errno(errno, "node", "cannot read '%s/" EOP_BACKUP_LIST "'", folder)
               : status;
}

edgeops_status eop_backup_list_read(const char *folder, const char *list_sha256,
                                    eop_backup_line_fn fn, void *user_data) {
    char hex[65] = "";
    char *path = eop_path_join(folder, EOP_BACKUP_LIST);
    int fd = path != NULL ? eop_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    edgeops_status status = EDGEOPS_OK;
    if (file == NULL) {
        status = path != NULL ? eop_fail_errno(errno, "node", "cannot read '%s'", path)
                              : eop_fail_nomem("node");
        goto out;
    }
    status = eop_sha256_of_fd(hex, NULL, fd, path);
    if (status == EDGEOPS_OK && strcmp(hex, list_sha256) != 0) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "node",
                          "'%s' is not what was written: take another backup of this home", path);
    }
    if (status == EDGEOPS_OK && lseek(fd, 0, SEEK_SET) != 0) {
        status = eop_fail_errno(errno, "node", "cannot read '%s'", path);
    }
    if (status == EDGEOPS_OK) {
        status = read_lines(file, folder, fn, user_data);
    }
out:
    if (file != NULL) {
        (void)fclose(file);
    } else if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    return status;
}

/* -- the manifest -- */

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"format\",\"home_version\",\"files\",\"bytes\","
    "\"list_sha256\"],\"properties\":{\"format\":{\"type\":\"integer\",\"minimum\":1},"
    "\"home_version\":{\"type\":\"integer\",\"minimum\":1},"
    "\"program\":{\"type\":\"string\"},\"node\":{\"type\":\"string\"},\"layer\":{\"type\":"
    "\"string\"},\"created\":{\"type\":\"string\"},"
    "\"files\":{\"type\":\"integer\",\"minimum\":0},\"bytes\":{\"type\":\"integer\",\"minimum\":0},"
    "\"list_sha256\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}}}";

static edgeops_status check_versions(const eop_json *manifest, const char *path) {
    int64_t format = eop_json_integer(manifest, "format", 0);
    int64_t home = eop_json_integer(manifest, "home_version", 0);
    if (format > EOP_BACKUP_FORMAT || home > EOP_HOME_VERSION) {
        return eop_fail(EDGEOPS_E_VERSION, "node",
                        "'%s': made by edgeops %s, home version %lld, and this program knows up to "
                        "%d: restore it with a newer edgeops",
                        path, eop_json_string(manifest, "program", "?"), (long long)home,
                        EOP_HOME_VERSION);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_backup_manifest_read(eop_json **out, const char *folder) {
    char *text = NULL;
    size_t size = 0;
    eop_json *json = NULL;
    char *path = eop_path_join(folder, EOP_BACKUP_MANIFEST);
    if (path == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_file_read(&text, &size, path, MANIFEST_MAX);
    if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "'%s' is no backup: there is no " EOP_BACKUP_MANIFEST " in it", folder);
    }
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&json, text, size, path, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = check_versions(json, path);
    }
    if (status == EDGEOPS_OK) {
        status = eop_schema_check_text(schema, json, text, size, path);
    }
    if (status == EDGEOPS_E_INVALID) {
        status = eop_fail_with(EDGEOPS_E_CORRUPT, "node", edgeops_error_last()->message);
    }
    if (status == EDGEOPS_OK) {
        *out = json;
        json = NULL;
    }
    eop_json_free(json);
    eop_free(text);
    eop_free(path);
    return status;
}
