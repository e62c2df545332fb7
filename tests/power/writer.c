/* SPDX-License-Identifier: Apache-2.0 */
/* Three threads append, each to an asset of its own, and a fourth one labels, freezes and removes
 * datasets. `lock` covers the promise that is written next: whoever was acknowledged something adds
 * it and writes it before going on, so promises on the disk never run behind by more than one. */
#include "writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "content.h"
#include "edgeops.h"
#include "promise.h"

enum { BATCH = 8, ROWS_MAX = 4000000, HELD_MAX = 60 };

typedef struct writer {
    const writer_options *options;
    edgeops_store *store;
    pthread_mutex_t lock;
    promise next;    /* under `lock` */
    promise *sector; /* under `lock`; aligned for the raw disk */
    int disk;
    uint8_t *there[CONTENT_ASSETS]; /* rows that were there at the beginning of this life */
    uint64_t held[HELD_MAX];        /* datasets of this life, for the fourth thread only */
    size_t held_count;
} writer;

typedef struct appender {
    writer *w;
    content_asset asset;
    uint64_t dice;
} appender;

static uint64_t roll(uint64_t *dice) {
    *dice ^= *dice >> 12;
    *dice ^= *dice << 25;
    *dice ^= *dice >> 27;
    return *dice * UINT64_C(2685821657736338717) >> 11;
}

static void must(edgeops_status status, const char *what) {
    if (status != EDGEOPS_OK) {
        writer_fail("%s: %s (%s)", what, edgeops_status_name(status),
                    edgeops_error_last()->message);
    }
}

static void sleep_ms(unsigned ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* -- promises -- */

static bool is_promise(const promise *p) {
    return p->magic == PROMISE_MAGIC &&
           p->crc == crc32(0, (const Bytef *)p, offsetof(promise, crc));
}

/* What the home was promised in the lives before this one. */
static void read_promises(writer *w) {
    size_t size = (size_t)PROMISE_SLOTS * PROMISE_BYTES;
    promise *all = aligned_alloc(PROMISE_BYTES, size); /* for the raw disk */
    if (all == NULL || pread(w->disk, all, size, (off_t)w->options->promises_at) != (ssize_t)size) {
        writer_fail("promises cannot be read");
    }
    for (size_t i = 0; i < PROMISE_SLOTS; i++) {
        if (is_promise(&all[i]) && all[i].number > w->next.number) {
            w->next = all[i];
        }
    }
    free(all);
}

/* Under `lock`. */
static void give_promise(writer *w) {
    struct timespec now;
    promise *p = &w->next;
    clock_gettime(CLOCK_MONOTONIC, &now);
    p->magic = PROMISE_MAGIC;
    p->number++;
    p->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    p->life = w->options->life;
    p->crc = (uint32_t)crc32(0, (const Bytef *)p, offsetof(promise, crc));
    memcpy(w->sector, p, sizeof *p);
    off_t at = (off_t)(w->options->promises_at + p->number % PROMISE_SLOTS * PROMISE_BYTES);
    if (pwrite(w->disk, w->sector, PROMISE_BYTES, at) != PROMISE_BYTES) {
        writer_fail("a promise cannot be written");
    }
    p->set = 0;
    p->set_state = PROMISE_NO_SET;
    p->set_rows = 0;
    memset(p->digest, 0, sizeof p->digest);
}

static void promise_rows(writer *w, content_asset asset, uint64_t rows) {
    pthread_mutex_lock(&w->lock);
    if (w->next.acknowledged[asset] < rows) {
        w->next.acknowledged[asset] = rows;
        give_promise(w);
    }
    pthread_mutex_unlock(&w->lock);
}

static void promise_set_is(writer *w, uint64_t set, promise_set state,
                           const edgeops_dataset *made) {
    pthread_mutex_lock(&w->lock);
    w->next.sets = set > w->next.sets ? set : w->next.sets;
    w->next.set = set;
    w->next.set_state = state;
    if (made != NULL) {
        w->next.set_rows = made->rows;
        memcpy(w->next.digest, made->digest, PROMISE_DIGEST);
    }
    give_promise(w);
    pthread_mutex_unlock(&w->lock);
}

/* -- rows -- */

/* Rows in two parts: the channel that only some have comes in an append of its own. */
static void append_samples(writer *w, content_asset asset, uint64_t first, size_t n) {
    static const char *const inner[] = {"n", "text"};
    char extra[BATCH][24];
    const char *names[BATCH];
    char text[BATCH][CONTENT_TEXT_MAX];
    edgeops_value values[BATCH][3];
    edgeops_sample samples[BATCH];
    edgeops_sample parts[BATCH];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t row = first + i;
        values[i][0] = (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)row};
        values[i][1] = (edgeops_value){
            .type = EDGEOPS_TYPE_STRING, .size = content_text(text[i], row), .as.str = text[i]};
        values[i][2] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = (double)row / 2};
        samples[i] = (edgeops_sample){.asset = content_names[asset],
                                      .time = content_time(asset, row),
                                      .count = 2,
                                      .channels = inner,
                                      .values = values[i]};
        if (content_extra(extra[i], row)) {
            names[i] = extra[i];
            parts[count] = samples[i];
            parts[count].count = 1;
            parts[count].channels = &names[i];
            parts[count++].values = &values[i][2];
        }
    }
    must(edgeops_store_append(NULL, w->store, samples, n, NULL), "append");
    must(edgeops_store_append(NULL, w->store, parts, count, NULL), "append parts");
}

