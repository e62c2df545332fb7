/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted runs of times: a file that goes forward is one of them, each step back begins the next, and
 * runs of like length are merged, so that there are few whatever the order is. A time that comes
 * again is changed where it is. Sets of channels are kept once, as ascending lists with a number;
 * where they take too much they are forgotten, and the rows that had one count as whole. */
#include "codec/seqs.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define LIMIT     ((size_t)256 << 20)
#define FIRST     64u
#define SET_BYTES (sizeof(size_t) + 2 * sizeof(eop_map_slot)) /* beside its channels */

/* -- sets -- */

static bool is_known(const eop_seqs *s, uint32_t set) {
    return set > s->base && set - s->base <= s->set_count;
}

static const uint32_t *channels_of(const eop_seqs *s, uint32_t set, size_t *n) {
    size_t i = set - s->base - 1;
    size_t from = i > 0 ? s->ends[i - 1] : 0;
    *n = s->ends[i] - from;
    return s->ids + from;
}

static bool is_set(const eop_seqs *s, uint32_t set, const uint32_t *ids, size_t n) {
    size_t count = 0;
    if (!is_known(s, set)) {
        return false;
    }
    const uint32_t *known = channels_of(s, set, &count);
    return count == n && (n == 0 || memcmp(known, ids, n * sizeof *ids) == 0);
}

static void forget_sets(eop_seqs *s) {
    s->base += (uint32_t)s->set_count;
    s->set_count = s->id_count = 0;
    eop_map_dispose(&s->by_ids);
}

/* The number of an ascending set. */
static bool number_set(eop_seqs *s, const uint32_t *ids, size_t n, uint32_t *out) {
    uint64_t hash = eop_hash64(n > 0 ? (const void *)ids : "", n * sizeof *ids);
    size_t step = 0;
    uintptr_t item;
    while ((item = eop_map_next(&s->by_ids, hash, &step)) != 0) {
        if (is_set(s, s->base + (uint32_t)item, ids, n)) {
            *out = s->base + (uint32_t)item;
            return true;
        }
    }
    if ((s->id_count + n) * sizeof *ids + s->set_count * SET_BYTES > s->limit / 4) {
        forget_sets(s);
    }
    if (s->base > UINT32_MAX / 2) {
        *out = 0;
        return true;
    }
    if (!eop_map_reserve(&s->by_ids) ||
        !eop_grow(&s->ids, &s->id_capacity, s->id_count + n + 1, sizeof *s->ids) ||
        !eop_grow(&s->ends, &s->set_capacity, s->set_count + 1, sizeof *s->ends)) {
        return false;
    }
    if (n > 0) {
        memcpy(s->ids + s->id_count, ids, n * sizeof *ids);
    }
    s->id_count += n;
    s->ends[s->set_count++] = s->id_count;
    eop_map_add(&s->by_ids, hash, s->set_count);
    *out = s->base + (uint32_t)s->set_count;
    return true;
}

/* The set of a row; mostly that of the row before. */
static bool find_set(eop_seqs *s, const eop_seqs_times *of, const uint32_t *ids, size_t n,
                     uint32_t *out) {
    size_t i = 1;
    if (is_set(s, of->given, ids, n)) {
        *out = of->given;
        return true;
    }
    while (i < n && ids[i - 1] < ids[i]) {
        i++;
    }
    if (i >= n) {
        return number_set(s, ids, n, out);
    }
    if (!eop_grow(&s->scratch, &s->scratch_capacity, n, sizeof *s->scratch)) {
        return false;
    }
    for (size_t k = 0; k < n; k++) {
        size_t at = k;
        for (; at > 0 && s->scratch[at - 1] > ids[k]; at--) {
            s->scratch[at] = s->scratch[at - 1];
        }
        s->scratch[at] = ids[k];
    }
    return number_set(s, s->scratch, n, out);
}

