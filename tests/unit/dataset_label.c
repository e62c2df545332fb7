/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: their history, walking over them in pages, and the agreement of authors. */
#include <math.h>

#include "base/str.h"
#include "codec/json.h"
#include "dataset/label.h"
#include "edgeops/label.h"
#include "store/internal.h"
#include "store_fixture.h"

static edgeops_store *store;

static void enter(void) {
    make_home();
    store = open_store();
    for (int i = 0; i < 10; i++) {
        CHECK_OK(put(store, "a", i, 0, "x", f64(i), NULL));
        CHECK_OK(put(store, "b", i, 0, "x", f64(i), NULL));
    }
}

static void leave(void) {
    edgeops_store_close(store);
    remove_home();
}

TestSuite(dataset_label, .init = enter, .fini = leave, .timeout = 60);

static edgeops_label label_of(const char *asset, edgeops_time start, edgeops_time end,
                              const char *name, const char *author) {
    return (edgeops_label){
        .asset = asset, .start = start, .end = end, .label = name, .author = author};
}

static int64_t say(const char *asset, edgeops_time start, edgeops_time end, const char *name,
                   const char *author) {
    int64_t id = 0;
    edgeops_label l = label_of(asset, start, end, name, author);
    CHECK_OK(edgeops_label_add(&id, store, &l, 1));
    return id;
}

static int64_t correct(int64_t id, edgeops_time start, edgeops_time end, const char *name) {
    int64_t made = 0;
    edgeops_label l = label_of(NULL, start, end, name, "me");
    CHECK_OK(edgeops_label_correct(&made, store, id, &l));
    return made;
}

static uint64_t version(void) {
    uint64_t v = 0;
    CHECK_OK(eop_label_version(&v, &store->catalog));
    return v;
}

/* Labels of a walk as "id:text ". */
static edgeops_status note(const edgeops_label *l, void *user_data) {
    eop_buf *out = user_data;
    eop_buf_printf(out, "%d:%s ", (int)l->id, l->label);
    return EDGEOPS_OK;
}

static void expect_found(const edgeops_label_query *query, const char *expected) {
    eop_buf out = {0};
    CHECK_OK(edgeops_label_list(NULL, store, query, note, &out));
    char *text = eop_buf_take(&out);
    cr_expect_str_eq(text, expected);
    eop_free(text);
}

static void expect_painted(const char *expected) {
    int64_t times[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    int32_t out[10];
    char text[11] = {0};
    eop_label_names names = {0};
    CHECK_OK(eop_label_paint(out, &names, &store->catalog, 1, version(), times, 10));
    for (int i = 0; i < 10; i++) {
        text[i] = out[i] < 0 ? '.' : names.items[out[i]]->name[0];
    }
    cr_expect_str_eq(text, expected);
    eop_label_names_dispose(&names);
}

Test(dataset_label, correction_keeps_its_rank_and_the_old_one_stays) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    int64_t wide = say("a", 0, 10, "wide", "me");
    say("a", 4, 6, "inner", "me");
    expect_painted("wwwwiiwwww");
    uint64_t before = version();
    int64_t better = correct(wide, 1, 10, "better");
    cr_assert_eq(version(), before + 1);
    expect_painted(".bbbiibbbb");
    int64_t best = correct(better, 1, 9, "zenith");
    expect_painted(".zzziizzz.");
    expect_found(&query, "4:zenith 2:inner ");
    query.version = before;
    expect_found(&query, "1:wide 2:inner ");
    query.version = 0;
    query.id = better;
    expect_found(&query, "1:wide 3:better 4:zenith ");
    query.id = 2;
    expect_found(&query, "2:inner ");
    query.id = 77;
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_list(NULL, store, &query, note, NULL));
    CHECK_OK(edgeops_label_remove(store, best));
    expect_painted("....ii....");
    query.id = 0;
    query.history = 1;
    query.asset = "a";
    expect_found(&query, "1:wide 3:better 4:zenith 2:inner ");
}

