/* SPDX-License-Identifier: Apache-2.0 */
/* What a node keeps in catalog.db: records, messages, checkpoints and dead letters. */
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/dead_letter.h"
#include "catalog/outbox.h"
#include "catalog/record.h"
#include "folder_fixture.h"

TestSuite(catalog_record, .init = make_home, .fini = remove_home);

static eop_catalog *open_catalog(void) {
    static eop_catalog catalog;
    char path[120];
    snprintf(path, sizeof path, "%s/catalog.db", folder);
    catalog = (eop_catalog){0};
    CHECK_OK(eop_catalog_open(&catalog, path, true, NULL));
    return &catalog;
}

static edgeops_status join(const char *name, const char *json, void *data) {
    sprintf((char *)data + strlen(data), "%s=%s ", name, json);
    return EDGEOPS_OK;
}

Test(catalog_record, records_are_put_listed_and_removed) {
    eop_catalog *catalog = open_catalog();
    char out[200] = "";
    char *json = NULL;
    int64_t number = 0;
    CHECK_OK(eop_record_put(catalog, "run", "b", "{}", true));
    CHECK_OK(eop_record_put(catalog, "run", "a", "{}", false));
    CHECK_OK(eop_record_put(catalog, "model", "a", "[]", true));
    CHECK_CODE(EDGEOPS_E_EXISTS, eop_record_put(catalog, "run", "b", "1", true));
    CHECK_OK(eop_record_put(catalog, "run", "b", "2", false));
    CHECK_OK(eop_record_list(catalog, "run", join, out));
    cr_assert_str_eq(out, "b=2 a={} ");
    CHECK_OK(eop_record_get(&json, catalog, "model", "a"));
    cr_assert_str_eq(json, "[]");
    eop_free(json);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_record_get(&json, catalog, "model", "b"));
    CHECK_OK(eop_record_remove(catalog, "run", "b"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_record_remove(catalog, "run", "b"));
    CHECK_OK(eop_record_number(&number, catalog, "run"));
    cr_assert_eq(number, 1);
    eop_catalog_close(catalog);
    catalog = open_catalog();
    CHECK_OK(eop_record_number(&number, catalog, "run"));
    cr_assert_eq(number, 2);
    CHECK_OK(eop_record_number(&number, catalog, "other"));
    cr_assert_eq(number, 1);
    eop_catalog_close(catalog);
}

static edgeops_status take_id(const eop_outbox_message *message, void *data) {
    sprintf((char *)data + strlen(data), "%d:%.*s ", (int)message->id, (int)message->size,
            (const char *)message->payload);
    return EDGEOPS_OK;
}

Test(catalog_record, outbox_and_checkpoint_go_together) {
    eop_catalog *catalog = open_catalog();
    char out[4000] = "";
    uint64_t ordinal = 0;
    eop_outbox_counts counts;
    char *state = NULL;
    eop_outbox_message messages[3] = {
        {.destination = "m", .topic = "t/1", .payload = "one", .size = 3, .qos = 1},
        {.destination = "n", .topic = "t/2", .payload = "two", .size = 3},
        {.destination = "m", .topic = "t/3", .payload = "", .size = 0, .retain = 1}};
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_checkpoint_get(&ordinal, &state, catalog, "d"));
    CHECK_OK(eop_outbox_commit(catalog, "d", 41, NULL, NULL, 0));
    CHECK_OK(eop_outbox_commit(catalog, "d", 42, "{\"n\":1}", messages, 3));
    cr_assert(messages[0].id < messages[1].id && messages[1].id < messages[2].id);
    eop_catalog_close(catalog);
    catalog = open_catalog();
    CHECK_OK(eop_checkpoint_get(&ordinal, &state, catalog, "d"));
    cr_assert_eq(ordinal, 42);
    cr_assert_str_eq(state, "{\"n\":1}");
    eop_free(state);
    eop_outbox_count(&counts, catalog, "m", "d");
    cr_assert_eq(counts.waiting, 2);
    CHECK_OK(eop_outbox_list(catalog, "m", "d", 0, 10, take_id, out));
    cr_assert_str_eq(out, "1:one 3: ");
    uint64_t ids[2] = {messages[0].id, 99};
    CHECK_OK(eop_outbox_done(catalog, ids, 2));
    CHECK_OK(eop_outbox_done(catalog, ids, 2));
    eop_outbox_count(&counts, catalog, "m", "d");
    cr_assert_eq(counts.waiting, 1);
    for (int i = 0; i < 600; i++) {
        messages[0].id = 0;
        CHECK_OK(eop_outbox_commit(catalog, "d", 43, NULL, messages, 1));
        cr_assert(messages[0].id > messages[2].id, "ids are not used twice");
    }
    out[0] = '\0';
    CHECK_OK(eop_outbox_list(catalog, "m", "d", messages[0].id - 300, 300, take_id, out));
    cr_assert(strlen(out) > 300 * 7);
    CHECK_OK(eop_checkpoint_remove(catalog, "d"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_checkpoint_get(&ordinal, NULL, catalog, "d"));
    eop_catalog_close(catalog);
}

static void expect_counts(eop_catalog *catalog, const char *deployment, uint64_t waiting,
                          uint64_t refused) {
    eop_outbox_counts counts;
    eop_outbox_count(&counts, catalog, "m", deployment);
    cr_assert_eq(counts.waiting, waiting, "%s: %d wait", deployment, (int)counts.waiting);
    cr_assert_eq(counts.refused, refused, "%s: %d aside", deployment, (int)counts.refused);
}

