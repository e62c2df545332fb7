/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/virtual.h"
#include "edgeops/bench.h"

static edgeops_virtual *opened(const char *kind, uint64_t seed) {
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    options.seed = seed;
    edgeops_virtual *asset = NULL;
    cr_assert_eq(edgeops_virtual_open(&asset, kind, &options), EDGEOPS_OK);
    return asset;
}

static const edgeops_sample *next_of(edgeops_virtual *asset) {
    const edgeops_sample *sample = NULL;
    cr_assert_eq(edgeops_virtual_next(&sample, asset), EDGEOPS_OK);
    return sample;
}

static double value(const edgeops_sample *sample, const char *channel) {
    for (size_t i = 0; i < sample->count; i++) {
        if (strcmp(sample->channels[i], channel) == 0) {
            return sample->values[i].as.f64;
        }
    }
    cr_assert(false, "no channel %s", channel);
    return NAN;
}

Test(bench_virtual, options_init_equals_the_macro) {
    edgeops_virtual_options a = EDGEOPS_VIRTUAL_OPTIONS_INIT, b;
    memset(&b, 0xff, sizeof b);
    edgeops_virtual_options_init(&b, sizeof b);
    cr_assert_eq(memcmp(&a, &b, sizeof a), 0);
}

Test(bench_virtual, unknown_kind_and_bad_rate_are_refused) {
    edgeops_virtual *asset = (edgeops_virtual *)&asset;
    cr_assert_eq(edgeops_virtual_open(&asset, "robot", NULL), EDGEOPS_E_NOTFOUND);
    cr_assert_null(asset);
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    static const double rates[] = {-1, 1e7, 1e-9, NAN, INFINITY};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        options.rate_hz = rates[i];
        cr_assert_eq(edgeops_virtual_open(&asset, "pcb", &options), EDGEOPS_E_INVALID);
    }
    edgeops_virtual_close(NULL);
}

Test(bench_virtual, same_seed_same_samples_and_labels) {
    static const char *const kinds[] = {"pcb", "imu"};
    for (size_t k = 0; k < 2; k++) {
        edgeops_virtual *a = opened(kinds[k], 42), *b = opened(kinds[k], 42);
        edgeops_virtual *other = opened(kinds[k], 43);
        int differs = 0;
        for (int i = 0; i < 5000; i++) {
            const edgeops_sample *x = next_of(a), *y = next_of(b), *z = next_of(other);
            cr_assert_eq(x->time, y->time);
            for (size_t j = 0; j < x->count; j++) {
                cr_assert_eq(memcmp(&x->values[j].as.f64, &y->values[j].as.f64, sizeof(double)), 0);
                differs += x->values[j].as.f64 != z->values[j].as.f64;
            }
            const edgeops_virtual_label *p, *q;
            edgeops_status status;
            do {
                status = edgeops_virtual_next_label(&p, a);
                cr_assert_eq(edgeops_virtual_next_label(&q, b), status);
                if (status == EDGEOPS_OK) {
                    cr_assert(p->given == q->given && p->start == q->start && p->end == q->end);
                    cr_assert_str_eq(p->label, q->label);
                }
            } while (status == EDGEOPS_OK);
        }
        cr_assert_gt(differs, 1000);
        edgeops_virtual_close(a);
        edgeops_virtual_close(b);
        edgeops_virtual_close(other);
    }
}

Test(bench_virtual, times_names_and_units_follow_the_options) {
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    options.start = INT64_C(1700000000123456789);
    options.rate_hz = 3;
    options.asset = "line-2/spi";
    edgeops_virtual *asset = NULL;
    cr_assert_eq(edgeops_virtual_open(&asset, "pcb", &options), EDGEOPS_OK);
    for (int64_t i = 0; i < 10; i++) {
        const edgeops_sample *sample = next_of(asset);
        cr_assert_str_eq(sample->asset, "line-2/spi");
        cr_assert_eq(sample->count, 16u);
        cr_assert_leq(llabs(sample->time - options.start - i * EDGEOPS_SECOND / 3), 1);
    }
    cr_assert_str_eq(edgeops_virtual_unit(asset, "height_um"), "um");
    cr_assert_str_eq(edgeops_virtual_unit(asset, "nothing"), "");
    edgeops_virtual_close(asset);
}