/* Whether a row repeats a channel of a set; else both become of->both. */
static bool join(eop_seqs *s, eop_seqs_times *of, uint32_t set, uint32_t given) {
    size_t n = 0, more = 0, count = 0, i = 0, k = 0;
    if (of->joined[0] == set && of->joined[1] == given && is_known(s, given) &&
        (of->repeats || is_known(s, of->both))) {
        return true;
    }
    const uint32_t *b = is_known(s, given) ? channels_of(s, given, &more) : NULL;
    of->joined[0] = set;
    of->joined[1] = given;
    of->repeats = b == NULL || (!is_known(s, set) && more > 0);
    of->both = set;
    if (of->repeats || !is_known(s, set)) {
        return true;
    }
    const uint32_t *a = channels_of(s, set, &n);
    if (!eop_grow(&s->scratch, &s->scratch_capacity, n + more + 1, sizeof *s->scratch)) {
        return false;
    }
    while (i < n || k < more) {
        if (i < n && k < more && a[i] == b[k]) {
            of->repeats = true;
            return true;
        }
        s->scratch[count++] = k == more || (i < n && a[i] < b[k]) ? a[i++] : b[k++];
    }
    return number_set(s, s->scratch, count, &of->both);
}

/* -- runs -- */

static size_t bytes_of_one(const eop_seqs_run *run) {
    return sizeof *run->times + (run->sets != NULL ? sizeof *run->sets : 0) +
           (run->numbers != NULL ? sizeof *run->numbers : 0);
}

static size_t bytes_of(const eop_seqs_run *run) {
    return run->count * bytes_of_one(run);
}

static void free_run(eop_seqs_run *run) {
    eop_free(run->times);
    eop_free(run->sets);
    eop_free(run->numbers);
    *run = (eop_seqs_run){0};
}

static bool resize(void *array_pointer, size_t capacity, size_t size) {
    void *array = NULL;
    memcpy(&array, array_pointer, sizeof array);
    void *moved = eop_realloc_array(array, capacity, size);
    if (moved != NULL) {
        memcpy(array_pointer, &moved, sizeof moved);
    }
    return moved != NULL;
}

static bool reserve(eop_seqs_run *run) {
    if (run->count < run->capacity) {
        return true;
    }
    size_t capacity = run->capacity > 0 ? run->capacity * 2 : FIRST;
    if (!resize(&run->times, capacity, sizeof *run->times) ||
        (run->sets != NULL && !resize(&run->sets, capacity, sizeof *run->sets)) ||
        (run->numbers != NULL && !resize(&run->numbers, capacity, sizeof *run->numbers))) {
        return false;
    }
    run->capacity = capacity;
    return true;
}

/* What is known of the time at a place. */
static bool set_at(eop_seqs_run *run, size_t at, uint32_t set, int64_t number) {
    if (run->sets == NULL && set != run->set) {
        run->sets = eop_realloc_array(NULL, run->capacity, sizeof *run->sets);
        for (size_t i = 0; run->sets != NULL && i < run->count; i++) {
            run->sets[i] = run->set;
        }
    }
    if (run->numbers == NULL && number != 0) {
        run->numbers = eop_calloc(run->capacity, sizeof *run->numbers);
    }
    if ((run->sets == NULL && set != run->set) || (run->numbers == NULL && number != 0)) {
        return false;
    }
    if (run->sets != NULL) {
        run->sets[at] = set;
    }
    if (run->numbers != NULL) {
        run->numbers[at] = number;
    }
    return true;
}

static bool push(eop_seqs_run *run, edgeops_time time, uint32_t set, int64_t number) {
    if (!reserve(run)) {
        return false;
    }
    run->set = run->count == 0 && run->sets == NULL ? set : run->set;
    run->times[run->count++] = time;
    if (!set_at(run, run->count - 1, set, number)) {
        run->count--;
        return false;
    }
    return true;
}

static void get_at(const eop_seqs_run *run, size_t at, uint32_t *set, int64_t *number) {
    *set = run->sets != NULL ? run->sets[at] : run->set;
    *number = run->numbers != NULL ? run->numbers[at] : 0;
}

