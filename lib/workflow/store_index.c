/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the index of the content store and resolves references to what it lists. Readers
 * need no lock: an entry is replaced as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/store.h"

char *eop_store_path(const char *store, const char *a, const char *b) {
    size_t n = strlen(store);
    const char *slash = n > 0 && store[n - 1] == '/' ? "" : "/";
    return b == NULL ? eop_format("%s%sworkflows/%s", store, slash, a)
                     : eop_format("%s%sworkflows/%s/%s", store, slash, a, b);
}

/* A number of a version: digits, no leading zero, at most nine of them. */
static bool version_number(const char **text, uint32_t *out) {
    const char *p = *text;
    uint32_t value = 0;
    size_t n = strspn(p, "0123456789");
    if (n == 0 || n > 9 || (n > 1 && p[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (uint32_t)(p[i] - '0');
    }
    *out = value;
    *text = p + n;
    return true;
}

static bool parse_version(uint32_t out[3], const char *text) {
    for (size_t i = 0; i < 3; i++) {
        if (!version_number(&text, &out[i]) || *text != (i < 2 ? '.' : '\0')) {
            return false;
        }
        text++;
    }
    return true;
}

static bool name_valid(const char *name, size_t size) {
    if (size < 1 || size > 63 || name[0] < 'a' || name[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
                    name[i] == '-';
        if (!good) {
            return false;
        }
    }
    return true;
}

static size_t hex_digits(const char *text) {
    return strspn(text, "0123456789abcdef");
}

bool eop_installed_parse_name(eop_installed *out, const char *text) {
    const char *at = strchr(text, '@');
    uint32_t version[3];
    if (at == NULL || !name_valid(text, (size_t)(at - text)) || !parse_version(version, at + 1)) {
        return false;
    }
    *out = (eop_installed){0};
    memcpy(out->name, text, (size_t)(at - text));
    memcpy(out->version, at + 1, strlen(at + 1)); /* at most 29 bytes: parse_version */
    return true;
}

static int by_version(const void *a, const void *b) {
    const eop_installed *x = a, *y = b;
    uint32_t v[3] = {0}, w[3] = {0};
    int order = strcmp(x->name, y->name);
    if (order != 0) {
        return order;
    }
    (void)parse_version(v, x->version);
    (void)parse_version(w, y->version);
    for (size_t i = 0; i < 3; i++) {
        if (v[i] != w[i]) {
            return v[i] < w[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Fills digest and size of an item whose name and version are known. */
static edgeops_status read_item(eop_installed *item, const char *store, const char *file) {
    char *path = eop_store_path(store, "index", file);
    char *text = NULL;
    unsigned long long size = 0;
    int used = 0;
    edgeops_status status =
        path != NULL ? eop_file_read(&text, NULL, path, 4096) : eop_fail_nomem("workflow");
    if (status == EDGEOPS_OK &&
        (sscanf(text, "edgeops-index 1\n%64[0-9a-f] %llu%n", item->digest, &size, &used) != 2 ||
         strlen(item->digest) != 64 || text[used] != '\n')) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                          "'%s' is damaged; remove the workflow and install it again", path);
    }
    item->size_bytes = size;
    eop_free(text);
    eop_free(path);
    return status;
}

typedef struct load {
    const char *store;
    size_t damaged;
    eop_installed *items;
    size_t count;
    size_t capacity;
} load;

static edgeops_status load_one(const char *name, void *user_data) {
    load *l = user_data;
    eop_installed item;
    if (!eop_installed_parse_name(&item, name)) {
        return EDGEOPS_OK; /* what a crash left of a write */
    }
    edgeops_status status = read_item(&item, l->store, name);
    if (status == EDGEOPS_E_NOTFOUND) {
        return EDGEOPS_OK; /* removed just now */
    }
    if (status == EDGEOPS_E_CORRUPT || status == EDGEOPS_E_LIMIT) {
        l->damaged++; /* the others can still be used */
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK &&
        !eop_grow(&l->items, &l->capacity, l->count + 1, sizeof *l->items)) {
        status = eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK) {
        l->items[l->count++] = item;
    }
    return status;
}

edgeops_status eop_installed_load(eop_installed **out, size_t *count, size_t *damaged,
                                  const char *store) {
    load l = {.store = store};
    char *path = eop_store_path(store, "index", NULL);
    edgeops_status status = EDGEOPS_OK;
    if (path == NULL) {
        return eop_fail_nomem("workflow");
    }
    if (eop_file_exists(path)) {
        status = eop_dir_walk(path, load_one, &l);
    }
    if (status == EDGEOPS_OK) {
        if (l.count > 0) {
            qsort(l.items, l.count, sizeof *l.items, by_version);
        }
        *out = l.items;
        *count = l.count;
        if (damaged != NULL) {
            *damaged = l.damaged;
        }
        l.items = NULL;
    }
    eop_free(l.items);
    eop_free(path);
    return status;
}

static edgeops_status not_installed(const char *reference) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "workflow",
                    "workflow '%s' is not installed; see edgeopsctl workflow ls", reference);
}

edgeops_status eop_installed_find(eop_installed *out, const char *store, const char *reference) {
    eop_installed exact;
    if (eop_installed_parse_name(&exact, reference)) {
        edgeops_status status = read_item(&exact, store, reference);
        if (status == EDGEOPS_OK) {
            *out = exact;
        }
        return status == EDGEOPS_E_NOTFOUND ? not_installed(reference) : status;
    }
    eop_installed *items = NULL;
    size_t count = 0;
    edgeops_status status = eop_installed_load(&items, &count, NULL, store);
    const eop_installed *found = NULL;
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        if (strcmp(items[i].name, reference) == 0) {
            found = &items[i]; /* sorted: the last one is the highest */
        }
    }
    size_t digits = hex_digits(reference);
    bool digest = found == NULL && digits >= 8 && digits <= 64 && reference[digits] == '\0';
    for (size_t i = 0; status == EDGEOPS_OK && digest && i < count; i++) {
        if (strncmp(items[i].digest, reference, digits) == 0) {
            if (found != NULL) {
                status =
                    eop_fail(EDGEOPS_E_INVALID, "workflow",
                             "digest '%s' fits several workflows; give more digits", reference);
            }
            found = &items[i];
        }
    }
    if (status == EDGEOPS_OK && found == NULL) {
        status = not_installed(reference);
    }
    if (status == EDGEOPS_OK) {
        *out = *found;
    }
    eop_free(items);
    return status;
}

edgeops_status eop_installed_write(const eop_installed *item, const char *store) {
    char name[128];
    char text[128];
    (void)snprintf(name, sizeof name, "%s@%s", item->name, item->version);
    int n = snprintf(text, sizeof text, "edgeops-index 1\n%s %llu\n", item->digest,
                     (unsigned long long)item->size_bytes);
    char *path = eop_store_path(store, "index", name);
    edgeops_status status =
        path != NULL ? eop_file_write(path, text, (size_t)n, 0644) : eop_fail_nomem("workflow");
    eop_free(path);
    return status;
}

edgeops_status eop_installed_open(edgeops_workflow **out, const eop_installed *item,
                                  const char *store) {
    edgeops_workflow *w = eop_calloc(1, sizeof *w);
    char *object = NULL;
    char *file = NULL;
    char *text = NULL;
    size_t size = 0;
    edgeops_status status = EDGEOPS_OK;
    if (w == NULL) {
        return eop_fail_nomem("workflow");
    }
    memcpy(w->digest, item->digest, sizeof w->digest);
    w->size_bytes = item->size_bytes;
    object = eop_store_path(store, "objects", item->digest);
    status = object != NULL ? eop_path_absolute(&w->directory, object) : eop_fail_nomem("workflow");
    if (status == EDGEOPS_OK) {
        file = eop_path_join(w->directory, EOP_MANIFEST_NAME);
        status = file != NULL ? eop_file_read(&text, &size, file, EOP_MANIFEST_MAX)
                              : eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK) {
        status = eop_manifest_parse(&w->manifest, text, size);
    }
    if (status == EDGEOPS_OK && (strcmp(w->manifest.view.name, item->name) != 0 ||
                                 strcmp(w->manifest.view.version, item->version) != 0)) {
        status = EDGEOPS_E_INVALID;
    }
    if (file != NULL && (status == EDGEOPS_E_NOTFOUND || status == EDGEOPS_E_INVALID ||
                         status == EDGEOPS_E_LIMIT)) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                          "the files of workflow %s@%s are damaged; remove it and install it again",
                          item->name, item->version);
    }
    if (status == EDGEOPS_OK) {
        eop_workflow_describe(w);
        *out = w;
        w = NULL;
    }
    edgeops_workflow_close(w);
    eop_free(text);
    eop_free(file);
    eop_free(object);
    return status;
}
