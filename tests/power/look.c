/* SPDX-License-Identifier: Apache-2.0 */
/* look HOME <PROMISES: opens a home after a cut and says as JSON what of it is not as it was
 * promised. Promises are lines: "rows ASSET N", "labels N", "set N made ROWS DIGEST", "set N
 * maybe", "set N removed", "gone". What was not promised may be there or not, but not be wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "edgeops.h"

enum { ROWS_MAX = 4000000, SETS_MAX = 20000, PROBLEMS_MAX = 20 };

typedef enum set_wish { UNKNOWN, MADE, MAYBE, REMOVED } set_wish;

typedef struct wish {
    set_wish of;
    uint64_t rows;
    char digest[65];
} wish;

typedef struct look {
    edgeops_store *store;
    uint64_t promised[CONTENT_ASSETS];
    uint64_t labels;
    bool gone;
    wish sets[SETS_MAX];
    uint8_t seen[ROWS_MAX];
    uint64_t wrong;
    uint64_t bytes_missing; /* rows of which the image cannot be read */
    uint64_t problems;
    char told[PROBLEMS_MAX][300];
} look;

/* Something that must not be, whatever was promised. */
static void tell(look *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(look *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (l->problems < PROBLEMS_MAX) {
        (void)vsnprintf(l->told[l->problems], sizeof l->told[0], format, arguments);
    }
    l->problems++;
    va_end(arguments);
}

static void read_wishes(look *l) {
    char line[200];
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long long n = 0;
        unsigned long long rows = 0;
        unsigned asset = 0;
        char what[16] = "";
        char digest[65] = "";
        if (sscanf(line, "rows %u %llu", &asset, &rows) == 2 && asset < CONTENT_ASSETS) {
            l->promised[asset] = rows;
        } else if (sscanf(line, "labels %llu", &n) == 1) {
            l->labels = n;
        } else if (strcmp(line, "gone\n") == 0) {
            l->gone = true;
        } else if (sscanf(line, "set %llu %15s %llu %64s", &n, what, &rows, digest) >= 2 &&
                   n < SETS_MAX) {
            l->sets[n].of = what[0] == 'r' ? REMOVED : strcmp(what, "made") == 0 ? MADE : MAYBE;
            l->sets[n].rows = rows;
            memcpy(l->sets[n].digest, digest, sizeof digest);
        }
    }
}

/* -- rows -- */

static bool image_is(look *l, const edgeops_blob *blob, uint64_t n, bool *readable) {
    static uint8_t wanted[CONTENT_IMAGE_MAX];
    void *bytes = NULL;
    size_t size = 0;
    size_t wanted_size = content_image(wanted, n);
    *readable = edgeops_blob_read(&bytes, &size, l->store, blob->digest) == EDGEOPS_OK;
    bool good = blob->size == wanted_size &&
                (!*readable || (size == wanted_size && memcmp(bytes, wanted, size) == 0));
    edgeops_free(bytes);
    return good;
}

static bool text_is(const edgeops_column *column, uint64_t row, uint64_t n) {
    char wanted[CONTENT_TEXT_MAX];
    uint32_t size = content_text(wanted, n);
    uint32_t at = column->offsets[row];
    return column->offsets[row + 1] - at == size && memcmp(column->bytes + at, wanted, size) == 0;
}

static bool wave_is(const edgeops_column *column, uint64_t row, uint64_t n) {
    const int16_t *wave = (const int16_t *)column->data + row * CONTENT_WAVE;
    for (int k = 0; k < CONTENT_WAVE; k++) {
        if (wave[k] != content_wave(n, k)) {
            return false;
        }
    }
    return column->length == CONTENT_WAVE;
}

/* A part of its own: what was not promised may lack it. */
static bool extra_is(const edgeops_column *column, uint64_t row, uint64_t n, bool promised) {
    char name[24];
    bool valid = column->valid == NULL || column->valid[row] != 0;
    bool wanted = content_extra(name, n) && strcmp(name, column->name) == 0;
    return valid ? wanted && column->f64[row] == (double)n / 2 : !wanted || !promised;
}

/* One row of an asset, or of a dataset's part; `*readable` is not set when its image is gone.
 * promised: all of it. */
