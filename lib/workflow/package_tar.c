/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that come as a tar packed with gzip, zstd or xz. libarchive takes the tar apart; the
 * policy is the zips' (entries.h), and a leading "./" is all that is forgiven. gzip is unpacked by
 * the codec's own reader, because libarchive's checks no checksum and passes over what follows.
 *
 * libarchive brings libxml2, ICU and the C++ library with it, 2.5 MB of memory in every program
 * that links this library, most of which never see a tar. So it is loaded when the first one is
 * opened, and its functions are called through a table. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/input.h"
#include "platform/platform.h"
#include "workflow/package.h"

/* -- the library -- */

#define FUNCTIONS(X)                                                                               \
    X(archive_entry_filetype)                                                                      \
    X(archive_entry_hardlink)                                                                      \
    X(archive_entry_pathname)                                                                      \
    X(archive_entry_size)                                                                          \
    X(archive_entry_size_is_set)                                                                   \
    X(archive_entry_sparse_count)                                                                  \
    X(archive_entry_symlink)                                                                       \
    X(archive_errno)                                                                               \
    X(archive_error_string)                                                                        \
    X(archive_read_data)                                                                           \
    X(archive_read_free)                                                                           \
    X(archive_read_header_position)                                                                \
    X(archive_read_new)                                                                            \
    X(archive_read_next_header)                                                                    \
    X(archive_read_open)                                                                           \
    X(archive_read_support_filter_xz)                                                              \
    X(archive_read_support_filter_zstd)                                                            \
    X(archive_read_support_format_empty)                                                           \
    X(archive_read_support_format_raw)                                                             \
    X(archive_read_support_format_tar)

/* clang-format off */
#define MEMBER(name) __typeof__(name) *name;
static struct {
    FUNCTIONS(MEMBER)
} la;
/* clang-format on */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static edgeops_status loaded;
static char why[256];

#define FIND(name)                                                                                 \
    if (loaded == EDGEOPS_OK) {                                                                    \
        loaded = eop_library_symbol((void **)(void *)&la.name, EOP_ARCHIVE_LIBRARY, #name);        \
    }

static void load(void) {
    FUNCTIONS(FIND)
    if (loaded != EDGEOPS_OK) {
        (void)snprintf(why, sizeof why, "%s", edgeops_error_last()->message);
    }
}

static edgeops_status load_library(void) {
    (void)pthread_once(&once, load);
    return loaded == EDGEOPS_OK ? EDGEOPS_OK : eop_fail_with(loaded, "workflow", why);
}

/* libarchive converts names through the thread's locale and spoils them in "C". The host's locale
 * is not ours to set, this thread's is, for the length of a call. */
typedef struct utf8_scope {
    locale_t own;
    locale_t old;
} utf8_scope;

static utf8_scope enter_utf8(void) {
    utf8_scope scope = {newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), (locale_t)0};
    if (scope.own != (locale_t)0) {
        scope.old = uselocale(scope.own);
    }
    return scope;
}

static void leave_utf8(utf8_scope scope) {
    if (scope.own != (locale_t)0) {
        (void)uselocale(scope.old);
        freelocale(scope.own);
    }
}

/* -- unpacking: the bytes of the tar, counted -- */

enum {
    BLOCK = EOP_CONTENT_BLOCK,
    END_MIN = 1024,          /* two blocks of zeros end a tar */
    END_MAX = 2 << 20,       /* and fill its last record, of at most 1 MiB by GNU tar's limit */
    HEADERS_PER_ENTRY = 4096 /* its header, an extended one for a long name, both filled up */
};

typedef struct tar {
    int fd;
    const char *what;
    uint64_t packed; /* bytes of the file */
    uint64_t unpacked;
    uint64_t used;         /* unpacked bytes up to the last one that is not zero */
    size_t entries;        /* headers seen */
    edgeops_status status; /* of a callback; its text is the thread's */
    eop_input *gzip;
    struct archive *unpacker; /* for zstd and xz, which libarchive checks as they deserve */
    struct archive *reader;
    off_t position; /* of the unpacker, in the file */
    char raw[BLOCK];
    char block[BLOCK];
} tar;

