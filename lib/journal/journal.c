/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of segments: which one is written, which is the spare, which are sealed and may go,
 * and what the opening found. Owns the file descriptors. journal.h has the format and the order of
 * calls; the caller's lock guards everything here. */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "journal/journal_file.h"

enum { MISSING_MAX = 64 }; /* in a row; a name may be nonsense */
enum { ROOM_TIMES = 4 };   /* a grown spare leaves so many times its size free above the floor */

/* Where the frames of a sealed segment end. */
typedef struct segment_end {
    uint64_t number;
    uint64_t end;
} segment_end;

struct eop_journal {
    char *folder;
    uint64_t segment_bytes;
    uint64_t wanted; /* bytes of the next spare, at least segment_bytes */
    uint64_t floor_bytes;
    bool read_only;
    int fd; /* of the active segment, -1 for none */
    eop_segment_header active;
    uint64_t end;         /* offset of the next frame */
    uint64_t synced;      /* of the active segment: bytes before this offset are on the disk */
    bool closed;          /* the active segment has its closing frame */
    uint64_t since;       /* segments from this one on are on the disk when a sync says so; those
                             before it may lack what a crash or a failed sync lost */
    uint64_t last_number; /* the highest number ever used */
    uint64_t spare;       /* bytes of the spare, 0: there is none */
    bool written;
    uint64_t unsynced;  /* segments before this number are on the disk */
    uint64_t in_folder; /* the folder's entry of this segment is on the disk */
    uint64_t holds;     /* copies under way: no file is reused */
    uint64_t damaged;
    uint64_t torn;
    eop_place *places; /* what the opening found */
    size_t place_count;
    size_t place_capacity;
    segment_end *ends; /* in order of numbers */
    size_t end_count;
    size_t end_capacity;
};

static char *segment_path(const eop_journal *journal, uint64_t number) {
    return eop_format("%s/" EOP_SEGMENT_NAME, journal->folder, number);
}

uint64_t eop_journal_closed(const eop_journal *journal) {
    return journal->closed ? journal->active.number : 0;
}

uint64_t eop_journal_active(const eop_journal *journal) {
    return journal->fd >= 0 ? journal->active.number : 0;
}

uint64_t eop_journal_bytes(const eop_journal *journal) {
    return journal->fd >= 0 ? journal->active.bytes : 0;
}

uint64_t eop_journal_used(const eop_journal *journal) {
    return journal->fd >= 0 ? journal->end - EOP_SEGMENT_HEADER : 0;
}

uint64_t eop_journal_damaged(const eop_journal *journal) {
    return journal->damaged;
}

uint64_t eop_journal_torn(const eop_journal *journal) {
    return journal->torn;
}

const eop_place *eop_journal_places(size_t *count, const eop_journal *journal) {
    *count = journal->place_count;
    return journal->places;
}

bool eop_journal_knows(const eop_journal *journal, const eop_place *place) {
    for (size_t i = 0; i < journal->place_count; i++) {
        const eop_place *known = &journal->places[i];
        if (known->segment == place->segment && known->offset == place->offset &&
            known->bytes == place->bytes) {
            return true;
        }
    }
    return false;
}

bool eop_journal_has_spare(const eop_journal *journal) {
    return journal->spare != 0;
}

void eop_journal_want(eop_journal *journal, uint64_t bytes) {
    journal->wanted = bytes > journal->segment_bytes ? bytes / 8 * 8 : journal->segment_bytes;
}

uint64_t eop_journal_wanted(const eop_journal *journal) {
    return journal->wanted;
}

static uint64_t frame_bytes(size_t payload) {
    return (EOP_FRAME_HEADER + (uint64_t)payload + 7) / 8 * 8;
}

bool eop_journal_fits(const eop_journal *journal, size_t payload) {
    return journal->fd >= 0 &&
           frame_bytes(payload) + EOP_FRAME_HEADER <= journal->active.bytes - journal->end;
}

/* -- opening -- */

typedef struct listing {
    uint64_t *numbers;
    size_t count;
    size_t capacity;
    const eop_journal *journal;
} listing;

/* The path is taken. */
static void remove_file(char *path) {
    if (path != NULL) {
        unlink(path);
        eop_free(path);
    }
}

