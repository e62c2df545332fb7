/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTOR = 512, PAGE = 4096, PATH = 512 };

/* A write or, with data NULL, a new size. */
typedef struct change {
    uint64_t offset;
    size_t size;
    uint8_t *data;
} change;

typedef struct node node;

/* The node gets the name `to`; NULL: only loses `from`. from NULL: it is new. */
typedef struct move {
    char *from;
    char *to;
    node *what;
} move;

typedef struct entry {
    char *name;
    node *what;
} entry;

struct node {
    dev_t device;
    ino_t number;
    bool gone; /* nobody can open it any more: its number may be used again */
    bool folder;
    uint8_t *data; /* of a file, synced */
    size_t size;
    change *changes;
    size_t change_count;
    size_t change_capacity;
    entry *entries; /* of a folder, synced */
    size_t entry_count;
    size_t entry_capacity;
    move *moves;
    size_t move_count;
    size_t move_capacity;
    node *next;
};

static node *nodes;
static node *top;
static char *top_path;

static void *more(void *list, size_t *capacity, size_t count, size_t size) {
    if (count <= *capacity) {
        return list;
    }
    *capacity = count * 2;
    list = realloc(list, *capacity * size);
    if (list == NULL) {
        abort();
    }
    return list;
}

static uint64_t roll(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717) >> 16;
}

static node *find(const struct stat *st) {
    for (node *n = nodes; n != NULL; n = n->next) {
        if (!n->gone && n->number == st->st_ino && n->device == st->st_dev) {
            return n;
        }
    }
    return NULL;
}

static node *add(const struct stat *st) {
    node *old = find(st);
    node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        abort();
    }
    if (old != NULL) {
        old->gone = true;
    }
    n->device = st->st_dev;
    n->number = st->st_ino;
    n->folder = S_ISDIR(st->st_mode);
    n->next = nodes;
    nodes = n;
    return n;
}

static bool is_memory(const char *name) {
    size_t n = strlen(name);
    return n >= 4 && strcmp(name + n - 4, "-shm") == 0;
}

/* -- beginning and end -- */

static void read_file(node *n, const char *path, size_t size) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    n->data = malloc(size + 1);
    if (fd < 0 || n->data == NULL) {
        abort();
    }
    ssize_t got = 0;
    while (n->size < size && (got = read(fd, n->data + n->size, size - n->size)) > 0) {
        n->size += (size_t)got;
    }
    syscall(SYS_close, fd);
}

static node *scan(const char *path) {
    struct stat st;
    if (lstat(path, &st) != 0) {
        abort();
    }
    node *n = add(&st);
    if (!n->folder) {
        read_file(n, path, (size_t)st.st_size);
        return n;
    }
    DIR *dir = opendir(path);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char child[PATH];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || is_memory(e->d_name)) {
            continue;
        }
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        n->entries = more(n->entries, &n->entry_capacity, n->entry_count + 1, sizeof *n->entries);
        n->entries[n->entry_count++] = (entry){strdup(e->d_name), scan(child)};
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return n;
}

void model_begin(const char *folder) {
    top_path = strdup(folder);
    top = scan(folder);
}

static void forget_changes(node *n) {
    for (size_t i = 0; i < n->change_count; i++) {
        free(n->changes[i].data);
    }
    n->change_count = 0;
}

static void forget_moves(node *n) {
    for (size_t i = 0; i < n->move_count; i++) {
        free(n->moves[i].from);
        free(n->moves[i].to);
    }
    n->move_count = 0;
}

void model_end(void) {
    while (nodes != NULL) {
        node *next = nodes->next;
        forget_changes(nodes);
        forget_moves(nodes);
        for (size_t i = 0; i < nodes->entry_count; i++) {
            free(nodes->entries[i].name);
        }
        free(nodes->entries);
        free(nodes->moves);
        free(nodes->changes);
        free(nodes->data);
        free(nodes);
        nodes = next;
    }
    free(top_path);
    top = NULL;
    top_path = NULL;
}

/* -- what happens -- */

/* The folder that holds a path, and the name in it. */
static node *holder(const char **name, const char *path) {
    char folder[PATH];
    struct stat st;
    const char *slash = strrchr(path, '/');
    *name = slash + 1;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return lstat(folder, &st) == 0 ? find(&st) : NULL;
}

static void moved(const char *from, const char *to, node *what) {
    const char *from_name = NULL;
    const char *to_name = NULL;
    node *from_folder = from != NULL ? holder(&from_name, from) : NULL;
    node *to_folder = to != NULL ? holder(&to_name, to) : NULL;
    bool same = from_folder == to_folder;
    for (int i = 0; i < (same ? 1 : 2); i++) {
        node *folder = i == 0 && from_folder != NULL ? from_folder : to_folder;
        if (folder == NULL) {
            continue;
        }
        folder->moves =
            more(folder->moves, &folder->move_capacity, folder->move_count + 1, sizeof(move));
        folder->moves[folder->move_count++] =
            (move){folder == from_folder ? strdup(from_name) : NULL,
                   folder == to_folder ? strdup(to_name) : NULL, what};
        if (to_folder == NULL || from_folder == NULL) {
            break;
        }
    }
}

