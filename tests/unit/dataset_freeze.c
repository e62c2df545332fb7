/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing datasets: what is frozen stays, the same data has the same digest everywhere, and
 * changed values are noticed. */
#include <sqlite3.h>

#include "codec/json.h"
#include "dataset/dataset.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store_fixture.h"

TestSuite(dataset_freeze, .init = make_home, .fini = remove_home);

static const char *const xs[1] = {"x"};

static void put_two(edgeops_store *store, const char *asset, edgeops_time time, double x,
                    const char *word) {
    const char *names[2] = {"x", "word"};
    edgeops_value values[2] = {f64(x), text(word)};
    edgeops_sample sample = {asset, time, 0, word[0] != '\0' ? 2u : 1u, names, values};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
}

static int64_t label(edgeops_store *store, const char *asset, edgeops_time start, edgeops_time end,
                     const char *name) {
    int64_t id = 0;
    edgeops_label l = {.asset = asset, .start = start, .end = end, .label = name, .author = "me"};
    CHECK_OK(edgeops_label_add(&id, store, &l, 1));
    return id;
}

static edgeops_status create(edgeops_store *store, const char *name, const char *pattern,
                             int labelled_only) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = name;
    options.assets = &pattern;
    options.asset_count = 1;
    options.labelled_only = (uint32_t)labelled_only;
    return edgeops_dataset_create(store, &options);
}

static void digest_of(char out[65], edgeops_store *store, const char *name) {
    edgeops_dataset *set = NULL;
    CHECK_OK(edgeops_dataset_read(&set, store, name));
    strcpy(out, set->digest);
    edgeops_dataset_free(set);
}