Test(bench_virtual, the_end_of_time_is_an_error) {
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    options.start = INT64_MAX - EDGEOPS_SECOND;
    edgeops_virtual *asset = NULL;
    cr_assert_eq(edgeops_virtual_open(&asset, "imu", &options), EDGEOPS_OK);
    const edgeops_sample *sample;
    edgeops_status status = EDGEOPS_OK;
    for (int i = 0; i < 60 && status == EDGEOPS_OK; i++) {
        status = edgeops_virtual_next(&sample, asset);
    }
    cr_assert_eq(status, EDGEOPS_E_LIMIT);
    edgeops_virtual_close(asset);
}

Test(bench_virtual, pcb_values_are_physical_and_consistent) {
    edgeops_virtual *asset = opened("pcb", 7);
    double temperature = 0;
    enum { N = 48 * 450 }; /* over a change of product */
    for (int i = 0; i < N; i++) {
        const edgeops_sample *s = next_of(asset);
        for (size_t j = 0; j < s->count; j++) {
            cr_assert_eq(s->values[j].type, EDGEOPS_TYPE_FLOAT64);
            cr_assert(isfinite(s->values[j].as.f64));
        }
        double aperture_um2 = value(s, "size_x_mm") * value(s, "size_y_mm") * 1e6;
        double area = value(s, "area_um2") / aperture_um2 * 100;
        cr_assert_float_eq(area, value(s, "area_pct"), 0.02);
        double stencil = value(s, "volume_um3") / aperture_um2 / value(s, "volume_pct") * 100;
        cr_assert(value(s, "volume_pct") < 5 || fabs(stencil - 100) < 1 ||
                      fabs(stencil - 130) < 1 || fabs(stencil - 150) < 1,
                  "%g", stencil);
        cr_assert(value(s, "height_um") >= 0 && value(s, "height_um") < 400);
        cr_assert(value(s, "pos_x_mm") >= 0 && value(s, "pos_x_mm") <= 160);
        cr_assert(value(s, "pos_y_mm") >= 0 && value(s, "pos_y_mm") <= 100);
        cr_assert(value(s, "humidity_pct") > 10 && value(s, "humidity_pct") < 90);
        cr_assert(value(s, "squeegee_force_n") > 40 && value(s, "squeegee_force_n") < 80);
        cr_assert(value(s, "print_speed_mm_s") > 45 && value(s, "print_speed_mm_s") < 55);
        temperature += value(s, "paste_temp_c") / N;
    }
    cr_assert(temperature > 21 && temperature < 27, "%g", temperature);
    edgeops_virtual_close(asset);
}

Test(bench_virtual, pcb_classes_and_late_labels_are_as_documented) {
    static const char *const names[] = {"ok", "error", "pseudo-error"};
    double classes[3] = {0}, total = 0, late = 0, delay = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        edgeops_virtual *asset = opened("pcb", seed);
        edgeops_time previous = 0;
        for (int i = 0; i < 40000; i++) {
            edgeops_time now = next_of(asset)->time;
            const edgeops_virtual_label *label;
            while (edgeops_virtual_next_label(&label, asset) == EDGEOPS_OK) {
                cr_assert_leq(label->given, now);
                cr_assert_geq(label->given, previous, "labels come in the order they are given");
                previous = label->given;
                cr_assert_eq(label->start, label->end);
                edgeops_time behind = label->given - label->start;
                cr_assert(behind >= 20 * EDGEOPS_SECOND && behind <= 3620 * EDGEOPS_SECOND);
                late += behind > 21 * EDGEOPS_SECOND;
                delay += (double)behind / 1e9;
                for (size_t c = 0; c < 3; c++) {
                    classes[c] += strcmp(label->label, names[c]) == 0;
                }
                total++;
            }
        }
        edgeops_virtual_close(asset);
    }
    cr_assert_gt(total, 0.9 * 6 * 40000);
    cr_assert_eq(classes[0] + classes[1] + classes[2], total);
    cr_assert(classes[0] / total > 0.65 && classes[0] / total < 0.92, "%g", classes[0] / total);
    cr_assert(classes[1] / total > 0.015 && classes[1] / total < 0.09, "%g", classes[1] / total);
    cr_assert(classes[2] / total > 0.05 && classes[2] / total < 0.3, "%g", classes[2] / total);
    cr_assert(late / total > 0.2 && late / total < 0.32, "%g", late / total);
    cr_assert(delay / total > 100 && delay / total < 220, "%g", delay / total);
}