static void append_table(writer *w, uint64_t first, size_t n) {
    edgeops_time times[BATCH];
    int64_t numbers[BATCH];
    int16_t waves[BATCH * CONTENT_WAVE];
    uint32_t offsets[BATCH + 1] = {0};
    char text[BATCH * CONTENT_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        times[i] = content_time(CONTENT_TABLE, first + i);
        numbers[i] = (int64_t)(first + i);
        offsets[i + 1] = offsets[i] + content_text(text + offsets[i], first + i);
        for (int k = 0; k < CONTENT_WAVE; k++) {
            waves[i * CONTENT_WAVE + (size_t)k] = content_wave(first + i, k);
        }
    }
    edgeops_column columns[3] = {
        {.name = "n", .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers},
        {.name = "text",
         .unit = "",
         .type = EDGEOPS_TYPE_STRING,
         .offsets = offsets,
         .bytes = text},
        {.name = "wave",
         .unit = "",
         .type = EDGEOPS_TYPE_INT16,
         .length = CONTENT_WAVE,
         .data = waves}};
    edgeops_table table = {.asset = content_names[CONTENT_TABLE],
                           .rows = n,
                           .times = times,
                           .column_count = 3,
                           .columns = columns};
    must(edgeops_store_append_tables(NULL, w->store, &table, 1, NULL), "append a table");
}

static void append_image(writer *w, uint64_t n) {
    static uint8_t image[CONTENT_IMAGE_MAX]; /* of one thread */
    static const char *const channels[] = {"n", "image"};
    edgeops_value values[2] = {
        {.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)n},
        {.type = EDGEOPS_TYPE_BLOB, .size = content_image(image, n), .as.data = image}};
    edgeops_sample sample = {.asset = content_names[CONTENT_CAMERA],
                             .time = content_time(CONTENT_CAMERA, n),
                             .count = 2,
                             .channels = channels,
                             .values = values};
    must(edgeops_store_append(NULL, w->store, &sample, 1, NULL), "append an image");
}

/* How many of the rows from `first` on may go in one append: none of them is there. */
static size_t run_of_missing(const uint8_t *there, uint64_t first, size_t most) {
    size_t n = 0;
    while (n < most && first + n < ROWS_MAX && there[first + n] == 0) {
        n++;
    }
    return n;
}

static void *append_for_ever(void *data) {
    appender *a = data;
    writer *w = a->w;
    uint64_t next = 1;
    for (;;) {
        size_t n = run_of_missing(w->there[a->asset], next, 1 + roll(&a->dice) % BATCH);
        if (next + BATCH >= ROWS_MAX) {
            writer_fail("the home is full");
        } else if (n == 0) {
            next++; /* it is there */
            continue;
        } else if (a->asset == CONTENT_CAMERA) {
            append_image(w, next);
            n = 1;
        } else if (a->asset == CONTENT_TABLE) {
            append_table(w, next, n);
        } else {
            append_samples(w, a->asset, next, n);
        }
        next += n;
        promise_rows(w, a->asset, next - 1);
        sleep_ms(a->asset == CONTENT_CAMERA ? 8 : 1);
    }
    return NULL;
}

/* -- what an operator does -- */

