/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "catalog/policy.h"
#include "catalog/record.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store/inner.h"
#include "store/queue.h"
#include "store/retention.h"
#include "store/room.h"
#include "store/verify.h"

enum {
    ASSETS = 3,
    ROWS_MAX = 200000, /* of an asset */
    APPENDS = 250,     /* of an asset in a life */
    ACTS = 40,         /* of the operator in a life */
    SETS_MAX = 400,    /* datasets of a home */
    KINDS_OF_SET = 5,  /* dataset i is of one of so many assets */
    SET_OF_IMAGES = 3,
    TEXT_MAX = 1500,     /* bytes */
    OLD_LAG = 70,        /* rows of "old" until the third cell comes */
    CHANNEL_EVERY = 400, /* rows: then the asset gets one more channel */
    RESENT = 20,         /* rows that are sent again at the beginning of a life */
    IMAGES = 120,        /* rows with an image that are appended in a life */
    IMAGE_MAX = 6000,    /* bytes */
    MANY = 300           /* assets of LIFE_MANY */
};

/* A dataset: it is there from `made` to `removing`, it may be there from `making` to `removed`. */
typedef enum set_state { NEVER, MAKING, MADE, REMOVING, REMOVED } set_state;

typedef struct promised_set {
    _Atomic int state;
    char digest[65]; /* once it is MADE */
} promised_set;

/* Shared with the process that lives. */
typedef struct promises {
    _Atomic uint64_t acknowledged[ASSETS]; /* rows 1.. */
    _Atomic uint64_t images;               /* rows of "cam" */
    _Atomic uint64_t parts;                /* steps of "parts": see append_parts() */
    _Atomic uint64_t old;                  /* rows of the asset that retention drops */
    _Atomic uint64_t many;                 /* rows of each of many assets */
    _Atomic uint64_t labels;
    _Atomic uint64_t record;
    _Atomic uint64_t removals; /* of the asset "gone": odd while it is away for sure */
    _Atomic bool reached;
    char failure[256];
    _Atomic uint64_t sets;
    promised_set set[SETS_MAX];
} promises;

static life_kind kind;
static promises *promised;
static char folder[128];
static char home[160];
static uint8_t *there[ASSETS];               /* rows that were there after the last life */
static uint64_t acknowledged_before[ASSETS]; /* at its end */
static uint8_t *pictured; /* rows of "cam": what was there of their images after the last life */
static uint64_t images_before; /* acknowledged at its end */
static uint8_t *in_parts;      /* rows of "parts": those of their parts that were there then */
static uint64_t parts_before;
static const char *const assets[ASSETS] = {"a", "b", "table"};

static uint64_t roll(uint64_t *dice) {
    *dice ^= *dice >> 12;
    *dice ^= *dice << 25;
    *dice ^= *dice >> 27;
    return *dice * UINT64_C(2685821657736338717) >> 11;
}

/* Sanitizers make each call some times slower. */
#if defined(__SANITIZE_ADDRESS__)
enum { SLOWER = 4 };
#else
enum { SLOWER = 1 };
#endif

int life_rounds(int given) {
    const char *factor = getenv("EDGEOPS_TEST_ROUNDS");
    int times = factor != NULL ? atoi(factor) : 1;
    return given * (times > 0 ? times : 1) / SLOWER;
}

/* -- living; nothing of Criterion here -- */

static void must(edgeops_status status, const char *what) {
    if (status != EDGEOPS_OK) {
        snprintf(promised->failure, sizeof promised->failure, "%s: %s (%s)", what,
                 edgeops_status_name(status), edgeops_error_last()->message);
        _exit(3);
    }
}

typedef struct row {
    char names[1][16];
    const char *channels[3];
    edgeops_value values[3];
    edgeops_sample sample;
} row;

/* The asset that comes by table, and is never late: so its rows go in by column. */
static bool by_table(const char *asset) {
    return strcmp(asset, "table") == 0;
}

static edgeops_time time_of(const char *asset, uint64_t n) {
    return (int64_t)n * 100 - (n % 3 == 0 && !by_table(asset) ? 950 : 0);
}

static void make_row(row *r, int asset, uint64_t n) {
    static char filler[TEXT_MAX];
    memset(filler, 'x', sizeof filler);
    snprintf(r->names[0], sizeof r->names[0], "c%d", (int)(n / CHANNEL_EVERY));
    r->channels[0] = "n";
    r->channels[1] = "text";
    r->channels[2] = r->names[0];
    r->values[0] = (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)n};
    r->values[1] = (edgeops_value){
        .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)(n % TEXT_MAX), .as.str = filler};
    r->values[2] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = (double)n};
    r->sample = (edgeops_sample){.asset = assets[asset],
                                 .time = time_of(assets[asset], n),
                                 .count = n % 5 == 0 ? 3 : 2,
                                 .channels = r->channels,
                                 .values = r->values};
}