Test(bench_virtual, a_consumer_that_takes_no_labels_costs_bounded_memory) {
    edgeops_virtual *asset = opened("pcb", 3);
    for (int i = 0; i < (1 << 20) + 1000; i++) {
        (void)next_of(asset);
    }
    size_t labels = 0;
    const edgeops_virtual_label *label;
    while (edgeops_virtual_next_label(&label, asset) == EDGEOPS_OK) {
        labels++;
    }
    cr_assert(labels <= 1 << 20 && labels > 1000000, "%zu", labels);
    edgeops_virtual_close(asset);
}

Test(bench_virtual, imu_shows_gravity_at_rest_and_keeps_its_range) {
    edgeops_virtual *asset = opened("imu", 11);
    double length = 0, turn[6] = {0};
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        const edgeops_sample *s = next_of(asset);
        cr_assert_eq(s->count, 12u);
        double x = value(s, "l_acc_x"), y = value(s, "l_acc_y"), z = value(s, "l_acc_z");
        length += sqrt(x * x + y * y + z * z) / N;
        for (size_t j = 0; j < 12; j++) {
            double v = fabs(s->values[j].as.f64);
            cr_assert(j % 6 < 3 ? v <= 156.91 : v <= 34.91);
        }
        for (size_t j = 0; j < 3; j++) {
            turn[j] += s->values[3 + j].as.f64 / N;
            turn[3 + j] += s->values[9 + j].as.f64 / N;
        }
    }
    cr_assert(length > 9 && length < 12, "%g", length);
    for (size_t j = 0; j < 6; j++) {
        cr_assert_lt(fabs(turn[j]), 0.3, "a hand does not turn round and round: %g", turn[j]);
    }
    edgeops_virtual_close(asset);
}

Test(bench_virtual, imu_labels_are_intervals_that_do_not_overlap) {
    static const char *const names[] = {"hammering", "screwing", "sawing", "idle"};
    double seconds[4] = {0}, all = 0;
    edgeops_virtual *asset = opened("imu", 5);
    edgeops_time end = 0;
    for (int i = 0; i < 50 * 3600; i++) {
        edgeops_time now = next_of(asset)->time;
        const edgeops_virtual_label *label;
        while (edgeops_virtual_next_label(&label, asset) == EDGEOPS_OK) {
            cr_assert_leq(label->given, now);
            cr_assert_eq(label->given, label->end + 5 * EDGEOPS_SECOND);
            cr_assert_geq(label->start, end);
            cr_assert_geq(label->end - label->start, 6 * EDGEOPS_SECOND - 1);
            end = label->end;
            for (size_t c = 0; c < 4; c++) {
                double s = (double)(label->end - label->start) / 1e9;
                seconds[c] += strcmp(label->label, names[c]) == 0 ? s : 0;
            }
        }
    }
    for (size_t c = 0; c < 4; c++) {
        cr_assert(seconds[c] > 500 && seconds[c] < 1300, "%s: %g s", names[c], seconds[c]);
        all += seconds[c];
    }
    cr_assert_gt(all, 0.88 * 3600);
    edgeops_virtual_close(asset);
}

Test(bench_virtual, random_numbers_have_their_moments) {
    eop_random r, same, other;
    eop_random_init(&r, 9, 1);
    eop_random_init(&same, 9, 1);
    eop_random_init(&other, 9, 2);
    cr_assert_eq(eop_random_next(&r), eop_random_next(&same));
    cr_assert_neq(eop_random_next(&r), eop_random_next(&other));
    double sum = 0, squares = 0, unit = 0, wait = 0;
    int counts[7] = {0};
    enum { N = 200000 };
    for (int i = 0; i < N; i++) {
        double x = eop_random_normal(&r, 2, 3);
        sum += x;
        squares += (x - 2) * (x - 2);
        double u = eop_random_unit(&r);
        cr_assert(u >= 0 && u < 1);
        unit += u;
        wait += eop_random_exponential(&r, 5);
        counts[eop_random_below(&r, 7)]++;
    }
    cr_assert_float_eq(sum / N, 2, 0.03);
    cr_assert_float_eq(sqrt(squares / N), 3, 0.03);
    cr_assert_float_eq(unit / N, 0.5, 0.005);
    cr_assert_float_eq(wait / N, 5, 0.06);
    for (int i = 0; i < 7; i++) {
        cr_assert_float_eq(counts[i], N / 7.0, N * 0.01);
    }
}
