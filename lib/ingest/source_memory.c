/* SPDX-License-Identifier: Apache-2.0 */
/* A table of hashes in memory and, slot for slot, in a file that is written in place: what
 * pwrite() has taken survives the end of the process. A power cut may keep an older state of the
 * file, which would take a new message for an old one. So the file says in which boot it was written
 * and whether it was closed: what neither holds for is forgotten. A file that cannot be written is
 * removed, and the source remembers in memory alone. */
#include "ingest/source_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#define MAGIC       "EOPSRC1"
#define SLOTS_FIRST 1024u
#define SLOTS_MAX   (2 * EOP_SOURCE_TOPICS_MAX) /* at most half full */
#define BOOT_BYTES  40
#define BOOT_PATH   "/proc/sys/kernel/random/boot_id"

typedef struct header {
    char magic[8];
    char boot[BOOT_BYTES]; /* in which the slots were written */
    uint64_t hash;         /* of MAGIC: another version may hash in another way */
    uint32_t slot_count;
    uint32_t fresh;  /* the source never had a link */
    uint32_t closed; /* all of it is on the disk */
    uint32_t reserved[15];
} header;

/* Open addressing with linear probing; nothing is ever taken out. */
typedef struct slot {
    uint64_t topic;   /* hash; 0: free */
    uint64_t payload; /* hash; 0: not known */
} slot;

struct eop_source_memory {
    char *path; /* NULL: in memory alone */
    bool loaded;
    bool full;
    int fd; /* -1: not open */
    header head;
    slot *slots;
    size_t count;
};

static uint64_t hash_of(const void *data, size_t size) {
    return eop_hash64(data, size) | 1;
}

/* "" where the system does not say: then only a closed file counts. */
static void read_boot(char boot[BOOT_BYTES]) {
    memset(boot, 0, BOOT_BYTES);
    int fd = eop_open(BOOT_PATH, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, boot, BOOT_BYTES - 1);
        boot[n > 0 ? n : 0] = '\0';
        (void)close(fd);
    }
}

static header new_header(bool fresh) {
    header head = {.magic = MAGIC, .hash = hash_of(MAGIC, sizeof(MAGIC)), .fresh = fresh};
    read_boot(head.boot);
    return head;
}

/* -- the file -- */

static void give_up_file(eop_source_memory *memory) {
    if (memory->fd >= 0) {
        (void)close(memory->fd);
        memory->fd = -1;
    }
    if (memory->path != NULL) {
        eop_source_memory_remove(memory->path);
        eop_free(memory->path);
        memory->path = NULL;
    }
}

/* Head and slots, in place of what was there. */
static edgeops_status write_whole(eop_source_memory *memory) {
    size_t size = sizeof(header) + memory->head.slot_count * sizeof(slot);
    char *bytes = eop_alloc(size);
    if (bytes == NULL) {
        return eop_fail_nomem("source");
    }
    memcpy(bytes, &memory->head, sizeof(header));
    if (memory->slots != NULL) {
        memcpy(bytes + sizeof(header), memory->slots, size - sizeof(header));
    }
    edgeops_status status = eop_file_write(memory->path, bytes, size, 0600);
    eop_free(bytes);
    if (status == EDGEOPS_OK && memory->fd >= 0) {
        (void)close(memory->fd);
        memory->fd = -1;
    }
    if (status == EDGEOPS_OK) {
        memory->fd = eop_open(memory->path, O_RDWR | O_CLOEXEC);
        status = memory->fd >= 0 ? status : eop_fail_errno(errno, "source", "%s", memory->path);
    }
    return status;
}