enum { BATCH = 8 };

/* The same rows as a table; they have one channel of those that come and go by, at most. */
static edgeops_status append_table(edgeops_store *store, const row *rows, size_t n) {
    edgeops_time times[BATCH];
    int64_t numbers[BATCH];
    double floats[BATCH];
    uint8_t valid[BATCH];
    uint32_t offsets[BATCH + 1] = {0};
    char text[BATCH * TEXT_MAX];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < n; i++) {
        const edgeops_sample *sample = &rows[i].sample;
        times[i] = sample->time;
        numbers[i] = sample->values[0].as.i64;
        offsets[i + 1] = offsets[i] + sample->values[1].size;
        floats[i] = (double)numbers[i];
        valid[i] = sample->count == 3;
    }
    edgeops_column columns[3] = {
        {.name = "n", .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers},
        {.name = "text",
         .unit = "",
         .type = EDGEOPS_TYPE_STRING,
         .offsets = offsets,
         .bytes = text},
        {.name = rows[0].names[0],
         .unit = "",
         .type = EDGEOPS_TYPE_FLOAT64,
         .f64 = floats,
         .valid = valid}};
    edgeops_table table = {.asset = rows[0].sample.asset,
                           .rows = n,
                           .times = times,
                           .column_count = 3,
                           .columns = columns};
    return edgeops_store_append_tables(NULL, store, &table, 1, NULL);
}

typedef struct life {
    edgeops_store *store;
    int asset;
    uint64_t seed;
} life;

static void *append_rows(void *data) {
    life *l = data;
    uint64_t dice = l->seed;
    _Atomic uint64_t *acknowledged = &promised->acknowledged[l->asset];
    uint64_t known = atomic_load(acknowledged);
    uint64_t next = known > RESENT ? known - RESENT : 1;
    for (int i = 0; i < APPENDS; i++) {
        row rows[BATCH];
        edgeops_sample samples[BATCH];
        size_t n = 1 + roll(&dice) % BATCH;
        if (n > CHANNEL_EVERY - next % CHANNEL_EVERY) {
            n = CHANNEL_EVERY - next % CHANNEL_EVERY;
        }
        for (size_t k = 0; k < n; k++) {
            make_row(&rows[k], l->asset, next + k);
            samples[k] = rows[k].sample;
        }
        must(by_table(assets[l->asset]) ? append_table(l->store, rows, n)
                                        : edgeops_store_append(NULL, l->store, samples, n, NULL),
             "append");
        next += n;
        if (next - 1 > known) {
            known = next - 1;
            atomic_store(acknowledged, known);
        }
    }
    return NULL;
}

/* Three rows in a row have the same image, some images are empty. */
static size_t make_image(char *image, uint64_t n) {
    uint64_t dice = (n + 2) / 3 * 977 + 1;
    size_t size = (size_t)(roll(&dice) % IMAGE_MAX);
    size = dice % 11 == 0 ? 0 : size;
    for (size_t i = 0; i < size; i++) {
        image[i] = (char)(roll(&dice) >> 7);
    }
    return size;
}

/* Each row has its image twice. */
static void *append_images(void *data) {
    static const char *const channels[3] = {"n", "image", "again"};
    edgeops_store *store = data;
    char images[BATCH][IMAGE_MAX];
    uint64_t known = atomic_load(&promised->images);
    uint64_t next = known > RESENT ? known - RESENT : 1;
    for (uint64_t dice = known + 1, end = next + IMAGES; next < end;) {
        edgeops_value values[BATCH][3];
        edgeops_sample samples[BATCH];
        size_t n = 1 + roll(&dice) % BATCH;
        for (size_t k = 0; k < n; k++) {
            edgeops_value image = {.type = EDGEOPS_TYPE_BLOB, .as.data = images[k]};
            image.size = (uint32_t)make_image(images[k], next + k);
            values[k][0] =
                (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)(next + k)};
            values[k][1] = values[k][2] = image;
            samples[k] = (edgeops_sample){.asset = "cam",
                                          .time = (int64_t)(next + k) * 100,
                                          .count = 3,
                                          .channels = channels,
                                          .values = values[k]};
        }
        must(edgeops_store_append(NULL, store, samples, n, NULL), "append images");
        next += n;
        if (next - 1 > known) {
            known = next - 1;
            atomic_store(&promised->images, known);
        }
    }
    return NULL;
}

