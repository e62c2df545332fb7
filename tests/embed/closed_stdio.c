/* SPDX-License-Identifier: Apache-2.0 */
/* Daemons run with 0, 1, 2 closed, all or some of them, and point them at /dev/null later: the library neither takes
 * these numbers nor loses anything by it. Each combination: a store keeps its lock, a node trains, sources run. */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static const char *self = "/proc/self/exe";

/* Another process tries the home: 0 when it is refused as it should be. */
static int second(const char *home) {
    edgeops_store *mine = NULL;
    edgeops_status status = edgeops_store_open(&mine, home, NULL);
    edgeops_store_close(mine);
    return status == EDGEOPS_E_BUSY ? 0 : 1;
}

static int run_second(const char *home) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)execl(self, "second", "second", home, (char *)NULL);
        _exit(9);
    }
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *user_data) {
    (void)user_data;
    return edgeops_store_append(result, store, samples, n, options);
}

static void run_source(const char *name) {
    edgeops_source *source = NULL;
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    char *recording = path_of("%s.csv", name);
    FILE *file = fopen(recording, "we");
    NEED(file != NULL &&
             fputs("time,v\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n", file) >= 0 &&
             fclose(file) == 0,
         "%s", recording);
    options.name = "s";
    options.driver = "replay";
    options.config_json = text_of("{\"path\":\"%s\",\"asset\":\"r\",\"speed\":0}", recording);
    options.append = take;
    NEED(edgeops_source_open(&source, ctx, &options) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_source_start(source) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 100 && rows_of(store, "r") < 2; i++) {
        turn(20, NULL);
    }
    CHECK(rows_of(store, "r") == 2, "%llu rows", (unsigned long long)rows_of(store, "r"));
    edgeops_source_close(source);
}

static void ours_are_elsewhere(int mask, const char *when) {
    for (int fd = 0; fd < 3; fd++) {
        char target[256] = "";
        if ((mask >> fd & 1) != 0 &&
            readlink(text_of("/proc/self/fd/%d", fd), target, sizeof target - 1) > 0) {
            CHECK(strcmp(target, "/dev/null") == 0, "%s, mask %d: descriptor %d is %s", when, mask,
                  fd, target);
        }
    }
}

static int without(void *given) {
    int mask = *(int *)given;
    char *home = path_of("home-%d", mask);
    int report = fcntl(1, F_DUPFD_CLOEXEC, 50);
    stdout = fdopen(report, "w"); /* what CHECK() prints goes on */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (int fd = 0; fd < 3; fd++) {
        if ((mask >> fd & 1) != 0) {
            (void)close(fd);
        }
    }
    node_up(home);
    ours_are_elsewhere(mask, "open");
    NEED(put("a", 1, 1) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s",
          why());
    ours_are_elsewhere(mask, "serving");
    run_source(text_of("recording-%d", mask));
    if (mask == 7 || (mask & (mask - 1)) == 0) {
        echo_up();
        CHECK(call("train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}") ==
                  EDGEOPS_OK,
              "mask %d: %s", mask, why());
    }
    ours_are_elsewhere(mask, "after a training");
    /* The daemon points all three somewhere. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        (void)dup2(null, fd);
    }
    CHECK(run_second(home) == 0, "mask %d: a second process got the home, too", mask);
    for (int i = 0; i < 1000; i++) {
        CHECK(put("a", 10 + i, i) == EDGEOPS_OK, "mask %d: %s", mask, why());
    }
    CHECK(call("doctor", "{\"deep\":true}") == EDGEOPS_OK, "mask %d: %s", mask, why());
    node_down();
    NEED(edgeops_store_open(&store, home, NULL) == EDGEOPS_OK, "%s", why());
    CHECK(rows_of(store, "a") == 1001, "mask %d: %llu rows", mask,
          (unsigned long long)rows_of(store, "a"));
    edgeops_store_close(store);
    return host_wrong() != 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "second") == 0) {
        return second(argv[2]);
    }
    (void)host_begin();
    need_worker();
    for (int mask = 1; mask < 8; mask++) {
        CHECK(in_child(without, &mask, 30) == 0, "without the descriptors of mask %d", mask);
    }
    return host_end();
}