static edgeops_status list_segment(const char *name, void *user_data) {
    listing *list = user_data;
    if (strcmp(name, "spare.tmp") == 0 || strcmp(name, "spare.new") == 0) {
        /* A power cut or kill left it half made. */
        if (!list->journal->read_only) {
            remove_file(eop_path_join(list->journal->folder, name));
        }
        return EDGEOPS_OK;
    }
    if (strlen(name) != 20 || strspn(name, "0123456789") != 16 || strcmp(name + 16, ".seg") != 0) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&list->numbers, &list->capacity, list->count + 1, sizeof *list->numbers)) {
        return eop_fail_nomem("store");
    }
    list->numbers[list->count++] = strtoull(name, NULL, 10);
    return EDGEOPS_OK;
}

static edgeops_status prefetch_segment(const char *name, void *user_data) {
    char *path = strstr(name, ".seg") != NULL ? eop_path_join(user_data, name) : NULL;
    int fd =
        path != NULL && strcmp(name, "spare.seg") != 0 ? eop_open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
        close(fd);
    }
    eop_free(path);
    return EDGEOPS_OK;
}

void eop_journal_prefetch(const char *folder) {
    char *copy = eop_file_exists(folder) ? eop_strdup(folder) : NULL;
    if (copy != NULL) {
        (void)eop_dir_walk(folder, prefetch_segment, copy);
        eop_free(copy);
    }
}

/* Renames a segment without a sound header, so that the rest of the home can be used. */
static edgeops_status put_aside(const eop_journal *journal, uint64_t number) {
    edgeops_status status = EDGEOPS_OK;
    char *path = segment_path(journal, number);
    char *aside = path != NULL ? eop_format("%s.bad", path) : NULL;
    if (aside == NULL) {
        status = eop_fail_nomem("store");
    } else if (rename(path, aside) != 0) {
        status = eop_fail_errno(errno, "store", "cannot rename '%s'", path);
    }
    eop_free(aside);
    eop_free(path);
    return status;
}

/* Gives a segment with damaged frames a second name, which stays when its sound frames are in chunks:
 * somebody may want to look at it, and nobody must miss that it is there. A file system without
 * links has the log only. */
static void keep_copy(const eop_journal *journal, uint64_t number) {
    char *path = segment_path(journal, number);
    char *aside = path != NULL ? eop_format("%s.bad", path) : NULL;
    if (aside != NULL) {
        (void)link(path, aside);
    }
    eop_free(aside);
    eop_free(path);
}

static bool is_put_aside(const eop_journal *journal, uint64_t number) {
    char *aside = eop_format("%s/" EOP_SEGMENT_NAME ".bad", journal->folder, number);
    bool there = aside != NULL && eop_file_exists(aside);
    eop_free(aside);
    return there;
}

static edgeops_status note_place(const eop_place *place, void *user_data) {
    eop_journal *journal = user_data;
    if (!eop_grow(&journal->places, &journal->place_capacity, journal->place_count + 1,
                  sizeof *journal->places)) {
        return eop_fail_nomem("store");
    }
    journal->places[journal->place_count++] = *place;
    journal->damaged += place->kind != EOP_PLACE_TORN;
    journal->torn += place->kind == EOP_PLACE_TORN ? place->bytes : 0;
    return EDGEOPS_OK;
}

static edgeops_status note_end(eop_journal *journal, uint64_t number, uint64_t end) {
    if (journal->end_count > 0 && journal->ends[journal->end_count - 1].number == number) {
        journal->end_count--;
    }
    if (!eop_grow(&journal->ends, &journal->end_capacity, journal->end_count + 1,
                  sizeof *journal->ends)) {
        return eop_fail_nomem("store");
    }
    journal->ends[journal->end_count++] = (segment_end){number, end};
    return EDGEOPS_OK;
}

/* Reads the header. A file that got its name but not its header may have that of an older
 * segment. */