static void doubt(node *n) {
    for (size_t i = 0; i < n->entry_count; i++) {
        entry *e = &n->entries[i];
        doubt(e->what);
        n->moves = more(n->moves, &n->move_capacity, n->move_count + 1, sizeof *n->moves);
        n->moves[n->move_count++] = (move){NULL, e->name, e->what};
    }
    n->entry_count = 0;
    if (!n->folder) {
        n->changes = more(n->changes, &n->change_capacity, n->change_count + 1, sizeof *n->changes);
        n->changes[n->change_count++] = (change){0, n->size, n->data};
        n->data = NULL;
        n->size = 0;
    }
}

void model_doubt(const char *folder) {
    const char *name = NULL;
    struct stat st;
    node *above = holder(&name, folder);
    if (above == NULL || lstat(folder, &st) != 0) {
        abort();
    }
    for (size_t i = 0; i < above->entry_count; i++) {
        entry e = above->entries[i];
        if (strcmp(e.name, name) == 0) {
            doubt(e.what);
            above->entries[i] = above->entries[--above->entry_count];
            above->moves =
                more(above->moves, &above->move_capacity, above->move_count + 1, sizeof(move));
            above->moves[above->move_count++] = (move){NULL, e.name, e.what};
            return;
        }
    }
    abort();
}

void model_created(const char *path, const struct stat *st) {
    if (!is_memory(path)) {
        moved(NULL, path, add(st));
    }
}

void model_renamed(const char *from, const char *to, const struct stat *st) {
    node *what = find(st);
    if (what != NULL) {
        moved(from, to, what);
    }
}

void model_removed(const char *path) {
    if (!is_memory(path)) {
        moved(path, NULL, NULL);
    }
}

static void change_file(const struct stat *st, uint64_t offset, const void *data, size_t size) {
    node *n = find(st);
    if (n == NULL || n->folder) {
        return;
    }
    uint8_t *copy = data != NULL ? malloc(size + 1) : NULL;
    if (data != NULL) {
        memcpy(copy, data, size);
    }
    n->changes = more(n->changes, &n->change_capacity, n->change_count + 1, sizeof *n->changes);
    n->changes[n->change_count++] = (change){offset, size, copy};
}

void model_written(const struct stat *st, uint64_t offset, const void *data, size_t size) {
    change_file(st, offset, data, size);
}

void model_resized(const struct stat *st, uint64_t size) {
    change_file(st, size, NULL, 0);
}

/* -- what is on the disk -- */

static void resize(uint8_t **data, size_t *size, size_t wanted) {
    if (wanted > *size) {
        *data = realloc(*data, wanted + 1);
        if (*data == NULL) {
            abort();
        }
        memset(*data + *size, 0, wanted - *size);
    }
    *size = wanted;
}

/* Bytes [from, to) of a write. */
static void apply(uint8_t **data, size_t *size, const change *c, size_t from, size_t to) {
    if (c->data == NULL) {
        resize(data, size, (size_t)c->offset);
        return;
    }
    size_t end = (size_t)c->offset + to;
    if (from < to && end > *size) {
        resize(data, size, end);
    }
    if (from < to) {
        memcpy(*data + c->offset + from, c->data + from, to - from);
    }
}

static void apply_move(entry **entries, size_t *count, size_t *capacity, const move *m) {
    for (size_t i = 0; i < *count;) {
        const char *name = (*entries)[i].name;
        if ((m->from != NULL && strcmp(name, m->from) == 0) ||
            (m->to != NULL && strcmp(name, m->to) == 0)) {
            free((*entries)[i].name);
            (*entries)[i] = (*entries)[--*count];
        } else {
            i++;
        }
    }
    if (m->to != NULL) {
        *entries = more(*entries, capacity, *count + 1, sizeof **entries);
        (*entries)[(*count)++] = (entry){strdup(m->to), m->what};
    }
}

void model_synced(const struct stat *st) {
    node *n = find(st);
    if (n == NULL) {
        return;
    }
    for (size_t i = 0; i < n->change_count; i++) {
        apply(&n->data, &n->size, &n->changes[i], 0, n->changes[i].size);
    }
    forget_changes(n);
    for (size_t i = 0; i < n->move_count; i++) {
        apply_move(&n->entries, &n->entry_count, &n->entry_capacity, &n->moves[i]);
    }
    forget_moves(n);
}

