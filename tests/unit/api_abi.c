/* SPDX-License-Identifier: Apache-2.0 */
/* Callers that were built with older and newer headers, against the library of today: each struct
 * with struct_size lies at the very end of readable memory, in every size that it had or may get. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edgeops.h"

enum { PAGE = 4096, NEWER = 64 };

static char root[] = "/tmp/edgeops-api-XXXXXX";
static char path[128];
static edgeops_ctx *ctx;
static edgeops_store *store;
static edgeops_node *node;   /* for calls, opened by the first */
static unsigned char *guard; /* a page, and behind it nothing */

static int forget(const char *name, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static edgeops_status append(edgeops_append_result *result) {
    static edgeops_time now;
    const char *channel = "x";
    edgeops_value value = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = 1.5}};
    edgeops_sample sample = {"a", ++now, 0, 1, &channel, &value, NULL};
    return edgeops_store_append(result, store, &sample, 1, NULL);
}

static void enter(void) {
    edgeops_dataset_options dataset = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *asset = "a";
    cr_assert_not_null(mkdtemp(root));
    (void)snprintf(path, sizeof path, "%s/home", root);
    guard = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(guard, MAP_FAILED);
    cr_assert_eq(mprotect(guard + PAGE, PAGE, PROT_NONE), 0);
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    cr_assert_eq(edgeops_store_open(&store, path, NULL), EDGEOPS_OK);
    cr_assert_eq(append(NULL), EDGEOPS_OK);
    dataset.name = "d";
    dataset.assets = &asset;
    dataset.asset_count = 1;
    cr_assert_eq(edgeops_dataset_create(store, &dataset), EDGEOPS_OK);
    (void)snprintf(path, sizeof path, "%s/other", root);
}

static void leave(void) {
    edgeops_node_close(node);
    edgeops_store_close(store);
    edgeops_ctx_free(ctx);
    munmap(guard, 2 * PAGE);
    (void)nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(api_abi, .init = enter, .fini = leave);

/* -- one call for each struct; whatever it made is gone again -- */

static edgeops_status with_ctx(void *given) {
    edgeops_ctx *made = NULL;
    edgeops_status status = edgeops_ctx_new(&made, given);
    edgeops_ctx_free(made);
    return status;
}

static edgeops_status with_store(void *given) {
    edgeops_store *made = NULL;
    edgeops_status status = edgeops_store_open(&made, path, given);
    edgeops_store_close(made);
    return status;
}

static edgeops_status with_query(void *given) {
    uint64_t rows = 0;
    return edgeops_store_count(&rows, store, given);
}

static edgeops_status with_layout(void *given) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t rows = 0;
    query.asset = "a";
    return edgeops_store_read_into(&rows, store, &query, given);
}

static edgeops_status no_label(const edgeops_label *label, void *user_data) {
    (void)label;
    (void)user_data;
    return EDGEOPS_OK;
}

static edgeops_status with_append(void *given) {
    return edgeops_store_append(NULL, store, NULL, 0, given);
}

static edgeops_status with_retype(void *given) {
    return edgeops_channel_retype(NULL, store, given);
}

static edgeops_status with_cursor(void *given) {
    edgeops_cursor *made = NULL;
    edgeops_status status = edgeops_cursor_open(&made, store, given);
    edgeops_cursor_close(made);
    return status;
}

static edgeops_status with_label_query(void *given) {
    return edgeops_label_list(NULL, store, given, no_label, NULL);
}

static edgeops_status with_dataset(void *given) {
    return edgeops_dataset_create(store, given);
}

static edgeops_status with_dataset_layout(void *given) {
    return edgeops_dataset_read_into(store, "d", given);
}

static edgeops_status with_source(void *given) {
    edgeops_source *made = NULL;
    return edgeops_source_open(&made, ctx, given);
}

static edgeops_status with_publisher(void *given) {
    edgeops_publisher *made = NULL;
    return edgeops_publisher_open(&made, ctx, given);
}