/* Rows of "parts" come in three parts. A step brings the first part of a row, the second one of an
 * older row, which mostly is in the journal still, and the third one of a row that may be in a chunk
 * by then: step n brings part p of row n - lag[p]. */
enum { PARTS = 3, PART_CELLS = 2 };

static const struct part {
    uint64_t lag;
    size_t count;
    const char *channels[PART_CELLS];
} parts[PARTS] = {{0, 1, {"n"}}, {3, 1, {"m"}}, {400, 2, {"text", "half"}}};

static edgeops_sample make_part(edgeops_value values[PART_CELLS], int p, uint64_t n) {
    static char filler[TEXT_MAX];
    memset(filler, 'x', sizeof filler);
    values[0] = (edgeops_value){.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)n};
    if (p == 2) {
        values[0] = (edgeops_value){
            .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)(n % TEXT_MAX), .as.str = filler};
    }
    values[1] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = (double)n / 2};
    return (edgeops_sample){.asset = "parts",
                            .time = (int64_t)n * 100,
                            .count = parts[p].count,
                            .channels = parts[p].channels,
                            .values = values};
}

static void *append_parts(void *data) {
    edgeops_store *store = data;
    uint64_t known = atomic_load(&promised->parts);
    uint64_t next = known > RESENT ? known - RESENT : 1;
    uint64_t dice = known + 1;
    for (int i = 0; i < APPENDS; i++) {
        edgeops_value values[BATCH][PARTS][PART_CELLS];
        edgeops_sample samples[BATCH * PARTS];
        size_t count = 0;
        size_t n = 1 + roll(&dice) % BATCH;
        for (size_t k = 0; k < n; k++) {
            for (int p = 0; p < PARTS; p++) {
                if (next + k > parts[p].lag) {
                    samples[count++] = make_part(values[k][p], p, next + k - parts[p].lag);
                }
            }
        }
        must(edgeops_store_append(NULL, store, samples, count, NULL), "append parts");
        next += n;
        if (next - 1 > known) {
            known = next - 1;
            atomic_store(&promised->parts, known);
        }
    }
    return NULL;
}

static void make_set(edgeops_store *store, bool power) {
    uint64_t i = atomic_load(&promised->sets);
    promised_set *set = &promised->set[i];
    char name[24];
    static const char *const of[] = {"a", "b", "old", "cam", "parts"};
    edgeops_dataset *opened = NULL;
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    if (i == SETS_MAX) {
        return;
    }
    snprintf(name, sizeof name, "s%d", (int)i);
    options.name = name;
    options.assets = &of[i % KINDS_OF_SET];
    options.asset_count = 1;
    atomic_store(&set->state, MAKING);
    atomic_store(&promised->sets, i + 1);
    edgeops_status status = edgeops_dataset_create(store, &options);
    if (status == EDGEOPS_E_INVALID || status == EDGEOPS_E_NOTFOUND ||
        (status == EDGEOPS_E_CORRUPT && i % KINDS_OF_SET == SET_OF_IMAGES && !power)) {
        /* There are no rows yet, or retention dropped them, or with PROCESS a cut took them or
         * their images. */
        atomic_store(&set->state, REMOVED);
        return;
    }
    must(status, "dataset");
    must(edgeops_dataset_read(&opened, store, name), "open dataset");
    strcpy(set->digest, opened->digest);
    edgeops_dataset_free(opened);
    atomic_store(&set->state, MADE);
}

static void remove_set(edgeops_store *store, uint64_t any) {
    uint64_t count = atomic_load(&promised->sets);
    char name[24];
    if (count < 4) {
        return;
    }
    promised_set *set = &promised->set[any % count];
    if (atomic_load(&set->state) == MADE) {
        snprintf(name, sizeof name, "s%d", (int)(any % count));
        atomic_store(&set->state, REMOVING);
        must(edgeops_dataset_remove(store, name), "remove dataset");
        atomic_store(&set->state, REMOVED);
    }
}

/* An asset that comes and goes. */
static void come_or_go(edgeops_store *store) {
    row r;
    uint64_t n = atomic_load(&promised->removals);
    if (n % 2 == 1) {
        atomic_store(&promised->removals, n + 1);
        for (uint64_t i = 1; i <= 300; i++) {
            make_row(&r, 0, i);
            r.sample.asset = "gone";
            must(edgeops_store_append(NULL, store, &r.sample, 1, NULL), "append gone");
        }
    } else {
        edgeops_status status = edgeops_asset_remove(store, "gone");
        must(status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status, "remove gone");
        atomic_store(&promised->removals, n + 1);
    }
}