static bool put_at(int fd, const void *data, size_t size, size_t at) {
    ssize_t n = -1;
    do {
        n = pwrite(fd, data, size, (off_t)at);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

static bool put_header(eop_source_memory *memory) {
    return put_at(memory->fd, &memory->head, sizeof(header), 0) && fdatasync(memory->fd) == 0;
}

/* Before the first change the disk has to know that the file is not closed any more. */
static bool ready_to_write(eop_source_memory *memory) {
    if (memory->path == NULL) {
        return false;
    }
    if (memory->fd >= 0 && !memory->head.closed) {
        return true;
    }
    memory->head.closed = 0;
    bool ready = memory->fd >= 0 ? put_header(memory) : write_whole(memory) == EDGEOPS_OK;
    if (!ready) {
        give_up_file(memory);
    }
    return ready;
}

static void put_slot(eop_source_memory *memory, size_t place) {
    if (ready_to_write(memory) && !put_at(memory->fd, &memory->slots[place], sizeof(slot),
                                          sizeof(header) + place * sizeof(slot))) {
        give_up_file(memory);
    }
}

/* -- the table -- */

/* The slot of a topic, or the free one where it belongs. */
static size_t place_of(const slot *slots, size_t slot_count, uint64_t topic) {
    size_t at = (size_t)topic & (slot_count - 1);
    while (slots[at].topic != 0 && slots[at].topic != topic) {
        at = (at + 1) & (slot_count - 1);
    }
    return at;
}

static bool grow(eop_source_memory *memory) {
    size_t n = memory->slots != NULL ? (size_t)memory->head.slot_count * 2 : SLOTS_FIRST;
    slot *slots = n <= SLOTS_MAX ? eop_calloc(n, sizeof(*slots)) : NULL;
    if (slots == NULL) {
        memory->full = true;
        return false;
    }
    for (size_t i = 0; memory->slots != NULL && i < memory->head.slot_count; i++) {
        if (memory->slots[i].topic != 0) {
            slots[place_of(slots, n, memory->slots[i].topic)] = memory->slots[i];
        }
    }
    eop_free(memory->slots);
    memory->slots = slots;
    memory->head.slot_count = (uint32_t)n;
    if (memory->path != NULL) {
        memory->head.closed = 0;
        if (write_whole(memory) != EDGEOPS_OK) {
            give_up_file(memory);
        }
    }
    return true;
}

/* What is damaged, or may be older than what the store has, is left out. */
static void take_file(eop_source_memory *memory, const char *bytes, size_t size) {
    header head;
    if (size < sizeof(head)) {
        return;
    }
    memcpy(&head, bytes, sizeof(head));
    uint32_t n = head.slot_count;
    bool sound = memcmp(head.magic, MAGIC, sizeof(MAGIC)) == 0 && n <= SLOTS_MAX &&
                 (n & (n - 1)) == 0 && size == sizeof(head) + n * sizeof(slot);
    if (!sound) {
        return;
    }
    memory->head.fresh = head.fresh;
    bool same_boot = memory->head.boot[0] != '\0' &&
                     memcmp(memory->head.boot, head.boot, sizeof(head.boot)) == 0;
    if (n == 0 || head.hash != memory->head.hash || !(head.closed || same_boot)) {
        return;
    }
    memory->slots = eop_alloc(n * sizeof(slot));
    if (memory->slots == NULL) {
        return;
    }
    memcpy(memory->slots, bytes + sizeof(head), n * sizeof(slot));
    memory->head.slot_count = n;
    memory->head.closed = head.closed;
    for (size_t i = 0; i < n; i++) {
        memory->count += memory->slots[i].topic != 0;
    }
    if (memory->count <= n / 2) {
        memory->fd = eop_open(memory->path, O_RDWR | O_CLOEXEC);
    } else {
        eop_free(memory->slots);
        memory->slots = NULL;
        memory->count = memory->head.slot_count = 0;
    }
}

static void load(eop_source_memory *memory) {
    char *bytes = NULL;
    size_t size = 0;
    if (memory->loaded) {
        return;
    }
    memory->loaded = true;
    memory->head = new_header(false);
    size_t most = sizeof(header) + SLOTS_MAX * sizeof(slot);
    if (memory->path != NULL && eop_file_exists(memory->path) &&
        eop_file_read(&bytes, &size, memory->path, most) == EDGEOPS_OK) {
        take_file(memory, bytes, size);
        eop_free(bytes);
    }
}

/* -- life -- */

edgeops_status eop_source_memory_make(const char *path) {
    header head = new_header(true);
    head.closed = 1;
    return eop_file_write(path, &head, sizeof(head), 0600);
}

void eop_source_memory_remove(const char *path) {
    (void)unlink(path);
}

edgeops_status eop_source_memory_new(eop_source_memory **out, const char *path) {
    eop_source_memory *memory = *out = eop_calloc(1, sizeof(*memory));
    if (memory == NULL) {
        return eop_fail_nomem("source");
    }
    memory->fd = -1;
    /* The host may be in another folder when it is needed. */
    return path != NULL ? eop_path_absolute(&memory->path, path) : EDGEOPS_OK;
}

void eop_source_memory_free(eop_source_memory *memory) {
    if (memory == NULL) {
        return;
    }
    if (memory->fd >= 0) {
        if (!memory->head.closed && fdatasync(memory->fd) == 0) {
            memory->head.closed = 1;
            (void)put_header(memory);
        }
        (void)close(memory->fd);
    }
    eop_free(memory->slots);
    eop_free(memory->path);
    eop_free(memory);
}

bool eop_source_memory_fresh(eop_source_memory *memory) {
    load(memory);
    return memory->head.fresh != 0;
}

edgeops_status eop_source_memory_begun(eop_source_memory *memory) {
    load(memory);
    if (!memory->head.fresh) {
        return EDGEOPS_OK;
    }
    memory->head.fresh = 0;
    edgeops_status status = memory->path != NULL ? write_whole(memory) : EDGEOPS_OK;
    if (status != EDGEOPS_OK) {
        memory->head.fresh = 1;
    }
    return status;
}

bool eop_source_memory_look(eop_source_memory *memory, eop_seen *seen, const char *topic,
                            const void *payload, size_t size) {
    load(memory);
    *seen = (eop_seen){0};
    if (memory->count == 0) {
        return false; /* a source whose messages have times of their own: nothing to hash */
    }
    seen->topic = hash_of(topic, strlen(topic));
    seen->payload = hash_of(payload, size);
    size_t place = place_of(memory->slots, memory->head.slot_count, seen->topic);
    slot *found = &memory->slots[place];
    if (found->topic == 0) {
        return false;
    }
    seen->place = place + 1;
    if (found->payload == seen->payload) {
        return true;
    }
    if (found->payload != 0) {
        found->payload = 0;
        put_slot(memory, place);
    }
    return false;
}

void eop_source_memory_note(eop_source_memory *memory, eop_seen *seen, const char *topic,
                            const void *payload, size_t size) {
    if (seen->topic == 0) {
        seen->topic = hash_of(topic, strlen(topic));
        seen->payload = hash_of(payload, size);
    }
    if (seen->place == 0 && memory->count * 2 >= memory->head.slot_count && !grow(memory)) {
        return;
    }
    size_t place = place_of(memory->slots, memory->head.slot_count, seen->topic);
    slot *found = &memory->slots[place];
    if (found->payload != seen->payload) {
        memory->count += found->topic == 0;
        *found = (slot){seen->topic, seen->payload};
        put_slot(memory, place);
    }
}

bool eop_source_memory_full(const eop_source_memory *memory) {
    return memory->full;
}
