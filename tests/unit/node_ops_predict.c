/* SPDX-License-Identifier: Apache-2.0 */
/* Batch prediction: who holds the rows when one of its threads ends before the others. */
#include "node_fixture.h"

#define ROWS  30000u
#define TURNS 15

/* One block of many windows: it takes the loop longer than the first write takes to fail. */
static void import_series(void) {
    eop_buf csv = {0};
    eop_buf_puts(&csv, "time,a,b\n");
    for (unsigned i = 0; i < ROWS; i++) {
        eop_buf_printf(&csv, "%lld,%u,%u\n", (long long)(T0 + i * EDGEOPS_MILLISECOND), 100 + i, i);
    }
    char *text = eop_buf_take(&csv);
    eop_json_free(
        bulk(fixture_node, "data.import", "{\"asset\":\"m/1\",\"time_unit\":\"ns\"}", text, NULL));
    eop_free(text);
}

static void enter(void) {
    fixture_enter();
    make_model(1);
    import_series();
}

TestSuite(node_ops_predict, .init = enter, .fini = fixture_leave, .timeout = 110);

static void predict_into_full(const char *args, const char *csv) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = csv != NULL ? file_of(csv) : -1;
    options.output = open("/dev/full", O_WRONLY | O_CLOEXEC);
    cr_assert(ge(int, options.output, 0));
    eop_json *result = call_with(fixture_node, &status, "predict", args, &options);
    cr_expect(eq(ptr, result, NULL));
    cr_expect(eq(int, status, EDGEOPS_E_LIMIT), "%s", edgeops_error_last()->message);
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "output"), NULL), "%s",
              edgeops_error_last()->message);
    eop_json_free(result);
    close(options.output);
    if (options.input >= 0) {
        close(options.input);
    }
}

Test(node_ops_predict, rows_stay_while_the_loop_reads_them_though_the_output_failed) {
    char *csv = csv_rows(9000);
    must_do("dataset.create", "{\"name\":\"d2\",\"assets\":[\"m/1\"]}");
    for (int i = 0; i < TURNS; i++) {
        predict_into_full("{\"model\":\"m1\",\"asset\":\"m/1\"}", NULL);
    }
    for (int i = 0; i < 3; i++) {
        predict_into_full("{\"model\":\"m1\",\"dataset\":\"d2\"}", NULL);
        predict_into_full("{\"model\":\"m1\",\"label_column\":\"class\"}", csv);
    }
    eop_free(csv);
}

typedef struct outcome {
    bool done;
} outcome;

static void on_done(edgeops_status status, const char *result, const char *message,
                    void *user_data) {
    (void)result;
    outcome *o = user_data;
    cr_expect(status == EDGEOPS_E_CANCELED || status == EDGEOPS_OK, "%s",
              message != NULL ? message : "");
    o->done = true;
    edgeops_ctx_stop(fixture_ctx);
}

static void on_event(const char *event_json, void *user_data) {
    (void)event_json;
    (void)user_data;
    edgeops_ctx_stop(fixture_ctx);
}

Test(node_ops_predict, a_cancel_may_come_while_the_loop_reads_rows) {
    for (int turn = 0; turn < TURNS; turn++) {
        outcome o = {0};
        edgeops_call *call = NULL;
        edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
        options.output = memfd_create("output", MFD_CLOEXEC);
        options.on_event = on_event;
        options.user_data = &o;
        cr_assert(eq(int,
                     edgeops_node_call_start(&call, fixture_node, "predict",
                                             "{\"model\":\"m1\",\"asset\":\"m/1\"}", &options,
                                             on_done, &o),
                     EDGEOPS_OK));
        /* Until the first news of how far it is. */
        (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_FOREVER);
        if (!o.done) {
            edgeops_call_cancel(call);
        }
        while (!o.done) {
            (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_FOREVER);
        }
        close(options.output);
    }
}

Test(node_ops_predict, all_rows_are_answered_in_their_order) {
    char *out = NULL;
    eop_json *r = bulk(fixture_node, "predict",
                       "{\"model\":\"m1\",\"asset\":\"m/1\",\"start\":\"2026-01-01T00:00:01Z\","
                       "\"end\":\"2026-01-01T00:00:20Z\"}",
                       NULL, &out);
    cr_expect(eq(i64, eop_json_integer(r, "windows", 0), 19000));
    const char *second = strchr(out, '\n') + 1;
    cr_expect(eq(int, strncmp(second, "2026-01-01T00:00:01Z,", 21), 0));
    eop_json_free(r);
    eop_free(out);
}
