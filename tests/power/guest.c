/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of the virtual machine: loads the modules, mounts the disk and becomes the
 * writer. There is nothing else in the machine. What the kernel's command line says arrives in the
 * environment. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "writer.h"

#define DISK "/dev/vda"

__attribute__((format(printf, 2, 0))) static void say(const char *before, const char *format,
                                                      va_list arguments) {
    char line[600];
    int n = snprintf(line, sizeof line, "power: %s", before);
    n += vsnprintf(line + n, sizeof line - (size_t)n - 2, format, arguments);
    n = n > (int)sizeof line - 2 ? (int)sizeof line - 2 : n;
    line[n] = '\n';
    if (write(1, line, (size_t)n + 1) < 0) {
        _exit(1);
    }
}

void writer_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

_Noreturn void writer_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("failed: ", format, arguments);
    va_end(arguments);
    for (;;) {
        pause();
    }
}

static void mount_or_fail(const char *what, const char *where, const char *type) {
    (void)mkdir(where, 0755);
    if (mount(what, where, type, 0, NULL) != 0 && errno != EBUSY) {
        writer_fail("mount %s: %s", where, strerror(errno));
    }
}

static void open_console(void) {
    int fd = open("/dev/ttyS0", O_RDWR | O_CLOEXEC | O_NOCTTY);
    for (int k = 0; fd >= 0 && k < 3; k++) {
        (void)dup2(fd, k);
    }
}

static void load_modules(void) {
    char line[200];
    FILE *order = fopen("/modules/order", "re");
    while (order != NULL && fgets(line, sizeof line, order) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        int fd = open(line, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) {
            writer_fail("module %s: %s", line, strerror(errno));
        }
        close(fd);
    }
    if (order != NULL) {
        fclose(order);
    }
}

static void wait_for_disk(void) {
    struct timespec pause_of = {.tv_nsec = 20000000};
    for (int i = 0; i < 500 && access(DISK, F_OK) != 0; i++) {
        nanosleep(&pause_of, NULL);
    }
}

static uint64_t number(const char *name) {
    const char *text = getenv(name);
    if (text == NULL) {
        writer_fail("%s is not on the kernel's command line", name);
    }
    return strtoull(text, NULL, 10);
}

int main(void) {
    mount_or_fail("dev", "/dev", "devtmpfs");
    open_console();
    mount_or_fail("proc", "/proc", "proc");
    mount_or_fail("sys", "/sys", "sysfs");
    mount_or_fail("tmp", "/tmp", "tmpfs");
    load_modules();
    wait_for_disk();
    const char *type = getenv("POWER_FS");
    mount_or_fail(DISK, "/disk", type != NULL ? type : "ext4");
    writer_options options = {.home = "/disk/home",
                              .disk = DISK,
                              .promises_at = number("POWER_PROMISES_AT"),
                              .life = (uint32_t)number("POWER_LIFE"),
                              .mode = (writer_mode)number("POWER_MODE"),
                              .seed = number("POWER_SEED")};
    writer_live(&options);
}