static void commit_some(eop_catalog *catalog, const char *deployment, uint64_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        eop_outbox_message message = {
            .destination = "m", .topic = deployment, .payload = deployment, .size = 1, .qos = 1};
        CHECK_OK(eop_outbox_commit(catalog, deployment, i, NULL, &message, 1));
        ids[i] = message.id;
    }
}

static void list_all(char *out, eop_catalog *catalog, const char *deployment) {
    out[0] = '\0';
    CHECK_OK(eop_outbox_list(catalog, "m", deployment, 0, 1000, take_id, out));
}

Test(catalog_record, messages_belong_to_their_deployment) {
    eop_catalog *catalog = open_catalog();
    uint64_t a[5];
    uint64_t b[3];
    uint64_t n = 0;
    char out[4000];
    char *reason = NULL;
    commit_some(catalog, "a", a, 5);
    commit_some(catalog, "b", b, 3);
    list_all(out, catalog, "b");
    cr_assert_str_eq(out, "6:b 7:b 8:b ");
    /* Set aside: kept with the reason, over a restart, and not listed. */
    CHECK_OK(eop_outbox_reason(&reason, catalog, "m", "a"));
    cr_assert_null(reason);
    CHECK_OK(eop_outbox_set_aside(catalog, a[1], "too large"));
    CHECK_OK(eop_outbox_set_aside(catalog, a[3], "larger"));
    CHECK_OK(eop_outbox_set_aside(catalog, a[3], "no more than once"));
    CHECK_OK(eop_outbox_set_aside(catalog, 99, "none such"));
    expect_counts(catalog, "a", 3, 2);
    eop_catalog_close(catalog);
    catalog = open_catalog();
    expect_counts(catalog, "a", 3, 2);
    expect_counts(catalog, "b", 3, 0);
    list_all(out, catalog, "a");
    cr_assert_str_eq(out, "1:a 3:a 5:a ");
    CHECK_OK(eop_outbox_reason(&reason, catalog, "m", "a"));
    cr_assert_str_eq(reason, "larger");
    eop_free(reason);
    /* It waits again in its old place. */
    CHECK_OK(eop_outbox_again(&n, catalog, "m", "a"));
    cr_assert_eq(n, 2);
    expect_counts(catalog, "a", 5, 0);
    list_all(out, catalog, "a");
    cr_assert_str_eq(out, "1:a 2:a 3:a 4:a 5:a ");
    CHECK_OK(eop_outbox_again(&n, catalog, "m", "a"));
    cr_assert_eq(n, 0);
    /* Done and dropped, each from where it counts. */
    CHECK_OK(eop_outbox_set_aside(catalog, a[0], "x"));
    CHECK_OK(eop_outbox_set_aside(catalog, a[1], "x"));
    CHECK_OK(eop_outbox_done(catalog, a, 1));
    expect_counts(catalog, "a", 3, 1);
    CHECK_OK(eop_outbox_drop(&n, catalog, "m", "a", false, 2));
    cr_assert_eq(n, 2);
    expect_counts(catalog, "a", 1, 1);
    list_all(out, catalog, "a");
    cr_assert_str_eq(out, "5:a ");
    CHECK_OK(eop_outbox_drop(&n, catalog, "m", "a", true, UINT64_MAX));
    cr_assert_eq(n, 1);
    expect_counts(catalog, "a", 1, 0);
    expect_counts(catalog, "b", 3, 0);
    char **names = NULL;
    size_t count = 0;
    CHECK_OK(eop_outbox_deployments(&names, &count, catalog, "m"));
    cr_assert_eq(count, 2);
    eop_outbox_free_names(names, count);
    CHECK_OK(eop_outbox_set_aside(catalog, b[0], "x"));
    CHECK_OK(eop_outbox_purge(catalog, "m"));
    expect_counts(catalog, "a", 0, 0);
    expect_counts(catalog, "b", 0, 0);
    CHECK_OK(eop_outbox_deployments(&names, &count, catalog, "m"));
    cr_assert_eq(count, 0);
    eop_outbox_free_names(names, count);
    eop_catalog_close(catalog);
}

typedef struct letters {
    size_t count;
    int64_t newest;
} letters;

static edgeops_status take_letter(const eop_dead_letter *letter, void *data) {
    letters *l = data;
    if (l->count++ == 0) {
        l->newest = letter->time;
        cr_assert_str_eq(letter->topic, "t");
        cr_assert_str_eq(letter->reason, "broken");
        cr_assert_eq(letter->payload_size, 512);
        cr_assert_eq(letter->message_size, 4000);
    }
    return EDGEOPS_OK;
}

Test(catalog_record, newest_thousand_dead_letters_are_kept) {
    eop_catalog *catalog = open_catalog();
    static char payload[4000];
    static eop_dead_letter list[700];
    letters l = {0};
    memset(payload, 'p', sizeof payload);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 700; i++) {
            list[i] = (eop_dead_letter){k * 700 + i, "t", "broken", payload, 4000, 4000};
        }
        CHECK_OK(eop_dead_letter_add(catalog, "s", list, 700));
    }
    CHECK_OK(eop_dead_letter_add(catalog, "other", list, 1));
    CHECK_OK(eop_dead_letter_list(catalog, "s", 5000, take_letter, &l));
    cr_assert_eq(l.count, 1000);
    cr_assert_eq(l.newest, 2099);
    CHECK_OK(eop_dead_letter_remove(catalog, "s"));
    l = (letters){0};
    CHECK_OK(eop_dead_letter_list(catalog, "s", 5000, take_letter, &l));
    cr_assert_eq(l.count, 0);
    CHECK_OK(eop_dead_letter_list(catalog, "other", 5000, take_letter, &l));
    cr_assert_eq(l.count, 1);
    eop_catalog_close(catalog);
}