Test(dataset_label, what_is_not_in_force_cannot_be_corrected) {
    edgeops_label l = label_of("a", 0, 1, "x", "");
    int64_t id = say("a", 0, 1, "l", "");
    int64_t next = correct(id, 0, 1, "m");
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_correct(NULL, store, id, &l));
    cr_expect(strstr(edgeops_error_last()->message, "by label 2") != NULL, "%s",
              edgeops_error_last()->message);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_remove(store, id));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_correct(NULL, store, 99, &l));
    l.asset = "b";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_correct(NULL, store, next, &l));
    l.asset = "a";
    l.end = -1;
    uint64_t before = version();
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_correct(NULL, store, next, &l));
    cr_expect_eq(version(), before);
    CHECK_OK(edgeops_label_remove(store, next));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_remove(store, next));
}

static edgeops_status check_fields(const edgeops_label *l, void *user_data) {
    int *seen = user_data;
    (*seen)++;
    if (l->id == 1) {
        cr_expect_str_eq(l->source, "api");
        cr_expect_str_eq(l->author, "");
        cr_expect_eq(l->version, 1);
        cr_expect_eq(l->withdrawn, 2);
        cr_expect_eq(l->replaces, 0);
        cr_expect_eq(l->place, 1);
    } else {
        cr_expect_str_eq(l->source, "cli");
        cr_expect_str_eq(l->asset, "a");
        cr_expect_eq(l->version, 2);
        cr_expect_eq(l->withdrawn, 0);
        cr_expect_eq(l->replaces, 1);
        cr_expect_eq(l->place, 1);
        cr_expect_gt(l->created, 0);
    }
    return EDGEOPS_OK;
}

Test(dataset_label, tells_who_when_and_how) {
    int seen = 0;
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    edgeops_label l = label_of("a", 0, 1, "x", NULL);
    CHECK_OK(edgeops_label_add(NULL, store, &l, 1));
    l.source = "cli";
    CHECK_OK(edgeops_label_correct(NULL, store, 1, &l));
    query.history = 1;
    CHECK_OK(edgeops_label_list(NULL, store, &query, check_fields, &seen));
    cr_assert_eq(seen, 2);
}

Test(dataset_label, the_same_twice_is_one) {
    edgeops_label_result result = EDGEOPS_LABEL_RESULT_INIT;
    edgeops_label l[3] = {label_of("a", 0, 5, "x", "me"), label_of("b", 0, 5, "x", "me"),
                          label_of("a", 0, 5, "x", "me")};
    CHECK_OK(edgeops_label_add_new(&result, store, l, 3));
    cr_assert_eq(result.added, 2);
    cr_assert_eq(result.duplicates, 1);
    uint64_t before = version();
    CHECK_OK(edgeops_label_add_new(&result, store, l, 3));
    cr_assert_eq(result.added, 0);
    cr_assert_eq(version(), before, "nothing new, no new version");
    correct(1, 0, 4, "y");
    CHECK_OK(edgeops_label_add_new(&result, store, l, 1));
    cr_assert_eq(result.added, 0, "what was corrected does not come back");
    CHECK_OK(edgeops_label_remove(store, 2));
    CHECK_OK(edgeops_label_add_new(&result, store, l, 2));
    cr_assert_eq(result.added, 1, "what was taken back does");
    l[1] = label_of("none", 0, 5, "x", "me");
    l[0].end = 6;
    before = version();
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_add_new(&result, store, l, 2));
    cr_assert_eq(version(), before);
}

Test(dataset_label, a_query_that_uses_what_is_reserved_is_refused) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    eop_buf out = {0};
    say("a", 0, 2, "x", "me");
    query.reserved = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_list(NULL, store, &query, note, &out));
    cr_assert_eq(out.size, 0);
}

Test(dataset_label, filters) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    say("a", 0, 2, "x", "me");
    say("a", 2, 4, "y", "you");
    say("b", 3, 3, "x", "");
    query.label = "x";
    expect_found(&query, "1:x 3:x ");
    query.author = "";
    expect_found(&query, "3:x ");
    query.author = NULL;
    query.label = NULL;
    query.start = 2;
    expect_found(&query, "2:y 3:x ");
    query.end = 3;
    expect_found(&query, "2:y ");
    query.start = 3;
    query.end = 4;
    expect_found(&query, "2:y 3:x ");
    query.start = EDGEOPS_TIME_MIN;
    query.end = EDGEOPS_TIME_MAX;
    query.asset = "*";
    query.limit = 2;
    expect_found(&query, "1:x 2:y ");
    query.after = 2;
    expect_found(&query, "3:x ");
    query.asset = "none*";
    query.after = 0;
    expect_found(&query, "");
    query.asset = "none";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_label_list(NULL, store, &query, note, NULL));
    query.asset = NULL;
    query.version = 99;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_label_list(NULL, store, &query, note, NULL));
}

