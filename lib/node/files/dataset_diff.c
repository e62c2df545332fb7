/* SPDX-License-Identifier: Apache-2.0 */
/* How two datasets differ: what their descriptions say, member by member. */
#include "node/files/dataset_diff.h"

#include <string.h>

#define DIFFERENCES_MAX 500u

typedef struct differences {
    eop_json *items;
    size_t count;
} differences;

/* NULL: none. */
static void set_value(eop_json *item, const char *key, const eop_json *value) {
    if (value == NULL) {
        eop_json_set_string(item, key, NULL);
    } else if (eop_json_text(value) != NULL) {
        eop_json_set_string(item, key, eop_json_text(value));
    } else {
        eop_json_set(item, key, eop_json_copy(value));
    }
}

static void add(differences *d, const char *what, const eop_json *a, const eop_json *b) {
    if (d->count++ < DIFFERENCES_MAX) {
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "what", what);
        set_value(item, "a", a);
        set_value(item, "b", b);
        eop_json_append(d->items, item);
    }
}

static edgeops_status compare(differences *d, const char *what, const eop_json *a,
                              const eop_json *b);

/* What an element of a list goes by. */
static const char *name_of(const eop_json *item) {
    return eop_json_string(item, "name", eop_json_string(item, "label", NULL));
}

static const eop_json *find(const eop_json *list, const eop_json *item) {
    const char *name = name_of(item);
    for (const eop_json *other = eop_json_first(list); name != NULL && other != NULL;
         other = eop_json_next(other)) {
        const char *found = name_of(other);
        if (found != NULL && strcmp(found, name) == 0) {
            return other;
        }
    }
    return NULL;
}

static edgeops_status compare_member(differences *d, const char *what, const char *key,
                                     const eop_json *a, const eop_json *b) {
    char *path = what[0] != '\0' ? eop_format("%s.%s", what, key) : eop_strdup(key);
    edgeops_status status = path != NULL ? compare(d, path, a, b) : eop_fail_nomem("node");
    eop_free(path);
    return status;
}

/* Members of objects by key, elements of lists by name. */
static edgeops_status compare_members(differences *d, const char *what, const eop_json *a,
                                      const eop_json *b) {
    bool list = eop_json_type(a) == EOP_JSON_ARRAY;
    edgeops_status status = EDGEOPS_OK;
    for (const eop_json *m = eop_json_first(a); status == EDGEOPS_OK && m != NULL;
         m = eop_json_next(m)) {
        const char *key = list ? name_of(m) : eop_json_key(m);
        status = compare_member(d, what, key, m, list ? find(b, m) : eop_json_get(b, key));
    }
    for (const eop_json *m = eop_json_first(b); status == EDGEOPS_OK && m != NULL;
         m = eop_json_next(m)) {
        const char *key = list ? name_of(m) : eop_json_key(m);
        if ((list ? find(a, m) : eop_json_get(a, key)) == NULL) {
            status = compare_member(d, what, key, NULL, m);
        }
    }
    return status;
}

static bool is_named(const eop_json *list) {
    return eop_json_type(list) == EOP_JSON_ARRAY &&
           (eop_json_first(list) == NULL || name_of(eop_json_first(list)) != NULL);
}

static edgeops_status compare(differences *d, const char *what, const eop_json *a,
                              const eop_json *b) {
    if (a != NULL && b != NULL &&
        ((eop_json_type(a) == EOP_JSON_OBJECT && eop_json_type(b) == EOP_JSON_OBJECT) ||
         (is_named(a) && is_named(b)))) {
        return compare_members(d, what, a, b);
    }
    char *one = a != NULL ? eop_json_print(a) : NULL;
    char *other = b != NULL ? eop_json_print(b) : NULL;
    edgeops_status status = (a != NULL && one == NULL) || (b != NULL && other == NULL)
                                ? eop_fail_nomem("node")
                                : EDGEOPS_OK;
    if (status == EDGEOPS_OK && (one == NULL || other == NULL || strcmp(one, other) != 0)) {
        add(d, what, a, b);
    }
    eop_free(one);
    eop_free(other);
    return status;
}

edgeops_status eop_dataset_diff(eop_json **out, const eop_json *a, const eop_json *b) {
    /* Members that do not belong to the content. */
    static const char *const ignored[] = {"name", "created", "digest"};
    eop_json *left = eop_json_copy(a);
    eop_json *right = eop_json_copy(b);
    differences d = {.items = eop_json_array()};
    for (size_t i = 0; i < EOP_COUNT(ignored); i++) {
        eop_json_remove(left, ignored[i]);
        eop_json_remove(right, ignored[i]);
    }
    eop_json_remove((eop_json *)(uintptr_t)eop_json_get(left, "profile"), "warnings");
    eop_json_remove((eop_json *)(uintptr_t)eop_json_get(right, "profile"), "warnings");
    edgeops_status status = left != NULL && right != NULL && d.items != NULL
                                ? compare(&d, "", left, right)
                                : eop_fail_nomem("node");
    const char *digest = eop_json_string(a, "digest", "");
    eop_json *result = eop_json_object();
    eop_json_set_bool(result, "same", strcmp(digest, eop_json_string(b, "digest", "-")) == 0);
    eop_json_set_string(result, "digest_a", digest);
    eop_json_set_string(result, "digest_b", eop_json_string(b, "digest", ""));
    eop_json_set(result, "items", d.items);
    eop_json_set_integer(result, "differences", (int64_t)d.count);
    eop_json_free(left);
    eop_json_free(right);
    if (status != EDGEOPS_OK) {
        eop_json_free(result);
        return status;
    }
    *out = result;
    return EDGEOPS_OK;
}