static bool row_is(look *l, const edgeops_table *table, uint64_t row, uint64_t n, bool promised,
                   bool *readable) {
    int asset = 0;
    *readable = true;
    while (asset < CONTENT_ASSETS - 1 && strcmp(content_names[asset], table->asset) != 0) {
        asset++;
    }
    if (table->times[row] != content_time((content_asset)asset, n)) {
        return false;
    }
    bool good = true;
    for (size_t k = 0; k < table->column_count; k++) {
        const edgeops_column *column = &table->columns[k];
        if (strcmp(column->name, "image") == 0) {
            good = good && image_is(l, (const edgeops_blob *)column->data + row, n, readable);
        } else if (strcmp(column->name, "text") == 0) {
            good = good && text_is(column, row, n);
        } else if (strcmp(column->name, "wave") == 0) {
            good = good && wave_is(column, row, n);
        } else if (strcmp(column->name, "n") != 0) {
            good = good && extra_is(column, row, n, promised);
        }
    }
    return good;
}

static const edgeops_column *column_of(const edgeops_table *table, const char *name) {
    for (size_t k = 0; k < table->column_count; k++) {
        if (strcmp(table->columns[k].name, name) == 0) {
            return &table->columns[k];
        }
    }
    return NULL;
}

static bool is_null(const edgeops_column *column, uint64_t row) {
    return column->valid != NULL && column->valid[row] == 0;
}

static void look_at_table(look *l, const edgeops_table *table, uint64_t promised) {
    const edgeops_column *numbers = column_of(table, "n");
    for (uint64_t i = 0; i < table->rows; i++) {
        uint64_t n = numbers != NULL ? (uint64_t)numbers->i64[i] : 0;
        bool readable = true;
        if (numbers != NULL && is_null(numbers, i)) {
            continue; /* a cut took its first part: where that was promised it is lost */
        }
        if (n == 0 || n >= ROWS_MAX || l->seen[n] != 0 ||
            !row_is(l, table, i, n, n <= promised, &readable)) {
            tell(l, "%s: row %llu is wrong or doubled", table->asset, (unsigned long long)n);
            l->wrong++;
            continue;
        }
        l->seen[n] = readable ? 2 : 1;
        l->bytes_missing += !readable;
    }
}

static void look_at_asset(look *l, content_asset asset) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    uint64_t lost = 0;
    uint64_t prefix = 1;
    memset(l->seen, 0, sizeof l->seen);
    l->wrong = 0;
    l->bytes_missing = 0;
    query.asset = content_names[asset];
    edgeops_status status = edgeops_store_read(&table, l->store, &query);
    if (status != EDGEOPS_OK && status != EDGEOPS_E_NOTFOUND) {
        tell(l, "%s: %s", content_names[asset], edgeops_error_last()->message);
    } else if (table != NULL) {
        look_at_table(l, table, l->promised[asset]);
    }
    for (uint64_t n = 1; n <= l->promised[asset]; n++) {
        lost += l->seen[n] != 2;
    }
    while (prefix < ROWS_MAX && l->seen[prefix] == 2) {
        prefix++;
    }
    printf("{\"rows\": %llu, \"promised\": %llu, \"lost\": %llu, \"prefix\": %llu, \"wrong\": "
           "%llu, \"bytes_missing\": %llu}%s\n",
           (unsigned long long)(table != NULL ? table->rows : 0),
           (unsigned long long)l->promised[asset], (unsigned long long)lost,
           (unsigned long long)prefix - 1, (unsigned long long)l->wrong,
           (unsigned long long)l->bytes_missing, asset + 1 < CONTENT_ASSETS ? "," : "],");
    edgeops_table_free(table);
}

/* -- labels and datasets -- */

static edgeops_status note_label(const edgeops_label *label, void *data) {
    look *l = data;
    uint64_t n = strtoull(label->label + 1, NULL, 10);
    if (n == 0 || n >= ROWS_MAX || l->seen[n] != 0 ||
        label->start != content_time(CONTENT_TABLE, n)) {
        tell(l, "label %s is wrong or doubled", label->label);
    } else {
        l->seen[n] = 1;
    }
    return EDGEOPS_OK;
}

