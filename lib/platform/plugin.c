/* SPDX-License-Identifier: Apache-2.0 */
/* Shared objects at run time: plug-ins by path, libraries of the system by name. What was loaded
 * stays for the life of the process. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"
#include "platform/platform.h"

edgeops_status eop_plugin_symbol(void **symbol, const char *path, const char *name) {
    void *library = NULL;
    void *found = NULL;
    const char *why = NULL;
    if (path == NULL || path[0] != '/') {
        return eop_fail(EDGEOPS_E_INVALID, "platform", "plug-in '%s' needs an absolute path",
                        path == NULL ? "" : path);
    }
    if (access(path, R_OK) != 0) {
        return eop_fail_errno(errno, "platform", "plug-in '%s' cannot be read", path);
    }
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        why = dlerror();
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "platform", "plug-in '%s' cannot be loaded: %s",
                        path, why != NULL ? why : "no reason given");
    }
    found = dlsym(library, name);
    /* The code stays mapped (NODELETE): this only gives back the count. */
    (void)dlclose(library);
    if (found == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "platform", "'%s' is not a plug-in: it has no '%s'",
                        path, name);
    }
    *symbol = found;
    return EDGEOPS_OK;
}

edgeops_status eop_library_symbol(void **symbol, const char *soname, const char *name) {
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *found = library != NULL ? dlsym(library, name) : NULL;
    if (found == NULL) {
        const char *reason = dlerror();
        edgeops_status status =
            eop_fail(EDGEOPS_E_UNSUPPORTED, "platform", "%s: %s; install the package with %s", name,
                     reason != NULL ? reason : "not there", soname);
        if (library != NULL) {
            (void)dlclose(library);
        }
        return status;
    }
    (void)dlclose(library);
    *symbol = found;
    return EDGEOPS_OK;
}

edgeops_status eop_library_dir(char **out) {
    Dl_info info;
    char *full = NULL;
    *out = NULL;
    /* A function of this library stands for it; linked into a program, that is the program. */
    if (dladdr((void *)(uintptr_t)eop_library_dir, &info) == 0 || info.dli_fname == NULL ||
        (full = realpath(info.dli_fname, NULL)) == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "platform", "the library does not know where it is");
    }
    char *slash = strrchr(full, '/');
    *out = eop_strndup(full, slash != NULL && slash != full ? (size_t)(slash - full) : 1);
    free(full);
    return *out != NULL ? EDGEOPS_OK : eop_fail_nomem("platform");
}