static edgeops_status with_node(void *given) {
    edgeops_node *made = NULL;
    edgeops_status status = edgeops_node_open(&made, ctx, path, given);
    edgeops_node_close(made);
    return status;
}

static edgeops_status with_call(void *given) {
    if (node == NULL) {
        char home[128];
        (void)snprintf(home, sizeof home, "%s/node", root);
        cr_assert_eq(edgeops_node_open(&node, ctx, home, NULL), EDGEOPS_OK);
    }
    return edgeops_node_call(NULL, node, "asset.ls", NULL, given);
}

static edgeops_status with_runtime(void *given) {
    edgeops_runtime *made = NULL;
    edgeops_status status = edgeops_runtime_new(&made, ctx, given);
    edgeops_runtime_free(made);
    return status;
}

static edgeops_status with_virtual(void *given) {
    edgeops_virtual *made = NULL;
    edgeops_status status = edgeops_virtual_open(&made, "pcb", given);
    edgeops_virtual_close(made);
    return status;
}

static edgeops_status with_train(void *given) {
    edgeops_training *made = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_status status = edgeops_runtime_new(&runtime, ctx, NULL);
    if (status == EDGEOPS_OK) {
        status = edgeops_training_start(&made, runtime, given);
    }
    edgeops_runtime_free(runtime);
    return status;
}

static edgeops_status with_lane(void *given) {
    edgeops_lane *made = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_status status = edgeops_runtime_new(&runtime, ctx, NULL);
    if (status == EDGEOPS_OK) {
        status = edgeops_lane_open(&made, runtime, NULL, given);
    }
    edgeops_runtime_free(runtime);
    return status;
}

typedef edgeops_status (*call_fn)(void *given);
typedef void (*init_fn)(void *out, size_t struct_size);

typedef struct grown {
    const char *init;
    size_t size;
    init_fn init_function;
    const void *defaults;
    call_fn call;
    edgeops_status answer; /* to the defaults alone */
} grown;