static edgeops_status library_fault(const tar *t, struct archive *a, const char *path) {
    const char *text = la.archive_error_string(a);
    edgeops_status code = la.archive_errno(a) == ENOMEM ? EDGEOPS_E_NOMEM : EDGEOPS_E_CORRUPT;
    if (t->status != EDGEOPS_OK) {
        return t->status;
    }
    return eop_fail(code, "workflow", "%s: %s%s%s%s", t->what, path != NULL ? "'" : "",
                    path != NULL ? path : "", path != NULL ? "': " : "",
                    text != NULL ? text : "is damaged");
}

static la_ssize_t read_packed(struct archive *a, void *user_data, const void **data) {
    tar *t = user_data;
    ssize_t n;
    (void)a;
    do {
        n = pread(t->fd, t->raw, sizeof t->raw, t->position);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        t->status = eop_fail_errno(errno, "workflow", "cannot read '%s'", t->what);
        return -1;
    }
    t->position += n;
    *data = t->raw;
    return n;
}

static edgeops_status check_growth(const tar *t) {
    uint64_t headers = (uint64_t)t->entries * HEADERS_PER_ENTRY;
    uint64_t content = t->unpacked > headers ? t->unpacked - headers : 0;
    if (content > EOP_ENTRY_TOTAL_MAX + END_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: more than 2 GiB unpacked", t->what);
    }
    if (content > EOP_ENTRY_RATIO_FROM + END_MAX && content / EOP_ENTRY_RATIO_MAX >= t->packed) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: unpacks to more than %d times its size",
                        t->what, EOP_ENTRY_RATIO_MAX);
    }
    return EDGEOPS_OK;
}

/* Fills block. *got: 0 at the end only. */
static edgeops_status unpack(tar *t, size_t *got) {
    if (t->gzip != NULL) {
        edgeops_status status = eop_input_read(t->gzip, t->block, sizeof t->block, got);
        if (status != EDGEOPS_OK) {
            return status;
        }
    } else {
        la_ssize_t n = la.archive_read_data(t->unpacker, t->block, sizeof t->block);
        if (n < 0) {
            return library_fault(t, t->unpacker, NULL);
        }
        *got = (size_t)n;
    }
    size_t last = *got;
    while (last > 0 && t->block[last - 1] == 0) {
        last--;
    }
    t->used = last > 0 ? t->unpacked + last : t->used;
    t->unpacked += *got;
    return check_growth(t);
}

static la_ssize_t read_unpacked(struct archive *a, void *user_data, const void **data) {
    tar *t = user_data;
    size_t got = 0;
    (void)a;
    t->status = unpack(t, &got);
    *data = t->block;
    return t->status == EDGEOPS_OK ? (la_ssize_t)got : -1;
}

static edgeops_status open_unpacker(tar *t) {
    unsigned char magic[2] = {0};
    struct archive_entry *all = NULL;
    ssize_t n = pread(t->fd, magic, sizeof magic, 0);
    if (n < 0 || lseek(t->fd, 0, SEEK_SET) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot read '%s'", t->what);
    }
    if (magic[0] == 0x1f && magic[1] == 0x8b) {
        return eop_input_open(&t->gzip, t->fd, t->what);
    }
    t->unpacker = la.archive_read_new();
    if (t->unpacker == NULL) {
        return eop_fail_nomem("workflow");
    }
    /* ARCHIVE_WARN: it would start a program for it. */
    if (la.archive_read_support_filter_zstd(t->unpacker) != ARCHIVE_OK ||
        la.archive_read_support_filter_xz(t->unpacker) != ARCHIVE_OK) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "%s: this libarchive cannot unpack zstd or xz; pack it with gzip", t->what);
    }
    if (la.archive_read_support_format_raw(t->unpacker) != ARCHIVE_OK ||
        la.archive_read_support_format_empty(t->unpacker) != ARCHIVE_OK ||
        la.archive_read_open(t->unpacker, t, NULL, read_packed, NULL) != ARCHIVE_OK) {
        return library_fault(t, t->unpacker, NULL);
    }
    int got = la.archive_read_next_header(t->unpacker, &all);
    return got == ARCHIVE_OK || got == ARCHIVE_EOF ? EDGEOPS_OK
                                                   : library_fault(t, t->unpacker, NULL);
}

static void close_tar(tar *t) {
    if (t != NULL) {
        if (t->reader != NULL) {
            (void)la.archive_read_free(t->reader);
        }
        if (t->unpacker != NULL) {
            (void)la.archive_read_free(t->unpacker);
        }
        eop_input_close(t->gzip);
        eop_free(t);
    }
}