typedef struct pages {
    int64_t last;
    uint64_t count;
    char asset;
    edgeops_time start;
} pages;

static edgeops_status in_order(const edgeops_label *l, void *user_data) {
    pages *p = user_data;
    bool follows = l->asset[0] > p->asset ||
                   (l->asset[0] == p->asset &&
                    (l->start > p->start || (l->start == p->start && l->id > p->last)));
    cr_assert(follows, "label %d", (int)l->id);
    p->last = l->id;
    p->asset = l->asset[0];
    p->start = l->start;
    p->count++;
    return EDGEOPS_OK;
}

/* More than fit into a page of the walk, many of one start. */
Test(dataset_label, pages_have_each_label_once_while_others_come_and_go) {
    enum { N = 5000 };
    static edgeops_label many[N];
    for (int i = 0; i < N; i++) {
        many[i] = label_of(i % 3 == 0 ? "b" : "a", i / 1500, i / 1500 + 1, "l", "");
    }
    CHECK_OK(edgeops_label_add(NULL, store, many, N));
    pages all = {0};
    CHECK_OK(edgeops_label_list(NULL, store, NULL, in_order, &all));
    cr_assert_eq(all.count, N);
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    pages p = {0};
    query.limit = 700;
    for (uint64_t before = 1; p.count > before || before == 1;) {
        before = p.count + (p.count == 0);
        uint64_t counted = p.count;
        CHECK_OK(edgeops_label_list(&query.version, store, &query, in_order, &p));
        if (p.count == counted) {
            break;
        }
        query.after = p.last;
        say("a", 0, 1, "later", "");
        if (p.count == 1400) {
            CHECK_OK(edgeops_label_remove(store, N));
        }
    }
    cr_assert_eq(p.count, N);
}

/* -- agreement -- */

static eop_json *stats_of(const char *pattern) {
    char *text = NULL;
    eop_json *json = NULL;
    eop_label_stats_options options = {
        .pattern = pattern, .start = EDGEOPS_TIME_MIN, .end = EDGEOPS_TIME_MAX, .conflicts = 10};
    CHECK_OK(eop_label_stats(&text, store, &options));
    CHECK_OK(eop_json_parse(&json, text, strlen(text), "stats", NULL));
    eop_free(text);
    return json;
}

Test(dataset_label, counts_classes_in_labels_time_and_rows) {
    say("a", 0, 5, "x", "me");
    say("a", 3, 3, "y", "me");
    say("b", 0, 100, "x", "me");
    eop_json *json = stats_of(NULL);
    const eop_json *c = eop_json_first(eop_json_get(json, "classes"));
    cr_expect_str_eq(eop_json_string(c, "label", ""), "x");
    cr_expect_eq(eop_json_integer(c, "labels", 0), 2);
    cr_expect_eq(eop_json_integer(c, "rows", 0), 14);
    cr_expect_float_eq(eop_json_number(c, "seconds", 0), 105e-9, 1e-15);
    c = eop_json_next(c);
    cr_expect_str_eq(eop_json_string(c, "label", ""), "y");
    cr_expect_eq(eop_json_integer(c, "points", 0), 1);
    cr_expect_eq(eop_json_integer(c, "rows", 0), 1);
    cr_expect_eq(eop_json_integer(json, "rows", 0), 15);
    cr_expect_eq(eop_json_size(eop_json_get(json, "pairs")), 0);
    cr_expect_eq(eop_json_integer(eop_json_get(json, "conflicts"), "count", -1), 0);
    eop_json_free(json);
}