#define OPTIONS(kind, KIND, fn, answer)                                                            \
    {                                                                                              \
        "EDGEOPS_" #KIND "_INIT", sizeof(edgeops_##kind), (init_fn)(void *)edgeops_##kind##_init,  \
            &(const edgeops_##kind)EDGEOPS_##KIND##_INIT, fn, answer                               \
    }

static const grown all[] = {
    OPTIONS(ctx_options, CTX_OPTIONS, with_ctx, EDGEOPS_OK),
    OPTIONS(store_options, STORE_OPTIONS, with_store, EDGEOPS_OK),
    OPTIONS(query, QUERY, with_query, EDGEOPS_E_INVALID),  /* asset is missing */
    OPTIONS(layout, LAYOUT, with_layout, EDGEOPS_E_LIMIT), /* capacity is 0 */
    OPTIONS(append_options, APPEND_OPTIONS, with_append, EDGEOPS_OK),
    OPTIONS(retype_options, RETYPE_OPTIONS, with_retype, EDGEOPS_E_INVALID), /* asset is missing */
    OPTIONS(cursor_options, CURSOR_OPTIONS, with_cursor, EDGEOPS_E_INVALID), /* asset is missing */
    OPTIONS(label_query, LABEL_QUERY, with_label_query, EDGEOPS_OK),
    OPTIONS(dataset_options, DATASET_OPTIONS, with_dataset, EDGEOPS_E_INVALID),
    OPTIONS(dataset_layout, DATASET_LAYOUT, with_dataset_layout, EDGEOPS_E_LIMIT),
    OPTIONS(source_options, SOURCE_OPTIONS, with_source, EDGEOPS_E_INVALID),
    OPTIONS(publisher_options, PUBLISHER_OPTIONS, with_publisher, EDGEOPS_E_INVALID),
    OPTIONS(node_options, NODE_OPTIONS, with_node, EDGEOPS_OK),
    OPTIONS(call_options, CALL_OPTIONS, with_call, EDGEOPS_OK),
    OPTIONS(runtime_options, RUNTIME_OPTIONS, with_runtime, EDGEOPS_OK),
    OPTIONS(train_options, TRAIN_OPTIONS, with_train, EDGEOPS_E_INVALID),
    OPTIONS(lane_options, LANE_OPTIONS, with_lane, EDGEOPS_E_INVALID),
    OPTIONS(virtual_options, VIRTUAL_OPTIONS, with_virtual, EDGEOPS_OK),
};
enum { ALL = sizeof all / sizeof all[0] };

/* The defaults of a caller whose struct has `size` bytes, at the end of what can be read. */
static unsigned char *caller(const grown *o, size_t size) {
    unsigned char *given = guard + PAGE - size;
    memset(given, 0, size);
    memcpy(given, o->defaults, size < o->size ? size : o->size);
    memcpy(given, &size, sizeof size);
    return given;
}

static int names_the_macro(const grown *o) {
    return strstr(edgeops_error_last()->message, o->init) != NULL;
}

Test(api_abi, an_older_caller_is_served) {
    for (size_t k = 0; k < ALL; k++) {
        const grown *o = &all[k];
        for (size_t size = sizeof(size_t); size <= o->size; size += sizeof(uint32_t)) {
            edgeops_status status = o->call(caller(o, size));
            cr_assert_eq(status, o->answer, "%s with %zu bytes: %d %s", o->init, size, (int)status,
                         edgeops_error_last()->message);
            cr_assert(status == EDGEOPS_OK || !names_the_macro(o), "%s with %zu bytes", o->init,
                      size);
        }
    }
}

Test(api_abi, a_newer_caller_is_served_unless_it_asks_for_something_new) {
    for (size_t k = 0; k < ALL; k++) {
        const grown *o = &all[k];
        for (size_t more = 1; more <= NEWER; more++) {
            unsigned char *given = caller(o, o->size + more);
            if (more % sizeof(size_t) == 0) {
                cr_assert_eq(o->call(given), o->answer, "%s with %zu bytes more", o->init, more);
            }
            given[o->size + more - 1] = 1;
            cr_assert_eq(o->call(given), EDGEOPS_E_INVALID, "%s, byte %zu", o->init, more);
            cr_assert(names_the_macro(o), "%s: %s", o->init, edgeops_error_last()->message);
        }
    }
}

Test(api_abi, options_without_init_are_refused) {
    const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX / 2, SIZE_MAX};
    for (size_t k = 0; k < ALL; k++) {
        const grown *o = &all[k];
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *given = caller(o, o->size);
            memcpy(given, &sizes[i], sizeof sizes[i]);
            cr_assert_eq(o->call(given), EDGEOPS_E_INVALID, "%s with size %zu", o->init, sizes[i]);
            cr_assert(names_the_macro(o), "%s: %s", o->init, edgeops_error_last()->message);
        }
    }
}

/* -- results -- */

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *user_data) {
    (void)options;
    (void)samples;
    (void)user_data;
    result->appended = n;
    return EDGEOPS_OK;
}

static edgeops_source *source;

static edgeops_status give_append(void *given) {
    return append(given);
}

static edgeops_status give_table(void *given) {
    static edgeops_time now = 1000;
    double value = 2.5;
    edgeops_column column = {.name = "x", .unit = "", .type = EDGEOPS_TYPE_FLOAT64};
    edgeops_table table = {.asset = "a", .rows = 1, .times = &now, .column_count = 1};
    column.data = column.f64 = &value;
    column.length = 1;
    table.columns = &column;
    now++;
    return edgeops_store_append_tables(given, store, &table, 1, NULL);
}

static edgeops_status give_nothing(void *given) {
    return edgeops_store_append(given, store, NULL, 0, NULL);
}

static edgeops_status give_retype(void *given) {
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "a";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    return edgeops_channel_retype(given, store, &options);
}

static edgeops_status give_label(void *given) {
    static edgeops_time now;
    now++;
    edgeops_label label = {.asset = "a", .start = now, .end = now, .label = "y"};
    return edgeops_label_add_new(given, store, &label, 1);
}

