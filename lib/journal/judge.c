/* SPDX-License-Identifier: Apache-2.0 */
/* Judges what a walk over the segments found: see judge.h for the rules. No file, no lock. */
#include "journal/judge.h"

#include "base/memory.h"
#include "journal/journal_file.h"

void eop_walked_dispose(eop_walked *walked) {
    eop_free(walked->gaps);
    *walked = (eop_walked){0};
}

typedef struct judge {
    const eop_segment_found *segment;
    const eop_segment_found *next; /* NULL: there is none, or it cannot be read */
    bool vouched;                  /* a later segment says that all of this one was on the disk */
    bool closed;                   /* this one was closed */
    eop_place_fn fn;
    void *user_data;
} judge;

static edgeops_status note_place(const judge *j, eop_place_kind kind, uint64_t offset,
                                 uint64_t bytes) {
    eop_place place = {kind, j->segment->number, offset, bytes};
    return j->fn(&place, j->user_data);
}

/* Offset before which all bytes are known to have been on the disk. */
static uint64_t certain_end(const judge *j) {
    const eop_segment_found *s = j->segment;
    if (s->walked.closed) {
        return s->walked.end;
    }
    if (s->version == 1) {
        /* It says nothing, but a file that was cut was closed. Gaps were taken for damage then. */
        return s->file_bytes < s->made ? s->file_bytes : s->walked.end;
    }
    if (j->closed) {
        return UINT64_MAX;
    }
    return j->vouched && j->next != NULL && j->next->before > 0 ? j->next->before
                                                                : s->walked.synced;
}

static edgeops_status judge_gaps(const judge *j, uint64_t certain) {
    const eop_walked *w = &j->segment->walked;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < w->gap_count; i++) {
        const eop_gap *gap = &w->gaps[i];
        bool damage =
            gap->from < certain || gap->written || gap->from >= gap->to / EOP_SECTOR * EOP_SECTOR;
        status = note_place(j, damage ? EOP_PLACE_FRAMES : EOP_PLACE_TORN, gap->from,
                            gap->to - gap->from);
    }
    return status;
}

static edgeops_status judge_end(const judge *j, uint64_t certain) {
    const eop_segment_found *s = j->segment;
    const eop_walked *w = &s->walked;
    uint64_t rest = s->file_bytes > w->end ? s->file_bytes - w->end : 0;
    if (certain > w->end && j->closed) {
        /* No frame with a payload is so short. */
        bool mark_only = rest == EOP_FRAME_HEADER && w->torn == 0;
        return note_place(j, mark_only ? EOP_PLACE_MARK : EOP_PLACE_FRAMES, w->end, rest);
    }
    if (certain > w->end) {
        return note_place(j, EOP_PLACE_FRAMES, w->end, certain - w->end);
    }
    if ((w->closed && rest > 0 && s->file_bytes != s->made) || s->file_bytes > s->made) {
        uint64_t from = w->closed ? w->end : s->made;
        return note_place(j, EOP_PLACE_BEHIND, from, s->file_bytes - from);
    }
    if (w->torn > 0) {
        return note_place(j, w->whole ? EOP_PLACE_FRAMES : EOP_PLACE_TORN, w->end, w->torn);
    }
    if (j->next != NULL && j->next->before > w->end) {
        return note_place(j, EOP_PLACE_TORN, w->end, j->next->before - w->end);
    }
    return EDGEOPS_OK;
}

static edgeops_status judge_segment(const judge *j) {
    const eop_segment_found *s = j->segment;
    if (s->state != EOP_SEGMENT_READ) {
        bool damage = s->state == EOP_SEGMENT_BAD || j->vouched || j->closed;
        return note_place(j, damage ? EOP_PLACE_HEADER : EOP_PLACE_TORN, 0, EOP_SEGMENT_HEADER);
    }
    uint64_t certain = certain_end(j);
    edgeops_status status = judge_gaps(j, certain);
    return status == EDGEOPS_OK ? judge_end(j, certain) : status;
}

edgeops_status eop_journal_judge(const eop_segment_found *segments, size_t count, uint64_t closed,
                                 eop_place_fn fn, void *user_data) {
    uint64_t vouched_from = UINT64_MAX; /* later segments say that all from here were synced */
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = count; status == EDGEOPS_OK && i-- > 0;) {
        const eop_segment_found *s = &segments[i];
        const eop_segment_found *next = i + 1 < count ? &segments[i + 1] : NULL;
        bool follows =
            next != NULL && next->state == EOP_SEGMENT_READ && next->number == s->number + 1;
        judge j = {.segment = s,
                   .next = follows ? next : NULL,
                   .vouched = s->number >= vouched_from,
                   .closed = s->number == closed,
                   .fn = fn,
                   .user_data = user_data};
        status = judge_segment(&j);
        if (s->state == EOP_SEGMENT_READ && s->version > 1 &&
            (s->walked.synced > 0 || s->walked.closed) && s->since < vouched_from) {
            vouched_from = s->since;
        }
    }
    return status;
}
