/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a verify that checks datasets: reads each again and compares its digest with the
 * frozen one. A dataset that cannot be read, or has another digest, is a finding. */
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "dataset/dataset.h"
#include "store/inner.h"

typedef struct name_list {
    char **items;
    size_t count;
    size_t capacity;
} name_list;

static edgeops_status note_name(const char *name, const char *json, void *user_data) {
    name_list *list = user_data;
    (void)json;
    char *copy = eop_strdup(name);
    if (copy == NULL ||
        !eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        eop_free(copy);
        return eop_fail_nomem("store");
    }
    list->items[list->count++] = copy;
    return EDGEOPS_OK;
}

/* Reports the last error as a finding about `what`. */
static void report_finding(const eop_verify_handler *handler, const char *what, const char *hint) {
    char detail[512];
    snprintf(detail, sizeof detail, "%s", edgeops_error_last()->message);
    handler->finding(&(eop_finding){.what = what, .detail = detail, .hint = hint},
                     handler->user_data);
}

static edgeops_status check_dataset(edgeops_store *store, const char *name,
                                    const eop_verify_handler *handler) {
    /* What is in the files of blobs is read once, for all datasets. */
    edgeops_status status = eop_dataset_verify(store, name, EOP_VERIFY_FILES, NULL, NULL);
    if (eop_sql_unreadable(status)) {
        char *what = eop_format("dataset %s", name);
        report_finding(
            handler, what != NULL ? what : "dataset",
            "what was trained on it cannot be made again: restore a backup, or freeze it anew");
        eop_free(what);
        status = EDGEOPS_OK;
    }
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status; /* removed meanwhile */
}

edgeops_status eop_datasets_check(eop_verified *sum, edgeops_store *store,
                                  const eop_verify_handler *handler) {
    name_list list = {0};
    edgeops_status status = eop_dataset_list(store, note_name, &list);
    if (eop_sql_unreadable(status)) {
        report_finding(handler, "catalog.db", EOP_HINT_FILE);
        status = EDGEOPS_OK;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = handler->progress((double)i / (double)list.count, handler->user_data);
        if (status == EDGEOPS_OK) {
            status = check_dataset(store, list.items[i], handler);
            sum->datasets++;
        }
    }
    for (size_t i = 0; i < list.count; i++) {
        eop_free(list.items[i]);
    }
    eop_free(list.items);
    return status;
}
