/* SPDX-License-Identifier: Apache-2.0 */
/* Round trip of one window through a prediction lane: lane STORE MODEL_DIR RUN_DIR COUNT
 * Prints the median and the 99th percentile in microseconds of COUNT windows sent one after the
 * other. */
#include <edgeops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHANNELS 64

struct bench {
    edgeops_ctx *ctx;
    edgeops_lane *lane;
    edgeops_table table;
    uint64_t rows;
    size_t count;
    size_t done;
    double *us;
    int failed;
};

static void next(struct bench *b) {
    if (edgeops_lane_submit(b->lane, b->done, &b->table, 0, b->rows) != EDGEOPS_OK) {
        fprintf(stderr, "lane: %s\n", edgeops_error_last()->message);
        b->failed = 1;
        edgeops_ctx_stop(b->ctx);
    }
}

static void answered(const edgeops_prediction *p, void *user_data) {
    struct bench *b = user_data;
    if (p->status < 0) {
        fprintf(stderr, "lane: %s\n", p->message);
        b->failed = 1;
    }
    b->us[b->done++] = (double)p->duration / 1000.0;
    if (b->failed || b->done == b->count) {
        edgeops_ctx_stop(b->ctx);
    } else {
        next(b);
    }
}

static void state(edgeops_status status, const char *message, void *user_data) {
    struct bench *b = user_data;
    if (status == EDGEOPS_OK) {
        next(b);
    } else {
        fprintf(stderr, "lane: %s\n", message);
        b->failed = 1;
        edgeops_ctx_stop(b->ctx);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A window of slowly changing values: what they are does not matter for the time. */
static void fill(struct bench *b, const edgeops_manifest *manifest, edgeops_column *columns) {
    b->rows = manifest->window.rows;
    edgeops_time *times = calloc(b->rows, sizeof *times);
    int64_t *seqs = calloc(b->rows, sizeof *seqs);
    for (uint64_t i = 0; i < b->rows; i++) {
        times[i] = (edgeops_time)i * 20 * EDGEOPS_MILLISECOND;
    }
    for (size_t c = 0; c < manifest->input_count; c++) {
        double *values = calloc(b->rows, sizeof *values);
        for (uint64_t i = 0; i < b->rows; i++) {
            values[i] = (double)((i * 7 + c * 3) % 11) - 5.0;
        }
        columns[c] = (edgeops_column){.name = manifest->inputs[c].name,
                                      .unit = "",
                                      .type = EDGEOPS_TYPE_FLOAT64,
                                      .f64 = values};
    }
    b->table = (edgeops_table){.asset = "bench",
                               .rows = b->rows,
                               .times = times,
                               .seqs = seqs,
                               .column_count = manifest->input_count,
                               .columns = columns};
}

int main(int argc, char **argv) {
    struct bench b = {0};
    edgeops_column columns[MAX_CHANNELS];
    edgeops_model *model = NULL;
    edgeops_runtime *runtime = NULL;
    if (argc != 5) {
        fprintf(stderr, "usage: lane STORE MODEL_DIR RUN_DIR COUNT\n");
        return 2;
    }
    b.count = strtoul(argv[4], NULL, 10);
    b.us = calloc(b.count, sizeof *b.us);
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    if (edgeops_ctx_new(&b.ctx, NULL) != EDGEOPS_OK ||
        edgeops_model_open(&model, argv[2], argv[1]) != EDGEOPS_OK ||
        edgeops_runtime_new(&runtime, b.ctx, NULL) != EDGEOPS_OK) {
        fprintf(stderr, "lane: %s\n", edgeops_error_last()->message);
        return 1;
    }
    fill(&b, edgeops_model_info_of(model)->manifest, columns);
    options.run_dir = argv[3];
    options.on_prediction = answered;
    options.on_state = state;
    options.user_data = &b;
    if (edgeops_lane_open(&b.lane, runtime, model, &options) != EDGEOPS_OK ||
        edgeops_ctx_run(b.ctx, 120 * EDGEOPS_SECOND) != EDGEOPS_OK) {
        fprintf(stderr, "lane: %s\n", edgeops_error_last()->message);
        b.failed = 1;
    }
    if (!b.failed) {
        qsort(b.us, b.count, sizeof *b.us, ascending);
        printf("%.2f %.2f\n", b.us[b.count / 2], b.us[b.count * 99 / 100]);
    }
    edgeops_lane_close(b.lane);
    edgeops_runtime_free(runtime);
    edgeops_model_close(model);
    edgeops_ctx_free(b.ctx);
    return b.failed;
}
