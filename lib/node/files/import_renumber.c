/* SPDX-License-Identifier: Apache-2.0 */
/* A row that the store contradicts goes to the first greater number of its time where it does not.
 * All of the file's row goes there with its later parts, and the file's next rows of that time go
 * behind it: so two rows of a file never become one, and the same file again finds each row where it
 * went. Memory is bounded: behind so many moved times the oldest ones are forgotten, in each run at
 * the same place. */
#include "node/files/import_renumber.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define MOVED_MAX ((size_t)1 << 20)

static uint64_t time_hash(uint64_t asset, edgeops_time time) {
    const uint64_t parts[] = {asset, (uint64_t)time};
    return eop_hash64(parts, sizeof parts);
}

static eop_moved *find(const eop_renumber *r, uint64_t asset, edgeops_time time) {
    uint64_t hash = time_hash(asset, time);
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&r->by_time, hash, &step)) != 0) {
        eop_moved *m = &r->moved[i - 1];
        if (m->asset == asset && m->time == time) {
            return m;
        }
    }
    return NULL;
}

bool eop_renumber_waits(const eop_renumber *r, const char *asset, edgeops_time time) {
    return eop_map_has(&r->times, time_hash(eop_hash64(asset, strlen(asset)), time));
}

edgeops_status eop_renumber_put(eop_renumber *r, const char *asset, edgeops_time time,
                                int64_t *seq) {
    bool fresh = false;
    uint64_t name = eop_hash64(asset, strlen(asset));
    if (!eop_map_note(&r->times, time_hash(name, time), &fresh)) {
        return eop_fail_nomem("node");
    }
    eop_moved *m = find(r, name, time);
    if (m != NULL && *seq == m->seq) {
        *seq = m->to;
    } else if (m != NULL && *seq > m->seq && *seq <= m->to && m->to < INT64_MAX) {
        m->seq = *seq;
        *seq = ++m->to;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_renumber_moved(eop_renumber *r, const char *asset, edgeops_time time,
                                  int64_t seq, int64_t to) {
    uint64_t name = eop_hash64(asset, strlen(asset));
    eop_moved *m = find(r, name, time);
    if (m == NULL && r->count == MOVED_MAX) {
        eop_map_dispose(&r->by_time);
        r->count = 0;
    }
    if (m == NULL && (!eop_map_reserve(&r->by_time) ||
                      !eop_grow(&r->moved, &r->capacity, r->count + 1, sizeof *r->moved))) {
        return eop_fail_nomem("node");
    }
    if (m == NULL) {
        m = &r->moved[r->count++];
        eop_map_add(&r->by_time, time_hash(name, time), r->count);
    }
    *m = (eop_moved){name, time, seq, to};
    return EDGEOPS_OK;
}

void eop_renumber_next(eop_renumber *r) {
    eop_map_dispose(&r->times);
}

void eop_renumber_dispose(eop_renumber *r) {
    eop_map_dispose(&r->times);
    eop_map_dispose(&r->by_time);
    eop_free(r->moved);
    *r = (eop_renumber){0};
}