static void make_set(writer *w, uint64_t set) {
    char name[24];
    const char *asset = content_names[set % CONTENT_ASSETS];
    edgeops_dataset *made = NULL;
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    (void)snprintf(name, sizeof name, "s%llu", (unsigned long long)set);
    options.name = name;
    options.assets = &asset;
    options.asset_count = 1;
    promise_set_is(w, set, PROMISE_MAKING, NULL);
    edgeops_status status = edgeops_dataset_create(w->store, &options);
    if (status == EDGEOPS_E_NOTFOUND || status == EDGEOPS_E_INVALID) {
        return; /* no row yet */
    }
    must(status, "freeze");
    must(edgeops_dataset_head(&made, w->store, name), "read what is frozen");
    promise_set_is(w, set, PROMISE_MADE, made);
    edgeops_dataset_free(made);
    if (w->held_count < HELD_MAX) {
        w->held[w->held_count++] = set;
    }
}

static void remove_set(writer *w, uint64_t dice) {
    char name[24];
    if (w->held_count == 0) {
        return;
    }
    size_t i = dice % w->held_count;
    uint64_t set = w->held[i];
    w->held[i] = w->held[--w->held_count];
    (void)snprintf(name, sizeof name, "s%llu", (unsigned long long)set);
    promise_set_is(w, set, PROMISE_REMOVING, NULL);
    must(edgeops_dataset_remove(w->store, name), "remove a dataset");
    promise_set_is(w, set, PROMISE_REMOVED, NULL);
}

static void add_label(writer *w) {
    char text[24];
    uint64_t n = w->next.labels + 1; /* only this thread changes it */
    edgeops_time start = content_time(CONTENT_TABLE, n);
    (void)snprintf(text, sizeof text, "l%llu", (unsigned long long)n);
    edgeops_label label = {.asset = content_names[CONTENT_TABLE],
                           .start = start,
                           .end = start + EDGEOPS_SECOND,
                           .label = text};
    edgeops_status status = edgeops_label_add(NULL, w->store, &label, 1);
    if (status == EDGEOPS_E_NOTFOUND) {
        return; /* no row yet */
    }
    must(status, "label");
    pthread_mutex_lock(&w->lock);
    w->next.labels = n;
    give_promise(w);
    pthread_mutex_unlock(&w->lock);
}

/* The asset is removed, or gets a few rows. Removing waits for the disk, whatever the durability. */
static void come_or_go(writer *w) {
    static const char *const channels[] = {"n"};
    bool comes = w->next.gone != 0; /* only this thread changes it */
    pthread_mutex_lock(&w->lock);
    w->next.gone = 0;
    give_promise(w);
    pthread_mutex_unlock(&w->lock);
    for (int64_t i = 0; comes && i < 50; i++) {
        edgeops_value value = {.type = EDGEOPS_TYPE_INT64, .as.i64 = i};
        edgeops_sample sample = {.asset = CONTENT_GUEST,
                                 .time = content_time(CONTENT_ROWS, (uint64_t)i),
                                 .count = 1,
                                 .channels = channels,
                                 .values = &value};
        must(edgeops_store_append(NULL, w->store, &sample, 1, NULL), "append to a guest");
    }
    if (!comes) {
        edgeops_status status = edgeops_asset_remove(w->store, CONTENT_GUEST);
        must(status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status, "remove an asset");
        pthread_mutex_lock(&w->lock);
        w->next.gone = 1;
        give_promise(w);
        pthread_mutex_unlock(&w->lock);
    }
}

static void switch_to_power(writer *w) {
    writer_say("switching");
    must(edgeops_store_set_durability(w->store, EDGEOPS_DURABILITY_POWER), "switch");
    pthread_mutex_lock(&w->lock);
    w->next.flags |= PROMISE_DURABLE;
    give_promise(w);
    pthread_mutex_unlock(&w->lock);
}

_Noreturn static void act_for_ever(writer *w, uint64_t dice) {
    uint64_t switch_at = w->options->mode == WRITER_SWITCH ? 1 + roll(&dice) % 12 : 0;
    for (uint64_t i = 1;; i++) {
        if (i == switch_at) {
            switch_to_power(w);
        }
        switch (roll(&dice) % 7) {
        case 0:
            remove_set(w, roll(&dice));
            break;
        case 1:
        case 2:
            make_set(w, w->next.sets + 1); /* only this thread changes it */
            break;
        case 3:
            come_or_go(w);
            break;
        default:
            add_label(w);
        }
        sleep_ms((unsigned)(roll(&dice) % 500));
    }
}