static edgeops_status open_tar(tar **out, int fd, const char *what) {
    struct stat st;
    tar *t = eop_calloc(1, sizeof *t);
    if (t == NULL) {
        return eop_fail_nomem("workflow");
    }
    t->fd = fd;
    t->what = what;
    edgeops_status status = fstat(fd, &st) == 0
                                ? open_unpacker(t)
                                : eop_fail_errno(errno, "workflow", "cannot read '%s'", what);
    if (status == EDGEOPS_OK) {
        t->packed = (uint64_t)st.st_size;
        t->reader = la.archive_read_new();
        status = t->reader != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK &&
        (la.archive_read_support_format_tar(t->reader) != ARCHIVE_OK ||
         la.archive_read_support_format_empty(t->reader) != ARCHIVE_OK ||
         la.archive_read_open(t->reader, t, NULL, read_unpacked, NULL) != ARCHIVE_OK)) {
        status = library_fault(t, t->reader, NULL);
    }
    if (status == EDGEOPS_OK) {
        *out = t;
        t = NULL;
    }
    close_tar(t);
    return status;
}

/* -- entries -- */

typedef struct tar_entry {
    const char *path; /* borrowed until the next entry; "" for the root itself */
    size_t path_size;
    uint64_t size;
    bool directory;
} tar_entry;

static const char *refused_kind(struct archive_entry *given) {
    unsigned type = la.archive_entry_filetype(given);
    if (la.archive_entry_hardlink(given) != NULL) {
        return "hard link";
    }
    if (la.archive_entry_symlink(given) != NULL || type == AE_IFLNK) {
        return "symbolic link";
    }
    if (type != AE_IFREG && type != AE_IFDIR) {
        return "device, FIFO or socket";
    }
    return la.archive_entry_sparse_count(given) > 0 ? "sparse file" : NULL;
}

static edgeops_status take_entry(tar_entry *out, tar *t, struct archive_entry *given) {
    const char *kind = refused_kind(given);
    if (kind != NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow",
                        "%s: entry %zu is a %s; a package holds regular files and folders only",
                        t->what, t->entries, kind);
    }
    const char *path = la.archive_entry_pathname(given);
    int64_t size = la.archive_entry_size_is_set(given) ? la.archive_entry_size(given) : 0;
    if (path == NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: the name of entry %zu is not UTF-8",
                        t->what, t->entries);
    }
    if (size < 0) {
        return eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: entry %zu has no size", t->what,
                        t->entries);
    }
    *out = (tar_entry){.size = (uint64_t)size,
                       .directory = la.archive_entry_filetype(given) == AE_IFDIR};
    /* `tar -C FOLDER .` writes "./" and "./NAME". */
    bool root = out->directory && (strcmp(path, ".") == 0 || strcmp(path, "./") == 0);
    out->path = root ? "" : strncmp(path, "./", 2) == 0 ? path + 2 : path;
    out->path_size = strlen(out->path);
    return EDGEOPS_OK;
}

/* All that follows the last entry is zeros, enough and not too many, to the end of the file. */
static edgeops_status check_end(tar *t) {
    uint64_t end = (uint64_t)la.archive_read_header_position(t->reader);
    size_t got = 1;
    while (got > 0) {
        edgeops_status status = unpack(t, &got);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (t->used > end || t->unpacked > end + END_MAX) {
        return eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: the tar has bytes after its end",
                        t->what);
    }
    return t->unpacked >= end + END_MIN
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: the tar is cut short (it has no end)",
                          t->what);
}

/* DONE: the end, which is sound. The root itself is passed over. */
static edgeops_status next_entry(tar_entry *out, tar *t) {
    edgeops_status status = EDGEOPS_OK;
    do {
        struct archive_entry *given = NULL;
        int got = la.archive_read_next_header(t->reader, &given);
        if (got == ARCHIVE_EOF) {
            status = check_end(t);
            return status == EDGEOPS_OK ? EDGEOPS_DONE : status;
        }
        if (got != ARCHIVE_OK) {
            return library_fault(t, t->reader, NULL);
        }
        t->entries++;
        status = take_entry(out, t, given);
    } while (status == EDGEOPS_OK && *out->path == '\0' && out->directory);
    return status;
}