/* Rows that retention drops, unless a dataset holds them; the third cell comes later. */
static void grow_old(edgeops_store *store) {
    eop_policy policy = {.pattern = "old", .max_age = EDGEOPS_SECOND};
    eop_retained retained;
    uint64_t n = atomic_load(&promised->old);
    must(eop_policy_put(eop_store_catalog(store), &policy), "policy");
    for (int i = 0; i < 100; i++) {
        row r[2];
        make_row(&r[0], 0, ++n);
        make_row(&r[1], 0, n > OLD_LAG ? n - OLD_LAG : n);
        r[0].sample.count = 2;
        r[1].sample.channels += 2;
        r[1].sample.values += 2;
        r[1].sample.count -= 2;
        r[0].sample.asset = r[1].sample.asset = "old";
        edgeops_sample samples[2] = {r[0].sample, r[1].sample};
        must(edgeops_store_append(NULL, store, samples, r[1].sample.count > 0 ? 2 : 1, NULL),
             "append old");
        atomic_store(&promised->old, n);
    }
    must(eop_retention_run(&retained, store, EOP_RETENTION_DROP, NULL, NULL), "retention");
}

/* One call with a row of each. */
static void append_many(edgeops_store *store) {
    static const char *const channel = "n";
    char names[MANY][8];
    edgeops_sample samples[MANY];
    uint64_t n = atomic_load(&promised->many) + 1;
    edgeops_value value = {.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)n};
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "m%03d", i);
        samples[i] = (edgeops_sample){.asset = names[i],
                                      .time = (int64_t)n * 100,
                                      .count = 1,
                                      .channels = &channel,
                                      .values = &value};
    }
    must(edgeops_store_append(NULL, store, samples, MANY, NULL), "append many");
    atomic_store(&promised->many, n);
}

/* The numbers of one asset are whole numbers, then floats, and so on. */
static void change_type(edgeops_store *store) {
    edgeops_asset_info *info = NULL;
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    edgeops_status status = edgeops_asset_get(&info, store, "table");
    if (status == EDGEOPS_E_NOTFOUND || (status == EDGEOPS_OK && info->channel_count == 0)) {
        edgeops_free(info);
        return; /* there is no row yet */
    }
    must(status, "asset");
    options.asset = "table";
    options.channel = info->channels[0].name;
    options.type =
        info->channels[0].type == EDGEOPS_TYPE_INT64 ? EDGEOPS_TYPE_FLOAT64 : EDGEOPS_TYPE_INT64;
    status = edgeops_channel_retype(NULL, store, &options);
    must(status == EDGEOPS_E_LIMIT ? EDGEOPS_OK : status, "change a type");
    edgeops_free(info);
}

static void add_label(edgeops_store *store) {
    edgeops_label label = {.asset = assets[0], .end = 10, .label = "good"};
    edgeops_status status = edgeops_label_add(NULL, store, &label, 1);
    if (status != EDGEOPS_E_NOTFOUND) { /* no row yet, or a cut took the asset */
        must(status, "label");
        atomic_fetch_add(&promised->labels, 1);
    }
}

static void act(edgeops_store *store, uint64_t *dice) {
    char json[48];
    uint64_t n = 0;
    uint64_t what = roll(dice) % 10;
    what = kind == LIFE_RETAINING ? 5 : kind == LIFE_FLUSHING ? 0 : what;
    what = kind == LIFE_MANY ? 10 : what;
    switch (what) {
    case 0:
    case 1:
        must(eop_store_flush(store), "flush");
        break;
    case 2:
        add_label(store);
        break;
    case 3:
        n = atomic_load(&promised->record) + 1;
        snprintf(json, sizeof json, "{\"n\":%d}", (int)n);
        must(eop_record_put(eop_store_catalog(store), "run", "r", json, false), "record");
        atomic_store(&promised->record, n);
        break;
    case 4:
        come_or_go(store);
        break;
    case 5:
        grow_old(store);
        break;
    case 6:
        remove_set(store, roll(dice));
        break;
    case 9:
        change_type(store);
        break;
    case 10:
        append_many(store);
        break;
    default:
        make_set(store, edgeops_store_durability(store) == EDGEOPS_DURABILITY_POWER);
    }
}

