/* SPDX-License-Identifier: Apache-2.0 */
/* The policy on names and sizes, and the digest of a package's content. Entries are added in any
 * order; sealing sorts them and compares neighbours, first by folded names, then by the names
 * themselves. */
#include "workflow/entries.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

/* One code point of text that is known to be valid UTF-8. */
static size_t decode(uint32_t *out, const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    uint32_t value = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        value = value << 6 | (p[i] & 0x3Fu);
    }
    *out = value;
    return n;
}

static void put_code_point(eop_buf *buf, uint32_t c) {
    char out[4];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xC0 | c >> 6);
        out[n++] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out[n++] = (char)(0xE0 | c >> 12);
        out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (char)(0x80 | (c & 0x3F));
    } else {
        out[n++] = (char)(0xF0 | c >> 18);
        out[n++] = (char)(0x80 | (c >> 12 & 0x3F));
        out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (char)(0x80 | (c & 0x3F));
    }
    eop_buf_put(buf, out, n);
}

/* Simple lower case of every code point, in a locale of our own: the host's does not matter. Names
 * that differ in normalization only (NFC, NFD) stay different. */
static char *fold(const char *path, size_t size) {
    eop_buf buf = {0};
    locale_t utf8 = (locale_t)0;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        i += decode(&c, path + i);
        if (c < 0x80) {
            c = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
        } else {
            if (utf8 == (locale_t)0) {
                utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
            }
            c = utf8 != (locale_t)0 ? (uint32_t)towlower_l((wint_t)c, utf8) : c;
        }
        put_code_point(&buf, c);
    }
    if (utf8 != (locale_t)0) {
        freelocale(utf8);
    }
    return eop_buf_take(&buf);
}

/* Why policy refuses a name; NULL when it does not. */
static const char *name_fault(const char *path, size_t size) {
    if (size == 0) {
        return "is empty";
    }
    if (eop_utf8_valid(path, size) != size) {
        return "is no UTF-8";
    }
    if (path[0] == '/') {
        return "is absolute";
    }
    if (memchr(path, '\\', size) != NULL) {
        return "holds a backslash";
    }
    if (size >= 2 && path[1] == ':') {
        return "starts with a drive";
    }
    size_t depth = 0;
    for (size_t start = 0; start <= size;) {
        const char *slash = memchr(path + start, '/', size - start);
        size_t length = slash != NULL ? (size_t)(slash - path) - start : size - start;
        if (length == 2 && memcmp(path + start, "..", 2) == 0) {
            return "leads out of the package";
        }
        if (length > EOP_ENTRY_LEVEL_MAX) {
            return "has a level of more than 100 bytes";
        }
        if (++depth > EOP_ENTRY_DEPTH_MAX) {
            return "has more than 16 levels";
        }
        start += length + 1;
    }
    if (size > EOP_ENTRY_PATH_MAX) {
        return "has more than 240 bytes";
    }
    /* What is left: control characters, empty levels, ".". */
    return eop_name_valid(path, size, EOP_ENTRY_PATH_MAX)
               ? NULL
               : "holds a control character, a '.' level or an empty level";
}

edgeops_status eop_entries_add(eop_entries *entries, const char *path, size_t path_size,
                               uint64_t size, bool directory, const char *what) {
    if (path_size > 1 && path[path_size - 1] == '/') {
        path_size--;
        directory = true;
    }
    const char *fault = name_fault(path, path_size);
    if (fault != NULL) {
        /* The name is given where it can be shown. */
        bool shown = path_size > 0 && eop_utf8_valid(path, path_size) == path_size;
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: the name of entry %zu %s%s%.*s%s", what,
                        entries->count + 1, fault, shown ? ": '" : "", shown ? (int)path_size : 0,
                        path, shown ? "'" : "");
    }
    if (directory && size > 0) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: folder '%.*s' has content", what,
                        (int)path_size, path);
    }
    if (entries->count >= EOP_ENTRY_COUNT_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: more than %d entries", what,
                        EOP_ENTRY_COUNT_MAX);
    }
    if (size > EOP_ENTRY_TOTAL_MAX || entries->total + size > EOP_ENTRY_TOTAL_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: more than 2 GiB unpacked, with '%.*s'",
                        what, (int)path_size, path);
    }
    if (!eop_grow(&entries->items, &entries->capacity, entries->count + 1,
                  sizeof *entries->items)) {
        return eop_fail_nomem("workflow");
    }
    eop_entry *entry = &entries->items[entries->count];
    *entry = (eop_entry){.path = eop_strndup(path, path_size),
                         .folded = fold(path, path_size),
                         .size = size,
                         .directory = directory};
    entries->count++;
    entries->total += size;
    if (entry->path == NULL || entry->folded == NULL) {
        return eop_fail_nomem("workflow");
    }
    return EDGEOPS_OK;
}

