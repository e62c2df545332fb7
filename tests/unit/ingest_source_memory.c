/* SPDX-License-Identifier: Apache-2.0 */
/* What a source remembers over restarts: a process that dies is one that never frees. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ingest/source_memory.h"

static char folder[64];
static char path[96];

static void setup(void) {
    strcpy(folder, "/tmp/edgeops-memory-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/press", folder);
}

static void teardown(void) {
    cr_assert_eq(eop_remove_tree(folder), EDGEOPS_OK);
}

TestSuite(ingest_source_memory, .init = setup, .fini = teardown, .timeout = 60);

static eop_source_memory *open_memory(const char *file) {
    eop_source_memory *memory = NULL;
    cr_assert_eq(eop_source_memory_new(&memory, file), EDGEOPS_OK);
    return memory;
}

/* Whether a message is known; when not, it is stored. */
static bool known(eop_source_memory *memory, const char *topic, const char *text) {
    eop_seen seen;
    bool same = eop_source_memory_look(memory, &seen, topic, text, strlen(text));
    if (!same) {
        eop_source_memory_note(memory, &seen, topic, text, strlen(text));
    }
    return same;
}

static void look(eop_source_memory *memory, const char *topic, const char *text) {
    eop_seen seen;
    cr_expect_not(eop_source_memory_look(memory, &seen, topic, text, strlen(text)));
}

/* Changes bytes of the file. */
static void patch(size_t at, const void *bytes, size_t size) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, bytes, size, (off_t)at), (ssize_t)size);
    close(fd);
}

static void last_of_each_topic_is_known(const char *file) {
    eop_source_memory *memory = open_memory(file);
    cr_expect_not(known(memory, "a", "1"));
    cr_expect_not(known(memory, "b", "1"));
    cr_expect(known(memory, "a", "1"));
    cr_expect(known(memory, "b", "1"));
    cr_expect_not(known(memory, "a", "2"));
    cr_expect_not(known(memory, "a", "1"), "not the last one any more");
    cr_expect(known(memory, "a", "1"));
    cr_expect_not(known(memory, "a", ""));
    cr_expect(known(memory, "a", ""));
    cr_expect_not(eop_source_memory_fresh(memory));
    eop_source_memory_free(memory);
}

Test(ingest_source_memory, knows_the_last_message_of_each_topic) {
    last_of_each_topic_is_known(NULL);
    cr_expect_not(eop_file_exists(path));
    last_of_each_topic_is_known(path);
}

Test(ingest_source_memory, remembers_after_a_close_and_after_a_death) {
    eop_source_memory *memory = open_memory(path);
    known(memory, "a", "1");
    eop_source_memory_free(memory);
    eop_source_memory *dies = open_memory(path);
    cr_expect(known(dies, "a", "1"));
    cr_expect_not(known(dies, "a", "2"));
    cr_expect_not(known(dies, "b", "3"));
    eop_source_memory *next = open_memory(path);
    cr_expect(known(next, "a", "2"));
    cr_expect(known(next, "b", "3"));
    eop_source_memory_free(next);
    eop_source_memory_free(dies);
}

Test(ingest_source_memory, death_between_store_and_note_takes_twice_never_not_at_all) {
    eop_source_memory *dies = open_memory(path);
    known(dies, "a", "1");
    look(dies, "a", "2"); /* is being stored now, or is not */
    eop_source_memory *next = open_memory(path);
    look(next, "a", "2");
    look(next, "a", "1"); /* the one of before is new again, too: another one came in between */
    eop_source_memory_free(next);
    eop_source_memory_free(dies);
}

Test(ingest_source_memory, forgets_what_a_power_cut_may_have_left_behind) {
    char other[40] = "another boot";
    eop_source_memory *memory = open_memory(path);
    known(memory, "a", "1");
    patch(8, other, sizeof(other)); /* not closed, and of an earlier boot */
    eop_source_memory *next = open_memory(path);
    look(next, "a", "1");
    eop_source_memory_free(next);
    eop_source_memory_free(memory);
    memory = open_memory(path);
    known(memory, "a", "1");
    eop_source_memory_free(memory);
    patch(8, other, sizeof(other)); /* closed before that boot ended */
    next = open_memory(path);
    cr_expect(known(next, "a", "1"));
    eop_source_memory_free(next);
}

