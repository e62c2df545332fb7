/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive takes the tar apart. gzip is unpacked by the codec's own reader, because libarchive's
 * checks no checksum and passes over what follows.
 *
 * libarchive brings libxml2, ICU and the C++ library with it, 2.5 MB of memory in every program
 * that links this library, most of which never see a tar. So it is loaded when the first one is
 * opened (once, for all threads), and its functions are called through a table. */
#include "workflow/tar_reader.h"

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
#include "workflow/content.h"
#include "workflow/xz_window.h"

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

enum {
    BLOCK = EOP_CONTENT_BLOCK,
    END_MIN = 1024,          /* two blocks of zeros end a tar */
    END_MAX = 2 << 20,       /* and fill its last record, of at most 1 MiB by GNU tar's limit */
    WINDOW_MAX = 128 << 20,  /* memory for unpacking xz; zstd's own default is the same */
    HEADERS_PER_ENTRY = 4096 /* its header, an extended one for a long name, both filled up */
};

struct eop_tar {
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
    locale_t utf8;
    char raw[BLOCK];
    char block[BLOCK];
};

static edgeops_status library_fault(const eop_tar *t, struct archive *a) {
    const char *text = la.archive_error_string(a);
    edgeops_status code = la.archive_errno(a) == ENOMEM ? EDGEOPS_E_NOMEM : EDGEOPS_E_CORRUPT;
    if (t->status != EDGEOPS_OK) {
        return t->status;
    }
    return eop_fail(code, "workflow", "%s: %s", t->what, text != NULL ? text : "is damaged");
}

static la_ssize_t read_packed(struct archive *a, void *user_data, const void **data) {
    eop_tar *t = user_data;
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

static edgeops_status check_growth(const eop_tar *t) {
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
static edgeops_status unpack(eop_tar *t, size_t *got) {
    if (t->gzip != NULL) {
        edgeops_status status = eop_input_read(t->gzip, t->block, sizeof t->block, got);
        if (status != EDGEOPS_OK) {
            return status;
        }
    } else {
        la_ssize_t n = la.archive_read_data(t->unpacker, t->block, sizeof t->block);
        if (n < 0) {
            return library_fault(t, t->unpacker);
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
    eop_tar *t = user_data;
    size_t got = 0;
    (void)a;
    t->status = unpack(t, &got);
    *data = t->block;
    return t->status == EDGEOPS_OK ? (la_ssize_t)got : -1;
}

static edgeops_status open_unpacker(eop_tar *t) {
    unsigned char magic[2] = {0};
    struct archive_entry *all = NULL;
    ssize_t n = pread(t->fd, magic, sizeof magic, 0);
    if (n < 0 || lseek(t->fd, 0, SEEK_SET) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot read '%s'", t->what);
    }
    if (magic[0] == 0x1f && magic[1] == 0x8b) {
        return eop_input_open(&t->gzip, t->fd, 0, t->what, EOP_INPUT_BYTES);
    }
    if (magic[0] == 0xfd) {
        edgeops_status status = eop_xz_check_window(t->fd, t->packed, WINDOW_MAX, t->what);
        if (status != EDGEOPS_OK) {
            return status;
        }
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
        return library_fault(t, t->unpacker);
    }
    int got = la.archive_read_next_header(t->unpacker, &all);
    return got == ARCHIVE_OK || got == ARCHIVE_EOF ? EDGEOPS_OK : library_fault(t, t->unpacker);
}

void eop_tar_close(eop_tar *t) {
    if (t != NULL) {
        if (t->utf8 != (locale_t)0) {
            freelocale(t->utf8);
        }
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

edgeops_status eop_tar_open(eop_tar **out, int fd, const char *what) {
    struct stat st;
    *out = NULL;
    edgeops_status status = load_library();
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_tar *t = eop_calloc(1, sizeof *t);
    if (t == NULL) {
        return eop_fail_nomem("workflow");
    }
    t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    t->fd = fd;
    t->what = what;
    status = fstat(fd, &st) == 0 ? EDGEOPS_OK
                                 : eop_fail_errno(errno, "workflow", "cannot read '%s'", what);
    if (status == EDGEOPS_OK) {
        t->packed = (uint64_t)st.st_size;
        status = open_unpacker(t);
    }
    if (status == EDGEOPS_OK) {
        t->reader = la.archive_read_new();
        status = t->reader != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK &&
        (la.archive_read_support_format_tar(t->reader) != ARCHIVE_OK ||
         la.archive_read_support_format_empty(t->reader) != ARCHIVE_OK ||
         la.archive_read_open(t->reader, t, NULL, read_unpacked, NULL) != ARCHIVE_OK)) {
        status = library_fault(t, t->reader);
    }
    if (status == EDGEOPS_OK) {
        *out = t;
        t = NULL;
    }
    eop_tar_close(t);
    return status;
}

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

static edgeops_status take_entry(eop_tar_entry *out, eop_tar *t, struct archive_entry *given) {
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
    *out = (eop_tar_entry){.size = (uint64_t)size,
                           .directory = la.archive_entry_filetype(given) == AE_IFDIR};
    /* `tar -C FOLDER .` writes "./" and "./NAME". */
    bool root = out->directory && (strcmp(path, ".") == 0 || strcmp(path, "./") == 0);
    out->path = root ? "" : strncmp(path, "./", 2) == 0 ? path + 2 : path;
    out->path_size = strlen(out->path);
    return EDGEOPS_OK;
}

/* All that follows the last entry is zeros, enough and not too many, to the end of the file. */
static edgeops_status check_end(eop_tar *t) {
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
static edgeops_status next_entry(eop_tar_entry *out, eop_tar *t) {
    edgeops_status status = EDGEOPS_OK;
    do {
        struct archive_entry *given = NULL;
        int got = la.archive_read_next_header(t->reader, &given);
        if (got == ARCHIVE_EOF) {
            status = check_end(t);
            return status == EDGEOPS_OK ? EDGEOPS_DONE : status;
        }
        if (got != ARCHIVE_OK) {
            return library_fault(t, t->reader);
        }
        t->entries++;
        status = take_entry(out, t, given);
    } while (status == EDGEOPS_OK && *out->path == '\0' && out->directory);
    return status;
}

/* libarchive converts names through the thread's locale and spoils them in "C". The host's locale
 * is not ours to set, this thread's is, for the length of a call. */
edgeops_status eop_tar_next(eop_tar_entry *out, eop_tar *t) {
    locale_t old = t->utf8 != (locale_t)0 ? uselocale(t->utf8) : (locale_t)0;
    edgeops_status status = next_entry(out, t);
    if (t->utf8 != (locale_t)0) {
        (void)uselocale(old);
    }
    return status;
}

edgeops_status eop_tar_read(eop_tar *t, void *data, size_t size, size_t *got) {
    la_ssize_t n = la.archive_read_data(t->reader, data, size);
    if (n < 0) {
        return library_fault(t, t->reader);
    }
    *got = (size_t)n;
    return EDGEOPS_OK;
}

uint64_t eop_tar_packed(const eop_tar *t) {
    return t->packed;
}