static void live(edgeops_durability durability, const disk_plan *plan, uint64_t seed) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    pthread_t threads[ASSETS + 2];
    life lives[ASSETS];
    uint64_t dice = seed * 3 + 1;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability = durability;
    disk_watch(folder, plan->action == DISK_CUT);
    disk_set(plan);
    edgeops_store *store = NULL;
    must(edgeops_store_open(&store, home, &options), "open");
    for (int k = 0; k < ASSETS; k++) {
        lives[k] = (life){store, k, seed * 7 + (uint64_t)k + 1};
        if (pthread_create(&threads[k], NULL, append_rows, &lives[k]) != 0) {
            _exit(4);
        }
    }
    if (pthread_create(&threads[ASSETS], NULL, append_images, store) != 0 ||
        pthread_create(&threads[ASSETS + 1], NULL, append_parts, store) != 0) {
        _exit(4);
    }
    for (int i = 0; i < ACTS; i++) {
        act(store, &dice);
    }
    for (int k = 0; k < ASSETS + 2; k++) {
        pthread_join(threads[k], NULL);
    }
    atomic_store(&promised->reached, false);
    if (plan->action == DISK_CUT) {
        disk_cut(plan->seed);
    }
    kill(getpid(), SIGKILL);
}

/* -- looking at what is left -- */

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        edgeops_status check_status_ = (call);                                                     \
        cr_assert(check_status_ == EDGEOPS_OK, "%s: %s (%s)", #call,                               \
                  edgeops_status_name(check_status_), edgeops_error_last()->message);              \
    } while (0)

static void check_row(const edgeops_table *table, uint64_t i, uint8_t *seen) {
    const edgeops_column *number = &table->columns[0];
    uint64_t n =
        number->type == EDGEOPS_TYPE_INT64 ? (uint64_t)number->i64[i] : (uint64_t)number->f64[i];
    const edgeops_column *text = &table->columns[1];
    bool old = strcmp(table->asset, "old") == 0;
    if (old && number->valid != NULL && number->valid[i] == 0) {
        return; /* a cut took its first part */
    }
    cr_assert(n >= 1 && n < ROWS_MAX, "asset %s has a row %lld", table->asset, (long long)n);
    cr_assert_eq(seen[n], 0, "asset %s has row %d twice", table->asset, (int)n);
    seen[n] = 1;
    cr_assert_eq(table->times[i], time_of(table->asset, n), "row %d has another time", (int)n);
    cr_assert_eq(text->offsets[i + 1] - text->offsets[i], n % TEXT_MAX);
    for (size_t k = 2; k < table->column_count; k++) {
        const edgeops_column *column = &table->columns[k];
        bool valid = column->valid == NULL || column->valid[i] != 0;
        bool wanted = n % 5 == 0 && (uint64_t)atoi(column->name + 1) == n / CHANNEL_EVERY;
        cr_assert(valid == wanted || (wanted && old), "asset %s, row %d: channel %s", table->asset,
                  (int)n, column->name);
        cr_assert(!valid || column->f64[i] == (double)n);
    }
}

/* As many as are there. */
static void check_counts(edgeops_store *store, const edgeops_table *table) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_asset_info *info = NULL;
    uint64_t counted = 0;
    if (table == NULL) {
        return;
    }
    query.asset = table->asset;
    CHECK_OK(edgeops_store_count(&counted, store, &query));
    CHECK_OK(edgeops_asset_get(&info, store, table->asset));
    cr_assert(counted == table->rows && info->rows == table->rows,
              "asset %s has %d rows, %d are counted, %d are known of", table->asset,
              (int)table->rows, (int)counted, (int)info->rows);
    edgeops_free(info);
}

/* NULL: the asset is not there. */
static edgeops_table *read_all(edgeops_store *store, const char *asset) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = asset;
    edgeops_status status = edgeops_store_read(&table, store, &query);
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND, "%s",
              edgeops_error_last()->message);
    return table;
}

/* The rows of an asset that are there; each is what was sent, and none is there twice. */
static uint8_t *read_rows(edgeops_store *store, const char *asset) {
    edgeops_table *table = read_all(store, asset);
    uint8_t *seen = calloc(ROWS_MAX, 1);
    for (uint64_t i = 0; table != NULL && i < table->rows; i++) {
        check_row(table, i, seen);
        cr_assert(i == 0 || table->times[i - 1] < table->times[i]);
    }
    check_counts(store, table);
    edgeops_table_free(table);
    return seen;
}

static void check_rows(edgeops_store *store, int asset, bool all) {
    uint8_t *seen = read_rows(store, assets[asset]);
    uint64_t acknowledged = atomic_load(&promised->acknowledged[asset]);
    for (uint64_t n = 1; all && n <= acknowledged; n++) {
        bool wanted = n > acknowledged_before[asset] || there[asset][n] != 0;
        cr_assert(seen[n] || !wanted, "asset %s has lost row %d of %d", assets[asset], (int)n,
                  (int)acknowledged);
    }
    acknowledged_before[asset] = acknowledged;
    free(there[asset]);
    there[asset] = seen;
}