/* The two last runs become one. */
static bool merge_last(eop_seqs_times *of) {
    eop_seqs_run *a = &of->runs[of->run_count - 2];
    eop_seqs_run *b = a + 1;
    eop_seqs_run both = {.capacity = a->count + b->count};
    both.times = eop_realloc_array(NULL, both.capacity, sizeof *both.times);
    size_t i = 0, k = 0;
    bool good = both.times != NULL;
    while (good && (i < a->count || k < b->count)) {
        bool from_a = k == b->count || (i < a->count && a->times[i] < b->times[k]);
        const eop_seqs_run *from = from_a ? a : b;
        size_t at = from_a ? i++ : k++;
        uint32_t set;
        int64_t number;
        get_at(from, at, &set, &number);
        good = push(&both, from->times[at], set, number);
    }
    if (!good) {
        free_run(&both);
        return false;
    }
    free_run(a);
    free_run(b);
    *a = both;
    of->run_count--;
    return true;
}

static bool close_run(eop_seqs_times *of) {
    if (!eop_grow(&of->runs, &of->run_capacity, of->run_count + 1, sizeof *of->runs)) {
        return false;
    }
    of->runs[of->run_count++] = of->open;
    of->open = (eop_seqs_run){0};
    while (of->run_count > 1 &&
           of->runs[of->run_count - 2].count <= 2 * of->runs[of->run_count - 1].count) {
        if (!merge_last(of)) {
            return false;
        }
    }
    return true;
}

static size_t bytes_of_all(const eop_seqs_times *of) {
    size_t bytes = bytes_of(&of->open);
    for (size_t i = 0; i < of->run_count; i++) {
        bytes += bytes_of(&of->runs[i]);
    }
    return bytes;
}

static bool add(eop_seqs *s, eop_seqs_times *of, edgeops_time time, uint32_t set, int64_t number) {
    eop_seqs_run *open = &of->open;
    bool plain = (open->sets != NULL || set == open->set) && (open->numbers != NULL || number == 0);
    if (open->count > 0 && time > open->times[open->count - 1] && plain) {
        if (!push(open, time, set, number)) {
            return false;
        }
        s->bytes += bytes_of_one(open);
        return true;
    }
    size_t before = bytes_of_all(of);
    bool back = open->count > 0 && time < open->times[open->count - 1];
    bool good = (!back || close_run(of)) && push(open, time, set, number);
    s->bytes += bytes_of_all(of) - before;
    return good;
}