static edgeops_status give_stats(void *given) {
    return edgeops_source_get_stats(given, source);
}

static const grown results[] = {
    OPTIONS(append_result, APPEND_RESULT, give_append, EDGEOPS_OK),
    OPTIONS(append_result, APPEND_RESULT, give_table, EDGEOPS_OK),
    OPTIONS(append_result, APPEND_RESULT, give_nothing, EDGEOPS_OK),
    OPTIONS(retype_result, RETYPE_RESULT, give_retype, EDGEOPS_OK),
    OPTIONS(label_result, LABEL_RESULT, give_label, EDGEOPS_OK),
    OPTIONS(source_stats, SOURCE_STATS, give_stats, EDGEOPS_OK),
};
enum { RESULTS = sizeof results / sizeof results[0] };

static void open_source(void) {
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "s";
    options.driver = "replay";
    options.config_json = "{\"path\":\"/nowhere.csv\",\"asset\":\"a\"}";
    options.append = take;
    cr_assert_eq(edgeops_source_open(&source, ctx, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
}

Test(api_abi, a_result_never_leaves_the_caller_s_struct) {
    open_source();
    for (size_t k = 0; k < RESULTS; k++) {
        const grown *r = &results[k];
        for (size_t size = sizeof(size_t); size <= r->size + NEWER; size++) {
            unsigned char *given = guard + PAGE - size;
            memset(guard, 0x5a, PAGE);
            memcpy(given, &size, sizeof size);
            cr_assert_eq(r->call(given), EDGEOPS_OK, "%s with %zu bytes: %s", r->init, size,
                         edgeops_error_last()->message);
            cr_assert_eq(given[-1], 0x5a);
            cr_assert_eq(memcmp(given, &size, sizeof size), 0);
            for (size_t i = r->size; i < size; i++) {
                cr_assert_eq(given[i], 0);
            }
        }
    }
    edgeops_source_close(source);
}

Test(api_abi, a_result_without_init_is_refused_and_nothing_is_done) {
    const size_t sizes[] = {0, 7, 4097, SIZE_MAX};
    uint64_t before = 0;
    uint64_t after = 0;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "a";
    open_source();
    cr_assert_eq(edgeops_store_count(&before, store, &query), EDGEOPS_OK);
    for (size_t k = 0; k < RESULTS; k++) {
        const grown *r = &results[k];
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *given = guard + PAGE - r->size;
            memset(given, 0x5a, r->size);
            memcpy(given, &sizes[i], sizeof sizes[i]);
            cr_assert_eq(r->call(given), EDGEOPS_E_INVALID, "%s", r->init);
            cr_assert(names_the_macro(r), "%s", edgeops_error_last()->message);
            cr_assert_eq(given[sizeof(size_t)], 0x5a);
        }
    }
    cr_assert_eq(edgeops_store_count(&after, store, &query), EDGEOPS_OK);
    cr_assert_eq(before, after);
    edgeops_source_close(source);
}

/* The functions say what the macros say, for the members that have a default. */
Test(api_abi, init_functions_equal_the_macros) {
    for (size_t k = 0; k < ALL + RESULTS; k++) {
        const grown *o = k < ALL ? &all[k] : &results[k - ALL];
        for (size_t size = 0; size <= o->size + NEWER; size++) {
            unsigned char *given = guard + PAGE - size;
            memset(guard, 0x5a, PAGE);
            o->init_function(given, size);
            cr_assert_eq(given[-1], 0x5a);
            if (size < sizeof(size_t)) {
                continue;
            }
            cr_assert_eq(memcmp(given, &size, sizeof size), 0);
            for (size_t i = sizeof(size_t); i < size; i++) {
                unsigned char wanted = i < o->size ? ((const unsigned char *)o->defaults)[i] : 0;
                cr_assert_eq(given[i], wanted, "%s, byte %zu of %zu", o->init, i, size);
            }
        }
        o->init_function(NULL, o->size);
    }
}