/* -- the beginning of a life -- */

static bool has_image(writer *w, const edgeops_table *table, uint64_t row) {
    void *bytes = NULL;
    size_t size = 0;
    const edgeops_blob *blobs = table->columns[1].data;
    edgeops_status status = edgeops_blob_read(&bytes, &size, w->store, blobs[row].digest);
    edgeops_free(bytes);
    return status == EDGEOPS_OK;
}

/* Whether both parts of a row are there. */
static bool has_extra(const edgeops_table *table, uint64_t row, uint64_t n) {
    char name[24];
    bool there = !content_extra(name, n);
    for (size_t k = 0; !there && k < table->column_count; k++) {
        const edgeops_column *column = &table->columns[k];
        there =
            strcmp(column->name, name) == 0 && (column->valid == NULL || column->valid[row] != 0);
    }
    return there;
}

/* Notes the rows of an asset; gives the last one before the first that is missing. */
static uint64_t look_at(writer *w, content_asset asset) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    static const char *const channels[] = {"n", "image"};
    query.asset = content_names[asset];
    query.channels = asset == CONTENT_ROWS ? NULL : channels;
    query.channel_count = asset == CONTENT_ROWS ? 0 : asset == CONTENT_CAMERA ? 2 : 1;
    edgeops_status status = edgeops_store_read(&table, w->store, &query);
    if (status != EDGEOPS_E_NOTFOUND) {
        must(status, "read");
    }
    for (uint64_t i = 0; table != NULL && i < table->rows; i++) {
        const edgeops_column *numbers = &table->columns[0];
        bool begun = numbers->valid == NULL || numbers->valid[i] != 0;
        uint64_t n = begun ? (uint64_t)numbers->i64[i] : 0;
        if (n > 0 && n < ROWS_MAX && (asset != CONTENT_CAMERA || has_image(w, table, i)) &&
            (asset != CONTENT_ROWS || has_extra(table, i, n))) {
            w->there[asset][n] = 1;
        }
    }
    edgeops_table_free(table);
    uint64_t next = 1;
    while (w->there[asset][next] != 0) {
        next++;
    }
    return next - 1;
}

static edgeops_status count_label(const edgeops_label *label, void *data) {
    (void)label;
    ++*(uint64_t *)data;
    return EDGEOPS_OK;
}

static void begin(writer *w) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability =
        w->options->mode == WRITER_POWER ? EDGEOPS_DURABILITY_POWER : EDGEOPS_DURABILITY_PROCESS;
    writer_say("opening");
    must(edgeops_store_open(&w->store, w->options->home, &options), "open");
    for (int k = 0; k < CONTENT_ASSETS; k++) {
        w->next.acknowledged[k] = look_at(w, (content_asset)k);
    }
    w->next.labels = 0;
    must(edgeops_label_list(NULL, w->store, NULL, count_label, &w->next.labels), "labels");
    /* It was read from the disk of a machine that has just started. */
    pthread_mutex_lock(&w->lock);
    w->next.flags = PROMISE_DURABLE;
    give_promise(w);
    w->next.flags = w->options->mode == WRITER_POWER ? PROMISE_DURABLE : 0;
    pthread_mutex_unlock(&w->lock);
    writer_say("living %llu %llu %llu", (unsigned long long)w->next.acknowledged[0],
               (unsigned long long)w->next.acknowledged[1],
               (unsigned long long)w->next.acknowledged[2]);
}

_Noreturn void writer_live(const writer_options *options) {
    static writer w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static appender appenders[CONTENT_ASSETS];
    pthread_t threads[CONTENT_ASSETS];
    uint64_t dice = options->seed * 2 + 1;
    w.options = options;
    w.disk = open(options->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
    w.sector = aligned_alloc(4096, 4096);
    for (int k = 0; k < CONTENT_ASSETS; k++) {
        w.there[k] = calloc(ROWS_MAX, 1);
        if (w.disk < 0 || w.sector == NULL || w.there[k] == NULL) {
            writer_fail("no memory or no disk");
        }
    }
    read_promises(&w);
    begin(&w);
    for (int k = 0; k < CONTENT_ASSETS; k++) {
        appenders[k] = (appender){&w, (content_asset)k, roll(&dice) | 1};
        if (pthread_create(&threads[k], NULL, append_for_ever, &appenders[k]) != 0) {
            writer_fail("no thread");
        }
    }
    act_for_ever(&w, roll(&dice) | 1);
}