/* The worked example of every text on kappa: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no. */
Test(dataset_label, kappa_of_two_is_that_of_the_textbooks) {
    for (int i = 0; i < 50; i++) {
        CHECK_OK(put(store, "k", i, 0, "x", f64(i), NULL));
    }
    say("k", 0, 25, "yes", "A");
    say("k", 25, 50, "no", "A");
    say("k", 0, 20, "yes", "B");
    say("k", 20, 25, "no", "B");
    say("k", 25, 35, "yes", "B");
    say("k", 35, 50, "no", "B");
    eop_json *json = stats_of("k");
    const eop_json *p = eop_json_first(eop_json_get(json, "pairs"));
    cr_expect_eq(eop_json_integer(p, "rows", 0), 50);
    cr_expect_float_eq(eop_json_number(p, "agreement", 0), 0.7, 1e-12);
    cr_expect_float_eq(eop_json_number(p, "kappa", 0), 0.4, 1e-12);
    const eop_json *conflicts = eop_json_get(json, "conflicts");
    cr_expect_eq(eop_json_integer(conflicts, "count", 0), 2);
    cr_expect_eq(eop_json_integer(conflicts, "rows", 0), 15);
    const eop_json *first = eop_json_first(eop_json_get(conflicts, "items"));
    cr_expect_eq(eop_json_integer(first, "rows", 0), 5);
    cr_expect_str_eq(eop_json_string(first, "first", ""), "1970-01-01T00:00:00.000000020Z");
    cr_expect_str_eq(eop_json_string(first, "last", ""), "1970-01-01T00:00:00.000000024Z");
    eop_json_free(json);
}

/* Fleiss 1971 by hand for three authors and four rows: xxx, xxy, yyy, xyy. */
Test(dataset_label, kappa_of_three) {
    for (int i = 0; i < 4; i++) {
        CHECK_OK(put(store, "f", i, 0, "x", f64(i), NULL));
    }
    say("f", 0, 2, "x", "A");
    say("f", 2, 3, "y", "A");
    say("f", 3, 4, "x", "A");
    say("f", 0, 2, "x", "B");
    say("f", 2, 4, "y", "B");
    say("f", 0, 1, "x", "");
    say("f", 1, 4, "y", "");
    eop_json *json = stats_of("f");
    const eop_json *all = eop_json_get(json, "all");
    /* P_i: 1, 1/3, 1, 1/3; half of all ratings are x. */
    double agreement = (1.0 + 1.0 / 3 + 1.0 + 1.0 / 3) / 4;
    cr_expect_eq(eop_json_integer(all, "rows", 0), 4);
    cr_expect_float_eq(eop_json_number(all, "agreement", 0), agreement, 1e-12);
    cr_expect_float_eq(eop_json_number(all, "kappa", 0), (agreement - 0.5) / 0.5, 1e-12);
    cr_expect_eq(eop_json_size(eop_json_get(json, "pairs")), 3);
    cr_expect_str_eq(
        eop_json_string(eop_json_next(eop_json_next(eop_json_first(eop_json_get(json, "authors")))),
                        "author", ""),
        "(api)");
    eop_json_free(json);
}

Test(dataset_label, one_opinion_has_no_kappa) {
    say("a", 0, 10, "x", "A");
    say("a", 0, 10, "x", "B");
    eop_json *json = stats_of("*");
    const eop_json *p = eop_json_first(eop_json_get(json, "pairs"));
    cr_expect_float_eq(eop_json_number(p, "agreement", 0), 1, 1e-12);
    cr_expect_eq(eop_json_type(eop_json_get(p, "kappa")), EOP_JSON_NULL);
    eop_json_free(json);
}

/* More rows than a slice has, many of them of one instant. */
Test(dataset_label, counts_all_rows_of_a_long_asset) {
    enum { N = 30000 };
    for (int i = 0; i < N; i++) {
        CHECK_OK(put(store, "long", i < 20000 ? 7 : i, i, "x", f64(i), NULL));
    }
    say("long", 0, N, "x", "A");
    say("long", 7, 7, "y", "B");
    say("long", 25000, N, "x", "B");
    eop_json *json = stats_of("long");
    cr_expect_eq(eop_json_integer(json, "rows", 0), N);
    const eop_json *p = eop_json_first(eop_json_get(json, "pairs"));
    cr_expect_eq(eop_json_integer(p, "rows", 0), 25000);
    cr_expect_float_eq(eop_json_number(p, "agreement", 0), 0.2, 1e-12);
    cr_expect_eq(eop_json_integer(eop_json_get(json, "conflicts"), "rows", 0), 20000);
    eop_json_free(json);
}