static void fill(edgeops_store *store, bool flushes) {
    for (int i = 0; i < 200; i++) {
        put_two(store, i % 2 == 0 ? "p/a" : "p/b", i * 10, i * 0.5, i % 3 == 0 ? "w" : "");
        if (flushes && i % 37 == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
}

Test(dataset_freeze, later_samples_and_labels_do_not_change_it) {
    edgeops_store *store = open_store();
    char before[65];
    char after[65];
    fill(store, true);
    int64_t first = label(store, "p/a", 100, 500, "on");
    label(store, "p/b", 0, 2000, "off");
    CHECK_OK(create(store, "d1", "p/*", 0));
    digest_of(before, store, "d1");
    put_two(store, "p/a", 105, 9, "late");
    put_two(store, "p/a", 99999, 9, "new");
    label(store, "p/a", 100, 300, "other");
    CHECK_OK(edgeops_label_remove(store, first));
    CHECK_OK(edgeops_store_declare(store, "p/a",
                                   &(edgeops_channel_info){"x", "um", EDGEOPS_TYPE_FLOAT64, 1}));
    digest_of(after, store, "d1");
    cr_assert_str_eq(before, after);
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(eop_store_flush(store));
    digest_of(after, store, "d1");
    cr_assert_str_eq(before, after);
    CHECK_OK(create(store, "d2", "p/*", 0));
    digest_of(after, store, "d2");
    cr_assert_str_neq(before, after);
    edgeops_store_close(store);
}

Test(dataset_freeze, same_data_has_the_same_digest_on_another_node) {
    char one[65];
    char other[65];
    edgeops_store *store = open_store();
    fill(store, true);
    label(store, "p/a", 0, 1000, "on");
    CHECK_OK(create(store, "first", "p/*", 0));
    digest_of(one, store, "first");
    edgeops_store_close(store);

    strcat(home, "2");
    store = open_store();
    CHECK_OK(put(store, "p/empty-here", 1000000, 0, "y", i64(1), NULL));
    label(store, "p/empty-here", 0, 10, "unused");
    /* Labelled in two steps, arrived backwards, channels in another order. */
    CHECK_OK(edgeops_store_declare(store, "p/b",
                                   &(edgeops_channel_info){"word", NULL, EDGEOPS_TYPE_STRING, 1}));
    for (int i = 199; i >= 0; i--) {
        put_two(store, i % 2 == 0 ? "p/a" : "p/b", i * 10, i * 0.5, i % 3 == 0 ? "w" : "");
    }
    label(store, "p/a", 500, 1000, "on");
    label(store, "p/a", 0, 500, "on");
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *assets[] = {"p/*", "p/a"};
    options.name = "second";
    options.assets = assets;
    options.asset_count = 2;
    options.end = 1000000;
    CHECK_OK(edgeops_dataset_create(store, &options));
    digest_of(other, store, "second");
    cr_assert_str_eq(one, other);
    edgeops_store_close(store);
}

Test(dataset_freeze, patterns_that_overlap_name_each_asset_once) {
    edgeops_store *store = open_store();
    const char *patterns[4] = {"p/b", "*", "p/*", "p/b"};
    char plain[65];
    char overlapping[65];
    fill(store, true);
    CHECK_OK(edgeops_store_declare(store, "p/empty",
                                   &(edgeops_channel_info){"x", NULL, EDGEOPS_TYPE_FLOAT64, 1}));
    CHECK_OK(create(store, "plain", "p/*", 0));
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "overlapping";
    options.assets = patterns;
    options.asset_count = 4;
    CHECK_OK(edgeops_dataset_create(store, &options));
    digest_of(plain, store, "plain");
    digest_of(overlapping, store, "overlapping");
    cr_assert_str_eq(plain, overlapping);
    edgeops_store_close(store);
}

Test(dataset_freeze, newest_label_wins_and_bounds_are_half_open) {
    edgeops_store *store = open_store();
    edgeops_dataset *set = NULL;
    for (int i = 0; i < 10; i++) {
        CHECK_OK(put(store, "a", i, 0, "x", f64(i), NULL));
    }
    label(store, "a", 2, 6, "wide");
    int64_t gone = label(store, "a", 0, 10, "gone");
    label(store, "a", 4, 4, "point");
    label(store, "a", 5, 8, "new");
    CHECK_OK(edgeops_label_remove(store, gone));
    CHECK_OK(create(store, "d", "a", 0));
    CHECK_OK(edgeops_dataset_read(&set, store, "d"));
    cr_assert_eq(set->label_count, 3);
    cr_assert_str_eq(set->label_names[0], "new");
    cr_assert_str_eq(set->label_names[1], "point");
    cr_assert_str_eq(set->label_names[2], "wide");
    static const int32_t expected[10] = {-1, -1, 2, 2, 1, 0, 0, 0, -1, -1};
    cr_assert_eq(memcmp(set->parts[0].labels, expected, sizeof expected), 0);
    edgeops_dataset_free(set);
    CHECK_OK(create(store, "only", "a", 1));
    CHECK_OK(edgeops_dataset_read(&set, store, "only"));
    cr_assert_eq(set->rows, 6);
    cr_assert_eq(set->parts[0].table->times[0], 2);
    cr_assert_eq(set->parts[0].labels[5], 0);
    edgeops_dataset_free(set);
    edgeops_store_close(store);
}

static edgeops_status collect(const edgeops_label *l, void *data) {
    char *out = data;
    sprintf(out + strlen(out), "%s/%s/%d ", l->asset, l->label, (int)l->start);
    return EDGEOPS_OK;
}

Test(dataset_freeze, labels_are_checked_walked_and_taken_back) {
    edgeops_store *store = open_store();
    char out[200] = "";
    CHECK_OK(put(store, "b", 1, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    edgeops_label two[2] = {{.asset = "a", .start = 1, .end = 2, .label = "l"},
                            {.asset = "none", .start = 1, .end = 2, .label = "l"}};
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_add(NULL, store, two, 2));
    two[1] = (edgeops_label){.asset = "a", .start = 3, .end = 2, .label = "l"};
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_add(NULL, store, two, 2));
    two[1] = (edgeops_label){.asset = "a", .start = 3, .end = 4, .label = ""};
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_add(NULL, store, two, 2));
    CHECK_OK(edgeops_label_list(NULL, store, NULL, collect, out));
    cr_assert_str_eq(out, "");
    int64_t id = label(store, "b", 9, 10, "z");
    label(store, "a", 5, 10, "y");
    label(store, "a", 2, 10, "x");
    CHECK_OK(edgeops_label_list(NULL, store, NULL, collect, out));
    cr_assert_str_eq(out, "a/x/2 a/y/5 b/z/9 ");
    CHECK_OK(edgeops_label_remove(store, id));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_remove(store, id));
    out[0] = '\0';
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    query.asset = "b";
    query.exact = 1;
    CHECK_OK(edgeops_label_list(NULL, store, &query, collect, out));
    cr_assert_str_eq(out, "");
    edgeops_store_close(store);
}

Test(dataset_freeze, bad_requests_are_told_apart) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *assets[2] = {"a", "b"};
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "b", 1, 0, "x", i64(1), NULL));
    CHECK_OK(put(store, "b", 1, 1, "y", i64(1), NULL));
    options.name = "d";
    options.assets = assets;
    options.asset_count = 2;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.channels = xs;
    options.channel_count = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_dataset_create(store, &options));
    options.name = "No Name";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.name = "e";
    options.start = 100;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.start = 0;
    assets[0] = "c";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_create(store, &options));
    assets[0] = "c*";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_create(store, &options));
    const char *ys[1] = {"y"};
    assets[0] = "a";
    options.channels = ys;
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_create(store, &options));
    CHECK_CODE(EDGEOPS_E_BUSY, edgeops_asset_remove(store, "a"));
    cr_assert(strstr(edgeops_error_last()->message, "'d'") != NULL);
    CHECK_OK(edgeops_dataset_remove(store, "d"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_remove(store, "d"));
    edgeops_dataset *set = NULL;
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_read(&set, store, "d"));
    CHECK_OK(edgeops_asset_remove(store, "a"));
    edgeops_store_close(store);
}