/* Those sectors of a write that the dice keep. */
static void apply_torn(uint8_t **data, size_t *size, const change *c, uint64_t *dice) {
    if (c->data == NULL) {
        if (roll(dice) % 2 == 0) {
            apply(data, size, c, 0, 0);
        }
        return;
    }
    for (size_t from = 0; from < c->size;) {
        size_t to = from + SECTOR - (size_t)((c->offset + from) % SECTOR);
        to = to < c->size ? to : c->size;
        if (roll(dice) % 2 == 0) {
            apply(data, size, c, from, to);
        }
        from = to;
    }
}

/* Each block of the file as it was after some of the changes: a kernel writes pages in any order,
 * each as it is at that moment, so one that has a later change has the earlier ones, too. */
static void settle_blocks(uint8_t **data, size_t *size, const node *n, size_t block,
                          uint64_t *dice) {
    size_t most = *size;
    size_t final = *size;
    size_t sized = roll(dice) % (n->change_count + 1); /* changes of the size that were kept */
    for (size_t i = 0; i < n->change_count; i++) {
        const change *c = &n->changes[i];
        size_t end = (size_t)c->offset + (c->data != NULL ? c->size : 0);
        most = end > most ? end : most;
        if (i < sized) {
            final = c->data == NULL || end > final ? end : final;
        }
    }
    size_t blocks = most / block + 1;
    size_t *kept = calloc(blocks, sizeof *kept);
    if (kept == NULL) {
        abort();
    }
    for (size_t b = 0; b < blocks; b++) {
        uint64_t how = roll(dice) % 4;
        kept[b] = how == 0 ? 0 : how == 1 ? n->change_count : roll(dice) % (n->change_count + 1);
    }
    resize(data, size, most);
    for (size_t i = 0; i < n->change_count; i++) {
        const change *c = &n->changes[i];
        size_t from = (size_t)c->offset;
        size_t end = c->data != NULL ? from + c->size : most; /* else it is zeroed */
        for (size_t to = 0; from < end; from = to) {
            to = (from / block + 1) * block;
            to = to < end ? to : end;
            if (i < kept[from / block] && c->data != NULL) {
                memcpy(*data + from, c->data + (from - (size_t)c->offset), to - from);
            } else if (i < kept[from / block]) {
                memset(*data + from, 0, to - from);
            }
        }
    }
    free(kept);
    *size = final;
}

/* What is kept of the changes, onto data: none, all, the first ones, or any blocks. */
static void settle(uint8_t **data, size_t *size, const node *n, uint64_t *dice) {
    uint64_t how = roll(dice) % 5;
    size_t whole = how == 0 ? 0 : how == 1 ? n->change_count : roll(dice) % (n->change_count + 1);
    if (how > 2) {
        settle_blocks(data, size, n, how == 3 ? SECTOR : PAGE, dice);
        return;
    }
    for (size_t i = 0; i < n->change_count && i <= whole; i++) {
        const change *c = &n->changes[i];
        if (i < whole) {
            apply(data, size, c, 0, c->size);
        } else if (how == 2) {
            apply_torn(data, size, c, dice);
        }
    }
}

void model_sync_failed(const struct stat *st, uint64_t seed) {
    node *n = find(st);
    uint64_t dice = seed | 1;
    if (n != NULL && !n->folder) {
        settle(&n->data, &n->size, n, &dice);
        forget_changes(n);
    }
}

static void write_file(const node *n, const char *path, uint64_t *dice) {
    size_t size = n->size;
    uint8_t *data = malloc(size + 1);
    if (data == NULL) {
        abort();
    }
    memcpy(data, n->data != NULL ? n->data : (const uint8_t *)"", size);
    settle(&data, &size, n, dice);
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    for (size_t at = 0; fd >= 0 && at < size;) {
        long got = syscall(SYS_write, fd, data + at, size - at);
        if (got <= 0) {
            abort();
        }
        at += (size_t)got;
    }
    free(data);
    syscall(SYS_close, fd);
}

static void write_folder(const node *n, const char *path, uint64_t *dice) {
    entry *entries = NULL;
    size_t count = 0;
    size_t capacity = 0;
    uint64_t how = roll(dice) % 3;
    size_t kept = how == 0 ? 0 : how == 1 ? n->move_count : roll(dice) % (n->move_count + 1);
    for (size_t i = 0; i < n->entry_count; i++) {
        apply_move(&entries, &count, &capacity,
                   &(move){NULL, n->entries[i].name, n->entries[i].what});
    }
    for (size_t i = 0; i < kept; i++) {
        apply_move(&entries, &count, &capacity, &n->moves[i]);
    }
    if (syscall(SYS_mkdirat, AT_FDCWD, path, 0700) != 0) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        char child[PATH];
        snprintf(child, sizeof child, "%s/%s", path, entries[i].name);
        if (entries[i].what->folder) {
            write_folder(entries[i].what, child, dice);
        } else {
            write_file(entries[i].what, child, dice);
        }
        free(entries[i].name);
    }
    free(entries);
}

void model_cut(const char *out, uint64_t seed) {
    uint64_t dice = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    write_folder(top, out, &dice);
}