/* Which parts of a row of "parts" are there: each wholly or not at all, as it was sent. */
static uint8_t parts_of(const edgeops_table *table, uint64_t i) {
    uint64_t n = (uint64_t)table->times[i] / 100;
    uint8_t found = 0;
    cr_assert(table->times[i] > 0 && table->times[i] % 100 == 0 && n < ROWS_MAX);
    for (int p = 0; p < PARTS; p++) {
        edgeops_value wanted[PART_CELLS];
        (void)make_part(wanted, p, n);
        size_t cells = 0;
        for (size_t k = 0; k < parts[p].count; k++) {
            for (size_t c = 0; c < table->column_count; c++) {
                edgeops_value value = edgeops_column_value(&table->columns[c], i);
                if (strcmp(table->columns[c].name, parts[p].channels[k]) == 0 &&
                    value.type != EDGEOPS_TYPE_NULL) {
                    cr_assert(value.type == wanted[k].type && value.size == wanted[k].size);
                    cr_assert(value.type == EDGEOPS_TYPE_STRING ||
                              value.as.u64 == wanted[k].as.u64);
                    cells++;
                }
            }
        }
        cr_assert(cells == 0 || cells == parts[p].count, "row %d has half of part %d", (int)n, p);
        found |= (uint8_t)((cells > 0) << p);
    }
    return found;
}

/* A cursor gives each part once, by itself. */
static void check_arrivals(edgeops_store *store, const uint8_t *seen) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    uint8_t *came = calloc(ROWS_MAX, 1);
    edgeops_status status;
    options.asset = "parts";
    CHECK_OK(edgeops_cursor_open(&cursor, store, &options));
    while ((status = edgeops_cursor_next(&block, cursor, 1000)) == EDGEOPS_OK) {
        for (uint64_t i = 0; i < block->rows; i++) {
            uint64_t n = (uint64_t)block->times[i] / 100;
            uint8_t part = parts_of(block, i);
            cr_assert(part == 1 || part == 2 || part == 4, "a cursor mixes parts of row %d",
                      (int)n);
            cr_assert_eq(came[n] & part, 0, "a part of row %d is there twice", (int)n);
            bool later = block->parts != NULL && block->parts[i] != 0;
            cr_assert(later == (came[n] != 0), "a part of row %d is%s a later one", (int)n,
                      later ? "" : " not");
            came[n] |= part;
        }
    }
    cr_assert_eq(status, EDGEOPS_DONE);
    cr_assert_eq(memcmp(came, seen, ROWS_MAX), 0, "a cursor has other parts than a read");
    edgeops_cursor_close(cursor);
    free(came);
}

static void check_parts(edgeops_store *store, bool all) {
    edgeops_table *table = read_all(store, "parts");
    uint8_t *seen = calloc(ROWS_MAX, 1);
    uint64_t acknowledged = atomic_load(&promised->parts);
    for (uint64_t i = 0; table != NULL && i < table->rows; i++) {
        cr_assert(i == 0 || table->times[i - 1] < table->times[i]);
        seen[table->times[i] / 100] = parts_of(table, i);
    }
    check_counts(store, table);
    edgeops_table_free(table);
    for (int p = 0; all && p < PARTS; p++) {
        for (uint64_t n = 1; n + parts[p].lag <= acknowledged; n++) {
            bool wanted = n + parts[p].lag > parts_before || (in_parts[n] >> p & 1) != 0;
            cr_assert(!wanted || (seen[n] >> p & 1) != 0, "part %d of row %d of %d is lost", p,
                      (int)n, (int)acknowledged);
        }
    }
    check_arrivals(store, seen);
    parts_before = acknowledged;
    free(in_parts);
    in_parts = seen;
}

/* Rows of all assets came in one call: all have the same. */
static void check_many(edgeops_store *store, bool all) {
    uint64_t rows = 0;
    cr_assert(all || kind != LIFE_MANY, "what a cut takes with PROCESS is not known here");
    for (int i = 0; kind == LIFE_MANY && i < MANY; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%03d", i);
        edgeops_table *table = read_all(store, name);
        uint64_t n = table != NULL ? table->rows : 0;
        cr_assert(n >= atomic_load(&promised->many), "%s has %d of %d rows", name, (int)n,
                  (int)atomic_load(&promised->many));
        cr_assert(i == 0 || n == rows, "%s has %d rows, others %d", name, (int)n, (int)rows);
        for (uint64_t k = 0; k < n; k++) {
            cr_assert_eq(table->times[k], (int64_t)(k + 1) * 100);
            cr_assert_eq(table->columns[0].i64[k], (int64_t)(k + 1));
        }
        edgeops_table_free(table);
        rows = n;
    }
    atomic_store(&promised->many, rows);
}