static void look_at_labels(look *l) {
    uint64_t lost = 0;
    memset(l->seen, 0, sizeof l->seen);
    if (edgeops_label_list(NULL, l->store, NULL, note_label, l) != EDGEOPS_OK) {
        tell(l, "labels: %s", edgeops_error_last()->message);
    }
    for (uint64_t n = 1; n <= l->labels; n++) {
        lost += l->seen[n] == 0;
    }
    printf("\"labels\": {\"promised\": %llu, \"lost\": %llu},\n", (unsigned long long)l->labels,
           (unsigned long long)lost);
}

/* All rows are what they were, each image can be read. */
static bool holds(look *l, const edgeops_dataset *set) {
    for (size_t k = 0; k < set->part_count; k++) {
        const edgeops_table *table = set->parts[k].table;
        const edgeops_column *numbers = column_of(table, "n");
        for (uint64_t i = 0; i < table->rows; i++) {
            bool readable = true;
            if (numbers != NULL && is_null(numbers, i)) {
                continue;
            }
            if (numbers == NULL ||
                !row_is(l, table, i, (uint64_t)numbers->i64[i], false, &readable) || !readable) {
                return false;
            }
        }
    }
    return true;
}

static bool set_is(look *l, const wish *w, uint64_t number) {
    char name[24];
    edgeops_dataset *set = NULL;
    (void)snprintf(name, sizeof name, "s%llu", (unsigned long long)number);
    edgeops_status status = edgeops_dataset_read(&set, l->store, name);
    bool good = false;
    if (status == EDGEOPS_E_NOTFOUND) {
        good = w->of != MADE;
    } else if (status != EDGEOPS_OK) {
        tell(l, "dataset %s: %s", name, edgeops_error_last()->message);
    } else if (w->of == REMOVED) {
        tell(l, "dataset %s is back", name);
    } else if (w->of == MADE && (set->rows != w->rows || strcmp(set->digest, w->digest) != 0)) {
        tell(l, "dataset %s is another one", name);
    } else if (!holds(l, set)) {
        tell(l, "dataset %s: a row or an image is not what was frozen", name);
    } else {
        good = true;
    }
    edgeops_dataset_free(set);
    return good;
}

static void look_at_sets(look *l) {
    uint64_t promised = 0;
    uint64_t bad = 0;
    for (uint64_t n = 1; n < SETS_MAX; n++) {
        const wish *w = &l->sets[n];
        if (w->of != UNKNOWN) {
            promised += w->of != MAYBE;
            bad += !set_is(l, w, n);
        }
    }
    printf("\"sets\": {\"promised\": %llu, \"bad\": %llu},\n", (unsigned long long)promised,
           (unsigned long long)bad);
}

static void look_at_guest(look *l) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = CONTENT_GUEST;
    edgeops_status status = edgeops_store_read(&table, l->store, &query);
    edgeops_table_free(table);
    if (status != EDGEOPS_E_NOTFOUND && (l->gone || status != EDGEOPS_OK)) {
        tell(l, "%s: %s", CONTENT_GUEST,
             status == EDGEOPS_OK ? "a removed asset is back" : edgeops_error_last()->message);
    }
}

int main(int argc, char **argv) {
    look *l = calloc(1, sizeof *l);
    if (argc != 2 || l == NULL) {
        fprintf(stderr, "usage: power-look HOME <PROMISES\n");
        return 2;
    }
    read_wishes(l);
    if (edgeops_store_open(&l->store, argv[1], NULL) != EDGEOPS_OK) {
        fprintf(stderr, "%s\n", edgeops_error_last()->message);
        free(l);
        return 1;
    }
    printf("{\"assets\": [");
    for (int k = 0; k < CONTENT_ASSETS; k++) {
        look_at_asset(l, (content_asset)k);
    }
    look_at_labels(l);
    look_at_sets(l);
    look_at_guest(l);
    printf("\"problems\": %llu, \"told\": \"", (unsigned long long)l->problems);
    for (uint64_t i = 0; i < l->problems && i < PROBLEMS_MAX; i++) {
        for (char *p = l->told[i]; *p != '\0'; p++) {
            putchar(*p == '"' || *p == '\\' || *p < ' ' ? '\'' : *p);
        }
        printf("; ");
    }
    printf("\"}\n");
    edgeops_store_close(l->store);
    free(l);
    return 0;
}
