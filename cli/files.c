/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the user names: opened for reading with errors that name them, and written beside
 * their place, so that an output file appears whole or not at all. "-" is standard input or
 * output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static int fail_file(const char *path, int os_errno) {
    return cli_fail(os_errno == ENOENT ? CLI_NOTFOUND : CLI_FAILED, NULL, "%s: %s", path,
                    strerror(os_errno));
}

int cli_open_input(int *fd, const char *path) {
    if (strcmp(path, "-") == 0) {
        *fd = STDIN_FILENO;
        return CLI_OK;
    }
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0) {
        return fail_file(path, errno);
    }
    struct stat st;
    if (fstat(opened, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(opened);
        return fail_file(path, EISDIR);
    }
    *fd = opened;
    return CLI_OK;
}

static int open_direct(cli_output *output, int flags) {
    output->fd = open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (output->fd < 0) {
        int os_errno = errno;
        int code = fail_file(output->path, os_errno);
        free(output->path);
        *output = (cli_output){.fd = -1};
        return code;
    }
    return CLI_OK;
}

int cli_output_open(cli_output *output, const char *path) {
    struct stat st = {0};
    *output = (cli_output){.fd = STDOUT_FILENO};
    if (strcmp(path, "-") == 0) {
        return CLI_OK;
    }
    bool exists = stat(path, &st) == 0;
    char *target = exists ? realpath(path, NULL) : NULL; /* a link stays one */
    output->path = cli_strdup(target != NULL ? target : path);
    free(target);
    if (exists && !S_ISREG(st.st_mode)) {
        return open_direct(output, 0);
    }
    if (exists && access(output->path, W_OK) != 0) {
        return open_direct(output, 0); /* it says why not */
    }
    output->temporary = cli_format("%s.%ld.tmp", output->path, (long)getpid());
    output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (output->fd >= 0) {
        if (exists && fchmod(output->fd, st.st_mode & 07777) != 0) {
            cli_warn("%s: its permissions are not kept: %s", path, strerror(errno));
        }
        return CLI_OK;
    }
    /* A file that may be written in a folder that may not, or one that is not there. */
    free(output->temporary);
    output->temporary = NULL;
    return open_direct(output, O_TRUNC);
}

int cli_output_close(cli_output *output, int code) {
    if (output->path != NULL && output->fd >= 0 && close(output->fd) != 0 && code == CLI_OK) {
        code = fail_file(output->path, errno);
    }
    if (output->temporary != NULL) {
        if (code == CLI_OK && rename(output->temporary, output->path) != 0) {
            code = fail_file(output->path, errno);
        }
        if (code != CLI_OK) {
            unlink(output->temporary);
        }
    }
    free(output->path);
    free(output->temporary);
    *output = (cli_output){.fd = -1};
    return code;
}

void cli_close(int fd) {
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

static bool wait_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int cli_read_file(char **out, size_t *size, const char *path, size_t limit) {
    int fd;
    int code = cli_open_input(&fd, path);
    if (code != CLI_OK) {
        return code;
    }
    cli_text text = {0};
    char buf[16384];
    ssize_t n = 1;
    while (code == CLI_OK && n > 0) {
        n = read(fd, buf, sizeof buf);
        if (n < 0) {
            /* Standard input may be one that does not block. */
            n = errno == EINTR || (errno == EAGAIN && wait_readable(fd));
            code = n == 1 ? CLI_OK : fail_file(path, errno);
        } else if (text.size + (size_t)n > limit) {
            code = cli_fail(CLI_FAILED, NULL, "%s: larger than %zu bytes", path, limit);
        } else {
            cli_put(&text, buf, (size_t)n);
        }
    }
    cli_close(fd);
    if (code != CLI_OK) {
        cli_text_dispose(&text);
        return code;
    }
    *out = text.data;
    *size = text.size;
    return CLI_OK;
}

char *cli_absolute(const char *path) {
    if (path[0] == '/') {
        return cli_strdup(path);
    }
    char *here = getcwd(NULL, 0);
    char *out = here != NULL ? cli_format("%s/%s", here, path) : cli_strdup(path);
    free(here);
    return out;
}

bool cli_reader_gone(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

void cli_put_input_name(cli_text *out, const char *path) {
    cli_puts(out, out->size > 0 ? "," : "");
    cli_puts(out, "\"what\":");
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    json_put_string(out, name, strlen(name));
}