static edgeops_status check_header(eop_segment_found *found, eop_segment_header *header, int fd,
                                   const char *path) {
    struct stat st;
    edgeops_status status = eop_segment_check(header, fd, path);
    if (fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "store", "cannot read '%s'", path);
    }
    found->file_bytes = (uint64_t)st.st_size;
    if (status == EDGEOPS_E_NOTFOUND) {
        bool synced = false;
        status = eop_segment_proves_sync(&synced, fd, path, found->file_bytes);
        found->state = synced ? EOP_SEGMENT_BAD : EOP_SEGMENT_BLANK;
    } else if (status == EDGEOPS_OK && header->number < found->number) {
        found->state = EOP_SEGMENT_BLANK;
    } else if (status == EDGEOPS_E_CORRUPT ||
               (status == EDGEOPS_OK && header->number != found->number)) {
        found->state = EOP_SEGMENT_BAD;
        status = EDGEOPS_OK;
    } else if (status == EDGEOPS_OK) {
        found->version = header->version;
        found->made = header->made;
        found->before = header->before;
        found->since = header->since;
    }
    return status;
}

static edgeops_status replay_segment(eop_segment_found *found, eop_journal *journal, bool last,
                                     eop_journal_fn fn, void *user_data) {
    eop_segment_header header = {0};
    char *path = segment_path(journal, found->number);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_open(path, (journal->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) {
        status = eop_fail_errno(errno, "store", "cannot open '%s'", path);
        goto out;
    }
    status = check_header(found, &header, fd, path);
    if (status != EDGEOPS_OK || found->state != EOP_SEGMENT_READ) {
        goto out;
    }
    status = eop_segment_walk(&found->walked, fd, path, &header, fn, user_data);
    if (status == EDGEOPS_OK) {
        status = note_end(journal, found->number, found->walked.end);
    }
    if (status == EDGEOPS_OK && last && !journal->read_only) {
        journal->fd = fd;
        journal->active = header;
        journal->end = found->walked.end;
        journal->closed = found->walked.closed;
        fd = -1;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    return status;
}

static edgeops_status find_spare(eop_journal *journal) {
    char *path = eop_path_join(journal->folder, "spare.seg");
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    struct stat st;
    if (stat(path, &st) == 0) {
        bool fits = (uint64_t)st.st_size == journal->segment_bytes;
        journal->spare = fits ? journal->segment_bytes : 0;
        if (!fits) {
            unlink(path);
        }
    }
    eop_free(path);
    return EDGEOPS_OK;
}

/* Numbers have no gaps: the files of from..to - 1 were lost, unless they were put aside. */
static edgeops_status note_missing(eop_journal *journal, uint64_t from, uint64_t to) {
    edgeops_status status = EDGEOPS_OK;
    to = to > from && to - from > MISSING_MAX ? from + MISSING_MAX : to;
    for (uint64_t number = from; status == EDGEOPS_OK && number < to; number++) {
        if (!is_put_aside(journal, number)) {
            status = note_place(&(eop_place){EOP_PLACE_MISSING, number, 0, 0}, journal);
        }
    }
    return status;
}

/* Puts damaged files aside, and deals with those that never got a header. */
static edgeops_status clear_up(eop_journal *journal, const eop_segment_found *segments,
                               size_t count) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < journal->place_count; i++) {
        const eop_place *place = &journal->places[i];
        if (place->kind == EOP_PLACE_HEADER) {
            status = put_aside(journal, place->segment);
        } else if (place->kind == EOP_PLACE_FRAMES) {
            keep_copy(journal, place->segment);
        }
    }
    /* The newest files never got a header: their numbers are used again. Those before others stay,
     * because a number that is missing would be damage. */
    for (size_t i = count; status == EDGEOPS_OK && i-- > 0;) {
        if (segments[i].state != EOP_SEGMENT_BLANK || is_put_aside(journal, segments[i].number)) {
            break;
        }
        remove_file(segment_path(journal, segments[i].number));
        journal->last_number = segments[i].number - 1;
    }
    return status;
}

/* What the opening found incomplete stays so: syncs of later frames say nothing about it. The end
 * of the last segment is overwritten. stale: this would leave old bytes behind it, in a file that
 * says that it was made of zeros. */
static void note_torn(eop_journal *journal, bool stale) {
    uint64_t active = eop_journal_active(journal);
    for (size_t i = 0; i < journal->place_count; i++) {
        const eop_place *place = &journal->places[i];
        bool tail = place->segment == active && place->offset == journal->end;
        if (place->kind == EOP_PLACE_TORN && !tail) {
            journal->since = journal->last_number + 1;
        }
    }
    if (active != 0 &&
        (journal->since > active || journal->active.version == 1 || journal->closed || stale)) {
        journal->active.bytes = journal->end; /* takes no more frames */
    }
}

