/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps over the chunks by time and cuts where a chunk begins or ends. With many active chunks
 * only every so often, because each piece lists all of them: so the lists stay a few times as long
 * as the chunks are many, however they overlap. */
#include "store/pieces.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

/* With N active chunks a cut is N / EVENTS_SHARE beginnings and ends behind the one before. */
enum { EVENTS_SHARE = 4 };

typedef struct sweep {
    eop_pieces *out;
    const eop_chunk_list *chunks;
    const eop_rows *memory;
    bool later;       /* of the memory */
    size_t row;       /* rows in memory that have a piece */
    uint32_t *active; /* those that began before the next event and end behind the last cut, in
                         order of arrival */
    size_t active_count;
    size_t active_capacity;
    int64_t *ends; /* a heap of the t1 that lie ahead, the least first */
    size_t end_count;
    size_t end_capacity;
} sweep;

static edgeops_status add_piece(sweep *s, int64_t from, int64_t to, size_t row_end) {
    eop_pieces *out = s->out;
    if (!eop_grow(&out->items, &out->capacity, out->count + 1, sizeof *out->items)) {
        return eop_fail_nomem("store");
    }
    out->items[out->count++] = (eop_piece){.from = from,
                                           .to = to,
                                           .first = out->chunk_count,
                                           .row = s->row,
                                           .row_end = row_end,
                                           .later = s->later && row_end > s->row};
    s->row = row_end;
    return EDGEOPS_OK;
}

static edgeops_status add_chunk(sweep *s, uint32_t chunk) {
    eop_pieces *out = s->out;
    if (!eop_grow(&out->chunks, &out->chunk_capacity, out->chunk_count + 1, sizeof *out->chunks)) {
        return eop_fail_nomem("store");
    }
    out->chunks[out->chunk_count++] = chunk;
    eop_piece *piece = &out->items[out->count - 1];
    piece->count++;
    piece->later = piece->later || s->chunks->items[chunk].later > 0;
    return EDGEOPS_OK;
}

/* A piece of rows in memory only. */
static edgeops_status add_memory(sweep *s, size_t row_end) {
    if (row_end <= s->row) {
        return EDGEOPS_OK;
    }
    return add_piece(s, s->memory->times[s->row], s->memory->times[row_end - 1], row_end);
}

static size_t rows_until(const sweep *s, int64_t time) {
    size_t row = eop_times_upper(s->memory->times, s->memory->rows, time);
    return row > s->row ? row : s->row;
}

/* -- chunks that overlap -- */

static void push_end(sweep *s, int64_t time) {
    size_t at = s->end_count++;
    for (; at > 0 && s->ends[(at - 1) / 2] > time; at = (at - 1) / 2) {
        s->ends[at] = s->ends[(at - 1) / 2];
    }
    s->ends[at] = time;
}

static void pop_end(sweep *s) {
    int64_t time = s->ends[--s->end_count];
    size_t at = 0;
    for (size_t child = 1; child < s->end_count; child = 2 * at + 1) {
        child += child + 1 < s->end_count && s->ends[child + 1] < s->ends[child];
        if (s->ends[child] >= time) {
            break;
        }
        s->ends[at] = s->ends[child];
        at = child;
    }
    s->ends[at] = time;
}

static edgeops_status begin_chunk(sweep *s, size_t chunk) {
    if (!eop_grow(&s->active, &s->active_capacity, s->active_count + 1, sizeof *s->active) ||
        !eop_grow(&s->ends, &s->end_capacity, s->end_count + 1, sizeof *s->ends)) {
        return eop_fail_nomem("store");
    }
    const eop_chunk_info *items = s->chunks->items;
    size_t at = s->active_count++;
    for (; at > 0 && items[s->active[at - 1]].ord0 > items[chunk].ord0; at--) {
        s->active[at] = s->active[at - 1];
    }
    s->active[at] = (uint32_t)chunk;
    push_end(s, items[chunk].t1);
    return EDGEOPS_OK;
}

/* A piece of the active chunks, from `from` up to `to`. */
static edgeops_status cut_active(sweep *s, int64_t from, int64_t to) {
    const eop_chunk_info *items = s->chunks->items;
    edgeops_status status = add_piece(s, from, to, rows_until(s, to));
    size_t left = 0;
    for (size_t i = 0; status == EDGEOPS_OK && i < s->active_count; i++) {
        uint32_t chunk = s->active[i];
        if (items[chunk].t0 <= to) {
            status = add_chunk(s, chunk);
        }
        if (items[chunk].t1 > to) {
            s->active[left++] = chunk;
        }
    }
    s->active_count = left;
    return status;
}

/* Cuts the chunks [i, end), which overlap one another. */
static edgeops_status cut_group(sweep *s, size_t i, size_t end) {
    const eop_chunk_info *items = s->chunks->items;
    int64_t from = items[i].t0;
    size_t events = 0;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && (i < end || s->end_count > 0)) {
        bool begins = i < end && (s->end_count == 0 || items[i].t0 <= s->ends[0]);
        int64_t time = begins ? items[i].t0 : s->ends[0];
        bool inside = begins ? time > from : time >= from;
        bool enough = ++events >= s->active_count / EVENTS_SHARE || (!begins && s->end_count == 1);
        if (inside && enough && s->active_count > 0) {
            time -= begins ? 1 : 0;
            status = cut_active(s, from, time);
            from = time + (time < INT64_MAX);
            events = 0;
        }
        if (begins) {
            status = status == EDGEOPS_OK ? begin_chunk(s, i++) : status;
        } else {
            pop_end(s);
        }
    }
    return status;
}

/* -- all -- */

/* End of the chunks from i on that overlap one another; *last: their greatest time. */
static size_t group_end(int64_t *last, const eop_chunk_list *chunks, size_t i) {
    *last = chunks->items[i].t1;
    for (i++; i < chunks->count && chunks->items[i].t0 <= *last; i++) {
        *last = chunks->items[i].t1 > *last ? chunks->items[i].t1 : *last;
    }
    return i;
}

static edgeops_status cut_all(sweep *s) {
    const eop_chunk_list *chunks = s->chunks;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < chunks->count;) {
        int64_t first = chunks->items[i].t0;
        int64_t last = 0;
        size_t end = group_end(&last, chunks, i);
        status = add_memory(s, eop_times_lower(s->memory->times, s->memory->rows, first));
        if (status == EDGEOPS_OK && end - i > 1) {
            status = cut_group(s, i, end);
        } else if (status == EDGEOPS_OK) {
            status = add_piece(s, first, last, rows_until(s, last));
            status = status == EDGEOPS_OK ? add_chunk(s, (uint32_t)i) : status;
        }
        i = end;
    }
    return status == EDGEOPS_OK ? add_memory(s, s->memory->rows) : status;
}

edgeops_status eop_pieces_cut(eop_pieces *pieces, const eop_chunk_list *chunks,
                              const eop_rows *memory, bool later) {
    sweep s = {.out = pieces, .chunks = chunks, .memory = memory, .later = later};
    edgeops_status status = EDGEOPS_OK;
    if (chunks->count >= UINT32_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store", "too many chunks; read a shorter range");
    }
    if (status == EDGEOPS_OK) {
        status = cut_all(&s);
    }
    eop_free(s.active);
    eop_free(s.ends);
    return status;
}

void eop_pieces_dispose(eop_pieces *pieces) {
    eop_free(pieces->items);
    eop_free(pieces->chunks);
    *pieces = (eop_pieces){0};
}
