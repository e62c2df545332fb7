/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define RECORD_LIMIT ((size_t)1 << 20)
#define COLUMN_LIMIT 4096

struct cli_table {
    const char *path;
    FILE *file;
    pid_t unpacker; /* 0: none */
    char separator;
    uint64_t line; /* of the last record's end */
    size_t columns;
    char **names;
    cli_text record; /* fields one after the other, each with a NUL */
    size_t *starts;  /* of the fields */
    const char **fields;
    size_t field_count, field_capacity;
};

/* gzip -dc between the file and this program. */
static int start_unpacker(cli_table *table, int *fd) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return cli_fail(CLI_FAILED, NULL, "%s: %s", table->path, strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, *fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    char name[] = "gzip", flag[] = "-dc";
    char *const argv[] = {name, flag, NULL};
    extern char **environ;
    int failed = posix_spawnp(&table->unpacker, "gzip", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (failed != 0) {
        close(pipe_fds[0]);
        table->unpacker = 0;
        return cli_fail(CLI_FAILED, "install gzip, or unpack the file first",
                        "%s: gzip cannot be started: %s", table->path, strerror(failed));
    }
    cli_close(*fd);
    *fd = pipe_fds[0];
    return CLI_OK;
}

static int open_file(cli_table *table) {
    int fd;
    int code = cli_open_input(&fd, table->path);
    if (code != CLI_OK) {
        return code;
    }
    unsigned char magic[2] = {0};
    if (pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1F && magic[1] == 0x8B) {
        code = start_unpacker(table, &fd);
    }
    if (code == CLI_OK) {
        table->file = fdopen(fd, "r");
        if (table->file == NULL) {
            code = cli_fail(CLI_FAILED, NULL, "%s: %s", table->path, strerror(errno));
        }
    }
    if (table->file == NULL) {
        cli_close(fd);
    }
    return code;
}

static int bad(const cli_table *table, const char *what) {
    return cli_fail(CLI_FAILED, NULL, "%s, line %llu: %s", table->path,
                    (unsigned long long)table->line + 1, what);
}

static void begin_field(cli_table *table) {
    if (table->field_count == table->field_capacity) {
        table->field_capacity = table->field_capacity * 2 + 16;
        table->starts = cli_realloc(table->starts, table->field_capacity, sizeof *table->starts);
        table->fields = cli_realloc(table->fields, table->field_capacity, sizeof *table->fields);
    }
    table->starts[table->field_count] = table->record.size;
}

static void end_field(cli_table *table) {
    cli_put(&table->record, "", 1);
    table->field_count++;
}

/* The inside of a quoted field, after its opening quote. */
static int read_quoted(cli_table *table, int *next) {
    for (;;) {
        int c = getc_unlocked(table->file);
        if (c == EOF) {
            return bad(table, "the file ends inside quotes");
        }
        if (c == '"') {
            c = getc_unlocked(table->file);
            if (c != '"') {
                *next = c;
                return CLI_OK;
            }
        }
        if (c == 0 || table->record.size >= RECORD_LIMIT) {
            return bad(table, c == 0 ? "a NUL byte: this is no CSV" : "a row over 1 MiB");
        }
        table->line += c == '\n';
        char byte = (char)c;
        cli_put(&table->record, &byte, 1);
    }
}

/* One record; *end: the file was over before it began. */
static int read_record(cli_table *table, bool *end) {
    cli_text_clear(&table->record);
    table->field_count = 0;
    *end = false;
    begin_field(table);
    size_t quoted = 0; /* end of what stood in quotes */
    for (;;) {
        int c = getc_unlocked(table->file);
        if (c == '"' && table->record.size == table->starts[table->field_count]) {
            int code = read_quoted(table, &c);
            if (code != CLI_OK) {
                return code;
            }
            quoted = table->record.size;
            if (c != table->separator && c != '\n' && c != '\r' && c != EOF) {
                return bad(table, "something follows a closing quote");
            }
        }
        if (c == EOF) {
            *end = table->field_count == 0 && table->record.size == 0;
            end_field(table);
            return CLI_OK;
        }
        if (c == '\n') {
            table->line++;
            if (table->record.size > table->starts[table->field_count] &&
                table->record.size > quoted && table->record.data[table->record.size - 1] == '\r') {
                table->record.size--;
            }
            end_field(table);
            return CLI_OK;
        }
        if (c == table->separator) {
            end_field(table);
            if (table->field_count >= COLUMN_LIMIT) {
                return bad(table, "more than 4,096 columns");
            }
            begin_field(table);
            continue;
        }
        if (c == 0 || table->record.size >= RECORD_LIMIT) {
            return bad(table, c == 0 ? "a NUL byte: this is no CSV" : "a row over 1 MiB");
        }
        char byte = (char)c;
        cli_put(&table->record, &byte, 1);
    }
}

static int check_end(cli_table *table) {
    if (ferror(table->file)) {
        return cli_fail(CLI_FAILED, NULL, "%s: %s", table->path, strerror(errno));
    }
    int status = 0;
    if (table->unpacker > 0) {
        pid_t pid = table->unpacker;
        table->unpacker = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    return status == 0 ? CLI_OK : cli_fail(CLI_FAILED, NULL, "%s: damaged gzip data", table->path);
}

int cli_table_open(cli_table **out, const char *path, char separator) {
    *out = NULL;
    cli_table *table = cli_calloc(1, sizeof *table);
    table->path = path;
    table->separator = separator;
    bool end = false;
    int code = open_file(table);
    if (code == CLI_OK) {
        code = read_record(table, &end);
    }
    if (code == CLI_OK && end) {
        code = check_end(table);
        code = code != CLI_OK ? code : bad(table, "there is no header");
    }
    if (code == CLI_OK) {
        const char *data = table->record.data;
        table->columns = table->field_count;
        table->names = cli_calloc(table->columns, sizeof *table->names);
        for (size_t i = 0; i < table->columns; i++) {
            const char *name = data + table->starts[i];
            bool mark = i == 0 && strncmp(name, "\xEF\xBB\xBF", 3) == 0;
            table->names[i] = cli_strdup(name + (mark ? 3 : 0));
        }
        *out = table;
    } else {
        cli_table_close(table);
    }
    return code;
}

int cli_table_next(cli_table *table, const char *const **fields) {
    bool end, blank;
    *fields = NULL;
    do {
        int code = read_record(table, &end);
        if (code != CLI_OK || end) {
            return code != CLI_OK ? code : check_end(table);
        }
        blank = table->field_count == 1 && table->record.size == 1;
    } while (blank && table->columns > 1);
    if (table->field_count != table->columns) {
        return cli_fail(CLI_FAILED, NULL, "%s, line %llu: %zu fields, the header has %zu",
                        table->path, (unsigned long long)table->line, table->field_count,
                        table->columns);
    }
    for (size_t i = 0; i < table->columns; i++) {
        table->fields[i] = table->record.data + table->starts[i];
    }
    *fields = table->fields;
    return CLI_OK;
}

size_t cli_table_columns(const cli_table *table) {
    return table->columns;
}

const char *cli_table_name(const cli_table *table, size_t column) {
    return table->names[column];
}

size_t cli_table_find(const cli_table *table, const char *name) {
    for (size_t i = 0; i < table->columns; i++) {
        if (strcmp(table->names[i], name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

uint64_t cli_table_line(const cli_table *table) {
    return table->line;
}

void cli_table_close(cli_table *table) {
    if (table == NULL) {
        return;
    }
    if (table->file != NULL && table->file != stdin) {
        fclose(table->file);
    }
    if (table->unpacker > 0) {
        while (waitpid(table->unpacker, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    for (size_t i = 0; i < table->columns; i++) {
        free(table->names[i]);
    }
    free(table->names);
    free(table->starts);
    free(table->fields);
    cli_text_dispose(&table->record);
    free(table);
}