static int compare_places(const void *a, const void *b) {
    const eop_place *left = a;
    const eop_place *right = b;
    if (left->segment != right->segment) {
        return left->segment < right->segment ? -1 : 1;
    }
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static edgeops_status judge_segments(eop_journal *journal, const eop_segment_found *segments,
                                     size_t count, uint64_t closed) {
    edgeops_status status = eop_journal_judge(segments, count, closed, note_place, journal);
    if (status == EDGEOPS_OK && closed > journal->last_number) {
        status = note_missing(journal, journal->last_number + 1, closed + 1);
        journal->last_number = closed;
    }
    if (status == EDGEOPS_OK && !journal->read_only) {
        status = clear_up(journal, segments, count);
    }
    if (status == EDGEOPS_OK) {
        const eop_segment_found *last = count > 0 ? &segments[count - 1] : NULL;
        note_torn(journal, last != NULL && last->walked.stale && journal->active.fresh);
    }
    if (status == EDGEOPS_OK && journal->place_count > 1) {
        qsort(journal->places, journal->place_count, sizeof *journal->places, compare_places);
    }
    return status;
}

static edgeops_status replay_segments(eop_journal *journal, const eop_journal_options *options,
                                      eop_journal_fn fn, void *user_data) {
    listing list = {.journal = journal};
    eop_segment_found *segments = NULL;
    size_t count = 0;
    edgeops_status status = eop_dir_walk(journal->folder, list_segment, &list);
    if (status == EDGEOPS_OK) {
        segments = eop_calloc(list.count + 1, sizeof *segments);
        status = segments != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    }
    journal->last_number = options->applied;
    journal->unsynced = options->applied + 1;
    journal->since = options->applied + 1;
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        uint64_t number = list.numbers[i];
        if (number <= options->applied) {
            if (!journal->read_only) {
                eop_journal_retire(journal, number);
            }
            continue;
        }
        status = note_missing(journal, journal->last_number + 1, number);
        journal->last_number = number;
        segments[count] = (eop_segment_found){.number = number};
        if (status == EDGEOPS_OK) {
            status =
                replay_segment(&segments[count++], journal, i + 1 == list.count, fn, user_data);
        }
    }
    if (status == EDGEOPS_OK) {
        status = judge_segments(journal, segments, count, options->closed);
    }
    for (size_t i = 0; i < count; i++) {
        eop_walked_dispose(&segments[i].walked);
    }
    eop_free(segments);
    eop_free(list.numbers);
    return status;
}