static edgeops_status one_line(const char *name, const char *json, void *data) {
    sprintf((char *)data + strlen(data), "%s ", name);
    cr_assert(json[0] == '{');
    return EDGEOPS_OK;
}

Test(dataset_freeze, description_tells_what_is_in_it) {
    edgeops_store *store = open_store();
    char names[100] = "";
    char *json = NULL;
    fill(store, false);
    label(store, "p/a", 0, 500, "on");
    CHECK_OK(create(store, "zz", "p/*", 0));
    CHECK_OK(create(store, "aa", "p/a", 1));
    CHECK_OK(eop_dataset_describe(&json, store, "zz"));
    eop_json *root = NULL;
    CHECK_OK(eop_json_parse(&root, json, strlen(json), "description", NULL));
    cr_assert_eq(eop_json_integer(root, "rows", 0), 200);
    cr_assert_eq(eop_json_integer(eop_json_get(root, "labels"), "on", 0), 25);
    cr_assert_eq(eop_json_size(eop_json_get(root, "assets")), 2);
    cr_assert_eq(eop_json_size(eop_json_get(root, "channels")), 2);
    cr_assert_eq(strlen(eop_json_string(root, "digest", "")), 64);
    eop_json_free(root);
    eop_free(json);
    CHECK_OK(eop_dataset_list(store, one_line, names));
    cr_assert_str_eq(names, "aa zz ");
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_dataset_describe(&json, store, "none"));
    edgeops_store_close(store);
}

static void change_cells(const char *sql) {
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

Test(dataset_freeze, changed_values_are_noticed) {
    edgeops_store *store = open_store();
    edgeops_dataset *set = NULL;
    fill(store, false);
    CHECK_OK(create(store, "d", "p/*", 0));
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    change_cells("UPDATE cell SET data = (SELECT data FROM cell AS other WHERE other.id >> 11 <>"
                 " cell.id >> 11 AND other.id & 2047 = cell.id & 2047) WHERE id & 2047 = 0");
    store = open_store();
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_read(&set, store, "d"));
    cr_assert(set == NULL);
    edgeops_store_close(store);
    change_cells("UPDATE cell SET data = substr(data, 1, length(data) - 1)");
    store = open_store();
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_read(&set, store, "d"));
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "p/a";
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_read(&table, store, &query));
    edgeops_store_close(store);
}

/* The digest is a promise between nodes and versions: it may not change by accident. */
Test(dataset_freeze, digest_is_the_documented_one) {
    edgeops_store *store = open_store();
    char digest[65];
    put_two(store, "p/a", 1000, -0.0, "w\xc3\xb6rt");
    put_two(store, "p/a", 2000, 1.5, "");
    CHECK_OK(put(store, "p/b", -5, 7, "x", f64(3), NULL));
    CHECK_OK(edgeops_store_declare(store, "p/b",
                                   &(edgeops_channel_info){"word", NULL, EDGEOPS_TYPE_STRING, 1}));
    label(store, "p/a", 1500, 2500, "on off");
    CHECK_OK(create(store, "d", "p/*", 0));
    digest_of(digest, store, "d");
    cr_assert_str_eq(digest, "a975f3e5ce049a73278096900760ae77a812ece82bf857ef6f49430729619d9b");
    edgeops_store_close(store);
}

Test(dataset_freeze, members_of_later_versions_are_not_passed_over) {
    edgeops_store *store = open_store();
    const char *asset = "a";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    options.name = "set";
    options.assets = &asset;
    options.asset_count = 1;
    options.channel_assets = &asset;
    CHECK_CODE(EDGEOPS_E_UNSUPPORTED, edgeops_dataset_create(store, &options));
    options.channel_assets = NULL;
    options.mixed = EDGEOPS_LABEL_RULE_LAST;
    CHECK_CODE(EDGEOPS_E_UNSUPPORTED, edgeops_dataset_create(store, &options));
    options.mixed = EDGEOPS_LABEL_RULE_SKIP;
    options.reserved = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.reserved = 0;
    options.reserved32 = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.reserved32 = 0;
    CHECK_OK(edgeops_dataset_create(store, &options));
    edgeops_store_close(store);
}