/* Newest row of "cam" that is in chunks. */
static uint64_t newest_in_chunks(void) {
    char path[200];
    sqlite3 *db = NULL;
    sqlite3_stmt *select = NULL;
    uint64_t newest = 0;
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "ATTACH ? AS c", -1, &select, NULL) == SQLITE_OK) {
        snprintf(path, sizeof path, "%s/catalog.db", home);
        sqlite3_bind_text(select, 1, path, -1, SQLITE_STATIC);
        (void)sqlite3_step(select);
        sqlite3_finalize(select);
        select = NULL;
        if (sqlite3_prepare_v2(db,
                               "SELECT max(ord1) FROM chunk JOIN c.asset ON asset.id = chunk.asset"
                               " WHERE name = 'cam'",
                               -1, &select, NULL) == SQLITE_OK &&
            sqlite3_step(select) == SQLITE_ROW) {
            newest = (uint64_t)sqlite3_column_int64(select, 0);
        }
    }
    sqlite3_finalize(select);
    sqlite3_close(db);
    return newest;
}

static bool image_is_whole(edgeops_store *store, const edgeops_column *column, uint64_t i,
                           uint64_t n) {
    char wanted[IMAGE_MAX];
    void *data = NULL;
    size_t size = 0;
    edgeops_blob blob;
    memcpy(&blob, (const char *)column->data + i * sizeof blob, sizeof blob);
    cr_assert_eq(blob.size, make_image(wanted, n), "row %d has another image", (int)n);
    edgeops_status status = edgeops_blob_read(&data, &size, store, blob.digest);
    cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND || status == EDGEOPS_E_CORRUPT,
              "%s", edgeops_error_last()->message);
    cr_assert(status != EDGEOPS_OK || (size == blob.size && memcmp(data, wanted, size) == 0));
    edgeops_free(data);
    return status == EDGEOPS_OK;
}

enum { GONE, ROW_ONLY, WHOLE };

/* Images that were there are there; with `all` those of all rows that were acknowledged, else those
 * of rows in chunks. */
static void check_images(edgeops_store *store, uint64_t in_chunks, bool all) {
    edgeops_table *table = read_all(store, "cam");
    uint8_t *seen = calloc(ROWS_MAX, 1);
    uint64_t acknowledged = atomic_load(&promised->images);
    for (uint64_t i = 0; table != NULL && i < table->rows; i++) {
        uint64_t n = (uint64_t)table->columns[0].i64[i];
        bool whole = image_is_whole(store, &table->columns[1], i, n);
        bool lost = pictured[n] == ROW_ONLY;
        cr_assert(whole || lost || (!all && table->ordinals[i] > in_chunks),
                  "row %d, number %d of %d in chunks, has lost its image", (int)n,
                  (int)table->ordinals[i], (int)in_chunks);
        seen[n] = whole ? WHOLE : ROW_ONLY;
    }
    for (uint64_t n = 1; all && n <= acknowledged; n++) {
        cr_assert(seen[n] != GONE || (n <= images_before && pictured[n] == GONE),
                  "\"cam\" has lost row %d of %d", (int)n, (int)acknowledged);
    }
    edgeops_table_free(table);
    images_before = acknowledged;
    free(pictured);
    pictured = seen;
}

static void check_sets(edgeops_store *store) {
    for (uint64_t i = 0; i < atomic_load(&promised->sets); i++) {
        promised_set *set = &promised->set[i];
        char name[24];
        edgeops_dataset *opened = NULL;
        int state = atomic_load(&set->state);
        snprintf(name, sizeof name, "s%d", (int)i);
        edgeops_status status = edgeops_dataset_read(&opened, store, name);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND, "dataset %s: %s", name,
                  edgeops_error_last()->message);
        cr_assert(status == EDGEOPS_OK || state != MADE, "dataset %s is lost", name);
        cr_assert(status != EDGEOPS_OK || state != REMOVED, "dataset %s is back", name);
        if (status == EDGEOPS_OK && i % KINDS_OF_SET == SET_OF_IMAGES) {
            CHECK_OK(edgeops_dataset_verify(store, name)); /* it reads the images, too */
        }
        if (status == EDGEOPS_OK && set->digest[0] != '\0') {
            cr_assert_str_eq(opened->digest, set->digest);
        } else if (status == EDGEOPS_OK) {
            strcpy(set->digest, opened->digest);
        }
        edgeops_dataset_free(opened);
        atomic_store(&set->state, status == EDGEOPS_OK ? MADE : REMOVED);
    }
}

static edgeops_status count_label(const edgeops_label *label, void *data) {
    (void)label;
    *(uint64_t *)data += 1;
    return EDGEOPS_OK;
}

