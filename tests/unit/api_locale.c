/* SPDX-License-Identifier: Apache-2.0 */
/* A German host: what it appends and imports comes out of every operation as in any other. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/comma.h"
#include "edgeops.h"

static char root[] = "/tmp/edgeops-german-XXXXXX";
static edgeops_ctx *ctx;
static edgeops_node *node;

static int forget(const char *name, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static void enter(void) {
    char home[64];
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    cr_assert_not_null(mkdtemp(root));
    if (!comma_enter(root, "de_DE")) {
        cr_skip_test("no localedef, or no source of de_DE");
    }
    (void)snprintf(home, sizeof home, "%s/home", root);
    options.mode = EDGEOPS_NODE_LOCAL;
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
    cr_assert_eq(edgeops_node_open(&node, ctx, home, &options), EDGEOPS_OK);
    edgeops_store *store = edgeops_node_store(node);
    const edgeops_channel_info single = {"x", "", EDGEOPS_TYPE_FLOAT32, 1};
    const char *names[2] = {"x", "y"};
    edgeops_value values[2] = {{EDGEOPS_TYPE_FLOAT32, 0, {.f32 = 1.75f}},
                               {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = 1234.5678}}};
    edgeops_sample sample = {"f", 1, 0, 2, names, values, NULL};
    cr_assert_eq(edgeops_store_declare(store, "f", &single), EDGEOPS_OK);
    cr_assert_eq(edgeops_store_append(NULL, store, &sample, 1, NULL), EDGEOPS_OK);
}

static void leave(void) {
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    (void)nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(api_locale, .init = enter, .fini = leave);

static void shows(const char *operation, const char *args) {
    char *result = NULL;
    cr_assert_eq(edgeops_node_call(&result, node, operation, args, NULL), EDGEOPS_OK, "%s: %s",
                 operation, edgeops_error_last()->message);
    cr_assert_not_null(strstr(result, "1.75"), "%s: %s", operation, result);
    cr_assert_not_null(strstr(result, "1234.5678"), "%s: %s", operation, result);
    edgeops_free(result);
}

Test(api_locale, operations_show_fractions) {
    shows("data.head", "{\"asset\":\"f\"}");
    shows("data.stats", "{\"asset\":\"f\"}");
    shows("data.aggregate", "{\"asset\":\"f\"}");
}

Test(api_locale, files_are_written_and_read_with_a_point) {
    char path[64];
    char text[512] = "";
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    (void)snprintf(path, sizeof path, "%s/data", root);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    options.output = fd;
    cr_assert_eq(edgeops_node_call(NULL, node, "data.export", "{\"asset\":\"f\"}", &options),
                 EDGEOPS_OK, "%s", edgeops_error_last()->message);
    cr_assert_gt(pread(fd, text, sizeof text - 1, 0), 0);
    cr_assert_not_null(strstr(text, "1.75,1234.5678"), "%s", text);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    options.output = -1;
    options.input = fd;
    cr_assert_eq(edgeops_node_call(NULL, node, "data.import",
                                   "{\"asset\":\"g\",\"format\":\"csv\"}", &options),
                 EDGEOPS_OK, "%s", edgeops_error_last()->message);
    close(fd);
    shows("data.head", "{\"asset\":\"g\"}");
}
