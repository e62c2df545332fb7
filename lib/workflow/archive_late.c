/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive brings libxml2, ICU and the C++ library with it: 2.5 MB of memory in every program
 * that links this library, most of which never open a package. So it is loaded when a package is
 * read or written: the functions that archive.c calls are here, under their names, and pass the
 * call on. */
#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "platform/platform.h"
#include "workflow/archive.h"

#define FUNCTIONS(X)                                                                               \
    X(int, archive_errno, (struct archive * a), (a))                                               \
    X(const char *, archive_error_string, (struct archive * a), (a))                               \
    X(struct archive *, archive_read_new, (void), ())                                              \
    X(int, archive_read_support_format_zip_seekable, (struct archive * a), (a))                    \
    X(int, archive_read_set_option,                                                                \
      (struct archive * a, const char *m, const char *o, const char *v), (a, m, o, v))             \
    X(int, archive_read_set_read_callback, (struct archive * a, archive_read_callback * f),        \
      (a, f))                                                                                      \
    X(int, archive_read_set_skip_callback, (struct archive * a, archive_skip_callback * f),        \
      (a, f))                                                                                      \
    X(int, archive_read_set_seek_callback, (struct archive * a, archive_seek_callback * f),        \
      (a, f))                                                                                      \
    X(int, archive_read_set_callback_data, (struct archive * a, void *data), (a, data))            \
    X(int, archive_read_open1, (struct archive * a), (a))                                          \
    X(int, archive_read_next_header, (struct archive * a, struct archive_entry * *e), (a, e))      \
    X(la_ssize_t, archive_read_data, (struct archive * a, void *data, size_t size),                \
      (a, data, size))                                                                             \
    X(int, archive_read_free, (struct archive * a), (a))                                           \
    X(struct archive *, archive_write_new, (void), ())                                             \
    X(int, archive_write_set_format_zip, (struct archive * a), (a))                                \
    X(int, archive_write_zip_set_compression_deflate, (struct archive * a), (a))                   \
    X(int, archive_write_set_option,                                                               \
      (struct archive * a, const char *m, const char *o, const char *v), (a, m, o, v))             \
    X(int, archive_write_set_bytes_in_last_block, (struct archive * a, int bytes), (a, bytes))     \
    X(int, archive_write_open_fd, (struct archive * a, int fd), (a, fd))                           \
    X(int, archive_write_header, (struct archive * a, struct archive_entry * e), (a, e))           \
    X(la_ssize_t, archive_write_data, (struct archive * a, const void *data, size_t size),         \
      (a, data, size))                                                                             \
    X(int, archive_write_finish_entry, (struct archive * a), (a))                                  \
    X(int, archive_write_close, (struct archive * a), (a))                                         \
    X(int, archive_write_free, (struct archive * a), (a))                                          \
    X(struct archive_entry *, archive_entry_new, (void), ())                                       \
    X(struct archive_entry *, archive_entry_clear, (struct archive_entry * e), (e))                \
    X(__LA_MODE_T, archive_entry_filetype, (struct archive_entry * e), (e))                        \
    X(const char *, archive_entry_pathname_utf8, (struct archive_entry * e), (e))                  \
    X(const char *, archive_entry_hardlink, (struct archive_entry * e), (e))                       \
    X(const char *, archive_entry_symlink, (struct archive_entry * e), (e))                        \
    X(int, archive_entry_is_encrypted, (struct archive_entry * e), (e))

/* Those that give nothing back. */
#define PROCEDURES(X)                                                                              \
    X(archive_entry_set_pathname_utf8, (struct archive_entry * e, const char *path), (e, path))    \
    X(archive_entry_free, (struct archive_entry * e), (e))                                         \
    X(archive_entry_set_filetype, (struct archive_entry * e, unsigned type), (e, type))            \
    X(archive_entry_set_perm, (struct archive_entry * e, __LA_MODE_T mode), (e, mode))             \
    X(archive_entry_set_size, (struct archive_entry * e, la_int64_t size), (e, size))

/* clang-format off */
#define MEMBER(type, name, parameters, arguments) type (*name) parameters;
#define VOID_MEMBER(name, parameters, arguments) void (*name) parameters;
/* clang-format on */
static struct {
    FUNCTIONS(MEMBER)
    PROCEDURES(VOID_MEMBER)
    void (*archive_set_error)(struct archive *a, int number, const char *format, ...);
} late;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static edgeops_status loaded;
static char why[256];

#define FIND(name)                                                                                 \
    if (loaded == EDGEOPS_OK) {                                                                    \
        loaded = eop_library_symbol((void **)(void *)&late.name, EOP_ARCHIVE_LIBRARY, #name);      \
    }
#define FIND_FUNCTION(type, name, parameters, arguments) FIND(name)
#define FIND_PROCEDURE(name, parameters, arguments)      FIND(name)

static void load(void) {
    FUNCTIONS(FIND_FUNCTION)
    PROCEDURES(FIND_PROCEDURE)
    FIND(archive_set_error)
    if (loaded != EDGEOPS_OK) {
        snprintf(why, sizeof why, "%s", edgeops_error_last()->message);
    }
}

edgeops_status eop_archive_load(void) {
    pthread_once(&once, load);
    return loaded == EDGEOPS_OK ? EDGEOPS_OK : eop_fail_with(loaded, "workflow", why);
}

#define PASS_ON(type, name, parameters, arguments)                                                 \
    type name parameters {                                                                         \
        return late.name arguments;                                                                \
    }
#define PASS_ON_PROCEDURE(name, parameters, arguments)                                             \
    void name parameters {                                                                         \
        late.name arguments;                                                                       \
    }
FUNCTIONS(PASS_ON)
PROCEDURES(PASS_ON_PROCEDURE)

void archive_set_error(struct archive *a, int number, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    late.archive_set_error(a, number, "%s", text);
}