edgeops_status eop_entries_check_ratio(const eop_entries *entries, uint64_t file_size,
                                       const char *what) {
    return entries->total > EOP_ENTRY_RATIO_FROM &&
                   entries->total / EOP_ENTRY_RATIO_MAX >= file_size
               ? eop_fail(EDGEOPS_E_LIMIT, "workflow", "%s: unpacks to more than %d times its size",
                          what, EOP_ENTRY_RATIO_MAX)
               : EDGEOPS_OK;
}

/* '/' sorts before every other byte, so that a folder's content follows the folder directly. */
static int compare_levels(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int x = *a == '/' ? 1 : *a == '\0' ? 0 : (unsigned char)*a + 1;
    int y = *b == '/' ? 1 : *b == '\0' ? 0 : (unsigned char)*b + 1;
    return x - y;
}

static int by_folded(const void *a, const void *b) {
    return compare_levels(((const eop_entry *)a)->folded, ((const eop_entry *)b)->folded);
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const eop_entry *)a)->path, ((const eop_entry *)b)->path);
}

static bool below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Do both paths spell their common folders in the same way? Folders are common when they are equal
 * without case. Folding may change the length of a name, so levels are walked, not bytes. */
static bool same_spelling(const eop_entry *a, const eop_entry *b) {
    const char *fa = a->folded, *fb = b->folded, *pa = a->path, *pb = b->path;
    for (;;) {
        size_t na = strcspn(fa, "/"), nb = strcspn(fb, "/");
        if (na != nb || memcmp(fa, fb, na) != 0 || fa[na] == '\0' || fb[nb] == '\0') {
            return true;
        }
        size_t ma = strcspn(pa, "/"), mb = strcspn(pb, "/");
        if (ma != mb || memcmp(pa, pb, ma) != 0) {
            return false;
        }
        fa += na + 1;
        fb += nb + 1;
        pa += ma + 1;
        pb += mb + 1;
    }
}

static edgeops_status refuse_pair(const eop_entry *a, const eop_entry *b, const char *what) {
    if (strcmp(a->path, b->path) == 0) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' is there twice", what, a->path);
    }
    if (strcmp(a->folded, b->folded) == 0 || !same_spelling(a, b)) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' and '%s' differ in case only", what,
                        a->path, b->path);
    }
    if (!a->directory && below(b->folded, a->folded)) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' is a file, yet '%s' is below it",
                        what, a->path, b->path);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_entries_seal(eop_entries *entries, const char *what) {
    if (entries->count == 0) {
        return EDGEOPS_OK;
    }
    qsort(entries->items, entries->count, sizeof *entries->items, by_folded);
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 1; status == EDGEOPS_OK && i < entries->count; i++) {
        status = refuse_pair(&entries->items[i - 1], &entries->items[i], what);
    }
    qsort(entries->items, entries->count, sizeof *entries->items, by_path);
    return status;
}

eop_entry *eop_entries_find(const eop_entries *entries, const char *path) {
    size_t low = 0, high = entries->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(entries->items[middle].path, path);
        if (order == 0) {
            return &entries->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool eop_entries_has_folder(const eop_entries *entries, const char *path) {
    for (size_t i = 0; i < entries->count; i++) {
        if (!entries->items[i].directory && below(entries->items[i].path, path)) {
            return true;
        }
    }
    return false;
}

edgeops_status eop_entries_digest(const eop_entries *entries, char hex[65], eop_buf *listing) {
    eop_buf own = {0};
    eop_buf *text = listing != NULL ? listing : &own;
    eop_buf_puts(text, "edgeops-content 1\n");
    for (size_t i = 0; i < entries->count; i++) {
        const eop_entry *entry = &entries->items[i];
        if (!entry->directory) {
            eop_buf_printf(text, "%s %llu %s\n", entry->digest, (unsigned long long)entry->size,
                           entry->path);
        }
    }
    edgeops_status status =
        text->failed ? eop_fail_nomem("workflow") : eop_sha256_of(hex, text->data, text->size);
    eop_buf_dispose(&own);
    return status;
}

void eop_entries_dispose(eop_entries *entries) {
    for (size_t i = 0; i < entries->count; i++) {
        eop_free(entries->items[i].path);
        eop_free(entries->items[i].folded);
        eop_free(entries->items[i].source);
    }
    eop_free(entries->items);
    *entries = (eop_entries){0};
}
