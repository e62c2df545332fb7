/* SPDX-License-Identifier: Apache-2.0 */
/* What the library leaves alone in a host's process: signal handlers and masks, the folder, umask, locale,
 * environment and limits; nothing on stdout or stderr; all threads block all signals and all descriptors are
 * close-on-exec while it works; when all is closed no thread, child or descriptor is left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

extern char **environ;

enum { SIGNALS = 65, FDS = 256 };

typedef struct habits {
    struct sigaction actions[SIGNALS];
    sigset_t mask;
    char folder[4096];
    mode_t umask;
    char locale[256];
    size_t environment;
    struct rlimit files;
    struct rlimit core;
} habits;

static void look(habits *out) {
    memset(out, 0, sizeof *out);
    for (int i = 1; i < SIGNALS; i++) {
        (void)sigaction(i, NULL, &out->actions[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &out->mask);
    NEED(getcwd(out->folder, sizeof out->folder) != NULL, "getcwd");
    out->umask = umask(0);
    (void)umask(out->umask);
    (void)snprintf(out->locale, sizeof out->locale, "%s", setlocale(LC_ALL, NULL));
    for (char **e = environ; *e != NULL; e++) {
        out->environment += strlen(*e) + 1;
    }
    (void)getrlimit(RLIMIT_NOFILE, &out->files);
    (void)getrlimit(RLIMIT_CORE, &out->core);
}

static void compare(const habits *a, const habits *b) {
    for (int i = 1; i < SIGNALS; i++) {
        CHECK(a->actions[i].sa_handler == b->actions[i].sa_handler, "the handler of signal %d", i);
    }
    CHECK(memcmp(&a->mask, &b->mask, sizeof a->mask) == 0, "the mask of the host's thread");
    CHECK(strcmp(a->folder, b->folder) == 0, "%s", b->folder);
    CHECK(a->umask == b->umask, "umask %o", (unsigned)b->umask);
    CHECK(strcmp(a->locale, b->locale) == 0, "%s", b->locale);
    CHECK(a->environment == b->environment, "%zu bytes of environment", b->environment);
    CHECK(memcmp(&a->files, &b->files, sizeof a->files) == 0, "the limit of descriptors");
    CHECK(memcmp(&a->core, &b->core, sizeof a->core) == 0, "the limit of core files");
}

static int threads(int check) {
    int n = 0;
    char line[256];
    struct dirent *entry = NULL;
    DIR *tasks = opendir("/proc/self/task");
    NEED(tasks != NULL, "/proc/self/task");
    while ((entry = readdir(tasks)) != NULL) {
        unsigned long long blocked = 0;
        char name[64] = "";
        if (entry->d_name[0] == '.') {
            continue;
        }
        n++;
        FILE *file = fopen(text_of("/proc/self/task/%s/status", entry->d_name), "re");
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            (void)sscanf(line, "SigBlk: %llx", &blocked);
            (void)sscanf(line, "Name: %63s", name);
        }
        if (file != NULL) {
            (void)fclose(file);
        }
        /* What a host sends: HUP INT QUIT USR1 USR2 PIPE ALRM TERM CHLD and so on; not the faults, KILL and STOP. */
        static const int sent[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2,
                                   SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGWINCH};
        for (size_t i = 0;
             check && atoi(entry->d_name) != getpid() && i < sizeof sent / sizeof *sent; i++) {
            CHECK((blocked >> (sent[i] - 1) & 1) != 0, "thread %s takes signal %d: mask %016llx",
                  name, sent[i], blocked);
        }
    }
    (void)closedir(tasks);
    return n;
}

static int descriptors(int check) {
    int n = 0;
    for (int fd = 3; fd < FDS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        n += flags >= 0;
        if (check && flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            char target[256] = "";
            (void)!readlink(text_of("/proc/self/fd/%d", fd), target, sizeof target - 1);
            CHECK(0, "descriptor %d is inherited: %s", fd, target);
        }
    }
    return n;
}

static void work(void) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    node_up(path_of("home"));
    echo_up();
    deploy_up();
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_node_serve(node) == EDGEOPS_OK, "%s", why());
    CHECK(call("data.aggregate", "{\"asset\":\"x\"}") == EDGEOPS_OK, "%s", why());
    CHECK(call("node.backup", text_of("{\"path\":\"%s\"}", path_of("backup"))) == EDGEOPS_OK, "%s",
          why());
    options.output = open(path_of("out.csv"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(edgeops_node_call(NULL, node, "data.export", "{\"asset\":\"x\"}", &options) == EDGEOPS_OK,
          "%s", why());
    (void)close(options.output);
    for (int i = 0; i < 20; i++) {
        CHECK(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
    }
    turn(300, NULL);
}

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *unused) {
    (void)result;
    (void)samples;
    (void)n;
    (void)options;
    (void)unused;
    return EDGEOPS_OK;
}

/* The MQTT client's threads and socket are its own and stay for the life of the process; signals they block, too. A
 * broker that is not there: the source goes on trying. */
static void mqtt(void) {
    edgeops_source *source = NULL;
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "s";
    options.driver = "mqtt";
    options.config_json =
        "{\"url\":\"mqtt://127.0.0.1:9\",\"topics\":[\"p\"],\"payload\":{\"asset\":\"a\"}}";
    options.append = take;
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    edgeops_status status = edgeops_source_open(&source, ctx, &options);
    if (status == EDGEOPS_E_NOTFOUND) {
        printf("built without MQTT\n");
    } else {
        NEED(status == EDGEOPS_OK && edgeops_source_start(source) == EDGEOPS_OK, "%s", why());
        turn(500, NULL);
        printf("with a source: %d threads\n", threads(1));
    }
    edgeops_source_close(source);
    edgeops_ctx_free(ctx);
}

int main(void) {
    habits before;
    habits after;
    struct stat said;
    for (int fd = 3; fd < FDS; fd++) {
        (void)close(fd); /* what the one who started us forgot */
    }
    (void)host_begin();
    need_worker();
    look(&before);
    int real_out = fcntl(1, F_DUPFD_CLOEXEC, 200);
    int real_err = fcntl(2, F_DUPFD_CLOEXEC, 200);
    int file = open(path_of("said"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    int own = descriptors(0);
    (void)dup2(file, 1);
    (void)dup2(file, 2);
    work();
    (void)fflush(stdout);
    NEED(fstat(file, &said) == 0, "fstat");
    (void)dup2(real_out, 1);
    (void)dup2(real_err, 2);
    char text[2000] = "";
    (void)!pread(file, text, sizeof text - 1, 0);
    CHECK(said.st_size == 0, "%lld bytes on stdout or stderr: %s", (long long)said.st_size, text);
    printf("at work: %d threads, %d descriptors\n", threads(1), descriptors(1));
    look(&after);
    compare(&before, &after);
    node_down();
    look(&after);
    compare(&before, &after);
    printf("after: %d threads, %d descriptors\n", threads(1), descriptors(1));
    CHECK(threads(0) <= 2,
          "%d threads are left (the MQTT client keeps one for the life of the process)",
          threads(0));
    /* libuv keeps the two ends of its pipe for signals. */
    CHECK(descriptors(0) <= own + 4, "%d descriptors are left, there were %d", descriptors(0), own);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
    mqtt();
    look(&after);
    compare(&before, &after);
    return host_end();
}