static bool find_in(eop_seqs_run *run, edgeops_time time) {
    size_t low = 0;
    size_t high = run->count;
    if (high == 0 || time < run->times[0] || time > run->times[high - 1]) {
        return false;
    }
    for (size_t i = run->hint; i < run->hint + 2 && i < high; i++) {
        if (run->times[i] == time) {
            run->hint = i;
            return true;
        }
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->times[middle] < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    run->hint = low;
    return run->times[low] == time;
}

/* The run that has the time, at its hint. */
static eop_seqs_run *find(eop_seqs_times *of, edgeops_time time) {
    eop_seqs_run *open = &of->open;
    if (open->count > 0 && open->times[open->count - 1] == time) {
        open->hint = open->count - 1;
        return open;
    }
    if (find_in(open, time)) {
        return open;
    }
    for (size_t i = of->run_count; i > 0; i--) {
        if (find_in(&of->runs[i - 1], time)) {
            return &of->runs[i - 1];
        }
    }
    return NULL;
}

/* -- rows -- */

static void free_runs(eop_seqs_times *of) {
    free_run(&of->open);
    for (size_t i = 0; i < of->run_count; i++) {
        free_run(&of->runs[i]);
    }
    eop_free(of->runs);
    of->runs = NULL;
    of->run_count = of->run_capacity = 0;
}

/* The number of a row of a time that came before; *set and *newest are what is known of the time. */
static eop_seqs_outcome count(eop_seqs *s, eop_seqs_times *of, uint32_t given, uint32_t *set,
                              int64_t *newest, bool numbered, int64_t *number) {
    if (numbered && *number != *newest) {
        *set = *number > *newest ? given : *set;
        *newest = *number > *newest ? *number : *newest;
        return EOP_SEQS_OK;
    }
    if (!join(s, of, *set, given)) {
        return EOP_SEQS_NO_MEMORY;
    }
    if (numbered) {
        *set = of->repeats ? *set : of->both;
        return EOP_SEQS_OK;
    }
    if (of->repeats && *newest == INT64_MAX) {
        return EOP_SEQS_NONE_LEFT;
    }
    s->next += of->repeats && *newest + 1 > 0;
    s->parts += !of->repeats && of->both != *set;
    *newest += of->repeats;
    *set = of->repeats ? given : of->both;
    *number = *newest;
    return EOP_SEQS_OK;
}

static void note_last(const eop_seqs *s, eop_seqs_times *of, edgeops_time time, uint32_t set,
                      uint32_t given, int64_t number) {
    if (given != of->given && is_known(s, given)) {
        of->given_at = (size_t)(channels_of(s, given, &of->given_count) - s->ids);
    }
    of->latest = of->rows == 0 || time > of->latest ? time : of->latest;
    of->rows++;
    of->time = time;
    of->set = set;
    of->given = given;
    of->number = number;
}

/* Only the last row is known. */
static eop_seqs_outcome take_forgotten(eop_seqs *s, eop_seqs_times *of, edgeops_time time,
                                       uint32_t given, bool numbered, int64_t *number) {
    eop_seqs_outcome outcome = EOP_SEQS_OK;
    uint32_t set = given;
    free_runs(of);
    if (of->rows > 0 && time < of->latest) {
        return EOP_SEQS_FORGOTTEN;
    }
    *number = numbered ? *number : 0;
    int64_t newest = *number;
    if (of->rows > 0 && time == of->time) {
        set = of->set;
        newest = of->number;
        outcome = count(s, of, given, &set, &newest, numbered, number);
    }
    note_last(s, of, time, set, given, newest);
    return outcome;
}

/* Whether the next row is mostly one that take_next() takes: this one is the latest, whole, and all
 * before it have its channels and the number 0. */
static size_t room_behind(const eop_seqs *s, const eop_seqs_times *of) {
    const eop_seqs_run *open = &of->open;
    bool plain = open->sets == NULL && open->numbers == NULL && open->set == of->given &&
                 of->set == of->given && of->number == 0 && of->time == of->latest;
    return plain && open->count > 0 && is_known(s, of->given) ? open->capacity - open->count : 0;
}

/* Most rows of most files: later than all before, with the channels of the row before. */
static inline bool take_next(eop_seqs *s, eop_seqs_times *of, edgeops_time time,
                             const uint32_t *ids, size_t n) {
    if (of->room == 0 || time <= of->latest || n != of->given_count || of->given <= s->base ||
        s->forgotten) {
        return false;
    }
    const uint32_t *known = s->ids + of->given_at;
    for (size_t i = 0; i < n; i++) {
        if (known[i] != ids[i]) {
            return false;
        }
    }
    of->room--;
    of->open.times[of->open.count++] = time;
    of->rows++;
    of->latest = of->time = time;
    s->bytes += sizeof time;
    s->forgotten = s->bytes >= s->limit;
    return true;
}

/* Not inlined: what it keeps in registers would be saved for each row that take_next() takes. */
__attribute__((noinline)) static eop_seqs_outcome take_any(eop_seqs *s, eop_seqs_times *of,
                                                           edgeops_time time, const uint32_t *ids,
                                                           size_t n, bool numbered,
                                                           int64_t *number) {
    uint32_t given = 0;
    of->room = 0;
    s->limit = s->limit > 0 ? s->limit : LIMIT;
    if (numbered && *number < 0) {
        return EOP_SEQS_OK; /* those without a number begin at 0 */
    }
    if (!find_set(s, of, ids, n, &given)) {
        return EOP_SEQS_NO_MEMORY;
    }
    if (s->forgotten) {
        return take_forgotten(s, of, time, given, numbered, number);
    }
    eop_seqs_run *run = of->rows > 0 && time <= of->latest ? find(of, time) : NULL;
    uint32_t set = given;
    *number = numbered ? *number : 0;
    int64_t newest = *number;
    if (run == NULL) {
        if (!add(s, of, time, set, newest)) {
            return EOP_SEQS_NO_MEMORY;
        }
    } else {
        size_t before = bytes_of(run);
        get_at(run, run->hint, &set, &newest);
        eop_seqs_outcome outcome = count(s, of, given, &set, &newest, numbered, number);
        if (outcome != EOP_SEQS_OK || !set_at(run, run->hint, set, newest)) {
            return outcome != EOP_SEQS_OK ? outcome : EOP_SEQS_NO_MEMORY;
        }
        s->bytes += bytes_of(run) - before;
    }
    s->forgotten = s->bytes >= s->limit;
    note_last(s, of, time, set, given, newest);
    of->room = room_behind(s, of);
    return EOP_SEQS_OK;
}

eop_seqs_outcome eop_seqs_take(eop_seqs *seqs, eop_seqs_times *of, edgeops_time time,
                               const uint32_t *ids, size_t n, bool numbered, int64_t *number) {
    if (!numbered && take_next(seqs, of, time, ids, n)) {
        *number = 0;
        return EOP_SEQS_OK;
    }
    return take_any(seqs, of, time, ids, n, numbered, number);
}

bool eop_seqs_repeats(eop_seqs *seqs, eop_seqs_times *of, const uint32_t *ids, size_t n,
                      bool *good) {
    uint32_t given = 0;
    seqs->limit = seqs->limit > 0 ? seqs->limit : LIMIT;
    *good = of->rows == 0 || (find_set(seqs, of, ids, n, &given) && join(seqs, of, of->set, given));
    return *good && of->rows > 0 && of->repeats;
}

/* -- assets -- */

eop_seqs_times *eop_seqs_asset(eop_seqs *seqs, const char *name, size_t size, int64_t key) {
    const uint64_t parts[] = {eop_hash64(name, size), (uint64_t)key};
    uint64_t hash = eop_hash64(parts, sizeof parts);
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&seqs->by_name, hash, &step)) != 0) {
        eop_seqs_times *known = &seqs->assets[i - 1];
        if (known->key == key && strlen(known->name) == size &&
            memcmp(known->name, name, size) == 0) {
            return known;
        }
    }
    char *copy = eop_strndup(name, size);
    if (copy == NULL || !eop_map_reserve(&seqs->by_name) ||
        !eop_grow(&seqs->assets, &seqs->asset_capacity, seqs->asset_count + 1,
                  sizeof *seqs->assets)) {
        eop_free(copy);
        return NULL;
    }
    seqs->assets[seqs->asset_count] = (eop_seqs_times){.name = copy, .key = key};
    eop_map_add(&seqs->by_name, hash, ++seqs->asset_count);
    return &seqs->assets[seqs->asset_count - 1];
}

void eop_seqs_note(const eop_seqs *seqs, eop_report *report) {
    if (seqs->next > 0) {
        eop_report_note(report,
                        "rows that have the time of another row of their asset, and a sequence "
                        "number (seq) of their own: %llu",
                        (unsigned long long)seqs->next);
    }
    if (seqs->parts > 0) {
        eop_report_note(report,
                        "rows that complete another row of their asset and time, with other "
                        "channels: %llu",
                        (unsigned long long)seqs->parts);
    }
}

void eop_seqs_times_dispose(eop_seqs_times *times) {
    free_runs(times);
    eop_free(times->name);
    *times = (eop_seqs_times){0};
}

void eop_seqs_dispose(eop_seqs *seqs) {
    for (size_t i = 0; i < seqs->asset_count; i++) {
        eop_seqs_times_dispose(&seqs->assets[i]);
    }
    eop_free(seqs->assets);
    eop_free(seqs->ids);
    eop_free(seqs->ends);
    eop_free(seqs->scratch);
    eop_map_dispose(&seqs->by_ids);
    eop_map_dispose(&seqs->by_name);
    *seqs = (eop_seqs){0};
}
