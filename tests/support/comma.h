/* SPDX-License-Identifier: Apache-2.0 */
/* A locale with a decimal comma and another language, made in a folder of the test's own. */
#ifndef EOP_TESTS_COMMA_H
#define EOP_TESTS_COMMA_H

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Makes `name` (such as "de_DE") in `folder` and puts this process into it. 0 where the machine has
 * no localedef or no source of that locale. */
static inline int comma_enter(const char *folder, const char *name) {
    char full[64];
    char path[256];
    (void)snprintf(full, sizeof full, "%s.UTF-8", name);
    (void)snprintf(path, sizeof path, "%s/%s", folder, full);
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        execlp("localedef", "localedef", "--no-archive", "-i", name, "-f", "UTF-8", path,
               (char *)NULL);
        _exit(127);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    (void)setenv("LOCPATH", folder, 1);
    return setlocale(LC_ALL, full) != NULL;
}

#endif /* EOP_TESTS_COMMA_H */