Test(ingest_source_memory, grows_with_the_topics_and_stays_bounded) {
    char topic[32];
    struct stat info;
    eop_source_memory *memory = open_memory(path);
    for (unsigned i = 0; i < EOP_SOURCE_TOPICS_MAX + 100; i++) {
        snprintf(topic, sizeof(topic), "line/%u", i);
        cr_assert_not(known(memory, topic, "x"));
        cr_assert_eq(eop_source_memory_full(memory), i >= EOP_SOURCE_TOPICS_MAX, "%u", i);
    }
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_leq(info.st_size, (2 << 20) + 128);
    eop_source_memory_free(memory);
    memory = open_memory(path);
    for (unsigned i = 0; i < EOP_SOURCE_TOPICS_MAX + 100; i++) {
        snprintf(topic, sizeof(topic), "line/%u", i);
        cr_assert_eq(known(memory, topic, "x"), i < EOP_SOURCE_TOPICS_MAX, "%u", i);
    }
    cr_expect_not(known(memory, "line/7", "y"));
    cr_expect(known(memory, "line/7", "y"), "what is known goes on");
    eop_source_memory_free(memory);
}

Test(ingest_source_memory, is_fresh_until_it_has_begun) {
    cr_assert_eq(eop_source_memory_make(path), EDGEOPS_OK);
    eop_source_memory *memory = open_memory(path);
    cr_expect(eop_source_memory_fresh(memory));
    eop_source_memory_free(memory);
    eop_source_memory *dies = open_memory(path);
    cr_expect(eop_source_memory_fresh(dies));
    cr_expect_eq(eop_source_memory_begun(dies), EDGEOPS_OK);
    cr_expect_not(eop_source_memory_fresh(dies));
    memory = open_memory(path);
    cr_expect_not(eop_source_memory_fresh(memory));
    cr_expect_eq(eop_source_memory_begun(memory), EDGEOPS_OK);
    known(memory, "a", "1");
    eop_source_memory_free(memory);
    eop_source_memory_free(dies);
    cr_assert_eq(eop_source_memory_make(path), EDGEOPS_OK);
    memory = open_memory(path);
    cr_expect(eop_source_memory_fresh(memory), "another source of that name");
    look(memory, "a", "1");
    eop_source_memory_free(memory);
}

/* Each byte of the file: nothing crashes, and what is known is either right or unknown. */
Test(ingest_source_memory, takes_no_harm_from_a_damaged_file) {
    eop_source_memory *memory = open_memory(path);
    known(memory, "a", "1");
    known(memory, "b", "2");
    eop_source_memory_free(memory);
    char *bytes = NULL;
    size_t size = 0;
    cr_assert_eq(eop_file_read(&bytes, &size, path, 1 << 22), EDGEOPS_OK);
    for (size_t at = 0; at < size; at += at < 160 ? 1 : 97) {
        char flipped = (char)(bytes[at] ^ 0x55);
        cr_assert_eq(eop_file_write(path, bytes, size, 0600), EDGEOPS_OK);
        patch(at, &flipped, 1);
        memory = open_memory(path);
        look(memory, "a", "9");
        known(memory, "c", "3");
        cr_assert(known(memory, "c", "3"));
        eop_source_memory_free(memory);
    }
    for (size_t cut = 0; cut < size; cut += cut < 200 ? 7 : 1999) {
        cr_assert_eq(eop_file_write(path, bytes, cut, 0600), EDGEOPS_OK);
        memory = open_memory(path);
        cr_assert_not(known(memory, "a", "1"), "%zu", cut);
        cr_assert(known(memory, "a", "1"));
        eop_source_memory_free(memory);
    }
    free(bytes);
}

Test(ingest_source_memory, goes_on_in_memory_where_it_cannot_write) {
    snprintf(path, sizeof(path), "%s/no/such/folder", folder);
    last_of_each_topic_is_known(path);
    eop_source_memory *memory = open_memory(path);
    cr_expect_lt(eop_source_memory_make(path), 0);
    eop_source_memory_free(memory);
}
