/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregates agree with the rows, decode no chunk that statistics answer for, and keep to their
 * limits. */
#include <math.h>

#include "base/type.h"
#include "store_fixture.h"

TestSuite(store_aggregate, .init = make_home, .fini = remove_home);

enum { ROWS = 12000 };

static void fill(edgeops_store *store, dice *d) {
    const char *const channels[] = {"f", "i", "u", "s"};
    static const double odd[] = {(double)NAN, (double)INFINITY, 1.7e308, 1.7e308};
    int64_t clock = -3000000;
    for (int row = 0; row < ROWS; row++) {
        uint64_t luck = below(d, 5000);
        clock += (int64_t)below(d, 1000);
        edgeops_value values[4] = {f64(luck < 4 ? odd[luck] : (double)below(d, 1000) / 8),
                                   i64(luck == 5 ? INT64_MIN : (int64_t)below(d, 1000)),
                                   {.type = EDGEOPS_TYPE_UINT64, .as.u64 = below(d, 9)},
                                   text("t")};
        if (luck == 6) {
            values[2].as.u64 = UINT64_MAX - 1;
        }
        for (int k = 0; k < 4; k++) {
            if (row < k * 3000 || below(d, 6) == 0) {
                values[k].type = EDGEOPS_TYPE_NULL;
            }
        }
        int64_t late = below(d, 40) == 0 ? (int64_t)below(d, 100000) : 0;
        edgeops_sample sample = {
            .asset = "a", .time = clock - late, .count = 4, .channels = channels, .values = values};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
        if (below(d, 3000) == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
}

static int64_t bucket_of(int64_t time, int64_t every) {
    int64_t n = time / every;
    return time % every < 0 ? n - 1 : n;
}

/* Rows [from, to) of a table against one bucket. */
static void check_bucket(const edgeops_bucket *bucket, const edgeops_table *table, uint64_t from,
                         uint64_t to) {
    cr_assert_eq(bucket->rows, to - from);
    cr_assert_eq(bucket->first, table->times[from]);
    cr_assert_eq(bucket->last, table->times[to - 1]);
    for (size_t k = 0; k < table->column_count; k++) {
        const edgeops_aggregate *got = &bucket->channels[k];
        edgeops_aggregate want = {0};
        long double sum = 0;
        uint64_t n = 0;
        for (uint64_t row = from; row < to; row++) {
            edgeops_value value = edgeops_column_value(&table->columns[k], row);
            if (value.type == EDGEOPS_TYPE_NULL) {
                want.nulls++;
                continue;
            }
            want.count++;
            if (value.type == EDGEOPS_TYPE_STRING) {
                continue;
            }
            double x = eop_value_double(&value);
            if (!isfinite(x)) {
                want.non_finite++;
                continue;
            }
            bool is_unsigned = value.type == EDGEOPS_TYPE_UINT64;
            bool is_float = value.type == EDGEOPS_TYPE_FLOAT64;
            if (n == 0 || (is_float      ? value.as.f64 < want.min.as.f64
                           : is_unsigned ? value.as.u64 < want.min.as.u64
                                         : value.as.i64 < want.min.as.i64)) {
                want.min = value;
            }
            if (n == 0 || (is_float      ? value.as.f64 > want.max.as.f64
                           : is_unsigned ? value.as.u64 > want.max.as.u64
                                         : value.as.i64 > want.max.as.i64)) {
                want.max = value;
            }
            sum += is_unsigned ? (long double)value.as.u64 : (long double)x;
            n++;
        }
        cr_assert_eq(got->count, want.count);
        cr_assert_eq(got->nulls, want.nulls);
        cr_assert_eq(got->non_finite, want.non_finite);
        cr_assert_eq(got->min.type, want.min.type);
        if (n == 0) {
            cr_assert(isnan(got->mean));
            continue;
        }
        cr_assert_eq(memcmp(&got->min.as, &want.min.as, 8), 0);
        cr_assert_eq(memcmp(&got->max.as, &want.max.as, 8), 0);
        long double mean = sum / (long double)n;
        long double error = (mean - got->mean) / (fabsl(mean) > 1 ? fabsl(mean) : 1);
        cr_assert(fabsl(error) < 1e-9L, "mean %g, not %Lg", got->mean, mean);
    }
}

static void check(edgeops_store *store, const edgeops_query *query, int64_t every) {
    edgeops_summary *summary = NULL;
    edgeops_table *table = NULL;
    CHECK_OK(edgeops_store_read(&table, store, query));
    CHECK_OK(edgeops_store_aggregate(&summary, store, query, every));
    size_t buckets = 0;
    for (uint64_t from = 0; from < table->rows;) {
        uint64_t to = from;
        while (to < table->rows && (every == 0 || bucket_of(table->times[to], every) ==
                                                      bucket_of(table->times[from], every))) {
            to++;
        }
        cr_assert_lt(buckets, summary->bucket_count);
        const edgeops_bucket *bucket = &summary->buckets[buckets++];
        if (every > 0) {
            cr_assert_eq(bucket->start, bucket_of(table->times[from], every) * every);
            cr_assert_eq(bucket->end, bucket->start + every);
        } else {
            cr_assert_eq(bucket->start, query->start);
            cr_assert_eq(bucket->end, query->end);
        }
        check_bucket(bucket, table, from, to);
        from = to;
    }
    cr_assert_eq(buckets, summary->bucket_count);
    edgeops_summary_free(summary);
    edgeops_table_free(table);
}

Test(store_aggregate, agrees_with_the_rows) {
    dice d = {5};
    edgeops_store *store = open_store();
    fill(store, &d);
    for (int i = 0; i < 60; i++) {
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_condition condition = {"i", EDGEOPS_COMPARE_LT, i64((int64_t)below(&d, 1000))};
        query.asset = "a";
        if (below(&d, 2) > 0) {
            query.start = (int64_t)below(&d, 6000000) - 3000000;
            query.end = query.start + (int64_t)below(&d, 3000000);
        }
        query.max_ordinal = below(&d, 3) == 0 ? 1 + below(&d, ROWS) : 0;
        query.conditions = &condition;
        query.condition_count = below(&d, 3) == 0;
        check(store, &query, below(&d, 3) > 0 ? 1 + (int64_t)below(&d, 1000000) : 0);
    }
    edgeops_store_close(store);
}

Test(store_aggregate, decodes_no_whole_chunk) {
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_summary *summary = NULL;
    for (int i = 0; i < 9000; i++) {
        CHECK_OK(put(store, "a", i, 0, "x", i64(i), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE cell SET data = x'00'");
    store = open_store();
    query.asset = "a";
    CHECK_OK(edgeops_store_aggregate(&summary, store, &query, 0));
    cr_assert_eq(summary->bucket_count, 1);
    cr_assert_str_eq(summary->channels[0].name, "x");
    cr_assert_eq(summary->buckets[0].channels[0].min.as.i64, 0);
    cr_assert_eq(summary->buckets[0].channels[0].max.as.i64, 8999);
    cr_assert_eq(summary->buckets[0].channels[0].mean, 4499.5);
    edgeops_summary_free(summary);
    query.start = 1;
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_aggregate(&summary, store, &query, 0));
    cr_assert_null(summary);
    edgeops_store_close(store);
}

Test(store_aggregate, has_limits) {
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_summary *summary = NULL;
    CHECK_OK(put(store, "a", EDGEOPS_TIME_MIN, 0, "x", i64(1), NULL));
    CHECK_OK(put(store, "a", EDGEOPS_TIME_MAX, 0, "x", i64(2), NULL));
    query.asset = "a";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_aggregate(&summary, store, &query, -1));
    CHECK_OK(edgeops_store_aggregate(&summary, store, &query, 1000));
    cr_assert_eq(summary->bucket_count, 2);
    cr_assert_eq(summary->buckets[0].start, EDGEOPS_TIME_MIN);
    cr_assert_eq(summary->buckets[1].end, EDGEOPS_TIME_MAX);
    edgeops_summary_free(summary);
    CHECK_OK(edgeops_store_aggregate(&summary, store, &query, EDGEOPS_FOREVER));
    cr_assert_geq(summary->bucket_count, 2);
    edgeops_summary_free(summary);
    query.limit = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_aggregate(&summary, store, &query, 0));
    query.limit = 0;
    query.asset = "none";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_aggregate(&summary, store, &query, 0));
    edgeops_store_close(store);
}