static void check_catalog(edgeops_store *store, bool all) {
    uint64_t labels = 0;
    uint64_t record = 0;
    char *json = NULL;
    CHECK_OK(edgeops_label_list(NULL, store, NULL, count_label, &labels));
    cr_assert(!all || labels >= atomic_load(&promised->labels), "%d of %d labels", (int)labels,
              (int)atomic_load(&promised->labels));
    atomic_store(&promised->labels, labels);
    edgeops_status status = eop_record_get(&json, eop_store_catalog(store), "run", "r");
    if (status == EDGEOPS_OK) {
        record = (uint64_t)atoll(json + 5);
        eop_free(json);
    }
    cr_assert(!all || record >= atomic_load(&promised->record));
    atomic_store(&promised->record, record);
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "gone";
    status = edgeops_store_read(&table, store, &query);
    edgeops_table_free(table);
    /* Removing an asset waits for the disk in either mode. */
    cr_assert(status == EDGEOPS_E_NOTFOUND || atomic_load(&promised->removals) % 2 == 0,
              "a removed asset is back");
    atomic_store(&promised->removals, 0);
}

typedef struct findings {
    bool images;
    char text[300]; /* the newest that counts */
} findings;

/* With PROCESS an image may have been cut short, whose row may be there. */
static void note_finding(const eop_finding *finding, void *user_data) {
    findings *f = user_data;
    if (f->images || strncmp(finding->what, "blob", 4) != 0) {
        snprintf(f->text, sizeof f->text, "%s: %s", finding->what, finding->detail);
    }
}

static edgeops_status go_on(double part, void *user_data) {
    (void)part;
    (void)user_data;
    return EDGEOPS_OK;
}

/* What a kill or a cut leaves is never taken for damage of the disk. */
static void check_sound(edgeops_store *store, bool images) {
    eop_store_stats stats = {0};
    eop_verified sum = {0};
    findings f = {.images = images};
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert_eq(stats.damaged, 0, "%d places are called damaged", (int)stats.damaged);
    CHECK_OK(eop_store_verify(
        &sum, store,
        &(eop_verify_handler){.finding = note_finding, .progress = go_on, .user_data = &f}));
    cr_assert_eq(f.text[0], '\0', "%d findings, such as %s", (int)sum.findings, f.text);
}

/* images: they were synced before their rows were acknowledged. */
static void look(bool all, bool images) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    edgeops_store *store = NULL;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    disk_watch(folder, false); /* it saves the syncs */
    uint64_t in_chunks = newest_in_chunks();
    CHECK_OK(edgeops_store_open(&store, home, &options));
    check_sets(store);
    for (int k = 0; k < ASSETS; k++) {
        check_rows(store, k, all);
    }
    check_many(store, all);
    check_images(store, in_chunks, all);
    check_parts(store, all);
    free(read_rows(store, "old"));
    check_catalog(store, all);
    check_sound(store, images);
    edgeops_store_close(store);
    disk_release();
}

void life_live(edgeops_durability durability, const disk_plan *plan, uint64_t seed) {
    int status = 0;
    atomic_store(&promised->reached, true);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        live(durability, plan, seed);
        _exit(1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "seed %llu: status %x, %s",
              (unsigned long long)seed, (unsigned)status, promised->failure);
    bool cut = plan->action == DISK_CUT;
    cr_assert(!cut || disk_restore(folder), "seed %llu: nothing was left",
              (unsigned long long)seed);
    bool power = durability == EDGEOPS_DURABILITY_POWER;
    look(!cut || power, power);
}

bool life_reached(void) {
    return atomic_load(&promised->reached);
}

uint64_t life_rows(void) {
    uint64_t sum = 0;
    for (int k = 0; k < ASSETS; k++) {
        sum += atomic_load(&promised->acknowledged[k]);
    }
    return sum;
}

void life_begin(const char *given, life_kind given_kind) {
    kind = given_kind;
    snprintf(folder, sizeof folder, "%s", given);
    snprintf(home, sizeof home, "%s/home", given);
    promised =
        mmap(NULL, sizeof *promised, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(promised != MAP_FAILED);
    for (int k = 0; k < ASSETS; k++) {
        there[k] = calloc(ROWS_MAX, 1);
        acknowledged_before[k] = 0;
    }
    pictured = calloc(ROWS_MAX, 1);
    images_before = 0;
    in_parts = calloc(ROWS_MAX, 1);
    parts_before = 0;
}

void life_end(void) {
    munmap(promised, sizeof *promised);
    for (int k = 0; k < ASSETS; k++) {
        free(there[k]);
        there[k] = NULL;
    }
    free(pictured);
    pictured = NULL;
    free(in_parts);
    in_parts = NULL;
}