static edgeops_status make_folder(const char *folder) {
    if (eop_file_exists(folder)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_mkdirs(folder, 0700);
    return status == EDGEOPS_OK ? eop_dir_sync_parent(folder) : status;
}

edgeops_status eop_journal_open(eop_journal **out, const eop_journal_options *options,
                                eop_journal_fn fn, void *user_data) {
    *out = NULL;
    eop_journal *journal = eop_calloc(1, sizeof *journal);
    if (journal == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    journal->fd = -1;
    journal->segment_bytes = options->segment_bytes;
    journal->wanted = options->segment_bytes;
    journal->floor_bytes = options->floor_bytes;
    journal->read_only = options->read_only;
    journal->folder = eop_strdup(options->folder);
    if (journal->folder == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    if (!journal->read_only) {
        status = make_folder(journal->folder);
        status = status == EDGEOPS_OK ? find_spare(journal) : status;
    }
    if (status == EDGEOPS_OK && eop_file_exists(journal->folder)) {
        status = replay_segments(journal, options, fn, user_data);
    }
    if (status == EDGEOPS_OK) {
        *out = journal;
        journal = NULL;
    }
out:
    eop_journal_close(journal);
    return status;
}

void eop_journal_close(eop_journal *journal) {
    if (journal == NULL) {
        return;
    }
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    eop_free(journal->places);
    eop_free(journal->ends);
    eop_free(journal->folder);
    eop_free(journal);
}

/* Two syncs: with the closing frame on the disk all before it must be there, too. */
static edgeops_status write_closing(eop_journal *journal) {
    char frame[EOP_FRAME_HEADER];
    eop_journal_sync sync;
    edgeops_status status = eop_journal_sync_begin(&sync, journal);
    if (status == EDGEOPS_OK) {
        status = eop_journal_sync_run(&sync, journal);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_journal_sync_end(journal, &sync);
    eop_segment_seal_frame(frame, 0, &journal->active, journal->end, journal->end);
    status = eop_segment_write(journal->fd, journal->folder, frame, sizeof frame, journal->end);
    if (status == EDGEOPS_OK && fdatasync(journal->fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", journal->folder);
    }
    if (status == EDGEOPS_OK) {
        journal->end += sizeof frame;
        journal->synced = journal->end;
        journal->closed = true;
    }
    return status;
}

uint64_t eop_journal_settle(eop_journal *journal, bool pending) {
    if (journal->spare != 0) {
        remove_file(eop_path_join(journal->folder, "spare.seg"));
        journal->spare = 0;
    }
    if (journal->fd < 0) {
        return 0;
    }
    if (journal->end == EOP_SEGMENT_HEADER && !pending) {
        /* Nothing was written under this number, so it may be used again. */
        remove_file(segment_path(journal, journal->active.number));
        return 0;
    }
    bool sound = journal->active.version > 1 && journal->since <= journal->active.number;
    if (sound && !journal->closed) {
        sound = write_closing(journal) == EDGEOPS_OK;
    }
    struct stat st;
    if ((fstat(journal->fd, &st) != 0 || (uint64_t)st.st_size != journal->end) &&
        ftruncate(journal->fd, (off_t)journal->end) == 0) {
        journal->active.bytes = journal->end;
    }
    return sound ? journal->active.number : 0;
}

/* -- segments -- */

/* E_LIMIT when taking these bytes would leave less than the floor free. */
static edgeops_status check_room(const eop_journal *journal, uint64_t bytes) {
    uint64_t free_bytes = 0;
    edgeops_status status = eop_disk_free(&free_bytes, journal->folder);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (free_bytes < journal->floor_bytes || free_bytes - journal->floor_bytes < bytes) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "the disk has %" PRIu64 " MiB free and %" PRIu64
                        " MiB must stay free: make room",
                        free_bytes >> 20, (journal->floor_bytes + 0xfffff) >> 20);
    }
    return EDGEOPS_OK;
}

static edgeops_status make_file(const eop_journal *journal, const char *name, uint64_t bytes,
                                bool written) {
    edgeops_status status = check_room(journal, bytes);
    if (status != EDGEOPS_OK) {
        return status;
    }
    char *path = eop_path_join(journal->folder, name);
    status = path != NULL ? eop_segment_make(path, bytes, written) : eop_fail_nomem("store");
    eop_free(path);
    return status;
}

/* Makes the new file the spare; removes it when that fails. */
static edgeops_status take_spare(const eop_journal *journal, const char *name, bool wanted) {
    edgeops_status status = EDGEOPS_OK;
    char *made = eop_path_join(journal->folder, name);
    char *spare = eop_path_join(journal->folder, "spare.seg");
    if (made == NULL || spare == NULL) {
        status = eop_fail_nomem("store");
    } else if (!wanted) {
        unlink(made);
    } else if (rename(made, spare) != 0) {
        status = eop_fail_errno(errno, "store", "cannot rename '%s'", made);
        unlink(made);
    }
    eop_free(made);
    eop_free(spare);
    return status;
}

static edgeops_status make_spare(eop_journal *journal, uint64_t bytes) {
    /* A call waits for this: a larger file is only allocated. */
    bool written = journal->written && bytes == journal->segment_bytes;
    edgeops_status status = make_file(journal, "spare.tmp", bytes, written);
    if (status == EDGEOPS_OK) {
        status = take_spare(journal, "spare.tmp", true);
    }
    journal->spare = status == EDGEOPS_OK ? bytes : journal->spare;
    return status;
}

/* Whether a grown spare leaves room for the chunks that its rows become. */
static bool has_room_to_grow(const eop_journal *journal, uint64_t bytes) {
    uint64_t free_bytes = 0;
    return eop_disk_free(&free_bytes, journal->folder) == EDGEOPS_OK &&
           free_bytes >= journal->floor_bytes &&
           free_bytes - journal->floor_bytes >= ROOM_TIMES * bytes;
}

edgeops_status eop_journal_prepare_spare(uint64_t *bytes, const eop_journal *journal) {
    edgeops_status status = EDGEOPS_E_LIMIT;
    if (*bytes > journal->segment_bytes && has_room_to_grow(journal, *bytes)) {
        status = make_file(journal, "spare.new", *bytes, journal->written);
    }
    if (status == EDGEOPS_E_LIMIT) {
        *bytes = journal->segment_bytes;
        status = make_file(journal, "spare.new", *bytes, journal->written);
    }
    return status;
}

void eop_journal_adopt_spare(eop_journal *journal, uint64_t bytes) {
    bool wanted = journal->spare == 0;
    if (take_spare(journal, "spare.new", wanted) == EDGEOPS_OK && wanted) {
        journal->spare = bytes;
    }
}

edgeops_status eop_journal_make_spare(eop_journal *journal) {
    return journal->spare != 0 ? EDGEOPS_OK : make_spare(journal, journal->segment_bytes);
}

/* Makes the spare file the active segment. */
static edgeops_status activate_spare(eop_journal *journal) {
    edgeops_status status = EDGEOPS_OK;
    eop_segment_header header = {0};
    int fd = -1;
    uint64_t number = journal->last_number + 1;
    bool follows = journal->fd >= 0 && journal->active.number == journal->last_number &&
                   journal->since <= journal->last_number;
    eop_segment_header given = {.number = number,
                                .bytes = journal->spare,
                                .before = follows ? journal->end : 0,
                                .since = journal->since};
    char *spare = eop_path_join(journal->folder, "spare.seg");
    char *path = segment_path(journal, number);
    if (spare == NULL || path == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    fd = eop_open(spare, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        /* Somebody removed the file: the next try makes another. */
        journal->spare = 0;
        status = eop_fail_errno(errno, "store", "cannot open '%s'", spare);
        goto out;
    }
    status = eop_segment_begin(&header, fd, &given, spare);
    if (status == EDGEOPS_OK && journal->fd >= 0) {
        status = note_end(journal, journal->active.number, journal->end);
    }
    if (status == EDGEOPS_OK && rename(spare, path) != 0) {
        status = eop_fail_errno(errno, "store", "cannot rename '%s'", spare);
    }
    if (status == EDGEOPS_OK) {
        if (journal->fd >= 0) {
            close(journal->fd);
        }
        journal->fd = fd;
        fd = -1;
        journal->active = header;
        journal->end = EOP_SEGMENT_HEADER;
        journal->synced = 0;
        journal->closed = false;
        journal->last_number = number;
        journal->spare = 0;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    eop_free(spare);
    eop_free(path);
    return status;
}

edgeops_status eop_journal_rotate(eop_journal *journal, size_t payload) {
    uint64_t bytes = EOP_SEGMENT_HEADER + frame_bytes(payload) + EOP_FRAME_HEADER;
    if (payload > EOP_FRAME_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "one append takes at most 1 GiB; split the samples");
    }
    edgeops_status status = check_room(journal, 0);
    if (status == EDGEOPS_OK && journal->spare < bytes) {
        /* Rows come faster than chunks are made: larger segments make that cheaper. */
        bool grown = has_room_to_grow(journal, journal->wanted);
        uint64_t least = grown ? journal->wanted : journal->segment_bytes;
        status = make_spare(journal, bytes > least ? bytes : least);
    }
    return status == EDGEOPS_OK ? activate_spare(journal) : status;
}

void eop_journal_retire(eop_journal *journal, uint64_t segment) {
    char *path = segment_path(journal, segment);
    char *spare = eop_path_join(journal->folder, "spare.seg");
    struct stat st;
    size_t gone = 0;
    while (gone < journal->end_count && journal->ends[gone].number <= segment) {
        gone++;
    }
    if (gone > 0) {
        journal->end_count -= gone;
        memmove(journal->ends, journal->ends + gone, journal->end_count * sizeof *journal->ends);
    }
    if (path != NULL && spare != NULL) {
        uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
        bool fits = bytes >= journal->segment_bytes && bytes <= journal->wanted &&
                    st.st_nlink == 1; /* else it was damaged, and a copy is kept */
        if (journal->spare == 0 && journal->holds == 0 && fits && rename(path, spare) == 0) {
            journal->spare = bytes;
        } else {
            unlink(path);
        }
    }
    /* Out of memory the file stays; the next opening removes it. */
    eop_free(path);
    eop_free(spare);
}

edgeops_status eop_journal_write(eop_journal *journal, eop_buf *frame) {
    static const char zeros[8];
    uint32_t size = (uint32_t)(frame->size - EOP_FRAME_HEADER);
    size_t padded = (size_t)frame_bytes(size);
    eop_buf_put(frame, zeros, padded - frame->size);
    if (frame->failed) {
        return eop_fail_nomem("store");
    }
    eop_segment_seal_frame(frame->data, size, &journal->active, journal->end, journal->synced);
    edgeops_status status =
        eop_segment_write(journal->fd, journal->folder, frame->data, padded, journal->end);
    if (status == EDGEOPS_OK) {
        journal->end += padded;
    }
    return status;
}

/* -- copying -- */

edgeops_status eop_journal_hold(eop_journal_pin *out, eop_journal *journal, uint64_t number) {
    bool active = number == eop_journal_active(journal);
    char *path = segment_path(journal, number);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    *out = (eop_journal_pin){.number = number,
                             .bytes = active ? journal->end : UINT64_MAX,
                             .end = active ? journal->end : 0};
    for (size_t i = 0; !active && i < journal->end_count; i++) {
        out->end = journal->ends[i].number == number ? journal->ends[i].end : out->end;
    }
    out->fd = eop_open(path, O_RDONLY | O_CLOEXEC);
    edgeops_status status = EDGEOPS_OK;
    if (out->fd < 0) {
        status = eop_fail_errno(errno, "store", "cannot read '%s'", path);
    }
    journal->holds += status == EDGEOPS_OK;
    eop_free(path);
    return status;
}

void eop_journal_release(eop_journal *journal, eop_journal_pin *pin) {
    close(pin->fd);
    journal->holds--;
}

/* -- syncing -- */

void eop_journal_set_written(eop_journal *journal, bool written) {
    journal->written = written;
}

edgeops_status eop_journal_sync_begin(eop_journal_sync *out, const eop_journal *journal) {
    *out = (eop_journal_sync){.from = journal->unsynced, .to = journal->last_number + 1, .fd = -1};
    if (journal->fd >= 0) {
        out->to = journal->active.number;
        out->end = journal->end;
        out->fd = eop_dup(journal->fd);
        if (out->fd < 0) {
            return eop_fail_errno(errno, "store", "cannot sync '%s'", journal->folder);
        }
    }
    out->folder = journal->in_folder != journal->last_number;
    return EDGEOPS_OK;
}

static edgeops_status sync_segment(const eop_journal *journal, uint64_t number) {
    char *path = segment_path(journal, number);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        /* Already in chunks, or put aside. */
        status = EDGEOPS_OK;
    } else if (fd < 0 || fdatasync(fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    return status;
}

edgeops_status eop_journal_sync_run(const eop_journal_sync *sync, const eop_journal *journal) {
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t number = sync->from; status == EDGEOPS_OK && number < sync->to; number++) {
        status = sync_segment(journal, number);
    }
    if (status == EDGEOPS_OK && sync->fd >= 0 && fdatasync(sync->fd) != 0) {
        status = eop_fail_errno(errno, "store", "cannot sync '%s'", journal->folder);
    }
    if (status == EDGEOPS_OK && sync->folder) {
        status = eop_dir_sync(journal->folder);
    }
    if (sync->fd >= 0) {
        close(sync->fd);
    }
    return status;
}

void eop_journal_sync_end(eop_journal *journal, const eop_journal_sync *sync) {
    bool active = sync->fd >= 0 && sync->to == eop_journal_active(journal);
    journal->unsynced = sync->to;
    if (active && journal->since <= sync->to) {
        journal->synced = sync->end;
    }
    if (sync->folder) {
        journal->in_folder = sync->fd >= 0 ? sync->to : sync->to - 1;
    }
}

void eop_journal_sync_failed(eop_journal *journal) {
    /* The kernel may have dropped the pages: no later sync says that they are on the disk. */
    journal->since = journal->last_number + 1;
    journal->synced = 0;
}
