/* SPDX-License-Identifier: Apache-2.0 */
/* edgeops-worker MODE PARENT MEMORY [NAME VERSION]: started by libedgeops, with its connection on
 * descriptor 3 (see codec/wire.h); `edgeops-worker --probe` reports the Python it has. It runs
 * code that nobody vouches for: it must not outlive its host, must not gain rights, and has no
 * more memory than its manifest says. set_limits() documents what enforces that. */
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "codec/wire.h"
#include "worker/worker.h"

#define USAGE "edgeops-worker is started by libedgeops, not by hand (but see --probe)\n"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
/* A workflow that crashes or runs out of memory is none of our bugs. */
EDGEOPS_API const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "handle_segv=0:handle_abort=0:allocator_may_return_null=1:detect_leaks=0";
}
#endif

static void die(const char *what) {
    (void)fprintf(stderr, "edgeops-worker: %s\n", what);
    _exit(120);
}

/* Bytes of private writable memory, which is what RLIMIT_DATA counts. */
static uint64_t data_bytes(void) {
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");

    if (file != NULL) {
        while (fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, "VmData: %llu kB", &kib) == 1) {
                break;
            }
        }
        (void)fclose(file);
    }
    return (uint64_t)kib * 1024;
}

/* memory: of the manifest. RLIMIT_DATA: private writable memory, the bare interpreter not counted;
 * that is heap, arrays, stacks of threads and the data of libraries, whether touched or only
 * reserved. Not RLIMIT_AS, since libraries reserve address space that they never write; shared
 * memory (the dataset) and the text of libraries do not count. Each child process has the same
 * limit for itself. */
static void set_limits(uint64_t memory) {
    struct rlimit none = {0, 0};
    uint64_t bytes = data_bytes() + memory;
    struct rlimit data = {(rlim_t)bytes, (rlim_t)bytes};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || (memory > 0 && setrlimit(RLIMIT_DATA, &data) != 0)) {
        die("the limits of the manifest cannot be set");
    }
}

/* Before anything of the workflow runs. */
static void confine(long parent) {
    int file;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        die("the kernel refuses to confine this process");
    }
    if ((long)getppid() != parent) {
        _exit(0); /* the host went before the signal was asked for */
    }
    if (fcntl(EOP_WIRE_CONTROL_FD, F_SETFD, FD_CLOEXEC) != 0) {
        die(USAGE);
    }
    (void)fcntl(EOP_WIRE_DATASET_FD, F_SETFD, FD_CLOEXEC); /* only when training */
    /* When memory is short the kernel should take this process, not the host. */
    file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!write(file, "500", 3);
        (void)close(file);
    }
}

/* The limited API has no PyConfig: isolation is by environment, which is this process's own. */
static void set_environment(void) {
    static const char *const unset[] = {"PYTHONPATH",      "PYTHONHOME",     "PYTHONSTARTUP",
                                        "PYTHONINSPECT",   "PYTHONUSERBASE", "PYTHONBREAKPOINT",
                                        "PYTHONPLATLIBDIR"};
    int bad = 0;

    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) {
        bad |= unsetenv(unset[i]);
    }
    bad |= setenv("PYTHONNOUSERSITE", "1", 1);
    bad |= setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    bad |= setenv("PYTHONUTF8", "1", 1);
    /* Python finds its own library folder through PATH: it must be the one we are linked with. */
    bad |= setenv("PATH", EOP_PYTHON_BIN ":/usr/bin:/bin", 1);
    if (bad != 0) {
        die("no memory");
    }
}

static int run(const char *mode) {
    PyObject *code = Py_CompileString(eop_worker_glue, "<edgeops>/glue.py", Py_file_input);
    PyObject *glue = code != NULL ? PyImport_ExecCodeModule("edgeops_worker", code) : NULL;
    PyObject *result = glue != NULL ? PyObject_CallMethod(glue, "main", "s", mode) : NULL;

    if (result == NULL) {
        PyErr_Print();
        return 121;
    }
    return 0;
}

int main(int argc, char **argv) {
    bool probe = argc == 2 && strcmp(argv[1], "--probe") == 0;
    uint64_t memory = 0;

    if (!probe) {
        if (argc < 4) {
            (void)fputs(USAGE, stderr);
            return 2;
        }
        memory = strtoull(argv[3], NULL, 10);
        confine(strtol(argv[2], NULL, 10));
        if (strcmp(argv[1], "train") == 0) {
            (void)setpriority(PRIO_PROCESS, 0, 5); /* ingest and predictions come first */
        }
    }
    set_environment();
    if (PyImport_AppendInittab("_edgeops", eop_worker_module) != 0) {
        die("no memory");
    }
    Py_InitializeEx(0);
    if (!probe) {
        set_limits(memory);
    }
    int code = run(probe ? "probe" : argv[1]);
    (void)fflush(NULL);
    /* The interpreter is not finalized: nothing of a workflow may delay the end or run after it. */
    _exit(code);
}