static edgeops_status index_entries(eop_entries *entries, tar *t) {
    tar_entry e;
    edgeops_status status = next_entry(&e, t);
    while (status == EDGEOPS_OK) {
        status = eop_entries_add(entries, e.path, e.path_size, e.size, e.directory, t->what);
        if (status == EDGEOPS_OK) {
            status = eop_entries_check_ratio(entries, t->packed, t->what);
        }
        if (status == EDGEOPS_OK) {
            status = next_entry(&e, t);
        }
    }
    return status == EDGEOPS_DONE ? eop_entries_seal(entries, t->what) : status;
}

edgeops_status eop_package_index_tar(eop_entries *entries, int fd, const char *what) {
    tar *t = NULL;
    edgeops_status status = load_library();
    if (status != EDGEOPS_OK) {
        return status;
    }
    utf8_scope scope = enter_utf8();
    status = open_tar(&t, fd, what);
    if (status == EDGEOPS_OK) {
        status = index_entries(entries, t);
    }
    close_tar(t);
    leave_utf8(scope);
    return status;
}

/* -- contents -- */

/* The entry of the first pass that this one is. */
static edgeops_status match(eop_entry **out, const eop_entries *entries, const tar *t,
                            const tar_entry *e) {
    char path[EOP_ENTRY_PATH_MAX + 1];
    size_t size =
        e->path_size > 1 && e->path[e->path_size - 1] == '/' ? e->path_size - 1 : e->path_size;
    eop_entry *entry = NULL;
    if (size <= EOP_ENTRY_PATH_MAX) {
        memcpy(path, e->path, size);
        path[size] = '\0';
        entry = eop_entries_find(entries, path);
    }
    if (entry == NULL || entry->directory != e->directory || entry->size != e->size ||
        entry->digest[0] != '\0') {
        return eop_fail(EDGEOPS_E_BUSY, "workflow", "'%s' changed while it was read; try again",
                        t->what);
    }
    *out = entry;
    return EDGEOPS_OK;
}

static edgeops_status read_content(tar *t, eop_entry *entry, const eop_sink *sink, char *block) {
    eop_content content = {0};
    edgeops_status status = eop_content_begin(&content, entry, sink);
    while (status == EDGEOPS_OK && content.size <= entry->size) {
        la_ssize_t n = la.archive_read_data(t->reader, block, EOP_CONTENT_BLOCK);
        if (n == 0) {
            break;
        }
        status = n > 0 ? eop_content_put(&content, block, (size_t)n)
                       : library_fault(t, t->reader, entry->path);
    }
    if (status == EDGEOPS_OK && content.size != entry->size) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: '%s' has another size than stated",
                          t->what, entry->path);
    }
    if (status == EDGEOPS_OK) {
        status = eop_content_end(&content);
    }
    eop_content_dispose(&content);
    return status;
}

static edgeops_status read_entries(eop_entries *entries, tar *t, const eop_sink *sink,
                                   char *block) {
    tar_entry e;
    size_t seen = 0;
    edgeops_status status = next_entry(&e, t);
    while (status == EDGEOPS_OK) {
        eop_entry *entry = NULL;
        status = match(&entry, entries, t, &e);
        if (status == EDGEOPS_OK && !entry->directory) {
            status = read_content(t, entry, sink, block);
        }
        seen++;
        if (status == EDGEOPS_OK) {
            status = next_entry(&e, t);
        }
    }
    if (status == EDGEOPS_DONE) {
        status = seen == entries->count
                     ? EDGEOPS_OK
                     : eop_fail(EDGEOPS_E_BUSY, "workflow",
                                "'%s' changed while it was read; try again", t->what);
    }
    return status;
}

edgeops_status eop_package_read_tar(eop_entries *entries, int fd, const char *what,
                                    const eop_sink *sink) {
    tar *t = NULL;
    char *block = eop_alloc(EOP_CONTENT_BLOCK);
    if (block == NULL) {
        return eop_fail_nomem("workflow");
    }
    utf8_scope scope = enter_utf8();
    edgeops_status status = open_tar(&t, fd, what);
    if (status == EDGEOPS_OK) {
        status = read_entries(entries, t, sink, block);
    }
    close_tar(t);
    leave_utf8(scope);
    eop_free(block);
    return status;
}
