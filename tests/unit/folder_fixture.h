/* SPDX-License-Identifier: Apache-2.0 */
/* What suites that write to the disk share: a folder of their own and the path of a home in it. */
#ifndef FOLDER_FIXTURE_H
#define FOLDER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "value_fixture.h"

static char folder[64];
static char home[80];

static inline void make_home(void) {
    strcpy(folder, "/tmp/edgeops-store-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(home, sizeof home, "%s/home", folder);
}

static inline void remove_home(void) {
    CHECK_OK(eop_remove_tree(folder));
}

#endif /* FOLDER_FIXTURE_H */
